//! The vendor on the bench: its refusals, its log and its schedule, as a client sees them.
//!
//! Its own file because the bench serves other tests too: faults and sandbox are tried out on the same vendor, and
//! what it says is read by the real connector.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use trunkline_connectors::http::{Phase, Reply, Response, TransportError};
use trunkline_connectors::sms::twilio::Twilio;
use trunkline_connectors::sms::{Lane, Outbound, Provider, ProviderEvent};
use trunkline_core::id::{AttemptId, MessageId};

use super::inbound::STOPPED;
use super::*;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SENDER: &str = "+15005550006";
const SERVICE: &str = "MG00000000000000000000000000000000";
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
    let settings = VendorSettings {
        account_sid: ACCOUNT.into(),
        auth_token: "token".into(),
        inbound_urls: [(SENDER.to_owned(), HOOKS.to_owned())].into(),
        messaging_service: Some(SERVICE.into()),
        answers_stop: true,
    };
    Bench { vendor: Vendor::new(settings), rng: ChaCha8Rng::seed_from_u64(1), faults: Faults::default(), now: "2026-11-23T08:00:00Z".parse().unwrap() }
}

impl Bench {
    pub(crate) fn call(&mut self, request: &Request) -> Called {
        self.vendor.call(self.now, request, &self.faults, &mut self.rng)
    }

    fn reply(&mut self, body: &str) -> Vec<Effect> {
        self.vendor.reply(self.now, PHONE, SENDER, body, &mut self.rng)
    }

    /// A call of any kind: its status, its body as JSON, and what follows from it.
    fn ask(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value, Vec<Effect>) {
        let mut request = text(PHONE);
        request.method = method.parse().unwrap();
        request.url = if path.starts_with('/') { format!("http://127.0.0.1:9000{path}") } else { request.url.replace("Messages.json", path) };
        request.body = Bytes::from(Serializer::new(String::new()).extend_pairs(form).finish());
        let called = self.call(&request);
        let Response { status, body, .. } = response(called.answer);
        (status, serde_json::from_slice(&body).unwrap_or_default(), called.effects)
    }

    /// Takes a text with these fields beside a body; its id.
    fn create(&mut self, fields: &[(&str, &str)]) -> String {
        let mut form = vec![("Body", "Hello"), ("StatusCallback", HOOKS)];
        form.extend(fields);
        let (status, body, _) = self.ask("POST", "Messages.json", &form);
        assert_eq!(status, 201, "{body}");
        body["sid"].as_str().unwrap().to_owned()
    }

    fn fetch(&mut self, sid: &str) -> Value {
        self.ask("GET", &format!("Messages/{sid}.json"), &[]).1
    }

    /// The bodies on a page of the list, and the page itself.
    fn page(&mut self, path: &str) -> (Vec<String>, Value) {
        let (status, page, _) = self.ask("GET", path, &[]);
        assert_eq!(status, 200, "{page}");
        let bodies = page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap().to_owned()).collect();
        (bodies, page)
    }
}

fn response(answer: Answer) -> Response {
    let Answer::Reply(response) = answer else { panic!("an answer") };
    response
}

fn twilio() -> Twilio {
    let base_url = "http://127.0.0.1:9000".to_owned();
    Twilio { name: "main".into(), account_sid: ACCOUNT.into(), auth_tokens: vec!["token".into()], shared_keys: Vec::new(), base_url, timeout: Span::secs(10) }
}

fn attempt() -> AttemptId {
    AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 1 }
}

pub(crate) fn text(to: &str) -> Request {
    twilio().send(&Outbound { attempt: attempt(), to, from: SENDER, body: "Hello", validity: Span::hours(4), expires_at: Time(0) + Span::hours(4), callback_url: HOOKS })
}

