//! The rows, as values of the domain.
//!
//! Its own file because both backends read and write these and nothing else. They carry no behaviour beyond saying
//! what they are.

mod access;
mod gap;
mod gauge;
mod lists;
mod outward;
mod people;
mod queue;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::keyword::Keyword;
use trunkline_core::message::State;
use trunkline_core::purpose::Purpose;
use trunkline_core::segment::Size;
use trunkline_core::source::Mapped;
use trunkline_core::time::Time;

pub use access::{ApiKey, Audit, Operator, Session, SignIns};
pub use gap::Gap;
pub use gauge::{Gauge, GaugeKind, Standing};
pub use lists::{Counter, Dead, Held, HookFilter, MessageFilter, Room, RunFilter, StepCount};
pub use outward::{Alert, Announcement, Case, Writeback, WritebackState, announcement_id, announcement_name};
pub use people::{Address, Conflict, Place, Profile};
pub use queue::Queue;

/// What became of a source event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// No journey wanted it.
    NoJourney,
    /// Runs were started, or were there already.
    Runs {
        /// Their ids, with a word of what happened.
        runs: Vec<(RunId, String)>,
    },
    /// It could not be worked on.
    Dead {
        /// Why.
        cause: String,
    },
}

/// A source event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What it says, mapped.
    pub mapped: Mapped,
    /// When it was taken.
    pub received_at: Time,
    /// The hook that brought it.
    pub hook: Option<HookId>,
    /// What became of it, once something did.
    pub fate: Option<Fate>,
}

/// One execution of a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The journey.
    pub journey: String,
    /// The version it keeps.
    pub version: i64,
    /// Whom it is about.
    pub profile: ProfileId,
    /// What it is about.
    pub correlation: String,
    /// The event that started it.
    pub event: EventId,
    /// Where it is.
    pub position: Position,
    /// When it was started.
    pub started_at: Time,
    /// Names (journey, profile, correlation) where the journey may be entered again: one run of a name is open at a
    /// time. Absent where there is one run for ever, or any number of them.
    pub entry: Option<[u8; 16]>,
    /// Compared and bumped by each change.
    pub rev: i64,
}

/// What a run passed on the way to where it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail {
    /// Sentences for its history.
    pub lines: Vec<String>,
    /// The steps, for the counts of the journey.
    pub steps: Vec<String>,
}

impl From<Vec<String>> for Trail {
    fn from(lines: Vec<String>) -> Trail {
        Trail { lines, steps: Vec::new() }
    }
}

/// Where an intent came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// A step of a run.
    Journey {
        /// The journey.
        journey: String,
        /// Its version.
        version: i64,
        /// The run.
        run: RunId,
        /// The step.
        step: String,
        /// The visit of it.
        visit: u32,
    },
    /// A call of the API or the command line.
    Api {
        /// The key that asked.
        client: String,
    },
    /// The one confirmation of an opt-out or of its end.
    Confirmation {
        /// The text that asked.
        inbound: InboundId,
    },
    /// The answer to HELP.
    Help {
        /// The text that asked.
        inbound: InboundId,
    },
}

impl Origin {
    /// The run it belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Origin::Journey { run, .. } => Some(*run),
            Origin::Api { .. } | Origin::Confirmation { .. } | Origin::Help { .. } => None,
        }
    }

    /// The journey it belongs to.
    pub fn journey(&self) -> Option<&str> {
        match self {
            Origin::Journey { journey, .. } => Some(journey),
            Origin::Api { .. } | Origin::Confirmation { .. } | Origin::Help { .. } => None,
        }
    }

    /// Its place among the texts of its run: ids of steps that are due at once do not tell.
    pub fn visit(&self) -> u32 {
        match self {
            Origin::Journey { visit, .. } => *visit,
            Origin::Api { .. } | Origin::Confirmation { .. } | Origin::Help { .. } => 0,
        }
    }

    /// Whether consent and hours do not apply.
    pub fn exempt(&self) -> bool {
        matches!(self, Origin::Confirmation { .. } | Origin::Help { .. })
    }
}

