//! The shipped configuration as stages see it, for the simulation and for tests.
//!
//! Its own file because the world must run what is shipped and not something like it. Two journeys more are added: one with
//! several texts in a row, since none of the shipped ones has two and their order is promised, and one that sells.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trunkline_connectors::crm::declared::Connector;
use trunkline_connectors::follower::{Follower, SigningKey};
use trunkline_connectors::registry::{self, AccountSettings};
use trunkline_core::journey::Journey;
use trunkline_core::keyword::Keywords;
use trunkline_core::preview::Settings;
use trunkline_core::price;
use trunkline_core::quiet::Rules;
use trunkline_core::rate::Rate;
use trunkline_core::source::Mapping;
use trunkline_core::template::Template;
use trunkline_core::time::{Span, Time};
use trunkline_engine::definitions::{Account, Bounds, Definitions, Draft, Journeys, OptOutReply, Program, Sender, SourceDefinition, System, VerifyMode, publish_all};
use trunkline_store::{Store, StoreError};

use crate::carrier::Dialect;
use crate::vendor::VendorSettings;

/// Where the simulated world calls Trunkline.
pub const PUBLIC_URL: &str = "https://trunkline.test";
/// The account's id at the vendor.
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000000";
/// The sandbox's Messaging Service, which picks a sender by itself.
pub const MESSAGING_SERVICE: &str = "MG00000000000000000000000000000000";
/// Its token.
pub const AUTH_TOKEN: &str = "sandbox-auth-token";
/// The shop's secret.
pub const SHOP_SECRET: &str = "sandbox-shop-secret";
/// The CRM's token.
pub const CRM_TOKEN: &str = "crm-sandbox-token";
/// The sender whose opt-outs the vendor answers.
pub const SENDER: &str = "+15005550006";

/// Every file of the shipped configuration: (path, text).
pub const SHIPPED: [(&str, &str); 20] = [
    ("trunkline.toml", include_str!("../../../config/trunkline.toml")),
    ("sources/shopify.toml", include_str!("../../../config/sources/shopify.toml")),
    ("sources/logistics.toml", include_str!("../../../config/sources/logistics.toml")),
    ("sources/bookings.toml", include_str!("../../../config/sources/bookings.toml")),
    ("connectors/crm.toml", include_str!("../../../config/connectors/crm.toml")),
    ("connectors/crm_contacts.toml", include_str!("../../../config/connectors/crm_contacts.toml")),
    ("journeys/order-confirmed.toml", include_str!("../../../config/journeys/order-confirmed.toml")),
    ("journeys/order-shipped.toml", include_str!("../../../config/journeys/order-shipped.toml")),
    ("journeys/delivery-exception.toml", include_str!("../../../config/journeys/delivery-exception.toml")),
    ("journeys/appointment-reminder.toml", include_str!("../../../config/journeys/appointment-reminder.toml")),
    ("rates/example.csv", include_str!("../../../config/rates/example.csv")),
    ("templates/order_confirmed/default.txt", include_str!("../../../config/templates/order_confirmed/default.txt")),
    ("templates/order_confirmed/fr.txt", include_str!("../../../config/templates/order_confirmed/fr.txt")),
    ("templates/order_confirmed/es.txt", include_str!("../../../config/templates/order_confirmed/es.txt")),
    ("templates/order_shipped/default.txt", include_str!("../../../config/templates/order_shipped/default.txt")),
    ("templates/order_shipped/fr.txt", include_str!("../../../config/templates/order_shipped/fr.txt")),
    ("templates/delivery_exception/default.txt", include_str!("../../../config/templates/delivery_exception/default.txt")),
    ("templates/delivery_exception/fr.txt", include_str!("../../../config/templates/delivery_exception/fr.txt")),
    ("templates/appointment_reminder/default.txt", include_str!("../../../config/templates/appointment_reminder/default.txt")),
    ("templates/appointment_reminder/fr.txt", include_str!("../../../config/templates/appointment_reminder/fr.txt")),
];

/// A journey with three texts, two of them back to back; of some orders, with some pause.
const SERIES: &str = r#"
program = "acme"
purpose = "transactional"
ttl = "3h"
correlation = "event.data.order"
[trigger]
type = "order.created"
when = "event.data.items > MORE_THAN"
[[step]]
id = "first"
do = "send"
template = "order_confirmed"
[[step]]
id = "second"
do = "send"
template = "series_second"
[[step]]
id = "pause"
do = "wait"
for = "PAUSE"
[[step]]
id = "third"
do = "send"
template = "series_third"
"#;

