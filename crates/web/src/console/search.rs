//! `GET /search`: finds a message by whatever the person on the phone can say.
//!
//! Its own file because people type all sorts of things: a number, an order, an id. A number never stays in the URL:
//! it becomes the id of its address. It searches what is indexed and nothing else, and leads to the page about what it
//! found wherever there is one.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, MessageId, RunId};
use trunkline_core::number::{Number, NumberError};
use trunkline_store::StoreError;
use trunkline_store::row::{Event, Fate, Message, MessageFilter};

use super::Console;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::page_of;
use super::session::SignedIn;
use super::timeline;
use super::view::{self, Fact, MessageRow, capital};

/// How many messages a list shows.
const MOST: usize = 50;
/// How many messages of an address are looked through for those of one event.
const LOOK_THROUGH: usize = 500;
/// The longest text that is searched for.
const LONGEST: usize = 128;

/// What is searched for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    /// Anything asks for the list even where there is one message.
    #[serde(default)]
    all: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    page: Page,
    heading: String,
    sentence: String,
    facts: Vec<Fact>,
    rows: Vec<MessageRow>,
    help: bool,
}

/// What was found.
struct Found {
    heading: String,
    sentence: String,
    facts: Vec<Fact>,
    messages: Vec<Message>,
    /// Whether what was typed may be shown again.
    repeat: bool,
}

impl Found {
    fn nothing(sentence: impl Into<String>) -> Found {
        Found { heading: "Nothing found".to_owned(), sentence: sentence.into(), facts: Vec::new(), messages: Vec::new(), repeat: true }
    }
}

/// A page, or the place to go instead.
enum Answer {
    Page(Found),
    Go(String),
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let typed: String = wanted.q.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let found = match find(&console, &typed).await? {
        Answer::Go(place) => return Ok(Redirect::to(&place).into_response()),
        Answer::Page(found) => found,
    };
    if let [only] = found.messages.as_slice()
        && wanted.all.is_empty()
    {
        return Ok(Redirect::to(&format!("/messages/{}", only.id)).into_response());
    }
    let page = Page { query: if found.repeat { typed } else { String::new() }, ..Page::new("Search", &signed_in) };
    let rows = view::rows(console.engine.store.as_ref(), &found.messages).await?;
    let help = rows.is_empty() && found.facts.is_empty();
    let view = SearchPage { page, heading: found.heading, sentence: found.sentence, facts: found.facts, rows, help };
    Ok(page::html(StatusCode::OK, &view))
}

async fn find(console: &Console, typed: &str) -> Result<Answer, StoreError> {
    if typed.is_empty() {
        return Ok(Answer::Page(Found { heading: "Search".to_owned(), ..Found::nothing("") }));
    }
    let id = typed.to_ascii_lowercase();
    if id.starts_with("evt_") {
        return event(console, &id).await.map(Answer::Page);
    }
    match page_of(&id) {
        Some(page) => by_id(console, &id, page).await,
        None => number_or_label(console, typed).await,
    }
}

/// The page about what an id names, if there is such a thing.
async fn by_id(console: &Console, id: &str, page: String) -> Result<Answer, StoreError> {
    let store = console.engine.store.as_ref();
    let known = if let Ok(id) = id.parse::<AddressId>() {
        !store.addresses(&[id]).await?.is_empty()
    } else if let Ok(id) = id.parse::<RunId>() {
        !store.runs(&[id]).await?.is_empty()
    } else if let Ok(id) = id.parse::<HookId>() {
        store.hook(id).await?.is_some()
    } else if let Ok(id) = id.parse::<MessageId>().or_else(|_| id.parse::<AttemptId>().map(|attempt| attempt.message)) {
        !store.messages(&[id]).await?.is_empty()
    } else {
        false
    };
    Ok(if known { Answer::Go(page) } else { Answer::Page(Found::nothing("There is nothing with this id. It may be one of another installation.")) })
}

