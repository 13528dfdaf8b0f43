//! Facts for decisions, gathered once: what the gate looks at, and what expressions may name.
//!
//! Its own file because the gate runs at two places and must see the same kind of facts at both; expressions of
//! journeys and of connectors must mean the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trunkline_core::consent::{Channel, ConsentState};
use trunkline_core::gate::{self, Facts, Reach, Verdict};
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::looping::{self, Earlier};
use trunkline_core::message::Delivery;
use trunkline_core::number::{Number, NumberError};
use trunkline_core::planted::{Fault, planted};
use trunkline_core::purpose::Purpose;
use trunkline_core::quiet::{self, Sent, Whereabouts};
use trunkline_core::sender::Route;
use trunkline_core::time::{Span, Time};
use trunkline_core::zone;
use trunkline_store::StoreError;
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

    /// Asks the gate about the intent of a new message, which comes after others.
    pub(crate) fn ask_gate(&self, id: MessageId, intent: &Intent, address: &Address, behind: Option<(MessageId, Time)>, earlier: &[Earlier<'_>], now: Time) -> Verdict {
        self.gate_by_way((id, intent), (&intent.account, &intent.sender), address, behind, earlier, now)
    }

    /// Asks the gate about a message that comes after others, by the way that it goes now.
    pub(crate) fn ask_gate_about(&self, message: &Message, address: &Address, behind: Option<(MessageId, Time)>, earlier: &[Earlier<'_>], now: Time) -> Verdict {
        self.gate_by_way((message.id, &message.intent), message.way(), address, behind, earlier, now)
    }

    fn gate_by_way(
        &self,
        (message, intent): (MessageId, &Intent),
        (account, sender): (&str, &str),
        address: &Address,
        behind: Option<(MessageId, Time)>,
        earlier: &[Earlier<'_>],
        now: Time,
    ) -> Verdict {
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
        let registered = self.definitions.sender(account, sender).map(|s| s.registered.as_slice()).unwrap_or_default();
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
            account,
            route: Route { sender, country, registered, template },
            exempt: intent.origin.exempt(),
            behind: behind.filter(|_| !planted(Fault::OrderIgnored)),
            body: &intent.body,
            earlier,
        };
        gate::ask(&facts, now)
    }

    /// The texts of addresses that the looping guard may have to count for texts of these purposes: those made in its
    /// time, and those that may have waited until then.
    pub(crate) async fn recent_texts(&self, of: &[(AddressId, Option<MessageId>)], purposes: &BTreeSet<Purpose>, now: Time) -> Result<Vec<Message>, StoreError> {
        let back = purposes.iter().map(|purpose| {
            let policy = self.definitions.policy(*purpose);
            policy.guard(*purpose).within.0.saturating_add(policy.ttl.0)
        });
        match back.max() {
            Some(back) if !of.is_empty() => self.store.recent_texts(of, now - Span(back), usize::try_from(looping::MOST).unwrap_or(0)).await,
            _ => Ok(Vec::new()),
        }
    }
}

/// Those of the texts that went to the address of one; and those that wait too, where it is about to wait behind them.
/// Answers to keywords do not count, nor do texts that came to an end without leaving.
pub(crate) fn earlier(texts: &[Message], address: AddressId, but: MessageId, waiting: bool) -> Vec<Earlier<'_>> {
    let counts = |m: &&Message| match m.state.delivery() {
        Delivery::Queued | Delivery::Held => waiting,
        Delivery::Dispatched | Delivery::Unknown | Delivery::Accepted | Delivery::Sent | Delivery::Undelivered | Delivery::Delivered => true,
        Delivery::Suppressed | Delivery::Expired | Delivery::Canceled | Delivery::Failed => false,
    };
    let others = texts.iter().filter(|m| m.intent.address == address && m.id != but && !m.intent.origin.exempt());
    let left = |m: &Message| m.state.attempts.last().map_or(m.intent.created_at, |a| a.claimed_at);
    others.filter(counts).map(|m| Earlier { purpose: m.intent.purpose, body: &m.intent.body, at: left(m) }).collect()
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
            "purpose": intent.purpose, "program": intent.program, "sender": message.way().1, "body": intent.body, "segments": intent.size.segments,
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
