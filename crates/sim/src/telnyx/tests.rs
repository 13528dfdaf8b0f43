//! The fake on the bench: called by the real connector, and its hooks read by it.
//!
//! Its own file because of its length. Connector and fake are two readings of the same pages; where they differ, one of
//! them is wrong.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::hook::{RawHook, Refused};
use trunkline_connectors::http::{Phase, Reply, Response, TransportError};
use trunkline_connectors::sms::telnyx::Telnyx;
use trunkline_connectors::sms::{Lane, Outbound, Provider as _, ProviderEvent};
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::keyword::Keyword;
use trunkline_core::outcome::Outcome;

use super::inbound::STOPPED;
use super::*;

const SENDER: &str = "+13125550001";
const OTHER_SENDER: &str = "+13125550002";
const PHONE: &str = "+14155550123";
const PROFILE: &str = "740572b6-099c-44a1-89b9-6c92163bc68d";
const HOOKS: &str = "http://127.0.0.1:8080/hooks/telnyx";

/// A vendor, its dice and its faults, at one instant.
struct Bench {
    fake: TelnyxFake,
    rng: ChaCha8Rng,
    faults: Faults,
    now: Time,
}

fn bench() -> Bench {
    let settings = TelnyxSettings {
        api_key: "KEY_1".into(),
        signing_seed: [7; 32],
        inbound_urls: [SENDER, OTHER_SENDER].map(|sender| (sender.to_owned(), HOOKS.to_owned())).into(),
        messaging_profile_id: Some(PROFILE.into()),
        answers_stop: true,
    };
    Bench { fake: TelnyxFake::new(settings), rng: ChaCha8Rng::seed_from_u64(1), faults: Faults::default(), now: "2026-11-23T08:00:00Z".parse().unwrap() }
}

impl Bench {
    fn call(&mut self, request: &Request) -> Called {
        self.fake.call(self.now, request, &self.faults, &mut self.rng)
    }

    fn reply(&mut self, body: &str) -> Vec<Effect> {
        self.fake.reply(self.now, PHONE, SENDER, body, &mut self.rng)
    }

    fn driver(&self) -> Telnyx {
        driver(&self.fake.public_key())
    }

    /// What the connector makes of the events, in the order in which they arrive.
    fn receipts(&self, effects: &[Effect]) -> Vec<String> {
        let mut hooks: Vec<&OutgoingHook> = effects.iter().map(|Effect::Hook(hook)| hook).collect();
        hooks.sort_by_key(|hook| hook.at);
        let driver = self.driver();
        let read = |hook: &OutgoingHook| {
            assert_eq!((driver.verify(&raw(hook), hook.at), driver.lane(&raw(hook))), (Ok(()), Lane::Receipt));
            let ProviderEvent::Status { attempt: found, status, vendor_code, .. } = driver.parse(&raw(hook)).unwrap().remove(0).event else { panic!("a receipt") };
            assert_eq!(found, Some(attempt(1)));
            assert!(vendor_code.is_empty() || driver.knows_code(&vendor_code), "{vendor_code}");
            format!("{status}{vendor_code}")
        };
        hooks.into_iter().map(read).collect()
    }
}

fn driver(public_key: &str) -> Telnyx {
    Telnyx {
        name: "main".into(),
        messaging_profile_id: Some(PROFILE.into()),
        api_keys: vec!["KEY_1".into()],
        public_keys: vec![public_key.into()],
        base_url: "http://127.0.0.1:9000".into(),
        timeout: Span::secs(10),
    }
}

fn attempt(n: u32) -> AttemptId {
    AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n }
}

fn text(to: &str) -> Request {
    nth(to, 1, "Hello")
}

fn nth(to: &str, n: u32, body: &str) -> Request {
    driver("").send(&Outbound { attempt: attempt(n), to, from: SENDER, body, validity: Span::hours(4), expires_at: Time(0) + Span::hours(4), callback_url: HOOKS })
}

/// A call without a key, with these fields changed.
fn changed(fields: &[(&str, Value)]) -> Request {
    let mut request = text(PHONE);
    request.headers.retain(|(name, _)| name != "idempotency-key");
    let mut body: Value = serde_json::from_slice(&request.body).unwrap();
    for (name, value) in fields {
        body[*name] = value.clone();
    }
    Request { body: Bytes::from(body.to_string()), ..request }
}

fn outcome(answer: &Answer) -> Outcome {
    let lost = |phase| Err(TransportError { phase, detail: "gone".into() });
    let reply: Reply = match answer {
        Answer::Reply(response) => Ok(response.clone()),
        Answer::Hang => lost(Phase::Wait),
        Answer::Refuse => lost(Phase::Connect),
    };
    driver("").outcome(&reply)
}

fn response(answer: Answer) -> Response {
    let Answer::Reply(response) = answer else { panic!("an answer") };
    response
}

