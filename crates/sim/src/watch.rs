//! The store's commits, watched and broken: what claims and opt-outs were committed in which order, and crashes.
//!
//! Its own file because the oracle must see commits themselves, not what a stage says about them. A crash is a commit
//! that never answers, before or after it took effect; whoever waits for it is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use trunkline_core::consent::ConsentAct;
use trunkline_core::id::{AddressId, AttemptId, MessageId, RunId};
use trunkline_core::message::{Event, Evidence, Finding, Question};
use trunkline_core::owe::Owe;
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Fate, Message, announcement_name};
use trunkline_store::wrap::Commits;
use trunkline_store::{Applied, Command, Committed, Store, Unit};

/// When a planned crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The commit never happens.
    Before,
    /// The commit happens, and nobody hears of it.
    After,
}

/// A claim as it was committed.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The attempt.
    pub attempt: AttemptId,
    /// The message as claimed.
    pub message: Message,
    /// When.
    pub at: Time,
    /// Whether its address was opted out at that moment, and the text not exempt.
    pub after_stop: bool,
    /// An earlier message of the same run and address that had not left, if there was one.
    pub ahead_of: Option<MessageId>,
    /// Whether an event had ended its run.
    pub after_cancel: bool,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many commits there were.
    pub commits: u64,
    /// Claims, in order.
    pub claims: Vec<Claim>,
    /// What look-ups proved since the last time somebody took it.
    pub looked: Vec<(AttemptId, Evidence)>,
    /// Refused hooks.
    pub refusals: u64,
    /// What the follower is owed, by the names it will see.
    pub announced: BTreeSet<String>,
    ended: BTreeSet<RunId>,
    plan: Option<(u64, Crash)>,
    stall: bool,
    stalled: bool,
    stopped: BTreeSet<AddressId>,
    waiting: BTreeMap<(RunId, AddressId), BTreeMap<MessageId, (u32, Time)>>,
}

/// Shared between the world and the store it watches.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a crash at the `n`th commit from now; nothing cancels it.
    pub fn plan(&self, crash: Option<(u64, Crash)>) {
        self.seen().plan = crash;
    }

    /// Makes the next commit wait: whoever decided it is overtaken by others meanwhile.
    pub fn stall_next(&self, stall: bool) {
        self.seen().stall = stall;
    }

    /// Whether a commit waits since the last time this was asked.
    pub fn take_stalled(&self) -> bool {
        std::mem::take(&mut self.seen().stalled)
    }

    fn stalls(&self) -> bool {
        let mut seen = self.seen();
        seen.stalled |= seen.stall;
        std::mem::take(&mut seen.stall)
    }

    /// Whether this commit crashes.
    fn due(&self) -> Option<Crash> {
        let mut seen = self.seen();
        seen.commits += 1;
        let (left, crash) = seen.plan?;
        seen.plan = (left > 1).then_some((left - 1, crash));
        (left <= 1).then_some(crash)
    }
}

#[async_trait]
impl Commits for Watch {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        if self.stalls() {
            let mut waited = false;
            std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
        let crash = self.due();
        if crash == Some(Crash::Before) {
            std::future::pending::<()>().await;
        }
        let results = inner.commit(now, units.clone()).await;
        for (unit, result) in units.iter().zip(&results) {
            if let Ok(applied) = result {
                let mut seen = self.seen();
                unit.0.iter().zip(applied).filter(|(_, a)| **a == Applied::Done).for_each(|(command, _)| seen.note(command, now));
            }
        }
        if crash == Some(Crash::After) {
            std::future::pending::<()>().await;
        }
        results
    }
}

impl Seen {
    fn note(&mut self, command: &Command, now: Time) {
        match command {
            Command::Refuse(_) => self.refusals += 1,
            Command::PutMessage(change) => self.message(change, now),
            Command::FinishEvent(_, Fate::Runs { runs }) => self.ended.extend(runs.iter().filter(|(_, word)| word.ends_with(" ended")).map(|(run, _)| *run)),
            Command::News { address, news, messages, .. } => {
                for entry in &news.entries {
                    match entry.act {
                        ConsentAct::Stop | ConsentAct::Erase => drop(self.stopped.insert(*address)),
                        ConsentAct::Start => drop(self.stopped.remove(address)),
                        ConsentAct::Grant | ConsentAct::Confirm | ConsentAct::Revoke | ConsentAct::Expire | ConsentAct::Transfer | ConsentAct::Import | ConsentAct::VendorBlock => {
                        }
                    }
                }
                for change in messages {
                    self.message(change, now);
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, change: &MessageChange, now: Time) {
        let message = &change.message;
        for owe in &change.owes {
            if let Owe::Announce { id, .. } = owe {
                self.announced.insert(announcement_name(*id));
            }
        }
        let lane = message.intent.origin.run().map(|run| (run, message.intent.address));
        for (event, _) in &change.events {
            if let Event::Looked { n, found: Finding::Taken { evidence: Some(evidence), .. }, .. } = event {
                self.looked.push((AttemptId { message: message.id, n: *n }, *evidence));
            }
            // The same call again may send what was not sent: it is looked at like a claim, but for the order of texts.
            let repeat = matches!(event, Event::Asked { how: Question::Repeat, .. });
            if let Event::Claimed { n, .. } | Event::Asked { n, how: Question::Repeat, .. } = event {
                let after_stop = self.stopped.contains(&message.intent.address) && !message.intent.origin.exempt();
                let visit = message.intent.origin.visit();
                // A predecessor blocks until its deadline only.
                let ahead = |(_, (place, deadline)): &(&MessageId, &(u32, Time))| *place < visit && now < *deadline;
                let open = lane.and_then(|l| self.waiting.get(&l));
                let ahead_of = open.filter(|_| !repeat).and_then(|w| w.iter().find(ahead)).map(|(m, _)| *m);
                let attempt = AttemptId { message: message.id, n: *n };
                let after_cancel = message.intent.origin.run().is_some_and(|run| self.ended.contains(&run));
                self.claims.push(Claim { attempt, message: message.clone(), at: now, after_stop, ahead_of, after_cancel });
            }
        }
        if let Some(lane) = lane {
            let open = self.waiting.entry(lane).or_default();
            if message.state.delivery().blocks() {
                open.insert(message.id, (message.intent.origin.visit(), message.intent.deadline));
            } else {
                open.remove(&message.id);
            }
        }
    }
}
