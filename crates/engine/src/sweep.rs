//! Housekeeping: what a dead generation left in the air, the outbox, the store's room; and replaying what gave up.
//!
//! Its own file because none of it belongs to one stage. Taking over never sends: an attempt in the air whose process
//! is gone may have been taken by the vendor.

use trunkline_core::id::{EventId, HookId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::message::Event;
use trunkline_core::outcome::Outcome;
use trunkline_core::owe::Owe;
use trunkline_core::planted::{Fault, planted};
use trunkline_core::resolve::Resolution;
use trunkline_core::retry::Next;
use trunkline_core::time::{Span, Time};
use trunkline_store::row::{HookState, Run, announcement_id};
use trunkline_store::{Command, StoreError, Unit};

use crate::facts::find;
use crate::{Engine, Stage, Tick};

impl Engine {
    /// Turns attempts of generations before this one unclear. Run to the end before anything is claimed.
    pub async fn take_over(&self, now: Time, limit: usize) -> Result<usize, StoreError> {
        let orphans = self.store.orphaned_messages(self.epoch, limit).await?;
        let addresses = self.store.addresses(&orphans.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let mut units = Vec::new();
        for message in &orphans {
            let Some(address) = find(&addresses, message.intent.address) else { continue };
            let Some(attempt) = message.state.attempts.last() else { continue };
            let within = self.definitions.policy(message.intent.purpose).resolve_within;
            let resolution = self.definitions.accounts.get(&attempt.account).map_or(Resolution::None, |account| account.provider.resolution());
            let mut event = Event::TakenOver { n: attempt.n, epoch: self.epoch, ask_at: Some(resolution.first(now, within)) };
            if planted(Fault::TakeoverResends) {
                event = Event::Settled { n: attempt.n, outcome: Outcome::NotWritten { cause: "the process ended".to_owned() }, next: Next::Retry { at: now } };
            }
            if let Ok(change) = self.change(message, event, None, address, now) {
                units.push(Unit::one(Command::PutMessage(Box::new(change))));
            }
        }
        let done = units.len();
        self.commit_all(now, "takeover", units).await?;
        Ok(done)
    }

    /// Looks at the store, relays what is owed, frees what is stuck, and notes that intake is up.
    pub async fn sweep_tick(&self, now: Time, limit: usize) -> Result<Tick, StoreError> {
        self.look_at_the_store().await?;
        self.take_up_journeys().await?;
        let relayed = self.store.relay(now, limit).await?;
        if relayed > 0 {
            self.wake(&[Stage::Writebacks, Stage::Announcements]);
        }
        // Nobody else looks at them any more.
        if self.definitions.followers.is_empty() {
            self.claim_announcements(now, limit).await?;
        }
        let freed = self.free_what_is_stuck(now).await?;
        // Last: where the store has trouble, webhooks have too.
        self.beat(now).await?;
        Ok(Tick { done: relayed + freed, next: None })
    }

    /// Puts something that gave up back to work; false if there is no such thing.
    pub async fn replay(&self, id: &str) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let command = if let Ok(hook) = id.parse::<HookId>() {
            let dead = self.store.hook(hook).await?.is_some_and(|h| h.state == HookState::Dead);
            dead.then(|| Command::MoveHook(hook, HookState::Waiting { due: now }, "replayed".to_owned()))
        } else if let Ok(event) = id.parse::<EventId>() {
            Some(Command::ReviveEvent(event))
        } else if let Ok(run) = id.parse::<RunId>() {
            self.go_on(run, now).await?
        } else if let Some(announcement) = announcement_id(id) {
            Some(Command::ReviveAnnouncement(announcement))
        } else {
            let dead = self.store.dead(10_000).await?;
            let found = dead.iter().find(|d| d.kind == "writeback" && d.id == id).and_then(|d| d.id.split_once('/'));
            match found {
                Some((connector, record)) => self.owe_again(connector, record).await?,
                None => None,
            }
        };
        let Some(command) = command else { return Ok(false) };
        let applied = self.commit(now, Unit::one(command)).await?;
        self.wake(&Stage::ALL);
        Ok(applied.first() == Some(&trunkline_store::Applied::Done))
    }

    /// A run that failed goes on with the step at which it did, as if that were due now.
    async fn go_on(&self, id: RunId, now: Time) -> Result<Option<Command>, StoreError> {
        let found = self.store.runs(&[id]).await?.pop().filter(|r| matches!(r.position, Position::Failed { .. }));
        let Some(run) = found else { return Ok(None) };
        if let Some(entry) = run.entry {
            // Of those that may be entered again one is under way at a time.
            let others = self.store.entered(&[entry]).await?;
            if others.iter().any(|other| other.id != id && matches!(other.position, Position::At { .. })) {
                return Ok(None);
            }
        }
        let history = self.store.history(&id.bytes()).await?;
        let was_at = history.into_iter().rev().find_map(|entry| match serde_json::from_value(entry.body.get("position")?.clone()) {
            Ok(Position::At { step, visit, .. }) => Some(Position::At { step, visit, due: now }),
            Ok(Position::Ended { .. } | Position::Canceled { .. } | Position::Failed { .. }) | Err(_) => None,
        });
        Ok(was_at.map(|position| Command::PutRun(Box::new(Run { position, ..run }), vec!["replayed".to_owned()].into())))
    }

    async fn owe_again(&self, connector: &str, record: &str) -> Result<Option<Command>, StoreError> {
        // A dead record is due again as soon as anything is owed for it.
        let row = self.store.writeback(connector, record).await?;
        Ok(row.map(|row| Command::Owe(Owe::Writeback { connector: row.connector, record: row.record, subject: row.subject, patience: Span::ZERO })))
    }
}