/// The status and the code of a refusal.
fn refusal(answer: Answer) -> (u16, String) {
    let response = response(answer);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    (response.status, body["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
}

fn raw(hook: &OutgoingHook) -> RawHook {
    RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() }
}

#[test]
fn takes_a_text_and_tells_what_became_of_it() {
    let mut bench = bench();
    let called = bench.call(&text(PHONE));
    let Outcome::Accepted { vendor_id } = outcome(&called.answer) else { panic!("accepted") };
    assert_eq!(bench.receipts(&called.effects), ["sent", "delivered"]);
    let taken = &bench.fake.accepted()[0];
    assert_eq!((&taken.vendor_id, &taken.attempt, taken.phone.as_str()), (&vendor_id, &Some(attempt(1).to_string()), PHONE));
    let on_phone = &bench.fake.texts()[0];
    assert_eq!((&on_phone.vendor_id, &on_phone.attempt, on_phone.body.as_str()), (&vendor_id, &Some(attempt(1).to_string()), "Hello"));
    let body: Value = serde_json::from_slice(&response(called.answer).body).unwrap();
    assert_eq!((&body["data"]["to"][0]["status"], &body["data"]["received_at"]), (&json!("queued"), &json!("2026-11-23T08:00:00.000+00:00")));
    // A text that names no URL is told of where the profile's events go.
    let called = bench.call(&changed(&[("webhook_url", Value::Null)]));
    assert!(called.effects.len() == 2 && called.effects.iter().all(|Effect::Hook(hook)| hook.url == HOOKS));
}

#[test]
fn every_magic_number() {
    let table: [(&str, &str, &[&str], usize); 15] = [
        ("0123", "accepted", &["sent", "delivered"], 1),
        ("0001", "accepted", &["sent", "delivery_failed40012"], 0),
        ("0002", "accepted", &["sent", "delivery_failed40001"], 0),
        ("0003", "accepted", &[], 1),
        ("0004", "ambiguous", &["sent", "delivered"], 1),
        ("0005", "ambiguous", &[], 0),
        ("0006", "ambiguous", &["sent", "delivered"], 1),
        ("0007", "ambiguous", &[], 0),
        ("0008", "throttled", &[], 0),
        ("0009", "accepted", &["delivered", "delivered", "sent", "sent"], 1),
        ("0010", "accepted", &["sent", "delivered"], 1),
        ("0011", "accepted", &["sent", "delivered", "delivery_failed40008"], 1),
        ("0012", "accepted", &["sent", "teleported", "delivered"], 1),
        ("0013", "accepted", &["sent", "delivery_failed40006"], 0),
        ("0014", "accepted", &["sent", "delivery_failed40002"], 0),
    ];
    for (last, expect, words, texts) in table {
        let mut bench = bench();
        let called = bench.call(&text(&format!("+1415555{last}")));
        assert_eq!(outcome(&called.answer).word(), expect, "{last}");
        assert_eq!(bench.receipts(&called.effects), words, "{last}");
        assert_eq!(bench.fake.texts().len(), texts, "{last}");
        let late = called.effects.iter().all(|Effect::Hook(hook)| hook.at > bench.now + Span::mins(10));
        assert_eq!(late && !words.is_empty(), last == "0010", "{last}");
    }
}

#[test]
fn every_fault() {
    let always = 1_000;
    let none = Faults::default();
    for (faults, expect, taken) in [
        (Faults { refuse_permille: always, ..none.clone() }, "transient", 0),
        (Faults { throttle_permille: always, ..none.clone() }, "throttled", 0),
        (Faults { server_error_permille: always, ..none.clone() }, "ambiguous", 0),
        (Faults { server_error_after_accept_permille: always, ..none.clone() }, "ambiguous", 1),
        (Faults { hang_after_accept_permille: always, ..none.clone() }, "ambiguous", 1),
    ] {
        let mut bench = Bench { faults, ..bench() };
        assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), expect);
        assert_eq!((bench.fake.accepted().len(), bench.fake.texts().len()), (taken, taken));
    }
    let mut twice = Bench { faults: Faults { callback_duplicate_permille: always, ..none.clone() }, ..bench() };
    let effects = twice.call(&text(PHONE)).effects;
    let bodies: BTreeSet<&Bytes> = effects.iter().map(|Effect::Hook(hook)| &hook.body).collect();
    let keys: BTreeSet<[u8; 16]> = effects.iter().map(|Effect::Hook(hook)| twice.driver().parse(&raw(hook)).unwrap().remove(0).key).collect();
    // Copies are counted, so their bytes differ; they are the same two events.
    assert_eq!((effects.len(), bodies.len(), keys.len()), (4, 4, 2));
    assert_eq!(twice.receipts(&effects), ["sent", "sent", "delivered", "delivered"]);
    let mut reversed = Bench { faults: Faults { callback_reorder_permille: always, ..none }, ..bench() };
    let effects = reversed.call(&text(PHONE)).effects;
    assert_eq!(reversed.receipts(&effects), ["delivered", "sent"]);
}

