//! `GET /runs/{id}`: one run of a journey, where it is, what it passed and which texts it made.
//!
//! Its own file because a run is what joins an event to texts. It also makes the lines by which other pages name runs.
//! It moves nothing: that is the engine's `journey`.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::id::RunId;
use trunkline_core::journey::Position;
use trunkline_core::time::Time;
use trunkline_store::row::{Message, MessageFilter, Profile, Run};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::clock::Clocks;
use super::mask;
use super::message;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::SignedIn;
use super::timeline::{self, Entry};
use super::view::{self, Fact, MessageRow, Pill, When};

/// How many texts are shown.
const MOST: usize = 50;
/// How many texts of the journey to the same number are looked through for those of one run.
const LOOK_THROUGH: usize = 200;

/// One run in a list.
pub(super) struct RunRow {
    /// Its page.
    pub(super) href: String,
    /// The journey and its version.
    pub(super) name: String,
    /// What it is about.
    pub(super) about: String,
    /// Its state.
    pub(super) pill: Pill,
    /// Where it is.
    pub(super) place: Said,
    /// When it goes on, on the recipient's clock; or empty.
    pub(super) there: String,
    /// When it was started.
    pub(super) started: When,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    page: Page,
    heading: String,
    /// The page of the journey.
    journey: String,
    pill: Pill,
    place: Said,
    there: String,
    facts: Vec<Fact>,
    entries: Vec<Entry>,
    rows: Vec<MessageRow>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no run with this id. It may have been mistyped, or be one of another installation.");
    let id: RunId = id.parse().map_err(|_| missing())?;
    let store = console.engine.store.as_ref();
    let run = store.runs(&[id]).await?.into_iter().next().ok_or_else(missing)?;
    let profile = store.profiles(&[run.profile]).await?.into_iter().next();
    let address = match &profile {
        Some(profile) => store.addresses(&[profile.address]).await?.into_iter().next(),
        None => None,
    };
    let messages = match &profile {
        Some(profile) => messages_of(store, &run, profile).await?,
        None => Vec::new(),
    };
    let now = console.engine.clock.now();
    let row = row(&run, &Clocks::of(address.as_ref()), now);
    let number = address.as_ref().map(|address| address.place.masked());
    let view = RunPage {
        page: Page::new(format!("Run of {}", run.journey), &signed_in).at("journeys"),
        heading: format!("Run of {}", run.journey),
        journey: format!("/journeys/{}?version={}", view::percent(&run.journey), run.version),
        pill: row.pill,
        place: row.place,
        there: row.there,
        facts: facts(&run, profile.as_ref(), number),
        entries: entries(store, &run).await?,
        rows: view::rows(store, &messages).await?,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The texts of a run, newest first: they are among those of its journey to its profile's number.
async fn messages_of(store: &dyn Store, run: &Run, profile: &Profile) -> Result<Vec<Message>, StoreError> {
    let filter = MessageFilter { journey: Some(run.journey.clone()), since: Some(run.started_at), ..MessageFilter::of_address(profile.address) };
    let near = store.messages_matching(&filter, LOOK_THROUGH).await?;
    Ok(near.into_iter().filter(|message| message.intent.origin.run() == Some(run.id)).take(MOST).collect())
}

/// The event that started it and its moves, oldest first.
async fn entries(store: &dyn Store, run: &Run) -> Result<Vec<Entry>, StoreError> {
    let mut entries: Vec<Entry> = store.events(&[run.event]).await?.iter().map(timeline::taken).collect();
    entries.extend(store.history(&run.id.bytes()).await?.iter().map(|entry| timeline::moved(run, entry)));
    let mut entries = timeline::sorted(entries);
    message::load_hooks(store, &mut entries, false).await?;
    Ok(entries)
}

fn facts(run: &Run, profile: Option<&Profile>, number: Option<String>) -> Vec<Fact> {
    let mut facts = vec![Fact::text("About", mask::label(&run.correlation))];
    if let Some(profile) = profile {
        facts.push(Fact::link("Number", number.unwrap_or_else(|| "unknown".to_owned()), format!("/addresses/{}", profile.address)));
        facts.push(Fact::said("Profile", &format!("{} in {}", profile.external_id, profile.system)));
    }
    facts.extend([
        Fact::link("Event", "all texts from it", format!("/search?q={}&all=1", run.event)),
        Fact::time("Started", run.started_at),
        Fact::text("Version", run.version.to_string()),
        Fact::text("Run id", run.id.to_string()),
    ]);
    facts
}

/// A run as a line of a list.
pub(super) fn row(run: &Run, clocks: &Clocks, now: Time) -> RunRow {
    let (pill, place, there) = match &run.position {
        Position::At { step, due, .. } if *due <= now => (Pill { tone: "info", word: "under way" }, format!("at step {step}, which is due now"), String::new()),
        Position::At { step, due, .. } => (Pill { tone: "wait", word: "under way" }, format!("at step {step}; it goes on at {due}"), clocks.at(*due)),
        Position::Ended { why } => (Pill { tone: "good", word: "over" }, format!("over: {why}"), String::new()),
        Position::Canceled { why } => (Pill { tone: "quiet", word: "canceled" }, format!("ended early: {why}"), String::new()),
        Position::Failed { why } => (Pill { tone: "bad", word: "failed" }, format!("it could not go on: {why}"), String::new()),
    };
    RunRow {
        href: format!("/runs/{}", run.id),
        name: format!("{} version {}", run.journey, run.version),
        about: mask::label(&run.correlation),
        pill,
        place: Said::sentence(&place),
        there,
        started: When::from(run.started_at),
    }
}

/// Runs as lines of a list: each once, in the order given.
pub(super) fn rows(runs: &[Run], clocks: &Clocks, now: Time) -> Vec<RunRow> {
    let mut seen: BTreeSet<RunId> = BTreeSet::new();
    runs.iter().filter(|run| seen.insert(run.id)).map(|run| row(run, clocks, now)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::id::{EventId, ProfileId};

    fn run(n: u8, position: Position) -> Run {
        Run {
            id: RunId([n; 16]),
            journey: "welcome".into(),
            version: 2,
            profile: ProfileId([2; 16]),
            correlation: "#1042".into(),
            event: EventId([3; 16]),
            position,
            started_at: Time(1),
            entry: None,
            rev: 1,
        }
    }

    #[test]
    fn a_line_says_where_a_run_is() {
        let due: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        let at = || Position::At { step: "remind".into(), visit: 1, due };
        for (position, now, expect) in [
            (at(), Time(1), ("wait", "At step remind; it goes on at 23 Nov 14:05:09")),
            (at(), due, ("info", "At step remind, which is due now")),
            (Position::Ended { why: "reached 'done'".into() }, due, ("good", "Over: reached 'done'")),
            (Position::Canceled { why: "order.cancelled".into() }, due, ("quiet", "Ended early: order.cancelled")),
            (Position::Failed { why: "no sender".into() }, due, ("bad", "It could not go on: no sender")),
        ] {
            let row = row(&run(1, position), &Clocks::default(), now);
            assert_eq!((row.pill.tone, row.place.text().as_str()), expect);
        }
    }

    #[test]
    fn a_run_is_listed_once() {
        let over = || Position::Ended { why: String::new() };
        let listed = rows(&[run(1, over()), run(2, over()), run(1, over())], &Clocks::default(), Time(1));
        let hrefs: Vec<String> = listed.into_iter().map(|row| row.href).collect();
        assert_eq!(hrefs, [format!("/runs/{}", RunId([1; 16])), format!("/runs/{}", RunId([2; 16]))]);
    }
}
