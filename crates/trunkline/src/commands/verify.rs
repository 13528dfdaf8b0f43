//! `trunkline verify`: recompute and compare.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use trunkline_engine::verify::verify;

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Recompute all state from its history and compare.
#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let config = self.place.load()?;
        let store = wiring::open_store(&config)?;
        let bar = if output::watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{spinner} {human_pos} rows looked at, {per_sec}")?);
        let report = verify(store.as_ref(), |rows| bar.set_position(rows)).await?;
        bar.finish_and_clear();
        if self.place.json {
            output::json(&report)?;
        } else {
            for difference in &report.first {
                output::say(&format!("{} {}\n  stored {}\n  folded {}", difference.row, difference.field, difference.stored, difference.folded));
            }
            let looked = format!("{} messages, {} addresses, {} runs, {} counters", report.messages, report.addresses, report.runs, report.counters);
            output::say(&format!("{looked}: {} differences", report.differences));
        }
        Ok(if report.differences == 0 { EXIT_OK } else { EXIT_FOUND })
    }
}
