//! Due messages: gate again, claim, and give the calls back as data.
//!
//! Its own file because of the order it keeps: the attempt is on disk before a byte leaves, and the claim commits
//! only if nothing the gate saw has moved since. It makes no call itself.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_connectors::http::Request;
use trunkline_connectors::sms::Outbound;
use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::id::{AddressId, AttemptId, MessageId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::message::{self, Work};
use trunkline_core::planted::{Fault, planted};
use trunkline_core::purpose::{Priority, Purpose};
use trunkline_core::reason::Reason;
use trunkline_core::time::{Span, Time, Uptime};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Message, Origin, Place, Queue, Run};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::Account;
use crate::facts::{earlier, find};
use crate::limits::book::{Book, Demand, Taken};
use crate::limits::{BRIEF, Door, Limits, Shut};
use crate::routing::country;
use crate::{Engine, Tick};

/// A call that is not begun this long after its claim is not begun at all.
pub const BEGIN_WITHIN: Span = Span::secs(2);
/// How many texts of a queue are looked at while their way is shut: to say why they wait, to lead them another way, and to
/// end those that are too late.
const LOOKED_AT: usize = 64;

/// A claimed attempt, ready to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The attempt.
    pub attempt: AttemptId,
    /// The account, for settling.
    pub account: String,
    /// What to send.
    pub request: Request,
    /// When the claim committed, for the two-second rule.
    pub claimed: Uptime,
    /// When the text stops being worth sending, or may no longer arrive.
    pub deadline: Time,
}

/// How many calls may be begun now, of how many that may be in the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Free now.
    pub free: usize,
    /// In all.
    pub of: usize,
}

impl From<usize> for Slots {
    /// All of them are free.
    fn from(free: usize) -> Slots {
        Slots { free, of: free }
    }
}

/// Whose turn it is.
#[derive(Default)]
struct Turn {
    /// Due texts: first those that may leave, then those whose way is shut.
    texts: Vec<Message>,
    /// How many of them may leave.
    open: usize,
    /// What is the matter with each way that is shut.
    shut: BTreeMap<(String, String), Shut>,
    /// How many probes each account takes that is looked at.
    probes: BTreeMap<String, u32>,
    /// When the next of the others may.
    next: Option<Time>,
}

/// What a batch is decided on, and what it has taken so far.
struct Batch<'a> {
    waiting: &'a [Message],
    /// What went to the addresses of the batch lately.
    texts: &'a [Message],
    limits: &'a Limits,
    shut: &'a BTreeMap<(String, String), Shut>,
    book: Book,
    /// One claim of an address at a time: a second one would have to trust that the first one lands.
    claimed_for: BTreeSet<AddressId>,
}

/// A planned change of one due message.
struct Plan {
    unit: Unit,
    call: Option<Call>,
}

impl Plan {
    /// A change without a call.
    fn change(change: MessageChange) -> Plan {
        Plan { unit: Unit::one(Command::PutMessage(Box::new(change))), call: None }
    }
}

