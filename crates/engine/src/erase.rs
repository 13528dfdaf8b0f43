//! Erasing a person: every text and every word about her goes, and the number stays suppressed.
//!
//! Its own file because it touches everything and must be done completely or not at all: it looks first, refuses while
//! something about the number is still to be worked on, and writes one unit, the mark at home last. What was erased
//! before is found erased, so that asking again completes what broke off. What is left of each record is decided by
//! `trunkline_core::erase`.

mod find;

use serde::{Deserialize, Serialize};
use serde_json::json;
use trunkline_core::consent::{ConsentAct, ConsentEntry, Source, Terms};
use trunkline_core::erase::{self, ERASED};
use trunkline_core::id::AddressId;
use trunkline_core::message::{self, Delivery, Event};
use trunkline_core::number::Number;
use trunkline_core::reason::Reason;
use trunkline_core::time::Time;
use trunkline_store::command::{Erased, Erasure, MessageChange};
use trunkline_store::row::{Address, AddressNews, Audit, HistoryEntry, Intent, Message, Place};
use trunkline_store::{Command, StoreError, Unit};

use crate::{Engine, Stage};
use find::Found;

/// How often it is looked again because something moved meanwhile.
const RELOADS: usize = 8;

/// What an erasure came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasing {
    /// Nothing is left.
    Done(Remains),
    /// Nothing was changed: these are to be worked on first.
    Busy(Vec<String>),
    /// Nothing is known of this address.
    Unknown,
}

/// What was erased, and what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// The address: the keyed hash by which the number stays suppressed.
    pub address: AddressId,
    /// When.
    pub erased_at: Time,
    /// Texts of ours, whose states are kept.
    pub texts: usize,
    /// Texts of hers.
    pub heard: usize,
    /// Entries of the ledger, whose acts and times are kept.
    pub entries: usize,
    /// Webhooks.
    pub webhooks: usize,
    /// Events.
    pub events: usize,
    /// Profiles.
    pub profiles: usize,
    /// Texts whose receipts may still come; their webhooks name the number, until it is erased once more.
    pub receipts_may_come: usize,
}

