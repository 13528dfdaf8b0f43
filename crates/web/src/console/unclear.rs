//! `GET /unclear`: the texts of which nobody knows whether they were taken, oldest first; and deciding about each.
//!
//! Its own file because it is the one place where a person's word settles a text: look it up at the vendor, say what
//! was seen, decide. What a decision does is the engine's matter; `crate::ruling` notes it. Asking vendors is not done
//! from here: the page says what was asked.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::message::{Attempt, Event, Ruling};
use trunkline_core::time::Time;
use trunkline_engine::explain::because;
use trunkline_engine::ruling::Ruled;
use trunkline_store::row::{HistoryEntry, Message};

use super::Console;
use super::mask;
use super::page::{self, Banner, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::{self, SignedIn};
use super::timeline;
use super::view::{self, Fact, When, capital};
use crate::ruling;

/// How many are shown: each has a form.
const MOST: usize = 20;
/// Where a form was sent from, if it was the page of the text.
const FROM_MESSAGE: &str = "message";

/// What became of a ruling, as the URL says it after one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    ruled: String,
    about: String,
    again: String,
}

/// What the form gives.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Given {
    ruling: String,
    evidence: String,
    back: String,
}

/// The form that decides about one text.
pub(super) struct RulingForm {
    /// Names its fields, the same at every look.
    pub(super) key: String,
    /// Where it goes.
    pub(super) action: String,
    /// Which page it comes back to.
    pub(super) back: &'static str,
    /// Whom the text is for, masked.
    pub(super) number: String,
    /// Its buttons.
    pub(super) choices: [Choice; 3],
}

/// One thing that can be decided.
pub(super) struct Choice {
    /// The stable word.
    pub(super) word: &'static str,
    /// What the button says.
    pub(super) label: String,
    /// What it does.
    pub(super) means: &'static str,
}

/// One unclear text.
struct UnclearRow {
    href: String,
    number: String,
    order: String,
    why: Said,
    since: When,
    facts: Vec<Fact>,
    form: RulingForm,
}

#[derive(Template)]
#[template(path = "unclear.html")]
struct UnclearPage {
    page: Page,
    banner: Option<Banner>,
    rows: Vec<UnclearRow>,
    /// Whether there are more than are shown.
    more: bool,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let store = console.engine.store.as_ref();
    // No case has this code, so that none is left out for having one.
    let mut unclear = store.unclear_without_case("", MOST + 1).await?;
    let more = unclear.len() > MOST;
    unclear.truncate(MOST);
    let ids: BTreeSet<AddressId> = unclear.iter().map(|message| message.intent.address).collect();
    let ids: Vec<AddressId> = ids.into_iter().collect();
    let numbers: BTreeMap<AddressId, String> = store.addresses(&ids).await?.into_iter().map(|address| (address.id, address.place.masked())).collect();
    let mut rows = Vec::new();
    for message in &unclear {
        let history = store.history(&message.id.bytes()).await?;
        let number = numbers.get(&message.intent.address).map_or("unknown number", String::as_str);
        rows.push(row(message, &history, number));
    }
    let banner = banner(&asked.ruled, asked.about.parse().ok(), asked.again.parse().ok());
    let view = UnclearPage { page: Page::new("Unclear", &signed_in).at("unclear"), banner, rows, more };
    Ok(page::html(StatusCode::OK, &view))
}

/// Decides about one text, and goes back to where the form was.
pub(super) async fn rule(State(console): State<Console>, signed_in: SignedIn, headers: HeaderMap, Path(id): Path<String>, Form(given): Form<Given>) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let missing = || Problem::not_found(&signed_in, "There is no message with this id, so nothing was decided.");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    // The field has several lines; what is kept has one.
    let evidence = given.evidence.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut again = String::new();
    let word = match (Ruling::from_word(&given.ruling), ruling::evidence(&evidence)) {
        (None, _) => "nothing",
        (Some(_), Err(_)) => "evidence",
        (Some(ruling), Ok(evidence)) => match ruling::rule(&console.engine, &signed_in.by(), id, ruling, evidence).await? {
            Ruled::Done => ruling.word(),
            Ruled::Again(fresh) => {
                again = fresh.to_string();
                ruling.word()
            }
            Ruled::NotUnclear(_) => "known",
            Ruled::Moved => "moved",
            Ruled::NoSuchMessage => return Err(missing()),
        },
    };
    let place = if given.back == FROM_MESSAGE {
        view::url(&format!("/messages/{id}"), &[("ruled", word), ("again", &again)])
    } else {
        view::url("/unclear", &[("ruled", word), ("about", &id.to_string()), ("again", &again)])
    };
    Ok(Redirect::to(&place).into_response())
}

