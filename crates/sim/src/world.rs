//! The simulated world: a clock, an ordered heap of actions, one node over one store, and the systems around it.
//!
//! Its own file because it owns time and order, and nothing else does: every tick, every call, every answer, every
//! hook is an action drawn from the seed. The node is the real engine; killing it is dropping it at a commit.

mod act;
mod clients;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::id::{MessageId, hash16};
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_engine::announce::{AnnounceCall, AnnounceResult};
use trunkline_engine::dispatch::Call;
use trunkline_engine::resolve::{Answered, Ask};
use trunkline_engine::settle::CallResult;
use trunkline_engine::writeback::{WriteCall, WriteResult};
use trunkline_engine::{Engine, Stage};
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Wrapped, in_order};

use crate::carrier::{Carrier, Dialect};
use crate::crm::Crm;
use crate::faults::Faults;
use crate::fixtures::{self, FixtureError};
use crate::follower::Follower;
use crate::oracle::{self, Proved, Violation};
use crate::outgoing::OutgoingHook;
use crate::shop::{Customer, Shop, ShopSettings};
use crate::watch::{Claim, Watch};

/// What a run is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The seed: everything follows from it.
    pub seed: u64,
    /// How long the shop is open, in days.
    pub days: i64,
    /// Orders a day.
    pub orders: u32,
}

impl Settings {
    /// A short, busy day.
    pub fn of(seed: u64) -> Settings {
        Settings { seed, days: 1, orders: 40 }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many actions were taken.
    pub actions: u64,
    /// How often the node was killed.
    pub crashes: u64,
    /// How many texts the vendor accepted.
    pub accepted: u64,
    /// The jurisdictions in which marketing left.
    pub marketing: BTreeSet<String>,
    /// A digest of everything that happened, in order.
    pub trace: String,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The last things that happened before the first of them.
    pub story: Vec<String>,
}

/// Something that happens at its time.
enum Action {
    Order,
    Ship(i64),
    Hook {
        hook: OutgoingHook,
        tries: u32,
    },
    Forge,
    Reply {
        phone: String,
        body: String,
    },
    Consent {
        phone: String,
        grant: bool,
    },
    Event(serde_json::Value),
    Tick(Stage),
    /// A stage that was overtaken goes on; the generation it belongs to.
    Resume(Stage, u64),
    Call {
        call: Box<Call>,
        generation: u64,
    },
    Heard {
        result: Box<CallResult>,
        generation: u64,
    },
    /// A question about a text of unknown fate.
    Ask {
        ask: Box<Ask>,
        generation: u64,
    },
    Answered {
        answer: Box<Answered>,
        generation: u64,
    },
    Write {
        call: Box<WriteCall>,
        generation: u64,
    },
    Written {
        result: Box<WriteResult>,
        generation: u64,
    },
    Announce {
        call: Box<AnnounceCall>,
        generation: u64,
    },
    Announced {
        result: Box<AnnounceResult>,
        generation: u64,
    },
    Cancel(i64),
    PlanCrash,
    Kill,
    Restart,
    CrmDown(bool),
    Mood,
}

/// One run of one seed.
pub struct World {
    settings: Settings,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    watch: Watch,
    node: Option<Arc<Engine>>,
    generation: u64,
    ours: bool,
    rng: ChaCha12Rng,
    dialect: Dialect,
    vendor: Carrier,
    shop: Shop,
    crm: Crm,
    follower: Follower,
    faults: Faults,
    customers: Vec<Customer>,
    heap: BTreeMap<(Time, u64), Action>,
    sequence: u64,
    ticking: BTreeSet<Stage>,
    suspended: BTreeMap<Stage, act::Ticking>,
    closing: Time,
    calm: bool,
    proved: Proved,
    acknowledged: BTreeSet<String>,
    accepted: BTreeMap<MessageId, u32>,
    looked_calls: usize,
    looked_claims: usize,
    marketing: BTreeSet<String>,
    forged: u64,
    actions: u64,
    crashes: u64,
    trace: [u8; 16],
    story: Vec<String>,
    violations: Vec<Violation>,
}

/// The last things told about a broken promise.
const STORY: usize = 60;

impl World {
    /// A world before its first day.
    pub fn new(settings: Settings) -> Result<World, FixtureError> {
        let mut rng = ChaCha12Rng::seed_from_u64(settings.seed);
        // A Friday before the American change of clocks; each seed starts at another hour.
        let start: Time = Time(1_772_800_000_000_000) + Span::mins(i64::from(rng.next_u32() % 1_440));
        let clock = Arc::new(ManualClock::creeping(start));
        let watch = Watch::default();
        // Half of the seeds commit command by command, with effects through the outbox.
        let ordered = settings.seed % 2 == 1;
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(if ordered { Owes::Outbox } else { Owes::Direct })?);
        let watched: Arc<dyn Store> = Arc::new(Wrapped::new(plain, watch.clone()));
        let store: Arc<dyn Store> = if ordered { Arc::new(in_order(watched)) } else { watched };
        let ours = settings.seed.is_multiple_of(3);
        let url = |name: &str| format!("{}/hooks/{name}", fixtures::PUBLIC_URL);
        let dialect = dialect_of(settings.seed);
        let vendor = Carrier::new(dialect, !ours);
        let shop = Shop::new(ShopSettings { secret: fixtures::SHOP_SECRET.to_owned(), hook_url: url("shopify"), domain: "acme.myshopify.com".to_owned() });
        let closing = start + Span::hours(24 * settings.days);
        let customers = people::customers(&mut rng);
        let mut world = World {
            settings,
            clock,
            store,
            watch,
            node: None,
            generation: 0,
            ours,
            rng,
            dialect,
            vendor,
            shop,
            crm: Crm::new(),
            follower: Follower::default(),
            faults: Faults::default(),
            customers,
            heap: BTreeMap::new(),
            sequence: 0,
            ticking: BTreeSet::new(),
            suspended: BTreeMap::new(),
            closing,
            calm: false,
            proved: Proved::new(),
            acknowledged: BTreeSet::new(),
            accepted: BTreeMap::new(),
            looked_calls: 0,
            looked_claims: 0,
            marketing: BTreeSet::new(),
            forged: 0,
            actions: 0,
            crashes: 0,
            trace: [0; 16],
            story: Vec::new(),
            violations: Vec::new(),
        };
        world.fill();
        Ok(world)
    }