impl Engine {
    /// Erases whoever holds an address; `number` is what it is, if the caller knows it. `progress` is told how many rows
    /// were looked at.
    pub async fn erase(&self, id: AddressId, number: Option<&Number>, reason: &str, by: &str, mut progress: impl FnMut(u64) + Send) -> Result<Erasing, StoreError> {
        let mut done: Option<Remains> = None;
        for _ in 0..RELOADS {
            let Some(address) = self.store.addresses(&[id]).await?.pop() else { return Ok(Erasing::Unknown) };
            let known = match &address.place {
                Place::Sms(number) => Some(number.clone()),
                Place::NotANumber { .. } | Place::Nowhere | Place::Erased => number.cloned(),
            };
            let found = self.find(address, known, &mut progress).await?;
            if !found.busy.is_empty() {
                return Ok(done.map_or(Erasing::Busy(found.busy), Erasing::Done));
            }
            if found.nothing_is_left() {
                let at = found.address.consent.erased.unwrap_or_else(|| self.clock.now());
                return Ok(Erasing::Done(done.unwrap_or_else(|| found.remains(at))));
            }
            let now = self.clock.now();
            match self.commit(now, self.unit_of(&found, reason, by, now)).await {
                Ok(_) => {
                    let remains = found.remains(found.address.consent.erased.unwrap_or(now));
                    done = Some(done.map_or(remains.clone(), |before| before.and(&remains)));
                    self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Erasing::Busy(vec!["its records change faster than they are read".to_owned()]))
    }

    fn unit_of(&self, found: &Found, reason: &str, by: &str, now: Time) -> Unit {
        let digits = found.digits();
        let entry = ConsentEntry {
            act: ConsentAct::Erase,
            program: None,
            purpose: None,
            account: None,
            sender: None,
            evidence: erase::without(reason, digits),
            actor: by.to_owned(),
            occurred_at: now,
            recorded_at: now,
            terms: Terms::from_source(Source::Operator),
        };
        let entries = if found.address.consent.erased.is_none() { vec![entry] } else { Vec::new() };
        // What follows from the change is told without the number.
        let mut after = Address { place: Place::Erased, ..found.address.clone() };
        for entry in &entries {
            after.consent.apply(entry);
        }
        let canceled = self.cancel_all(found, &after, now);
        let mut commands = Vec::new();
        let mut guard_version = found.address.guard_version;
        if !entries.is_empty() || !canceled.is_empty() {
            let news = Box::new(AddressNews { entries: entries.clone(), inbound: None });
            // Systems that keep a copy of her preferences hear that she wants nothing, without the number.
            let owes = if entries.is_empty() { Vec::new() } else { self.owed_for_address(&after) };
            commands.push(Command::News { address: after.id, guard_version, news, messages: canceled.clone(), owes });
            guard_version += 1;
        }
        commands.extend(found.events.iter().map(|(id, mapped)| Command::EraseEvent(*id, Box::new(mapped.clone()))));
        commands.extend(found.hooks.iter().map(|id| Command::EraseHook(*id)));
        commands.extend(found.profiles.iter().map(|id| Command::EraseProfile(*id)));
        let detail = erase::without(reason, digits);
        commands.push(Command::Audit(Audit { number: 0, at: now, operator: by.to_owned(), act: "erased".to_owned(), about: after.id.to_string(), detail }));
        commands.extend(found.number.clone().map(Command::Redact));
        let ledger = found.ledger.iter().chain(&entries).map(erase::entry).collect();
        let messages = found.messages.iter().map(|(message, history)| {
            let change = canceled.iter().find(|change| change.message.id == message.id);
            without_words(message, history, change, digits, now)
        });
        commands.push(Command::EraseAddress(Box::new(Erasure { address: after.id, guard_version, ledger, messages: messages.collect() })));
        Unit(commands)
    }

    /// Texts that have not left are taken back.
    fn cancel_all(&self, found: &Found, after: &Address, now: Time) -> Vec<MessageChange> {
        let event = Event::Canceled { reason: Reason::CanceledBy { by: "an erasure".to_owned() } };
        let waiting = found.messages.iter().map(|(message, _)| message).filter(|m| m.state.claimable());
        waiting.filter_map(|message| self.change(message, event.clone(), None, after, now).ok()).collect()
    }
}

impl Remains {
    /// Both, where a second look found more.
    fn and(self, more: &Remains) -> Remains {
        Remains {
            texts: self.texts.max(more.texts),
            heard: self.heard.max(more.heard),
            entries: self.entries.max(more.entries),
            webhooks: self.webhooks + more.webhooks,
            events: self.events + more.events,
            profiles: self.profiles + more.profiles,
            ..self
        }
    }
}

/// A message told without words, after what the same unit does to it.
fn without_words(message: &Message, history: &[HistoryEntry], change: Option<&MessageChange>, digits: &str, now: Time) -> Erased {
    let mut events: Vec<(Event, Time)> = Vec::new();
    let mut bodies = Vec::new();
    let more = change.into_iter().flat_map(|change| &change.events).map(|(event, _)| event).zip(message.rev + 1..);
    let more = more.map(|(event, seq)| (seq, now, Some(event.clone())));
    let kept = history.iter().map(|entry| (entry.seq, entry.at, serde_json::from_value::<Event>(entry.body.clone()).ok()));
    for (seq, at, event) in kept.chain(more) {
        let event = event.map(|event| erase::event(&event, digits));
        // What nobody can read may hold words all the same.
        bodies.push((seq, event.as_ref().and_then(|e| serde_json::to_value(e).ok()).unwrap_or_else(|| json!({"kind": "erased"}))));
        events.extend(event.map(|event| (event, at)));
    }
    let state = message::fold(events.iter().map(|(event, at)| (event, *at))).unwrap_or_else(|| message.state.clone());
    let rev = message.rev + change.map_or(0, |change| i64::try_from(change.events.len()).unwrap_or(i64::MAX));
    let labels = message.intent.labels.iter().map(|(name, value)| (name.clone(), erase::without(value, digits))).collect();
    let intent = Intent { body: ERASED.to_owned(), written: None, labels, ..message.intent.clone() };
    Erased { message: Message { intent, state, rev, ..message.clone() }, history: bodies }
}

/// Whether a receipt may still come for a text of this state.
const fn may_hear(delivery: Delivery) -> bool {
    matches!(delivery, Delivery::Unknown | Delivery::Accepted | Delivery::Sent)
}
