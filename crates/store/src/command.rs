//! The writes: closed list of commands, each one part, each a compare-and-set or an idempotent insert.
//!
//! Its own file because the list is the contract of both backends. A command is repeated safely: a store that
//! commits in order may be killed between any two of them.

use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, EventId, HookId, MessageId, ProfileId};
use trunkline_core::message;
use trunkline_core::number::Number;
use trunkline_core::owe::Owe;
use trunkline_core::quiet::Sent;
use trunkline_core::source::Mapped;
use trunkline_core::time::Time;

use crate::row::{
    Address, AddressNews, Announcement, ApiKey, Audit, Conflict, Definition, Event, Fate, Gap, Gauge, Hook, HookState, Message, Operator, Profile, ProviderRef, Refusal,
    Reservation, Run, Session, SignIns, Trail, Writeback,
};

/// What one decision changes, in the order in which it must be done where there is no common transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit(pub Vec<Command>);

impl Unit {
    /// One command alone.
    pub fn one(command: Command) -> Unit {
        Unit(vec![command])
    }
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It changed the store.
    Done,
    /// What it would make is there already; nothing changed.
    Already,
}

/// A change of one message: its new state, the events that led there, what is owed.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageChange {
    /// The message as it shall be; its `rev` is what the row must have now, 0 for a new one. Each event adds 1.
    pub message: Message,
    /// What happened, in order, each with the dedupe key that makes it new (receipts).
    pub events: Vec<(message::Event, Option<[u8; 16]>)>,
    /// What others are owed.
    pub owes: Vec<Owe>,
    /// For a claim: the address's `guard_version` as the gate saw it; compared and bumped.
    pub guard: Option<i64>,
    /// For a claim that caps count: the address's sends with this one, written where the version is bumped.
    pub sends: Option<Vec<Sent>>,
}

/// A message without its words: the same life, told by the same events.
#[derive(Debug, Clone, PartialEq)]
pub struct Erased {
    /// The message as it shall be; its `rev` is what the row must have now, and stays.
    pub message: Message,
    /// The entries of its history as they shall read, by their places.
    pub history: Vec<(i64, serde_json::Value)>,
}

