//! `trunkline apply`: publish the journeys of the files, after showing what changes and what runs under way will do.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_engine::definitions::{Change, changes, publish};
use trunkline_store::row::StepCount;

use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK};
use crate::wiring;

/// Publish the journeys of the configuration: a running server takes them up by itself.
#[derive(Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    place: Place,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Apply {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("warn", false);
        let config = self.place.load()?;
        let store = wiring::open_store(&config)?;
        let found = changes(store.as_ref(), &config.drafts()).await?;
        let runs = store.steps_now().await?;
        let answer = |applied: bool| {
            let changes: Vec<Value> = found.iter().map(|c| told(c, &runs)).collect();
            if self.place.json { output::json(&json!({"changes": changes, "applied": applied})) } else { Ok(()) }
        };
        if !self.place.json {
            for change in &found {
                show(change, &runs);
            }
        }
        if found.is_empty() {
            answer(false)?;
            output::tell("nothing to apply: what is published is what the files say");
            return Ok(EXIT_OK);
        }
        if self.dry_run {
            answer(false)?;
            return Ok(EXIT_FOUND);
        }
        if !self.yes && !agreed()? {
            answer(false)?;
            output::tell("nothing was changed");
            return Ok(EXIT_FOUND);
        }
        publish(store.as_ref(), SystemClock::new().now(), &found).await?;
        answer(true)?;
        output::tell(&format!("{} published; a running server takes them up within a second", count(found.len(), "journey", "journeys")));
        Ok(EXIT_OK)
    }
}

/// Asks whoever sits there; without anybody, the flag has to say it.
fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("nobody can be asked here: add --yes to publish this, or --dry-run to look only");
    }
    let mut errors = std::io::stderr();
    write!(errors, "publish this? [y/N] ")?;
    errors.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn told(change: &Change, runs: &[StepCount]) -> Value {
    let under_way: Vec<Value> = of(change, runs).map(|r| json!({"version": r.version, "step": r.step, "runs": r.runs})).collect();
    json!({"journey": change.journey, "from": change.from, "to": change.to, "difference": lines(change), "runs_under_way": under_way})
}

fn of<'a>(change: &'a Change, runs: &'a [StepCount]) -> impl Iterator<Item = &'a StepCount> {
    runs.iter().filter(|r| r.journey == change.journey)
}

fn show(change: &Change, runs: &[StepCount]) {
    let what = match (change.from, change.to) {
        (None, Some(to)) => format!("new, version {to}"),
        (Some(from), Some(to)) => format!("version {from} becomes {to}"),
        (_, None) => "retired: its file is gone".to_owned(),
    };
    output::say(&format!("{}: {what}", change.journey));
    for line in lines(change) {
        output::say(&format!("  {line}"));
    }
    let mut versions: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for step in of(change, runs) {
        versions.entry(step.version).or_default().push(format!("{} at '{}'", step.runs, step.step));
    }
    for (version, steps) in &versions {
        output::say(&format!("  runs under way keep version {version} to their end: {}", steps.join(", ")));
    }
    let next = if change.to.is_some() { "new runs take the new version" } else { "no new run starts" };
    output::say(&format!("  {}{next}\n", if versions.is_empty() { "no run is under way; " } else { "" }));
}

/// The lines that differ, as TOML with a line around each; of a new journey, nothing but that it is new.
fn lines(change: &Change) -> Vec<String> {
    let (Some(old), Some(new)) = (&change.bodies.0, &change.bodies.1) else { return Vec::new() };
    let (old, new) = (readable(old), readable(new));
    let diff = TextDiff::from_lines(&old, &new);
    let mut all = Vec::new();
    for group in diff.grouped_ops(1) {
        for op in group {
            for part in diff.iter_changes(&op) {
                let mark = match part.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                all.push(format!("{mark} {}", part.value().trim_end()));
            }
        }
    }
    all
}

/// A stored definition as the files write it.
fn readable(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    toml::to_string_pretty(&value).unwrap_or_else(|_| body.to_owned())
}
