//! What clients ask for: take events, send one text. Checked, committed, then answered.
//!
//! Its own file because the API, the command line and the simulation share it. An answer comes after the commit, and
//! the same question twice gets the same answer. What they say of consent is taken by `consent`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_core::event::{FieldProblem, SourceEvent};
use trunkline_core::expr::Reader;
use trunkline_core::id::{EventId, MessageId, hash16};
use trunkline_core::message;
use trunkline_core::number::{Line, Number};
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::source::{Mapped, Mapping};
use trunkline_core::time::{Span, Time};
use trunkline_core::zone;
use trunkline_store::row::{Address, Event, Intent, Message, Origin, Reservation};
use trunkline_store::{Applied, Command, StoreError, Unit};

use crate::compose::Wish;
use crate::facts::earlier;
use crate::limits::Limits;
use crate::{Engine, Stage};

/// What became of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, now or since before.
    Accepted(EventId),
    /// It cannot be taken as it is.
    Refused(Vec<FieldProblem>),
}

/// A request to send one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The recipient.
    pub to: String,
    /// The template, or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// its variables, or
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// the text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The locale of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Why it is sent.
    pub purpose: Purpose,
    /// What the recipient signed up for; absent means the first program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How long it is worth sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Labels, such as the order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether it is made GSM-7 where that saves segments; absent means as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smart_encoding: Option<bool>,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwilling {
    /// Fields are wrong.
    Invalid(Vec<FieldProblem>),
    /// The idempotency key was used with another body.
    KeyReused,
    /// The store could not take it; nothing was done.
    Store(StoreError),
}

impl From<StoreError> for Unwilling {
    fn from(error: StoreError) -> Unwilling {
        Unwilling::Store(error)
    }
}

impl Engine {
    /// Takes events, each on its own.
    pub async fn take_events(&self, values: &[Value]) -> Result<Vec<Taken>, StoreError> {
        self.pressure.admit()?;
        let now = self.clock.now();
        let read: Vec<Result<Event, Vec<FieldProblem>>> = values.iter().map(|value| self.read_event(value, now)).collect();
        let units = read.iter().filter_map(|r| r.as_ref().ok()).map(|event| Unit::one(Command::AcceptEvent(Box::new(event.clone())))).collect();
        for result in self.store.commit(now, units).await {
            result.map_err(|error| self.pressure.refused(error))?;
        }
        self.wake(&[Stage::Ingest]);
        Ok(read.into_iter().map(|r| r.map_or_else(Taken::Refused, |event| Taken::Accepted(event.id))).collect())
    }

    /// Takes an event that was mapped before: a rehearsal's.
    pub async fn take_mapped(&self, mapped: Mapped) -> Result<(), StoreError> {
        let now = self.clock.now();
        let event = Event { id: self.key.event(&mapped.event.source, &mapped.event.id), mapped, received_at: now, hook: None, fate: None };
        self.commit(now, Unit::one(Command::AcceptEvent(Box::new(event)))).await?;
        self.wake(&[Stage::Ingest]);
        Ok(())
    }

    fn read_event(&self, value: &Value, now: Time) -> Result<Event, Vec<FieldProblem>> {
        let event = SourceEvent::parse(value, now)?;
        let configured = self.definitions.mapping_for(&event.source, &event.kind);
        let (system, mapping) = configured.map_or_else(|| (event.source.clone(), Mapping::conventional()), |(source, mapping)| (source.system.clone(), mapping.clone()));
        let mapped = mapping
            .apply(&self.expr, &system, &event)
            .map_err(|e| vec![FieldProblem::new("data", format!("does not fit the mapping of its source: {e}"), "send the field, or change the mapping in sources/*.toml")])?;
        Ok(Event { id: self.key.event(&event.source, &event.id), mapped, received_at: now, hook: None, fate: None })
    }

