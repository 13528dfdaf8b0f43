//! `GET /messages`: messages, newest first, narrowed by whatever stands in the URL.
//!
//! Its own file because the overview's numbers lead here, and people pass its URLs on: every filter is in the URL, but
//! no number. A number that is typed becomes the id of its address first. Each page starts below the last row of the
//! one before, so that none is skipped or repeated while texts are made.

use std::collections::BTreeSet;
use std::mem;

use askama::Template;
use axum::extract::{Query, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_core::id::MessageId;
use trunkline_core::message::Delivery;
use trunkline_core::number::Number;
use trunkline_core::time::Time;
use trunkline_store::row::{Message, MessageFilter};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::session::SignedIn;
use super::view::{self, MessageRow};

/// How many are shown.
const MOST: usize = 50;

/// What the URL says.
#[derive(Deserialize, Default, Clone, PartialEq)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    journey: String,
    label: String,
    /// As typed; never kept.
    number: String,
    address: String,
    from: String,
    to: String,
    before: String,
    /// What could not be read, once it is gone from the URL.
    problem: String,
}

/// A link that narrows the list.
struct Choice {
    word: &'static str,
    href: String,
    here: bool,
}

/// A journey that the form offers.
struct Named {
    name: String,
    here: bool,
}

/// A filter in force, and the list without it.
struct Chip {
    text: String,
    href: String,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    page: Page,
    heading: String,
    meaning: &'static str,
    asked: Asked,
    choices: Vec<Choice>,
    chips: Vec<Chip>,
    journeys: Vec<Named>,
    complaint: &'static str,
    rows: Vec<MessageRow>,
    empty: String,
    newest: Option<String>,
    older: Option<String>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, RawQuery(raw): RawQuery, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if let Some(place) = asked.tidied(&console, &raw.unwrap_or_default()) {
        return Ok(Redirect::to(&place).into_response());
    }
    let store = console.engine.store.as_ref();
    let filter = asked.filter();
    let mut messages = find(store, &filter).await?;
    let more = messages.len() > MOST;
    messages.truncate(MOST);
    let older = messages.last().filter(|_| more).map(|last| asked.with_before(&last.id.to_string()).url());
    let heading = filter.delivery.map_or_else(|| "Messages".to_owned(), |state| format!("Messages: {}", state.word()));
    let number = match filter.address {
        Some(id) => store.addresses(&[id]).await?.into_iter().next().map_or_else(|| "an unknown number".to_owned(), |address| address.place.masked()),
        None => String::new(),
    };
    let view = MessagesPage {
        page: Page::new(heading.clone(), &signed_in).at("messages"),
        heading,
        meaning: filter.delivery.map_or("In any state", view::meaning),
        choices: asked.choices(filter.delivery),
        chips: asked.chips(&filter, &number),
        journeys: journeys(&console, &asked.journey),
        complaint: asked.complaint(&filter),
        rows: view::rows(store, &messages).await?,
        empty: empty(&filter),
        newest: filter.before.map(|_| asked.with_before("").url()),
        older,
        asked,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// One more than a page, so that it shows whether there are older ones.
async fn find(store: &dyn Store, filter: &MessageFilter) -> Result<Vec<Message>, StoreError> {
    let Some(label) = &filter.label else { return store.messages_matching(filter, MOST + 1).await };
    for spelling in view::spellings(label) {
        let found = store.messages_matching(&MessageFilter { label: Some(spelling), ..filter.clone() }, MOST + 1).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Every journey there is or was, for the form.
fn journeys(console: &Console, asked: &str) -> Vec<Named> {
    let mut names: BTreeSet<String> = console.engine.journeys().versions.keys().map(|(name, _)| name.clone()).collect();
    names.extend((!asked.is_empty()).then(|| asked.to_owned()));
    names.into_iter().map(|name| Named { here: name == asked, name }).collect()
}

impl Asked {
    /// Where the same list has a clean URL: without empty fields, and with the id of an address instead of its number.
    fn tidied(&self, console: &Console, raw: &str) -> Option<String> {
        let mut clean = Asked { label: self.label.trim().to_owned(), number: String::new(), ..self.clone() };
        // What is typed as a label and looks like a number is one: it must not stay either.
        let mislaid = clean.label.starts_with('+').then(|| mem::take(&mut clean.label));
        let typed = Some(self.number.trim()).filter(|typed| !typed.is_empty()).or(mislaid.as_deref());
        match typed.map(|typed| Number::parse(typed, console.region())) {
            Some(Ok(number)) => clean.address = console.engine.key.address("sms", number.e164()).to_string(),
            Some(Err(_)) => clean.problem = String::from("number"),
            None => {}
        }
        for time in [&mut clean.from, &mut clean.to] {
            if !time.is_empty() && instant(time).is_none() {
                time.clear();
                clean.problem = String::from("time");
            }
        }
        let untidy = raw.split('&').any(|pair| pair.ends_with('='));
        (untidy || clean != *self).then(|| clean.url())
    }

    fn url(&self) -> String {
        let pairs = [
            ("state", self.state.as_str()),
            ("journey", self.journey.as_str()),
            ("label", self.label.as_str()),
            ("address", self.address.as_str()),
            ("from", self.from.as_str()),
            ("to", self.to.as_str()),
            ("before", self.before.as_str()),
            ("problem", self.problem.as_str()),
        ];
        view::url("/messages", &pairs)
    }

    /// The same list from another place on.
    fn with_before(&self, before: &str) -> Asked {
        Asked { before: before.to_owned(), problem: String::new(), ..self.clone() }
    }

    fn filter(&self) -> MessageFilter {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        MessageFilter {
            delivery: Delivery::from_word(&self.state),
            address: self.address.parse().ok(),
            label: some(&self.label),
            journey: some(&self.journey),
            since: instant(&self.from),
            until: instant(&self.to),
            before: self.before.parse::<MessageId>().ok(),
        }
    }

    /// What of the URL is not in force, if anything is not.
    fn complaint(&self, filter: &MessageFilter) -> &'static str {
        let lost = |text: &str, read: bool| !text.is_empty() && !read;
        if self.problem == "number" {
            "What was typed is not a phone number, so it does not narrow the list. Write it as +1 415 555 0123."
        } else if self.problem == "time" {
            "The time could not be read, so it does not narrow the list. Write it as 2026-11-23T14:05."
        } else if lost(&self.state, filter.delivery.is_some()) || lost(&self.address, filter.address.is_some()) || lost(&self.before, filter.before.is_some()) {
            "Part of this link could not be read, so the list is wider than was asked for."
        } else {
            ""
        }
    }

    fn choices(&self, state: Option<Delivery>) -> Vec<Choice> {
        let choice = |word: &'static str, state: &str, here| Choice { word, href: Asked { state: state.to_owned(), ..self.with_before("") }.url(), here };
        let each = Delivery::ALL.into_iter().map(|d| choice(d.word(), d.word(), state == Some(d)));
        std::iter::once(choice("all", "", state.is_none())).chain(each).collect()
    }

    fn chips(&self, filter: &MessageFilter, number: &str) -> Vec<Chip> {
        let all = self.with_before("");
        let chip = |text: String, without: Asked| Chip { text, href: without.url() };
        let chips = [
            filter.journey.as_ref().map(|journey| chip(format!("journey {journey}"), Asked { journey: String::new(), ..all.clone() })),
            filter.label.as_ref().map(|label| chip(format!("label {}", mask::label(label)), Asked { label: String::new(), ..all.clone() })),
            filter.address.map(|_| chip(format!("to {number}"), Asked { address: String::new(), ..all.clone() })),
            filter.since.map(|_| chip(format!("from {} UTC", self.from.replace('T', " ")), Asked { from: String::new(), ..all.clone() })),
            filter.until.map(|_| chip(format!("before {} UTC", self.to.replace('T', " ")), Asked { to: String::new(), ..all.clone() })),
        ];
        chips.into_iter().flatten().collect()
    }
}

/// `2026-11-23T14:05`, as a field of a form gives it; read in UTC.
fn instant(text: &str) -> Option<Time> {
    let seconds = if text.chars().count() == "2026-11-23T14:05".len() { ":00" } else { "" };
    format!("{text}{seconds}Z").parse().ok()
}

/// Why the list is empty; nothing if nothing narrows it.
fn empty(filter: &MessageFilter) -> String {
    let narrowed = [
        filter.delivery.map(|_| "in this state"),
        filter.journey.as_ref().map(|_| "of this journey"),
        filter.label.as_ref().map(|_| "of this order"),
        filter.address.map(|_| "to this number"),
        filter.since.or(filter.until).map(|_| "of this time"),
        filter.before.map(|_| "older than that"),
    ];
    let narrowed: Vec<&str> = narrowed.into_iter().flatten().collect();
    match narrowed.split_last() {
        None => String::new(),
        Some((only, [])) => format!("No message is {only}."),
        Some((last, others)) => format!("No message is {} and {last}.", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_choice_is_here() {
        for state in [None, Some(Delivery::Held)] {
            let here: Vec<&str> = Asked::default().choices(state).iter().filter(|c| c.here).map(|c| c.word).collect();
            assert_eq!(here, [state.map_or("all", Delivery::word)]);
        }
    }

    #[test]
    fn times_are_read_in_utc() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        for (text, expect) in [
            ("2026-11-23T14:05", Some(at("2026-11-23T14:05:00Z"))),
            ("2026-11-23T14:05:09", Some(at("2026-11-23T14:05:09Z"))),
            ("2026-11-23", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(instant(text), expect, "{text}");
        }
    }

    #[test]
    fn an_empty_list_says_why() {
        assert_eq!(empty(&MessageFilter::default()), "");
        assert_eq!(empty(&MessageFilter::in_state(Delivery::Held)), "No message is in this state.");
        let both = MessageFilter { label: Some("1042".into()), journey: Some("x".into()), ..MessageFilter::in_state(Delivery::Held) };
        assert_eq!(empty(&both), "No message is in this state, of this journey and of this order.");
    }

    #[test]
    fn each_chip_leads_to_the_list_without_it() {
        let asked = Asked { state: "held".into(), journey: "x".into(), label: "#1042".into(), before: "gone".into(), ..Asked::default() };
        let hrefs: Vec<String> = asked.chips(&asked.filter(), "").into_iter().map(|chip| chip.href).collect();
        assert_eq!(hrefs, ["/messages?state=held&label=%231042", "/messages?state=held&journey=x"]);
        assert!(asked.complaint(&asked.filter()).contains("could not be read"));
    }
}
