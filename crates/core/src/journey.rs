//! Journeys: versioned definitions, and the one function that moves a run along.
//!
//! Its own file because a journey is data edited by people: the definition is parsed strictly, and a run is a small
//! value that the function below advances. It renders nothing and asks no gate: it says which text is due.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expr::{Engine, ExprError};
use crate::purpose::Purpose;
use crate::quiet::{self, LocalTime};
use crate::time::{Span, Time};

/// A journey, as in `journeys/*.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// What the recipient signed up for.
    pub program: String,
    /// Why its texts are sent.
    pub purpose: Purpose,
    /// How long its texts are worth sending; absent means as the purpose says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Expression: one run for each (journey, profile, value).
    pub correlation: String,
    /// Whether somebody who went through it for one thing may go through it again for the same.
    #[serde(default, skip_serializing_if = "Reentry::is_default")]
    pub reentry: Reentry,
    /// How long after an earlier start it may be entered again, where it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
    /// In this time, an event that says the same as an earlier one under another id starts nothing; absent means that it
    /// starts what its id says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_within: Option<Span>,
    /// What starts it.
    pub trigger: Trigger,
    /// What ends it early, and takes back its texts that have not left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<Cancel>,
    /// Its steps, the first one first.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// What starts a journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The type of the source event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Condition on the event; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// Whether a journey may be entered again for the same (profile, correlation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reentry {
    /// Never: one run for ever.
    #[default]
    Once,
    /// When the earlier run is over.
    AfterEnd,
    /// With every event that triggers it.
    Always,
}

impl Reentry {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
    fn is_default(&self) -> bool {
        *self == Reentry::Once
    }
}

/// An event that ends a run early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The type of the source event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Expression on that event: the run whose correlation has this value ends. Absent means the journey's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// Condition on that event; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Makes exactly one text, then goes on.
    Send {
        /// Its name.
        id: String,
        /// The template.
        template: String,
        /// The step to go on with; absent means the one below.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// Goes on later: after a while, at an instant that the event names, at a time of day where the recipient is; or
    /// the first such time of day after the others.
    Wait {
        /// Its name.
        id: String,
        /// How long.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        span: Option<Span>,
        /// Expression: an instant to count from, instead of from now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// How long before that instant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Span>,
        /// The time of day, in every zone the recipient may be in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<LocalTime>,
        /// The step to go on with; absent means the one below.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// Goes on with the first arm whose condition holds, or with the step below.
    Branch {
        /// Its name.
        id: String,
        /// The arms, in order.
        arms: Vec<Arm>,
    },
    /// Ends the run.
    End {
        /// Its name.
        id: String,
    },
}

/// One arm of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its condition.
    pub when: String,
    /// The step to go on with.
    pub to: String,
}

impl Step {
    /// Its name.
    pub fn id(&self) -> &str {
        match self {
            Step::Send { id, .. } | Step::Wait { id, .. } | Step::Branch { id, .. } | Step::End { id } => id,
        }
    }

    /// The names of the steps it may go on with, besides the one below.
    pub fn targets(&self) -> Vec<&str> {
        match self {
            Step::Send { next, .. } | Step::Wait { next, .. } => next.iter().map(String::as_str).collect(),
            Step::Branch { arms, .. } => arms.iter().map(|a| a.to.as_str()).collect(),
            Step::End { .. } => Vec::new(),
        }
    }

    /// Whether it may go on with the step below.
    pub fn falls_through(&self) -> bool {
        match self {
            Step::Send { next, .. } | Step::Wait { next, .. } => next.is_none(),
            Step::Branch { .. } => true,
            Step::End { .. } => false,
        }
    }
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Position {
    /// At a step, to be done when due.
    At {
        /// The step.
        step: String,
        /// How many steps were visited before it.
        visit: u32,
        /// When.
        due: Time,
    },
    /// Over.
    Ended {
        /// Why.
        why: String,
    },
    /// Over, because an event ended it early.
    Canceled {
        /// Which event.
        why: String,
    },
    /// Over, because a step could not be done.
    Failed {
        /// Why.
        why: String,
    },
}

/// What moving along found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The text that is due, if one is: (step, visit, template). At most one each move.
    pub send: Option<(String, u32, String)>,
    /// Where the run is now.
    pub position: Position,
    /// What was passed on the way, for the run's history.
    pub trail: Vec<String>,
    /// The steps that were passed.
    pub passed: Vec<String>,
}

