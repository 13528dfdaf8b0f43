//! `GET /search`: finds a message by whatever the person on the phone can say.
//!
//! Its own file because people type all sorts of things: a number, an order, an id. A number never stays in the URL:
//! it becomes the id of its address. It searches what is indexed and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_core::id::{AddressId, AttemptId, EventId, MessageId, RunId};
use trunkline_core::number::{Number, NumberError};
use trunkline_core::purpose::Purpose;
use trunkline_store::row::{Address, Event, Fate, Message};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::page::{self, Page};
use super::problem::Problem;
use super::session::SignedIn;
use super::timeline;
use super::view::{self, Fact, MessageRow, capital, say, short};

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
    let rows = view::rows(console.store.as_ref(), &found.messages).await?;
    let help = rows.is_empty() && found.facts.is_empty();
    let view = SearchPage { page, heading: found.heading, sentence: found.sentence, facts: found.facts, rows, help };
    Ok(page::html(StatusCode::OK, &view))
}

async fn find(console: &Console, typed: &str) -> Result<Answer, StoreError> {
    let store = console.store.as_ref();
    if typed.is_empty() {
        return Ok(Answer::Page(Found { heading: "Search".to_owned(), ..Found::nothing("") }));
    }
    let id = typed.to_ascii_lowercase();
    if id.starts_with("msg_") {
        return message(store, &id).await;
    }
    if id.starts_with("evt_") {
        return event(console, &id).await.map(Answer::Page);
    }
    if id.starts_with("adr_") {
        return address(store, &id).await.map(Answer::Page);
    }
    number_or_label(console, typed).await
}

async fn message(store: &dyn Store, id: &str) -> Result<Answer, StoreError> {
    // An attempt's id is its message's id and a count.
    let parsed = id.parse::<MessageId>().or_else(|error| id.parse::<AttemptId>().map(|attempt| attempt.message).map_err(|_| error));
    let id = match parsed {
        Ok(id) => id,
        Err(error) => return Ok(Answer::Page(Found::nothing(format!("{}.", capital(&error.to_string()))))),
    };
    let known = !store.messages(&[id]).await?.is_empty();
    Ok(if known { Answer::Go(format!("/messages/{id}")) } else { Answer::Page(Found::nothing("There is no message with this id.")) })
}

async fn address(store: &dyn Store, id: &str) -> Result<Found, StoreError> {
    let id = match id.parse::<AddressId>() {
        Ok(id) => id,
        Err(error) => return Ok(Found::nothing(format!("{}.", capital(&error.to_string())))),
    };
    let Some(address) = store.addresses(&[id]).await?.into_iter().next() else {
        return Ok(Found::nothing("There is no address with this id."));
    };
    let messages = store.messages_of(id, MOST).await?;
    let sentence = if messages.is_empty() { "No message to this number yet." } else { "The newest messages to this number." };
    Ok(Found { heading: address.place.masked(), sentence: sentence.to_owned(), facts: about_address(&address), messages, repeat: true })
}

fn about_address(address: &Address) -> Vec<Fact> {
    let consent = &address.consent;
    let stopped = consent.stopped.as_ref().map_or_else(|| "no".to_owned(), |since| format!("since {} ({})", short(since.at), say(&since.evidence)));
    let mut facts =
        vec![Fact::text("Opted out", stopped), Fact::text("Time zones", if address.zones.is_empty() { "not known; UTC is used".to_owned() } else { address.zones.join(", ") })];
    for block in &consent.blocks {
        facts.push(Fact::text("Blocked by the vendor", format!("for {} of account {} since {}", say(&block.sender), block.account, short(block.since.at))));
    }
    for (name, scopes) in [("Consent granted", &consent.grants), ("Consent revoked", &consent.revoked)] {
        for scope in scopes {
            let program = scope.program.as_deref().unwrap_or("all programs");
            let purpose = scope.purpose.map_or("all purposes", Purpose::word);
            facts.push(Fact::text(name, format!("{program}, {purpose}, since {}", short(scope.since.at))));
        }
    }
    facts.push(Fact::text("Address id", address.id.to_string()));
    facts
}

