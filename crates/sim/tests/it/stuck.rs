//! Work that no stage would ever pick up: it is found in two looks, told once, and given back.
//!
//! Its own file because each case is made by losing something that a process holds in memory only: a call, or the answer
//! to a commit. What a node does that was killed is tested in the simulated world.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use trunkline_connectors::http::Response;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::id::MessageId;
use trunkline_core::message::{self, Delivery, Event};
use trunkline_core::outcome::Outcome;
use trunkline_core::retry::Next;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::air::LEASE;
use trunkline_engine::dispatch::Call;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::command::MessageChange;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Commits, Wrapped};
use trunkline_store::{Command, Committed, Store, StoreError, Unit};

/// What goes wrong with commits that hold an event of this kind: they go in and nobody hears of it, or they do not.
#[derive(Clone, Default)]
struct Flaw(Arc<Mutex<Option<(&'static str, bool)>>>);

impl Flaw {
    fn set(&self, flaw: Option<(&'static str, bool)>) {
        *self.0.lock().unwrap() = flaw;
    }

    /// Whether these units go in though nobody hears of it; nothing if all is well.
    fn of(&self, units: &[Unit]) -> Option<bool> {
        let (kind, goes_in) = (*self.0.lock().unwrap())?;
        let concerned = |command: &Command| if let Command::PutMessage(change) = command { change.events.iter().any(|(event, _)| event.kind() == kind) } else { false };
        units.iter().any(|unit| unit.0.iter().any(concerned)).then_some(goes_in)
    }
}

#[async_trait]
impl Commits for Flaw {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        let (asked, flaw) = (units.len(), self.of(&units));
        let results = if flaw == Some(false) { Vec::new() } else { inner.commit(now, units).await };
        if flaw.is_none() { results } else { vec![Err(StoreError::Unavailable { cause: "as the test wants".to_owned() }); asked] }
    }
}

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
    flaw: Flaw,
}

impl Node {
    async fn new() -> Node {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let flaw = Flaw::default();
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let store: Arc<dyn Store> = Arc::new(Wrapped::new(plain, flaw.clone()));
        let definitions = fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap();
        let engine = Engine::start(store, clock.clone(), definitions, [7; 32]).await.unwrap();
        Node { engine, clock, flaw }
    }

    async fn text(&self, key: &str) -> MessageId {
        let request = serde_json::from_value(json!({"to": "+14155550123", "body": format!("Text {key}"), "purpose": "transactional"})).unwrap();
        self.engine.send_text("test", key, &request).await.unwrap().id
    }

    async fn claim(&self) -> Vec<Call> {
        self.engine.claim_tick(self.clock.now(), 10).await.unwrap().0
    }

    /// How many write-backs and announcements can be claimed; they are then.
    async fn outward(&self) -> (usize, usize) {
        let writes = self.engine.writeback_claim_tick(self.clock.now(), 10).await.unwrap().0;
        let tellings = self.engine.announce_claim_tick(self.clock.now(), 10).await.unwrap().0;
        (writes.len(), tellings.len())
    }

    async fn message(&self, id: MessageId) -> Message {
        self.engine.store.messages(&[id]).await.unwrap().remove(0)
    }

    /// The sweep looks, so much later.
    async fn sweep(&self, later: Span) {
        self.clock.advance(later);
        self.engine.sweep_tick(self.clock.now(), 100).await.unwrap();
    }

    /// What was told of stuck work: (of what, how often).
    async fn told(&self) -> Vec<(String, i64)> {
        let alerts = self.engine.store.alerts().await.unwrap();
        alerts.into_iter().filter(|a| a.code == "stuck_work").map(|a| (a.about, a.times)).collect()
    }

    async fn counted(&self, name: &str) -> i64 {
        self.engine.store.counters("2026-11-23").await.unwrap().into_iter().find(|c| c.name == name).map_or(0, |c| c.value)
    }
}

#[tokio::test]
async fn a_call_that_nobody_holds_is_unclear_and_asked_about() {
    let node = Node::new().await;
    let id = node.text("a").await;
    assert_eq!(node.claim().await.len(), 1);
    // As long as somebody may hold it, nobody doubts it.
    node.sweep(Span::secs(61)).await;
    node.sweep(Span::secs(59)).await;
    assert_eq!(node.message(id).await.state.delivery(), Delivery::Dispatched);
    node.sweep(LEASE).await;
    assert_eq!((node.message(id).await.state.delivery(), node.told().await), (Delivery::Dispatched, Vec::new()), "one look is not enough");
    node.sweep(Span::secs(61)).await;
    let message = node.message(id).await;
    assert_eq!(message.state.delivery(), Delivery::Unknown);
    assert!(message.state.due.is_some(), "its vendor is asked: {:?}", message.state);
    assert_eq!((node.told().await, node.counted("stuck.texts_in_the_air").await), (vec![("texts in the air".to_owned(), 1)], 1));
    // It is told once, and a look that finds nothing changes nothing.
    node.sweep(Span::secs(61)).await;
    node.sweep(Span::secs(61)).await;
    assert_eq!(node.told().await, [("texts in the air".to_owned(), 1)]);
}

#[tokio::test]
async fn an_answer_that_cannot_be_committed_is_not_stuck() {
    let node = Node::new().await;
    let id = node.text("a").await;
    let call = node.claim().await.remove(0);
    let answer = Response { status: 201, headers: Vec::new(), body: Bytes::from(r#"{"sid": "SM00000000000000000000000000000001"}"#) };
    let mut left = vec![CallResult::of(&call, Heard::Reply(Ok(answer)))];
    node.flaw.set(Some(("settled", false)));
    for _ in 0..5 {
        left = node.engine.settle_tick(node.clock.now(), left).await.1;
        assert_eq!(left.len(), 1, "it is kept");
        node.sweep(LEASE).await;
    }
    node.flaw.set(None);
    left = node.engine.settle_tick(node.clock.now(), left).await.1;
    assert_eq!((left.len(), node.message(id).await.state.delivery(), node.told().await), (0, Delivery::Accepted, Vec::new()));
}

#[tokio::test]
async fn a_claim_whose_commit_nobody_heard_of_is_found() {
    let node = Node::new().await;
    let id = node.text("a").await;
    node.flaw.set(Some(("claimed", true)));
    assert!(node.engine.claim_tick(node.clock.now(), 10).await.is_err());
    node.flaw.set(None);
    assert_eq!((node.message(id).await.state.delivery(), node.claim().await.len()), (Delivery::Dispatched, 0), "nobody will ever call it");
    node.sweep(Span::secs(61)).await;
    node.sweep(Span::secs(61)).await;
    assert_eq!((node.message(id).await.state.delivery(), node.told().await), (Delivery::Unknown, vec![("texts in the air".to_owned(), 1)]));
}

#[tokio::test]
async fn writes_and_announcements_that_nobody_holds_are_made_again() {
    let node = Node::new().await;
    node.text("a").await;
    node.clock.advance(Span::mins(1));
    let first = node.outward().await;
    assert!(first.0 > 0 && first.1 > 0, "{first:?}");
    node.sweep(Span::secs(60)).await;
    assert_eq!(node.outward().await, (0, 0), "they are in the air");
    node.sweep(LEASE).await;
    assert_eq!(node.outward().await, (0, 0), "one look is not enough");
    node.sweep(Span::secs(61)).await;
    assert_eq!(node.outward().await, first);
    let mut told = node.told().await;
    told.sort();
    assert_eq!(told, [("announcements".to_owned(), 1), ("write-backs".to_owned(), 1)]);
    assert_eq!(node.counted("stuck.write-backs").await, i64::try_from(first.0).unwrap());
}

#[tokio::test]
async fn an_unclear_text_that_nobody_asks_about_is_shown_to_somebody() {
    let node = Node::new().await;
    let id = node.text("a").await;
    node.claim().await;
    // As no stage leaves it: unknown, not to be asked about, and without a case.
    let before = node.message(id).await;
    let event = Event::Settled { n: 1, outcome: Outcome::Ambiguous { cause: "lost".to_owned() }, next: Next::Unknown { ask_at: None } };
    let now = node.clock.now();
    let state = message::apply(Some(&before.state), &event, now).unwrap();
    let change = MessageChange { message: Message { state, ..before }, events: vec![(event, None)], owes: Vec::new(), guard: None, sends: None };
    node.engine.store.commit(now, vec![Unit::one(Command::PutMessage(Box::new(change)))]).await.remove(0).unwrap();
    node.sweep(Span::secs(61)).await;
    assert!(node.engine.store.cases(10).await.unwrap().is_empty());
    node.sweep(Span::secs(61)).await;
    let cases = node.engine.store.cases(10).await.unwrap();
    assert!(cases.len() == 1 && cases[0].code == "unclear_send" && cases[0].message == Some(id), "{cases:?}");
    node.sweep(Span::secs(61)).await;
    node.sweep(Span::secs(61)).await;
    assert_eq!((node.engine.store.cases(10).await.unwrap().len(), node.told().await), (1, vec![("unclear texts".to_owned(), 1)]));
}
