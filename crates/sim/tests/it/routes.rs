//! Which way texts go, how fast and how many a day: two accounts, of which one fails, and limits of every kind.
//!
//! Its own file because it is about many texts and two vendors at once. The stages, the SQL and the dialects are the real
//! ones; that no text comes twice is counted in what both vendors took.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trunkline_connectors::http::{Phase, Reply, TransportError};
use trunkline_connectors::registry;
use trunkline_core::breaker::Rule;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::daily::{Daily, Unit};
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::message::{Delivery, Event};
use trunkline_core::purpose::Purpose;
use trunkline_core::rate::Rate;
use trunkline_core::reason::Reason;
use trunkline_core::route::{Arm, Route, Way};
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::definitions::{Account, Bounds, Definitions, OptOutReply, Sender, VerifyMode};
use trunkline_engine::dispatch::Call;
use trunkline_engine::explain::explain;
use trunkline_engine::intake::SendRequest;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_engine::verify::verify;
use trunkline_sim::carrier::{Carrier, Dialect};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures::{self, ACCOUNT_SID, AUTH_TOKEN, SENDER};
use trunkline_sim::outgoing::Answer;
use trunkline_sim::telnyx::{TelnyxFake, TelnyxSettings};
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

/// Ten in the morning in California.
const START: &str = "2026-11-23T18:00:00Z";
/// The sender of the second account.
const OTHER: &str = "+15005550009";
const FAST: Rate = Rate { per_second: 1_000, burst: 1_000 };
const RULE: Rule = Rule { percent: 50, minimum: 5, window: Span::mins(1), cool_down: Span::secs(15), cool_down_max: Span::secs(30), probes: 2, return_after: Span::mins(1) };

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    carriers: BTreeMap<String, (Carrier, Faults)>,
    /// How many calls each account got.
    calls: BTreeMap<String, usize>,
    rng: ChaCha8Rng,
    sent: Vec<MessageId>,
}

/// Both accounts in one route, with equal shares.
fn both(definitions: &mut Definitions) {
    let arm = |account: &str, sender: &str| Arm { way: Way { account: account.to_owned(), sender: sender.to_owned() }, weight: 1 };
    definitions.routes = vec![Route { name: "all".to_owned(), countries: vec![], purposes: vec![], arms: vec![arm("twilio", SENDER), arm("telnyx", OTHER)] }];
}

