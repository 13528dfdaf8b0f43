//! `GET /messages/{id}`: one message, what became of it and why.
//!
//! Its own file because it joins everything that the store knows of one text. The sentences of its timeline are made
//! in `timeline`; this file loads, and says the answer in one sentence at the top.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::id::{HookId, InboundId, MessageId};
use trunkline_core::message::{self, Delivery, Event};
use trunkline_core::owe::Subject;
use trunkline_core::purpose::Purpose;
use trunkline_core::segment::{Encoding, Size};
use trunkline_store::row::{Address, HistoryEntry, Inbound, Message, Origin};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::hook::HookView;
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::session::SignedIn;
use super::timeline::{self, Entry, Line};
use super::view::{self, Fact, Pill, say, short};

/// The most raw hooks that one page shows.
const MOST_HOOKS: usize = 40;

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    page: Page,
    number: String,
    pills: Vec<Pill>,
    tone: &'static str,
    answer: String,
    why: Vec<Line>,
    body: String,
    code: bool,
    facts: Vec<Fact>,
    labels: Vec<(String, String)>,
    entries: Vec<Entry>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no message with this id. It may have been mistyped, or be one of another installation.");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let store = console.store.as_ref();
    let message = store.messages(&[id]).await?.into_iter().next().ok_or_else(missing)?;
    let address = store.addresses(&[message.intent.address]).await?.into_iter().next();
    let number = address.as_ref().map_or_else(|| "an unknown number".to_owned(), |a| a.place.masked());
    let entries = entries(store, &message).await?;
    let code = message.intent.purpose == Purpose::Otp;
    let delivery = message.state.delivery();
    let view = MessagePage {
        page: Page::new(format!("Text to {number}"), &signed_in).at("messages"),
        pills: view::pills(&message.state),
        tone: view::tone(delivery),
        answer: answer(&message.state),
        why: message.state.reasons.iter().map(timeline::standing).collect(),
        body: if code { mask::digits(&message.intent.body) } else { mask::numbers(&message.intent.body) },
        code,
        facts: facts(&message, address.as_ref()),
        labels: message.intent.labels.iter().map(|(name, value)| (name.clone(), mask::label(value))).collect(),
        entries,
        number,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The state in one sentence, with what happens next.
fn answer(state: &message::State) -> String {
    let delivery = state.delivery();
    let meaning = view::meaning(delivery);
    match (delivery, state.due) {
        (Delivery::Queued, Some(due)) => format!("{meaning}, not before {}.", short(due)),
        (Delivery::Held, Some(due)) => format!("{meaning}, and the gate is asked again at {}.", short(due)),
        (Delivery::Accepted | Delivery::Sent, _) => format!("{meaning}; no receipt says yet whether it arrived."),
        (Delivery::Unknown, _) => format!("{meaning}. It is not sent again; evidence settles it, if any comes."),
        (Delivery::Undelivered, _) => match state.vendor_code() {
            Some(code) => format!("{meaning}: the vendor says code {}.", say(code)),
            None => format!("{meaning}; the vendor gives no code."),
        },
        (Delivery::Suppressed | Delivery::Canceled, _) => format!("{meaning}, so it was not sent."),
        (Delivery::Queued | Delivery::Held | Delivery::Dispatched | Delivery::Delivered | Delivery::Expired | Delivery::Failed, _) => format!("{meaning}."),
    }
}

fn facts(message: &Message, address: Option<&Address>) -> Vec<Fact> {
    let intent = &message.intent;
    let mut facts = vec![
        Fact::text("Purpose", intent.purpose.word()),
        Fact::text("Program", intent.program.clone()),
        Fact::text("Sender", format!("{} through {}", say(&intent.sender), intent.account)),
        Fact::text("Size", size(intent.size)),
        Fact::time("Made", intent.created_at),
        Fact::time("Deadline", intent.deadline),
        Fact::text("Attempts", message.state.attempts.len().to_string()),
        Fact::text("Origin", origin(&intent.origin)),
    ];
    if let Some((template, locale)) = &intent.template {
        facts.push(Fact::text("Template", format!("{template}, {locale}")));
    }
    if let Some(address) = address {
        facts.push(Fact::text("Time zones", if address.zones.is_empty() { "not known; UTC is used".to_owned() } else { address.zones.join(", ") }));
        facts.push(Fact::text("Opted out", address.consent.stopped.as_ref().map_or_else(|| "no".to_owned(), |since| format!("since {}", short(since.at)))));
    }
    facts.push(Fact::link("Number", "all texts to it", format!("/search?q={}&all=1", intent.address)));
    if let Some(event) = intent.event {
        facts.push(Fact::link("Event", "all texts from it", format!("/search?q={event}&all=1")));
    }
    facts.push(Fact::text("Message id", message.id.to_string()));
    facts
}

fn size(size: Size) -> String {
    let (encoding, unit) = match size.encoding {
        Encoding::Gsm7 => ("GSM-7", "septets"),
        Encoding::Ucs2 => ("UCS-2", "units"),
    };
    let segments = if size.segments == 1 { "segment" } else { "segments" };
    format!("{} {segments} ({encoding}, {} {unit})", size.segments, size.units)
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Journey { journey, version, step, visit, .. } => format!("journey {journey} version {version}, step {step}, visit {visit}"),
        Origin::Api { client } => format!("API, key {client}"),
        Origin::Confirmation { .. } => "confirmation of an opt-out or of its end".to_owned(),
        Origin::Help { .. } => "answer to HELP".to_owned(),
    }
}

