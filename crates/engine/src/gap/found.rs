//! What a page of a vendor's list shows, as hooks: which of it is news, how it is filed, and how the inbox reads it.
//!
//! Its own file because it is the border between lists and lanes. The page itself is kept as evidence; each item gets a
//! hook of its own, so that each has its own progress.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trunkline_connectors::sms::ask::Listing;
use trunkline_connectors::sms::{Item, ProviderEvent};
use trunkline_core::id::{AttemptId, HookId, InboundId, MessageId, hash16};
use trunkline_core::keyword::Keyword;
use trunkline_core::message::{Attempt, Evidence};
use trunkline_core::time::Time;
use trunkline_store::row::{Gap, Hook, HookLane, HookState, Message};
use trunkline_store::{Command, StoreError, Unit};

use super::ListResult;
use crate::Engine;

/// The method of a hook that nobody posted: it was found in a list. No request has it, since only GET and POST are let
/// in.
pub const LISTED: &str = "LISTED";

/// Items filed in one commit.
const AT_ONCE: usize = 100;

/// The body of such a hook.
#[derive(Serialize, Deserialize)]
struct Found {
    /// The hook that has the whole page.
    page: HookId,
    /// What it says.
    item: Item,
}

/// What a hook says that was found in a list; nothing if it was posted.
pub(crate) fn read(hook: &Hook) -> Option<Result<Item, String>> {
    let item = || serde_json::from_slice::<Found>(&hook.body).map(|found| found.item).map_err(|e| format!("found in a list, and not readable any more: {e}"));
    (hook.method == LISTED).then(item)
}

impl Engine {
    /// The items that are not known yet, as far as that is easily seen; the inbox decides.
    pub(super) async fn news_in(&self, gap: &Gap, items: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let known = self.known_texts(gap, &items).await?;
        let bound = self.bound(gap, &items).await?;
        let owner = |attempt: Option<AttemptId>, vendor_id: &str| attempt.or_else(|| bound.get(vendor_id).copied());
        let mut owners = Vec::new();
        for item in &items {
            if let ProviderEvent::Status { attempt, vendor_id, .. } = &item.event {
                owners.extend(owner(*attempt, vendor_id).map(|owner| owner.message));
            }
        }
        let messages: BTreeMap<MessageId, Message> = self.store.messages(&owners).await?.into_iter().map(|m| (m.id, m)).collect();
        let tried = |id: AttemptId| messages.get(&id.message).and_then(|m| m.state.attempts.iter().find(|a| a.n == id.n));
        let mut news = Vec::new();
        for item in items {
            let is_news = match &item.event {
                ProviderEvent::Inbound { .. } => self.text_of(gap, &item).is_some_and(|id| !known.contains(&id)) && self.is_for_us(gap, &item.event).await?,
                ProviderEvent::Status { attempt, vendor_id, evidence, .. } => match owner(*attempt, vendor_id) {
                    Some(owner) => tried(owner).is_some_and(|attempt| adds(attempt, *evidence)),
                    // Of a text whose fate is not known yet, or nobody's that we know.
                    None => item.at.is_none_or(|at| at >= gap.since),
                },
            };
            if is_news {
                news.push(item);
            }
        }
        Ok(news)
    }

    /// Others may share the account, and what they are told is none of ours; but a STOP is a STOP, as the inbox hears it.
    async fn is_for_us(&self, gap: &Gap, event: &ProviderEvent) -> Result<bool, StoreError> {
        let ProviderEvent::Inbound { from, to, body, keyword, .. } = event else { return Ok(false) };
        if self.definitions.sender(&gap.account, to).is_some() {
            return Ok(true);
        }
        let address = self.address_of(Some(from), None, "");
        Ok(self.understand(&address, body, *keyword).await?.keyword == Some(Keyword::Stop))
    }

    /// The id that an item has as a text from a person.
    fn text_of(&self, gap: &Gap, item: &Item) -> Option<InboundId> {
        match &item.event {
            ProviderEvent::Inbound { vendor_id, from, .. } => Some(InboundId::of(&gap.account, vendor_id, self.address_of(Some(from), None, "").id)),
            ProviderEvent::Status { .. } => None,
        }
    }

    async fn known_texts(&self, gap: &Gap, items: &[Item]) -> Result<BTreeSet<InboundId>, StoreError> {
        let ids: Vec<InboundId> = items.iter().filter_map(|item| self.text_of(gap, item)).collect();
        Ok(self.store.inbound(&ids).await?.into_iter().map(|inbound| inbound.id).collect())
    }

    /// The attempts that the vendor's ids are known to belong to.
    async fn bound(&self, gap: &Gap, items: &[Item]) -> Result<BTreeMap<String, AttemptId>, StoreError> {
        let named = |item: &Item| match &item.event {
            ProviderEvent::Status { vendor_id, .. } => Some(vendor_id.clone()),
            ProviderEvent::Inbound { .. } => None,
        };
        let ids: Vec<String> = items.iter().filter_map(named).collect();
        let owners = self.store.provider_refs(&gap.account, &ids).await?;
        Ok(ids.into_iter().zip(owners).filter_map(|(id, owner)| owner.map(|owner| (id, owner))).collect())
    }
}

/// The commits that file these items, with the page that showed them. Ids follow from what is filed, so that a page
/// that is read again files nothing.
pub(super) fn filed(gap: &Gap, list: Listing, items: Vec<Item>, result: &ListResult, now: Time) -> Vec<Unit> {
    if items.is_empty() {
        return Vec::new();
    }
    let whole = result.reply.as_ref().map(|response| response.body.to_vec()).unwrap_or_default();
    let key = hash16(&[gap.account.as_bytes(), &whole]);
    let page = HookId::new(first(key), gap.opened_at, key);
    let lane = match list {
        Listing::Inbound => HookLane::Inbound,
        Listing::Status => HookLane::Receipt,
    };
    let hook = |id: HookId, body: Vec<u8>, state: HookState, note: String| Hook {
        id,
        name: gap.account.clone(),
        lane,
        method: LISTED.to_owned(),
        url: result.url.clone(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
        received_at: now,
        state,
        tries: 0,
        note,
    };
    let what = match list {
        Listing::Inbound => "what people sent",
        Listing::Status => "the states of texts",
    };
    let evidence = hook(page, whole, HookState::Done, format!("a page of the list of {what} since {}: {} not known before", gap.since, items.len()));
    let mut commands = vec![Command::PutHook(Box::new(evidence))];
    for item in items {
        // The older first, as people sent them.
        let due = item.at.map_or(now, |at| at.min(now));
        let id = HookId::new(first(item.key), gap.opened_at, item.key);
        // A struct of texts can always be written as JSON.
        let body = serde_json::to_vec(&Found { page, item }).unwrap_or_default();
        commands.push(Command::PutHook(Box::new(hook(id, body, HookState::Waiting { due }, format!("found in a list, {page}")))));
    }
    commands.chunks(AT_ONCE).map(|chunk| Unit(chunk.to_vec())).collect()
}

/// Whether this says more of an attempt than is known. A word that nobody knows may be news.
fn adds(attempt: &Attempt, evidence: Option<Evidence>) -> bool {
    let known = attempt.evidence.as_ref().map(|(known, _)| *known);
    evidence.is_none() || known < evidence
}

fn first(key: [u8; 16]) -> u8 {
    key.first().copied().unwrap_or(0)
}
