//! The same words to one person again and again do not leave, and somebody hears of it once.
//!
//! Its own file because the rule is kept at two places: when a text is made, and when it is claimed, since many may be made
//! in the same instant. What is too much is tested in `core`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, json};
use trunkline_connectors::http::Response;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::event::SourceEvent;
use trunkline_core::message::Delivery;
use trunkline_core::source::Mapped;
use trunkline_core::time::Span;
use trunkline_engine::Engine;
use trunkline_engine::definitions::{Draft, publish_all};
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::Store;
use trunkline_store::row::{Message, MessageFilter};
use trunkline_store::sqlite::{Owes, SqliteStore};

const PHONE: &str = "+14155550123";
/// One text for each event.
const CIRCLE: &str = "program = \"acme\"\npurpose = \"transactional\"\ncorrelation = \"event.data.order\"\nreentry = \"always\"\n[trigger]\ntype = \"ping\"\n\
                      [[step]]\nid = \"tell\"\ndo = \"send\"\ntemplate = \"order_confirmed\"\n";

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
}

impl Node {
    async fn new() -> Node {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        let circle = Draft::new("circle", toml::from_str(CIRCLE).unwrap(), &definitions.templates);
        definitions.journeys = publish_all(store.as_ref(), clock.now(), &[circle]).await.unwrap();
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Node { engine, clock }
    }

    /// Makes a text, a second after the one before; its state.
    async fn send(&self, to: &str, body: &str, purpose: &str) -> Delivery {
        self.clock.advance(Span::secs(1));
        let request = serde_json::from_value(json!({"to": to, "body": body, "purpose": purpose})).unwrap();
        let made = self.engine.send_text("test", &self.clock.now().to_string(), &request).await.unwrap();
        made.state.delivery()
    }

    /// Lets every text leave that may, one round after the other.
    async fn work(&self) {
        for n in 0..50 {
            let (calls, tick) = self.engine.claim_tick(self.clock.now(), 64).await.unwrap();
            if calls.is_empty() && tick.done == 0 {
                return;
            }
            let mut results = Vec::new();
            for (m, call) in calls.iter().enumerate() {
                let body = Bytes::from(json!({"sid": format!("SM{n:016}{m:016}")}).to_string());
                results.push(CallResult::of(call, Heard::Reply(Ok(Response { status: 201, headers: Vec::new(), body }))));
            }
            assert!(self.engine.settle_tick(self.clock.now(), results).await.1.is_empty());
            // The rate's tokens come back.
            self.clock.advance(Span::secs(1));
        }
        panic!("it never ends");
    }

    async fn texts(&self) -> Vec<Message> {
        self.engine.store.messages_matching(&MessageFilter::default(), 100).await.unwrap()
    }

    /// How often the loop was told: (open alerts, raised in all, open cases).
    async fn told(&self) -> (usize, i64, usize) {
        let alerts: Vec<i64> = self.engine.store.alerts().await.unwrap().into_iter().filter(|a| a.code == "looping").map(|a| a.times).collect();
        let cases = self.engine.store.cases(100).await.unwrap().into_iter().filter(|c| c.code == "looping").count();
        (alerts.len(), alerts.iter().sum(), cases)
    }
}

#[tokio::test]
async fn the_fourth_of_the_same_words_is_not_sent_and_told_once() {
    let node = Node::new().await;
    for _ in 0..3 {
        assert_eq!(node.send(PHONE, "Your parcel is late.", "transactional").await, Delivery::Queued);
    }
    assert_eq!(node.told().await, (0, 0, 0));
    for times in 1..=3 {
        assert_eq!(node.send(PHONE, "Your parcel is late.", "transactional").await, Delivery::Suppressed);
        assert_eq!(node.told().await, (1, times, 1), "once for each address");
    }
    let stopped = node.texts().await.remove(0);
    assert_eq!(stopped.state.reasons.first().map(trunkline_core::reason::Reason::code), Some("looping_guard"), "{:?}", stopped.state.reasons);
    // Other words, another purpose, somebody else: nothing goes in a circle there.
    assert_eq!(node.send(PHONE, "Your parcel is here.", "transactional").await, Delivery::Queued);
    assert_eq!(node.send("+14155550124", "Your parcel is late.", "transactional").await, Delivery::Queued);
    node.work().await;
    assert_eq!(node.texts().await.iter().filter(|m| m.state.delivery() == Delivery::Accepted).count(), 5);
    // An hour later it may be said again.
    node.clock.advance(Span::mins(59));
    assert_eq!(node.send(PHONE, "Your parcel is late.", "transactional").await, Delivery::Suppressed);
    node.clock.advance(Span::mins(1));
    assert_eq!(node.send(PHONE, "Your parcel is late.", "transactional").await, Delivery::Queued);
}

#[tokio::test]
async fn many_that_are_made_at_once_are_stopped_when_they_would_leave() {
    let node = Node::new().await;
    for n in 0..8 {
        let event = SourceEvent {
            id: format!("e{n}"),
            source: "/shop".into(),
            kind: "ping".into(),
            subject: None,
            time: node.clock.now(),
            data: json!({"order": "#1"}),
            extensions: BTreeMap::new(),
        };
        let mapped = Mapped {
            event,
            system: "shopify".into(),
            external_id: "c1".into(),
            phone: Some(PHONE.into()),
            region: None,
            locale: None,
            attributes: Map::new(),
            labels: BTreeMap::new(),
        };
        node.engine.take_mapped(mapped).await.unwrap();
    }
    node.engine.ingest_tick(node.clock.now(), 100).await.unwrap();
    node.engine.journey_tick(node.clock.now(), 100).await.unwrap();
    let queued = node.texts().await.iter().filter(|m| m.state.delivery() == Delivery::Queued).count();
    assert_eq!(queued, 8, "none of them was there when the others were made");
    node.work().await;
    let count = |texts: &[Message], delivery: Delivery| texts.iter().filter(|m| m.state.delivery() == delivery).count();
    let texts = node.texts().await;
    assert_eq!((count(&texts, Delivery::Accepted), count(&texts, Delivery::Suppressed)), (3, 5));
    assert_eq!(node.told().await, (1, 5, 1));
    // The next one is stopped when it is made.
    assert_eq!(node.send(PHONE, &texts[0].intent.body, "transactional").await, Delivery::Suppressed);
}

#[tokio::test]
async fn codes_are_counted_whatever_they_say() {
    let node = Node::new().await;
    for n in 0..10 {
        assert_eq!(node.send(PHONE, &format!("Your code is {n}."), "otp").await, Delivery::Queued);
    }
    assert_eq!(node.send(PHONE, "Your code is 11.", "otp").await, Delivery::Suppressed);
    assert_eq!(node.send(PHONE, "Your parcel is here.", "transactional").await, Delivery::Queued, "codes are limited, and not what they crowd out");
    node.clock.advance(Span::mins(10));
    assert_eq!(node.send(PHONE, "Your code is 12.", "otp").await, Delivery::Queued);
}