pub(crate) fn outcome(answer: &Answer) -> &'static str {
    let lost = |phase| Err(TransportError { phase, detail: "gone".into() });
    let reply: Reply = match answer {
        Answer::Reply(response) => Ok(response.clone()),
        Answer::Hang => lost(Phase::Wait),
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
        assert_eq!(twilio().verify(&raw(hook), hook.at), Ok(()));
        assert_eq!(twilio().lane(&raw(hook)), Lane::Receipt);
        let ProviderEvent::Status { attempt: found, status, vendor_code, .. } = twilio().parse(&raw(hook)).unwrap().remove(0).event else { panic!("a receipt") };
        assert!(found.is_none_or(|found| found == attempt()));
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
        ("From", "+15005550099", "21606"),
        ("ValidityPeriod", "0", "21624"),
        ("ValidityPeriod", "36001", "21624"),
        ("StatusCallback", "t.example/hooks", "21609"),
        ("StatusCallback", "http://my_host/hooks", "21609"),
        ("MediaUrl", "https://t.example/cat.png", "21620"),
        ("MessagingServiceSid", "MG1", "21701"),
        // Numbers that Twilio documents.
        ("To", "+15005550001", "21211"),
        ("To", "+15005550002", "21612"),
        ("To", "+15005550003", "21408"),
        ("To", "+15005550004", "21610"),
        ("To", "+15005550009", "21614"),
        ("From", "+15005550007", "21606"),
        ("From", "+15005550008", "21611"),
    ] {
        let mut bench = bench();
        let (status, body, effects) = bench.ask("POST", "Messages.json", &with(field, value));
        assert_eq!((status, body["code"].to_string().as_str(), &body["status"]), (400, code, &json!(400)), "{field}");
        assert!(body["more_info"].as_str().unwrap().ends_with(code) && twilio().knows_code(code));
        assert!(bench.vendor.accepted().is_empty() && effects.is_empty());
    }
}

/// The fields of a good call, one of them changed or added.
fn with<'a>(field: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![("To", PHONE), ("From", SENDER), ("Body", "Hi"), ("StatusCallback", HOOKS), ("ValidityPeriod", "60")];
    form.retain(|(name, _)| *name != field);
    form.push((field, value));
    form
}

