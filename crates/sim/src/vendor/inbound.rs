//! Texts from people: announced to the sender's owner, and heeded by the vendor itself if they are keywords.
//!
//! Its own file because it is the other direction, and the only one in which the vendor acts on its own. Whether the
//! owner of the sender heeds a STOP too is the owner's business.

use rand_core::RngCore;
use trunkline_core::keyword::Keyword;
use trunkline_core::number::Number;
use trunkline_core::segment;
use trunkline_core::time::Time;

use super::log::{Course, Direction, Message, new_id};
use super::{VERSION, Vendor};
use crate::faults::Step;
use crate::outgoing::{Choice, Effect, PersonText, PhoneText, between};

pub(super) const STOPPED: &str = "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.";
const STARTED: &str = "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply.";
const HELPED: &str = "Reply STOP to unsubscribe. Msg&Data Rates May Apply.";

impl Vendor {
    /// A person texts one of our senders.
    pub fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Vec<Effect> {
        let message = Message {
            id: new_id(rng),
            direction: Direction::Inbound,
            to: sender.to_owned(),
            from: phone.to_owned(),
            service: self.settings.messaging_service.is_some(),
            picked: false,
            body: body.to_owned(),
            segments: segment::measure(body).segments,
            callback: None,
            taken: now,
            edited: None,
            course: Course::Received,
        };
        let (vendor_id, segments) = (message.sid(), message.segments.to_string());
        self.log.push(message);
        self.replies.push(PersonText { at: now, phone: phone.to_owned(), sender: sender.to_owned(), body: body.to_owned(), vendor_id: vendor_id.clone() });
        self.heed(now, phone, sender, body, rng);
        let Some(url) = self.settings.inbound_urls.get(sender) else { return Vec::new() };
        let country = |number: &str| Number::from_stored(number.to_owned()).region().unwrap_or_default();
        let (there, here) = (country(phone), country(sender));
        // Of places it knows the country, and sends the rest empty.
        let mut params: Vec<(&str, &str)> = vec![
            ("ToCountry", &here),
            ("ToState", ""),
            ("SmsMessageSid", &vendor_id),
            ("NumMedia", "0"),
            ("ToCity", ""),
            ("FromZip", ""),
            ("SmsSid", &vendor_id),
            ("FromState", ""),
            ("SmsStatus", "received"),
            ("FromCity", ""),
            ("Body", body),
            ("FromCountry", &there),
            ("To", sender),
            ("ToZip", ""),
            ("NumSegments", &segments),
            ("MessageSid", &vendor_id),
            ("AccountSid", &self.settings.account_sid),
            ("From", phone),
            ("ApiVersion", VERSION),
        ];
        if let Some(service) = self.settings.messaging_service.as_deref() {
            params.push(("MessagingServiceSid", service));
        }
        let at = now + between(rng, 100, 700);
        vec![Effect::Hook(self.signed(at, url, &params, rng))]
    }

    /// The vendor's own handling of keywords: blocks, unblocks and answers.
    fn heed(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) {
        let understood = keyword(body.trim());
        let letters: String = body.chars().filter(|c| c.is_alphabetic()).collect();
        let choice = || Choice { at: now, phone: phone.to_owned(), sender: sender.to_owned(), by_vendor: understood.is_some() };
        match keyword(&letters) {
            Some(Keyword::Stop) => self.opt_outs.push(choice()),
            Some(Keyword::Start) => self.opt_ins.push(choice()),
            Some(Keyword::Help) | None => {}
        }
        let pair = (phone.to_owned(), sender.to_owned());
        // Only a change is confirmed.
        let answer = match understood {
            Some(Keyword::Stop) => self.blocked.insert(pair).then_some(STOPPED),
            Some(Keyword::Start) => self.blocked.remove(&pair).then_some(STARTED),
            Some(Keyword::Help) => Some(HELPED),
            None => None,
        };
        if let Some(text) = answer.filter(|_| self.settings.answers_stop) {
            self.answer(now, phone, sender, text, rng);
        }
    }

    /// The vendor's own answer to a keyword: on the phone and in the log, and nobody gets a callback for it.
    fn answer(&mut self, now: Time, phone: &str, sender: &str, text: &str, rng: &mut dyn RngCore) {
        let id = new_id(rng);
        let at = now + between(rng, 300, 1_500);
        let message = Message {
            id,
            direction: Direction::Reply,
            to: phone.to_owned(),
            from: sender.to_owned(),
            service: self.settings.messaging_service.is_some(),
            picked: false,
            body: text.to_owned(),
            segments: segment::measure(text).segments,
            callback: None,
            taken: now,
            edited: None,
            course: Course::Sent { before: "queued", steps: vec![Step { at, word: "delivered", code: None }] },
        };
        self.texts.push(PhoneText {
            at,
            phone: phone.to_owned(),
            sender: sender.to_owned(),
            body: text.to_owned(),
            vendor_id: message.sid(),
            attempt: None,
            accepted_at: now,
            vendor_own: true,
        });
        self.log.push(message);
    }
}

/// The vendor's own lists: not ours, so that each is a check of the other.
fn keyword(word: &str) -> Option<Keyword> {
    match word.to_uppercase().as_str() {
        "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => Some(Keyword::Stop),
        "START" | "YES" | "UNSTOP" => Some(Keyword::Start),
        "HELP" | "INFO" => Some(Keyword::Help),
        _ => None,
    }
}
