//! The shapes of the files, and reading them.
//!
//! Its own file because these are the public shape of the configuration: every field that people may write. Unknown
//! fields are errors; nothing is read from the environment but secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use trunkline_connectors::crm::declared::Definition;
use trunkline_core::breaker::Rule;
use trunkline_core::daily::Daily;
use trunkline_core::journey::Journey;
use trunkline_core::keyword;
use trunkline_core::preview::Settings;
use trunkline_core::price;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::quiet::{HoursSettings, RuleFile, Rules};
use trunkline_core::rate::Rate;
use trunkline_core::route::SenderKind;
use trunkline_core::segment::Shift;
use trunkline_core::source::Mapping;
use trunkline_core::template::Template;
use trunkline_core::time::Span;
use trunkline_engine::definitions::{OptOutReply, Program, System, VerifyMode};

use super::diagnose::{Diagnoses, Severity};

/// A file and what it says.
#[derive(Debug, Clone)]
pub(crate) struct File<T> {
    pub(crate) path: PathBuf,
    pub(crate) value: T,
}

/// `trunkline.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Main {
    pub(crate) public_url: String,
    pub(crate) listen: String,
    #[serde(default)]
    pub(crate) store: StoreFile,
    #[serde(default)]
    pub(crate) default_region: Option<String>,
    #[serde(default = "default_locale")]
    pub(crate) default_locale: String,
    #[serde(default)]
    pub(crate) purposes: BTreeMap<Purpose, Policy>,
    #[serde(default)]
    pub(crate) accounts: BTreeMap<String, AccountFile>,
    #[serde(default)]
    pub(crate) senders: Vec<SenderFile>,
    #[serde(default)]
    pub(crate) countries: BTreeMap<String, CountryFile>,
    #[serde(default)]
    pub(crate) routes: Vec<RouteFile>,
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, Program>,
    #[serde(default)]
    pub(crate) systems: BTreeMap<String, System>,
    #[serde(default)]
    pub(crate) followers: BTreeMap<String, FollowerFile>,
    #[serde(default)]
    pub(crate) quiet_hours: HoursSettings,
    /// The ids under which templates are registered, by country and template.
    #[serde(default)]
    pub(crate) template_ids: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) templates: BTreeMap<String, Settings>,
    #[serde(default)]
    pub(crate) keywords: keyword::Settings,
}

/// One of `[followers.<name>]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowerFile {
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) secrets: Vec<SecretRef>,
    #[serde(default)]
    pub(crate) allow_private: bool,
    #[serde(default)]
    pub(crate) reveal_numbers: bool,
    #[serde(default = "fifteen_seconds")]
    pub(crate) timeout: Span,
}

fn fifteen_seconds() -> Span {
    Span::secs(15)
}

/// `store = "path"`, or `[store]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "StoreWords")]
pub(crate) struct StoreFile {
    pub(crate) path: String,
    pub(crate) max_size: Option<Size>,
}

impl Default for StoreFile {
    fn default() -> StoreFile {
        StoreFile { path: default_store(), max_size: None }
    }
}

fn default_store() -> String {
    "trunkline.sqlite".to_owned()
}

/// The two ways to write it. Read by hand, so that a fault inside of `[store]` is told as what it is.
enum StoreWords {
    Path(String),
    Table(StoreTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    #[serde(default = "default_store")]
    path: String,
    #[serde(default)]
    max_size: Option<Size>,
}

impl From<StoreWords> for StoreFile {
    fn from(words: StoreWords) -> StoreFile {
        match words {
            StoreWords::Path(path) => StoreFile { path, max_size: None },
            StoreWords::Table(StoreTable { path, max_size }) => StoreFile { path, max_size },
        }
    }
}

impl<'de> Deserialize<'de> for StoreWords {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<StoreWords, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = StoreWords;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with path and max_size")
            }
            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<StoreWords, E> {
                Ok(StoreWords::Path(path.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StoreWords, A::Error> {
                StoreTable::deserialize(MapAccessDeserializer::new(map)).map(StoreWords::Table)
            }
        }
        d.deserialize_any(Words)
    }
}

/// A number of bytes, as `500MB` or `20GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) i64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Size, D::Error> {
        let text = String::deserialize(d)?;
        let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)];
        let read = units.iter().find_map(|(unit, bytes)| text.trim().strip_suffix(*unit)?.trim_end().parse::<i64>().ok()?.checked_mul(*bytes)).filter(|bytes| *bytes > 0);
        let shown: String = text.chars().take(40).collect();
        read.map(Size).ok_or_else(|| serde::de::Error::custom(format!("'{shown}' is not a size: write a whole number and MB, GB or TB, such as \"20GB\"")))
    }
}

