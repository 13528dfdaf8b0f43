//! The world: one ordered heap of actions, one clock, one generator, and every ordering that a seed asks for.
//!
//! Its own file because production has no such thing: here a call, an answer, a webhook, a crash are actions, so that
//! each can be lost, late or in the wrong order. The node is the real engine; killing it is dropping it at a commit.
//! What happens in each action is in the files below.

mod act;
mod agenda;
mod calls;
mod clients;
mod day;
mod gaps;
mod hooks;
mod people;
mod stages;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::id::{AddressId, MessageId, hash16};
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_engine::announce::{AnnounceCall, AnnounceResult};
use trunkline_engine::definitions::Definitions;
use trunkline_engine::dispatch::Call;
use trunkline_engine::gap::{ListCall, ListResult};
use trunkline_engine::resolve::{Answered, Ask};
use trunkline_engine::settle::CallResult;
use trunkline_engine::writeback::{WriteCall, WriteResult};
use trunkline_engine::{Engine, Stage};
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::{Wrapped, in_order};

use self::agenda::Agenda;
use self::trouble::Outage;
use crate::carrier::{Carrier, Dialect};
use crate::crm::Crm;
use crate::faults::Faults;
use crate::fixtures::{self, FixtureError, Series};
use crate::follower::Follower;
use crate::oracle::{self, Proved, Violation};
use crate::outgoing::OutgoingHook;
use crate::profile::{Menu, Profile};
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
    /// How rough it is.
    pub profile: Profile,
}

impl Settings {
    /// A short, busy day.
    pub fn of(seed: u64) -> Settings {
        Settings::in_profile(Profile::default(), seed)
    }

    /// A day of a profile.
    pub fn in_profile(profile: Profile, seed: u64) -> Settings {
        Settings { seed, days: 1, orders: profile.orders(), profile }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many actions were taken.
    pub actions: u64,
    /// How many of them were looks of a stage that found nothing to do.
    pub idle: u64,
    /// How often the node was killed.
    pub crashes: u64,
    /// How many events of sources were acknowledged, copies apart.
    pub source_events: u64,
    /// How many texts the vendor accepted.
    pub accepted: u64,
    /// The jurisdictions in which marketing left.
    pub marketing: BTreeSet<String>,
    /// A digest of everything that happened, in order.
    pub trace: String,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The last things that happened before the first of them; nothing if there is none.
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
    /// A hook that comes once more when it is too old.
    Replay(OutgoingHook),
    /// A hook of which only the first half comes.
    Cut(OutgoingHook),
    Forge,
    Reply {
        phone: String,
        body: String,
    },
    Consent {
        phone: String,
        grant: bool,
    },
    Profile,
    Rule,
    Publish,
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
    /// A page of a vendor's list.
    List {
        call: Box<ListCall>,
        generation: u64,
    },
    Listed {
        result: Box<ListResult>,
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
    VendorOut(Option<Outage>),
    DiskFull(bool),
    Busy,
    Leap,
    StepBack,
    Mood,
}

/// Where an action is in the heap.
type Place = (Time, u64);

/// One run of one seed.
pub struct World {
    settings: Settings,
    menu: &'static Menu,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    watch: Watch,
    node: Option<Arc<Engine>>,
    generation: u64,
    /// What the node is configured with, until journeys are published anew.
    definitions: Option<Arc<Definitions>>,
    series: Series,
    published: u32,
    ours: bool,
    /// Whether commands are committed one by one, effects by way of the outbox.
    ordered: bool,
    lost: gaps::Lost,
    rng: ChaCha12Rng,
    dialect: Dialect,
    vendor: Carrier,
    outage: Option<Outage>,
    shop: Shop,
    crm: Crm,
    follower: Follower,
    faults: Faults,
    customers: Vec<Customer>,
    heap: BTreeMap<Place, Action>,
    sequence: u64,
    agenda: Agenda,
    suspended: BTreeMap<Stage, stages::Ticking>,
    closing: Time,
    /// Whether the shop is closed and nothing goes wrong any more.
    closed: bool,
    proved: Proved,
    acknowledged: BTreeSet<String>,
    accepted: BTreeMap<MessageId, u32>,
    looked_calls: usize,
    /// The claims of the last days by address: what caps count.
    claimed: BTreeMap<AddressId, Vec<Claim>>,
    marketing: BTreeSet<String>,
    /// How many hooks had to be refused, and were.
    refused: u64,
    actions: u64,
    idle: u64,
    crashes: u64,
    trace: [u8; 16],
    story: VecDeque<(Time, String)>,
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
        // Half of the seeds commit command by command, with effects through the outbox.
        let ordered = settings.seed % 2 == 1;
        let (watch, owes) = if ordered { (Watch::with_outbox(), Owes::Outbox) } else { (Watch::default(), Owes::Direct) };
        let plain: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(owes)?);
        let watched: Arc<dyn Store> = Arc::new(Wrapped::new(plain, watch.clone()));
        let store: Arc<dyn Store> = if ordered { Arc::new(in_order(watched)) } else { watched };
        let ours = settings.seed.is_multiple_of(3);
        let url = |name: &str| format!("{}/hooks/{name}", fixtures::PUBLIC_URL);
        let dialect = dialect_of(settings.seed);
        let vendor = Carrier::new(dialect, !ours);
        let shop = Shop::new(ShopSettings { secret: fixtures::SHOP_SECRET.to_owned(), hook_url: url("shopify"), domain: "acme.myshopify.com".to_owned() });
        let closing = start + Span::hours(24 * settings.days);
        let menu = settings.profile.menu();
        let forgets = settings.seed % 5 == 4;
        let customers = people::customers(&mut rng, menu.customers);
        let mut world = World {
            settings,
            menu,
            clock,
            store,
            watch,
            node: None,
            generation: 0,
            definitions: None,
            series: Series { more_than: menu.series_above, ..Series::default() },
            published: 0,
            ours,
            ordered,
            lost: gaps::Lost::of(forgets),
            rng,
            dialect,
            vendor,
            outage: None,
            shop,
            crm: Crm::new(),
            follower: Follower::default(),
            faults: Faults::default(),
            customers,
            heap: BTreeMap::new(),
            sequence: 0,
            agenda: Agenda::default(),
            suspended: BTreeMap::new(),
            closing,
            closed: false,
            proved: Proved::new(),
            acknowledged: BTreeSet::new(),
            accepted: BTreeMap::new(),
            looked_calls: 0,
            claimed: BTreeMap::new(),
            marketing: BTreeSet::new(),
            refused: 0,
            actions: 0,
            idle: 0,
            crashes: 0,
            trace: [0; 16],
            story: VecDeque::new(),
            violations: Vec::new(),
        };
        world.fill();
        Ok(world)
    }

