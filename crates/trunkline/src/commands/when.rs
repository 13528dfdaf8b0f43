//! `trunkline when`: whether a text may leave to a number, when it may next, and its week as a picture.
//!
//! Its own file as a subcommand. It asks the same question as the gate, with the rules in force here; consent, caps and
//! the address that a system of record knows are the message's, and `explain` tells of them.

use std::collections::BTreeMap;
use std::io::stdin;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_core::number::Number;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::quiet::{Answer, Confidence, OnHolidays, Question, Rule, Rules, Whereabouts};
use trunkline_core::time::Time;
use trunkline_core::zone;

use super::Place;
use crate::config::{Diagnoses, Files, Severity};
use crate::ndjson;
use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Say when a text may leave.
#[derive(Args)]
pub(crate) struct When {
    #[command(flatten)]
    place: Place,
    /// The recipient, such as +14155550123; with --json and without it, questions are read from standard input.
    #[arg(required_unless_present = "json")]
    number: Option<String>,
    /// otp, transactional, service, marketing or collections.
    #[arg(long, required_unless_present = "json")]
    purpose: Option<Purpose>,
    /// The instant that is asked about, such as 2026-11-23T20:00:00Z; now if it is absent.
    #[arg(long)]
    at: Option<Time>,
    /// Where the recipient lives, such as FR or US-TX, beside what the number tells.
    #[arg(long)]
    lives_in: Option<String>,
}

/// The rules in force in a configuration; the shipped ones where there is none.
pub(super) struct InForce {
    rules: Rules,
    purposes: BTreeMap<Purpose, Policy>,
    pub(super) region: Option<String>,
}

impl InForce {
    /// Reads what concerns hours; no secret is needed for that.
    pub(super) fn read(place: &Place) -> anyhow::Result<InForce> {
        if !place.config.join("trunkline.toml").exists() {
            return Ok(InForce { rules: Rules::shipped().clone(), purposes: BTreeMap::new(), region: None });
        }
        let mut found = Diagnoses::new(&place.config);
        let files = Files::read(&place.config, &mut found);
        let errors: Vec<String> = found.finish().into_iter().filter(|d| d.problem.severity == Severity::Error).map(|d| d.picture).collect();
        anyhow::ensure!(errors.is_empty(), "the configuration has {} errors\n\n{}", errors.len(), errors.join("\n\n"));
        Ok(InForce { rules: files.rules_in_force(), purposes: files.main.value.purposes.clone(), region: files.main.value.default_region.clone() })
    }

    fn whereabouts(&self, number: &Number, lives_in: Option<&str>) -> Whereabouts {
        let mut here = Whereabouts::of(number);
        if let Some(residence) = lives_in {
            here.lives_in(residence);
        }
        for jurisdiction in &self.rules.settings.jurisdictions {
            here.bound_by(jurisdiction);
        }
        here
    }

    fn question<'a>(&'a self, here: &'a Whereabouts, purpose: Purpose) -> Question<'a> {
        let window = self.purposes.get(&purpose).map_or_else(|| Policy::default_for(purpose).window, |policy| policy.window);
        Question { rules: &self.rules, purpose, jurisdictions: &here.jurisdictions, zones: &here.zones, window }
    }
}

/// A question on standard input.
#[derive(Deserialize)]
struct Line {
    number: String,
    purpose: Purpose,
    #[serde(default)]
    at: Option<Time>,
    #[serde(default)]
    lives_in: Option<String>,
}

impl When {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let in_force = InForce::read(&self.place)?;
        let now = || SystemClock::new().now();
        anyhow::ensure!(self.number.is_some() == self.purpose.is_some(), "give a number and --purpose, or neither with --json");
        let (Some(number), Some(purpose)) = (&self.number, self.purpose) else {
            ndjson::each_line(stdin().lock(), output::stream(), |line| answer_line(&in_force, line, now))?;
            return Ok(EXIT_OK);
        };
        let number = match Number::parse(number, in_force.region.as_deref()) {
            Ok(number) => number,
            Err(problem) if self.place.json => {
                output::json(&json!({"error": format!("the number {problem}")}))?;
                return Ok(EXIT_FOUND);
            }
            Err(problem) => {
                output::complain(&format!("the number {problem}"));
                return Ok(EXIT_FOUND);
            }
        };
        let here = in_force.whereabouts(&number, self.lives_in.as_deref());
        let question = in_force.question(&here, purpose);
        let at = self.at.unwrap_or_else(now);
        if self.place.json {
            output::json(&answer(&question, at))?;
        } else {
            draw(&number, &here, &question, at);
        }
        Ok(EXIT_OK)
    }
}

fn answer_line(in_force: &InForce, line: &str, now: impl Fn() -> Time) -> Value {
    let asked: Line = match serde_json::from_str(line) {
        Ok(asked) => asked,
        Err(problem) => return json!({"error": format!("the line is no question: {problem}; write {{\"number\", \"purpose\", \"at\"}}")}),
    };
    match Number::parse(&asked.number, in_force.region.as_deref()) {
        Ok(number) => {
            let here = in_force.whereabouts(&number, asked.lives_in.as_deref());
            answer(&in_force.question(&here, asked.purpose), asked.at.unwrap_or_else(now))
        }
        Err(problem) => json!({"error": format!("the number {problem}")}),
    }
}

