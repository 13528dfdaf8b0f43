//! Reads that stages make: what is due, and rows by id.
//!
//! Its own file because these are on the hot path: each is one indexed statement with a limit.

use rusqlite::{Connection, params};
use trunkline_core::consent::ConsentEntry;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, ProfileId, RunId};
use trunkline_core::owe::Subject;
use trunkline_core::time::Time;

use super::codec::{self, Cells, all, first, hook_key, message_key, to_json};
use super::failed;
use super::read_pages::from_instant;
use crate::StoreError;
use crate::row::{
    Address, Announcement, Definition, Event, Gauge, GaugeKind, HistoryEntry, Hook, HookLane, Inbound, Message, Pause, Profile, Queue, Reservation, Run, Standing, Writeback,
};

pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn installation(c: &Connection) -> Result<([u8; 32], i64), StoreError> {
    let cells = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0).map_err(failed);
    let key = first(c, "SELECT value FROM meta WHERE name = 'installation_key'", [], cells)?.unwrap_or_default();
    let epoch = first(c, "SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0).map_err(failed))?.unwrap_or(0);
    let key = key.try_into().map_err(|_| StoreError::Inconsistent { table: "meta", column: "installation_key", cause: "not 32 bytes".to_owned() })?;
    Ok((key, epoch))
}

/// Bytes of the pages that hold something.
pub(super) fn used(c: &Connection) -> Result<i64, StoreError> {
    let number = |pragma: &str| c.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(failed);
    Ok((number("PRAGMA page_count")? - number("PRAGMA freelist_count")?) * number("PRAGMA page_size")?)
}

pub(super) fn due_hooks(c: &Connection, lane: HookLane, now: Time, limit: usize) -> Result<Vec<Hook>, StoreError> {
    all(c, "SELECT * FROM hook WHERE state = 'waiting' AND lane = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3", params![lane.word(), now.0, rows(limit)], codec::hook)
}

pub(super) fn new_events(c: &Connection, limit: usize) -> Result<Vec<Event>, StoreError> {
    all(c, "SELECT * FROM source_event WHERE fate IS NULL ORDER BY received_at, id LIMIT ?1", params![rows(limit)], codec::event)
}

pub(super) fn due_runs(c: &Connection, now: Time, limit: usize) -> Result<Vec<Run>, StoreError> {
    all(c, "SELECT * FROM run WHERE due IS NOT NULL AND due <= ?1 ORDER BY due, id LIMIT ?2", params![now.0, rows(limit)], codec::run)
}

pub(super) fn due_messages(c: &Connection, now: Time, limit: usize) -> Result<Vec<Message>, StoreError> {
    all(c, "SELECT * FROM message WHERE work IN ('queued', 'held') AND due <= ?1 ORDER BY due, id LIMIT ?2", params![now.0, rows(limit)], codec::message)
}

/// Each pair is one step in the index, however many texts wait.
pub(super) fn waiting_senders(c: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "WITH RECURSIVE pair (account, sender) AS ( \
               SELECT * FROM (SELECT account, sender FROM message WHERE work IN ('queued', 'held') ORDER BY account, sender LIMIT 1) \
               UNION ALL SELECT next.account, next.sender FROM pair JOIN message AS next ON next.rowid = ( \
               SELECT rowid FROM message WHERE work IN ('queued', 'held') AND (account, sender) > (pair.account, pair.sender) ORDER BY account, sender LIMIT 1)) \
               SELECT account, sender FROM pair";
    all(c, sql, [], |row| Ok((row.get(0).map_err(failed)?, row.get(1).map_err(failed)?)))
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn queued(c: &Connection, now: Time, queues: Vec<Queue>) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT * FROM message WHERE work IN ('queued', 'held') AND account = ?1 AND sender = ?2 AND priority = ?3 AND due <= ?4 ORDER BY due, id LIMIT ?5";
    let mut found = Vec::new();
    for queue in &queues {
        found.extend(all(c, sql, params![queue.account, queue.sender, queue.priority.number(), now.0, rows(queue.limit)], codec::message)?);
    }
    Ok(found)
}

