//! The only loops: tick until idle, then wait for a wake-up, the next due time, or the end.
//!
//! Its own file because waiting is what no stage does. Each loop is a future of its own; whoever wires the process
//! runs them. Stopping means: claim nothing more, hear what is in the air, settle it.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::future::join3;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, watch};
use trunkline_core::message::Question;
use trunkline_core::time::{Span, Time};
use trunkline_store::StoreError;
use trunkline_store::row::HookLane;

use crate::announce::{AnnounceCall, AnnounceResult};
use crate::dispatch::{BEGIN_WITHIN, Call, Slots};
use crate::gap::{ListCall, ListResult};
use crate::resolve::{Answered, Ask};
use crate::settle::{CallResult, Heard};
use crate::transport::{Transport, Transports};
use crate::writeback::{WriteCall, WriteResult};
use crate::{Engine, Stage, Tick};

/// How many rows a tick takes.
const BATCH: usize = 256;
/// Calls to vendors in the air.
const CALLS: usize = 256;
/// Questions about unclear texts in the air.
const QUESTIONS: usize = 16;
/// Pages of vendors' lists in the air.
const LISTS: usize = 4;
/// Write-backs in the air.
const WRITES: usize = 128;
/// The longest real wait between two looks: wake-ups are hints, looking is what finds the work.
const FLOOR: Span = Span::millis(200);
/// How long to wait after the store refused, in real time.
const AFTER_TROUBLE: Span = Span::millis(500);

/// Every loop of a node, to be run until each ends by itself after `stop` says so.
pub fn loops(engine: &Arc<Engine>, transports: &Transports, stop: &watch::Receiver<bool>) -> Vec<BoxFuture<'static, ()>> {
    let stage = |stage: Stage| -> BoxFuture<'static, ()> { Box::pin(run_stage(engine.clone(), stage, stop.clone())) };
    vec![
        stage(Stage::Inbound),
        stage(Stage::Receipts),
        stage(Stage::Sources),
        stage(Stage::Ingest),
        stage(Stage::Journeys),
        stage(Stage::Sweep),
        Box::pin(run_calls::<Texts>(engine.clone(), transports.clone(), stop.clone())),
        Box::pin(run_calls::<Questions>(engine.clone(), transports.clone(), stop.clone())),
        Box::pin(run_calls::<Lists>(engine.clone(), transports.clone(), stop.clone())),
        Box::pin(run_calls::<Writes>(engine.clone(), transports.clone(), stop.clone())),
        Box::pin(run_calls::<Announcements>(engine.clone(), transports.clone(), stop.clone())),
    ]
}

async fn tick(engine: &Engine, stage: Stage, now: Time) -> Result<Tick, StoreError> {
    match stage {
        Stage::Inbound => engine.inbox_tick(HookLane::Inbound, now, BATCH).await,
        Stage::Receipts => engine.inbox_tick(HookLane::Receipt, now, BATCH).await,
        Stage::Sources => engine.inbox_tick(HookLane::Source, now, BATCH).await,
        Stage::Ingest => engine.ingest_tick(now, BATCH).await,
        Stage::Journeys => engine.journey_tick(now, BATCH).await,
        Stage::Sweep => engine.sweep_tick(now, BATCH).await,
        // These have loops of their own.
        Stage::Dispatch | Stage::Questions | Stage::Gaps | Stage::Writebacks | Stage::Announcements => Ok(Tick::default()),
    }
}

async fn run_stage(engine: Arc<Engine>, stage: Stage, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let wait = match tick(&engine, stage, engine.clock.now()).await {
            // The sweep has no queue to drain: what it found may be there again.
            Ok(tick) if tick.done > 0 && stage != Stage::Sweep => continue,
            Ok(tick) => until(&engine, tick.next),
            Err(error) => trouble(stage, &error),
        };
        rest(&engine, stage, wait, &mut stop).await;
    }
}

/// How long to wait for something that is due at `next`, in real time.
fn until(engine: &Engine, next: Option<Time>) -> Span {
    let wait = next.map_or(FLOOR, |at| engine.clock.real(at.since(engine.clock.now())));
    Span(wait.0.clamp(1_000, FLOOR.0))
}

fn trouble(stage: Stage, error: &StoreError) -> Span {
    tracing::error!(?stage, %error, "a stage could not reach the store; it tries again");
    AFTER_TROUBLE
}

