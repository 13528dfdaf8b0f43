//! What a change of a message does to the tables: the row, its history, its counters, its labels, what it owes.
//!
//! Its own file because this is the hot path and the one place where all of these move together.

use rusqlite::{Connection, params};
use trunkline_core::id::MessageId;
use trunkline_core::message::{Delivery, Event, FOLD_VERSION};
use trunkline_core::planted::{Fault, planted};
use trunkline_core::time::Time;

use super::codec::{self, message_key, to_json};
use super::write::{Tally, exec, inserted};
use super::write_outward::owe_all;
use super::{Owes, failed};
use crate::StoreError;
use crate::command::{Applied, MessageChange};

pub(super) fn put(c: &Connection, now: Time, change: &MessageChange, owes: Owes, tally: &mut Tally) -> Result<Applied, StoreError> {
    let message = &change.message;
    let key = message_key(message.id);
    for dedupe in change.events.iter().filter_map(|(_, dedupe)| dedupe.as_ref()) {
        let known = codec::first(c, "SELECT 1 FROM history WHERE owner = ?1 AND dedupe = ?2", params![key, dedupe], |_| Ok(()))?;
        if known.is_some() {
            return Ok(Applied::Already);
        }
    }
    let rev = message.rev + i64::try_from(change.events.len()).unwrap_or(i64::MAX);
    let (state, delivery, due) = (to_json(&message.state)?, message.state.delivery(), message.state.due.map(|d| d.0));
    let work = serde_json::to_value(message.state.work).ok().and_then(|w| w.as_str().map(str::to_owned)).unwrap_or_default();
    let day = message.intent.created_at.utc_day();
    if message.rev == 0 {
        let sql = "INSERT OR IGNORE INTO message (id, part, address, run, intent, state, work, delivery, due, rev, created_at, updated_at, journey, account, sender, priority) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        let (intent, run) = (to_json(&message.intent)?, message.intent.origin.run().map(|r| r.0));
        let (address, created_at, journey) = (message.intent.address.0, message.intent.created_at.0, message.intent.origin.journey());
        let ((account, sender), priority) = (message.way(), message.intent.priority().number());
        let row = params![key, message.id.part, address, run, intent, state, work, delivery.word(), due, rev, created_at, now.0, journey, account, sender, priority];
        if exec(c, sql, row)? == 0 {
            return Ok(Applied::Already);
        }
        for (name, value) in &message.intent.labels {
            exec(c, "INSERT OR IGNORE INTO label (value, message, name) VALUES (?1, ?2, ?3)", params![value, key, name])?;
        }
    } else {
        let before = codec::first(c, "SELECT delivery FROM message WHERE id = ?1 AND rev = ?2", params![key, message.rev], |row| row.get::<_, String>(0).map_err(failed))?;
        let Some(before) = before.as_deref().and_then(Delivery::from_word) else { return Err(StoreError::Conflict { what: "message" }) };
        // A text that goes another way changes queues; the index is written anyway, since what is due moves.
        let (account, sender) = message.way();
        let sql = "UPDATE message SET state = ?2, work = ?3, delivery = ?4, due = ?5, rev = ?6, updated_at = ?7, account = ?8, sender = ?9 WHERE id = ?1";
        exec(c, sql, params![key, state, work, delivery.word(), due, rev, now.0, account, sender])?;
        tally.add(day.clone(), format!("message.{}", before.word()), -1);
    }
    tally.add(day, format!("message.{}", delivery.word()), 1);
    if let Some(guard) = change.guard {
        let address = message.intent.address.0;
        // The sends are those that the version stands for: whoever changes them bumps it.
        let bumped = match &change.sends {
            Some(sends) => {
                let sql = "UPDATE address SET guard_version = guard_version + 1, sends = ?3 WHERE id = ?1 AND guard_version = ?2";
                exec(c, sql, params![address, guard, to_json(sends)?])?
            }
            None => exec(c, "UPDATE address SET guard_version = guard_version + 1 WHERE id = ?1 AND guard_version = ?2", params![address, guard])?,
        };
        if bumped == 0 {
            return Err(StoreError::Conflict { what: "address" });
        }
    }
    for ((event, dedupe), seq) in change.events.iter().zip(message.rev + 1..) {
        if planted(Fault::HistoryMissing) && matches!(event, Event::Settled { .. }) {
            continue;
        }
        let sql = "INSERT INTO history (owner, seq, part, at, fold, body, dedupe) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        exec(c, sql, params![key, seq, message.id.part, now.0, FOLD_VERSION, to_json(event)?, dedupe])?;
    }
    owe_all(c, now, &change.owes, owes)?;
    Ok(Applied::Done)
}

/// Adds an event that changes no state: the row moves on by one, so that its history stays whole.
pub(super) fn note(c: &Connection, now: Time, id: MessageId, event: &Event) -> Result<Applied, StoreError> {
    let sql = "UPDATE message SET rev = rev + 1, updated_at = ?2 WHERE id = ?1 RETURNING rev";
    let Some(seq) = codec::first(c, sql, params![message_key(id), now.0], |row| row.get::<_, i64>(0).map_err(failed))? else {
        return Ok(Applied::Already);
    };
    let sql = "INSERT INTO history (owner, seq, part, at, fold, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    exec(c, sql, params![message_key(id), seq, id.part, now.0, FOLD_VERSION, to_json(event)?]).map(inserted)
}
