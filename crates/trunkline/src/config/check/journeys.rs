//! Journeys: steps that lead nowhere or are never reached, templates that do not exist, variables nobody sets.
//!
//! Its own file because a journey is a small program, and this is its compiler's front end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use trunkline_core::expr::Engine;
use trunkline_core::journey::{Journey, Reentry, Step};
use trunkline_core::time::Span;

use super::super::diagnose::{Diagnoses, Key, Severity};
use super::super::files::{File, Files};
use super::at;

/// What is known of the variables of an event type.
struct Known {
    /// The keys of `event.data`, if every source of this type says them.
    data: Option<BTreeSet<String>>,
    attributes: BTreeSet<String>,
    labels: BTreeSet<String>,
}

pub(super) fn all(files: &Files, engine: &Engine, found: &mut Diagnoses) {
    for file in files.journeys.values() {
        journey(file, files, engine, found);
    }
}

fn journey(file: &File<Journey>, files: &Files, engine: &Engine, found: &mut Diagnoses) {
    let (path, journey) = (&file.path, &file.value);
    if !files.main.value.programs.contains_key(&journey.program) && !files.main.value.programs.is_empty() {
        let known: Vec<&str> = files.main.value.programs.keys().map(String::as_str).collect();
        found.error(path, at!["program"], &format!("no program is called '{}'", journey.program), &format!("use one of: {}", known.join(", ")));
    }
    let known = variables(&journey.trigger.kind, files);
    if known.is_none() && !files.sources.is_empty() {
        let problem = format!("no source is mapped to '{}'", journey.trigger.kind);
        found.warning(path, at!["trigger", "type"], &problem, "it starts by events of the API only; or name it as 'type' in sources/*.toml");
    }
    let mut expressions: Vec<(Vec<Key>, &str)> = vec![(at!["correlation"].to_vec(), &journey.correlation)];
    expressions.extend(journey.trigger.when.as_ref().map(|w| (at!["trigger", "when"].to_vec(), w.as_str())));
    for (index, step) in journey.steps.iter().enumerate() {
        match step {
            Step::Branch { arms, .. } => {
                for (n, arm) in arms.iter().enumerate() {
                    expressions.push((at!["step", index, "arms", n, "when"].to_vec(), &arm.when));
                }
            }
            Step::Wait { at: Some(source), .. } => expressions.push((at!["step", index, "at"].to_vec(), source)),
            Step::Wait { .. } | Step::Send { .. } | Step::End { .. } => {}
        }
    }
    cancels(file, files, engine, found);
    waits(path, journey, found);
    if journey.cooldown.is_some() && journey.reentry != Reentry::AfterEnd {
        found.error(path, at!["cooldown"], "means something only where the journey may be entered again", "write reentry = \"after_end\", or take it out");
    }
    if journey.duplicate_within.is_some() && journey.reentry == Reentry::Once {
        found.error(path, at!["duplicate_within"], "means something only where the journey may be entered again", "write reentry = \"after_end\" or \"always\", or take it out");
    } else if journey.duplicate_within.is_some_and(|within| within.0 <= 0 || within > Span::hours(24)) {
        found.error(path, at!["duplicate_within"], "is not a time up to a day", "write one such as \"10m\"");
    }
    for (way, expression) in expressions {
        match engine.expression_names(expression) {
            Err(error) => found.error(path, &way, &format!("the expression {error}"), "mend its syntax"),
            Ok(names) => {
                for name in names.iter().filter(|n| !defined(n, known.as_ref())) {
                    found.error(path, &way, &format!("'{name}' is undefined"), &hint(known.as_ref()));
                }
            }
        }
    }
    steps(path, journey, found);
    texts(file, files, engine, known.as_ref(), found);
}

/// What ends runs: events that somebody emits, and expressions that these events can answer.
fn cancels(file: &File<Journey>, files: &Files, engine: &Engine, found: &mut Diagnoses) {
    let (path, journey) = (&file.path, &file.value);
    for (index, rule) in journey.cancel.iter().enumerate() {
        let known = variables(&rule.kind, files);
        if known.is_none() && !files.sources.is_empty() {
            let problem = format!("no source is mapped to '{}'", rule.kind);
            found.warning(path, at!["cancel", index, "type"], &problem, "only events of the API end it; or name it as 'type' in sources/*.toml");
        }
        let own = rule.correlation.is_none();
        let correlation = rule.correlation.as_ref().unwrap_or(&journey.correlation);
        let way = if own { at!["cancel", index, "type"] } else { at!["cancel", index, "correlation"] };
        let mut expressions = vec![(way.to_vec(), correlation)];
        expressions.extend(rule.when.as_ref().map(|w| (at!["cancel", index, "when"].to_vec(), w)));
        for (way, expression) in expressions {
            match engine.expression_names(expression) {
                Err(error) => found.error(path, &way, &format!("the expression {error}"), "mend its syntax"),
                Ok(names) => {
                    for name in names.iter().filter(|n| !defined(n, known.as_ref())) {
                        let problem = format!("'{name}' is undefined in '{}'{}", rule.kind, if own { ", and names the run" } else { "" });
                        found.error(path, &way, &problem, &hint(known.as_ref()));
                    }
                }
            }
        }
    }
}

