//! Sinch's dialect against vectors made with its own SDK, and against its documented answers. Apart from `sinch.rs`
//! only because of its length.

use std::collections::BTreeSet;

use trunkline_core::id::MessageId;
use trunkline_core::outcome::Refusal;

use super::*;
use crate::http::{Phase, TransportError};

static VECTORS: &str = include_str!("../../../testdata/sinch/signatures.json");

const PLAN: &str = "00000000000000000000000000000000";
const HOOKS: &str = "https://t.example/hooks/main";

fn account(secrets: &[&str]) -> Sinch {
    Sinch {
        name: "main".into(),
        service_plan_id: PLAN.into(),
        api_tokens: vec!["hush-hush".into(), "old".into()],
        hook_secrets: secrets.iter().map(|s| (*s).into()).collect(),
        base_url: API.into(),
        timeout: Span::secs(10),
    }
}

fn attempt() -> AttemptId {
    AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 2 }
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn cases() -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn signed(case: &Value) -> RawHook {
    RawHook {
        method: "POST".into(),
        url: HOOKS.into(),
        headers: case["headers"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect(),
        body: Bytes::from(case["body"].as_str().unwrap().to_owned()),
    }
}

fn hook(url: &str, body: &Value) -> RawHook {
    RawHook { method: "POST".into(), url: url.into(), headers: vec![], body: Bytes::from(body.to_string()) }
}

#[test]
fn every_signature_vector() {
    let now = at("2026-11-23T07:51:00Z");
    assert_eq!(cases().len(), 5);
    for case in cases() {
        let sinch = account(&["newer", case["secret"].as_str().unwrap()]);
        let expect = if case["expect_valid"].as_bool().unwrap() { Ok(()) } else { Err(Refused::BadSignature) };
        assert_eq!(sinch.verify(&signed(&case), now), expect, "{}", case["id"]);
        assert_eq!(account(&["newer"]).verify(&signed(&case), now), Err(Refused::BadSignature), "{}", case["id"]);
    }
}

#[test]
fn a_hook_may_be_a_day_old_and_five_minutes_early() {
    let case = &cases()[0];
    let sinch = account(&[case["secret"].as_str().unwrap()]);
    let sent = at("2026-11-23T07:51:00Z");
    for fine in [sent - Span::mins(5), sent, sent + Span::hours(24)] {
        assert_eq!(sinch.verify(&signed(case), fine), Ok(()), "{fine}");
    }
    for off in [sent - Span::secs(301), sent + Span::hours(24) + Span::secs(1)] {
        assert_eq!(sinch.verify(&signed(case), off), Err(Refused::Stale { at: sent.to_string() }), "{off}");
    }
}

#[test]
fn refusals_say_why() {
    let case = &cases()[0];
    let (sinch, now) = (account(&[case["secret"].as_str().unwrap()]), at("2026-11-23T07:51:00Z"));
    for name in ["x-sinch-webhook-signature", "x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp"] {
        let mut hook = signed(case);
        hook.headers.retain(|(n, _)| n != name);
        assert_eq!(sinch.verify(&hook, now), Err(Refused::MissingHeader { header: name.into() }));
    }
    let mut other = signed(case);
    other.headers.retain(|(n, _)| n != "x-sinch-webhook-signature-algorithm");
    assert_eq!(sinch.verify(&other, now), Ok(()));
    other.headers.push(("X-Sinch-Webhook-Signature-Algorithm".into(), "HmacSHA1".into()));
    assert_eq!(sinch.verify(&other, now), Err(Refused::NoSecret { algorithm: "HmacSHA1".into() }));
    assert_eq!(account(&[]).verify(&signed(case), now), Err(Refused::NoSecret { algorithm: "HmacSHA256".into() }));
}

fn outbound(validity: Span) -> Outbound<'static> {
    let expires_at = at("2026-11-23T08:00:00.5Z") + validity;
    Outbound { attempt: attempt(), to: "+14155550123", from: "+13185610000", body: "Hi & \"olá\"", validity, expires_at, callback_url: HOOKS }
}

