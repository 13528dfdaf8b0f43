//! Which events start a run, start another one, and end one before its time.
//!
//! Its own file because the rules live in three places (the definition, the ids of runs, the stage that looks at
//! events) and are kept only if these agree; the stages are the real ones over real SQL. What a step does is tested in
//! `core`, and that all of this survives crashes is for the simulated world.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::event::SourceEvent;
use trunkline_core::journey::Position;
use trunkline_core::source::Mapped;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::definitions::{Draft, publish_all};
use trunkline_sim::fixtures;
use trunkline_store::Store;
use trunkline_store::row::{Fate, Message, MessageFilter, Run, RunFilter};
use trunkline_store::sqlite::{Owes, SqliteStore};

/// Somebody in California, where it is ten in the morning when a node starts.
const PHONE: &str = "+14155550123";
const START: &str = "2026-11-23T18:00:00Z";

const WAIT: &str = "[[step]]\nid = \"pause\"\ndo = \"wait\"\nfor = \"1h\"\n";
const SEND: &str = "[[step]]\nid = \"tell\"\ndo = \"send\"\ntemplate = \"order_confirmed\"\n";

/// A journey with rules and steps of its own, for texts that leave by day only.
fn journey(rules: &str, steps: [&str; 2]) -> String {
    format!("program = \"acme\"\npurpose = \"service\"\ncorrelation = \"event.data.order\"\n{rules}\n{}", steps.concat())
}

/// A journey for each rule: it waits an hour, and then sends.
fn waiting<const N: usize>(rules: [(&'static str, &str); N]) -> [(&'static str, String); N] {
    rules.map(|(name, rules)| (name, journey(rules, [WAIT, SEND])))
}

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
    sent: u32,
}

impl Node {
    /// A node with what is shipped, or with these journeys instead.
    async fn new(journeys: &[(&str, String)]) -> Node {
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, trunkline_sim::carrier::Dialect::Twilio).await.unwrap()).unwrap();
        if !journeys.is_empty() {
            let drafts: Vec<Draft> = journeys.iter().map(|(name, text)| Draft::new(name, toml::from_str(text).unwrap(), &definitions.templates)).collect();
            definitions.journeys = publish_all(store.as_ref(), clock.now(), &drafts).await.unwrap();
        }
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Node { engine, clock, sent: 0 }
    }

    /// An event about an order of a customer, as a mapping leaves it; nothing looks at it yet.
    async fn post(&mut self, kind: &str, order: &str, customer: &str, data: Value) {
        self.sent += 1;
        let mut all = json!({"order": order, "carrier": "UPS", "tracking_url": "https://ups.example/1", "problem": "is late"});
        all.as_object_mut().unwrap().extend(data.as_object().cloned().unwrap_or_default());
        let event =
            SourceEvent { id: format!("e{}", self.sent), source: "/shop".into(), kind: kind.into(), subject: None, time: self.clock.now(), data: all, extensions: BTreeMap::new() };
        let mapped = Mapped {
            event,
            system: "shopify".into(),
            external_id: customer.into(),
            phone: Some(PHONE.into()),
            region: None,
            locale: None,
            attributes: Map::new(),
            labels: BTreeMap::from([("order".into(), order.into())]),
        };
        self.engine.take_mapped(mapped).await.unwrap();
    }

    /// The same, and everything that is due after it.
    async fn tell(&mut self, kind: &str, order: &str) {
        self.post(kind, order, "c1", json!({})).await;
        self.settle().await;
    }

    /// Lets events and runs do what is due, until nothing is.
    async fn settle(&self) {
        let now = self.clock.now();
        while self.engine.ingest_tick(now, 100).await.unwrap().done + self.engine.journey_tick(now, 100).await.unwrap().done > 0 {}
    }

    async fn later(&self, span: Span) {
        self.clock.advance(span);
        self.settle().await;
    }

    async fn runs(&self, journey: &str) -> Vec<Run> {
        self.engine.store.runs_matching(&RunFilter { journey: Some(journey.into()), ..RunFilter::default() }, 100).await.unwrap()
    }

    async fn texts(&self) -> Vec<Message> {
        self.engine.store.messages_matching(&MessageFilter::default(), 100).await.unwrap()
    }

    /// What became of the latest event: a sentence for each run.
    async fn fate(&self) -> Vec<String> {
        match self.engine.store.events_before(None, 1).await.unwrap().remove(0).fate {
            Some(Fate::Runs { runs }) => runs.into_iter().map(|(_, what)| what).collect(),
            other => panic!("{other:?}"),
        }
    }
}