/// What an event says, as far as another one may say the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meaning<'a> {
    /// Its type.
    pub kind: &'a str,
    /// What it happened to.
    pub subject: Option<&'a str>,
    /// Its payload.
    pub data: &'a Value,
    /// When it was taken.
    pub at: Time,
}

/// Whether an event that wants to start a run may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It may.
    Free,
    /// It may not.
    Barred {
        /// Why.
        why: String,
    },
}

/// The most steps one move may pass: a circle of branches is a fault of the definition.
const MOST_STEPS: u32 = 64;
/// The most steps a run may ever visit.
const MOST_VISITS: u32 = 10_000;

impl Journey {
    /// Where a new run starts.
    pub fn start(&self, now: Time) -> Position {
        match self.steps.first() {
            Some(first) => Position::At { step: first.id().to_owned(), visit: 1, due: now },
            None => Position::Ended { why: "the journey has no steps".to_owned() },
        }
    }

    /// Whether a run may start, given the newest run for the same (profile, correlation).
    pub fn enter(&self, earlier: Option<(&Position, Time)>, now: Time) -> Entry {
        let Some((position, started_at)) = earlier else { return Entry::Free };
        if matches!(position, Position::At { .. }) {
            return Entry::Barred { why: "an earlier run of it is under way".to_owned() };
        }
        match self.cooldown {
            Some(cooldown) if now < started_at + cooldown => Entry::Barred { why: format!("its cooldown of {cooldown} lasts until {}", started_at + cooldown) },
            _ => Entry::Free,
        }
    }

    /// Whether an event says the same as an earlier one about the same person and value, and too soon after it.
    pub fn repeats(&self, event: Meaning<'_>, earlier: Meaning<'_>) -> bool {
        let apart = event.at.0.saturating_sub(earlier.at.0).saturating_abs();
        let same = event.kind == earlier.kind && event.subject == earlier.subject && event.data == earlier.data;
        same && self.duplicate_within.is_some_and(|within| apart < within.0)
    }

    /// Moves a run that is due: up to and including one text, then through whatever needs no waiting.
    pub fn advance(&self, engine: &Engine, step: &str, visit: u32, due: Time, zones: &[String], facts: &Value) -> Move {
        let mut at = Move { send: None, position: Position::At { step: step.to_owned(), visit, due }, trail: Vec::new(), passed: Vec::new() };
        for _ in 0..MOST_STEPS {
            let Position::At { step: name, visit, due } = at.position.clone() else { return at };
            let Some(index) = self.steps.iter().position(|s| s.id() == name) else {
                at.position = Position::Failed { why: format!("step '{name}' does not exist in this version") };
                return at;
            };
            if visit > MOST_VISITS {
                at.position = Position::Failed { why: format!("more than {MOST_VISITS} steps visited") };
                return at;
            }
            let Some(step) = self.steps.get(index) else { return at };
            match step {
                Step::Send { id, template, next } => {
                    if at.send.is_some() {
                        return at;
                    }
                    at.passed.push(id.clone());
                    at.send = Some((id.clone(), visit, template.clone()));
                    at.trail.push(format!("{id}: send {template}"));
                    at.position = self.after(index, next.as_deref(), visit, due);
                }
                Step::Wait { id, next, .. } => {
                    at.passed.push(id.clone());
                    match resume(step, engine, due, zones, facts) {
                        Ok(then) => {
                            at.trail.push(format!("{id}: wait until {then}"));
                            at.position = self.after(index, next.as_deref(), visit, then);
                        }
                        Err(why) => at.position = Position::Failed { why: format!("wait '{id}': {why}") },
                    }
                    return at;
                }
                Step::Branch { id, arms } => match choose(engine, arms, facts) {
                    Ok(to) => {
                        at.passed.push(id.clone());
                        at.trail.push(format!("{id}: branch to {}", to.unwrap_or("the step below")));
                        at.position = self.after(index, to, visit, due);
                    }
                    Err(error) => {
                        at.position = Position::Failed { why: format!("branch '{id}': condition {error}") };
                        return at;
                    }
                },
                Step::End { id } => {
                    at.passed.push(id.clone());
                    at.trail.push(format!("{id}: end"));
                    at.position = Position::Ended { why: format!("reached '{id}'") };
                    return at;
                }
            }
        }
        at.position = Position::Failed { why: format!("{MOST_STEPS} steps without waiting: the journey goes in a circle") };
        at
    }