#[test]
fn sends_the_exact_fields() {
    let sinch = account(&["s"]);
    let request = sinch.send(&outbound(Span::hours(4)));
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", format!("https://us.sms.api.sinch.com/xms/v1/{PLAN}/batches").as_str()));
    let expect = json!({
        "from": "+13185610000",
        "to": ["+14155550123"],
        "type": "mt_text",
        "body": "Hi & \"olá\"",
        "delivery_report": "per_recipient",
        "expire_at": "2026-11-23T12:00:00.500Z",
        "callback_url": format!("{HOOKS}?attempt={}", attempt()),
        "client_reference": attempt().to_string(),
    });
    assert_eq!(request.body, Bytes::from(expect.to_string()));
    assert!(request.headers.contains(&("authorization".into(), "Bearer hush-hush".into())));
    assert!(request.headers.contains(&("content-type".into(), "application/json".into())));
    assert!(!format!("{request:?} {sinch:?}").contains("hush"));
    // No longer than Sinch keeps trying.
    let long: Value = serde_json::from_slice(&sinch.send(&outbound(Span::hours(100))).body).unwrap();
    assert_eq!(long["expire_at"], "2026-11-26T08:00:00.500Z");
}

#[expect(clippy::unnecessary_wraps, reason = "beside it stand replies that are errors")]
fn reply(status: u16, body: &str) -> Reply {
    Ok(Response { status, headers: vec![("Retry-After".into(), "7".into())], body: Bytes::from(body.to_owned()) })
}

fn lost(phase: Phase) -> Reply {
    Err(TransportError { phase, detail: "gone".into() })
}

#[test]
fn the_phase_beats_the_code() {
    let refusal = |code: &str| json!({"code": code, "text": "no"}).to_string();
    for (name, reply, word) in [
        ("created", reply(201, "{\"id\": \"01FC\", \"canceled\": false}"), "accepted"),
        ("success", reply(200, "{\"id\": \"01FC\"}"), "accepted"),
        ("success without an id", reply(201, "{}"), "ambiguous"),
        ("success with an empty id", reply(201, "{\"id\": \"\"}"), "ambiguous"),
        ("success that is not JSON", reply(200, "<html>"), "ambiguous"),
        ("throttled", reply(429, ""), "throttled"),
        ("throttled by a proxy", reply(429, "slow down"), "throttled"),
        ("bad number", reply(400, &refusal("syntax_invalid_parameter_format")), "permanent"),
        ("blocked account", reply(403, &refusal("blocked_account")), "permanent"),
        ("bad token", reply(401, ""), "permanent"),
        ("bad token, with Sinch's words", reply(401, &refusal("whatever")), "permanent"),
        ("somebody else's login page", reply(401, "<html>sign in</html>"), "ambiguous"),
        ("a code nobody knows", reply(400, &refusal("syntax_new")), "permanent"),
        ("not Sinch's answer", reply(403, "<html>blocked by proxy</html>"), "ambiguous"),
        ("the form of another Sinch API", reply(400, "{\"error\": {\"code\": 400, \"message\": \"no\"}}"), "ambiguous"),
        ("no such path", reply(404, ""), "ambiguous"),
        ("request timeout", reply(408, &refusal("syntax_invalid_json")), "ambiguous"),
        ("server error, whatever its code says", reply(500, &refusal("syntax_invalid_json")), "ambiguous"),
        ("unavailable after the request was written", reply(503, ""), "ambiguous"),
        ("redirect", reply(302, ""), "ambiguous"),
        ("no address", lost(Phase::Resolve), "transient"),
        ("refused", lost(Phase::Connect), "transient"),
        ("bad certificate", lost(Phase::Tls), "transient"),
        ("a dead connection from before", lost(Phase::Begin), "transient"),
        ("reset within the request", lost(Phase::Write), "ambiguous"),
        ("reset after the request", lost(Phase::Wait), "ambiguous"),
        ("an answer cut short", lost(Phase::Read), "ambiguous"),
    ] {
        assert_eq!(account(&["s"]).outcome(&reply).word(), word, "{name}");
    }
    let Outcome::Throttled { retry_after, .. } = account(&["s"]).outcome(&reply(429, "")) else { panic!("throttled") };
    assert_eq!(retry_after, Some(Span::secs(7)));
}

