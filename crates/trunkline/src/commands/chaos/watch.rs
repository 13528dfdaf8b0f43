//! Looks on while a scenario runs: queues, alerts, whether the server answers; and says when all is calm again.
//!
//! Its own file because it compares with what was there before: a store that has seen other days has alerts, held
//! texts and dead letters of its own. What the texts came to is counted in `count`, when all is over.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::message::Delivery;
use trunkline_store::row::MessageFilter;
use trunkline_store::{Store, StoreError};

use super::ground::Ground;
use super::sandbox::State;

/// The most rows of a list that are counted.
const MOST: usize = 10_000;

/// How things stood before.
pub(super) struct Before {
    pub(super) sandbox: State,
    pub(super) dead: BTreeSet<String>,
    pub(super) counters: BTreeMap<String, i64>,
    backlog: BTreeMap<String, i64>,
    /// Open alerts by code and what they are about, with how often each was raised.
    alerts: BTreeMap<(String, String), i64>,
    unclear: u64,
}

/// What was seen meanwhile.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) looks: u64,
    /// Looks at which the server did not answer that it is ready.
    pub(super) unready: u64,
    /// The codes of alerts that were raised, with the sentence of one.
    pub(super) alerts: BTreeMap<String, String>,
    /// The most webhooks that waited at one time.
    pub(super) hooks_waiting: u64,
    /// The most texts that were in the air at one time.
    pub(super) in_the_air: u64,
    /// What was under way at the last look, one line a queue.
    pub(super) left: Vec<String>,
}

/// Looks on.
pub(super) struct Watch<'a> {
    ground: &'a Ground,
    /// Texts that may stay unclear.
    bearable: u64,
    pub(super) before: Before,
    pub(super) seen: Seen,
}

impl<'a> Watch<'a> {
    /// Notes how things stand; so many texts may stay unclear in the end.
    pub(super) async fn begin(ground: &'a Ground, bearable: u64) -> anyhow::Result<Watch<'a>> {
        let store = ground.store.as_ref();
        let before = Before {
            sandbox: ground.sandbox.state().await?,
            dead: dead(store).await?.into_keys().collect(),
            counters: counters(store).await?,
            backlog: store.backlog().await?.into_iter().collect(),
            alerts: store.alerts().await?.into_iter().map(|alert| ((alert.code, alert.about), alert.times)).collect(),
            unclear: unclear(store).await?,
        };
        Ok(Watch { ground, bearable, before, seen: Seen::default() })
    }

    /// One look; whether nothing more is under way than before.
    pub(super) async fn look(&mut self) -> anyhow::Result<bool> {
        let store = self.ground.store.as_ref();
        self.seen.looks += 1;
        self.seen.unready += u64::from(!self.ground.is_ready().await);
        for alert in store.alerts().await? {
            let raised = self.before.alerts.get(&(alert.code.clone(), alert.about.clone())).is_none_or(|times| alert.times > *times);
            if raised {
                self.seen.alerts.insert(alert.code, alert.detail);
            }
        }
        let mut left = Vec::new();
        for (queue, rows) in store.backlog().await? {
            let more = rows - self.before.backlog.get(&queue).copied().unwrap_or(0);
            if queue == "messages: dispatched" {
                self.seen.in_the_air = self.seen.in_the_air.max(u64::try_from(more).unwrap_or(0));
            }
            if more > 0 {
                left.push(format!("{queue}: {more} more than before"));
            }
        }
        let waiting = self.ground.sandbox.state().await?.pending.saturating_sub(self.before.sandbox.pending);
        self.seen.hooks_waiting = self.seen.hooks_waiting.max(waiting);
        if waiting > 0 {
            left.push(format!("webhooks of the sandbox: {waiting} more than before"));
        }
        let unclear = unclear(store).await?.saturating_sub(self.before.unclear);
        if unclear > self.bearable {
            left.push(format!("texts of unknown fate: {unclear} more than before"));
        }
        let calm = left.is_empty();
        self.seen.left = left;
        Ok(calm)
    }
}

/// Everything that gave up: how it is named, and why.
pub(super) async fn dead(store: &dyn Store) -> Result<BTreeMap<String, String>, StoreError> {
    Ok(store.dead(MOST).await?.into_iter().map(|dead| (dead.id, dead.cause)).collect())
}

/// Every counter over all days.
pub(super) async fn counters(store: &dyn Store) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for counter in store.counters("").await? {
        *all.entry(counter.name).or_default() += counter.value;
    }
    Ok(all)
}

async fn unclear(store: &dyn Store) -> Result<u64, StoreError> {
    Ok(store.messages_matching(&MessageFilter::in_state(Delivery::Unknown), MOST).await?.len() as u64)
}