/// What became of a ruling: about this text, or about the one whose page it is.
pub(super) fn banner(ruled: &str, about: Option<MessageId>, again: Option<MessageId>) -> Option<Banner> {
    let it = about.map_or_else(|| "it".to_owned(), |id| id.to_string());
    let (tone, text) = match (ruled, again) {
        ("arrived", _) => ("good", format!("{it} counts as arrived now. What you saw is kept with it.")),
        ("send_again", Some(again)) => ("good", format!("{it} is sent again as {again}, whose page says what becomes of that.")),
        ("let_go", _) => ("good", format!("{it} is let go. What you saw is kept with it.")),
        ("known", _) => ("wait", format!("{it} is not unclear any more: a proof came, or somebody was faster. Nothing was changed.")),
        ("moved", _) => ("wait", format!("{it} changed at the same moment, so nothing was decided. If it is still unclear, decide again.")),
        ("evidence", _) => ("bad", "nothing was decided: say what you saw at the vendor, in 1 to 500 characters.".to_owned()),
        ("nothing", _) => ("bad", "nothing was decided, since the form did not say what. Load the page again, and use one of its buttons.".to_owned()),
        _ => return None,
    };
    Some(Banner { tone, said: Said::sentence(&text) })
}

impl RulingForm {
    /// On the page of the text itself.
    pub(super) fn on_message(id: MessageId, number: &str) -> RulingForm {
        RulingForm { back: FROM_MESSAGE, ..RulingForm::in_list(id, number) }
    }

    fn in_list(id: MessageId, number: &str) -> RulingForm {
        RulingForm { key: id.to_string(), action: format!("/messages/{id}/ruling"), back: "", number: number.to_owned(), choices: Ruling::ALL.map(choice) }
    }
}

fn choice(ruling: Ruling) -> Choice {
    let means = match ruling {
        Ruling::Arrived => "It counts as arrived, on your word. Nothing more is sent.",
        Ruling::SendAgain => "Makes a new text; if the first one arrives after all, she has two.",
        Ruling::LetGo => "Nothing more is sent, and nobody is asked any more. A proof that comes later still counts.",
    };
    Choice { word: ruling.word(), label: capital(ruling::said(ruling)), means }
}

fn row(message: &Message, history: &[HistoryEntry], number: &str) -> UnclearRow {
    let intent = &message.intent;
    let attempt = message.state.attempts.last();
    let asking = attempt.map(|attempt| Asking::of(attempt, history)).unwrap_or_default();
    // What is unclear goes no other way: this is the way of its last attempt.
    let (account, sender) = message.way();
    UnclearRow {
        href: format!("/messages/{}", message.id),
        number: number.to_owned(),
        order: intent.labels.get("order").map(|order| mask::label(order)).unwrap_or_default(),
        why: Said::sentence(&because(message)),
        since: When::from(asking.since.unwrap_or(message.updated_at)),
        facts: vec![
            Fact::text("Account", account.to_owned()),
            Fact::said("Sender", sender),
            Fact::said("Asked", &asking.sentence(message.state.due)),
            Fact::time("Deadline", intent.deadline),
        ],
        form: RulingForm::in_list(message.id, number),
    }
}

/// What was asked about the attempt that is unclear.
#[derive(Default)]
struct Asking {
    /// Since when it is unclear.
    since: Option<Time>,
    /// How often its vendor was asked.
    times: u32,
    /// When the last time was, and what it brought, once it did.
    last: Option<(Time, Option<String>)>,
}

impl Asking {
    fn of(attempt: &Attempt, history: &[HistoryEntry]) -> Asking {
        let mut since = attempt.settled_at;
        let mut last = None;
        for entry in history {
            match serde_json::from_value(entry.body.clone()) {
                // An attempt whose process is gone told nothing: it is unclear since it was taken over.
                Ok(Event::TakenOver { n, .. }) if n == attempt.n => since = since.or(Some(entry.at)),
                Ok(Event::Asked { n, .. }) if n == attempt.n => last = Some((entry.at, None)),
                Ok(Event::Looked { n, found, .. }) if n == attempt.n => last = Some((entry.at, Some(timeline::found_out(&found)))),
                _ => {}
            }
        }
        Asking { since: since.or(Some(attempt.claimed_at)), times: attempt.asked, last }
    }

