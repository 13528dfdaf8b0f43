//! Quiet hours: whether a text may leave now, and when it may next, by every rule that binds it.
//!
//! Its own room because several things must all be right at once: each rule of each jurisdiction that a contact may be
//! under, on each clock that she may live by, with the company's own window. Rules are data (`rules`), instants are found
//! by arithmetic (`scan`), where she may be is a set (`place`), how many texts may leave is `cap`. It knows nothing of
//! consent and sends nothing.

mod cap;
mod hours;
mod picture;
mod place;
mod rules;
mod scan;
mod window;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

pub use cap::{Cap, LONGEST, Period, PeriodError, Sent, sent};
pub use hours::WeekHours;
pub use picture::{Picture, PictureDay};
pub use place::{Whereabouts, residence, speaks_of_residence};
pub use rules::{ANYWHERE, Confidence, Day, Holiday, HoursSettings, OnHolidays, Rule, RuleFile, Rules, SHIPPED_HOLIDAYS, SHIPPED_RULES};
pub use window::{LocalTime, LocalTimeError, Window, WindowError, next_local};

use crate::id::MessageId;
use crate::planted::{Fault, planted};
use crate::purpose::Purpose;
use crate::time::Time;
use crate::zone;
use rules::Bound;
use scan::{CLOSED_AHEAD, Sheet, day_of, within};

/// What is asked about: a text to somebody who may be in any of these places.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The rules in force.
    pub rules: &'a Rules,
    /// Why the text is sent.
    pub purpose: Purpose,
    /// Every jurisdiction that she may be under.
    pub jurisdictions: &'a [String],
    /// Every zone that she may be in; UTC if none is known.
    pub zones: &'a [String],
    /// The company's own hours for this purpose, on her clock, taken as they are.
    pub window: Option<Window>,
}

/// Whether a text may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// At any hour: no rule binds this purpose here.
    Any,
    /// It may, for a while.
    Open {
        /// When it no longer may.
        until: Time,
    },
    /// It may not.
    Closed {
        /// The next permitted instant.
        until: Time,
        /// The end of the hours that begin then.
        closes: Time,
        /// What forbids it the longest.
        by: Forbids<'a>,
    },
    /// It may not, and will not within a year.
    Never {
        /// What forbids it now.
        by: Forbids<'a>,
    },
}

/// A rule on one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbids<'a> {
    /// The rule; absent for the company's own hours.
    pub rule: Option<&'a Rule>,
    /// The zone of the clock.
    pub zone: &'a str,
}

/// A cap, and what counts against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The cap.
    pub cap: Cap,
    /// The rule that sets it; absent for the company's own.
    pub rule: Option<&'a Rule>,
    /// How many texts count now.
    pub count: u32,
    /// Until when no more may leave; absent if one may.
    pub until: Option<Time>,
}

/// A question with its rules and clocks looked up.
struct Asked<'a> {
    bound: Vec<&'a Bound>,
    law: Vec<Sheet<'a>>,
    own: Option<Sheet<'a>>,
    names: Vec<&'a str>,
    clocks: Vec<&'static TimeZone>,
    margin: (i64, i64),
}

static UTC: TimeZone = TimeZone::UTC;