#[test]
fn codes_that_only_a_careless_client_meets() {
    let table: [(&[(&str, &str)], u32); 8] = [
        (&[("From", "+15005550001")], 21_212),
        (&[("From", SENDER), ("ContentSid", "HX1")], 21_655),
        (&[("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed")], 35_111),
        (&[("MessagingServiceSid", SERVICE), ("SendAt", "2026-11-23T09:00:00Z")], 35_114),
        (&[("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "2026-11-23T08:04:59Z")], 35_114),
        (&[("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "2026-12-28T08:00:01Z")], 35_114),
        (&[("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "soon")], 35_114),
        (&[("From", SENDER), ("ScheduleType", "fixed"), ("SendAt", "2026-11-23T09:00:00Z")], 35_118),
    ];
    for (fields, code) in table {
        let mut form = vec![("To", PHONE), ("Body", "Hi")];
        form.extend(fields);
        let (status, body, _) = bench().ask("POST", "Messages.json", &form);
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{fields:?}");
    }
}

#[test]
fn only_the_account_may_call() {
    let stranger = Twilio { auth_tokens: vec!["other".into()], ..twilio() };
    let request =
        stranger.send(&Outbound { attempt: attempt(), to: PHONE, from: SENDER, body: "Hi", validity: Span::secs(60), expires_at: Time(0) + Span::secs(60), callback_url: HOOKS });
    let refused = response(bench().call(&request).answer);
    assert_eq!((refused.status, outcome(&Answer::Reply(refused.clone()))), (401, "permanent"));
    for (method, path, status, allow) in [
        ("POST", "/2010-04-01/Accounts/AC1/Messages.json", 404, None),
        ("PUT", "Messages.json", 405, Some("GET, POST")),
        ("PATCH", "Messages/SM1.json", 405, Some("GET, POST, DELETE")),
        ("GET", "Messages/SM1.json", 404, None),
        ("GET", "Calls.json", 404, None),
    ] {
        let mut request = text(PHONE);
        request.method = method.parse().unwrap();
        request.url = if path.starts_with('/') { format!("http://127.0.0.1:9000{path}") } else { request.url.replace("Messages.json", path) };
        let found = response(bench().call(&request).answer);
        assert_eq!((found.status, found.header("allow")), (status, allow), "{method} {path}");
    }
}

#[test]
fn a_stop_blocks_until_start() {
    let mut bench = bench();
    let Some(Effect::Hook(hook)) = bench.reply("stop").pop() else { panic!("a hook") };
    assert_eq!((twilio().verify(&raw(&hook), hook.at), twilio().lane(&raw(&hook))), (Ok(()), Lane::Inbound));
    let ProviderEvent::Inbound { from, to, body, .. } = twilio().parse(&raw(&hook)).unwrap().remove(0).event else { panic!("inbound") };
    assert_eq!((from.as_str(), to.as_str(), body.as_str()), (PHONE, SENDER, "stop"));
    assert_eq!((bench.vendor.opt_outs().len(), bench.vendor.texts().len()), (1, 1));
    assert!(bench.vendor.texts().iter().all(|t| t.vendor_own && t.body == STOPPED));
    for sender in [("From", SENDER), ("MessagingServiceSid", SERVICE)] {
        let (_, refused, _) = bench.ask("POST", "Messages.json", &[("To", PHONE), ("Body", "Hi"), sender]);
        let code = refused["code"].to_string();
        assert!(code == "21610" && twilio().is_block(&code), "{sender:?}");
    }
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
        bench.now = bench.now + after;
        let body = bench.fetch(&id);
        (body["status"].as_str().unwrap().to_owned(), body["error_code"].clone(), body["date_created"].as_str().unwrap().to_owned())
    };
    let taken = "Mon, 23 Nov 2026 08:00:00 +0000".to_owned();
    assert_eq!(status(Span::ZERO), ("queued".to_owned(), Value::Null, taken.clone()));
    assert_eq!(status(Span::mins(1)), ("undelivered".to_owned(), json!(30_005), taken));
}

#[test]
fn a_service_picks_one_sender_for_each_phone() {
    let mut bench = bench();
    bench.vendor.settings.inbound_urls = (1..=5).map(|n| (format!("+1415555020{n}"), HOOKS.to_owned())).collect();
    let mut picked = BTreeSet::new();
    for n in 0..20 {
        let to = format!("+141555501{n:02}");
        let sid = bench.create(&[("To", to.as_str()), ("MessagingServiceSid", SERVICE)]);
        let first = bench.fetch(&sid);
        assert_eq!((&first["status"], &first["from"], &first["num_segments"]), (&json!("accepted"), &Value::Null, &json!("0")));
        assert_eq!((&first["messaging_service_sid"], &first["date_sent"]), (&json!(SERVICE), &Value::Null));
        let again = bench.create(&[("To", to.as_str()), ("From", SERVICE)]);
        bench.now = bench.now + Span::mins(1);
        let (one, other) = (bench.fetch(&sid), bench.fetch(&again));
        assert_eq!((&one["status"], &one["from"], &one["num_segments"]), (&json!("delivered"), &other["from"], &json!("1")));
        picked.insert(one["from"].as_str().unwrap().to_owned());
    }
    assert!(picked.len() > 2, "one sender for all is no spread: {picked:?}");
    let named = bench.create(&[("To", PHONE), ("From", "+14155550203"), ("MessagingServiceSid", SERVICE)]);
    assert_eq!(bench.fetch(&named)["from"], "+14155550203");
}

#[test]
fn a_scheduled_text_leaves_at_its_time() {
    let mut bench = bench();
    let fields = [("To", PHONE), ("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "2026-11-23T08:10:00Z")];
    let sid = bench.create(&fields);
    assert_eq!((bench.fetch(&sid)["status"].as_str(), bench.vendor.texts().len(), bench.vendor.accepted().len()), (Some("scheduled"), 0, 1));
    let due = bench.now + Span::mins(10);
    assert_eq!(bench.vendor.next_due(), Some(due));
    assert!(bench.vendor.due(due - Span::millis(1), &bench.faults, &mut bench.rng).is_empty());
    // Nobody looked at the time itself: what follows starts there all the same.
    bench.now = due + Span::mins(1);
    let (_, shown, effects) = bench.ask("GET", &format!("Messages/{sid}.json"), &[]);
    assert_eq!((&shown["status"], &shown["from"], receipts(&effects)), (&json!("delivered"), &json!(SENDER), vec!["sent".to_owned(), "delivered".to_owned()]));
    assert!(effects.iter().all(|Effect::Hook(hook)| hook.at > due && hook.at < due + Span::secs(10)));
    let on_phone = &bench.vendor.texts()[0];
    assert!(on_phone.at > due && on_phone.accepted_at == due - Span::mins(10), "{on_phone:?}");
    assert_eq!((bench.vendor.next_due(), bench.ask("POST", &format!("Messages/{sid}.json"), &[("Status", "canceled")]).1["code"].clone()), (None, json!(30_409)));
}

#[test]
fn a_canceled_text_reaches_no_phone() {
    let mut bench = bench();
    let fields = [("To", PHONE), ("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "2026-11-23T08:10:00Z")];
    let sid = bench.create(&fields);
    let path = format!("Messages/{sid}.json");
    for (field, value, code) in [("Status", "sent", 20_001), ("Body", "Other", 20_001), ("Body", "", 20_009)] {
        assert_eq!(bench.ask("POST", &path, &[(field, value)]).1["code"], code, "{field}={value}");
    }
    assert_eq!(bench.ask("DELETE", &path, &[]).1["code"], 20_009);
    let (status, canceled, effects) = bench.ask("POST", &path, &[("Status", "canceled")]);
    assert_eq!((status, &canceled["status"], &canceled["from"], receipts(&effects)), (200, &json!("canceled"), &Value::Null, vec!["canceled".to_owned()]));
    bench.now = bench.now + Span::hours(1);
    assert!(bench.fetch(&sid)["date_sent"].is_null() && bench.vendor.texts().is_empty() && bench.vendor.next_due().is_none());
    assert_eq!(bench.ask("POST", &path, &[("Status", "canceled")]).1["code"], 30_409);
}

#[test]
fn a_stop_before_its_time_ends_a_scheduled_text() {
    let mut bench = bench();
    let sid = bench.create(&[("To", PHONE), ("MessagingServiceSid", SERVICE), ("ScheduleType", "fixed"), ("SendAt", "2026-11-23T08:10:00Z")]);
    bench.reply("STOP");
    bench.now = bench.now + Span::hours(1);
    let effects = bench.vendor.due(bench.now, &bench.faults, &mut bench.rng);
    assert_eq!(receipts(&effects), ["failed21610"]);
    let shown = bench.fetch(&sid);
    assert_eq!((&shown["status"], &shown["error_code"], &shown["date_sent"]), (&json!("failed"), &json!(21_610), &Value::Null));
    assert!(bench.vendor.texts().iter().all(|text| text.vendor_own));
}

#[test]
fn redacting_and_deleting_leave_the_phone_alone() {
    let mut bench = bench();
    let sid = bench.create(&[("To", PHONE), ("From", SENDER)]);
    let path = format!("Messages/{sid}.json");
    assert_eq!((bench.ask("DELETE", &path, &[]).0, bench.ask("POST", &path, &[("Body", "")]).0), (400, 400));
    bench.now = bench.now + Span::mins(1);
    let (status, redacted, _) = bench.ask("POST", &path, &[("Body", "")]);
    assert_eq!((status, &redacted["body"], &redacted["num_segments"]), (200, &json!(""), &json!("1")));
    assert_eq!(redacted["date_updated"], "Mon, 23 Nov 2026 08:01:00 +0000");
    assert_eq!((bench.ask("POST", &path, &[]).0, bench.ask("DELETE", &path, &[]).0, bench.ask("DELETE", &path, &[]).0), (200, 204, 404));
    assert!(bench.page("Messages.json").0.is_empty());
    assert_eq!(bench.vendor.texts()[0].body, "Hello");
}

#[test]
fn lists_what_is_asked_for() {
    let mut bench = bench();
    for (n, to) in [(1, "+14155550101"), (2, "+14155550102"), (3, "+14155550101")] {
        let body = format!("text {n}");
        bench.ask("POST", "Messages.json", &[("To", to), ("From", SENDER), ("Body", body.as_str())]);
        bench.now = bench.now + Span::hours(24);
    }
    bench.reply("Hi there");
    let table: [(&str, &[&str]); 17] = [
        ("", &["Hi there", "text 3", "text 2", "text 1"]),
        ("To=%2B14155550101", &["text 3", "text 1"]),
        ("To=%2B1%20415%20555%200101", &["text 3", "text 1"]),
        ("From=%2B14155550123", &["Hi there"]),
        ("To=%2B15005550006", &["Hi there"]),
        ("To=%2B14155550102&From=%2B15005550006", &["text 2"]),
        ("To=%2B14155550102&From=%2B14155550123", &[]),
        ("To=nobody", &[]),
        ("DateSent=2026-11-24", &["text 2"]),
        ("DateSent=2026-11-24T17:00:00Z", &["text 2"]),
        ("DateSent%3E=2026-11-25", &["Hi there", "text 3"]),
        ("DateSent%3C=2026-11-24", &["text 2", "text 1"]),
        ("DateSent%3C=2026-11-24T07:59:59Z", &["text 1"]),
        ("DateSent%3E=2026-11-24%2000:00:00&DateSent%3C=2026-11-25T08:59:59%2B01:00", &["text 2"]),
        ("Unknown=1&PageSize=2", &["Hi there", "text 3"]),
        ("PageSize=2&Page=1", &["text 2", "text 1"]),
        ("PageSize=100000&To=%2B14155550102", &["text 2"]),
    ];
    for (query, expect) in table {
        assert_eq!(bench.page(&format!("Messages.json?{query}")).0, expect, "{query}");
    }
    for query in ["PageSize=0", "PageSize=many", "Page=-1", "PageToken=XX1", "DateSent=yesterday"] {
        let (status, body, _) = bench.ask("GET", &format!("Messages.json?{query}"), &[]);
        assert_eq!((status, &body["code"]), (400, &json!(20_001)), "{query}");
    }
    let (_, page) = bench.page("Messages.json?From=%2B14155550123");
    let inbound = &page["messages"][0];
    assert_eq!((&inbound["direction"], &inbound["status"], &inbound["to"]), (&json!("inbound"), &json!("received"), &json!(SENDER)));
}

#[test]
fn pages_do_not_move_when_texts_arrive() {
    let mut bench = bench();
    let send = |bench: &mut Bench, n: usize| {
        let body = format!("{n}");
        bench.ask("POST", "Messages.json", &[("To", PHONE), ("From", SENDER), ("Body", body.as_str())]);
    };
    for n in 1..=7 {
        send(&mut bench, n);
    }
    let (first, page) = bench.page("Messages.json?To=%2B14155550123&PageSize=3");
    assert_eq!((first.concat().as_str(), &page["page"], &page["start"], &page["end"]), ("765", &json!(0), &json!(0), &json!(2)));
    assert!(page["previous_page_uri"].is_null() && page["first_page_uri"].as_str().unwrap().ends_with("Messages.json?To=%2B14155550123&PageSize=3&Page=0"));
    send(&mut bench, 8);
    let (second, page) = bench.page(page["next_page_uri"].as_str().unwrap());
    assert_eq!((second.concat().as_str(), &page["page"], &page["start"]), ("432", &json!(1), &json!(3)));
    let (third, last) = bench.page(page["next_page_uri"].as_str().unwrap());
    assert_eq!((third.concat().as_str(), &last["next_page_uri"], &last["end"]), ("1", &Value::Null, &json!(6)));
    let (back, page) = bench.page(last["previous_page_uri"].as_str().unwrap());
    assert_eq!((back.concat().as_str(), &page["page"]), ("432", &json!(1)));
    let (first_again, page) = bench.page(page["previous_page_uri"].as_str().unwrap());
    assert_eq!((first_again.concat().as_str(), &page["page"]), ("765", &json!(0)));
}

#[test]
fn scheduling_leaves_other_dice_alone() {
    let plain = |scheduled: bool| {
        let mut bench = bench();
        if scheduled {
            bench.vendor.scheduled.insert((bench.now + Span::hours(1), 99));
        }
        (bench.call(&text(PHONE)), bench.vendor.texts().to_vec())
    };
    assert_eq!(plain(false), plain(true));
}
