//! `GET /dead`: everything that gave up, and putting it back to work.
//!
//! Its own file because it is the one place where an operator repairs: mend the cause first, then replay. The engine
//! replays; this page lists, asks and says how many went back.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use trunkline_store::row::Dead;

use super::Console;
use super::act;
use super::mask;
use super::page::{self, Banner, Page};
use super::problem::Problem;
use super::said::{Said, page_of};
use super::session::{self, SignedIn};
use super::view::{self, When};

/// How many are shown, and replayed at once.
const MOST: usize = 50;

/// What became of a replay, as the URL says it after one: how many went back to work, and how many did not.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    replayed: String,
    stayed: String,
}

/// What the form gives: ids, one a line.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Given {
    ids: String,
}

/// One thing that gave up.
struct DeadRow {
    /// Names its form's button, the same at every look.
    key: String,
    id: String,
    shown: String,
    href: Option<String>,
    kind: &'static str,
    cause: Said,
    since: When,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct DeadPage {
    page: Page,
    banners: Vec<Banner>,
    rows: Vec<DeadRow>,
    /// The ids of all that are shown, one a line.
    all: String,
    full: bool,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let dead = console.engine.store.dead(MOST).await?;
    let view = DeadPage {
        page: Page::new("Dead letters", &signed_in).at("dead"),
        banners: banners(&asked),
        all: dead.iter().map(|dead| dead.id.as_str()).collect::<Vec<_>>().join("\n"),
        full: dead.len() == MOST,
        rows: dead.iter().map(row).collect(),
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// Puts what the form names back to work.
pub(super) async fn replay(State(console): State<Console>, signed_in: SignedIn, headers: HeaderMap, Form(given): Form<Given>) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let (mut replayed, mut stayed, mut broken) = (Vec::new(), 0_usize, None);
    for id in given.ids.lines().map(str::trim).filter(|id| !id.is_empty()).take(MOST) {
        match console.engine.replay(id).await {
            Ok(true) => replayed.push(id.to_owned()),
            Ok(false) => stayed += 1,
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    // What was done is noted, whatever stopped the rest.
    if !replayed.is_empty() {
        act::note(&console, &signed_in, "replayed", &replayed).await?;
    }
    if let Some(error) = broken {
        return Err(error.into());
    }
    Ok(Redirect::to(&format!("/dead?replayed={}&stayed={stayed}", replayed.len())).into_response())
}

fn banners(asked: &Asked) -> Vec<Banner> {
    let some = |text: &str| text.parse::<usize>().ok().filter(|n| *n > 0);
    let replayed = some(&asked.replayed).map(|n| Banner {
        tone: "good",
        said: Said::plain(format!("{} back at work. If it gives up again, it comes back here.", view::count(n, "dead letter is", "dead letters are"))),
    });
    let stayed = some(&asked.stayed).map(|n| Banner {
        tone: "wait",
        said: Said::plain(format!("{} not replayed: somebody was faster, or it is no dead letter any more.", view::count(n, "dead letter was", "dead letters were"))),
    });
    replayed.into_iter().chain(stayed).collect()
}

fn row(dead: &Dead) -> DeadRow {
    let kind = match dead.kind.as_str() {
        "hook" => "webhook",
        "writeback" => "write-back",
        "event" => "event",
        "announcement" => "announcement",
        "run" => "run",
        _ => "other",
    };
    DeadRow {
        key: format!("replay-{}", view::percent(&dead.id)),
        id: dead.id.clone(),
        shown: mask::numbers(&dead.id),
        href: page_of(&dead.id),
        kind,
        cause: if dead.cause.is_empty() { Said::plain("No cause was noted") } else { Said::sentence(&dead.cause) },
        since: When::from(dead.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::HookId;
    use trunkline_core::time::Time;

    #[test]
    fn a_replay_says_what_became_of_it() {
        let said =
            |replayed: &str, stayed: &str| -> Vec<&'static str> { banners(&Asked { replayed: replayed.into(), stayed: stayed.into() }).iter().map(|banner| banner.tone).collect() };
        assert_eq!(said("", ""), Vec::<&str>::new());
        assert_eq!(said("2", "0"), ["good"]);
        assert_eq!(said("1", "1"), ["good", "wait"]);
        assert_eq!(said("<b>", "-1"), Vec::<&str>::new());
    }

    #[test]
    fn what_has_a_page_leads_there() {
        let hook = HookId::new(1, Time(1), [2; 16]).to_string();
        let dead = |id: &str, kind: &str| row(&Dead { id: id.to_owned(), kind: kind.to_owned(), cause: String::new(), at: Time(1) });
        assert_eq!(dead(&hook, "hook").href, Some(format!("/webhooks/{hook}")));
        let record = dead("crm/+14155550123", "writeback");
        assert_eq!((record.href, record.shown.as_str(), record.kind), (None, "crm/+141••••0123", "write-back"));
    }
}
