//! A fake of Telnyx's messages API: takes texts once for each idempotency key, promises events and carries replies.
//!
//! Its own file because it is the oracle of every promise about texts sent through Telnyx: it forgets nothing that it
//! took. It has no socket and no clock, and it does not know Trunkline; the connector's dialect is checked against it.
//! The last four digits of a recipient choose what happens, as they do at the other fake vendor; only words and codes
//! are Telnyx's. Here are the account, the way of a call and the events; taking texts and texts from people are in the
//! files below. It does not schedule texts, carries no media, and has no look-up of a single text.

mod create;
mod event;
mod inbound;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::http::Request;
use trunkline_core::time::{Span, Time};

use self::create::Kept;
use self::event::Message;
use crate::faults::{Fate, Faults, Step};
use crate::outgoing::{AcceptedCall, Answer, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::outgoing::{between, hit, uuid_like};

/// Our account at Telnyx.
#[derive(Clone, Default)]
pub struct TelnyxSettings {
    /// The API key: signs calls in.
    pub api_key: String,
    /// The seed of the key pair that signs hooks.
    pub signing_seed: [u8; 32],
    /// Our senders in E.164, and where the texts sent to each are announced. All of them are in one messaging profile.
    pub inbound_urls: BTreeMap<String, String>,
    /// The id of that profile; calls need not name it, and must name no other.
    pub messaging_profile_id: Option<String>,
    /// Whether Telnyx answers STOP, START and HELP itself. It heeds them in either case.
    pub answers_stop: bool,
}

/// The fake vendor.
#[derive(Default)]
pub struct TelnyxFake {
    settings: TelnyxSettings,
    signer: Option<Ed25519KeyPair>,
    kept: BTreeMap<String, Kept>,
    texts: Vec<PhoneText>,
    accepted: Vec<AcceptedCall>,
    replies: Vec<PersonText>,
    opt_outs: Vec<Choice>,
    opt_ins: Vec<Choice>,
    /// Phones that no sender of the profile may text.
    blocked: BTreeSet<String>,
    throttled_once: BTreeSet<String>,
}

/// A refusal in the vendor's shape.
struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
    /// The field at fault, if it is one.
    pointer: Option<&'static str>,
}

impl TelnyxFake {
    /// An account in which nothing has happened yet.
    pub fn new(settings: TelnyxSettings) -> TelnyxFake {
        // Any 32 bytes are a seed; without a signer every hook would be refused, which no test would miss.
        let signer = Ed25519KeyPair::from_seed_unchecked(&settings.signing_seed).ok();
        TelnyxFake { settings, signer, ..TelnyxFake::default() }
    }

    /// The key that hooks are verified with, in base64.
    pub fn public_key(&self) -> String {
        self.signer.as_ref().map(|signer| STANDARD.encode(signer.public_key().as_ref())).unwrap_or_default()
    }

    /// Answers one call to the API.
    pub fn call(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let refuse = hit(rng, faults.refuse_permille);
        let throttle = hit(rng, faults.throttle_permille);
        let error = hit(rng, faults.server_error_permille);
        if refuse { Called::only(Answer::Refuse) } else { self.routed(now, request, faults, rng, (throttle, error)) }
    }

    /// The same event delivered once more: with the same id, and counted and signed anew, as Telnyx does when a try was
    /// not answered. A hook that is sent again as it was is refused as stale after five minutes.
    pub fn again(&self, hook: &OutgoingHook, at: Time) -> OutgoingHook {
        let body: Value = serde_json::from_slice(&hook.body).unwrap_or_default();
        let tries = body.pointer("/meta/attempt").and_then(Value::as_u64).unwrap_or_default();
        self.signed(at, &hook.url, body.get("data").unwrap_or(&Value::Null), tries + 1)
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
        let Ok(uri) = request.url.parse::<::http::Uri>() else { return Called::only(not_found().answer()) };
        if !uri.path().starts_with("/v2/") {
            return Called::only(not_found().answer());
        }
        if faults.credentials_revoked || !self.signed_in(request) {
            return Called::only(Problem::new(401, "10009", "Authentication failed", "the API key is missing or wrong").answer());
        }
        if throttle {
            return Called::only(throttled());
        }
        if error {
            return Called::only(server_error());
        }
        match (request.method.as_str(), uri.path()) {
            ("POST", "/v2/messages") => self.create(now, request, faults, rng),
            (_, "/v2/messages") => {
                let problem = Problem::new(405, "10015", "Bad request", "this resource does not answer to this method");
                Called::only(problem.answer().with_header("allow", "POST"))
            }
            _ => Called::only(not_found().answer()),
        }
    }