const REENTRY: [(&str, &str); 4] = [
    ("once", "[trigger]\ntype = \"ping\""),
    ("after", "reentry = \"after_end\"\n[trigger]\ntype = \"ping\""),
    ("cool", "reentry = \"after_end\"\ncooldown = \"12h\"\n[trigger]\ntype = \"ping\""),
    ("always", "reentry = \"always\"\n[trigger]\ntype = \"ping\""),
];

#[tokio::test]
async fn a_journey_is_entered_again_as_its_rule_says() {
    let mut node = Node::new(&waiting(REENTRY)).await;
    for (when, wait, expect) in [
        ("the first event", Span::ZERO, [1, 1, 1, 1]),
        ("while the run is under way", Span::mins(30), [1, 1, 1, 2]),
        ("after its end", Span::mins(90), [1, 2, 1, 3]),
        ("after the cooldown", Span::hours(10), [1, 3, 2, 4]),
    ] {
        node.later(wait).await;
        node.tell("ping", "#1").await;
        for ((name, _), runs) in REENTRY.iter().zip(expect) {
            assert_eq!(node.runs(name).await.len(), runs, "{name}, {when}");
        }
    }
    node.tell("ping", "#2").await;
    let others: Vec<usize> = [node.runs("once").await, node.runs("after").await, node.runs("cool").await, node.runs("always").await].map(|r| r.len()).into();
    assert_eq!(others, [2, 4, 3, 5], "another order is another run");
    node.post("ping", "#1", "c2", json!({})).await;
    node.settle().await;
    assert_eq!(node.runs("once").await.len(), 3, "and so is another customer");
    node.later(Span::hours(2)).await;
    let runs = node.engine.store.runs_matching(&RunFilter { open: Some(true), ..RunFilter::default() }, 100).await.unwrap();
    assert!(runs.is_empty(), "{runs:?}");
    assert_eq!(node.texts().await.len(), 3 + 5 + 4 + 6, "one text for each run");
}

#[tokio::test]
async fn an_event_that_may_not_enter_says_why() {
    let mut node = Node::new(&waiting([REENTRY[1], REENTRY[2]])).await;
    node.tell("ping", "#1").await;
    node.tell("ping", "#1").await;
    let barred = node.fate().await;
    assert!(barred.len() == 2 && barred.iter().all(|what| what.contains("not entered again") && what.contains("under way")), "{barred:?}");
    node.later(Span::hours(2)).await;
    node.tell("ping", "#1").await;
    let split = node.fate().await;
    assert!(split.iter().any(|what| what.starts_with("after version 1")), "{split:?}");
    assert!(split.iter().any(|what| what.starts_with("cool was not entered again") && what.contains("cooldown")), "{split:?}");
}

#[tokio::test]
async fn events_of_one_batch_see_each_other() {
    let mut node = Node::new(&waiting(REENTRY)).await;
    for _ in 0..3 {
        node.post("ping", "#1", "c1", json!({})).await;
    }
    node.settle().await;
    for (name, expect) in [("once", 1), ("after", 1), ("cool", 1), ("always", 3)] {
        assert_eq!(node.runs(name).await.len(), expect, "{name}");
    }
}

