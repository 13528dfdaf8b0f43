//! The configuration directory: read, checked as a whole, resolved.
//!
//! Its own file because everything that people write is read here, and every problem is collected before anything is
//! refused. What the parts mean is in `check`; how problems are shown is in `diagnose`.

mod check;
mod diagnose;
mod files;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trunkline_connectors::crm::declared::Connector;
use trunkline_connectors::follower::{Follower, SigningKey};
use trunkline_connectors::registry::{self, AccountSettings};
use trunkline_core::keyword::Keywords;
use trunkline_core::route::{Arm, Route, Way};
use trunkline_core::time::Time;
use trunkline_engine::definitions::{Account, Bounds, Definitions, Draft, Journeys, Sender, SourceDefinition, VerifyMode, publish_all};
use trunkline_store::{Store, StoreError};

pub(crate) use check::{Preview, previews};
pub(crate) use diagnose::{Diagnoses, Diagnosis, Key, Problem, Severity};
pub(crate) use files::Files;
use files::{RouteFile, SenderFile};

/// A configuration without errors.
pub(crate) struct Config {
    pub(crate) files: Files,
    pub(crate) secrets: secret::Resolved,
    /// The directory it was read from; relative paths are relative to it.
    pub(crate) directory: PathBuf,
}

impl Config {
    /// Reads and checks a directory: every problem, and the configuration if none of them is an error.
    pub(crate) fn load(directory: &Path) -> (Vec<Diagnosis>, Option<Config>) {
        let mut found = diagnose::Diagnoses::new(directory);
        let files = Files::read(directory, &mut found);
        let secrets = secret::Resolved::of(&files, directory, &mut found);
        check::all(&files, &secrets, &mut found);
        let problems = found.finish();
        let broken = problems.iter().any(|p| p.problem.severity == Severity::Error);
        (problems, (!broken).then(|| Config { files, secrets, directory: directory.to_owned() }))
    }

    /// Where the store is.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.directory.join(&self.files.main.value.store.path)
    }

    /// The journeys as the files have them.
    pub(crate) fn drafts(&self) -> Vec<Draft> {
        self.files.journeys.iter().map(|(name, file)| Draft::new(name, file.value.clone(), &self.files.templates)).collect()
    }

    /// Puts together what stages need. A store in which nothing was ever published gets the journeys of the files; from
    /// then on, publishing is what `trunkline apply` is for.
    pub(crate) async fn definitions(&self, store: &dyn Store, now: Time) -> Result<Arc<Definitions>, StoreError> {
        let main = &self.files.main.value;
        let templates: BTreeMap<_, _> = self.files.templates.iter().map(|(name, t)| (name.clone(), t.clone())).collect();
        let published = store.definitions().await?;
        let journeys = if published.is_empty() { publish_all(store, now, &self.drafts()).await? } else { Journeys::read(&published)? };
        let mut accounts = BTreeMap::new();
        for (name, account) in &main.accounts {
            let settings = AccountSettings {
                name: name.clone(),
                provider: account.provider.clone(),
                account_id: account.account_id.clone(),
                secrets: self.secrets.list(&format!("account {name} secrets")),
                signing_keys: self.secrets.list(&format!("account {name} signing_keys")),
                base_url: account.base_url.clone(),
                timeout: account.timeout,
            };
            if let Some(provider) = registry::provider(&settings) {
                let bounds = Bounds { rate: account.rate, daily: account.daily.clone(), breaker: account.breaker };
                accounts.insert(name.clone(), Account { provider, verify: account.verify, bounds, smart_encoding: account.smart_encoding });
            }
        }
        let mut sources = BTreeMap::new();
        for (name, file) in &self.files.sources {
            let source = &file.value;
            let webhooks = registry::source(&source.kind, self.secrets.list(&format!("source {name} secrets")), source.max_age);
            let definition = SourceDefinition {
                system: source.system.clone(),
                webhooks,
                verify: source.verify.unwrap_or(VerifyMode::Enforce),
                reads: source.reads.clone(),
                mappings: source.map.clone(),
            };
            sources.insert(name.clone(), definition);
        }
        let connectors = self.files.connectors.iter().map(|(name, file)| {
            let secrets = self.secrets.named(&format!("connector {name}"));
            Connector { name: name.clone(), definition: file.value.definition.clone(), secrets }
        });
        let followers = main.followers.iter().map(|(name, follower)| Follower {
            name: name.clone(),
            url: follower.url.clone(),
            events: follower.events.clone(),
            // Keys that are none were refused by the check.
            keys: self.secrets.list(&format!("follower {name} secrets")).iter().filter_map(|secret| SigningKey::parse(secret).ok()).collect(),
            allow_private: follower.allow_private,
            reveal_numbers: follower.reveal_numbers,
            timeout: follower.timeout,
        });
        Ok(Arc::new(Definitions {
            public_url: main.public_url.clone(),
            default_region: main.default_region.clone(),
            default_locale: main.default_locale.clone(),
            purposes: main.purposes.clone(),
            rules: Arc::new(self.files.rules_in_force()),
            template_ids: main.template_ids.clone(),
            accounts,
            senders: main.senders.iter().map(sender).collect(),
            countries: main.countries.iter().filter_map(|(code, country)| Some((code.clone(), country.rate?))).collect(),
            routes: main.routes.iter().enumerate().map(|(index, file)| route(index, file, &main.senders)).collect(),
            programs: main.programs.clone(),
            sources,
            journeys,
            systems: main.systems.clone(),
            followers: followers.collect(),
            templates,
            texts: main.templates.clone(),
            rates: self.files.rates.values().flatten().cloned().collect(),
            connectors: connectors.collect(),
            // Words that cannot be were refused by the check.
            keywords: Keywords::with(&main.keywords).unwrap_or_default(),
        }))
    }
}

fn sender(file: &SenderFile) -> Sender {
    Sender {
        number: file.number.clone(),
        registered: file.registered.clone(),
        account: file.account.clone(),
        rate: file.rate,
        daily: file.daily.clone(),
        opt_out_reply: file.opt_out_reply,
        shift_tables: file.shift_tables.clone(),
    }
}

/// A route with the senders that its ways mean, each once.
fn route(index: usize, file: &RouteFile, senders: &[SenderFile]) -> Route {
    let mut arms: Vec<Arm> = Vec::new();
    for via in &file.via {
        for sender in via.senders(senders) {
            let way = Way { account: sender.account.clone(), sender: sender.number.clone() };
            if !arms.iter().any(|arm| arm.way == way) {
                arms.push(Arm { way, weight: via.weight });
            }
        }
    }
    Route { name: file.name.clone().unwrap_or_else(|| format!("route {}", index + 1)), countries: file.country.clone(), purposes: file.purpose.clone(), arms }
}
