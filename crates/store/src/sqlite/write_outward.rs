//! What a command does to the tables of everything owed to others: write-backs, announcements, alerts, cases, conflicts.
//!
//! Its own file because all of it is written inside the commit that caused it, directly or by way of the outbox.

use rusqlite::{Connection, params};
use trunkline_core::id::hash16;
use trunkline_core::owe::{AlertKind, Owe};
use trunkline_core::planted::{Fault, planted};
use trunkline_core::time::Time;

use super::Owes;
use super::codec::{self, message_key, to_json, writeback_word};
use super::write::{Tally, exec, inserted, matched};
use crate::StoreError;
use crate::command::Applied;
use crate::row::{Announcement, Conflict, Writeback, WritebackState};

pub(super) fn put_writeback(c: &Connection, now: Time, row: &Writeback, expect: &Writeback) -> Result<Applied, StoreError> {
    // What was owed while a write was in the air is due at once.
    let sql = "UPDATE writeback SET written = ?3, tries = ?4, epoch = ?5, cause = ?6, updated_at = ?7, \
               state = CASE WHEN ?8 = 'idle' AND wanted > ?3 THEN 'due' ELSE ?8 END, due = CASE WHEN ?8 = 'idle' AND wanted > ?3 THEN ?7 ELSE ?9 END \
               WHERE connector = ?1 AND record = ?2 AND state = ?10 AND epoch = ?11 AND tries = ?12";
    let (state, before) = (writeback_word(row.state), writeback_word(expect.state));
    let written = if planted(Fault::LatestLost) && row.state == WritebackState::Idle { i64::MAX } else { row.written };
    let changed = exec(c, sql, params![row.connector, row.record, written, row.tries, row.epoch, row.cause, now.0, state, row.due.0, before, expect.epoch, expect.tries])?;
    matched(changed, "write-back")
}

pub(super) fn put_announcement(c: &Connection, now: Time, row: &Announcement, expect: &Announcement, tally: &mut Tally) -> Result<Applied, StoreError> {
    let before = writeback_word(expect.state);
    let at = params![row.id, before, expect.epoch, expect.tries];
    if row.state == WritebackState::Idle {
        tally.add(now.utc_day(), "announcement.taken", 1);
        return matched(exec(c, "DELETE FROM announcement WHERE id = ?1 AND state = ?2 AND epoch = ?3 AND tries = ?4", at)?, "announcement");
    }
    let sql = "UPDATE announcement SET state = ?5, due = ?6, tries = ?7, epoch = ?8, cause = ?9 WHERE id = ?1 AND state = ?2 AND epoch = ?3 AND tries = ?4";
    let changed = exec(c, sql, params![row.id, before, expect.epoch, expect.tries, writeback_word(row.state), row.due.0, row.tries, row.epoch, row.cause])?;
    matched(changed, "announcement")
}

pub(super) fn conflict(c: &Connection, conflict: &Conflict) -> Result<Applied, StoreError> {
    let sql = "INSERT INTO profile_conflict (profile, field, system, part, owner, value, at, times) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) \
               ON CONFLICT DO UPDATE SET owner = ?5, value = ?6, at = ?7, times = times + 1 WHERE at <= ?7";
    let id = conflict.profile;
    exec(c, sql, params![id.0, conflict.field, conflict.system, id.part(), conflict.owner, conflict.value.to_string(), conflict.at.0]).map(inserted)
}

/// Writes what is owed, or files it in the outbox.
pub(super) fn owe_all(c: &Connection, now: Time, owed: &[Owe], how: Owes) -> Result<(), StoreError> {
    for owe in owed {
        match how {
            Owes::Direct => settle(c, now, owe)?,
            Owes::Outbox => exec(c, "INSERT INTO outbox (owe) VALUES (?1)", params![to_json(owe)?]).map(|_| ())?,
        }
    }
    Ok(())
}

/// Moves what is owed from the outbox to where it is worked on.
pub(super) fn relay(c: &Connection, now: Time, limit: usize) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = codec::all(c, "SELECT number, owe FROM outbox ORDER BY number LIMIT ?1", params![limit], |row| {
        let cells = codec::Cells { table: "outbox", row };
        Ok((cells.get::<i64>("number")?, cells.json::<Owe>("owe")?))
    })?;
    for (number, owe) in &rows {
        settle(c, now, owe)?;
        exec(c, "DELETE FROM outbox WHERE number = ?1", params![number])?;
    }
    Ok(rows.len())
}

fn settle(c: &Connection, now: Time, owe: &Owe) -> Result<(), StoreError> {
    match owe {
        Owe::Writeback { connector, record, subject, patience } => {
            let part = hash16(&[connector.as_bytes(), record.as_bytes()]).first().copied();
            let sql = "INSERT INTO writeback (connector, record, part, subject, wanted, written, state, due, tries, epoch, cause, updated_at) \
                       VALUES (?1, ?2, ?3, ?4, 1, 0, 'due', ?5, 0, 0, '', ?6) ON CONFLICT DO UPDATE SET wanted = wanted + 1, \
                       due = CASE WHEN state IN ('idle', 'dead') THEN ?5 WHEN state = 'due' AND tries = 0 THEN min(due, ?5) ELSE due END, tries = CASE WHEN state IN ('idle', 'dead') THEN 0 ELSE tries END, \
                       state = CASE WHEN state = 'flying' THEN 'flying' ELSE 'due' END";
            let subject = to_json(subject)?;
            exec(c, sql, params![connector, record, part, subject, (now + *patience).0, now.0])?;
            // Apart, since naming an indexed column in the statement above would write its index anew each time.
            exec(c, "UPDATE writeback SET subject = ?3 WHERE connector = ?1 AND record = ?2 AND subject <> ?3", params![connector, record, subject])?;
        }
        Owe::Announce { id, follower, kind, message, body } => {
            let sql = "INSERT OR IGNORE INTO announcement (id, part, follower, kind, message, body, state, due, tries, epoch, cause, created_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'due', ?7, 0, 0, '', ?7)";
            exec(c, sql, params![id, id.first(), follower, kind, message_key(*message), body, now.0])?;
        }
        Owe::Alert { kind, code, about, detail } => {
            let kind = if *kind == AlertKind::System { "system" } else { "customer" };
            let sql = "INSERT INTO alert (kind, code, about, detail, opened_at, last_at, times) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1) \
                       ON CONFLICT (code, about) WHERE closed_at IS NULL DO UPDATE SET detail = ?4, last_at = ?5, times = times + 1";
            exec(c, sql, params![kind, code, about, detail, now.0])?;
        }
        Owe::Case { code, address, message, detail, due } => {
            let sql = "INSERT OR IGNORE INTO case_ (code, address, message, detail, opened_at, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            exec(c, sql, params![code, address.0, message.map(message_key), detail, now.0, due.0])?;
        }
        Owe::CloseCase { code, message } => {
            exec(c, "UPDATE case_ SET closed_at = ?3 WHERE code = ?1 AND message = ?2 AND closed_at IS NULL", params![code, message_key(*message), now.0])?;
        }
    }
    Ok(())
}
