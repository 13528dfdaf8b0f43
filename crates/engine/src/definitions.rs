//! The configuration in force, as stages see it: immutable, secrets resolved, journeys by version.
//!
//! Its own file because it is the seam between files on disk and the stages. Reading and checking the files is the
//! binary's concern; publishing versions to the store is here, since a run must find the version it keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunkline_connectors::crm::declared::Connector;
use trunkline_connectors::follower::Follower;
use trunkline_connectors::sms::Provider;
use trunkline_connectors::source::Source;
use trunkline_core::breaker::Rule;
use trunkline_core::daily::Daily;
use trunkline_core::journey::{Journey, Step};
use trunkline_core::keyword::Keywords;
use trunkline_core::preview::Settings;
use trunkline_core::price;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::quiet::Rules;
use trunkline_core::rate::Rate;
use trunkline_core::route::Route;
use trunkline_core::segment::Shift;
use trunkline_core::source::Mapping;
use trunkline_core::template::Template;
use trunkline_core::time::Time;
use trunkline_store::row::Definition;
use trunkline_store::{Command, Store, StoreError, Unit};

use crate::compose::Wish;

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
    /// How much may go through it.
    pub bounds: Bounds,
    /// Whether texts through it are made GSM-7 where that saves segments.
    pub smart_encoding: bool,
}

/// How much may go through an account, all its senders together, and when it is not called at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// How fast; absent means as fast as its senders.
    pub rate: Option<Rate>,
    /// How much a day; absent means as much as its senders.
    pub daily: Option<Daily>,
    /// When most calls to it fail.
    pub breaker: Rule,
}

/// A number that texts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The number in E.164, a short code, or a name.
    pub number: String,
    /// The countries in which it is registered, where that is asked.
    pub registered: Vec<String>,
    /// The account it belongs to.
    pub account: String,
    /// How fast it may send.
    pub rate: Rate,
    /// How much it may send a day; absent means without a limit.
    pub daily: Option<Daily>,
    /// Who answers STOP and HELP.
    pub opt_out_reply: OptOutReply,
    /// The languages whose shift tables its route is known to carry.
    pub shift_tables: Vec<Shift>,
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
    /// Whether a grant counts only after the person has confirmed it, whatever the purpose says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub double_opt_in: bool,
    /// Whether its texts are made GSM-7 where that saves segments.
    #[serde(default)]
    pub smart_encoding: bool,
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

/// Every published version of every journey, and which of them new runs take. Changes while a node runs, when a new
/// version is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journeys {
    /// Every version.
    pub versions: BTreeMap<(String, i64), Published>,
    /// The version that new runs take, by journey; a retired journey has none.
    pub current: BTreeMap<String, i64>,
    /// When the newest of them was published.
    pub newest: Time,
}

impl Journeys {
    /// What the store's definitions say.
    pub fn read(rows: &[Definition]) -> Result<Journeys, StoreError> {
        let mut all = Journeys::default();
        for row in rows.iter().filter(|d| d.kind == "journey") {
            all.newest = all.newest.max(row.published_at);
            // Rows come in the order of their versions: the last word counts.
            all.current.remove(&row.name);
            if row.body == RETIRED {
                continue;
            }
            let parsed: Published = serde_json::from_str(&row.body).map_err(|e| StoreError::Inconsistent {
                table: "definition",
                column: "body",
                cause: format!("{} version {}: {e}", row.name, row.version),
            })?;
            all.current.insert(row.name.clone(), row.version);
            all.versions.insert((row.name.clone(), row.version), parsed);
        }
        Ok(all)
    }

    /// The journeys that new runs take, with their names and versions.
    pub fn current(&self) -> impl Iterator<Item = (&str, i64, &Published)> {
        self.current.iter().filter_map(|(name, version)| self.versions.get(&(name.clone(), *version)).map(|p| (name.as_str(), *version, p)))
    }

    /// Whether an event of this type may end a run of some version.
    pub fn may_cancel(&self, kind: &str) -> bool {
        self.versions.values().any(|p| p.journey.cancel.iter().any(|c| c.kind == kind))
    }
}

/// The body of a version that ends a journey: no new run takes it.
const RETIRED: &str = "null";

/// A system of record, and which fields of profiles and records it owns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Fields such as `phone`, `locale`, `attributes.first_name`, or of its own records.
    #[serde(default)]
    pub owns: Vec<String>,
}

/// The name that Trunkline itself has among the systems.
pub const OURSELVES: &str = "trunkline";

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
    /// The rules of jurisdictions: hours, holidays and caps.
    pub rules: Arc<Rules>,
    /// The ids under which templates are registered, by country and template.
    pub template_ids: BTreeMap<String, BTreeMap<String, String>>,
    /// Provider accounts by name.
    pub accounts: BTreeMap<String, Account>,
    /// Senders, the first one preferred.
    pub senders: Vec<Sender>,
    /// How fast texts may go to a country, from all senders together, by the country's code.
    pub countries: BTreeMap<String, Rate>,
    /// Where texts go if their sender is not given: the first one that takes a text; without any, from the first sender.
    pub routes: Vec<Route>,
    /// Programs by key.
    pub programs: BTreeMap<String, Program>,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceDefinition>,
    /// The journeys as published when the node started.
    pub journeys: Journeys,
    /// Systems of record by name.
    pub systems: BTreeMap<String, System>,
    /// Systems that follow what happens to messages.
    pub followers: Vec<Follower>,
    /// Templates by name, for texts asked for through the API.
    pub templates: BTreeMap<String, Template>,
    /// What is configured of templates, by name.
    pub texts: BTreeMap<String, Settings>,
    /// What segments cost.
    pub rates: Vec<price::Rate>,
    /// Write-back connectors.
    pub connectors: Vec<Connector>,
    /// The words of people's texts, and what to do about free ones.
    pub keywords: Keywords,
}

