//! Everything that is stored about an address: by its references, and by the number wherever a raw record repeats it.
//!
//! Apart from `erase` because it is a walk over the whole store: copies of receipts, refused orders and events of older
//! times are named by nothing. It reads; slow is as good as fast, and incomplete is not.

use std::collections::BTreeSet;

use trunkline_core::erase::{self, ERASED};
use trunkline_core::id::{AddressId, EventId, HookId, MessageId, ProfileId};
use trunkline_core::message::{Event, Work};
use trunkline_core::number::Number;
use trunkline_core::source::Mapped;
use trunkline_core::time::Time;
use trunkline_store::StoreError;
use trunkline_store::row::{self, Address, HistoryEntry, HookFilter, HookState, Inbound, Message, MessageFilter, Place};

use super::{Remains, may_hear};
use crate::Engine;

/// How many rows are read at once.
const PAGE: usize = 500;
/// More profiles than any number has.
const MOST_PROFILES: usize = 10_000;

/// What there is.
pub(super) struct Found {
    pub(super) address: Address,
    pub(super) number: Option<Number>,
    pub(super) ledger: Vec<trunkline_core::consent::ConsentEntry>,
    pub(super) messages: Vec<(Message, Vec<HistoryEntry>)>,
    pub(super) heard: Vec<Inbound>,
    /// Webhooks that have a body still.
    pub(super) hooks: Vec<HookId>,
    /// Events that say something still, and what is left of them.
    pub(super) events: Vec<(EventId, Mapped)>,
    /// Profiles that say something still.
    pub(super) profiles: Vec<ProfileId>,
    /// What keeps it from being erased now.
    pub(super) busy: Vec<String>,
}

/// Whom an event may be about.
struct About {
    address: AddressId,
    people: BTreeSet<(String, String)>,
    named: BTreeSet<EventId>,
    digits: String,
}

impl Found {
    /// The number without its `+`, or nothing.
    pub(super) fn digits(&self) -> &str {
        self.number.as_ref().map_or("", |n| n.e164().trim_start_matches('+'))
    }

    /// Whether all of it was erased before.
    pub(super) fn nothing_is_left(&self) -> bool {
        let bare = self.messages.iter().all(|(m, _)| m.intent.body == ERASED && !m.state.claimable()) && self.heard.iter().all(|h| h.body == ERASED);
        let nowhere = self.address.place == Place::Erased && self.address.residences.is_empty();
        bare && nowhere && self.hooks.is_empty() && self.events.is_empty() && self.profiles.is_empty()
    }

    pub(super) fn remains(&self, erased_at: Time) -> Remains {
        Remains {
            address: self.address.id,
            erased_at,
            texts: self.messages.len(),
            heard: self.heard.len(),
            entries: self.ledger.len(),
            webhooks: self.hooks.len(),
            events: self.events.len(),
            profiles: self.profiles.len(),
            receipts_may_come: self.messages.iter().filter(|(m, _)| may_hear(m.state.delivery())).count(),
        }
    }

    fn wait(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.busy.push(format!("{count} {what}"));
        }
    }
}

impl Engine {
    /// Looks everywhere.
    pub(super) async fn find(&self, address: Address, number: Option<Number>, progress: &mut (impl FnMut(u64) + Send)) -> Result<Found, StoreError> {
        let id = address.id;
        let ledger = self.store.ledger(id).await?;
        let heard = self.store.inbound_of(id, usize::MAX).await?;
        let people = self.store.profiles_at(id, MOST_PROFILES).await?;
        let mut found = Found { address, number, ledger, messages: Vec::new(), heard, hooks: Vec::new(), events: Vec::new(), profiles: Vec::new(), busy: Vec::new() };
        for profile in &people {
            if !profile.attributes.is_empty() || profile.locale.is_some() || !self.store.conflicts(profile.id).await?.is_empty() {
                found.profiles.push(profile.id);
            }
        }
        let mut hooks: BTreeSet<HookId> = found.heard.iter().map(|h| h.hook).collect();
        self.find_messages(&mut found, &mut hooks).await?;
        let about = About {
            address: id,
            people: people.into_iter().map(|p| (p.system, p.external_id)).collect(),
            named: found.messages.iter().filter_map(|(m, _)| m.intent.event).collect(),
            digits: found.digits().to_owned(),
        };
        let mut looked = 0;
        self.find_events(&about, &mut found, &mut hooks, &mut |rows| {
            looked += rows;
            progress(looked);
        })
        .await?;
        self.find_hooks(&about.digits, &mut found, &hooks, &mut |rows| {
            looked += rows;
            progress(looked);
        })
        .await?;
        Ok(found)
    }

