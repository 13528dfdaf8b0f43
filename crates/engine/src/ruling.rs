//! What a person decides about a text of unknown fate.
//!
//! Its own file because it is the one decision about a text that no rule makes. Sending again makes a new text with a
//! history of its own: the old one keeps saying that nobody knew.

use trunkline_core::id::MessageId;
use trunkline_core::message::{Delivery, Event, Ruling};
use trunkline_store::row::Message;
use trunkline_store::{Command, StoreError, Unit};

use crate::resolve::unclear;
use crate::{Engine, Stage};

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruled {
    /// It holds.
    Done,
    /// It holds, and this is the new text.
    Again(MessageId),
    /// The text is not of unknown fate, but this.
    NotUnclear(Delivery),
    /// There is no such text.
    NoSuchMessage,
    /// Something else happened to it at the same time: look again.
    Moved,
}

impl Engine {
    /// Decides about a text of unknown fate.
    pub async fn rule(&self, id: MessageId, ruling: Ruling, evidence: &str, by: &str) -> Result<Ruled, StoreError> {
        let now = self.clock.now();
        let Some(message) = self.store.messages(&[id]).await?.pop() else { return Ok(Ruled::NoSuchMessage) };
        let Some(address) = self.store.addresses(&[message.intent.address]).await?.pop() else { return Ok(Ruled::NoSuchMessage) };
        let Some(attempt) = unclear(&message) else { return Ok(Ruled::NotUnclear(message.state.delivery())) };
        let fresh = (ruling == Ruling::SendAgain).then(|| self.anew(&message, now));
        let event = Event::Ruled { n: attempt.n, ruling, by: by.to_owned(), evidence: evidence.to_owned(), again: fresh.as_ref().map(|f| f.0) };
        let Ok(change) = self.change(&message, event, None, &address, now) else { return Ok(Ruled::NotUnclear(message.state.delivery())) };
        let mut commands = Vec::new();
        if let Some((id, intent)) = &fresh {
            let verdict = self.ask_gate(*id, intent, &address, None, &[], now);
            if let Ok(made) = self.make(*id, intent.clone(), Event::Made { verdict }, &address, now) {
                commands.push(Command::PutMessage(Box::new(made)));
            }
        }
        // Last, so that a crash in between leaves the decision to be made again: the new text's id follows from the old.
        commands.push(Command::PutMessage(Box::new(change)));
        match self.commit(now, Unit(commands)).await {
            Ok(_) => {
                self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
                Ok(fresh.map_or(Ruled::Done, |(id, _)| Ruled::Again(id)))
            }
            Err(StoreError::Conflict { .. }) => Ok(Ruled::Moved),
            Err(error) => Err(error),
        }
    }

    /// The same text as a new intent, by the way that it went last and with the time that its purpose gives it from now. Its
    /// id follows from the old one's, so that a decision made twice makes one text.
    fn anew(&self, message: &Message, now: trunkline_core::time::Time) -> (MessageId, trunkline_store::row::Intent) {
        let bits = trunkline_core::id::hash16(&[b"again", &message.id.bytes()]);
        let id = MessageId::new(message.id.part, message.intent.created_at, bits);
        let (account, sender) = message.way();
        let mut intent = trunkline_store::row::Intent { account: account.to_owned(), sender: sender.to_owned(), ..message.intent.clone() };
        intent.deadline = now + self.definitions.policy(intent.purpose).ttl;
        intent.created_at = now;
        (id, intent)
    }
}
