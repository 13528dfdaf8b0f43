//! What a change of a message or address owes: write-backs, alerts, cases.
//!
//! Its own file because every stage that changes a state must owe the same for it. It decides nothing about texts.

use trunkline_connectors::crm::declared::About;
use trunkline_core::erase::ERASED;
use trunkline_core::id::{MessageId, hash16};
use trunkline_core::message::{self, Delivery, Event, Ignored, State, Work};
use trunkline_core::owe::{AlertKind, Owe, Subject};
use trunkline_core::reason::Reason;
use trunkline_core::time::{Span, Time};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Intent, Message, Place};

use crate::Engine;
use crate::explain::because;
use crate::facts::{address_facts, message_facts};

/// How soon somebody should look at whom a loop went to.
const LOOK_AT_LOOPS: Span = Span::hours(1);

/// The code of the case that a text of unknown fate gets.
pub(crate) const UNCLEAR: &str = "unclear_send";

impl Engine {
    /// A new message in its first state.
    pub(crate) fn make(&self, id: MessageId, intent: Intent, event: Event, address: &Address, now: Time) -> Result<MessageChange, Ignored> {
        let state = message::apply(None, &event, now)?;
        // Of a text to somebody who was erased only the fact that it was suppressed is kept.
        let intent = if address.consent.erased.is_some() { Intent { body: ERASED.to_owned(), written: None, ..intent } } else { intent };
        let message = Message { id, intent, state, rev: 0, updated_at: now };
        let owes = self.owed(None, &message, address);
        Ok(MessageChange { message, events: vec![(event, None)], owes, guard: None, sends: None })
    }

    /// A message after an event, with what that owes.
    pub(crate) fn change(&self, before: &Message, event: Event, dedupe: Option<[u8; 16]>, address: &Address, now: Time) -> Result<MessageChange, Ignored> {
        let state = message::apply(Some(&before.state), &event, now)?;
        let message = Message { state, updated_at: now, ..before.clone() };
        let owes = self.owed(Some(&before.state), &message, address);
        Ok(MessageChange { message, events: vec![(event, dedupe)], owes, guard: None, sends: None })
    }

    fn owed(&self, before: Option<&State>, message: &Message, address: &Address) -> Vec<Owe> {
        let mut owes = Vec::new();
        // An attempt in the air is soon something else: nobody is told of it.
        let moved = before.is_none_or(|b| b.word() != message.state.word() || b.delivery() != message.state.delivery());
        if moved && message.state.delivery() != Delivery::Dispatched {
            owes.extend(self.announcements(before, message, address));
            owes.extend(self.writebacks(About::Message, Subject::Message(message.id), patience(message.state.delivery()), || message_facts(message, Some(address))));
        }
        let was_unclear = before.is_some_and(|b| b.delivery() == Delivery::Unknown);
        if was_unclear && message.state.delivery() != Delivery::Unknown {
            owes.push(Owe::CloseCase { code: UNCLEAR.to_owned(), message: message.id });
        }
        owes.extend(looping(before, message, address));
        owes
    }

    /// What followers are to be told of a change.
    fn announcements(&self, before: Option<&State>, message: &Message, address: &Address) -> Vec<Owe> {
        if self.definitions.followers.is_empty() {
            return Vec::new();
        }
        let mut kinds = Vec::new();
        let (state, was) = (&message.state, before.map(State::delivery));
        if was != Some(state.delivery()) {
            kinds.push(format!("message.{}", state.delivery().word()));
        }
        let fresh = |now: Option<Time>, before: Option<Option<Time>>| now.is_some() && before.flatten().is_none();
        if fresh(state.flags.replied, before.map(|b| b.flags.replied)) {
            kinds.push("message.replied".to_owned());
        }
        if fresh(state.flags.opted_out, before.map(|b| b.flags.opted_out)) {
            kinds.push("message.opted_out".to_owned());
        }
        let mut owes = Vec::new();
        for kind in kinds {
            for follower in self.definitions.followers.iter().filter(|f| f.wants(&kind)) {
                let body = follower.body(&kind, message.updated_at, &announced(message, address, follower.reveal_numbers));
                let id = hash16(&[b"announce", follower.name.as_bytes(), &message.id.bytes(), &message.rev.to_be_bytes(), kind.as_bytes()]);
                owes.push(Owe::Announce { id, follower: follower.name.clone(), kind: kind.clone(), message: message.id, body });
            }
        }
        owes
    }

