//! What another way makes of a message's state, and when it may have one.
//!
//! Apart from `message.rs` because here is the one condition that keeps failing over from sending twice: every attempt so
//! far was certainly not taken. Which way it is does not matter here.

use super::{Attempt, Ignored, State, Work};
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::route::Way;

impl State {
    /// Whether it may go another way: it waits, and no attempt may have been taken.
    pub fn may_move(&self) -> bool {
        self.claimable() && self.attempts.iter().all(certainly_not_taken)
    }

    /// Whether it may once its newest attempt, which is this one, turns out not to have been taken.
    pub fn may_move_without(&self, n: u32) -> bool {
        let newest = self.attempts.last().is_some_and(|attempt| attempt.n == n);
        newest && self.evidence().is_none() && self.attempts.iter().filter(|attempt| attempt.n != n).all(certainly_not_taken)
    }
}

/// An attempt that nobody has heard of, or whose answer is unclear, may have been.
fn certainly_not_taken(attempt: &Attempt) -> bool {
    match &attempt.outcome {
        Some(Outcome::Throttled { .. } | Outcome::Transient { .. } | Outcome::Permanent { .. } | Outcome::NotWritten { .. }) => true,
        Some(Outcome::Accepted { .. } | Outcome::Ambiguous { .. }) | None => false,
    }
}

/// What it waited for on the old way is no reason any more.
pub(super) fn moved(state: &mut State, way: &Way, reason: &Reason) -> Result<(), Ignored> {
    if !state.may_move() {
        return Err(Ignored::NotWaiting);
    }
    state.way = Some(way.clone());
    if state.work == Work::Held {
        state.reasons.clear();
    }
    state.reasons.push(reason.clone());
    Ok(())
}