impl Bench {
    /// Two accounts without limits, and what is changed about them.
    async fn new(change: impl FnOnce(&mut Definitions)) -> Bench {
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
        let provider = registry::provider(&Dialect::Telnyx.account()).unwrap();
        definitions.accounts.insert("telnyx".to_owned(), Account { provider, verify: VerifyMode::Enforce, bounds: Bounds::default(), smart_encoding: false });
        definitions.senders.push(Sender {
            number: OTHER.to_owned(),
            registered: Vec::new(),
            account: "telnyx".to_owned(),
            rate: FAST,
            daily: None,
            opt_out_reply: OptOutReply::Vendor,
            shift_tables: Vec::new(),
        });
        for sender in &mut definitions.senders {
            sender.rate = FAST;
        }
        for account in definitions.accounts.values_mut() {
            account.bounds.breaker = RULE;
        }
        change(&mut definitions);
        let engine = Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap();
        let telnyx = TelnyxFake::new(TelnyxSettings {
            api_key: AUTH_TOKEN.to_owned(),
            signing_seed: [7; 32],
            inbound_urls: BTreeMap::from([(OTHER.to_owned(), format!("{}/hooks/telnyx", fixtures::PUBLIC_URL))]),
            messaging_profile_id: Some(ACCOUNT_SID.to_owned()),
            answers_stop: true,
        });
        let carriers = BTreeMap::from([
            ("twilio".to_owned(), (Carrier::new(Dialect::Twilio, true), Faults::default())),
            ("telnyx".to_owned(), (Carrier::Telnyx(Box::new(telnyx)), Faults::default())),
        ]);
        Bench { engine, clock, carriers, calls: BTreeMap::new(), rng: ChaCha8Rng::seed_from_u64(1), sent: Vec::new() }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn fails(&mut self, account: &str, faults: Faults) {
        self.carriers.get_mut(account).unwrap().1 = faults;
    }

    fn calls(&self, account: &str) -> usize {
        self.calls.get(account).copied().unwrap_or(0)
    }

    async fn send_to(&mut self, to: &str) -> MessageId {
        let key = format!("{to} {}", self.sent.len());
        let request = SendRequest {
            to: to.to_owned(),
            template: None,
            data: None,
            body: Some("Your table is ready.".to_owned()),
            locale: None,
            purpose: Purpose::Transactional,
            program: None,
            ttl: Some(Span::hours(24)),
            labels: [].into(),
            smart_encoding: None,
        };
        let id = self.engine.send_text("test", &key, &request).await.unwrap().id;
        self.sent.push(id);
        id
    }

    /// Texts to people who have got none yet.
    async fn send(&mut self, many: usize) -> Vec<MessageId> {
        let mut all = Vec::new();
        for _ in 0..many {
            all.push(self.send_to(&format!("+1415555{:04}", 1_000 + self.sent.len())).await);
        }
        all
    }

    fn call(&mut self, call: &Call) -> Reply {
        *self.calls.entry(call.account.clone()).or_default() += 1;
        let (carrier, faults) = self.carriers.get_mut(&call.account).unwrap();
        match carrier.call(self.clock.now(), &call.request, faults, &mut self.rng).answer {
            Answer::Reply(response) => Ok(response),
            Answer::Hang => Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() }),
            Answer::Refuse => Err(TransportError { phase: Phase::Connect, detail: "connection refused".into() }),
        }
    }

    /// Claims, calls and settles until nothing is due.
    async fn work(&mut self) {
        for _ in 0..1_000 {
            let (calls, tick) = self.engine.claim_tick(self.now(), 256).await.unwrap();
            if calls.is_empty() && tick.done == 0 {
                return;
            }
            let results = calls.iter().map(|call| CallResult::of(call, Heard::Reply(self.call(call)))).collect();
            assert!(self.engine.settle_tick(self.now(), results).await.1.is_empty());
        }
        panic!("it never comes to rest");
    }

    /// So many seconds, with a look at each.
    async fn seconds(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(Span::secs(1));
            self.work().await;
        }
    }

    async fn message(&self, id: MessageId) -> Message {
        self.engine.store.messages(&[id]).await.unwrap().remove(0)
    }

    async fn told(&self, id: MessageId) -> String {
        let story = explain(self.engine.store.as_ref(), id).await.unwrap().unwrap();
        let lines = |step: trunkline_engine::explain::Step| std::iter::once(step.text).chain(step.findings.into_iter().map(|f| f.text)).collect::<Vec<_>>();
        story.steps.into_iter().flat_map(lines).collect::<Vec<_>>().join("\n")
    }

    async fn all_told(&self, ids: &[MessageId]) -> String {
        let mut all = String::new();
        for id in ids {
            all.push_str(&self.told(*id).await);
        }
        all
    }

    /// What is kept of accounts, days and routes.
    async fn gauges(&self) -> String {
        self.engine.store.standing().await.unwrap().gauges.into_iter().map(|gauge| gauge.body).collect()
    }

    /// Open alerts, and how often each was raised.
    async fn alerts(&self) -> Vec<(String, String, i64)> {
        let mut all: Vec<_> = self.engine.store.alerts().await.unwrap().into_iter().map(|a| (a.code, a.about, a.times)).collect();
        all.sort();
        all
    }

    /// How many texts the vendors took in all; none of them twice, by whichever vendor.
    fn taken(&self) -> usize {
        let mut counts: BTreeMap<MessageId, usize> = BTreeMap::new();
        for call in self.carriers.values().flat_map(|(carrier, _)| carrier.accepted()) {
            let attempt: AttemptId = call.attempt.as_deref().unwrap().parse().unwrap();
            *counts.entry(attempt.message).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        counts.len()
    }

    async fn verified(&self) {
        let report = verify(self.engine.store.as_ref(), |_| {}).await.unwrap();
        assert_eq!(report.differences, 0, "{:?}", report.first);
    }
}

