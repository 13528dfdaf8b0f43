//! A fake of Sinch's XMS REST API: takes batches of one text, promises delivery reports and carries what people send.
//!
//! Its own file because it is the oracle of every promise about texts that go this way: it forgets nothing that it
//! took. It has no socket and no clock, and it does not know Trunkline; the connector's dialect is checked against it.
//! Here are the account, the way of a call and the hooks; what a call asks for is in the files below. It schedules
//! nothing, cancels nothing, blocks nobody after a STOP, and carries no media.
//!
//! The last four digits of a recipient choose what happens, as with the other vendor: see `faults`.

mod create;
mod inbound;
mod list;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use bytes::Bytes;
use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::hook::hmac_base64;
use trunkline_connectors::http::{Request, Response};
use trunkline_connectors::sms::sinch::ATTEMPT_PARAM;
use trunkline_core::time::{Span, Time};

use crate::faults::{Fate, Faults, Step};
use crate::outgoing::{AcceptedCall, Answer, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::outgoing::{between, hit};

/// The letters of ids: no I, L, O or U.
static LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Our service plan at the vendor.
#[derive(Clone, Default)]
pub struct SinchSettings {
    /// The service plan's id.
    pub service_plan_id: String,
    /// The token that signs calls in.
    pub api_token: String,
    /// The secret that signs hooks.
    pub hook_secret: String,
    /// Our senders in E.164, and where the texts sent to each are announced.
    pub inbound_urls: BTreeMap<String, String>,
}

/// The fake vendor.
#[derive(Default)]
pub struct SinchFake {
    settings: SinchSettings,
    /// In the order in which they were taken.
    batches: Vec<Batch>,
    by_id: BTreeMap<String, usize>,
    by_reference: BTreeMap<String, Vec<usize>>,
    texts: Vec<PhoneText>,
    accepted: Vec<AcceptedCall>,
    replies: Vec<PersonText>,
    opt_outs: Vec<Choice>,
    opt_ins: Vec<Choice>,
    throttled_once: BTreeSet<String>,
}

/// A batch that was taken.
struct Batch {
    id: String,
    /// The recipient in E.164.
    to: String,
    /// The sender in E.164.
    from: String,
    body: String,
    delivery_report: Reports,
    callback_url: Option<String>,
    client_reference: Option<String>,
    expire_at: Time,
    taken: Time,
    /// From when on look-ups show it.
    shown_from: Time,
    /// The statuses that it goes through, in true order.
    steps: Vec<Step>,
}

/// Which reports a batch asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reports {
    None,
    PerRecipient,
    PerRecipientFinal,
}

/// A refusal. A body comes with 400 and 403 alone.
struct Problem {
    status: u16,
    code: &'static str,
    text: &'static str,
}

const UNAUTHORIZED: Problem = Problem::bare(401);
const NOT_FOUND: Problem = Problem::bare(404);
const NOT_ALLOWED: Problem = Problem::bare(405);
const SERVER_ERROR: Problem = Problem::bare(500);

impl SinchFake {
    /// A service plan in which nothing has happened yet.
    pub fn new(settings: SinchSettings) -> SinchFake {
        SinchFake { settings, ..SinchFake::default() }
    }

    /// Answers one call to the API.
    pub fn call(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let refuse = hit(rng, faults.refuse_permille);
        let throttle = hit(rng, faults.throttle_permille);
        let error = hit(rng, faults.server_error_permille);
        if refuse { Called::only(Answer::Refuse) } else { self.routed(now, request, faults, rng, (throttle, error)) }
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
        let ["", "xms", "v1", plan, rest @ ..] = segments.as_slice() else { return Called::only(NOT_FOUND.answer()) };
        // A token is good for its own plan and no other.
        if faults.credentials_revoked || !self.signed_in(request) || *plan != self.settings.service_plan_id {
            return Called::only(UNAUTHORIZED.answer());
        }
        if throttle {
            return Called::only(throttled());
        }
        if error {
            return Called::only(SERVER_ERROR.answer());
        }
        let query = uri.query().unwrap_or_default();
        match (request.method.as_str(), rest) {
            ("POST", ["batches"]) => self.create(now, request, faults, rng),
            ("GET", ["batches"]) => listed(self.list_batches(now, query)),
            ("GET", ["batches", id]) => Called::only(self.one_batch(now, id)),
            ("GET", ["inbounds"]) => listed(self.list_inbounds(now, query)),
            ("GET", ["delivery_reports"]) => listed(self.list_reports(now, query)),
            (_, ["batches" | "inbounds" | "delivery_reports"] | ["batches", _]) => Called::only(NOT_ALLOWED.answer()),
            _ => Called::only(NOT_FOUND.answer()),
        }
    }

