//! Ticks: a stage is looked at, may be overtaken at a commit, and what it gives back becomes actions.
//!
//! Apart from `calls`, where the calls that it gives back are made. A tick is the real one; only the moment at which it
//! runs, and who gets in between, is the world's.

use std::pin::Pin;

use futures_util::FutureExt;
use trunkline_core::id::AddressId;
use trunkline_core::time::Span;
use trunkline_engine::announce::AnnounceCall;
use trunkline_engine::dispatch::Call;
use trunkline_engine::gap::ListCall;
use trunkline_engine::resolve::Ask;
use trunkline_engine::writeback::WriteCall;
use trunkline_engine::{Stage, Tick};
use trunkline_store::StoreError;
use trunkline_store::row::{HookLane, Place};

use super::{Action, World};
use crate::fixtures;
use crate::outgoing::Effect;
use crate::watch::Stall;

/// A tick that may have been overtaken.
pub(super) type Ticking = Pin<Box<dyn Future<Output = Ticked> + Send>>;

/// What a tick gave back.
pub(super) enum Ticked {
    Stage(Result<Tick, StoreError>),
    Calls(Result<(Vec<Call>, Tick), StoreError>),
    Asks(Result<(Vec<Ask>, Tick), StoreError>),
    Lists(Result<(Vec<ListCall>, Tick), StoreError>),
    Writes(Result<(Vec<WriteCall>, Tick), StoreError>),
    Announcements(Result<(Vec<AnnounceCall>, Tick), StoreError>),
}

/// How many calls a stage that calls out claims at once.
const CALLS: usize = 8;
/// How many rows any other stage takes at once.
const ROWS: usize = 16;

impl World {
    /// Looks at a stage, unless a look at it waits for its commit.
    pub(super) fn tick(&mut self, stage: Stage) {
        let Some(node) = self.node.clone().filter(|_| !self.suspended.contains_key(&stage)) else { return };
        let now = self.now();
        self.agenda.take(stage, now);
        let work: Ticking = Box::pin(async move {
            match stage {
                Stage::Dispatch => Ticked::Calls(node.claim_tick(now, CALLS).await),
                Stage::Questions => Ticked::Asks(node.ask_tick(now, CALLS).await),
                Stage::Gaps => Ticked::Lists(node.gap_tick(now, CALLS).await),
                Stage::Writebacks => Ticked::Writes(node.writeback_claim_tick(now, CALLS).await),
                Stage::Announcements => Ticked::Announcements(node.announce_claim_tick(now, CALLS).await),
                Stage::Inbound => Ticked::Stage(node.inbox_tick(HookLane::Inbound, now, ROWS).await),
                Stage::Receipts => Ticked::Stage(node.inbox_tick(HookLane::Receipt, now, ROWS).await),
                Stage::Sources => Ticked::Stage(node.inbox_tick(HookLane::Source, now, ROWS).await),
                Stage::Ingest => Ticked::Stage(node.ingest_tick(now, ROWS).await),
                Stage::Journeys => Ticked::Stage(node.journey_tick(now, ROWS).await),
                Stage::Sweep => Ticked::Stage(node.sweep_tick(now, ROWS).await),
            }
        });
        let stall = self.stall(stage);
        self.watch.stall(stall);
        self.go_on(stage, work, false);
        self.watch.stall(Stall::No);
    }

    /// Which of its commits this tick is overtaken at.
    fn stall(&mut self, stage: Stage) -> Stall {
        if self.closed {
            return Stall::No;
        }
        if stage == Stage::Dispatch && self.happens(self.menu.opt_outs_percent, 100) {
            return Stall::Claim;
        }
        if self.happens(self.menu.stalls_percent, 100) { Stall::Next } else { Stall::No }
    }

    /// A stage that was overtaken goes on.
    pub(super) fn resume(&mut self, stage: Stage, generation: u64) {
        if generation == self.generation
            && let Some(work) = self.suspended.remove(&stage)
        {
            self.tell(format!("{stage:?} goes on"));
            self.go_on(stage, work, true);
        }
    }

