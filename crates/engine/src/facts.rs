//! Facts for decisions, gathered once: what the gate looks at, and what expressions may name.
//!
//! Its own file because the gate runs at two places and must see the same kind of facts at both; expressions of
//! journeys and of connectors must mean the same everywhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trunkline_core::consent::{Channel, ConsentState};
use trunkline_core::gate::{self, Facts, Reach, Verdict};
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::number::{Number, NumberError};
use trunkline_core::quiet::{self, Sent, Whereabouts};
use trunkline_core::sender::Route;
use trunkline_core::time::Time;
use trunkline_core::zone;
use trunkline_store::row::{Address, Event, Intent, Message, Place, Profile};

use crate::Engine;

impl Engine {
    /// The address of what a source gave as a phone number.
    pub(crate) fn address_of(&self, phone: Option<&str>, region: Option<&str>, owner: &str) -> Address {
        let fallback = self.definitions.default_region.as_deref();
        let known = |r: &&str| r.len() == 2 && r.chars().all(|c| c.is_ascii_alphabetic());
        let region = region.filter(known).or(fallback);
        let (id, place, zones) = match phone.map(|p| (p, Number::parse(p, region))) {
            Some((_, Ok(number))) => (self.key.address("sms", number.e164()), Place::Sms(number.clone()), zone::candidates(&number)),
            Some((given, Err(problem))) => {
                let given: String = given.chars().take(64).collect();
                (self.key.address("not-a-number", &given), Place::NotANumber { given, problem: problem.to_string() }, Vec::new())
            }
            None => (self.key.address("nowhere", owner), Place::Nowhere, Vec::new()),
        };
        Address { id, place, zones, residences: BTreeMap::new(), sends: Vec::new(), consent: ConsentState::default(), guard_version: 1 }
    }

    /// Everywhere that the holder of an address may be, and whatever binds the company itself.
    pub fn whereabouts(&self, address: &Address) -> Whereabouts {
        let mut here = address.whereabouts();
        for jurisdiction in &self.definitions.rules.settings.jurisdictions {
            here.bound_by(jurisdiction);
        }
        here
    }

    /// The address's sends with this one, if anything counts texts of its purpose; what answers a keyword is not counted.
    pub(crate) fn counted(&self, message: &Message, address: &Address, now: Time) -> Option<Vec<Sent>> {
        let purpose = message.intent.purpose;
        let caps = self.definitions.rules.caps(purpose) || !self.definitions.policy(purpose).caps.is_empty();
        (caps && !message.intent.origin.exempt()).then(|| quiet::sent(&address.sends, Sent { message: message.id, purpose, at: now }))
    }

    /// Asks the gate about an intent, which is or becomes this message.
    pub(crate) fn ask_gate(&self, message: MessageId, intent: &Intent, address: &Address, behind: Option<(MessageId, Time)>, now: Time) -> Verdict {
        let reach = match &address.place {
            Place::Sms(number) => Reach::Line(number.line()),
            Place::NotANumber { given, .. } => Reach::Impossible(Number::parse(given, None).err().unwrap_or(NumberError::Unreadable)),
            Place::Nowhere => Reach::Missing,
            Place::Erased => Reach::Erased,
        };
        let here = self.whereabouts(address);
        // The first one is the number's own country.
        let country = match &address.place {
            Place::Sms(_) => here.jurisdictions.first().map(String::as_str),
            Place::NotANumber { .. } | Place::Nowhere | Place::Erased => None,
        };
        let registered = self.definitions.sender(&intent.account, &intent.sender).map(|s| s.registered.as_slice()).unwrap_or_default();
        let template = country.zip(intent.template.as_ref()).is_some_and(|(country, (name, _))| self.definitions.template_id(country, name).is_some());
        let facts = Facts {
            message,
            purpose: intent.purpose,
            policy: &self.definitions.policy_of(intent.purpose, &intent.program),
            program: &intent.program,
            deadline: intent.deadline,
            reach: &reach,
            consent: &address.consent,
            rules: &self.definitions.rules,
            jurisdictions: &here.jurisdictions,
            zones: &here.zones,
            sends: &address.sends,
            account: &intent.account,
            route: Route { sender: &intent.sender, country, registered, template },
            exempt: intent.origin.exempt(),
            behind,
        };
        gate::ask(&facts, now)
    }
}

/// What expressions of journeys and templates may name.
pub(crate) fn journey_facts(event: &Event, profile: &Profile) -> Value {
    let mapped = &event.mapped;
    let source = &mapped.event;
    json!({
        "event": {"id": source.id, "source": source.source, "type": source.kind, "subject": source.subject, "time": source.time, "data": source.data, "extensions": source.extensions},
        "profile": {"id": profile.external_id, "system": profile.system, "locale": profile.locale, "attributes": profile.attributes},
        "labels": mapped.labels,
    })
}

/// What a connector's templates may name for a message.
pub(crate) fn message_facts(message: &Message, address: Option<&Address>) -> Value {
    let (intent, state) = (&message.intent, &message.state);
    json!({
        "message": {
            "id": message.id, "word": state.word(), "delivery": state.delivery().word(), "replied": state.flags.replied.is_some(), "opted_out": state.flags.opted_out.is_some(),
            "duplicate": state.duplicate, "vendor_code": state.vendor_code(), "reasons": state.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "purpose": intent.purpose, "program": intent.program, "sender": intent.sender, "body": intent.body, "segments": intent.size.segments,
            "created_at": intent.created_at, "labels": intent.labels, "attempts": state.attempts.len(),
        },
        "address": address.map(address_value),
    })
}

/// What a connector's templates may name for an address.
pub(crate) fn address_facts(address: &Address) -> Value {
    json!({"address": address_value(address)})
}

fn address_value(address: &Address) -> Value {
    let number = match &address.place {
        Place::Sms(number) => Some(number.e164()),
        Place::NotANumber { .. } | Place::Nowhere | Place::Erased => None,
    };
    let consent = &address.consent;
    let preferences: serde_json::Map<String, Value> = Channel::ALL.into_iter().map(|c| (c.word().to_owned(), consent.subscribed(c).into())).collect();
    json!({"id": address.id, "number": number, "opted_out": consent.stopped.is_some(), "opted_out_at": consent.stopped.as_ref().map(|s| s.at), "preferences": preferences})
}

/// An address from a list.
pub(crate) fn find(addresses: &[Address], id: AddressId) -> Option<&Address> {
    addresses.iter().find(|a| a.id == id)
}
