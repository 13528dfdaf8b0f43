//! The embedded store: SQLite with one writer and a few readers.
//!
//! Its own file for the machinery: one thread drains its queue into one transaction with a savepoint for each unit,
//! and answers after the commit, so that an answer means the disk has it. What a command does to tables is in
//! `write*`, what a read asks in `read*`.

mod codec;
mod read;
mod read_lists;
mod read_pages;
mod schema;
mod write;
mod write_erase;
mod write_message;
mod write_outward;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::owe::Subject;
use trunkline_core::time::Time;

use crate::row::{
    Address, Alert, Announcement, ApiKey, Audit, Case, Conflict, Counter, Dead, Definition, Event, Held, HistoryEntry, Hook, HookFilter, HookLane, Inbound, Message, MessageFilter,
    Operator, Pause, Profile, Queue, Refusal, Reservation, Run, RunFilter, Session, SignIns, StepCount, Writeback,
};
use crate::{Committed, Store, StoreError, Unit};

/// Whether what a change owes is written with it, or by way of the outbox as where transactions end at a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owes {
    /// In the same transaction.
    Direct,
    /// Through the outbox.
    Outbox,
}

/// The most units in one transaction: bounds how long an answer waits.
const BATCH: usize = 512;
/// The most jobs that wait for the writer before callers do.
const QUEUE: usize = 4_096;
/// Pages of the log (4 KiB each) from which on it is restarted.
const LONG_LOG: i64 = 16_384;
/// How long the writer waits for readers of an old state before it goes on without restarting the log.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);
/// Connections that read.
const READERS: usize = 4;

/// A store in one file, or in memory.
pub struct SqliteStore {
    inner: Inner,
}

enum Inner {
    Inline(Mutex<Writer>),
    Threaded { jobs: mpsc::Sender<Job>, readers: Readers, checkpoints: Option<std::sync::mpsc::Sender<()>>, threads: Vec<std::thread::JoinHandle<()>> },
}

struct Writer {
    connection: Connection,
    owes: Owes,
}

enum Job {
    Commit(Time, Vec<Unit>, oneshot::Sender<Vec<Committed>>),
    Relay(Time, usize, oneshot::Sender<Result<usize, StoreError>>),
}

#[derive(Clone)]
struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    slots: Arc<Semaphore>,
}

impl SqliteStore {
    /// A store in memory whose every future is ready at once, and whose installation key is always the same: for
    /// tests and the simulation.
    pub fn in_memory(owes: Owes) -> Result<SqliteStore, StoreError> {
        let mut connection = Connection::open_in_memory().map_err(failed)?;
        schema::migrate(&mut connection, Some([0x5a; 32]))?;
        Ok(SqliteStore { inner: Inner::Inline(Mutex::new(Writer { connection, owes })) })
    }

    /// A store in a file, made if there is none.
    pub fn open(path: &Path, owes: Owes) -> Result<SqliteStore, StoreError> {
        let mut connection = Connection::open(path).map_err(failed)?;
        schema::configure(&connection)?;
        schema::migrate(&mut connection, None)?;
        let mut idle = Vec::new();
        for _ in 0..READERS {
            let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
            schema::configure_reader(&reader)?;
            idle.push(reader);
        }
        let checkpointer = Connection::open(path).map_err(failed)?;
        schema::configure(&checkpointer)?;
        let (checkpoints, ticks) = std::sync::mpsc::channel();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let wake = checkpoints.clone();
        let long = Arc::new(AtomicBool::new(false));
        let is_long = long.clone();
        let mut writer = Writer { connection, owes };
        let threads = vec![
            spawn("store-writer", move || writer.run(queue, &wake, &is_long))?,
            // Checkpoints stay off the writer's path: it only says that there is something to move.
            spawn("store-checkpoint", move || checkpoint(&checkpointer, &ticks, &long))?,
        ];
        let readers = Readers { idle: Arc::new(Mutex::new(idle)), slots: Arc::new(Semaphore::new(READERS)) };
        Ok(SqliteStore { inner: Inner::Threaded { jobs, readers, checkpoints: Some(checkpoints), threads } })
    }

