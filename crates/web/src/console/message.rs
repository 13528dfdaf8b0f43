//! `GET /messages/{id}`: one message, what became of it and why; taking it back while it waits, deciding while it is
//! unclear.
//!
//! Its own file because it joins everything that the store knows of one text. The sentences of its timeline are made
//! in `timeline`; this file loads, and says the answer in one sentence at the top. Whether a cancel came in time is the
//! engine's word, and what a ruling comes to is `unclear`'s.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_core::id::{HookId, InboundId, MessageId};
use trunkline_core::message::{self, Delivery, Event, Ruling};
use trunkline_core::owe::Subject;
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::segment::smart::{self, By};
use trunkline_core::segment::{Encoding, Size};
use trunkline_core::time::Time;
use trunkline_engine::cancel::Canceled;
use trunkline_store::row::{Address, HistoryEntry, Inbound, Message, Origin};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::clock::Clocks;
use super::hook::HookView;
use super::mask;
use super::page::{self, Banner, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::{self, SignedIn};
use super::timeline::{self, Entry, Line};
use super::unclear::{self, RulingForm};
use super::view::{self, Fact, Pill};

/// The most raw hooks that one page shows.
const MOST_HOOKS: usize = 40;

/// What became of a cancel or a ruling, as the URL says it after one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    cancel: String,
    ruled: String,
    again: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    page: Page,
    banner: Option<Banner>,
    number: String,
    /// The page of the number.
    address: String,
    pills: Vec<Pill>,
    tone: &'static str,
    answer: Said,
    why: Vec<Line>,
    /// Where the form that takes it back goes, while it can be taken back.
    cancel: Option<String>,
    /// For deciding about it, while it is unclear.
    ruling: Option<RulingForm>,
    body: String,
    code: bool,
    facts: Vec<Fact>,
    labels: Vec<(String, String)>,
    entries: Vec<Entry>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no message with this id. It may have been mistyped, or be one of another installation.");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let store = console.engine.store.as_ref();
    let message = store.messages(&[id]).await?.into_iter().next().ok_or_else(missing)?;
    let address = store.addresses(&[message.intent.address]).await?.into_iter().next();
    let clocks = Clocks::of(address.as_ref());
    let number = address.as_ref().map_or_else(|| "an unknown number".to_owned(), |a| a.place.masked());
    let entries = entries(store, &message, &clocks).await?;
    let code = message.intent.purpose == Purpose::Otp;
    let view = MessagePage {
        page: Page::new(format!("Text to {number}"), &signed_in).at("messages"),
        banner: banner(&asked.cancel).or_else(|| unclear::banner(&asked.ruled, None, asked.again.parse().ok())),
        address: format!("/addresses/{}", message.intent.address),
        pills: view::pills(&message.state),
        tone: view::tone(message.state.delivery()),
        answer: Said::new(&answer(&message.state, &clocks)),
        why: message.state.reasons.iter().map(timeline::standing).collect(),
        cancel: message.state.claimable().then(|| format!("/messages/{id}/cancel")),
        ruling: (message.state.delivery() == Delivery::Unknown).then(|| RulingForm::on_message(id, &number)),
        body: shown_body(&message),
        code,
        facts: facts(&message, address.as_ref(), &clocks),
        labels: message.intent.labels.iter().map(|(name, value)| (name.clone(), mask::label(value))).collect(),
        entries,
        number,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// Takes a text back, if it has not left.
pub(super) async fn cancel(State(console): State<Console>, signed_in: SignedIn, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let missing = || Problem::not_found(&signed_in, "There is no message with this id, so nothing was canceled.");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let word = match console.engine.cancel_text(&signed_in.by(), id).await? {
        Canceled::Done(_) => "done",
        Canceled::TooLate(_) => "late",
        Canceled::Unknown => return Err(missing()),
    };
    Ok(Redirect::to(&format!("/messages/{id}?cancel={word}")).into_response())
}

fn banner(cancel: &str) -> Option<Banner> {
    match cancel {
        "done" => Some(Banner { tone: "good", said: Said::plain("It is canceled, and will not be sent.") }),
        "late" => Some(Banner { tone: "wait", said: Said::plain("It was too late to cancel it: it has left, or came to an end before.") }),
        _ => None,
    }
}

/// What it says, numbers and codes hidden.
pub(super) fn shown_body(message: &Message) -> String {
    let body = &message.intent.body;
    if message.intent.purpose == Purpose::Otp { mask::digits(body) } else { mask::numbers(body) }
}

/// The state in one sentence, with what happens next.
fn answer(state: &message::State, clocks: &Clocks) -> String {
    let delivery = state.delivery();
    let meaning = view::meaning(delivery);
    if let (None, Some(Reason::Ruled { ruling, again, .. })) = (state.evidence(), state.reasons.first()) {
        return match (Ruling::from_word(ruling), again) {
            (Some(Ruling::Arrived), _) => "It counts as arrived, on somebody's word; no receipt says so.".to_owned(),
            (_, Some(again)) => format!("Nobody found out whether the vendor took it; it was sent again as {again}."),
            _ => "Nobody found out whether the vendor took it, and it was let go.".to_owned(),
        };
    }
    match (delivery, state.due) {
        (Delivery::Queued, Some(due)) => format!("{meaning}, not before {}.", with_clock(due, clocks)),
        (Delivery::Held, Some(due)) => format!("{meaning}, and the gate is asked again at {}.", with_clock(due, clocks)),
        (Delivery::Accepted | Delivery::Sent, _) => format!("{meaning}; no receipt says yet whether it arrived."),
        (Delivery::Unknown, Some(due)) => format!("{meaning}. It is looked into again at {due}; until then it is not sent again."),
        (Delivery::Unknown, None) => format!("{meaning}, and nobody is asked any more. It is not sent again: somebody must look, and decide."),
        (Delivery::Undelivered, _) => match state.vendor_code() {
            Some(code) => format!("{meaning}: the vendor says code {code}."),
            None => format!("{meaning}; the vendor gives no code."),
        },
        (Delivery::Suppressed | Delivery::Canceled, _) => format!("{meaning}, so it was not sent."),
        (Delivery::Queued | Delivery::Held | Delivery::Dispatched | Delivery::Delivered | Delivery::Expired | Delivery::Failed, _) => format!("{meaning}."),
    }
}

/// An instant, and what the clock says then where the recipient is.
fn with_clock(at: Time, clocks: &Clocks) -> String {
    let there = clocks.at(at);
    if there.is_empty() { at.to_string() } else { format!("{at} ({there} where the recipient is)") }
}

fn facts(message: &Message, address: Option<&Address>, clocks: &Clocks) -> Vec<Fact> {
    let intent = &message.intent;
    let number = address.map_or_else(|| "unknown".to_owned(), |a| a.place.masked());
    let mut facts = vec![Fact::link("Number", number, format!("/addresses/{}", intent.address))];
    if let Some(run) = intent.origin.run() {
        facts.push(Fact::link("Run", origin(&intent.origin), format!("/runs/{run}")));
    } else {
        facts.push(Fact::said("Origin", &origin(&intent.origin)));
    }
    if let Some(event) = intent.event {
        facts.push(Fact::link("Event", "all texts from it", format!("/search?q={event}&all=1")));
    }
    facts.push(Fact::there("Made", intent.created_at, clocks));
    let (account, sender) = message.way();
    let unclear = message.state.delivery() == Delivery::Unknown;
    facts.extend(message.state.due.map(|due| if unclear { Fact::time("Asked next", due) } else { Fact::there("Due", due, clocks) }));
    facts.extend([
        Fact::there("Deadline", intent.deadline, clocks),
        Fact::text("Attempts", message.state.attempts.len().to_string()),
        Fact::text("Purpose", intent.purpose.word()),
        Fact::text("Program", intent.program.clone()),
        Fact::said("Sender", &format!("{sender} through {account}")),
        Fact::text("Size", size(intent.size)),
    ]);
    facts.extend(intent.written.as_ref().map(|written| Fact::text("Smart encoding", replaced(written))));
    if let Some((template, locale)) = &intent.template {
        facts.push(Fact::text("Template", format!("{template}, {locale}")));
    }
    if let Some(address) = address {
        facts.push(Fact::text("Time zones", if address.zones.is_empty() { "not known; UTC is used".to_owned() } else { address.zones.join(", ") }));
        facts.push(Fact::said("Opted out", &address.consent.stopped.as_ref().map_or_else(|| "no".to_owned(), |since| format!("since {}", since.at))));
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

/// What smart encoding changed in a text, each replacement once.
fn replaced(written: &str) -> String {
    let (_, changes) = smart::replace(written, By::Us);
    let mut each: Vec<String> = Vec::new();
    for change in &changes {
        let to = if change.to.trim().is_empty() { "a space or nothing" } else { change.to };
        let told = format!("{} by {to}", change.from);
        if !each.contains(&told) {
            each.push(told);
        }
    }
    format!("{} replaced to save segments: {}", view::count(changes.len(), "character", "characters"), each.join(", "))
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
async fn entries(store: &dyn Store, message: &Message, clocks: &Clocks) -> Result<Vec<Entry>, StoreError> {
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
    entries.extend(history.iter().map(|entry| timeline::happened(entry, &inbound, clocks)));
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
pub(super) async fn load_hooks(store: &dyn Store, entries: &mut [Entry], code: bool) -> Result<(), StoreError> {
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

    #[test]
    fn the_answer_is_one_sentence() {
        let at: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        let state = |work, due| message::State { work, due, reasons: Vec::new(), attempts: Vec::new(), flags: Flags::default(), duplicate: Duplicate::No, way: None };
        for (work, due, expect) in [
            (Work::Held, Some(at), "It is held, and the gate is asked again at 2026-11-23T14:05:09Z."),
            (Work::Unknown, None, "Nobody knows whether the vendor took it, and nobody is asked any more. It is not sent again: somebody must look, and decide."),
            (Work::Unknown, Some(at), "Nobody knows whether the vendor took it. It is looked into again at 2026-11-23T14:05:09Z; until then it is not sent again."),
            (Work::Suppressed, None, "The recipient must not get it, so it was not sent."),
            (Work::Failed, None, "It cannot be sent."),
            (Work::Taken, None, "The vendor has it; no receipt says yet whether it arrived."),
        ] {
            assert_eq!(answer(&state(work, due), &Clocks::default()), expect);
        }
        let again = MessageId::new(1, at, [0; 16]);
        for (work, ruling, again, expect) in [
            (Work::Taken, Ruling::Arrived, None, "It counts as arrived, on somebody's word; no receipt says so.".to_owned()),
            (Work::Failed, Ruling::SendAgain, Some(again), format!("Nobody found out whether the vendor took it; it was sent again as {again}.")),
            (Work::Failed, Ruling::LetGo, None, "Nobody found out whether the vendor took it, and it was let go.".to_owned()),
        ] {
            let reason = Reason::Ruled { ruling: ruling.word().to_owned(), by: "operator ada".to_owned(), evidence: "seen".to_owned(), again };
            let ruled = message::State { reasons: vec![reason], ..state(work, None) };
            assert_eq!(answer(&ruled, &Clocks::default()), expect);
        }
    }

    #[test]
    fn a_cancel_says_what_became_of_it() {
        assert_eq!(banner("done").map(|banner| banner.tone), Some("good"));
        assert_eq!(banner("late").map(|banner| banner.tone), Some("wait"));
        assert!(banner("<b>anything</b>").is_none());
    }

    #[test]
    fn sizes_and_origins_read_well() {
        assert_eq!(size(Size { encoding: Encoding::Gsm7, segments: 1, units: 42 }), "1 segment (GSM-7, 42 septets)");
        assert_eq!(size(Size { encoding: Encoding::Ucs2, segments: 2, units: 90 }), "2 segments (UCS-2, 90 units)");
        assert_eq!(origin(&Origin::Api { client: "shop".into() }), "API, key shop");
    }
}