fn waits(path: &Path, journey: &Journey, found: &mut Diagnoses) {
    for (index, step) in journey.steps.iter().enumerate() {
        let Step::Wait { span, at: instant, before, until, .. } = step else { continue };
        if span.is_none() && instant.is_none() && until.is_none() {
            found.error(path, at!["step", index, "id"], "does not say for how long to wait", "add for = \"2h\", until = \"09:00\", or at = \"event.data.starts_at\"");
        }
        if before.is_some() && instant.is_none() {
            found.error(path, at!["step", index, "before"], "counts back from an instant, and none is given", "add at = \"event.data.starts_at\"");
        }
    }
}

fn steps(path: &Path, journey: &Journey, found: &mut Diagnoses) {
    if journey.steps.is_empty() {
        found.error(path, at!["step"], "the journey has no steps", "add [[step]]");
    }
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in journey.steps.iter().enumerate() {
        if places.insert(step.id(), index).is_some() {
            found.error(path, at!["step", index, "id"], &format!("a step above is called '{}' too", step.id()), "give each step its own name");
        }
    }
    for (index, step) in journey.steps.iter().enumerate() {
        for (n, target) in step.targets().into_iter().enumerate().filter(|(_, t)| !places.contains_key(t)) {
            let mut way = at!["step", index].to_vec();
            way.extend(if matches!(step, Step::Branch { .. }) { vec!["arms".into(), n.into(), "to".into()] } else { vec!["next".into()] });
            found.error(path, &way, &format!("no step is called '{target}'"), "name a step of this journey");
        }
    }
    let mut reached = BTreeSet::new();
    let mut queue = vec![0];
    while let Some(index) = queue.pop() {
        let Some(step) = journey.steps.get(index) else { continue };
        if reached.insert(index) {
            queue.extend(step.targets().into_iter().filter_map(|t| places.get(t).copied()));
            queue.extend(step.falls_through().then_some(index + 1));
        }
    }
    for (index, step) in journey.steps.iter().enumerate().filter(|(i, _)| !reached.contains(i)) {
        found.error(path, at!["step", index, "id"], &format!("step '{}' is never reached", step.id()), "lead a step to it, or remove it");
    }
}

fn texts(file: &File<Journey>, files: &Files, engine: &Engine, known: Option<&Known>, found: &mut Diagnoses) {
    for (index, step) in file.value.steps.iter().enumerate() {
        let Step::Send { template: name, .. } = step else { continue };
        let Some(template) = files.templates.get(name) else {
            let known: Vec<&str> = files.templates.keys().map(String::as_str).collect();
            found.error(&file.path, at!["step", index, "template"], &format!("no template is called '{name}'"), &format!("use one of: {}", known.join(", ")));
            continue;
        };
        for (locale, text) in &template.0 {
            for unknown in engine.names(text).unwrap_or_default().iter().filter(|n| !defined(n, known)) {
                let path = Path::new("templates").join(name).join(format!("{locale}.txt"));
                let line = text.lines().position(|l| l.contains(unknown.as_str())).map_or(1, |n| n + 1);
                let problem = format!("'{unknown}' is undefined where journey '{}' uses this text", file.path.file_stem().unwrap_or_default().to_string_lossy());
                found.at_line(Severity::Error, &path, line, unknown, &problem, &hint(known));
            }
        }
    }
}

/// What sources say about an event type; nothing if none maps to it.
fn variables(kind: &str, files: &Files) -> Option<Known> {
    let mut known: Option<Known> = None;
    for mapping in files.sources.values().flat_map(|s| &s.value.map) {
        let makes = mapping.kind.as_deref() == Some(kind) || (mapping.kind.is_none() && mapping.topics.iter().any(|t| t == kind));
        if !makes {
            continue;
        }
        let all = known.get_or_insert_with(|| Known { data: Some(BTreeSet::new()), attributes: BTreeSet::new(), labels: BTreeSet::new() });
        if mapping.data.is_empty() {
            all.data = None;
        }
        if let Some(data) = &mut all.data {
            data.extend(mapping.data.keys().cloned());
        }
        all.attributes.extend(mapping.profile.attributes.keys().cloned());
        all.labels.extend(mapping.labels.keys().cloned());
    }
    known
}

fn defined(name: &str, known: Option<&Known>) -> bool {
    let pieces: Vec<&str> = name.split('.').collect();
    let has = |set: &BTreeSet<String>, key: &str| set.contains(key);
    match (pieces.as_slice(), known) {
        (["event", "data", key, ..], Some(Known { data: Some(data), .. })) => has(data, key),
        (["event" | "profile" | "labels"] | ["event", "data" | "extensions", ..] | ["profile", "attributes"], _) => true,
        (["event", key], _) => ["id", "source", "type", "subject", "time", "extensions"].contains(key),
        (["profile", "attributes", key, ..], Some(known)) => has(&known.attributes, key),
        (["profile", key], _) => ["id", "system", "locale"].contains(key),
        (["labels", key], Some(known)) => has(&known.labels, key),
        (["labels", _] | ["profile", "attributes", ..], None) => true,
        _ => false,
    }
}

fn hint(known: Option<&Known>) -> String {
    let Some(known) = known else { return "event, profile and labels are known here".to_owned() };
    let list = |prefix: &str, set: &BTreeSet<String>| set.iter().map(|k| format!("{prefix}.{k}")).collect::<Vec<_>>();
    let mut all = known.data.as_ref().map(|d| list("event.data", d)).unwrap_or_default();
    all.extend(list("profile.attributes", &known.attributes));
    all.extend(list("labels", &known.labels));
    format!("these are set: {}", all.join(", "))
}
