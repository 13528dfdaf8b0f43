//! What texts from people do: in which words, in which order, at which hour, and how the timeline tells it.
//!
//! Its own file because words, ledger, answers and claims meet only in the stages; which words there are is tested in
//! `core`, and that an opt-out holds under every fault is for the simulated world.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::{Map, json};
use trunkline_connectors::hook::RawHook;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::consent::ConsentAct;
use trunkline_core::event::SourceEvent;
use trunkline_core::id::MessageId;
use trunkline_core::keyword::{Keywords, Settings};
use trunkline_core::message::Delivery;
use trunkline_core::purpose::Purpose;
use trunkline_core::source::Mapped;
use trunkline_core::time::Span;
use trunkline_engine::Engine;
use trunkline_engine::definitions::{Draft, publish_all};
use trunkline_engine::explain::explain;
use trunkline_engine::intake::SendRequest;
use trunkline_engine::receive::Received;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_engine::verify::verify;
use trunkline_sim::carrier::{Carrier, Dialect};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::{Answer, Effect};
use trunkline_store::Store;
use trunkline_store::row::{HookLane, Message, MessageFilter, Origin, RunFilter};
use trunkline_store::sqlite::{Owes, SqliteStore};

/// Ten in the morning in California.
const DAY: &str = "2026-11-23T18:00:00Z";
/// Three at night there.
const NIGHT: &str = "2026-11-23T11:00:00Z";
const NUMBER: &str = "+14155550100";
/// Its texts leave by day only.
const JOURNEY: &str = r#"
program = "acme"
purpose = "service"
correlation = "event.data.order"
[trigger]
type = "order.created"
[[step]]
id = "tell"
do = "send"
template = "order_confirmed"
[[step]]
id = "pause"
do = "wait"
for = "1h"
[[step]]
id = "done"
do = "end"
"#;

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    carrier: Carrier,
    rng: ChaCha8Rng,
}

impl Bench {
    /// A node that answers keywords itself.
    async fn new(at: &str) -> Bench {
        Bench::with(at, "").await
    }

    async fn with(at: &str, keywords: &str) -> Bench {
        let clock = Arc::new(ManualClock::at(at.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), true, Dialect::Twilio).await.unwrap()).unwrap();
        let draft = Draft::new("order", toml::from_str(JOURNEY).unwrap(), &definitions.templates);
        definitions.journeys = publish_all(store.as_ref(), clock.now(), &[draft]).await.unwrap();
        definitions.keywords = Keywords::with(&toml::from_str::<Settings>(keywords).unwrap()).unwrap();
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Bench { engine, clock, carrier: Carrier::new(Dialect::Twilio, false), rng: ChaCha8Rng::seed_from_u64(1) }
    }

    async fn send(&self, body: &str) -> MessageId {
        let request = SendRequest {
            to: NUMBER.into(),
            template: None,
            data: None,
            body: Some(body.into()),
            locale: None,
            purpose: Purpose::Transactional,
            program: None,
            ttl: None,
            labels: [].into(),
            smart_encoding: None,
        };
        self.engine.send_text("test", body, &request).await.unwrap().id
    }

    /// An order of one customer: a run that makes a text and then waits.
    async fn order(&self, order: &str) {
        let event = SourceEvent {
            id: format!("created {order}"),
            source: "/shop".into(),
            kind: "order.created".into(),
            subject: None,
            time: self.clock.now(),
            data: json!({"order": order}),
            extensions: BTreeMap::new(),
        };
        let mapped = Mapped {
            event,
            system: "shopify".into(),
            external_id: "c1".into(),
            phone: Some(NUMBER.into()),
            region: None,
            locale: None,
            attributes: Map::new(),
            labels: BTreeMap::from([("order".into(), order.into())]),
        };
        self.engine.take_mapped(mapped).await.unwrap();
        let now = self.clock.now();
        while self.engine.ingest_tick(now, 100).await.unwrap().done + self.engine.journey_tick(now, 100).await.unwrap().done > 0 {}
    }

    /// Somebody texts us, and it is applied.
    async fn hear(&mut self, number: &str, body: &str) {
        for Effect::Hook(hook) in self.carrier.reply(self.clock.now(), number, fixtures::SENDER, body, &mut self.rng) {
            let raw = RawHook { method: "POST".into(), url: hook.url, headers: hook.headers, body: hook.body };
            assert!(matches!(self.engine.receive("twilio", raw).await, Received::Accepted(_)));
        }
        assert_eq!(self.engine.inbox_tick(HookLane::Inbound, self.clock.now(), 10).await.unwrap().done, 1, "{body}");
        self.clock.advance(Span::secs(10));
    }

    async fn acts(&self, number: &str) -> Vec<ConsentAct> {
        self.engine.store.ledger(self.engine.key.address("sms", number)).await.unwrap().iter().map(|entry| entry.act).collect()
    }

    /// The texts to a number, oldest first.
    async fn texts(&self, number: &str) -> Vec<Message> {
        let filter = MessageFilter::of_address(self.engine.key.address("sms", number));
        self.engine.store.messages_matching(&filter, 100).await.unwrap().into_iter().rev().collect()
    }

    async fn confirmations(&self, number: &str) -> usize {
        self.texts(number).await.iter().filter(|m| matches!(m.intent.origin, Origin::Confirmation { .. })).count()
    }

    /// The codes of the cases that wait for somebody.
    async fn cases(&self) -> Vec<String> {
        self.engine.store.cases(100).await.unwrap().into_iter().map(|case| case.code).collect()
    }

    async fn agrees(&self) {
        assert_eq!(verify(self.engine.store.as_ref(), |_| {}).await.unwrap().differences, 0);
    }
}

