//! Telnyx's dialect against vectors made with its own SDK, and against its documented answers. Apart from
//! `telnyx.rs` only because of its length.

use std::collections::BTreeSet;

use serde_json::json;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::outcome::Refusal;

use super::*;
use crate::http::{Phase, TransportError};

static VECTORS: &str = include_str!("../../../testdata/telnyx/signatures.json");
const URL: &str = "https://t.example/hooks/main";

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn account(public_keys: &[&str]) -> Telnyx {
    Telnyx {
        name: "main".into(),
        messaging_profile_id: None,
        api_keys: vec!["KEY_new".into(), "KEY_old".into()],
        public_keys: public_keys.iter().map(|key| (*key).into()).collect(),
        base_url: API.into(),
        timeout: Span::secs(10),
    }
}

fn attempt(n: u32) -> AttemptId {
    AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n }
}

fn outbound(n: u32, validity: Span) -> Outbound<'static> {
    Outbound { attempt: attempt(n), to: "+14155550123", from: "+13125550001", body: "Hi & \"hello\" 👋", validity, expires_at: Time(0), callback_url: URL }
}

fn signed_hook(vectors: &Value, case: &Value) -> RawHook {
    let body = vectors["bodies"][case["body"].as_str().unwrap()].as_str().unwrap().to_owned();
    let headers = case["headers"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
    RawHook { method: "POST".into(), url: URL.into(), headers, body: Bytes::from(body) }
}

fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

fn verdict(result: Result<(), Refused>) -> String {
    let Err(refused) = result else { return "ok".into() };
    serde_json::to_value(refused).unwrap()["refused"].as_str().unwrap().to_owned()
}

#[test]
fn every_signature_vector() {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let account = account(&[case["public_key"].as_str().unwrap()]);
        let found = verdict(account.verify(&signed_hook(&vectors, case), at(case["now"].as_i64().unwrap())));
        assert_eq!(found, case["verdict"].as_str().unwrap(), "{}", case["id"]);
        assert_eq!(found == "ok", case["expect_valid"].as_bool().unwrap(), "{}", case["id"]);
    }
}

#[test]
fn the_signed_time_may_be_five_minutes_off_either_way() {
    let vectors = vectors();
    let case = &vectors["cases"][0];
    let hook = signed_hook(&vectors, case);
    let account = account(&[case["public_key"].as_str().unwrap()]);
    let signed = hook.header(TIMESTAMP).unwrap().parse::<i64>().unwrap();
    for (off, word) in [(0, "ok"), (299, "ok"), (300, "ok"), (301, "stale"), (-299, "ok"), (-300, "ok"), (-301, "stale"), (-86_400, "stale")] {
        assert_eq!(verdict(account.verify(&hook, at(signed + off))), word, "{off}");
    }
    // The signed time is in whole seconds, so ours is too.
    assert_eq!(account.verify(&hook, at(signed + 300) + Span::millis(999)), Ok(()));
    assert_eq!(account.verify(&hook, at(signed + 900)), Err(Refused::Stale { at: at(signed).to_string() }));
}

#[test]
fn refusals_say_why() {
    let vectors = vectors();
    let case = &vectors["cases"][0];
    let hook = signed_hook(&vectors, case);
    let (key, now) = (case["public_key"].as_str().unwrap(), at(case["now"].as_i64().unwrap()));
    let bare = RawHook { headers: vec![], ..hook.clone() };
    assert_eq!(account(&[key]).verify(&bare, now), Err(Refused::MissingHeader { header: SIGNATURE.into() }));
    assert_eq!(account(&[]).verify(&hook, now), Err(Refused::NoSecret { algorithm: "Ed25519".into() }));
    let other = vectors["cases"][7]["public_key"].as_str().unwrap();
    assert_ne!(key, other);
    // Two keys at once, while one replaces the other; a key that is none is as good as absent.
    assert_eq!(account(&[other, key]).verify(&hook, now), Ok(()));
    assert_eq!(account(&["not base64", "c2hvcnQ=", other]).verify(&hook, now), Err(Refused::BadSignature));
    for signature in ["", "!!", "c2hvcnQ="] {
        let headers = hook.headers.iter().map(|(n, v)| (n.clone(), if n == SIGNATURE { signature.to_owned() } else { v.clone() })).collect();
        assert_eq!(account(&[key]).verify(&RawHook { headers, ..hook.clone() }, now), Err(Refused::BadSignature));
    }
}

