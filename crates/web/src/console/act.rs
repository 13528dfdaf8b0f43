//! What an operator does: noted in the trail of what people did, with what it was done to.
//!
//! Its own file because everything that changes or uncovers something must be noted in the same way. It does nothing
//! itself: the engine acts, the store keeps.

use trunkline_core::time::Time;
use trunkline_store::row::Audit;
use trunkline_store::{Command, Unit};

use super::Console;
use super::problem::Problem;
use super::session::SignedIn;

/// Notes that the operator did something to each of these.
pub(super) async fn note(console: &Console, signed_in: &SignedIn, act: &str, about: &[String]) -> Result<(), Problem> {
    let now = console.engine.clock.now();
    let audit = |id: &String| Command::Audit(Audit { number: 0, at: now, operator: signed_in.by(), act: act.to_owned(), about: id.clone(), detail: String::new() });
    commit(console, now, about.iter().map(audit).collect()).await
}

/// Commits what one form asks for.
pub(super) async fn commit(console: &Console, now: Time, commands: Vec<Command>) -> Result<(), Problem> {
    for committed in console.engine.store.commit(now, vec![Unit(commands)]).await {
        committed?;
    }
    Ok(())
}
