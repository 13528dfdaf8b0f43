//! Texts of unknown fate, vendor by vendor: what asking brings, and what happens when nobody can say.
//!
//! Its own file because each vendor shows another way out: a key, a look-up by our reference, a look-up by guess. The
//! stages, the SQL and the dialects are the real ones; that all of this survives crashes is for the simulated world.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::http::{Phase, Reply, Request, TransportError};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::consent::Terms;
use trunkline_core::id::MessageId;
use trunkline_core::message::{Delivery, Event, Finding, Ruling};
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::resolve::Unclear;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::consent::{ConsentAction, ConsentRequest};
use trunkline_engine::explain::explain;
use trunkline_engine::intake::SendRequest;
use trunkline_engine::resolve::Answered;
use trunkline_engine::ruling::Ruled;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_sim::carrier::{Carrier, Dialect};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::Answer;
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

/// Ten in the morning in California, whose number it is.
const START: &str = "2026-11-23T18:00:00Z";
/// Taken, and the call is never answered.
const TAKEN: &str = "+14155550004";
/// Not taken, and the call is never answered.
const NOT_TAKEN: &str = "+14155550005";
/// Where everything goes well, but for the faults that are set.
const PLAIN: &str = "+14155550100";

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    carrier: Carrier,
    faults: Faults,
    rng: ChaCha8Rng,
}

impl Bench {
    async fn new(dialect: Dialect) -> Bench {
        Bench::with(dialect, Policy::default_for(Purpose::Transactional)).await
    }

    async fn with(dialect: Dialect, policy: Policy) -> Bench {
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, dialect).await.unwrap()).unwrap();
        definitions.purposes.insert(Purpose::Transactional, policy);
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Bench { engine, clock, carrier: Carrier::new(dialect, true), faults: Faults::default(), rng: ChaCha8Rng::seed_from_u64(1) }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    async fn send(&self, to: &str, purpose: Purpose) -> MessageId {
        let request = SendRequest {
            to: to.into(),
            template: None,
            data: None,
            body: Some("Your table is ready.".into()),
            locale: None,
            purpose,
            program: None,
            ttl: None,
            labels: [].into(),
            smart_encoding: None,
        };
        self.engine.send_text("test", &format!("{to}{}", self.now()), &request).await.unwrap().id
    }

    fn call(&mut self, request: &Request) -> Reply {
        let called = self.carrier.call(self.clock.now(), request, &self.faults, &mut self.rng);
        // No receipt ever comes: asking is the only way out.
        match called.answer {
            Answer::Reply(response) => Ok(response),
            Answer::Hang => Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() }),
            Answer::Refuse => Err(TransportError { phase: Phase::Connect, detail: "connection refused".into() }),
        }
    }

    /// Makes every attempt and puts every question that is due.
    async fn work(&mut self) {
        loop {
            let (calls, tick) = self.engine.claim_tick(self.now(), 10).await.unwrap();
            let (asks, asked) = self.engine.ask_tick(self.now(), 10).await.unwrap();
            if calls.is_empty() && asks.is_empty() && tick.done + asked.done == 0 {
                return;
            }
            let results = calls.iter().map(|call| CallResult::of(call, Heard::Reply(self.call(&call.request)))).collect();
            assert!(self.engine.settle_tick(self.now(), results).await.1.is_empty());
            let answers = asks.iter().map(|ask| Answered { attempt: ask.attempt, how: ask.how, heard: Heard::Reply(self.call(&ask.request)) }).collect();
            assert!(self.engine.answer_tick(self.now(), answers).await.1.is_empty());
        }
    }

    /// So many minutes, looked at every five seconds.
    async fn minutes(&mut self, minutes: i64) {
        for _ in 0..minutes * 12 {
            self.work().await;
            self.clock.advance(Span::secs(5));
        }
    }

    async fn message(&self, id: MessageId) -> Message {
        self.engine.store.messages(&[id]).await.unwrap().remove(0)
    }

    async fn delivery(&self, id: MessageId) -> Delivery {
        self.message(id).await.state.delivery()
    }

    async fn cases(&self) -> usize {
        self.engine.store.cases(10).await.unwrap().len()
    }

    async fn told(&self, id: MessageId) -> String {
        explain(self.engine.store.as_ref(), id).await.unwrap().unwrap().steps.into_iter().map(|step| step.text).collect::<Vec<_>>().join("\n")
    }

    async fn findings(&self, id: MessageId) -> Vec<&'static str> {
        let word = |event: Event| match event {
            Event::Looked { found: Finding::Taken { .. }, .. } => Some("taken"),
            Event::Looked { found: Finding::NotTaken { .. }, .. } => Some("not taken"),
            Event::Looked { found: Finding::Nothing { .. }, .. } => Some("nothing"),
            Event::GivenUp { .. } => Some("given up"),
            _ => None,
        };
        self.engine.store.history(&id.bytes()).await.unwrap().into_iter().filter_map(|entry| word(serde_json::from_value(entry.body).unwrap())).collect()
    }
}

#[tokio::test]
async fn a_text_that_was_taken_is_found_and_sent_once() {
    for dialect in Dialect::ALL {
        let mut bench = Bench::new(dialect).await;
        let id = bench.send(TAKEN, Purpose::Transactional).await;
        bench.work().await;
        assert_eq!(bench.delivery(id).await, Delivery::Unknown, "{dialect:?}");
        bench.minutes(5).await;
        assert!(!matches!(bench.delivery(id).await, Delivery::Unknown | Delivery::Queued), "{dialect:?}: {}", bench.told(id).await);
        assert_eq!((bench.carrier.accepted().len(), bench.cases().await), (1, 0), "{dialect:?}");
        assert_eq!(bench.findings(id).await.last(), Some(&"taken"), "{dialect:?}");
        assert!(bench.told(id).await.contains("the vendor has attempt 1 as "), "{dialect:?}");
    }
}

