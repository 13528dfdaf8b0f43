//! Texts of unknown fate: what a vendor can be asked about them, what its answer means, and who decides in the end.
//!
//! Its own file because this is the one way out of `unknown` besides a receipt. Asking never sends a text a second
//! time: a look-up changes nothing, and the same call again is made only where the vendor knows our key.

use serde::{Deserialize, Serialize};

use crate::message::Evidence;
use crate::retry::Next;
use crate::time::{Span, Time};

/// How a vendor's unclear answer can be cleared up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The same call with the same key and the same bytes: the vendor answers as it did, or does now what it did not.
    NativeKey {
        /// How long after the first call the vendor still knows the key.
        keeps: Span,
    },
    /// A look-up by our reference: finding nothing after the lag means that it was not taken.
    ExactLookup {
        /// How long after a call the look-up may not show it yet.
        lag: Span,
    },
    /// A look-up by recipient, body and time: finding a text is proof, finding none proves nothing.
    Heuristic {
        /// How long after a call the look-up may not show it yet.
        lag: Span,
    },
    /// Nothing to ask: only a receipt can tell.
    None,
}

/// What a vendor is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The same call with the same key.
    Repeat,
    /// A look-up.
    LookUp,
}

/// What asking brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// The vendor has it.
    Taken {
        /// The vendor's id.
        vendor_id: String,
        /// The vendor's word for its state.
        status: String,
        /// What that proves; absent if we do not know the word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
        /// The vendor's error code, or empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        vendor_code: String,
    },
    /// It was certainly not taken.
    NotTaken {
        /// How that is known.
        cause: String,
        /// What follows.
        next: Next,
    },
    /// It stays unclear.
    Nothing {
        /// What was heard instead.
        cause: String,
    },
}

/// What a person decides about a text of unknown fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It arrived.
    Arrived,
    /// It is sent again, as a new text.
    SendAgain,
    /// It is let go.
    LetGo,
}

impl Ruling {
    /// All of them.
    pub const ALL: [Ruling; 3] = [Ruling::Arrived, Ruling::SendAgain, Ruling::LetGo];

    /// The word in the API and in forms.
    pub const fn word(self) -> &'static str {
        match self {
            Ruling::Arrived => "arrived",
            Ruling::SendAgain => "send_again",
            Ruling::LetGo => "let_go",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Ruling> {
        Ruling::ALL.into_iter().find(|ruling| ruling.word() == word)
    }
}

/// What happens to a text that is still unclear when asking is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unclear {
    /// It stays unclear and is shown to a person.
    #[default]
    PreferNoDuplicate,
    /// It is sent again: two are better than none.
    PreferDelivery,
    /// A person is asked at once.
    Ask,
}

/// How long after an attempt without any answer its call may still have been under way: longer than any call may take.
const UNDER_WAY: Span = Span::secs(60);
/// The first wait between two questions; each later one is twice as long.
const BASE: Span = Span::secs(10);
/// The longest wait between two questions.
const CAP: Span = Span::mins(5);

impl Resolution {
    /// What to ask, if there is anything.
    pub const fn question(self) -> Option<Question> {
        match self {
            Resolution::NativeKey { .. } => Some(Question::Repeat),
            Resolution::ExactLookup { .. } | Resolution::Heuristic { .. } => Some(Question::LookUp),
            Resolution::None => None,
        }
    }

    /// When to ask for the first time about an attempt that turned unclear now. An early look may find it, and costs
    /// one call; where nothing can be asked, the end of the window is when somebody looks.
    pub fn first(self, now: Time, within: Span) -> Time {
        let wait = match self {
            Resolution::NativeKey { .. } => Span::secs(2),
            Resolution::ExactLookup { lag } | Resolution::Heuristic { lag } => Span(lag.0.min(BASE.0)),
            Resolution::None => within,
        };
        now + Span(wait.0.min(within.0))
    }

    /// When to ask again after so many questions; nothing once the window is over. The last one comes at its end, so
    /// that a list that lags is looked at as late as possible.
    pub fn again(self, asked: u32, claimed_at: Time, now: Time, within: Span) -> Option<Time> {
        let end = claimed_at + within;
        if now >= end {
            return None;
        }
        let wait = BASE.0.saturating_mul(1i64 << asked.min(10)).min(CAP.0);
        Some((now + Span(wait)).min(end))
    }

    /// Whether finding nothing now means that it was not taken: a look-up by our own reference, after its lag from
    /// when the call had certainly ended.
    pub fn negative_is_proof(self, claimed_at: Time, settled_at: Option<Time>, now: Time) -> bool {
        match self {
            Resolution::ExactLookup { lag } => now >= settled_at.unwrap_or(claimed_at + UNDER_WAY) + lag,
            Resolution::NativeKey { .. } | Resolution::Heuristic { .. } | Resolution::None => false,
        }
    }

    /// Whether the vendor certainly still knows the key of an attempt.
    pub fn knows_key(self, claimed_at: Time, now: Time) -> bool {
        match self {
            Resolution::NativeKey { keeps } => now < claimed_at + keeps,
            Resolution::ExactLookup { .. } | Resolution::Heuristic { .. } | Resolution::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAG: Span = Span::secs(120);
    const EXACT: Resolution = Resolution::ExactLookup { lag: LAG };

    #[test]
    fn only_an_exact_negative_is_proof_and_only_after_the_lag() {
        let at = |secs: i64| Time(0) + Span::secs(secs);
        assert!(!EXACT.negative_is_proof(at(0), Some(at(10)), at(129)));
        assert!(EXACT.negative_is_proof(at(0), Some(at(10)), at(130)));
        // A process that died may have begun its call late.
        assert!(!EXACT.negative_is_proof(at(0), None, at(179)));
        assert!(EXACT.negative_is_proof(at(0), None, at(180)));
        for other in [Resolution::Heuristic { lag: LAG }, Resolution::NativeKey { keeps: LAG }, Resolution::None] {
            assert!(!other.negative_is_proof(at(0), Some(at(1)), at(1_000_000)));
        }
    }

    #[test]
    fn a_key_is_used_only_while_it_is_known() {
        let key = Resolution::NativeKey { keeps: Span::hours(23) };
        assert!(key.knows_key(Time(0), Time(0) + Span::hours(22)));
        assert!(!key.knows_key(Time(0), Time(0) + Span::hours(23)));
        assert!(!EXACT.knows_key(Time(0), Time(1)));
    }

    #[test]
    fn words() {
        for ruling in Ruling::ALL {
            assert_eq!(Ruling::from_word(ruling.word()), Some(ruling));
            assert_eq!(serde_json::to_value(ruling).unwrap(), ruling.word());
        }
        assert_eq!(Ruling::from_word("maybe"), None);
    }

    proptest! {
        #[test]
        fn asking_goes_on_until_the_window_ends_and_then_stops(within in 1i64..100_000_000_000, mut now in 0i64..1_000_000) {
            let (claimed, within) = (Time(0), Span(within));
            let mut asked = 0u32;
            now = EXACT.first(Time(now), within).0;
            while let Some(next) = EXACT.again(asked, claimed, Time(now), within) {
                prop_assert!(next.0 > now && next <= claimed + within);
                now = next.0;
                asked += 1;
                prop_assert!(asked < 400);
            }
            prop_assert!(now >= within.0);
        }
    }
}
