//! What an erasure does to the tables: rows stay with their states, and lose what they say of a person.
//!
//! Apart from the other writes because nothing else takes anything away. Each command may be repeated; the last one is
//! the address's own, so that what was begun and broke off is seen to be unfinished.

use rusqlite::{Connection, params};
use trunkline_core::consent::ConsentState;
use trunkline_core::erase::ERASED;
use trunkline_core::id::{EventId, HookId, ProfileId};
use trunkline_core::number::Number;
use trunkline_core::source::Mapped;

use super::codec::{self, hook_key, message_key, to_json};
use super::failed;
use super::write::{exec, inserted, matched};
use crate::StoreError;
use crate::command::{Applied, Erased, Erasure};
use crate::row::Place;

pub(super) fn event(c: &Connection, id: EventId, mapped: &Mapped) -> Result<Applied, StoreError> {
    matched(exec(c, "UPDATE source_event SET mapped = ?2 WHERE id = ?1 AND fate IS NOT NULL", params![id.0, to_json(mapped)?])?, "event")
}

pub(super) fn hook(c: &Connection, id: HookId) -> Result<Applied, StoreError> {
    let sql = "UPDATE hook SET body = x'', packed = 0, headers = '[]', \
               url = CASE instr(url, '?') WHEN 0 THEN url ELSE substr(url, 1, instr(url, '?') - 1) END WHERE id = ?1 AND state <> 'waiting'";
    matched(exec(c, sql, params![hook_key(id)])?, "hook")
}

pub(super) fn profile(c: &Connection, id: ProfileId) -> Result<Applied, StoreError> {
    exec(c, "DELETE FROM profile_conflict WHERE profile = ?1", params![id.0])?;
    exec(c, "UPDATE profile SET attributes = '{}', locale = NULL WHERE id = ?1", params![id.0]).map(inserted)
}

/// By the digits alone, since URLs and forms write the `+` in their own ways.
pub(super) fn redact(c: &Connection, number: &Number) -> Result<Applied, StoreError> {
    let digits = number.e164().trim_start_matches('+');
    let mut changed = 0;
    for (table, column) in [
        ("refusal", "request"),
        ("refusal", "reason"),
        ("alert", "detail"),
        ("alert", "about"),
        ("case_", "detail"),
        ("announcement", "body"),
        ("announcement", "cause"),
        ("writeback", "cause"),
        ("audit", "detail"),
        ("outbox", "owe"),
    ] {
        let sql = format!("UPDATE OR REPLACE {table} SET {column} = replace({column}, ?1, ?2) WHERE instr({column}, ?1) > 0");
        changed += exec(c, &sql, params![digits, ERASED])?;
    }
    // Of what was refused nobody knows whose words it holds.
    changed += exec(c, "UPDATE refusal SET body = ?2 WHERE instr(body, ?1) > 0", params![digits, ERASED])?;
    changed += exec(c, "DELETE FROM label WHERE instr(value, ?1) > 0", params![digits])?;
    changed += exec(c, "DELETE FROM writeback WHERE instr(record, ?1) > 0", params![digits])?;
    Ok(inserted(changed))
}

pub(super) fn address(c: &Connection, erasure: &Erasure) -> Result<Applied, StoreError> {
    let id = erasure.address;
    let sql = "UPDATE address SET place = ?3, consent = ?4, residences = '{}', guard_version = guard_version + 1 WHERE id = ?1 AND guard_version = ?2";
    let consent = ConsentState::fold(&erasure.ledger);
    matched(exec(c, sql, params![id.0, erasure.guard_version, to_json(&Place::Erased)?, to_json(&consent)?])?, "address")?;
    let kept: i64 = codec::first(c, "SELECT count(*) FROM ledger WHERE address = ?1", params![id.0], |row| row.get(0).map_err(failed))?.unwrap_or(0);
    if i64::try_from(erasure.ledger.len()).ok() != Some(kept) {
        return Err(StoreError::Conflict { what: "ledger" });
    }
    for (entry, seq) in erasure.ledger.iter().zip(1_i64..) {
        exec(c, "UPDATE ledger SET entry = ?3 WHERE address = ?1 AND seq = ?2", params![id.0, seq, to_json(entry)?])?;
    }
    exec(c, "UPDATE inbound SET body = json_set(body, '$.body', ?2) WHERE address = ?1", params![id.0, ERASED])?;
    for message in &erasure.messages {
        of_message(c, message)?;
    }
    Ok(Applied::Done)
}

fn of_message(c: &Connection, erased: &Erased) -> Result<(), StoreError> {
    let (message, key) = (&erased.message, message_key(erased.message.id));
    let sql = "UPDATE message SET intent = ?3, state = ?4 WHERE id = ?1 AND rev = ?2";
    matched(exec(c, sql, params![key, message.rev, to_json(&message.intent)?, to_json(&message.state)?])?, "message")?;
    // What somebody saw or thought about it.
    exec(c, "UPDATE audit SET detail = ?2 WHERE about = ?1 AND detail <> ''", params![message.id.to_string(), ERASED])?;
    for (seq, body) in &erased.history {
        exec(c, "UPDATE history SET body = ?3 WHERE owner = ?1 AND seq = ?2", params![key, seq, body.to_string()])?;
    }
    Ok(())
}
