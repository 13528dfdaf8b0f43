//! Twilio's dialect against vectors made with its own SDK, and against its documented answers. Apart from
//! `twilio.rs` only because of its length.

use serde_json::Value;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::outcome::Refusal;

use super::*;
use crate::http::{Phase, TransportError};

static VECTORS: &str = include_str!("../../../testdata/twilio/signatures.json");

fn account(token: &str, shared: &str) -> Twilio {
    Twilio {
        name: "main".into(),
        account_sid: "AC00000000000000000000000000000000".into(),
        auth_tokens: vec![token.into()],
        shared_keys: vec![shared.into()],
        base_url: API.into(),
        timeout: Span::secs(10),
    }
}

fn hook(case: &Value) -> RawHook {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let mut headers: Vec<(String, String)> = case["headers"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
    headers.push(("Content-Type".into(), text("content_type")));
    RawHook { method: text("method"), url: text("url"), headers, body: Bytes::from(text("body")) }
}

#[test]
fn every_signature_vector() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let secret = case["secret"].as_str().unwrap();
        // The vector's algorithm says which kind of secret it is; the other kind is some other secret.
        let account = if case["algorithm"] == "HMAC_SHA256" { account("other", secret) } else { account(secret, "other") };
        assert_eq!(account.verify(&hook(case), Time(0)).is_ok(), case["expect_valid"].as_bool().unwrap(), "{}", case["id"]);
    }
    for setting in vectors["settings"].as_array().unwrap() {
        assert_eq!(algorithm(setting["header"].as_str()), setting["algorithm"].as_str().unwrap());
    }
}

#[test]
fn refusals_say_why() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let first = hook(&vectors["cases"][0]);
    let without = RawHook { headers: vec![], ..first.clone() };
    assert_eq!(account("t", "s").verify(&without, Time(0)), Err(Refused::MissingHeader { header: "X-Twilio-Signature".into() }));
    let none = Twilio { auth_tokens: vec![], ..account("t", "s") };
    assert_eq!(none.verify(&first, Time(0)), Err(Refused::NoSecret { algorithm: "HMAC_SHA1".into() }));
    // Two secrets at once, while one replaces the other.
    let rotating = Twilio { auth_tokens: vec!["new".into(), vectors["cases"][0]["secret"].as_str().unwrap().into()], ..account("t", "s") };
    assert_eq!(rotating.verify(&first, Time(0)), Ok(()));
}

#[test]
fn sends_the_exact_fields() {
    let attempt = AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 2 };
    let text = Outbound {
        attempt,
        to: "+14155550123",
        from: "+15005550006",
        body: "Hi & hello",
        validity: Span::hours(40),
        expires_at: Time(0) + Span::hours(40),
        callback_url: "https://t.example/hooks/main",
    };
    let request = account("secret", "s").send(&text);
    assert_eq!(request.url, "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&request.body).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let expect = [
        ("To", "+14155550123"),
        ("From", "+15005550006"),
        ("Body", "Hi & hello"),
        ("StatusCallback", &format!("https://t.example/hooks/main?attempt={attempt}")),
        ("ValidityPeriod", "36000"),
    ];
    assert_eq!(pairs, expect.map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert!(request.headers.contains(&("authorization".into(), "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ=".into())));
    assert!(!format!("{request:?} {:?}", account("secret", "s")).contains("c2VjcmV0"));
    assert!(!format!("{:?}", account("secret", "s")).contains("secret"));
}

#[expect(clippy::unnecessary_wraps, reason = "beside it stand replies that are errors")]
fn reply(status: u16, body: &str) -> Reply {
    Ok(Response { status, headers: vec![("Retry-After".into(), "7".into())], body: Bytes::from(body.to_owned()) })
}

