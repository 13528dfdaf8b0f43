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
use trunkline_core::message;
use trunkline_core::purpose::Priority;
use trunkline_core::rate::Grant;
use trunkline_core::reason::Reason;
use trunkline_core::time::{Span, Time, Uptime};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Intent, Message, Origin, Pause, Place, Queue, Run};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::Account;
use crate::facts::find;
use crate::{Engine, Tick};

/// A call that is not begun this long after its claim is not begun at all.
pub const BEGIN_WITHIN: Span = Span::secs(2);

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

/// The tokens taken from the senders' buckets for one batch.
#[derive(Default)]
struct Tokens {
    left: BTreeMap<(String, String), u32>,
    next: Option<Time>,
}

/// A planned change of one due message.
struct Plan {
    unit: Unit,
    call: Option<Call>,
}

impl Engine {
    /// Claims at most so many due messages as there are slots; what comes back must be called, or settled as not
    /// written.
    pub async fn claim_tick(&self, now: Time, slots: impl Into<Slots>) -> Result<(Vec<Call>, Tick), StoreError> {
        let (due, next) = self.turn(now, slots.into()).await?;
        if due.is_empty() {
            return Ok((Vec::new(), Tick { done: 0, next }));
        }
        let addresses = self.store.addresses(&due.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let runs: Vec<_> = due.iter().filter_map(|m| m.intent.origin.run()).collect();
        let waiting = self.store.waiting_in_runs(&runs).await?;
        let pauses = self.store.pauses().await?;
        let ended = self.ended(&due).await?;
        let mut tokens = self.tokens(&due, now).await?;
        tokens.next = tokens.next.into_iter().chain(next).min();
        // One claim of an address at a time: a second one would have to trust that the first one lands.
        let mut claimed_for: BTreeSet<AddressId> = BTreeSet::new();
        let mut plans = Vec::new();
        for message in &due {
            let Some(address) = find(&addresses, message.intent.address) else { continue };
            if let Some(run) = message.intent.origin.run().and_then(|run| ended.get(&run)) {
                plans.extend(self.take_back(message, address, run, now));
                continue;
            }
            plans.extend(self.plan(message, address, &waiting, &pauses, &mut tokens, &mut claimed_for, now));
        }
        let (units, calls): (Vec<Unit>, Vec<Option<Call>>) = plans.into_iter().map(|p| (p.unit, p.call)).unzip();
        // What was left out for another text of its address is due still.
        let done = if claimed_for.is_empty() { units.len() } else { due.len() };
        let landed = self.commit_all(now, "dispatch", units).await?;
        let claimed = self.clock.uptime();
        let calls = calls.into_iter().zip(landed).filter_map(|(call, landed)| call.filter(|_| landed).map(|c| Call { claimed, ..c })).collect();
        self.wake(&[]);
        Ok((calls, Tick { done, next: tokens.next }))
    }

    /// Whose turn it is: what is due of the senders that may send now, the urgent first, and when the next of the others
    /// may. A sender whose rate is used up is not even looked at, so that its queue holds up nobody else.
    async fn turn(&self, now: Time, slots: Slots) -> Result<(Vec<Message>, Option<Time>), StoreError> {
        let mut queues = Vec::new();
        let mut next: Option<Time> = None;
        for (account, sender) in self.store.waiting_senders().await? {
            if let Some(rate) = self.definitions.sender(&account, &sender).map(|s| s.rate) {
                let grant = rate.take(self.store.bucket(&account, &sender).await?, now, 1);
                if grant.granted == 0 {
                    next = next.into_iter().chain([grant.next]).min();
                    continue;
                }
            }
            let queue = |priority: Priority| Queue { account: account.clone(), sender: sender.clone(), priority, limit: priority.may_take(slots.free, slots.of) };
            queues.extend(Priority::ALL.map(queue).into_iter().filter(|q| q.limit > 0));
        }
        if queues.is_empty() {
            return Ok((Vec::new(), next));
        }
        Ok((shares(self.store.queued(now, &queues).await?, slots.free), next))
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
        let change = self.change(message, event, None, address, now).ok()?;
        Some(Plan { unit: Unit::one(Command::PutMessage(Box::new(change))), call: None })
    }

    /// Takes tokens for the segments of a batch, one compare-and-set for each sender. Tokens taken and not used are
    /// lost, which errs on the slow side.
    async fn tokens(&self, due: &[Message], now: Time) -> Result<Tokens, StoreError> {
        let mut wanted: BTreeMap<(String, String), u32> = BTreeMap::new();
        for message in due {
            *wanted.entry((message.intent.account.clone(), message.intent.sender.clone())).or_default() += self.cost(&message.intent);
        }
        let mut tokens = Tokens::default();
        for ((account, sender), want) in wanted {
            let Some(rate) = self.definitions.sender(&account, &sender).map(|s| s.rate) else { continue };
            let from = self.store.bucket(&account, &sender).await?;
            let Grant { granted, tat, next } = rate.take(from, now, want);
            if granted < want {
                tokens.next = Some(tokens.next.map_or(next, |n| n.min(next)));
            }
            if granted == 0 {
                continue;
            }
            let advance = Command::Advance { account: account.clone(), sender: sender.clone(), from, to: tat };
            match self.commit(now, Unit::one(advance)).await {
                Ok(_) => drop(tokens.left.insert((account, sender), granted)),
                // Another node took them first: this batch sends nothing from this sender.
                Err(StoreError::Conflict { .. }) => tokens.next = Some(now),
                Err(error) => return Err(error),
            }
        }
        Ok(tokens)
    }

    /// What a text costs of its sender's rate: its segments, but no more than the sender may ever send at once.
    fn cost(&self, intent: &Intent) -> u32 {
        let burst = self.definitions.sender(&intent.account, &intent.sender).map_or(u32::MAX, |s| s.rate.burst.max(1));
        intent.size.segments.min(burst)
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one decision, loaded once for the whole batch")]
    fn plan(
        &self,
        message: &Message,
        address: &Address,
        waiting: &[Message],
        pauses: &[Pause],
        tokens: &mut Tokens,
        claimed_for: &mut BTreeSet<AddressId>,
        now: Time,
    ) -> Option<Plan> {
        let behind = blocker(message, waiting);
        let mut verdict = self.ask_gate(message.id, &message.intent, address, behind, now);
        if let Some(pause) = pauses.iter().find(|p| p.account == message.intent.account && p.until > now).filter(|_| verdict.decision == Decision::Send) {
            verdict.findings.push(Reason::AccountPaused { account: pause.account.clone() });
            verdict.decision = Decision::Hold { until: pause.until.min(message.intent.deadline) };
        }
        if verdict.decision != Decision::Send {
            let change = self.change(message, message::Event::Gated { verdict }, None, address, now).ok()?;
            return Some(Plan { unit: Unit::one(Command::PutMessage(Box::new(change))), call: None });
        }
        if !claimed_for.insert(address.id) {
            return None;
        }
        let intent = &message.intent;
        let cost = self.cost(intent);
        let left = tokens.left.get_mut(&(intent.account.clone(), intent.sender.clone()))?;
        *left = left.checked_sub(cost)?;
        let (change, call) = self.claim(message, address, verdict, now)?;
        Some(Plan { unit: Unit::one(Command::PutMessage(Box::new(change))), call: Some(call) })
    }

    fn claim(&self, message: &Message, address: &Address, verdict: Verdict, now: Time) -> Option<(MessageChange, Call)> {
        let intent = &message.intent;
        let account = self.definitions.accounts.get(&intent.account)?;
        let n = u32::try_from(message.state.attempts.len()).ok()? + 1;
        let attempt = AttemptId { message: message.id, n };
        let valid_until = verdict.hours_end().unwrap_or(intent.deadline);
        let event = message::Event::Claimed { n, account: intent.account.clone(), sender: intent.sender.clone(), epoch: self.epoch, verdict };
        let mut change = self.change(message, event, None, address, now).ok()?;
        change.guard = Some(address.guard_version);
        change.sends = self.counted(message, address, now);
        let request = self.handing_over(message, address, attempt, (&intent.account, &intent.sender), account, (now, valid_until))?;
        let call = Call { attempt, account: intent.account.clone(), request, claimed: self.clock.uptime(), deadline: valid_until };
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

/// The earlier message of the same run and address that has not left, if there is one.
fn blocker(message: &Message, waiting: &[Message]) -> Option<(MessageId, Time)> {
    let run = message.intent.origin.run()?;
    let earlier = |m: &&Message| m.intent.origin.run() == Some(run) && m.intent.address == message.intent.address && m.intent.origin.visit() < message.intent.origin.visit();
    waiting.iter().filter(earlier).min_by_key(|m| m.intent.origin.visit()).map(|m| (m.id, m.intent.deadline))
}