    fn after(&self, index: usize, next: Option<&str>, visit: u32, due: Time) -> Position {
        let below = self.steps.get(index + 1).map(Step::id);
        match next.or(below) {
            Some(step) => Position::At { step: step.to_owned(), visit: visit + 1, due },
            None => Position::Ended { why: "the last step is done".to_owned() },
        }
    }
}

/// When a wait is over. An instant that has passed is over at once.
fn resume(step: &Step, engine: &Engine, due: Time, zones: &[String], facts: &Value) -> Result<Time, String> {
    let Step::Wait { span, at, before, until, .. } = step else { return Ok(due) };
    let named = match at {
        None => due,
        Some(source) => match engine.value(source, facts).map_err(|e| format!("'at' {e}"))? {
            Value::String(text) => text.parse::<Time>().map_err(|e| format!("'at' gives {e}"))?,
            other => return Err(format!("'at' gives {}, and an instant is a text in RFC 3339", crate::event::kind_of(&other))),
        },
    };
    let then = (named - before.unwrap_or(Span::ZERO) + span.unwrap_or(Span::ZERO)).max(due);
    let local = until.map_or(then, |local| quiet::next_local(local, zones, then));
    // A time of day that only comes when it is all over is not waited for.
    Ok(if before.is_some() && local > named { then } else { local })
}