    async fn read<T: Send + 'static>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        match &self.inner {
            Inner::Inline(writer) => ask(&locked(writer).connection),
            Inner::Threaded { readers, .. } => {
                let away = |_| StoreError::Unavailable { cause: "the store is closing".to_owned() };
                let slot = readers.slots.clone().acquire_owned().await.map_err(away)?;
                let idle = readers.idle.clone();
                let task = tokio::task::spawn_blocking(move || {
                    let connection = locked(&idle).pop().ok_or_else(|| StoreError::Unavailable { cause: "no reader".to_owned() })?;
                    let result = ask(&connection);
                    locked(&idle).push(connection);
                    drop(slot);
                    result
                });
                task.await.unwrap_or_else(|e| Err(StoreError::Unavailable { cause: e.to_string() }))
            }
        }
    }

    async fn job<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, StoreError> {
        let closing = || StoreError::Unavailable { cause: "the store is closing".to_owned() };
        let Inner::Threaded { jobs, .. } = &self.inner else { return Err(closing()) };
        let (answer, answered) = oneshot::channel();
        jobs.send(make(answer)).await.map_err(|_| closing())?;
        answered.await.map_err(|_| closing())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Inner::Threaded { jobs, readers, checkpoints, threads } = &mut self.inner {
            // The last connection to close empties the log and takes it away, which one that only reads cannot.
            locked(&readers.idle).clear();
            let (closed, _) = mpsc::channel(1);
            *jobs = closed;
            checkpoints.take();
            for thread in threads.drain(..) {
                if thread.join().is_err() {
                    tracing::error!("a store thread panicked");
                }
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| StoreError::Unavailable { cause: e.to_string() })
}

/// Moves the log into the file beside the writer, and says when the log has become long.
fn checkpoint(connection: &Connection, ticks: &std::sync::mpsc::Receiver<()>, long: &AtomicBool) {
    while ticks.recv().is_ok() {
        while ticks.try_recv().is_ok() {}
        match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1)) {
            Ok(pages) => long.store(pages > LONG_LOG, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "a checkpoint could not run; the log grows until one can"),
        }
    }
}

/// A poisoned lock means a panic in another thread; the connection itself is still whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    fn run(&mut self, mut queue: mpsc::Receiver<Job>, checkpoints: &std::sync::mpsc::Sender<()>, long: &AtomicBool) {
        let mut since_checkpoint = 0;
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            let size = |job: &Job| if let Job::Commit(_, units, _) = job { units.len() } else { 1 };
            let mut units: usize = batch.iter().map(size).sum();
            while units < BATCH {
                let Ok(job) = queue.try_recv() else { break };
                units += size(&job);
                batch.push(job);
            }
            self.turn(batch);
            if long.swap(false, Ordering::Relaxed) {
                self.restart_log();
            }
            since_checkpoint += units;
            if since_checkpoint >= 1_000 {
                since_checkpoint = 0;
                // A closed channel means that the store is being dropped.
                if checkpoints.send(()).is_err() {
                    return;
                }
            }
        }
    }

    /// Starts the log from its beginning again, once the checkpoints beside have moved most of it: a log that only
    /// grows costs the machine its page cache. Only the writer can, since anybody else would wait for a gap between its
    /// transactions. Readers that keep it from it for long are let go; the next checkpoint asks again.
    fn restart_log(&self) {
        let restart = || -> rusqlite::Result<()> {
            self.connection.busy_timeout(PATIENCE)?;
            self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
        };
        if let Err(error) = restart().and(self.connection.busy_timeout(schema::BUSY)) {
            tracing::warn!(%error, "the log could not be started again; it grows until it can");
        }
    }

    fn turn(&mut self, batch: Vec<Job>) {
        let mut commits = Vec::new();
        for job in batch {
            match job {
                Job::Commit(now, units, answer) => commits.push((now, units, answer)),
                // Whoever asked may be gone; then nobody needs the answer.
                Job::Relay(now, limit, answer) => drop(answer.send(self.relay(now, limit))),
            }
        }
        if commits.is_empty() {
            return;
        }
        let (asked, answers): (Vec<_>, Vec<_>) = commits.into_iter().map(|(now, units, answer)| ((now, units), answer)).unzip();
        for (answer, result) in answers.into_iter().zip(self.commit(&asked)) {
            drop(answer.send(result));
        }
    }

    /// All jobs in one transaction. Most units go through, so that none gets a savepoint at first; when one fails
    /// half-way, everything is undone and done again with a savepoint for each.
    fn commit(&mut self, jobs: &[(Time, Vec<Unit>)]) -> Vec<Vec<Committed>> {
        let done = match self.attempt(jobs, false) {
            Ok(Some(results)) => Ok(results),
            Ok(None) => self.attempt(jobs, true).map(Option::unwrap_or_default),
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| jobs.iter().map(|(_, units)| units.iter().map(|_| Err(error.clone())).collect()).collect())
    }

    /// One transaction over all jobs; nothing, and nothing done, if a unit without its own savepoint failed half-way.
    fn attempt(&mut self, jobs: &[(Time, Vec<Unit>)], savepoints: bool) -> Result<Option<Vec<Vec<Committed>>>, StoreError> {
        let owes = self.owes;
        let mut transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let mut tally = write::Tally::default();
        let mut results = Vec::with_capacity(jobs.len());
        for (now, units) in jobs {
            let mut done = Vec::with_capacity(units.len());
            for unit in units {
                if savepoints {
                    done.push(write::unit(&mut transaction, *now, unit, owes, &mut tally));
                } else {
                    let Some(result) = write::bare(&transaction, *now, unit, owes, &mut tally) else { return Ok(None) };
                    done.push(result);
                }
            }
            results.push(done);
            // Some errors end the whole transaction: then nothing of it was done, whatever the savepoints said.
            if transaction.is_autocommit() {
                return Err(StoreError::Unavailable { cause: "the transaction was rolled back".to_owned() });
            }
        }
        tally.flush(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(Some(results))
    }

    fn relay(&mut self, now: Time, limit: usize) -> Result<usize, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let moved = write_outward::relay(&transaction, now, limit)?;
        transaction.commit().map_err(failed)?;
        Ok(moved)
    }
}

