//! SMS providers: what every driver must say.
//!
//! Its own file because it is the one interface; each vendor's dialect is a file below. `verify` has no default: a
//! vendor without signatures must be spelled out in configuration.

pub mod ask;
pub mod codes;
pub mod sinch;
pub mod telnyx;
pub mod twilio;

use serde::{Deserialize, Serialize};
use trunkline_core::id::AttemptId;
use trunkline_core::keyword::Keyword;
use trunkline_core::message::Evidence;
use trunkline_core::outcome::Outcome;
use trunkline_core::time::{Span, Time};

use self::ask::{Listing, Looked, NotListed, Page, Resolution, Sent};
use self::codes::Codes;
use crate::hook::{RawHook, Refused};
use crate::http::{Reply, Request, Response};

/// A text to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound<'a> {
    /// Our id of this try, which the vendor echoes.
    pub attempt: AttemptId,
    /// The recipient in E.164.
    pub to: &'a str,
    /// The sender.
    pub from: &'a str,
    /// The text.
    pub body: &'a str,
    /// How long it is still worth delivering.
    pub validity: Span,
    /// When that ends: the same at every try.
    pub expires_at: Time,
    /// Where receipts go.
    pub callback_url: &'a str,
}

/// Which queue a hook belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Texts from people: never behind receipts.
    Inbound,
    /// Receipts.
    Receipt,
    /// Source events.
    Source,
}

/// What a hook item says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum ProviderEvent {
    /// Something about a text of ours.
    Status {
        /// Our attempt, if the hook names it.
        attempt: Option<AttemptId>,
        /// The vendor's id.
        vendor_id: String,
        /// The vendor's word.
        status: String,
        /// What it proves; absent if we do not know the word.
        evidence: Option<Evidence>,
        /// The vendor's error code, or empty.
        vendor_code: String,
    },
    /// A text from a person.
    Inbound {
        /// The vendor's id.
        vendor_id: String,
        /// Who sent it.
        from: String,
        /// Which of our senders it was sent to.
        to: String,
        /// The text.
        body: String,
        /// What the vendor itself took it for.
        keyword: Option<Keyword>,
    },
}

/// A hook item and what makes it new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Two items with one key are copies.
    pub key: [u8; 16],
    /// When it happened, as far as the vendor says.
    pub at: Option<Time>,
    /// What it says.
    pub event: ProviderEvent,
}

/// A hook that passed `verify` and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// A vendor's dialect as pure functions.
pub trait Provider: Send + Sync {
    /// The request that hands a text over.
    fn send(&self, text: &Outbound<'_>) -> Request;
    /// What came of it. Unknown answers are never success and never permanent.
    fn outcome(&self, reply: &Reply) -> Outcome;
    /// The vendor's codes.
    fn codes(&self) -> Codes;
    /// Whether a code is in the table; one that is not raises an alert.
    fn knows_code(&self, code: &str) -> bool {
        self.codes().row(code).is_some()
    }
    /// What a receipt's code is about, for people.
    fn receipt_class(&self, code: &str) -> Option<&'static str> {
        self.codes().row(code).map(|row| row.receipt).filter(|class| !class.is_empty())
    }
    /// Whether a refusal or receipt with this code means that the vendor blocks this recipient for the sender.
    fn is_block(&self, code: &str) -> bool {
        self.codes().row(code).is_some_and(|row| row.opt_out)
    }
    /// How an unclear answer of this vendor can be cleared up.
    fn resolution(&self) -> Resolution;
    /// The look-up of an attempt of unknown fate; nothing if the vendor has none.
    fn look_up(&self, sent: &Sent<'_>) -> Option<Request>;
    /// What the look-up said.
    fn looked(&self, sent: &Sent<'_>, reply: &Reply) -> Looked;
    /// A page of a list of what happened since an instant; nothing if the vendor has no such list.
    fn list(&self, listing: Listing, since: Time, page: Option<&str>) -> Option<Request>;
    /// The first page of what people sent to one of our senders, where the list of all that they sent has all that we
    /// sent in it too; nothing where one list of the account is as short. Its other pages are asked for like any.
    fn list_to(&self, _sender: &str, _since: Time) -> Option<Request> {
        None
    }
    /// What the page says.
    fn listed(&self, listing: Listing, since: Time, reply: &Reply) -> Result<Page, NotListed>;
    /// Checks the signature over the raw bytes, and the age where the vendor signs a time.
    fn verify(&self, hook: &RawHook, now: Time) -> Result<(), Refused>;
    /// Which queue a verified hook belongs to.
    fn lane(&self, hook: &RawHook) -> Lane;
    /// What a verified hook says.
    fn parse(&self, hook: &RawHook) -> Result<Vec<Item>, Unreadable>;
    /// The answer that this vendor expects to an accepted hook.
    fn acknowledge(&self, lane: Lane) -> Response;
}
