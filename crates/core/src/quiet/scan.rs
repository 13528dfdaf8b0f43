//! Instants at which wall clocks enter and leave hours, whatever their zones do meanwhile.
//!
//! Its own file because days that skip or repeat an hour are easy to get wrong: time is cut where a zone changes its
//! offset, and between two cuts a wall clock is plain arithmetic. It visits boundaries only, never minutes; a test
//! compares it with a scan of every minute.

use jiff::tz::TimeZone;

use super::hours::{DAY, Slot};
use super::rules::Bound;
use super::window::Window;
use crate::time::Time;

/// How far ahead the end of open hours is looked for; hours that stay open longer are said to end there.
const OPEN_AHEAD: i64 = 9;
/// How far ahead permitted hours are looked for.
pub(super) const CLOSED_AHEAD: i64 = 366 * DAY;

/// A stretch of time in which a zone keeps its offset: `[from, end)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    offset: i64,
    from: i64,
    end: i64,
}

impl Stretch {
    pub(super) fn at(zone: &TimeZone, from: i64) -> Stretch {
        let instant = Time(from).timestamp();
        let offset = i64::from(zone.to_offset(instant).seconds()) * 1_000_000;
        let end = zone.following(instant).next().map_or(i64::MAX, |change| change.timestamp().as_microsecond());
        Stretch { offset, from, end }
    }

    /// The day and the time of day on the wall.
    pub(super) fn wall(self, at: i64) -> (i64, i64) {
        let wall = at.saturating_add(self.offset);
        (wall.div_euclid(DAY), wall.rem_euclid(DAY))
    }

    fn instant(self, day: i64, time: i64) -> i64 {
        day * DAY + time - self.offset
    }
}

/// The day on the wall of a zone, counted from 1 January 1970.
pub(super) fn day_of(zone: &TimeZone, at: i64) -> i64 {
    Stretch::at(zone, at).wall(at).0
}

/// The first instant of a day in a zone; `from` is some instant before it.
pub(super) fn first_of(zone: &TimeZone, day: i64, from: i64) -> i64 {
    let mut here = Stretch::at(zone, from);
    loop {
        let start = here.instant(day, 0).max(here.from);
        // The last stretch of a zone never ends.
        if start < here.end || here.end == i64::MAX {
            return start;
        }
        here = Stretch::at(zone, here.end);
    }
}

/// Something that is open at some hours of some days.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sheet<'a> {
    /// A rule of a jurisdiction.
    Rule(&'a Bound),
    /// The same hours every day.
    Daily([Slot; 1]),
}

impl Sheet<'_> {
    pub(super) fn daily(window: Window) -> Sheet<'static> {
        let time = |at: jiff::civil::Time| (i64::from(at.hour()) * 3_600 + i64::from(at.minute()) * 60 + i64::from(at.second())) * 1_000_000;
        Sheet::Daily([(time(window.start), time(window.end))])
    }

    fn slots(&self, day: i64) -> &[Slot] {
        match self {
            Sheet::Rule(rule) => rule.slots(day),
            Sheet::Daily(slot) => slot.as_slice(),
        }
    }

    fn open(&self, here: Stretch, at: i64) -> bool {
        let (day, time) = here.wall(at);
        self.slots(day).iter().any(|(start, end)| *start <= time && time < *end)
    }

    /// When hours that are open now end, if the clock goes on as it does.
    fn closes(&self, here: Stretch, at: i64) -> i64 {
        let (mut day, time) = here.wall(at);
        let Some((_, mut end)) = self.slots(day).iter().find(|(start, end)| *start <= time && time < *end).copied() else { return at };
        for _ in 0..OPEN_AHEAD {
            match self.slots(day + 1).first() {
                Some((0, next)) if end == DAY => (day, end) = (day + 1, *next),
                _ => break,
            }
        }
        here.instant(day, end)
    }

    /// When hours that are closed now begin, if the clock goes on as it does.
    fn opens(&self, here: Stretch, at: i64) -> i64 {
        let (today, time) = here.wall(at);
        if let Some((start, _)) = self.slots(today).iter().find(|(start, _)| *start > time) {
            return here.instant(today, *start);
        }
        // Days after the next change of the clock are looked at from there.
        let last = here.wall(here.end.min(at.saturating_add(CLOSED_AHEAD))).0;
        let first = (today + 1..=last).find_map(|day| self.slots(day).first().map(|(start, _)| here.instant(day, *start)));
        first.unwrap_or(i64::MAX)
    }

    /// Whether it is open, and when that changes.
    fn state(&self, zone: &TimeZone, mut here: Stretch, from: i64) -> (bool, i64) {
        let open = self.open(here, from);
        let limit = from.saturating_add(CLOSED_AHEAD);
        let mut at = from;
        loop {
            let change = if open { self.closes(here, at) } else { self.opens(here, at) };
            if change < here.end {
                return (open, change);
            }
            if here.end >= limit {
                return (open, limit);
            }
            at = here.end;
            here = Stretch::at(zone, at);
            if self.open(here, at) != open {
                return (open, at);
            }
        }
    }
}

/// The first time, `from` or later, in which all sheets are open in all zones: `[start, end)`. It began earlier if it
/// starts at `from`.
pub(super) fn common(sheets: &[Sheet<'_>], zones: &[&TimeZone], from: i64, limit: i64) -> Option<(i64, i64)> {
    let mut here: Vec<Stretch> = zones.iter().map(|zone| Stretch::at(zone, from)).collect();
    let mut at = from;
    while at < limit {
        let (mut opens, mut closes) = (at, i64::MAX);
        for (zone, here) in zones.iter().zip(&mut here) {
            if at >= here.end {
                *here = Stretch::at(zone, at);
            }
            for sheet in sheets {
                match sheet.state(zone, *here, at) {
                    (true, until) => closes = closes.min(until),
                    (false, until) => opens = opens.max(until),
                }
            }
        }
        if opens == at {
            return Some((at, closes));
        }
        at = opens;
    }
    None
}

/// The same, where each such time begins so much later and ends so much earlier.
pub(super) fn within(sheets: &[Sheet<'_>], zones: &[&TimeZone], (late, early): (i64, i64), from: i64, limit: i64) -> Option<(i64, i64)> {
    let mut look = from - late;
    loop {
        let (opens, closes) = common(sheets, zones, look, limit)?;
        let (start, end) = (from.max(opens.saturating_add(late)), closes.saturating_sub(early));
        if start < end {
            return Some((start, end));
        }
        look = closes;
    }
}