/// Whether it may, when it may next, and the rules that bind it; `own` stands for the company's own hours.
fn answer(question: &Question<'_>, at: Time) -> Value {
    let (allowed, next) = match question.ask(at) {
        Answer::Any | Answer::Open { .. } => (true, Some(at)),
        Answer::Closed { until, .. } => (false, Some(until)),
        Answer::Never { .. } => (false, None),
    };
    let mut rules: Vec<&str> = question.binding().into_iter().map(|rule| rule.id.as_str()).collect();
    rules.extend(question.window.map(|_| "own"));
    json!({"allowed": allowed, "next": next, "rules": rules})
}

fn draw(number: &Number, here: &Whereabouts, question: &Question<'_>, at: Time) {
    let zone = here.zones.first().map_or("UTC", String::as_str);
    let local = |time: Time| zone::local(zone, time, "%a %-d %b %H:%M %Z");
    let places = if here.jurisdictions.is_empty() { "an unknown country".to_owned() } else { here.jurisdictions.join(", ") };
    let verdict = match question.ask(at) {
        Answer::Any => "may leave at any hour: no rule binds it".to_owned(),
        Answer::Open { until } => format!("may leave, until {}", local(until)),
        Answer::Closed { until, .. } => format!("may not leave before {}", local(until)),
        Answer::Never { .. } => "may never leave: no hour is permitted in all of its zones".to_owned(),
    };
    output::say(&format!("{number} in {places}, {} there: a {} text {verdict}", local(at), question.purpose));
    output::say("");
    let week = question.picture(at);
    let ruler = (0..24).step_by(3).map(|hour| format!("{hour:<6}")).collect::<Vec<_>>().concat();
    output::say(&format!("            {ruler}{}", week.zone));
    for day in &week.days {
        let blocks: String = (0..48).map(|block| if day.at(block * 30, 30) { '█' } else { '·' }).collect();
        let holiday = day.holiday.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        output::say(&format!("{:<12}{blocks}  {}{holiday}", day.label, day.hours()));
    }
    output::say("");
    if here.zones.len() > 1 {
        output::say(&format!("permitted in every zone that the number may be in: {}", here.zones.join(", ")));
    }
    for rule in question.binding() {
        output::say(&rule_line(rule));
    }
    if let Some(window) = question.window {
        output::say(&format!("own: {window}, the company's window for {} texts", question.purpose));
    }
}

fn rule_line(rule: &Rule) -> String {
    let confidence = match rule.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    };
    let closed = if rule.holidays == OnHolidays::Closed { ", not on public holidays" } else { "" };
    let caps = rule.caps.iter().map(|cap| format!(", at most {cap}")).collect::<Vec<_>>().concat();
    let kind = if rule.law { "law" } else { "policy" };
    format!("{}: {} ({kind}, confidence {confidence}): {}{closed}{caps}; {}", rule.id, rule.name, rule.hours, rule.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> InForce {
        InForce { rules: Rules::shipped().clone(), purposes: BTreeMap::new(), region: Some("US".to_owned()) }
    }

    #[test]
    fn answers_lines() {
        let now = || "2026-11-23T18:00:00Z".parse::<Time>().unwrap();
        for (line, expect) in [
            (
                r#"{"number":"+13055550123","purpose":"marketing","at":"2026-11-24T01:30:00Z"}"#,
                json!({"allowed": false, "next": "2026-11-24T13:01:00Z", "rules": ["us", "us-fl", "own"]}),
            ),
            (r#"{"number":"(305) 555-0123","purpose":"marketing"}"#, json!({"allowed": true, "next": "2026-11-23T18:00:00Z", "rules": ["us", "us-fl", "own"]})),
            (r#"{"number":"+13055550123","purpose":"otp","at":"2026-11-24T01:30:00Z"}"#, json!({"allowed": true, "next": "2026-11-24T01:30:00Z", "rules": []})),
            (r#"{"number":"+33612345678","purpose":"marketing","at":"2026-11-22T12:00:00Z"}"#, json!({"allowed": false, "next": "2026-11-23T07:01:00Z", "rules": ["fr", "own"]})),
            (
                r#"{"number":"+14155550123","purpose":"marketing","lives_in":"US-TX","at":"2026-11-22T19:00:00Z"}"#,
                json!({"allowed": false, "next": "2026-11-22T20:01:00Z", "rules": ["us", "us-tx", "own"]}),
            ),
        ] {
            assert_eq!(answer_line(&shipped(), line, now), expect, "{line}");
        }
        for (line, part) in [("hello", "no question"), (r#"{"number":"1","purpose":"otp"}"#, "the number"), (r#"{"number":"+13055550123","purpose":"spam"}"#, "no question")] {
            let told = answer_line(&shipped(), line, now);
            assert!(told["error"].as_str().unwrap().contains(part), "{told}");
        }
    }
}