pub(super) fn due_questions(c: &Connection, now: Time, limit: usize) -> Result<Vec<Message>, StoreError> {
    all(c, "SELECT * FROM message WHERE work = 'unknown' AND due IS NOT NULL AND due <= ?1 ORDER BY due, id LIMIT ?2", params![now.0, rows(limit)], codec::message)
}

pub(super) fn orphaned_messages(c: &Connection, epoch: i64, limit: usize) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT * FROM message WHERE work = 'dispatched' AND json_extract(state, '$.attempts[#-1].epoch') < ?1 ORDER BY id LIMIT ?2";
    all(c, sql, params![epoch, rows(limit)], codec::message)
}

pub(super) fn due_writebacks(c: &Connection, now: Time, epoch: i64, limit: usize) -> Result<Vec<Writeback>, StoreError> {
    let mut found = all(c, "SELECT * FROM writeback WHERE state = 'flying' AND epoch < ?1 LIMIT ?2", params![epoch, rows(limit)], codec::writeback)?;
    let left = limit.saturating_sub(found.len());
    found.extend(all(c, "SELECT * FROM writeback WHERE state = 'due' AND due <= ?1 ORDER BY due, connector, record LIMIT ?2", params![now.0, rows(left)], codec::writeback)?);
    Ok(found)
}

pub(super) fn due_announcements(c: &Connection, now: Time, epoch: i64, limit: usize) -> Result<Vec<Announcement>, StoreError> {
    let mut found = all(c, "SELECT * FROM announcement WHERE state = 'flying' AND epoch < ?1 LIMIT ?2", params![epoch, rows(limit)], codec::announcement)?;
    let left = limit.saturating_sub(found.len());
    found.extend(all(c, "SELECT * FROM announcement WHERE state = 'due' AND due <= ?1 ORDER BY due, id LIMIT ?2", params![now.0, rows(left)], codec::announcement)?);
    Ok(found)
}

/// Rows by id, in the order asked, missing ones left out.
macro_rules! by_id {
    ($name:ident, $id:ty, $row:ty, $sql:literal, $key:expr, $decode:path) => {
        pub(super) fn $name(c: &Connection, ids: Vec<$id>) -> Result<Vec<$row>, StoreError> {
            let mut found = Vec::with_capacity(ids.len());
            for id in &ids {
                found.extend(first(c, $sql, params![$key(id)], $decode)?);
            }
            Ok(found)
        }
    };
}