/// What a database error means to the caller. A failed sync leaves the file's state unknown, and no process may go
/// on after that: what it acknowledges next could be lost.
#[expect(clippy::needless_pass_by_value, reason = "its one use is in map_err")]
fn failed(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, _) = &error
        && matches!(code.extended_code, rusqlite::ffi::SQLITE_IOERR_FSYNC | rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC)
    {
        tracing::error!(%error, "the disk could not sync: the process ends, since nothing it wrote can be trusted; restart it when the disk is well");
        std::process::abort();
    }
    match &error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::ConstraintViolation => StoreError::Inconsistent { table: "?", column: "?", cause: error.to_string() },
        _ => StoreError::Unavailable { cause: error.to_string() },
    }
}

/// A read without arguments to prepare, or with arguments made ready for another thread.
macro_rules! reads {
    ($($name:ident($($arg:ident: $type:ty = $owned:expr),*) -> $out:ty = $ask:path;)*) => {
        #[expect(clippy::redundant_locals, reason = "some arguments are owned already; the macro makes all of them ready alike")]
        #[async_trait]
        impl Store for SqliteStore {
            async fn commit(&self, now: Time, units: Vec<Unit>) -> Vec<Committed> {
                let asked = units.len();
                if let Inner::Inline(writer) = &self.inner {
                    return locked(writer).commit(&[(now, units)]).pop().unwrap_or_default();
                }
                self.job(|answer| Job::Commit(now, units, answer)).await.unwrap_or_else(|error| vec![Err(error); asked])
            }

            async fn relay(&self, now: Time, limit: usize) -> Result<usize, StoreError> {
                if let Inner::Inline(writer) = &self.inner {
                    return locked(writer).relay(now, limit);
                }
                self.job(|answer| Job::Relay(now, limit, answer)).await?
            }

            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, StoreError> {
                $(let $arg = $owned;)*
                self.read(move |connection| $ask(connection, $($arg),*)).await
            })*
        }
    };
}

