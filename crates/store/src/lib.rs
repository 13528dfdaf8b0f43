//! Where state lives: one trait of use-case operations, and what each makes atomic.
//!
//! Stages load facts through the reads and hand decisions back as commands. A command touches one part and is a
//! compare-and-set; a unit is what one decision changes. No caller sees a table, a transaction or a dialect.

pub mod command;
pub mod error;
pub mod row;

pub mod sqlite;
pub mod wrap;

use async_trait::async_trait;
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::owe::Subject;
use trunkline_core::time::Time;

pub use command::{Applied, Command, Unit};
pub use error::StoreError;

use row::{
    Address, Alert, Announcement, ApiKey, Audit, Case, Conflict, Counter, Dead, Definition, Event, Gap, Held, HistoryEntry, Hook, HookFilter, HookLane, Inbound, Message,
    MessageFilter, Operator, Profile, Queue, Refusal, Reservation, Room, Run, RunFilter, Session, SignIns, Standing, StepCount, Writeback,
};

/// What a unit came to.
pub type Committed = Result<Vec<Applied>, StoreError>;

/// The store. Every operation takes what it needs as values, `now` included; none waits for anything but the disk.
#[async_trait]
pub trait Store: Send + Sync {
    /// Commits units. With one transaction over parts a unit is all or nothing and durable when this returns; in
    /// order, its commands commit one by one and the first conflict ends it, which is why effects come first and
    /// the mark at home last. A conflict in one unit does not touch another.
    async fn commit(&self, now: Time, units: Vec<Unit>) -> Vec<Committed>;

    /// Moves at most `limit` owed effects from the outbox to where they are worked on; returns how many. Stores that
    /// write them at once have none.
    async fn relay(&self, now: Time, limit: usize) -> Result<usize, StoreError>;

    /// Writes a little and takes it away again: whether the store takes writes again, after it took none.
    async fn probe(&self) -> Result<(), StoreError>;

    /// How much room the store takes, and how much it may.
    async fn room(&self) -> Result<Room, StoreError>;

    /// The installation's key and the current generation, made on first use.
    async fn installation(&self) -> Result<([u8; 32], i64), StoreError>;

