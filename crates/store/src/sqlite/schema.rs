//! Opening: pragmas and migrations.
//!
//! Its own file because what durability rests on (WAL, synchronous=FULL, no checkpoint on the writer's path) should
//! be read in one place. Migrations go forward only, inside one transaction, checked by number and name.

use rusqlite::{Connection, params};

use super::failed;
use crate::StoreError;

const MIGRATIONS: [(i64, &str, &str); 2] =
    [(1, "main", include_str!("../../migrations/sqlite/0001_main.sql")), (2, "lists", include_str!("../../migrations/sqlite/0002_lists.sql"))];

/// How long a connection waits for another one.
pub(super) const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(failed)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF;")
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

pub(super) fn configure_reader(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

/// Brings the tables up to date; `key` is the installation key of a new store, drawn if not given.
pub(super) fn migrate(connection: &mut Connection, key: Option<[u8; 32]>) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL)").map_err(failed)?;
    let newest: i64 = transaction.query_row("SELECT ifnull(max(number), 0) FROM migration", [], |row| row.get(0)).map_err(failed)?;
    let known = MIGRATIONS.last().map_or(0, |m| m.0);
    if newest > known {
        let cause = format!("the file was written by a newer version (schema {newest}, this one knows {known}): run that version, or restore a backup");
        return Err(StoreError::Unavailable { cause });
    }
    for (number, name, sql) in MIGRATIONS.iter().filter(|m| m.0 > newest) {
        transaction.execute_batch(sql).map_err(failed)?;
        transaction.execute("INSERT INTO migration (number, name) VALUES (?1, ?2)", params![number, name]).map_err(failed)?;
    }
    match key {
        Some(key) => transaction.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('installation_key', ?1)", params![key.as_slice()]),
        None => transaction.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('installation_key', randomblob(32))", []),
    }
    .map_err(failed)?;
    transaction.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('epoch', 0)", []).map_err(failed)?;
    transaction.commit().map_err(failed)
}