reads! {
    installation() -> ([u8; 32], i64) = read::installation;
    due_hooks(lane: HookLane = lane, now: Time = now, limit: usize = limit) -> Vec<Hook> = read::due_hooks;
    new_events(limit: usize = limit) -> Vec<Event> = read::new_events;
    due_runs(now: Time = now, limit: usize = limit) -> Vec<Run> = read::due_runs;
    due_messages(now: Time = now, limit: usize = limit) -> Vec<Message> = read::due_messages;
    waiting_senders() -> Vec<(String, String)> = read::waiting_senders;
    queued(now: Time = now, queues: &[Queue] = queues.to_vec()) -> Vec<Message> = read::queued;
    due_questions(now: Time = now, limit: usize = limit) -> Vec<Message> = read::due_questions;
    orphaned_messages(epoch: i64 = epoch, limit: usize = limit) -> Vec<Message> = read::orphaned_messages;
    due_writebacks(now: Time = now, epoch: i64 = epoch, limit: usize = limit) -> Vec<Writeback> = read::due_writebacks;
    due_announcements(now: Time = now, epoch: i64 = epoch, limit: usize = limit) -> Vec<Announcement> = read::due_announcements;
    events(ids: &[EventId] = ids.to_vec()) -> Vec<Event> = read::events;
    profiles(ids: &[ProfileId] = ids.to_vec()) -> Vec<Profile> = read::profiles;
    addresses(ids: &[AddressId] = ids.to_vec()) -> Vec<Address> = read::addresses;
    runs(ids: &[RunId] = ids.to_vec()) -> Vec<Run> = read::runs;
    open_runs(profiles: &[ProfileId] = profiles.to_vec()) -> Vec<Run> = read::open_runs;
    entered(entries: &[[u8; 16]] = entries.to_vec()) -> Vec<Run> = read::entered;
    messages(ids: &[MessageId] = ids.to_vec()) -> Vec<Message> = read::messages;
    waiting_in_runs(runs: &[RunId] = runs.to_vec()) -> Vec<Message> = read::waiting_in_runs;
    waiting_for_address(address: AddressId = address) -> Vec<Message> = read::waiting_for_address;
    last_left(address: AddressId = address, sender: &str = sender.to_owned()) -> Option<Message> = read::last_left;
    provider_refs(account: &str = account.to_owned(), vendor_ids: &[String] = vendor_ids.to_vec()) -> Vec<Option<AttemptId>> = read::provider_refs;
    bucket(account: &str = account.to_owned(), sender: &str = sender.to_owned()) -> Time = read::bucket;
    pauses() -> Vec<Pause> = read::pauses;
    reservation(key: [u8; 16] = key) -> Option<Reservation> = read::reservation;
    definitions() -> Vec<Definition> = read::definitions;
    newest_definition() -> Option<Time> = read::newest_definition;
    history(owner: &[u8] = owner.to_vec()) -> Vec<HistoryEntry> = read::history;
    ledger(address: AddressId = address) -> Vec<ConsentEntry> = read::ledger;
    inbound_of(address: AddressId = address, limit: usize = limit) -> Vec<Inbound> = read::inbound_of;
    inbound(ids: &[InboundId] = ids.to_vec()) -> Vec<Inbound> = read::inbound;
    hook(id: HookId = id) -> Option<Hook> = read::hook;
    hooks(filter: &HookFilter = filter.clone(), limit: usize = limit) -> Vec<Hook> = read_pages::hooks;
    refusals(before: Option<i64> = before, limit: usize = limit) -> Vec<Refusal> = read_pages::refusals;
    writebacks_of(subject: Subject = subject) -> Vec<Writeback> = read::writebacks_of;
    writeback(connector: &str = connector.to_owned(), record: &str = record.to_owned()) -> Option<Writeback> = read::writeback;
    dead(limit: usize = limit) -> Vec<Dead> = read_lists::dead;
    messages_matching(filter: &MessageFilter = filter.clone(), limit: usize = limit) -> Vec<Message> = read_pages::messages_matching;
    runs_matching(filter: &RunFilter = filter.clone(), limit: usize = limit) -> Vec<Run> = read_pages::runs_matching;
    events_before(before: Option<EventId> = before, limit: usize = limit) -> Vec<Event> = read_pages::events_before;
    profiles_at(address: AddressId = address, limit: usize = limit) -> Vec<Profile> = read_pages::profiles_at;
    conflicts(profile: ProfileId = profile) -> Vec<Conflict> = read_pages::conflicts;
    steps_now() -> Vec<StepCount> = read_lists::steps_now;
    held() -> Vec<Held> = read_lists::held;
    counters(since_day: &str = since_day.to_owned()) -> Vec<Counter> = read_lists::counters;
    alerts() -> Vec<Alert> = read_lists::alerts;
    cases(limit: usize = limit) -> Vec<Case> = read_lists::cases;
    unclear_without_case(code: &str = code.to_owned(), limit: usize = limit) -> Vec<Message> = read_lists::unclear_without_case;
    messages_after(after: Option<MessageId> = after, limit: usize = limit) -> Vec<Message> = read_lists::messages_after;
    addresses_after(after: Option<AddressId> = after, limit: usize = limit) -> Vec<Address> = read_lists::addresses_after;
    runs_after(after: Option<RunId> = after, limit: usize = limit) -> Vec<Run> = read_lists::runs_after;
    events_after(after: Option<EventId> = after, limit: usize = limit) -> Vec<Event> = read_lists::events_after;
    recount() -> Vec<Counter> = read_lists::recount;
    backlog() -> Vec<(String, i64)> = read_lists::backlog;
    api_key(id: &str = id.to_owned()) -> Option<ApiKey> = read_lists::api_key;
    api_keys() -> Vec<ApiKey> = read_lists::api_keys;
    operator(name: &str = name.to_owned()) -> Option<Operator> = read_lists::operator;
    session(hash: [u8; 16] = hash) -> Option<Session> = read_lists::session;
    audits(before: Option<i64> = before, limit: usize = limit) -> Vec<Audit> = read_pages::audits;
    sign_ins(name: &str = name.to_owned()) -> SignIns = read_lists::sign_ins;
}
