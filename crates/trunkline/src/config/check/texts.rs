//! Texts: translations that are missing, characters that make them dear, and what each costs.
//!
//! Its own file because these look at the words and not at what they are for. What a text may name is checked with its
//! journey; a preview is a fact and no problem, so `check` shows it apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trunkline_core::expr::{Engine, ExprError};
use trunkline_core::journey::Step;
use trunkline_core::preview::{self, Forcing, Settings};
use trunkline_core::segment::smart::{self, By};
use trunkline_core::segment::{Route, first_beyond_gsm7};
use trunkline_core::template::{DEFAULT, Template};

use super::super::diagnose::{Diagnoses, Key, Severity};
use super::super::files::Files;
use super::at;

pub(super) fn all(files: &Files, engine: &Engine, found: &mut Diagnoses) {
    for (name, template) in &files.templates {
        let folder = PathBuf::from("templates").join(name);
        if template.pick("", &files.main.value.default_locale).is_none() {
            found.missing(&folder, &format!("has no text for the default locale '{}' and no default.txt", files.main.value.default_locale), "add default.txt");
        }
        translations(name, template, &folder, files, found);
        for (locale, text) in &template.0 {
            words(&folder.join(format!("{locale}.txt")), text, &settings(name, files), engine, found);
        }
    }
    configured(files, engine, found);
}

/// Locales that other templates have, and for which this one has nothing of the language.
fn translations(name: &str, template: &Template, folder: &Path, files: &Files, found: &mut Diagnoses) {
    let Some(first) = template.0.keys().next() else { return };
    let language = |locale: &str| locale.split(['-', '_']).next().unwrap_or_default().to_owned();
    // What stands in for everybody is written in the house's own language.
    let house = language(&files.main.value.default_locale);
    let lacks = |locale: &String| locale != DEFAULT && language(locale) != house && template.pick(locale, "").is_none_or(|(used, _)| used == DEFAULT);
    let absent = |other: &str| -> BTreeSet<String> { files.templates.get(other).into_iter().flat_map(|t| t.0.keys()).filter(|l| lacks(l)).cloned().collect() };
    let everywhere: BTreeSet<String> = files.templates.keys().flat_map(|other| absent(other)).collect();
    if everywhere.is_empty() {
        return;
    }
    // A journey that goes on in another language is worse than a template that has one language less.
    let mixed = files.journeys.iter().find_map(|(journey, file)| {
        let sends: BTreeSet<&str> = file.value.steps.iter().filter_map(|s| if let Step::Send { template, .. } = s { Some(template.as_str()) } else { None }).collect();
        let missing: BTreeSet<String> = if sends.contains(name) { sends.iter().flat_map(|other| absent(other)).collect() } else { BTreeSet::new() };
        (!missing.is_empty()).then(|| (journey, join(&missing)))
    });
    let (problem, hint) = match mixed {
        Some((journey, missing)) => (
            format!("template '{name}' has no text for {missing}, which other templates of journey '{journey}' have"),
            "recipients of these locales are spoken to in two languages: add the file".to_owned(),
        ),
        None => (format!("template '{name}' has no text for {}, which other templates have", join(&everywhere)), "recipients of these locales get the fallback".to_owned()),
    };
    found.at_line(Severity::Warning, &folder.join(format!("{first}.txt")), 1, "", &problem, &hint);
}

fn join(locales: &BTreeSet<String>) -> String {
    locales.iter().cloned().collect::<Vec<_>>().join(", ")
}

fn words(path: &Path, text: &str, settings: &Settings, engine: &Engine, found: &mut Diagnoses) {
    if let Err(error) = engine.names(text) {
        let line = if let ExprError::Syntax { line, .. } = &error { *line } else { 1 };
        found.at_line(Severity::Error, path, line, "", &format!("the text {error}"), "mend its syntax");
        return;
    }
    // What smart encoding makes good costs nothing.
    if settings.smart_encoding && preview::written_beyond_gsm7(&smart::replace(text, By::Us).0).is_none() {
        return;
    }
    if let Some(Forcing { character, line: Some(line), column: Some(column) }) = preview::written_beyond_gsm7(text) {
        let problem = format!("'{character}' (U+{:04X}) is not in the GSM-7 alphabet, so every text takes 70 characters a segment instead of 160", u32::from(character));
        let replaced = first_beyond_gsm7(&smart::replace(&character.to_string(), By::Us).0).is_none();
        let hint = if replaced { "write it plainly, or switch smart_encoding on for this template" } else { "write it with plain letters and punctuation, or accept the price" };
        found.at_column(Severity::Warning, path, line, column, &problem, hint);
    }
}

