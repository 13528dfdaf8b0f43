//! What the orders came to: each one followed from the shop to its event, its text, its phone and its record.
//!
//! Its own file because it joins two memories, the store's and the sandbox's, and takes neither's word alone. Ids are
//! named, numbers and words of texts never.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::id::{AttemptId, EventId, MessageId};
use trunkline_core::message::Delivery;
use trunkline_core::time::{Span, Time};
use trunkline_sim::http::SHOP_DOMAIN;
use trunkline_store::row::{Event, Fate, Message, MessageFilter};
use trunkline_store::{Store, StoreError};

use super::ground::Ground;
use super::sandbox::{Placed, Text};

/// How many rows are read at once.
const PAGE: usize = 500;
/// How the shop's events about new orders are called, by the two families of headers.
const KINDS: [&str; 2] = ["orders/create", "Order/create"];

/// What was found: one sentence for each thing that is not as it should be.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) texts: usize,
    pub(super) twice: Vec<String>,
    pub(super) lost: Vec<String>,
    pub(super) wrong: Vec<String>,
    pub(super) unclear: Vec<String>,
    pub(super) failed: Vec<String>,
    pub(super) crm_wrong: Vec<String>,
}

/// Follows every order; `since` is when they began, `from` the place of the first text among the sandbox's.
pub(super) async fn count(ground: &Ground, orders: &[Placed], since: Time, from: usize) -> anyhow::Result<Counted> {
    let store = ground.store.as_ref();
    let events = events(ground, orders).await?;
    let wanted: BTreeSet<EventId> = events.values().map(|event| event.id).collect();
    let messages = messages(store, &wanted, since).await?;
    let mut counted = Counted { texts: messages.len(), ..Counted::default() };
    counted.orders(orders, &events, &messages);
    let texts = ground.sandbox.texts(from).await?;
    let on_phones = counted.phones(store, &texts, &messages).await?;
    for message in &messages {
        counted.message(message, on_phones.contains_key(&message.id));
        if ground.crm {
            let status = ground.sandbox.crm_status(&message.id.to_string()).await?;
            if status.as_deref() != Some(message.state.word()) {
                let said = status.map_or_else(|| "has no record".to_owned(), |status| format!("says '{status}'"));
                counted.crm_wrong.push(format!("the CRM {said} of {}, which is '{}'", message.id, message.state.word()));
            }
        }
    }
    Ok(counted)
}

/// The event of each order, by the id that the shop gave it.
async fn events(ground: &Ground, orders: &[Placed]) -> Result<BTreeMap<String, Event>, StoreError> {
    let source = format!("shopify:{SHOP_DOMAIN}");
    let ids: Vec<EventId> = orders.iter().flat_map(|order| KINDS.map(|kind| ground.key.event(&source, &format!("{}:{kind}", order.event_id)))).collect();
    let mut found = BTreeMap::new();
    for page in ids.chunks(PAGE) {
        for event in ground.store.events(page).await? {
            let id = event.mapped.event.id.split(':').next().unwrap_or_default().to_owned();
            found.insert(id, event);
        }
    }
    Ok(found)
}

/// The texts that follow from these events.
async fn messages(store: &dyn Store, events: &BTreeSet<EventId>, since: Time) -> Result<Vec<Message>, StoreError> {
    // A minute to spare: a text may be named after an instant just before it was made.
    let mut filter = MessageFilter { since: Some(since - Span::mins(1)), ..MessageFilter::default() };
    let mut all = Vec::new();
    loop {
        let page = store.messages_matching(&filter, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        filter.before = Some(last.id);
        all.extend(page.into_iter().filter(|message| message.intent.event.is_some_and(|event| events.contains(&event))));
    }
}

impl Counted {
    fn orders(&mut self, orders: &[Placed], events: &BTreeMap<String, Event>, messages: &[Message]) {
        let told: BTreeSet<EventId> = messages.iter().filter_map(|message| message.intent.event).collect();
        for order in orders {
            let why = match events.get(&order.event_id) {
                None => Some("its event was never taken".to_owned()),
                Some(event) => match &event.fate {
                    None => Some(format!("its event {} came to no end", event.id)),
                    Some(Fate::Dead { cause }) => Some(format!("its event {} is dead: {cause}", event.id)),
                    Some(Fate::NoJourney) => Some(format!("no journey wanted its event {}: publish one that texts about new orders", event.id)),
                    Some(Fate::Runs { .. }) if !told.contains(&event.id) => Some(format!("its event {} has no text", event.id)),
                    Some(Fate::Runs { .. }) => None,
                },
            };
            self.lost.extend(why.map(|why| format!("order {}: {why}", order.name)));
        }
    }

    /// Which of the messages are on phones; finds what came twice, and what nobody knows of.
    async fn phones(&mut self, store: &dyn Store, texts: &[Text], messages: &[Message]) -> Result<BTreeMap<MessageId, u32>, StoreError> {
        let ours: BTreeSet<MessageId> = messages.iter().map(|message| message.id).collect();
        let mut on_phones: BTreeMap<MessageId, u32> = BTreeMap::new();
        let mut same: BTreeMap<(&str, &str), MessageId> = BTreeMap::new();
        let mut others = BTreeSet::new();
        for text in texts.iter().filter(|text| !text.vendor_own) {
            let Some(attempt) = text.attempt.as_deref().and_then(|attempt| attempt.parse::<AttemptId>().ok()) else { continue };
            let id = attempt.message;
            if !ours.contains(&id) {
                others.insert(id);
                continue;
            }
            let times = on_phones.entry(id).or_default();
            *times += 1;
            if *times == 2 {
                self.twice.push(format!("{id} is on its phone twice"));
            }
            // Two messages with the same words for one order are one text too many, though each left once.
            if let Some(other) = same.insert((text.phone.as_str(), text.body.as_str()), id)
                && other != id
            {
                self.twice.push(format!("{id} says the same on the same phone as {other}"));
            }
        }
        let others: Vec<MessageId> = others.into_iter().collect();
        for page in others.chunks(PAGE) {
            let known: BTreeSet<MessageId> = store.messages(page).await?.into_iter().map(|message| message.id).collect();
            self.wrong.extend(page.iter().filter(|id| !known.contains(id)).map(|id| format!("{id} is on a phone, and no message is called so")));
        }
        Ok(on_phones)
    }

    fn message(&mut self, message: &Message, on_phone: bool) {
        let (id, delivery) = (message.id, message.state.delivery());
        let word = delivery.word();
        match delivery {
            Delivery::Queued | Delivery::Held | Delivery::Dispatched | Delivery::Accepted | Delivery::Sent => self.lost.push(format!("{id} came to no end: it is {word}")),
            Delivery::Unknown => self.unclear.push(format!("nobody knows of {id}")),
            Delivery::Failed | Delivery::Expired => self.failed.push(format!("{id} is {word}")),
            Delivery::Undelivered | Delivery::Delivered | Delivery::Suppressed | Delivery::Canceled => {}
        }
        if delivery == Delivery::Delivered && !on_phone {
            self.wrong.push(format!("{id} is {word} and on no phone"));
        }
        if on_phone && matches!(delivery, Delivery::Failed | Delivery::Expired | Delivery::Suppressed | Delivery::Canceled) {
            self.wrong.push(format!("{id} is {word} and on a phone"));
        }
    }
}
