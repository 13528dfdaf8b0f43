//! Webhooks that are lost for good, vendor by vendor: what the lists bring, and that no text leaves before.
//!
//! Its own file because each vendor shows another case: one list for each of our senders, one list of everything, no
//! list at all. The stages, the SQL and the dialects are the real ones; crashes in between are the simulated world's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::hook::RawHook;
use trunkline_connectors::http::{Phase, Reply, Request, TransportError};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::gap::Cause;
use trunkline_core::id::{HookId, MessageId, hash16};
use trunkline_core::message::Delivery;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::gap::{LISTED, ListResult};
use trunkline_engine::intake::SendRequest;
use trunkline_engine::receive::Received;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::{Carrier, Dialect};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::{Answer, Effect, OutgoingHook};
use trunkline_store::row::{Address, Hook, HookFilter, HookLane, HookState};
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Commits, Wrapped};
use trunkline_store::{Command, Committed, Store, StoreError, Unit};

/// Ten in the morning in California, whose number it is.
const START: &str = "2026-11-23T18:00:00Z";
const PHONE: &str = "+14155550100";

/// A disk that is full as long as it is told so.
#[derive(Clone, Default)]
struct Full(Arc<AtomicBool>);

#[async_trait]
impl Commits for Full {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        if self.0.load(Ordering::SeqCst) {
            return units.iter().map(|_| Err(StoreError::Unavailable { cause: "the disk is full".into() })).collect();
        }
        inner.commit(now, units).await
    }
}

struct Bench {
    store: Arc<dyn Store>,
    full: Full,
    engine: Engine,
    clock: Arc<ManualClock>,
    dialect: Dialect,
    carrier: Carrier,
    faults: Faults,
    rng: ChaCha8Rng,
}

async fn engine(store: &Arc<dyn Store>, clock: &Arc<ManualClock>, dialect: Dialect) -> Engine {
    let definitions = fixtures::definitions(store.as_ref(), clock.now(), false, dialect).await.unwrap();
    Engine::start(store.clone(), clock.clone(), definitions, [7; 32]).await.unwrap()
}

impl Bench {
    async fn new(dialect: Dialect) -> Bench {
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let full = Full::default();
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let store: Arc<dyn Store> = Arc::new(Wrapped::new(plain, full.clone()));
        let engine = engine(&store, &clock, dialect).await;
        Bench { store, full, engine, clock, dialect, carrier: Carrier::new(dialect, true), faults: Faults::default(), rng: ChaCha8Rng::seed_from_u64(1) }
    }

    /// The next generation over the same store.
    async fn restart(&mut self) {
        self.engine = engine(&self.store, &self.clock, self.dialect).await;
        while self.engine.take_over(self.now(), 100).await.unwrap() > 0 {}
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    async fn send(&self, body: &str) -> MessageId {
        let request = SendRequest {
            to: PHONE.into(),
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

    fn call(&mut self, request: &Request) -> Reply {
        // Whoever wants to tell us of it afterwards gives up.
        match self.carrier.call(self.clock.now(), request, &self.faults, &mut self.rng).answer {
            Answer::Reply(response) => Ok(response),
            Answer::Hang => Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() }),
            Answer::Refuse => Err(TransportError { phase: Phase::Connect, detail: "connection refused".into() }),
        }
    }

    /// Claims what may leave and hands it over; how many texts that were.
    async fn claim(&mut self) -> usize {
        let (calls, _) = self.engine.claim_tick(self.now(), 10).await.unwrap();
        let results = calls.iter().map(|call| CallResult::of(call, Heard::Reply(self.call(&call.request)))).collect();
        assert!(self.engine.settle_tick(self.now(), results).await.1.is_empty());
        calls.len()
    }

    /// Reads the pages that are due and works on what they show, until nothing is left to do at this instant.
    async fn catch_up(&mut self) {
        loop {
            let (calls, tick) = self.engine.gap_tick(self.now(), 4).await.unwrap();
            let results: Vec<ListResult> = calls.iter().map(|call| ListResult::of(call, self.call(&call.request))).collect();
            assert!(self.engine.gap_settle_tick(self.now(), results).await.1.is_empty());
            let done = tick.done + self.work(HookLane::Inbound).await + self.work(HookLane::Receipt).await;
            if done == 0 {
                return;
            }
        }
    }

    async fn work(&self, lane: HookLane) -> usize {
        self.engine.inbox_tick(lane, self.now(), 50).await.unwrap().done
    }

    /// She texts our sender; the hook that would tell of it.
    fn says(&mut self, body: &str) -> OutgoingHook {
        let effects = self.carrier.reply(self.clock.now(), PHONE, fixtures::SENDER, body, &mut self.rng);
        let Some(Effect::Hook(hook)) = effects.into_iter().next() else { panic!("a hook") };
        hook
    }

    async fn receive(&self, hook: &OutgoingHook) -> Received {
        let raw = RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() };
        self.engine.receive(self.dialect.name(), raw).await
    }