    /// Runs to the end.
    pub fn run(mut self) -> Outcome {
        self.restart();
        while self.violations.is_empty() {
            let Some(((at, _), action)) = self.heap.pop_first() else { break };
            if at > self.clock.now() {
                self.clock.set(at);
            }
            if !self.calm && at > self.closing {
                self.calm_down();
            }
            self.actions += 1;
            self.act(action);
            self.check();
        }
        if self.violations.is_empty() {
            self.finish();
        }
        Outcome {
            seed: self.settings.seed,
            actions: self.actions,
            crashes: self.crashes,
            accepted: self.vendor.accepted().len() as u64,
            marketing: self.marketing,
            trace: self.trace.iter().fold(String::new(), |out, b| out + &format!("{b:02x}")),
            violations: self.violations,
            story: self.story,
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// A draw in `[0, bound)`.
    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound.max(1)
    }

    fn seconds(&mut self, most: u32) -> Span {
        Span::millis(i64::from(self.below(most.saturating_mul(1_000))))
    }

    fn at(&mut self, at: Time, action: Action) {
        self.sequence += 1;
        self.heap.insert((at, self.sequence), action);
    }

    fn soon(&mut self, within_secs: u32, action: Action) {
        let at = self.now() + self.seconds(within_secs);
        self.at(at, action);
    }

    /// Notes what happened, for the story and the digest.
    fn tell(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        self.trace = hash16(&[&self.trace, &self.now().0.to_be_bytes(), line.as_bytes()]);
        if self.story.len() >= STORY {
            self.story.remove(0);
        }
        self.story.push(format!("{} {line}", self.now()));
    }

    /// The day's plan: orders, troubles, forgeries, changes of consent.
    fn fill(&mut self) {
        let day = u32::try_from(self.settings.days).unwrap_or(1) * 86_400;
        for _ in 0..self.settings.orders * u32::try_from(self.settings.days).unwrap_or(1) {
            self.soon(day, Action::Order);
        }
        self.plan_clients(day);
        self.plan_offers(day);
        for _ in 0..8 {
            self.soon(day, Action::PlanCrash);
            self.soon(day, Action::Forge);
            self.soon(day, Action::Mood);
        }
        for _ in 0..3 {
            self.soon(day, Action::Kill);
            let down = self.now() + self.seconds(day);
            self.at(down, Action::CrmDown(true));
            let up = down + Span::mins(1) + self.seconds(1_800);
            self.at(up, Action::CrmDown(false));
            let pick = self.below(u32::try_from(self.customers.len()).unwrap_or(1)) as usize;
            if let Some(phone) = self.customers.get(pick).and_then(|c| c.phone.clone()) {
                let grant = self.below(2) == 0;
                self.soon(day, Action::Consent { phone, grant });
            }
        }
    }

    /// Faults off: from here on everything must come to an end.
    fn calm_down(&mut self) {
        self.calm = true;
        self.faults = Faults::default();
        self.watch.plan(None);
        self.tell("faults off");
        if self.node.is_none() {
            self.soon(5, Action::Restart);
        }
    }

    /// A node over the store: a new generation.
    fn restart(&mut self) {
        if self.node.is_some() {
            return;
        }
        self.watch.plan(None);
        self.generation += 1;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let (store, clock, ours, dialect) = (self.store.clone(), self.clock.clone(), self.ours, self.dialect);
        let start = async {
            let definitions = fixtures::definitions(store.as_ref(), clock.now(), ours, dialect).await?;
            let engine = Engine::start(store, clock, definitions, seed).await?;
            while engine.take_over(engine.clock.now(), 100).await? > 0 {}
            Ok::<Engine, FixtureError>(engine)
        };
        match start.now_or_never() {
            Some(Ok(engine)) => self.node = Some(Arc::new(engine)),
            Some(Err(error)) => self.violations.push(Violation::new("liveness", format!("the node could not start: {error}"))),
            None => self.violations.push(Violation::new("liveness", "the node hung while it started")),
        }
        let generation = self.generation;
        self.tell(format!("node {generation} starts"));
        self.tick_soon(&Stage::ALL);
    }

    /// The node dies: whatever it had in the air is heard by nobody.
    fn crash(&mut self, how: &str) {
        if self.node.take().is_some() {
            self.crashes += 1;
            self.ticking.clear();
            self.suspended.clear();
            self.tell(format!("the node dies {how}"));
            self.soon(90, Action::Restart);
        }
    }

    fn tick_soon(&mut self, stages: &[Stage]) {
        for stage in stages {
            if self.node.is_some() && self.ticking.insert(*stage) {
                self.soon(2, Action::Tick(*stage));
            }
        }
    }

    /// Checks after each action whatever may have changed.
    fn check(&mut self) {
        let mut found = oracle::accepted_once(&self.vendor, &mut self.accepted, &mut self.looked_calls);
        let fresh: Vec<_> = self.watch.seen().claims.iter().skip(self.looked_claims).cloned().collect();
        let looked_claims = self.looked_claims;
        self.looked_claims += fresh.len();
        let looked: Vec<_> = std::mem::take(&mut self.watch.seen().looked);
        for (attempt, evidence) in looked {
            let best = self.proved.get(&attempt).copied().max(Some(evidence));
            self.proved.extend(best.map(|best| (attempt, best)));
        }
        for (n, claim) in fresh.iter().enumerate() {
            let intent = &claim.message.intent;
            let address = self.store.addresses(&[intent.address]).now_or_never().and_then(Result::ok).and_then(|mut a| a.pop());
            found.extend(oracle::claim_allowed(claim, address.as_ref()));
            let of_address = |other: &&Claim| other.message.intent.address == intent.address;
            let earlier: Vec<Claim> = self.watch.seen().claims.iter().take(looked_claims + n + 1).filter(of_address).cloned().collect();
            found.extend(oracle::claim_lawful(claim, &earlier, address.as_ref()));
            if intent.purpose == Purpose::Marketing {
                self.marketing.extend(oracle::hours::home_of(address.as_ref()).and_then(|home| home.jurisdictions.last()).map(|place| (*place).to_owned()));
            }
        }
        if self.watch.seen().refusals < self.forged {
            found.push(Violation::new("I7", "a forged hook was not refused on record"));
        }
        self.violations.extend(found);
    }

    /// Nothing is left to do: everything must be as promised.
    fn finish(&mut self) {
        let rest = oracle::at_rest(self.store.as_ref(), &self.vendor, &self.crm, &self.proved, &self.acknowledged, self.clock.now()).now_or_never();
        match rest {
            Some(Ok(found)) => self.violations.extend(found),
            Some(Err(error)) => self.violations.push(Violation::new("liveness", error.to_string())),
            None => self.violations.push(Violation::new("liveness", "the store hung")),
        }
        let told = self.follower.taken();
        let missed: Vec<String> = self.watch.seen().announced.iter().filter(|id| !told.contains_key(*id)).cloned().collect();
        self.violations.extend(missed.into_iter().map(|id| Violation::new("I10", format!("the follower was never told of {id}"))));
        self.violations.extend(self.follower.faults().iter().map(|fault| Violation::new("I10", fault.clone())));
        let seen = self.watch.seen().commits;
        self.tell(format!("{seen} commits"));
    }

    /// Notes what an acknowledged hook proves or promises.
    fn acknowledge(&mut self, hook: &OutgoingHook) {
        let value = |name: &str| hook.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        if let Some(event) = value("X-Shopify-Event-Id").or_else(|| value("shopify-event-id")) {
            let topic = value("X-Shopify-Topic").unwrap_or_else(|| format!("{}/{}", value("shopify-topic").unwrap_or_default(), value("shopify-action").unwrap_or_default()));
            self.acknowledged.insert(format!("{event}:{topic}"));
        }
        if let Some((attempt, evidence)) = self.vendor.proof(hook) {
            let best = self.proved.get(&attempt).copied().max(evidence);
            if let Some(best) = best {
                self.proved.insert(attempt, best);
            }
        }
    }
}

/// Seeds take turns, so that a block of them has every dialect with every way to commit.
fn dialect_of(seed: u64) -> Dialect {
    let [first, second, third] = Dialect::ALL;
    match seed / 6 % 3 {
        0 => first,
        1 => second,
        _ => third,
    }
}