    /// Makes one text for a client. The key is reserved with the minted id before the message exists, so that a retry
    /// after a crash in between completes the first request instead of making a second text.
    pub async fn send_text(&self, client: &str, key: &str, request: &SendRequest) -> Result<Message, Unwilling> {
        self.pressure.admit()?;
        let now = self.clock.now();
        let limits = self.limits_for_routes().await?;
        let (address, intent, chosen) = self.intent_of(client, request, limits.as_ref(), now).map_err(Unwilling::Invalid)?;
        let canonical = serde_json::to_vec(request).map_err(|e| Unwilling::Invalid(vec![FieldProblem::new("", e.to_string(), "send plain JSON")]))?;
        let body = hash16(&[&canonical]);
        let slot = hash16(&[b"send", client.as_bytes(), key.as_bytes()]);
        let minted = Reservation { body, message: MessageId::new(address.id.part(), now, self.bits()), at: now };
        let applied = self.commit(now, Unit::one(Command::Reserve(slot, minted))).await.map_err(|error| self.pressure.refused(error))?;
        let reserved = if applied.first() == Some(&Applied::Already) { self.store.reservation(slot).await?.unwrap_or(minted) } else { minted };
        if reserved.body != body {
            return Err(Unwilling::KeyReused);
        }
        if let Some(message) = self.store.messages(&[reserved.message]).await?.pop() {
            return Ok(message);
        }
        self.commit(now, Unit::one(Command::PutAddress(Box::new(address.clone())))).await?;
        let address = self.store.addresses(&[address.id]).await?.pop().unwrap_or(address);
        // The deadline counts from the first request, not from its retry.
        let intent = Intent { deadline: reserved.at + intent.deadline.since(now), ..intent };
        let texts = self.recent_texts(&[(address.id, Some(reserved.message))], &[intent.purpose].into(), now).await?;
        let mut verdict = self.ask_gate(reserved.message, &intent, &address, None, &earlier(&texts, address.id, reserved.message, true), now);
        verdict.findings.extend(chosen);
        let change = self.make(reserved.message, intent, message::Event::Made { verdict }, &address, now);
        let change = change.map_err(|e| Unwilling::Invalid(vec![FieldProblem::new("", e.to_string(), "report this as a fault")]))?;
        self.commit(now, Unit::one(Command::PutMessage(Box::new(change)))).await.map_err(|error| self.pressure.refused(error))?;
        self.wake(&[Stage::Dispatch]);
        let stored = self.store.messages(&[reserved.message]).await?.pop();
        stored.ok_or_else(|| Unwilling::Store(StoreError::Unavailable { cause: "the message was written and is not there".to_owned() }))
    }