    async fn hear(&self, hook: &OutgoingHook) {
        assert!(matches!(self.receive(hook).await, Received::Accepted(_)));
    }

    async fn delivery(&self, id: MessageId) -> Delivery {
        self.store.messages(&[id]).await.unwrap().remove(0).state.delivery()
    }

    async fn address(&self) -> Address {
        self.store.addresses(&[self.engine.key.address("sms", PHONE)]).await.unwrap().remove(0)
    }

    /// Open alerts about gaps, with how often each was raised.
    async fn alerts(&self) -> Vec<(String, i64)> {
        self.store.alerts().await.unwrap().into_iter().filter(|a| a.code.starts_with("gap_")).map(|a| (a.code, a.times)).collect()
    }

    /// Whether the account's texts wait.
    async fn holds(&self) -> bool {
        self.store.gaps().await.unwrap().iter().any(|gap| gap.holds)
    }
}

#[tokio::test]
async fn a_first_start_misses_nothing() {
    let mut bench = Bench::new(Dialect::Twilio).await;
    bench.send("one").await;
    assert_eq!((bench.store.gaps().await.unwrap(), bench.claim().await), (vec![], 1));
}

#[tokio::test]
async fn a_stop_and_a_receipt_that_nobody_took_are_found() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        let first = bench.send("first").await;
        assert_eq!(bench.claim().await, 1);
        let waiting = bench.send("second").await;
        bench.clock.advance(Span::mins(3));
        // The vendor takes no notice of it: we are the only ones who can.
        let late = bench.says("Stop!");
        bench.clock.advance(Span::secs(30));
        bench.restart().await;

        assert_eq!(bench.claim().await, 0, "{dialect:?}: nothing leaves before the lists are read");
        assert_eq!((bench.delivery(first).await, bench.delivery(waiting).await), (Delivery::Accepted, Delivery::Queued), "{dialect:?}");
        bench.catch_up().await;
        assert!(!bench.holds().await, "{dialect:?}");
        assert_eq!(bench.claim().await, 0, "{dialect:?}");
        assert_eq!((bench.delivery(first).await, bench.delivery(waiting).await), (Delivery::Delivered, Delivery::Canceled), "{dialect:?}");
        let third = bench.send("third").await;
        assert_eq!((bench.delivery(third).await, bench.carrier.accepted().len()), (Delivery::Suppressed, 1), "{dialect:?}");
        assert_eq!(bench.alerts().await, vec![], "{dialect:?}");

        // She said it when she said it; the webhook that comes after all is a copy, and what proves it is kept.
        assert!(bench.address().await.consent.stopped.is_some_and(|stop| stop.at <= bench.now() - Span::secs(30)), "{dialect:?}");
        bench.hear(&late).await;
        bench.catch_up().await;
        assert_eq!(bench.store.ledger(bench.address().await.id).await.unwrap().len(), 1, "{dialect:?}");
        let hooks = bench.store.hooks(&HookFilter { name: Some(dialect.name().into()), ..HookFilter::default() }, 50).await.unwrap();
        // A page and an item of each list.
        assert_eq!(hooks.iter().filter(|hook| hook.method == LISTED).count(), 4, "{dialect:?}: {hooks:?}");
        assert!(hooks.iter().all(|hook| hook.state == HookState::Done), "{dialect:?}: {hooks:?}");
    }
}

