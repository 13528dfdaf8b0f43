//! A fake of Twilio's Messages API: a state machine that takes texts, promises callbacks and carries replies.
//!
//! Its own file because it is the oracle of every promise about texts: it forgets nothing that it took. It has no
//! socket and no clock, and it does not know Trunkline; the connector's dialect is checked against it.
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

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use base64::Engine as _;
use bytes::Bytes;
use form_urlencoded::Serializer;
use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::hook::{RawHook, hmac_base64, sha256_hex};
use trunkline_connectors::http::Request;
use trunkline_connectors::sms::twilio::{ATTEMPT_PARAM, LONGEST, canonical_params};
use trunkline_core::keyword::Keyword;
use trunkline_core::number::Number;
use trunkline_core::segment;
use trunkline_core::time::{Span, Time};

use crate::faults::{Fate, Faults, Step};
pub use crate::outgoing::{AcceptedCall, Answer, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::outgoing::{between, hex, hit, uuid_like};

const VERSION: &str = "2010-04-01";
const FORM: &str = "application/x-www-form-urlencoded";
const RFC_2822: &str = "%a, %d %b %Y %H:%M:%S +0000";
const STOPPED: &str = "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.";
const STARTED: &str = "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply.";
const HELPED: &str = "Reply STOP to unsubscribe. Msg&Data Rates May Apply.";

/// Our account at the vendor.
#[derive(Clone, Default)]
pub struct VendorSettings {
    /// `AC…`.
    pub account_sid: String,
    /// The auth token: signs calls in, and signs hooks.
    pub auth_token: String,
    /// Our senders in E.164, and where the texts sent to each are announced.
    pub inbound_urls: BTreeMap<String, String>,
    /// Whether the vendor answers STOP, START and HELP itself.
    pub answers_stop: bool,
}

/// The fake vendor.
#[derive(Default)]
pub struct Vendor {
    settings: VendorSettings,
    messages: BTreeMap<String, Message>,
    texts: Vec<PhoneText>,
    accepted: Vec<AcceptedCall>,
    replies: Vec<PersonText>,
    opt_outs: Vec<Choice>,
    opt_ins: Vec<Choice>,
    blocked: BTreeSet<(String, String)>,
    throttled_once: BTreeSet<String>,
}

struct Message {
    to: String,
    from: String,
    body: String,
    callback: Option<String>,
    taken: Time,
    steps: Vec<Step>,
}

/// The fields of a call that passed every check.
struct Wanted {
    to: String,
    from: String,
    body: String,
    callback: Option<String>,
}

/// A refusal in the vendor's words.
struct Problem {
    status: u16,
    code: u32,
    message: &'static str,
}

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
        if refuse {
            return Called::only(Answer::Refuse);
        }
        let path = request.url.parse::<::http::Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let ["", VERSION, "Accounts", account, ..] = segments.as_slice() else { return Called::only(NOT_FOUND.answer()) };
        if !self.signed_in(request) {
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
            ("GET", [_, _, _, _, "Messages", file]) => Called::only(self.fetch(now, file)),
            _ => Called::only(NOT_FOUND.answer()),
        }
    }

    /// A person texts one of our senders.
    pub fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Vec<Effect> {
        let vendor_id = format!("SM{}", hex(rng, 16));
        self.replies.push(PersonText { at: now, phone: phone.to_owned(), sender: sender.to_owned(), body: body.to_owned(), vendor_id: vendor_id.clone() });
        self.heed(now, phone, sender, body, rng);
        let Some(url) = self.settings.inbound_urls.get(sender) else { return Vec::new() };
        let segments = segment::measure(body).segments.to_string();
        let country = |number: &str| Number::from_stored(number.to_owned()).region().unwrap_or_default();
        let (there, here) = (country(phone), country(sender));
        // Of places it knows the country, and sends the rest empty.
        let params: [(&str, &str); 19] = [
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
        let at = now + between(rng, 100, 700);
        vec![Effect::Hook(self.signed(at, url, &params, rng))]
    }

    /// Every text that reached, or is about to reach, a phone: in the order in which the vendor took them.
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

    fn signed_in(&self, request: &Request) -> bool {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.settings.account_sid, self.settings.auth_token));
        let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        given.and_then(|(_, value)| value.split_once(' ')).is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("basic") && rest.trim() == basic)
    }

    fn create(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let form: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let wanted = match self.checked(&form) {
            Ok(wanted) => wanted,
            Err(problem) => return Called::only(problem.answer()),
        };
        let fate = Fate::of(&wanted.to);
        if fate == Fate::HangNotTaken {
            return Called::only(Answer::Hang);
        }
        if fate == Fate::ErrorNotTaken {
            return Called::only(SERVER_ERROR.answer());
        }
        if fate == Fate::ThrottleOnce && self.throttled_once.insert(wanted.to.clone()) {
            return Called::only(throttled());
        }
        let hang = hit(rng, faults.hang_after_accept_permille) || fate == Fate::HangTaken;
        let error = hit(rng, faults.server_error_after_accept_permille) || fate == Fate::ErrorTaken;
        let vendor_id = format!("SM{}", hex(rng, 16));
        let message = Message { to: wanted.to, from: wanted.from, body: wanted.body, callback: wanted.callback, taken: now, steps: fate.steps(now, rng) };
        self.remember(&vendor_id, &message, fate, sha256_hex(&request.body), rng);
        let effects = self.callbacks(&vendor_id, &message, fate, faults, rng);
        let answer = if hang {
            Answer::Hang
        } else if error {
            SERVER_ERROR.answer()
        } else {
            Answer::json(201, &self.resource(now, &vendor_id, &message))
        };
        self.messages.insert(vendor_id, message);
        Called { answer, effects }
    }

    fn checked(&self, form: &BTreeMap<String, String>) -> Result<Wanted, Problem> {
        let field = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let bad = |code: u32, message: &'static str| Problem { status: 400, code, message };
        let to = field("To").ok_or_else(|| bad(21_604, "'To' is missing"))?;
        let to = Number::parse(to, None).map_err(|_| bad(21_211, "'To' is not a phone number"))?;
        let body = field("Body").ok_or_else(|| bad(21_602, "'Body' is missing"))?;
        if body.chars().count() > LONGEST {
            return Err(bad(21_617, "'Body' is longer than 1600 characters"));
        }
        let from = field("From").ok_or_else(|| bad(21_603, "'From' is missing"))?;
        if !self.settings.inbound_urls.contains_key(from) {
            return Err(bad(21_606, "'From' is not a sender of this account"));
        }
        let validity_is_fine = field("ValidityPeriod").is_none_or(|text| text.parse::<u32>().is_ok_and(|secs| (1..=36_000).contains(&secs)));
        if !validity_is_fine {
            return Err(bad(21_624, "'ValidityPeriod' is not a whole number of seconds from 1 to 36000"));
        }
        let callback = field("StatusCallback");
        let callback_is_fine = callback.is_none_or(can_be_called);
        if !callback_is_fine {
            return Err(bad(21_609, "'StatusCallback' is not a URL that can be called"));
        }
        if self.blocked.contains(&(to.e164().to_owned(), from.to_owned())) {
            return Err(bad(21_610, "the recipient has unsubscribed from 'From'"));
        }
        Ok(Wanted { to: to.e164().to_owned(), from: from.to_owned(), body: body.to_owned(), callback: callback.map(str::to_owned) })
    }

    fn remember(&mut self, vendor_id: &str, message: &Message, fate: Fate, request_sha256: String, rng: &mut dyn RngCore) {
        let attempt = message.callback.as_deref().and_then(attempt_of);
        self.accepted.push(AcceptedCall { attempt: attempt.clone(), vendor_id: vendor_id.to_owned(), at: message.taken, phone: message.to.clone(), request_sha256 });
        // Before the earliest `delivered` of `steps`.
        let at = message.taken + between(rng, 300, 1_500);
        if !matches!(fate, Fate::UnknownHandset | Fate::Landline) {
            self.texts.push(PhoneText {
                at,
                phone: message.to.clone(),
                sender: message.from.clone(),
                body: message.body.clone(),
                vendor_id: vendor_id.to_owned(),
                attempt,
                accepted_at: message.taken,
                vendor_own: false,
            });
        }
    }

    fn callbacks(&self, vendor_id: &str, message: &Message, fate: Fate, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Effect> {
        let reverse = hit(rng, faults.callback_reorder_permille) || fate == Fate::Shuffled;
        let Some(url) = message.callback.as_deref().filter(|_| fate != Fate::NoReceipts) else { return Vec::new() };
        let late = if fate == Fate::Late { Span::mins(10) } else { Span::ZERO };
        let mut times: Vec<Time> = message.steps.iter().map(|step| step.at + late + between(rng, 0, faults.callback_delay_ms_max)).collect();
        if reverse {
            times.sort_unstable();
            times.reverse();
        }
        let mut effects = Vec::new();
        for (step, at) in message.steps.iter().zip(times) {
            let hook = self.status_hook(at, url, vendor_id, message, step, rng);
            let again = at + between(rng, 50, 900);
            if hit(rng, faults.callback_duplicate_permille) || fate == Fate::Shuffled {
                effects.push(Effect::Hook(OutgoingHook { at: again, ..hook.clone() }));
            }
            effects.push(Effect::Hook(hook));
        }
        effects
    }

    fn status_hook(&self, at: Time, url: &str, vendor_id: &str, message: &Message, step: &Step, rng: &mut dyn RngCore) -> OutgoingHook {
        let done = step.at.timestamp().strftime("%y%m%d%H%M").to_string();
        let mut params = vec![
            ("AccountSid", self.settings.account_sid.as_str()),
            ("ApiVersion", VERSION),
            ("From", message.from.as_str()),
            ("To", message.to.as_str()),
            ("MessageSid", vendor_id),
            ("SmsSid", vendor_id),
            ("MessageStatus", step.word),
            ("SmsStatus", step.word),
        ];
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
            let vendor_id = format!("SM{}", hex(rng, 16));
            let at = now + between(rng, 300, 1_500);
            self.texts.push(PhoneText {
                at,
                phone: phone.to_owned(),
                sender: sender.to_owned(),
                body: text.to_owned(),
                vendor_id,
                attempt: None,
                accepted_at: now,
                vendor_own: true,
            });
        }
    }

    fn fetch(&self, now: Time, file: &str) -> Answer {
        let found = file.strip_suffix(".json").and_then(|id| self.messages.get_key_value(id));
        found.map_or_else(|| NOT_FOUND.answer(), |(id, message)| Answer::json(200, &self.resource(now, id, message)))
    }

    fn resource(&self, now: Time, vendor_id: &str, message: &Message) -> Value {
        let reached = message.steps.iter().rfind(|step| step.at <= now);
        let sent = message.steps.first().filter(|step| step.at <= now);
        let date = |at: Time| at.timestamp().strftime(RFC_2822).to_string();
        let code = reached.and_then(|step| step.code);
        let uri = format!("/{VERSION}/Accounts/{}/Messages/{vendor_id}", self.settings.account_sid);
        json!({
            "body": message.body,
            "num_segments": segment::measure(&message.body).segments.to_string(),
            "direction": "outbound-api",
            "from": message.from,
            "date_updated": date(reached.map_or(message.taken, |step| step.at)),
            "price": null,
            "error_message": code.map(|(_, meaning)| meaning),
            "uri": format!("{uri}.json"),
            "account_sid": self.settings.account_sid,
            "num_media": "0",
            "to": message.to,
            "date_created": date(message.taken),
            "status": reached.map_or("queued", |step| step.word),
            "sid": vendor_id,
            "date_sent": sent.map(|step| date(step.at)),
            "messaging_service_sid": null,
            "error_code": code.and_then(|(code, _)| code.parse::<u32>().ok()),
            "price_unit": "USD",
            "api_version": VERSION,
            "subresource_uris": {"media": format!("{uri}/Media.json")},
        })
    }
}

