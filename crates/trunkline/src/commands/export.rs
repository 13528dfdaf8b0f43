//! `trunkline export`: what happened, as lines for other programs and for `rehearse`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use trunkline_core::time::Time;

use super::Place;
use crate::output::{self, EXIT_OK};
use crate::wiring;

/// Write what happened to a file, one JSON object a line.
#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Source events as they were mapped, oldest first: what `rehearse` reads. The file holds phone numbers.
    Events {
        /// Taken at this time or later.
        #[arg(long)]
        since: Option<Time>,
        /// Taken before this time.
        #[arg(long)]
        until: Option<Time>,
        /// The file; absent means standard output.
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
}

/// How many rows are read at once.
const PAGE: usize = 500;

impl Export {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let What::Events { since, until, out } = self.what;
        let config = self.place.load()?;
        let store = wiring::open_store(&config)?;
        let bar = if output::watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{spinner} {human_pos} events read, {per_sec}")?);
        // Rows are walked from the newest: what is wanted is written in the other order.
        let (mut lines, mut before) = (Vec::new(), None);
        loop {
            let page = store.events_before(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            bar.inc(page.len() as u64);
            let past = since.is_some_and(|since| last.received_at < since);
            for event in page.iter().filter(|e| since.is_none_or(|s| e.received_at >= s) && until.is_none_or(|u| e.received_at < u)) {
                lines.push(serde_json::to_string(&event.mapped)?);
            }
            if past {
                break;
            }
        }
        bar.finish_and_clear();
        lines.reverse();
        match out {
            Some(path) => {
                let text = lines.iter().fold(String::new(), |all, line| all + line + "\n");
                std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
                output::tell(&format!("{} events in {}; the file holds phone numbers", lines.len(), path.display()));
            }
            None => lines.iter().for_each(|line| output::say(line)),
        }
        Ok(EXIT_OK)
    }
}
