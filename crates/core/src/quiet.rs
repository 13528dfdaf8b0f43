//! Quiet hours: a daily window in the recipient's own zones, and the next instant inside it.
//!
//! Its own file because the arithmetic of days that skip or repeat an hour is easy to get wrong and is tested
//! against a minute-by-minute scan. It knows one window per purpose; jurisdictions and holidays are not its concern.

use std::fmt;

use jiff::civil;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::planted::{Fault, planted};
use crate::time::{Span, Time};
use crate::zone;

/// Daily hours in which texts may leave: `[start, end)`, local time, not over midnight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First permitted minute.
    pub start: civil::Time,
    /// First minute that is no longer permitted.
    pub end: civil::Time,
}

/// Not a daily window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a daily window: write two local times with the earlier one first, such as 08:00-21:00")]
pub struct WindowError(String);

impl std::str::FromStr for Window {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Window, WindowError> {
        let fail = || WindowError(text.chars().take(40).collect());
        let (start, end) = text.split_once('-').ok_or_else(fail)?;
        let read = |t: &str| civil::Time::strptime("%H:%M", t.trim()).map_err(|_| fail());
        let window = Window { start: read(start)?, end: read(end)? };
        if window.start < window.end { Ok(window) } else { Err(fail()) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start.strftime("%H:%M"), self.end.strftime("%H:%M"))
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Window, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A time of day on the recipient's own clock, to the minute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LocalTime(pub civil::Time);

/// Not a time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time of day: write hours and minutes, such as 09:00")]
pub struct LocalTimeError(String);

impl std::str::FromStr for LocalTime {
    type Err = LocalTimeError;
    fn from_str(text: &str) -> Result<LocalTime, LocalTimeError> {
        civil::Time::strptime("%H:%M", text.trim()).map(LocalTime).map_err(|_| LocalTimeError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%H:%M"))
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<LocalTime, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The first instant, `at` or later, by which that time of day has come in every candidate zone.
pub fn next_local(local: LocalTime, zones: &[String], at: Time) -> Time {
    let utc = ["UTC".to_owned()];
    let zones = if zones.is_empty() { &utc } else { zones };
    zones.iter().map(|zone| next_of(local.0, zone, at)).max().unwrap_or(at)
}

/// Whether a text may leave now, in all zones of its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hours {
    /// It may.
    Open,
    /// It may not; the first instant at which it may in all of them, and the zone that is closed now.
    Closed {
        /// The next permitted instant.
        until: Time,
        /// The zone that forbids it now.
        zone: String,
    },
}

/// Asks a window in every candidate zone; `zones` that the database does not know are asked as UTC.
pub fn ask(window: Window, zones: &[String], now: Time) -> Hours {
    let zones = if planted(Fault::FirstZoneOnly) { zones.get(..1).unwrap_or(zones) } else { zones };
    let closed = zones.iter().find(|z| !open(window, z, now));
    let Some(zone) = closed else { return Hours::Open };
    Hours::Closed { until: next_open(window, zones, now), zone: zone.clone() }
}

fn named(name: &str) -> jiff::tz::TimeZone {
    let name = if planted(Fault::HoursInUtc) { "UTC" } else { name };
    zone::zone(name).unwrap_or(jiff::tz::TimeZone::UTC)
}

fn open(window: Window, zone: &str, at: Time) -> bool {
    let local = at.timestamp().to_zoned(named(zone)).time();
    window.start <= local && local < window.end
}

/// The next start of the window in `zone`, strictly after `at`.
fn next_start(window: Window, zone: &str, at: Time) -> Time {
    next_of(window.start, zone, Time(at.0 + 1))
}

/// The first instant, `at` or later, at which it is `local` in `zone`.
fn next_of(local: civil::Time, zone: &str, at: Time) -> Time {
    let tz = named(zone);
    let mut day = at.timestamp().to_zoned(tz.clone()).date();
    for _ in 0..4 {
        // A time that the day skips is the first instant after the gap; one that it has twice is the earlier.
        if let Ok(start) = day.to_datetime(local).to_zoned(tz.clone()) {
            let start = Time(start.timestamp().as_microsecond());
            if start >= at {
                return start;
            }
        }
        day = day.tomorrow().unwrap_or(day);
    }
    at + Span::hours(24)
}

fn next_open(window: Window, zones: &[String], now: Time) -> Time {
    let mut at = now;
    // Each round moves to the next start of a closed zone, so the rounds are bounded by zones times days; zones so
    // far apart that the windows never meet (none in the tables) fall through to asking again in a day.
    for _ in 0..(zones.len() * 8 + 8) {
        match zones.iter().find(|z| !open(window, z, at)) {
            None => return at,
            Some(zone) => at = next_start(window, zone, at),
        }
    }
    now + Span::hours(24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn holds_until_the_window_opens() {
        let window: Window = "08:00-21:00".parse().unwrap();
        let la = vec!["America/Los_Angeles".to_owned()];
        assert_eq!(ask(window, &la, t("2026-11-23T17:00:00Z")), Hours::Open);
        let Hours::Closed { until, .. } = ask(window, &la, t("2026-11-23T11:00:00Z")) else { panic!("3 a.m. is closed") };
        assert_eq!(until, t("2026-11-23T16:00:00Z"));
        let Hours::Closed { until, .. } = ask(window, &la, t("2026-11-24T05:00:00Z")) else { panic!("9 p.m. is closed") };
        assert_eq!(until, t("2026-11-24T16:00:00Z"));
    }

    #[test]
    fn several_zones_must_all_be_open() {
        let window: Window = "08:00-21:00".parse().unwrap();
        let both = vec!["America/New_York".to_owned(), "America/Los_Angeles".to_owned()];
        let Hours::Closed { until, zone } = ask(window, &both, t("2026-11-23T14:00:00Z")) else { panic!("6 a.m. in the west") };
        assert_eq!((until, zone.as_str()), (t("2026-11-23T16:00:00Z"), "America/Los_Angeles"));
    }

    #[test]
    fn a_local_time_comes_in_every_zone() {
        let nine: LocalTime = "09:00".parse().unwrap();
        let both = vec!["America/New_York".to_owned(), "America/Los_Angeles".to_owned()];
        assert_eq!(next_local(nine, &both, t("2026-11-23T10:00:00Z")), t("2026-11-23T17:00:00Z"), "nine in the west");
        assert_eq!(next_local(nine, &both[..1], t("2026-11-23T14:00:00Z")), t("2026-11-23T14:00:00Z"), "now is early enough");
        assert_eq!(next_local(nine, &both[..1], t("2026-11-23T14:00:01Z")), t("2026-11-24T14:00:00Z"));
        let half_past_two: LocalTime = "02:30".parse().unwrap();
        assert_eq!(next_local(half_past_two, &both[..1], t("2026-03-08T06:00:00Z")), t("2026-03-08T07:30:00Z"), "a time that the day skips");
        assert_eq!(next_local(nine, &[], t("2026-11-23T10:00:00Z")), t("2026-11-24T09:00:00Z"), "an unknown zone is UTC");
        assert!("9 o'clock".parse::<LocalTime>().is_err() && "25:00".parse::<LocalTime>().is_err());
    }

    #[test]
    fn refuses_windows_over_midnight() {
        for bad in ["21:00-08:00", "08:00", "8-21", "25:00-26:00", "08:00-08:00"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }

    proptest! {
        /// Against a scan by the minute, over the changes of clocks of 2026.
        #[test]
        fn agrees_with_a_minute_by_minute_scan(minute in 0i64..525_600, start in 0i8..20, hours in 1i8..4, pick in 0usize..6) {
            let zones = ["America/New_York", "America/Vancouver", "Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kolkata"];
            let zones = vec![zones[pick].to_owned(), zones[(pick * 5) % 6].to_owned()];
            let window = Window { start: civil::time(start, 30, 0, 0), end: civil::time(start + hours, 45, 0, 0) };
            let now = t("2026-01-01T00:00:00Z") + Span::mins(minute);
            if let Hours::Closed { until, .. } = ask(window, &zones, now) {
                let scan = (0..60 * 24 * 3).map(|m| now + Span::mins(m)).find(|at| zones.iter().all(|z| open(window, z, *at)));
                if let Some(scan) = scan {
                    prop_assert_eq!(until, scan);
                }
            } else {
                prop_assert!(zones.iter().all(|z| open(window, z, now)));
            }
        }
    }
}
