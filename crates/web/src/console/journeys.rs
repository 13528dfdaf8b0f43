//! `GET /journeys`: what is published and how it flows; `GET /journeys/{name}`: one of them, as a picture and in words.
//!
//! Its own file because it joins definitions with counts. The picture is drawn by `graph`; what a definition means is
//! `trunkline_core::journey`'s, and nothing is edited here: definitions are files.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use trunkline_core::journey::{Cancel, Journey, Reentry, Step};
use trunkline_engine::definitions::Journeys;
use trunkline_store::StoreError;
use trunkline_store::row::{RunFilter, StepCount};

use super::Console;
use super::clock::Clocks;
use super::graph::{self, Graph, Traffic};
use super::page::{self, Page};
use super::problem::Problem;
use super::runs::{self, RunRow};
use super::session::SignedIn;
use super::view::{self, Fact, grouped};

/// How many of the latest runs are shown.
const MOST_RUNS: usize = 20;

/// What the URL says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    version: String,
}

/// How many, and of what.
struct Count {
    name: &'static str,
    value: String,
}

/// A journey in the list.
struct JourneyRow {
    name: String,
    href: String,
    version: String,
    trigger: String,
    purpose: &'static str,
    counts: Vec<Count>,
}

#[derive(Template)]
#[template(path = "journeys.html")]
struct JourneysPage {
    page: Page,
    journeys: Vec<JourneyRow>,
}

/// A step in words.
struct StepRow {
    id: String,
    kind: &'static str,
    does: String,
    follows: Vec<String>,
    count: String,
}

/// Another version that has runs under way.
struct Older {
    href: String,
    version: i64,
    runs: String,
    places: String,
}

#[derive(Template)]
#[template(path = "journey.html")]
struct JourneyPage {
    page: Page,
    heading: String,
    version: i64,
    /// What is to know about the version, if it is not the one that new runs take.
    notice: String,
    counts: Vec<Count>,
    graph: Graph,
    steps: Vec<StepRow>,
    cancels: Vec<String>,
    older: Vec<Older>,
    facts: Vec<Fact>,
    runs: Vec<RunRow>,
}

/// What is counted: where runs are now, and the counters of today.
struct Counts {
    now: Vec<StepCount>,
    today: BTreeMap<String, i64>,
}

impl Counts {
    async fn load(console: &Console) -> Result<Counts, StoreError> {
        let (store, today) = (console.engine.store.as_ref(), console.engine.clock.now().utc_day());
        let (now, counters) = tokio::try_join!(store.steps_now(), store.counters(&today))?;
        let today = counters.into_iter().filter(|counter| counter.day == today).map(|counter| (counter.name, counter.value)).collect();
        Ok(Counts { now, today })
    }

    fn today(&self, name: &str) -> i64 {
        self.today.get(name).copied().unwrap_or(0)
    }

    /// How many runs of a journey are under way.
    fn under_way(&self, journey: &str) -> i64 {
        self.now.iter().filter(|count| count.journey == journey).map(|count| count.runs).sum()
    }

    /// What happened to a journey's runs today.
    fn of(&self, journey: &str) -> Vec<Count> {
        let today = |word: &str| grouped(self.today(&format!("run.{journey}.{word}")));
        vec![
            Count { name: "under way", value: grouped(self.under_way(journey)) },
            Count { name: "started today", value: today("started") },
            Count { name: "ended today", value: today("ended") },
            Count { name: "ended early today", value: today("canceled") },
            Count { name: "failed today", value: today("failed") },
        ]
    }

    /// What goes on at each step of a version.
    fn traffic(&self, name: &str, version: i64, journey: &Journey) -> BTreeMap<String, Traffic> {
        let here = |step: &str| self.now.iter().filter(|count| count.journey == name && count.version == version && count.step == step).map(|count| count.runs).sum::<i64>();
        let of = |step: &Step| Traffic { now: here(step.id()), passed: self.today(&format!("step.{name}.{version}.{}", step.id())) };
        journey.steps.iter().map(|step| (step.id().to_owned(), of(step))).collect()
    }