fn refuses() -> Faults {
    Faults { refuse_permille: 1_000, ..Faults::default() }
}

#[tokio::test]
async fn texts_go_the_other_way_while_one_fails_and_come_back_little_by_little() {
    let mut bench = Bench::new(both).await;
    bench.fails("twilio", refuses());
    let first = bench.send(40).await;
    bench.work().await;
    // Those that were refused a connection left at once through the other account.
    assert_eq!((bench.taken(), bench.calls("telnyx")), (40, 40));
    let failed = bench.calls("twilio");
    assert!((8..=32).contains(&failed), "about half of the recipients are its own: {failed}");
    assert_eq!(bench.alerts().await, [("breaker_open".to_owned(), "twilio".to_owned(), 1)]);
    let mut moved = 0;
    for id in &first {
        let (message, told) = (bench.message(*id).await, bench.told(*id).await);
        assert!(told.contains("this recipient's own by the weights"), "{told}");
        if message.state.attempts.len() == 2 {
            moved += 1;
            assert_eq!((message.intent.account.as_str(), message.way()), ("twilio", ("telnyx", OTHER)));
            assert!(told.contains("certainly did not take it (transient)"), "{told}");
        }
    }
    assert_eq!(moved, failed);

    // While it is open nobody calls it.
    let away = bench.send(12).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.calls("twilio")), (52, failed));
    let told = bench.all_told(&away).await;
    assert!(told.contains("and most calls there fail"), "{told}");

    // After the cool-down two calls look whether it is well. It is not, and no text waits for that.
    bench.clock.advance(Span::secs(15));
    bench.send(20).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.calls("twilio")), (72, failed + 2));

    // The next two find it well: the alert ends, and what waited for them goes through.
    bench.fails("twilio", Faults::default());
    bench.clock.advance(Span::secs(29));
    bench.send(8).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.calls("twilio")), (80, failed + 2), "it waits twice as long now");
    bench.clock.advance(Span::secs(1));
    bench.send(20).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.alerts().await), (100, vec![]));
    let well = bench.calls("twilio");
    assert!(well >= failed + 4, "{well}");

    // Well again, and not for long enough: its recipients stay where they are, and then are back.
    let staying = bench.send(20).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.calls("twilio")), (120, well));
    let told = bench.all_told(&staying).await;
    assert!(told.contains("has not been well for long enough"), "{told}");
    bench.clock.advance(Span::mins(2));
    bench.send(40).await;
    bench.work().await;
    assert_eq!(bench.taken(), 160);
    assert!(bench.calls("twilio") >= well + 8, "{}", bench.calls("twilio"));
    bench.verified().await;
}

#[tokio::test]
async fn one_person_keeps_her_sender() {
    let mut bench = Bench::new(both).await;
    let mut accounts = Vec::new();
    for n in 0..20 {
        let to = format!("+1415555{:04}", 2_000 + n);
        let (first, second) = (bench.send_to(&to).await, bench.send_to(&to).await);
        let way = |message: &Message| message.way().0.to_owned();
        let (first, second) = (way(&bench.message(first).await), way(&bench.message(second).await));
        assert_eq!(first, second, "{to}");
        accounts.push(first);
    }
    accounts.sort();
    accounts.dedup();
    assert_eq!(accounts, ["telnyx", "twilio"]);
}