    fn go_on(&mut self, stage: Stage, mut work: Ticking, resumed: bool) {
        let ticked = work.as_mut().now_or_never();
        if ticked.is_none() && self.watch.take_stalled() {
            return self.overtaken(stage, work);
        }
        let tick = match ticked {
            None => return self.crash(&format!("in {stage:?}")),
            Some(
                Ticked::Stage(Err(error))
                | Ticked::Calls(Err(error))
                | Ticked::Asks(Err(error))
                | Ticked::Lists(Err(error))
                | Ticked::Writes(Err(error))
                | Ticked::Announcements(Err(error)),
            ) => {
                if self.excused(&format!("{stage:?}: {error}")) {
                    let later = self.now() + Span::secs(1);
                    self.look(stage, later);
                }
                return;
            }
            Some(Ticked::Stage(Ok(tick))) => tick,
            Some(Ticked::Calls(Ok((calls, tick)))) => self.begin(calls, tick, |call, generation| Action::Call { call: Box::new(call), generation }),
            Some(Ticked::Asks(Ok((asks, tick)))) => self.begin(asks, tick, |ask, generation| Action::Ask { ask: Box::new(ask), generation }),
            Some(Ticked::Lists(Ok((calls, tick)))) => self.begin(calls, tick, |call, generation| Action::List { call: Box::new(call), generation }),
            Some(Ticked::Writes(Ok((calls, tick)))) => self.begin(calls, tick, |call, generation| Action::Write { call: Box::new(call), generation }),
            Some(Ticked::Announcements(Ok((calls, tick)))) => self.begin(calls, tick, |call, generation| Action::Announce { call: Box::new(call), generation }),
        };
        self.after(stage, tick, resumed);
    }

    /// Its commit waits, and others get in between: for a claim, the recipient herself.
    fn overtaken(&mut self, stage: Stage, work: Ticking) {
        self.tell(format!("{stage:?} is overtaken"));
        self.suspended.insert(stage, work);
        let generation = self.generation;
        self.soon(6, Action::Resume(stage, generation));
        if let Some(address) = self.watch.take_overtaken().first().copied() {
            self.opts_out(address);
        }
    }

    /// Somebody opts out in this instant, by a text or by another way.
    fn opts_out(&mut self, address: AddressId) {
        let found = self.store.addresses(&[address]).now_or_never().and_then(Result::ok).and_then(|mut a| a.pop());
        let Some(Place::Sms(number)) = found.map(|address| address.place) else { return };
        let phone = number.e164().to_owned();
        if self.below(2) == 0 {
            self.tell("somebody texts STOP while her text is being claimed");
            let now = self.now();
            for effect in self.vendor.reply(now, &phone, fixtures::SENDER, "STOP", &mut self.rng) {
                let Effect::Hook(hook) = effect;
                self.hook(hook, 0);
            }
            self.tick(Stage::Inbound);
            self.soon(4 * 3_600, Action::Reply { phone, body: "START".to_owned() });
        } else {
            self.consent(&phone, false);
            self.soon(4 * 3_600, Action::Consent { phone, grant: true });
        }
    }

    /// Calls that were claimed are begun soon; some of them too late to be begun at all.
    fn begin<C>(&mut self, calls: Vec<C>, tick: Tick, action: impl Fn(C, u64) -> Action) -> Tick {
        let generation = self.generation;
        for call in calls {
            self.soon(3, action(call, generation));
        }
        tick
    }

    /// When to look at the stage again.
    fn after(&mut self, stage: Stage, tick: Tick, resumed: bool) {
        if tick.done > 0 {
            self.tell(format!("{stage:?}: {}", tick.done));
        } else {
            self.idle += 1;
        }
        let now = self.now();
        let (most, leaves_some) = match stage {
            // Of the rows that these took, some may wait for others.
            Stage::Dispatch => (CALLS, true),
            Stage::Ingest | Stage::Receipts => (ROWS, true),
            Stage::Questions | Stage::Gaps | Stage::Writebacks | Stage::Announcements => (CALLS, false),
            Stage::Inbound | Stage::Sources | Stage::Journeys | Stage::Sweep => (ROWS, false),
        };
        // Whoever was overtaken may have lost to somebody else, and decides again.
        if resumed || tick.done >= most || (leaves_some && tick.done > 1) {
            self.look(stage, now);
        }
        if let Some(next) = tick.next {
            self.look(stage, next);
        }
        if stage == Stage::Sweep && tick.done > 0 && self.ordered {
            // What was moved on waits as long as its state may have patience.
            for patience in [0, 2, 30] {
                self.look(Stage::Writebacks, now + Span::secs(patience));
            }
            self.look(Stage::Announcements, now);
        }
        self.look_again(stage);
    }
}
