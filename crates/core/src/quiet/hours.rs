//! The hours of a week, as rules write them.
//!
//! Its own file because it is the one notation of hours, with its faults named where they are made. Days and times are
//! those of a wall clock; when that clock jumps is for `scan`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;
/// Microseconds of a minute.
pub(super) const MINUTE: i64 = 60_000_000;

/// Part of a day: microseconds since midnight, `[start, end)`.
pub(super) type Slot = (i64, i64);

/// A day without night.
pub(super) const WHOLE_DAY: [Slot; 1] = [(0, DAY)];

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours for each day of a week; a day without any is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeekHours {
    /// Monday first; in order, and none touches the next.
    days: [Vec<Slot>; 7],
}

impl WeekHours {
    /// The hours of a day, counted from 1 January 1970.
    pub(super) fn on(&self, day: i64) -> &[Slot] {
        self.days.get(weekday(day)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Monday is 0.
fn weekday(day: i64) -> usize {
    usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
}

impl fmt::Display for WeekHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(&str, &str, &Vec<Slot>)> = Vec::new();
        for (name, slots) in DAYS.into_iter().zip(&self.days) {
            match runs.last_mut() {
                Some((_, last, of)) if *of == slots => *last = name,
                _ => runs.push((name, name, slots)),
            }
        }
        let every_day = runs.len() == 1;
        let open = runs.into_iter().filter(|(_, _, slots)| !slots.is_empty());
        for (n, (first, last, slots)) in open.enumerate() {
            f.write_str(if n > 0 { "; " } else { "" })?;
            if !every_day {
                f.write_str(first)?;
                if first != last {
                    write!(f, "-{last}")?;
                }
                f.write_str(" ")?;
            }
            let times: Vec<String> = slots.iter().map(|(start, end)| format!("{}-{}", clock(*start), clock(*end))).collect();
            f.write_str(&times.join(", "))?;
        }
        Ok(())
    }
}

/// `08:00`; the end of a day is `24:00`.
pub(super) fn clock(time: i64) -> String {
    let minutes = time.div_euclid(MINUTE);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl<'de> Deserialize<'de> for WeekHours {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<WeekHours, D::Error> {
        let written = BTreeMap::<String, Slots>::deserialize(d)?;
        let mut week: [Option<Vec<Slot>>; 7] = [const { None }; 7];
        for (key, Slots(slots)) in written {
            let Some((first, last)) = days(&key) else {
                return Err(D::Error::custom(format!("'{key}' is no day: write mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri")));
            };
            for day in week.iter_mut().take(last + 1).skip(first) {
                if day.replace(slots.clone()).is_some() {
                    return Err(D::Error::custom(format!("'{key}' has a day that is named already")));
                }
            }
        }
        Ok(WeekHours { days: week.map(Option::unwrap_or_default) })
    }
}

/// The first and last day of `mon` or `mon-fri`.
fn days(key: &str) -> Option<(usize, usize)> {
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = key.split_once('-').unwrap_or((key, key));
    let range = (place(first)?, place(last)?);
    (range.0 <= range.1).then_some(range)
}

/// The hours of one day: `08:00-12:00, 14:00-20:00`.
struct Slots(Vec<Slot>);

impl<'de> Deserialize<'de> for Slots {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Slots, D::Error> {
        let text = String::deserialize(d)?;
        let fail = || D::Error::custom(format!("'{text}' is not hours of a day: write times such as 08:00-20:00 or 08:00-12:00, 14:00-24:00, the earlier ones first"));
        let mut slots: Vec<Slot> = Vec::new();
        for piece in text.split(',') {
            let (start, end) = piece.split_once('-').ok_or_else(fail)?;
            let (start, end) = (time_of_day(start).ok_or_else(fail)?, time_of_day(end).ok_or_else(fail)?);
            if start >= end {
                return Err(fail());
            }
            match slots.last_mut() {
                Some((_, last)) if start < *last => return Err(fail()),
                Some((_, last)) if start == *last => *last = end,
                _ => slots.push((start, end)),
            }
        }
        Ok(Slots(slots))
    }
}

fn time_of_day(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |digits: &str| if digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse::<i64>().ok() } else { None };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let time = (hours * 60 + minutes) * MINUTE;
    (minutes < 60 && time <= DAY).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<WeekHours, String> {
        serde_json::from_value(json).map_err(|e| e.to_string())
    }

    #[test]
    fn reads_weeks_and_says_them() {
        for (json, expect) in [
            (serde_json::json!({"mon-sun": "08:00-21:00"}), "08:00-21:00"),
            (serde_json::json!({"mon-sat": "08:00-20:00", "sun": "10:00-20:00"}), "mon-sat 08:00-20:00; sun 10:00-20:00"),
            (serde_json::json!({"fri": "08:00-12:00, 14:00-24:00"}), "fri 08:00-12:00, 14:00-24:00"),
            (serde_json::json!({"mon-tue": "08:00-12:00, 12:00-13:00", "thu": "08:00-13:00"}), "mon-tue 08:00-13:00; thu 08:00-13:00"),
        ] {
            assert_eq!(read(json).unwrap().to_string(), expect);
        }
        let week = read(serde_json::json!({"thu": "08:00-20:00"})).unwrap();
        assert_eq!((week.on(0), week.on(1)), ([(8 * 60 * MINUTE, 20 * 60 * MINUTE)].as_slice(), [].as_slice()), "the first day of 1970 was a Thursday");
    }

    #[test]
    fn says_what_is_wrong() {
        for (json, part) in [
            (serde_json::json!({"monday": "08:00-21:00"}), "is no day"),
            (serde_json::json!({"fri-mon": "08:00-21:00"}), "is no day"),
            (serde_json::json!({"mon-fri": "08:00-21:00", "wed": "08:00-12:00"}), "named already"),
            (serde_json::json!({"mon": "21:00-08:00"}), "not hours"),
            (serde_json::json!({"mon": "8-21"}), "not hours"),
            (serde_json::json!({"mon": "08:00-24:01"}), "not hours"),
            (serde_json::json!({"mon": "14:00-15:00, 08:00-12:00"}), "not hours"),
        ] {
            let problem = read(json).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