#[tokio::test]
async fn each_text_does_what_it_says() {
    use ConsentAct::{Start, Stop};
    for (bodies, acts, confirmations, cases) in [
        (vec!["pls stop"], vec![Stop], 1, vec![]),
        (vec!["take me off your list"], vec![Stop], 1, vec![]),
        (vec!["STOP 12345"], vec![Stop], 1, vec![]),
        (vec!["STOP", "stop!!"], vec![Stop, Stop], 1, vec![]),
        (vec!["STOP", "START", "cancel"], vec![Stop, Start, Stop], 3, vec![]),
        (vec!["STOP", "yes"], vec![Stop, Start], 2, vec![]),
        (vec!["arrêt", "Unstop"], vec![Stop, Start], 2, vec![]),
        (vec!["baja"], vec![Stop], 1, vec![]),
        (vec!["YES"], vec![], 0, vec!["reply"]),
        (vec!["HELP"], vec![], 0, vec![]),
        (vec!["don't stop"], vec![], 0, vec!["reply"]),
        (vec!["fine"], vec![], 0, vec!["reply"]),
        (vec!["please leave me alone"], vec![], 0, vec!["revocation"]),
        (vec!["STPO"], vec![], 0, vec!["revocation"]),
        (vec!["Liked “Reply STOP to opt out”"], vec![], 0, vec!["reply"]),
    ] {
        let mut bench = Bench::new(DAY).await;
        for body in &bodies {
            bench.hear(NUMBER, body).await;
        }
        assert_eq!(bench.acts(NUMBER).await, acts, "{bodies:?}");
        assert_eq!(bench.confirmations(NUMBER).await, confirmations, "{bodies:?}");
        assert_eq!(bench.cases().await, cases, "{bodies:?}");
        bench.agrees().await;
    }
}

#[tokio::test]
async fn words_follow_the_number_and_the_configuration() {
    for (keywords, number, body, acts) in [
        ("", "+393401234567", "fine", vec![ConsentAct::Stop]),
        ("[it]\nexcept = ['FINE']", "+393401234567", "fine", vec![]),
        ("stop = ['no more offers']", NUMBER, "No more offers!", vec![ConsentAct::Stop]),
        ("free_text = 'opt_out'", NUMBER, "please leave me alone", vec![ConsentAct::Stop]),
        ("free_text = 'opt_out'", NUMBER, "STPO", vec![ConsentAct::Stop]),
        ("free_text = 'opt_out'", NUMBER, "where is my order", vec![]),
    ] {
        let mut bench = Bench::with(DAY, keywords).await;
        bench.hear(number, body).await;
        assert_eq!(bench.acts(number).await, acts, "{keywords}: {body}");
        bench.agrees().await;
    }
}

