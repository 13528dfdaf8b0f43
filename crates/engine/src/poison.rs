//! Items that fail whenever they are worked on: told apart from their batch, tried a few times, put aside.
//!
//! Its own file because every queue needs it: a batch is read and decided together, so that one item with something wrong
//! about it would stop its queue for ever. What is worked on apart, and what putting aside means, is each stage's matter;
//! so is what is wrong with the store itself, which is nobody's poison.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use trunkline_store::StoreError;

use crate::Engine;

/// How often an item fails alone before it is put aside.
const TRIES: u32 = 5;

/// How often items failed, by name. Those that are put aside are forgotten, and so are all when the process ends.
#[derive(Default)]
pub(crate) struct Strikes(Mutex<BTreeMap<String, u32>>);

/// Whether an error is about what was worked on, and comes again as often as that is.
pub(crate) const fn poisonous(error: &StoreError) -> bool {
    matches!(error, StoreError::Inconsistent { .. })
}

impl Engine {
    /// An item failed alone: gives the cause when it is to be put aside, and the error if it is not the item's.
    pub(crate) fn failed_alone(&self, name: &str, error: StoreError) -> Result<Option<String>, StoreError> {
        if !poisonous(&error) {
            return Err(error);
        }
        let mut all = self.strikes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = all.entry(name.to_owned()).or_default();
        *failed += 1;
        if *failed < TRIES {
            tracing::warn!(%error, item = name, tries = *failed, "an item cannot be worked on; it is tried again");
            return Ok(None);
        }
        all.remove(name);
        Ok(Some(format!("it failed {TRIES} times: {error}")))
    }
}
