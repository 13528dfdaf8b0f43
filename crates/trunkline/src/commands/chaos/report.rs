//! The verdict: each check with what was expected, what was measured and what proves it.
//!
//! Its own file because terminal, JSON and the console's page show the same report, and the exit code is its verdict.
//! It measures nothing itself.

use serde::Serialize;
use serde_json::{Map, Value};
use trunkline_core::time::{Span, Time};
use trunkline_engine::verify::Report as Verified;
use trunkline_sim::faults::Faults;

use super::count::Counted;
use super::ground::Ground;
use super::sandbox::State;
use super::scenario::{Expect, Felt, Scenario};
use super::watch::{Before, Seen};
use crate::output;

/// The most findings of one check that are shown.
const MOST: usize = 10;

/// One thing that must be so.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    name: &'static str,
    what: &'static str,
    expected: String,
    measured: String,
    ok: bool,
    /// The first findings.
    evidence: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Played {
    name: String,
    seconds: f64,
    faults: Map<String, Value>,
}

/// A scenario that was run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    scenario: String,
    description: String,
    pub(super) started_at: Time,
    seconds: f64,
    server: String,
    sandbox: String,
    orders: usize,
    texts: usize,
    phases: Vec<Played>,
    /// How long after the faults all was calm again; absent if it was not.
    drained_after_seconds: Option<f64>,
    checks: Vec<Check>,
    pub(super) ok: bool,
}

/// Everything that was measured.
pub(super) struct Measured<'a> {
    pub(super) started_at: Time,
    pub(super) took: Span,
    pub(super) orders: usize,
    pub(super) drained: Option<Span>,
    pub(super) before: &'a Before,
    pub(super) seen: &'a Seen,
    /// The sandbox's counts before the end was counted.
    pub(super) after: &'a State,
    /// By how much the counter of this name grew.
    pub(super) grown: &'a dyn Fn(&str) -> u64,
    /// What gave up meanwhile, with the cause.
    pub(super) dead: Vec<String>,
    pub(super) counted: Counted,
    pub(super) verified: Verified,
}

impl Report {
    pub(super) fn of(scenario: &Scenario, ground: &Ground, measured: Measured<'_>) -> Report {
        let (orders, texts) = (measured.orders, measured.counted.texts);
        let (started_at, took, drained) = (measured.started_at, measured.took, measured.drained);
        let checks = checks(scenario, ground, measured);
        Report {
            scenario: scenario.name.clone(),
            description: scenario.description.clone(),
            started_at,
            seconds: seconds(took),
            server: ground.server.clone(),
            sandbox: ground.sandbox.url.clone(),
            orders,
            texts,
            phases: scenario.phases.iter().map(|phase| Played { name: phase.name.clone(), seconds: seconds(phase.lasts), faults: unusual(&phase.faults) }).collect(),
            drained_after_seconds: drained.map(seconds),
            ok: checks.iter().all(|check| check.ok),
            checks,
        }
    }

    /// For the terminal.
    pub(super) fn table(&self) {
        output::say(&format!("{}: {}", self.scenario, self.description));
        output::say("");
        let mark = |ok: bool| if ok { "ok" } else { "FAILED" }.to_owned();
        let rows: Vec<Vec<String>> = self.checks.iter().map(|check| vec![check.what.to_owned(), check.expected.clone(), check.measured.clone(), mark(check.ok)]).collect();
        output::table(&["CHECK", "EXPECTED", "MEASURED", ""], &rows);
        for check in self.checks.iter().filter(|check| !check.ok) {
            check.evidence.iter().for_each(|line| output::complain(&format!("{}: {line}", check.name)));
        }
        let failed = self.checks.iter().filter(|check| !check.ok).count();
        output::say("");
        output::say(&if failed == 0 { "passed".to_owned() } else { format!("FAILED: {failed} of {} checks", self.checks.len()) });
    }
}