    fn signed_in(&self, request: &Request) -> bool {
        let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        given.and_then(|(_, value)| value.split_once(' ')).is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("bearer") && rest.trim() == self.settings.api_token)
    }

    /// A batch leaves for its phone: its statuses, and the reports that tell of them.
    fn send(&mut self, batch: &mut Batch, fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        batch.steps = fate.steps(batch.taken, faults, rng);
        // Before the earliest `delivered` of the steps.
        let arrives = batch.taken + between(rng, 300, 1_500);
        if fate.reaches_the_phone() {
            self.texts.push(PhoneText {
                at: arrives,
                phone: batch.to.clone(),
                sender: batch.from.clone(),
                body: batch.body.clone(),
                vendor_id: batch.id.clone(),
                attempt: batch.attempt(),
                accepted_at: batch.taken,
                vendor_own: false,
            });
        }
        self.callbacks(batch, fate, faults, rng)
    }

    fn callbacks(&self, batch: &Batch, fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let reverse = hit(rng, faults.callback_reorder_permille) || fate == Fate::Shuffled;
        let Some(url) = batch.callback_url.as_deref().filter(|_| fate != Fate::NoReceipts) else { return Vec::new() };
        let steps: Vec<&Step> = batch.steps.iter().filter(|step| batch.delivery_report.tells(step)).collect();
        let late = if fate == Fate::Late { Span::mins(10) } else { Span::ZERO };
        let mut times: Vec<Time> = steps.iter().map(|step| step.at + late + between(rng, 0, faults.callback_delay_ms_max)).collect();
        if reverse {
            times.sort_unstable();
            times.reverse();
        }
        let mut effects = Vec::new();
        for (step, at) in steps.into_iter().zip(times) {
            let hook = self.signed(at, url, &batch.report(step), rng);
            let again = at + between(rng, 50, 900);
            if hit(rng, faults.callback_duplicate_permille) || fate == Fate::Shuffled {
                effects.push(Effect::Hook(OutgoingHook { at: again, ..hook.clone() }));
            }
            effects.push(Effect::Hook(hook));
        }
        effects
    }

    /// A hook, signed at the time at which it is first sent: a try that comes much later has grown stale.
    fn signed(&self, at: Time, url: &str, body: &Value, rng: &mut dyn RngCore) -> OutgoingHook {
        let (body, nonce, timestamp) = (body.to_string(), new_id(at, rng), at.0.div_euclid(1_000_000).to_string());
        let signature = hmac_base64(hmac::HMAC_SHA256, &self.settings.hook_secret, format!("{body}.{nonce}.{timestamp}").as_bytes());
        let headers = [
            ("Content-Type", "application/json"),
            ("x-sinch-webhook-signature", signature.as_str()),
            ("x-sinch-webhook-signature-nonce", nonce.as_str()),
            ("x-sinch-webhook-signature-timestamp", timestamp.as_str()),
            ("x-sinch-webhook-signature-algorithm", "HmacSHA256"),
        ];
        let headers = Vec::from(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        OutgoingHook { at, url: url.to_owned(), headers, body: Bytes::from(body) }
    }
}

impl Batch {
    /// Our attempt, as named by the callback's URL.
    fn attempt(&self) -> Option<String> {
        let query = self.callback_url.as_deref()?.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ATTEMPT_PARAM).map(|(_, value)| value.into_owned())
    }

    /// The report of one status: the same in a hook and in the list.
    fn report(&self, step: &Step) -> Value {
        let (status, code) = told(step);
        let mut report = json!({
            "type": "recipient_delivery_report_sms",
            "at": stamp(step.at),
            "batch_id": self.id,
            "code": code,
            "operator_status_at": stamp(step.at),
            "recipient": digits(&self.to),
            "status": status,
        });
        self.refer(&mut report);
        report
    }

    /// Adds our reference, if there is one: what is nothing is left out.
    fn refer(&self, object: &mut Value) {
        if let (Some(reference), Some(fields)) = (&self.client_reference, object.as_object_mut()) {
            fields.insert("client_reference".to_owned(), json!(reference));
        }
    }
}

impl Reports {
    fn tells(self, step: &Step) -> bool {
        match self {
            Reports::None => false,
            Reports::PerRecipient => true,
            Reports::PerRecipientFinal => is_final(step),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Reports::None => "none",
            Reports::PerRecipient => "per_recipient",
            Reports::PerRecipientFinal => "per_recipient_final",
        }
    }
}

impl Problem {
    const fn bare(status: u16) -> Problem {
        Problem { status, code: "", text: "" }
    }

    /// A field that makes no sense.
    const fn format(text: &'static str) -> Problem {
        Problem { status: 400, code: "syntax_invalid_parameter_format", text }
    }

    /// A field that is missing or out of bounds.
    const fn constraint(text: &'static str) -> Problem {
        Problem { status: 400, code: "syntax_constraint_violation", text }
    }

    fn answer(&self) -> Answer {
        if self.code.is_empty() {
            return Answer::Reply(Response { status: self.status, headers: Vec::new(), body: Bytes::new() });
        }
        Answer::json(self.status, &json!({"code": self.code, "text": self.text}))
    }
}

/// A page of a list, or why there is none.
fn listed(page: Result<Answer, Problem>) -> Called {
    Called::only(page.unwrap_or_else(|problem| problem.answer()))
}

/// The answer to a call that comes too early.
pub(crate) fn throttled() -> Answer {
    Problem::bare(429).answer().with_header("retry-after", "1")
}

/// Sinch's word and code for a status.
fn told(step: &Step) -> (&'static str, u32) {
    match (step.word, step.code.map(|(code, _)| code)) {
        ("sent", _) => ("Dispatched", 401),
        ("delivered", _) => ("Delivered", 0),
        ("undelivered", Some("30005")) => ("Failed", 150),
        ("undelivered", Some("30006")) => ("Failed", 152),
        ("undelivered", Some("30003")) => ("Failed", 153),
        ("undelivered", Some("30007")) => ("Rejected", 62),
        ("undelivered", _) => ("Failed", 399),
        (_, _) => ("Teleported", 0),
    }
}

fn is_final(step: &Step) -> bool {
    matches!(step.word, "delivered" | "undelivered")
}

/// A number as the API writes them.
fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

/// An instant as the API writes them.
fn stamp(at: Time) -> String {
    at.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A new id: 48 bits of time and 80 of chance, in 26 letters.
fn new_id(at: Time, rng: &mut dyn RngCore) -> String {
    let mut raw = [0_u8; 10];
    rng.fill_bytes(&mut raw);
    let chance = raw.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let all = (u128::from(at.millis()) << 80) | chance;
    let letter = |place: u32| LETTERS.get(usize::try_from((all >> (125 - 5 * place)) & 31).ok()?);
    (0..26).filter_map(letter).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests;