impl Engine {
    /// Claims at most so many due messages as there are slots; what comes back must be called, or settled as not
    /// written.
    pub async fn claim_tick(&self, now: Time, slots: impl Into<Slots>) -> Result<(Vec<Call>, Tick), StoreError> {
        let slots = slots.into();
        let senders = self.store.waiting_senders().await?;
        // Routes are watched while nothing waits, too: their alerts are to end with what they are about.
        if senders.is_empty() && self.definitions.routes.is_empty() {
            return Ok((Vec::new(), Tick::default()));
        }
        let limits = self.limits().await?;
        self.watch_routes(&limits, now).await?;
        let turn = self.turn(senders, &limits, now, slots).await?;
        if turn.texts.is_empty() {
            return Ok((Vec::new(), Tick { done: 0, next: turn.next }));
        }
        let addresses = self.store.addresses(&turn.texts.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let runs: Vec<_> = turn.texts.iter().filter_map(|m| m.intent.origin.run()).collect();
        let waiting = self.store.waiting_in_runs(&runs).await?;
        let purposes: BTreeSet<Purpose> = turn.texts.iter().map(|m| m.intent.purpose).collect();
        let texts = self.recent_texts(&turn.texts.iter().map(|m| (m.intent.address, Some(m.id))).collect::<Vec<_>>(), &purposes, now).await?;
        let ended = self.ended(&turn.texts).await?;
        let demands: Vec<Demand<'_>> = turn.texts.iter().map(|message| self.demand(message, &addresses)).collect();
        let (open, shut) = demands.split_at(turn.open.min(demands.len()));
        let mut book = self.book(open, &limits, &turn.probes, now).await?;
        book.next = book.next.into_iter().chain(turn.next).min();
        let mut batch = Batch { waiting: &waiting, texts: &texts, limits: &limits, shut: &turn.shut, book, claimed_for: BTreeSet::new() };
        let mut plans = Vec::new();
        for (demand, may_leave) in open.iter().map(|demand| (demand, true)).chain(shut.iter().map(|demand| (demand, false))) {
            let message = demand.message;
            let Some(address) = find(&addresses, message.intent.address) else { continue };
            if let Some(run) = message.intent.origin.run().and_then(|run| ended.get(&run)) {
                plans.extend(self.take_back(message, address, run, now));
                continue;
            }
            plans.extend(if may_leave { self.plan(demand, address, &mut batch, now) } else { self.look_at(message, address, &batch, now) });
        }
        let Batch { book, claimed_for, .. } = batch;
        // What was left out for another text of its address is due still.
        let left_out = if claimed_for.is_empty() { 0 } else { open.len() };
        self.land(plans, &book, left_out, now).await
    }

    /// Takes what the batch needs, commits it, and gives back the calls that may be made.
    async fn land(&self, mut plans: Vec<Plan>, book: &Book, left_out: usize, now: Time) -> Result<(Vec<Call>, Tick), StoreError> {
        let mut next = book.next;
        if !self.settle_book(book, now).await? {
            plans.retain(|plan| plan.call.is_none());
            next = Some(now);
        }
        let (units, calls): (Vec<Unit>, Vec<Option<Call>>) = plans.into_iter().map(|p| (p.unit, p.call)).unzip();
        let done = units.len().max(left_out);
        let landed = if planted(Fault::CallBeforeCommit) { vec![true; units.len()] } else { self.commit_claims(now, "dispatch", units).await? };
        let claimed = self.clock.uptime();
        let calls: Vec<Call> = calls.into_iter().zip(landed).filter_map(|(call, landed)| call.filter(|_| landed).map(|c| Call { claimed, ..c })).collect();
        self.air.texts.hold(calls.iter().map(|c| c.attempt), claimed);
        self.wake(&[]);
        Ok((calls, Tick { done, next }))
    }

    /// Whose turn it is: what is due of the senders that may send now, the urgent first, and when the next of the others
    /// may. A sender whose rate is used up, or whose account is in a gap, is not even looked at, so that its queue holds
    /// up nobody else; one whose way is shut for longer is looked at apart.
    async fn turn(&self, senders: Vec<(String, String)>, limits: &Limits, now: Time, slots: Slots) -> Result<Turn, StoreError> {
        let mut turn = Turn::default();
        let (mut open, mut shut) = (Vec::new(), Vec::new());
        let gaps = self.accounts_in_gaps(now).await?;
        for (account, sender) in senders {
            // What its recipients have said since is not known yet.
            if let Some(at) = gaps.get(&account) {
                turn.next = turn.next.into_iter().chain([*at]).min();
                continue;
            }
            let queue = |priority: Priority, limit: usize| Queue { account: account.clone(), sender: sender.clone(), priority, limit };
            match self.door(limits, &account, &sender, now) {
                Door::Open { probes } => {
                    if let Some(slot) = self.full_until(&account, &sender, limits, now).await? {
                        turn.next = turn.next.into_iter().chain([slot]).min();
                        continue;
                    }
                    let most = probes.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
                    open.extend(Priority::ALL.map(|priority| queue(priority, priority.may_take(slots.free, slots.of).min(most))).into_iter().filter(|q| q.limit > 0));
                    turn.probes.extend(probes.map(|most| (account, most)));
                }
                Door::Shut(why) => {
                    turn.next = turn.next.into_iter().chain([why.until]).min();
                    if why.until.since(now) >= BRIEF {
                        shut.extend(Priority::ALL.map(|priority| queue(priority, LOOKED_AT)));
                        turn.shut.insert((account, sender), *why);
                    }
                }
            }
        }
        if !open.is_empty() {
            turn.texts = shares(self.store.queued(now, &open).await?, slots.free);
            turn.open = turn.texts.len();
        }
        if !shut.is_empty() {
            turn.texts.extend(self.store.queued(now, &shut).await?);
        }
        Ok(turn)
    }

    /// When a sender or its account may send the next segment, if it may send none now.
    async fn full_until(&self, account: &str, sender: &str, limits: &Limits, now: Time) -> Result<Option<Time>, StoreError> {
        let pace = limits.pace(account);
        let of_sender = self.definitions.sender(account, sender).map(|s| (sender, s.rate));
        for (name, rate) in of_sender.into_iter().chain(self.account_rate(account).map(|rate| ("", rate))) {
            let grant = rate.at(pace).take(self.store.bucket(account, name).await?, now, 1);
            if grant.granted == 0 {
                return Ok(Some(grant.next));
            }
        }
        Ok(None)
    }

    /// A text, and what it takes from: the country is looked up only where countries have rates.
    fn demand<'a>(&self, message: &'a Message, addresses: &[Address]) -> Demand<'a> {
        let known = !self.definitions.countries.is_empty();
        Demand { message, country: find(addresses, message.intent.address).filter(|_| known).and_then(country) }
    }

    /// The runs of these messages that an event ended. A step may have made its text while its run was being ended, and
    /// where commands commit one by one the text is there and the step is not: so it is asked again here.
    pub(crate) async fn ended(&self, due: &[Message]) -> Result<BTreeMap<RunId, String>, StoreError> {
        let journeys = self.journeys();
        let may_end = |m: &&Message| match &m.intent.origin {
            Origin::Journey { journey, version, .. } => journeys.versions.get(&(journey.clone(), *version)).is_some_and(|p| !p.journey.cancel.is_empty()),
            Origin::Api { .. } | Origin::Confirmation { .. } | Origin::Help { .. } => false,
        };
        let runs: Vec<RunId> = due.iter().filter(may_end).filter_map(|m| m.intent.origin.run()).collect();
        if runs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ended = |run: Run| if let Position::Canceled { why } = run.position { Some((run.id, why)) } else { None };
        Ok(self.store.runs(&runs).await?.into_iter().filter_map(ended).collect())
    }

    fn take_back(&self, message: &Message, address: &Address, why: &str, now: Time) -> Option<Plan> {
        let event = message::Event::Canceled { reason: Reason::CanceledBy { by: format!("its run, {why}") } };
        self.change(message, event, None, address, now).ok().map(Plan::change)
    }

    /// A text whose way is open: gated again, and claimed if it gets all that it needs.
    fn plan(&self, demand: &Demand<'_>, address: &Address, batch: &mut Batch<'_>, now: Time) -> Option<Plan> {
        let message = demand.message;
        let mut verdict = self.ask_again(message, address, batch, now);
        if planted(Fault::GateOnce) {
            verdict.decision = Decision::Send;
        }
        if verdict.decision == Decision::Send {
            if batch.claimed_for.contains(&address.id) {
                return None;
            }
            match self.take(&mut batch.book, demand, batch.limits, now) {
                Taken::Wait => return None,
                Taken::Hold { reason, until } => verdict = verdict.held(*reason, until, message.intent.deadline),
                Taken::Yes => {
                    batch.claimed_for.insert(address.id);
                    let (change, call) = self.claim(message, address, verdict, now)?;
                    return Some(Plan { unit: Unit::one(Command::PutMessage(Box::new(change))), call: Some(call) });
                }
            }
        }
        self.change(message, message::Event::Gated { verdict }, None, address, now).ok().map(Plan::change)
    }

    fn ask_again(&self, message: &Message, address: &Address, batch: &Batch<'_>, now: Time) -> Verdict {
        let before = earlier(batch.texts, address.id, message.id, false);
        self.ask_gate_about(message, address, blocker(message, batch.waiting), &before, now)
    }

    /// A text whose way is shut: it goes another way, comes to its end, or is told why it waits. Told once: while a breaker
    /// stays open nothing is written for a text that waits for it.
    fn look_at(&self, message: &Message, address: &Address, batch: &Batch<'_>, now: Time) -> Option<Plan> {
        let (account, sender) = message.way();
        let shut = batch.shut.get(&(account.to_owned(), sender.to_owned()))?;
        let verdict = self.ask_again(message, address, batch, now);
        let event = if verdict.decision != Decision::Send {
            message::Event::Gated { verdict }
        } else if let Some(detour) = self.move_away(message, address, shut.unfit, batch.limits, now) {
            detour.event()
        } else if knows(message, &shut.reason) {
            return None;
        } else {
            message::Event::Gated { verdict: verdict.held(shut.reason.clone(), shut.until, message.intent.deadline) }
        };
        self.change(message, event, None, address, now).ok().map(Plan::change)
    }

    fn claim(&self, message: &Message, address: &Address, verdict: Verdict, now: Time) -> Option<(MessageChange, Call)> {
        let (name, sender) = message.way();
        let account = self.definitions.accounts.get(name)?;
        let n = u32::try_from(message.state.attempts.len()).ok()? + 1;
        let attempt = AttemptId { message: message.id, n };
        let valid_until = verdict.hours_end().unwrap_or(message.intent.deadline);
        let event = message::Event::Claimed { n, account: name.to_owned(), sender: sender.to_owned(), epoch: self.epoch, verdict };
        let mut change = self.change(message, event, None, address, now).ok()?;
        change.guard = Some(address.guard_version);
        change.sends = self.counted(message, address, now);
        let request = self.handing_over(message, address, attempt, (name, sender), account, (now, valid_until))?;
        let call = Call { attempt, account: name.to_owned(), request, claimed: self.clock.uptime(), deadline: valid_until };
        Some((change, call))
    }
}

