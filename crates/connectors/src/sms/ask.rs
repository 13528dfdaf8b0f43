//! What a vendor can be asked afterwards: whether it took a text, and what it told nobody.
//!
//! Its own file because asking is apart from sending: every question may be repeated, except where the vendor knows a
//! key of ours, and then repeating the very call is the question. What an answer means for a message is not decided
//! here.

pub use trunkline_core::gap::Listing;
use trunkline_core::id::AttemptId;
use trunkline_core::message::Evidence;
pub use trunkline_core::resolve::Resolution;
use trunkline_core::time::{Span, Time};

use super::Item;

/// An attempt of unknown fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent<'a> {
    /// The attempt.
    pub attempt: AttemptId,
    /// The recipient in E.164.
    pub to: &'a str,
    /// The sender.
    pub from: &'a str,
    /// The text.
    pub body: &'a str,
    /// When it was claimed: the call came after that.
    pub claimed_at: Time,
}

/// A text in the vendor's list that may be the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The vendor's id.
    pub vendor_id: String,
    /// The vendor's word for its state.
    pub status: String,
    /// What that proves; absent if we do not know the word.
    pub evidence: Option<Evidence>,
    /// The vendor's error code, or empty.
    pub vendor_code: String,
    /// When the vendor took it, as far as it says.
    pub taken_at: Option<Time>,
}

/// What a look-up said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// These may be it, newest first; none if the vendor shows none.
    Found(Vec<Candidate>),
    /// It did not say; ask again, but not before this long.
    Unavailable {
        /// What happened.
        cause: String,
        /// How long the vendor asks us to wait.
        retry_after: Option<Span>,
    },
}

/// A page of such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it says, as hooks would have said it: with the same keys, so that what is known already is a copy.
    pub items: Vec<Item>,
    /// How to ask for the next page; absent on the last one.
    pub next: Option<String>,
}

/// A list that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct NotListed {
    /// What happened.
    pub cause: String,
    /// How long the vendor asks us to wait.
    pub retry_after: Option<Span>,
}