fn canceled(run: &Run) -> &str {
    match &run.position {
        Position::Canceled { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancel_ends_the_run_of_its_customer_and_order_and_no_other() {
    let mut node = Node::new(&[]).await;
    // While it waits: no text is ever made.
    node.tell("order.shipped", "#1").await;
    for (kind, order) in [("order.cancelled", "#2"), ("delivery.completed", "#1")] {
        node.tell(kind, order).await;
        assert!(node.runs("order-shipped").await.iter().any(|r| matches!(r.position, Position::At { .. })), "{kind} of {order} is none of its business");
    }
    node.post("order.cancelled", "#1", "c2", json!({})).await;
    node.settle().await;
    assert!(node.runs("order-shipped").await.iter().any(|r| matches!(r.position, Position::At { .. })), "another customer's order of that name");
    node.tell("order.cancelled", "#1").await;
    let run = node.runs("order-shipped").await.into_iter().find(|r| r.correlation == "#1" && r.profile == node.engine.key.profile("shopify", "c1")).unwrap();
    assert!(canceled(&run).contains("order.cancelled") && !canceled(&run).contains("before it started"), "{run:?}");
    node.later(Span::hours(48)).await;
    assert!(node.texts().await.is_empty());
}

#[tokio::test]
async fn a_cancel_takes_back_the_text_that_waits_for_the_morning() {
    let rules = "ttl = \"36h\"\n[trigger]\ntype = \"ping\"\n[[cancel]]\ntype = \"pong\"";
    let mut node = Node::new(&[("night", journey(rules, [SEND, &(WAIT.replace("1h", "24h") + &SEND.replace("tell", "again"))]))]).await;
    node.clock.set("2026-11-24T06:00:00Z".parse::<Time>().unwrap());
    for order in ["#1", "#2"] {
        node.tell("ping", order).await;
    }
    node.later(Span::mins(5)).await;
    node.tell("pong", "#1").await;
    let states: BTreeMap<String, &str> = node.texts().await.iter().map(|m| (m.intent.labels["order"].clone(), m.state.delivery().word())).collect();
    assert_eq!(states, BTreeMap::from([("#1".to_owned(), "canceled"), ("#2".to_owned(), "held")]));
    let taken_back = node.texts().await.into_iter().find(|m| m.intent.labels["order"] == "#1").unwrap();
    assert!(taken_back.state.reasons.iter().any(|r| r.to_string().contains("pong")), "{:?}", taken_back.state.reasons);
    node.later(Span::hours(12)).await;
    let left: Vec<String> = node.engine.claim_tick(node.clock.now(), 10).await.unwrap().0.iter().map(|call| String::from_utf8_lossy(&call.request.body).into_owned()).collect();
    assert!(left.len() == 1 && left[0].contains("%232"), "the other one leaves in the morning: {left:?}");
}

#[tokio::test]
async fn a_cancel_comes_too_late_for_a_text_that_left() {
    let mut node = Node::new(&[]).await;
    node.tell("order.shipped", "#1").await;
    node.later(Span::mins(31)).await;
    assert_eq!(node.engine.claim_tick(node.clock.now(), 10).await.unwrap().0.len(), 1);
    node.tell("order.cancelled", "#1").await;
    assert_eq!(node.texts().await[0].state.delivery().word(), "dispatched");
}

#[tokio::test]
async fn a_cancel_that_is_heard_first_bars_a_run_of_one_time() {
    let mut node = Node::new(&[]).await;
    node.tell("order.cancelled", "#1").await;
    node.tell("order.shipped", "#1").await;
    let runs = node.runs("order-shipped").await;
    assert!(runs.len() == 1 && canceled(&runs[0]).contains("before it started"), "{runs:?}");
    node.later(Span::hours(2)).await;
    assert!(node.texts().await.is_empty());
    // Where a journey may be entered again there is trouble after the end of trouble.
    node.tell("delivery.completed", "#1").await;
    node.tell("delivery.exception", "#1").await;
    assert!(matches!(node.runs("delivery-exception").await[0].position, Position::At { .. }));
}

#[tokio::test]
async fn start_and_cancel_of_one_batch_leave_no_text_in_either_order() {
    for order in [["order.shipped", "order.cancelled"], ["order.cancelled", "order.shipped"]] {
        let mut node = Node::new(&[]).await;
        for kind in order {
            node.post(kind, "#1", "c1", json!({})).await;
        }
        node.settle().await;
        let runs = node.runs("order-shipped").await;
        assert!(runs.len() == 1 && canceled(&runs[0]).contains("order.cancelled"), "{order:?}: {runs:?}");
        node.later(Span::hours(2)).await;
        assert!(node.texts().await.is_empty(), "{order:?}");
    }
}

#[tokio::test]
async fn a_cancel_rule_may_name_another_field_and_a_condition() {
    let rules = "[trigger]\ntype = \"ping\"\n[[cancel]]\ntype = \"refund\"\ncorrelation = \"event.data.of\"\nwhen = \"event.data.full\"";
    let mut node = Node::new(&waiting([("once", rules)])).await;
    node.tell("ping", "#1").await;
    for (data, over) in [(json!({"of": "#1", "full": false}), false), (json!({"of": "#2", "full": true}), false), (json!({"of": "#1", "full": true}), true)] {
        node.post("refund", "refund of #1", "c1", data.clone()).await;
        node.settle().await;
        let run = node.runs("once").await.into_iter().find(|r| r.correlation == "#1").unwrap();
        assert_eq!(matches!(run.position, Position::Canceled { .. }), over, "{data}");
    }
    // A rule that cannot be read ends nothing, and says so.
    node.tell("ping", "#3").await;
    node.post("refund", "refund of #3", "c1", json!({"of": "#3"})).await;
    node.settle().await;
    let run = node.runs("once").await.into_iter().find(|r| r.correlation == "#3").unwrap();
    assert!(matches!(run.position, Position::At { .. }), "{run:?}");
    let alerts = node.engine.store.alerts().await.unwrap();
    assert!(alerts.iter().any(|a| a.code == "journey_cancel" && a.detail.contains("cancel.when")), "{alerts:?}");
}

#[tokio::test]
async fn a_cancel_takes_back_a_text_whose_run_is_over() {
    let mut node = Node::new(&[]).await;
    node.clock.set("2026-11-26T06:00:00Z".parse::<Time>().unwrap());
    node.tell("order.shipped", "#3").await;
    node.later(Span::mins(31)).await;
    assert_eq!(node.texts().await[0].state.delivery().word(), "held");
    node.tell("order.cancelled", "#3").await;
    assert_eq!(node.texts().await[0].state.delivery().word(), "canceled");
}

#[tokio::test]
async fn an_event_that_says_the_same_under_another_id_starts_nothing() {
    let rules = [("careful", "reentry = \"always\"\nduplicate_within = \"10m\"\n[trigger]\ntype = \"ping\""), ("trusting", "reentry = \"always\"\n[trigger]\ntype = \"ping\"")];
    let mut node = Node::new(&waiting(rules)).await;
    node.tell("ping", "#1").await;
    node.later(Span::mins(9)).await;
    node.tell("ping", "#1").await;
    assert_eq!((node.runs("careful").await.len(), node.runs("trusting").await.len()), (1, 2));
    let first = node.engine.key.event("/shop", "e1");
    assert!(node.fate().await.iter().any(|word| word.contains("careful was not entered again") && word.contains(&first.to_string())), "{:?}", node.fate().await);
    // Another payload, another person, another order: these say something else.
    node.post("ping", "#1", "c1", json!({"total": 5})).await;
    node.post("ping", "#1", "c2", json!({})).await;
    node.post("ping", "#2", "c1", json!({})).await;
    node.settle().await;
    assert_eq!(node.runs("careful").await.len(), 4);
    // The time counts from the event that started something.
    node.later(Span::mins(1)).await;
    node.tell("ping", "#1").await;
    assert_eq!(node.runs("careful").await.len(), 5);
    // Two that come at once are one.
    for _ in 0..2 {
        node.post("ping", "#3", "c1", json!({})).await;
    }
    node.settle().await;
    assert_eq!((node.runs("careful").await.len(), node.runs("trusting").await.len()), (6, 8));
}
