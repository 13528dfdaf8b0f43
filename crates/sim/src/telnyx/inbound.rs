//! Texts from people: announced to the sender's owner, and heeded by Telnyx itself if they are keywords.
//!
//! Its own file because it is the other direction, and the only one in which the vendor acts on its own. A block holds
//! for every sender of the messaging profile. Whether the owner of the sender heeds a STOP too is the owner's business.

use rand_core::RngCore;
use serde_json::json;
use trunkline_connectors::sms::telnyx::RECEIVED;
use trunkline_core::keyword::Keyword;
use trunkline_core::segment;
use trunkline_core::time::Time;

use super::TelnyxFake;
use super::event::{date, encoding};
use crate::outgoing::{Choice, Effect, PersonText, PhoneText, between, uuid_like};

pub(super) const STOPPED: &str = "You are unsubscribed and get no more texts from us. Reply START to resubscribe.";
const STARTED: &str = "You are subscribed again. Reply HELP for help, STOP to unsubscribe.";
const HELPED: &str = "Reply STOP to unsubscribe.";

impl TelnyxFake {
    /// A person texts one of our senders.
    pub fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Vec<Effect> {
        let vendor_id = uuid_like(rng);
        self.replies.push(PersonText { at: now, phone: phone.to_owned(), sender: sender.to_owned(), body: body.to_owned(), vendor_id: vendor_id.clone() });
        let autoresponse = self.heed(now, phone, sender, body, rng).filter(|_| self.settings.answers_stop).map(|keyword| match keyword {
            Keyword::Stop => "STOP",
            Keyword::Start => "START",
            Keyword::Help => "HELP",
        });
        let Some(url) = self.settings.inbound_urls.get(sender) else { return Vec::new() };
        let size = segment::measure(body);
        let payload = json!({
            "record_type": "message",
            "direction": "inbound",
            "id": vendor_id,
            "type": "SMS",
            "messaging_profile_id": self.settings.messaging_profile_id,
            "autoresponse_type": autoresponse,
            "from": {"phone_number": phone, "carrier": "", "line_type": "Wireless"},
            "to": [{"phone_number": sender, "status": "webhook_delivered", "carrier": "Telnyx", "line_type": "VoIP"}],
            "cc": [],
            "text": body,
            "media": [],
            "encoding": encoding(size.encoding),
            "parts": size.segments,
            "tags": [],
            "cost": null,
            "received_at": date(now),
            "sent_at": null,
            "completed_at": null,
            "valid_until": null,
            "errors": [],
        });
        let event = json!({"event_type": RECEIVED, "id": uuid_like(rng), "occurred_at": date(now), "payload": payload, "record_type": "event"});
        let at = now + between(rng, 100, 700);
        vec![Effect::Hook(self.signed(at, url, &event, 1))]
    }

    /// The vendor's own handling of keywords: blocks, unblocks and answers. The keyword that it understood.
    fn heed(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Option<Keyword> {
        let understood = understood(body.trim());
        let letters: String = body.chars().filter(|c| c.is_alphabetic()).collect();
        let choice = || Choice { at: now, phone: phone.to_owned(), sender: sender.to_owned(), by_vendor: understood.is_some() };
        match meant(&letters) {
            Some(Keyword::Stop) => self.opt_outs.push(choice()),
            Some(Keyword::Start) => self.opt_ins.push(choice()),
            Some(Keyword::Help) | None => {}
        }
        // Only a change is confirmed.
        let answer = match understood {
            Some(Keyword::Stop) => self.blocked.insert(phone.to_owned()).then_some(STOPPED),
            Some(Keyword::Start) => self.blocked.remove(phone).then_some(STARTED),
            Some(Keyword::Help) => Some(HELPED),
            None => None,
        };
        if let Some(text) = answer.filter(|_| self.settings.answers_stop) {
            // On the phone, and nobody gets an event for it.
            self.texts.push(PhoneText {
                at: now + between(rng, 300, 1_500),
                phone: phone.to_owned(),
                sender: sender.to_owned(),
                body: text.to_owned(),
                vendor_id: uuid_like(rng),
                attempt: None,
                accepted_at: now,
                vendor_own: true,
            });
        }
        understood
    }
}

/// Telnyx's own lists, of the words alone: shorter than what a person may mean.
fn understood(text: &str) -> Option<Keyword> {
    match text.to_uppercase().as_str() {
        "STOP" | "STOPALL" | "STOP ALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" => Some(Keyword::Stop),
        "START" | "UNSTOP" => Some(Keyword::Start),
        "HELP" => Some(Keyword::Help),
        _ => None,
    }
}

/// What a person means by a text that is one word. Not the list that Trunkline reads by, so that each is a check of the
/// other.
fn meant(letters: &str) -> Option<Keyword> {
    match letters.to_uppercase().as_str() {
        "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => Some(Keyword::Stop),
        "START" | "YES" | "UNSTOP" => Some(Keyword::Start),
        "HELP" | "INFO" => Some(Keyword::Help),
        _ => None,
    }
}
