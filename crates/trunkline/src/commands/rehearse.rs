//! `trunkline rehearse`: a journey over recorded events, to see what would go out. Nothing leaves.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_core::id::InstallationKey;
use trunkline_sim::fixtures;
use trunkline_sim::rehearse::{Consent, Recorded, Report, rehearse};
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Run a journey of the files over recorded events, and show what would go out, when, to how many, and what is held.
#[derive(Args)]
pub(crate) struct Rehearse {
    #[command(flatten)]
    place: Place,
    /// The journey, as its file is called.
    journey: String,
    /// Recorded events, one JSON object a line: what `trunkline export events` writes, or CloudEvents.
    #[arg(long)]
    events: PathBuf,
    /// Take it that everybody agreed to everything, instead of asking the store's ledger.
    #[arg(long)]
    assume_consent: bool,
    /// How many texts to show; the counts are of all.
    #[arg(long, default_value_t = 20)]
    show: usize,
}

impl Rehearse {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("error", false);
        let config = self.place.load()?;
        let known: Vec<&str> = config.files.journeys.keys().map(String::as_str).collect();
        if !known.contains(&self.journey.as_str()) {
            anyhow::bail!("there is no journeys/{}.toml: use one of {}", self.journey, known.join(", "));
        }
        let events = read(&self.events)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct)?);
        let definitions = config.definitions(store.as_ref(), SystemClock::new().now()).await?;
        let definitions = Arc::into_inner(definitions).context("the definitions are in use elsewhere")?;
        let consent = if self.assume_consent {
            Consent::Assumed
        } else if config.store_path().exists() {
            let real = wiring::open_store(&config)?;
            let (key, _) = real.installation().await?;
            Consent::Of(real, Box::new(InstallationKey::new(&key)))
        } else {
            Consent::None
        };
        let report = rehearse(store, Arc::new(fixtures::rehearsed(definitions, &self.journey)), events, consent).await?;
        if self.place.json {
            output::json(&report)?;
        } else {
            self.show(&report);
        }
        Ok(if report.refused.is_empty() { EXIT_OK } else { EXIT_FOUND })
    }

    fn show(&self, report: &Report) {
        let local = |local: &[String]| local.join(" or ");
        let rows: Vec<Vec<String>> = report
            .texts
            .iter()
            .take(self.show)
            .map(|t| {
                let when = t.left_at.map_or_else(|| "not sent".to_owned(), |at| at.to_string().chars().take(16).collect());
                let why = t.reasons.first().cloned().unwrap_or_default();
                vec![when, local(&t.local), t.to.clone(), t.step.clone(), t.delivery.to_owned(), format!("{} {}", t.segments, t.encoding), why]
            })
            .collect();
        if !rows.is_empty() {
            output::table(&["LEAVES (UTC)", "THERE", "TO", "STEP", "ENDS AS", "SEGMENTS", "HELD OR NOT SENT, BECAUSE"], &rows);
            if report.texts.len() > rows.len() {
                output::say(&format!("… and {} more; --show {} shows all", report.texts.len() - rows.len(), report.texts.len()));
            }
            output::say("");
        }
        output::say(&format!("{} events; runs: {}", report.events, words(report.runs.iter())));
        let between = report.between.map_or_else(String::new, |(from, to)| format!(", from {from} to {to}"));
        output::say(&format!("{} texts would go out to {} people, {} segments{between}", report.left, report.recipients, report.segments));
        output::say(&format!("held on the way: {}", words(report.held.iter())));
        output::say(&format!("not sent: {}", words(report.not_sent.iter())));
        for (line, problem) in report.refused.iter().take(20) {
            output::complain(&format!("{} line {line}: {problem}", self.events.display()));
        }
        output::say("nothing left this machine");
    }
}

fn words<'a>(counts: impl Iterator<Item = (&'a String, &'a usize)>) -> String {
    let words: Vec<String> = counts.map(|(word, n)| format!("{n} {word}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// Every line with its number, or the first that cannot be read: nothing is rehearsed in half.
fn read(path: &std::path::Path) -> anyhow::Result<Vec<(usize, Recorded)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut events = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let event = Recorded::parse(line).map_err(|e| anyhow::anyhow!("{} line {}: {e}; give one JSON object a line", path.display(), number + 1))?;
        events.push((number + 1, event));
    }
    Ok(events)
}