    async fn find_messages(&self, found: &mut Found, hooks: &mut BTreeSet<HookId>) -> Result<(), StoreError> {
        let mut before: Option<MessageId> = None;
        let mut flying = 0;
        loop {
            let filter = MessageFilter { before, ..MessageFilter::of_address(found.address.id) };
            let page = self.store.messages_matching(&filter, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for message in page {
                let history = self.store.history(&message.id.bytes()).await?;
                for entry in &history {
                    if let Ok(Event::Receipt { hook, .. }) = serde_json::from_value(entry.body.clone()) {
                        hooks.insert(hook);
                    }
                }
                flying += usize::from(message.state.work == Work::Dispatched);
                found.messages.push((message, history));
            }
        }
        found.wait(flying, "texts are in the air");
        Ok(())
    }

    async fn find_events(&self, about: &About, found: &mut Found, hooks: &mut BTreeSet<HookId>, progress: &mut (impl FnMut(u64) + Send)) -> Result<(), StoreError> {
        let mut before = None;
        let mut fresh = 0;
        loop {
            let page = self.store.events_before(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            progress(page.len() as u64);
            for event in page.iter().filter(|event| self.is_about(event, about)) {
                hooks.extend(event.hook);
                let left = erase::mapped(&event.mapped);
                if left == event.mapped {
                    continue;
                }
                if event.fate.is_none() {
                    fresh += 1;
                } else {
                    found.events.push((event.id, left));
                }
            }
        }
        found.wait(fresh, "events are not looked at yet");
        Ok(())
    }

    fn is_about(&self, event: &row::Event, about: &About) -> bool {
        let mapped = &event.mapped;
        let named = about.named.contains(&event.id) || about.people.contains(&(mapped.system.clone(), mapped.external_id.clone()));
        let phone = mapped.phone.as_deref();
        named
            || phone.is_some() && self.address_of(phone, mapped.region.as_deref(), "").id == about.address
            || !about.digits.is_empty() && serde_json::to_string(mapped).is_ok_and(|text| text.contains(&about.digits))
    }

    async fn find_hooks(&self, digits: &str, found: &mut Found, named: &BTreeSet<HookId>, progress: &mut (impl FnMut(u64) + Send)) -> Result<(), StoreError> {
        let mut filter = HookFilter::default();
        let mut waiting = 0;
        loop {
            let page = self.store.hooks(&filter, PAGE).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id);
            progress(page.len() as u64);
            for hook in &page {
                let repeats = !digits.is_empty() && (hook.url.contains(digits) || contains(&hook.body, digits.as_bytes()));
                let empty = hook.body.is_empty() && hook.headers.is_empty();
                if !(repeats || named.contains(&hook.id)) || (empty && !hook.url.contains('?')) {
                    continue;
                }
                match hook.state {
                    HookState::Waiting { .. } => waiting += 1,
                    HookState::Done | HookState::Dead => found.hooks.push(hook.id),
                }
            }
        }
        found.wait(waiting, "webhooks are not worked on yet");
        Ok(())
    }
}

/// Whether bytes contain others.
fn contains(all: &[u8], some: &[u8]) -> bool {
    all.windows(some.len().max(1)).any(|w| w == some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found() {
        for (all, expect) in [("To=%2B14155550123&x", true), ("14155550123", true), ("1415555012", false), ("", false)] {
            assert_eq!(contains(all.as_bytes(), b"14155550123"), expect, "{all}");
        }
    }
}
