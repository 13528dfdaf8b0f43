//! The API: what it takes, and how it refuses everything else by field.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use trunkline_store::row::MessageFilter;

use crate::support::Server;

const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn event(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/crm", "type": "visit.booked", "data": {"phone": "+14155550123"}, "traceparent": "00-1"})
}

#[tokio::test]
async fn an_event_is_taken_once_and_answered_the_same_twice() {
    let server = Server::new().await;
    let first = server.post("/v1/events", ONE, event("e1").to_string()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let second = server.post("/v1/events", ONE, event("e1").to_string()).await;
    assert_eq!((second.status, second.json()), (first.status, first.json()));
    let stored = server.engine.store.new_events(10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].mapped.event.extensions["traceparent"], "00-1", "extensions are kept");
}

#[tokio::test]
async fn each_event_of_a_batch_stands_alone() {
    let server = Server::new().await;
    let mut wrong = event("e2");
    wrong["time"] = json!("yesterday");
    let huge = json!({"specversion": "1.0", "id": "e4", "source": "/crm", "type": "x", "data": "x".repeat(300_000)});
    let answer = server.post("/v1/events", BATCH, json!([event("e1"), wrong, event("e3"), huge, 17]).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let words: Vec<&str> = body["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["accepted", "refused", "accepted", "refused", "refused"]);
    assert_eq!(body["results"][1]["errors"][0]["field"], "time");
    assert_eq!(server.engine.store.new_events(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let server = Server::new().await;
    let too_many: Vec<Value> = (0..1_001).map(|n| event(&n.to_string())).collect();
    for (name, media, body, status, fields) in [
        ("bad JSON", ONE, "{\"id\": ".to_owned(), StatusCode::BAD_REQUEST, vec![]),
        ("two documents", ONE, "{} {}".to_owned(), StatusCode::BAD_REQUEST, vec![]),
        ("no fields", ONE, "{}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, vec!["specversion", "id", "source", "type"]),
        ("not a list", BATCH, "{}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, vec![""]),
        ("an empty list", BATCH, "[]".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, vec![""]),
        ("too many", BATCH, Value::from(too_many).to_string(), StatusCode::UNPROCESSABLE_ENTITY, vec![""]),
        ("some other type", "text/csv", "a,b".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE, vec![]),
        ("oversized", ONE, format!("\"{}\"", "x".repeat(9 << 20)), StatusCode::PAYLOAD_TOO_LARGE, vec![]),
    ] {
        let answer = server.post("/v1/events", media, body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert_eq!(answer.fields(), fields, "{name}");
    }
    assert!(server.engine.store.new_events(10).await.unwrap().is_empty(), "nothing is half-applied");
}

#[tokio::test]
async fn nothing_is_anonymous() {
    let server = Server::new().await;
    let weak = server.mint(&["consent:write".to_owned()]).await;
    for (authorization, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer nonsense".to_owned()), StatusCode::UNAUTHORIZED),
        (Some("Bearer tlk_000102030405_00".to_owned()), StatusCode::UNAUTHORIZED),
        (Some("Basic dXNlcjpwYXNz".to_owned()), StatusCode::UNAUTHORIZED),
        (Some(format!("Bearer {weak}")), StatusCode::FORBIDDEN),
    ] {
        for path in ["/v1/events", "/v1/messages"] {
            let mut request = Request::post(path).header("content-type", ONE).header("idempotency-key", "k");
            if let Some(value) = &authorization {
                request = request.header("authorization", value);
            }
            let answer = server.ask(request.body(Body::from(event("e1").to_string())).unwrap()).await;
            assert_eq!(answer.status, status, "{path} {authorization:?}: {}", answer.text);
        }
    }
    for path in ["/metrics", "/v1/messages/msg_x"] {
        assert_eq!(server.ask(Request::get(path).body(Body::empty()).unwrap()).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/health", "/ready"] {
        assert_eq!(server.ask(Request::get(path).body(Body::empty()).unwrap()).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn one_key_is_one_text() {
    let server = Server::new().await;
    let body = json!({"to": "+14155550123", "body": "Your table is ready", "purpose": "transactional", "ttl": "1h"});
    let first = server.send("table-7", &body).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let again = server.send("table-7", &body).await;
    assert_eq!(again.json()["id"], first.json()["id"]);
    let other = json!({"to": "+14155550123", "body": "Something else", "purpose": "transactional"});
    let reused = server.send("table-7", &other).await;
    assert_eq!((reused.status, reused.json()["code"].as_str().unwrap().to_owned()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused".to_owned()));
    let read = server.get(&format!("/v1/messages/{}", first.json()["id"].as_str().unwrap())).await;
    assert_eq!(read.json()["timeline"][0]["kind"], "made", "{}", read.text);
    assert_eq!(server.engine.store.messages_matching(&MessageFilter::default(), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_text_may_ask_for_smart_encoding() {
    let server = Server::new().await;
    let written = "It’s on its way, and we text you when it is there. Reply STOP to get no more texts from us, ever.";
    for (key, asked, segments, kept) in [("a", json!(null), 2, json!(null)), ("b", json!(true), 1, json!(written)), ("c", json!(false), 2, json!(null))] {
        let sent = server.send(key, &json!({"to": "+14155550123", "body": written, "purpose": "transactional", "smart_encoding": asked})).await.json();
        assert_eq!((&sent["segments"], &sent["written"]), (&json!(segments), &kept), "{sent}");
    }
}

#[tokio::test]
async fn wrong_texts_are_refused_by_field() {
    let server = Server::new().await;
    let base = json!({"to": "+14155550199", "body": "Hi", "purpose": "transactional"});
    for (name, change, fields) in [
        ("no number", json!({"to": "call me"}), vec!["to"]),
        ("an impossible number", json!({"to": "+1415555012"}), vec!["to"]),
        ("a fixed line", json!({"to": "+442079460123"}), vec!["to"]),
        ("a wrong type", json!({"to": 14_155_550_123_i64}), vec!["to"]),
        ("an unknown purpose", json!({"purpose": "spam"}), vec!["purpose"]),
        ("an unknown field", json!({"colour": "red"}), vec!["colour"]),
        ("no text", json!({"body": null}), vec!["body"]),
        ("an empty text", json!({"body": "  "}), vec!["body"]),
        ("a long text", json!({"body": "x".repeat(1_601)}), vec!["body"]),
        ("both", json!({"template": "order_confirmed"}), vec!["body"]),
        ("an unknown template", json!({"body": null, "template": "nope"}), vec!["template"]),
        ("a missing variable", json!({"body": null, "template": "order_confirmed", "data": {}}), vec!["data"]),
        ("a bad ttl", json!({"ttl": "soon"}), vec!["ttl"]),
        ("a long ttl", json!({"ttl": "90d"}), vec!["ttl"]),
        ("an unknown program", json!({"program": "nope"}), vec!["program"]),
        ("two at once", json!({"to": "x", "body": ""}), vec!["to", "body"]),
    ] {
        let mut body = base.clone();
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        let answer = server.send("k", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", answer.text);
        assert_eq!(answer.fields(), fields, "{name}: {}", answer.text);
        assert!(!answer.text.contains("4155550199"), "{name}: no number in a problem");
    }
    assert_eq!(server.send("", &base).await.fields(), ["Idempotency-Key"]);
    assert!(server.engine.store.messages_matching(&MessageFilter::default(), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn marketing_waits_for_a_grant() {
    let server = Server::new().await;
    let text = json!({"to": "+14155550123", "body": "Sale!", "purpose": "marketing"});
    let before = server.send("a", &text).await.json();
    assert_eq!((before["status"].as_str(), before["because"].as_str().unwrap().contains("grant")), (Some("suppressed"), true), "{before}");
    let grant = json!({"address": "+14155550123", "action": "grant", "purpose": "marketing", "evidence": "ticked 'Send me offers' on /account, 2026-11-23"});
    let recorded = server.post("/v1/consent", "application/json", grant.to_string()).await;
    assert_eq!(recorded.status, StatusCode::CREATED, "{}", recorded.text);
    assert_eq!(server.send("b", &text).await.json()["status"], "queued");
    let revoke = json!({"address": "+14155550123", "action": "revoke", "evidence": "phoned us"});
    assert_eq!(server.post("/v1/consent", "application/json", revoke.to_string()).await.status, StatusCode::CREATED);
    assert_eq!(server.send("c", &text).await.json()["status"], "suppressed");
    for (body, fields) in [
        (json!({"address": "x", "action": "grant", "evidence": "e"}), vec!["address"]),
        (json!({"address": "+14155550123", "action": "grant", "evidence": ""}), vec!["evidence"]),
        (json!({"address": "+14155550123", "action": "maybe", "evidence": "e"}), vec!["action"]),
        (json!({"address": "+14155550123", "action": "grant", "evidence": "e", "occurred_at": "2030-01-01T00:00:00Z"}), vec!["occurred_at"]),
    ] {
        assert_eq!(server.post("/v1/consent", "application/json", body.to_string()).await.fields(), fields, "{body}");
    }
}

#[tokio::test]
async fn unknown_paths_and_ids_are_problems_too() {
    let server = Server::new().await;
    for path in ["/v1/nothing", "/v1/messages/msg_nope"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
    }
    let metrics = server.get("/metrics").await;
    for line in ["trunkline_backlog", "trunkline_gaps_open 0"] {
        assert!(metrics.text.contains(line), "{}", metrics.text);
    }
}