    /// Hooks of a lane that are due, oldest first.
    async fn due_hooks(&self, lane: HookLane, now: Time, limit: usize) -> Result<Vec<Hook>, StoreError>;
    /// Events that no journey has looked at, oldest first.
    async fn new_events(&self, limit: usize) -> Result<Vec<Event>, StoreError>;
    /// Runs that are due, the longest waiting first.
    async fn due_runs(&self, now: Time, limit: usize) -> Result<Vec<Run>, StoreError>;
    /// The accounts and senders that texts are queued or held for.
    async fn waiting_senders(&self) -> Result<Vec<(String, String)>, StoreError>;
    /// What is due of each of these queues, queue by queue, the longest waiting first.
    async fn queued(&self, now: Time, queues: &[Queue]) -> Result<Vec<Message>, StoreError>;
    /// Messages queued or held that are due, whoever they are for, the longest waiting first: for looking on, since it
    /// sorts all of them.
    async fn due_messages(&self, now: Time, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Messages of unknown fate whose vendor is due to be asked, the longest waiting first.
    async fn due_questions(&self, now: Time, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Messages whose attempt in the air was claimed by a generation before `epoch`.
    async fn orphaned_messages(&self, epoch: i64, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Write-backs that are due, and those in flight since a generation before `epoch`.
    async fn due_writebacks(&self, now: Time, epoch: i64, limit: usize) -> Result<Vec<Writeback>, StoreError>;
    /// The announcements that are due, and those in flight since a generation before `epoch`.
    async fn due_announcements(&self, now: Time, epoch: i64, limit: usize) -> Result<Vec<Announcement>, StoreError>;

    /// Events by id; missing ones are left out, here and below.
    async fn events(&self, ids: &[EventId]) -> Result<Vec<Event>, StoreError>;
    /// Profiles by id.
    async fn profiles(&self, ids: &[ProfileId]) -> Result<Vec<Profile>, StoreError>;
    /// Addresses by id.
    async fn addresses(&self, ids: &[AddressId]) -> Result<Vec<Address>, StoreError>;
    /// Runs by id.
    async fn runs(&self, ids: &[RunId]) -> Result<Vec<Run>, StoreError>;
    /// The runs of these profiles that are under way, or that made texts which have not left.
    async fn open_runs(&self, profiles: &[ProfileId]) -> Result<Vec<Run>, StoreError>;
    /// The runs of these profiles that were started since an instant, at most `limit` for each.
    async fn runs_since(&self, profiles: &[ProfileId], since: Time, limit: usize) -> Result<Vec<Run>, StoreError>;
    /// The newest run of each entry, where there is one.
    async fn entered(&self, entries: &[[u8; 16]]) -> Result<Vec<Run>, StoreError>;
    /// Messages by id.
    async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, StoreError>;
    /// Messages of these runs that have not left, oldest first.
    async fn waiting_in_runs(&self, runs: &[RunId]) -> Result<Vec<Message>, StoreError>;
    /// Messages of an address that have not left.
    async fn waiting_for_address(&self, address: AddressId) -> Result<Vec<Message>, StoreError>;
    /// The newest message to an address from a sender that may be on the phone.
    async fn last_left(&self, address: AddressId, sender: &str) -> Result<Option<Message>, StoreError>;
    /// The newest messages made to each of these addresses since an instant, as their ids say, but for the one that is named:
    /// at most `limit` for each.
    async fn recent_texts(&self, addresses: &[(AddressId, Option<MessageId>)], since: Time, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Which attempts the vendor's ids belong to, in the order asked.
    async fn provider_refs(&self, account: &str, vendor_ids: &[String]) -> Result<Vec<Option<AttemptId>>, StoreError>;
    /// The bucket of a sender: its theoretical arrival time. Without a sender it is that of the whole account, without an
    /// account that of a country.
    async fn bucket(&self, account: &str, sender: &str) -> Result<Time, StoreError>;
    /// What may be called now: pauses, and what is kept of accounts, limits and routes.
    async fn standing(&self) -> Result<Standing, StoreError>;
    /// Gaps of accounts that are open, by account.
    async fn gaps(&self) -> Result<Vec<Gap>, StoreError>;
    /// When each account's webhooks were last known to be taken.
    async fn beats(&self) -> Result<Vec<(String, Time)>, StoreError>;
    /// When the oldest text to an account was filed that waits to be worked on.
    async fn oldest_inbound(&self, account: &str) -> Result<Option<Time>, StoreError>;
    /// A reserved idempotency key.
    async fn reservation(&self, key: [u8; 16]) -> Result<Option<Reservation>, StoreError>;
    /// Every published definition.
    async fn definitions(&self) -> Result<Vec<Definition>, StoreError>;
    /// When the newest of them was published.
    async fn newest_definition(&self) -> Result<Option<Time>, StoreError>;

    /// The history of a message or run, oldest first.
    async fn history(&self, owner: &[u8]) -> Result<Vec<HistoryEntry>, StoreError>;
    /// The consent ledger of an address, oldest first.
    async fn ledger(&self, address: AddressId) -> Result<Vec<ConsentEntry>, StoreError>;
    /// Texts from an address, newest first.
    async fn inbound_of(&self, address: AddressId, limit: usize) -> Result<Vec<Inbound>, StoreError>;
    /// Inbound texts by id.
    async fn inbound(&self, ids: &[InboundId]) -> Result<Vec<Inbound>, StoreError>;
    /// A raw hook.
    async fn hook(&self, id: HookId) -> Result<Option<Hook>, StoreError>;
    /// Hooks that match, newest first.
    async fn hooks(&self, filter: &HookFilter, limit: usize) -> Result<Vec<Hook>, StoreError>;
    /// Refused hooks, newest first, from before a place in the list.
    async fn refusals(&self, before: Option<i64>, limit: usize) -> Result<Vec<Refusal>, StoreError>;
    /// The write-backs of a subject.
    async fn writebacks_of(&self, subject: Subject) -> Result<Vec<Writeback>, StoreError>;
    /// One write-back.
    async fn writeback(&self, connector: &str, record: &str) -> Result<Option<Writeback>, StoreError>;
    /// Everything that gave up, newest first.
    async fn dead(&self, limit: usize) -> Result<Vec<Dead>, StoreError>;

    /// Messages that match, newest first.
    async fn messages_matching(&self, filter: &MessageFilter, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Runs that match, the latest started first.
    async fn runs_matching(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError>;
    /// Events, the latest taken first, from before one of them.
    async fn events_before(&self, before: Option<EventId>, limit: usize) -> Result<Vec<Event>, StoreError>;
    /// The profiles whose address this is now.
    async fn profiles_at(&self, address: AddressId, limit: usize) -> Result<Vec<Profile>, StoreError>;
    /// Writes to fields of a profile that their owners did not make, by field and writer.
    async fn conflicts(&self, profile: ProfileId) -> Result<Vec<Conflict>, StoreError>;
    /// How many runs are at each step now.
    async fn steps_now(&self) -> Result<Vec<StepCount>, StoreError>;
    /// How many messages are held, by reason.
    async fn held(&self) -> Result<Vec<Held>, StoreError>;
    /// Counters of a day (`2026-11-23`) and later.
    async fn counters(&self, since_day: &str) -> Result<Vec<Counter>, StoreError>;
    /// Open alerts, newest first.
    async fn alerts(&self) -> Result<Vec<Alert>, StoreError>;
    /// Open cases, the most urgent first.
    async fn cases(&self, limit: usize) -> Result<Vec<Case>, StoreError>;

    /// Messages of unknown fate that have no open case with this code, oldest first.
    async fn unclear_without_case(&self, code: &str, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Messages after an id in id order: how `verify` walks.
    async fn messages_after(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// Addresses after an id in id order: how `verify` walks.
    async fn addresses_after(&self, after: Option<AddressId>, limit: usize) -> Result<Vec<Address>, StoreError>;
    /// Runs after an id in id order: how `verify` walks.
    async fn runs_after(&self, after: Option<RunId>, limit: usize) -> Result<Vec<Run>, StoreError>;
    /// Events after an id in id order, with what became of them.
    async fn events_after(&self, after: Option<EventId>, limit: usize) -> Result<Vec<Event>, StoreError>;
    /// The message counters as a recount of the rows gives them.
    async fn recount(&self) -> Result<Vec<Counter>, StoreError>;
    /// How much waits in each queue: (name, rows).
    async fn backlog(&self) -> Result<Vec<(String, i64)>, StoreError>;

    /// An API key by its public id.
    async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError>;
    /// Every API key.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;
    /// An operator by name.
    async fn operator(&self, name: &str) -> Result<Option<Operator>, StoreError>;
    /// A session by the hash of its token.
    async fn session(&self, hash: [u8; 16]) -> Result<Option<Session>, StoreError>;
    /// What people did, newest first, from before a place in the list.
    async fn audits(&self, before: Option<i64>, limit: usize) -> Result<Vec<Audit>, StoreError>;
    /// Failed sign-ins of a name.
    async fn sign_ins(&self, name: &str) -> Result<SignIns, StoreError>;
}
