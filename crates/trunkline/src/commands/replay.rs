//! `trunkline replay`: dead letters, listed or put back to work.

use clap::Args;
use serde_json::json;
use trunkline_store::row::Audit;
use trunkline_store::{Command, Unit};

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Put something that gave up back to work, or list what did.
#[derive(Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    place: Place,
    /// What to replay, as the list names it; nothing lists.
    ids: Vec<String>,
    /// Replay everything.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

impl Replay {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let engine = wiring::beside(&self.place).await?;
        let dead = engine.store.dead(10_000).await?;
        if self.ids.is_empty() && !self.all {
            if self.place.json {
                output::json(&dead)?;
            } else if dead.is_empty() {
                output::say("nothing gave up");
            } else {
                let rows: Vec<Vec<String>> = dead.iter().map(|d| vec![d.kind.clone(), d.id.clone(), d.at.to_string(), d.cause.clone()]).collect();
                output::table(&["KIND", "ID", "SINCE", "WHY"], &rows);
            }
            return Ok(EXIT_OK);
        }
        let ids: Vec<String> = if self.all { dead.into_iter().map(|d| d.id).collect() } else { self.ids };
        let mut missing = Vec::new();
        for id in &ids {
            if !engine.replay(id).await? {
                missing.push(id.clone());
                continue;
            }
            let now = engine.clock.now();
            let audit = Audit { number: 0, at: now, operator: "command line".to_owned(), act: "replayed".to_owned(), about: id.clone(), detail: String::new() };
            engine.store.commit(now, vec![Unit::one(Command::Audit(audit))]).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        if self.place.json {
            output::json(&json!({"replayed": ids.len() - missing.len(), "not_found": missing}))?;
        } else {
            output::say(&format!("{} replayed; a running server works on them now", ids.len() - missing.len()));
            for id in &missing {
                output::complain(&format!("nothing that gave up is called '{id}'; list with: trunkline replay"));
            }
        }
        Ok(if missing.is_empty() { EXIT_OK } else { EXIT_FOUND })
    }
}