impl Engine {
    /// The request that hands a text over. Only its validity depends on the time: it ends with the deadline, or with the
    /// hours in which the text may arrive.
    fn handing_over(
        &self,
        message: &Message,
        address: &Address,
        attempt: AttemptId,
        (account, sender): (&str, &str),
        driver: &Account,
        (now, expires_at): (Time, Time),
    ) -> Option<Request> {
        let Place::Sms(number) = &address.place else { return None };
        let intent = &message.intent;
        let callback_url = self.definitions.callback_url(account);
        let validity = expires_at.since(now);
        Some(driver.provider.send(&Outbound { attempt, to: number.e164(), from: sender, body: &intent.body, validity, expires_at, callback_url: &callback_url }))
    }

    /// The very request of an attempt that was made, for a vendor that knows its key.
    pub(crate) fn request(&self, message: &Message, address: &Address, attempt: &message::Attempt, driver: &Account) -> Option<Request> {
        let id = AttemptId { message: message.id, n: attempt.n };
        let valid = (attempt.claimed_at, attempt.valid_until.unwrap_or(message.intent.deadline));
        self.handing_over(message, address, id, (&attempt.account, &attempt.sender), driver, valid)
    }
}

/// At most so many of what is due, the urgent first; but an eighth is for each of the others, so that nobody waits for
/// ever.
fn shares(due: Vec<Message>, free: usize) -> Vec<Message> {
    let (mut urgent, rest): (Vec<Message>, Vec<Message>) = due.into_iter().partition(|m| m.intent.priority() == Priority::Urgent);
    let (mut normal, mut bulk): (Vec<Message>, Vec<Message>) = rest.into_iter().partition(|m| m.intent.priority() == Priority::Normal);
    for queue in [&mut urgent, &mut normal, &mut bulk] {
        queue.sort_by_key(|m| (m.state.due, m.id));
    }
    let share = free / 8;
    let kept_for = |queue: &Vec<Message>| queue.len().min(share);
    urgent.truncate(free - kept_for(&normal) - kept_for(&bulk));
    normal.truncate(free - urgent.len() - kept_for(&bulk));
    bulk.truncate(free - urgent.len() - normal.len());
    urgent.extend(normal);
    urgent.extend(bulk);
    urgent
}

/// Whether a text that waits for an open breaker was told so.
fn knows(message: &Message, reason: &Reason) -> bool {
    let of = |reason: &Reason| if let Reason::BreakerOpen { account, .. } = reason { Some(account.clone()) } else { None };
    message.state.work == Work::Held && of(reason).is_some_and(|account| message.state.reasons.iter().any(|known| of(known).as_ref() == Some(&account)))
}

/// The earlier message of the same run and address that has not left, if there is one.
fn blocker(message: &Message, waiting: &[Message]) -> Option<(MessageId, Time)> {
    let run = message.intent.origin.run()?;
    let earlier = |m: &&Message| m.intent.origin.run() == Some(run) && m.intent.address == message.intent.address && m.intent.origin.visit() < message.intent.origin.visit();
    waiting.iter().filter(earlier).min_by_key(|m| m.intent.origin.visit()).map(|m| (m.id, m.intent.deadline))
}