#[tokio::test]
async fn a_text_that_was_not_taken_is_sent_where_the_vendor_can_say_so() {
    for (dialect, delivery, accepted, last) in
        [(Dialect::Twilio, Delivery::Unknown, 0, "given up"), (Dialect::Telnyx, Delivery::Accepted, 1, "taken"), (Dialect::Sinch, Delivery::Accepted, 1, "not taken")]
    {
        let mut bench = Bench::new(dialect).await;
        // The first call is lost before it was taken; after that all goes well.
        let id = bench.send(PLAIN, Purpose::Transactional).await;
        let (calls, _) = bench.engine.claim_tick(bench.now(), 10).await.unwrap();
        let lost = Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() });
        bench.engine.settle_tick(bench.now(), vec![CallResult::of(&calls[0], Heard::Reply(lost))]).await;
        bench.minutes(20).await;
        assert_eq!((bench.delivery(id).await, bench.carrier.accepted().len()), (delivery, accepted), "{dialect:?}: {}", bench.told(id).await);
        assert_eq!(bench.findings(id).await.last(), Some(&last), "{dialect:?}");
        assert_eq!(bench.cases().await, usize::from(delivery == Delivery::Unknown), "{dialect:?}: what nobody can say, somebody must look at");
    }
}

#[tokio::test]
async fn two_texts_alike_are_told_apart_one_to_one() {
    let mut bench = Bench::new(Dialect::Twilio).await;
    let first = bench.send(TAKEN, Purpose::Transactional).await;
    bench.minutes(1).await;
    let second = bench.send(TAKEN, Purpose::Transactional).await;
    // Of the second one the vendor never hears: the first one's id must not be taken for its own.
    let (calls, _) = bench.engine.claim_tick(bench.now(), 10).await.unwrap();
    let lost = Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() });
    bench.engine.settle_tick(bench.now(), vec![CallResult::of(&calls[0], Heard::Reply(lost))]).await;
    bench.minutes(20).await;
    assert_eq!((bench.delivery(second).await, bench.carrier.accepted().len()), (Delivery::Unknown, 1));
    assert_ne!(bench.delivery(first).await, Delivery::Unknown);
}

#[tokio::test]
async fn the_same_call_is_not_made_for_somebody_who_said_stop() {
    let mut bench = Bench::new(Dialect::Telnyx).await;
    let id = bench.send(NOT_TAKEN, Purpose::Transactional).await;
    bench.work().await;
    let revoke = ConsentRequest {
        address: NOT_TAKEN.into(),
        action: ConsentAction::Revoke,
        program: None,
        purpose: None,
        evidence: "form 7".into(),
        occurred_at: None,
        terms: Terms::default(),
        through: None,
    };
    bench.engine.record_consent("test", &revoke).await.unwrap();
    bench.minutes(20).await;
    assert_eq!((bench.delivery(id).await, bench.carrier.accepted().len()), (Delivery::Unknown, 0));
    assert!(bench.told(id).await.contains("consent was revoked"), "{}", bench.told(id).await);
}

#[tokio::test]
async fn a_purpose_that_prefers_delivery_sends_a_second_one_and_no_third() {
    let policy = Policy { unclear: Unclear::PreferDelivery, resolve_within: Span::mins(1), ..Policy::default_for(Purpose::Transactional) };
    let mut bench = Bench::with(Dialect::Twilio, policy).await;
    let id = bench.send(NOT_TAKEN, Purpose::Transactional).await;
    bench.minutes(30).await;
    let message = bench.message(id).await;
    assert_eq!((message.state.delivery(), message.state.attempts.len(), bench.cases().await), (Delivery::Unknown, 2, 1), "{}", bench.told(id).await);
    assert_eq!(bench.findings(id).await.iter().filter(|word| **word == "given up").count(), 2);
}

#[tokio::test]
async fn a_person_decides() {
    for ruling in Ruling::ALL {
        let mut bench = Bench::new(Dialect::Twilio).await;
        let id = bench.send(NOT_TAKEN, Purpose::Transactional).await;
        bench.work().await;
        let ruled = bench.engine.rule(id, ruling, "not in the vendor's log", "ana").await.unwrap();
        let (delivery, texts) = match ruling {
            Ruling::Arrived => (Delivery::Accepted, 1),
            Ruling::SendAgain => (Delivery::Failed, 2),
            Ruling::LetGo => (Delivery::Failed, 1),
        };
        assert_eq!(bench.delivery(id).await, delivery, "{ruling:?}");
        assert!(bench.told(id).await.contains("ana") && bench.told(id).await.contains("not in the vendor's log"), "{ruling:?}");
        assert_eq!(bench.engine.store.messages_after(None, 10).await.unwrap().len(), texts, "{ruling:?}");
        assert_eq!(matches!(ruled, Ruled::Again(_)), ruling == Ruling::SendAgain);
        // Whoever decides again is told that there is nothing to decide.
        assert_eq!(bench.engine.rule(id, ruling, "again", "bob").await.unwrap(), Ruled::NotUnclear(delivery));
        bench.minutes(20).await;
        assert_eq!((bench.delivery(id).await, bench.engine.store.messages_after(None, 10).await.unwrap().len()), (delivery, texts), "{ruling:?}");
    }
}
