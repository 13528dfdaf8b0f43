//! What the API shows of each noun: lists with filters and cursors, single rows, and what may be done to them.
//!
//! Its own file because all of this is read and changed after something was taken, which `api.rs` covers. It looks at
//! the router from outside; how rows are queried is the store's matter, and pages for people are the console's.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use trunkline_core::clock::Clock;
use trunkline_core::id::HookId;
use trunkline_core::time::Span;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::Effect;
use trunkline_sim::vendor::Vendor;
use trunkline_store::Command;
use trunkline_store::row::{Hook, HookLane, HookState};
use trunkline_web::api::auth::SCOPES;

use crate::support::{Answer, Server};

/// Somebody in California, where it is morning, and somebody in Australia, where it is night.
const AWAKE: &str = "+14155550123";
const ASLEEP: &str = "+61412345678";
const JSON: &str = "application/json";

/// Every operation: method, path, the scope it needs.
const OPERATIONS: [(&str, &str, &str); 21] = [
    ("post", "/v1/events", "events:write"),
    ("get", "/v1/events", "messages:read"),
    ("get", "/v1/events/{id}", "messages:read"),
    ("post", "/v1/messages", "messages:write"),
    ("get", "/v1/messages", "messages:read"),
    ("get", "/v1/messages/{id}", "messages:read"),
    ("post", "/v1/messages/{id}/cancel", "messages:write"),
    ("post", "/v1/messages/{id}/ruling", "messages:write"),
    ("get", "/v1/addresses/{value}", "messages:read"),
    ("get", "/v1/addresses/{value}/consent", "messages:read"),
    ("post", "/v1/addresses/{value}/erase", "addresses:erase"),
    ("get", "/v1/runs", "messages:read"),
    ("get", "/v1/runs/{id}", "messages:read"),
    ("put", "/v1/profiles/{system}/{external_id}", "profiles:write"),
    ("get", "/v1/profiles/{system}/{external_id}", "messages:read"),
    ("post", "/v1/consent", "consent:write"),
    ("get", "/v1/hooks", "hooks:read"),
    ("get", "/v1/hooks/refused", "hooks:read"),
    ("get", "/v1/hooks/{id}", "hooks:read"),
    ("get", "/v1/deadletters", "messages:read"),
    ("post", "/v1/deadletters/replay", "deadletters:write"),
];

/// Asks for a text about an order; gives its id.
async fn text(server: &Server, key: &str, number: &str, purpose: &str, order: &str) -> String {
    let sent = server.send(key, &json!({"to": number, "body": format!("About {order}"), "purpose": purpose, "labels": {"order": order}})).await.json();
    sent["id"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned()
}

/// An event that starts a run of `delivery-exception` for a customer, taken as far as its first wait.
async fn trouble(server: &Server, id: &str, order: &str) {
    let event = json!({"specversion": "1.0", "id": id, "source": "/logistics", "type": "delivery.exception",
        "data": {"order": order, "customer_id": "c1", "phone": AWAKE}});
    let taken = server.post("/v1/events", "application/cloudevents+json", event.to_string()).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let now = server.clock.now();
    server.engine.ingest_tick(now, 100).await.unwrap();
    server.engine.journey_tick(now, 100).await.unwrap();
}

/// A text from a phone, as the vendor posts it; signed or not. Gives the answer's status.
async fn heard(server: &Server, body: &str, signed: bool) -> StatusCode {
    let mut vendor = Vendor::new(fixtures::vendor_for(&server.engine.definitions));
    let Effect::Hook(hook) = vendor.reply(server.clock.now(), AWAKE, fixtures::SENDER, body, &mut ChaCha12Rng::seed_from_u64(1)).remove(0);
    let mut request = Request::post(hook.url.strip_prefix(fixtures::PUBLIC_URL).unwrap());
    for (name, value) in hook.headers.iter().filter(|(name, _)| signed || !name.eq_ignore_ascii_case("x-twilio-signature")) {
        request = request.header(name, value);
    }
    let status = server.ask(request.body(Body::from(hook.body)).unwrap()).await.status;
    server.engine.inbox_tick(HookLane::Inbound, server.clock.now(), 100).await.unwrap();
    status
}

async fn put(server: &Server, path: &str, body: &Value) -> Answer {
    let request = Request::put(path).header("authorization", format!("Bearer {}", server.key)).header("content-type", JSON);
    server.ask(request.body(Body::from(body.to_string())).unwrap()).await
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let name = |item: &Value| item["id"].as_str().map_or_else(|| item["number"].to_string(), str::to_owned);
    answer.json()["items"].as_array().unwrap().iter().map(name).collect()
}

/// Every row of a list, page by page.
async fn walk(server: &Server, path: &str) -> Vec<String> {
    walk_from(server, path, None).await
}

/// Every row behind a cursor.
async fn walk_from(server: &Server, path: &str, mut cursor: Option<String>) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let page = server.get(&cursor.map_or_else(|| path.to_owned(), |c| format!("{path}&cursor={c}"))).await;
        let rows = ids(&page);
        assert!((1..=4).contains(&rows.len()), "{path}: {rows:?}");
        seen.extend(rows);
        cursor = page.json()["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return seen;
        }
    }
}

