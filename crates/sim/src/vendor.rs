//! A fake of Twilio's Messages API: a state machine that takes texts, promises callbacks and carries replies.
//!
//! Its own file because it is the oracle of every promise about texts: it forgets nothing that it took. It has no
//! socket and no clock, and it does not know Trunkline; the connector's dialect is checked against it. Here are the
//! account, the way of a call and the callbacks; what a call asks for is in the files below.
//!
//! The last four digits of a recipient choose what happens:
//!
//! - 0001: undelivered, code 30005 (unknown handset); the text reaches no phone
//! - 0002: undelivered, code 30006 (landline); the text reaches no phone
//! - 0003: delivered, and no callback ever says so
//! - 0004: taken, and the call is never answered; callbacks come
//! - 0005: not taken, and the call is never answered
//! - 0006: taken, and the call is answered with HTTP 500
//! - 0007: not taken, and the call is answered with HTTP 500
//! - 0008: the first call is throttled (429, code 20429, Retry-After 1), later ones are not
//! - 0009: `delivered` arrives before `sent`, and each of them twice
//! - 0010: callbacks are ten minutes late
//! - 0011: `delivered` is followed by `undelivered`
//! - 0012: between `sent` and `delivered` comes a word that nobody knows, `teleported`
//! - 0013: undelivered, code 30003 (unreachable handset); the text reaches no phone
//! - 0014: undelivered, code 30007 (filtered); the text reaches no phone
//! - 0015: `undelivered`, code 30008, is followed by `delivered`

mod create;
mod inbound;
mod list;
mod log;
pub mod magic;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use base64::Engine as _;
use bytes::Bytes;
use form_urlencoded::Serializer;
use rand_core::RngCore;
use serde_json::json;
use trunkline_connectors::hook::{RawHook, hmac_base64};
use trunkline_connectors::http::Request;
use trunkline_connectors::sms::twilio::canonical_params;
use trunkline_core::time::{Span, Time};

