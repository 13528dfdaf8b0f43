//! A store that is full: every door answers 503 with a time to come back, before anything is lost, and opens by itself.
//!
//! Its own file because all doors must do the same. The store is a real one with a limit, so that the database itself says
//! that it is full.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_core::clock::Clock;
use trunkline_core::id::EventId;
use trunkline_core::time::{Span, Time};
use trunkline_store::row::HookLane;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::{Command, Store, Unit};

use crate::hooks::{deliver, inbound};
use crate::support::{Answer, Server};

/// A server over a store that may grow by so much.
async fn limited(bytes: i64) -> (Server, Arc<SqliteStore>) {
    let store = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
    let server = Server::over(store.clone()).await;
    let used = store.room().await.unwrap().used;
    store.limit(Some(used + bytes)).await.unwrap();
    (server, store)
}

async fn event(server: &Server, n: u32, bytes: usize) -> Answer {
    let data = json!({"phone": "+14155550123", "filler": "x".repeat(bytes)});
    let event = json!({"specversion": "1.0", "id": format!("e{n}"), "source": "/erp", "type": "visit.booked", "subject": "c-1", "data": data});
    server.post("/v1/events", "application/cloudevents+json", event.to_string()).await
}

async fn text(server: &Server, key: &str) -> Answer {
    server.send(key, &json!({"to": "+14155550123", "body": "Your table is ready", "purpose": "transactional"})).await
}

async fn sweep(server: &Server) -> bool {
    server.engine.sweep_tick(server.clock.now(), 10).await.is_ok()
}

fn must_come_back(name: &str, answer: &Answer, after: &str) {
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (StatusCode::SERVICE_UNAVAILABLE, after), "{name}: {}", answer.text);
}

#[tokio::test]
async fn a_full_store_turns_everybody_away_and_loses_nothing() {
    let (server, store) = limited(600_000).await;
    let mut taken: Vec<EventId> = Vec::new();
    let refused = loop {
        let answer = event(&server, u32::try_from(taken.len()).unwrap(), 60_000).await;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        taken.push(answer.json()["event"].as_str().unwrap().parse().unwrap());
        assert!(taken.len() < 50);
    };
    must_come_back("an event", &refused, "30");
    assert_eq!((&refused.json()["code"], taken.len() > 3), (&json!("store_full"), true), "{}", refused.text);
    // From here on nobody gets as far as the disk.
    let small = event(&server, 900, 1).await;
    must_come_back("a small event", &small, "30");
    let message = text(&server, "a").await;
    must_come_back("a text", &message, "30");
    assert_eq!(message.json()["code"], "store_full");
    let hook = deliver(&server, &inbound("STOP")).await;
    must_come_back("a webhook", &hook, "30");
    assert!(store.due_hooks(HookLane::Inbound, Time(i64::MAX), 10).await.unwrap().is_empty());

    let ready = server.get("/ready").await;
    must_come_back("readiness", &ready, "30");
    assert_eq!((&ready.json()["reason"], &ready.json()["since"]), (&json!("full"), &json!("2026-11-23T18:00:00Z")), "{}", ready.text);
    assert_eq!(server.get("/health").await.status, StatusCode::OK, "the process lives");
    let metrics = server.get("/metrics").await.text;
    for line in ["trunkline_ready 0", "trunkline_store_queue 0", "trunkline_intake_refused_total{reason=\"full\"} 4", "trunkline_intake_refused_total{reason=\"busy\"} 0"] {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }

    // It stays shut while there is no room, and opens by itself once there is.
    assert!(!sweep(&server).await);
    must_come_back("readiness", &server.get("/ready").await, "30");
    store.limit(None).await.unwrap();
    server.clock.advance(Span::mins(5));
    must_come_back("readiness", &server.get("/ready").await, "30");
    assert!(sweep(&server).await);
    assert_eq!(server.get("/ready").await.json(), json!({"status": "ready"}));
    let health = server.engine.pressure().intake();
    assert_eq!((health.refusing_since, health.last.map(|(from, until)| until.since(from))), (None, Some(Span::mins(5))));
    assert_eq!(server.engine.store.events(&taken).await.unwrap().len(), taken.len(), "what was acknowledged is there");
    assert_eq!((event(&server, 900, 1).await.status, text(&server, "a").await.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(deliver(&server, &inbound("STOP")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_last_of_the_room_is_kept_for_what_is_under_way() {
    let (server, store) = limited(4_096).await;
    assert!(sweep(&server).await);
    let answer = text(&server, "a").await;
    must_come_back("a text", &answer, "30");
    let detail: Value = server.get("/ready").await.json();
    assert!(detail["detail"].as_str().unwrap().contains("max_size"), "{detail}");
    let stage = Unit::one(Command::Count(vec![("test".to_owned(), 1)]));
    server.engine.store.commit(server.clock.now(), vec![stage]).await.remove(0).unwrap();
    assert!(server.engine.store.messages_after(None, 10).await.unwrap().is_empty(), "nothing was begun");
    store.limit(None).await.unwrap();
    assert!(sweep(&server).await);
    assert_eq!(text(&server, "a").await.status, StatusCode::ACCEPTED);
}