/// The request of an operation, with places filled in.
async fn operate(server: &Server, method: &str, path: &str, key: &str) -> Answer {
    let path: Vec<&str> = path.split('/').map(|piece| if piece.starts_with('{') { "x" } else { piece }).collect();
    let request = Request::builder().method(method.to_uppercase().as_str()).uri(path.join("/"));
    let body = if method == "get" { Body::empty() } else { Body::from("{}") };
    server.ask(request.header("authorization", format!("Bearer {key}")).header("content-type", JSON).body(body).unwrap()).await
}

fn binary(server: &Server, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::post("/v1/events").header("authorization", format!("Bearer {}", server.key)).header("content-type", JSON);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

const BINARY: [(&str, &str); 4] = [("ce-specversion", "1.0"), ("ce-id", "e1"), ("ce-source", "/crm"), ("ce-type", "visit.booked")];

#[tokio::test]
async fn an_event_in_binary_mode_is_the_same_event() {
    let server = Server::new().await;
    let more = [("ce-subject", "caf%C3%A9 1+1=2"), ("ce-time", "2026-11-23T17:00:00Z"), ("ce-traceparent", "00-1")];
    let taken = server.ask(binary(&server, &[&BINARY[..], &more[..]].concat(), r#"{"phone": "+14155550123", "n": 7}"#)).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let id = taken.json()["event"].as_str().unwrap().to_owned();
    let structured = json!({"specversion": "1.0", "id": "e1", "source": "/crm", "type": "visit.booked", "data": {}});
    let again = server.post("/v1/events", "application/cloudevents+json", structured.to_string()).await;
    assert_eq!(again.json(), taken.json(), "one event, however it is posted");
    let shown = server.get(&format!("/v1/events/{id}")).await.json();
    for (field, expect) in [
        ("id", json!(id)),
        ("source_id", json!("e1")),
        ("source", json!("/crm")),
        ("type", json!("visit.booked")),
        ("subject", json!("café 1+1=2")),
        ("time", json!("2026-11-23T17:00:00Z")),
        ("fate", json!("waiting")),
    ] {
        assert_eq!(shown[field], expect, "{field}: {shown}");
    }
    assert_eq!(shown["data"]["n"], 7, "{shown}");
    let stored = server.engine.store.new_events(10).await.unwrap();
    assert_eq!((stored.len(), stored[0].mapped.event.extensions["traceparent"].as_str()), (1, Some("00-1")));
}

#[tokio::test]
async fn a_missing_header_is_named_as_a_header() {
    let server = Server::new().await;
    for missing in BINARY.map(|(name, _)| name) {
        let rest: Vec<(&str, &str)> = BINARY.into_iter().filter(|(name, _)| *name != missing).collect();
        let answer = server.ask(binary(&server, &rest, "{}")).await;
        assert_eq!((answer.status, answer.fields()), (StatusCode::UNPROCESSABLE_ENTITY, vec![missing.to_owned()]), "{}", answer.text);
    }
    let late = [&BINARY[..], &[("ce-time", "yesterday")]].concat();
    assert_eq!(server.ask(binary(&server, &late, "{}")).await.fields(), ["ce-time"]);
    assert_eq!(server.ask(binary(&server, &BINARY, "{\"n\": ")).await.status, StatusCode::BAD_REQUEST);
    let odd = Request::post("/v1/events").header("authorization", format!("Bearer {}", server.key)).header("content-type", "text/csv").header("ce-id", "e1");
    assert_eq!(server.ask(odd.body(Body::from("a,b")).unwrap()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(server.engine.store.new_events(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn texts_are_found_by_each_filter_and_by_all_together() {
    let server = Server::new().await;
    let early = text(&server, "a", AWAKE, "otp", "#1042").await;
    let held = text(&server, "b", ASLEEP, "service", "#1042").await;
    let refused = text(&server, "c", AWAKE, "marketing", "#1043").await;
    server.clock.advance(Span::mins(60));
    trouble(&server, "e1", "#1044").await;
    server.clock.advance(Span::mins(31));
    server.engine.journey_tick(server.clock.now(), 10).await.unwrap();
    let late = ids(&server.get("/v1/messages?since=2026-11-23T18:30:00Z").await);
    assert_eq!(late.len(), 1, "the text of the run");
    let adr = server.engine.key.address("sms", ASLEEP);
    for (query, expect) in [
        (String::new(), vec![&early, &held, &refused, &late[0]]),
        ("state=held".to_owned(), vec![&held]),
        ("state=queued".to_owned(), vec![&early, &late[0]]),
        ("state=suppressed".to_owned(), vec![&refused]),
        ("state=delivered".to_owned(), vec![]),
        ("address=%2B14155550123".to_owned(), vec![&early, &refused, &late[0]]),
        ("address=(415)+555-0123".to_owned(), vec![&early, &refused, &late[0]]),
        (format!("address={adr}"), vec![&held]),
        ("label=%231042".to_owned(), vec![&early, &held]),
        ("label=%2310".to_owned(), vec![]),
        ("journey=delivery-exception".to_owned(), vec![&late[0]]),
        ("journey=order-shipped".to_owned(), vec![]),
        ("since=2026-11-23T18:00:00Z&until=2026-11-23T18:30:00Z".to_owned(), vec![&early, &held, &refused]),
        ("until=2026-11-23T18:00:00Z".to_owned(), vec![]),
        ("label=%231042&state=queued&address=%2B14155550123&since=2026-11-23T18:00:00Z".to_owned(), vec![&early]),
    ] {
        let found: BTreeSet<String> = ids(&server.get(&format!("/v1/messages?{query}")).await).into_iter().collect();
        assert_eq!(found, expect.into_iter().cloned().collect(), "{query}");
    }
    let first = ids(&server.get("/v1/messages?limit=1").await);
    assert_eq!(first, late, "the newest comes first");
    let shown = server.get(&format!("/v1/messages/{}", late[0])).await.json();
    assert_eq!((&shown["journey"], &shown["labels"]["order"]), (&json!("delivery-exception"), &json!("#1044")));
    assert!(!shown.to_string().contains("4155550123"), "{shown}");
}

#[tokio::test]
async fn a_walk_along_cursors_sees_each_row_once() {
    let server = Server::new().await;
    for n in 0..9 {
        text(&server, &format!("k{n}"), AWAKE, "otp", "#1042").await;
        trouble(&server, &format!("e{n}"), &format!("#{n}")).await;
        assert_eq!(heard(&server, &format!("text {n}"), true).await, StatusCode::OK);
        assert_eq!(heard(&server, &format!("forged {n}"), false).await, StatusCode::FORBIDDEN);
        server.clock.advance(Span::millis(i64::from(n % 2)));
    }
    for path in [
        "/v1/messages?limit=4",
        "/v1/messages?limit=4&label=%231042",
        "/v1/messages?limit=4&address=%2B14155550123&state=queued",
        "/v1/events?limit=4",
        "/v1/runs?limit=4",
        "/v1/runs?limit=4&journey=delivery-exception&status=open",
        "/v1/hooks?limit=4",
        "/v1/hooks?limit=4&name=twilio&lane=inbound",
        "/v1/hooks/refused?limit=4",
        // Three pages that are just full: the last one says that it is.
        "/v1/messages?limit=3",
    ] {
        let seen = walk(&server, path).await;
        let each: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), each.len()), (9, 9), "{path}: {seen:?}");
    }
    // What comes in meanwhile shifts nothing: the walk goes on where it was.
    let first = server.get("/v1/messages?limit=4").await;
    server.clock.advance(Span::secs(1));
    let fresh = text(&server, "fresh", AWAKE, "otp", "#1042").await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let rest: Vec<String> = [ids(&first), walk_from(&server, "/v1/messages?limit=4", Some(next)).await].concat();
    assert!(!rest.contains(&fresh) && rest.iter().collect::<BTreeSet<_>>().len() == 9, "{rest:?}");
}

#[tokio::test]
async fn a_parameter_that_is_wrong_is_named() {
    let server = Server::new().await;
    for n in 0..2 {
        trouble(&server, &format!("e{n}"), &format!("#{n}")).await;
    }
    let foreign = server.get("/v1/runs?limit=1").await.json()["next"].as_str().unwrap().to_owned();
    for (path, field) in [
        ("/v1/messages?colour=red", "colour"),
        ("/v1/messages?status=held", "status"),
        ("/v1/messages?state=flying", "state"),
        ("/v1/messages?state=Held", "state"),
        ("/v1/messages?address=call+me", "address"),
        ("/v1/messages?since=yesterday", "since"),
        ("/v1/messages?until=", "until"),
        ("/v1/messages?limit=0", "limit"),
        ("/v1/messages?limit=many", "limit"),
        ("/v1/messages?label=a&label=b", "label"),
        ("/v1/messages?cursor=!", "cursor"),
        (&format!("/v1/messages?cursor={foreign}"), "cursor"),
        (&format!("/v1/events?cursor={foreign}"), "cursor"),
        ("/v1/events?source=/crm", "source"),
        ("/v1/runs?status=late", "status"),
        ("/v1/runs?cursor=bXNnXzE", "cursor"),
        ("/v1/hooks?lane=fast", "lane"),
        ("/v1/hooks?cursor=bXNnXzE", "cursor"),
        ("/v1/hooks/refused?cursor=bXNnXzE", "cursor"),
        ("/v1/hooks/refused?name=twilio", "name"),
        ("/v1/deadletters?limit=201", "limit"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.text);
        assert_eq!(answer.fields(), [field], "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_address_shows_its_conversation_its_ledger_and_its_runs() {
    let server = Server::new().await;
    for value in [AWAKE, "adr_nope", "nonsense"] {
        assert_eq!(server.get(&format!("/v1/addresses/{value}")).await.status, StatusCode::NOT_FOUND, "{value}");
    }
    let sent = text(&server, "a", AWAKE, "otp", "#1042").await;
    trouble(&server, "e1", "#1043").await;
    let grant = json!({"address": AWAKE, "action": "grant", "purpose": "marketing", "evidence": "ticked a box"});
    assert_eq!(server.post("/v1/consent", JSON, grant.to_string()).await.status, StatusCode::CREATED);
    server.clock.advance(Span::mins(5));
    assert_eq!(heard(&server, "STOP", true).await, StatusCode::OK);
    let shown = server.get(&format!("/v1/addresses/{AWAKE}")).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert!(!shown.text.contains("4155550123"), "the number is masked: {}", shown.text);
    let body = shown.json();
    assert_eq!(server.get(&format!("/v1/addresses/{}", body["id"].as_str().unwrap())).await.json(), body, "by its id too");
    let turns: Vec<(&str, &str, &str)> =
        body["conversation"].as_array().unwrap().iter().map(|t| (t["direction"].as_str().unwrap(), t["body"].as_str().unwrap(), t["status"].as_str().unwrap())).collect();
    assert_eq!(turns, [("to", "About #1042", "canceled"), ("from", "STOP", "stop")], "{body}");
    assert_eq!(body["conversation"][0]["id"], json!(sent));
    let acts: Vec<(&str, &str)> = body["ledger"].as_array().unwrap().iter().map(|l| (l["act"].as_str().unwrap(), l["evidence"].as_str().unwrap())).collect();
    assert_eq!(acts[0], ("grant", "ticked a box"));
    assert!(acts.len() == 2 && acts[1].0 == "stop" && acts[1].1.contains("STOP"), "{acts:?}");
    assert_eq!(body["opted_out_at"], json!("2026-11-23T18:05:00Z"));
    assert_eq!((&body["runs"][0]["journey"], &body["runs"][0]["correlation"]), (&json!("delivery-exception"), &json!("#1043")));
    assert_eq!((&body["profiles"][0]["system"], &body["profiles"][0]["external_id"]), (&json!("shopify"), &json!("c1")));
}

#[tokio::test]
async fn runs_and_events_lead_to_each_other() {
    let server = Server::new().await;
    trouble(&server, "e1", "#1042").await;
    let ignored = json!({"specversion": "1.0", "id": "e2", "source": "/crm", "type": "visit.booked", "data": {}});
    assert_eq!(server.post("/v1/events", "application/cloudevents+json", ignored.to_string()).await.status, StatusCode::ACCEPTED);
    server.engine.ingest_tick(server.clock.now(), 10).await.unwrap();
    let run = server.get("/v1/runs?status=open").await.json()["items"][0].clone();
    let events = server.get("/v1/events").await.json()["items"].clone();
    assert_eq!((&events[0]["source_id"], &events[0]["fate"]), (&json!("e2"), &json!("no_journey")), "the latest taken first");
    assert_eq!((&events[1]["fate"], &events[1]["runs"][0]["run"]), (&json!("runs"), &run["id"]));
    assert_eq!((&run["event"], &run["status"], &run["correlation"]), (&events[1]["id"], &json!("at"), &json!("#1042")));
    assert_eq!(ids(&server.get("/v1/runs?status=over").await), Vec::<String>::new());
    let over = json!({"specversion": "1.0", "id": "e3", "source": "/logistics", "type": "delivery.completed", "data": {"order": "#1042", "customer_id": "c1"}});
    assert_eq!(server.post("/v1/events", "application/cloudevents+json", over.to_string()).await.status, StatusCode::ACCEPTED);
    server.engine.ingest_tick(server.clock.now(), 10).await.unwrap();
    let ended = server.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.json();
    assert_eq!((&ended["status"], &ended["due"]), (&json!("canceled"), &Value::Null), "{ended}");
    assert!(ended["why"].as_str().unwrap().contains("delivery.completed") && ended["history"].as_array().unwrap().len() >= 3, "{ended}");
    assert_eq!((ids(&server.get("/v1/runs?status=open").await).len(), ids(&server.get("/v1/runs?status=over").await).len()), (0, 1));
    for path in ["/v1/runs/run_nope", "/v1/events/evt_nope", "/v1/hooks/hook_nope"] {
        let missing = server.get(path).await;
        assert_eq!((missing.status, missing.headers["content-type"].to_str().unwrap()), (StatusCode::NOT_FOUND, "application/problem+json"), "{path}");
    }
}

#[tokio::test]
async fn hooks_are_kept_as_received_and_refusals_with_their_reason() {
    let server = Server::new().await;
    assert_eq!(heard(&server, "where is it?", true).await, StatusCode::OK);
    assert_eq!(heard(&server, "STOP", false).await, StatusCode::FORBIDDEN);
    let listed = server.get("/v1/hooks?lane=inbound").await;
    let id = ids(&listed).remove(0);
    let shown = server.get(&format!("/v1/hooks/{id}")).await;
    assert_eq!(shown.json(), listed.json()["items"][0]);
    let body = shown.json();
    assert!(body["body"].as_str().unwrap().contains("Body=where"), "as received: {body}");
    assert_eq!((&body["name"], &body["method"], &body["lane"], &body["state"]), (&json!("twilio"), &json!("POST"), &json!("inbound"), &json!("done")));
    let headers: Vec<&str> = body["headers"].as_array().unwrap().iter().map(|h| h.as_str().unwrap()).collect();
    assert!(headers.iter().any(|h| h.to_lowercase().starts_with("x-twilio-signature: ") && h.chars().count() < 40), "the signature is hidden: {headers:?}");
    let refused = server.get("/v1/hooks/refused").await;
    let row = refused.json()["items"][0].clone();
    assert!(row["reason"].as_str().unwrap().contains("missing") && row["request"].as_str().unwrap().contains("/hooks/twilio"), "{row}");
    assert!(row["body"].as_str().unwrap().contains("Body=STOP"), "{row}");
    for text in [&listed.text, &refused.text] {
        assert!(!text.contains("4155550123"), "numbers are hidden: {text}");
    }
}

/// Files a hook that gave up, the nth.
async fn dead_hook(server: &Server, n: u8) -> String {
    let id = HookId::new(1, server.clock.now(), [n; 16]);
    let hook = Hook {
        id,
        name: "twilio".into(),
        lane: HookLane::Receipt,
        method: "POST".into(),
        url: "https://trunkline.test/hooks/twilio".into(),
        headers: Vec::new(),
        body: b"MessageStatus=delivered".to_vec(),
        received_at: server.clock.now(),
        state: HookState::Dead,
        tries: 3,
        note: "no attempt of ours is known as SM1".into(),
    };
    server.put(Command::PutHook(Box::new(hook))).await;
    id.to_string()
}

#[tokio::test]
async fn dead_letters_are_listed_and_put_back_to_work() {
    let server = Server::new().await;
    assert_eq!(ids(&server.get("/v1/deadletters").await), Vec::<String>::new());
    let (one, two) = (dead_hook(&server, 1).await, dead_hook(&server, 2).await);
    let listed = server.get("/v1/deadletters").await;
    assert_eq!(ids(&listed).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([one.clone(), two.clone()]));
    assert_eq!((&listed.json()["items"][0]["kind"], &listed.json()["items"][0]["cause"]), (&json!("hook"), &json!("no attempt of ours is known as SM1")));
    let replay = |ids: Value| server.post("/v1/deadletters/replay", JSON, json!({"ids": ids}).to_string());
    assert_eq!(replay(json!([one, "hook_nope", "crm/nothing"])).await.json(), json!({"replayed": 1, "not_found": ["hook_nope", "crm/nothing"]}));
    assert_eq!(server.get(&format!("/v1/hooks/{one}")).await.json()["state"], "waiting");
    assert_eq!(ids(&server.get("/v1/deadletters").await), [two]);
    assert_eq!(replay(json!([one])).await.json()["not_found"], json!([one]), "what works is not replayed");
    let acts: Vec<String> = server.engine.store.audits(None, 10).await.unwrap().into_iter().map(|a| format!("{} {}", a.act, a.about)).collect();
    assert_eq!(acts, [format!("replayed {one}")], "on record, once");
    let many: Vec<String> = (0..201).map(|n| n.to_string()).collect();
    for (ids, field) in [(json!([]), "ids"), (json!(many), "ids"), (json!("all"), "ids"), (json!([7]), "ids[0]")] {
        let answer = replay(ids).await;
        assert_eq!((answer.status, answer.fields()), (StatusCode::UNPROCESSABLE_ENTITY, vec![field.to_owned()]), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_text_is_taken_back_until_it_leaves() {
    let server = Server::new().await;
    let cancel = async |id: &str| server.post(&format!("/v1/messages/{id}/cancel"), JSON, "").await;
    let held = text(&server, "a", ASLEEP, "service", "#1042").await;
    let queued = text(&server, "b", AWAKE, "otp", "#1043").await;
    for id in [&held, &queued, &held] {
        let answer = cancel(id).await;
        assert_eq!((answer.status, &answer.json()["delivery"]), (StatusCode::OK, &json!("canceled")), "{}", answer.text);
    }
    let story = server.get(&format!("/v1/messages/{queued}")).await;
    assert!(story.text.contains("ancelled by key"), "{}", story.text);
    let (calls, _) = server.engine.claim_tick(server.clock.now(), 10).await.unwrap();
    assert!(calls.is_empty(), "nothing of it leaves");
    let left = text(&server, "c", AWAKE, "otp", "#1044").await;
    let refused = text(&server, "d", AWAKE, "marketing", "#1045").await;
    assert_eq!(server.engine.claim_tick(server.clock.now(), 10).await.unwrap().0.len(), 1);
    for (id, state) in [(&left, "dispatched"), (&refused, "suppressed")] {
        let answer = cancel(id).await;
        let body = answer.json();
        assert_eq!((answer.status, body["code"].as_str(), answer.headers["content-type"].to_str().unwrap()), (StatusCode::CONFLICT, Some("too_late"), "application/problem+json"));
        assert!(body["detail"].as_str().unwrap().contains(state), "{body}");
        assert_eq!(server.get(&format!("/v1/messages/{id}")).await.json()["delivery"], json!(state), "nothing changed");
    }
    assert_eq!(cancel("msg_nope").await.status, StatusCode::NOT_FOUND);
    let acts: BTreeSet<String> = server.engine.store.audits(None, 10).await.unwrap().into_iter().map(|a| format!("{} {}", a.act, a.about)).collect();
    assert_eq!(acts, [&held, &queued].map(|id| format!("canceled {id}")).into());
}

#[tokio::test]
async fn a_field_belongs_to_one_system_and_other_writes_are_kept_beside_it() {
    let server = Server::new().await;
    let path = "/v1/profiles/shopify/c1";
    assert_eq!(server.get(path).await.status, StatusCode::NOT_FOUND);
    let own = put(&server, path, &json!({"phone": AWAKE, "locale": "fr-CA", "attributes": {"first_name": "Ada", "tier": "gold"}})).await;
    assert_eq!((own.status, own.json()["conflicts"].clone()), (StatusCode::OK, json!([])), "{}", own.text);
    server.clock.advance(Span::mins(1));
    let foreign = json!({"written_by": "crm", "phone": ASLEEP, "locale": "de", "attributes": {"first_name": "Eve", "tier": "silver", "note": "calls back"}});
    for times in 1..=2 {
        let body = put(&server, path, &foreign).await.json();
        assert_eq!((&body["attributes"], &body["locale"]), (&json!({"first_name": "Ada", "tier": "silver", "note": "calls back"}), &json!("fr-CA")), "{body}");
        assert_eq!(body["address"], own.json()["address"], "the number did not change hands");
        let noted = body["conflicts"].as_array().unwrap();
        let conflicts: Vec<(&str, &str, i64)> = noted.iter().map(|c| (c["field"].as_str().unwrap(), c["written_by"].as_str().unwrap(), c["times"].as_i64().unwrap())).collect();
        assert_eq!(conflicts, ["attributes.first_name", "locale", "phone"].map(|field| (field, "crm", times)), "{body}");
        for conflict in noted {
            assert_eq!(conflict["owner"], "shopify", "{conflict}");
            let owner = server.engine.definitions.systems.get(conflict["owner"].as_str().unwrap());
            assert!(owner.is_some_and(|o| o.owns.iter().any(|f| conflict["field"] == f.as_str())), "the owner is one that owns it: {conflict}");
        }
        assert_eq!((&body["conflicts"][0]["value"], &body["conflicts"][1]["value"]), (&json!("Eve"), &json!("de")));
        assert!(!body.to_string().contains("412345678"), "the number is masked there too: {body}");
        assert_eq!(server.get(path).await.json(), body, "and it is shown to whoever reads");
    }
    let cleared = put(&server, path, &json!({"attributes": {"note": null}})).await.json();
    assert_eq!((&cleared["attributes"], &cleared["locale"]), (&json!({"first_name": "Ada", "tier": "silver"}), &json!("fr-CA")), "what is absent stays");
    for (body, field) in [
        (json!({"phone": "call me"}), "phone"),
        (json!({"phone": "+442079460123"}), "phone"),
        (json!({"region": "USA"}), "region"),
        (json!({"locale": ""}), "locale"),
        (json!({"written_by": ""}), "written_by"),
        (json!({"colour": "red"}), "colour"),
        (json!({"attributes": []}), "attributes"),
    ] {
        let answer = put(&server, path, &body).await;
        assert_eq!((answer.status, answer.fields()), (StatusCode::UNPROCESSABLE_ENTITY, vec![field.to_owned()]), "{body}: {}", answer.text);
    }
    assert_eq!(server.get(path).await.json(), cleared, "a refused write changes nothing");
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_one_it_lacks() {
    let server = Server::new().await;
    for (method, path, scope) in OPERATIONS {
        let others: Vec<String> = SCOPES.iter().filter(|s| **s != scope).map(|s| (*s).to_owned()).collect();
        let weak = server.mint(&others).await;
        let answer = operate(&server, method, path, &weak).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (StatusCode::FORBIDDEN, json!("forbidden")), "{method} {path}: {}", answer.text);
        assert!(answer.json()["detail"].as_str().unwrap().contains(&format!("'{scope}'")), "{method} {path}: {}", answer.text);
        let just = server.mint(&[scope.to_owned()]).await;
        let answer = operate(&server, method, path, &just).await;
        assert!(!matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED), "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_description_names_every_route_with_its_scope() {
    let server = Server::new().await;
    let api = server.ask(Request::get("/v1/openapi.json").body(Body::empty()).unwrap()).await.json();
    assert_eq!(api["openapi"], "3.1.0");
    let described: BTreeSet<(String, String, String)> = api["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, operation)| (method, path, operation)))
        .map(|(method, path, operation)| (method.clone(), path.clone(), operation["security"][0]["key"][0].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(described, OPERATIONS.map(|(method, path, scope)| (method.to_owned(), path.to_owned(), scope.to_owned())).into());
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "patch", "delete"] {
            let status = operate(&server, method, path, "nobody").await.status;
            let expect = if item.get(method).is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::METHOD_NOT_ALLOWED };
            assert_eq!(status, expect, "{method} {path}: a route is described, or is not there");
        }
    }
}

#[tokio::test]
async fn the_reference_is_complete_and_needs_no_other_host() {
    let server = Server::new().await;
    let page = server.ask(Request::get("/docs").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!page.text.contains("<script") && !page.text.contains("@import") && !page.text.contains("url("), "nothing inline that loads");
    for (method, path, scope) in OPERATIONS {
        assert!(page.text.contains(&format!("{} {path}", method.to_uppercase())) && page.text.contains(scope), "{method} {path}");
    }
    let mut loaded = 0;
    for reference in ["href=\"", "src=\"", "action=\""].iter().flat_map(|mark| page.text.split(mark).skip(1)).map(|rest| rest.split('"').next().unwrap()) {
        if let Some(anchor) = reference.strip_prefix('#') {
            assert!(page.text.contains(&format!("id=\"{anchor}\"")), "#{anchor} leads nowhere");
            continue;
        }
        assert!(reference.starts_with('/') && !reference.starts_with("//"), "{reference} is on another host");
        assert_eq!(server.ask(Request::get(reference).body(Body::empty()).unwrap()).await.status, StatusCode::OK, "{reference}");
        loaded += 1;
    }
    assert!(loaded >= 3, "the style sheet, the icon and the description");
}
