//! The fake on the bench: what it says is read by the real connector.
//!
//! Its own file because of its length.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::hook::{RawHook, Refused};
use trunkline_connectors::http::{Phase, Reply, TransportError};
use trunkline_connectors::sms::ask::{Listing, Looked, Resolution, Sent};
use trunkline_connectors::sms::sinch::Sinch;
use trunkline_connectors::sms::{Item, Lane, Outbound, Provider, ProviderEvent};
use trunkline_core::id::{AttemptId, MessageId};

use super::*;

const PLAN: &str = "00000000000000000000000000000000";
const SENDER: &str = "+13185610000";
const PHONE: &str = "+14155550123";
const HOOKS: &str = "http://127.0.0.1:8080/hooks/sinch";
const NOW: &str = "2026-11-23T08:00:00Z";

/// A fake, its dice and its faults, at one instant.
struct Bench {
    fake: SinchFake,
    rng: ChaCha8Rng,
    faults: Faults,
    now: Time,
}

fn bench() -> Bench {
    let settings =
        SinchSettings { service_plan_id: PLAN.into(), api_token: "token".into(), hook_secret: "secret".into(), inbound_urls: [(SENDER.to_owned(), HOOKS.to_owned())].into() };
    Bench { fake: SinchFake::new(settings), rng: ChaCha8Rng::seed_from_u64(1), faults: Faults::default(), now: NOW.parse().unwrap() }
}

impl Bench {
    fn call(&mut self, request: &Request) -> Called {
        self.fake.call(self.now, request, &self.faults, &mut self.rng)
    }

    fn reply(&mut self, body: &str) -> Vec<Effect> {
        self.fake.reply(self.now, PHONE, SENDER, body, &mut self.rng)
    }

    /// A call of any kind: its status and its body as JSON.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut request = text(PHONE);
        request.method = method.parse().unwrap();
        request.url = request.url.replace("batches", path);
        request.body = Bytes::from(body.to_string());
        let response = response(self.call(&request).answer);
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// What the look-up of our attempt says after a while.
    fn look_up(&mut self, after: Span) -> Looked {
        let sent = Sent { attempt: attempt(), to: PHONE, from: SENDER, body: "Hello", claimed_at: self.now };
        let request = sinch().look_up(&sent).unwrap();
        let called = self.fake.call(self.now + after, &request, &self.faults, &mut self.rng);
        sinch().looked(&sent, &heard(&called.answer))
    }

    /// Every item of a list, and how many pages it took.
    fn list(&mut self, listing: Listing, since: Time) -> (Vec<Item>, usize) {
        let (mut items, mut next, mut pages) = (Vec::new(), None, 0);
        loop {
            let request = sinch().list(listing, since, next.as_deref()).unwrap();
            let answer = self.call(&request).answer;
            let page = sinch().listed(listing, since, &heard(&answer)).unwrap();
            items.extend(page.items);
            pages += 1;
            next = page.next;
            if next.is_none() {
                return (items, pages);
            }
        }
    }
}

fn response(answer: Answer) -> Response {
    let Answer::Reply(response) = answer else { panic!("an answer") };
    response
}

fn sinch() -> Sinch {
    Sinch {
        name: "main".into(),
        service_plan_id: PLAN.into(),
        api_tokens: vec!["token".into()],
        hook_secrets: vec!["secret".into()],
        base_url: "http://127.0.0.1:9000".into(),
        timeout: Span::secs(10),
    }
}

fn attempt() -> AttemptId {
    AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 1 }
}

fn outbound(to: &str) -> Outbound<'_> {
    let validity = Span::hours(4);
    Outbound { attempt: attempt(), to, from: SENDER, body: "Hello", validity, expires_at: NOW.parse::<Time>().unwrap() + validity, callback_url: HOOKS }
}

fn text(to: &str) -> Request {
    sinch().send(&outbound(to))
}

fn heard(answer: &Answer) -> Reply {
    let lost = |phase| Err(TransportError { phase, detail: "gone".into() });
    match answer {
        Answer::Reply(response) => Ok(response.clone()),
        Answer::Hang => lost(Phase::Wait),
        Answer::Refuse => lost(Phase::Connect),
    }
}

