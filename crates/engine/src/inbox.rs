//! Filed hooks: parse, dedupe, apply.
//!
//! Its own file because an acknowledged hook must come to an end here: applied, a copy, parked until its attempt is
//! known, or dead with the reason. Receipts and source events are handled below; texts from people in `inbound`.

mod inbound;
mod scoped;
mod understood;

use std::collections::{BTreeMap, BTreeSet};

use trunkline_connectors::sms::{Item, ProviderEvent, Unreadable};
use trunkline_core::id::{AttemptId, MessageId, hash16};
use trunkline_core::message;
use trunkline_core::planted::{Fault, planted};
use trunkline_core::time::{Span, Time};
use trunkline_store::row::{Event, Hook, HookLane, HookState, Message, ProviderRef};
use trunkline_store::{Applied, Command, StoreError, Unit};

use crate::definitions::Account;
use crate::effects::system_alert;
use crate::facts::find;
use crate::gap::{self, LISTED};
use crate::poison::poisonous;
use crate::receive::raw;
use crate::{Engine, Stage, Tick};

/// How long a receipt waits for its attempt before it is dead.
const PARKED_FOR: Span = Span::hours(24 * 7);
/// The same for a state that was found in a list, which may be of a text that somebody else sent through the account.
const FOUND_FOR: Span = Span::hours(1);
/// How often a parked receipt is looked at by itself.
const PARKED_EVERY: Span = Span::hours(1);

/// A receipt that can be applied.
struct Receipt<'a> {
    hook: &'a Hook,
    item: &'a Item,
    attempt: AttemptId,
    vendor_id: &'a str,
}

impl Engine {
    /// Works on the due hooks of a lane.
    pub async fn inbox_tick(&self, lane: HookLane, now: Time, limit: usize) -> Result<Tick, StoreError> {
        let hooks = self.store.due_hooks(lane, now, limit).await?;
        if hooks.is_empty() {
            return Ok(Tick::default());
        }
        let done = match self.take_hooks(lane, &hooks, now).await {
            Ok(()) => hooks.len(),
            Err(error) if poisonous(&error) => self.take_hooks_apart(lane, now, limit).await?,
            Err(error) => return Err(error),
        };
        Ok(Tick { done, next: None })
    }

    async fn take_hooks(&self, lane: HookLane, hooks: &[Hook], now: Time) -> Result<(), StoreError> {
        match lane {
            HookLane::Source => self.take_source_hooks(hooks, now).await,
            HookLane::Receipt => self.take_receipts(hooks, now).await,
            HookLane::Inbound => self.take_inbound(hooks, now).await,
        }
    }

    /// One of a batch cannot be applied: each on its own, so that it holds up no other. What fails again and again is a dead
    /// letter.
    async fn take_hooks_apart(&self, lane: HookLane, now: Time, limit: usize) -> Result<usize, StoreError> {
        let mut done = 0;
        for hook in self.store.due_hooks(lane, now, limit).await? {
            let Err(error) = self.take_hooks(lane, std::slice::from_ref(&hook), now).await else {
                done += 1;
                continue;
            };
            let Some(cause) = self.failed_alone(&hook.id.to_string(), error)? else { continue };
            self.commit(now, bury(&hook, &cause)).await?;
            done += 1;
        }
        Ok(done)
    }

    async fn take_source_hooks(&self, hooks: &[Hook], now: Time) -> Result<(), StoreError> {
        let units = hooks.iter().map(|hook| self.source_hook(hook, now).unwrap_or_else(|why| bury(hook, &why))).collect();
        self.commit_all(now, "source hooks", units).await?;
        self.wake(&[Stage::Ingest]);
        Ok(())
    }

