//! The store's commits, watched and broken: what claims and opt-outs were committed in which order, and crashes.
//!
//! Its own file because the oracle must see commits themselves, not what a stage says about them. A crash is a commit
//! that never answers, before or after it took effect; whoever waits for it is dropped. A full disk is a commit that is
//! refused. Which stage has something to do because of a commit is noted in the file below.

mod due;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use trunkline_core::consent::{Channel, ConsentAct, ConsentEntry};
use trunkline_core::id::{AddressId, AttemptId, HookId, MessageId, RunId};
use trunkline_core::message::{Event, Evidence, Finding, Question};
use trunkline_core::owe::Owe;
use trunkline_core::time::Time;
use trunkline_engine::Stage;
use trunkline_engine::gap::LISTED;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Fate, Message, Origin, Run, announcement_name};
use trunkline_store::wrap::Commits;
use trunkline_store::{Applied, Command, Committed, Store, StoreError, Unit};

use self::due::Due;
use crate::oracle::Violation;

/// When a planned crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The commit never happens.
    Before,
    /// The commit happens, and nobody hears of it.
    After,
}

/// Which commit waits while others overtake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stall {
    /// None.
    #[default]
    No,
    /// The next one.
    Next,
    /// The next one that claims a text.
    Claim,
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
    /// Whether its address was opted out at that moment, by her own word or by ours, and the text not exempt.
    pub after_stop: bool,
    /// An earlier message of the same run and address that had not left, if there was one.
    pub ahead_of: Option<MessageId>,
    /// Whether an event had ended its run.
    pub after_cancel: bool,
}

/// A receipt as it was committed: the vendor's word, and what it was taken to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The attempt.
    pub attempt: AttemptId,
    /// The vendor's word.
    pub word: String,
    /// What it was taken to prove.
    pub evidence: Option<Evidence>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many commits there were.
    pub commits: u64,
    /// How many commands changed something, refusals of hooks apart.
    pub changes: u64,
    /// Claims since the last time somebody took them, in order.
    pub claims: Vec<Claim>,
    /// What look-ups and lists proved since the last time somebody took it.
    pub looked: Vec<(AttemptId, Evidence)>,
    /// Receipts since the last time somebody took them.
    pub read: Vec<Read>,
    /// Promises that a commit broke, since the last time somebody took them.
    pub broken: Vec<Violation>,
    /// Which stages have something to do, and from when on, since the last time somebody took it.
    pub due: Vec<(Stage, Time)>,
    /// Refused hooks.
    pub refusals: u64,
    /// Hooks that were filed.
    pub filed: u64,
    /// What the follower is owed, by the names it will see.
    pub announced: BTreeSet<String>,
    ended: BTreeSet<RunId>,
    listed: BTreeSet<HookId>,
    plan: Option<(u64, Crash)>,
    busy: Option<u64>,
    full: bool,
    refused: bool,
    stall: Stall,
    stalled: bool,
    overtaken: Vec<AddressId>,
    stopped: BTreeSet<AddressId>,
    revoked: BTreeSet<AddressId>,
    waiting: BTreeMap<(RunId, AddressId), BTreeMap<MessageId, (u32, Time)>>,
    bound: BTreeMap<String, AttemptId>,
    versions: BTreeMap<RunId, i64>,
    work: Due,
}