    /// The text that is asked for, and why it goes its way where there was a choice.
    fn intent_of(&self, client: &str, request: &SendRequest, limits: Option<&Limits>, now: Time) -> Result<(Address, Intent, Option<Reason>), Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let number = self.textable("to", &request.to, None).map_err(|p| problems.push(p)).ok();
        let zones = number.as_ref().map(zone::candidates).unwrap_or_default();
        let body = self.body_of(request, zones).map_err(|p| problems.push(p)).ok();
        let program = self.program_of(request.program.as_deref()).map_err(|p| problems.push(p)).ok();
        if self.definitions.senders.is_empty() {
            problems.push(FieldProblem::new("", "no sender is configured", "add one under [[senders]] in trunkline.toml"));
        }
        if request.ttl.is_some_and(|t| t.0 < 1_000_000 || t > Span::hours(24 * 14)) {
            problems.push(FieldProblem::new("ttl", "is not between 1s and 14d", "write how long the text is worth sending, such as \"4h\""));
        }
        if request.labels.len() > 16 || request.labels.iter().any(|(k, v)| k.is_empty() || k.len() > 64 || v.len() > 128) {
            problems.push(FieldProblem::new("labels", "are too many or too long", "give at most 16, names up to 64 bytes, values up to 128"));
        }
        let (Some(number), Some((body, template)), Some(program), true) = (number, body, program, problems.is_empty()) else {
            return Err(problems);
        };
        let address = self.address_of(Some(number.e164()), None, "");
        let Some((way, chosen)) = self.way_of_new(&address, request.purpose, limits, now) else { return Err(problems) };
        let name = template.as_ref().map(|(name, _)| name.as_str());
        let composed = self.compose(body, (&way.account, &way.sender), Wish { template: name, program: &program, asked: request.smart_encoding });
        let intent = Intent {
            address: address.id,
            profile: None,
            event: None,
            origin: Origin::Api { client: client.to_owned() },
            purpose: request.purpose,
            program,
            account: way.account,
            sender: way.sender,
            size: composed.size,
            body: composed.body,
            written: composed.written,
            template,
            deadline: now + request.ttl.unwrap_or_else(|| self.definitions.policy(request.purpose).ttl),
            created_at: now,
            labels: request.labels.clone(),
        };
        Ok((address, intent, chosen))
    }

    /// A number that a text can reach, as far as the numbering plan tells.
    pub(crate) fn textable(&self, field: &str, text: &str, region: Option<&str>) -> Result<Number, FieldProblem> {
        let region = region.or(self.definitions.default_region.as_deref());
        let number = Number::parse(text, region).map_err(|e| FieldProblem::new(field, e.to_string(), "write a mobile number in international form, such as +14155550123"))?;
        if number.line() == Line::Fixed {
            return Err(FieldProblem::new(field, "is a fixed line, which cannot receive texts", "give a mobile number"));
        }
        Ok(number)
    }

    fn body_of(&self, request: &SendRequest, zones: Vec<String>) -> Result<(String, Option<(String, String)>), FieldProblem> {
        match (&request.template, &request.body) {
            (Some(_), Some(_)) => Err(FieldProblem::new("body", "is given beside 'template'", "give one of the two")),
            (None, None) => Err(FieldProblem::new("body", "is missing", "give 'body', or 'template' with 'data'")),
            (None, Some(_)) if request.data.is_some() => Err(FieldProblem::new("data", "is given without 'template'", "leave it out, or name a template")),
            (None, Some(body)) if body.trim().is_empty() => Err(FieldProblem::new("body", "is empty", "write the text")),
            (None, Some(body)) if body.chars().count() > 1_600 => Err(FieldProblem::new("body", "is longer than 1,600 characters", "shorten it")),
            (None, Some(body)) => Ok((body.clone(), None)),
            (Some(name), None) => {
                let template =
                    self.definitions.templates.get(name).ok_or_else(|| FieldProblem::new("template", format!("'{name}' does not exist"), "name a folder of templates/"))?;
                let house = &self.definitions.default_locale;
                let reader = Reader { locale: request.locale.as_ref().unwrap_or(house).clone(), zones, house: house.clone() };
                let data = request.data.clone().unwrap_or(Value::Object(serde_json::Map::new()));
                let rendered = template
                    .render(&self.expr, &reader, &data)
                    .map_err(|e| FieldProblem::new("data", format!("does not fill template '{name}': {e}"), "give every variable the template names"))?;
                Ok((rendered.text, Some((name.clone(), rendered.locale))))
            }
        }
    }

    pub(crate) fn program_of(&self, asked: Option<&str>) -> Result<String, FieldProblem> {
        match asked {
            None => Ok(self.definitions.programs.keys().next().cloned().unwrap_or_else(|| "default".to_owned())),
            Some(name) if self.definitions.programs.contains_key(name) => Ok(name.to_owned()),
            Some(name) => {
                let known: Vec<&str> = self.definitions.programs.keys().map(String::as_str).collect();
                Err(FieldProblem::new("program", format!("'{name}' does not exist"), format!("use one of: {}", known.join(", "))))
            }
        }
    }
}
