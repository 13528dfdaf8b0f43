//! Who goes first among the texts that wait, and how that is asked for.
//!
//! Its own file because it is about the order in which texts leave, which no row says by itself. What may leave at all is
//! the gate's to say.

use trunkline_core::purpose::Priority;

use super::{Intent, Message};

impl Intent {
    /// Who goes first: the answer to a keyword goes with the codes.
    pub fn priority(&self) -> Priority {
        if self.origin.exempt() { Priority::Urgent } else { self.purpose.priority() }
    }
}

impl Message {
    /// The account and the sender that it goes through now: those of its intent, unless it was moved since.
    pub fn way(&self) -> (&str, &str) {
        match &self.state.way {
            Some(way) => (way.account.as_str(), way.sender.as_str()),
            None => (self.intent.account.as_str(), self.intent.sender.as_str()),
        }
    }
}

/// Texts of one sender and priority, for whoever asks for those that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The account.
    pub account: String,
    /// The sender.
    pub sender: String,
    /// Who goes first.
    pub priority: Priority,
    /// How many at most.
    pub limit: usize,
}