/// Waits until woken, until the wait is over, or until the end. A wake-up that came while the stage worked is kept
/// by `Notify`, so none is missed.
async fn rest(engine: &Engine, stage: Stage, wait: Span, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = engine.wakes.of(stage).notified() => {}
        _ = tokio::time::timeout(wait.std(), stop.changed()) => {}
    }
}

/// Makes one claimed call, unless it is too late to begin.
pub async fn make_call(engine: &Engine, transport: &dyn Transport, call: Call) -> CallResult {
    let late = engine.clock.uptime().since(call.claimed) > BEGIN_WITHIN;
    let heard = if late {
        Heard::NotBegun("the call was not begun within two seconds of its claim")
    } else if engine.clock.now() >= call.deadline {
        Heard::NotBegun("the deadline passed before the call was begun")
    } else {
        Heard::Reply(transport.call(call.request.clone()).await)
    };
    CallResult::of(&call, heard)
}

/// A stage that calls out: what it claims, how a call is made, where its results go.
trait CallsOut {
    /// Whose wake-ups it hears.
    const STAGE: Stage;
    /// How many calls may be in the air.
    const SLOTS: usize;
    /// A claimed call.
    type Call;
    /// What came of one.
    type Heard;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<Self::Call>, Tick), StoreError>;
    async fn call(engine: &Engine, transports: &Transports, call: Self::Call) -> Self::Heard;
    /// Gives back what could not be committed.
    async fn settle(engine: &Engine, heard: Vec<Self::Heard>) -> Vec<Self::Heard>;
}

struct Texts;

impl CallsOut for Texts {
    const STAGE: Stage = Stage::Dispatch;
    const SLOTS: usize = CALLS;
    type Call = Call;
    type Heard = CallResult;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<Call>, Tick), StoreError> {
        engine.claim_tick(engine.clock.now(), Slots { free: slots, of: CALLS }).await
    }

    async fn call(engine: &Engine, transports: &Transports, call: Call) -> CallResult {
        make_call(engine, transports.plain.as_ref(), call).await
    }

    async fn settle(engine: &Engine, heard: Vec<CallResult>) -> Vec<CallResult> {
        engine.settle_tick(engine.clock.now(), heard).await.1
    }
}

struct Questions;

impl CallsOut for Questions {
    const STAGE: Stage = Stage::Questions;
    const SLOTS: usize = QUESTIONS;
    type Call = Ask;
    type Heard = Answered;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<Ask>, Tick), StoreError> {
        engine.ask_tick(engine.clock.now(), slots).await
    }

    async fn call(engine: &Engine, transports: &Transports, ask: Ask) -> Answered {
        let late = engine.clock.uptime().since(ask.claimed) > BEGIN_WITHIN || (ask.how == Question::Repeat && engine.clock.now() >= ask.deadline);
        let heard = if late { Heard::NotBegun("the question was not put in time") } else { Heard::Reply(transports.plain.call(ask.request).await) };
        Answered { attempt: ask.attempt, how: ask.how, heard }
    }

    async fn settle(engine: &Engine, heard: Vec<Answered>) -> Vec<Answered> {
        engine.answer_tick(engine.clock.now(), heard).await.1
    }
}

struct Writes;

impl CallsOut for Writes {
    const STAGE: Stage = Stage::Writebacks;
    const SLOTS: usize = WRITES;
    type Call = WriteCall;
    type Heard = WriteResult;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<WriteCall>, Tick), StoreError> {
        engine.writeback_claim_tick(engine.clock.now(), slots).await
    }

    async fn call(_: &Engine, transports: &Transports, call: WriteCall) -> WriteResult {
        let reply = transports.plain.call(call.request).await;
        WriteResult { row: call.row, word: call.word, reply }
    }

    async fn settle(engine: &Engine, heard: Vec<WriteResult>) -> Vec<WriteResult> {
        engine.writeback_settle_tick(engine.clock.now(), heard).await.1
    }
}

struct Lists;

impl CallsOut for Lists {
    const STAGE: Stage = Stage::Gaps;
    const SLOTS: usize = LISTS;
    type Call = ListCall;
    type Heard = ListResult;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<ListCall>, Tick), StoreError> {
        engine.gap_tick(engine.clock.now(), slots).await
    }

    async fn call(_: &Engine, transports: &Transports, call: ListCall) -> ListResult {
        let reply = transports.plain.call(call.request.clone()).await;
        ListResult::of(&call, reply)
    }

    async fn settle(engine: &Engine, heard: Vec<ListResult>) -> Vec<ListResult> {
        engine.gap_settle_tick(engine.clock.now(), heard).await.1
    }
}

