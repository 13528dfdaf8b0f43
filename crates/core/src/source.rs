//! How a source's payload becomes a source event, a profile, an address and labels: expressions in configuration.
//!
//! Its own file because mapping is data, not code: a new shop is a new `sources/*.toml`. Signatures are the
//! connectors' concern, and so is what a header means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::SourceEvent;
use crate::expr::{Engine, ExprError, Facts};

/// One rule of `sources/*.toml`: which events it reads and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The topics (hooks) or types (API events) this rule reads.
    pub topics: Vec<String>,
    /// The type of the source event it makes; absent keeps the incoming one.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Expression: what it happened to.
    #[serde(default)]
    pub subject: Option<String>,
    /// Expressions that make the event's data; empty keeps the payload.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Who it is about.
    pub profile: ProfileMapping,
    /// Expressions whose values become labels, which messages carry and the console searches.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Where the profile and its address come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileMapping {
    /// Expression: the person's id in the system of record.
    pub external_id: String,
    /// Expression: the phone number, as the source has it.
    pub phone: String,
    /// Expression: the country for numbers without a country code.
    #[serde(default)]
    pub region: Option<String>,
    /// Expression: the person's locale.
    #[serde(default)]
    pub locale: Option<String>,
    /// Expressions that make the profile's attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// What a mapping found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// The event's type, subject and data as journeys see them.
    pub event: SourceEvent,
    /// The system of record.
    pub system: String,
    /// The person's id in the system of record.
    pub external_id: String,
    /// The phone number as given; absent if the source has none.
    pub phone: Option<String>,
    /// The country for numbers without a country code.
    pub region: Option<String>,
    /// The person's locale.
    pub locale: Option<String>,
    /// The profile's attributes.
    pub attributes: Map<String, Value>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An expression of a mapping that gave nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mapping field '{field}' {error}")]
pub struct MappingError {
    /// The field of the mapping.
    pub field: String,
    /// What is wrong.
    pub error: ExprError,
}

impl Mapping {
    /// The rule for events that no `sources/*.toml` speaks of: `data.phone`, `data.locale`, and the subject or
    /// `data.customer_id` as the person's id.
    pub fn conventional() -> Mapping {
        let maybe = |path: &str| format!("maybe(data, {path})");
        Mapping {
            topics: Vec::new(),
            kind: None,
            subject: None,
            data: BTreeMap::new(),
            profile: ProfileMapping {
                external_id: "maybe(data, 'customer_id', 'customer.id') or subject or id".to_owned(),
                phone: maybe("'phone', 'customer.phone'"),
                region: Some(maybe("'country', 'customer.country'")),
                locale: Some(maybe("'locale', 'customer.locale'")),
                attributes: BTreeMap::from([("name".to_owned(), maybe("'name', 'customer.name'"))]),
            },
            labels: BTreeMap::from([("order".to_owned(), maybe("'order', 'order_id'"))]),
        }
    }

    /// Every expression with its field name, for `check`.
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let single = [
            ("subject", self.subject.as_ref()),
            ("profile.external_id", Some(&self.profile.external_id)),
            ("profile.phone", Some(&self.profile.phone)),
            ("profile.region", self.profile.region.as_ref()),
            ("profile.locale", self.profile.locale.as_ref()),
        ];
        let mut all: Vec<(String, &str)> = single.iter().filter_map(|(field, source)| source.map(|s| ((*field).to_owned(), s.as_str()))).collect();
        for (prefix, table) in [("data", &self.data), ("profile.attributes", &self.profile.attributes), ("labels", &self.labels)] {
            all.extend(table.iter().map(|(k, v)| (format!("{prefix}.{k}"), v.as_str())));
        }
        all
    }

    /// Reads one event of a system; `raw` is the event as it came, its data the whole payload.
    pub fn apply(&self, engine: &Engine, system: &str, raw: &SourceEvent) -> Result<Mapped, MappingError> {
        let facts = json!({
            "id": raw.id, "source": raw.source, "type": raw.kind, "subject": raw.subject, "time": raw.time,
            "data": raw.data, "body": raw.data, "extensions": raw.extensions,
        });
        let facts = Facts::of(&facts);
        let value = |field: &str, source: &str| engine.value_of(source, &facts).map_err(|error| MappingError { field: field.to_owned(), error });
        let text = |field: &str, source: &str| value(field, source).map(|v| as_text(&v));
        let optional = |field: &str, source: Option<&String>| source.map_or(Ok(None), |s| text(field, s));
        let mut data = Map::new();
        for (key, source) in &self.data {
            data.insert(key.clone(), value(&format!("data.{key}"), source)?);
        }
        let mut attributes = Map::new();
        for (key, source) in &self.profile.attributes {
            let found = value(&format!("profile.attributes.{key}"), source)?;
            if !found.is_null() {
                attributes.insert(key.clone(), found);
            }
        }
        let mut labels = BTreeMap::new();
        for (key, source) in &self.labels {
            if let Some(found) = text(&format!("labels.{key}"), source)? {
                labels.insert(key.clone(), found.chars().take(128).collect());
            }
        }
        let mut event = raw.clone();
        event.kind = self.kind.clone().unwrap_or(event.kind);
        event.subject = optional("subject", self.subject.as_ref())?.or(event.subject);
        if !self.data.is_empty() {
            event.data = Value::Object(data);
        }
        Ok(Mapped {
            event,
            system: system.to_owned(),
            external_id: text("profile.external_id", &self.profile.external_id)?.unwrap_or_else(|| raw.id.clone()),
            phone: text("profile.phone", &self.profile.phone)?,
            region: optional("profile.region", self.profile.region.as_ref())?,
            locale: optional("profile.locale", self.profile.locale.as_ref())?,
            attributes,
            labels,
        })
    }
}

/// A value as a text; nothing for null and the empty text.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.chars().take(512).collect()),
        other => Some(other.to_string().chars().take(512).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn raw(data: Value) -> SourceEvent {
        SourceEvent { id: "e1".into(), source: "/crm".into(), kind: "ping".into(), subject: Some("c-7".into()), time: Time(0), data, extensions: BTreeMap::new() }
    }

    #[test]
    fn the_convention_reads_what_is_there() {
        let engine = Engine::new();
        let mapped = Mapping::conventional().apply(&engine, "crm", &raw(json!({"phone": "+14155550123", "order": 1042}))).unwrap();
        assert_eq!((mapped.external_id.as_str(), mapped.phone.as_deref()), ("c-7", Some("+14155550123")));
        assert_eq!(mapped.labels.get("order").map(String::as_str), Some("1042"));
        let bare = Mapping::conventional().apply(&engine, "crm", &raw(Value::Null)).unwrap();
        assert_eq!(bare.phone, None);
    }

    #[test]
    fn a_broken_expression_names_its_field() {
        let mapping = Mapping { subject: Some("data.order.id".into()), ..Mapping::conventional() };
        let error = mapping.apply(&Engine::new(), "crm", &raw(json!({}))).unwrap_err();
        assert_eq!(error.field, "subject");
        assert!(error.to_string().contains("data.order"), "{error}");
    }
}
