//! Rows about what is owed to others: write-backs, announcements, and what people should know of or look at.
//!
//! Apart from the other rows because they outlive the change that caused them, and say how far each of them is. When one
//! is due again is the engine's to say.

use serde::{Deserialize, Serialize};
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::owe::{AlertKind, Subject};
use trunkline_core::time::Time;

/// How far a write-back or an announcement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritebackState {
    /// The record is as wanted.
    Idle,
    /// To be written when due.
    Due,
    /// A write is in the air.
    Flying,
    /// Given up.
    Dead,
}

/// Something that a follower is to be told, once for each thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What the follower knows it by: the same at every try.
    pub id: [u8; 16],
    /// The follower.
    pub follower: String,
    /// What happened, such as `message.delivered`.
    pub kind: String,
    /// The message it happened to.
    pub message: MessageId,
    /// What is sent, as it was when it happened.
    pub body: String,
    /// How far it is; never idle, since a row is gone once it was taken.
    pub state: WritebackState,
    /// When it is due.
    pub due: Time,
    /// How often it failed.
    pub tries: u32,
    /// The generation that claimed it.
    pub epoch: i64,
    /// What failed last.
    pub cause: String,
    /// When it happened.
    pub created_at: Time,
}

/// A record in another system, and how far it is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writeback {
    /// The connector.
    pub connector: String,
    /// The record's key.
    pub record: String,
    /// What it is rendered from.
    pub subject: Subject,
    /// Counts what was owed.
    pub wanted: i64,
    /// What of that was written.
    pub written: i64,
    /// How far it is.
    pub state: WritebackState,
    /// When it is due.
    pub due: Time,
    /// How often in a row it failed.
    pub tries: u32,
    /// The generation that claimed it.
    pub epoch: i64,
    /// What failed last.
    pub cause: String,
    /// When it was last changed.
    pub updated_at: Time,
}

/// An open alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Whom it is for.
    pub kind: AlertKind,
    /// The stable code.
    pub code: String,
    /// What it is about.
    pub about: String,
    /// What to do.
    pub detail: String,
    /// When it was opened.
    pub opened_at: Time,
    /// When it was last raised.
    pub last_at: Time,
    /// How often.
    pub times: i64,
}

/// An open case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub number: i64,
    /// The stable code of why.
    pub code: String,
    /// The address.
    pub address: AddressId,
    /// The message.
    pub message: Option<MessageId>,
    /// What to look at.
    pub detail: String,
    /// When it was opened.
    pub opened_at: Time,
    /// When it should be looked at.
    pub due: Time,
    /// Who has it.
    pub owner: Option<String>,
}

/// How an announcement is named to people, and to whoever replays it.
pub fn announcement_name(id: [u8; 16]) -> String {
    format!("ann_{}", data_encoding::BASE32_NOPAD.encode(&id).to_ascii_lowercase())
}

/// The id behind such a name.
pub fn announcement_id(name: &str) -> Option<[u8; 16]> {
    let text = name.strip_prefix("ann_")?.to_ascii_uppercase();
    data_encoding::BASE32_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}
