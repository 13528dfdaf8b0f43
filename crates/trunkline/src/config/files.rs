//! The shapes of the files, and reading them.
//!
//! Its own file because these are the public shape of the configuration: every field that people may write. Unknown
//! fields are errors; nothing is read from the environment but secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use trunkline_connectors::crm::declared::Definition;
use trunkline_core::journey::Journey;
use trunkline_core::keyword::Settings;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::rate::Rate;
use trunkline_core::source::Mapping;
use trunkline_core::template::Template;
use trunkline_core::time::Span;
use trunkline_engine::definitions::{OptOutReply, Program, System, VerifyMode};

use super::diagnose::Diagnoses;

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
    #[serde(default = "default_store")]
    pub(crate) store: String,
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
    pub(crate) programs: BTreeMap<String, Program>,
    #[serde(default)]
    pub(crate) systems: BTreeMap<String, System>,
    #[serde(default)]
    pub(crate) followers: BTreeMap<String, FollowerFile>,
    #[serde(default)]
    pub(crate) keywords: Settings,
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

fn default_store() -> String {
    "trunkline.sqlite".to_owned()
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
    pub(crate) opt_out_reply: OptOutReply,
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
            store: default_store(),
            default_region: None,
            default_locale: default_locale(),
            purposes: BTreeMap::new(),
            accounts: BTreeMap::new(),
            senders: Vec::new(),
            programs: BTreeMap::new(),
            systems: BTreeMap::new(),
            followers: BTreeMap::new(),
            keywords: Settings::default(),
        });
        Files {
            main: File { path, value },
            sources: tables(directory, "sources", found),
            connectors: tables(directory, "connectors", found),
            journeys: tables(directory, "journeys", found),
            templates: templates(directory, found),
        }
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
