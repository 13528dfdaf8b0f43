//! Texts from people: announced to the sender's owner, and nothing else.
//!
//! Its own file because it is the other direction. Sinch is not known to heed keywords by itself, so neither does
//! this: it notes who asked for what, as the person meant it, and honouring it is the owner's business alone.

use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_core::keyword::Keyword;
use trunkline_core::time::Time;

use super::{SinchFake, digits, new_id, stamp};
use crate::outgoing::{Choice, Effect, PersonText, between};

impl SinchFake {
    /// A person texts one of our senders.
    pub fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Vec<Effect> {
        let text = PersonText { at: now, phone: phone.to_owned(), sender: sender.to_owned(), body: body.to_owned(), vendor_id: new_id(now, rng) };
        let letters: String = body.chars().filter(|c| c.is_alphabetic()).collect();
        let choice = || Choice { at: now, phone: phone.to_owned(), sender: sender.to_owned(), by_vendor: false };
        match keyword(&letters) {
            Some(Keyword::Stop) => self.opt_outs.push(choice()),
            Some(Keyword::Start) => self.opt_ins.push(choice()),
            Some(Keyword::Help) | None => {}
        }
        let announced = inbound(&text);
        self.replies.push(text);
        let Some(url) = self.settings.inbound_urls.get(sender) else { return Vec::new() };
        let at = now + between(rng, 100, 700);
        vec![Effect::Hook(self.signed(at, url, &announced, rng))]
    }
}

/// An inbound text, as hooks and lists have it.
pub(super) fn inbound(text: &PersonText) -> Value {
    json!({
        "type": "mo_text",
        "id": text.vendor_id,
        "from": digits(&text.phone),
        "to": digits(&text.sender),
        "body": text.body,
        "received_at": stamp(text.at),
    })
}

/// The fake's own list: not ours, so that each is a check of the other.
fn keyword(word: &str) -> Option<Keyword> {
    match word.to_uppercase().as_str() {
        "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => Some(Keyword::Stop),
        "START" | "YES" | "UNSTOP" => Some(Keyword::Start),
        "HELP" | "INFO" => Some(Keyword::Help),
        _ => None,
    }
}