struct Announcements;

impl CallsOut for Announcements {
    const STAGE: Stage = Stage::Announcements;
    const SLOTS: usize = WRITES;
    type Call = AnnounceCall;
    type Heard = AnnounceResult;

    async fn claim(engine: &Engine, slots: usize) -> Result<(Vec<AnnounceCall>, Tick), StoreError> {
        engine.announce_claim_tick(engine.clock.now(), slots).await
    }

    async fn call(_: &Engine, transports: &Transports, call: AnnounceCall) -> AnnounceResult {
        let transport = if call.allow_private { &transports.plain } else { &transports.guarded };
        AnnounceResult { row: call.row, reply: transport.call(call.request).await }
    }

    async fn settle(engine: &Engine, heard: Vec<AnnounceResult>) -> Vec<AnnounceResult> {
        engine.announce_settle_tick(engine.clock.now(), heard).await.1
    }
}

/// Claiming, calling and settling go on beside each other: a commit that one of them waits for holds up neither of the
/// others, so that what comes meanwhile shares the next one.
async fn run_calls<C: CallsOut>(engine: Arc<Engine>, transports: Transports, stop: watch::Receiver<bool>) {
    let slots = Semaphore::new(C::SLOTS);
    let (claimed, calls) = mpsc::unbounded_channel();
    let (answered, heard) = mpsc::unbounded_channel();
    let (claims, settles) = (claim_calls::<C>(&engine, &slots, claimed, stop), settle_calls::<C>(&engine, &slots, heard));
    join3(claims, make_calls::<C>(&engine, &transports, calls, answered), settles).await;
}

/// Claims as many calls as there are slots: never what cannot be called at once. A slot is free again when its call is
/// settled, so that neither channel holds more than there are slots.
async fn claim_calls<C: CallsOut>(engine: &Engine, slots: &Semaphore, claimed: mpsc::UnboundedSender<C::Call>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let first = tokio::select! {
            permit = slots.acquire() => permit,
            _ = stop.changed() => continue,
        };
        // The semaphore is never closed.
        let Ok(first) = first else { return };
        first.forget();
        let mut free = 1;
        if let Ok(more) = slots.try_acquire_many(u32::try_from(slots.available_permits()).unwrap_or(0)) {
            free += more.num_permits();
            more.forget();
        }
        let (found, wait) = match C::claim(engine, free).await {
            // Something was found and more may be there: look again at once.
            Ok((calls, tick)) => {
                let wait = if calls.is_empty() && tick.done == 0 { until(engine, tick.next) } else { Span::ZERO };
                (calls, wait)
            }
            Err(error) => (Vec::new(), trouble(C::STAGE, &error)),
        };
        slots.add_permits(free.saturating_sub(found.len()));
        for call in found {
            // The other end lives as long as this one.
            drop(claimed.send(call));
        }
        if wait > Span::ZERO {
            tokio::select! {
                () = engine.wakes.of(C::STAGE).notified() => {}
                () = pause(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

async fn make_calls<C: CallsOut>(engine: &Engine, transports: &Transports, mut calls: mpsc::UnboundedReceiver<C::Call>, answered: mpsc::UnboundedSender<C::Heard>) {
    let mut flying = FuturesUnordered::new();
    let mut more = true;
    while more || !flying.is_empty() {
        tokio::select! {
            biased;
            Some(result) = flying.next(), if !flying.is_empty() => drop(answered.send(result)),
            call = calls.recv(), if more => match call {
                Some(call) => flying.push(C::call(engine, transports, call)),
                None => more = false,
            },
        }
    }
}

/// Whatever is there settles in one commit.
async fn settle_calls<C: CallsOut>(engine: &Engine, slots: &Semaphore, mut heard: mpsc::UnboundedReceiver<C::Heard>) {
    let mut results = Vec::new();
    loop {
        if results.is_empty() {
            if heard.recv_many(&mut results, C::SLOTS).await == 0 {
                return;
            }
        } else {
            // What could not be committed holds up nothing that came after it.
            while let Ok(more) = heard.try_recv() {
                results.push(more);
            }
        }
        let asked = results.len();
        results = C::settle(engine, std::mem::take(&mut results)).await;
        slots.add_permits(asked - results.len());
        if !results.is_empty() {
            pause(AFTER_TROUBLE).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of the engine that waits")]
async fn pause(span: Span) {
    tokio::time::sleep(span.std()).await;
}
