//! What a change of state owes to others: write-backs, alerts, cases.
//!
//! Its own file because these are values carried inside the commit that caused them; the store turns them into
//! rows, at once or by way of an outbox, and no stage can forget one by crashing.

use serde::{Deserialize, Serialize};

use crate::id::{AddressId, MessageId};
use crate::time::{Span, Time};

/// Whom an alert is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Something is wrong with the system: an engineer.
    System,
    /// Something a customer will notice: whoever talks to customers.
    Customer,
}

/// What a record in another system is about; the row it is rendered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", content = "id", rename_all = "snake_case")]
pub enum Subject {
    /// One message.
    Message(MessageId),
    /// One address.
    Address(AddressId),
}

/// One thing owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "owe", rename_all = "snake_case")]
pub enum Owe {
    /// A record in another system is out of date.
    Writeback {
        /// The connector.
        connector: String,
        /// The record's key there.
        record: String,
        /// What it is rendered from.
        subject: Subject,
        /// How long it may wait for the next news of the same record, so that both are one write.
        #[serde(default)]
        patience: Span,
    },
    /// A follower is to be told what happened.
    Announce {
        /// The same for the same thing, so that it is told once.
        id: [u8; 16],
        /// The follower.
        follower: String,
        /// What happened, such as `message.delivered`.
        kind: String,
        /// The message.
        message: MessageId,
        /// What is sent.
        body: String,
    },
    /// Somebody should know.
    Alert {
        /// Whom it is for.
        kind: AlertKind,
        /// The stable code; one alert is open for each (code, about).
        code: String,
        /// What it is about.
        about: String,
        /// One sentence that says what to do.
        detail: String,
    },
    /// Somebody must look.
    Case {
        /// The stable code of why.
        code: String,
        /// The address.
        address: AddressId,
        /// The message, if one is concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
        /// One sentence for whoever looks.
        detail: String,
        /// When it should be looked at.
        due: Time,
    },
    /// Nobody must look any more.
    CloseCase {
        /// The stable code of why it was opened.
        code: String,
        /// The message.
        message: MessageId,
    },
}
