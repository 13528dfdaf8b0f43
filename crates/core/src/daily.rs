//! Limits by the day: how much of today's is left, and when tomorrow begins, on the clock of a named zone.
//!
//! Its own file because days are not 24 hours long everywhere and always. Registered American senders (10DLC) have such
//! limits from carriers, counted in segments and reset at midnight on the carrier's clock. Keeping the count is a
//! compare-and-set somewhere else.

use jiff::civil;
use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};
use crate::zone;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Texts.
    #[default]
    Messages,
    /// What they are billed as.
    Segments,
}

/// A limit, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daily {
    /// How much a day.
    pub limit: u32,
    /// Of what.
    #[serde(default)]
    pub unit: Unit,
    /// On whose clock the day begins.
    pub zone: String,
}

/// What was used of one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Day {
    /// The day in the limit's zone, such as `2026-11-23`; empty before the first.
    pub day: String,
    /// How much of it was used.
    pub used: u32,
    /// Whether something did not fit any more.
    #[serde(default)]
    pub full: bool,
}

impl Daily {
    /// What a text of so many segments takes; never more than a whole day has, or it would wait for ever.
    pub fn cost(&self, segments: u32) -> u32 {
        match self.unit {
            Unit::Messages => 1,
            Unit::Segments => segments.min(self.limit),
        }
    }

    /// Today as it stands: what was counted, or a new day of which nothing was used.
    pub fn today(&self, kept: &Day, now: Time) -> Day {
        let day = self.date(now).to_string();
        if kept.day == day { kept.clone() } else { Day { day, used: 0, full: false } }
    }

    /// What is left of such a day.
    pub fn left(&self, today: &Day) -> u32 {
        self.limit.saturating_sub(today.used)
    }

    /// The next midnight in the zone. One that the clocks skip is the first instant after the gap; one that comes twice
    /// is the earlier.
    pub fn reset(&self, now: Time) -> Time {
        let start = self.date(now).tomorrow().and_then(|day| day.to_zoned(self.tz()));
        start.map_or(now + Span::hours(24), |start| Time(start.timestamp().as_microsecond()))
    }

    fn date(&self, now: Time) -> civil::Date {
        now.timestamp().to_zoned(self.tz()).date()
    }

    /// A zone that the database does not know was refused by the check of the configuration.
    fn tz(&self) -> jiff::tz::TimeZone {
        zone::zone(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn daily(limit: u32, unit: Unit, zone: &str) -> Daily {
        Daily { limit, unit, zone: zone.to_owned() }
    }

    #[test]
    fn a_day_ends_at_midnight_where_the_limit_is_counted() {
        for (zone, now, reset) in [
            ("America/Los_Angeles", "2026-11-23T18:00:00Z", "2026-11-24T08:00:00Z"),
            ("America/Los_Angeles", "2026-11-24T07:59:59Z", "2026-11-24T08:00:00Z"),
            ("America/Los_Angeles", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"),
            // The day on which the clocks go back has 25 hours, the one on which they go forward 23.
            ("America/Los_Angeles", "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"),
            ("America/Los_Angeles", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"),
            // A midnight that the clocks skip: the day begins at one.
            ("Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"),
            ("nowhere", "2026-11-23T18:00:00Z", "2026-11-24T00:00:00Z"),
        ] {
            assert_eq!(daily(1, Unit::Messages, zone).reset(t(now)), t(reset), "{zone} {now}");
        }
    }

    #[test]
    fn what_is_left_of_a_day() {
        let daily = daily(10, Unit::Segments, "America/New_York");
        let morning = t("2026-11-23T15:00:00Z");
        let used = Day { used: 7, ..daily.today(&Day::default(), morning) };
        assert_eq!((used.day.as_str(), daily.left(&used), daily.cost(3), daily.cost(40)), ("2026-11-23", 3, 3, 10));
        assert_eq!(daily.today(&used, t("2026-11-24T04:59:59Z")), used);
        let next = daily.today(&used, t("2026-11-24T05:00:00Z"));
        assert_eq!((next.day.as_str(), daily.left(&next)), ("2026-11-24", 10));
        assert_eq!(Daily { unit: Unit::Messages, ..daily }.cost(3), 1);
    }

    proptest! {
        #[test]
        fn the_reset_is_the_first_instant_of_another_day(minute in 0i64..525_600, pick in 0usize..5) {
            let zone = ["America/Los_Angeles", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"][pick];
            let daily = daily(1, Unit::Messages, zone);
            let now = t("2026-01-01T00:00:00Z") + Span::mins(minute);
            let (reset, today) = (daily.reset(now), daily.date(now));
            prop_assert!(reset > now && reset <= now + Span::hours(25));
            prop_assert_eq!(daily.date(reset), today.tomorrow().unwrap());
            prop_assert_eq!(daily.date(reset - Span(1)), today);
        }
    }
}
