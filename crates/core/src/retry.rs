//! What follows from an attempt's outcome: again, later, never, or nobody knows.
//!
//! Its own file because the schedule (exponential, full jitter, `Retry-After` honoured, never past the deadline)
//! is shared by texts and write-backs. The randomness is passed in.

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Refusal};
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

/// The facts of an attempt that just ended.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// How many the purpose allows.
    pub max_attempts: u32,
    /// The message's deadline.
    pub deadline: Time,
    /// When the vendor is asked about it, should it be unclear.
    pub ask_at: Time,
}

/// Decides from an outcome; `jitter` is any random number.
pub fn after(outcome: &Outcome, tried: Tried, now: Time, jitter: u64) -> Next {
    let again = |retry_after| {
        if tried.attempts >= tried.max_attempts {
            return Next::Fail;
        }
        let at = now + TEXTS.wait(tried.attempts, retry_after, jitter);
        if at >= tried.deadline { Next::Expire } else { Next::Retry { at } }
    };
    match outcome {
        Outcome::Accepted { .. } => Next::Taken,
        Outcome::Ambiguous { .. } => Next::Unknown { ask_at: Some(tried.ask_at) },
        Outcome::Throttled { retry_after, .. } => again(*retry_after),
        // An account that is refused is ours to mend: the text waits for it as long as it is worth sending, however
        // often that was tried.
        Outcome::Permanent { class: Refusal::Account, .. } => {
            let at = now + Span::mins(1) + TEXTS.wait(tried.attempts, None, jitter);
            if at >= tried.deadline { Next::Expire } else { Next::Retry { at } }
        }
        Outcome::Permanent { class: Refusal::Number | Refusal::Policy | Refusal::Content, .. } => Next::Fail,
        Outcome::Transient { .. } => again(None),
        Outcome::NotWritten { .. } => again(Some(Span::ZERO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRIED: Tried = Tried { attempts: 1, max_attempts: 3, deadline: Time(3_600_000_000), ask_at: Time(7) };

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