/// Shared between the world and the store it watches.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// Over a store that writes what is owed into its outbox first.
    pub fn with_outbox() -> Watch {
        let watch = Watch::default();
        watch.seen().work.outbox = true;
        watch
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a crash at the `n`th commit from now; nothing cancels it.
    pub fn plan(&self, crash: Option<(u64, Crash)>) {
        self.seen().plan = crash;
    }

    /// From now on the disk is full, or is not: commits are refused, and nothing of them happens.
    pub fn fill_disk(&self, full: bool) {
        self.seen().full = full;
    }

    /// The `n`th commit from now is refused, and no other.
    pub fn refuse_one(&self, n: Option<u64>) {
        self.seen().busy = n;
    }

    /// Whether a commit was refused since the last time this was asked.
    pub fn take_refused(&self) -> bool {
        std::mem::take(&mut self.seen().refused)
    }

    /// Makes a commit wait: whoever decided it is overtaken by others meanwhile.
    pub fn stall(&self, stall: Stall) {
        self.seen().stall = stall;
    }

    /// Whether a commit waits since the last time this was asked.
    pub fn take_stalled(&self) -> bool {
        std::mem::take(&mut self.seen().stalled)
    }

    /// Whose texts the claims were for that wait since the last time this was asked.
    pub fn take_overtaken(&self) -> Vec<AddressId> {
        std::mem::take(&mut self.seen().overtaken)
    }

    fn stalls(&self, units: &[Unit]) -> bool {
        let mut seen = self.seen();
        let asked = seen.stall;
        let stalls = match asked {
            Stall::No => false,
            Stall::Next => true,
            Stall::Claim => {
                seen.overtaken = claimed(units);
                !seen.overtaken.is_empty()
            }
        };
        if stalls {
            (seen.stall, seen.stalled) = (Stall::No, true);
        }
        stalls
    }

    /// Whether this commit is refused.
    fn refuses(&self) -> bool {
        let mut seen = self.seen();
        let busy = seen.busy;
        seen.busy = busy.and_then(|left| left.checked_sub(1)).filter(|left| *left > 0);
        let refuses = seen.full || busy == Some(1);
        seen.refused |= refuses;
        refuses
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

/// The addresses that claims among these are for.
fn claimed(units: &[Unit]) -> Vec<AddressId> {
    let is_claim = |change: &MessageChange| change.events.iter().any(|(event, _)| matches!(event, Event::Claimed { .. }));
    let address = |command: &Command| match command {
        Command::PutMessage(change) if is_claim(change) => Some(change.message.intent.address),
        _ => None,
    };
    units.iter().flat_map(|unit| unit.0.iter()).filter_map(address).collect()
}

#[async_trait]
impl Commits for Watch {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        if self.stalls(&units) {
            let mut waited = false;
            std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }
        if self.refuses() {
            return units.iter().map(|_| Err(StoreError::Unavailable { cause: "the disk is full, or somebody has the file".to_owned() })).collect();
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
        self.changes += u64::from(!matches!(command, Command::Refuse(_)));
        self.work.note(command, now, &mut self.due);
        match command {
            Command::Refuse(_) => self.refusals += 1,
            Command::PutHook(hook) => {
                self.filed += 1;
                if hook.method == LISTED {
                    self.listed.insert(hook.id);
                }
            }
            Command::PutMessage(change) => self.message(change, now),
            Command::PutRun(run, _) => self.run(run),
            Command::BindRef(bind) | Command::BindFound(bind) => drop(self.bound.insert(bind.vendor_id.clone(), bind.attempt)),
            Command::FinishEvent(_, Fate::Runs { runs }) => self.ended.extend(runs.iter().filter(|(_, word)| word.ends_with(" ended")).map(|(run, _)| *run)),
            Command::News { address, news, messages, .. } => {
                for entry in &news.entries {
                    self.consent(*address, entry);
                }
                for change in messages {
                    self.message(change, now);
                }
            }
            _ => {}
        }
    }

    fn consent(&mut self, address: AddressId, entry: &ConsentEntry) {
        let for_all = entry.program.is_none() && entry.purpose.is_none() && entry.terms.channel == Channel::Sms;
        match entry.act {
            ConsentAct::Stop | ConsentAct::Erase => drop(self.stopped.insert(address)),
            ConsentAct::Start => drop(self.stopped.remove(&address)),
            ConsentAct::Revoke if for_all => drop(self.revoked.insert(address)),
            ConsentAct::Grant if for_all => drop(self.revoked.remove(&address)),
            ConsentAct::Grant | ConsentAct::Confirm | ConsentAct::Revoke | ConsentAct::Expire | ConsentAct::Transfer | ConsentAct::Import | ConsentAct::VendorBlock => {}
        }
    }

    /// A run keeps the version that it began with, whatever is published meanwhile.
    fn run(&mut self, run: &Run) {
        let began = *self.versions.entry(run.id).or_insert(run.version);
        if began != run.version {
            self.broken.push(Violation::new("versions", format!("{} began with version {began} of '{}' and goes on with {}", run.id, run.journey, run.version)));
        }
    }

    fn message(&mut self, change: &MessageChange, now: Time) {
        let message = &change.message;
        for owe in &change.owes {
            if let Owe::Announce { id, .. } = owe {
                self.announced.insert(announcement_name(*id));
            }
        }
        if let Origin::Journey { journey, version, run, .. } = &message.intent.origin
            && self.versions.get(run).is_some_and(|began| began != version)
        {
            self.broken.push(Violation::new("versions", format!("{} is of version {version} of '{journey}', and {run} began with another one", message.id)));
        }
        let lane = message.intent.origin.run().map(|run| (run, message.intent.address));
        for (event, _) in &change.events {
            match event {
                Event::Looked { n, found: Finding::Taken { vendor_id, evidence, .. }, .. } => self.found(AttemptId { message: message.id, n: *n }, vendor_id, *evidence),
                Event::Receipt { n, status, evidence, hook, .. } => {
                    let attempt = AttemptId { message: message.id, n: *n };
                    if self.listed.contains(hook) {
                        self.looked.extend(evidence.map(|evidence| (attempt, evidence)));
                    }
                    self.read.push(Read { attempt, word: status.clone(), evidence: *evidence });
                }
                Event::Claimed { n, .. } => self.claim(message, *n, lane, now),
                // The same call again may send what was not sent: it is looked at like a claim, but for the order of texts.
                Event::Asked { n, how: Question::Repeat, .. } => self.claim(message, *n, None, now),
                _ => {}
            }
        }
        if let Some(lane) = lane {
            let open = self.waiting.entry(lane).or_default();
            if message.state.delivery().blocks() {
                open.insert(message.id, (message.intent.origin.visit(), message.intent.deadline));
            } else {
                open.remove(&message.id);
                if open.is_empty() {
                    self.waiting.remove(&lane);
                }
            }
        }
    }

    /// A look-up found a text: its id may be bound to no other attempt already.
    fn found(&mut self, attempt: AttemptId, vendor_id: &str, evidence: Option<Evidence>) {
        self.looked.extend(evidence.map(|evidence| (attempt, evidence)));
        if let Some(owner) = self.bound.get(vendor_id).filter(|owner| **owner != attempt) {
            self.broken.push(Violation::new("I1", format!("{attempt} was taken for {vendor_id}, which is {owner}")));
        }
    }

    fn claim(&mut self, message: &Message, n: u32, lane: Option<(RunId, AddressId)>, now: Time) {
        let address = message.intent.address;
        let after_stop = (self.stopped.contains(&address) || self.revoked.contains(&address)) && !message.intent.origin.exempt();
        let visit = message.intent.origin.visit();
        // A predecessor blocks until its deadline only.
        let ahead = |(_, (place, deadline)): &(&MessageId, &(u32, Time))| *place < visit && now < *deadline;
        let open = lane.and_then(|l| self.waiting.get(&l));
        let ahead_of = open.and_then(|w| w.iter().find(ahead)).map(|(m, _)| *m);
        let after_cancel = message.intent.origin.run().is_some_and(|run| self.ended.contains(&run));
        self.claims.push(Claim { attempt: AttemptId { message: message.id, n }, message: message.clone(), at: now, after_stop, ahead_of, after_cancel });
    }
}