/// Two texts that sell something, where the law says when and how often.
const OFFERS: &str = r#"
program = "acme"
purpose = "marketing"
ttl = "48h"
correlation = "event.data.order"
[trigger]
type = "offer.made"
[[step]]
id = "offer"
do = "send"
template = "order_confirmed"
[[step]]
id = "pause"
do = "wait"
for = "1h"
[[step]]
id = "again"
do = "send"
template = "order_confirmed"
"#;

/// A shipped file could not be read as what it is.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// It is not the TOML it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn text(path: &str) -> &'static str {
    SHIPPED.iter().find(|(p, _)| *p == path).map_or("", |(_, text)| text)
}

fn read<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, FixtureError> {
    toml::from_str(text).map_err(|e| FixtureError::File { path: path.to_owned(), problem: e.to_string() })
}

fn connector(name: &str) -> Result<Connector, FixtureError> {
    let path = format!("connectors/{name}.toml");
    let mut table: toml::Table = read(&path, text(&path))?;
    table.remove("secrets");
    let definition = toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| FixtureError::File { path, problem: e.to_string() })?;
    Ok(Connector { name: name.to_owned(), definition, secrets: [("token".to_owned(), CRM_TOKEN.into())].into() })
}

fn templates() -> BTreeMap<String, Template> {
    let mut all: BTreeMap<String, Template> = BTreeMap::new();
    for (path, text) in SHIPPED {
        let pieces: Vec<&str> = path.split('/').collect();
        if let ["templates", name, file] = pieces.as_slice() {
            let locale = file.trim_end_matches(".txt").to_owned();
            all.entry((*name).to_owned()).or_default().0.insert(locale, text.to_owned());
        }
    }
    all
}

/// How the journey with several texts is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// It is for orders of more products than this.
    pub more_than: u32,
    /// How long it pauses before its last text, in minutes.
    pub pause_mins: u32,
}

impl Default for Series {
    fn default() -> Series {
        Series { more_than: 1, pause_mins: 20 }
    }
}

/// Every journey that is shipped, the one with several texts and the one that sells.
pub fn drafts(series: Series) -> Result<Vec<Draft>, FixtureError> {
    let mut templates = templates();
    // Words of its own for each of its texts: the looping guard stops the same ones.
    for (name, ending) in [("series_second", " (2)"), ("series_third", " (3)")] {
        if let Some(first) = templates.get("order_confirmed") {
            let with_ending = first.0.iter().map(|(locale, text)| (locale.clone(), format!("{}{ending}", text.trim_end()))).collect();
            templates.insert(name.to_owned(), Template(with_ending));
        }
    }
    let mut drafts = Vec::new();
    for name in ["order-confirmed", "order-shipped", "delivery-exception", "appointment-reminder"] {
        let path = format!("journeys/{name}.toml");
        drafts.push(Draft::new(name, read::<Journey>(&path, text(&path))?, &templates));
    }
    let text = SERIES.replace("MORE_THAN", &series.more_than.to_string()).replace("PAUSE", &format!("{}m", series.pause_mins));
    drafts.push(Draft::new("series", read("series", &text)?, &templates));
    drafts.push(Draft::new("offers", read("offers", OFFERS)?, &templates));
    Ok(drafts)
}

/// Publishes the journeys to an empty store, or reads those of another one, and puts the definitions together. `ours`
/// makes Trunkline answer STOP and HELP.
pub async fn definitions(store: &dyn Store, now: Time, ours: bool, dialect: Dialect) -> Result<Arc<Definitions>, FixtureError> {
    definitions_with(store, now, ours, dialect, Series::default()).await
}

