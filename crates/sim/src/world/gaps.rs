//! Hooks that are lost for good, the lists that are read instead, and what must be known all the same.
//!
//! Apart from `act` because a vendor that forgets is one fault with a promise of its own: whatever it forgot to tell is
//! in its lists, and nothing is sent past a STOP among it. What was lost is known from the vendor's own memory.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use trunkline_core::id::{InboundId, InstallationKey};
use trunkline_core::message::{Delivery, Evidence};
use trunkline_core::time::Time;
use trunkline_engine::gap::{ListCall, ListResult};
use trunkline_store::row::{Address, Place};
use trunkline_store::{Store, StoreError};

use super::calls::{answer, word};
use super::{Action, World};
use crate::oracle::{Proved, Violation};
use crate::outgoing::{Choice, OutgoingHook, PersonText};
use crate::watch::Claim;

/// What the vendor forgot to tell.
#[derive(Default)]
pub(super) struct Lost {
    /// Whether it gives up at once on a hook that nobody takes.
    pub(super) forgets: bool,
    /// When the node was started last.
    pub(super) started: Time,
    /// Texts from people.
    texts: Vec<PersonText>,
    known: BTreeSet<String>,
    /// What receipts would have proved.
    receipts: Proved,
}

impl Lost {
    pub(super) fn of(forgets: bool) -> Lost {
        Lost { forgets, ..Lost::default() }
    }
}

impl World {
    /// A vendor that gives up: nobody hears of this hook again.
    pub(super) fn lose(&mut self, hook: &OutgoingHook) {
        self.tell("a hook is lost for good");
        if let Some((attempt, Some(evidence))) = self.vendor.proof(hook) {
            let most = self.lost.receipts.get(&attempt).copied().max(Some(evidence));
            self.lost.receipts.extend(most.map(|most| (attempt, most)));
        } else if let Some(text) = self.vendor.told_of(hook).cloned()
            && self.lost.known.insert(text.vendor_id.clone())
        {
            self.lost.texts.push(text);
        }
    }

    pub(super) fn list(&mut self, call: &ListCall, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let called = self.call_vendor(&call.request);
        self.effects(called.effects);
        let reply = answer(called.answer);
        self.tell(format!("the vendor is asked what {} missed: {}", call.account, word(&reply)));
        let result = ListResult::of(call, reply);
        self.soon(4, Action::Listed { result: Box::new(result), generation });
    }

    pub(super) fn listed(&mut self, result: ListResult, generation: u64) {
        let Some(node) = self.node.clone().filter(|_| generation == self.generation) else { return };
        let now = self.now();
        match node.gap_settle_tick(now, vec![result]).now_or_never() {
            None => self.crash("while it files what a list shows"),
            Some((_, left)) => self.once_more(left, "a page of a list could not be filed", |result| Action::Listed { result: Box::new(result), generation }),
        }
    }

    /// I3: no claim after a restart for somebody who said STOP before it, whoever forgot to tell.
    pub(super) fn after_lost_stop(&self, claim: &Claim, address: Option<&Address>) -> Option<Violation> {
        let Some(Place::Sms(number)) = address.map(|a| &a.place) else { return None };
        if !self.vendor.lists() || claim.message.intent.origin.exempt() {
            return None;
        }
        let hers = |choice: &&Choice| choice.phone == number.e164();
        let is_stop = |text: &&PersonText| text.at <= self.lost.started && self.vendor.opt_outs().iter().filter(hers).any(|choice| choice.at == text.at);
        let stop = self.lost.texts.iter().filter(|text| text.phone == number.e164()).filter(is_stop).map(|text| text.at).max()?;
        let back = self.vendor.opt_ins().iter().filter(hers).any(|choice| choice.at > stop && choice.at <= claim.at);
        (!back).then(|| Violation::new("I3", format!("{} was claimed, and its recipient had said STOP at {stop} while nobody listened", claim.attempt)))
    }

    /// What was lost and is not known in the end.
    pub(super) fn lost_for_good(&self) -> Vec<Violation> {
        match missing(self.store.as_ref(), &self.lost, self.dialect.name(), self.vendor.lists()).now_or_never() {
            Some(Ok(found)) => found,
            Some(Err(error)) => vec![Violation::new("liveness", error.to_string())],
            None => vec![Violation::new("liveness", "the store hung")],
        }
    }
}

async fn missing(store: &dyn Store, lost: &Lost, account: &str, lists: bool) -> Result<Vec<Violation>, StoreError> {
    let mut found: Vec<Violation> =
        store.gaps().await?.into_iter().map(|gap| Violation::new("liveness", format!("the gap of '{}' since {} is open still", gap.account, gap.since))).collect();
    if !lists {
        return Ok(found);
    }
    let (key, _) = store.installation().await?;
    let key = InstallationKey::new(&key);
    for text in &lost.texts {
        let id = InboundId::of(account, &text.vendor_id, key.address("sms", &text.phone));
        if store.inbound(&[id]).await?.is_empty() {
            found.push(Violation::new("I2", format!("'{}' by {} was in the vendor's list, and nobody knows of it", text.body, text.phone)));
        }
    }
    for (attempt, evidence) in &lost.receipts {
        // A list has the last word only, which may be a weaker one.
        let least = Some((*evidence).min(Evidence::Undelivered));
        let messages = store.messages(&[attempt.message]).await?;
        // Where the vendor's id belongs to no attempt that we know of, a person was asked.
        if messages.iter().all(|message| message.state.evidence() < least && message.state.delivery() != Delivery::Unknown) {
            found.push(Violation::new("I6", format!("{attempt} was {evidence:?} in the vendor's list, and nobody knows of it")));
        }
    }
    Ok(found)
}
