//! The stages, one file each, in pipeline order; the only crate that joins rules, store and connectors.
//!
//! ```text
//! outbound  source event -intake-> event -ingest-> run -journey-> message -dispatch-> call -settle-> message
//! inbound   hook -receive-> hook row -inbox-> message / address / event
//! gaps      vendor's list -gap-> hook row -inbox-> as above
//!           every change -same commit-> write-back, announcement, alert, case, counter
//! ```
//! Each stage loads facts, asks `trunkline_core`, and commits once. A stage that calls out is two ticks: one returns
//! the calls as data, another takes whatever came of them. No stage sleeps, spawns or selects; `worker` does.

pub mod definitions;
pub mod pressure;
pub mod transport;

pub mod cancel;
pub mod consent;
pub mod erase;
pub mod intake;
pub mod profile;
pub mod receive;

pub mod gap;
pub mod inbox;
pub mod ingest;
pub mod journey;

pub mod dispatch;
pub mod resolve;
pub mod ruling;
pub mod settle;
pub mod writeback;

pub mod announce;

pub mod air;
pub mod sweep;
pub mod worker;

pub mod explain;
pub mod proof;
pub mod verify;

mod compose;
mod effects;
mod facts;
mod limits;
mod poison;
mod routing;
mod stuck;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::{Notify, watch};
use trunkline_core::clock::Clock;
use trunkline_core::expr;
use trunkline_core::id::InstallationKey;
use trunkline_core::time::Time;
use trunkline_store::wrap::Wrapped;
use trunkline_store::{Store, StoreError, Unit};

use air::Air;
use definitions::{Definitions, Journeys};
use poison::Strikes;
use pressure::Pressure;
use stuck::Suspects;

/// Everything a stage needs.
pub struct Engine {
    /// Where state lives; every commit through it is weighed.
    pub store: Arc<dyn Store>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The configuration in force.
    pub definitions: Arc<Definitions>,
    /// Turns numbers into ids.
    pub key: InstallationKey,
    /// This process's generation.
    pub epoch: i64,
    journeys: RwLock<Arc<Journeys>>,
    expr: expr::Engine,
    rng: Mutex<ChaCha12Rng>,
    wakes: Wakes,
    changes: watch::Sender<u64>,
    doors: gap::Doors,
    pressure: Pressure,
    air: Air,
    suspects: Mutex<Suspects>,
    strikes: Strikes,
}

/// What a tick came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tick {
    /// How many rows it looked at; more may wait if it is not zero.
    pub done: usize,
    /// When to look again at the latest, if something will be due then.
    pub next: Option<Time>,
}

/// The loops that can be woken before their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Texts from people.
    Inbound,
    /// Receipts.
    Receipts,
    /// Source hooks.
    Sources,
    /// New events.
    Ingest,
    /// Due runs.
    Journeys,
    /// Due messages and calls to vendors.
    Dispatch,
    /// Texts of unknown fate and questions to their vendors.
    Questions,
    /// What came while webhooks were lost, and calls for vendors' lists.
    Gaps,
    /// Due write-backs and calls to systems of record.
    Writebacks,
    /// Due announcements and calls to followers.
    Announcements,
    /// Relaying and housekeeping.
    Sweep,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 11] = [
        Stage::Inbound,
        Stage::Receipts,
        Stage::Sources,
        Stage::Ingest,
        Stage::Journeys,
        Stage::Dispatch,
        Stage::Questions,
        Stage::Gaps,
        Stage::Writebacks,
        Stage::Announcements,
        Stage::Sweep,
    ];
}

#[derive(Default)]
struct Wakes([Notify; 11]);

impl Wakes {
    fn of(&self, stage: Stage) -> &Notify {
        let [inbound, receipts, sources, ingest, journeys, dispatch, questions, gaps, writebacks, announcements, sweep] = &self.0;
        match stage {
            Stage::Inbound => inbound,
            Stage::Receipts => receipts,
            Stage::Sources => sources,
            Stage::Ingest => ingest,
            Stage::Journeys => journeys,
            Stage::Dispatch => dispatch,
            Stage::Questions => questions,
            Stage::Gaps => gaps,
            Stage::Writebacks => writebacks,
            Stage::Announcements => announcements,
            Stage::Sweep => sweep,
        }
    }
}