    fn signed_in(&self, request: &Request) -> bool {
        let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        given.and_then(|(_, value)| value.split_once(' ')).is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("bearer") && rest.trim() == self.settings.api_key)
    }

    /// A text leaves for its phone: its statuses, and the events that tell of them.
    fn send(&mut self, message: &Message, fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let steps = fate.steps(message.taken, faults, rng);
        // Before the earliest `delivered` of `steps`.
        let arrives = message.taken + between(rng, 300, 1_500);
        if fate.reaches_the_phone() {
            self.texts.push(PhoneText {
                at: arrives,
                phone: message.to.clone(),
                sender: message.from.clone(),
                body: message.text.clone(),
                vendor_id: message.id.clone(),
                attempt: message.attempt(),
                accepted_at: message.taken,
                vendor_own: false,
            });
        }
        self.events(message, &steps, fate, faults, rng)
    }

    fn events(&self, message: &Message, steps: &[Step], fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let reverse = hit(rng, faults.callback_reorder_permille) || fate == Fate::Shuffled;
        // A text without a URL of its own is told of where the profile's events go.
        let url = message.webhook_url.as_ref().or_else(|| self.settings.inbound_urls.get(&message.from));
        let Some(url) = url.filter(|_| fate != Fate::NoReceipts) else { return Vec::new() };
        let late = if fate == Fate::Late { Span::mins(10) } else { Span::ZERO };
        let mut times: Vec<Time> = steps.iter().map(|step| step.at + late + between(rng, 0, faults.callback_delay_ms_max)).collect();
        if reverse {
            times.sort_unstable();
            times.reverse();
        }
        let left = steps.first().map(|step| step.at);
        let profile = self.settings.messaging_profile_id.as_deref();
        let mut effects = Vec::new();
        for (step, at) in steps.iter().zip(times) {
            let hook = self.signed(at, url, &message.event(&uuid_like(rng), profile, left, step), 1);
            let later = at + between(rng, 50, 900);
            if hit(rng, faults.callback_duplicate_permille) || fate == Fate::Shuffled {
                effects.push(Effect::Hook(self.again(&hook, later)));
            }
            effects.push(Effect::Hook(hook));
        }
        effects
    }

    /// An event on its way, signed as of the second in which it is sent.
    fn signed(&self, at: Time, url: &str, data: &Value, tries: u64) -> OutgoingHook {
        let body = json!({"data": data, "meta": {"attempt": tries, "delivered_to": url}}).to_string();
        let timestamp = at.0.div_euclid(1_000_000).to_string();
        let signature = self.signer.as_ref().map(|signer| STANDARD.encode(signer.sign(format!("{timestamp}|{body}").as_bytes()))).unwrap_or_default();
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("telnyx-signature-ed25519", signature),
            ("telnyx-timestamp", timestamp),
            ("User-Agent", "telnyx-webhooks".to_owned()),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        OutgoingHook { at, url: url.to_owned(), headers, body: Bytes::from(body) }
    }
}

impl Problem {
    fn new(status: u16, code: &'static str, title: &'static str, detail: &str) -> Problem {
        Problem { status, code, title, detail: detail.to_owned(), pointer: None }
    }

    /// The same refusal, blamed on a field.
    fn of(self, pointer: &'static str) -> Problem {
        Problem { pointer: Some(pointer), ..self }
    }

    fn answer(&self) -> Answer {
        let source = self.pointer.map(|pointer| json!({"pointer": pointer}));
        let meta = json!({"url": format!("https://developers.telnyx.com/docs/overview/errors/{}", self.code)});
        let error = json!({"code": self.code, "title": self.title, "detail": self.detail, "meta": meta, "source": source});
        Answer::json(self.status, &json!({"errors": [error]}))
    }
}

/// The answer to a call that comes too early.
pub(crate) fn throttled() -> Answer {
    Problem::new(429, "10011", "Too many requests", "this call came too soon after the last ones").answer().with_header("retry-after", "1")
}

fn server_error() -> Answer {
    Problem::new(500, "10007", "Unexpected error", "something broke on this side").answer()
}

fn not_found() -> Problem {
    Problem::new(404, "10005", "Resource not found", "there is nothing at this address")
}

#[cfg(test)]
mod tests;