#[test]
fn refusals_have_a_class() {
    let sinch = account(&["s"]);
    for (status, code, class) in [
        (400, "syntax_invalid_parameter_format", Refusal::Number),
        (400, "syntax_constraint_violation", Refusal::Content),
        (403, "unknown_campaign", Refusal::Account),
        (403, "illegal_number_type", Refusal::Number),
        (403, "nobody_knows", Refusal::Account),
        (400, "nobody_knows", Refusal::Policy),
    ] {
        let body = json!({"code": code, "text": "no"}).to_string();
        let Outcome::Permanent { class: found, vendor_code, message } = sinch.outcome(&reply(status, &body)) else { panic!("{code}") };
        assert_eq!((found, vendor_code.as_str(), message.as_str()), (class, code, "no"));
        assert_eq!(sinch.knows_code(code), code != "nobody_knows");
    }
    let Outcome::Permanent { class, vendor_code, .. } = sinch.outcome(&reply(401, "\r\n")) else { panic!("401") };
    assert!(class == Refusal::Account && sinch.knows_code(&vendor_code));
    assert_eq!((sinch.receipt_class("402"), sinch.receipt_class("unknown_group")), (Some("number"), None));
    assert!(!sinch.is_block("61") && !sinch.knows_code("1234"));
    for line in CODES.table.lines().skip(3) {
        assert_eq!(line.split(',').count(), 5, "{line}");
    }
}

fn sent() -> Sent<'static> {
    Sent { attempt: attempt(), to: "+14155550123", from: "+13185610000", body: "Hi", claimed_at: at("2026-11-23T08:00:00Z") }
}

fn query(request: &Request, name: &str) -> Option<String> {
    hook(&request.url, &Value::Null).query(name)
}

#[test]
fn asks_for_the_batch_by_reference() {
    let sinch = account(&["s"]);
    assert_eq!(sinch.resolution(), Resolution::ExactLookup { lag: Span::mins(2) });
    let request = sinch.look_up(&sent()).unwrap();
    assert!(request.method == "GET" && request.url.starts_with(&format!("{API}/xms/v1/{PLAN}/batches?")) && request.body.is_empty());
    assert!(request.headers.contains(&("authorization".into(), "Bearer hush-hush".into())));
    for (name, value) in [("client_reference", attempt().to_string()), ("start_date", "2026-11-23T07:00:00.000Z".into()), ("page", "0".into()), ("page_size", "100".into())] {
        assert_eq!(query(&request, name), Some(value));
    }
}

fn batch(id: &str, reference: &str, created_at: &str, canceled: bool) -> Value {
    json!({"id": id, "to": ["14155550123"], "from": "13185610000", "canceled": canceled, "body": "Hi", "type": "mt_text", "client_reference": reference, "created_at": created_at})
}

fn batches(count: u64, batches: &[Value]) -> Reply {
    reply(200, &json!({"count": count, "page": 0, "page_size": batches.len(), "batches": batches}).to_string())
}

#[test]
fn finds_the_batch_or_knows_that_there_is_none() {
    let (sinch, ours) = (account(&["s"]), attempt().to_string());
    let found = |reply: &Reply| match sinch.looked(&sent(), reply) {
        Looked::Found(all) => Some(all.into_iter().map(|c| (c.vendor_id, c.evidence, c.taken_at)).collect::<Vec<_>>()),
        Looked::Unavailable { .. } => None,
    };
    let (early, late) = ("2026-11-23T08:00:01.250Z", "2026-11-23T08:00:02.000Z");
    let one = batches(1, &[batch("01A", &ours, early, false)]);
    assert_eq!(found(&one), Some(vec![("01A".to_owned(), Some(Evidence::Accepted), Some(at(early)))]));
    // Newest first, and a cancelled one is not on its way.
    let two = batches(2, &[batch("01A", &ours, early, false), batch("01B", &ours, late, true)]);
    assert_eq!(found(&two), Some(vec![("01B".to_owned(), Some(Evidence::Undelivered), Some(at(late))), ("01A".to_owned(), Some(Evidence::Accepted), Some(at(early)))]));
    // Another attempt of the same message is another text.
    let other = AttemptId { n: 22, ..attempt() }.to_string();
    assert_eq!(found(&batches(1, &[batch("01A", &other, early, false)])), Some(vec![]));
    assert_eq!(found(&batches(0, &[])), Some(vec![]));
    assert_eq!(found(&reply(200, "{\"count\": 0, \"page\": 0, \"page_size\": 0}")), Some(vec![]));
    for (name, unsure) in [
        ("a list that goes on without ours", batches(31, &[batch("01A", &other, early, false)])),
        ("ours without an id", batches(1, &[batch("", &ours, early, false)])),
        ("a count without a list", reply(200, "{\"count\": 1, \"page\": 0, \"page_size\": 1}")),
        ("not a list", reply(200, "{}")),
        ("not JSON", reply(200, "<html>")),
        ("not allowed", reply(401, "")),
        ("broken", reply(500, "{\"count\": 0, \"page\": 0, \"page_size\": 0, \"batches\": []}")),
        ("no answer", lost(Phase::Wait)),
    ] {
        assert_eq!(found(&unsure), None, "{name}");
    }
    let Looked::Unavailable { retry_after, .. } = sinch.looked(&sent(), &reply(429, "")) else { panic!("unavailable") };
    assert_eq!(retry_after, Some(Span::secs(7)));
}

