//! `GET /chaos`: what became of things that were broken on purpose, the newest first, and one report in full.
//!
//! Its own file because these pages show files that `trunkline chaos` left, and nothing of the store: who keeps them,
//! and where, is handed in. It starts no scenario.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use trunkline_core::time::Time;

use super::Console;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::SignedIn;
use super::view::When;

/// A report as it was kept, as far as it is shown.
#[derive(Deserialize)]
struct Report {
    scenario: String,
    description: String,
    started_at: Time,
    seconds: f64,
    orders: u64,
    texts: u64,
    phases: Vec<Phase>,
    checks: Vec<Check>,
    ok: bool,
}

#[derive(Deserialize)]
struct Phase {
    name: String,
    seconds: f64,
    faults: Map<String, Value>,
}

#[derive(Deserialize)]
struct Check {
    what: String,
    expected: String,
    measured: String,
    ok: bool,
    evidence: Vec<String>,
}

/// One report of the list.
struct Row {
    href: String,
    when: When,
    scenario: String,
    ok: bool,
    sentence: String,
}

/// One check of a report.
struct Line {
    ok: bool,
    what: String,
    sentence: String,
    evidence: Vec<Said>,
}

#[derive(Template)]
#[template(path = "chaos.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "chaos_report.html")]
struct ReportPage {
    page: Page,
    scenario: String,
    description: String,
    ok: bool,
    when: When,
    sentence: String,
    phases: Vec<String>,
    lines: Vec<Line>,
}

pub(super) async fn list(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Problem> {
    let rows = kept(&console).await?.iter().map(|(name, report)| row(name, report)).collect();
    Ok(page::html(StatusCode::OK, &ListPage { page: Page::new("Chaos", &signed_in).at("chaos"), rows }))
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(name): Path<String>) -> Result<Response, Problem> {
    let found = kept(&console).await?.into_iter().find(|(known, _)| *known == name);
    let Some((_, report)) = found else { return Err(Problem::not_found(&signed_in, "There is no such report.")) };
    let view = ReportPage {
        page: Page::new(format!("Chaos: {}", report.scenario), &signed_in).at("chaos"),
        when: When::from(report.started_at),
        sentence: sentence(&report),
        phases: report.phases.iter().map(phase).collect(),
        lines: report.checks.into_iter().map(line).collect(),
        scenario: report.scenario,
        description: report.description,
        ok: report.ok,
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The reports that are kept, the newest first; what is none of ours is left out.
async fn kept(console: &Console) -> Result<Vec<(String, Report)>, Problem> {
    let Some(reports) = console.reports.clone() else { return Ok(Vec::new()) };
    // They are read from a disk.
    let kept = tokio::task::spawn_blocking(move || reports()).await.map_err(|_| Problem::Internal("the reports of chaos could not be read"))?;
    Ok(kept.into_iter().filter_map(|(name, report)| Some((name, serde_json::from_value(report).ok()?))).collect())
}

fn row(name: &str, report: &Report) -> Row {
    Row { href: format!("/chaos/{name}"), when: When::from(report.started_at), scenario: report.scenario.clone(), ok: report.ok, sentence: sentence(report) }
}

fn sentence(report: &Report) -> String {
    let failed = report.checks.iter().filter(|check| !check.ok).count();
    let checks = if failed == 0 { format!("all {} checks hold", report.checks.len()) } else { format!("{failed} of {} checks failed", report.checks.len()) };
    format!("{} orders, {} texts, {:.0} seconds: {checks}.", report.orders, report.texts, report.seconds)
}

fn phase(phase: &Phase) -> String {
    let faults: Vec<String> = phase.faults.iter().map(|(name, value)| if *value == Value::Bool(true) { name.clone() } else { format!("{name} {value}") }).collect();
    let faults = if faults.is_empty() { "nothing goes wrong".to_owned() } else { faults.join(", ") };
    format!("{}, {:.0} seconds: {faults}", phase.name, phase.seconds)
}

fn line(check: Check) -> Line {
    let Check { what, expected, measured, ok, evidence } = check;
    let evidence = if ok { Vec::new() } else { evidence.iter().map(|text| Said::sentence(text)).collect() };
    Line { ok, what, sentence: format!("Expected {expected}, measured {measured}."), evidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ok: bool) -> Report {
        let check = |ok: bool| serde_json::json!({"name": "lost", "what": "orders without a text", "expected": "0", "measured": if ok { "0" } else { "1" }, "ok": ok, "evidence": ["order #1042: call +14155550123"]});
        let value = serde_json::json!({
            "scenario": "crm-down", "description": "The CRM is down.", "started_at": "2026-11-23T08:00:00Z", "seconds": 71.4, "orders": 60, "texts": 60,
            "phases": [{"name": "down", "seconds": 12.0, "faults": {"crm_down": true, "crm_slow_ms": 5}}], "checks": [check(true), check(ok)], "ok": ok,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn reports_are_sentences() {
        assert_eq!(sentence(&report(true)), "60 orders, 60 texts, 71 seconds: all 2 checks hold.");
        assert_eq!(sentence(&report(false)), "60 orders, 60 texts, 71 seconds: 1 of 2 checks failed.");
        assert_eq!(report(true).phases.iter().map(phase).collect::<Vec<_>>(), ["down, 12 seconds: crm_down, crm_slow_ms 5"]);
        let lines: Vec<Line> = report(false).checks.into_iter().map(line).collect();
        assert_eq!(lines.iter().map(|line| line.evidence.len()).collect::<Vec<_>>(), [0, 1], "only what failed is proved");
        assert!(lines.iter().flat_map(|line| &line.evidence).all(|said| !said.text().contains("4155550123")), "numbers stay hidden");
    }
}
