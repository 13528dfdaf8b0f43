//! When each stage is looked at: when something is due, and now and then by itself.
//!
//! Its own file because it is what keeps a world of many days quick: a stage is not looked at while nothing can be there.
//! In production a stage is looked at five times a second; a look that finds nothing is the same as none.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::time::{Span, Time};
use trunkline_engine::Stage;

use super::{Action, Place, World};

/// How long after closing stages are still looked at by themselves.
const LAST_LOOKS: Span = Span::hours(60);

/// When each stage has something to do, as far as anybody knows, and which look is planned.
#[derive(Default)]
pub(super) struct Agenda {
    due: BTreeMap<Stage, BTreeSet<Time>>,
    floor: BTreeMap<Stage, Time>,
    planned: BTreeMap<Stage, (Time, Place)>,
}

impl Agenda {
    /// Forgets what was due until now, since it is looked at.
    pub(super) fn take(&mut self, stage: Stage, now: Time) {
        if let Some(due) = self.due.get_mut(&stage) {
            *due = due.split_off(&Time(now.0 + 1));
        }
        self.floor.remove(&stage);
    }

    /// The look that was planned is over.
    pub(super) fn unplan(&mut self, stage: Stage) {
        self.planned.remove(&stage);
    }

    /// No look is planned any more; where the planned ones are in the heap. What is due stays due.
    pub(super) fn unplan_all(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.planned).into_values().map(|(_, place)| place).collect()
    }

    fn next(&self, stage: Stage) -> Option<Time> {
        let first = self.due.get(&stage).and_then(|due| due.first());
        first.into_iter().chain(self.floor.get(&stage)).min().copied()
    }
}

impl World {
    /// A stage has something to do from then on.
    pub(super) fn look(&mut self, stage: Stage, at: Time) {
        self.agenda.due.entry(stage).or_default().insert(at);
        self.plan(stage);
    }

    /// Takes up what the last commits gave stages to do.
    pub(super) fn take_up(&mut self) {
        let due = std::mem::take(&mut self.watch.seen().due);
        for (stage, at) in due {
            self.look(stage, at);
        }
        if self.is_pressed() {
            // In production the sweep looks five times a second whether the store is well again.
            let second = Time((self.now().0.div_euclid(1_000_000) + 1) * 1_000_000);
            self.look(Stage::Sweep, second);
        }
    }

    /// Whether the node turns intake away.
    pub(super) fn is_pressed(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.pressure().look().is_err())
    }

    /// Nothing more is known to be due: it is looked at again in an hour or two, as long as there is a later.
    pub(super) fn look_again(&mut self, stage: Stage) {
        let at = self.now() + Span::hours(1) + self.seconds(3_600);
        if at < self.closing + LAST_LOOKS {
            self.agenda.floor.insert(stage, at);
        }
        self.plan(stage);
    }

    /// Sees to it that a stage is looked at within two seconds of the first thing that is due.
    fn plan(&mut self, stage: Stage) {
        if self.node.is_none() || self.suspended.contains_key(&stage) {
            return;
        }
        let Some(due) = self.agenda.next(stage) else { return };
        let now = self.now();
        if let Some((planned, place)) = self.agenda.planned.get(&stage).copied() {
            if planned <= due.max(now) {
                return;
            }
            self.heap.remove(&place);
        }
        let at = due.max(now) + self.seconds(2);
        let place = self.at(at, Action::Tick(stage));
        self.agenda.planned.insert(stage, (due, place));
    }
}
