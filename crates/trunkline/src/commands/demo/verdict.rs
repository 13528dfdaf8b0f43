//! What the day came to: our records against the sandbox's own.
//!
//! Its own file because it is the promise, checked by joining two memories: what is on the phones and in the CRM, and
//! what the store says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use trunkline_core::consent::ConsentState;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::message::Delivery;
use trunkline_engine::Engine;
use trunkline_engine::verify::verify;
use trunkline_sim::http::{Sandbox, Snapshot};
use trunkline_store::row::{Event, Message, Place};
use trunkline_store::{Store, StoreError};

use crate::output;

/// The table at the end.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    events: usize,
    duplicates_dropped: i64,
    messages: BTreeMap<&'static str, usize>,
    texts_on_phones: usize,
    texts_twice: usize,
    texts_after_stop: usize,
    lost: usize,
    unknown_not_on_phone: usize,
    crm_records_equal: bool,
    verify_differences: u64,
    pub(super) ok: bool,
    #[serde(skip)]
    notes: Vec<String>,
}

impl Verdict {
    /// The first things that are not as promised, one a line.
    pub(super) fn complain(&self) {
        self.notes.iter().take(20).for_each(|n| output::complain(n));
    }

    pub(super) fn table(&self) {
        let states = self.messages.iter().map(|(state, n)| format!("{n} {state}")).collect::<Vec<_>>().join(", ");
        let row = |what: &str, value: String| vec![what.to_owned(), value];
        let rows = [
            row("source events taken", self.events.to_string()),
            row("duplicate webhooks dropped", self.duplicates_dropped.to_string()),
            row("messages", states),
            row("texts on phones", self.texts_on_phones.to_string()),
            row("texts on a phone twice", self.texts_twice.to_string()),
            row("texts after STOP", self.texts_after_stop.to_string()),
            row("lost", self.lost.to_string()),
            row("unclear and not on a phone", self.unknown_not_on_phone.to_string()),
            row("CRM equals our records", self.crm_records_equal.to_string()),
            row("differences found by verify", self.verify_differences.to_string()),
        ];
        output::table(&["THE DAY", ""], &rows);
        self.complain();
        output::say(if self.ok { "every promise was kept" } else { "A PROMISE WAS BROKEN" });
    }
}

pub(super) async fn reach(sandbox: &Sandbox, engine: &Engine) -> anyhow::Result<Verdict> {
    let store = engine.store.as_ref();
    let theirs = sandbox.snapshot();
    let (messages, events) = (all_messages(store).await?, all_events(store).await?);
    let known: BTreeMap<MessageId, &Message> = messages.iter().map(|m| (m.id, m)).collect();
    let mut notes = Vec::new();

    let mut on_phones: BTreeMap<MessageId, usize> = BTreeMap::new();
    let mut strangers = 0;
    let mut after_stop = 0;
    for text in theirs.texts.iter().filter(|t| !t.vendor_own) {
        let attempt = text.attempt.as_deref().and_then(|a| a.parse::<AttemptId>().ok());
        match attempt.and_then(|a| known.get(&a.message).map(|m| (a, *m))) {
            None => strangers += 1,
            Some((attempt, message)) => {
                *on_phones.entry(attempt.message).or_default() += 1;
                if was_stopped(store, message, attempt).await? {
                    after_stop += 1;
                    notes.push(format!("{attempt} was claimed after its recipient's STOP was applied"));
                }
            }
        }
    }
    let lost = strangers + lost_events(&theirs, &events, &mut notes) + stuck(&messages, engine, &mut notes);
    let crm_records_equal = crm_equal(store, &theirs, &messages, &mut notes).await?;
    let report = verify(store, |_| {}).await?;
    notes.extend(report.first.iter().map(|d| format!("{} {}: stored {} folded {}", d.row, d.field, d.stored, d.folded)));
    let counters = store.counters("").await?;
    let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
    for message in &messages {
        *states.entry(message.state.delivery().word()).or_default() += 1;
    }
    let texts_twice = on_phones.values().filter(|n| **n > 1).count();
    let unknown_not_on_phone = messages.iter().filter(|m| m.state.delivery() == Delivery::Unknown && !on_phones.contains_key(&m.id)).count();
    let ok = texts_twice == 0 && after_stop == 0 && lost == 0 && crm_records_equal && report.differences == 0;
    Ok(Verdict {
        events: events.len(),
        duplicates_dropped: counters.iter().filter(|c| c.name == "event.duplicate").map(|c| c.value).sum(),
        messages: states,
        texts_on_phones: on_phones.values().sum(),
        texts_twice,
        texts_after_stop: after_stop,
        lost,
        unknown_not_on_phone,
        crm_records_equal,
        verify_differences: report.differences,
        ok,
        notes,
    })
}

