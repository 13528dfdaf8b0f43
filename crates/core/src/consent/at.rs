//! What was so at an instant: as we knew it then, and as it turned out to be.
//!
//! Its own file because "had she opted out when the reminder left?" has two answers. By what was recorded until then we
//! are judged for what we did; by what had happened until then she is judged for what she wanted. Neither changes a row.

use serde::{Deserialize, Serialize};

use super::entry::ConsentEntry;
use super::state::ConsentState;
use crate::purpose::{Policy, Purpose};
use crate::reason::Reason;
use crate::time::Time;

/// By which of an entry's two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knowledge {
    /// What was recorded until then: what we knew.
    Recorded,
    /// What had happened until then, whenever we heard of it: what was true.
    Occurred,
}

/// The ledger's word at an instant, that instant included. What we knew is the fold of the ledger's beginning, in its own
/// order; what was true is the fold in the order of happening.
pub fn at(entries: &[ConsentEntry], when: Time, by: Knowledge) -> ConsentState {
    match by {
        Knowledge::Recorded => ConsentState::fold(entries.iter().filter(|e| e.recorded_at <= when)),
        Knowledge::Occurred => {
            let mut past: Vec<&ConsentEntry> = entries.iter().filter(|e| e.occurred_at <= when).collect();
            past.sort_by_key(|e| e.occurred_at);
            ConsentState::fold(past)
        }
    }
}

/// Whether a text of one kind may be sent, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The program.
    pub program: String,
    /// The purpose.
    pub purpose: Purpose,
    /// Whether consent permits it.
    pub permitted: bool,
    /// What was found: about opt-outs, then about grants.
    pub findings: Vec<Reason>,
}

impl ConsentState {
    /// Whether consent permits a text of this kind through this sender.
    pub fn standing(&self, policy: &Policy, (program, purpose): (&str, Purpose), (account, sender): (&str, &str), now: Time) -> Standing {
        let suppression = self.suppression(program, purpose, account, sender);
        let grant = self.grant(policy, program, purpose, now);
        let permitted = suppression.is_none() && matches!(grant, Reason::ConsentNotNeeded | Reason::ConsentGranted { .. });
        Standing { program: program.to_owned(), purpose, permitted, findings: vec![suppression.unwrap_or(Reason::NotSuppressed), grant] }
    }
}