fn report(status: &str, code: i64) -> Value {
    json!({
        "type": "recipient_delivery_report_sms",
        "at": "2026-11-23T07:51:00.000Z",
        "batch_id": "01FC66621VHDBN119Z8PMV1QPQ",
        "client_reference": attempt().to_string(),
        "code": code,
        "operator_status_at": "2026-11-23T07:50:59.000Z",
        "recipient": "15551231234",
        "status": status,
    })
}

fn text(id: &str, body: &str) -> Value {
    json!({"type": "mo_text", "id": id, "from": "15551231234", "to": "13185610000", "body": body, "received_at": "2026-11-23T07:51:02.000Z"})
}

fn page(name: &str, count: u64, page: u64, page_size: u64, entries: &[Value]) -> Reply {
    reply(200, &json!({"count": count, "page": page, "page_size": page_size, name: entries}).to_string())
}

#[test]
fn lists_say_what_hooks_said() {
    let (sinch, since) = (account(&["s"]), at("2026-11-23T08:00:00Z"));
    let request = sinch.list(Listing::Inbound, since, None).unwrap();
    assert!(request.url.starts_with(&format!("{API}/xms/v1/{PLAN}/inbounds?")));
    assert_eq!((query(&request, "start_date").unwrap().as_str(), query(&request, "page").unwrap().as_str()), ("2026-11-23T08:00:00.000Z", "0"));
    let request = sinch.list(Listing::Status, since, Some("3")).unwrap();
    assert!(request.url.starts_with(&format!("{API}/xms/v1/{PLAN}/delivery_reports?")));
    assert_eq!((query(&request, "start_date").unwrap().as_str(), query(&request, "page").unwrap().as_str()), ("2026-11-23T04:00:00.000Z", "3"));

    let texts = [text("01A", "STOP"), text("01B", "Olá 👋")];
    let listed = sinch.listed(Listing::Inbound, since, &page("inbounds", 2, 0, 2, &texts)).unwrap();
    let hooks: Vec<Item> = texts.iter().flat_map(|t| sinch.parse(&hook(HOOKS, t)).unwrap()).collect();
    assert_eq!((&listed.items, &listed.next), (&hooks, &None));

    // The list makes the report again: another time, another case, a plus.
    let mut again = report("DELIVERED", 0);
    again["at"] = json!("2026-11-23T09:00:00.000Z");
    again["recipient"] = json!("+15551231234");
    again["code"] = json!("0");
    let listed = sinch.listed(Listing::Status, since, &page("delivery_reports", 1, 0, 1, &[again])).unwrap();
    let hooked = sinch.parse(&hook(&format!("{HOOKS}?attempt={}", attempt()), &report("Delivered", 0))).unwrap();
    assert_eq!(listed.items[0].key, hooked[0].key);
    let attempts = [&listed.items[0], &hooked[0]].map(|item| match &item.event {
        ProviderEvent::Status { attempt, .. } => *attempt,
        ProviderEvent::Inbound { .. } => None,
    });
    assert_eq!(attempts, [Some(attempt()); 2]);
}

