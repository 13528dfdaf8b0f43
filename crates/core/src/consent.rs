//! Consent as an append-only ledger, and what it says: a fold, asked at a point in time.
//!
//! The module root: what an entry is, what the entries come to, when consent lapses, what was so at an instant, and rows
//! of files. The ledger is evidence: nothing here removes an entry. A STOP ends everything until a START; a START grants
//! nothing; a grant does not undo a STOP, since only the recipient's own word does. Opt-outs never lapse.

mod entry;
mod lapse;
mod state;

mod at;
pub mod rows;

pub use at::{Knowledge, Standing, at};
pub use entry::{Basis, Channel, ConsentAct, ConsentEntry, Source, Terms, is_jurisdiction};
pub use lapse::{Confirming, LAPSES, Lapse, LapseRule, lapse};
pub use state::{Block, ConsentState, Scoped, Since, overtaken};

#[cfg(test)]
mod tests;