#[test]
fn sends_the_exact_fields() {
    let request = account(&[]).send(&outbound(2, Span::hours(4)));
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://api.telnyx.com/v2/messages"));
    let expect = format!("{{\"from\":\"+13125550001\",\"to\":\"+14155550123\",\"text\":\"Hi & \\\"hello\\\" 👋\",\"webhook_url\":\"{URL}?attempt={}\"}}", attempt(2));
    assert_eq!(String::from_utf8_lossy(&request.body), expect);
    let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap();
    assert_eq!((header("authorization"), header("content-type")), ("Bearer KEY_new".to_owned(), "application/json".to_owned()));
    assert_eq!(header("idempotency-key"), attempt(2).to_string());
    let profile = Telnyx { messaging_profile_id: Some("740572b6".into()), base_url: "http://127.0.0.1:9000/".into(), ..account(&[]) };
    let request = profile.send(&outbound(1, Span::hours(4)));
    let fields: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((request.url.as_str(), &fields["messaging_profile_id"]), ("http://127.0.0.1:9000/v2/messages", &json!("740572b6")));
    assert!(!format!("{request:?} {profile:?}").contains("KEY_"));
}

#[test]
fn the_same_attempt_is_the_same_call() {
    let telnyx = account(&[]);
    let first = telnyx.send(&outbound(1, Span::hours(4)));
    // Asked again when there is less time left, and after the API key was replaced: Telnyx compares the key and the body.
    let again = Telnyx { api_keys: vec!["KEY_newest".into()], ..account(&[]) }.send(&outbound(1, Span::mins(3)));
    let key = |request: &Request| request.headers.iter().find(|(n, _)| n == "idempotency-key").map(|(_, v)| v.clone()).unwrap();
    assert_eq!((&first.body, &first.url, key(&first)), (&again.body, &again.url, key(&again)));
    let next = telnyx.send(&outbound(2, Span::hours(4)));
    assert_ne!(key(&first), key(&next));
    let longest = AttemptId { message: MessageId::new(255, Time(1_795_000_000_000_000), [255; 16]), n: u32::MAX }.to_string();
    assert!(longest.len() <= 255 && longest.chars().all(|c| c.is_ascii_alphanumeric() || "-_:".contains(c)), "{longest}");
    assert_eq!(telnyx.resolution(), Resolution::NativeKey { keeps: Span::hours(23) });
}

#[test]
fn there_is_nothing_to_look_up_or_list() {
    let telnyx = account(&[]);
    let sent = Sent { attempt: attempt(1), to: "+14155550123", from: "+13125550001", body: "Hi", claimed_at: at(0) };
    assert_eq!(telnyx.look_up(&sent), None);
    assert!(matches!(telnyx.looked(&sent, &reply(200, "{}")), Looked::Unavailable { .. }));
    for listing in [Listing::Inbound, Listing::Status] {
        assert_eq!(telnyx.list(listing, at(0), None), None);
        assert!(telnyx.listed(listing, at(0), &reply(200, "{}")).is_err());
    }
}

#[expect(clippy::unnecessary_wraps, reason = "beside it stand replies that are errors")]
fn reply(status: u16, body: &str) -> Reply {
    Ok(Response { status, headers: vec![("Retry-After".into(), "7".into())], body: Bytes::from(body.to_owned()) })
}

fn refusal(code: &str) -> String {
    json!({"errors": [{"code": code, "title": "No", "detail": "Not from '+13125550001' to '+14155550123'."}]}).to_string()
}

