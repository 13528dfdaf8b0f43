//! Consent over the API: on what terms, at which instant; and a person who asks to be forgotten.
//!
//! Its own file because both are promises about everything that is stored, which `api_lists` looks at row by row.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use trunkline_core::erase::ERASED;
use trunkline_core::time::Span;
use trunkline_engine::verify::verify;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::Effect;
use trunkline_sim::vendor::Vendor;
use trunkline_store::row::{HookFilter, HookLane, MessageFilter, Place};

use crate::support::{Answer, Server};

const NUMBER: &str = "+14155550123";
const JSON: &str = "application/json";
/// A word that is in everything she said and was told.
const WORD: &str = "swordfish";

async fn consent(server: &Server, body: &Value) -> Answer {
    server.post("/v1/consent", JSON, body.to_string()).await
}

/// A text from her, the nth, as the vendor posts it; signed or not. Gives the answer's status.
async fn heard(server: &Server, n: u64, body: &str, signed: bool) -> StatusCode {
    let mut vendor = Vendor::new(fixtures::vendor_for(&server.engine.definitions));
    let now = server.engine.clock.now();
    let Effect::Hook(hook) = vendor.reply(now, NUMBER, fixtures::SENDER, body, &mut ChaCha12Rng::seed_from_u64(n)).remove(0);
    let mut request = Request::post(hook.url.strip_prefix(fixtures::PUBLIC_URL).unwrap());
    for (name, value) in hook.headers.iter().filter(|(name, _)| signed || !name.eq_ignore_ascii_case("x-twilio-signature")) {
        request = request.header(name, value);
    }
    let status = server.ask(request.body(Body::from(hook.body)).unwrap()).await.status;
    server.engine.inbox_tick(HookLane::Inbound, now, 100).await.unwrap();
    status
}

/// Whether marketing is permitted: as we knew, and as it was; with the codes of what was found.
async fn marketing(server: &Server, at: &str) -> [(bool, String); 2] {
    let answer = server.get(&format!("/v1/addresses/{NUMBER}/consent?at={at}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    ["recorded", "occurred"].map(|by| {
        let standing = body[by]["standings"].as_array().unwrap().iter().find(|s| s["purpose"] == "marketing").unwrap().clone();
        let codes: Vec<&str> = standing["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        (standing["permitted"].as_bool().unwrap(), codes.join(" "))
    })
}

#[tokio::test]
async fn had_she_opted_out_when_it_left() {
    let server = Server::new().await;
    let grant = json!({"address": NUMBER, "action": "grant", "program": "acme", "purpose": "marketing", "basis": "implied_inquiry", "jurisdiction": "CA", "source": "web",
        "evidence": "asked for an offer on /contact", "occurred_at": "2026-11-01T12:00:00Z"});
    assert_eq!(consent(&server, &grant).await.status, StatusCode::CREATED);
    server.clock.advance(Span::hours(2));
    assert!(heard(&server, 1, "STOP", true).await.is_success());
    server.clock.advance(Span::hours(2));
    assert!(heard(&server, 2, "START", true).await.is_success());
    assert_eq!(consent(&server, &grant).await.status, StatusCode::CREATED);
    // She called at half past ten, and somebody wrote it down at one.
    let called = json!({"address": NUMBER, "action": "revoke", "source": "verbal", "evidence": "she called", "occurred_at": "2026-11-23T22:30:00Z"});
    server.clock.advance(Span::hours(3));
    assert_eq!(consent(&server, &called).await.status, StatusCode::CREATED);

    let told = |permitted: bool, codes: &str| (permitted, codes.to_owned());
    for (at, known, true_then) in [
        ("2026-10-31T12:00:00Z", told(false, "not_suppressed consent_missing"), told(false, "not_suppressed consent_missing")),
        ("2026-11-10T12:00:00Z", told(false, "not_suppressed consent_missing"), told(true, "not_suppressed consent_granted")),
        ("2026-11-23T18:30:00Z", told(true, "not_suppressed consent_granted"), told(true, "not_suppressed consent_granted")),
        ("2026-11-23T20:00:00Z", told(false, "opted_out consent_missing"), told(false, "opted_out consent_missing")),
        ("2026-11-23T23:00:00Z", told(true, "not_suppressed consent_granted"), told(false, "revoked consent_missing")),
        ("2026-11-24T02:00:00Z", told(false, "revoked consent_missing"), told(false, "revoked consent_missing")),
    ] {
        assert_eq!(marketing(&server, at).await, [known, true_then], "at {at}");
    }
    let ledger = server.get(&format!("/v1/addresses/{NUMBER}")).await.json()["ledger"].clone();
    let first = &ledger[0];
    assert_eq!((&first["basis"], &first["jurisdiction"], &first["source"], &first["channel"]), (&json!("implied_inquiry"), &json!("CA"), &json!("web"), &json!("sms")));
    assert_eq!(ledger[1]["source"], "keyword");
    assert_eq!(server.get("/v1/addresses/+14155559999/consent").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("/v1/addresses/{NUMBER}/consent?at=noon")).await.fields(), ["at"]);
}