    fn source_hook(&self, hook: &Hook, now: Time) -> Result<Unit, String> {
        let source = self.definitions.sources.get(&hook.name).ok_or_else(|| format!("no source '{}' is configured any more", hook.name))?;
        let webhooks = source.webhooks.as_ref().ok_or_else(|| format!("source '{}' takes no webhooks any more", hook.name))?;
        let event = webhooks.read(&raw(hook), now).map_err(|Unreadable(why)| why)?;
        let Some(mapping) = source.mappings.iter().find(|m| m.topics.contains(&event.kind)) else {
            return Ok(Unit::one(Command::MoveHook(hook.id, HookState::Done, format!("no mapping reads topic '{}'", event.kind))));
        };
        let id = if planted(Fault::EventsNotDeduped) { self.key.event(&event.source, &hook.id.to_string()) } else { self.key.event(&event.source, &event.id) };
        let mapped = mapping.apply(&self.expr, &source.system, &event).map_err(|e| format!("sources/{}.toml, topic '{}': {e}", hook.name, event.kind))?;
        let row = Event { id, mapped, received_at: hook.received_at, hook: Some(hook.id), fate: None };
        Ok(Unit(vec![Command::AcceptEvent(Box::new(row)), Command::MoveHook(hook.id, HookState::Done, id.to_string())]))
    }

    async fn take_receipts(&self, hooks: &[Hook], now: Time) -> Result<(), StoreError> {
        let parsed: Vec<_> = hooks.iter().map(|h| (h, self.items(h))).collect();
        let mut receipts = Vec::new();
        let mut units = Vec::new();
        // One receipt of a message at a time: the next one is decided on what this one makes of it, in the next tick.
        let mut touched = BTreeSet::new();
        for (hook, result) in &parsed {
            match result {
                Err(why) => units.push(bury(hook, why)),
                Ok((_, items)) => {
                    for item in items {
                        match self.attempt_of(hook, item).await? {
                            Ok((attempt, vendor_id)) if touched.insert(attempt.message) => receipts.push(Receipt { hook, item, attempt, vendor_id }),
                            Ok(_) => {}
                            Err(unit) => units.push(unit(now)),
                        }
                    }
                }
            }
        }
        let mut messages: BTreeMap<MessageId, Message> = BTreeMap::new();
        for message in self.store.messages(&receipts.iter().map(|r| r.attempt.message).collect::<Vec<_>>()).await? {
            messages.insert(message.id, message);
        }
        let addresses = self.store.addresses(&messages.values().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
        let first_receipt = units.len();
        for receipt in &receipts {
            let message = messages.get(&receipt.attempt.message);
            let unit = match (message, message.and_then(|m| find(&addresses, m.intent.address))) {
                (Some(message), Some(address)) => self.receipt(receipt, message, address, now),
                _ => bury(receipt.hook, &format!("{} is not a message of ours", receipt.attempt)),
            };
            units.push(unit);
        }
        self.land_receipts(now, units, first_receipt).await?;
        self.wake(&[Stage::Writebacks, Stage::Announcements, Stage::Dispatch]);
        Ok(())
    }

    /// Commits, and counts the copies among the receipts.
    async fn land_receipts(&self, now: Time, units: Vec<Unit>, first_receipt: usize) -> Result<(), StoreError> {
        let mut copies = 0;
        for (index, result) in self.store.commit(now, units).await.into_iter().enumerate() {
            match result {
                Ok(applied) => copies += i64::from(index >= first_receipt && applied.get(1) == Some(&Applied::Already)),
                // Moved meanwhile: the hook is still due and is taken again.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if copies > 0 {
            self.commit(now, Unit::one(Command::Count(vec![("hook.copy".to_owned(), copies)]))).await?;
        }
        Ok(())
    }

    fn items(&self, hook: &Hook) -> Result<(&Account, Vec<Item>), String> {
        let account = self.definitions.accounts.get(&hook.name).ok_or_else(|| format!("no account '{}' is configured any more", hook.name))?;
        if let Some(found) = gap::read(hook) {
            return Ok((account, vec![found?]));
        }
        let items = account.provider.parse(&raw(hook)).map_err(|Unreadable(why)| why)?;
        Ok((account, items))
    }

    /// The attempt a receipt is about, by our own reference or by the vendor's id; or what to do without one.
    async fn attempt_of<'a>(&self, hook: &'a Hook, item: &'a Item) -> Result<Result<(AttemptId, &'a str), impl FnOnce(Time) -> Unit + use<'a>>, StoreError> {
        let ProviderEvent::Status { attempt, vendor_id, .. } = &item.event else {
            return Ok(Err(park_or_bury(hook, None)));
        };
        if let Some(attempt) = attempt {
            return Ok(Ok((*attempt, vendor_id)));
        }
        let bound = self.store.provider_refs(&hook.name, std::slice::from_ref(vendor_id)).await?.pop().flatten();
        Ok(bound.map(|attempt| (attempt, vendor_id.as_str())).ok_or_else(|| park_or_bury(hook, Some(vendor_id))))
    }