/// The decision that one text must go out: never changes once made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The address.
    pub address: AddressId,
    /// Whom it is about.
    pub profile: Option<ProfileId>,
    /// The event it follows from.
    pub event: Option<EventId>,
    /// Where it came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// Why it is sent.
    pub purpose: Purpose,
    /// What the recipient signed up for.
    pub program: String,
    /// The provider account.
    pub account: String,
    /// The sender.
    pub sender: String,
    /// The text as it leaves, rendered once.
    pub body: String,
    /// The text as it was written, where smart encoding replaced characters of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The template and locale it was rendered from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<(String, String)>,
    /// Its size.
    pub size: Size,
    /// When it stops being worth sending.
    pub deadline: Time,
    /// When it was made.
    pub created_at: Time,
    /// Labels, such as the order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A message: an intent and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What must go out.
    pub intent: Intent,
    /// What happened to it.
    pub state: State,
    /// Compared and bumped by each change; also the number of history entries.
    pub rev: i64,
    /// When it was last changed.
    pub updated_at: Time,
}

/// One entry of a history, the body as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// Its place, from 1.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// The fold's version when it was written.
    pub fold: u32,
    /// What happened.
    pub body: serde_json::Value,
}

/// A text from a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// Its id.
    pub id: InboundId,
    /// Who sent it.
    pub address: AddressId,
    /// The provider account.
    pub account: String,
    /// Which of our senders it was sent to.
    pub sender: String,
    /// The text.
    pub body: String,
    /// What it asks for, if it is a keyword.
    pub keyword: Option<Keyword>,
    /// The message it answers.
    pub answers: Option<MessageId>,
    /// When it came: by the vendor's word where there is one, or else when the hook was received.
    pub received_at: Time,
    /// The hook.
    pub hook: HookId,
}

/// Which queue a hook waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookLane {
    /// Texts from people.
    Inbound,
    /// Receipts.
    Receipt,
    /// Source events.
    Source,
}

impl HookLane {
    /// All of them, the most urgent first.
    pub const ALL: [HookLane; 3] = [HookLane::Inbound, HookLane::Receipt, HookLane::Source];

    /// The word in rows and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            HookLane::Inbound => "inbound",
            HookLane::Receipt => "receipt",
            HookLane::Source => "source",
        }
    }
}

/// How far a hook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    /// To be worked on when due.
    Waiting {
        /// When.
        due: Time,
    },
    /// Applied.
    Done,
    /// Cannot be read.
    Dead,
}

/// A raw hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: HookId,
    /// The name it was posted to.
    pub name: String,
    /// Which queue it waits in.
    pub lane: HookLane,
    /// The method.
    pub method: String,
    /// The public URL.
    pub url: String,
    /// Headers as received.
    pub headers: Vec<(String, String)>,
    /// The body, untouched.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: Time,
    /// How far it is.
    pub state: HookState,
    /// How often it was worked on.
    pub tries: u32,
    /// What came of it, for people.
    pub note: String,
}

/// A hook that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its place in the list, given by the store.
    #[serde(default)]
    pub number: i64,
    /// The name it was posted to.
    pub name: String,
    /// When.
    pub at: Time,
    /// Why.
    pub reason: String,
    /// The method and URL.
    pub request: String,
    /// The first bytes of the body.
    pub body: String,
}

/// A paused account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The account.
    pub account: String,
    /// Until when.
    pub until: Time,
    /// Why.
    pub cause: String,
}

/// A reserved idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The hash of the parsed body.
    pub body: [u8; 16],
    /// The message minted for it, which may not exist yet.
    pub message: MessageId,
    /// When it was reserved.
    pub at: Time,
}

/// A published definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is: `journey`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// From 1.
    pub version: i64,
    /// The definition as JSON.
    pub body: String,
    /// When it was published.
    pub published_at: Time,
}

/// A change of one address: ledger entries and a text that came in, with the messages they cancel or flag.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddressNews {
    /// Entries to append.
    pub entries: Vec<ConsentEntry>,
    /// A text that came in; if it is there already, the whole command changes nothing.
    pub inbound: Option<Inbound>,
}

/// Which attempt a vendor's id belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRef {
    /// The account.
    pub account: String,
    /// The vendor's id.
    pub vendor_id: String,
    /// Our attempt.
    pub attempt: AttemptId,
}
