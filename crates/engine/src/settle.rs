//! What came of calls: read the answer, decide what follows, commit.
//!
//! Its own file because an answer is evidence keyed by attempt: no lease or version refuses it, a conflict only
//! means to load again. The vendor's id is bound first, so that a receipt that came before finds its attempt. What a
//! batch tells of its accounts goes with it, one row for each that changed.

use std::collections::BTreeMap;

use trunkline_connectors::http::Reply;
use trunkline_core::consent::{ConsentAct, ConsentEntry, Source, Terms};
use trunkline_core::health;
use trunkline_core::id::AttemptId;
use trunkline_core::message;
use trunkline_core::outcome::{Outcome, Refusal};
use trunkline_core::owe::Owe;
use trunkline_core::purpose::Policy;
use trunkline_core::retry::{self, Next, Tried};
use trunkline_core::time::{Span, Time};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, AddressNews, Message, Pause, ProviderRef};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::Account;
use crate::dispatch::Call;
use crate::effects::system_alert;
use crate::facts::find;
use crate::limits::Limits;
use crate::poison::poisonous;
use crate::routing::followed;
use crate::{Engine, Stage, Tick};

/// What happened to a claimed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It was made.
    Reply(Reply),
    /// It was not begun: too late.
    NotBegun(&'static str),
}

/// A call and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The attempt.
    pub attempt: AttemptId,
    /// The account.
    pub account: String,
    /// What happened.
    pub heard: Heard,
}

impl CallResult {
    /// From a call.
    pub fn of(call: &Call, heard: Heard) -> CallResult {
        CallResult { attempt: call.attempt, account: call.account.clone(), heard }
    }
}

/// How often a result is decided again because its message moved meanwhile.
const RELOADS: usize = 8;

/// What a batch of results is decided on.
struct Facts {
    messages: Vec<Message>,
    addresses: Vec<Address>,
    limits: Limits,
}

impl Engine {
    /// Commits whatever results are there; gives back those that could not be committed, to be given again.
    pub async fn settle_tick(&self, now: Time, mut results: Vec<CallResult>) -> (Tick, Vec<CallResult>) {
        let asked: Vec<AttemptId> = results.iter().map(|r| r.attempt).collect();
        for round in 0..RELOADS {
            if results.is_empty() {
                break;
            }
            // What a result tells of its account is told once, however often its message moves meanwhile.
            match self.settle_once(now, &results, round == 0).await {
                Ok(landed) => results = results.into_iter().zip(landed).filter(|(_, landed)| !landed).map(|(r, _)| r).collect(),
                Err(error) => {
                    tracing::error!(%error, results = results.len(), "results of calls could not be committed; they are kept and tried again");
                    if poisonous(&error) {
                        results = self.settle_apart(now, results, round == 0).await;
                    }
                    break;
                }
            }
        }
        // What could not be committed is held on.
        self.air.texts.land(&asked);
        self.air.texts.hold(results.iter().map(|r| r.attempt), self.clock.uptime());
        self.wake(&[Stage::Receipts, Stage::Questions, Stage::Writebacks, Stage::Announcements]);
        (Tick { done: asked.len() - results.len(), next: None }, results)
    }

    /// One of a batch cannot be settled: each on its own, so that it holds up no other. It is kept for ever, since nobody
    /// else knows what it says.
    async fn settle_apart(&self, now: Time, results: Vec<CallResult>, first: bool) -> Vec<CallResult> {
        let mut kept = Vec::new();
        for result in results {
            match self.settle_once(now, std::slice::from_ref(&result), first).await {
                Ok(landed) if landed.contains(&true) => {}
                Ok(_) | Err(_) => kept.push(result),
            }
        }
        kept
    }

