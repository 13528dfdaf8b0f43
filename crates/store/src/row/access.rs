//! Rows about who may do what, and who did: API keys, operators, sessions, the audit trail.
//!
//! Apart from the other rows because nothing of it is about a text.

use serde::{Deserialize, Serialize};
use trunkline_core::time::Time;

/// An API key; the secret itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public half.
    pub id: String,
    /// SHA-256 of the secret half, cut.
    pub hash: [u8; 16],
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// An operator of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The name.
    pub name: String,
    /// The argon2id hash.
    pub password: String,
}

/// A signed-in session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of its token.
    pub hash: [u8; 16],
    /// Who.
    pub operator: String,
    /// When it ends.
    pub expires_at: Time,
}

/// Failed sign-ins of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignIns {
    /// How many in a row.
    pub failures: i64,
    /// No further attempt before this.
    pub not_before: Time,
}

/// Something that a person did which others may ask about later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Its place, from 1; given by the store.
    #[serde(default)]
    pub number: i64,
    /// When.
    pub at: Time,
    /// Who: an operator, or an API key.
    pub operator: String,
    /// The stable word: `revealed`, `replayed`, `canceled`, `ruled`, `erased`, `imported`.
    pub act: String,
    /// The id of what it was done to.
    pub about: String,
    /// One sentence more, or empty.
    pub detail: String,
}
