//! The promises, checked against what the fakes remember and what was committed.
//!
//! Its own file because a promise is checked without asking the code that keeps it: phones, callbacks and records are
//! the other side's own memory, hours are computed anew. Numbers are those of ARCHITECTURE.md.

pub(crate) mod hours;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::journey::Position;
use trunkline_core::message::{Delivery, Evidence};
use trunkline_core::purpose::Policy;
use trunkline_core::time::Time;
use trunkline_core::zone;
use trunkline_engine::verify::verify;
use trunkline_store::row::{Address, Message, Place};
use trunkline_store::{Store, StoreError};

use crate::carrier::{Carrier, proves};
use crate::crm::Crm;
use crate::watch::{Claim, Read};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise: `I1` to `I11`, `versions` (a run keeps the version that it began with), or `liveness`.
    pub invariant: &'static str,
    /// What happened.
    pub story: String,
}

impl Violation {
    /// Shorthand.
    pub fn new(invariant: &'static str, story: impl Into<String>) -> Violation {
        Violation { invariant, story: story.into() }
    }
}

/// I1: carriers accept each message at most once. Looks at the newest accepted call.
pub fn accepted_once(vendor: &Carrier, counts: &mut BTreeMap<MessageId, u32>, looked: &mut usize) -> Vec<Violation> {
    let mut found = Vec::new();
    for call in vendor.accepted().iter().skip(*looked) {
        let Some(attempt) = call.attempt.as_deref().and_then(|a| a.parse::<AttemptId>().ok()) else {
            found.push(Violation::new("I1", format!("{} was accepted without an attempt of ours", call.vendor_id)));
            continue;
        };
        let count = counts.entry(attempt.message).or_default();
        *count += 1;
        if *count > 1 {
            found.push(Violation::new("I1", format!("{} was accepted {count} times, last as {attempt}", attempt.message)));
        }
    }
    *looked = vendor.accepted().len();
    found
}

/// I3, I4, I9: a claim that should not have been committed.
pub fn claim_allowed(claim: &Claim, address: Option<&Address>) -> Vec<Violation> {
    let mut found = Vec::new();
    if claim.after_stop {
        found.push(Violation::new("I3", format!("{} was claimed after its address had opted out", claim.attempt)));
    }
    if claim.after_cancel {
        found.push(Violation::new("I3", format!("{} was claimed after an event had ended its run", claim.attempt)));
    }
    if let Some(earlier) = claim.ahead_of {
        found.push(Violation::new("I9", format!("{} was claimed while {earlier} of the same run had not left", claim.attempt)));
    }
    let intent = &claim.message.intent;
    if claim.at >= intent.deadline {
        found.push(Violation::new("I4", format!("{} was claimed at {} after its deadline {}", claim.attempt, claim.at, intent.deadline)));
    }
    if let (Some(window), Some(address), false) = (Policy::default_for(intent.purpose).window, address, intent.origin.exempt()) {
        for name in &address.zones {
            let Some(tz) = zone::zone(name) else { continue };
            let local = claim.at.timestamp().to_zoned(tz).time();
            if local < window.start || local >= window.end {
                found.push(Violation::new("I4", format!("{} was claimed at {local} in {name}, outside {window}", claim.attempt)));
            }
        }
    }
    found
}

/// I6: a receipt proves what its word says, and a word that nobody knows proves nothing.
pub fn receipt_read(read: &Read) -> Option<Violation> {
    let proof = proves(&read.word);
    let story = || format!("a receipt '{}' of {} was taken to prove {:?}, and proves {proof:?}", read.word, read.attempt, read.evidence);
    (read.evidence != proof).then(|| Violation::new("I6", story()))
}

/// I4 by the rules of jurisdictions: a claim outside of their hours or beyond a cap. `earlier` are the claims of its
/// address so far, this one among them.
pub fn claim_lawful(claim: &Claim, earlier: &[Claim], address: Option<&Address>) -> Vec<Violation> {
    let Some(home) = hours::home_of(address) else { return Vec::new() };
    hours::permitted(claim, home).into_iter().chain(hours::below_caps(claim, earlier, home)).collect()
}

/// What callbacks proved, by attempt: the highest of what was delivered and acknowledged.
pub type Proved = BTreeMap<AttemptId, Evidence>;