    /// Runs to the end.
    pub fn run(mut self) -> Outcome {
        let most = 200_000 + self.settings.days.unsigned_abs() * u64::from(self.settings.orders) * 3_000;
        self.restart();
        while self.violations.is_empty() {
            let Some(((at, _), action)) = self.heap.pop_first() else { break };
            if at > self.clock.now() {
                self.clock.set(at);
            }
            if !self.closed && at > self.closing {
                self.close();
            }
            self.actions += 1;
            self.act(action);
            self.take_up();
            self.check();
            if self.actions > most {
                self.violations.push(Violation::new("liveness", format!("it did not come to rest within {most} actions")));
            }
        }
        if self.violations.is_empty() {
            self.finish();
        }
        let told = if self.violations.is_empty() { VecDeque::new() } else { self.story };
        Outcome {
            seed: self.settings.seed,
            actions: self.actions,
            idle: self.idle,
            crashes: self.crashes,
            source_events: self.acknowledged.len() as u64,
            accepted: self.vendor.accepted().len() as u64,
            marketing: self.marketing,
            trace: self.trace.iter().fold(String::new(), |out, b| out + &format!("{b:02x}")),
            violations: self.violations,
            story: told.into_iter().map(|(at, line)| format!("{at} {line}")).collect(),
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// A draw in `[0, bound)`.
    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound.max(1)
    }

    /// Whether something with so many chances in `of` happens now; nothing is drawn for what never does.
    fn happens(&mut self, chances: u32, of: u32) -> bool {
        chances > 0 && self.below(of) < chances
    }

    fn seconds(&mut self, most: u32) -> Span {
        Span::millis(i64::from(self.below(most.saturating_mul(1_000))))
    }

    fn at(&mut self, at: Time, action: Action) -> Place {
        self.sequence += 1;
        let place = (at, self.sequence);
        self.heap.insert(place, action);
        place
    }

    fn soon(&mut self, within_secs: u32, action: Action) {
        let at = self.now() + self.seconds(within_secs);
        self.at(at, action);
    }

    /// Any of the customers.
    fn anybody(&mut self) -> Option<Customer> {
        let pick = self.below(u32::try_from(self.customers.len()).unwrap_or(1)) as usize;
        self.customers.get(pick).cloned()
    }

    /// Notes what happened, for the story and the digest.
    fn tell(&mut self, line: impl AsRef<str>) {
        let (line, now) = (line.as_ref(), self.now());
        self.trace = hash16(&[&self.trace, &now.0.to_be_bytes(), line.as_bytes()]);
        if self.story.len() >= STORY {
            self.story.pop_front();
        }
        self.story.push_back((now, line.to_owned()));
    }

    fn broken(&mut self, invariant: &'static str, story: impl Into<String>) {
        self.violations.push(Violation::new(invariant, story));
    }

    /// Whether what failed just now failed because the store refused it, as it was told to; otherwise it is a fault.
    fn excused(&mut self, what: &str) -> bool {
        if self.watch.take_refused() {
            self.tell(format!("the store refuses: {what}"));
            return true;
        }
        self.broken("liveness", what);
        false
    }

    /// The shop closes, and the faults are off: from here on everything must come to an end.
    fn close(&mut self) {
        self.closed = true;
        self.faults = Faults::default();
        self.outage = None;
        self.watch.plan(None);
        self.watch.fill_disk(false);
        self.watch.refuse_one(None);
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
        let (store, clock, ours, dialect, series, known) = (self.store.clone(), self.clock.clone(), self.ours, self.dialect, self.series, self.definitions.clone());
        let start = async {
            let definitions = match known {
                Some(known) => known,
                None => fixtures::definitions_with(store.as_ref(), clock.now(), ours, dialect, series).await?,
            };
            let engine = Engine::start(store, clock, definitions.clone(), seed).await?;
            while engine.take_over(engine.clock.now(), 100).await? > 0 {}
            Ok::<(Engine, Arc<Definitions>), FixtureError>((engine, definitions))
        };
        let generation = self.generation;
        match start.now_or_never() {
            Some(Ok((engine, definitions))) => (self.node, self.definitions) = (Some(Arc::new(engine)), Some(definitions)),
            Some(Err(error)) => {
                if self.excused(&format!("node {generation} could not start: {error}")) {
                    self.soon(30, Action::Restart);
                }
                return;
            }
            None => return self.broken("liveness", "the node hung while it started"),
        }
        self.lost.started = self.now();
        self.tell(format!("node {generation} starts"));
        let now = self.now();
        for stage in Stage::ALL {
            self.look(stage, now);
        }
    }

    /// The node dies: whatever it had in the air is heard by nobody.
    fn crash(&mut self, how: &str) {
        if self.node.take().is_some() {
            self.crashes += 1;
            for place in self.agenda.unplan_all() {
                self.heap.remove(&place);
            }
            self.suspended.clear();
            self.tell(format!("the node dies {how}"));
            self.soon(90, Action::Restart);
        }
    }

    /// Checks after each action whatever may have changed: what is new, and nothing that was looked at before.
    fn check(&mut self) {
        let mut found = oracle::accepted_once(&self.vendor, &mut self.accepted, &mut self.looked_calls);
        let (claims, looked, read, broken, refusals) = {
            let mut seen = self.watch.seen();
            let seen = &mut *seen;
            (std::mem::take(&mut seen.claims), std::mem::take(&mut seen.looked), std::mem::take(&mut seen.read), std::mem::take(&mut seen.broken), seen.refusals)
        };
        found.extend(broken);
        for (attempt, evidence) in looked {
            let best = self.proved.get(&attempt).copied().max(Some(evidence));
            self.proved.extend(best.map(|best| (attempt, best)));
        }
        for claim in &claims {
            let intent = &claim.message.intent;
            let address = self.store.addresses(&[intent.address]).now_or_never().and_then(Result::ok).and_then(|mut a| a.pop());
            found.extend(oracle::claim_allowed(claim, address.as_ref()));
            found.extend(self.after_lost_stop(claim, address.as_ref()));
            let earlier = self.claimed.entry(intent.address).or_default();
            earlier.retain(|other| other.at + oracle::hours::CAPS_REACH > claim.at);
            earlier.push(claim.clone());
            found.extend(oracle::claim_lawful(claim, earlier, address.as_ref()));
            if intent.purpose == Purpose::Marketing {
                self.marketing.extend(oracle::hours::home_of(address.as_ref()).and_then(|home| home.jurisdictions.last()).map(|place| (*place).to_owned()));
            }
        }
        found.extend(read.iter().filter_map(oracle::receipt_read));
        if refusals < self.refused {
            found.push(Violation::new("I7", "a hook was refused, and not on record"));
        }
        self.violations.extend(found);
    }

    /// Nothing is left to do: everything must be as promised.
    fn finish(&mut self) {
        let rest = oracle::at_rest(self.store.as_ref(), &self.vendor, &self.crm, &self.proved, &self.acknowledged, self.clock.now()).now_or_never();
        match rest {
            Some(Ok(found)) => self.violations.extend(found),
            Some(Err(error)) => self.broken("liveness", error.to_string()),
            None => self.broken("liveness", "the store hung"),
        }
        self.violations.extend(self.lost_for_good());
        let told = self.follower.taken();
        let missed: Vec<String> = self.watch.seen().announced.iter().filter(|id| !told.contains_key(*id)).cloned().collect();
        self.violations.extend(missed.into_iter().map(|id| Violation::new("I10", format!("the follower was never told of {id}"))));
        self.violations.extend(self.follower.faults().iter().map(|fault| Violation::new("I10", fault.clone())));
        let seen = self.watch.seen().commits;
        self.tell(format!("{seen} commits"));
    }

    /// Notes what an acknowledged hook proves or promises.
    fn acknowledge(&mut self, hook: &OutgoingHook) {
        if let Some(event) = hook.header("X-Shopify-Event-Id").or_else(|| hook.header("shopify-event-id")) {
            let newer = || format!("{}/{}", hook.header("shopify-topic").unwrap_or_default(), hook.header("shopify-action").unwrap_or_default());
            let topic = hook.header("X-Shopify-Topic").map_or_else(newer, str::to_owned);
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
