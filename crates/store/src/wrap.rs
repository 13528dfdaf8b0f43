//! A store around a store: the same reads, another way to commit.
//!
//! Its own file because two of these are proofs: committing commands one by one shows that no stage relies on a
//! common transaction, and the simulation watches and breaks commits through the same seam.

use std::sync::Arc;

use async_trait::async_trait;
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::owe::Subject;
use trunkline_core::time::Time;

use crate::row::{
    Address, Alert, Announcement, ApiKey, Audit, Case, Conflict, Counter, Dead, Definition, Event, Gap, Held, HistoryEntry, Hook, HookFilter, HookLane, Inbound, Message,
    MessageFilter, Operator, Profile, Queue, Refusal, Reservation, Room, Run, RunFilter, Session, SignIns, Standing, StepCount, Writeback,
};
use crate::{Committed, Store, StoreError, Unit};

/// Another way to commit.
#[async_trait]
pub trait Commits: Send + Sync {
    /// Commits units to `inner`.
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed>;
}

/// A store that reads from another and commits to it in its own way.
pub struct Wrapped {
    inner: Arc<dyn Store>,
    commits: Box<dyn Commits>,
}

impl Wrapped {
    /// Around a store.
    pub fn new(inner: Arc<dyn Store>, commits: impl Commits + 'static) -> Wrapped {
        Wrapped { inner, commits: Box::new(commits) }
    }
}

/// A store that commits each command on its own, the first conflict ending its unit.
pub fn in_order(inner: Arc<dyn Store>) -> Wrapped {
    Wrapped::new(inner, OneByOne)
}

struct OneByOne;

#[async_trait]
impl Commits for OneByOne {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        let mut all = Vec::with_capacity(units.len());
        for unit in units {
            all.push(one_by_one(inner, now, unit).await);
        }
        all
    }
}

async fn one_by_one(inner: &dyn Store, now: Time, unit: Unit) -> Committed {
    let mut done = Vec::new();
    for command in unit.0 {
        let result = inner.commit(now, vec![Unit::one(command)]).await.pop();
        done.extend(result.unwrap_or(Ok(Vec::new()))?);
    }
    Ok(done)
}

/// Passes a read through.
macro_rules! through {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Wrapped {
            async fn commit(&self, now: Time, units: Vec<Unit>) -> Vec<Committed> {
                self.commits.commit(self.inner.as_ref(), now, units).await
            }
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, StoreError> {
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

through! {
    relay(now: Time, limit: usize) -> usize;
    probe() -> ();
    room() -> Room;
    installation() -> ([u8; 32], i64);
    due_hooks(lane: HookLane, now: Time, limit: usize) -> Vec<Hook>;
    new_events(limit: usize) -> Vec<Event>;
    due_runs(now: Time, limit: usize) -> Vec<Run>;
    due_messages(now: Time, limit: usize) -> Vec<Message>;
    waiting_senders() -> Vec<(String, String)>;
    queued(now: Time, queues: &[Queue]) -> Vec<Message>;
    due_questions(now: Time, limit: usize) -> Vec<Message>;
    orphaned_messages(epoch: i64, limit: usize) -> Vec<Message>;
    due_writebacks(now: Time, epoch: i64, limit: usize) -> Vec<Writeback>;
    due_announcements(now: Time, epoch: i64, limit: usize) -> Vec<Announcement>;
    events(ids: &[EventId]) -> Vec<Event>;
    profiles(ids: &[ProfileId]) -> Vec<Profile>;
    addresses(ids: &[AddressId]) -> Vec<Address>;
    runs(ids: &[RunId]) -> Vec<Run>;
    open_runs(profiles: &[ProfileId]) -> Vec<Run>;
    runs_since(profiles: &[ProfileId], since: Time, limit: usize) -> Vec<Run>;
    entered(entries: &[[u8; 16]]) -> Vec<Run>;
    messages(ids: &[MessageId]) -> Vec<Message>;
    waiting_in_runs(runs: &[RunId]) -> Vec<Message>;
    waiting_for_address(address: AddressId) -> Vec<Message>;
    last_left(address: AddressId, sender: &str) -> Option<Message>;
    recent_texts(addresses: &[(AddressId, Option<MessageId>)], since: Time, limit: usize) -> Vec<Message>;
    provider_refs(account: &str, vendor_ids: &[String]) -> Vec<Option<AttemptId>>;
    bucket(account: &str, sender: &str) -> Time;
    standing() -> Standing;
    gaps() -> Vec<Gap>;
    beats() -> Vec<(String, Time)>;
    oldest_inbound(account: &str) -> Option<Time>;
    reservation(key: [u8; 16]) -> Option<Reservation>;
    definitions() -> Vec<Definition>;
    newest_definition() -> Option<Time>;
    history(owner: &[u8]) -> Vec<HistoryEntry>;
    ledger(address: AddressId) -> Vec<ConsentEntry>;
    inbound_of(address: AddressId, limit: usize) -> Vec<Inbound>;
    inbound(ids: &[InboundId]) -> Vec<Inbound>;
    hook(id: HookId) -> Option<Hook>;
    hooks(filter: &HookFilter, limit: usize) -> Vec<Hook>;
    refusals(before: Option<i64>, limit: usize) -> Vec<Refusal>;
    writebacks_of(subject: Subject) -> Vec<Writeback>;
    writeback(connector: &str, record: &str) -> Option<Writeback>;
    dead(limit: usize) -> Vec<Dead>;
    messages_matching(filter: &MessageFilter, limit: usize) -> Vec<Message>;
    runs_matching(filter: &RunFilter, limit: usize) -> Vec<Run>;
    events_before(before: Option<EventId>, limit: usize) -> Vec<Event>;
    profiles_at(address: AddressId, limit: usize) -> Vec<Profile>;
    conflicts(profile: ProfileId) -> Vec<Conflict>;
    steps_now() -> Vec<StepCount>;
    held() -> Vec<Held>;
    counters(since_day: &str) -> Vec<Counter>;
    alerts() -> Vec<Alert>;
    cases(limit: usize) -> Vec<Case>;
    unclear_without_case(code: &str, limit: usize) -> Vec<Message>;
    messages_after(after: Option<MessageId>, limit: usize) -> Vec<Message>;
    addresses_after(after: Option<AddressId>, limit: usize) -> Vec<Address>;
    runs_after(after: Option<RunId>, limit: usize) -> Vec<Run>;
    events_after(after: Option<EventId>, limit: usize) -> Vec<Event>;
    recount() -> Vec<Counter>;
    backlog() -> Vec<(String, i64)>;
    api_key(id: &str) -> Option<ApiKey>;
    api_keys() -> Vec<ApiKey>;
    operator(name: &str) -> Option<Operator>;
    session(hash: [u8; 16]) -> Option<Session>;
    audits(before: Option<i64>, limit: usize) -> Vec<Audit>;
    sign_ins(name: &str) -> SignIns;
}