/// What is left of an address when everything about the person is erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// The address.
    pub address: AddressId,
    /// The version the row must have; it is bumped.
    pub guard_version: i64,
    /// The whole ledger as it shall read: as many entries as there are.
    pub ledger: Vec<ConsentEntry>,
    /// Its messages.
    pub messages: Vec<Erased>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Takes a source event; `Already` if its (source, id) is known.
    AcceptEvent(Box<Event>),
    /// Says what became of an event; only the first word counts.
    FinishEvent(EventId, Fate),
    /// Puts a dead event back to work.
    ReviveEvent(EventId),
    /// Writes a profile: the latest wins, by `updated_at`. Attributes that are not named stay, null removes one, and
    /// a locale that is absent stays as it was.
    PutProfile {
        /// The profile.
        profile: Box<Profile>,
        /// Whether its address is news; otherwise it is only for a profile that is not known yet.
        moved: bool,
    },
    /// Notes a write to a field that another system owns: the latest value by each writer.
    NoteConflict(Box<Conflict>),
    /// Makes an address if there is none.
    PutAddress(Box<Address>),
    /// Says where a profile's holder of an address lives, or that it is not known; bumps the `guard_version` where that is
    /// news. `Already` if it is not, or if there is no such address.
    Reside {
        /// The address.
        address: AddressId,
        /// The profile.
        profile: ProfileId,
        /// A country, or one with a state such as `US-TX`.
        residence: Option<String>,
    },
    /// Appends to an address's ledger and conversation, and changes its messages: all in one part, all or nothing.
    /// The address's `guard_version` is what the row must have, and is bumped. `Already` if the inbound text is known.
    News {
        /// The address.
        address: AddressId,
        /// The version the row must have.
        guard_version: i64,
        /// What is new.
        news: Box<AddressNews>,
        /// Changes of its messages.
        messages: Vec<MessageChange>,
        /// What others are owed.
        owes: Vec<Owe>,
    },
    /// Makes or moves a run; its `rev` is what the row must have now, 0 for a new one. `Already` if a new one exists,
    /// or if one with the same `entry` is under way.
    PutRun(Box<Run>, Trail),
    /// Makes or changes a message. `Already` if a new one exists, or if an event's dedupe key is known.
    PutMessage(Box<MessageChange>),
    /// Adds an event that changes no state to a message's history, whatever its row says meanwhile. `Already` if there
    /// is no such message.
    Note(MessageId, message::Event),
    /// Files a raw hook.
    PutHook(Box<Hook>),
    /// Says how far a hook is; counts a try.
    MoveHook(HookId, HookState, String),
    /// Files a refused hook; the newest ten thousand are kept.
    Refuse(Refusal),
    /// Notes which attempt a vendor's id belongs to, and wakes hooks that wait for it. `Already` if it is known.
    BindRef(ProviderRef),
    /// The same for an id that a look-up found: it must belong to no other attempt, or this conflicts.
    BindFound(ProviderRef),
    /// Parks a hook until a vendor's id is bound; if it is bound already, the hook is due at once.
    Park {
        /// The account.
        account: String,
        /// The vendor's id.
        vendor_id: String,
        /// The hook.
        hook: HookId,
        /// When to look again by oneself.
        due: Time,
    },
    /// Reserves an idempotency key; `Already` if it is reserved.
    Reserve([u8; 16], Reservation),
    /// Moves a bucket on from `from` to `to`.
    Advance {
        /// The account; empty for a country's.
        account: String,
        /// The sender; empty for the account's own.
        sender: String,
        /// What the row must say.
        from: Time,
        /// What it says then.
        to: Time,
    },
    /// Opens a gap of an account; if one is open, it begins at the earlier of the two and is read anew.
    OpenGap(Box<Gap>),
    /// Writes how far a gap is; `rev` must be as in the row.
    PutGap(Box<Gap>),
    /// Closes a gap; `Already` if there is none.
    CloseGap {
        /// The account.
        account: String,
        /// What the row must have.
        rev: i64,
    },
    /// Notes when an account's webhooks were known to be taken. What is noted last counts, though it is an earlier time: the
    /// clock was set back then.
    Beat {
        /// The account.
        account: String,
        /// When.
        at: Time,
    },
    /// Writes what is kept of an account, a limit or a route; its `rev` is what the row must have now, 0 for a new one.
    PutGauge(Gauge),
    /// Pauses an account, or with a past instant lifts the pause.
    Pause(crate::row::Pause),
    /// Writes a write-back's progress; state, epoch and tries must be as in `expect`. What was owed meanwhile stays
    /// owed: a row that lands idle and is wanted newer is due at once.
    PutWriteback {
        /// The row as it shall be.
        row: Box<Writeback>,
        /// The row as it was loaded.
        expect: Box<Writeback>,
    },
    /// Writes an announcement's progress; state, epoch and tries must be as in `expect`. One that is idle was taken,
    /// and its row goes.
    PutAnnouncement {
        /// The row as it shall be.
        row: Box<Announcement>,
        /// The row as it was loaded.
        expect: Box<Announcement>,
    },
    /// Puts a dead announcement back to work.
    ReviveAnnouncement([u8; 16]),
    /// Owes something that no other command carries.
    Owe(Owe),
    /// Closes an alert.
    CloseAlert {
        /// The stable code.
        code: String,
        /// What it is about.
        about: String,
    },
    /// Publishes a definition; `Already` if the newest version says the same.
    Publish(Definition),
    /// Adds to counters of today.
    Count(Vec<(String, i64)>),
    /// Starts a generation: whoever claimed before is gone.
    TakeEpoch,
    /// Writes an API key.
    PutApiKey(ApiKey),
    /// Writes an operator.
    PutOperator(Operator),
    /// Writes a session.
    PutSession(Session),
    /// Ends a session.
    EndSession([u8; 16]),
    /// Notes what a person did.
    Audit(Audit),
    /// Writes what is left of a source event. Conflicts while nothing became of it, since somebody must look at it first.
    EraseEvent(EventId, Box<Mapped>),
    /// Empties a raw hook of body, headers and query. Conflicts while it waits to be worked on.
    EraseHook(HookId),
    /// Empties a profile of attributes and locale, and forgets the writes beside it that were not applied.
    EraseProfile(ProfileId),
    /// Takes a number out of whatever repeats it beside the rows of its address: refused hooks, alerts, cases, announcements,
    /// labels, write-backs, the audit.
    Redact(Number),
    /// Takes the number and every text out of an address, its ledger, its conversation and its messages, all or nothing.
    EraseAddress(Box<Erasure>),
    /// Writes the failed sign-ins of a name.
    PutSignIns(String, SignIns),
}