fn default_locale() -> String {
    "en".to_owned()
}

/// One of `[accounts.<name>]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountFile {
    pub(crate) provider: String,
    pub(crate) account_id: String,
    pub(crate) secrets: Vec<SecretRef>,
    #[serde(default)]
    pub(crate) signing_keys: Vec<SecretRef>,
    pub(crate) verify: VerifyMode,
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    #[serde(default = "ten_seconds")]
    pub(crate) timeout: Span,
    /// For all of its senders together.
    #[serde(default)]
    pub(crate) rate: Option<Rate>,
    #[serde(default)]
    pub(crate) daily: Option<Daily>,
    #[serde(default)]
    pub(crate) breaker: Rule,
    #[serde(default)]
    pub(crate) smart_encoding: bool,
}

fn ten_seconds() -> Span {
    Span::secs(10)
}

/// One of `[[senders]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SenderFile {
    pub(crate) number: String,
    pub(crate) account: String,
    pub(crate) rate: Rate,
    #[serde(default)]
    pub(crate) daily: Option<Daily>,
    /// What it looks like, if not said.
    #[serde(default)]
    pub(crate) kind: Option<SenderKind>,
    pub(crate) opt_out_reply: OptOutReply,
    /// The countries it is meant for: `check` refuses those that it cannot reach.
    #[serde(default)]
    pub(crate) countries: Vec<String>,
    /// The countries in which it is registered, where that is asked.
    #[serde(default)]
    pub(crate) registered: Vec<String>,
    #[serde(default)]
    pub(crate) shift_tables: Vec<Shift>,
}

impl SenderFile {
    pub(crate) fn kind(&self) -> SenderKind {
        self.kind.unwrap_or_else(|| SenderKind::of(&self.number))
    }
}

/// One of `[countries.<code>]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountryFile {
    /// From all senders together.
    #[serde(default)]
    pub(crate) rate: Option<Rate>,
}

/// One of `[[routes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteFile {
    /// Its place in the file, if not said.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Absent means everywhere.
    #[serde(default)]
    pub(crate) country: Vec<String>,
    /// Absent means all.
    #[serde(default)]
    pub(crate) purpose: Vec<Purpose>,
    pub(crate) via: Vec<ViaFile>,
}

/// A sender or all senders of a kind, and their share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViaFile {
    #[serde(default)]
    pub(crate) sender: Option<String>,
    #[serde(default)]
    pub(crate) kind: Option<SenderKind>,
    /// Narrows it to this account.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// The share of each sender.
    #[serde(default = "one")]
    pub(crate) weight: u32,
}

fn one() -> u32 {
    1
}

impl ViaFile {
    /// The senders that it means, in the order of the file.
    pub(crate) fn senders<'a>(&self, all: &'a [SenderFile]) -> Vec<&'a SenderFile> {
        let means = |sender: &&SenderFile| {
            self.sender.as_ref().is_none_or(|number| *number == sender.number)
                && self.kind.is_none_or(|kind| kind == sender.kind())
                && self.account.as_ref().is_none_or(|account| *account == sender.account)
        };
        all.iter().filter(means).collect()
    }
}

/// One of `sources/*.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceFile {
    /// `shopify`, or `events` for events of the API.
    pub(crate) kind: String,
    pub(crate) system: String,
    #[serde(default)]
    pub(crate) secrets: Vec<SecretRef>,
    /// Needed where webhooks come in: there is no default.
    #[serde(default)]
    pub(crate) verify: Option<VerifyMode>,
    #[serde(default = "two_days")]
    pub(crate) max_age: Span,
    #[serde(default)]
    pub(crate) reads: Option<String>,
    pub(crate) map: Vec<Mapping>,
}

fn two_days() -> Span {
    Span::hours(48)
}

/// One of `connectors/*.toml`.
#[derive(Debug, Clone)]
pub(crate) struct ConnectorFile {
    pub(crate) definition: Definition,
    pub(crate) secrets: BTreeMap<String, SecretRef>,
}

impl<'de> Deserialize<'de> for ConnectorFile {
    /// The definition with a table of secrets beside it; both strict, which flattening would not be.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<ConnectorFile, D::Error> {
        let mut table = toml::Table::deserialize(d)?;
        let secrets = match table.remove("secrets") {
            Some(secrets) => secrets.try_into().map_err(serde::de::Error::custom)?,
            None => BTreeMap::new(),
        };
        let definition = toml::Value::Table(table).try_into().map_err(serde::de::Error::custom)?;
        Ok(ConnectorFile { definition, secrets })
    }
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// Everything in the directory.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) main: File<Main>,
    pub(crate) sources: BTreeMap<String, File<SourceFile>>,
    pub(crate) connectors: BTreeMap<String, File<ConnectorFile>>,
    pub(crate) journeys: BTreeMap<String, File<Journey>>,
    pub(crate) templates: BTreeMap<String, Template>,
    /// Rules of jurisdictions over the shipped ones.
    pub(crate) rules: BTreeMap<String, File<RuleFile>>,
    pub(crate) rates: BTreeMap<String, Vec<price::Rate>>,
}