/// Whether an attempt was claimed while the ledger, as it was recorded then, said stop.
async fn was_stopped(store: &dyn Store, message: &Message, attempt: AttemptId) -> Result<bool, StoreError> {
    let Some(claimed) = message.state.attempts.iter().find(|a| a.n == attempt.n).map(|a| a.claimed_at) else { return Ok(false) };
    let ledger = store.ledger(message.intent.address).await?;
    let state = ConsentState::fold(ledger.iter().filter(|e| e.recorded_at < claimed));
    Ok(state.stopped.is_some() && !message.intent.origin.exempt())
}

/// Orders and shipments of the shop that did not become events with a fate.
fn lost_events(theirs: &Snapshot, events: &[Event], notes: &mut Vec<String>) -> usize {
    let ended: BTreeSet<&str> = events.iter().filter(|e| e.fate.is_some()).filter_map(|e| e.mapped.event.id.split(':').next()).collect();
    let sent = theirs.orders.iter().flat_map(|o| std::iter::once(&o.event_id).chain(&o.shipment_event_ids));
    let missing: Vec<&String> = sent.filter(|id| !ended.contains(id.as_str())).collect();
    notes.extend(missing.iter().map(|id| format!("event {id} of the shop came to no end")));
    missing.len()
}

/// Messages that should have moved and did not.
fn stuck(messages: &[Message], engine: &Engine, notes: &mut Vec<String>) -> usize {
    let now = engine.clock.now();
    let stuck =
        |m: &&Message| m.state.delivery() == Delivery::Dispatched || (m.state.delivery().blocks() && m.state.due.is_some_and(|d| d + trunkline_core::time::Span::hours(1) < now));
    let found: Vec<&Message> = messages.iter().filter(stuck).collect();
    notes.extend(found.iter().map(|m| format!("{} is stuck as {}", m.id, m.state.delivery().word())));
    found.len()
}

async fn crm_equal(store: &dyn Store, theirs: &Snapshot, messages: &[Message], notes: &mut Vec<String>) -> Result<bool, StoreError> {
    let mut equal = true;
    for message in messages {
        let status = theirs.crm.get(&format!("messages/{}", message.id)).and_then(|r| r.get("status")).and_then(|s| s.as_str());
        if status != Some(message.state.word()) {
            equal = false;
            notes.push(format!("the CRM has {status:?} for {}, we have '{}'", message.id, message.state.word()));
        }
    }
    let mut after = None;
    loop {
        let page = store.addresses_after(after, 500).await?;
        let Some(last) = page.last() else { return Ok(equal) };
        after = Some(last.id);
        for address in page.iter().filter(|a| matches!(a.place, Place::Sms(_))) {
            let record = theirs.crm.get(&format!("contacts/{}", address.id)).and_then(|r| r.get("sms_opted_out")).and_then(serde_json::Value::as_bool);
            if record.unwrap_or(false) != address.consent.stopped.is_some() {
                equal = false;
                notes.push(format!("the CRM has opted_out {record:?} for {}", address.id));
            }
        }
    }
}

async fn all_messages(store: &dyn Store) -> Result<Vec<Message>, StoreError> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let page = store.messages_after(all.last().map(|m| m.id), 1_000).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn all_events(store: &dyn Store) -> Result<Vec<Event>, StoreError> {
    let mut all: Vec<Event> = Vec::new();
    loop {
        let page = store.events_after(all.last().map(|e| e.id), 1_000).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
