//! What a template's texts cost before anybody gets one: with the shortest values, and with the worst.
//!
//! Its own file because `check` and the console show the same, and neither knows whom a text is for: values are as
//! configured, or guessed and said to be. It measures; what a segment costs is in `price`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::expr::{Engine, ExprError, Reader, TEXT_CAP};
use crate::segment::{self, Encoding, Route, Size, smart};
use crate::template::writes;

/// What `[templates.<name>]` says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether its texts are made GSM-7 where that saves segments.
    pub smart_encoding: bool,
    /// The worst value of a variable.
    pub worst: BTreeMap<String, Value>,
    /// The most characters that a variable may have.
    pub longest: BTreeMap<String, u16>,
}

/// A text as somebody might get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// Its size.
    pub size: Size,
}

/// What turns a text to UCS-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forcing {
    /// The first such character.
    pub character: char,
    /// Its line in the file, from 1; absent if a value brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Its column in that line, in characters from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// What a text costs at least and at worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// With values of one character, and without what may be absent.
    pub least: Sample,
    /// With the worst value of each variable.
    pub worst: Sample,
    /// The variables of which nothing is configured: their length is a guess.
    pub guessed: Vec<String>,
    /// What turns the worst text to UCS-2, if something does.
    pub forces: Option<Forcing>,
}

/// The length of a variable of which nothing is configured.
pub const GUESS: usize = 40;

/// Previews a text that need not be configured yet; `locale` is the name of its file.
pub fn preview(engine: &Engine, source: &str, locale: &str, house: &str, settings: &Settings, route: &Route) -> Result<Preview, ExprError> {
    let source = source.trim_end();
    let reader = writes(locale, &Reader { locale: locale.to_owned(), zones: Vec::new(), house: house.to_owned() });
    let names = engine.draft_names(source)?;
    let sample = |worst: bool| -> Result<Sample, ExprError> {
        let text = engine.draft(source, &facts(source, &names, settings, worst), &reader, TEXT_CAP)?;
        let smaller = if settings.smart_encoding { smart::encode(&text, route) } else { None };
        let text = smaller.map_or(text, |smart| smart.text);
        Ok(Sample { size: segment::measure_for(&text, route), text })
    };
    let (least, worst) = (sample(false)?, sample(true)?);
    let guessed = names.iter().filter(|name| kind(source, name) == Kind::Text && !settings.worst.contains_key(*name) && !settings.longest.contains_key(*name)).cloned().collect();
    let forces = if worst.size.encoding == Encoding::Ucs2 { forcing(source, &worst.text) } else { None };
    Ok(Preview { least, worst, guessed, forces })
}

/// The first character of a text's own words that GSM-7 lacks, and where it stands.
pub fn written_beyond_gsm7(source: &str) -> Option<Forcing> {
    let (mut line, mut column) = (1, 0);
    // What opened the tag that the place is in, and what opened the words inside of it.
    let (mut tag, mut quote): (Option<char>, Option<char>) = (None, None);
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        (line, column) = if c == '\n' { (line + 1, 0) } else { (line, column + 1) };
        let shown = match (tag, quote) {
            (None, _) if c == '{' && matches!(chars.peek(), Some('{' | '%' | '#')) => {
                tag = chars.next();
                column += 1;
                false
            }
            (None, _) => true,
            (Some(opened), None) => {
                let closes = if opened == '{' { '}' } else { opened };
                if c == closes && chars.peek() == Some(&'}') {
                    chars.next();
                    column += 1;
                    tag = None;
                } else if opened != '#' && matches!(c, '"' | '\'') {
                    quote = Some(c);
                }
                false
            }
            (Some(opened), Some(mark)) => {
                if c == mark {
                    quote = None;
                }
                opened == '{'
            }
        };
        if shown && segment::first_beyond_gsm7(c.encode_utf8(&mut [0; 4])).is_some() {
            return Some(Forcing { character: c, line: Some(line), column: Some(column) });
        }
    }
    None
}

/// What turns this text to UCS-2: words of the file before values.
fn forcing(source: &str, text: &str) -> Option<Forcing> {
    let character = segment::first_beyond_gsm7(text)?;
    Some(written_beyond_gsm7(source).filter(|found| text.contains(found.character)).unwrap_or(Forcing { character, line: None, column: None }))
}

/// What a variable must be for the text to be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Instant,
}

/// What the filters after a name say of its value.
fn kind(source: &str, name: &str) -> Kind {
    let filter = |(at, _): (usize, &str)| {
        let after = source.get(at + name.len()..)?.trim_start().strip_prefix('|')?.trim_start();
        let filter: String = after.chars().take_while(char::is_ascii_alphabetic).collect();
        match filter.as_str() {
            "date" | "time" => Some(Kind::Instant),
            "number" | "currency" | "plural" => Some(Kind::Number),
            _ => None,
        }
    };
    source.match_indices(name).find_map(filter).unwrap_or(Kind::Text)
}

