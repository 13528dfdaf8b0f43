//! What can go wrong with a store, by what the caller should do about it.
//!
//! Its own file because the classes are the contract: reload on `Conflict`, come back on `Unavailable`, call an
//! engineer on `Inconsistent`.

/// A store's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the row first: load again and decide again.
    #[error("the {what} was changed meanwhile")]
    Conflict {
        /// Which row.
        what: &'static str,
    },
    /// Not now: the disk is full, the database is locked or away. Nothing was changed.
    #[error("the store is unavailable: {cause}")]
    Unavailable {
        /// What the database says.
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
