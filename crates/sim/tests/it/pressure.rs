//! A disk that hangs: what is new is turned away, and what a stage has to say of a call waits and is not lost.
//!
//! Its own file because it needs a store whose commits wait for somebody. What the doors answer is tested in `web`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::watch;
use trunkline_connectors::http::Response;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::message::Delivery;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::intake::{SendRequest, Unwilling};
use trunkline_engine::pressure::LONGEST_WAIT;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Commits, Wrapped};
use trunkline_store::{Committed, Store, StoreError, Unit};

/// Commits while it is open; what comes while it is shut waits.
struct Gate(watch::Receiver<bool>);

#[async_trait]
impl Commits for Gate {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        let mut open = self.0.clone();
        while !*open.borrow_and_update() {
            open.changed().await.unwrap();
        }
        inner.commit(now, units).await
    }
}

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
    gate: watch::Sender<bool>,
}

impl Node {
    async fn new() -> Node {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let (gate, opened) = watch::channel(true);
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let store: Arc<dyn Store> = Arc::new(Wrapped::new(plain, Gate(opened)));
        let definitions = fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap();
        let engine = Engine::start(store, clock.clone(), definitions, [7; 32]).await.unwrap();
        Node { engine, clock, gate }
    }

    async fn text(&self, key: &str) -> Result<trunkline_store::row::Message, Unwilling> {
        let request: SendRequest = serde_json::from_value(json!({"to": "+14155550123", "body": "Your table is ready", "purpose": "transactional"})).unwrap();
        self.engine.send_text("test", key, &request).await
    }
}

#[tokio::test]
async fn a_hanging_disk_turns_away_what_is_new_and_keeps_what_was_called() {
    let node = Node::new().await;
    let sent = node.text("a").await.unwrap();
    let (calls, _) = node.engine.claim_tick(node.clock.now(), 8).await.unwrap();
    let answer = Response { status: 201, headers: Vec::new(), body: Bytes::from(r#"{"sid": "SM00000000000000000000000000000001", "status": "queued"}"#) };
    let results: Vec<CallResult> = calls.iter().map(|call| CallResult::of(call, Heard::Reply(Ok(answer.clone())))).collect();
    assert_eq!(results.len(), 1);

    node.gate.send_replace(false);
    let settling = node.engine.settle_tick(node.clock.now(), results);
    let watching = async {
        node.clock.advance(LONGEST_WAIT);
        assert_eq!((node.engine.pressure().look(), node.engine.pressure().intake().waiting), (Ok(()), 1), "it is not long yet");
        node.clock.advance(Span::secs(1));
        // Before a byte of it: it would wait at the gate for ever.
        assert!(matches!(node.text("b").await, Err(Unwilling::Store(StoreError::Busy { .. }))));
        assert!(matches!(node.engine.take_events(&[json!({})]).await, Err(StoreError::Busy { .. })));
        node.gate.send_replace(true);
    };
    let ((_, left), ()) = tokio::join!(settling, watching);
    assert!(left.is_empty(), "the answer was kept until it could be committed");
    let message = node.engine.store.messages(&[sent.id]).await.unwrap().remove(0);
    assert_eq!(message.state.delivery(), Delivery::Accepted, "{:?}", message.state);
    node.text("b").await.unwrap();
}