/// What `[templates]` and `[[senders]]` say of texts.
fn configured(files: &Files, engine: &Engine, found: &mut Diagnoses) {
    let (path, main) = (&files.main.path, &files.main.value);
    for (name, settings) in &main.templates {
        let Some(template) = files.templates.get(name) else {
            let known: Vec<&str> = files.templates.keys().map(String::as_str).collect();
            found.warning(path, at!["templates", name.as_str()], &format!("no template is called '{name}'"), &format!("use one of: {}", known.join(", ")));
            continue;
        };
        let read: BTreeSet<String> = template.0.values().flat_map(|text| engine.names(text).unwrap_or_default()).collect();
        let known: Vec<&str> = read.iter().map(String::as_str).collect();
        let hint = format!("its texts read: {}", known.join(", "));
        for (table, variable) in settings.worst.keys().map(|v| ("worst", v)).chain(settings.longest.keys().map(|v| ("longest", v))) {
            if !read.contains(variable) {
                found.warning(path, at!["templates", name.as_str(), table, variable.as_str()], &format!("no text of template '{name}' reads '{variable}'"), &hint);
            }
        }
    }
    for (index, sender) in main.senders.iter().enumerate().filter(|(_, sender)| !sender.shift_tables.is_empty()) {
        // None of the providers here says that it carries them.
        let provider = main.accounts.get(&sender.account).map_or("its provider", |account| account.provider.as_str());
        let problem = format!("{provider} is not known to carry national shift tables, so more segments may be billed than are counted");
        found.warning(path, at!["senders", index, "shift_tables"], &problem, "ask the vendor, or take it out");
    }
}

/// What is configured of a template; an account that encodes smartly does so for all of them.
fn settings(name: &str, files: &Files) -> Settings {
    let main = &files.main.value;
    let mut settings = main.templates.get(name).cloned().unwrap_or_default();
    let account = main.senders.first().and_then(|sender| main.accounts.get(&sender.account));
    settings.smart_encoding |= account.is_some_and(|account| account.smart_encoding);
    settings
}

/// What one text costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Preview {
    pub(crate) template: String,
    pub(crate) locale: String,
    #[serde(flatten)]
    pub(crate) sizes: Option<Sizes>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// How large it is at least and at worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sizes {
    pub(crate) encoding: &'static str,
    pub(crate) segments: u32,
    pub(crate) worst_segments: u32,
    pub(crate) worst_units: u32,
    /// What turns it to UCS-2.
    pub(crate) forced_by: Option<Forcing>,
    /// Variables whose length is a guess.
    pub(crate) guessed: Vec<String>,
}

/// Every text of every template.
pub(crate) fn previews(files: &Files) -> Vec<Preview> {
    let engine = Engine::new();
    let main = &files.main.value;
    let route = Route { shifts: main.senders.first().map(|sender| sender.shift_tables.clone()).unwrap_or_default(), ..Route::default() };
    let texts = files.templates.iter().flat_map(|(name, template)| template.0.iter().map(move |(locale, text)| (name, locale, text)));
    let one = |(name, locale, text): (&String, &String, &String)| {
        let found = preview::preview(&engine, text, locale, &main.default_locale, &settings(name, files), &route);
        let (sizes, problem) = match found {
            Ok(found) => (Some(sizes(found)), None),
            Err(error) => (None, Some(format!("{error}: give its variables under [templates.{name}.worst]"))),
        };
        Preview { template: name.clone(), locale: locale.clone(), sizes, problem }
    };
    texts.map(one).collect()
}

fn sizes(found: preview::Preview) -> Sizes {
    let worst = found.worst.size;
    Sizes {
        encoding: worst.encoding.name(),
        segments: found.least.size.segments,
        worst_segments: worst.segments,
        worst_units: worst.units,
        forced_by: found.forces,
        guessed: found.guessed,
    }
}
