//! Gaps in our intake, read and written.
//!
//! Its own file because both halves are small and belong to nothing else: opening widens what is open, and every other
//! change is a compare-and-set.

use rusqlite::{Connection, params};
use trunkline_core::gap::Cause;
use trunkline_core::time::Time;

use super::codec::{Cells, all, first, to_json};
use super::failed;
use super::write::{exec, inserted, matched};
use crate::StoreError;
use crate::command::Applied;
use crate::row::Gap;

pub(super) fn open(c: &Connection, gap: &Gap) -> Result<Applied, StoreError> {
    let sql = "INSERT INTO gap (account, since, opened_at, cause, holds, reading, read_at, tries, next_at, rev) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1) \
               ON CONFLICT DO UPDATE SET since = min(since, ?2), cause = ?4, holds = ?5, reading = ?6, read_at = ?7, tries = ?8, next_at = ?9, rev = rev + 1";
    let reading = to_json(&gap.reading)?;
    exec(c, sql, params![gap.account, gap.since.0, gap.opened_at.0, gap.cause.word(), gap.holds, reading, gap.read_at.0, gap.tries, gap.next_at.0]).map(inserted)
}

pub(super) fn put(c: &Connection, gap: &Gap) -> Result<Applied, StoreError> {
    let sql = "UPDATE gap SET holds = ?3, reading = ?4, read_at = ?5, tries = ?6, next_at = ?7, rev = rev + 1 WHERE account = ?1 AND rev = ?2";
    matched(exec(c, sql, params![gap.account, gap.rev, gap.holds, to_json(&gap.reading)?, gap.read_at.0, gap.tries, gap.next_at.0])?, "gap")
}

pub(super) fn close(c: &Connection, account: &str, rev: i64) -> Result<Applied, StoreError> {
    let found = first(c, "SELECT rev FROM gap WHERE account = ?1", params![account], |row| row.get::<_, i64>(0).map_err(failed))?;
    match found {
        None => Ok(Applied::Already),
        Some(_) => matched(exec(c, "DELETE FROM gap WHERE account = ?1 AND rev = ?2", params![account, rev])?, "gap"),
    }
}

pub(super) fn beat(c: &Connection, account: &str, at: Time) -> Result<Applied, StoreError> {
    exec(c, "INSERT INTO beat (account, at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at = ?2 WHERE at <> ?2", params![account, at.0]).map(inserted)
}

pub(super) fn gaps(c: &Connection) -> Result<Vec<Gap>, StoreError> {
    all(c, "SELECT * FROM gap ORDER BY account", [], |row| {
        let cells = Cells { table: "gap", row };
        let word: String = cells.get("cause")?;
        let unknown = || StoreError::Inconsistent { table: "gap", column: "cause", cause: word.clone() };
        Ok(Gap {
            account: cells.get("account")?,
            since: cells.time("since")?,
            opened_at: cells.time("opened_at")?,
            cause: Cause::ALL.into_iter().find(|cause| cause.word() == word).ok_or_else(unknown)?,
            holds: cells.get("holds")?,
            reading: cells.json("reading")?,
            read_at: cells.time("read_at")?,
            tries: cells.get("tries")?,
            next_at: cells.time("next_at")?,
            rev: cells.get("rev")?,
        })
    })
}

pub(super) fn beats(c: &Connection) -> Result<Vec<(String, Time)>, StoreError> {
    all(c, "SELECT account, at FROM beat ORDER BY account", [], |row| {
        let cells = Cells { table: "beat", row };
        Ok((cells.get("account")?, cells.time("at")?))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn oldest_inbound(c: &Connection, account: String) -> Result<Option<Time>, StoreError> {
    let sql = "SELECT min(received_at) FROM hook WHERE state = 'waiting' AND lane = 'inbound' AND name = ?1";
    let oldest = first(c, sql, params![account], |row| row.get::<_, Option<i64>>(0).map_err(failed))?;
    Ok(oldest.flatten().map(Time))
}