#[test]
fn the_phase_beats_the_code() {
    let error = |phase| Err(TransportError { phase, detail: "gone".into() });
    let key = json!({"errors": [{"code": "10015", "title": "Bad Request", "detail": "This Idempotency-Key was used with another body."}]}).to_string();
    for (name, reply, word) in [
        ("accepted", reply(200, "{\"data\": {\"id\": \"t1\", \"to\": [{\"status\": \"queued\"}]}}"), "accepted"),
        ("success without an id", reply(200, "{\"data\": {}}"), "ambiguous"),
        ("success with an empty id", reply(200, "{\"data\": {\"id\": \"\"}}"), "ambiguous"),
        ("success that is not JSON", reply(200, "<html>"), "ambiguous"),
        ("throttled", reply(429, &refusal("10011")), "throttled"),
        ("throttled by a proxy", reply(429, "slow down"), "throttled"),
        ("queue full", reply(400, &refusal("40318")), "throttled"),
        ("a sender that cannot be used yet", reply(400, &refusal("40320")), "transient"),
        ("bad number", reply(422, &refusal("10002")), "permanent"),
        ("opted out", reply(403, &refusal("40300")), "permanent"),
        ("bad credentials", reply(401, &refusal("10009")), "permanent"),
        ("a code nobody knows", reply(400, &refusal("99999")), "permanent"),
        ("the key with another body", reply(422, &key), "ambiguous"),
        ("the key in flight", reply(409, &refusal("99999")), "ambiguous"),
        ("an error that says nothing, whatever its status", reply(400, &refusal("10007")), "ambiguous"),
        ("not Telnyx's answer", reply(403, "<html>blocked by proxy</html>"), "ambiguous"),
        ("no errors in the list", reply(400, "{\"errors\": []}"), "ambiguous"),
        ("request timeout", reply(408, &refusal("10008")), "ambiguous"),
        ("server error, whatever its code says", reply(500, &refusal("40300")), "ambiguous"),
        ("unavailable after the request was written", reply(503, &refusal("10007")), "ambiguous"),
        ("redirect", reply(302, ""), "ambiguous"),
        ("no address", error(Phase::Resolve), "transient"),
        ("refused", error(Phase::Connect), "transient"),
        ("bad certificate", error(Phase::Tls), "transient"),
        ("dead before the first byte", error(Phase::Begin), "transient"),
        ("cut while it was written", error(Phase::Write), "ambiguous"),
        ("never answered", error(Phase::Wait), "ambiguous"),
        ("cut within the answer", error(Phase::Read), "ambiguous"),
    ] {
        assert_eq!(account(&[]).outcome(&reply).word(), word, "{name}");
    }
    let throttled = refusal("10011");
    for body in ["", throttled.as_str()] {
        let Outcome::Throttled { retry_after, .. } = account(&[]).outcome(&reply(429, body)) else { panic!("throttled") };
        assert_eq!(retry_after, Some(Span::secs(7)));
    }
}

#[test]
fn refusals_have_a_class() {
    let telnyx = account(&[]);
    for (status, code, class) in [
        (400, "40310", Refusal::Number),
        (422, "10016", Refusal::Number),
        (403, "40300", Refusal::Policy),
        (401, "10009", Refusal::Account),
        (403, "99999", Refusal::Account),
        (400, "99999", Refusal::Policy),
        (400, "40305", Refusal::Account),
        (400, "40302", Refusal::Content),
    ] {
        let Outcome::Permanent { class: found, vendor_code, message } = telnyx.outcome(&reply(status, &refusal(code))) else { panic!("{code}") };
        assert_eq!((found, vendor_code.as_str()), (class, code));
        // The detail quotes the numbers; it goes nowhere.
        assert_eq!(message, "No");
    }
    assert!(telnyx.is_block("40300") && !telnyx.is_block("40002"));
    assert!(telnyx.knows_code("40001") && !telnyx.knows_code("99999"));
    assert_eq!((telnyx.receipt_class("40001"), telnyx.receipt_class("40316")), (Some("number"), None));
    let numeric = telnyx.outcome(&reply(400, "{\"errors\": [{\"code\": 40310, \"title\": null}]}"));
    assert_eq!(numeric, Outcome::Permanent { class: Refusal::Number, vendor_code: "40310".into(), message: String::new() });
}

