//! Rows of consent in files: read from CSV or NDJSON and checked whole, and written as they are read.
//!
//! Its own room because a file comes from people: a row that is wrong names its line and column and what would mend it,
//! and one wrong row keeps the whole file out. What a row's fate is, is decided here too; nothing is written here.

mod read;

use std::collections::BTreeSet;

use super::{ConsentAct, ConsentEntry, ConsentState};
use crate::csv;
use crate::id::hash16;
use crate::number::Number;

pub use read::{Reading, Rules, read};

/// The columns of a file, in the order in which they are written. Only `address`, `action`, `evidence` and `occurred_at`
/// must be there when it is read; `recorded_at` is read over, since we learn of it now.
pub const COLUMNS: [&str; 14] =
    ["address", "action", "program", "purpose", "channel", "basis", "source", "jurisdiction", "evidence", "occurred_at", "account", "sender", "actor", "recorded_at"];

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Values with commas between, names in the first line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RowProblem {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// The field; empty for the whole row.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl RowProblem {
    fn new((line, column): (usize, usize), field: &str, problem: impl Into<String>, fix: impl Into<String>) -> RowProblem {
        RowProblem { line, column, field: field.to_owned(), problem: problem.into(), fix: fix.into() }
    }
}

/// A row that is as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line.
    pub line: usize,
    /// The recipient.
    pub number: Number,
    /// What it adds to the ledger.
    pub entry: ConsentEntry,
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is added.
    New,
    /// The ledger says so already.
    Same,
    /// It would be a way around an opt-out.
    Refused {
        /// Which.
        why: String,
    },
}

/// Names an import by what its file says: the same file again is the same import.
pub fn import_id(bytes: &[u8]) -> String {
    format!("imp_{}", data_encoding::BASE32_NOPAD.encode(&hash16(&[b"consent-import", bytes])).to_ascii_lowercase())
}

/// Names what an entry says, however it came here: two entries of one name are one.
pub fn key(number: &Number, entry: &ConsentEntry) -> [u8; 16] {
    let act = if entry.act == ConsentAct::Import { ConsentAct::Grant } else { entry.act };
    let (purpose, basis) = (entry.purpose.map_or("", crate::purpose::Purpose::word), entry.terms.basis.map_or("", super::Basis::word));
    let pieces = [
        number.e164().to_owned(),
        act.word().to_owned(),
        text(entry.program.as_deref()),
        purpose.to_owned(),
        entry.terms.channel.word().to_owned(),
        basis.to_owned(),
        text(entry.account.as_deref()),
        text(entry.sender.as_deref()),
        entry.evidence.clone(),
        entry.occurred_at.to_string(),
    ];
    let bytes: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
    hash16(&bytes)
}

/// What becomes of a row where the ledger says `state` and has entries of these names.
pub fn fate(state: &ConsentState, known: &BTreeSet<[u8; 16]>, row: &Row) -> Fate {
    if known.contains(&key(&row.number, &row.entry)) {
        return Fate::Same;
    }
    let opens = matches!(row.entry.act, ConsentAct::Import | ConsentAct::Grant | ConsentAct::Confirm);
    match state.barred(&row.entry).filter(|_| opens || state.erased.is_some()) {
        Some(reason) => Fate::Refused { why: reason.to_string() },
        None if row.entry.act == ConsentAct::Start => Fate::Refused { why: "an import never lifts an opt-out: the recipient texts START".to_owned() },
        None => Fate::New,
    }
}

/// The first line of a file, where it has one.
pub fn head(format: Format) -> Option<String> {
    (format == Format::Csv).then(|| COLUMNS.join(","))
}

/// An entry as a line of a file.
pub fn line(format: Format, number: &Number, entry: &ConsentEntry) -> String {
    let terms = &entry.terms;
    let cells: [String; 14] = [
        number.e164().to_owned(),
        entry.act.word().to_owned(),
        text(entry.program.as_deref()),
        entry.purpose.map_or("", crate::purpose::Purpose::word).to_owned(),
        terms.channel.word().to_owned(),
        terms.basis.map_or("", super::Basis::word).to_owned(),
        terms.source.map_or("", super::Source::word).to_owned(),
        text(terms.jurisdiction.as_deref()),
        entry.evidence.clone(),
        entry.occurred_at.to_string(),
        text(entry.account.as_deref()),
        text(entry.sender.as_deref()),
        entry.actor.clone(),
        entry.recorded_at.to_string(),
    ];
    match format {
        Format::Csv => cells.iter().map(|cell| csv::quoted(cell)).collect::<Vec<_>>().join(","),
        Format::Ndjson => {
            let said = COLUMNS.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
            let fields: serde_json::Map<String, serde_json::Value> = said.map(|(name, cell)| ((*name).to_owned(), cell.into())).collect();
            serde_json::Value::Object(fields).to_string()
        }
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
