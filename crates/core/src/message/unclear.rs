//! What asking about a text of unknown fate, and deciding about it, make of its state.
//!
//! Apart from `message.rs` because these are the ways out of one state. A proof applies whenever it comes; everything
//! else only while the text is still unclear, so that an answer that comes late undoes nothing.

use super::{Attempt, Evidence, Finding, Ignored, Ruling, State, Work, follow_up};
use crate::id::MessageId;
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::time::Time;

/// The attempt that a message of unknown fate waits for.
pub(super) fn attempt(state: &mut State, n: u32) -> Result<&mut Attempt, Ignored> {
    if state.work != Work::Unknown || state.attempts.last().is_none_or(|a| a.n != n) {
        return Err(Ignored::NotUnclear);
    }
    super::attempt(state, n)
}

pub(super) fn looked(state: &mut State, n: u32, found: &Finding, again: Option<Time>, at: Time) -> Result<(), Ignored> {
    match found {
        Finding::Taken { vendor_id, evidence, vendor_code, .. } => {
            let entry = super::attempt(state, n)?;
            if matches!(entry.outcome, Some(Outcome::Accepted { .. })) {
                return Err(Ignored::AlreadySettled);
            }
            entry.outcome = Some(Outcome::Accepted { vendor_id: vendor_id.clone() });
            entry.settled_at = Some(at);
            let proof = evidence.map(|e| (e, vendor_code.clone()));
            entry.evidence = entry.evidence.take().max(Some((Evidence::Accepted, String::new()))).max(proof);
        }
        Finding::NotTaken { cause, next } => {
            let tried = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
            let entry = attempt(state, n)?;
            let outcome = Outcome::Transient { cause: cause.clone() };
            entry.outcome = Some(outcome.clone());
            entry.settled_at = Some(at);
            follow_up(state, &outcome, next, tried);
        }
        Finding::Nothing { .. } => {
            attempt(state, n)?;
            state.due = again;
        }
    }
    Ok(())
}

pub(super) fn given_up(state: &mut State, n: u32, resend: Option<Time>) -> Result<(), Ignored> {
    attempt(state, n)?;
    state.due = resend;
    if resend.is_some() {
        state.work = Work::Queued;
        state.reasons = vec![Reason::SentAgain { n }];
    }
    Ok(())
}

pub(super) fn ruled(state: &mut State, n: u32, ruling: Ruling, (by, evidence): (&String, &String), again: Option<MessageId>) -> Result<(), Ignored> {
    attempt(state, n)?;
    state.work = match ruling {
        Ruling::Arrived => Work::Taken,
        Ruling::SendAgain | Ruling::LetGo => Work::Failed,
    };
    state.due = None;
    state.reasons = vec![Reason::Ruled { ruling: ruling.word().to_owned(), by: by.clone(), evidence: evidence.clone(), again }];
    Ok(())
}
