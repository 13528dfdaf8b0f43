//! `trunkline classify`: what a text from a recipient asks for, and by which stage that is found.
//!
//! Its own file as a subcommand. It asks the same words as the inbox, with those of the configuration; what the vendor
//! makes of a text, and what follows from it, is the inbox's.

use std::io::stdin;

use clap::Args;
use serde_json::{Value, json};
use trunkline_core::keyword::{Action, Classified, FreeText, Keywords, Languages, State};

use super::Place;
use crate::config::{Diagnoses, Files, Severity};
use crate::ndjson;
use crate::output::{self, EXIT_OK};

/// Say what a text asks for.
#[derive(Args)]
pub(crate) struct Classify {
    #[command(flatten)]
    place: Place,
    /// The text; with --json and without it, texts are read from standard input, one {"text", "locale", "state"} a line.
    #[arg(required_unless_present = "json")]
    text: Option<String>,
    /// The recipient's locale, such as fr-CA: only words of this language count, and those of everybody. Without it, those
    /// of all languages do that mean nothing else elsewhere.
    #[arg(long)]
    locale: Option<String>,
    /// The country of the recipient's number, such as CA: the languages of its people count too, as they do in the inbox.
    #[arg(long)]
    region: Option<String>,
    /// What the text may be an answer to: `subscribed`, `opted_out`, or `pending` if she was asked to confirm.
    #[arg(long, default_value = "subscribed")]
    state: State,
}

impl Classify {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let words = in_force(&self.place)?;
        let Some(text) = &self.text else {
            let mut number = 0_u64;
            ndjson::each_line(stdin().lock(), output::stream(), |line| {
                number += 1;
                answer_line(&words, &self, line).unwrap_or_else(|problem| json!({"error": format!("line {number}: {problem}"), "line": number}))
            })?;
            return Ok(EXIT_OK);
        };
        let found = words.classify(text, self.languages(&words, None), self.state);
        if self.place.json {
            output::json(&answer(found))?;
        } else {
            output::say(&sentence(found, words.free_text));
        }
        Ok(EXIT_OK)
    }

    /// Whose words count: a line's locale is more than the command's.
    fn languages(&self, words: &Keywords, locale: Option<&str>) -> Languages {
        match (locale.or(self.locale.as_deref()), self.region.as_deref()) {
            (Some(locale), None) => words.only(locale),
            (locale, region) => words.of(locale, region),
        }
    }
}

/// The words in force in a configuration; the shipped ones where there is none.
fn in_force(place: &Place) -> anyhow::Result<Keywords> {
    if !place.config.join("trunkline.toml").exists() {
        return Ok(Keywords::shipped().clone());
    }
    let mut found = Diagnoses::new(&place.config);
    let files = Files::read(&place.config, &mut found);
    let errors: Vec<String> = found.finish().into_iter().filter(|d| d.problem.severity == Severity::Error).map(|d| d.picture).collect();
    anyhow::ensure!(errors.is_empty(), "the configuration has {} errors\n\n{}", errors.len(), errors.join("\n\n"));
    Keywords::with(&files.main.value.keywords).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(|p| format!("{}; {}", p.problem, p.fix)).collect();
        anyhow::anyhow!("[keywords] of the configuration has {} errors\n{}", all.len(), all.join("\n"))
    })
}

/// The answer to a line, or what is wrong with it: the field, the problem, the fix.
fn answer_line(words: &Keywords, asked: &Classify, line: &str) -> Result<Value, String> {
    const FORM: &str = "write {\"text\": \"STOP\", \"locale\": \"en\", \"state\": \"subscribed\"}";
    let line: Value = serde_json::from_str(line).map_err(|problem| {
        let column = problem.column();
        format!("it is no JSON from column {column} on; {FORM}")
    })?;
    if !line.is_object() {
        return Err(format!("it is no JSON object; {FORM}"));
    }
    let field = |name: &str| match line.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("field '{name}' is no string; put it in quotes")),
    };
    let text = field("text")?.ok_or_else(|| format!("field 'text' is missing; {FORM}"))?;
    let state = match field("state")? {
        Some(state) => state.parse::<State>().map_err(|problem| format!("field 'state': {problem}"))?,
        None => asked.state,
    };
    Ok(answer(words.classify(text, asked.languages(words, field("locale")?), state)))
}