/// Values for every name that a text reads.
fn facts(source: &str, names: &[String], settings: &Settings, worst: bool) -> Value {
    let mut all = Map::new();
    for name in names {
        let optional = source.contains(&format!("{name} is defined"));
        if worst || !optional {
            put(&mut all, name, value(source, name, settings, worst));
        } else if let Some((parent, _)) = name.rsplit_once('.') {
            put(&mut all, parent, json!({}));
        }
    }
    Value::Object(all)
}

fn value(source: &str, name: &str, settings: &Settings, worst: bool) -> Value {
    let given = settings.worst.get(name);
    match (given, kind(source, name)) {
        // A list or a table is needed as it is; its short form is unknown.
        (Some(given), _) if worst || given.is_array() || given.is_object() => given.clone(),
        (_, Kind::Number) => {
            if worst {
                json!(12_345.67)
            } else {
                json!(1)
            }
        }
        (_, Kind::Instant) => json!(if worst { "2026-09-30T22:30:00Z" } else { "2026-05-01T09:05:00Z" }),
        (_, Kind::Text) if worst => json!("x".repeat(settings.longest.get(name).map_or(GUESS, |longest| usize::from(*longest)))),
        (_, Kind::Text) => json!("x"),
    }
}

/// Puts a value where a dotted name finds it.
fn put(all: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            // A table that is there already holds what longer names need.
            all.entry(name).or_insert(value);
        }
        Some((first, rest)) => {
            let inner = all.entry(first).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, settings: &Settings) -> Preview {
        preview(&Engine::new(), source, "default", "en", settings, &Route::default()).unwrap()
    }

    #[test]
    fn least_and_worst() {
        let source = "Hi{% if profile.name is defined %} {{ profile.name }}{% endif %}, {{ event.order }}: {{ event.total | currency('USD') }} on {{ event.at | date }}\n";
        let found = of(source, &Settings::default());
        assert_eq!((found.least.text.as_str(), found.least.size.segments), ("Hi, x: $1.00 on May 1, 2026", 1));
        assert!(found.worst.text.starts_with(&format!("Hi {}, {}: $12,345.67 on Sep 30", "x".repeat(GUESS), "x".repeat(GUESS))), "{}", found.worst.text);
        assert_eq!(found.guessed, ["event.order", "profile.name"]);
        let settings = Settings { worst: [("event.order".to_owned(), json!("#123456789"))].into(), longest: [("profile.name".to_owned(), 5)].into(), ..Settings::default() };
        let found = of(source, &settings);
        assert!(found.worst.text.starts_with("Hi xxxxx, #123456789:") && found.guessed.is_empty(), "{found:?}");
    }

    #[test]
    fn lists_are_given_as_they_are() {
        let source = "{% for i in event.items %}{{ i.name }} {% endfor %}";
        assert!(preview(&Engine::new(), source, "default", "en", &Settings::default(), &Route::default()).is_err());
        let settings = Settings { worst: [("event.items".to_owned(), json!([{"name": "a"}, {"name": "b"}]))].into(), ..Settings::default() };
        assert_eq!(of(source, &settings).worst.text, "a b ");
    }

    #[test]
    fn what_turns_it_to_ucs2() {
        let place = |source: &str| written_beyond_gsm7(source).map(|f| (f.character, f.line.unwrap(), f.column.unwrap()));
        for (source, expect) in [
            ("plain {{ name }}", None),
            ("one\ntwo ’s", Some(('’', 2, 5))),
            ("{# ’ #}{% if x == '’' %}a{% endif %}{{ a['b'] }}", None),
            ("{{ n | plural(one='it’s', other='x') }}", Some(('’', 1, 22))),
            ("{{ a }}’", Some(('’', 1, 8))),
        ] {
            assert_eq!(place(source), expect, "{source}");
        }
        let value = Settings { worst: [("name".to_owned(), json!("Łukasz"))].into(), ..Settings::default() };
        assert_eq!(of("Hi {{ name }}", &value).forces, Some(Forcing { character: 'Ł', line: None, column: None }));
        assert_eq!(of("Hi {{ name }}", &Settings::default()).forces, None);
    }

    #[test]
    fn smart_encoding_is_seen() {
        let source = format!("It’s here. {}", "Reply STOP to get no more texts. ".repeat(3));
        let smart = Settings { smart_encoding: true, ..Settings::default() };
        assert_eq!((of(&source, &Settings::default()).worst.size.segments, of(&source, &smart).worst.size.segments), (2, 1));
        assert_eq!(of(&source, &smart).forces, None);
    }
}
