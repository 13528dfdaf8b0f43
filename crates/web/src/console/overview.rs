//! `GET /`: what flows, what is held and why, and whether anything is wrong.
//!
//! Its own file because it answers the operator's one question. It counts nothing itself: counters, holds, alerts and
//! cases come from the store as they are.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::message::Delivery;
use trunkline_core::owe::AlertKind;
use trunkline_core::time::Span;
use trunkline_store::row::{Alert, Case, Counter, Gap, Held, MessageFilter};

use super::Console;
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::SignedIn;
use super::view::{self, Link, MessageRow, When, capital, count, grouped};

const NEWEST: usize = 15;
const MOST_CASES: usize = 20;

/// The width of a bar, the least of one piece, and the gap after it, in units of the drawing.
const WIDTH: i64 = 1_000;
const LEAST: i64 = 8;
const GAP: i64 = 2;

/// What flows in, besides messages: the counter and its name for people.
const FLOWS: [(&str, &str); 7] = [
    ("event.accepted", "Events accepted"),
    ("event.duplicate", "Duplicates dropped"),
    ("hook.source", "Hooks: events"),
    ("hook.receipt", "Hooks: receipts"),
    ("hook.inbound", "Hooks: texts"),
    ("hook.copy", "Hooks: copies"),
    ("hook.refused", "Hooks: refused"),
];

/// Whether anything is wrong.
struct Health {
    tone: &'static str,
    heading: &'static str,
    sentence: String,
}

/// An account that makes up for webhooks that it may have missed.
struct GapLine {
    account: String,
    since: When,
    waits: bool,
}

/// An alert or case.
struct Trouble {
    code: String,
    about: String,
    detail: Said,
    opened: When,
    times: i64,
    due: Option<When>,
    owner: String,
    href: Option<String>,
}

/// What one kind of people should look at.
struct Group {
    id: &'static str,
    heading: &'static str,
    troubles: Vec<Trouble>,
    /// Where to do something about them, if it is one place.
    more: Option<Link>,
}

/// A day's messages by state, drawn as one bar.
struct Bar {
    day: &'static str,
    total: String,
    summary: String,
    pieces: Vec<Piece>,
}

struct Piece {
    word: &'static str,
    x: i64,
    width: i64,
}

/// A line of the legend.
struct StateCount {
    word: &'static str,
    href: String,
    today: String,
    yesterday: String,
    none: bool,
}

struct Flow {
    name: &'static str,
    today: String,
    yesterday: String,
}

struct HeldRow {
    sentence: String,
    code: String,
    count: String,
    next: When,
    href: String,
}