#[tokio::test]
async fn implied_consent_runs_out_and_the_text_says_by_which_rule() {
    let server = Server::new().await;
    let grant = json!({"address": NUMBER, "action": "grant", "program": "acme", "purpose": "marketing", "basis": "implied_inquiry", "jurisdiction": "CA",
        "evidence": "asked for an offer", "occurred_at": "2026-05-23T12:00:00Z"});
    assert_eq!(consent(&server, &grant).await.status, StatusCode::CREATED);
    let sent = server.send("k1", &json!({"to": NUMBER, "body": "An offer", "purpose": "marketing"})).await.json();
    assert_eq!(sent["status"], "suppressed", "{sent}");
    let because = sent["because"].as_str().unwrap();
    assert!(because.contains("casl_inquiry") && because.contains("section 10(10)") && because.contains("2026-11-23T12:00:00Z"), "{because}");
}

#[tokio::test]
async fn wrong_terms_are_named() {
    let server = Server::new().await;
    for (field, value) in
        [("jurisdiction", json!("Canada")), ("basis", json!("heard")), ("channel", json!("fax")), ("source", json!(7)), ("action", json!("stop")), ("account", json!("twilio"))]
    {
        let mut body = json!({"address": NUMBER, "action": "grant", "evidence": "form 7"});
        body[field] = value;
        let expect = if field == "account" { "sender" } else { field };
        assert_eq!(consent(&server, &body).await.fields(), [expect], "{field}");
    }
    let block = json!({"address": NUMBER, "action": "vendor_block", "account": "twilio", "sender": "+15005550006", "evidence": "21610 in the vendor's list"});
    assert_eq!(consent(&server, &block).await.status, StatusCode::CREATED);
    let sent = server.send("k1", &json!({"to": NUMBER, "body": "Hello", "purpose": "otp"})).await.json();
    assert!(sent["because"].as_str().unwrap().contains("21610"), "{sent}");
}

/// Everything that is stored about anybody, as one text.
async fn everything(server: &Server) -> String {
    let store = server.engine.store.as_ref();
    let mut all = Vec::new();
    for message in store.messages_after(None, 100).await.unwrap() {
        let history = store.history(&message.id.bytes()).await.unwrap();
        all.push(format!("{message:?} {history:?}"));
    }
    for address in store.addresses_after(None, 100).await.unwrap() {
        all.push(serde_json::to_string(&(&address.place, &address.consent)).unwrap());
        all.push(format!("{:?} {:?}", store.ledger(address.id).await.unwrap(), store.inbound_of(address.id, 100).await.unwrap()));
        all.push(format!("{:?}", store.profiles_at(address.id, 100).await.unwrap()));
    }
    for hook in store.hooks(&HookFilter::default(), 100).await.unwrap() {
        all.push(format!("{} {:?} {}", hook.url, hook.headers, String::from_utf8_lossy(&hook.body)));
    }
    for event in store.events_before(None, 100).await.unwrap() {
        all.push(serde_json::to_string(&event.mapped).unwrap());
    }
    all.push(format!("{:?} {:?} {:?}", store.refusals(None, 100).await.unwrap(), store.audits(None, 100).await.unwrap(), store.cases(100).await.unwrap()));
    all.join("\n")
}