fn outcome(answer: &Answer) -> &'static str {
    sinch().outcome(&heard(answer)).word()
}

fn raw(hook: &OutgoingHook) -> RawHook {
    RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() }
}

/// What the connector makes of the hooks, in the order in which they arrive.
fn read(effects: &[Effect], lane: Lane) -> Vec<Item> {
    let mut hooks: Vec<&OutgoingHook> = effects.iter().map(|Effect::Hook(hook)| hook).collect();
    hooks.sort_by_key(|hook| hook.at);
    let items = hooks.into_iter().flat_map(|hook| {
        assert_eq!((sinch().verify(&raw(hook), hook.at), sinch().lane(&raw(hook))), (Ok(()), lane));
        sinch().parse(&raw(hook)).unwrap()
    });
    items.collect()
}

fn receipts(effects: &[Effect]) -> Vec<String> {
    let said = |item: Item| {
        let ProviderEvent::Status { attempt: found, status, vendor_code, .. } = item.event else { panic!("a receipt") };
        assert_eq!(found, Some(attempt()));
        assert!(vendor_code.is_empty() || sinch().knows_code(&vendor_code), "{vendor_code}");
        format!("{status}{vendor_code}")
    };
    read(effects, Lane::Receipt).into_iter().map(said).collect()
}

#[test]
fn every_magic_number() {
    let table: [(&str, &str, &[&str], usize); 15] = [
        ("0123", "accepted", &["Dispatched", "Delivered"], 1),
        ("0001", "accepted", &["Dispatched", "Failed150"], 0),
        ("0002", "accepted", &["Dispatched", "Failed152"], 0),
        ("0003", "accepted", &[], 1),
        ("0004", "ambiguous", &["Dispatched", "Delivered"], 1),
        ("0005", "ambiguous", &[], 0),
        ("0006", "ambiguous", &["Dispatched", "Delivered"], 1),
        ("0007", "ambiguous", &[], 0),
        ("0008", "throttled", &[], 0),
        ("0009", "accepted", &["Delivered", "Delivered", "Dispatched", "Dispatched"], 1),
        ("0010", "accepted", &["Dispatched", "Delivered"], 1),
        ("0011", "accepted", &["Dispatched", "Delivered", "Failed399"], 1),
        ("0012", "accepted", &["Dispatched", "Teleported", "Delivered"], 1),
        ("0013", "accepted", &["Dispatched", "Failed153"], 0),
        ("0014", "accepted", &["Dispatched", "Rejected62"], 0),
    ];
    for (last, expect, words, texts) in table {
        let mut bench = bench();
        let called = bench.call(&text(&format!("+1415555{last}")));
        assert_eq!(outcome(&called.answer), expect, "{last}");
        assert_eq!(receipts(&called.effects), words, "{last}");
        assert_eq!(bench.fake.texts().len(), texts, "{last}");
        let late = called.effects.iter().all(|Effect::Hook(hook)| hook.at > bench.now + Span::mins(10));
        assert_eq!(late && !words.is_empty(), last == "0010", "{last}");
    }
    let mut bench = bench();
    let (first, second) = (bench.call(&text("+14155550008")), bench.call(&text("+14155550008")));
    assert_eq!((outcome(&first.answer), outcome(&second.answer)), ("throttled", "accepted"));
    assert_eq!(response(first.answer).retry_after(), Some(Span::secs(1)));
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
        assert_eq!(outcome(&bench.call(&text(PHONE)).answer), expect);
        assert_eq!((bench.fake.accepted().len(), bench.fake.texts().len()), (taken, taken));
    }
    let mut twice = Bench { faults: Faults { callback_duplicate_permille: always, ..none.clone() }, ..bench() };
    let items = read(&twice.call(&text(PHONE)).effects, Lane::Receipt);
    assert_eq!((items.len(), items.iter().map(|item| item.key).collect::<BTreeSet<_>>().len()), (4, 2));
    let mut reversed = Bench { faults: Faults { callback_reorder_permille: always, ..none }, ..bench() };
    assert_eq!(receipts(&reversed.call(&text(PHONE)).effects), ["Delivered", "Dispatched"]);
}