#[test]
fn pages_end() {
    let (sinch, since) = (account(&["s"]), Time(0));
    let entries: Vec<Value> = (0..100).map(|n| text(&format!("{n}"), "Hi")).collect();
    let next = |count, number, page_size, shown: usize| sinch.listed(Listing::Inbound, since, &page("inbounds", count, number, page_size, &entries[..shown])).unwrap().next;
    assert_eq!(next(250, 0, 100, 100), Some("1".into()));
    assert_eq!(next(250, 1, 100, 100), Some("2".into()));
    assert_eq!(next(250, 2, 100, 50), None);
    assert_eq!(next(200, 1, 100, 100), None);
    assert_eq!(next(0, 0, 0, 0), None);
    // `page_size` as what came back: one empty page more, and then it ends.
    assert_eq!(next(250, 2, 50, 50), Some("3".into()));
    assert_eq!(next(250, 3, 0, 0), None);
    // A list whose largest page is smaller than asked for.
    assert_eq!(next(80, 1, 30, 30), Some("2".into()));
    // One entry that cannot be read leaves the others alone.
    let mixed = sinch.listed(Listing::Inbound, since, &page("inbounds", 2, 0, 2, &[json!({"type": "mo_smoke"}), text("01A", "Hi")])).unwrap();
    assert_eq!(mixed.items.len(), 1);
    let error = sinch.listed(Listing::Status, since, &reply(503, "")).unwrap_err();
    assert_eq!(error, NotListed { cause: "HTTP 503 in answer to a list".into(), retry_after: Some(Span::secs(7)) });
    assert!(sinch.listed(Listing::Status, since, &reply(200, "{\"count\": 1}")).is_err());
    assert!(sinch.listed(Listing::Status, since, &lost(Phase::Connect)).is_err());
}

#[test]
fn reads_receipts() {
    let sinch = account(&["s"]);
    let url = format!("{HOOKS}?attempt={}", attempt());
    let all = [
        ("Queued", 400, Some(Evidence::Accepted), ""),
        ("Dispatched", 401, Some(Evidence::Sent), ""),
        ("Delivered", 0, Some(Evidence::Delivered), ""),
        ("Failed", 150, Some(Evidence::Undelivered), "150"),
        ("Rejected", 408, Some(Evidence::Undelivered), "408"),
        ("Aborted", 402, Some(Evidence::Undelivered), "402"),
        ("Cancelled", 407, Some(Evidence::Undelivered), "407"),
        ("Expired", 406, Some(Evidence::Undelivered), "406"),
        ("Deleted", 0, Some(Evidence::Undelivered), ""),
        ("Unknown", 0, None, ""),
        ("Teleported", 77, None, "77"),
    ];
    let mut keys = BTreeSet::new();
    for (word, code, proves, expect) in all {
        let mut copies = BTreeSet::new();
        for word in [word.to_owned(), word.to_ascii_uppercase()] {
            let hook = hook(&url, &report(&word, code));
            assert_eq!(sinch.lane(&hook), Lane::Receipt);
            let item = sinch.parse(&hook).unwrap().remove(0);
            let ProviderEvent::Status { attempt: found, vendor_id, status, evidence, vendor_code } = item.event else { panic!("{word}") };
            assert_eq!((found, vendor_id.as_str(), status.as_str()), (Some(attempt()), "01FC66621VHDBN119Z8PMV1QPQ", word.as_str()));
            assert_eq!((evidence, vendor_code.as_str()), (proves, expect), "{word}");
            copies.insert(item.key);
        }
        assert_eq!(copies.len(), 1, "{word} in any case is one word");
        assert!(keys.insert(copies.pop_first().unwrap()), "a later status is not a copy of an earlier one");
    }
}

#[test]
fn the_attempt_comes_from_the_url_or_the_reference() {
    let sinch = account(&["s"]);
    let first = AttemptId { n: 1, ..attempt() };
    for (url, reference, expect) in [
        (format!("{HOOKS}?attempt={first}"), Some(attempt().to_string()), Some(first)),
        (HOOKS.to_owned(), Some(attempt().to_string()), Some(attempt())),
        (HOOKS.to_owned(), Some("somebody else's".to_owned()), None),
        (HOOKS.to_owned(), None, None),
    ] {
        let mut body = report("Delivered", 0);
        body["client_reference"] = json!(reference);
        let ProviderEvent::Status { attempt: found, .. } = sinch.parse(&hook(&url, &body)).unwrap().remove(0).event else { panic!("a receipt") };
        assert_eq!(found, expect, "{url} {reference:?}");
    }
}

