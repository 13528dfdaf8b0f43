//! `trunkline explain`: the whole story of a message.

use clap::Args;
use trunkline_core::id::MessageId;
use trunkline_core::number::Number;
use trunkline_engine::explain::{Bearing, Story, explain};
use trunkline_store::row::{Message, MessageFilter};

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Say why a message is where it is.
#[derive(Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    place: Place,
    /// A message id (msg_…), an order, or a phone number.
    what: String,
}

impl Explain {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let engine = wiring::beside(&self.place).await?;
        let store = engine.store.as_ref();
        let found: Vec<Message> = if let Ok(id) = self.what.parse::<MessageId>() {
            store.messages(&[id]).await?
        } else {
            let mut found = store.messages_matching(&MessageFilter::labelled(&self.what), 20).await?;
            if found.is_empty() && !self.what.starts_with('#') {
                found = store.messages_matching(&MessageFilter::labelled(&format!("#{}", self.what)), 20).await?;
            }
            if let Ok(number) = Number::parse(&self.what, engine.definitions.default_region.as_deref()) {
                found.extend(store.messages_matching(&MessageFilter::of_address(engine.key.address("sms", number.e164())), 20).await?);
            }
            found
        };
        let mut stories = Vec::new();
        for message in &found {
            stories.extend(explain(store, message.id).await?);
        }
        if self.place.json {
            for story in &stories {
                output::json(story)?;
            }
        } else {
            stories.iter().for_each(tell);
        }
        if stories.is_empty() {
            output::complain(&format!("nothing is known as '{}': give a message id, an order, or a phone number", self.what));
            return Ok(EXIT_FOUND);
        }
        Ok(EXIT_OK)
    }
}

fn tell(story: &Story) {
    output::say(&format!("{}  to {}", story.id, story.to));
    output::say(&format!("{}: {}", story.word, story.because));
    for step in &story.steps {
        output::say(&format!("  {}  {}", step.at, step.text));
        for finding in &step.findings {
            let mark = match finding.bearing {
                Bearing::Pass => "ok  ",
                Bearing::Hold => "hold",
                Bearing::Stop => "STOP",
                Bearing::Note => "    ",
            };
            output::say(&format!("      {mark}  {}", finding.text));
        }
        if let Some(hook) = step.hook {
            output::say(&format!("      raw webhook {hook}"));
        }
    }
    output::say("");
}