#[test]
fn a_key_is_good_for_one_text() {
    for last in ["0123", "0004", "0006"] {
        let mut bench = bench();
        let request = text(&format!("+1415555{last}"));
        bench.call(&request);
        let taken = bench.fake.accepted()[0].vendor_id.clone();
        for wait in [Span::ZERO, Span::mins(5), Span::hours(23)] {
            bench.now = bench.now + wait;
            // What befalls the caller with a new text befalls nobody who asks again.
            bench.faults = Faults { hang_after_accept_permille: 1_000, ..Faults::default() };
            let again = bench.call(&request);
            assert_eq!(outcome(&again.answer), Outcome::Accepted { vendor_id: taken.clone() }, "{last} {wait}");
            assert!(again.effects.is_empty());
            assert_eq!((bench.fake.accepted().len(), bench.fake.texts().len()), (1, 1));
        }
        // A day after the first call the key is forgotten, and the text would be sent anew.
        bench.now = bench.now + Span::hours(1);
        bench.call(&request);
        assert_eq!((bench.fake.accepted().len(), bench.fake.texts().len()), (2, 2));
    }
}

#[test]
fn only_a_success_uses_a_key_up() {
    let mut bench = Bench { faults: Faults { server_error_permille: 1_000, ..Faults::default() }, ..bench() };
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), "ambiguous");
    bench.faults = Faults::default();
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), "accepted");
    let slow = text("+14155550008");
    let other = Request { headers: nth(PHONE, 2, "").headers, ..slow };
    assert_eq!(outcome(&bench.call(&other).answer).word(), "throttled");
    assert_eq!(outcome(&bench.call(&other).answer).word(), "accepted");
    assert_eq!(bench.fake.accepted().len(), 2);
}

#[test]
fn a_key_with_another_body_is_refused() {
    let mut bench = bench();
    bench.call(&text(PHONE));
    let other = bench.call(&nth(PHONE, 1, "Hello!"));
    assert_eq!((outcome(&other.answer).word(), refusal(other.answer).0, other.effects.len()), ("ambiguous", 422, 0));
    assert_eq!((bench.fake.accepted().len(), bench.fake.texts().len()), (1, 1));
    assert_eq!(outcome(&bench.call(&nth(PHONE, 2, "Hello!")).answer).word(), "accepted");
    // Without a key every call is another text.
    bench.call(&changed(&[]));
    bench.call(&changed(&[]));
    assert_eq!(bench.fake.texts().len(), 4);
    let long = "a".repeat(256);
    for key in ["", "a/b", "a.b", long.as_str()] {
        let mut request = changed(&[]);
        request.headers.push(("idempotency-key".into(), key.into()));
        assert_eq!(refusal(bench.call(&request).answer), (400, "10015".to_owned()), "{key}");
    }
}

#[test]
fn refuses_as_the_vendor_does() {
    let long = "a".repeat(1_531);
    for (field, value, expect) in [
        ("to", json!(""), (422, "10004")),
        ("to", json!("14155550123"), (422, "10016")),
        ("to", json!("+1415"), (400, "40310")),
        ("from", Value::Null, (422, "10004")),
        ("from", json!("+13125550009"), (400, "40305")),
        ("messaging_profile_id", json!("another"), (400, "40305")),
        ("text", json!(""), (400, "40316")),
        ("text", json!(long), (400, "40302")),
        ("media_urls", json!(["https://t.example/cat.png"]), (400, "10015")),
        ("send_at", json!("2026-11-23T09:00:00Z"), (400, "10015")),
        ("webhook_url", json!("t.example/hooks"), (422, "10003")),
    ] {
        let mut bench = bench();
        let called = bench.call(&changed(&[(field, value)]));
        assert_eq!(outcome(&called.answer).word(), "permanent", "{field}");
        let (status, code) = refusal(called.answer);
        assert_eq!((status, code.as_str()), expect, "{field}");
        assert!(bench.driver().knows_code(&code) && bench.fake.accepted().is_empty() && called.effects.is_empty());
    }
    let mut request = changed(&[]);
    request.body = Bytes::from_static(b"to=1");
    assert_eq!(refusal(bench().call(&request).answer), (400, "10015".to_owned()));
}

