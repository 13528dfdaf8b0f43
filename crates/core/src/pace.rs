//! How fast an account may be called just now: slower when its vendor asks for patience, faster again while it takes
//! what it is given.
//!
//! Its own file because it is the one place where a vendor's answers move a rate. It counts nothing and knows no bucket:
//! the share that it gives applies to the buckets of the account and of its senders alike.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// Full speed, in thousandths.
pub const FULL: u32 = 1_000;
/// The slowest: slow enough for any vendor, fast enough to notice when it is well again.
const FLOOR: u32 = 100;
/// How much faster with each beat in which the vendor took something.
const STEP: u32 = 100;
/// The speed changes once in a beat at most: refusals of calls that were in the air together are one word.
const BEAT: Span = Span::secs(1);
/// The longest pause that is believed.
const LONGEST: Span = Span::hours(1);

/// The pace of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The share of the full speed, in thousandths.
    pub permille: u32,
    /// Nothing is sent before: the vendor said when to come back.
    pub until: Time,
    /// When the share last changed.
    changed: Time,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { permille: FULL, until: Time(0), changed: Time(0) }
    }
}

impl Pace {
    /// After the vendor asked for patience: half as fast, and nothing before the time it named.
    pub fn throttled(self, retry_after: Option<Span>, now: Time) -> Pace {
        let until = retry_after.map_or(self.until, |asked| self.until.max(now + asked.min(LONGEST)));
        if now < self.changed + BEAT {
            return Pace { until, ..self };
        }
        Pace { permille: (self.permille / 2).max(FLOOR), until, changed: now }
    }

    /// After the vendor took something: a step faster.
    pub fn accepted(self, now: Time) -> Pace {
        if self.permille >= FULL || now < self.changed + BEAT {
            return self;
        }
        Pace { permille: (self.permille + STEP).min(FULL), changed: now, ..self }
    }

    /// Until when nothing is sent, if that is ahead.
    pub fn held(self, now: Time) -> Option<Time> {
        Some(self.until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slows_down_at_once_and_speeds_up_by_steps() {
        let at = |secs: i64| Time(0) + Span::secs(secs);
        let slow = Pace::default().throttled(Some(Span::secs(30)), at(10));
        assert_eq!((slow.permille, slow.held(at(39)), slow.held(at(40))), (500, Some(at(40)), None));
        assert_eq!(slow.throttled(None, at(10)).permille, 500, "calls in the air together are refused together");
        assert_eq!(slow.throttled(Some(Span::secs(90)), at(10)).until, at(100), "the longest pause counts");
        assert_eq!(slow.throttled(None, at(11)).permille, 250);
        let mut pace = slow;
        for secs in 11..16 {
            pace = pace.accepted(at(secs)).accepted(at(secs));
        }
        assert_eq!(pace.permille, FULL);
        assert_eq!(pace.accepted(at(99)), pace, "full speed is full speed: nothing to write down");
        assert_eq!(Pace::default().throttled(Some(Span::hours(99)), at(0)).until, at(3_600));
    }

    proptest! {
        #[test]
        fn stays_between_the_floor_and_full_speed(steps in prop::collection::vec((0i64..3_000_000, prop::bool::ANY, 0i64..9_000_000), 1..200)) {
            let (mut pace, mut now) = (Pace::default(), Time(5_000_000));
            for (wait, throttled, asked) in steps {
                now = now + Span(wait);
                let before = pace;
                pace = if throttled { pace.throttled(Some(Span(asked)), now) } else { pace.accepted(now) };
                prop_assert!((FLOOR..=FULL).contains(&pace.permille));
                prop_assert!(pace.until >= before.until, "a pause is never cut short");
                let held = if throttled { pace.permille <= before.permille } else { pace.permille >= before.permille };
                prop_assert!(held);
            }
        }
    }
}
