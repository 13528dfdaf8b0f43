//! What one attempt told us: a small closed list.
//!
//! Its own file because the whole promise hangs on it: `Ambiguous` is a result of its own and is never sent again,
//! and which results are definite is decided by how far the bytes got, before any vendor's code is read.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The vendor took it and named it.
    Accepted {
        /// The vendor's id.
        vendor_id: String,
    },
    /// The vendor asks us to slow down; it did not take it.
    Throttled {
        /// How long it asks us to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Span>,
        /// The vendor's code.
        vendor_code: String,
    },
    /// It was certainly not taken, and may be later.
    Transient {
        /// What happened.
        cause: String,
    },
    /// It was certainly not taken and never will be.
    Permanent {
        /// What kind of refusal.
        class: Refusal,
        /// The vendor's code.
        vendor_code: String,
        /// The vendor's words, clipped.
        message: String,
    },
    /// Nobody knows.
    Ambiguous {
        /// What happened.
        cause: String,
    },
    /// The call was never begun: too long after its claim, or past its deadline.
    NotWritten {
        /// Why.
        cause: String,
    },
}

/// What a permanent refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The recipient's number.
    Number,
    /// A rule: opted out at the vendor, region not enabled, unregistered sender.
    Policy,
    /// The text.
    Content,
    /// Our account: credentials, funds, configuration. Pauses the account and wakes an engineer.
    Account,
}

impl Refusal {
    /// The word in rows and sentences.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Number => "number",
            Refusal::Policy => "policy",
            Refusal::Content => "content",
            Refusal::Account => "account",
        }
    }
}

impl Outcome {
    /// The word in rows and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Throttled { .. } => "throttled",
            Outcome::Transient { .. } => "transient",
            Outcome::Permanent { .. } => "permanent",
            Outcome::Ambiguous { .. } => "ambiguous",
            Outcome::NotWritten { .. } => "not_written",
        }
    }

    /// One clause for people.
    pub fn cause(&self) -> String {
        match self {
            Outcome::Accepted { vendor_id } => format!("accepted as {vendor_id}"),
            Outcome::Throttled { vendor_code, .. } => format!("the vendor asked us to slow down (code {vendor_code})"),
            Outcome::Permanent { class, vendor_code, message } => format!("refused ({}, code {vendor_code}): {message}", class.word()),
            Outcome::Transient { cause } | Outcome::Ambiguous { cause } | Outcome::NotWritten { cause } => cause.clone(),
        }
    }
}