impl Files {
    pub(crate) fn read(directory: &Path, found: &mut Diagnoses) -> Files {
        let path = PathBuf::from("trunkline.toml");
        let text = std::fs::read_to_string(directory.join(&path));
        let main = match text {
            Ok(text) => found.parse(&path, text),
            Err(error) => {
                found.missing(&path, &format!("cannot be read: {error}"), "give the directory that holds trunkline.toml with --config");
                None
            }
        };
        // A stand-in lets the other files be checked too; the error above keeps it from being used.
        let value = main.unwrap_or_else(|| Main {
            public_url: String::new(),
            listen: String::new(),
            store: StoreFile::default(),
            default_region: None,
            default_locale: default_locale(),
            purposes: BTreeMap::new(),
            accounts: BTreeMap::new(),
            senders: Vec::new(),
            countries: BTreeMap::new(),
            routes: Vec::new(),
            programs: BTreeMap::new(),
            systems: BTreeMap::new(),
            followers: BTreeMap::new(),
            quiet_hours: HoursSettings::default(),
            template_ids: BTreeMap::new(),
            templates: BTreeMap::new(),
            keywords: keyword::Settings::default(),
        });
        Files {
            main: File { path, value },
            sources: tables(directory, "sources", found),
            connectors: tables(directory, "connectors", found),
            journeys: tables(directory, "journeys", found),
            templates: templates(directory, found),
            rules: tables(directory, "rules", found),
            rates: rates(directory, found),
        }
    }

    /// The rules in force: the shipped ones with those of `rules/` over them, in order of their files' names.
    pub(crate) fn rules_in_force(&self) -> Rules {
        let files: Vec<&RuleFile> = self.rules.values().map(|file| &file.value).collect();
        Rules::new(&files, self.main.value.quiet_hours.clone())
    }
}

/// The entries of a folder in order of name; none if there is no such folder.
fn entries(directory: &Path, folder: &str) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(directory.join(folder)).into_iter().flatten().flatten().map(|e| PathBuf::from(folder).join(e.file_name())).collect();
    names.sort();
    names
}

fn tables<T: DeserializeOwned>(directory: &Path, folder: &str, found: &mut Diagnoses) -> BTreeMap<String, File<T>> {
    let mut all = BTreeMap::new();
    for path in entries(directory, folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read_to_string(directory.join(&path)) {
            Ok(text) => {
                if let Some(value) = found.parse(&path, text) {
                    all.insert(name, File { path, value });
                }
            }
            Err(error) => found.missing(&path, &format!("cannot be read: {error}"), "mend its permissions"),
        }
    }
    all
}

fn templates(directory: &Path, found: &mut Diagnoses) -> BTreeMap<String, Template> {
    let mut all = BTreeMap::new();
    for folder in entries(directory, "templates") {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut texts = BTreeMap::new();
        for path in entries(directory, &folder.to_string_lossy()).into_iter().filter(|p| p.extension().is_some_and(|e| e == "txt")) {
            let locale = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match std::fs::read_to_string(directory.join(&path)) {
                Ok(text) => {
                    found.keep(&path, text.clone());
                    texts.insert(locale, text);
                }
                Err(error) => found.missing(&path, &format!("cannot be read: {error}"), "save it as UTF-8"),
            }
        }
        if !texts.is_empty() {
            all.insert(name, Template(texts));
        }
    }
    all
}

/// The rate cards of `rates/*.csv`.
fn rates(directory: &Path, found: &mut Diagnoses) -> BTreeMap<String, Vec<price::Rate>> {
    let mut all = BTreeMap::new();
    for path in entries(directory, "rates").into_iter().filter(|p| p.extension().is_some_and(|e| e == "csv")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = match std::fs::read_to_string(directory.join(&path)) {
            Ok(text) => text,
            Err(error) => {
                found.missing(&path, &format!("cannot be read: {error}"), "save it as UTF-8");
                continue;
            }
        };
        found.keep(&path, text.clone());
        match price::parse(&text) {
            Ok(card) => drop(all.insert(name, card)),
            Err(error) => found.at_line(Severity::Error, &path, error.line, "", &error.problem, "compare it with the shipped rates/example.csv"),
        }
    }
    all
}
