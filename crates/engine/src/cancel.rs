//! Taking a text back before it leaves.
//!
//! Its own file because it races with the claim, and says who won: a text whose attempt is recorded has left, and no
//! cancel can bring it back.

use trunkline_core::id::MessageId;
use trunkline_core::message;
use trunkline_core::reason::Reason;
use trunkline_store::row::{Audit, Message};
use trunkline_store::{Command, StoreError, Unit};

use crate::facts::find;
use crate::{Engine, Stage};

/// What became of a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canceled {
    /// It will not be sent.
    Done(Box<Message>),
    /// It has left, or came to an end before.
    TooLate(Box<Message>),
    /// There is no such message.
    Unknown,
}

/// How often a cancel is decided again because its message moved meanwhile.
const RELOADS: usize = 8;

impl Engine {
    /// Cancels a text that is queued or held. Cancelling one that is cancelled already is done at once.
    pub async fn cancel_text(&self, by: &str, id: MessageId) -> Result<Canceled, StoreError> {
        for _ in 0..RELOADS {
            let now = self.clock.now();
            let Some(message) = self.store.messages(&[id]).await?.pop() else { return Ok(Canceled::Unknown) };
            if message.state.work == message::Work::Canceled {
                return Ok(Canceled::Done(Box::new(message)));
            }
            let addresses = self.store.addresses(&[message.intent.address]).await?;
            let Some(address) = find(&addresses, message.intent.address) else { return Ok(Canceled::Unknown) };
            let event = message::Event::Canceled { reason: Reason::CanceledBy { by: by.to_owned() } };
            let Ok(change) = self.change(&message, event, None, address, now) else { return Ok(Canceled::TooLate(Box::new(message))) };
            let audit = Audit { number: 0, at: now, operator: by.to_owned(), act: "canceled".to_owned(), about: id.to_string(), detail: String::new() };
            match self.commit(now, Unit(vec![Command::PutMessage(Box::new(change)), Command::Audit(audit)])).await {
                Ok(_) => {
                    // Texts of the same run that waited behind it may go on.
                    self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable { cause: "the message moved each time it was to be cancelled".to_owned() })
    }
}