    fn sentence(&self, next: Option<Time>) -> String {
        let asked = match (self.times, &self.last) {
            (0, None) => "not yet".to_owned(),
            (0, Some((at, found))) => format!("not yet; at {at}: {}", found.as_deref().unwrap_or("no answer")),
            (times, last) => {
                let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
                let last = last.as_ref().map(|(at, found)| format!(", last at {at}: {}", found.as_deref().unwrap_or("no answer yet")));
                times + &last.unwrap_or_default()
            }
        };
        let next = next.map_or_else(|| "nobody is asked any more".to_owned(), |next| format!("next at {next}"));
        format!("{asked}; {next}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::message::{Finding, Question};

    fn attempt(asked: u32) -> Attempt {
        let (account, sender) = ("twilio".to_owned(), "+15005550006".to_owned());
        Attempt { n: 2, account, sender, epoch: 1, claimed_at: Time(0), valid_until: None, outcome: None, settled_at: None, evidence: None, asked }
    }

    fn history(events: &[Event]) -> Vec<HistoryEntry> {
        events.iter().zip(1..).map(|(event, seq)| HistoryEntry { seq, at: Time(seq * 1_000_000), fold: 1, body: serde_json::to_value(event).unwrap() }).collect()
    }

    #[test]
    fn what_was_asked_is_told_of_the_last_attempt_alone() {
        let next = Some(Time(9_000_000));
        let asked = |n| Event::Asked { n, how: Question::LookUp, again_at: Time(0) };
        let looked = |n| Event::Looked { n, found: Finding::Nothing { cause: "the look-up shows no such text".into() }, next };
        let said = |times, events: &[Event]| Said::new(&Asking::of(&attempt(times), &history(events)).sentence(next)).text();
        assert_eq!(said(0, &[asked(1), looked(1)]), "not yet; next at 1 Jan 00:00:09");
        assert_eq!(said(1, &[asked(1), asked(2)]), "once, last at 1 Jan 00:00:02: no answer yet; next at 1 Jan 00:00:09");
        assert_eq!(said(2, &[asked(2), looked(2), asked(2), looked(2)]), "2 times, last at 1 Jan 00:00:04: the look-up shows no such text; next at 1 Jan 00:00:09");
        assert_eq!(said(0, &[looked(2)]), "not yet; at 1 Jan 00:00:01: the look-up shows no such text; next at 1 Jan 00:00:09");
        assert_eq!(Asking::of(&attempt(0), &[]).sentence(None), "not yet; nobody is asked any more");
    }

    #[test]
    fn it_is_unclear_since_its_outcome_or_the_take_over() {
        let taken_over = history(&[Event::TakenOver { n: 1, epoch: 2, ask_at: None }, Event::TakenOver { n: 2, epoch: 3, ask_at: None }]);
        assert_eq!(Asking::of(&attempt(0), &taken_over).since, Some(Time(2_000_000)));
        assert_eq!(Asking::of(&Attempt { settled_at: Some(Time(7)), ..attempt(0) }, &taken_over).since, Some(Time(7)));
        assert_eq!(Asking::of(&attempt(0), &[]).since, Some(Time(0)));
    }

    #[test]
    fn a_ruling_says_what_became_of_it() {
        let (about, again) = (MessageId::new(1, Time(1), [1; 16]), MessageId::new(1, Time(1), [2; 16]));
        let said = |ruled: &str| banner(ruled, Some(about), Some(again)).map(|banner| (banner.tone, banner.said.text()));
        assert_eq!(said("send_again"), Some(("good", format!("{about} is sent again as {again}, whose page says what becomes of that."))));
        assert_eq!(
            ["arrived", "let_go", "known", "moved", "evidence", "nothing"].map(|ruled| said(ruled).map_or("", |(tone, _)| tone)),
            ["good", "good", "wait", "wait", "bad", "bad"]
        );
        assert_eq!(banner("let_go", None, None).map(|banner| banner.said.text()).as_deref(), Some("It is let go. What you saw is kept with it."));
        assert!(banner("<b>", Some(about), None).is_none() && banner("send_again", None, None).is_none());
    }
}
