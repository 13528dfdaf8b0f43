//! One item with something wrong about it: it holds up nothing else, is put aside after a few tries, and can be replayed.
//!
//! Its own file because every queue must do the same. What is wrong is a store that refuses whatever the test names, as it
//! would a row that breaks a rule of the tables.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use serde_json::json;
use trunkline_connectors::hook::RawHook;
use trunkline_connectors::http::Response;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::id::{EventId, MessageId};
use trunkline_core::journey::Position;
use trunkline_core::message::{Delivery, Event};
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::definitions::{Draft, publish_all};
use trunkline_engine::intake::Taken;
use trunkline_engine::receive::Received;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_sim::shop::{Customer, Shop, ShopSettings};
use trunkline_store::row::{Fate, HookLane, HookState, RunFilter};
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Commits, Wrapped};
use trunkline_store::{Command, Committed, Store, StoreError, Unit};

type Wrong = Box<dyn Fn(&Command) -> bool + Send>;

/// Refuses every unit with a command like this.
#[derive(Clone, Default)]
struct Rule(Arc<Mutex<Option<Wrong>>>);

impl Rule {
    fn refuse(&self, wrong: impl Fn(&Command) -> bool + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(wrong));
    }

    fn lift(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn is_broken(&self, unit: &Unit) -> bool {
        self.0.lock().unwrap().as_ref().is_some_and(|wrong| unit.0.iter().any(wrong))
    }
}

#[async_trait]
impl Commits for Rule {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        let mut all = Vec::new();
        for unit in units {
            if self.is_broken(&unit) {
                all.push(Err(StoreError::Inconsistent { table: "some", column: "any", cause: "it breaks a rule".to_owned() }));
            } else {
                all.extend(inner.commit(now, vec![unit]).await);
            }
        }
        all
    }
}

const JOURNEY: &str = "program = \"acme\"\npurpose = \"transactional\"\ncorrelation = \"event.data.order\"\n[trigger]\ntype = \"ping\"\n\
                       [[step]]\nid = \"tell\"\ndo = \"send\"\ntemplate = \"order_confirmed\"\n";

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
    rule: Rule,
}

impl Node {
    async fn new() -> Node {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let rule = Rule::default();
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let store: Arc<dyn Store> = Arc::new(Wrapped::new(plain, rule.clone()));
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        let draft = Draft::new("told", toml::from_str(JOURNEY).unwrap(), &definitions.templates);
        definitions.journeys = publish_all(store.as_ref(), clock.now(), &[draft]).await.unwrap();
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Node { engine, clock, rule }
    }

    /// Takes an event about an order, a second after the one before.
    async fn ping(&self, n: u32) -> EventId {
        self.clock.advance(Span::secs(1));
        let data = json!({"phone": format!("+1415555{n:04}"), "customer_id": format!("c{n}"), "order": format!("#{n}")});
        let event = json!({"specversion": "1.0", "id": format!("e{n}"), "source": "/erp", "type": "ping", "data": data});
        match self.engine.take_events(&[event]).await.unwrap().remove(0) {
            Taken::Accepted(id) => id,
            Taken::Refused(why) => panic!("{why:?}"),
        }
    }

    async fn fate(&self, id: EventId) -> Option<Fate> {
        self.engine.store.events(&[id]).await.unwrap().remove(0).fate
    }

    /// What gave up: (kind, id).
    async fn dead(&self) -> Vec<(String, String)> {
        self.engine.store.dead(10).await.unwrap().into_iter().map(|d| (d.kind, d.id)).collect()
    }

    async fn alerted(&self, code: &str) -> bool {
        self.engine.store.alerts().await.unwrap().iter().any(|a| a.code == code && a.detail.contains("replay"))
    }

    async fn text(&self, n: u32) -> MessageId {
        let request = serde_json::from_value(json!({"to": format!("+1415555{n:04}"), "body": format!("Text {n}"), "purpose": "transactional"})).unwrap();
        self.engine.send_text("test", &format!("{n}"), &request).await.unwrap().id
    }

