//! Source events: CloudEvents 1.0 in JSON, parsed into a value that cannot be wrong.
//!
//! Its own file because the border is strict and helpful: every problem names the field and the fix, and all of
//! them are given at once. What an event means is not decided here: see `source` and `journey`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::{Span, Time};

/// The oldest event that is taken: idempotency keys are kept this long, so an older one could not be told from a
/// repeated one.
pub const OLDEST: Span = Span::hours(24 * 395);

/// Something that happened in a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceEvent {
    /// Names it within its source.
    pub id: String,
    /// The system that emitted it.
    pub source: String,
    /// What happened, such as `order.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    pub time: Time,
    /// The payload.
    #[serde(default)]
    pub data: Value,
    /// `CloudEvents` extension attributes, kept as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
}

/// One thing wrong with an input: the field, what is wrong with it, how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field, dotted.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl FieldProblem {
    /// Shorthand.
    pub fn new(field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> FieldProblem {
        FieldProblem { field: field.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl SourceEvent {
    /// Reads one structured-mode event; `now` stands in for a missing time.
    pub fn parse(value: &Value, now: Time) -> Result<SourceEvent, Vec<FieldProblem>> {
        let Value::Object(fields) = value else {
            return Err(vec![FieldProblem::new(
                "",
                format!("an event is a JSON object, not {}", kind_of(value)),
                "send {\"specversion\": \"1.0\", \"id\": …, \"source\": …, \"type\": …, \"data\": …}",
            )]);
        };
        let mut read = Reader { fields, problems: Vec::new() };
        match fields.get("specversion").and_then(Value::as_str) {
            Some("1.0") => {}
            _ => read.problem("specversion", "is missing or not \"1.0\"", "set it to \"1.0\""),
        }
        let id = read.required("id", "a name that is unique within the source");
        let source = read.required("source", "a URI reference that names the system");
        let kind = read.required("type", "what happened, such as \"order.created\"");
        let subject = read.optional("subject");
        let time = read.time(now);
        if let Some(content) = read.optional("datacontenttype")
            && content != "application/json"
            && !content.ends_with("+json")
        {
            read.problem("datacontenttype", &format!("is '{}', and only JSON data is understood", clip(&content)), "send JSON data with \"application/json\"");
        }
        if fields.contains_key("data_base64") {
            read.problem("data_base64", "binary data is not understood", "send JSON in \"data\"");
        }
        let extensions = read.extensions();
        match (id, source, kind) {
            (Some(id), Some(source), Some(kind)) if read.problems.is_empty() => {
                Ok(SourceEvent { id, source, kind, subject, time, data: fields.get("data").cloned().unwrap_or(Value::Null), extensions })
            }
            _ => Err(read.problems),
        }
    }
}

struct Reader<'a> {
    fields: &'a serde_json::Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, problem: &str, fix: &str) {
        self.problems.push(FieldProblem::new(field, problem, fix));
    }

    fn required(&mut self, name: &str, what: &str) -> Option<String> {
        if !self.fields.contains_key(name) || self.fields.get(name) == Some(&Value::Null) {
            self.problem(name, "is missing", &format!("give {what}"));
            return None;
        }
        self.optional(name)
    }

    fn optional(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => {
                self.problem(name, "is empty", "give it a value or leave it out");
                None
            }
            Some(Value::String(text)) if text.len() > 256 => {
                self.problem(name, "is longer than 256 bytes", "shorten it");
                None
            }
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                self.problem(name, "has control characters", "remove them");
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                let problem = format!("must be a text, not {}", kind_of(other));
                self.problem(name, &problem, "put it in quotes");
                None
            }
        }
    }

    fn time(&mut self, now: Time) -> Time {
        let Some(text) = self.optional("time") else { return now };
        match text.parse::<Time>() {
            Err(_) => {
                let problem = format!("'{}' is not an RFC 3339 instant", clip(&text));
                self.problem("time", &problem, "write it like 2026-11-23T14:05:00Z, or leave it out");
                now
            }
            Ok(time) if time < now - OLDEST => {
                self.problem("time", "is more than 13 months ago, so a repeat could not be told from a first", "send recent events only");
                now
            }
            Ok(time) => time,
        }
    }

    fn extensions(&mut self) -> BTreeMap<String, Value> {
        const KNOWN: [&str; 10] = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"];
        let mut kept = BTreeMap::new();
        for (name, value) in self.fields.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
            let shaped = !name.is_empty() && name.len() <= 20 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let name_shown = clip(name);
            if !shaped {
                self.problems.push(FieldProblem::new(
                    name_shown,
                    "is not an attribute of CloudEvents 1.0, nor a legal extension name",
                    "extension names are 1 to 20 lower-case letters and digits; put everything else in \"data\"",
                ));
            } else if matches!(value, Value::Object(_) | Value::Array(_)) {
                self.problems.push(FieldProblem::new(name_shown, format!("an extension cannot be {}", kind_of(value)), "use a text, number or boolean, or put it in \"data\""));
            } else if value.as_str().is_some_and(|t| t.len() > 1024) {
                self.problems.push(FieldProblem::new(name_shown, "is longer than 1024 bytes", "put it in \"data\""));
            } else if kept.len() >= 32 {
                self.problems.push(FieldProblem::new(name_shown, "is one extension too many", "32 are kept; put the rest in \"data\""));
            } else {
                kept.insert(name.clone(), value.clone());
            }
        }
        kept
    }
}

/// What a JSON value is, for people.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Time = Time(1_795_000_000_000_000);

    fn good() -> Value {
        json!({"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.created", "data": {"a": 1}, "traceparent": "00-ab", "retries": 3})
    }

    #[test]
    fn keeps_extensions() {
        let event = SourceEvent::parse(&good(), NOW).unwrap();
        assert_eq!((event.time, event.extensions.len()), (NOW, 2));
        let again: SourceEvent = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
        assert_eq!(again, event);
    }

    #[test]
    fn names_every_problem() {
        let with = |field: &str, value: Value| {
            let mut event = good();
            event[field] = value;
            SourceEvent::parse(&event, NOW).unwrap_err().into_iter().map(|p| p.field).collect::<Vec<_>>()
        };
        assert_eq!(with("specversion", json!("0.3")), ["specversion"]);
        assert_eq!(with("id", json!(17)), ["id"]);
        assert_eq!(with("id", json!("")), ["id"]);
        assert_eq!(with("source", json!(null)), ["source"]);
        assert_eq!(with("type", json!("x".repeat(300))), ["type"]);
        assert_eq!(with("time", json!("yesterday")), ["time"]);
        assert_eq!(with("time", json!("2020-01-01T00:00:00Z")), ["time"]);
        assert_eq!(with("datacontenttype", json!("text/xml")), ["datacontenttype"]);
        assert_eq!(with("data_base64", json!("AA==")), ["data_base64"]);
        assert_eq!(with("Bad-Name", json!("x")), ["Bad-Name"]);
        assert_eq!(with("nested", json!({})), ["nested"]);
        let all = SourceEvent::parse(&json!({}), NOW).unwrap_err();
        assert_eq!(all.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["specversion", "id", "source", "type"]);
        assert!(SourceEvent::parse(&json!([]), NOW).unwrap_err().iter().all(|p| p.problem.contains("a list")));
    }
}