async fn event(console: &Console, id: &str) -> Result<Found, StoreError> {
    let id = match id.parse::<EventId>() {
        Ok(id) => id,
        Err(error) => return Ok(Found::nothing(format!("{}.", capital(&error.to_string())))),
    };
    let store = console.store.as_ref();
    let Some(event) = store.events(&[id]).await?.into_iter().next() else {
        return Ok(Found::nothing("There is no event with this id."));
    };
    let mut messages = Vec::new();
    for address in addresses_of(console, &event).await? {
        messages.extend(store.messages_of(address, LOOK_THROUGH).await?.into_iter().filter(|m| m.intent.event == Some(id)));
    }
    let said = &event.mapped.event;
    let mut facts = vec![Fact::text("Source", say(&said.source)), Fact::text("Type", say(&said.kind))];
    facts.extend(said.subject.as_ref().map(|subject| Fact::text("Subject", say(subject))));
    facts.extend([
        Fact::time("Happened", said.time),
        Fact::time("Taken", event.received_at),
        Fact::text("What became of it", capital(&timeline::fate(event.fate.as_ref()))),
        Fact::text("Event id", event.id.to_string()),
    ]);
    let sentence = if messages.is_empty() { "No message follows from this event." } else { "The messages that follow from this event." };
    Ok(Found { heading: "Source event".to_owned(), sentence: sentence.to_owned(), facts, messages: newest_first(messages), repeat: true })
}

/// Where messages of an event may have gone: the number it gave, and the addresses of the profiles of its runs.
async fn addresses_of(console: &Console, event: &Event) -> Result<BTreeSet<AddressId>, StoreError> {
    let mapped = &event.mapped;
    let region = mapped.region.as_deref().or(console.default_region.as_deref());
    let number = mapped.phone.as_deref().and_then(|phone| Number::parse(phone, region).ok());
    let mut addresses: BTreeSet<AddressId> = number.map(|number| console.key.address("sms", number.e164())).into_iter().collect();
    if let Some(Fate::Runs { runs }) = &event.fate {
        let ids: Vec<RunId> = runs.iter().map(|(run, _)| *run).collect();
        let profiles: Vec<_> = console.store.runs(&ids).await?.into_iter().map(|run| run.profile).collect();
        addresses.extend(console.store.profiles(&profiles).await?.into_iter().map(|profile| profile.address));
    }
    Ok(addresses)
}

async fn number_or_label(console: &Console, typed: &str) -> Result<Answer, StoreError> {
    let store = console.store.as_ref();
    let mut labelled = Vec::new();
    for value in spellings(typed) {
        labelled.extend(store.messages_labelled(&value, MOST).await?);
    }
    let number = Number::parse(typed, console.default_region.as_deref());
    let masked = number.as_ref().map(Number::masked).ok();
    let address = number.as_ref().map(|number| console.key.address("sms", number.e164())).ok();
    let known = match address {
        Some(id) => store.addresses(&[id]).await?.into_iter().next(),
        None => None,
    };
    if labelled.is_empty() {
        return Ok(match (known, masked) {
            (Some(address), _) => Answer::Go(format!("/search?q={}", address.id)),
            (None, Some(masked)) => Answer::Page(Found { repeat: false, ..Found::nothing(format!("No message to {masked}, and no order of this name.")) }),
            (None, None) => Answer::Page(Found::nothing(hint(typed, number.err()))),
        });
    }
    if let Some(address) = &known {
        labelled.extend(store.messages_of(address.id, MOST).await?);
    }
    let shown = masked.clone().unwrap_or_else(|| typed.to_owned());
    let sentence = if known.is_some() { "Messages with this label, and messages to this number." } else { "Messages with this label." };
    let (heading, sentence) = (format!("Messages for {shown}"), sentence.to_owned());
    Ok(Answer::Page(Found { heading, sentence, facts: Vec::new(), messages: newest_first(labelled), repeat: masked.is_none() }))
}

fn hint(typed: &str, problem: Option<NumberError>) -> String {
    let digits = typed.chars().filter(char::is_ascii_digit).count();
    match problem {
        Some(problem) if digits >= 7 => format!("No message has this label; and as a phone number, it {problem}."),
        _ => "No message has this label. Check the spelling, or search for something else that you know.".to_owned(),
    }
}

/// An order is called `1042` by some and `#1042` by others.
fn spellings(typed: &str) -> Vec<String> {
    let bare = typed.trim_start_matches('#');
    let mut spellings = vec![typed.to_owned()];
    for other in [bare.to_owned(), format!("#{bare}")] {
        if !bare.is_empty() && !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    spellings
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
    fn orders_are_spelled_in_two_ways() {
        assert_eq!(spellings("1042"), ["1042", "#1042"]);
        assert_eq!(spellings("#1042"), ["#1042", "1042"]);
        assert_eq!(spellings("#"), ["#"]);
    }

    #[test]
    fn hints_speak_of_numbers_only_where_one_was_meant() {
        let impossible = || Number::parse("+1415555012", None).err();
        assert!(hint("+1415555012", impossible()).contains("phone number"));
        assert!(!hint("A-17", impossible()).contains("phone number"));
    }
}