async fn event(console: &Console, id: &str) -> Result<Found, StoreError> {
    let id = match id.parse::<EventId>() {
        Ok(id) => id,
        Err(error) => return Ok(Found::nothing(format!("{}.", capital(&error.to_string())))),
    };
    let store = console.engine.store.as_ref();
    let Some(event) = store.events(&[id]).await?.into_iter().next() else {
        return Ok(Found::nothing("There is no event with this id."));
    };
    let mut messages = Vec::new();
    for address in addresses_of(console, &event).await? {
        messages.extend(store.messages_matching(&MessageFilter::of_address(address), LOOK_THROUGH).await?.into_iter().filter(|m| m.intent.event == Some(id)));
    }
    let said = &event.mapped.event;
    let mut facts = vec![Fact::said("Source", &said.source), Fact::said("Type", &said.kind)];
    facts.extend(said.subject.as_ref().map(|subject| Fact::said("Subject", subject)));
    facts.extend([Fact::time("Happened", said.time), Fact::time("Taken", event.received_at), Fact::said("What became of it", &capital(&timeline::fate(event.fate.as_ref())))]);
    if let Some(hook) = event.hook {
        facts.push(Fact::link("Webhook", "as received", format!("/webhooks/{hook}")));
    }
    facts.push(Fact::text("Event id", event.id.to_string()));
    let sentence = if messages.is_empty() { "No message follows from this event." } else { "The messages that follow from this event." };
    Ok(Found { heading: "Source event".to_owned(), sentence: sentence.to_owned(), facts, messages: newest_first(messages), repeat: true })
}

/// Where messages of an event may have gone: the number it gave, and the addresses of the profiles of its runs.
async fn addresses_of(console: &Console, event: &Event) -> Result<BTreeSet<AddressId>, StoreError> {
    let mapped = &event.mapped;
    let region = mapped.region.as_deref().or(console.region());
    let number = mapped.phone.as_deref().and_then(|phone| Number::parse(phone, region).ok());
    let mut addresses: BTreeSet<AddressId> = number.map(|number| console.engine.key.address("sms", number.e164())).into_iter().collect();
    if let Some(Fate::Runs { runs }) = &event.fate {
        let ids: Vec<RunId> = runs.iter().map(|(run, _)| *run).collect();
        let store = console.engine.store.as_ref();
        let profiles: Vec<_> = store.runs(&ids).await?.into_iter().map(|run| run.profile).collect();
        addresses.extend(store.profiles(&profiles).await?.into_iter().map(|profile| profile.address));
    }
    Ok(addresses)
}

async fn number_or_label(console: &Console, typed: &str) -> Result<Answer, StoreError> {
    let store = console.engine.store.as_ref();
    let mut labelled = Vec::new();
    for value in view::spellings(typed) {
        labelled.extend(store.messages_matching(&MessageFilter::labelled(&value), MOST).await?);
    }
    let number = Number::parse(typed, console.region());
    let address = number.as_ref().map(|number| console.engine.key.address("sms", number.e164())).ok();
    if labelled.is_empty() {
        return Ok(match address {
            // Known or not: the page of the address says so, and its URL has no number.
            Some(id) => Answer::Go(format!("/addresses/{id}")),
            None => Answer::Page(Found::nothing(hint(typed, number.err()))),
        });
    }
    let mut sentence = "Messages with this label.";
    if let Some(id) = address {
        let more = store.messages_matching(&MessageFilter::of_address(id), MOST).await?;
        sentence = if more.is_empty() { sentence } else { "Messages with this label, and messages to this number." };
        labelled.extend(more);
    }
    let masked = number.as_ref().map(Number::masked).ok();
    let heading = format!("Messages for {}", masked.as_deref().unwrap_or(typed));
    Ok(Answer::Page(Found { heading, sentence: sentence.to_owned(), facts: Vec::new(), messages: newest_first(labelled), repeat: masked.is_none() }))
}

fn hint(typed: &str, problem: Option<NumberError>) -> String {
    let digits = typed.chars().filter(char::is_ascii_digit).count();
    match problem {
        Some(problem) if digits >= 7 => format!("No message has this label; and as a phone number, it {problem}."),
        _ => "No message has this label. Check the spelling, or search for something else that you know.".to_owned(),
    }
}

fn newest_first(messages: Vec<Message>) -> Vec<Message> {
    let each: BTreeMap<MessageId, Message> = messages.into_iter().map(|message| (message.id, message)).collect();
    let mut messages: Vec<Message> = each.into_values().collect();
    messages.sort_by_key(|message| std::cmp::Reverse(message.intent.created_at));
    messages.truncate(MOST);
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_speak_of_numbers_only_where_one_was_meant() {
        let impossible = || Number::parse("+1415555012", None).err();
        assert!(hint("+1415555012", impossible()).contains("phone number"));
        assert!(!hint("A-17", impossible()).contains("phone number"));
    }
}
