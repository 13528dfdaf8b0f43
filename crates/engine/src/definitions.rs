//! The configuration in force, as stages see it: immutable, secrets resolved, journeys by version.
//!
//! Its own file because it is the seam between files on disk and the stages. Reading and checking the files is the
//! binary's concern; publishing versions to the store is here, since a run must find the version it keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trunkline_connectors::crm::declared::Connector;
use trunkline_connectors::sms::Provider;
use trunkline_connectors::source::Source;
use trunkline_core::journey::{Journey, Step};
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::rate::Rate;
use trunkline_core::source::Mapping;
use trunkline_core::template::Template;
use trunkline_core::time::Time;
use trunkline_store::row::Definition;
use trunkline_store::{Command, Store, StoreError, Unit};

/// What to do with a hook whose signature does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyMode {
    /// Refuse it.
    Enforce,
    /// Take it, and log what would have been refused.
    Observe,
}

/// Who answers STOP and HELP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOutReply {
    /// The vendor answers by itself and blocks ours.
    Vendor,
    /// We do.
    Ours,
}

/// One set of credentials at a provider.
pub struct Account {
    /// Its driver.
    pub provider: Box<dyn Provider>,
    /// What to do with unsigned hooks.
    pub verify: VerifyMode,
}

/// A number that texts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The number, E.164.
    pub number: String,
    /// The account it belongs to.
    pub account: String,
    /// How fast it may send.
    pub rate: Rate,
    /// Who answers STOP and HELP.
    pub opt_out_reply: OptOutReply,
}

/// What recipients sign up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The name she knows.
    pub name: String,
    /// Our confirmation of STOP.
    pub stop_reply: String,
    /// Our confirmation of START.
    pub start_reply: String,
    /// Our answer to HELP.
    pub help_reply: String,
}

/// A system that emits events.
pub struct SourceDefinition {
    /// The system of record its profiles belong to.
    pub system: String,
    /// Its webhooks' dialect; absent for events that come through the API.
    pub webhooks: Option<Box<dyn Source>>,
    /// What to do with unsigned hooks.
    pub verify: VerifyMode,
    /// The `source` attribute of API events it reads.
    pub reads: Option<String>,
    /// How its payloads are read.
    pub mappings: Vec<Mapping>,
}

/// A journey with the texts it sends, as published: one version of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The journey.
    pub journey: Journey,
    /// The templates its steps name.
    pub templates: BTreeMap<String, Template>,
}

/// Everything configured.
pub struct Definitions {
    /// Where vendors and sources reach us.
    pub public_url: String,
    /// The country for numbers without a country code.
    pub default_region: Option<String>,
    /// The locale for profiles without one.
    pub default_locale: String,
    /// The rules of each purpose.
    pub purposes: BTreeMap<Purpose, Policy>,
    /// Provider accounts by name.
    pub accounts: BTreeMap<String, Account>,
    /// Senders, the first one preferred.
    pub senders: Vec<Sender>,
    /// Programs by key.
    pub programs: BTreeMap<String, Program>,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceDefinition>,
    /// Every version of every journey.
    pub journeys: BTreeMap<(String, i64), Published>,
    /// The version that new runs take, by journey; a journey removed from the files has none.
    pub current: BTreeMap<String, i64>,
    /// Templates by name, for texts asked for through the API.
    pub templates: BTreeMap<String, Template>,
    /// Write-back connectors.
    pub connectors: Vec<Connector>,
}

impl Definitions {
    /// The rules of a purpose.
    pub fn policy(&self, purpose: Purpose) -> Policy {
        self.purposes.get(&purpose).cloned().unwrap_or_else(|| Policy::default_for(purpose))
    }

    /// A sender by account and number.
    pub fn sender(&self, account: &str, number: &str) -> Option<&Sender> {
        self.senders.iter().find(|s| s.account == account && s.number == number)
    }

    /// The mapping for an event of the API.
    pub fn mapping_for(&self, source: &str, kind: &str) -> Option<(&SourceDefinition, &Mapping)> {
        let definition = self.sources.values().find(|d| d.reads.as_deref() == Some(source))?;
        definition.mappings.iter().find(|m| m.topics.iter().any(|t| t == kind)).map(|m| (definition, m))
    }

    /// Where receipts of an account go.
    pub fn callback_url(&self, account: &str) -> String {
        format!("{}/hooks/{account}", self.public_url.trim_end_matches('/'))
    }
}

/// A journey as the files have it.
pub struct Draft {
    /// Its name.
    pub name: String,
    /// The journey and its texts.
    pub published: Published,
}

impl Draft {
    /// A journey with those of the templates that its steps name.
    pub fn new(name: &str, journey: Journey, templates: &BTreeMap<String, Template>) -> Draft {
        let named = journey.steps.iter().filter_map(|s| if let Step::Send { template, .. } = s { Some(template.clone()) } else { None });
        let texts = named.filter_map(|t| templates.get(&t).map(|text| (t, text.clone()))).collect();
        Draft { name: name.to_owned(), published: Published { journey, templates: texts } }
    }
}

/// Publishes drafts that differ from their newest version; gives every version there is, and the current ones.
pub async fn publish(store: &dyn Store, now: Time, drafts: &[Draft]) -> Result<(BTreeMap<(String, i64), Published>, BTreeMap<String, i64>), StoreError> {
    let known = store.definitions().await?;
    let newest = |name: &str| known.iter().filter(|d| d.kind == "journey" && d.name == name).max_by_key(|d| d.version);
    let mut units = Vec::new();
    for draft in drafts {
        let body = serde_json::to_string(&draft.published).map_err(|e| StoreError::Inconsistent { table: "definition", column: "body", cause: e.to_string() })?;
        let latest = newest(&draft.name);
        if latest.is_none_or(|d| d.body != body) {
            let version = latest.map_or(0, |d| d.version) + 1;
            units.push(Unit::one(Command::Publish(Definition { kind: "journey".to_owned(), name: draft.name.clone(), version, body, published_at: now })));
        }
    }
    for result in store.commit(now, units).await {
        result?;
    }
    let mut versions = BTreeMap::new();
    let mut current = BTreeMap::new();
    for row in store.definitions().await?.into_iter().filter(|d| d.kind == "journey") {
        let parsed: Published = serde_json::from_str(&row.body).map_err(|e| StoreError::Inconsistent {
            table: "definition",
            column: "body",
            cause: format!("{} version {}: {e}", row.name, row.version),
        })?;
        if drafts.iter().any(|d| d.name == row.name) {
            current.insert(row.name.clone(), row.version);
        }
        versions.insert((row.name, row.version), parsed);
    }
    Ok((versions, current))
}
