//! `GET /messages`: the newest messages, of one delivery state or of all.
//!
//! Its own file because the overview's numbers lead here. It is a short list: older messages are found by search.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use trunkline_core::message::Delivery;

use super::Console;
use super::page::{self, Page};
use super::problem::Problem;
use super::session::SignedIn;
use super::view::{self, MessageRow};

/// How many are shown.
const MOST: usize = 50;

/// Which messages are asked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: String,
}

/// A link that narrows the list.
struct Choice {
    word: &'static str,
    href: String,
    here: bool,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    page: Page,
    heading: String,
    meaning: &'static str,
    choices: Vec<Choice>,
    rows: Vec<MessageRow>,
    full: bool,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    // A state that does not exist shows all of them: the list says so in its heading.
    let state = Delivery::from_word(&wanted.state);
    let messages = console.store.recent_messages(state, MOST).await?;
    let heading = state.map_or_else(|| "Messages".to_owned(), |state| format!("Messages: {}", state.word()));
    let view = MessagesPage {
        page: Page::new(heading.clone(), &signed_in).at("messages"),
        heading,
        meaning: state.map_or("In any state", view::meaning),
        choices: choices(state),
        full: messages.len() == MOST,
        rows: view::rows(console.store.as_ref(), &messages).await?,
    };
    Ok(page::html(StatusCode::OK, &view))
}

fn choices(state: Option<Delivery>) -> Vec<Choice> {
    let all = Choice { word: "all", href: "/messages".to_owned(), here: state.is_none() };
    let each = Delivery::ALL.into_iter().map(|d| Choice { word: d.word(), href: format!("/messages?state={}", d.word()), here: state == Some(d) });
    std::iter::once(all).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_choice_is_here() {
        for state in [None, Some(Delivery::Held)] {
            let here: Vec<&str> = choices(state).iter().filter(|c| c.here).map(|c| c.word).collect();
            assert_eq!(here, [state.map_or("all", Delivery::word)]);
        }
    }
}
