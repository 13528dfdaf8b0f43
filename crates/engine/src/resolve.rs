//! Texts of unknown fate: ask their vendor, and hear what it says.
//!
//! Its own file because it is a stage that calls out, in two ticks like `dispatch`. It never makes an attempt: it looks
//! a text up, or makes the very same call again where the vendor knows our key, and then under the same gate as a
//! claim, since the vendor may do now what it did not do then.

use std::collections::BTreeSet;

use trunkline_connectors::http::{Reply, Request};
use trunkline_connectors::sms::ask::{Candidate, Looked, Sent};
use trunkline_core::gate::Decision;
use trunkline_core::id::AttemptId;
use trunkline_core::message::{Attempt, Event, Finding, Question, Work};
use trunkline_core::outcome::Outcome;
use trunkline_core::owe::Owe;
use trunkline_core::planted::{Fault, planted};
use trunkline_core::purpose::Policy;
use trunkline_core::resolve::{Resolution, Unclear};
use trunkline_core::retry;
use trunkline_core::time::{Span, Time, Uptime};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Message, Place, ProviderRef};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::Account;
use crate::effects::UNCLEAR;
use crate::facts::find;
use crate::settle::{Heard, tried};
use crate::{Engine, Stage, Tick};

/// When a question is asked again whose answer nobody heard: longer than any call takes.
const UNHEARD: Span = Span::mins(2);
/// How soon somebody should look at a text that stays unclear.
pub(crate) const LOOK_WITHIN: Span = Span::hours(4);
/// The same, where the purpose wants to be asked.
const LOOK_AT_ONCE: Span = Span::mins(15);

/// A question, ready to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The attempt it is about.
    pub attempt: AttemptId,
    /// How it is asked.
    pub how: Question,
    /// What to send.
    pub request: Request,
    /// When it was committed, for the two-second rule.
    pub claimed: Uptime,
    /// When the text stops being worth sending: the same call is not made after that.
    pub deadline: Time,
}

/// A question and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The attempt it is about.
    pub attempt: AttemptId,
    /// How it was asked.
    pub how: Question,
    /// What happened.
    pub heard: Heard,
}

/// Why the same call is not made again now: it could send what was not sent.
const RUN_OVER: &str = "not asked, since an event has ended its run and the same call could send it now";
const IN_A_GAP: &str = "not asked, since webhooks of its account were lost and its recipient may have said STOP";

/// A planned step of one text.
type Plan = Option<(Unit, Option<Ask>)>;