use self::log::{Course, Log, Message};
use crate::faults::{Fate, Faults, Step};
pub use crate::outgoing::{AcceptedCall, Answer, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::outgoing::{between, hit, uuid_like};

const VERSION: &str = "2010-04-01";
const FORM: &str = "application/x-www-form-urlencoded";

/// Our account at the vendor.
#[derive(Clone, Default)]
pub struct VendorSettings {
    /// `AC…`.
    pub account_sid: String,
    /// The auth token: signs calls in, and signs hooks.
    pub auth_token: String,
    /// Our senders in E.164, and where the texts sent to each are announced.
    pub inbound_urls: BTreeMap<String, String>,
    /// The one messaging service, `MG…`, whose pool is all of our senders; absent means there is none.
    pub messaging_service: Option<String>,
    /// Whether the vendor answers STOP, START and HELP itself.
    pub answers_stop: bool,
}

/// The fake vendor.
#[derive(Default)]
pub struct Vendor {
    settings: VendorSettings,
    log: Log,
    /// Texts that wait for their time: when, and their place in the log.
    scheduled: BTreeSet<(Time, u64)>,
    texts: Vec<PhoneText>,
    accepted: Vec<AcceptedCall>,
    replies: Vec<PersonText>,
    opt_outs: Vec<Choice>,
    opt_ins: Vec<Choice>,
    blocked: BTreeSet<(String, String)>,
    throttled_once: BTreeSet<String>,
}

/// A refusal in the vendor's words.
struct Problem {
    status: u16,
    code: u32,
    message: &'static str,
}

const NOT_FOUND: Problem = Problem { status: 404, code: 20_404, message: "there is no such resource" };
const SERVER_ERROR: Problem = Problem { status: 500, code: 20_500, message: "something broke on this side" };

impl Vendor {
    /// An account in which nothing has happened yet.
    pub fn new(settings: VendorSettings) -> Vendor {
        Vendor { settings, ..Vendor::default() }
    }

    /// Answers one call to the API.
    pub fn call(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let refuse = hit(rng, faults.refuse_permille);
        let throttle = hit(rng, faults.throttle_permille);
        let error = hit(rng, faults.server_error_permille);
        // Whoever asks after a scheduled text's time finds it sent, whether or not somebody looked in between.
        let due = self.due(now, faults, rng);
        let mut called = if refuse { Called::only(Answer::Refuse) } else { self.routed(now, request, faults, rng, (throttle, error)) };
        called.effects.extend(due);
        called
    }

    /// Sends the scheduled texts whose time has come; what follows from it. It rolls no dice when there are none.
    pub fn due(&mut self, now: Time, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((at, place)) = self.scheduled.first().copied().filter(|(at, _)| *at <= now) {
            self.scheduled.remove(&(at, place));
            let Some(mut message) = self.log.take(place) else { continue };
            effects.extend(self.leave(&mut message, at, faults, rng));
            self.log.put_back(place, message);
        }
        effects
    }

    /// When the next scheduled text leaves, if there is one.
    pub fn next_due(&self) -> Option<Time> {
        self.scheduled.first().map(|(at, _)| *at)
    }

    /// Every text that reached, or is about to reach, a phone: in the order in which the vendor sent them.
    pub fn texts(&self) -> &[PhoneText] {
        &self.texts
    }

    /// Every call that the vendor took.
    pub fn accepted(&self) -> &[AcceptedCall] {
        &self.accepted
    }

    /// Every text that a person sent.
    pub fn replies(&self) -> &[PersonText] {
        &self.replies
    }

    /// Every STOP, by the time at which the person sent it.
    pub fn opt_outs(&self) -> &[Choice] {
        &self.opt_outs
    }

    /// Every START, by the time at which the person sent it.
    pub fn opt_ins(&self) -> &[Choice] {
        &self.opt_ins
    }

    fn routed(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore, (throttle, error): (bool, bool)) -> Called {
        let Ok(uri) = request.url.parse::<::http::Uri>() else { return Called::only(NOT_FOUND.answer()) };
        let segments: Vec<&str> = uri.path().split('/').collect();
        let ["", VERSION, "Accounts", account, ..] = segments.as_slice() else { return Called::only(NOT_FOUND.answer()) };
        if faults.credentials_revoked || !self.signed_in(request) {
            return Called::only(Problem { status: 401, code: 20_003, message: "the account SID and the auth token do not match" }.answer());
        }
        if *account != self.settings.account_sid {
            return Called::only(NOT_FOUND.answer());
        }
        if throttle {
            return Called::only(throttled());
        }
        if error {
            return Called::only(SERVER_ERROR.answer());
        }
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", [_, _, _, _, "Messages.json"]) => self.create(now, request, faults, rng),
            ("GET", [_, _, _, _, "Messages.json"]) => Called::only(self.list(now, uri.query().unwrap_or_default())),
            (_, [_, _, _, _, "Messages.json"]) => Called::only(not_allowed("GET, POST")),
            ("GET" | "POST" | "DELETE", [_, _, _, _, "Messages", file]) => self.one(now, request, file, faults, rng),
            (_, [_, _, _, _, "Messages", _]) => Called::only(not_allowed("GET, POST, DELETE")),
            _ => Called::only(NOT_FOUND.answer()),
        }
    }

    fn signed_in(&self, request: &Request) -> bool {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.settings.account_sid, self.settings.auth_token));
        let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        given.and_then(|(_, value)| value.split_once(' ')).is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("basic") && rest.trim() == basic)
    }

    /// Whether the recipient has unsubscribed: from one sender, or from any of the service's.
    fn is_blocked(&self, to: &str, from: &str, service: bool) -> bool {
        if self.blocked.is_empty() {
            return false;
        }
        let blocked = |sender: &str| self.blocked.contains(&(to.to_owned(), sender.to_owned()));
        if service { self.settings.inbound_urls.keys().any(|sender| blocked(sender)) } else { blocked(from) }
    }

    /// A scheduled text's time has come. A STOP since then ends it.
    fn leave(&mut self, message: &mut Message, at: Time, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let fate = Fate::of(&message.to);
        if !self.is_blocked(&message.to, &message.from, message.service) {
            return self.send(message, at, fate, faults, rng);
        }
        let steps = vec![Step { at, word: "failed", code: Some(("21610", "Attempt to send to unsubscribed recipient")) }];
        let effects = self.callbacks(message, &steps, fate, faults, rng);
        message.course = Course::Sent { before: "queued", steps };
        effects
    }

    /// A text leaves for its phone: its statuses, and the callbacks that tell of them.
    fn send(&mut self, message: &mut Message, at: Time, fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let mut steps = fate.steps(at, faults, rng);
        steps.shrink_to_fit();
        // Before the earliest `delivered` of `steps`.
        let arrives = at + between(rng, 300, 1_500);
        if fate.reaches_the_phone() {
            self.texts.push(PhoneText {
                at: arrives,
                phone: message.to.clone(),
                sender: message.from.clone(),
                body: message.body.clone(),
                vendor_id: message.sid(),
                attempt: message.attempt(),
                accepted_at: message.taken,
                vendor_own: false,
            });
        }
        let effects = self.callbacks(message, &steps, fate, faults, rng);
        let before = match message.course {
            Course::Sent { before, .. } => before,
            Course::Scheduled(_) | Course::Canceled(_) | Course::Received => "queued",
        };
        message.course = Course::Sent { before, steps };
        effects
    }

    fn callbacks(&self, message: &Message, steps: &[Step], fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let reverse = hit(rng, faults.callback_reorder_permille) || fate == Fate::Shuffled;
        let Some(url) = message.callback.as_deref().filter(|_| fate != Fate::NoReceipts) else { return Vec::new() };
        let late = if fate == Fate::Late { Span::mins(10) } else { Span::ZERO };
        let mut times: Vec<Time> = steps.iter().map(|step| step.at + late + between(rng, 0, faults.callback_delay_ms_max)).collect();
        if reverse {
            times.sort_unstable();
            times.reverse();
        }
        let sid = message.sid();
        let mut effects = Vec::new();
        for (step, at) in steps.iter().zip(times) {
            let hook = self.status_hook(at, url, &sid, message, step, rng);
            let again = at + between(rng, 50, 900);
            if hit(rng, faults.callback_duplicate_permille) || fate == Fate::Shuffled {
                effects.push(Effect::Hook(OutgoingHook { at: again, ..hook.clone() }));
            }
            effects.push(Effect::Hook(hook));
        }
        effects
    }

    fn status_hook(&self, at: Time, url: &str, sid: &str, message: &Message, step: &Step, rng: &mut dyn RngCore) -> OutgoingHook {
        let done = step.at.timestamp().strftime("%y%m%d%H%M").to_string();
        let mut params = vec![("AccountSid", self.settings.account_sid.as_str()), ("ApiVersion", VERSION)];
        // Of a text that never left, nobody was picked to send it.
        if !(message.picked && step.word == "canceled") {
            params.push(("From", message.from.as_str()));
        }
        params.extend([("To", message.to.as_str()), ("MessageSid", sid), ("SmsSid", sid), ("MessageStatus", step.word), ("SmsStatus", step.word)]);
        if let Some(service) = self.settings.messaging_service.as_deref().filter(|_| message.service) {
            params.push(("MessagingServiceSid", service));
        }
        if let Some((code, meaning)) = step.code {
            params.extend([("ErrorCode", code), ("ErrorMessage", meaning)]);
        }
        if step.word == "delivered" {
            params.push(("RawDlrDoneDate", done.as_str()));
        }
        self.signed(at, url, &params, rng)
    }

    fn signed(&self, at: Time, url: &str, params: &[(&str, &str)], rng: &mut dyn RngCore) -> OutgoingHook {
        let body = Bytes::from(Serializer::new(String::new()).extend_pairs(params).finish());
        let mut headers = vec![("Content-Type".to_owned(), FORM.to_owned())];
        let raw = RawHook { method: "POST".to_owned(), url: url.to_owned(), headers: headers.clone(), body: body.clone() };
        let signature = hmac_base64(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.settings.auth_token, format!("{url}{}", canonical_params(&raw)).as_bytes());
        headers.push(("X-Twilio-Signature".to_owned(), signature));
        headers.push(("I-Twilio-Idempotency-Token".to_owned(), uuid_like(rng)));
        headers.push(("User-Agent".to_owned(), "TwilioProxy/1.1".to_owned()));
        OutgoingHook { at, url: url.to_owned(), headers, body }
    }
}

impl Problem {
    /// The caller's own mistake, or a state in which the call makes no sense.
    const fn bad(code: u32, message: &'static str) -> Problem {
        Problem { status: 400, code, message }
    }

    fn answer(&self) -> Answer {
        let more_info = format!("https://www.twilio.com/docs/errors/{}", self.code);
        Answer::json(self.status, &json!({"code": self.code, "message": self.message, "more_info": more_info, "status": self.status}))
    }
}

/// The answer to a call that comes too early.
pub(crate) fn throttled() -> Answer {
    Problem { status: 429, code: 20_429, message: "too many requests" }.answer().with_header("retry-after", "1")
}

fn not_allowed(allowed: &str) -> Answer {
    Problem { status: 405, code: 20_004, message: "this resource does not answer to this method" }.answer().with_header("allow", allowed)
}

#[cfg(test)]
pub(crate) mod tests;