fn checks(scenario: &Scenario, ground: &Ground, measured: Measured<'_>) -> Vec<Check> {
    let Measured { drained, before, seen, after, grown, dead, counted, verified, .. } = measured;
    let Expect { twice, lost, wrong, unclear, failed, dead_letters, crm_wrong, alerts, felt } = &scenario.expect;
    let left = if drained.is_some() { Vec::new() } else { seen.left.clone() };
    let calm = drained.map_or_else(|| "not".to_owned(), |span| format!("after {:.1}s", seconds(span)));
    let mut all = vec![
        Check::new("drained", "all queues are drained", format!("within {}", scenario.drain_within), calm, drained.is_some(), left),
        Check::new("ready", "the server was ready at every look", "always".to_owned(), format!("{} of {}", seen.looks - seen.unready, seen.looks), seen.unready == 0, Vec::new()),
        Check::at_most("twice", "texts that came twice", *twice, counted.twice),
        Check::at_most("lost", "orders and texts that came to no end", *lost, counted.lost),
        Check::at_most("wrong", "texts whose state contradicts the phones", *wrong, counted.wrong),
        Check::at_most("unclear", "texts of unknown fate", *unclear, counted.unclear),
        Check::at_most("failed", "texts that were given up", *failed, counted.failed),
        Check::at_most("dead_letters", "dead letters", *dead_letters, dead),
    ];
    if ground.crm {
        all.push(Check::at_most("crm_wrong", "records in the CRM that differ", *crm_wrong, counted.crm_wrong));
    }
    let raised: Vec<&str> = seen.alerts.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = alerts.iter().map(String::as_str).collect();
    let details = seen.alerts.iter().map(|(code, detail)| format!("{code}: {detail}")).collect();
    all.push(Check::new("alerts", "alerts that were raised", listed(&wanted), listed(&raised), raised == wanted, details));
    let given_up = after.hooks.given_up - before.sandbox.hooks.given_up;
    all.push(Check::new("given_up", "webhooks that their sender gave up", "0".to_owned(), given_up.to_string(), given_up == 0, Vec::new()));
    let taken = after.hooks.forged_taken - before.sandbox.hooks.forged_taken;
    if after.hooks.forged > before.sandbox.hooks.forged {
        all.push(Check::new("forged_taken", "forged webhooks that were taken", "0".to_owned(), taken.to_string(), taken == 0, Vec::new()));
    }
    let differences = verified.first.iter().map(|d| format!("{} {}: stored {} folded {}", d.row, d.field, d.stored, d.folded)).collect();
    all.push(Check::new("verify", "states that are not their history", "0".to_owned(), verified.differences.to_string(), verified.differences == 0, differences));
    let Felt { vendor_failures, crm_failures, hooks_refused, copies, hooks_waiting, in_the_air } = felt;
    let vendor = after.calls.vendor_failed - before.sandbox.calls.vendor_failed;
    let crm = after.calls.crm_failed - before.sandbox.calls.crm_failed;
    all.extend(Check::at_least("felt.vendor_failures", "felt: calls of the vendor that failed", *vendor_failures, vendor));
    all.extend(Check::at_least("felt.crm_failures", "felt: calls of the CRM that failed", *crm_failures, crm));
    all.extend(Check::at_least("felt.hooks_refused", "felt: webhooks that were refused", *hooks_refused, grown("hook.refused")));
    all.extend(Check::at_least("felt.copies", "felt: copies that changed nothing", *copies, grown("hook.copy") + grown("event.duplicate")));
    all.extend(Check::at_least("felt.hooks_waiting", "felt: webhooks that waited at one time", *hooks_waiting, seen.hooks_waiting));
    all.extend(Check::at_least("felt.in_the_air", "felt: texts in the air at one time", *in_the_air, seen.in_the_air));
    all
}

impl Check {
    fn new(name: &'static str, what: &'static str, expected: String, measured: String, ok: bool, mut evidence: Vec<String>) -> Check {
        evidence.truncate(MOST);
        Check { name, what, expected, measured, ok, evidence }
    }

    fn at_most(name: &'static str, what: &'static str, most: u64, found: Vec<String>) -> Check {
        let count = found.len() as u64;
        let expected = if most == 0 { "0".to_owned() } else { format!("at most {most}") };
        Check::new(name, what, expected, count.to_string(), count <= most, found)
    }

    /// Nothing if nothing was asked for.
    fn at_least(name: &'static str, what: &'static str, least: u64, count: u64) -> Option<Check> {
        (least > 0).then(|| Check::new(name, what, format!("at least {least}"), count.to_string(), count >= least, Vec::new()))
    }
}

fn listed(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The settings that are not as usual.
fn unusual(faults: &Faults) -> Map<String, Value> {
    let fields = |faults: &Faults| serde_json::to_value(faults).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let usual = fields(&Faults::default());
    fields(faults).into_iter().filter(|(name, value)| usual.get(name) != Some(value)).collect()
}

fn seconds(span: Span) -> f64 {
    // Exact for any time that a scenario may take.
    f64::from(i32::try_from(span.0 / 1_000).unwrap_or(i32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_limits() {
        let found = |n: usize| vec!["x".to_owned(); n];
        assert!(Check::at_most("a", "a", 0, found(0)).ok && !Check::at_most("a", "a", 0, found(1)).ok);
        let many = Check::at_most("a", "a", 40, found(40));
        assert_eq!((many.ok, many.measured.as_str(), many.evidence.len()), (true, "40", MOST));
        assert!(Check::at_least("a", "a", 0, 0).is_none());
        assert!(!Check::at_least("a", "a", 2, 1).unwrap().ok && Check::at_least("a", "a", 2, 2).unwrap().ok);
    }

    #[test]
    fn only_what_is_set_is_shown() {
        let faults = Faults { refuse_permille: 200, crm_down: true, ..Faults::default() };
        assert_eq!(unusual(&faults).keys().map(String::as_str).collect::<Vec<_>>(), ["refuse_permille", "crm_down"]);
    }
}
