//! `trunkline number`: what a phone number alone tells: country, kind of line, time zones.
//!
//! Its own file as a subcommand. It looks nothing up: who holds a number and whether it was ported, a vendor knows.

use std::io::stdin;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::number::Number;
use trunkline_core::quiet::Whereabouts;

use super::Place;
use super::when::InForce;
use crate::ndjson;
use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Say what a number tells.
#[derive(Args)]
pub(crate) struct NumberOf {
    #[command(flatten)]
    place: Place,
    /// The number, such as +14155550123; with --json and without it, numbers are read from standard input.
    #[arg(required_unless_present = "json")]
    number: Option<String>,
}

/// A question on standard input.
#[derive(Deserialize)]
struct Line {
    number: String,
}

impl NumberOf {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let region = InForce::read(&self.place)?.region;
        let Some(number) = &self.number else {
            ndjson::each_line(stdin().lock(), output::stream(), |line| answer_line(line, region.as_deref()))?;
            return Ok(EXIT_OK);
        };
        let told = answer(number, region.as_deref());
        let found = told.get("error").and_then(Value::as_str);
        if self.place.json {
            output::json(&told)?;
        } else if let Some(problem) = found {
            output::complain(problem);
        } else if let Ok(number) = Number::parse(number, region.as_deref()) {
            let here = Whereabouts::of(&number);
            let list = |names: &[String]| if names.is_empty() { "unknown".to_owned() } else { names.join(", ") };
            output::say(&format!("{number}  {}, {}", number.region().unwrap_or_else(|| "of no country".to_owned()), number.kind().replace('_', " ")));
            output::say(&format!("jurisdictions: {}", list(&here.jurisdictions)));
            output::say(&format!("time zones: {}", list(&here.zones)));
        }
        Ok(if found.is_some() { EXIT_FOUND } else { EXIT_OK })
    }
}

fn answer_line(line: &str, region: Option<&str>) -> Value {
    match serde_json::from_str::<Line>(line) {
        Ok(asked) => answer(&asked.number, region),
        Err(problem) => json!({"error": format!("the line is no question: {problem}; write {{\"number\"}}")}),
    }
}

fn answer(number: &str, region: Option<&str>) -> Value {
    match Number::parse(number, region) {
        Ok(number) => json!({"region": number.region(), "type": number.kind(), "zones": Whereabouts::of(&number).zones}),
        Err(problem) => json!({"error": format!("the number {problem}")}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_lines() {
        for (line, expect) in [
            (r#"{"number":"+447400123456"}"#, json!({"region": "GB", "type": "mobile", "zones": ["Europe/London"]})),
            (r#"{"number":"(415) 555-0123"}"#, json!({"region": "US", "type": "fixed_line_or_mobile", "zones": ["America/Los_Angeles"]})),
        ] {
            assert_eq!(answer_line(line, Some("US")), expect);
        }
        for line in ["", r#"{"number":"x"}"#, r#"{"number":7}"#] {
            assert!(answer_line(line, None)["error"].is_string(), "{line}");
        }
    }
}