/// Everything that the store knows of the message, as one timeline.
async fn entries(store: &dyn Store, message: &Message) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let events: Vec<_> = message.intent.event.into_iter().collect();
    entries.extend(store.events(&events).await?.iter().map(timeline::taken));
    let runs: Vec<_> = message.intent.origin.run().into_iter().collect();
    for run in store.runs(&runs).await? {
        entries.extend(store.history(&run.id.bytes()).await?.iter().map(|entry| timeline::moved(&run, entry)));
    }
    let history = store.history(&message.id.bytes()).await?;
    let replies: Vec<InboundId> = history.iter().filter_map(reply).collect();
    let inbound: BTreeMap<InboundId, Inbound> = store.inbound(&replies).await?.into_iter().map(|text| (text.id, text)).collect();
    entries.extend(history.iter().map(|entry| timeline::happened(entry, &inbound)));
    let writebacks = store.writebacks_of(Subject::Message(message.id)).await?;
    entries.extend(writebacks.iter().enumerate().filter_map(|(at, writeback)| timeline::owed(at, writeback)));
    let mut entries = timeline::sorted(entries);
    load_hooks(store, &mut entries, message.intent.purpose == Purpose::Otp).await?;
    Ok(entries)
}

fn reply(entry: &HistoryEntry) -> Option<InboundId> {
    match serde_json::from_value(entry.body.clone()) {
        Ok(Event::Replied { inbound, .. }) => Some(inbound),
        _ => None,
    }
}

/// Puts the raw hooks beside the entries they caused, each hook once.
async fn load_hooks(store: &dyn Store, entries: &mut [Entry], code: bool) -> Result<(), StoreError> {
    let mut seen: BTreeSet<HookId> = BTreeSet::new();
    for entry in entries {
        let Some(id) = entry.hook.filter(|_| seen.len() < MOST_HOOKS) else { continue };
        if seen.insert(id) {
            entry.raw = store.hook(id).await?.map(|hook| HookView::new(&hook, code));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::message::{Duplicate, Flags, Work};
    use trunkline_core::time::Time;

    #[test]
    fn the_answer_is_one_sentence() {
        let at: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        let state = |work, due| message::State { work, due, reasons: Vec::new(), attempts: Vec::new(), flags: Flags::default(), duplicate: Duplicate::No };
        for (work, due, expect) in [
            (Work::Held, Some(at), "It is held, and the gate is asked again at 23 Nov 14:05:09."),
            (Work::Unknown, None, "Nobody knows whether the vendor took it. It is not sent again; evidence settles it, if any comes."),
            (Work::Suppressed, None, "The recipient must not get it, so it was not sent."),
            (Work::Failed, None, "It cannot be sent."),
            (Work::Taken, None, "The vendor has it; no receipt says yet whether it arrived."),
        ] {
            assert_eq!(answer(&state(work, due)), expect);
        }
    }

    #[test]
    fn sizes_and_origins_read_well() {
        assert_eq!(size(Size { encoding: Encoding::Gsm7, segments: 1, units: 42 }), "1 segment (GSM-7, 42 septets)");
        assert_eq!(size(Size { encoding: Encoding::Ucs2, segments: 2, units: 90 }), "2 segments (UCS-2, 90 units)");
        assert_eq!(origin(&Origin::Api { client: "shop".into() }), "API, key shop");
    }
}
