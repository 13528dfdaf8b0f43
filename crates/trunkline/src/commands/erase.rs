//! `trunkline erase`: a person asks to be forgotten.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use trunkline_core::id::AddressId;
use trunkline_core::number::Number;
use trunkline_engine::Engine;
use trunkline_engine::erase::Erasing;

use super::Place;
use crate::output::{self, EXIT_FAILED, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Erase every text and every word about one number, for good; it stays suppressed.
#[derive(Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    place: Place,
    /// The phone number, or the address's id (adr_…).
    number: String,
    /// Why, in one line: kept on the ledger and in the audit.
    #[arg(long)]
    reason: String,
}

impl Erase {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > 500 || reason.chars().any(char::is_control) {
            anyhow::bail!("--reason is empty, longer than 500 characters, or not one line: say why, such as the number of the request");
        }
        let engine = wiring::beside(&self.place).await?;
        let (id, number) = match address_of(&engine, &self.number) {
            Ok(found) => found,
            Err(problem) => {
                output::complain(&problem);
                return Ok(EXIT_FOUND);
            }
        };
        let spinner = if output::watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        spinner.set_style(ProgressStyle::with_template("{spinner} {human_pos} records looked through, {per_sec}")?);
        let erased = engine.erase(id, number.as_ref(), reason, "command line", |rows| spinner.set_position(rows)).await?;
        spinner.finish_and_clear();
        match erased {
            Erasing::Done(remains) => {
                if self.place.json {
                    output::json(&remains)?;
                    return Ok(EXIT_OK);
                }
                output::say(&format!(
                    "{}: {} texts, {} answers, {} entries of the ledger, {} webhooks, {} events and {} profiles are without words; the number stays suppressed",
                    remains.address, remains.texts, remains.heard, remains.entries, remains.webhooks, remains.events, remains.profiles
                ));
                if remains.receipts_may_come > 0 {
                    output::tell(&format!("{} texts may still get receipts, which name the number: run the same again in a few days", remains.receipts_may_come));
                }
                output::tell("backups and the systems that the events came from still have it");
                Ok(EXIT_OK)
            }
            Erasing::Busy(what) => {
                output::complain(&format!("{}: nothing was changed; run it again in a minute, with the server running", what.join(", ")));
                Ok(EXIT_FAILED)
            }
            Erasing::Unknown => {
                output::complain("nothing is known of this number, and nothing was changed");
                Ok(EXIT_FOUND)
            }
        }
    }
}

/// The address of what somebody typed, and the number if it is one.
pub(super) fn address_of(engine: &Engine, text: &str) -> Result<(AddressId, Option<Number>), String> {
    if let Ok(id) = text.parse::<AddressId>() {
        return Ok((id, None));
    }
    match Number::parse(text, engine.definitions.default_region.as_deref()) {
        Ok(number) => Ok((engine.key.address("sms", number.e164()), Some(number))),
        Err(error) => Err(format!("'{text}' {error}")),
    }
}