fn answer(found: Classified) -> Value {
    json!({"action": found.action, "how": found.how})
}

fn sentence(found: Classified, free_text: FreeText) -> String {
    let action = match found.action {
        Action::OptOut => "opt_out",
        Action::OptIn => "opt_in",
        Action::Help => "help",
        Action::None => "none",
    };
    let free = match free_text {
        _ if !found.free_text => "",
        FreeText::Review => "\nit may be a revocation in free words: the inbox opens a case for somebody to look",
        FreeText::OptOut => "\nit may be a revocation in free words: the inbox opts out, as [keywords] says",
    };
    format!("{action} ({}): {}{free}", found.how.word(), found.how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(locale: Option<&str>, region: Option<&str>) -> Classify {
        let place = Place { config: "nowhere".into(), json: true };
        Classify { place, text: None, locale: locale.map(str::to_owned), region: region.map(str::to_owned), state: State::Subscribed }
    }

    #[test]
    fn answers_lines() {
        for (line, action, how) in [
            (r#"{"text":"STOP","locale":"en","state":"subscribed"}"#, "opt_out", "exact"),
            (r#"{"text":"Oui","locale":"fr","state":"pending"}"#, "opt_in", "exact"),
            (r#"{"text":"YES","locale":"en","state":"subscribed"}"#, "none", "pass-through"),
            (r#"{"text":"can you help me","locale":"en"}"#, "none", "no match"),
            (r#"{"text":"pls stop","id":31}"#, "opt_out", "lenient-last"),
            (r#"{"text":"basta","locale":null}"#, "opt_out", "exact"),
            (r#"{"text":"basta","locale":"en"}"#, "none", "no match"),
            (r#"{"text":""}"#, "none", "empty"),
        ] {
            assert_eq!(answer_line(Keywords::shipped(), &asked(None, None), line), Ok(json!({"action": action, "how": how})), "{line}");
        }
        let here = |locale, region| answer_line(Keywords::shipped(), &asked(locale, region), r#"{"text":"alto"}"#).unwrap();
        assert_eq!([here(Some("en"), None), here(Some("en"), Some("MX"))].map(|told| told["action"].clone()), ["none", "opt_out"]);
    }

    #[test]
    fn a_bad_line_names_field_and_fix() {
        for (line, parts) in [
            ("STOP", ["no JSON from column", "write {\"text\""]),
            ("", ["no JSON from column", "write {\"text\""]),
            ("[]", ["no JSON object", "write {\"text\""]),
            (r#"{"locale":"en"}"#, ["field 'text' is missing", "write {\"text\""]),
            (r#"{"text":5}"#, ["field 'text' is no string", "put it in quotes"]),
            (r#"{"text":"STOP","locale":[]}"#, ["field 'locale' is no string", "put it in quotes"]),
            (r#"{"text":"STOP","state":"asleep"}"#, ["field 'state': 'asleep' is no state", "use subscribed, opted_out or pending"]),
        ] {
            let problem = answer_line(Keywords::shipped(), &asked(None, None), line).unwrap_err();
            assert!(parts.iter().all(|part| problem.contains(part)), "{line}: {problem}");
        }
    }

    #[test]
    fn a_sentence_says_what_follows() {
        let words = Keywords::shipped();
        let told = |text: &str, free| sentence(words.classify(text, words.only("en"), State::Subscribed), free);
        assert_eq!(told("Stop.", FreeText::Review), "opt_out (exact): the whole text is a keyword");
        assert!(told("please leave me alone", FreeText::Review).ends_with("for somebody to look"));
        assert!(told("please leave me alone", FreeText::OptOut).contains("opts out"));
    }
}