#[tokio::test]
async fn nothing_but_the_confirmation_leaves_after_a_stop_and_it_leaves_at_night() {
    let mut bench = Bench::new(NIGHT).await;
    let waiting = bench.send("your order has shipped").await;
    bench.hear(NUMBER, "Please stop!").await;
    let (calls, _) = bench.engine.claim_tick(bench.clock.now(), 10).await.unwrap();
    assert_eq!(calls.len(), 1);
    let sent: Vec<Message> = bench.texts(NUMBER).await.into_iter().filter(|m| m.id != waiting).collect();
    assert!(matches!(sent.as_slice(), [one] if matches!(one.intent.origin, Origin::Confirmation { .. }) && one.state.delivery() == Delivery::Dispatched), "{sent:?}");
    let story = explain(bench.engine.store.as_ref(), waiting).await.unwrap().unwrap();
    assert!(story.word == "canceled" && story.because.contains("Please stop!: a short text that ends with a keyword"), "{}: {}", story.word, story.because);
    bench.agrees().await;
}

#[tokio::test]
async fn the_timeline_tells_how_an_answer_was_understood() {
    for (body, code) in [("STOP", "exact"), ("s t o p", "joined"), ("stop texting me", "lenient-phrase"), ("leave me alone", "free-text"), ("Yes", "pass-through")] {
        let mut bench = Bench::new(DAY).await;
        let id = bench.send("your order has shipped").await;
        let (calls, _) = bench.engine.claim_tick(bench.clock.now(), 10).await.unwrap();
        let Answer::Reply(reply) = bench.carrier.call(bench.clock.now(), &calls[0].request, &Faults::default(), &mut bench.rng).answer else { panic!("no answer") };
        let results = vec![CallResult::of(&calls[0], Heard::Reply(Ok(reply)))];
        assert!(bench.engine.settle_tick(bench.clock.now(), results).await.1.is_empty());
        bench.hear(NUMBER, body).await;
        let story = explain(bench.engine.store.as_ref(), id).await.unwrap().unwrap();
        let codes: Vec<&str> = story.steps.iter().filter(|step| step.kind == "replied").flat_map(|step| &step.findings).map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, [code], "{body}");
        bench.agrees().await;
    }
}

#[tokio::test]
async fn a_stop_that_names_a_run_ends_that_alone_where_it_may() {
    for (keywords, body, acts, open, texts) in [
        ("scoped = true", "STOP 1042", vec![], vec!["#7"], ["canceled", "held"]),
        ("scoped = true", "STOP 99", vec![ConsentAct::Stop], vec!["#1042", "#7"], ["canceled", "canceled"]),
        ("", "STOP 1042", vec![ConsentAct::Stop], vec!["#1042", "#7"], ["canceled", "canceled"]),
    ] {
        let mut bench = Bench::with(NIGHT, keywords).await;
        for order in ["#1042", "#7"] {
            bench.order(order).await;
        }
        bench.hear(NUMBER, body).await;
        assert_eq!(bench.acts(NUMBER).await, acts, "{keywords}: {body}");
        let mut runs = bench.engine.store.runs_matching(&RunFilter { open: Some(true), ..RunFilter::default() }, 100).await.unwrap();
        runs.sort_by(|a, b| a.correlation.cmp(&b.correlation));
        assert_eq!(runs.iter().map(|run| run.correlation.as_str()).collect::<Vec<_>>(), open, "{keywords}: {body}");
        let mut found = Vec::new();
        for order in ["#1042", "#7"] {
            let of_order = bench.engine.store.messages_matching(&MessageFilter::labelled(order), 10).await.unwrap();
            found.extend(of_order.iter().map(|m| m.state.delivery().word()));
        }
        assert_eq!(found, texts, "{keywords}: {body}");
        bench.agrees().await;
    }
}