    fn receipt(&self, receipt: &Receipt<'_>, message: &Message, address: &trunkline_store::row::Address, now: Time) -> Unit {
        let ProviderEvent::Status { status, evidence, vendor_code, .. } = &receipt.item.event else { return Unit::default() };
        let Some(account) = self.definitions.accounts.get(&receipt.hook.name) else { return Unit::default() };
        if planted(Fault::EarlyReceiptDropped) && message.state.attempts.iter().any(|a| a.n == receipt.attempt.n && a.outcome.is_none()) {
            return Unit::one(Command::MoveHook(receipt.hook.id, HookState::Done, "no call with this id".to_owned()));
        }
        let proved = evidence.or(planted(Fault::UnknownIsFinal).then_some(message::Evidence::Undelivered));
        let key = if planted(Fault::DedupeById) { hash16(&[receipt.vendor_id.as_bytes()]) } else { receipt.item.key };
        let event = message::Event::Receipt { n: receipt.attempt.n, status: status.clone(), evidence: proved, vendor_code: vendor_code.clone(), hook: receipt.hook.id };
        let mut change = match self.change(message, event, Some(key), address, now) {
            Ok(change) => change,
            Err(ignored) => return bury(receipt.hook, &format!("{}: {ignored}", receipt.attempt)),
        };
        if evidence.is_none() {
            let detail = format!("account '{}' sent the status '{status}', which is not in the map; {} keeps its state", receipt.hook.name, receipt.attempt);
            change.owes.push(system_alert("unknown_status", &format!("{}/{status}", receipt.hook.name), detail));
        }
        if !vendor_code.is_empty() && !account.provider.knows_code(vendor_code) {
            let detail = format!("account '{}' sent code {vendor_code}, which is not in the table; newest {}", receipt.hook.name, receipt.attempt);
            change.owes.push(system_alert("unknown_code", &format!("{}/{vendor_code}", receipt.hook.name), detail));
        }
        let bind = ProviderRef { account: receipt.hook.name.clone(), vendor_id: receipt.vendor_id.to_owned(), attempt: receipt.attempt };
        let note = format!("{status} for {}", receipt.attempt);
        Unit(vec![Command::BindRef(bind), Command::PutMessage(Box::new(change)), Command::MoveHook(receipt.hook.id, HookState::Done, note)])
    }
}

/// A receipt without a known attempt waits for one, for a week.
fn park_or_bury<'a>(hook: &'a Hook, vendor_id: Option<&'a String>) -> impl FnOnce(Time) -> Unit + use<'a> {
    let listed = hook.method == LISTED;
    let patience = if listed { FOUND_FOR } else { PARKED_FOR };
    move |now| match vendor_id {
        Some(vendor_id) if now.since(hook.received_at) < patience => {
            Unit::one(Command::Park { account: hook.name.clone(), vendor_id: vendor_id.clone(), hook: hook.id, due: now + PARKED_EVERY })
        }
        Some(vendor_id) if listed => Unit::one(Command::MoveHook(hook.id, HookState::Done, format!("no attempt of ours is known as {vendor_id}: somebody else's text"))),
        Some(vendor_id) => bury(hook, &format!("no attempt of ours is known as {vendor_id}")),
        None => bury(hook, "not a status"),
    }
}

/// A hook that cannot be worked on: kept, shown, and an engineer is told.
fn bury(hook: &Hook, why: &str) -> Unit {
    let alert = system_alert("hook_dead", &hook.name, format!("a hook to '{}' could not be applied: {why}; mend the cause, then replay {}", hook.name, hook.id));
    Unit(vec![Command::Owe(alert), Command::MoveHook(hook.id, HookState::Dead, why.to_owned())])
}
