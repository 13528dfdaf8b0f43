//! The embedded store: SQLite with one writer and a few readers.
//!
//! Its own file for the machinery: one thread drains its queue into one transaction with a savepoint for each unit,
//! and answers after the commit, so that an answer means the disk has it. What a command does to tables is in
//! `write*`, what a read asks in `read*`, and both for gaps in `gap`. It refuses nobody: who may add to the queue is the
//! engine's to say.

mod codec;
mod gap;
mod read;
mod read_lists;
mod read_pages;
mod schema;
mod write;
mod write_erase;
mod write_message;
mod write_outward;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::owe::Subject;
use trunkline_core::time::Time;

use crate::row::{
    Address, Alert, Announcement, ApiKey, Audit, Case, Conflict, Counter, Dead, Definition, Event, Gap, Held, HistoryEntry, Hook, HookFilter, HookLane, Inbound, Message,
    MessageFilter, Operator, Profile, Queue, Refusal, Reservation, Room, Run, RunFilter, Session, SignIns, Standing, StepCount, Writeback,
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
/// The most jobs that wait for the writer before callers do; intake is turned away long before.
const QUEUE: usize = 4_096;
/// Pages of the log (4 KiB each) from which on it is restarted.
const LONG_LOG: i64 = 16_384;
/// How long the writer waits for readers of an old state before it goes on without restarting the log.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);
/// Connections that read.
const READERS: usize = 4;

/// The most pages that a file can have: what stands for no limit.
const NO_LIMIT: i64 = 4_294_967_294;

/// A store in one file, or in memory.
pub struct SqliteStore {
    inner: Inner,
    /// How many bytes the file may take; zero for any number.
    most: AtomicI64,
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
    Probe(oneshot::Sender<Result<(), StoreError>>),
    Limit(Option<i64>, oneshot::Sender<Result<(), StoreError>>),
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
        schema::keep_plans(&connection)?;
        schema::migrate(&mut connection, Some([0x5a; 32]))?;
        connection.set_prepared_statement_cache_capacity(256);
        Ok(SqliteStore { inner: Inner::Inline(Mutex::new(Writer { connection, owes })), most: AtomicI64::new(0) })
    }

    /// A store in a file, made if there is none.
    pub fn open(path: &Path, owes: Owes) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_within(path, owes, None)
    }

    /// A store in a file that takes at most so many bytes; its log beside it is not counted, and is short.
    pub fn open_within(path: &Path, owes: Owes, most: Option<i64>) -> Result<SqliteStore, StoreError> {
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
        writer.limit(most)?;
        let threads = vec![
            spawn("store-writer", move || writer.run(queue, &wake, &is_long))?,
            // Checkpoints stay off the writer's path: it only says that there is something to move.
            spawn("store-checkpoint", move || checkpoint(&checkpointer, &ticks, &long))?,
        ];
        let readers = Readers { idle: Arc::new(Mutex::new(idle)), slots: Arc::new(Semaphore::new(READERS)) };
        Ok(SqliteStore { inner: Inner::Threaded { jobs, readers, checkpoints: Some(checkpoints), threads }, most: AtomicI64::new(most.unwrap_or(0)) })
    }

    /// Changes how many bytes the file may take. One that takes more already keeps what it has, and grows no further.
    pub async fn limit(&self, most: Option<i64>) -> Result<(), StoreError> {
        if let Inner::Inline(writer) = &self.inner {
            locked(writer).limit(most)?;
        } else {
            self.job(|answer| Job::Limit(most, answer)).await??;
        }
        self.most.store(most.unwrap_or(0), Ordering::Relaxed);
        Ok(())
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
                Job::Probe(answer) => drop(answer.send(self.probe())),
                Job::Limit(most, answer) => drop(answer.send(self.limit(most))),
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
        match done {
            Ok(results) => results,
            // What needs more room than there is must not take along what needs none.
            Err(StoreError::Full { .. }) if jobs.len() > 1 => jobs.iter().flat_map(|job| self.commit(std::slice::from_ref(job))).collect(),
            Err(error) => jobs.iter().map(|(_, units)| units.iter().map(|_| Err(error.clone())).collect()).collect(),
        }
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
                let result = if savepoints {
                    write::unit(&mut transaction, *now, unit, owes, &mut tally)
                } else {
                    let Some(result) = write::bare(&transaction, *now, unit, owes, &mut tally) else { return Ok(None) };
                    result
                };
                // Some errors end the whole transaction: then nothing of it was done, whatever the savepoints said, and
                // nothing more may be done outside of one.
                if transaction.is_autocommit() {
                    return Err(result.err().unwrap_or_else(|| StoreError::Unavailable { cause: "the transaction was rolled back".to_owned() }));
                }
                done.push(result);
            }
            results.push(done);
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

    /// Writes as much as a few texts take, so that it needs room in the file and in the log, and takes it away again.
    fn probe(&mut self) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let sql = "INSERT INTO meta (name, value) VALUES ('probe', zeroblob(65536)) ON CONFLICT DO UPDATE SET value = zeroblob(65536)";
        write::exec(&transaction, sql, [])?;
        transaction.commit().map_err(failed)?;
        write::exec(&self.connection, "DELETE FROM meta WHERE name = 'probe'", []).map(|_| ())
    }

    fn limit(&mut self, most: Option<i64>) -> Result<(), StoreError> {
        let size: i64 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(failed)?;
        let pages = most.map_or(NO_LIMIT, |bytes| (bytes / size.max(1)).clamp(1, NO_LIMIT));
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).map(|_| ()).map_err(failed)
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
    let rusqlite::Error::SqliteFailure(code, _) = &error else { return StoreError::Unavailable { cause: error.to_string() } };
    match code.code {
        ErrorCode::ConstraintViolation => StoreError::Inconsistent { table: "?", column: "?", cause: error.to_string() },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { cause: format!("{error}; another program holds it: end a backup or a shell that does") },
        ErrorCode::DiskFull => StoreError::Full { cause: format!("{error}; make room on its disk, or raise max_size under [store]") },
        ErrorCode::ReadOnly => StoreError::Unavailable { cause: format!("{error}; make the file and its file system writable") },
        ErrorCode::SystemIoFailure => StoreError::Unavailable { cause: format!("{error}; look at the disk") },
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

            async fn probe(&self) -> Result<(), StoreError> {
                if let Inner::Inline(writer) = &self.inner {
                    return locked(writer).probe();
                }
                self.job(Job::Probe).await?
            }

            async fn room(&self) -> Result<Room, StoreError> {
                let used = self.read(read::used).await?;
                let most = Some(self.most.load(Ordering::Relaxed)).filter(|most| *most > 0);
                Ok(Room { used, most })
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
    runs_since(profiles: &[ProfileId] = profiles.to_vec(), since: Time = since, limit: usize = limit) -> Vec<Run> = read::runs_since;
    entered(entries: &[[u8; 16]] = entries.to_vec()) -> Vec<Run> = read::entered;
    messages(ids: &[MessageId] = ids.to_vec()) -> Vec<Message> = read::messages;
    waiting_in_runs(runs: &[RunId] = runs.to_vec()) -> Vec<Message> = read::waiting_in_runs;
    waiting_for_address(address: AddressId = address) -> Vec<Message> = read::waiting_for_address;
    last_left(address: AddressId = address, sender: &str = sender.to_owned()) -> Option<Message> = read::last_left;
    recent_texts(addresses: &[(AddressId, Option<MessageId>)] = addresses.to_vec(), since: Time = since, limit: usize = limit) -> Vec<Message> = read::recent_texts;
    provider_refs(account: &str = account.to_owned(), vendor_ids: &[String] = vendor_ids.to_vec()) -> Vec<Option<AttemptId>> = read::provider_refs;
    bucket(account: &str = account.to_owned(), sender: &str = sender.to_owned()) -> Time = read::bucket;
    standing() -> Standing = read::standing;
    gaps() -> Vec<Gap> = gap::gaps;
    beats() -> Vec<(String, Time)> = gap::beats;
    oldest_inbound(account: &str = account.to_owned()) -> Option<Time> = gap::oldest_inbound;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    #[test]
    fn what_needs_no_room_goes_in_beside_what_does() {
        let store = SqliteStore::in_memory(Owes::Direct).unwrap();
        let Inner::Inline(writer) = &store.inner else { panic!("in memory the writer is inline") };
        let mut writer = locked(writer);
        // As large as it is, and no larger.
        writer.limit(Some(1)).unwrap();
        let large = Definition { kind: "journey".to_owned(), name: "large".to_owned(), version: 1, body: "x".repeat(200_000), published_at: Time(0) };
        let small = || vec![Unit::one(Command::Count(vec![("test".to_owned(), 1)]))];
        let results = writer.commit(&[(Time(0), small()), (Time(0), vec![Unit::one(Command::Publish(large))]), (Time(0), small())]);
        let landed: Vec<bool> = results.iter().map(|units| units.iter().all(Result::is_ok)).collect();
        assert_eq!(landed, [true, false, true], "{results:?}");
        assert!(matches!(results.get(1).and_then(|units| units.first()), Some(Err(StoreError::Full { .. }))), "{results:?}");
        let counted: i64 = writer.connection.query_row("SELECT value FROM counter WHERE name = 'test'", [], |row| row.get(0)).unwrap();
        assert_eq!(counted, 2);
    }
}
