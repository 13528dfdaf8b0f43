//! What is kept of accounts, limits and routes from batch to batch.
//!
//! Apart from the other rows because these are few, belong to nobody's part, and are read all at once. What a body says is
//! for whoever writes it: the store compares revisions and looks at nothing else.

use super::Pause;

/// What a gauge is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GaugeKind {
    /// An account: its pace and its breaker.
    Account,
    /// A daily limit: what was used of it.
    Day,
    /// A route: whether any way of it is well.
    Route,
}

impl GaugeKind {
    /// All of them.
    pub const ALL: [GaugeKind; 3] = [GaugeKind::Account, GaugeKind::Day, GaugeKind::Route];

    /// The word in rows.
    pub const fn word(self) -> &'static str {
        match self {
            GaugeKind::Account => "account",
            GaugeKind::Day => "day",
            GaugeKind::Route => "route",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<GaugeKind> {
        GaugeKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauge {
    /// What it is about.
    pub kind: GaugeKind,
    /// Which one of these.
    pub name: String,
    /// What is kept, as JSON.
    pub body: String,
    /// Compared and bumped by each change; 0 for a new one.
    pub rev: i64,
}

/// Everything that says what may be called now, in one read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Accounts that are or were paused.
    pub pauses: Vec<Pause>,
    /// The gauges.
    pub gauges: Vec<Gauge>,
}