struct Backlog {
    name: String,
    count: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    health: Health,
    gaps: Vec<GapLine>,
    groups: Vec<Group>,
    bars: [Bar; 2],
    states: Vec<StateCount>,
    flows: Vec<Flow>,
    held: Vec<HeldRow>,
    backlog: Vec<Backlog>,
    rows: Vec<MessageRow>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Problem> {
    let store = console.engine.store.as_ref();
    let now = console.engine.clock.now();
    let (today, yesterday) = (now.utc_day(), (now - Span::hours(24)).utc_day());
    let (counters, held, alerts, gaps) = tokio::try_join!(store.counters(&yesterday), store.held(), store.alerts(), store.gaps())?;
    let all = MessageFilter::default();
    let (cases, backlog, newest) = tokio::try_join!(store.cases(MOST_CASES), store.backlog(), store.messages_matching(&all, NEWEST))?;
    let days = Days::new(&counters, &today, &yesterday);
    let (engineers, customers): (Vec<&Alert>, Vec<&Alert>) = alerts.iter().partition(|alert| alert.kind == AlertKind::System);
    let view = OverviewPage {
        page: Page::new("Overview", &signed_in).at("overview"),
        health: health(engineers.len(), customers.len(), cases.len()),
        gaps: gaps.iter().map(gap).collect(),
        groups: groups(&engineers, &customers, &cases, signed_in.unclear > 0),
        bars: [bar("Today", &days.today), bar("Yesterday", &days.yesterday)],
        states: states(&days),
        flows: flows(&days),
        held: held.iter().map(held_row).collect(),
        backlog: backlog.iter().map(|(name, rows)| Backlog { name: capital(&name.replace(['_', '.'], " ")), count: grouped(*rows) }).collect(),
        rows: view::rows(store, &newest).await?,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The counters of two days, by name.
struct Days {
    today: BTreeMap<String, i64>,
    yesterday: BTreeMap<String, i64>,
}

impl Days {
    fn new(counters: &[Counter], today: &str, yesterday: &str) -> Days {
        let of = |day: &str| -> BTreeMap<String, i64> { counters.iter().filter(|c| c.day == day).map(|c| (c.name.clone(), c.value.max(0))).collect() };
        Days { today: of(today), yesterday: of(yesterday) }
    }
}

fn value(day: &BTreeMap<String, i64>, name: &str) -> i64 {
    day.get(name).copied().unwrap_or(0)
}

fn messages(day: &BTreeMap<String, i64>, state: Delivery) -> i64 {
    value(day, &format!("message.{}", state.word()))
}

fn health(engineers: usize, customers: usize, cases: usize) -> Health {
    let open = [
        (engineers > 0).then(|| count(engineers, "alert for an engineer", "alerts for an engineer")),
        (customers > 0).then(|| count(customers, "alert for whoever talks to customers", "alerts for whoever talks to customers")),
        (cases > 0).then(|| count(cases, "open case", "open cases")),
    ];
    let open: Vec<String> = open.into_iter().flatten().collect();
    if open.is_empty() {
        return Health { tone: "good", heading: "Nothing is wrong", sentence: "No alert is open, and no case waits for a human.".to_owned() };
    }
    let (tone, heading) = if engineers > 0 { ("bad", "Something is wrong") } else { ("wait", "Somebody should look") };
    Health { tone, heading, sentence: format!("{}.", capital(&open.join(", "))) }
}

fn gap(gap: &Gap) -> GapLine {
    GapLine { account: gap.account.clone(), since: When::from(gap.since), waits: gap.holds }
}

fn groups(engineers: &[&Alert], customers: &[&Alert], cases: &[Case], unclear: bool) -> Vec<Group> {
    let alerts = |alerts: &[&Alert]| -> Vec<Trouble> { alerts.iter().map(|one| alert(one)).collect() };
    let all = [
        Group { id: "engineers", heading: "Alerts for an engineer", troubles: alerts(engineers), more: None },
        Group { id: "cases", heading: "Cases that wait for a human", troubles: cases.iter().map(case).collect(), more: unclear.then(undecided) },
        Group { id: "customers", heading: "Alerts for whoever talks to customers", troubles: alerts(customers), more: None },
    ];
    all.into_iter().filter(|group| !group.troubles.is_empty()).collect()
}

/// Where unclear texts are decided about.
fn undecided() -> Link {
    Link { href: "/unclear".to_owned(), word: "Unclear texts".to_owned() }
}

fn alert(alert: &Alert) -> Trouble {
    Trouble {
        code: alert.code.clone(),
        about: mask::numbers(&alert.about),
        detail: Said::new(&alert.detail),
        opened: When::from(alert.opened_at),
        times: alert.times,
        due: None,
        owner: String::new(),
        href: None,
    }
}

fn case(case: &Case) -> Trouble {
    Trouble {
        code: case.code.clone(),
        about: format!("Case {}", case.number),
        detail: Said::new(&case.detail),
        opened: When::from(case.opened_at),
        times: 1,
        due: Some(When::from(case.due)),
        owner: case.owner.clone().unwrap_or_else(|| "nobody yet".to_owned()),
        href: Some(case.message.map_or_else(|| format!("/addresses/{}", case.address), |message| format!("/messages/{message}"))),
    }
}

/// The bar of one day: every state that occurs is seen, however few its messages are.
fn bar(day: &'static str, counters: &BTreeMap<String, i64>) -> Bar {
    let counts: Vec<(Delivery, i64)> = Delivery::ALL.into_iter().map(|state| (state, messages(counters, state))).filter(|(_, n)| *n > 0).collect();
    let total: i64 = counts.iter().map(|(_, n)| n).sum();
    let kinds = i64::try_from(counts.len()).unwrap_or(0);
    let (shared, mut before, mut x) = (WIDTH - LEAST * kinds, 0, 0);
    let mut pieces = Vec::new();
    for (state, n) in &counts {
        let share = (before + n) * shared / total - before * shared / total;
        pieces.push(Piece { word: state.word(), x, width: (LEAST + share - GAP).max(1) });
        (before, x) = (before + n, x + LEAST + share);
    }
    let words: Vec<String> = counts.iter().map(|(state, n)| format!("{} {}", grouped(*n), state.word())).collect();
    let summary = if words.is_empty() { format!("{day}: no messages") } else { format!("{day}: {}", words.join(", ")) };
    Bar { day, total: grouped(total), summary, pieces }
}

fn states(days: &Days) -> Vec<StateCount> {
    let line = |state: Delivery| {
        let (today, yesterday) = (messages(&days.today, state), messages(&days.yesterday, state));
        StateCount {
            word: state.word(),
            href: format!("/messages?state={}", state.word()),
            today: grouped(today),
            yesterday: grouped(yesterday),
            none: today == 0 && yesterday == 0,
        }
    };
    Delivery::ALL.into_iter().map(line).collect()
}

fn flows(days: &Days) -> Vec<Flow> {
    FLOWS.iter().map(|&(counter, name)| Flow { name, today: grouped(value(&days.today, counter)), yesterday: grouped(value(&days.yesterday, counter)) }).collect()
}

fn held_row(held: &Held) -> HeldRow {
    HeldRow { sentence: held_sentence(&held.code), code: held.code.clone(), count: grouped(held.count), next: When::from(held.next), href: format!("/messages/{}", held.example) }
}

/// The reason's code as a sentence about many messages; their own pages give the evidence.
fn held_sentence(code: &str) -> String {
    match code {
        "hours_closed" => "Outside the permitted hours where the recipient is".to_owned(),
        "cap_reached" => "As many were sent to the number as may be".to_owned(),
        "behind" => "Wait for an earlier text of the same run".to_owned(),
        "rate_full" => "The sender's rate is used up".to_owned(),
        "account_rate_full" => "The account's rate is used up, or its vendor asked to wait".to_owned(),
        "country_rate_full" => "Have their turn for the recipient's country".to_owned(),
        "day_full" => "A limit for today is used up; see the alerts".to_owned(),
        "breaker_open" => "Most calls to the account fail; see the alerts".to_owned(),
        "account_paused" => "The account is paused; see the alerts".to_owned(),
        "retry_later" => "Wait to be tried again".to_owned(),
        "" => "Wait for the gate to be asked again".to_owned(),
        other => capital(&other.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(counts: &[(&str, i64)]) -> BTreeMap<String, i64> {
        counts.iter().map(|(state, n)| (format!("message.{state}"), *n)).collect()
    }

    #[test]
    fn a_bar_is_full_and_shows_every_state() {
        for counts in [vec![("delivered", 1)], vec![("delivered", 100_000), ("failed", 1), ("held", 2)], vec![("queued", 3), ("sent", 3), ("unknown", 3)]] {
            let bar = bar("Today", &day(&counts));
            assert_eq!(bar.pieces.len(), counts.len());
            let end = bar.pieces.last().map(|p| p.x + p.width + GAP);
            assert_eq!(end, Some(WIDTH), "{counts:?}");
            assert!(bar.pieces.iter().all(|p| p.width >= LEAST - GAP));
        }
        let empty = bar("Today", &day(&[]));
        assert_eq!((empty.pieces.len(), empty.summary.as_str()), (0, "Today: no messages"));
    }

    #[test]
    fn days_are_kept_apart() {
        let counter = |day: &str, value| Counter { day: day.into(), name: "event.accepted".into(), value };
        let days = Days::new(&[counter("2026-11-22", 7), counter("2026-11-23", 5)], "2026-11-23", "2026-11-22");
        let accepted = flows(&days).into_iter().next().unwrap();
        assert_eq!((accepted.today.as_str(), accepted.yesterday.as_str()), ("5", "7"));
    }

    #[test]
    fn health_says_what_is_open() {
        assert_eq!(health(0, 0, 0).tone, "good");
        assert_eq!(health(0, 0, 1).sentence, "1 open case.");
        let bad = health(2, 1, 0);
        assert_eq!((bad.tone, bad.sentence.as_str()), ("bad", "2 alerts for an engineer, 1 alert for whoever talks to customers."));
    }
}
