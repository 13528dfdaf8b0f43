//! "STOP 1042": a word of the STOP family with the name of one run, where the configuration lets it end that run alone.
//!
//! Its own file because it is no opt-out: consent stays as it is, nothing is confirmed, and texts of other runs go on.
//! Where nothing of that name is under way, the text is a STOP like any other.

use trunkline_core::id::ProfileId;
use trunkline_core::journey::Position;
use trunkline_core::keyword::{How, plain};
use trunkline_core::message;
use trunkline_core::reason::Reason;
use trunkline_core::time::Time;
use trunkline_store::row::{Address, AddressNews, Inbound, Message, Run};
use trunkline_store::{Command, StoreError};

use super::understood::MOST_PROFILES;
use crate::Engine;

impl Engine {
    /// The runs about the number's holders that a text names, and that something is left of.
    pub(super) async fn named(&self, address: &Address, body: &str, waiting: &[Message]) -> Result<Vec<Run>, StoreError> {
        let Some(name) = self.definitions.keywords.scope(body) else { return Ok(Vec::new()) };
        let profiles: Vec<ProfileId> = self.store.profiles_at(address.id, MOST_PROFILES).await?.into_iter().map(|p| p.id).collect();
        let mut runs = self.store.open_runs(&profiles).await?;
        runs.retain(|run| plain(&run.correlation) == name && (under_way(run) || waiting.iter().any(|m| may_be_taken_back(m, run))));
        Ok(runs)
    }

    /// Ends these runs and takes back their texts that have not left. The text comes first: once it is known, it is not
    /// read again as a STOP to everything, whatever crashes.
    pub(super) fn end_named(&self, address: &Address, inbound: Inbound, runs: &[Run], waiting: &[Message], answered: Option<&Message>, now: Time) -> Vec<Command> {
        let by = format!("{} ({}: {})", inbound.id, inbound.body.trim(), How::Scoped);
        // Runs outlive an erasure as they are, and so they keep none of her words.
        let why = format!("ended by {} ({})", inbound.id, How::Scoped);
        let of_these = |m: &&Message| runs.iter().any(|run| may_be_taken_back(m, run));
        let mut messages = Vec::new();
        for message in waiting.iter().filter(of_these) {
            let event = message::Event::Canceled { reason: Reason::CanceledBy { by: by.clone() } };
            messages.extend(self.change(message, event, None, address, now));
        }
        if let Some(message) = answered {
            let event = message::Event::Replied { inbound: inbound.id, stop: false, how: Some(How::Scoped) };
            messages.extend(self.change(message, event, None, address, now));
        }
        let news = Box::new(AddressNews { entries: Vec::new(), inbound: Some(Inbound { keyword: None, ..inbound }) });
        let mut commands = vec![Command::News { address: address.id, guard_version: address.guard_version, news, messages, owes: Vec::new() }];
        for run in runs.iter().filter(|run| under_way(run)) {
            let over = Run { position: Position::Canceled { why: why.clone() }, ..run.clone() };
            commands.push(Command::PutRun(Box::new(over), vec![why.clone()].into()));
        }
        commands
    }
}

fn under_way(run: &Run) -> bool {
    matches!(run.position, Position::At { .. })
}

fn may_be_taken_back(message: &Message, run: &Run) -> bool {
    message.state.claimable() && message.intent.origin.run() == Some(run.id)
}
