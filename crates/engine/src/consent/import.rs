//! A file of consent: what would become of each row, and then the rows that are new.
//!
//! Apart from single statements because a file is large and may be interrupted. Every row is decided again in the moment
//! it is written, under the version of its address; a row that the ledger has is left out, so that the same file again
//! completes what broke off and doubles nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trunkline_core::consent::ConsentEntry;
use trunkline_core::consent::rows::{Fate, Row, fate, key};
use trunkline_core::id::AddressId;
use trunkline_core::number::Number;
use trunkline_store::row::{Address, Audit, Place};
use trunkline_store::{Command, StoreError, Unit};

use crate::{Engine, Stage};

/// How many addresses are decided and committed at once.
const BATCH: usize = 200;

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its line.
    pub line: usize,
    /// The recipient.
    pub number: Number,
    /// Its fate.
    pub fate: Fate,
}

/// How many rows came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imported {
    /// Added to the ledger.
    pub new: u64,
    /// There already.
    pub same: u64,
    /// Left out, since each would be a way around an opt-out.
    pub refused: u64,
}

impl Imported {
    fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::New => self.new += 1,
            Fate::Same => self.same += 1,
            Fate::Refused { .. } => self.refused += 1,
        }
    }
}

/// The rows of one address, in the order in which they happened.
type Group<'a> = (Address, Vec<&'a Row>);

/// The address as it is stored, and what becomes of each row.
type Fates<'a> = (Option<Address>, Vec<(&'a Row, Fate)>);

impl Engine {
    /// What would become of each row, in the order of the lines; nothing is changed. `progress` is told how many rows were
    /// looked at.
    pub async fn plan_import(&self, rows: &[Row], mut progress: impl FnMut(u64) + Send) -> Result<Vec<Planned>, StoreError> {
        let mut plan = Vec::with_capacity(rows.len());
        for batch in self.groups(rows).chunks(BATCH) {
            for (row, fate) in self.fates(batch).await?.into_iter().flat_map(|(_, fates)| fates) {
                plan.push(Planned { line: row.line, number: row.number.clone(), fate });
            }
            progress(plan.len() as u64);
        }
        plan.sort_by_key(|p| p.line);
        Ok(plan)
    }

    /// Adds the rows that are new. The beginning and the end of it are entries of the audit, so that an import that broke
    /// off is seen.
    pub async fn apply_import(&self, import: &str, by: &str, rows: &[Row], mut progress: impl FnMut(u64) + Send) -> Result<Imported, StoreError> {
        self.note_import(import, by, format!("begun: {} rows", rows.len())).await?;
        let mut done = Imported::default();
        for batch in self.groups(rows).chunks(BATCH) {
            let mut left: Vec<Group<'_>> = batch.to_vec();
            while !left.is_empty() {
                left = self.import_batch(left, &mut done).await?;
            }
            progress(done.new + done.same + done.refused);
        }
        self.note_import(import, by, format!("finished: {} new, {} there already, {} refused", done.new, done.same, done.refused)).await?;
        self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
        Ok(done)
    }

    /// Commits one batch; gives back the addresses that somebody else changed meanwhile.
    async fn import_batch<'a>(&self, batch: Vec<Group<'a>>, done: &mut Imported) -> Result<Vec<Group<'a>>, StoreError> {
        let now = self.clock.now();
        let decided = self.fates(&batch).await?;
        let mut units = Vec::with_capacity(batch.len());
        for ((known, fates), (fresh, _)) in decided.iter().zip(&batch) {
            let entries: Vec<ConsentEntry> = fates.iter().filter(|(_, fate)| *fate == Fate::New).map(|(row, _)| ConsentEntry { recorded_at: now, ..row.entry.clone() }).collect();
            let mut commands = Vec::new();
            if !entries.is_empty() {
                if known.is_none() {
                    commands.push(Command::PutAddress(Box::new(fresh.clone())));
                }
                commands.push(self.said(known.as_ref().unwrap_or(fresh), entries).0);
            }
            units.push(Unit(commands));
        }
        let landed = self.commit_all(now, "consent import", units).await?;
        let mut again = Vec::new();
        for ((group, (_, fates)), landed) in batch.into_iter().zip(&decided).zip(landed) {
            if landed {
                for (_, fate) in fates {
                    done.count(fate);
                }
            } else {
                again.push(group);
            }
        }
        Ok(again)
    }

    /// The rows by address, each with the address as it is made if there is none.
    fn groups<'a>(&self, rows: &'a [Row]) -> Vec<Group<'a>> {
        let mut groups: BTreeMap<AddressId, Group<'a>> = BTreeMap::new();
        for row in rows {
            let address = self.address_of(Some(row.number.e164()), None, "");
            groups.entry(address.id).or_insert_with(|| (address, Vec::new())).1.push(row);
        }
        let mut groups: Vec<Group<'a>> = groups.into_values().collect();
        for (_, rows) in &mut groups {
            rows.sort_by_key(|row| row.entry.occurred_at);
        }
        groups
    }

    /// What becomes of each row of some addresses, after the rows before it; with the address as it is stored.
    async fn fates<'a>(&self, groups: &[Group<'a>]) -> Result<Vec<Fates<'a>>, StoreError> {
        let stored = self.store.addresses(&groups.iter().map(|(address, _)| address.id).collect::<Vec<_>>()).await?;
        let mut all = Vec::with_capacity(groups.len());
        for (fresh, rows) in groups {
            let known = stored.iter().find(|a| a.id == fresh.id).cloned();
            let ledger = if known.is_some() { self.store.ledger(fresh.id).await? } else { Vec::new() };
            let mut keys: BTreeSet<[u8; 16]> = match &fresh.place {
                Place::Sms(number) => ledger.iter().map(|entry| key(number, entry)).collect(),
                Place::NotANumber { .. } | Place::Nowhere | Place::Erased => BTreeSet::new(),
            };
            let mut consent = known.as_ref().unwrap_or(fresh).consent.clone();
            let mut fates = Vec::with_capacity(rows.len());
            for row in rows {
                let fate = fate(&consent, &keys, row);
                if fate == Fate::New {
                    consent.apply(&row.entry);
                    keys.insert(key(&row.number, &row.entry));
                }
                fates.push((*row, fate));
            }
            all.push((known, fates));
        }
        Ok(all)
    }

    async fn note_import(&self, import: &str, by: &str, detail: String) -> Result<(), StoreError> {
        let now = self.clock.now();
        let audit = Audit { number: 0, at: now, operator: by.to_owned(), act: "imported".to_owned(), about: import.to_owned(), detail };
        self.commit(now, Unit::one(Command::Audit(audit))).await.map(|_| ())
    }
}