impl<'a> Question<'a> {
    /// Whether a text may leave now, and when it may next.
    pub fn ask(&self, now: Time) -> Answer<'a> {
        let asked = self.look_up();
        if asked.law.is_empty() && asked.own.is_none() {
            return Answer::Any;
        }
        match asked.next(now.0, now.0.saturating_add(CLOSED_AHEAD)) {
            Some((start, end)) if start == now.0 => Answer::Open { until: Time(end) },
            Some((start, end)) => Answer::Closed { until: Time(start), closes: Time(end), by: asked.forbids(now.0) },
            None => Answer::Never { by: asked.forbids(now.0) },
        }
    }

    /// The rules that bind the text.
    pub fn binding(&self) -> Vec<&'a Rule> {
        self.rules.binding(self.purpose, self.jurisdictions).into_iter().map(|bound| &bound.rule).collect()
    }

    /// Every cap that binds the text, the company's own among them, and what of `sends` counts against it; the text itself
    /// does not.
    pub fn caps(&self, own: &[Cap], sends: &[Sent], message: MessageId, now: Time) -> Vec<Counted<'a>> {
        let asked = self.look_up();
        let today = asked.clocks.first().map_or(0, |clock| day_of(clock, now.0));
        let count = |of: Cap, rule: Option<&'a Rule>| {
            let counts = |sent: &&Sent| sent.message != message && rule.map_or(sent.purpose == self.purpose, |rule| rule.purposes.contains(&sent.purpose));
            let times: Vec<Time> = sends.iter().filter(counts).map(|sent| sent.at).collect();
            let (count, until) = cap::count(of, &times, &asked.clocks, now);
            Counted { cap: of, rule, count, until }
        };
        let mut all = Vec::new();
        for bound in asked.bound.iter().copied().filter(|bound| bound.binds(today)) {
            all.extend(bound.rule.caps.iter().map(|of| count(*of, Some(&bound.rule))));
        }
        all.extend(own.iter().map(|of| count(*of, None)));
        all
    }

    /// Every permitted time between two instants: `[start, end)`, in order.
    pub fn permitted(&self, from: Time, to: Time) -> Vec<(Time, Time)> {
        let asked = self.look_up();
        let mut all: Vec<(Time, Time)> = Vec::new();
        let mut at = from.0;
        while at < to.0 {
            let Some((start, end)) = asked.next(at, to.0) else { break };
            let (start, end) = (Time(start), Time(end.min(to.0)));
            match all.last_mut() {
                // Hours that stay open for long are found piece by piece.
                Some((_, last)) if *last == start => *last = end,
                _ => all.push((start, end)),
            }
            at = end.0;
        }
        all
    }

    fn look_up(&self) -> Asked<'a> {
        let bound = self.rules.binding(self.purpose, self.jurisdictions);
        let settings = &self.rules.settings;
        let (mut names, mut clocks) = (Vec::new(), Vec::new());
        let zones = if planted(Fault::FirstZoneOnly) { self.zones.get(..1).unwrap_or(self.zones) } else { self.zones };
        for name in zones {
            names.push(name.as_str());
            clocks.push(zone::clock(name).filter(|_| !planted(Fault::HoursInUtc)).unwrap_or(&UTC));
        }
        if clocks.is_empty() {
            // Somebody whose country is unknown is asked about in UTC rather than not at all.
            names.push("UTC");
            clocks.push(&UTC);
        }
        Asked {
            law: bound.iter().copied().map(Sheet::Rule).collect(),
            own: self.window.map(Sheet::daily),
            margin: (settings.open_late.0.max(0), settings.close_early.0.max(0)),
            bound,
            names,
            clocks,
        }
    }
}

impl<'a> Asked<'a> {
    /// The first permitted time, `from` or later and before `limit`; it ends a little late for hours of many days.
    fn next(&self, from: i64, limit: i64) -> Option<(i64, i64)> {
        let mut at = from;
        while at < limit {
            let (opens, closes) = within(&self.law, &self.clocks, self.margin, at, limit)?;
            let Some(own) = self.own else { return Some((opens, closes)) };
            let (start, end) = within(&[own], &self.clocks, (0, 0), opens, limit)?;
            if start < closes {
                return Some((start, end.min(closes)));
            }
            at = start;
        }
        None
    }

    /// What forbids it now: of all that do, what does so the longest; law before policy, a state before its country.
    fn forbids(&self, now: i64) -> Forbids<'a> {
        let limit = now.saturating_add(CLOSED_AHEAD);
        let mut worst: Option<((i64, bool, usize), Forbids<'a>)> = None;
        let sheets = self.law.iter().map(|sheet| (*sheet, self.margin)).chain(self.own.map(|own| (own, (0, 0))));
        for (sheet, margin) in sheets {
            for (name, clock) in self.names.iter().copied().zip(self.clocks.iter().copied()) {
                let opens = within(&[sheet], &[clock], margin, now, limit).map_or(i64::MAX, |(start, _)| start);
                let rule = if let Sheet::Rule(bound) = sheet { Some(&bound.rule) } else { None };
                let weight = (opens, rule.is_some_and(|r| r.law), rule.map_or(0, |r| r.jurisdiction.len()));
                if opens > now && worst.as_ref().is_none_or(|(heaviest, _)| weight > *heaviest) {
                    worst = Some((weight, Forbids { rule, zone: name }));
                }
            }
        }
        let none = Forbids { rule: None, zone: self.names.first().copied().unwrap_or("UTC") };
        worst.map_or(none, |(_, by)| by)
    }
}