#[test]
fn remembers_what_it_took() {
    let mut bench = bench();
    let called = bench.call(&text(PHONE));
    let response = response(called.answer);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    let (taken, on_phone) = (&bench.fake.accepted()[0], &bench.fake.texts()[0]);
    assert_eq!((response.status, body["id"].as_str(), body["id"].as_str().map(str::len)), (201, Some(taken.vendor_id.as_str()), Some(26)));
    assert_eq!((&body["to"], &body["from"], &body["client_reference"]), (&json!(["14155550123"]), &json!("13185610000"), &json!(attempt().to_string())));
    assert_eq!((&body["created_at"], &body["expire_at"]), (&json!("2026-11-23T08:00:00.000Z"), &json!("2026-11-23T12:00:00.000Z")));
    assert_eq!((taken.attempt.clone(), taken.phone.as_str(), taken.at), (Some(attempt().to_string()), PHONE, bench.now));
    assert_eq!((on_phone.attempt.clone(), on_phone.phone.as_str(), on_phone.sender.as_str(), on_phone.body.as_str()), (Some(attempt().to_string()), PHONE, SENDER, "Hello"));
    let other = bench.call(&text(PHONE));
    assert!(outcome(&other.answer) == "accepted" && bench.fake.accepted()[1].vendor_id != bench.fake.accepted()[0].vendor_id, "a reference is no key");
}

#[test]
fn a_hook_that_comes_much_later_is_stale() {
    let effects = bench().call(&text(PHONE)).effects;
    let Some(Effect::Hook(hook)) = effects.first() else { panic!("a hook") };
    assert_eq!(sinch().verify(&raw(hook), hook.at + Span::hours(23)), Ok(()));
    assert!(matches!(sinch().verify(&raw(hook), hook.at + Span::hours(25)), Err(Refused::Stale { .. })));
    let forged = RawHook { body: Bytes::from_static(b"{}"), ..raw(hook) };
    assert_eq!(sinch().verify(&forged, hook.at), Err(Refused::BadSignature));
}

#[test]
fn a_look_up_finds_what_was_taken_and_nothing_else() {
    let Resolution::ExactLookup { lag } = sinch().resolution() else { panic!("an exact look-up") };
    for (last, taken) in [("0004", 1), ("0006", 1), ("0005", 0), ("0007", 0)] {
        let mut bench = bench();
        let called = bench.call(&text(&format!("+1415555{last}")));
        assert_eq!(outcome(&called.answer), "ambiguous", "{last}");
        // Whoever asks at once is told that there is nothing, true or not.
        assert_eq!(bench.look_up(Span::ZERO), Looked::Found(Vec::new()), "{last}");
        let Looked::Found(found) = bench.look_up(lag) else { panic!("{last}: an answer") };
        let found: Vec<(&str, Option<Time>)> = found.iter().map(|candidate| (candidate.vendor_id.as_str(), candidate.taken_at)).collect();
        let expect: Vec<(&str, Option<Time>)> = bench.fake.accepted().iter().map(|call| (call.vendor_id.as_str(), Some(call.at))).collect();
        assert_eq!((found.len(), found), (taken, expect), "{last}");
    }
    let mut deaf = Bench { faults: Faults { server_error_permille: 1_000, ..Faults::default() }, ..bench() };
    assert!(matches!(deaf.look_up(lag), Looked::Unavailable { .. }));
}

#[test]
fn another_attempt_is_another_batch() {
    let mut bench = bench();
    let second = AttemptId { n: 2, ..attempt() };
    bench.call(&sinch().send(&Outbound { attempt: second, ..outbound(PHONE) }));
    assert_eq!(bench.look_up(Span::mins(2)), Looked::Found(Vec::new()));
}

