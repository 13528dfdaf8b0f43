//! Who goes first when not everybody can go.
//!
//! Its own file because it is about many texts at once, and about the one that somebody waits for among them. The
//! stages and the SQL are the real ones; how long it takes in real time is for the benchmark to say.

use std::sync::Arc;

use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::purpose::{ConsentRule, Policy, Purpose};
use trunkline_core::rate::Rate;
use trunkline_core::time::Span;
use trunkline_engine::Engine;
use trunkline_engine::definitions::Sender;
use trunkline_engine::dispatch::{Call, Slots};
use trunkline_engine::intake::SendRequest;
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};

/// Ten in the morning in California.
const START: &str = "2026-11-23T18:00:00Z";

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    sent: u32,
}

impl Bench {
    /// A node whose sender may send so fast; marketing needs no grant here.
    async fn new(rate: Rate) -> Bench {
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        definitions.purposes.insert(Purpose::Marketing, Policy { consent: ConsentRule::NotOptedOut, ..Policy::default_for(Purpose::Marketing) });
        for sender in &mut definitions.senders {
            sender.rate = rate;
        }
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Bench { engine, clock, sent: 0 }
    }

    async fn send(&mut self, body: &str, purpose: Purpose) {
        self.sent += 1;
        let to = format!("+1415555{:04}", self.sent);
        let request = SendRequest {
            to: to.clone(),
            template: None,
            data: None,
            body: Some(body.into()),
            locale: None,
            purpose,
            program: None,
            ttl: None,
            labels: [].into(),
            smart_encoding: None,
        };
        self.engine.send_text("test", &to, &request).await.unwrap();
    }

    async fn claim(&self, slots: Slots) -> Vec<&'static str> {
        let calls = self.engine.claim_tick(self.clock.now(), slots).await.unwrap().0;
        let word = |call: &Call| {
            let body = String::from_utf8_lossy(&call.request.body).into_owned();
            ["offer", "code", "order"].into_iter().find(|word| body.contains(&format!("Body={word}"))).unwrap()
        };
        calls.iter().map(word).collect()
    }
}

const SLOW: Rate = Rate { per_second: 10, burst: 10 };
const FAST: Rate = Rate { per_second: 1_000, burst: 1_000 };

#[tokio::test]
async fn a_code_goes_before_everything_that_waits() {
    let mut bench = Bench::new(SLOW).await;
    for _ in 0..200 {
        bench.send("offer", Purpose::Marketing).await;
    }
    assert_eq!(bench.claim(Slots { free: 64, of: 64 }).await, ["offer"; 10]);
    bench.send("code", Purpose::Otp).await;
    assert!(bench.claim(Slots { free: 64, of: 64 }).await.is_empty(), "the rate is used up");
    bench.clock.advance(Span::millis(100));
    assert_eq!(bench.claim(Slots { free: 64, of: 64 }).await, ["code"], "the next one to leave");
}

#[tokio::test]
async fn slots_are_kept_for_what_is_urgent_and_a_share_for_everybody() {
    let mut bench = Bench::new(FAST).await;
    for _ in 0..100 {
        bench.send("offer", Purpose::Marketing).await;
    }
    // A vendor that is slow: only the slots that are kept are left.
    assert!(bench.claim(Slots { free: 16, of: 64 }).await.is_empty());
    bench.send("order", Purpose::Transactional).await;
    bench.send("code", Purpose::Otp).await;
    assert_eq!(bench.claim(Slots { free: 16, of: 64 }).await, ["code", "order"]);
    assert_eq!(bench.claim(Slots { free: 20, of: 64 }).await, ["offer"; 4]);
    for _ in 0..100 {
        bench.send("code", Purpose::Otp).await;
        bench.send("order", Purpose::Transactional).await;
    }
    let claimed = bench.claim(Slots { free: 64, of: 64 }).await;
    let count = |word: &str| claimed.iter().filter(|w| **w == word).count();
    assert_eq!((count("code"), count("order"), count("offer")), (48, 8, 8), "an eighth for each of the others");
}

#[tokio::test]
async fn a_sender_whose_rate_is_used_up_holds_up_no_other() {
    let mut bench = Bench::new(SLOW).await;
    let other = Sender { number: "+15005550009".into(), ..bench.engine.definitions.senders[0].clone() };
    for _ in 0..100 {
        bench.send("offer", Purpose::Marketing).await;
    }
    bench.claim(Slots::from(64)).await;
    // Another node, configured otherwise: there the second sender is preferred.
    let mut definitions = Arc::into_inner(fixtures::definitions(bench.engine.store.as_ref(), bench.clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
    definitions.purposes = bench.engine.definitions.purposes.clone();
    definitions.senders = [vec![other], bench.engine.definitions.senders.clone()].concat();
    bench.engine = Engine::beside(bench.engine.store.clone(), bench.clock.clone(), Arc::new(definitions), [8; 32]).await.unwrap();
    bench.send("order", Purpose::Transactional).await;
    assert_eq!(bench.claim(Slots::from(64)).await, ["order"]);
}

#[tokio::test]
async fn a_text_longer_than_the_burst_leaves_all_the_same() {
    let mut bench = Bench::new(Rate { per_second: 1, burst: 1 }).await;
    bench.send(&format!("order {}", "long ".repeat(60)), Purpose::Transactional).await;
    assert_eq!(bench.claim(Slots::from(8)).await, ["order"]);
}
