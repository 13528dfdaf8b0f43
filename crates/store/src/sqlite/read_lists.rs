//! Reads that people make: lists, searches, counts, and the walks of `verify`.
//!
//! Its own file because these may be large and are paged by key; no stage waits for them.

use rusqlite::{Connection, params};
use trunkline_core::id::{AddressId, EventId, HookId, MessageId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::owe::AlertKind;

use super::codec::{self, Cells, all, first, message_key};
use super::read::rows;
use crate::StoreError;
use crate::row::announcement_name;
use crate::row::{Address, Alert, ApiKey, Case, Counter, Dead, Event, Held, Message, Operator, Run, Session, SignIns, StepCount};

pub(super) fn dead(c: &Connection, limit: usize) -> Result<Vec<Dead>, StoreError> {
    let mut found = all(c, "SELECT id, note, received_at FROM hook WHERE state = 'dead' ORDER BY received_at DESC LIMIT ?1", params![rows(limit)], |row| {
        let cells = Cells { table: "hook", row };
        let (uuid, part) = cells.timed("id")?;
        Ok(Dead { id: HookId { uuid, part }.to_string(), kind: "hook".to_owned(), cause: cells.get("note")?, at: cells.time("received_at")? })
    })?;
    found.extend(all(c, "SELECT connector, record, cause, updated_at FROM writeback WHERE state = 'dead' ORDER BY updated_at DESC LIMIT ?1", params![rows(limit)], |row| {
        let cells = Cells { table: "writeback", row };
        let id = format!("{}/{}", cells.get::<String>("connector")?, cells.get::<String>("record")?);
        Ok(Dead { id, kind: "writeback".to_owned(), cause: cells.get("cause")?, at: cells.time("updated_at")? })
    })?);
    let sql = "SELECT id, fate, received_at FROM source_event WHERE fate LIKE '{\"fate\":\"dead\"%' ORDER BY received_at DESC LIMIT ?1";
    found.extend(all(c, sql, params![rows(limit)], |row| {
        let cells = Cells { table: "source_event", row };
        let fate: serde_json::Value = cells.json("fate")?;
        let cause = fate.get("cause").and_then(|c| c.as_str()).unwrap_or_default().to_owned();
        Ok(Dead { id: EventId(cells.id16("id")?).to_string(), kind: "event".to_owned(), cause, at: cells.time("received_at")? })
    })?);
    found.extend(all(c, "SELECT * FROM announcement WHERE state = 'dead' ORDER BY created_at DESC LIMIT ?1", params![rows(limit)], |row| {
        let row = codec::announcement(row)?;
        Ok(Dead {
            id: announcement_name(row.id),
            kind: "announcement".to_owned(),
            cause: format!("{} to follower '{}': {}", row.kind, row.follower, row.cause),
            at: row.created_at,
        })
    })?);
    let sql = "SELECT id, journey, position, ifnull((SELECT max(at) FROM history WHERE owner = run.id), started_at) AS failed_at FROM run \
               WHERE position LIKE '{\"status\":\"failed\"%' ORDER BY started_at DESC LIMIT ?1";
    found.extend(all(c, sql, params![rows(limit)], |row| {
        let cells = Cells { table: "run", row };
        let why = if let Position::Failed { why } = cells.json("position")? { why } else { String::new() };
        let cause = format!("journey '{}': {why}", cells.get::<String>("journey")?);
        Ok(Dead { id: RunId(cells.id16("id")?).to_string(), kind: "run".to_owned(), cause, at: cells.time("failed_at")? })
    })?);
    found.sort_by_key(|d| std::cmp::Reverse(d.at));
    found.truncate(limit);
    Ok(found)
}

pub(super) fn steps_now(c: &Connection) -> Result<Vec<StepCount>, StoreError> {
    let sql = "SELECT journey, version, ifnull(step, '') AS step, count(*) AS runs FROM run WHERE due IS NOT NULL GROUP BY 1, 2, 3";
    all(c, sql, [], |row| {
        let cells = Cells { table: "run", row };
        Ok(StepCount { journey: cells.get("journey")?, version: cells.get("version")?, step: cells.get("step")?, runs: cells.get("runs")? })
    })
}

pub(super) fn held(c: &Connection) -> Result<Vec<Held>, StoreError> {
    let sql = "SELECT ifnull(json_extract(state, '$.reasons[0].code'), '') AS code, count(*) AS count, min(due) AS next, max(id) AS example \
               FROM message WHERE work = 'held' AND delivery = 'held' GROUP BY 1 ORDER BY 2 DESC";
    all(c, sql, [], |row| {
        let cells = Cells { table: "message", row };
        Ok(Held { code: cells.get("code")?, count: cells.get("count")?, next: cells.time("next")?, example: cells.message_id("example")? })
    })
}

fn counter(row: &rusqlite::Row<'_>) -> Result<Counter, StoreError> {
    let cells = Cells { table: "counter", row };
    Ok(Counter { day: cells.get("day")?, name: cells.get("name")?, value: cells.get("value")? })
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn counters(c: &Connection, since_day: String) -> Result<Vec<Counter>, StoreError> {
    all(c, "SELECT day, name, value FROM counter WHERE day >= ?1 AND value <> 0 ORDER BY day, name", params![since_day], counter)
}

pub(super) fn alerts(c: &Connection) -> Result<Vec<Alert>, StoreError> {
    all(c, "SELECT * FROM alert WHERE closed_at IS NULL ORDER BY last_at DESC LIMIT 200", [], |row| {
        let cells = Cells { table: "alert", row };
        let kind: String = cells.get("kind")?;
        Ok(Alert {
            kind: if kind == "system" { AlertKind::System } else { AlertKind::Customer },
            code: cells.get("code")?,
            about: cells.get("about")?,
            detail: cells.get("detail")?,
            opened_at: cells.time("opened_at")?,
            last_at: cells.time("last_at")?,
            times: cells.get("times")?,
        })
    })
}

pub(super) fn cases(c: &Connection, limit: usize) -> Result<Vec<Case>, StoreError> {
    all(c, "SELECT * FROM case_ WHERE closed_at IS NULL ORDER BY due, number LIMIT ?1", params![rows(limit)], |row| {
        let cells = Cells { table: "case_", row };
        let message: Option<Vec<u8>> = cells.get("message")?;
        Ok(Case {
            number: cells.get("number")?,
            code: cells.get("code")?,
            address: AddressId(cells.id16("address")?),
            message: message.map(|_| cells.message_id("message")).transpose()?,
            detail: cells.get("detail")?,
            opened_at: cells.time("opened_at")?,
            due: cells.time("due")?,
            owner: cells.get("owner")?,
        })
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn unclear_without_case(c: &Connection, code: String, limit: usize) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT * FROM message WHERE delivery = 'unknown' AND NOT EXISTS \
               (SELECT 1 FROM case_ WHERE case_.message = message.id AND case_.code = ?1 AND case_.closed_at IS NULL) ORDER BY id LIMIT ?2";
    all(c, sql, params![code, rows(limit)], codec::message)
}

pub(super) fn messages_after(c: &Connection, after: Option<MessageId>, limit: usize) -> Result<Vec<Message>, StoreError> {
    let after = after.map(message_key).map(|k| k.to_vec()).unwrap_or_default();
    all(c, "SELECT * FROM message WHERE id > ?1 ORDER BY id LIMIT ?2", params![after, rows(limit)], codec::message)
}

pub(super) fn addresses_after(c: &Connection, after: Option<AddressId>, limit: usize) -> Result<Vec<Address>, StoreError> {
    let after = after.map(|a| a.0.to_vec()).unwrap_or_default();
    all(c, "SELECT * FROM address WHERE id > ?1 ORDER BY id LIMIT ?2", params![after, rows(limit)], codec::address)
}

pub(super) fn runs_after(c: &Connection, after: Option<RunId>, limit: usize) -> Result<Vec<Run>, StoreError> {
    let after = after.map(|a| a.0.to_vec()).unwrap_or_default();
    all(c, "SELECT * FROM run WHERE id > ?1 ORDER BY id LIMIT ?2", params![after, rows(limit)], codec::run)
}

pub(super) fn events_after(c: &Connection, after: Option<EventId>, limit: usize) -> Result<Vec<Event>, StoreError> {
    let after = after.map(|a| a.0.to_vec()).unwrap_or_default();
    all(c, "SELECT * FROM source_event WHERE id > ?1 ORDER BY id LIMIT ?2", params![after, rows(limit)], codec::event)
}

pub(super) fn recount(c: &Connection) -> Result<Vec<Counter>, StoreError> {
    // Integer division rounds towards zero, which is down for every instant after 1970.
    let sql = "SELECT date(created_at / 1000000, 'unixepoch') AS day, 'message.' || delivery AS name, count(*) AS value FROM message GROUP BY 1, 2 ORDER BY 1, 2";
    all(c, sql, [], counter)
}

pub(super) fn backlog(c: &Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT 'hooks: ' || lane AS name, count(*) AS value FROM hook WHERE state = 'waiting' GROUP BY lane \
               UNION ALL SELECT 'events', count(*) FROM source_event WHERE fate IS NULL \
               UNION ALL SELECT 'runs', count(*) FROM run WHERE due IS NOT NULL \
               UNION ALL SELECT 'messages: ' || work, count(*) FROM message WHERE work IN ('queued', 'held', 'dispatched') GROUP BY work \
               UNION ALL SELECT 'write-backs', count(*) FROM writeback WHERE state = 'due' \
               UNION ALL SELECT 'write-backs in flight', count(*) FROM writeback WHERE state = 'flying' \
               UNION ALL SELECT 'announcements', count(*) FROM announcement WHERE state IN ('due', 'flying') \
               UNION ALL SELECT 'outbox', count(*) FROM outbox";
    all(c, sql, [], |row| {
        let cells = Cells { table: "backlog", row };
        Ok((cells.get("name")?, cells.get("value")?))
    })
}

fn key_row(row: &rusqlite::Row<'_>) -> Result<ApiKey, StoreError> {
    let cells = Cells { table: "api_key", row };
    let revoked: Option<i64> = cells.get("revoked_at")?;
    Ok(ApiKey {
        id: cells.get("id")?,
        hash: cells.id16("hash")?,
        name: cells.get("name")?,
        scopes: cells.json("scopes")?,
        created_at: cells.time("created_at")?,
        revoked_at: revoked.map(trunkline_core::time::Time),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn api_key(c: &Connection, id: String) -> Result<Option<ApiKey>, StoreError> {
    first(c, "SELECT * FROM api_key WHERE id = ?1", params![id], key_row)
}

pub(super) fn api_keys(c: &Connection) -> Result<Vec<ApiKey>, StoreError> {
    all(c, "SELECT * FROM api_key ORDER BY created_at", [], key_row)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn operator(c: &Connection, name: String) -> Result<Option<Operator>, StoreError> {
    first(c, "SELECT * FROM operator WHERE name = ?1", params![name], |row| {
        let cells = Cells { table: "operator", row };
        Ok(Operator { name: cells.get("name")?, password: cells.get("password")? })
    })
}

pub(super) fn session(c: &Connection, hash: [u8; 16]) -> Result<Option<Session>, StoreError> {
    first(c, "SELECT * FROM session WHERE hash = ?1", params![hash], |row| {
        let cells = Cells { table: "session", row };
        Ok(Session { hash: cells.id16("hash")?, operator: cells.get("operator")?, expires_at: cells.time("expires_at")? })
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn sign_ins(c: &Connection, name: String) -> Result<SignIns, StoreError> {
    let found = first(c, "SELECT * FROM sign_in WHERE name = ?1", params![name], |row| {
        let cells = Cells { table: "sign_in", row };
        Ok(SignIns { failures: cells.get("failures")?, not_before: cells.time("not_before")? })
    })?;
    Ok(found.unwrap_or_default())
}