impl Engine {
    /// Puts questions about at most so many texts; what comes back must be asked, or answered as not begun.
    pub async fn ask_tick(&self, now: Time, slots: usize) -> Result<(Vec<Ask>, Tick), StoreError> {
        let due = self.store.due_questions(now, slots).await?;
        if due.is_empty() {
            return Ok((Vec::new(), Tick::default()));
        }
        let addresses = self.store.addresses(&due.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let ended = self.ended(&due).await?;
        let gaps = self.accounts_in_gaps(now).await?;
        let not_now = |m: &Message| {
            let over = m.intent.origin.run().is_some_and(|run| ended.contains_key(&run));
            let in_gap = m.state.attempts.last().is_some_and(|attempt| gaps.contains_key(&attempt.account));
            if over { Some(RUN_OVER) } else { in_gap.then_some(IN_A_GAP) }
        };
        let plan = |m: &Message| find(&addresses, m.intent.address).and_then(|address| self.ask(m, address, not_now(m), now));
        let (units, asks): (Vec<Unit>, Vec<Option<Ask>>) = due.iter().filter_map(plan).unzip();
        let done = units.len();
        let landed = self.commit_claims(now, "ask", units).await?;
        let claimed = self.clock.uptime();
        let asks = asks.into_iter().zip(landed).filter_map(|(ask, landed)| ask.filter(|_| landed).map(|a| Ask { claimed, ..a })).collect();
        self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
        Ok((asks, Tick { done, next: None }))
    }

    fn ask(&self, message: &Message, address: &Address, not_now: Option<&str>, now: Time) -> Plan {
        let attempt = unclear(message)?;
        let policy = self.definitions.policy(message.intent.purpose);
        let Some(account) = self.definitions.accounts.get(&attempt.account) else {
            return self.give_up(message, address, attempt.n, &policy, now);
        };
        let resolution = account.provider.resolution();
        // The last question comes at the end of the window; after that nobody is asked any more.
        let over = now > attempt.claimed_at + policy.resolve_within || (now >= attempt.claimed_at + policy.resolve_within && attempt.asked > 0);
        let Some(how) = resolution.question().filter(|_| !over) else {
            return self.give_up(message, address, attempt.n, &policy, now);
        };
        match how {
            Question::LookUp => self.look_up(message, address, attempt, account, now),
            Question::Repeat => self.repeat(message, address, attempt, account, not_now, now),
        }
    }

    fn look_up(&self, message: &Message, address: &Address, attempt: &Attempt, account: &Account, now: Time) -> Plan {
        let Place::Sms(number) = &address.place else {
            // Without a number there is nothing to look for.
            return self.give_up(message, address, attempt.n, &self.definitions.policy(message.intent.purpose), now);
        };
        let request = account.provider.look_up(&sent(message, attempt, number.e164()))?;
        let change = self.asked(message, address, attempt.n, Question::LookUp, now)?;
        Some((Unit::one(Command::PutMessage(Box::new(change))), Some(self.question(message, attempt.n, Question::LookUp, request))))
    }

    /// The same call again may send what was not sent: so it needs the gate's word and the address's version, as a
    /// claim does, and a key that the vendor still knows.
    fn repeat(&self, message: &Message, address: &Address, attempt: &Attempt, account: &Account, not_now: Option<&str>, now: Time) -> Plan {
        let resolution = account.provider.resolution();
        let verdict = self.ask_gate_about(message, address, None, &[], now);
        let cause = if !resolution.knows_key(attempt.claimed_at, now) {
            "the vendor may have forgotten the key, so that the same call could send a second text".to_owned()
        } else if let Some(why) = not_now {
            why.to_owned()
        } else if verdict.decision != Decision::Send {
            let findings: Vec<String> = verdict.findings.iter().filter(|f| trunkline_core::gate::consequence(f) != Decision::Send).map(ToString::to_string).collect();
            format!("not asked, since the same call could send it now: {}", findings.join("; "))
        } else {
            let request = self.request(message, address, attempt, account)?;
            let mut change = self.asked(message, address, attempt.n, Question::Repeat, now)?;
            change.guard = Some(address.guard_version);
            change.sends = self.counted(message, address, now);
            return Some((Unit::one(Command::PutMessage(Box::new(change))), Some(self.question(message, attempt.n, Question::Repeat, request))));
        };
        let policy = self.definitions.policy(message.intent.purpose);
        let Some(next) = resolution.again(attempt.asked, attempt.claimed_at, now, policy.resolve_within) else {
            return self.give_up(message, address, attempt.n, &policy, now);
        };
        let change = self.change(message, Event::Looked { n: attempt.n, found: Finding::Nothing { cause }, next: Some(next) }, None, address, now).ok()?;
        Some((Unit::one(Command::PutMessage(Box::new(change))), None))
    }

    fn asked(&self, message: &Message, address: &Address, n: u32, how: Question, now: Time) -> Option<MessageChange> {
        self.change(message, Event::Asked { n, how, again_at: now + UNHEARD }, None, address, now).ok()
    }

    fn question(&self, message: &Message, n: u32, how: Question, request: Request) -> Ask {
        let valid_until = message.state.attempts.iter().find(|a| a.n == n).and_then(|a| a.valid_until);
        let deadline = valid_until.unwrap_or(message.intent.deadline);
        Ask { attempt: AttemptId { message: message.id, n }, how, request, claimed: self.clock.uptime(), deadline }
    }

    /// When to ask again; at the end of the window at the latest, when it is given up.
    fn next_question(&self, message: &Message, attempt: &Attempt, resolution: Resolution, now: Time) -> Time {
        let within = self.definitions.policy(message.intent.purpose).resolve_within;
        resolution.again(attempt.asked, attempt.claimed_at, now, within).unwrap_or(now)
    }

    /// The window is over: what the purpose prefers.
    fn give_up(&self, message: &Message, address: &Address, n: u32, policy: &Policy, now: Time) -> Plan {
        // Two at most: the next unclear one is for a person.
        let first =
            message.state.attempts.iter().filter(|a| !matches!(a.outcome, Some(Outcome::Transient { .. } | Outcome::Throttled { .. } | Outcome::NotWritten { .. }))).count() == 1;
        let may_resend = policy.unclear == Unclear::PreferDelivery && first && now < message.intent.deadline && n < policy.max_attempts;
        let resend = may_resend.then_some(now);
        let mut change = self.change(message, Event::GivenUp { n, resend }, None, address, now).ok()?;
        if resend.is_none() {
            let within = if policy.unclear == Unclear::Ask { LOOK_AT_ONCE } else { LOOK_WITHIN };
            let detail = "nobody knows whether this text was taken, and its vendor could not say; look it up there, then decide".to_owned();
            change.owes.push(Owe::Case { code: UNCLEAR.to_owned(), address: address.id, message: Some(message.id), detail, due: now + within });
        }
        Some((Unit::one(Command::PutMessage(Box::new(change))), None))
    }

    /// Commits whatever answers are there; gives back those that could not be committed, to be given again.
    pub async fn answer_tick(&self, now: Time, answers: Vec<Answered>) -> (Tick, Vec<Answered>) {
        let asked = answers.len();
        match self.answer_once(now, &answers).await {
            // What conflicted is asked again when it is due: a look changes nothing.
            Ok(()) => {
                self.wake(&[Stage::Dispatch, Stage::Receipts, Stage::Writebacks, Stage::Announcements]);
                (Tick { done: asked, next: None }, Vec::new())
            }
            Err(error) => {
                tracing::error!(%error, answers = asked, "answers about unclear texts could not be committed; they are kept and tried again");
                (Tick::default(), answers)
            }
        }
    }

    async fn answer_once(&self, now: Time, answers: &[Answered]) -> Result<(), StoreError> {
        let messages = self.store.messages(&answers.iter().map(|a| a.attempt.message).collect::<Vec<_>>()).await?;
        let addresses = self.store.addresses(&messages.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let mut given = BTreeSet::new();
        let mut units = Vec::new();
        for answer in answers {
            let Some(message) = messages.iter().find(|m| m.id == answer.attempt.message) else { continue };
            let (Some(address), Some(attempt)) = (find(&addresses, message.intent.address), unclear(message).filter(|a| a.n == answer.attempt.n)) else { continue };
            let Some(account) = self.definitions.accounts.get(&attempt.account) else { continue };
            let found = self.finding(answer, (message, address, attempt), account, &mut given, now).await?;
            units.extend(self.note_finding(message, address, attempt, account, found, now));
        }
        self.commit_all(now, "answers", units).await.map(|_| ())
    }

    /// What an answer says about the attempt. `given` are the vendor's ids that this batch has bound already.
    async fn finding(
        &self,
        answer: &Answered,
        (message, address, attempt): (&Message, &Address, &Attempt),
        account: &Account,
        given: &mut BTreeSet<(String, String)>,
        now: Time,
    ) -> Result<Finding, StoreError> {
        let nothing = |cause: String| Ok(Finding::Nothing { cause });
        let reply: &Reply = match &answer.heard {
            Heard::Reply(reply) => reply,
            Heard::NotBegun(cause) => return nothing((*cause).to_owned()),
        };
        if answer.how == Question::Repeat {
            return match account.provider.outcome(reply) {
                Outcome::Accepted { vendor_id } => {
                    Ok(Finding::Taken { vendor_id, status: "accepted".to_owned(), evidence: Some(trunkline_core::message::Evidence::Accepted), vendor_code: String::new() })
                }
                // A refusal of this call says nothing about the first one.
                other => nothing(format!("asked with the same key: {}", other.cause())),
            };
        }
        let Place::Sms(number) = &address.place else { return nothing("its address is no number any more".to_owned()) };
        let candidates = match account.provider.looked(&sent(message, attempt, number.e164()), reply) {
            Looked::Unavailable { cause, .. } => return nothing(format!("the look-up did not say: {cause}")),
            Looked::Found(candidates) => candidates,
        };
        let ids: Vec<String> = candidates.iter().map(|c| c.vendor_id.clone()).collect();
        let bound = self.store.provider_refs(&attempt.account, &ids).await?;
        let ours = |owner: &Option<AttemptId>| owner.is_none_or(|owner| owner == answer.attempt) || planted(Fault::BoundTwice);
        let free = candidates.into_iter().zip(bound).filter(|(c, owner)| ours(owner) && !given.contains(&(attempt.account.clone(), c.vendor_id.clone())));
        if let Some(best) = nearest(free.map(|(c, _)| c), attempt.claimed_at) {
            given.insert((attempt.account.clone(), best.vendor_id.clone()));
            return Ok(Finding::Taken { vendor_id: best.vendor_id, status: best.status, evidence: best.evidence, vendor_code: best.vendor_code });
        }
        if !account.provider.resolution().negative_is_proof(attempt.claimed_at, attempt.settled_at, now) {
            return nothing("the look-up shows no such text".to_owned());
        }
        let cause = "the look-up shows that the vendor did not take it".to_owned();
        let policy = self.definitions.policy(message.intent.purpose);
        let outcome = Outcome::Transient { cause: cause.clone() };
        let next = retry::after(&outcome, tried(message, attempt.n, &outcome, &policy, now), now, self.draw());
        Ok(Finding::NotTaken { cause, next })
    }

    fn note_finding(&self, message: &Message, address: &Address, attempt: &Attempt, account: &Account, found: Finding, now: Time) -> Option<Unit> {
        let mut commands = Vec::new();
        let mut next = None;
        match &found {
            Finding::Taken { vendor_id, .. } => {
                let owner = AttemptId { message: message.id, n: attempt.n };
                let bind = ProviderRef { account: attempt.account.clone(), vendor_id: vendor_id.clone(), attempt: owner };
                commands.push(if planted(Fault::BoundTwice) { Command::BindRef(bind) } else { Command::BindFound(bind) });
            }
            Finding::Nothing { .. } => next = Some(self.next_question(message, attempt, account.provider.resolution(), now)),
            Finding::NotTaken { .. } => {}
        }
        let change = self.change(message, Event::Looked { n: attempt.n, found, next }, None, address, now).ok()?;
        commands.push(Command::PutMessage(Box::new(change)));
        Some(Unit(commands))
    }
}

/// The attempt that a message of unknown fate waits for.
pub(crate) fn unclear(message: &Message) -> Option<&Attempt> {
    message.state.attempts.last().filter(|_| message.state.work == Work::Unknown)
}

fn sent<'a>(message: &'a Message, attempt: &'a Attempt, to: &'a str) -> Sent<'a> {
    let id = AttemptId { message: message.id, n: attempt.n };
    Sent { attempt: id, to, from: &attempt.sender, body: &message.intent.body, claimed_at: attempt.claimed_at }
}

/// The candidate that the vendor took at about the time of the attempt.
fn nearest(candidates: impl Iterator<Item = Candidate>, claimed_at: Time) -> Option<Candidate> {
    candidates.min_by_key(|c| c.taken_at.map_or(i64::MAX, |at| (at.0 - claimed_at.0).saturating_abs()))
}