    async fn settle_once(&self, now: Time, results: &[CallResult], first: bool) -> Result<Vec<bool>, StoreError> {
        let messages = self.store.messages(&results.iter().map(|r| r.attempt.message).collect::<Vec<_>>()).await?;
        let addresses = self.store.addresses(&messages.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let mut facts = Facts { messages, addresses, limits: self.limits().await? };
        let outcomes: Vec<Option<Outcome>> = results.iter().map(|result| self.outcome(result)).collect();
        let mut heard = if first { heard(results, &outcomes) } else { BTreeMap::new() };
        let (accounts, felt): (Vec<String>, Vec<Unit>) = self.feel(&mut facts.limits, &heard, now)?.into_iter().unzip();
        let decide = |(result, outcome): (&CallResult, &Option<Outcome>)| outcome.as_ref().map_or_else(Unit::default, |outcome| self.decide(result, outcome, &facts, now));
        let units = results.iter().zip(&outcomes).map(decide).chain(felt).collect();
        let mut landed = self.commit_all(now, "settle", units).await?;
        let lost: Vec<String> = landed.split_off(results.len()).into_iter().zip(accounts).filter(|(landed, _)| !landed).map(|(_, account)| account).collect();
        heard.retain(|account, _| lost.contains(account));
        self.feel_again(heard, now).await?;
        Ok(landed)
    }

    /// What a call came to; nothing if its account is not configured any more.
    fn outcome(&self, result: &CallResult) -> Option<Outcome> {
        let Some(account) = self.definitions.accounts.get(&result.account) else {
            tracing::error!(attempt = %result.attempt, account = %result.account, "a result belongs to no known account");
            return None;
        };
        Some(match &result.heard {
            Heard::Reply(reply) => account.provider.outcome(reply),
            Heard::NotBegun(cause) => Outcome::NotWritten { cause: (*cause).to_owned() },
        })
    }

    fn decide(&self, result: &CallResult, outcome: &Outcome, facts: &Facts, now: Time) -> Unit {
        let found = facts.messages.iter().find(|m| m.id == result.attempt.message).and_then(|m| find(&facts.addresses, m.intent.address).map(|a| (m, a)));
        let (Some((message, address)), Some(account)) = (found, self.definitions.accounts.get(&result.account)) else {
            tracing::error!(attempt = %result.attempt, "a result belongs to no known message");
            return Unit::default();
        };
        let policy = self.definitions.policy(message.intent.purpose);
        let ask_at = account.provider.resolution().first(now, policy.resolve_within);
        let tried = tried(message, result.attempt.n, outcome, &policy, ask_at);
        let next = retry::after(outcome, tried, now, self.draw());
        let detour = self.fail_over((message, address), result.attempt.n, outcome, &next, &facts.limits, now);
        // Where it was never tried there is nobody to wait for.
        let next = if detour.as_ref().is_some_and(|detour| detour.fresh) { Next::Retry { at: now } } else { next };
        let event = message::Event::Settled { n: result.attempt.n, outcome: outcome.clone(), next };
        // Settled already: this result was committed before, and its acknowledgement was lost.
        let Ok(mut change) = self.change(message, event, None, address, now) else { return Unit::default() };
        if let Some(detour) = detour {
            change = followed(change, detour, now);
        }
        let mut commands = Vec::new();
        if let Outcome::Accepted { vendor_id } = outcome {
            commands.push(Command::BindRef(ProviderRef { account: result.account.clone(), vendor_id: vendor_id.clone(), attempt: result.attempt }));
        }
        commands.extend(consequences(account, result, outcome, &mut change.owes, now));
        commands.push(self.home(account, outcome, change, address, result, now));
        Unit(commands)
    }

    /// The command in the message's own part: the change alone, or with the vendor's block on the ledger.
    fn home(&self, account: &Account, outcome: &Outcome, change: MessageChange, address: &Address, result: &CallResult, now: Time) -> Command {
        match outcome {
            Outcome::Permanent { vendor_code, .. } if account.provider.is_block(vendor_code) => {
                let sender = change.message.state.attempts.iter().find(|a| a.n == result.attempt.n).map_or(change.message.way().1, |a| a.sender.as_str());
                let entry = vendor_block(&result.account, sender, format!("attempt {} refused with {vendor_code}", result.attempt), now);
                let owes = self.owed_for_address(address);
                let news = Box::new(AddressNews { entries: vec![entry], inbound: None });
                Command::News { address: address.id, guard_version: address.guard_version, news, messages: vec![change], owes }
            }
            _ => Command::PutMessage(Box::new(change)),
        }
    }
}

/// What the outcomes tell of their accounts.
fn heard(results: &[CallResult], outcomes: &[Option<Outcome>]) -> BTreeMap<String, health::Heard> {
    let mut all: BTreeMap<String, health::Heard> = BTreeMap::new();
    for (result, outcome) in results.iter().zip(outcomes) {
        if let Some(outcome) = outcome {
            all.entry(result.account.clone()).or_default().add(outcome);
        }
    }
    all
}

/// What the retry of an attempt depends on.
pub(crate) fn tried(message: &Message, n: u32, outcome: &Outcome, policy: &Policy, ask_at: Time) -> Tried {
    let like = |a: &&message::Attempt| a.n != n && a.outcome.as_ref().is_some_and(|o| o.word() == outcome.word());
    let attempts = u32::try_from(message.state.attempts.iter().filter(like).count()).unwrap_or(u32::MAX).saturating_add(1);
    let first_at = message.state.attempts.first().map_or(ask_at, |a| a.claimed_at);
    Tried { attempts, max_attempts: policy.max_attempts, policy: policy.retry, first_at, deadline: message.intent.deadline, ask_at }
}

/// A vendor's block as a ledger entry.
pub(crate) fn vendor_block(account: &str, sender: &str, evidence: String, now: Time) -> ConsentEntry {
    ConsentEntry {
        act: ConsentAct::VendorBlock,
        program: None,
        purpose: None,
        account: Some(account.to_owned()),
        sender: Some(sender.to_owned()),
        evidence,
        actor: "vendor".to_owned(),
        occurred_at: now,
        recorded_at: now,
        terms: Terms::from_source(Source::Vendor),
    }
}

/// What an outcome means beyond its message: a paused account, an unknown code.
fn consequences(account: &Account, result: &CallResult, outcome: &Outcome, owes: &mut Vec<Owe>, now: Time) -> Vec<Command> {
    let Outcome::Permanent { class, vendor_code, message } = outcome else { return Vec::new() };
    if !account.provider.knows_code(vendor_code) {
        let detail = format!("account '{}' refused {} with code {vendor_code}, which is not in the table: {message}", result.account, result.attempt);
        owes.push(system_alert("unknown_code", &format!("{}/{vendor_code}", result.account), detail));
    }
    if *class != Refusal::Account {
        return Vec::new();
    }
    let detail = format!("account '{}' is paused for a minute at a time: code {vendor_code}, {message}; check its credentials, funds and settings at the vendor", result.account);
    owes.push(system_alert("account_refused", &result.account, detail));
    vec![Command::Pause(Pause { account: result.account.clone(), until: now + Span::mins(1), cause: format!("code {vendor_code}: {message}") })]
}
