//! Consent as the engine takes it: the second half of a double opt-in, files that are interrupted, and the proof of it.
//!
//! Its own file because each needs a configuration or a file of its own; that an opt-out holds under every fault is for
//! the simulated world.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::hook::RawHook;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::consent::rows::{self, Format, Rules};
use trunkline_core::consent::{Basis, ConsentAct, Terms};
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::time::Span;
use trunkline_engine::Engine;
use trunkline_engine::consent::{ConsentAction, ConsentRequest, Imported};
use trunkline_engine::intake::SendRequest;
use trunkline_engine::proof::Item;
use trunkline_engine::receive::Received;
use trunkline_engine::verify::verify;
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::Effect;
use trunkline_sim::vendor::Vendor;
use trunkline_store::Store;
use trunkline_store::row::HookLane;
use trunkline_store::sqlite::{Owes, SqliteStore};

const NUMBER: &str = "+14155550123";

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    heard: u64,
}

impl Bench {
    async fn new(double_opt_in: bool) -> Bench {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        definitions.purposes.insert(Purpose::Marketing, Policy { double_opt_in, ..Policy::default_for(Purpose::Marketing) });
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        Bench { engine, clock, heard: 0 }
    }

    async fn record(&self, action: ConsentAction, evidence: &str) {
        let terms = Terms { basis: Some(Basis::Express), ..Terms::default() };
        let (program, purpose) = (Some("acme".to_owned()), Some(Purpose::Marketing));
        let request = ConsentRequest { address: NUMBER.into(), action, program, purpose, evidence: evidence.into(), occurred_at: None, terms, through: None };
        self.engine.record_consent("test", &request).await.unwrap();
        self.clock.advance(Span::mins(1));
    }

    /// Asks for a text; gives its word and why.
    async fn send(&self, purpose: Purpose, body: &str) -> (String, String) {
        let request = SendRequest {
            to: NUMBER.into(),
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
        let message = self.engine.send_text("test", body, &request).await.unwrap();
        self.clock.advance(Span::mins(1));
        (message.state.word().to_owned(), trunkline_engine::explain::because(&message))
    }

    /// A text from her.
    async fn hear(&mut self, body: &str) {
        self.heard += 1;
        let mut vendor = Vendor::new(fixtures::vendor_for(&self.engine.definitions));
        let Effect::Hook(hook) = vendor.reply(self.clock.now(), NUMBER, fixtures::SENDER, body, &mut ChaCha8Rng::seed_from_u64(self.heard)).remove(0);
        let raw = RawHook { method: "POST".into(), url: hook.url, headers: hook.headers, body: hook.body };
        assert!(matches!(self.engine.receive("twilio", raw).await, Received::Accepted(_)));
        self.engine.inbox_tick(HookLane::Inbound, self.clock.now(), 10).await.unwrap();
        self.clock.advance(Span::mins(1));
    }

    async fn acts(&self) -> Vec<ConsentAct> {
        let address = self.engine.key.address("sms", NUMBER);
        self.engine.store.ledger(address).await.unwrap().iter().map(|e| e.act).collect()
    }

    fn rules(&self) -> Rules<'_> {
        Rules { region: Some("US"), programs: vec!["acme"], import: "imp_1".into(), actor: "test".into(), now: self.clock.now() }
    }
}

#[tokio::test]
async fn a_grant_waits_for_her_yes() {
    let mut bench = Bench::new(true).await;
    bench.record(ConsentAction::Grant, "ticked a box").await;
    let (word, why) = bench.send(Purpose::Marketing, "one").await;
    assert!(word == "suppressed" && why.contains("to be confirmed"), "{word}: {why}");
    assert_eq!(bench.send(Purpose::Service, "please reply YES").await.0, "queued", "the question itself needs no grant");
    bench.hear("YES").await;
    assert_eq!(bench.acts().await, [ConsentAct::Grant, ConsentAct::Start, ConsentAct::Confirm]);
    assert_eq!(bench.send(Purpose::Marketing, "two").await.0, "queued");
    bench.hear("YES").await;
    assert_eq!(bench.acts().await.len(), 3, "what is confirmed is not confirmed again, and she has nothing to opt in to");
    bench.hear("STOP").await;
    bench.record(ConsentAction::Grant, "ticked it again").await;
    bench.hear("START").await;
    assert_eq!(bench.send(Purpose::Marketing, "three").await.0, "queued", "her own word, after her second grant");
    assert_eq!(verify(bench.engine.store.as_ref(), |_| {}).await.unwrap().differences, 0);
}

#[tokio::test]
async fn without_a_double_opt_in_a_yes_answers_nothing() {
    let mut bench = Bench::new(false).await;
    bench.record(ConsentAction::Grant, "ticked a box").await;
    assert_eq!(bench.send(Purpose::Marketing, "one").await.0, "queued");
    bench.hear("YES").await;
    assert_eq!(bench.acts().await, [ConsentAct::Grant]);
    // But to a STOP.
    bench.hear("STOP").await;
    bench.hear("YES").await;
    assert_eq!(bench.acts().await, [ConsentAct::Grant, ConsentAct::Stop, ConsentAct::Start]);
}