#[tokio::test]
async fn an_unclear_attempt_never_goes_another_way() {
    let mut bench = Bench::new(both).await;
    bench.fails("twilio", Faults { hang_after_accept_permille: 1_000, ..Faults::default() });
    let all = bench.send(30).await;
    bench.work().await;
    let unclear = bench.calls("twilio");
    assert!(unclear >= 5 && bench.alerts().await.iter().any(|(code, ..)| code == "breaker_open"), "{unclear}");
    assert_eq!(bench.taken(), 30, "each was taken by its first vendor");
    let mut unknown = 0;
    for id in &all {
        let message = bench.message(*id).await;
        assert_eq!(message.state.attempts.len(), 1);
        let history = bench.engine.store.history(&id.bytes()).await.unwrap();
        assert!(!history.iter().any(|entry| matches!(serde_json::from_value::<Event>(entry.body.clone()), Ok(Event::Routed { .. }))));
        unknown += usize::from(message.state.delivery() == Delivery::Unknown);
    }
    assert_eq!(unknown, unclear);
    // Nor later, while the breaker stays open.
    bench.seconds(60).await;
    assert_eq!(bench.taken(), 30);
}

#[tokio::test]
async fn a_vendor_that_asks_for_patience_is_called_more_slowly() {
    let mut bench = Bench::new(both).await;
    bench.fails("twilio", Faults { throttle_permille: 1_000, ..Faults::default() });
    bench.send(20).await;
    bench.work().await;
    let throttled = bench.calls("twilio");
    assert!(throttled > 0 && bench.taken() == 20, "what was not taken went another way: {throttled}");
    assert!(bench.alerts().await.is_empty(), "patience is no failure");
    assert!(bench.gauges().await.contains("\"permille\":500"), "{}", bench.gauges().await);
    // It said to come back after a second. Then it is well, and gets faster with what it takes.
    bench.fails("twilio", Faults::default());
    for _ in 0..8 {
        bench.clock.advance(Span::secs(1));
        bench.send(8).await;
        bench.work().await;
    }
    assert!(bench.calls("twilio") > throttled && bench.taken() == 84);
    assert!(bench.gauges().await.contains("\"permille\":1000"), "{}", bench.gauges().await);
}

#[tokio::test]
async fn while_no_way_is_well_texts_wait_and_one_alert_says_so() {
    let mut bench = Bench::new(both).await;
    bench.fails("twilio", refuses());
    bench.fails("telnyx", refuses());
    let all = bench.send(24).await;
    bench.work().await;
    bench.seconds(40).await;
    let raised = |code: &str, about: &str| (code.to_owned(), about.to_owned(), 1);
    assert_eq!(bench.alerts().await, [raised("all_routes_bad", "all"), raised("breaker_open", "telnyx"), raised("breaker_open", "twilio")]);
    assert_eq!(bench.taken(), 0);
    // Probes apart, nothing was tried: no text used up its tries meanwhile.
    assert!(bench.calls("twilio") + bench.calls("telnyx") <= 24 * 2 + 16, "{:?}", bench.calls);
    let mut waiting = 0;
    for id in &all {
        let message = bench.message(*id).await;
        assert!(message.state.delivery().blocks(), "{}", bench.told(*id).await);
        waiting += usize::from(message.state.reasons.iter().any(|reason| matches!(reason, Reason::BreakerOpen { .. })));
    }
    assert!(waiting > 12, "{waiting}");
    let written = bench.engine.store.messages(&all).await.unwrap().iter().map(|m| m.rev).max().unwrap();
    assert!(written < 20, "a text is told once why it waits, however long: {written}");

    bench.fails("twilio", Faults::default());
    bench.fails("telnyx", Faults::default());
    bench.seconds(120).await;
    assert_eq!(bench.taken(), 24);
    // A breaker is closed by what its account takes: the one that nobody needed is tried with the next texts.
    bench.send(8).await;
    bench.work().await;
    bench.seconds(60).await;
    assert_eq!((bench.taken(), bench.alerts().await), (32, vec![]));
    bench.verified().await;
}

