//! Which stage has something to do because of a commit, and from when on.
//!
//! Its own file because a world that looks at every stage all the time spends its life looking: a tick that finds nothing
//! changes nothing. What is noted here only saves looks; each stage is also looked at now and then by itself, as it is in
//! production, so that a forgotten case is slow and not wrong.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::journey::Position;
use trunkline_core::message::Work;
use trunkline_core::owe::Owe;
use trunkline_core::time::Time;
use trunkline_engine::Stage;
use trunkline_store::Command;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{HookLane, HookState, Writeback, WritebackState};

/// What must be remembered to tell.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Whether what is owed goes through the outbox.
    pub(super) outbox: bool,
    /// Writes in the air, and whether more was owed for their records since.
    flying: BTreeMap<(String, String), bool>,
    /// Ids of the vendor's that hooks wait for.
    parked: BTreeSet<String>,
}

impl Due {
    /// Adds what follows from a command that was committed.
    pub(super) fn note(&mut self, command: &Command, now: Time, due: &mut Vec<(Stage, Time)>) {
        match command {
            Command::AcceptEvent(_) | Command::ReviveEvent(_) => due.push((Stage::Ingest, now)),
            Command::PutRun(run, _) => {
                if let Position::At { due: at, .. } = &run.position {
                    due.push((Stage::Journeys, *at));
                }
            }
            Command::PutMessage(change) => self.message(change, now, due),
            Command::News { messages, owes, .. } => {
                for change in messages {
                    self.message(change, now, due);
                }
                self.owed(owes, now, due);
            }
            Command::PutHook(hook) => {
                if let HookState::Waiting { due: at } = hook.state {
                    due.push((lane(hook.lane), at));
                }
            }
            Command::Park { vendor_id, due: at, .. } => {
                self.parked.insert(vendor_id.clone());
                due.extend([(Stage::Receipts, now), (Stage::Receipts, *at)]);
            }
            Command::BindRef(bind) | Command::BindFound(bind) if self.parked.remove(&bind.vendor_id) => due.push((Stage::Receipts, now)),
            Command::PutWriteback { row, .. } => self.write(row, now, due),
            Command::PutAnnouncement { row, .. } if row.state == WritebackState::Due => due.push((Stage::Announcements, row.due)),
            Command::OpenGap(_) => due.push((Stage::Gaps, now)),
            Command::PutGap(gap) => {
                due.push((Stage::Gaps, gap.next_at));
                if !gap.holds {
                    due.push((Stage::Dispatch, now));
                }
            }
            Command::CloseGap { .. } => due.push((Stage::Dispatch, now)),
            Command::Owe(owe) => self.owed(std::slice::from_ref(owe), now, due),
            Command::Publish(_) => due.push((Stage::Sweep, now)),
            _ => {}
        }
    }

    fn message(&mut self, change: &MessageChange, now: Time, due: &mut Vec<(Stage, Time)>) {
        let state = &change.message.state;
        if let Some(at) = state.due {
            match state.work {
                Work::Queued | Work::Held => due.push((Stage::Dispatch, at)),
                Work::Unknown => due.push((Stage::Questions, at)),
                Work::Dispatched | Work::Taken | Work::Suppressed | Work::Expired | Work::Canceled | Work::Failed => {}
            }
        }
        self.owed(&change.owes, now, due);
    }

    fn owed(&mut self, owes: &[Owe], now: Time, due: &mut Vec<(Stage, Time)>) {
        if self.outbox && !owes.is_empty() {
            due.push((Stage::Sweep, now));
        }
        for owe in owes {
            match owe {
                Owe::Writeback { connector, record, patience, .. } => {
                    if let Some(more) = self.flying.get_mut(&(connector.clone(), record.clone())) {
                        *more = true;
                    }
                    if !self.outbox {
                        due.push((Stage::Writebacks, now + *patience));
                    }
                }
                Owe::Announce { .. } if !self.outbox => due.push((Stage::Announcements, now)),
                Owe::Announce { .. } | Owe::Alert { .. } | Owe::Case { .. } | Owe::CloseCase { .. } => {}
            }
        }
    }

    fn write(&mut self, row: &Writeback, now: Time, due: &mut Vec<(Stage, Time)>) {
        let key = (row.connector.clone(), row.record.clone());
        match row.state {
            WritebackState::Flying => drop(self.flying.insert(key, false)),
            WritebackState::Due => {
                self.flying.remove(&key);
                due.push((Stage::Writebacks, row.due));
            }
            WritebackState::Idle | WritebackState::Dead => {
                // What went through the outbox meanwhile is not seen here.
                if self.flying.remove(&key).unwrap_or(false) || self.outbox {
                    due.push((Stage::Writebacks, now));
                }
            }
        }
    }
}

fn lane(lane: HookLane) -> Stage {
    match lane {
        HookLane::Inbound => Stage::Inbound,
        HookLane::Receipt => Stage::Receipts,
        HookLane::Source => Stage::Sources,
    }
}