const NOT_FOUND: Problem = Problem { status: 404, code: 20_404, message: "there is no such resource" };
const SERVER_ERROR: Problem = Problem { status: 500, code: 20_500, message: "something broke on this side" };

impl Problem {
    fn answer(&self) -> Answer {
        let more_info = format!("https://www.twilio.com/docs/errors/{}", self.code);
        Answer::json(self.status, &json!({"code": self.code, "message": self.message, "more_info": more_info, "status": self.status}))
    }
}

/// The answer to a call that comes too early.
pub(crate) fn throttled() -> Answer {
    Problem { status: 429, code: 20_429, message: "too many requests" }.answer().with_header("retry-after", "1")
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

fn attempt_of(callback: &str) -> Option<String> {
    let query = callback.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ATTEMPT_PARAM).map(|(_, value)| value.into_owned())
}

/// The vendor calls HTTP and HTTPS, and no host with an underscore.
fn can_be_called(url: &str) -> bool {
    let Ok(uri) = url.parse::<::http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty() && !host.contains('_'))
}

#[cfg(test)]
pub(crate) mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;
    use trunkline_connectors::http::{Phase, Reply, TransportError};
    use trunkline_connectors::sms::twilio::Twilio;
    use trunkline_connectors::sms::{Lane, Outbound, Provider, ProviderEvent};
    use trunkline_core::id::{AttemptId, MessageId};

    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000000";
    const SENDER: &str = "+15005550006";
    pub(crate) const PHONE: &str = "+14155550123";
    const HOOKS: &str = "http://127.0.0.1:8080/hooks/twilio";

    /// A vendor, its dice and its faults, at one instant.
    pub(crate) struct Bench {
        pub(crate) vendor: Vendor,
        pub(crate) rng: ChaCha8Rng,
        pub(crate) faults: Faults,
        pub(crate) now: Time,
    }

    pub(crate) fn bench() -> Bench {
        let settings = VendorSettings { account_sid: ACCOUNT.into(), auth_token: "token".into(), inbound_urls: [(SENDER.to_owned(), HOOKS.to_owned())].into(), answers_stop: true };
        Bench { vendor: Vendor::new(settings), rng: ChaCha8Rng::seed_from_u64(1), faults: Faults::default(), now: "2026-11-23T08:00:00Z".parse().unwrap() }
    }

    impl Bench {
        pub(crate) fn call(&mut self, request: &Request) -> Called {
            self.vendor.call(self.now, request, &self.faults, &mut self.rng)
        }

        fn reply(&mut self, body: &str) -> Vec<Effect> {
            self.vendor.reply(self.now, PHONE, SENDER, body, &mut self.rng)
        }
    }

    fn twilio() -> Twilio {
        let base_url = "http://127.0.0.1:9000".to_owned();
        Twilio { name: "main".into(), account_sid: ACCOUNT.into(), auth_tokens: vec!["token".into()], shared_keys: Vec::new(), base_url, timeout: Span::secs(10) }
    }

    fn attempt() -> AttemptId {
        AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 1 }
    }

    pub(crate) fn text(to: &str) -> Request {
        twilio().send(&Outbound { attempt: attempt(), to, from: SENDER, body: "Hello", validity: Span::hours(4), callback_url: HOOKS })
    }

    pub(crate) fn outcome(answer: &Answer) -> &'static str {
        let lost = |phase| Err(TransportError { phase, detail: "gone".into() });
        let reply: Reply = match answer {
            Answer::Reply(response) => Ok(response.clone()),
            Answer::Hang => lost(Phase::Exchange),
            Answer::Refuse => lost(Phase::Connect),
        };
        twilio().outcome(&reply).word()
    }

    pub(crate) fn raw(hook: &OutgoingHook) -> RawHook {
        RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() }
    }

    /// What the connector makes of the callbacks, in the order in which they arrive.
    pub(crate) fn receipts(effects: &[Effect]) -> Vec<String> {
        let mut hooks: Vec<&OutgoingHook> = effects.iter().map(|Effect::Hook(hook)| hook).collect();
        hooks.sort_by_key(|hook| hook.at);
        let read = |hook: &OutgoingHook| {
            assert_eq!(twilio().verify(&raw(hook)), Ok(()));
            assert_eq!(twilio().lane(&raw(hook)), Lane::Receipt);
            let ProviderEvent::Status { attempt: found, status, vendor_code, .. } = twilio().parse(&raw(hook)).unwrap().remove(0).event else { panic!("a receipt") };
            assert_eq!(found, Some(attempt()));
            format!("{status}{vendor_code}")
        };
        hooks.into_iter().map(read).collect()
    }

    #[test]
    fn refuses_as_the_vendor_does() {
        let long = "a".repeat(1_601);
        for (field, value, code) in [
            ("To", "", "21604"),
            ("To", "+1415", "21211"),
            ("Body", "", "21602"),
            ("Body", long.as_str(), "21617"),
            ("From", "", "21603"),
            ("From", "+15005550001", "21606"),
            ("ValidityPeriod", "0", "21624"),
            ("ValidityPeriod", "36001", "21624"),
            ("StatusCallback", "t.example/hooks", "21609"),
            ("StatusCallback", "http://my_host/hooks", "21609"),
        ] {
            let fine = [("To", PHONE), ("From", SENDER), ("Body", "Hi"), ("StatusCallback", HOOKS), ("ValidityPeriod", "60")];
            let pairs = fine.map(|(name, usual)| (name, if name == field { value } else { usual }));
            let mut request = text(PHONE);
            request.body = Bytes::from(Serializer::new(String::new()).extend_pairs(&pairs).finish());
            let mut bench = bench();
            let called = bench.call(&request);
            let Answer::Reply(response) = called.answer else { panic!("{field}") };
            let body: Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!((response.status, body["code"].to_string().as_str(), &body["status"]), (400, code, &json!(400)), "{field}");
            assert!(body["more_info"].as_str().unwrap().ends_with(code) && twilio().knows_code(code));
            assert!(bench.vendor.accepted().is_empty() && called.effects.is_empty());
        }
    }

    #[test]
    fn only_the_account_may_call() {
        let stranger = Twilio { auth_tokens: vec!["other".into()], ..twilio() };
        let request = stranger.send(&Outbound { attempt: attempt(), to: PHONE, from: SENDER, body: "Hi", validity: Span::secs(60), callback_url: HOOKS });
        let Answer::Reply(response) = bench().call(&request).answer else { panic!("an answer") };
        assert_eq!((response.status, outcome(&Answer::Reply(response.clone()))), (401, "permanent"));
        let mut elsewhere = text(PHONE);
        elsewhere.url = elsewhere.url.replace(ACCOUNT, "AC1");
        let Answer::Reply(response) = bench().call(&elsewhere).answer else { panic!("an answer") };
        assert_eq!(response.status, 404);
    }

    #[test]
    fn a_stop_blocks_until_start() {
        let mut bench = bench();
        let Some(Effect::Hook(hook)) = bench.reply("stop").pop() else { panic!("a hook") };
        assert_eq!((twilio().verify(&raw(&hook)), twilio().lane(&raw(&hook))), (Ok(()), Lane::Inbound));
        let ProviderEvent::Inbound { from, to, body, .. } = twilio().parse(&raw(&hook)).unwrap().remove(0).event else { panic!("inbound") };
        assert_eq!((from.as_str(), to.as_str(), body.as_str()), (PHONE, SENDER, "stop"));
        assert_eq!((bench.vendor.opt_outs().len(), bench.vendor.texts().len()), (1, 1));
        assert!(bench.vendor.texts().iter().all(|t| t.vendor_own && t.body == STOPPED));
        let Answer::Reply(response) = bench.call(&text(PHONE)).answer else { panic!("an answer") };
        let code = serde_json::from_slice::<Value>(&response.body).unwrap()["code"].to_string();
        assert!(code == "21610" && twilio().is_block(&code));
        bench.reply("START");
        assert_eq!(outcome(&bench.call(&text(PHONE)).answer), "accepted");
        // The vendor misses this one; the person meant it all the same.
        bench.reply("Stop!");
        assert_eq!(bench.vendor.opt_outs().iter().map(|c| c.by_vendor).collect::<Vec<_>>(), [true, false]);
        assert_eq!(outcome(&bench.call(&text(PHONE)).answer), "accepted");
    }

    #[test]
    fn tells_what_became_of_a_text() {
        let mut bench = bench();
        bench.call(&text("+14155550001"));
        let id = bench.vendor.accepted()[0].vendor_id.clone();
        assert_eq!(bench.vendor.accepted()[0].attempt, Some(attempt().to_string()));
        let mut status = |after: Span| {
            let mut request = text(PHONE);
            request.method = ::http::Method::GET;
            request.url = request.url.replace("Messages.json", &format!("Messages/{id}.json"));
            bench.now = bench.now + after;
            let Answer::Reply(response) = bench.call(&request).answer else { panic!("an answer") };
            let body: Value = serde_json::from_slice(&response.body).unwrap();
            (body["status"].as_str().unwrap().to_owned(), body["error_code"].clone(), body["date_created"].as_str().unwrap().to_owned())
        };
        let taken = "Mon, 23 Nov 2026 08:00:00 +0000".to_owned();
        assert_eq!(status(Span::ZERO), ("queued".to_owned(), Value::Null, taken.clone()));
        assert_eq!(status(Span::mins(1)), ("undelivered".to_owned(), json!(30_005), taken));
    }
}