by_id!(events, EventId, Event, "SELECT * FROM source_event WHERE id = ?1", |id: &EventId| id.0, codec::event);
by_id!(profiles, ProfileId, Profile, "SELECT * FROM profile WHERE id = ?1", |id: &ProfileId| id.0, codec::profile);
by_id!(addresses, AddressId, Address, "SELECT * FROM address WHERE id = ?1", |id: &AddressId| id.0, codec::address);
by_id!(runs, RunId, Run, "SELECT * FROM run WHERE id = ?1", |id: &RunId| id.0, codec::run);
by_id!(messages, MessageId, Message, "SELECT * FROM message WHERE id = ?1", |id: &MessageId| message_key(*id), codec::message);
by_id!(inbound, InboundId, Inbound, "SELECT body FROM inbound WHERE id = ?1", |id: &InboundId| id.0, inbound_row);

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn open_runs(c: &Connection, profiles: Vec<ProfileId>) -> Result<Vec<Run>, StoreError> {
    let sql = "SELECT * FROM run WHERE profile = ?1 AND (due IS NOT NULL OR EXISTS \
               (SELECT 1 FROM message WHERE message.run = run.id AND message.work IN ('queued', 'held', 'dispatched'))) ORDER BY id";
    let mut found = Vec::new();
    for profile in &profiles {
        found.extend(all(c, sql, params![profile.0], codec::run)?);
    }
    found.sort_by_key(|r| r.id);
    found.dedup_by_key(|r| r.id);
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn runs_since(c: &Connection, profiles: Vec<ProfileId>, since: Time, limit: usize) -> Result<Vec<Run>, StoreError> {
    // By profile, not by time: the plus keeps the index of all runs by their start out of it.
    let sql = "SELECT * FROM run WHERE profile = ?1 AND +started_at >= ?2 ORDER BY +started_at DESC, id LIMIT ?3";
    let mut found = Vec::new();
    for profile in &profiles {
        found.extend(all(c, sql, params![profile.0, since.0, rows(limit)], codec::run)?);
    }
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn entered(c: &Connection, entries: Vec<[u8; 16]>) -> Result<Vec<Run>, StoreError> {
    let mut found = Vec::new();
    for entry in &entries {
        found.extend(first(c, "SELECT * FROM run WHERE entry = ?1 ORDER BY started_at DESC, id LIMIT 1", params![entry], codec::run)?);
    }
    Ok(found)
}

fn inbound_row(row: &rusqlite::Row<'_>) -> Result<Inbound, StoreError> {
    Cells { table: "inbound", row }.json("body")
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn waiting_in_runs(c: &Connection, runs: Vec<RunId>) -> Result<Vec<Message>, StoreError> {
    let mut found = Vec::new();
    for run in &runs {
        let sql = "SELECT * FROM message WHERE run = ?1 AND work IN ('queued', 'held', 'dispatched') ORDER BY id";
        found.extend(all(c, sql, params![run.0], codec::message)?.into_iter().filter(|m| m.state.delivery().blocks()));
    }
    found.sort_by_key(|m| m.id);
    found.dedup_by_key(|m| m.id);
    Ok(found)
}

pub(super) fn waiting_for_address(c: &Connection, address: AddressId) -> Result<Vec<Message>, StoreError> {
    all(c, "SELECT * FROM message WHERE address = ?1 AND work IN ('queued', 'held') ORDER BY id", params![address.0], codec::message)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn last_left(c: &Connection, address: AddressId, sender: String) -> Result<Option<Message>, StoreError> {
    // The column and not the intent: a text may have gone another way than it was made for.
    let sql = "SELECT * FROM message WHERE address = ?1 AND sender = ?2 \
               AND delivery IN ('dispatched', 'unknown', 'accepted', 'sent', 'undelivered', 'delivered') ORDER BY id DESC LIMIT 1";
    first(c, sql, params![address.0, sender], codec::message)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn recent_texts(c: &Connection, addresses: Vec<(AddressId, Option<MessageId>)>, since: Time, limit: usize) -> Result<Vec<Message>, StoreError> {
    // A text that is asked about is left out here and not by whoever asks: mostly it is the only one.
    let sql = "SELECT * FROM message WHERE address = ?1 AND id >= ?2 AND id <> ?3 ORDER BY id DESC LIMIT ?4";
    let since = from_instant(since);
    let mut found = Vec::new();
    for (address, but) in &addresses {
        let but = but.map(message_key).map(|key| key.to_vec()).unwrap_or_default();
        found.extend(all(c, sql, params![address.0, since, but, rows(limit)], codec::message)?);
    }
    found.sort_by_key(|m| m.id);
    found.dedup_by_key(|m| m.id);
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn provider_refs(c: &Connection, account: String, vendor_ids: Vec<String>) -> Result<Vec<Option<AttemptId>>, StoreError> {
    vendor_ids
        .iter()
        .map(|id| {
            first(c, "SELECT message, n FROM provider_ref WHERE account = ?1 AND vendor_id = ?2", params![account, id], |row| {
                let cells = Cells { table: "provider_ref", row };
                Ok(AttemptId { message: cells.message_id("message")?, n: cells.get("n")? })
            })
        })
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn bucket(c: &Connection, account: String, sender: String) -> Result<Time, StoreError> {
    let tat = first(c, "SELECT tat FROM bucket WHERE account = ?1 AND sender = ?2", params![account, sender], |row| row.get(0).map_err(failed))?;
    Ok(Time(tat.unwrap_or(0)))
}

fn pauses(c: &Connection) -> Result<Vec<Pause>, StoreError> {
    all(c, "SELECT * FROM pause", [], |row| {
        let cells = Cells { table: "pause", row };
        Ok(Pause { account: cells.get("account")?, until: cells.time("until")?, cause: cells.get("cause")? })
    })
}

pub(super) fn standing(c: &Connection) -> Result<Standing, StoreError> {
    let gauges = all(c, "SELECT * FROM gauge ORDER BY kind, name", [], |row| {
        let cells = Cells { table: "gauge", row };
        let word: String = cells.get("kind")?;
        let kind = GaugeKind::from_word(&word).ok_or(StoreError::Inconsistent { table: "gauge", column: "kind", cause: word })?;
        Ok(Gauge { kind, name: cells.get("name")?, body: cells.get("body")?, rev: cells.get("rev")? })
    })?;
    Ok(Standing { pauses: pauses(c)?, gauges })
}

pub(super) fn reservation(c: &Connection, key: [u8; 16]) -> Result<Option<Reservation>, StoreError> {
    first(c, "SELECT body, message, at FROM idempotency WHERE key = ?1", params![key], |row| {
        let cells = Cells { table: "idempotency", row };
        Ok(Reservation { body: cells.id16("body")?, message: cells.message_id("message")?, at: cells.time("at")? })
    })
}

pub(super) fn newest_definition(c: &Connection) -> Result<Option<Time>, StoreError> {
    let newest = first(c, "SELECT max(published_at) FROM definition", [], |row| row.get::<_, Option<i64>>(0).map_err(failed))?;
    Ok(newest.flatten().map(Time))
}

pub(super) fn definitions(c: &Connection) -> Result<Vec<Definition>, StoreError> {
    all(c, "SELECT * FROM definition ORDER BY kind, name, version", [], |row| {
        let cells = Cells { table: "definition", row };
        Ok(Definition { kind: cells.get("kind")?, name: cells.get("name")?, version: cells.get("version")?, body: cells.get("body")?, published_at: cells.time("published_at")? })
    })
}

pub(super) fn history(c: &Connection, owner: Vec<u8>) -> Result<Vec<HistoryEntry>, StoreError> {
    // Messages are kept by time, so that what moves together lies together; runs are named by 16 bytes as they are.
    let owner = <[u8; 17]>::try_from(owner.as_slice()).map_or(owner, |bytes| message_key(MessageId::from_bytes(bytes)).to_vec());
    all(c, "SELECT seq, at, fold, body FROM history WHERE owner = ?1 ORDER BY seq", params![owner], |row| {
        let cells = Cells { table: "history", row };
        Ok(HistoryEntry { seq: cells.get("seq")?, at: cells.time("at")?, fold: cells.get("fold")?, body: cells.json("body")? })
    })
}

pub(super) fn ledger(c: &Connection, address: AddressId) -> Result<Vec<ConsentEntry>, StoreError> {
    all(c, "SELECT entry FROM ledger WHERE address = ?1 ORDER BY seq", params![address.0], |row| Cells { table: "ledger", row }.json("entry"))
}

pub(super) fn inbound_of(c: &Connection, address: AddressId, limit: usize) -> Result<Vec<Inbound>, StoreError> {
    all(c, "SELECT body FROM inbound WHERE address = ?1 ORDER BY received_at DESC, id LIMIT ?2", params![address.0, rows(limit)], inbound_row)
}

pub(super) fn hook(c: &Connection, id: HookId) -> Result<Option<Hook>, StoreError> {
    first(c, "SELECT * FROM hook WHERE id = ?1", params![hook_key(id)], codec::hook)
}

pub(super) fn writebacks_of(c: &Connection, subject: Subject) -> Result<Vec<Writeback>, StoreError> {
    all(c, "SELECT * FROM writeback WHERE subject = ?1 ORDER BY connector, record", params![to_json(&subject)?], codec::writeback)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn writeback(c: &Connection, connector: String, record: String) -> Result<Option<Writeback>, StoreError> {
    first(c, "SELECT * FROM writeback WHERE connector = ?1 AND record = ?2", params![connector, record], codec::writeback)
}