#[test]
fn every_row_of_the_table_can_be_read() {
    let codes: Vec<&str> = CODES.table.lines().filter(|l| !l.starts_with('#')).skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "a code is there twice");
    for line in CODES.table.lines().filter(|l| !l.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [code, name, reply, receipt, opt_out] = cells.as_slice() else { panic!("{line}") };
        assert!(CODES.row(code).is_some() && !name.is_empty(), "{line}");
        assert!(["", "number", "policy", "content", "account", "throttled", "transient", "unclear"].contains(reply), "{line}");
        assert!(["", "number", "policy", "content", "account", "carrier"].contains(receipt), "{line}");
        assert!(["", "yes"].contains(opt_out), "{line}");
    }
}

fn event(url: &str, body: &Value) -> RawHook {
    RawHook { method: "POST".into(), url: url.into(), headers: vec![], body: Bytes::from(body.to_string()) }
}

fn status_event(event_id: &str, status: &str) -> Value {
    json!({
        "data": {
            "event_type": "message.finalized",
            "id": event_id,
            "occurred_at": "2026-11-23T07:51:00.000+00:00",
            "payload": {
                "id": "t1",
                "direction": "outbound",
                "errors": [{"code": "40006", "title": "No answer"}],
                "to": [{"phone_number": "+14155550123", "status": status, "carrier": "", "line_type": ""}],
                "record_type": "message",
                "new_field": {"of": ["tomorrow"]},
            },
            "record_type": "event",
        },
        "meta": {"attempt": 1, "delivered_to": URL},
    })
}

#[test]
fn reads_receipts() {
    let telnyx = account(&[]);
    let url = format!("{URL}?attempt={}", attempt(1));
    let all = [
        ("queued", Some(Evidence::Accepted)),
        ("sending", Some(Evidence::Accepted)),
        ("sent", Some(Evidence::Sent)),
        ("delivered", Some(Evidence::Delivered)),
        ("read", Some(Evidence::Delivered)),
        ("delivery_failed", Some(Evidence::Undelivered)),
        ("sending_failed", Some(Evidence::Undelivered)),
        ("expired", Some(Evidence::Undelivered)),
        ("delivery_unconfirmed", None),
        ("teleported", None),
    ];
    let mut keys = BTreeSet::new();
    for (number, (word, proves)) in all.into_iter().enumerate() {
        let hook = event(&url, &status_event(&format!("e{number}"), word));
        assert_eq!(telnyx.lane(&hook), Lane::Receipt);
        let item = telnyx.parse(&hook).unwrap().remove(0);
        let expect = ProviderEvent::Status { attempt: Some(attempt(1)), vendor_id: "t1".into(), status: word.into(), evidence: proves, vendor_code: "40006".into() };
        assert_eq!(item.event, expect);
        assert!(keys.insert(item.key), "a later event is not a copy of an earlier one");
        // A copy is another delivery of the same event: its count and its address may differ.
        let mut copy = status_event(&format!("e{number}"), word);
        copy["meta"]["attempt"] = json!(2);
        assert_eq!(telnyx.parse(&event(URL, &copy)).unwrap().remove(0).key, item.key);
        let other = Telnyx { name: "second".into(), ..account(&[]) };
        assert_ne!(other.parse(&hook).unwrap().remove(0).key, item.key);
    }
}

#[test]
fn the_signed_body_names_the_attempt() {
    let telnyx = account(&[]);
    let found = |url: &str, body: &Value| match telnyx.parse(&event(url, body)).unwrap().remove(0).event {
        ProviderEvent::Status { attempt, .. } => attempt,
        ProviderEvent::Inbound { .. } => panic!("a receipt"),
    };
    let mut body = status_event("e1", "sent");
    assert_eq!(found(URL, &body), None);
    assert_eq!(found(&format!("{URL}?attempt=nonsense"), &body), None);
    body["data"]["payload"]["webhook_url"] = json!(format!("{URL}?attempt={}", attempt(1)));
    for url in [URL.to_owned(), format!("{URL}?attempt={}", attempt(2))] {
        assert_eq!(found(&url, &body), Some(attempt(1)), "{url}");
    }
}