    /// Write-backs owed for a change of an address's consent.
    pub(crate) fn owed_for_address(&self, address: &Address) -> Vec<Owe> {
        self.writebacks(About::Address, Subject::Address(address.id), Span::ZERO, || address_facts(address))
    }

    fn writebacks(&self, about: About, subject: Subject, patience: Span, facts: impl Fn() -> serde_json::Value) -> Vec<Owe> {
        let mut owes = Vec::new();
        for connector in self.definitions.connectors.iter().filter(|c| c.definition.about == about) {
            match connector.record(&self.expr, &facts()) {
                Ok(record) => owes.push(Owe::Writeback { connector: connector.name.clone(), record, subject, patience }),
                Err(error) => {
                    owes.push(system_alert("connector_record", &connector.name, format!("the record key of connector '{}' {error}: mend connectors/*.toml", connector.name)));
                }
            }
        }
        owes
    }
}

/// Whoever can stop what goes in a circle is told, and somebody is to look at whom it went to: once for each address, as
/// long as nobody has looked.
fn looping(before: Option<&State>, message: &Message, address: &Address) -> Vec<Owe> {
    let ended = message.state.work == Work::Suppressed && before.is_none_or(|b| b.work != Work::Suppressed);
    let guard = message.state.reasons.iter().find(|r| matches!(r, Reason::LoopingGuard { .. }));
    let Some(reason) = guard.filter(|_| ended) else { return Vec::new() };
    let origin = message.intent.origin.journey().map_or_else(|| "the API".to_owned(), |journey| format!("journey '{journey}'"));
    let detail =
        format!("{reason}; {} of {origin} was not sent, nor is what follows like it: find what repeats it, such as a source that sends an event again with a new id", message.id);
    let case = Owe::Case { code: "looping".to_owned(), address: address.id, message: None, detail: detail.clone(), due: message.updated_at + LOOK_AT_LOOPS };
    vec![system_alert("looping", &address.id.to_string(), detail), case]
}

/// How long a record may wait for better news. A text that is about to leave, or that the vendor or the carrier has
/// just taken, is soon something else; one that stays as it is is told of all the same.
fn patience(delivery: Delivery) -> Span {
    match delivery {
        Delivery::Queued => Span::secs(30),
        Delivery::Accepted | Delivery::Sent => Span::secs(2),
        _ => Span::ZERO,
    }
}

/// What a follower is told of a message.
fn announced(message: &Message, address: &Address, reveal: bool) -> serde_json::Value {
    let (intent, state) = (&message.intent, &message.state);
    let number = match (&address.place, reveal) {
        (Place::Sms(number), true) => number.e164().to_owned(),
        (place, _) => place.masked(),
    };
    serde_json::json!({
        "id": message.id, "address": address.id, "to": number, "delivery": state.delivery().word(), "status": state.word(), "because": because(message),
        "vendor_code": state.vendor_code(), "duplicate": state.duplicate, "purpose": intent.purpose, "program": intent.program, "sender": message.way().1,
        "segments": intent.size.segments, "labels": intent.labels, "journey": intent.origin.journey(), "run": intent.origin.run(),
        "created_at": intent.created_at, "replied_at": state.flags.replied, "opted_out_at": state.flags.opted_out,
    })
}

/// An alert for an engineer.
pub(crate) fn system_alert(code: &str, about: &str, detail: String) -> Owe {
    Owe::Alert { kind: AlertKind::System, code: code.to_owned(), about: about.to_owned(), detail }
}

/// An alert for whoever talks to customers.
pub(crate) fn customer_alert(code: &str, about: &str, detail: String) -> Owe {
    Owe::Alert { kind: AlertKind::Customer, code: code.to_owned(), about: about.to_owned(), detail }
}