#[test]
fn only_the_account_may_call() {
    let stranger = Telnyx { api_keys: vec!["KEY_2".into()], ..driver("") };
    let request =
        stranger.send(&Outbound { attempt: attempt(1), to: PHONE, from: SENDER, body: "Hi", validity: Span::secs(60), expires_at: Time(0) + Span::secs(60), callback_url: HOOKS });
    let refused = bench().call(&request).answer;
    assert_eq!((outcome(&refused).word(), refusal(refused)), ("permanent", (401, "10009".to_owned())));
    for (method, path, status, allow) in
        [("GET", "/v2/messages", 405, Some("POST")), ("GET", "/v2/messages/t1", 404, None), ("POST", "/v2/calls", 404, None), ("POST", "/v1/messages", 404, None)]
    {
        let mut request = text(PHONE);
        request.method = method.parse().unwrap();
        request.url = format!("http://127.0.0.1:9000{path}");
        let found = response(bench().call(&request).answer);
        assert_eq!((found.status, found.header("allow")), (status, allow), "{method} {path}");
    }
}

#[test]
fn a_stop_blocks_every_sender_until_start() {
    let mut bench = bench();
    let Some(Effect::Hook(hook)) = bench.reply("stop").pop() else { panic!("a hook") };
    let driver = bench.driver();
    assert_eq!((driver.verify(&raw(&hook), hook.at), driver.lane(&raw(&hook))), (Ok(()), Lane::Inbound));
    let vendor_id = bench.fake.replies()[0].vendor_id.clone();
    let expect = ProviderEvent::Inbound { vendor_id, from: PHONE.into(), to: SENDER.into(), body: "stop".into(), keyword: Some(Keyword::Stop) };
    assert_eq!(driver.parse(&raw(&hook)).unwrap().remove(0).event, expect);
    assert_eq!((bench.fake.opt_outs().len(), bench.fake.texts().len()), (1, 1));
    assert!(bench.fake.texts().iter().all(|t| t.vendor_own && t.body == STOPPED));
    for sender in [SENDER, OTHER_SENDER] {
        let refused = bench.call(&changed(&[("from", json!(sender))])).answer;
        let Outcome::Permanent { vendor_code, message, .. } = outcome(&refused) else { panic!("permanent") };
        assert!(driver.is_block(&vendor_code) && !message.contains(PHONE), "{vendor_code} {message}");
    }
    bench.reply("START");
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), "accepted");
    // A text that was taken stays taken, though the recipient has unsubscribed since.
    bench.reply("STOP ALL");
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), "accepted");
    assert_eq!(outcome(&bench.call(&nth(PHONE, 2, "Hello")).answer).word(), "permanent");
    assert_eq!((bench.fake.opt_outs().len(), bench.fake.opt_ins().len(), bench.fake.accepted().len()), (2, 1, 1));
}

#[test]
fn some_words_are_for_us_alone_to_heed() {
    let mut bench = bench();
    for word in ["Revoke", "Stop!", "opt out"] {
        let Some(Effect::Hook(hook)) = bench.reply(word).pop() else { panic!("a hook") };
        let ProviderEvent::Inbound { keyword, .. } = bench.driver().parse(&raw(&hook)).unwrap().remove(0).event else { panic!("inbound") };
        assert_eq!(keyword, None, "{word}");
    }
    assert!(bench.fake.opt_outs().len() == 3 && bench.fake.opt_outs().iter().all(|choice| !choice.by_vendor));
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer).word(), "accepted");
    // Of a vendor that does not answer, nothing is said of an answer.
    bench.fake.settings.answers_stop = false;
    let Some(Effect::Hook(hook)) = bench.reply("HELP").pop() else { panic!("a hook") };
    let ProviderEvent::Inbound { keyword, .. } = bench.driver().parse(&raw(&hook)).unwrap().remove(0).event else { panic!("inbound") };
    assert_eq!((keyword, bench.fake.texts().iter().filter(|t| t.vendor_own).count()), (None, 0));
}

#[test]
fn an_event_delivered_again_is_signed_anew() {
    let mut bench = bench();
    let called = bench.call(&text(PHONE));
    let Some(Effect::Hook(hook)) = called.effects.first() else { panic!("a hook") };
    let ours = bench.driver();
    let later = hook.at + Span::mins(6);
    assert!(matches!(ours.verify(&raw(hook), later), Err(Refused::Stale { .. })));
    let again = bench.fake.again(hook, later);
    assert_eq!(ours.verify(&raw(&again), later), Ok(()));
    assert_eq!(ours.parse(&raw(&again)), ours.parse(&raw(hook)));
    let body: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(body["meta"]["attempt"], 2);
    // Another pair of keys is another vendor.
    let other = TelnyxFake::new(TelnyxSettings { signing_seed: [8; 32], ..TelnyxSettings::default() });
    assert_eq!(driver(&other.public_key()).verify(&raw(hook), hook.at), Err(Refused::BadSignature));
}

#[test]
fn the_same_dice_say_the_same() {
    let run = || {
        let mut bench = bench();
        (bench.call(&text(PHONE)), bench.reply("Hi"), bench.fake.texts().to_vec())
    };
    assert_eq!(run(), run());
}
