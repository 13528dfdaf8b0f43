//! What follows from an attempt's outcome: again, later, never, or nobody knows.
//!
//! Its own file because the schedule (exponential, full jitter, `Retry-After` honoured, never past the deadline)
//! is shared by texts and write-backs. The randomness is passed in.

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Refusal};
use crate::planted::{Fault, planted};
use crate::time::{Span, Time};

/// The shape of a backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Span,
    /// The longest wait of all.
    pub cap: Span,
}

/// The backoff of texts.
pub const TEXTS: Backoff = Backoff { base: Span::secs(4), cap: Span::mins(10) };
/// The backoff of write-backs.
pub const WRITEBACKS: Backoff = Backoff { base: Span::secs(5), cap: Span::mins(15) };

impl Backoff {
    /// The wait before try `n + 1`, after `n` tries: uniform in `[0, min(cap, base * 2^(n-1)))`, or what the other
    /// side asked for plus up to a tenth more, so that a crowd does not come back in step.
    pub fn wait(self, tries: u32, retry_after: Option<Span>, jitter: u64) -> Span {
        let ceiling = self.base.0.saturating_mul(1i64 << tries.saturating_sub(1).min(20)).min(self.cap.0).max(1);
        match retry_after {
            Some(asked) => Span(asked.0 + below(jitter, (asked.0 / 10).max(1))),
            None => Span(below(jitter, ceiling)),
        }
    }
}

/// A draw in `[0, bound)`.
fn below(jitter: u64, bound: i64) -> i64 {
    i64::try_from(jitter % u64::try_from(bound).unwrap_or(1)).unwrap_or(0)
}

/// What happens to the message after an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// The vendor has it.
    Taken,
    /// Queued again.
    Retry {
        /// When.
        at: Time,
    },
    /// Over: refused, or tried often enough.
    Fail,
    /// Over: the next try would be past the deadline.
    Expire,
    /// Not sent again; waits for evidence.
    Unknown {
        /// When the vendor is asked about it; absent in histories from before it could be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask_at: Option<Time>,
    },
}

/// How one class of failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The longest first wait; it doubles with each try.
    pub base: Span,
    /// The longest wait of all.
    pub cap: Span,
    /// How many tries may end like this; absent means as many as fit before the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long after the first try there may be another; absent means until the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Span>,
}

/// How each class of failure is tried again. A class that is absent is tried as always: transient failures as often as the
/// purpose's `max_attempts` says, a vendor that asks for patience and an account that is ours to mend for as long as
/// the text is worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Certainly not taken, and may be later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transient: Option<Retry>,
    /// The vendor asks for patience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Retry>,
    /// The account is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Retry>,
}

const AS_ALWAYS: Retry = Retry { base: TEXTS.base, cap: TEXTS.cap, attempts: None, window: None };
/// How long a text waits at least for an account that is ours to mend.
const MENDING: Span = Span::mins(1);

/// The facts of an attempt that just ended.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// How many attempts ended like this one, this one included.
    pub attempts: u32,
    /// How many transient failures the purpose allows.
    pub max_attempts: u32,
    /// How the purpose tries again.
    pub policy: RetryPolicy,
    /// When the first attempt was made.
    pub first_at: Time,
    /// The message's deadline.
    pub deadline: Time,
    /// When the vendor is asked about it, should it be unclear.
    pub ask_at: Time,
}

/// Decides from an outcome; `jitter` is any random number.
pub fn after(outcome: &Outcome, tried: Tried, now: Time, jitter: u64) -> Next {
    let transient = tried.policy.transient.unwrap_or(Retry { attempts: Some(tried.max_attempts), ..AS_ALWAYS });
    match outcome {
        Outcome::Accepted { .. } => Next::Taken,
        Outcome::Ambiguous { .. } if planted(Fault::RetryOnTimeout) => again(transient, tried, now, Span::ZERO),
        Outcome::Ambiguous { .. } => Next::Unknown { ask_at: Some(tried.ask_at) },
        // A vendor that asks for a second again and again means more than a second.
        Outcome::Throttled { retry_after, .. } => {
            let retry = tried.policy.throttled.unwrap_or(AS_ALWAYS);
            let asked = retry_after.map_or(Span::ZERO, |asked| retry.backoff().wait(tried.attempts, Some(asked), jitter));
            again(retry, tried, now, Span(asked.0.max(retry.backoff().wait(tried.attempts, None, jitter).0)))
        }
        // An account that is refused is ours to mend: the text waits for it as long as it is worth sending, however
        // often that was tried.
        Outcome::Permanent { class: Refusal::Account, .. } => {
            let retry = tried.policy.account.unwrap_or(AS_ALWAYS);
            again(retry, tried, now, Span(MENDING.0 + retry.backoff().wait(tried.attempts, None, jitter).0))
        }
        Outcome::Permanent { class: Refusal::Number | Refusal::Policy | Refusal::Content, .. } => Next::Fail,
        Outcome::Transient { .. } => again(transient, tried, now, transient.backoff().wait(tried.attempts, None, jitter)),
        Outcome::NotWritten { .. } => again(transient, tried, now, Span::ZERO),
    }
}

