//! What a change of a message or address owes: write-backs, alerts, cases.
//!
//! Its own file because every stage that changes a state must owe the same for it. It decides nothing about texts.

use trunkline_connectors::crm::declared::About;
use trunkline_core::id::MessageId;
use trunkline_core::message::{self, Delivery, Event, Ignored, State};
use trunkline_core::owe::{AlertKind, Owe, Subject};
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Intent, Message};

use crate::Engine;
use crate::facts::{address_facts, message_facts};

/// The code of the case that a text of unknown fate gets.
pub(crate) const UNCLEAR: &str = "unclear_send";

impl Engine {
    /// A new message in its first state.
    pub(crate) fn make(&self, id: MessageId, intent: Intent, event: Event, address: &Address, now: Time) -> Result<MessageChange, Ignored> {
        let state = message::apply(None, &event, now)?;
        let message = Message { id, intent, state, rev: 0, updated_at: now };
        let owes = self.owed(None, &message, address);
        Ok(MessageChange { message, events: vec![(event, None)], owes, guard: None })
    }

    /// A message after an event, with what that owes.
    pub(crate) fn change(&self, before: &Message, event: Event, dedupe: Option<[u8; 16]>, address: &Address, now: Time) -> Result<MessageChange, Ignored> {
        let state = message::apply(Some(&before.state), &event, now)?;
        let message = Message { state, updated_at: now, ..before.clone() };
        let owes = self.owed(Some(&before.state), &message, address);
        Ok(MessageChange { message, events: vec![(event, dedupe)], owes, guard: None })
    }

    fn owed(&self, before: Option<&State>, message: &Message, address: &Address) -> Vec<Owe> {
        let mut owes = Vec::new();
        if before.is_none_or(|b| b.word() != message.state.word() || b.delivery() != message.state.delivery()) {
            owes.extend(self.writebacks(About::Message, Subject::Message(message.id), || message_facts(message, Some(address))));
        }
        let was_unclear = before.is_some_and(|b| b.delivery() == Delivery::Unknown);
        if was_unclear && message.state.delivery() != Delivery::Unknown {
            owes.push(Owe::CloseCase { code: UNCLEAR.to_owned(), message: message.id });
        }
        owes
    }

    /// Write-backs owed for a change of an address's consent.
    pub(crate) fn owed_for_address(&self, address: &Address) -> Vec<Owe> {
        self.writebacks(About::Address, Subject::Address(address.id), || address_facts(address))
    }

    fn writebacks(&self, about: About, subject: Subject, facts: impl Fn() -> serde_json::Value) -> Vec<Owe> {
        let mut owes = Vec::new();
        for connector in self.definitions.connectors.iter().filter(|c| c.definition.about == about) {
            match connector.record(&self.expr, &facts()) {
                Ok(record) => owes.push(Owe::Writeback { connector: connector.name.clone(), record, subject }),
                Err(error) => {
                    owes.push(system_alert("connector_record", &connector.name, format!("the record key of connector '{}' {error}: mend connectors/*.toml", connector.name)));
                }
            }
        }
        owes
    }
}

/// An alert for an engineer.
pub(crate) fn system_alert(code: &str, about: &str, detail: String) -> Owe {
    Owe::Alert { kind: AlertKind::System, code: code.to_owned(), about: about.to_owned(), detail }
}

/// An alert for whoever talks to customers.
pub(crate) fn customer_alert(code: &str, about: &str, detail: String) -> Owe {
    Owe::Alert { kind: AlertKind::Customer, code: code.to_owned(), about: about.to_owned(), detail }
}
