//! A daily window and a time of day, as people write them.
//!
//! Its own file because configuration and journeys write these and parse them at the border. What the window of a purpose
//! comes to beside the rules of jurisdictions is asked in `quiet`.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The first instant, `at` or later, at which it is `local` in `zone`.
fn next_of(local: civil::Time, zone: &str, at: Time) -> Time {
    let tz = zone::zone(zone).unwrap_or(TimeZone::UTC);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
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
}