/// The same, with a series of one's own.
pub async fn definitions_with(store: &dyn Store, now: Time, ours: bool, dialect: Dialect, series: Series) -> Result<Arc<Definitions>, FixtureError> {
    #[derive(Deserialize)]
    struct Main {
        programs: BTreeMap<String, Program>,
        systems: BTreeMap<String, System>,
        templates: BTreeMap<String, Settings>,
    }
    #[derive(Deserialize)]
    struct Maps {
        system: String,
        reads: Option<String>,
        map: Vec<Mapping>,
    }
    let main: Main = read("trunkline.toml", text("trunkline.toml"))?;
    let maps: Maps = read("sources/shopify.toml", text("sources/shopify.toml"))?;
    let journeys = match store.newest_definition().await? {
        Some(_) => Journeys::read(&store.definitions().await?)?,
        None => publish_all(store, now, &drafts(series)?).await?,
    };
    let settings = dialect.account();
    let account = |provider| Account { provider, verify: VerifyMode::Enforce, bounds: Bounds::default(), smart_encoding: false };
    let accounts = registry::provider(&settings).map(|provider| (dialect.name().to_owned(), account(provider)));
    let webhooks = registry::source("shopify", vec![SHOP_SECRET.into()], Span::hours(48));
    let shop = SourceDefinition { system: maps.system, webhooks, verify: VerifyMode::Enforce, reads: None, mappings: maps.map };
    let mut sources = BTreeMap::from([("shopify".to_owned(), shop)]);
    for name in ["logistics", "bookings"] {
        let path = format!("sources/{name}.toml");
        let maps: Maps = read(&path, text(&path))?;
        sources.insert(name.to_owned(), SourceDefinition { system: maps.system, webhooks: None, verify: VerifyMode::Enforce, reads: maps.reads, mappings: maps.map });
    }
    let opt_out_reply = if ours { OptOutReply::Ours } else { OptOutReply::Vendor };
    let sender = Sender {
        number: SENDER.to_owned(),
        registered: Vec::new(),
        account: dialect.name().to_owned(),
        rate: Rate { per_second: 20, burst: 20 },
        daily: None,
        opt_out_reply,
        shift_tables: Vec::new(),
    };
    let card = "rates/example.csv";
    let rates = price::parse(text(card)).map_err(|e| FixtureError::File { path: card.to_owned(), problem: format!("line {}: {e}", e.line) })?;
    Ok(Arc::new(Definitions {
        public_url: PUBLIC_URL.to_owned(),
        default_region: Some("US".to_owned()),
        default_locale: "en".to_owned(),
        purposes: BTreeMap::new(),
        rules: Arc::new(Rules::shipped().clone()),
        template_ids: BTreeMap::from([("IN".to_owned(), BTreeMap::from([("order_confirmed".to_owned(), "1107160000000000001".to_owned())]))]),
        accounts: accounts.into_iter().collect(),
        senders: vec![sender],
        countries: BTreeMap::new(),
        routes: Vec::new(),
        programs: main.programs,
        sources,
        journeys,
        systems: main.systems,
        followers: vec![Follower {
            name: "bi".to_owned(),
            url: "https://bi.example/hooks".to_owned(),
            events: vec!["message.*".to_owned()],
            keys: SigningKey::parse(&crate::follower::KEY.into()).into_iter().collect(),
            allow_private: false,
            reveal_numbers: false,
            timeout: Span::secs(15),
        }],
        templates: templates(),
        texts: main.templates,
        rates,
        connectors: vec![connector("crm")?, connector("crm_contacts")?],
        keywords: Keywords::shipped().clone(),
    }))
}

/// Definitions with one journey, whose accounts speak to the fake vendor and to nothing else: for a rehearsal.
pub fn rehearsed(mut definitions: Definitions, journey: &str) -> Definitions {
    definitions.journeys.current.retain(|name, _| name == journey);
    PUBLIC_URL.clone_into(&mut definitions.public_url);
    (definitions.connectors, definitions.followers) = (Vec::new(), Vec::new());
    for (name, account) in &mut definitions.accounts {
        let settings = AccountSettings {
            name: name.clone(),
            provider: "twilio".to_owned(),
            account_id: ACCOUNT_SID.to_owned(),
            secrets: vec![AUTH_TOKEN.into()],
            signing_keys: Vec::new(),
            base_url: None,
            timeout: Span::secs(10),
        };
        if let Some(provider) = registry::provider(&settings) {
            *account = Account { provider, verify: VerifyMode::Enforce, bounds: Bounds::default(), smart_encoding: account.smart_encoding };
        }
    }
    definitions
}

/// A fake vendor that knows the senders of definitions.
pub fn vendor_for(definitions: &Definitions) -> VendorSettings {
    let inbound = |sender: &Sender| (sender.number.clone(), format!("{PUBLIC_URL}/hooks/{}", sender.account));
    VendorSettings {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
        inbound_urls: definitions.senders.iter().map(inbound).collect(),
        answers_stop: true,
        messaging_service: None,
    }
}