#[test]
fn the_lists_repeat_the_hooks() {
    let mut bench = bench();
    let since = bench.now;
    let said: Vec<Item> = ["Hi there", "Olá 👋"].into_iter().flat_map(|body| read(&bench.reply(body), Lane::Inbound)).collect();
    let (mut listed, pages) = bench.list(Listing::Inbound, since);
    listed.reverse();
    assert_eq!((listed, pages), (said, 1));

    let told = read(&bench.call(&text(PHONE)).effects, Lane::Receipt);
    let silent = bench.call(&text("+14155550003"));
    assert!(bench.list(Listing::Status, since).0.is_empty(), "nothing is final yet");
    bench.now = bench.now + Span::mins(1);
    let (listed, _) = bench.list(Listing::Status, since);
    assert_eq!((listed.len(), silent.effects.len()), (2, 0));
    assert_eq!(listed.last(), told.last());
    let ProviderEvent::Status { attempt: found, status, .. } = &listed[0].event else { panic!("a receipt") };
    assert_eq!((*found, status.as_str()), (Some(attempt()), "Delivered"), "the list tells what no hook told");
}

#[test]
fn long_lists_come_in_pages() {
    let mut bench = bench();
    for n in 0..130 {
        bench.reply(&format!("text {n}"));
    }
    let (listed, pages) = bench.list(Listing::Inbound, bench.now);
    let keys: BTreeSet<[u8; 16]> = listed.iter().map(|item| item.key).collect();
    // The last page is short, which Sinch does not tell from one in the middle: an empty one follows.
    assert_eq!((listed.len(), keys.len(), pages), (130, 130, 3));
    let (_, body) = bench.ask("GET", "inbounds?page=1&page_size=100", &Value::Null);
    assert_eq!((&body["count"], &body["page"], &body["page_size"]), (&json!(130), &json!(1), &json!(30)));
    assert_eq!(body["inbounds"][29]["body"], "text 0");
    for (query, count) in [("", 130), ("start_date=2026-11-23T08:00:00.000Z", 130), ("start_date=2026-11-23T08:00:00.001Z", 0), ("end_date=2026-11-23T08:00:00Z", 0)] {
        assert_eq!(bench.ask("GET", &format!("inbounds?{query}"), &Value::Null).1["count"], count, "{query}");
    }
    for (query, code) in [
        ("page_size=0", "syntax_constraint_violation"),
        ("page_size=101", "syntax_constraint_violation"),
        ("page=-1", "syntax_invalid_parameter_format"),
        ("start_date=soon", "syntax_invalid_parameter_format"),
    ] {
        let (status, body) = bench.ask("GET", &format!("inbounds?{query}"), &Value::Null);
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{query}");
    }
    bench.now = bench.now + Span::hours(25);
    assert_eq!(bench.ask("GET", "inbounds", &Value::Null).1["count"], 0, "a day is what a list goes back by itself");
}

#[test]
fn people_say_stop_and_nobody_else_acts_on_it() {
    let mut bench = bench();
    let effects = bench.reply("Stop!");
    let ProviderEvent::Inbound { from, to, body, keyword, .. } = read(&effects, Lane::Inbound).remove(0).event else { panic!("inbound") };
    assert_eq!((from.as_str(), to.as_str(), body.as_str(), keyword), (PHONE, SENDER, "Stop!", None));
    bench.reply("START");
    bench.reply("who is this?");
    assert_eq!((bench.fake.opt_outs().len(), bench.fake.opt_ins().len(), bench.fake.replies().len()), (1, 1, 3));
    assert!(!bench.fake.opt_outs()[0].by_vendor && bench.fake.texts().is_empty());
    assert_eq!(outcome(&bench.call(&text(PHONE)).answer), "accepted");
    let nobody = bench.fake.reply(bench.now, PHONE, "+13185619999", "Hi", &mut bench.rng);
    assert!(nobody.is_empty());
}