fn choose<'a>(engine: &Engine, arms: &'a [Arm], facts: &Value) -> Result<Option<&'a str>, ExprError> {
    for arm in arms {
        if engine.holds(&arm.when, facts)? {
            return Ok(Some(&arm.to));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn send(id: &str) -> Step {
        Step::Send { id: id.into(), template: format!("{id}_text"), next: None }
    }

    fn journey(steps: Vec<Step>) -> Journey {
        Journey {
            program: "acme".into(),
            purpose: Purpose::Transactional,
            ttl: None,
            correlation: "event.id".into(),
            reentry: Reentry::Once,
            cooldown: None,
            duplicate_within: None,
            cancel: Vec::new(),
            trigger: Trigger { kind: "order.created".into(), when: None },
            steps,
        }
    }

    fn go(journey: &Journey, step: &str, facts: &Value) -> (Option<String>, Position) {
        let moved = journey.advance(&Engine::new(), step, 1, Time(100), &["America/New_York".to_owned()], facts);
        (moved.send.map(|(step, ..)| step), moved.position)
    }

    #[test]
    fn one_text_each_move() {
        let wait = Step::Wait { id: "pause".into(), span: Some(Span(50)), at: None, before: None, until: None, next: None };
        let j = journey(vec![send("one"), wait, send("two"), send("three"), Step::End { id: "done".into() }]);
        assert_eq!(go(&j, "one", &json!({})), (Some("one".into()), Position::At { step: "two".into(), visit: 3, due: Time(150) }));
        assert_eq!(go(&j, "two", &json!({})), (Some("two".into()), Position::At { step: "three".into(), visit: 2, due: Time(100) }));
        assert_eq!(go(&j, "three", &json!({})), (Some("three".into()), Position::Ended { why: "reached 'done'".into() }));
    }

    #[test]
    fn branches() {
        let arms = vec![Arm { when: "event.total > 100".into(), to: "big".into() }];
        let j = journey(vec![Step::Branch { id: "size".into(), arms }, Step::End { id: "small".into() }, send("big")]);
        assert_eq!(go(&j, "size", &json!({"event": {"total": 500}})).0, Some("big".into()));
        assert_eq!(go(&j, "size", &json!({"event": {"total": 5}})).1, Position::Ended { why: "reached 'small'".into() });
        let (_, failed) = go(&j, "size", &json!({"event": {}}));
        assert_eq!(failed, Position::Failed { why: "branch 'size': condition event.total is undefined".into() });
    }

    #[test]
    fn waits_until() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let facts = json!({"event": {"starts": "2026-11-25T15:30:00Z", "soon": "1970-01-01T00:00:01Z", "later": "1970-01-01T13:00:00Z", "odd": 5}});
        for (name, toml, expect) in [
            ("a time of day", json!({"until": "09:00"}), Ok(at("1970-01-01T14:00:00Z"))),
            ("a day before an instant", json!({"at": "event.starts", "before": "24h"}), Ok(at("2026-11-24T15:30:00Z"))),
            ("the evening before", json!({"at": "event.starts", "before": "48h", "until": "18:00"}), Ok(at("2026-11-23T23:00:00Z"))),
            ("the evening before, when only the evening after is left", json!({"at": "event.later", "before": "36h", "until": "18:00"}), Ok(Time(100))),
            ("an instant that has passed", json!({"at": "event.soon", "before": "24h"}), Ok(Time(100))),
            ("a while", json!({"for": "2h"}), Ok(Time(100) + Span::hours(2))),
            ("no instant", json!({"at": "event.odd"}), Err("'at' gives a number")),
            ("nothing", json!({"at": "event.none"}), Err("undefined")),
        ] {
            let mut fields = json!({"do": "wait", "id": "w"});
            fields.as_object_mut().unwrap().extend(toml.as_object().unwrap().clone());
            let step: Step = serde_json::from_value(fields).unwrap();
            let j = journey(vec![step, Step::End { id: "done".into() }]);
            match (go(&j, "w", &facts).1, expect) {
                (Position::At { due, .. }, Ok(expect)) => assert_eq!(due, expect, "{name}"),
                (Position::Failed { why }, Err(expect)) => assert!(why.contains(expect), "{name}: {why}"),
                (got, expect) => panic!("{name}: {got:?}, expected {expect:?}"),
            }
        }
    }

    #[test]
    fn entering_again() {
        let j = Journey { reentry: Reentry::AfterEnd, cooldown: Some(Span::hours(24)), ..journey(vec![send("one")]) };
        let ended = Position::Ended { why: String::new() };
        let open = Position::At { step: "one".into(), visit: 1, due: Time(0) };
        assert_eq!(j.enter(None, Time(0)), Entry::Free);
        assert!(matches!(j.enter(Some((&open, Time(0))), Time(0) + Span::hours(48)), Entry::Barred { why } if why.contains("under way")));
        assert!(matches!(j.enter(Some((&ended, Time(0))), Time(0) + Span::hours(23)), Entry::Barred { why } if why.contains("cooldown")));
        assert_eq!(j.enter(Some((&ended, Time(0))), Time(0) + Span::hours(24)), Entry::Free);
    }

    #[test]
    fn saying_the_same_again() {
        let (data, other) = (json!({"order": "#1", "total": 5}), json!({"order": "#1", "total": 6}));
        let reordered = json!({"total": 5, "order": "#1"});
        let first = Meaning { kind: "ping", subject: Some("order/1"), data: &data, at: Time(0) };
        let careful = Journey { duplicate_within: Some(Span::mins(10)), ..journey(vec![send("one")]) };
        let soon = Time(0) + Span::secs(599);
        for (name, event, repeats) in [
            ("the same", Meaning { at: soon, ..first }, true),
            ("the same, before it", Meaning { at: Time(0) - Span::secs(599), ..first }, true),
            ("the same in another order", Meaning { at: soon, data: &reordered, ..first }, true),
            ("the same, later", Meaning { at: Time(0) + Span::mins(10), ..first }, false),
            ("another payload", Meaning { at: soon, data: &other, ..first }, false),
            ("another subject", Meaning { at: soon, subject: None, ..first }, false),
            ("another type", Meaning { at: soon, kind: "pong", ..first }, false),
        ] {
            assert_eq!(careful.repeats(event, first), repeats, "{name}");
            assert!(!journey(vec![send("one")]).repeats(event, first), "{name}: nobody asked");
        }
    }

    #[test]
    fn circles_end() {
        let arms = vec![Arm { when: "true".into(), to: "a".into() }];
        let j = journey(vec![Step::Branch { id: "a".into(), arms }]);
        assert!(matches!(go(&j, "a", &json!({})).1, Position::Failed { .. }));
    }
}