/// Others may share the account: what they are told is none of ours, but for a STOP, in whatever language.
#[tokio::test]
async fn a_stop_to_somebody_elses_sender_is_a_stop() {
    for (body, stopped) in [("Stop!", true), ("pls stop", true), ("arrêt", true), ("wypisz", true), ("Alto", true), ("Where is it?", false), ("don't stop", false)] {
        let mut bench = Bench::new(Dialect::Sinch).await;
        bench.send("one").await;
        bench.clock.advance(Span::mins(3));
        bench.carrier.reply(bench.clock.now(), PHONE, "+15005550999", body, &mut bench.rng);
        bench.clock.advance(Span::secs(30));
        bench.restart().await;
        bench.catch_up().await;
        let address = bench.address().await;
        assert_eq!(address.consent.stopped.is_some(), stopped, "{body}");
        assert_eq!(bench.store.inbound_of(address.id, 10).await.unwrap().len(), usize::from(stopped), "{body}");
    }
}

#[tokio::test]
async fn where_there_is_no_list_somebody_is_told_and_texts_go_on() {
    let mut bench = Bench::new(Dialect::Telnyx).await;
    let first = bench.send("first").await;
    assert_eq!(bench.claim().await, 1);
    let waiting = bench.send("second").await;
    bench.clock.advance(Span::mins(3));
    bench.says("STOP");
    bench.restart().await;
    assert_eq!(bench.claim().await, 0);
    bench.catch_up().await;
    assert_eq!((bench.alerts().await, bench.store.gaps().await.unwrap()), (vec![("gap_unlistable".to_owned(), 1)], vec![]));
    // The vendor has heard her, and refuses: that is on the ledger too.
    assert_eq!((bench.claim().await, bench.carrier.accepted().len()), (1, 1));
    assert_eq!((bench.delivery(first).await, bench.delivery(waiting).await), (Delivery::Accepted, Delivery::Failed));
    assert_eq!(bench.address().await.consent.blocks.len(), 1);
}

#[tokio::test]
async fn what_could_not_be_stored_is_read_before_the_next_claim() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        let waiting = bench.send("one").await;
        let hook = bench.says("Stop!");
        bench.full.0.store(true, Ordering::SeqCst);
        assert_eq!(bench.receive(&hook).await, Received::Unavailable);
        bench.full.0.store(false, Ordering::SeqCst);
        // Not even on disk yet, and nothing leaves.
        assert_eq!((bench.claim().await, bench.store.gaps().await.unwrap().len()), (0, 0), "{dialect:?}");
        bench.catch_up().await;
        assert_eq!((bench.holds().await, bench.claim().await), (false, 0), "{dialect:?}");
        assert_eq!(bench.delivery(waiting).await, Delivery::Canceled, "{dialect:?}");
    }
}

#[tokio::test]
async fn true_webhooks_that_were_refused_are_made_up_for() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        let waiting = bench.send("one").await;
        let stop = bench.says("Stop!");
        // Whatever the reason is that the signature does not fit.
        let wrong = OutgoingHook { body: Bytes::from_static(b"{}"), ..stop };
        for _ in 0..3 {
            assert_eq!(bench.receive(&wrong).await, Received::Refused);
        }
        bench.clock.advance(Span::mins(2));
        let hook = bench.says("Where is it?");
        bench.hear(&hook).await;
        assert_eq!(bench.claim().await, 0, "{dialect:?}");
        bench.engine.gap_tick(bench.now(), 0).await.unwrap();
        let causes: Vec<Cause> = bench.store.gaps().await.unwrap().iter().map(|gap| gap.cause).collect();
        assert_eq!(causes, [Cause::Refused], "{dialect:?}");
        bench.catch_up().await;
        assert_eq!((bench.holds().await, bench.claim().await), (false, 0), "{dialect:?}");
        assert_eq!(bench.delivery(waiting).await, Delivery::Canceled, "{dialect:?}");
    }
}