/// Says her name and number in every way there is.
async fn a_life(server: &Server) -> String {
    let sent = server.send("k1", &json!({"to": NUMBER, "body": format!("The word is {WORD}"), "purpose": "transactional", "labels": {"order": "#1042"}})).await.json();
    let event = json!({"specversion": "1.0", "id": "e1", "source": "/logistics", "type": "delivery.exception",
        "data": {"order": "#1042", "customer_id": "c1", "phone": NUMBER, "note": WORD}});
    assert_eq!(server.post("/v1/events", "application/cloudevents+json", event.to_string()).await.status, StatusCode::ACCEPTED);
    let now = server.engine.clock.now();
    server.engine.ingest_tick(now, 100).await.unwrap();
    server.engine.journey_tick(now, 100).await.unwrap();
    assert!(heard(server, 1, &format!("what is {WORD}?"), true).await.is_success());
    assert!(heard(server, 2, &format!("forged {WORD}"), false).await.is_client_error());
    let grant = json!({"address": NUMBER, "action": "grant", "evidence": format!("a form with {WORD}")});
    assert_eq!(consent(server, &grant).await.status, StatusCode::CREATED);
    sent["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_is_erased_leaves_no_word_and_stays_suppressed() {
    let server = Server::new().await;
    let id = a_life(&server).await;
    assert!(everything(&server).await.contains(WORD) && everything(&server).await.contains("4155550123"));
    let path = format!("/v1/addresses/{NUMBER}/erase");
    let erase = |reason: &str| server.post(&path, JSON, json!({"reason": reason}).to_string());
    assert_eq!(erase(" ").await.fields(), ["reason"]);
    let answer = erase(&format!("her letter about {NUMBER}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let remains = answer.json();
    assert!(remains["texts"].as_u64().unwrap() >= 1 && remains["webhooks"].as_u64().unwrap() >= 1 && remains["events"].as_u64().unwrap() == 1, "{remains}");

    let left = everything(&server).await;
    assert!(!left.contains("4155550123") && !left.contains(WORD), "{left}");
    assert!(left.contains("her letter about"), "why it was done is kept");
    let report = verify(server.engine.store.as_ref(), |_| {}).await.unwrap();
    assert_eq!(report.differences, 0, "{:?}", report.first);
    let shown = server.get(&format!("/v1/messages/{id}")).await.json();
    assert_eq!((&shown["body"], &shown["delivery"], &shown["labels"]["order"]), (&json!(ERASED), &json!("canceled"), &json!("#1042")));
    let address = server.get(&format!("/v1/addresses/{NUMBER}")).await.json();
    assert_eq!((&address["number"], &address["ledger"][0]["evidence"]), (&json!("erased"), &json!(ERASED)));

    let again = server.send("k2", &json!({"to": NUMBER, "body": format!("{WORD} again"), "purpose": "otp"})).await.json();
    assert_eq!((&again["status"], &again["body"]), (&json!("suppressed"), &json!(ERASED)), "{again}");
    assert!(again["because"].as_str().unwrap().contains("was erased"), "{again}");
    let grant = json!({"address": NUMBER, "action": "grant", "evidence": "form 8"});
    assert_eq!(consent(&server, &grant).await.fields(), ["address"]);
    // Her own word comes in all the same; the same erasure once more takes it away, and keeps its time.
    assert!(heard(&server, 3, &format!("START {WORD}"), true).await.is_success());
    let once_more = erase("her letter").await.json();
    assert_eq!(once_more["erased_at"], remains["erased_at"]);
    assert!(!everything(&server).await.contains("4155550123"));
    let store = server.engine.store.as_ref();
    let home = server.engine.key.address("sms", NUMBER);
    assert_eq!(store.addresses(&[home]).await.unwrap().remove(0).place, Place::Erased);
    assert_eq!(store.messages_matching(&MessageFilter::of_address(home), 10).await.unwrap().iter().filter(|m| m.intent.body != ERASED).count(), 0);
    assert_eq!(server.post("/v1/addresses/+14155559999/erase", JSON, "{\"reason\": \"x\"}").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_is_erased_while_something_is_to_be_worked_on() {
    let server = Server::new().await;
    a_life(&server).await;
    let event = json!({"specversion": "1.0", "id": "e2", "source": "/logistics", "type": "delivery.exception", "data": {"order": "#7", "customer_id": "c1", "phone": NUMBER}});
    assert_eq!(server.post("/v1/events", "application/cloudevents+json", event.to_string()).await.status, StatusCode::ACCEPTED);
    let before = everything(&server).await;
    let answer = server.post(&format!("/v1/addresses/{NUMBER}/erase"), JSON, "{\"reason\": \"her letter\"}").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (StatusCode::CONFLICT, json!("busy")));
    assert!(answer.json()["detail"].as_str().unwrap().contains("1 events"), "{}", answer.text);
    assert_eq!(everything(&server).await, before);
}