/// Everything that must hold when nothing is left to do. `events` are those that were acknowledged.
pub async fn at_rest(store: &dyn Store, vendor: &Carrier, crm: &Crm, proved: &Proved, events: &BTreeSet<String>, now: Time) -> Result<Vec<Violation>, StoreError> {
    let mut found = Vec::new();
    let report = verify(store, |_| {}).await?;
    found.extend(
        report.first.iter().map(|d| Violation::new(if d.field == "counter" { "I11" } else { "I5" }, format!("{} {}: stored {} folded {}", d.row, d.field, d.stored, d.folded))),
    );
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let page = store.messages_after(messages.last().map(|m| m.id), 500).await?;
        if page.is_empty() {
            break;
        }
        messages.extend(page);
    }
    let shown: BTreeSet<MessageId> = store.cases(1_000_000).await?.into_iter().filter_map(|case| case.message).collect();
    for message in &messages {
        let unclear = message.state.delivery() == Delivery::Unknown && !shown.contains(&message.id);
        if message.state.delivery().blocks() || unclear {
            found.push(Violation::new("I8", format!("{} is still {} at {now}", message.id, message.state.delivery().word())));
        }
        found.extend(evidence(message, proved));
        found.extend(record(message, crm));
    }
    found.extend(events_and_runs(store, events).await?);
    found.extend(contacts(store, crm).await?);
    found.extend(phones(vendor, &messages));
    for (queue, rows) in store.backlog().await?.into_iter().filter(|(_, rows)| *rows > 0) {
        found.push(Violation::new("liveness", format!("{rows} rows are left in '{queue}'")));
    }
    found.extend(store.dead(100).await?.into_iter().map(|d| Violation::new("liveness", format!("{} {} gave up: {}", d.kind, d.id, d.cause))));
    Ok(found)
}

/// I6: the message's evidence is what the acknowledged callbacks prove, in whatever order they came.
fn evidence(message: &Message, proved: &Proved) -> Option<Violation> {
    let from_callbacks = message.state.attempts.iter().filter_map(|a| proved.get(&AttemptId { message: message.id, n: a.n })).max().copied();
    let from_answers = message.state.attempts.iter().any(|a| matches!(a.outcome, Some(trunkline_core::outcome::Outcome::Accepted { .. }))).then_some(Evidence::Accepted);
    let expect = from_callbacks.max(from_answers);
    (message.state.evidence() != expect).then(|| Violation::new("I6", format!("{} has evidence {:?}, the callbacks prove {expect:?}", message.id, message.state.evidence())))
}

/// I10: the CRM's record of a message says what we say, unless it dropped the last write and said that it had not.
fn record(message: &Message, crm: &Crm) -> Option<Violation> {
    let key = format!("messages/{}", message.id);
    if crm.lied(&key) {
        return None;
    }
    let theirs = crm.records().get(&key).and_then(|r| r.get("status")).and_then(|s| s.as_str());
    (theirs != Some(message.state.word())).then(|| Violation::new("I10", format!("the CRM has {theirs:?} for {}, we have '{}'", message.id, message.state.word())))
}

/// I10: the CRM's record of a number says whether it opted out, likewise. I3: its texts were heard as what they say.
async fn contacts(store: &dyn Store, crm: &Crm) -> Result<Vec<Violation>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.addresses_after(after, 500).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        for address in page.iter().filter(|a| matches!(a.place, Place::Sms(_))) {
            found.extend(store.inbound_of(address.id, 1_000).await?.iter().filter_map(words::misread));
            let key = format!("contacts/{}", address.id);
            if crm.lied(&key) {
                continue;
            }
            let theirs = crm.records().get(&key).and_then(|r| r.get("sms_opted_out")).and_then(serde_json::Value::as_bool);
            let ours = address.consent.stopped.is_some();
            if theirs.unwrap_or(false) != ours {
                found.push(Violation::new("I10", format!("the CRM has opted_out {theirs:?} for {}, we have {ours}", address.id)));
            }
        }
    }
}

/// I2, I7 and I8: what was acknowledged is there, once, and came to an end.
async fn events_and_runs(store: &dyn Store, acknowledged: &BTreeSet<String>) -> Result<Vec<Violation>, StoreError> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.events_after(after, 500).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for event in &page {
            let (source, id) = (&event.mapped.event.source, &event.mapped.event.id);
            if !known.insert(id.clone()) {
                found.push(Violation::new("I7", format!("event {id} of {source} is in the store more than once")));
            }
            if event.fate.is_none() {
                found.push(Violation::new("I8", format!("{} came to no end", event.id)));
            }
        }
    }
    found.extend(acknowledged.difference(&known).map(|id| Violation::new("I2", format!("event {id} was acknowledged and is not in the store"))));
    let mut after = None;
    loop {
        let page = store.runs_after(after, 500).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(page.iter().filter(|r| matches!(r.position, Position::At { .. })).map(|r| Violation::new("I8", format!("{} is still under way", r.id))));
    }
}

/// I1 from the other side: nothing is on a phone that we know nothing of, and nothing that we ended without sending.
fn phones(vendor: &Carrier, messages: &[Message]) -> Vec<Violation> {
    let known: BTreeMap<MessageId, &Message> = messages.iter().map(|m| (m.id, m)).collect();
    let mut found = Vec::new();
    for text in vendor.texts().iter().filter(|t| !t.vendor_own) {
        let attempt = text.attempt.as_deref().and_then(|a| a.parse::<AttemptId>().ok());
        match attempt.and_then(|a| known.get(&a.message).map(|m| (a, *m))) {
            None => found.push(Violation::new("I1", format!("{} is on a phone and is no message of ours", text.vendor_id))),
            Some((attempt, message)) if !message.state.attempts.iter().any(|a| a.n == attempt.n) => {
                found.push(Violation::new("I2", format!("{attempt} is on a phone and was never recorded")));
            }
            Some(_) => {}
        }
    }
    found
}