    async fn delivery(&self, id: MessageId) -> Delivery {
        self.engine.store.messages(&[id]).await.unwrap().remove(0).state.delivery()
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_worked_on_is_a_dead_letter() {
    let node = Node::new().await;
    let (bad, good, late) = (node.ping(100).await, node.ping(101).await, node.ping(102).await);
    node.rule.refuse(move |command| matches!(command, Command::FinishEvent(id, fate) if *id == bad && !matches!(fate, Fate::Dead { .. })));
    for round in 1..=5 {
        assert_eq!(node.fate(bad).await, None, "round {round}");
        node.engine.ingest_tick(node.clock.now(), 100).await.unwrap();
        assert!(node.fate(good).await.is_some() && node.fate(late).await.is_some(), "they are not held up");
    }
    assert!(matches!(node.fate(bad).await, Some(Fate::Dead { cause }) if cause.contains("5 times") && cause.contains("breaks a rule")));
    assert_eq!((node.dead().await, node.alerted("event_dead").await), (vec![("event".to_owned(), bad.to_string())], true));
    assert_eq!(node.engine.ingest_tick(node.clock.now(), 100).await.unwrap().done, 0, "the queue is empty");
    // Mended and replayed, it is worked on like any other.
    node.rule.lift();
    assert!(node.engine.replay(&bad.to_string()).await.unwrap());
    node.engine.ingest_tick(node.clock.now(), 100).await.unwrap();
    assert!(matches!(node.fate(bad).await, Some(Fate::Runs { runs }) if runs.len() == 1));
    assert!(node.dead().await.is_empty());
}

#[tokio::test]
async fn a_run_that_cannot_move_has_failed_and_can_go_on() {
    let node = Node::new().await;
    node.ping(100).await;
    node.ping(101).await;
    node.engine.ingest_tick(node.clock.now(), 100).await.unwrap();
    let filter = RunFilter { journey: Some("told".into()), ..RunFilter::default() };
    let bad = node.engine.store.runs_matching(&filter, 10).await.unwrap().into_iter().find(|r| r.correlation == "#100").unwrap().id;
    node.rule.refuse(move |command| matches!(command, Command::PutRun(run, _) if run.id == bad && !matches!(run.position, Position::Failed { .. })));
    for round in 1..=5 {
        assert!(node.dead().await.is_empty(), "round {round}");
        node.engine.journey_tick(node.clock.now(), 100).await.unwrap();
        assert_eq!(node.engine.store.messages_after(None, 10).await.unwrap().len(), 1, "the other one goes on");
    }
    assert_eq!((node.dead().await, node.alerted("run_failed").await), (vec![("run".to_owned(), bad.to_string())], true));
    node.clock.advance(Span::hours(1));
    assert_eq!(node.engine.journey_tick(node.clock.now(), 100).await.unwrap().done, 0);
    node.rule.lift();
    assert!(node.engine.replay(&bad.to_string()).await.unwrap());
    assert!(node.dead().await.is_empty());
    node.engine.journey_tick(node.clock.now(), 100).await.unwrap();
    let run = node.engine.store.runs(&[bad]).await.unwrap().remove(0);
    assert!(matches!(run.position, Position::Ended { .. }), "{run:?}");
    assert_eq!(node.engine.store.messages_after(None, 10).await.unwrap().len(), 2, "its text is made, with the time it has from now");
    assert!(!node.engine.replay(&bad.to_string()).await.unwrap(), "there is nothing to replay any more");
}

#[tokio::test]
async fn a_webhook_that_cannot_be_applied_is_a_dead_letter() {
    let node = Node::new().await;
    let url = format!("{}/hooks/shopify", fixtures::PUBLIC_URL);
    let mut shop = Shop::new(ShopSettings { secret: fixtures::SHOP_SECRET.to_owned(), hook_url: url, domain: "acme.myshopify.com".to_owned() });
    let customer = Customer { id: 7, first_name: "Ana".into(), last_name: "Test".into(), phone: Some("+14155550123".into()), locale: "en".into(), country: "US".into() };
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    for _ in 0..2 {
        let hook = shop.order_created(node.clock.now(), &customer, &mut rng);
        let raw = RawHook { method: "POST".to_owned(), url: hook.url, headers: hook.headers, body: hook.body };
        assert!(matches!(node.engine.receive("shopify", raw).await, Received::Accepted(_)));
        node.clock.advance(Span::secs(1));
    }
    let due = node.engine.store.due_hooks(HookLane::Source, node.clock.now(), 10).await.unwrap();
    assert_eq!(due.len(), 2);
    let (bad, good) = (due[0].id, due[1].id);
    node.rule.refuse(move |command| matches!(command, Command::MoveHook(id, HookState::Done, _) if *id == bad));
    for _ in 1..=5 {
        node.engine.inbox_tick(HookLane::Source, node.clock.now(), 10).await.unwrap();
        assert_eq!(node.engine.store.hook(good).await.unwrap().unwrap().state, HookState::Done, "it is not held up");
    }
    assert_eq!((node.dead().await, node.alerted("hook_dead").await), (vec![("hook".to_owned(), bad.to_string())], true));
    node.rule.lift();
    assert!(node.engine.replay(&bad.to_string()).await.unwrap());
    node.engine.inbox_tick(HookLane::Source, node.clock.now(), 10).await.unwrap();
    assert_eq!((node.engine.store.hook(bad).await.unwrap().unwrap().state, node.dead().await.len()), (HookState::Done, 0));
}

#[tokio::test]
async fn an_answer_that_cannot_be_settled_is_kept_and_holds_up_no_other() {
    let node = Node::new().await;
    let (bad, good) = (node.text(100).await, node.text(101).await);
    let calls = node.engine.claim_tick(node.clock.now(), 10).await.unwrap().0;
    assert_eq!(calls.len(), 2);
    let mut results = Vec::new();
    for (n, call) in calls.iter().enumerate() {
        let body = Bytes::from(json!({"sid": format!("SM{n:032}")}).to_string());
        results.push(CallResult::of(call, Heard::Reply(Ok(Response { status: 201, headers: Vec::new(), body }))));
    }
    let settles = |event: &Event| matches!(event, Event::Settled { .. });
    node.rule.refuse(move |command| matches!(command, Command::PutMessage(change) if change.message.id == bad && change.events.iter().any(|(event, _)| settles(event))));
    for _ in 0..7 {
        results = node.engine.settle_tick(node.clock.now(), results).await.1;
        assert_eq!(results.iter().map(|r| r.attempt.message).collect::<Vec<_>>(), [bad], "nobody else knows what it says");
        assert_eq!((node.delivery(good).await, node.delivery(bad).await), (Delivery::Accepted, Delivery::Dispatched));
    }
    node.rule.lift();
    assert!(node.engine.settle_tick(node.clock.now(), results).await.1.is_empty());
    assert_eq!(node.delivery(bad).await, Delivery::Accepted);
}
