//! Caps: how many texts may leave within a day, a week or a length of time.
//!
//! Its own file because a calendar day ends at midnight on the recipient's wall clock, in each zone that she may be in,
//! and a rolling one ends a day after each text. Where the counts are kept is the store's concern.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scan::{day_of, first_of};
use crate::id::MessageId;
use crate::purpose::Purpose;
use crate::time::{Span, Time};

/// The longest period of a cap; older sends are forgotten.
pub const LONGEST: Span = Span::hours(24 * 31);

/// At most so many texts within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// How many.
    pub max: NonZeroU32,
    /// Within what.
    pub per: Period,
}

/// What a cap counts within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day of the recipient's calendar.
    Day,
    /// A week of it, from Monday.
    Week,
    /// This long before now.
    Rolling(Span),
}

/// Not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a period: write day or week (of the recipient's calendar), or a length of time up to 31 days such as 24h")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;
    fn from_str(text: &str) -> Result<Period, PeriodError> {
        match text {
            "day" => Ok(Period::Day),
            "week" => Ok(Period::Week),
            other => other.parse::<Span>().ok().filter(|span| span.0 > 0 && *span <= LONGEST).map(Period::Rolling).ok_or_else(|| PeriodError(other.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Day => f.write_str("day"),
            Period::Week => f.write_str("week"),
            // Laws say 24 hours, not a day, which would be one of the calendar.
            Period::Rolling(span) if span.0 % Span::hours(1).0 == 0 && *span <= Span::hours(72) => write!(f, "{}h", span.as_secs() / 3_600),
            Period::Rolling(span) => fmt::Display::fmt(span, f),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Period, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per {
            Period::Day => write!(f, "{} a day", self.max),
            Period::Week => write!(f, "{} a week", self.max),
            Period::Rolling(_) => write!(f, "{} in {}", self.max, self.per),
        }
    }
}

/// A text that was handed over: what caps count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The text; its attempts count once.
    pub message: MessageId,
    /// Why it was sent.
    pub purpose: Purpose,
    /// When it was last claimed.
    pub at: Time,
}

/// The most sends that are kept for one number.
const MOST_KEPT: usize = 256;

/// What was sent, with one more: the newest, as far back as any cap counts.
pub fn sent(sends: &[Sent], fresh: Sent) -> Vec<Sent> {
    let mut kept: Vec<Sent> = sends.iter().filter(|s| s.message != fresh.message && s.at + LONGEST > fresh.at).copied().collect();
    kept.push(fresh);
    kept.sort_by_key(|s| s.at);
    let surplus = kept.len().saturating_sub(MOST_KEPT);
    kept.split_off(surplus)
}

/// How many texts count now, and until when no more may leave, if none may.
pub(super) fn count(cap: Cap, sent: &[Time], clocks: &[&TimeZone], now: Time) -> (u32, Option<Time>) {
    let max = usize::try_from(cap.max.get()).unwrap_or(usize::MAX);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (mut most, mut until) = (0, None);
    match cap.per {
        Period::Rolling(span) => {
            let mut recent: Vec<Time> = sent.iter().filter(|at| **at + span > now).copied().collect();
            recent.sort();
            most = recent.len();
            // One more may leave when so many are left that it is the last permitted one.
            until = most.checked_sub(max).and_then(|at| recent.get(at)).map(|at| *at + span);
        }
        Period::Day | Period::Week => {
            let period = |day: i64| if cap.per == Period::Week { (day + 3).div_euclid(7) } else { day };
            for clock in clocks {
                let today = day_of(clock, now.0);
                let counted = sent.iter().filter(|at| period(day_of(clock, at.0)) == period(today)).count();
                most = most.max(counted);
                if counted >= max {
                    let next = if cap.per == Period::Week { (period(today) + 1) * 7 - 3 } else { today + 1 };
                    until = until.max(Some(Time(first_of(clock, next, now.0))));
                }
            }
        }
    }
    (number(most), until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn cap(max: u32, per: &str) -> Cap {
        Cap { max: NonZeroU32::new(max).unwrap(), per: per.parse().unwrap() }
    }

    fn text(n: u8, at: &str) -> Sent {
        Sent { message: MessageId::new(1, Time(1), [n; 16]), purpose: Purpose::Marketing, at: t(at) }
    }

    #[test]
    fn counts_by_period() {
        let clock = |name: &str| zone::clock(name).unwrap();
        let bogota = [clock("America/Bogota")];
        let both = [clock("America/New_York"), clock("America/Los_Angeles")];
        let sent = [t("2026-11-23T14:00:00Z"), t("2026-11-23T20:00:00Z"), t("2026-11-24T03:00:00Z")];
        for (cap, clocks, now, expect) in [
            (cap(3, "24h"), &bogota[..], "2026-11-24T10:00:00Z", (3, Some("2026-11-24T14:00:00Z"))),
            (cap(2, "24h"), &bogota[..], "2026-11-24T10:00:00Z", (3, Some("2026-11-24T20:00:00Z"))),
            (cap(3, "24h"), &bogota[..], "2026-11-24T14:00:00Z", (2, None)),
            // It is still Monday in Bogota, and the third one was sent on that day too.
            (cap(1, "day"), &bogota[..], "2026-11-24T04:00:00Z", (3, Some("2026-11-24T05:00:00Z"))),
            (cap(1, "day"), &bogota[..], "2026-11-24T05:00:00Z", (0, None)),
            // Midnight is later in the west.
            (cap(1, "day"), &both[..], "2026-11-24T06:00:00Z", (3, Some("2026-11-24T08:00:00Z"))),
            (cap(3, "week"), &bogota[..], "2026-11-29T12:00:00Z", (3, Some("2026-11-30T05:00:00Z"))),
            (cap(3, "week"), &bogota[..], "2026-11-30T05:00:00Z", (0, None)),
        ] {
            assert_eq!(count(cap, &sent, clocks, t(now)), (expect.0, expect.1.map(t)), "{cap} at {now}");
        }
    }

    #[test]
    fn a_text_counts_once_and_old_ones_are_forgotten() {
        let first = sent(&[], text(1, "2026-11-01T14:00:00Z"));
        let again = sent(&first, text(1, "2026-11-01T14:05:00Z"));
        assert_eq!(again, [text(1, "2026-11-01T14:05:00Z")]);
        let both = sent(&again, text(2, "2026-11-20T14:00:00Z"));
        assert_eq!(both.len(), 2);
        assert_eq!(sent(&both, text(3, "2026-12-20T14:00:00Z")), [text(2, "2026-11-20T14:00:00Z"), text(3, "2026-12-20T14:00:00Z")]);
    }

    #[test]
    fn periods_are_read_and_said() {
        for text in ["day", "week", "24h", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for bad in ["month", "0h", "32d", ""] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        assert_eq!((cap(3, "24h").to_string(), cap(1, "day").to_string()), ("3 in 24h".to_owned(), "1 a day".to_owned()));
        assert!(serde_json::from_str::<Cap>(r#"{"max": 0, "per": "day"}"#).is_err());
    }
}