#[test]
fn refuses_as_the_vendor_does() {
    let (format, constraint) = ("syntax_invalid_parameter_format", "syntax_constraint_violation");
    for (field, value, status, code) in [
        ("to", json!(["1415"]), 400, format),
        ("to", json!([]), 400, constraint),
        ("to", json!(["14155550123", "14155550124"]), 400, constraint),
        ("to", Value::Null, 400, constraint),
        ("from", json!(""), 400, constraint),
        ("from", json!("+15005550099"), 400, constraint),
        ("body", json!(""), 400, constraint),
        ("body", json!(7), 400, format),
        ("body", json!("a".repeat(2_001)), 400, constraint),
        ("type", json!("mt_binary"), 400, constraint),
        ("send_at", json!("2026-11-23T09:00:00Z"), 400, constraint),
        ("delivery_report", json!("summary"), 400, constraint),
        ("callback_url", json!("t.example/hooks"), 400, format),
        ("callback_url", Value::Null, 403, "missing_callback_url"),
        ("client_reference", json!("r".repeat(129)), 400, constraint),
        ("expire_at", json!("soon"), 400, format),
        ("expire_at", json!(NOW), 400, constraint),
        ("expire_at", json!("2026-11-26T08:00:01Z"), 400, constraint),
    ] {
        let mut bench = bench();
        let mut body: Value = serde_json::from_slice(&text(PHONE).body).unwrap();
        body[field] = value;
        let (found, refused) = bench.ask("POST", "batches", &body);
        assert_eq!((found, &refused["code"]), (status, &json!(code)), "{field}");
        assert!(bench.fake.accepted().is_empty() && sinch().knows_code(code));
    }
    assert_eq!(bench().ask("POST", "batches", &json!("text")).1["code"], "syntax_invalid_json");
}

#[test]
fn a_plus_is_as_good_as_none() {
    let mut bench = bench();
    let (status, body) = bench.ask("POST", "batches", &json!({"from": "13185610000", "to": ["14155550123"], "body": "Hi"}));
    assert_eq!((status, &body["delivery_report"], &body["expire_at"]), (201, &json!("none"), &json!("2026-11-26T08:00:00.000Z")));
    assert_eq!((bench.fake.texts()[0].phone.as_str(), bench.fake.texts()[0].sender.as_str(), bench.fake.accepted()[0].attempt.as_deref()), (PHONE, SENDER, None));
}

#[test]
fn reports_are_as_asked_for() {
    let mut body: Value = serde_json::from_slice(&text(PHONE).body).unwrap();
    let table: [(&str, &[&str]); 3] = [("none", &[]), ("per_recipient_final", &["Delivered"]), ("per_recipient", &["Dispatched", "Delivered"])];
    for (asked, expect) in table {
        body["delivery_report"] = json!(asked);
        let mut request = text(PHONE);
        request.body = Bytes::from(body.to_string());
        assert_eq!(receipts(&bench().call(&request).effects), expect, "{asked}");
    }
}

#[test]
fn only_the_plan_may_call() {
    for stranger in [Sinch { api_tokens: vec!["other".into()], ..sinch() }, Sinch { service_plan_id: "1".into(), ..sinch() }] {
        let refused = bench().call(&stranger.send(&outbound(PHONE))).answer;
        assert_eq!((outcome(&refused), response(refused.clone()).status, response(refused).body.len()), ("permanent", 401, 0));
    }
    for (method, path, status) in [("PUT", "batches", 405), ("DELETE", "batches/01FC", 405), ("POST", "inbounds", 405), ("GET", "batches/01FC", 404), ("GET", "groups", 404)] {
        assert_eq!(bench().ask(method, path, &Value::Null).0, status, "{method} {path}");
    }
}

#[test]
fn one_batch_is_shown_when_it_is_shown_in_the_list() {
    let mut bench = bench();
    bench.call(&text(PHONE));
    let path = format!("batches/{}", bench.fake.accepted()[0].vendor_id);
    assert_eq!(bench.ask("GET", &path, &Value::Null).0, 404);
    bench.now = bench.now + Span::mins(1);
    let (status, body) = bench.ask("GET", &path, &Value::Null);
    assert_eq!((status, &body["body"], &body["canceled"]), (200, &json!("Hello"), &json!(false)));
}

#[test]
fn ids_sort_by_time_and_the_same_seed_says_the_same() {
    let id = |seconds: i64, seed: u64| new_id(Time(1_795_000_000_000_000) + Span::secs(seconds), &mut ChaCha8Rng::seed_from_u64(seed));
    assert!(id(0, 9) < id(1, 1) && id(0, 1) == id(0, 1) && id(0, 1) != id(0, 2));
    assert!(id(0, 1).len() == 26 && id(0, 1).bytes().all(|byte| LETTERS.contains(&byte)));
}