impl Engine {
    /// Starts a generation over a store; whoever claimed work before is taken to be gone, and webhooks that came since
    /// its last beat to be lost.
    pub async fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, definitions: Arc<Definitions>, seed: [u8; 32]) -> Result<Engine, StoreError> {
        let now = clock.now();
        let first = gap::at_start(&store.beats().await?, &definitions, now);
        commit_one(store.as_ref(), now, first).await?;
        Engine::beside(store, clock, definitions, seed).await
    }

    /// An engine that claims nothing: intake and reads of the command line, beside a server that may be running.
    pub async fn beside(store: Arc<dyn Store>, clock: Arc<dyn Clock>, definitions: Arc<Definitions>, seed: [u8; 32]) -> Result<Engine, StoreError> {
        let (key, epoch) = store.installation().await?;
        let journeys = RwLock::new(Arc::new(definitions.journeys.clone()));
        let pressure = Pressure::new(clock.clone());
        Ok(Engine {
            journeys,
            store: Arc::new(Wrapped::new(store, pressure.clone())),
            pressure,
            air: Air::default(),
            suspects: Mutex::default(),
            strikes: Strikes::default(),
            clock,
            definitions,
            key: InstallationKey::new(&key),
            epoch,
            expr: expr::Engine::new(),
            rng: Mutex::new(ChaCha12Rng::from_seed(seed)),
            wakes: Wakes::default(),
            changes: watch::Sender::new(0),
            doors: gap::Doors::default(),
        })
    }

    /// The journeys in force.
    pub fn journeys(&self) -> Arc<Journeys> {
        self.journeys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up journeys that were published since; runs under way keep their versions.
    async fn take_up_journeys(&self) -> Result<(), StoreError> {
        if self.store.newest_definition().await?.unwrap_or_default() > self.journeys().newest {
            let fresh = Arc::new(Journeys::read(&self.store.definitions().await?)?);
            tracing::info!(journeys = fresh.current.len(), "newly published journeys are in force");
            *self.journeys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }

    /// Changes whenever something visible did.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A random number from the seeded generator.
    fn draw(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// Sixteen random bytes.
    fn bits(&self) -> [u8; 16] {
        let mut bits = [0; 16];
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bits);
        bits
    }

    /// Tells the loops of these stages that there is work, and watchers that something changed.
    fn wake(&self, stages: &[Stage]) {
        for stage in stages {
            self.wakes.of(*stage).notify_one();
        }
        self.changes.send_modify(|n| *n += 1);
    }

    /// Commits one unit, decided at `now`: what is folded later must see the time that the decision saw.
    async fn commit(&self, now: Time, unit: Unit) -> Result<Vec<trunkline_store::Applied>, StoreError> {
        commit_one(self.store.as_ref(), now, unit).await
    }

    /// Commits many units, decided at `now`; logs those that failed for another reason than a conflict, and says which did not go in.
    async fn commit_all(&self, now: Time, what: &str, units: Vec<Unit>) -> Result<Vec<bool>, StoreError> {
        let mut landed = Vec::with_capacity(units.len());
        for result in self.store.commit(now, units).await {
            match result {
                Ok(_) => landed.push(true),
                Err(StoreError::Conflict { .. }) => landed.push(false),
                Err(error) => {
                    tracing::error!(%error, stage = what, "a commit failed; its work is tried again");
                    return Err(error);
                }
            }
        }
        Ok(landed)
    }

    /// Commits claims, decided at `now`. Those that went in are to be called, whatever became of the others: a claim that
    /// nobody calls would be in the air for ever.
    async fn commit_claims(&self, now: Time, what: &str, units: Vec<Unit>) -> Result<Vec<bool>, StoreError> {
        let results = self.store.commit(now, units).await;
        let landed: Vec<bool> = results.iter().map(Result::is_ok).collect();
        match results.into_iter().filter_map(Result::err).find(|error| !matches!(error, StoreError::Conflict { .. })) {
            None => Ok(landed),
            Some(error) if landed.contains(&true) => {
                tracing::error!(%error, stage = what, "some claims could not be committed; they are tried again");
                Ok(landed)
            }
            Some(error) => Err(error),
        }
    }
}

async fn commit_one(store: &dyn Store, now: Time, unit: Unit) -> Result<Vec<trunkline_store::Applied>, StoreError> {
    store.commit(now, vec![unit]).await.pop().unwrap_or(Ok(Vec::new()))
}
