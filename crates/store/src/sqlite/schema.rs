//! Opening: pragmas and migrations.
//!
//! Its own file because what durability rests on (WAL, synchronous=FULL, no checkpoint on the writer's path) should
//! be read in one place. Migrations go forward only, inside one transaction, checked by number and name.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::failed;
use crate::StoreError;

const MIGRATIONS: [(i64, &str, &str); 7] = [
    (1, "main", include_str!("../../migrations/sqlite/0001_main.sql")),
    (2, "lists", include_str!("../../migrations/sqlite/0002_lists.sql")),
    (3, "layout", include_str!("../../migrations/sqlite/0003_layout.sql")),
    (4, "gaps", include_str!("../../migrations/sqlite/0004_gaps.sql")),
    (5, "gauges", include_str!("../../migrations/sqlite/0005_gauges.sql")),
    (6, "dead_runs", include_str!("../../migrations/sqlite/0006_dead_runs.sql")),
    (7, "hours", include_str!("../../migrations/sqlite/0007_hours.sql")),
];

/// How long a connection waits for another one.
pub(super) const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(failed)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF;")
        .map_err(failed)?;
    keep_plans(connection)
}

/// Statements are planned once. Without the planner's stability guarantee, SQLite plans a statement anew whenever a
/// value is bound that might change its plan, and `LIMIT ?` is such a place: half of the time went there.
pub(super) fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(256);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed).map(drop)
}

pub(super) fn configure_reader(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;").map_err(failed)?;
    keep_plans(connection)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A store as an older version left it.
    fn older(upto: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL)").unwrap();
        for (number, name, sql) in MIGRATIONS.iter().take(upto) {
            connection.execute_batch(sql).unwrap();
            connection.execute("INSERT INTO migration (number, name) VALUES (?1, ?2)", params![number, name]).unwrap();
        }
        connection
    }

    #[test]
    fn rows_survive_a_new_layout() {
        let mut connection = older(2);
        for (id, state) in [("02", "b"), ("01", "a")] {
            let rows = format!(
                "INSERT INTO message (id, part, address, run, intent, state, work, delivery, due, rev, created_at, updated_at, journey) \
                 VALUES (x'{id}', 1, x'0a', x'0b', '{{\"account\":\"main\",\"sender\":\"s{id}\",\"purpose\":\"otp\"}}', '{state}', 'queued', 'queued', 5, 1, 6, 7, 'j'); \
                 INSERT INTO run (id, part, journey, version, profile, correlation, event, position, due, rev, step, started_at, entry) \
                 VALUES (x'{id}', 1, 'j', 2, x'0c', 'c', x'0d', '{state}', 3, 4, 's', 9, x'{id}'); \
                 INSERT INTO writeback VALUES ('crm', '{id}', 1, 's', 2, 1, 'due', 5, 0, 0, '{state}', 8);"
            );
            connection.execute_batch(&rows).unwrap();
        }
        migrate(&mut connection, None).unwrap();
        let texts = |sql: &str| -> Vec<String> { connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect() };
        assert_eq!(texts("SELECT hex(id) || state || journey || hex(run) || due || rev FROM message ORDER BY id"), ["01aj0B51", "02bj0B51"]);
        assert_eq!(texts("SELECT account || sender || priority FROM message ORDER BY id"), ["mains010", "mains020"]);
        assert_eq!(texts("SELECT hex(id) || position || step || started_at || hex(entry) FROM run ORDER BY id"), ["01as901", "02bs902"]);
        assert_eq!(texts("SELECT record || cause || wanted || updated_at FROM writeback ORDER BY record"), ["01a28", "02b28"]);
        // The indexes went with the old tables.
        for (table, count) in [("message", 9), ("run", 8), ("writeback", 5)] {
            let indexes: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1", [table], |row| row.get(0)).unwrap();
            assert_eq!(indexes, count, "{table}");
        }
    }

    #[test]
    fn a_newer_store_is_left_alone() {
        let mut connection = older(1);
        connection.execute("INSERT INTO migration (number, name) VALUES (999, 'later')", []).unwrap();
        let error = migrate(&mut connection, None).unwrap_err().to_string();
        assert!(error.contains("newer version") && error.contains("999"), "{error}");
    }
}