#[test]
fn the_phase_beats_the_code() {
    let error = |phase| Err(TransportError { phase, detail: "gone".into() });
    let refusal = |code: i64| format!("{{\"code\": {code}, \"message\": \"no\", \"status\": 400}}");
    for (name, reply, word) in [
        ("accepted", reply(201, "{\"sid\": \"SM1\", \"status\": \"queued\"}"), "accepted"),
        ("success without an id", reply(201, "{}"), "ambiguous"),
        ("success that is not JSON", reply(200, "<html>"), "ambiguous"),
        ("throttled", reply(429, &refusal(20429)), "throttled"),
        ("throttled by a proxy", reply(429, "slow down"), "throttled"),
        ("queue full", reply(400, &refusal(21611)), "throttled"),
        ("bad number", reply(400, &refusal(21211)), "permanent"),
        ("opted out", reply(400, &refusal(21610)), "permanent"),
        ("bad credentials", reply(401, &refusal(20003)), "permanent"),
        ("a code nobody knows", reply(400, &refusal(99_999)), "permanent"),
        ("not Twilio's answer", reply(403, "<html>blocked by proxy</html>"), "ambiguous"),
        ("request timeout", reply(408, &refusal(20500)), "ambiguous"),
        ("server error, whatever its code says", reply(500, &refusal(20500)), "ambiguous"),
        ("unavailable after the request was written", reply(503, &refusal(20503)), "ambiguous"),
        ("redirect", reply(302, ""), "ambiguous"),
        ("no address", error(Phase::Resolve), "transient"),
        ("refused", error(Phase::Connect), "transient"),
        ("bad certificate", error(Phase::Tls), "transient"),
        ("a connection that died idle", error(Phase::Begin), "transient"),
        ("reset while the request was written", error(Phase::Write), "ambiguous"),
        ("reset after the request", error(Phase::Wait), "ambiguous"),
        ("a cut answer", error(Phase::Read), "ambiguous"),
    ] {
        assert_eq!(account("t", "s").outcome(&reply).word(), word, "{name}");
    }
    let Outcome::Throttled { retry_after, .. } = account("t", "s").outcome(&reply(429, "")) else { panic!("throttled") };
    assert_eq!(retry_after, Some(Span::secs(7)));
}

#[test]
fn refusals_have_a_class() {
    for (code, class) in [(21211, Refusal::Number), (21610, Refusal::Policy), (20003, Refusal::Account), (21617, Refusal::Content)] {
        let body = format!("{{\"code\": {code}, \"message\": \"no\"}}");
        let Outcome::Permanent { class: found, .. } = account("t", "s").outcome(&reply(400, &body)) else { panic!("{code}") };
        assert_eq!(found, class, "{code}");
    }
    let twilio = account("t", "s");
    assert!(twilio.is_block("21610") && !twilio.is_block("30007"));
    assert!(twilio.knows_code("30005") && !twilio.knows_code("99999"));
    assert_eq!(twilio.receipt_class("30005"), Some("number"));
}

fn callback(url: &str, body: &str) -> RawHook {
    RawHook { method: "POST".into(), url: url.into(), headers: vec![], body: Bytes::from(body.to_owned()) }
}

#[test]
fn reads_receipts() {
    let twilio = account("t", "s");
    let attempt = AttemptId { message: MessageId::new(7, Time(1), [3; 16]), n: 1 };
    let url = format!("https://t.example/hooks/main?attempt={attempt}");
    let all = [
        ("queued", Some(Evidence::Accepted)),
        ("accepted", Some(Evidence::Accepted)),
        ("scheduled", Some(Evidence::Accepted)),
        ("sending", Some(Evidence::Accepted)),
        ("sent", Some(Evidence::Sent)),
        ("delivered", Some(Evidence::Delivered)),
        ("read", Some(Evidence::Delivered)),
        ("undelivered", Some(Evidence::Undelivered)),
        ("failed", Some(Evidence::Undelivered)),
        ("canceled", Some(Evidence::Undelivered)),
        ("partially_delivered", None),
        ("teleported", None),
    ];
    let mut keys = BTreeSet::new();
    for (word, proves) in all {
        let hook = callback(&url, &format!("MessageSid=SM1&MessageStatus={word}&ErrorCode=30005&NewParameter=1"));
        assert_eq!(twilio.lane(&hook), Lane::Receipt);
        let item = twilio.parse(&hook).unwrap().remove(0);
        let ProviderEvent::Status { attempt: found, evidence, vendor_code, .. } = item.event else { panic!("{word}") };
        assert_eq!((found, evidence, vendor_code.as_str()), (Some(attempt), proves, "30005"), "{word}");
        assert!(keys.insert(item.key), "a later status is not a copy of an earlier one");
        assert_eq!(twilio.parse(&hook).unwrap().remove(0).key, item.key, "a copy has the same key");
    }
    assert!(twilio.parse(&callback(&url, "MessageStatus=sent")).is_err());
    assert!(twilio.parse(&callback(&url, "MessageSid=SM1")).is_err());
}

#[test]
fn reads_inbound_texts() {
    let twilio = account("t", "s");
    let hook = callback("https://t.example/hooks/main", "MessageSid=SM9&From=%2B14155550123&To=%2B15005550006&Body=Ol%C3%A1+%F0%9F%91%8B&OptOutType=HELP");
    assert_eq!(twilio.lane(&hook), Lane::Inbound);
    let ProviderEvent::Inbound { from, to, body, keyword, .. } = twilio.parse(&hook).unwrap().remove(0).event else { panic!("inbound") };
    assert_eq!((from.as_str(), to.as_str(), body.as_str(), keyword), ("+14155550123", "+15005550006", "Olá 👋", Some(Keyword::Help)));
    assert!(twilio.parse(&callback("https://t.example/hooks/main", "MessageSid=SM9&From=%2B14155550123")).is_err());
}