#[test]
fn reads_reports_of_whole_batches() {
    let sinch = account(&["s"]);
    let body = json!({
        "type": "delivery_report_sms",
        "batch_id": "01FC66621VHDBN119Z8PMV1QPQ",
        "client_reference": attempt().to_string(),
        "total_message_count": 3,
        "statuses": [
            {"code": 0, "status": "Delivered", "count": 1, "recipients": ["15551231234"]},
            {"code": 402, "status": "Aborted", "count": 2, "recipients": ["15551231235", "15551231236"]},
            {"code": 400, "status": "Queued", "count": 1},
        ],
    });
    assert_eq!(sinch.lane(&hook(HOOKS, &body)), Lane::Receipt);
    let items = sinch.parse(&hook(HOOKS, &body)).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0].key, sinch.parse(&hook(HOOKS, &report("Delivered", 0))).unwrap()[0].key, "the same said in two ways is said once");
    let ProviderEvent::Status { attempt: found, vendor_code, .. } = &items[1].event else { panic!("a receipt") };
    assert_eq!((*found, vendor_code.as_str()), (Some(attempt()), "402"));
}

#[test]
fn reads_inbound_texts() {
    let sinch = account(&["s"]);
    let table = [
        (text("01A", "Olá 👋"), "Olá 👋"),
        (json!({"type": "mo_text", "id": "01A", "from": "+15551231234", "to": "+13185610000"}), ""),
        (json!({"type": "mo_binary", "id": "01A", "from": "15551231234", "to": "13185610000", "body": "U3RvcA==", "udh": "050003010201"}), "Stop"),
        (json!({"type": "mo_binary", "id": "01A", "from": "15551231234", "to": "13185610000", "body": "AAECAwQ=", "udh": "06050415811581"}), ""),
        (json!({"type": "mo_media", "id": "01A", "from": "15551231234", "to": "13185610000", "body": {"subject": "s", "message": "STOP", "media": []}}), "STOP"),
    ];
    for (body, expect) in table {
        let hook = hook(HOOKS, &body);
        assert_eq!(sinch.lane(&hook), Lane::Inbound);
        let ProviderEvent::Inbound { vendor_id, from, to, body: found, keyword } = sinch.parse(&hook).unwrap().remove(0).event else { panic!("inbound") };
        assert_eq!((vendor_id.as_str(), from.as_str(), to.as_str(), keyword), ("01A", "+15551231234", "+13185610000", None));
        assert_eq!(found, expect);
    }
    // A short code is nobody's number.
    let mut short = text("01B", "Hi");
    short["to"] = json!("45607");
    let ProviderEvent::Inbound { to, .. } = sinch.parse(&hook(HOOKS, &short)).unwrap().remove(0).event else { panic!("inbound") };
    assert_eq!(to, "45607");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let sinch = account(&["s"]);
    let without = |mut body: Value, field: &str| {
        body.as_object_mut().unwrap().remove(field);
        hook(HOOKS, &body)
    };
    for unreadable in [
        without(report("Delivered", 0), "batch_id"),
        without(report("Delivered", 0), "status"),
        without(report("Delivered", 0), "type"),
        without(text("01A", "Hi"), "from"),
        without(text("01A", "Hi"), "to"),
        without(text("01A", "Hi"), "id"),
        hook(HOOKS, &json!({"type": "delivery_report_sms", "batch_id": "01A", "statuses": []})),
        hook(HOOKS, &json!({"type": "something_new"})),
        hook(HOOKS, &json!([1, 2])),
        RawHook { body: Bytes::from_static(b"not JSON"), ..hook(HOOKS, &Value::Null) },
    ] {
        assert!(sinch.parse(&unreadable).is_err(), "{:?}", unreadable.body);
    }
    let answer = sinch.acknowledge(Lane::Receipt);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}
