//! The cases of the contract, one file a topic, and what they share.
//!
//! Its own file because `main.rs` says only which cases run where. `reopen`, `full` and `names` are tests of their own:
//! one is about files, one about a limit that only this backend has, the other reads the sources.

pub(crate) mod support;

pub(crate) mod access;
pub(crate) mod consent;
pub(crate) mod erasure;
pub(crate) mod events;
pub(crate) mod gaps;
pub(crate) mod hooks;
pub(crate) mod lists;
pub(crate) mod messages;
pub(crate) mod outward;
pub(crate) mod owes;
pub(crate) mod pages;
pub(crate) mod people;
pub(crate) mod runs;
pub(crate) mod units;
pub(crate) mod work;
pub(crate) mod writeback;

mod full;
mod names;
mod reopen;
