//! The looping guard: the same words to one person again and again are a fault somewhere, and nothing anybody wants.
//!
//! Its own file because it is the one check that looks at other texts than the one it is about. It is a pure function of
//! the texts that went to an address lately; who finds them, and who is told, is not its matter.

use serde::{Deserialize, Serialize};

use crate::purpose::Purpose;
use crate::reason::Reason;
use crate::time::{Span, Time};

/// The most texts that are looked at, the newest of an address; no limit may be higher.
pub const MOST: u32 = 20;

/// How many texts may go to one address within a time. A limit that is absent is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// How many of the same purpose with the same words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<u32>,
    /// How many of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<u32>,
    /// The time.
    pub within: Span,
}

/// A text that went to the address, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier<'a> {
    /// Why it was sent.
    pub purpose: Purpose,
    /// Its words.
    pub body: &'a str,
    /// When it left, or was made.
    pub at: Time,
}

impl Loop {
    /// What a purpose has when configuration says nothing. Two codes may be the same by chance, and whoever asks for one
    /// again wants one again: so they are counted, and not compared.
    pub const fn default_for(purpose: Purpose) -> Loop {
        match purpose {
            Purpose::Otp => Loop { same: None, any: Some(10), within: Span::mins(10) },
            Purpose::Transactional | Purpose::Service | Purpose::Marketing | Purpose::Collections => Loop { same: Some(3), any: None, within: Span::hours(1) },
        }
    }

    /// Whether one more text would be one too many.
    pub fn ask(self, purpose: Purpose, body: &str, earlier: &[Earlier<'_>], now: Time) -> Option<Reason> {
        let recent = || earlier.iter().filter(|e| now.since(e.at) < self.within);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let same = count(recent().filter(|e| e.purpose == purpose && e.body == body).count());
        if self.same.is_some_and(|most| same >= most) {
            return Some(Reason::LoopingGuard { same: true, sent: same, within: self.within });
        }
        let any = count(recent().count());
        self.any.is_some_and(|most| any >= most).then_some(Reason::LoopingGuard { same: false, sent: any, within: self.within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_435_200_000_000);

    /// So many texts, so many seconds ago each.
    fn texts(purpose: Purpose, body: &'static str, ago: &[i64]) -> Vec<Earlier<'static>> {
        ago.iter().map(|s| Earlier { purpose, body, at: NOW - Span::secs(*s) }).collect()
    }

    #[test]
    fn the_same_words_again_and_again() {
        let service = |body, ago: &[i64]| texts(Purpose::Service, body, ago);
        for (name, earlier, stops) in [
            ("the first", Vec::new(), None),
            ("the third", service("hi", &[60, 30]), None),
            ("the fourth", service("hi", &[90, 60, 30]), Some(3)),
            ("the fourth of an hour, the first of them an hour ago", service("hi", &[3_600, 60, 30]), None),
            ("just within the hour", service("hi", &[3_599, 60, 30]), Some(3)),
            ("other words between them", [service("hi", &[90, 60, 30]), service("ho", &[5, 4, 3, 2])].concat(), Some(3)),
            ("other words", service("ho", &[60, 50, 40, 30, 20, 10]), None),
            ("another purpose", texts(Purpose::Transactional, "hi", &[90, 60, 30, 10]), None),
            ("made in the same instant", service("hi", &[0, 0, 0]), Some(3)),
            ("a clock that was put back", service("hi", &[-5, -5, -5]), Some(3)),
        ] {
            let found = Loop::default_for(Purpose::Service).ask(Purpose::Service, "hi", &earlier, NOW);
            assert_eq!(found, stops.map(|sent| Reason::LoopingGuard { same: true, sent, within: Span::hours(1) }), "{name}");
        }
    }

    #[test]
    fn codes_are_counted_and_not_compared() {
        let rule = Loop::default_for(Purpose::Otp);
        let nine: Vec<i64> = (1..=9).collect();
        let earlier = texts(Purpose::Otp, "Your code is 1.", &nine);
        assert_eq!(rule.ask(Purpose::Otp, "Your code is 1.", &earlier, NOW), None);
        // Of any kind: whoever floods a phone does not always do it with codes.
        let earlier = [earlier, texts(Purpose::Marketing, "Sale!", &[300])].concat();
        let found = rule.ask(Purpose::Otp, "Your code is 2.", &earlier, NOW);
        assert_eq!(found, Some(Reason::LoopingGuard { same: false, sent: 10, within: Span::mins(10) }));
        assert_eq!(rule.ask(Purpose::Otp, "Your code is 2.", &earlier, NOW + Span::mins(10)), None);
    }

    #[test]
    fn without_limits_nothing_is_stopped() {
        let none = Loop { same: None, any: None, within: Span::hours(1) };
        assert_eq!(none.ask(Purpose::Service, "hi", &texts(Purpose::Service, "hi", &[1; 20]), NOW), None);
    }

    #[test]
    fn no_limit_is_higher_than_what_is_looked_at() {
        for rule in Purpose::ALL.map(Loop::default_for) {
            assert!(rule.same.into_iter().chain(rule.any).all(|most| most <= MOST), "{rule:?}");
        }
    }
}