impl Retry {
    /// The shape of its waits.
    const fn backoff(self) -> Backoff {
        Backoff { base: self.base, cap: self.cap }
    }
}

/// After a wait, if the class allows another try and there is time for it.
fn again(retry: Retry, tried: Tried, now: Time, wait: Span) -> Next {
    let at = now + wait;
    let over = retry.window.is_some_and(|window| at >= tried.first_at + window);
    if over || retry.attempts.is_some_and(|most| tried.attempts >= most) {
        return Next::Fail;
    }
    if at >= tried.deadline { Next::Expire } else { Next::Retry { at } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: RetryPolicy = RetryPolicy { transient: None, throttled: None, account: None };
    const TRIED: Tried = Tried { attempts: 1, max_attempts: 3, policy: POLICY, first_at: Time(0), deadline: Time(3_600_000_000), ask_at: Time(7) };

    #[test]
    fn classes() {
        let permanent = |class| Outcome::Permanent { class, vendor_code: "1".into(), message: String::new() };
        let transient = Outcome::Transient { cause: "refused connection".into() };
        assert_eq!(after(&Outcome::Accepted { vendor_id: "SM1".into() }, TRIED, Time(0), 9), Next::Taken);
        assert_eq!(after(&Outcome::Ambiguous { cause: "timeout".into() }, TRIED, Time(0), 9), Next::Unknown { ask_at: Some(Time(7)) });
        assert_eq!(after(&permanent(Refusal::Number), TRIED, Time(0), 9), Next::Fail);
        assert_eq!(after(&permanent(Refusal::Account), TRIED, Time(0), 0), Next::Retry { at: Time(60_000_000) });
        assert_eq!(after(&permanent(Refusal::Account), Tried { attempts: 3, ..TRIED }, Time(0), 0), Next::Retry { at: Time(60_000_000) });
        assert_eq!(after(&transient, Tried { attempts: 3, ..TRIED }, Time(0), 9), Next::Fail);
        assert_eq!(after(&transient, TRIED, Time(3_599_999_999), 3_999_999), Next::Expire);
        let throttled = Outcome::Throttled { retry_after: Some(Span::secs(30)), vendor_code: "20429".into() };
        assert_eq!(after(&throttled, TRIED, Time(0), 0), Next::Retry { at: Time(30_000_000) });
    }

    #[test]
    fn a_class_is_tried_as_its_policy_says() {
        let retry = |attempts, window| Some(Retry { base: Span::secs(1), cap: Span::secs(8), attempts, window });
        let policy = RetryPolicy { transient: retry(Some(5), None), throttled: retry(Some(2), None), account: retry(None, Some(Span::mins(5))) };
        let tried = |attempts| Tried { attempts, policy, ..TRIED };
        let transient = Outcome::Transient { cause: "refused connection".into() };
        assert!(matches!(after(&transient, tried(4), Time(0), 7), Next::Retry { .. }));
        assert_eq!(after(&transient, tried(5), Time(0), 7), Next::Fail);
        let throttled = Outcome::Throttled { retry_after: None, vendor_code: "429".into() };
        assert_eq!((after(&throttled, tried(2), Time(0), 7), after(&throttled, Tried { attempts: 50, ..TRIED }, Time(0), 7)), (Next::Fail, Next::Retry { at: Time(7) }));
        let refused = Outcome::Permanent { class: Refusal::Account, vendor_code: "1".into(), message: String::new() };
        assert!(matches!(after(&refused, tried(9), Time(0) + Span::mins(3), 7), Next::Retry { .. }));
        assert_eq!(after(&refused, tried(9), Time(0) + Span::mins(4), 7), Next::Fail);
    }

    #[test]
    fn a_vendor_that_asks_for_a_second_again_and_again_gets_more() {
        let asks = Outcome::Throttled { retry_after: Some(Span::secs(1)), vendor_code: "429".into() };
        let Next::Retry { at } = after(&asks, Tried { attempts: 6, ..TRIED }, Time(0), 100_000_000) else { panic!("tried again") };
        assert!(at > Time(0) + Span::secs(60), "{at}");
    }

    proptest! {
        #[test]
        fn an_unclear_or_late_text_is_never_sent_again(attempts in 1u32..40, now in 0i64..4_000_000_000, jitter: u64) {
            let tried = Tried { attempts, ..TRIED };
            prop_assert_eq!(after(&Outcome::Ambiguous { cause: String::new() }, tried, Time(now), jitter), Next::Unknown { ask_at: Some(Time(7)) });
            if let Next::Retry { at } = after(&Outcome::Transient { cause: String::new() }, tried, Time(now), jitter) {
                prop_assert!(attempts < 3 && at < tried.deadline && at.0 >= now && at.0 - now <= TEXTS.cap.0);
            }
        }
    }
}