impl Definitions {
    /// The rules of a purpose.
    pub fn policy(&self, purpose: Purpose) -> Policy {
        self.purposes.get(&purpose).cloned().unwrap_or_else(|| Policy::default_for(purpose))
    }

    /// The route of a text to a country.
    pub fn route(&self, country: Option<&str>, purpose: Purpose) -> Option<&Route> {
        self.routes.iter().find(|route| route.takes(country, purpose))
    }

    /// The rules of a purpose for texts of a program.
    pub fn policy_of(&self, purpose: Purpose, program: &str) -> Policy {
        let policy = self.policy(purpose);
        let double_opt_in = policy.double_opt_in || self.programs.get(program).is_some_and(|p| p.double_opt_in);
        Policy { double_opt_in, ..policy }
    }

    /// Whether there is a double opt-in anywhere.
    pub fn confirms(&self) -> bool {
        self.programs.values().any(|p| p.double_opt_in) || self.purposes.values().any(|p| p.double_opt_in)
    }

    /// The id under which a template is registered in a country.
    pub fn template_id(&self, country: &str, template: &str) -> Option<&str> {
        self.template_ids.get(country)?.get(template).map(String::as_str)
    }

    /// Whether a text through an account is made GSM-7 where that saves segments: what the request says, or else what
    /// its template, its program or the account says.
    pub(crate) fn smart_encoding(&self, account: &str, wish: Wish<'_>) -> bool {
        let template = wish.template.and_then(|name| self.texts.get(name)).is_some_and(|settings| settings.smart_encoding);
        let program = self.programs.get(wish.program).is_some_and(|program| program.smart_encoding);
        let account = self.accounts.get(account).is_some_and(|account| account.smart_encoding);
        wish.asked.unwrap_or(template || program || account)
    }

    /// A sender by account and number.
    pub fn sender(&self, account: &str, number: &str) -> Option<&Sender> {
        self.senders.iter().find(|s| s.account == account && s.number == number)
    }

    /// Who owns a field of a profile, if this writer may not write it. Several systems may own the same field: each of
    /// its own profiles, and any of them where the profile's system is not among them.
    pub fn owner(&self, field: &str, profile: &str, writer: &str) -> Option<&str> {
        let owns = |name: &str| self.systems.get(name).is_some_and(|system| system.owns.iter().any(|f| f == field));
        if owns(profile) {
            return self.systems.get_key_value(profile).map(|(name, _)| name.as_str()).filter(|_| profile != writer);
        }
        self.systems.keys().find(|name| owns(name)).map(String::as_str).filter(|_| !owns(writer))
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

/// How the files differ from what is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The journey.
    pub journey: String,
    /// The version that is published, if one is.
    pub from: Option<i64>,
    /// The version it becomes; absent if it is retired.
    pub to: Option<i64>,
    /// The published definition as JSON, and that of the files.
    #[serde(skip)]
    pub bodies: (Option<String>, Option<String>),
}

/// What publishing the drafts would change; a journey that is not among them is retired.
pub async fn changes(store: &dyn Store, drafts: &[Draft]) -> Result<Vec<Change>, StoreError> {
    let rows = store.definitions().await?;
    let newest = |name: &str| rows.iter().filter(|d| d.kind == "journey" && d.name == name).max_by_key(|d| d.version);
    let mut all = Vec::new();
    for draft in drafts {
        let body = serde_json::to_string(&draft.published).map_err(|e| StoreError::Inconsistent { table: "definition", column: "body", cause: e.to_string() })?;
        let before = newest(&draft.name);
        if before.is_none_or(|d| d.body != body) {
            let to = Some(before.map_or(0, |d| d.version) + 1);
            let old = before.filter(|d| d.body != RETIRED);
            all.push(Change { journey: draft.name.clone(), from: old.map(|d| d.version), to, bodies: (old.map(|d| d.body.clone()), Some(body)) });
        }
    }
    let current = Journeys::read(&rows)?.current;
    for (name, version) in current.iter().filter(|(name, _)| !drafts.iter().any(|d| d.name == **name)) {
        all.push(Change { journey: name.clone(), from: Some(*version), to: None, bodies: (newest(name).map(|d| d.body.clone()), None) });
    }
    Ok(all)
}

/// Publishes changes.
pub async fn publish(store: &dyn Store, now: Time, changes: &[Change]) -> Result<(), StoreError> {
    let rows = store.definitions().await?;
    let mut units = Vec::new();
    for change in changes {
        let last = rows.iter().filter(|d| d.kind == "journey" && d.name == change.journey).map(|d| d.version).max().unwrap_or(0);
        let (version, body) = (last + 1, change.bodies.1.clone().unwrap_or_else(|| RETIRED.to_owned()));
        units.push(Unit::one(Command::Publish(Definition { kind: "journey".to_owned(), name: change.journey.clone(), version, body, published_at: now })));
    }
    for result in store.commit(now, units).await {
        result?;
    }
    Ok(())
}

/// Publishes drafts that differ from what is published, and gives every journey there is.
pub async fn publish_all(store: &dyn Store, now: Time, drafts: &[Draft]) -> Result<Journeys, StoreError> {
    publish(store, now, &changes(store, drafts).await?).await?;
    Journeys::read(&store.definitions().await?)
}
