//! Instants and spans as integer microseconds.
//!
//! Its own file because time crosses every border (rows, JSON, configuration) and must be one type everywhere.
//! It reads no clock: see `clock`.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant of business time: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

/// A length of time in microseconds; never negative when parsed from text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

/// A reading of the monotonic clock: real microseconds since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Uptime(pub i64);

/// Why a text is not a span or an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not of the form `90s`, `15m`, `4h`, `2d`.
    #[error("'{0}' is not a length of time: write a whole number and a unit, such as 90s, 15m, 4h or 2d")]
    Span(String),
    /// Not an RFC 3339 instant.
    #[error("'{0}' is not an instant: write RFC 3339 with a zone offset, such as 2026-11-23T14:05:00Z")]
    Instant(String),
}

impl Time {
    /// The calendar day in UTC, as `2026-11-23`; the key of roll-ups.
    pub fn utc_day(self) -> String {
        self.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    }

    /// The same instant for calendar arithmetic; instants out of range become the nearest one in range.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX })
    }

    /// Milliseconds since the epoch, for time-ordered ids.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 / 1_000).unwrap_or(0)
    }

    /// Reads the form of mail and of HTTP's headers, such as `Mon, 23 Nov 2026 07:51:00 +0000`; it has whole seconds.
    pub fn from_rfc2822(text: &str) -> Option<Time> {
        let read = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Time(read.as_microsecond()))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Time) -> Span {
        Span((self.0 - earlier.0).max(0))
    }
}

impl Span {
    /// Nothing.
    pub const ZERO: Span = Span(0);

    /// So many seconds.
    pub const fn secs(n: i64) -> Span {
        Span(n * 1_000_000)
    }

    /// So many milliseconds.
    pub const fn millis(n: i64) -> Span {
        Span(n * 1_000)
    }

    /// So many minutes.
    pub const fn mins(n: i64) -> Span {
        Span::secs(n * 60)
    }

    /// So many hours.
    pub const fn hours(n: i64) -> Span {
        Span::secs(n * 3_600)
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0 / 1_000_000
    }

    /// For timers of the runtime.
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Uptime {
    /// How long after `earlier` this reading is; zero if it is not after.
    pub fn since(self, earlier: Uptime) -> Span {
        Span((self.0 - earlier.0).max(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Time, TimeError> {
        text.parse::<jiff::Timestamp>().map(|t| Time(t.as_microsecond())).map_err(|_| TimeError::Instant(clip(text)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0 / 1_000_000;
        match secs {
            0 => write!(f, "{}ms", self.0 / 1_000),
            s if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s % 3_600 == 0 => write!(f, "{}h", s / 3_600),
            s if s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Span, TimeError> {
        let bad = || TimeError::Span(clip(text));
        let trimmed = text.trim();
        let digits: String = trimmed.chars().take_while(char::is_ascii_digit).collect();
        let unit: String = trimmed.chars().skip(digits.len()).collect();
        let n: i64 = digits.parse().map_err(|_| bad())?;
        let micros = match unit.trim() {
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return Err(bad()),
        };
        n.checked_mul(micros).map(Span).ok_or_else(bad)
    }
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Time, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print_the_same() {
        for text in ["250ms", "90s", "15m", "4h", "2d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for bad in ["", "4", "h", "-4h", "4 weeks", "99999999999999999999d", "9223372036854775807h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn instants_need_an_offset() {
        assert_eq!("2026-11-23T07:51:00Z".parse::<Time>().unwrap().to_string(), "2026-11-23T07:51:00Z");
        assert!("2026-11-23T07:51:00".parse::<Time>().is_err());
    }

    #[test]
    fn dates_of_mail_and_of_headers() {
        let morning: Time = "2026-11-23T07:51:00Z".parse().unwrap();
        for text in ["Mon, 23 Nov 2026 07:51:00 +0000", "Mon, 23 Nov 2026 07:51:00 GMT", "23 Nov 2026 08:51:00 +0100", " Mon, 23 Nov 2026 02:51:00 -0500 "] {
            assert_eq!(Time::from_rfc2822(text), Some(morning), "{text}");
        }
        for bad in ["", "120", "soon", "2026-11-23T07:51:00Z", "Tue, 23 Nov 2026 07:51:00 +0000", "Mon, 23 Nov 2026 07:51:00"] {
            assert_eq!(Time::from_rfc2822(bad), None, "{bad}");
        }
    }
}
