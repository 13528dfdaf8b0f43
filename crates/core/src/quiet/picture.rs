//! A week of permitted hours as a picture: seven days of a wall clock.
//!
//! Its own file because the terminal and the console draw the same thing. It draws nothing itself: it says when each day
//! opens and closes where the recipient is.

use super::hours::{DAY, MINUTE, clock};
use super::scan::{Stretch, day_of, first_of};
use super::{Question, UTC};
use crate::time::Time;
use crate::zone;

/// How many days a picture has.
const DAYS: i64 = 7;
/// The minutes of a day.
const MINUTES: u16 = 1_440;

/// Seven days, from one that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The zone of its clock: the first of those that were asked.
    pub zone: String,
    /// The days, in order.
    pub days: Vec<PictureDay>,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureDay {
    /// `Mon 23 Nov`.
    pub label: String,
    /// Permitted hours in minutes since midnight, `[start, end)`, in order.
    pub open: Vec<(u16, u16)>,
    /// The public holiday on which it is closed.
    pub holiday: Option<String>,
}

impl PictureDay {
    /// Whether the middle of these minutes is permitted.
    pub fn at(&self, from: u16, minutes: u16) -> bool {
        let middle = from + minutes / 2;
        self.open.iter().any(|(start, end)| *start <= middle && middle < *end)
    }

    /// `08:01-20:50`, or `closed`.
    pub fn hours(&self) -> String {
        let time = |minute: u16| clock(i64::from(minute) * MINUTE);
        let hours: Vec<String> = self.open.iter().map(|(start, end)| format!("{}-{}", time(*start), time(*end))).collect();
        if hours.is_empty() { "closed".to_owned() } else { hours.join(", ") }
    }
}

impl Question<'_> {
    /// The week that begins with the day that it is at `now` where she is.
    pub fn picture(&self, now: Time) -> Picture {
        let name = self.zones.first().map_or("UTC", String::as_str);
        let zone = zone::clock(name).unwrap_or(&UTC);
        let today = day_of(zone, now.0);
        // Midnight is at most a day and a jump of the clock ago.
        let before = now.0 - DAY - DAY / 4;
        let midnights: Vec<i64> = (today..=today + DAYS).map(|day| first_of(zone, day, before)).collect();
        let (from, to) = (midnights.first().copied().unwrap_or(now.0), midnights.last().copied().unwrap_or(now.0));
        let permitted = self.permitted(Time(from), Time(to));
        let binding = self.rules.binding(self.purpose, self.jurisdictions);
        let days = midnights.windows(2).zip(today..).filter_map(|(pair, day)| {
            let [start, end] = *pair else { return None };
            let open = permitted.iter().filter(|(opens, closes)| opens.0 < end && closes.0 > start);
            let open = open.map(|(opens, closes)| (minute(zone, opens.0.max(start)), if closes.0 >= end { MINUTES } else { minute(zone, closes.0 - 1) + 1 }));
            let label = Time(start).timestamp().to_zoned(zone.clone()).strftime("%a %-d %b").to_string();
            Some(PictureDay { label, open: open.collect(), holiday: self.rules.holiday(&binding, day).map(str::to_owned) })
        });
        Picture { zone: name.to_owned(), days: days.collect() }
    }
}

/// The minute of the day on the wall.
fn minute(zone: &jiff::tz::TimeZone, at: i64) -> u16 {
    u16::try_from(Stretch::at(zone, at).wall(at).1.div_euclid(MINUTE)).unwrap_or(0)
}
