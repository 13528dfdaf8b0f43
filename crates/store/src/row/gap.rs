//! Rows about gaps in our intake: since when an account's webhooks may have been lost, and how far that is made up for.
//!
//! Its own file because a gap is about no text and no person. What is read of the vendor's lists becomes hooks.

use trunkline_core::gap::{Cause, Reading};
use trunkline_core::time::Time;

/// A time in which an account's webhooks may have been lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The account.
    pub account: String,
    /// From when on the vendor's lists are read.
    pub since: Time,
    /// When it was opened first.
    pub opened_at: Time,
    /// Why it was opened last.
    pub cause: Cause,
    /// Whether the account's texts wait for it.
    pub holds: bool,
    /// How far its lists are read.
    pub reading: Reading,
    /// When a page was filed last.
    pub read_at: Time,
    /// How often in a row a page could not be read.
    pub tries: u32,
    /// When it is looked at next.
    pub next_at: Time,
    /// Compared and bumped by each change.
    pub rev: i64,
}

impl Gap {
    /// One that is opened now, to be read from its beginning.
    pub fn opened(account: &str, since: Time, cause: Cause, now: Time) -> Gap {
        let reading = Reading::begin(false);
        Gap { account: account.to_owned(), since, opened_at: now, cause, holds: true, reading, read_at: now, tries: 0, next_at: now, rev: 1 }
    }
}