#[tokio::test]
async fn a_yes_confirms_in_the_languages_of_her_country_and_other_words_do_not() {
    use ConsentAct::{Confirm, Grant, Start, Stop};
    for (body, acts) in [
        ("Sí!", vec![Grant, Start, Confirm]),
        ("yes", vec![Grant, Start, Confirm]),
        ("y", vec![Grant, Start, Confirm]),
        ("START", vec![Grant, Start, Confirm]),
        // Consent is not read into a language that nobody knows her to speak.
        ("ano", vec![Grant]),
        ("not yes", vec![Grant]),
        ("Alto", vec![Grant, Stop]),
    ] {
        let mut bench = Bench::new(true).await;
        bench.record(ConsentAction::Grant, "ticked a box").await;
        bench.hear(body).await;
        assert_eq!(bench.acts().await, acts, "{body}");
        let permitted = bench.send(Purpose::Marketing, "one").await.0 == "queued";
        assert_eq!(permitted, acts.contains(&Confirm), "{body}");
        assert_eq!(verify(bench.engine.store.as_ref(), |_| {}).await.unwrap().differences, 0);
    }
}

#[tokio::test]
async fn the_same_file_again_completes_what_broke_off() {
    let mut bench = Bench::new(false).await;
    let mut lines = vec!["address,action,program,purpose,evidence,occurred_at".to_owned()];
    for n in 0..450 {
        lines.push(format!("+1415555{n:04},grant,acme,marketing,list of March,2026-03-01T00:00:00Z"));
        if n % 3 == 0 {
            lines.push(format!("+1415555{n:04},revoke,,,called,2026-04-01T00:00:00Z"));
        }
    }
    let file = lines.join("\n");
    bench.record(ConsentAction::Revoke, "she called").await;
    let reading = rows::read(file.as_bytes(), Format::Csv, &bench.rules());
    assert!(reading.problems.is_empty(), "{:?}", reading.problems.first());
    let (half, _) = reading.rows.split_at(301);
    let engine = &bench.engine;
    let plan = engine.plan_import(&reading.rows, |_| {}).await.unwrap();
    assert_eq!(plan.len(), 600);
    let first = engine.apply_import("imp_1", "test", half, |_| {}).await.unwrap();
    assert_eq!((first.new + first.refused, first.same), (301, 0));
    let mut seen = 0;
    let rest = engine.apply_import("imp_1", "test", &reading.rows, |done| seen = done).await.unwrap();
    assert_eq!((rest.same, seen), (first.new, 600));
    let again = engine.apply_import("imp_1", "test", &reading.rows, |_| {}).await.unwrap();
    assert_eq!(again, Imported { new: 0, same: first.new + rest.new, refused: rest.refused });
    // 0123 had been revoked before: her row is refused each time, and her opt-out of the file is one more.
    assert_eq!((first.new + rest.new, rest.refused), (599, 1));
    assert_eq!(bench.acts().await, [ConsentAct::Revoke, ConsentAct::Revoke]);
    bench.hear("STOP").await;
    let late = rows::read(b"address,action,evidence,occurred_at\n+14155550123,grant,form,2026-11-01T00:00:00Z\n", Format::Csv, &bench.rules());
    let plan = bench.engine.plan_import(&late.rows, |_| {}).await.unwrap();
    assert!(matches!(plan.first().unwrap().fate, rows::Fate::Refused { .. }), "{plan:?}");
    let audits = bench.engine.store.audits(None, 10).await.unwrap();
    assert_eq!(audits.iter().filter(|a| a.act == "imported" && a.about == "imp_1").count(), 6, "each has a beginning and an end");
    assert_eq!(verify(bench.engine.store.as_ref(), |_| {}).await.unwrap().differences, 0);
}

#[tokio::test]
async fn the_proof_tells_what_was_sent_between() {
    let mut bench = Bench::new(false).await;
    bench.record(ConsentAction::Grant, "ticked 'offers' for +14155550123").await;
    bench.send(Purpose::Marketing, "an offer").await;
    let (calls, _) = bench.engine.claim_tick(bench.clock.now(), 10).await.unwrap();
    assert_eq!(calls.len(), 1);
    bench.clock.advance(Span::mins(1));
    bench.hear("STOP").await;
    bench.send(Purpose::Marketing, "another").await;

    let address = bench.engine.key.address("sms", NUMBER);
    let proof = bench.engine.proof(address, false).await.unwrap().unwrap();
    let shape: Vec<String> = proof
        .items
        .iter()
        .map(|item| match item {
            Item::Entry(entry) => format!("{} by {}", entry.act, entry.actor),
            Item::Text(text) => format!("'{}' left {}, permitted {} and {}", text.body, text.left, text.as_known.permitted, text.as_happened.permitted),
        })
        .collect();
    assert_eq!(shape, ["grant by test", "'an offer' left true, permitted true and true", "stop by inbound", "'another' left false, permitted false and false"]);
    let Some(Item::Entry(grant)) = proof.items.first() else { panic!("{shape:?}") };
    assert_eq!((grant.basis.as_deref(), grant.jurisdiction.as_deref(), grant.evidence.as_str()), (Some("express"), Some("US"), "ticked 'offers' for +141••••0123"));
    assert!(grant.after.iter().any(|line| line.starts_with("granted for acme, marketing")), "{:?}", grant.after);
    let text = serde_json::to_string(&proof).unwrap();
    assert!(!text.contains(NUMBER), "{text}");
    assert!(serde_json::to_string(&bench.engine.proof(address, true).await.unwrap()).unwrap().contains(NUMBER));
    assert!(bench.engine.proof(bench.engine.key.address("sms", "+14155559999"), false).await.unwrap().is_none());
}
