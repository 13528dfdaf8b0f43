//! What can go wrong with a store, by what the caller should do about it.
//!
//! Its own file because the classes are the contract: reload on `Conflict`, come back on `Busy`, `Full` and
//! `Unavailable`, call an engineer on `Inconsistent`.

/// A store's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the row first: load again and decide again.
    #[error("the {what} was changed meanwhile")]
    Conflict {
        /// Which row.
        what: &'static str,
    },
    /// Not now: more waits for the disk than it takes in time, or the database is locked. Nothing was changed; it passes
    /// by itself within seconds.
    #[error("the store is busy: {cause}")]
    Busy {
        /// What waits, or what the database says.
        cause: String,
    },
    /// There is no room, on the disk or up to the configured size. Nothing was changed; somebody must make room.
    #[error("the store is full: {cause}")]
    Full {
        /// What the database says, and what to do.
        cause: String,
    },
    /// Not now: the disk fails, the file is read-only or away. Nothing was changed; somebody should look.
    #[error("the store is unavailable: {cause}")]
    Unavailable {
        /// What the database says, and what to do.
        cause: String,
    },
    /// A row holds something impossible.
    #[error("table {table}, column {column}: {cause}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong.
        cause: String,
    },
}
