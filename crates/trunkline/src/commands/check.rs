//! `trunkline check`: every problem of the configuration at once, and what each text costs.

use clap::Args;
use serde_json::json;
use trunkline_core::keyword::Keywords;
use trunkline_core::quiet::Rules;
use trunkline_core::sender;

use super::Place;
use crate::config::{Config, Preview, Problem, Severity, previews};
use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Check the configuration, and preview its texts.
#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let (found, config) = Config::load(&self.place.config);
        let errors = found.iter().filter(|d| d.problem.severity == Severity::Error).count();
        let warnings = found.len() - errors;
        let tzdb = trunkline_core::zone::release();
        let texts = config.as_ref().map(|config| previews(&config.files)).unwrap_or_default();
        let files = config.as_ref().map_or(0, |config| config.files.rules.len());
        let (rules, holidays) = (Rules::shipped().as_of(), Rules::holidays_until());
        if self.place.json {
            let problems: Vec<&Problem> = found.iter().map(|d| &d.problem).collect();
            let data = json!({"rules": rules, "rule_files": files, "holidays_until": holidays, "sender_rules": sender::as_of(), "keywords": Keywords::as_of()});
            output::json(&json!({"ok": config.is_some(), "errors": errors, "warnings": warnings, "tzdb": tzdb, "data": data, "problems": problems, "templates": texts}))?;
        } else {
            for diagnosis in &found {
                output::say(&format!("{}\n", diagnosis.picture));
            }
            show(&texts);
            output::say(&format!("{errors} errors, {warnings} warnings in {}; time zone database {tzdb}", self.place.config.display()));
            let own = match files {
                0 => String::new(),
                1 => ", with one file of rules/ over them".to_owned(),
                n => format!(", with {n} files of rules/ over them"),
            };
            let (senders, words) = (sender::as_of(), Keywords::as_of());
            output::say(&format!("quiet hours of {rules}{own}; holidays until {holidays}; sender rules of {senders}; keywords of {words}"));
        }
        Ok(if config.is_some() { EXIT_OK } else { EXIT_FOUND })
    }
}

/// The texts as a table.
fn show(texts: &[Preview]) {
    if texts.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = texts.iter().map(row).collect();
    output::table(&["TEMPLATE", "LOCALE", "ENCODING", "SEGMENTS", "BECAUSE OF"], &rows);
    if texts.iter().any(|text| text.sizes.as_ref().is_some_and(|sizes| !sizes.guessed.is_empty())) {
        let guess = trunkline_core::preview::GUESS;
        output::say(&format!("* some variable may be longer: {guess} characters are guessed for each that is not in [templates.<name>.longest] or .worst"));
    }
    output::say("");
}

fn row(text: &Preview) -> Vec<String> {
    let (encoding, segments, because) = match &text.sizes {
        None => (String::new(), String::new(), text.problem.clone().unwrap_or_default()),
        Some(sizes) => {
            let range = if sizes.segments == sizes.worst_segments { sizes.segments.to_string() } else { format!("{} to {}", sizes.segments, sizes.worst_segments) };
            let guessed = if sizes.guessed.is_empty() { "" } else { "*" };
            let because = sizes.forced_by.map_or_else(String::new, |forced| {
                let place = forced.line.zip(forced.column).map_or_else(|| "in a value".to_owned(), |(line, column)| format!("at {line}:{column}"));
                format!("'{}' (U+{:04X}) {place}", forced.character, u32::from(forced.character))
            });
            (sizes.encoding.to_owned(), format!("{range}{guessed}"), because)
        }
    };
    vec![text.template.clone(), text.locale.clone(), encoding, segments, because]
}
