//! `trunkline check`: every problem of the configuration at once.

use clap::Args;
use serde_json::json;
use trunkline_core::quiet::Rules;
use trunkline_core::sender;

use super::Place;
use crate::config::{Config, Problem, Severity};
use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Check the configuration.
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
        let files = config.as_ref().map_or(0, |config| config.files.rules.len());
        let (rules, holidays) = (Rules::shipped().as_of(), Rules::holidays_until());
        if self.place.json {
            let problems: Vec<&Problem> = found.iter().map(|d| &d.problem).collect();
            let data = json!({"rules": rules, "rule_files": files, "holidays_until": holidays, "sender_rules": sender::as_of()});
            output::json(&json!({"ok": config.is_some(), "errors": errors, "warnings": warnings, "tzdb": tzdb, "data": data, "problems": problems}))?;
        } else {
            for diagnosis in &found {
                output::say(&format!("{}\n", diagnosis.picture));
            }
            output::say(&format!("{errors} errors, {warnings} warnings in {}; time zone database {tzdb}", self.place.config.display()));
            let own = match files {
                0 => String::new(),
                1 => ", with one file of rules/ over them".to_owned(),
                n => format!(", with {n} files of rules/ over them"),
            };
            output::say(&format!("quiet hours of {rules}{own}; holidays until {holidays}; sender rules of {}", sender::as_of()));
        }
        Ok(if config.is_some() { EXIT_OK } else { EXIT_FOUND })
    }
}
