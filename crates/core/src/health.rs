//! What is kept of one account from batch to batch: its pace and its breaker, and what moves them.
//!
//! Its own file because it says what each outcome means for the account, where an attempt's outcome alone says what it
//! means for the text. Both live in one value, so that a batch of calls is one row that changes, and none while all is
//! well.

use serde::{Deserialize, Serialize};

use crate::breaker::{Breaker, Rule, Tally};
use crate::outcome::{Outcome, Refusal};
use crate::pace::Pace;
use crate::time::{Span, Time};

/// How an account is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// How fast it may be called.
    #[serde(default)]
    pub pace: Pace,
    /// Whether it may be called.
    #[serde(default)]
    pub breaker: Breaker,
}

/// What a batch of calls told of their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    tally: Tally,
    accepted: bool,
    throttled: bool,
    retry_after: Option<Span>,
}

/// What became of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that anybody must know.
    None,
    /// It opened.
    Opened,
    /// It is closed again.
    Closed,
}

impl Heard {
    /// One outcome more. A refusal for good is an answer of a vendor that is well; one that is about our account has its own
    /// pause, one that asks for patience its own pace, and a call that was never begun says nothing of the vendor.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted { .. } => {
                self.tally.good += 1;
                self.accepted = true;
            }
            Outcome::Permanent { class: Refusal::Number | Refusal::Policy | Refusal::Content, .. } => self.tally.good += 1,
            Outcome::Transient { .. } | Outcome::Ambiguous { .. } => self.tally.bad += 1,
            Outcome::Throttled { retry_after, .. } => {
                self.tally.neutral += 1;
                self.throttled = true;
                self.retry_after = self.retry_after.max(*retry_after);
            }
            Outcome::Permanent { class: Refusal::Account, .. } | Outcome::NotWritten { .. } => self.tally.neutral += 1,
        }
    }
}

impl Health {
    /// After a batch of calls.
    pub fn after(&self, rule: &Rule, heard: Heard, now: Time) -> (Health, Turn) {
        let pace = match (heard.throttled, heard.accepted) {
            (true, _) => self.pace.throttled(heard.retry_after, now),
            (false, true) => self.pace.accepted(now),
            (false, false) => self.pace,
        };
        let breaker = self.breaker.heard(rule, heard.tally, now);
        let turn = match (&self.breaker, &breaker) {
            (Breaker::Closed { .. }, Breaker::Open { .. }) => Turn::Opened,
            (Breaker::HalfOpen { .. }, Breaker::Closed { .. }) => Turn::Closed,
            _ => Turn::None,
        };
        (Health { pace, breaker }, turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(outcomes: &[Outcome]) -> Heard {
        let mut heard = Heard::default();
        for outcome in outcomes {
            heard.add(outcome);
        }
        heard
    }

    fn accepted() -> Outcome {
        Outcome::Accepted { vendor_id: "SM1".into() }
    }

    #[test]
    fn each_outcome_says_something_of_the_account() {
        let permanent = |class| Outcome::Permanent { class, vendor_code: "1".into(), message: String::new() };
        let throttled = |secs| Outcome::Throttled { retry_after: Some(Span::secs(secs)), vendor_code: "429".into() };
        let cause = || "x".to_owned();
        for (outcome, good, bad, neutral) in [
            (accepted(), 1, 0, 0),
            (permanent(Refusal::Number), 1, 0, 0),
            (permanent(Refusal::Policy), 1, 0, 0),
            (permanent(Refusal::Content), 1, 0, 0),
            (permanent(Refusal::Account), 0, 0, 1),
            (throttled(1), 0, 0, 1),
            (Outcome::Transient { cause: cause() }, 0, 1, 0),
            (Outcome::Ambiguous { cause: cause() }, 0, 1, 0),
            (Outcome::NotWritten { cause: cause() }, 0, 0, 1),
        ] {
            assert_eq!(heard(std::slice::from_ref(&outcome)).tally, Tally { good, bad, neutral }, "{outcome:?}");
        }
        let now = Time(0) + Span::hours(1);
        let slow = Health::default().after(&Rule::default(), heard(&[throttled(7), accepted(), throttled(3)]), now).0;
        assert_eq!((slow.pace.permille, slow.pace.until), (500, now + Span::secs(7)), "one that is throttled outweighs those that were taken");
    }

    #[test]
    fn what_must_be_known_is_told_once() {
        let rule = Rule { minimum: 2, probes: 1, ..Rule::default() };
        let failed = heard(&[Outcome::Transient { cause: "refused connection".into() }, Outcome::Ambiguous { cause: "timeout".into() }]);
        let now = Time(0) + Span::hours(1);
        let (open, turn) = Health::default().after(&rule, failed, now);
        assert_eq!(turn, Turn::Opened);
        assert_eq!(open.after(&rule, failed, now).1, Turn::None);
        let later = now + rule.cool_down;
        let probing = |health: &Health| Health { breaker: health.breaker.probed(1, later), ..health.clone() };
        let (again, turn) = probing(&open).after(&rule, failed, later);
        assert_eq!(turn, Turn::None, "it was open and is open: the alert stands");
        assert_eq!(probing(&again).after(&rule, heard(&[accepted()]), later).1, Turn::Closed);
        let well = Health::default();
        assert_eq!(well.after(&rule, heard(&[accepted(), accepted()]), now), (well.clone(), Turn::None), "nothing to write down");
    }
}
