//! `trunkline check`: every problem of the configuration at once.

use clap::Args;
use serde_json::json;
use trunkline_core::keyword::Keywords;

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
        if self.place.json {
            let problems: Vec<&Problem> = found.iter().map(|d| &d.problem).collect();
            output::json(&json!({"ok": config.is_some(), "errors": errors, "warnings": warnings, "tzdb": tzdb, "keywords": Keywords::as_of(), "problems": problems}))?;
        } else {
            for diagnosis in &found {
                output::say(&format!("{}\n", diagnosis.picture));
            }
            output::say(&format!("{errors} errors, {warnings} warnings in {}; time zone database {tzdb}", self.place.config.display()));
            output::say(&format!("keywords of {}", Keywords::as_of()));
        }
        Ok(if config.is_some() { EXIT_OK } else { EXIT_FOUND })
    }
}