#[tokio::test]
async fn an_account_waits_for_lists_that_cannot_be_read() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        bench.send("one").await;
        bench.restart().await;
        bench.faults = Faults { server_error_permille: 1_000, ..Faults::default() };
        for _ in 0..48 {
            bench.catch_up().await;
            assert_eq!((bench.claim().await, bench.alerts().await), (0, vec![]), "{dialect:?}");
            bench.clock.advance(Span::secs(5));
        }
        for _ in 0..60 {
            bench.catch_up().await;
            assert_eq!(bench.claim().await, 0, "{dialect:?}");
            bench.clock.advance(Span::secs(5));
        }
        let alerts = bench.alerts().await;
        assert!(alerts.len() == 1 && alerts[0].0 == "gap_unread", "{dialect:?}: {alerts:?}");

        bench.faults = Faults::default();
        // A minute at most until it is asked for again.
        bench.clock.advance(Span::mins(1));
        bench.catch_up().await;
        assert_eq!((bench.claim().await, bench.alerts().await), (1, vec![]), "{dialect:?}");
    }
}

#[tokio::test]
async fn lists_are_read_once_more_for_what_they_show_late() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        bench.clock.advance(Span::mins(1));
        bench.restart().await;
        bench.catch_up().await;
        assert_eq!((bench.holds().await, bench.store.gaps().await.unwrap().len()), (false, 1), "{dialect:?}");
        // As if it had been there before, and the list had not shown it.
        bench.says("Stop!");
        bench.clock.advance(Span::secs(119));
        bench.catch_up().await;
        assert_eq!(bench.store.gaps().await.unwrap().len(), 1, "{dialect:?}");
        bench.clock.advance(Span::secs(1));
        bench.catch_up().await;
        assert_eq!(bench.store.gaps().await.unwrap(), vec![], "{dialect:?}");
        let refused = bench.send("one").await;
        assert_eq!(bench.delivery(refused).await, Delivery::Suppressed, "{dialect:?}");
    }
}

#[tokio::test]
async fn a_start_that_is_found_late_does_not_lift_a_later_stop() {
    for dialect in [Dialect::Twilio, Dialect::Sinch] {
        let mut bench = Bench::new(dialect).await;
        bench.send("one").await;
        bench.clock.advance(Span::mins(3));
        bench.says("START");
        bench.clock.advance(Span::mins(1));
        bench.restart().await;
        let stop = bench.says("Stop!");
        bench.clock.advance(Span::secs(2));
        bench.hear(&stop).await;
        assert_eq!(bench.work(HookLane::Inbound).await, 1);
        bench.catch_up().await;
        assert!(bench.address().await.consent.stopped.is_some(), "{dialect:?}");
        assert_eq!(bench.claim().await, 0, "{dialect:?}");
        assert_eq!(bench.store.inbound_of(bench.address().await.id, 10).await.unwrap().len(), 2, "{dialect:?}: both are in the conversation");
    }
}

/// I3: the lane of texts from people is a queue, a read and a loop of its own; what waits in the other one is not even
/// looked at.
#[tokio::test]
async fn a_text_from_a_person_does_not_wait_behind_receipts() {
    let mut bench = Bench::new(Dialect::Twilio).await;
    bench.send("one").await;
    let now = bench.now();
    let receipt = |n: u16| {
        let body = format!("MessageSid=SM{n:032}&MessageStatus=delivered").into_bytes();
        let id = HookId::new(0, now, hash16(&[&n.to_be_bytes()]));
        let url = format!("{}/hooks/twilio?attempt=x", fixtures::PUBLIC_URL);
        let state = HookState::Waiting { due: now };
        let (name, method, note) = ("twilio".to_owned(), "POST".to_owned(), String::new());
        Command::PutHook(Box::new(Hook { id, name, lane: HookLane::Receipt, method, url, headers: vec![], body, received_at: now, state, tries: 0, note }))
    };
    bench.store.commit(now, vec![Unit((0..20_000).map(receipt).collect())]).await.remove(0).unwrap();
    bench.clock.advance(Span::secs(1));
    let stop = bench.says("Stop!");
    bench.hear(&stop).await;
    // One tick of one hook.
    assert_eq!(bench.engine.inbox_tick(HookLane::Inbound, bench.now(), 1).await.unwrap().done, 1);
    assert!(bench.address().await.consent.stopped.is_some());
    let waiting: i64 = bench.store.backlog().await.unwrap().into_iter().filter(|(queue, _)| queue.starts_with("hooks: ")).map(|(_, rows)| rows).sum();
    assert_eq!(waiting, 20_000);
    assert_eq!(bench.claim().await, 0);
}
