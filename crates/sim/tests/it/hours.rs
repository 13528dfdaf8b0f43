//! Hours, caps and senders through the real stages: what is held says why, what leaves says until when it may arrive.
//!
//! Its own file because it is about one text at a time on a clock that is moved by hand; that no text of many leaves at
//! night is the simulated world's to show.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::json;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::purpose::{ConsentRule, Policy, Purpose};
use trunkline_core::quiet::{Cap, Period};
use trunkline_core::time::Span;
use trunkline_engine::Engine;
use trunkline_engine::definitions::Definitions;
use trunkline_engine::dispatch::{Call, Slots};
use trunkline_engine::explain::explain;
use trunkline_engine::intake::SendRequest;
use trunkline_engine::profile::ProfileRequest;
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

struct Desk {
    engine: Engine,
    clock: Arc<ManualClock>,
    sent: u32,
}

impl Desk {
    /// A node at an instant; marketing needs no grant here.
    async fn new(at: &str, change: impl FnOnce(&mut Definitions)) -> Desk {
        let clock = Arc::new(ManualClock::at(at.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        definitions.purposes.insert(Purpose::Marketing, Policy { consent: ConsentRule::NotOptedOut, ..Policy::default_for(Purpose::Marketing) });
        change(&mut definitions);
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Desk { engine, clock, sent: 0 }
    }

    async fn send(&mut self, to: &str, purpose: Purpose) -> Message {
        self.sent += 1;
        let key = format!("key {}", self.sent);
        let request = SendRequest {
            to: to.into(),
            template: None,
            data: None,
            // The same words again and again are taken for a loop.
            body: Some(format!("Offer {}.", self.sent)),
            locale: None,
            purpose,
            program: None,
            ttl: None,
            labels: [].into(),
            smart_encoding: None,
        };
        self.engine.send_text("test", &key, &request).await.unwrap()
    }

    /// What is claimed now, one text of an address at a time.
    async fn claim(&self) -> Vec<Call> {
        let mut all = Vec::new();
        loop {
            let (calls, _) = self.engine.claim_tick(self.clock.now(), Slots { free: 64, of: 64 }).await.unwrap();
            if calls.is_empty() {
                return all;
            }
            all.extend(calls);
        }
    }

    async fn because(&self, message: &Message) -> String {
        explain(self.engine.store.as_ref(), message.id).await.unwrap().unwrap().because
    }
}

/// A number in Miami, at half past eight in the evening there.
const MIAMI: &str = "+13055550123";
const EVENING: &str = "2026-11-24T01:30:00Z";

#[tokio::test]
async fn a_held_text_names_the_rule_its_source_her_time_and_the_next_window() {
    let mut desk = Desk::new(EVENING, |_| {}).await;
    let held = desk.send(MIAMI, Purpose::Marketing).await;
    assert_eq!(
        desk.because(&held).await,
        "outside 08:00-20:00 in America/New_York, where it is Mon 20:30 EST; next permitted Tue 08:01 EST to 19:50; by rule us-fl (Florida, law): Fla. Stat. 501.616(6)(a)-(b) (FTSA)"
    );
    assert_eq!(held.state.due, Some("2026-11-24T13:01:00Z".parse().unwrap()));
    let code = desk.send(MIAMI, Purpose::Otp).await;
    assert_eq!(desk.claim().await.len(), 1, "a code waits for nobody");
    let told = serde_json::to_string(&explain(desk.engine.store.as_ref(), code.id).await.unwrap().unwrap()).unwrap();
    assert!(told.contains("no rule binds otp texts in US, US-FL"), "{told}");
    desk.clock.set("2026-11-24T13:01:00Z".parse().unwrap());
    assert_eq!(desk.claim().await.len(), 1, "and the offer leaves in the morning");
}

#[tokio::test]
async fn what_leaves_is_valid_until_the_hours_end() {
    // Twenty minutes before eight in the evening: ten are left.
    let mut desk = Desk::new("2026-11-24T00:40:00Z", |_| {}).await;
    desk.send(MIAMI, Purpose::Marketing).await;
    let calls = desk.claim().await;
    let body = String::from_utf8_lossy(&calls[0].request.body).into_owned();
    assert!(body.contains("ValidityPeriod=600"), "{body}");
    assert_eq!(calls[0].deadline, "2026-11-24T00:50:00Z".parse().unwrap());
    let claimed = desk.engine.store.messages(&[calls[0].attempt.message]).await.unwrap().pop().unwrap();
    assert_eq!(claimed.state.attempts[0].valid_until, Some(calls[0].deadline));
}

#[tokio::test]
async fn caps_of_the_law_and_of_the_company_hold() {
    let mut desk = Desk::new("2026-11-23T15:00:00Z", |_| {}).await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(desk.send(MIAMI, Purpose::Marketing).await);
    }
    let calls = desk.claim().await;
    assert_eq!(calls.len(), 3, "the fourth within a day");
    let held = all.iter().find(|text| calls.iter().all(|call| call.attempt.message != text.id)).unwrap();
    let why = desk.because(held).await;
    assert!(why.contains("3 sent of at most 3 in 24h; next permitted Tue 10:00 EST; by rule us-fl"), "{why}");
    desk.clock.advance(Span::hours(24));
    assert_eq!(desk.claim().await.len(), 1);

    let own = Cap { max: NonZeroU32::MIN, per: Period::Day };
    let capped = |definitions: &mut Definitions| {
        definitions.purposes.insert(Purpose::Transactional, Policy { caps: vec![own], ..Policy::default_for(Purpose::Transactional) });
    };
    let mut desk = Desk::new("2026-11-24T04:30:00Z", capped).await;
    for _ in 0..2 {
        desk.send(MIAMI, Purpose::Transactional).await;
    }
    assert_eq!(desk.claim().await.len(), 1);
    desk.clock.set("2026-11-24T05:00:00Z".parse().unwrap());
    assert_eq!(desk.claim().await.len(), 1, "midnight has come in Miami");
}

#[tokio::test]
async fn an_address_in_a_system_of_record_counts() {
    // Half past eight in California, where Texan law would have her sleep for another half an hour.
    let mut desk = Desk::new("2026-11-23T16:30:00Z", |_| {}).await;
    let number = "+14155550123";
    assert!(desk.send(number, Purpose::Marketing).await.state.reasons.is_empty(), "her number is of California");
    let attributes = json!({"country": "US", "state": "Texas"}).as_object().cloned().unwrap();
    let request = ProfileRequest { phone: Some(number.into()), attributes, ..ProfileRequest::default() };
    desk.engine.put_profile("shopify", "7", &request).await.unwrap();
    let held = desk.send(number, Purpose::Marketing).await;
    let why = desk.because(&held).await;
    assert!(why.contains("in America/Los_Angeles, where it is Mon 08:30 PST; next permitted Mon 09:01 PST") && why.contains("rule us-tx (Texas, law)"), "{why}");
    assert!(desk.claim().await.is_empty(), "the one that was made before is asked again");
    let moved = ProfileRequest { attributes: json!({"state": null, "country": null}).as_object().cloned().unwrap(), ..ProfileRequest::default() };
    desk.engine.put_profile("shopify", "7", &moved).await.unwrap();
    desk.clock.set("2026-11-23T17:01:00Z".parse().unwrap());
    assert_eq!(desk.claim().await.len(), 2);
}

#[tokio::test]
async fn a_sender_that_cannot_work_is_refused() {
    let named = |definitions: &mut Definitions| {
        for sender in &mut definitions.senders {
            sender.number = "ACME".into();
        }
    };
    let mut desk = Desk::new("2026-11-23T18:00:00Z", named).await;
    let refused = desk.send(MIAMI, Purpose::Transactional).await;
    let why = desk.because(&refused).await;
    assert!(why.contains("the sender cannot reach US: a name cannot be a sender there"), "{why}");
    assert_eq!(refused.state.delivery().word(), "failed");
    let welcome = desk.send("+447400123456", Purpose::Transactional).await;
    assert!(welcome.state.reasons.is_empty());
    let india = desk.send("+919876543210", Purpose::Transactional).await;
    assert!(desk.because(&india).await.contains("a name must be registered first"));
    assert_eq!(desk.claim().await.len(), 1);
}
