//! `trunkline proof`: when, how and by whom consent was given and withdrawn, and what was sent between.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use trunkline_core::id::AddressId;
use trunkline_engine::Engine;
use trunkline_engine::proof::{Item, Proof};
use trunkline_store::row::Audit;
use trunkline_store::{Command, Unit};

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Put together the proof of consent for one number.
#[derive(Args)]
pub(crate) struct ProofOf {
    #[command(flatten)]
    place: Place,
    /// The phone number, or the address's id (adr_…).
    number: String,
    /// Write it as a page that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Show the number in full; noted in the audit.
    #[arg(long)]
    reveal: bool,
}

impl ProofOf {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let engine = wiring::beside(&self.place).await?;
        let found = match super::erase::address_of(&engine, &self.number) {
            Ok((id, _)) => engine.proof(id, self.reveal).await?,
            Err(problem) => {
                output::complain(&problem);
                return Ok(EXIT_FOUND);
            }
        };
        let Some(proof) = found else {
            output::complain("nothing is known of this number: no text went there, none came, and no consent was recorded");
            return Ok(EXIT_FOUND);
        };
        if self.reveal {
            noted(&engine, proof.address).await?;
        }
        if let Some(path) = &self.html {
            let page = trunkline_web::proof::html(&proof).map_err(|e| anyhow::anyhow!("the page cannot be rendered: {e}"))?;
            std::fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))?;
            output::tell(&format!("the proof is in {}", path.display()));
        }
        if self.place.json {
            output::json(&proof)?;
        } else if self.html.is_none() {
            tell(&proof);
        }
        Ok(EXIT_OK)
    }
}

async fn noted(engine: &Engine, address: AddressId) -> anyhow::Result<()> {
    let now = engine.clock.now();
    let audit =
        Audit { number: 0, at: now, operator: "command line".to_owned(), act: "revealed".to_owned(), about: address.to_string(), detail: "in a proof of consent".to_owned() };
    for committed in engine.store.commit(now, vec![Unit::one(Command::Audit(audit))]).await {
        committed?;
    }
    Ok(())
}

fn tell(proof: &Proof) {
    output::say(&format!("{}  {}", proof.address, proof.number));
    let none = "nothing is in force".to_owned();
    proof.in_force.iter().chain(Some(&none).filter(|_| proof.in_force.is_empty())).for_each(|line| output::say(&format!("  {line}")));
    for item in &proof.items {
        match item {
            Item::Entry(entry) => {
                output::say(&format!("{}  {} by {}: {}", entry.recorded_at, entry.act, entry.actor, entry.evidence));
                entry.after.iter().for_each(|line| output::say(&format!("    then {line}")));
            }
            Item::Text(text) => {
                let word = |permitted| if permitted { "permitted" } else { "not permitted" };
                let consent =
                    if text.exempt { "free of consent".to_owned() } else { format!("{}, as it was: {}", word(text.as_known.permitted), word(text.as_happened.permitted)) };
                output::say(&format!("{}  {} text of {} is {} ({consent})  {}", text.at, text.purpose, text.program, text.delivery, text.id));
            }
        }
    }
}
