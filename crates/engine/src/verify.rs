//! Recompute every projection from its history and compare.
//!
//! Its own file because it is the proof that state can be rebuilt: messages from their events, consent from the
//! ledger, counters from the rows. It changes nothing.

use serde::{Deserialize, Serialize};
use trunkline_core::consent::ConsentState;
use trunkline_core::message::{self, Event};
use trunkline_core::time::Time;
use trunkline_store::row::Message;
use trunkline_store::{Store, StoreError};

/// One place where a projection differs from its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The row.
    pub row: String,
    /// The field.
    pub field: String,
    /// What the row says.
    pub stored: String,
    /// What its history says.
    pub folded: String,
}

/// What was looked at and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Messages looked at.
    pub messages: u64,
    /// Addresses looked at.
    pub addresses: u64,
    /// Runs looked at.
    pub runs: u64,
    /// Counters looked at.
    pub counters: u64,
    /// How many differences there are.
    pub differences: u64,
    /// The first hundred of them.
    pub first: Vec<Difference>,
}

impl Report {
    fn compare(&mut self, row: &str, field: &str, stored: &str, folded: &str) {
        if stored == folded {
            return;
        }
        self.differences += 1;
        if self.first.len() < 100 {
            let clip = |text: &str| text.chars().take(400).collect();
            self.first.push(Difference { row: row.to_owned(), field: field.to_owned(), stored: clip(stored), folded: clip(folded) });
        }
    }
}

const PAGE: usize = 500;

/// Verifies a whole store; `progress` is told how many rows were looked at. On a store that is being written to, rows
/// that move while they are read are read again.
pub async fn verify(store: &dyn Store, mut progress: impl FnMut(u64) + Send) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut after = None;
    loop {
        let page = store.messages_after(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for message in &page {
            check_message(store, message, &mut report).await?;
        }
        report.messages += page.len() as u64;
        progress(report.messages);
    }
    let mut after = None;
    loop {
        let page = store.addresses_after(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for address in &page {
            let folded = ConsentState::fold(&store.ledger(address.id).await?);
            report.compare(&address.id.to_string(), "consent", &json(&address.consent), &json(&folded));
        }
        report.addresses += page.len() as u64;
        progress(report.messages + report.addresses);
    }
    check_runs(store, &mut report).await?;
    check_counters(store, &mut report).await?;
    Ok(report)
}

async fn check_message(store: &dyn Store, message: &Message, report: &mut Report) -> Result<(), StoreError> {
    let mut message = message.clone();
    for _ in 0..4 {
        let entries = store.history(&message.id.bytes()).await?;
        if i64::try_from(entries.len()).ok() != Some(message.rev) {
            // It moved between the two reads, or its history has a hole: look once more to tell.
            match store.messages(&[message.id]).await?.pop() {
                Some(newer) if newer.rev != message.rev => {
                    message = newer;
                    continue;
                }
                _ => report.compare(&message.id.to_string(), "rev", &message.rev.to_string(), &entries.len().to_string()),
            }
        }
        let mut events: Vec<(Event, Time)> = Vec::new();
        for entry in entries {
            match serde_json::from_value::<Event>(entry.body) {
                Ok(event) => events.push((event, entry.at)),
                Err(error) => report.compare(&message.id.to_string(), "history", "an entry that cannot be read", &error.to_string()),
            }
        }
        let folded = message::fold(events.iter().map(|(e, at)| (e, *at)));
        report.compare(&message.id.to_string(), "state", &json(&Some(&message.state)), &json(&folded.as_ref()));
        return Ok(());
    }
    Ok(())
}

async fn check_runs(store: &dyn Store, report: &mut Report) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.runs_after(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for run in &page {
            let newest = store.history(&run.id.bytes()).await?.pop();
            let folded = newest.as_ref().and_then(|e| e.body.get("position")).cloned().unwrap_or_default();
            if newest.is_none_or(|e| e.seq == run.rev) {
                report.compare(&run.id.to_string(), "position", &serde_json::to_value(&run.position).unwrap_or_default().to_string(), &folded.to_string());
            }
        }
        report.runs += page.len() as u64;
    }
}

async fn check_counters(store: &dyn Store, report: &mut Report) -> Result<(), StoreError> {
    for _ in 0..3 {
        let counted = |rows: Vec<trunkline_store::row::Counter>| rows.into_iter().filter(|c| c.name.starts_with("message.") && c.value != 0).collect::<Vec<_>>();
        let (kept, recount) = (counted(store.counters("").await?), counted(store.recount().await?));
        report.counters = kept.len() as u64;
        // Counters of a busy store move between the two reads: only a difference that stays is one.
        if kept == recount {
            return Ok(());
        }
        let again = counted(store.counters("").await?);
        if again == kept {
            for counter in kept.iter().filter(|c| !recount.contains(c)) {
                let other = recount.iter().find(|r| r.day == counter.day && r.name == counter.name).map_or(0, |r| r.value);
                report.compare(&format!("{} {}", counter.day, counter.name), "counter", &counter.value.to_string(), &other.to_string());
            }
            for counter in recount.iter().filter(|c| !kept.iter().any(|k| k.day == c.day && k.name == c.name)) {
                report.compare(&format!("{} {}", counter.day, counter.name), "counter", "0", &counter.value.to_string());
            }
            return Ok(());
        }
    }
    Ok(())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