#[test]
fn events_that_cannot_be_read_are_errors() {
    let telnyx = account(&[]);
    let without = |path: &str, value: Value| {
        let mut body = status_event("e1", "sent");
        *body.pointer_mut(path).unwrap() = value;
        event(URL, &body)
    };
    for hook in [
        without("/data/id", json!("")),
        without("/data/payload/id", Value::Null),
        without("/data/payload/to", json!([])),
        without("/data/payload/to/0/status", Value::Null),
        without("/data/event_type", json!("number_order.complete")),
        without("/data/payload", Value::Null),
        event(URL, &json!([])),
        RawHook { body: Bytes::from_static(b"To=1&From=2"), ..event(URL, &Value::Null) },
    ] {
        assert_eq!(telnyx.lane(&hook), Lane::Receipt);
        assert!(telnyx.parse(&hook).is_err(), "{:?}", hook.body);
    }
    // Without errors there is no code.
    for errors in [json!([]), Value::Null] {
        let ProviderEvent::Status { vendor_code, .. } = telnyx.parse(&without("/data/payload/errors", errors)).unwrap().remove(0).event else { panic!("a receipt") };
        assert_eq!(vendor_code, "");
    }
}

fn received(text: &str, autoresponse: &Value) -> Value {
    json!({
        "data": {
            "event_type": "message.received",
            "id": "e2",
            "payload": {
                "id": "t2",
                "direction": "inbound",
                "autoresponse_type": autoresponse,
                "from": {"phone_number": "+14155550123", "carrier": "", "line_type": ""},
                "to": [{"phone_number": "+13125550001", "status": "webhook_delivered"}],
                "text": text,
            },
            "record_type": "event",
        },
    })
}

#[test]
fn reads_inbound_texts() {
    let telnyx = account(&[]);
    for (text, autoresponse, expect) in [
        ("Olá 👋", Value::Null, None),
        ("STOP", json!("STOP"), Some(Keyword::Stop)),
        ("unstop", json!("START"), Some(Keyword::Start)),
        ("help", json!("HELP"), Some(Keyword::Help)),
        ("vote", json!("SOMETHING"), None),
    ] {
        let hook = event(URL, &received(text, &autoresponse));
        assert_eq!(telnyx.lane(&hook), Lane::Inbound);
        let item = telnyx.parse(&hook).unwrap().remove(0);
        let inbound = ProviderEvent::Inbound { vendor_id: "t2".into(), from: "+14155550123".into(), to: "+13125550001".into(), body: text.into(), keyword: expect };
        assert_eq!(item.event, inbound);
    }
    // Nobody signs the URL: a STOP sent on to the address of receipts is still a STOP.
    let hook = event(&format!("{URL}?attempt={}", attempt(1)), &received("STOP", &json!("STOP")));
    assert_eq!(telnyx.lane(&hook), Lane::Inbound);
    let mut body = received("Hi", &Value::Null);
    let key = telnyx.parse(&event(URL, &body)).unwrap().remove(0).key;
    body["data"]["id"] = json!("e3");
    assert_ne!(telnyx.parse(&event(URL, &body)).unwrap().remove(0).key, key);
    for path in ["/data/payload/from/phone_number", "/data/payload/to/0/phone_number"] {
        let mut body = received("Hi", &Value::Null);
        *body.pointer_mut(path).unwrap() = json!("");
        assert!(telnyx.parse(&event(URL, &body)).is_err(), "{path}");
    }
}

#[test]
fn an_accepted_hook_gets_an_empty_answer() {
    for lane in [Lane::Inbound, Lane::Receipt] {
        assert_eq!(account(&[]).acknowledge(lane), Response { status: 200, headers: Vec::new(), body: Bytes::new() });
    }
}