#[tokio::test]
async fn a_daily_limit_holds_until_midnight_where_it_is_counted() {
    let daily = Daily { limit: 5, unit: Unit::Messages, zone: "America/Los_Angeles".to_owned() };
    let mut bench = Bench::new(|definitions| definitions.senders[0].daily = Some(daily)).await;
    let all = bench.send(8).await;
    bench.work().await;
    assert_eq!(bench.taken(), 5);
    let about = format!("twilio/{SENDER}");
    assert_eq!(bench.alerts().await, [("daily_limit_reached".to_owned(), about, 1)]);
    let midnight: Time = "2026-11-24T08:00:00Z".parse().unwrap();
    let mut held = 0;
    for id in &all {
        let message = bench.message(*id).await;
        if message.state.delivery() == Delivery::Held {
            held += 1;
            assert_eq!(message.state.due, Some(midnight));
            assert!(bench.told(*id).await.contains("for today is used up"));
        }
    }
    assert_eq!(held, 3);
    bench.clock.set(midnight - Span::secs(1));
    bench.work().await;
    assert_eq!(bench.taken(), 5);
    bench.clock.set(midnight);
    bench.work().await;
    assert_eq!((bench.taken(), bench.alerts().await), (8, vec![]));
    bench.verified().await;
}

#[tokio::test]
async fn a_sender_whose_day_is_full_leaves_its_texts_to_another() {
    let daily = Daily { limit: 5, unit: Unit::Segments, zone: "America/Los_Angeles".to_owned() };
    let mut bench = Bench::new(|definitions| {
        both(definitions);
        definitions.accounts.get_mut("twilio").unwrap().bounds.daily = Some(daily);
    })
    .await;
    bench.send(40).await;
    bench.work().await;
    assert_eq!((bench.taken(), bench.calls("twilio")), (40, 5));
}

#[tokio::test]
async fn an_accounts_rate_is_shared_by_its_senders() {
    let mut bench = Bench::new(|definitions| {
        definitions.senders[1].account = "twilio".to_owned();
        definitions.accounts.get_mut("twilio").unwrap().bounds.rate = Some(Rate { per_second: 10, burst: 10 });
        both(definitions);
        definitions.routes[0].arms[1].way.account = "twilio".to_owned();
    })
    .await;
    bench.send(60).await;
    let mut senders = BTreeMap::new();
    for (wait, most) in [(0, 10), (0, 0), (500, 5), (1_000, 10), (9_000, 10)] {
        bench.clock.advance(Span::millis(wait));
        let calls = bench.engine.claim_tick(bench.now(), 256).await.unwrap().0;
        assert_eq!(calls.len(), most, "after {wait} ms");
        for call in calls {
            let message = bench.message(call.attempt.message).await;
            *senders.entry(message.way().1.to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(senders.keys().collect::<Vec<_>>(), [SENDER, OTHER], "both sent");
}

#[tokio::test]
async fn a_countrys_rate_holds_its_texts_and_no_others() {
    let rate = Rate { per_second: 1, burst: 1 };
    let mut bench = Bench::new(|definitions| {
        definitions.countries.insert("FR".to_owned(), rate);
    })
    .await;
    let mut abroad = Vec::new();
    for n in 0..5 {
        abroad.push(bench.send_to(&format!("+336399801{:02}", 20 + n)).await);
    }
    bench.send(5).await;
    bench.work().await;
    assert_eq!(bench.taken(), 6, "one to France, and everything else");
    let mut slots = Vec::new();
    for id in abroad {
        let message = bench.message(id).await;
        if message.state.delivery() == Delivery::Held {
            assert!(matches!(message.state.reasons.first(), Some(Reason::CountryRateFull { country, .. }) if country == "FR"));
            slots.push(message.state.due.unwrap().since(bench.now()).as_secs());
        }
    }
    slots.sort_unstable();
    assert_eq!(slots, [1, 2, 3, 4], "each has a slot of its own");
    for taken in 7..=10 {
        bench.seconds(1).await;
        assert_eq!(bench.taken(), taken);
    }
}