    /// The other versions of a journey that have runs under way, the newest first.
    fn older(&self, name: &str, version: i64) -> Vec<Older> {
        let others: BTreeSet<i64> = self.now.iter().filter(|count| count.journey == name && count.version != version).map(|count| count.version).collect();
        let other = |version: i64| {
            let at: Vec<&StepCount> = self.now.iter().filter(|count| count.journey == name && count.version == version).collect();
            let places: Vec<String> = at.iter().map(|count| format!("{} at {}", grouped(count.runs), count.step)).collect();
            let runs = at.iter().map(|count| count.runs).sum::<i64>();
            Older { href: url(name, version), version, runs: grouped(runs), places: places.join(", ") }
        };
        others.into_iter().rev().map(other).collect()
    }
}

pub(super) async fn list(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Problem> {
    let journeys = console.engine.journeys();
    let counts = Counts::load(&console).await?;
    let names: BTreeSet<&String> = journeys.versions.keys().map(|(name, _)| name).collect();
    let view = JourneysPage { page: Page::new("Journeys", &signed_in).at("journeys"), journeys: names.into_iter().filter_map(|name| row(name, &journeys, &counts)).collect() };
    Ok(page::html(StatusCode::OK, &view))
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(name): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no journey of this name and version. Journeys are files; the command trunkline apply publishes them.");
    let journeys = console.engine.journeys();
    let version = asked.version.parse::<i64>().ok().or(in_force(&name, &journeys)).ok_or_else(missing)?;
    let journey = &journeys.versions.get(&(name.clone(), version)).ok_or_else(missing)?.journey;
    let counts = Counts::load(&console).await?;
    let filter = RunFilter { journey: Some(name.clone()), ..RunFilter::default() };
    let latest = console.engine.store.runs_matching(&filter, MOST_RUNS).await?;
    let traffic = counts.traffic(&name, version, journey);
    let view = JourneyPage {
        page: Page::new(format!("Journey {name}"), &signed_in).at("journeys"),
        version,
        notice: notice(&name, version, &journeys),
        counts: counts.of(&name),
        graph: graph::draw(journey, counts.today(&format!("run.{name}.started")), &traffic),
        steps: steps(journey, &traffic),
        cancels: journey.cancel.iter().map(|rule| cancels(rule, journey)).collect(),
        older: counts.older(&name, version),
        facts: facts(journey),
        runs: runs::rows(&latest, &Clocks::default(), console.engine.clock.now()),
        heading: name,
    };
    Ok(page::html(StatusCode::OK, &view))
}

fn url(name: &str, version: i64) -> String {
    format!("/journeys/{}?version={version}", view::percent(name))
}

/// The version that new runs take; of a retired journey the newest.
fn in_force(name: &str, journeys: &Journeys) -> Option<i64> {
    let newest = || journeys.versions.keys().filter(|(other, _)| other == name).map(|(_, version)| *version).max();
    journeys.current.get(name).copied().or_else(newest)
}

fn notice(name: &str, version: i64, journeys: &Journeys) -> String {
    match journeys.current.get(name) {
        Some(current) if *current == version => String::new(),
        Some(current) => format!("New runs take version {current}. This one is kept by the runs that began with it."),
        None => "This journey is retired: no new run takes it. Runs under way go on to their end.".to_owned(),
    }
}

fn row(name: &str, journeys: &Journeys, counts: &Counts) -> Option<JourneyRow> {
    let version = in_force(name, journeys)?;
    let journey = &journeys.versions.get(&(name.to_owned(), version))?.journey;
    Some(JourneyRow {
        name: name.to_owned(),
        href: format!("/journeys/{}", view::percent(name)),
        version: if journeys.current.contains_key(name) { format!("version {version}") } else { "retired".to_owned() },
        trigger: journey.trigger.kind.clone(),
        purpose: journey.purpose.word(),
        counts: counts.of(name),
    })
}

/// The steps in words: for whoever cannot see the picture, or wants to read on.
fn steps(journey: &Journey, traffic: &BTreeMap<String, Traffic>) -> Vec<StepRow> {
    let each = journey.steps.iter().enumerate().map(|(index, step)| StepRow {
        id: step.id().to_owned(),
        kind: graph::word(step),
        does: match step {
            Step::Send { template, .. } => format!("one text from template {template}"),
            Step::Wait { .. } => graph::waits_for(step),
            Step::Branch { .. } => "goes on with the first condition that holds".to_owned(),
            Step::End { .. } => "the run is over".to_owned(),
        },
        follows: follows(journey, index, step),
        count: graph::counted(traffic.get(step.id()).copied().unwrap_or_default()),
    });
    each.collect()
}

/// Where a step may lead.
fn follows(journey: &Journey, index: usize, step: &Step) -> Vec<String> {
    let mut ways: Vec<String> = match step {
        Step::Send { next, .. } | Step::Wait { next, .. } => next.iter().map(|next| format!("then {next}")).collect(),
        Step::Branch { arms, .. } => arms.iter().map(|arm| format!("if {}: {}", arm.when, arm.to)).collect(),
        Step::End { .. } => Vec::new(),
    };
    if step.falls_through() {
        let word = if ways.is_empty() { "then" } else { "otherwise" };
        ways.push(format!("{word} {}", journey.steps.get(index + 1).map_or("the run is over", Step::id)));
    }
    ways
}

/// An event that ends runs early, in words.
fn cancels(rule: &Cancel, journey: &Journey) -> String {
    let about = rule.correlation.as_ref().unwrap_or(&journey.correlation);
    let when = rule.when.as_ref().map(|when| format!(", if {when}")).unwrap_or_default();
    format!("{} about the same {about}{when}", rule.kind)
}

fn facts(journey: &Journey) -> Vec<Fact> {
    let again = match journey.reentry {
        Reentry::Once => "once for each person and value",
        Reentry::AfterEnd => "again, when the earlier run is over",
        Reentry::Always => "with every event",
    };
    let mut facts = vec![
        Fact::text("Purpose", journey.purpose.word()),
        Fact::text("Program", journey.program.clone()),
        Fact::text("About", journey.correlation.clone()),
        Fact::text("Entered", again),
    ];
    facts.extend(journey.cooldown.map(|cooldown| Fact::text("Cooldown", format!("{cooldown} from start to start"))));
    facts.extend(journey.duplicate_within.map(|within| Fact::text("Not entered", format!("by an event that says the same within {within}"))));
    facts.extend(journey.ttl.map(|ttl| Fact::text("Texts keep", ttl.to_string())));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn journey() -> Journey {
        let steps = json!([
            {"do": "branch", "id": "size", "arms": [{"when": "event.big", "to": "done"}]},
            {"do": "send", "id": "tell", "template": "t"},
            {"do": "end", "id": "done"},
        ]);
        let cancel = json!([{"type": "order.cancelled"}, {"type": "parcel.lost", "correlation": "event.parcel", "when": "event.ours"}]);
        serde_json::from_value(json!({"program": "acme", "purpose": "service", "correlation": "event.order", "trigger": {"type": "x"}, "cancel": cancel, "step": steps})).unwrap()
    }

    fn counts() -> Counts {
        let at = |version, step: &str, runs| StepCount { journey: "x".into(), version, step: step.into(), runs };
        let today = [("run.x.started", 9), ("step.x.3.tell", 4)].map(|(name, value)| (name.to_owned(), value));
        Counts { now: vec![at(1, "tell", 2), at(2, "size", 1), at(3, "tell", 5)], today: today.into() }
    }

    #[test]
    fn ways_on_are_said_in_words() {
        let steps = steps(&journey(), &BTreeMap::new());
        let ways: Vec<String> = steps.iter().map(|step| step.follows.join("; ")).collect();
        assert_eq!(ways, ["if event.big: done; otherwise tell", "then done", ""]);
        let rules: Vec<String> = journey().cancel.iter().map(|rule| cancels(rule, &journey())).collect();
        assert_eq!(rules, ["order.cancelled about the same event.order", "parcel.lost about the same event.parcel, if event.ours"]);
    }

    #[test]
    fn counts_are_of_their_version() {
        let traffic = counts().traffic("x", 3, &journey());
        let tell = traffic.get("tell").copied().unwrap_or_default();
        assert_eq!((tell.now, tell.passed), (5, 4));
        let older: Vec<(i64, String)> = counts().older("x", 3).into_iter().map(|older| (older.version, older.places)).collect();
        assert_eq!(older, [(2, "1 at size".to_owned()), (1, "2 at tell".to_owned())]);
        let values: Vec<String> = counts().of("x").into_iter().map(|count| count.value).collect();
        assert_eq!(values, ["8", "9", "0", "0", "0"]);
    }
}
