//! Problems of the configuration: where they are, and how they are shown.
//!
//! Its own file because a problem without file, line, caret and hint is half a problem. It knows TOML, not what any
//! field means.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Nothing starts with it.
    Error,
    /// It works, and probably not as meant.
    Warning,
}

/// A problem, as JSON shows it.
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) problem: String,
    pub(crate) hint: String,
}

/// A problem and its picture.
#[derive(Debug, Clone)]
pub(crate) struct Diagnosis {
    pub(crate) problem: Problem,
    pub(crate) picture: String,
}

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Name(String),
    Index(usize),
}

impl From<&str> for Key {
    fn from(name: &str) -> Key {
        Key::Name(name.to_owned())
    }
}

impl From<usize> for Key {
    fn from(index: usize) -> Key {
        Key::Index(index)
    }
}

/// Collects problems while files are read and checked.
pub(crate) struct Diagnoses {
    directory: PathBuf,
    sources: BTreeMap<PathBuf, String>,
    found: Vec<(Severity, PathBuf, Range<usize>, String, String)>,
}

/// The most faults of shape that are looked for in one file.
const MOST: usize = 20;

impl Diagnoses {
    pub(crate) fn new(directory: &Path) -> Diagnoses {
        Diagnoses { directory: directory.to_owned(), sources: BTreeMap::new(), found: Vec::new() }
    }

    /// Keeps a file's text for pictures.
    pub(crate) fn keep(&mut self, path: &Path, text: String) {
        self.sources.insert(path.to_owned(), text);
    }

    /// Parses a file. After a fault the line is blanked and the rest read again, so that all faults are found.
    pub(crate) fn parse<T: DeserializeOwned>(&mut self, path: &Path, text: String) -> Option<T> {
        let mut rest = text.clone();
        self.keep(path, text);
        for round in 0..MOST {
            match toml::from_str::<T>(&rest) {
                Ok(value) => return (round == 0).then_some(value),
                Err(error) => {
                    let message = error.message().to_owned();
                    // What a blanked line leaves missing is no fault of its own.
                    if round > 0 && message.starts_with("missing field") {
                        return None;
                    }
                    let span = error.span().unwrap_or(0..0);
                    let hint = hint_for(&message);
                    self.found.push((Severity::Error, path.to_owned(), span.clone(), message, hint));
                    let blanked = blank_line(&rest, span.start)?;
                    rest = blanked;
                }
            }
        }
        None
    }

    /// A problem of a whole file.
    pub(crate) fn missing(&mut self, path: &Path, problem: &str, hint: &str) {
        self.found.push((Severity::Error, path.to_owned(), 0..0, problem.to_owned(), hint.to_owned()));
    }

    /// An error at a value.
    pub(crate) fn error(&mut self, path: &Path, at: &[Key], problem: &str, hint: &str) {
        self.add(Severity::Error, path, at, problem, hint);
    }

    /// A warning at a value.
    pub(crate) fn warning(&mut self, path: &Path, at: &[Key], problem: &str, hint: &str) {
        self.add(Severity::Warning, path, at, problem, hint);
    }

    fn add(&mut self, severity: Severity, path: &Path, at: &[Key], problem: &str, hint: &str) {
        let span = self.sources.get(path).map_or(0..0, |text| locate(text, at));
        self.found.push((severity, path.to_owned(), span, problem.to_owned(), hint.to_owned()));
    }

    /// A problem at a line of a text file, at the first place of `what` in it, or all of the line.
    pub(crate) fn at_line(&mut self, severity: Severity, path: &Path, line: usize, what: &str, problem: &str, hint: &str) {
        let text = self.sources.get(path).map_or("", String::as_str);
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let found = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let (from, len) = found.find(what).filter(|_| !what.is_empty()).map_or((0, found.len()), |at| (at, what.len()));
        self.found.push((severity, path.to_owned(), start + from..start + from + len, problem.to_owned(), hint.to_owned()));
    }

    /// A problem at one character of a text file, lines and columns from 1.
    pub(crate) fn at_column(&mut self, severity: Severity, path: &Path, line: usize, column: usize, problem: &str, hint: &str) {
        let text = self.sources.get(path).map_or("", String::as_str);
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let mut chars = text.get(start..).unwrap_or_default().chars();
        let from = start + chars.by_ref().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
        let len = chars.next().map_or(0, char::len_utf8);
        self.found.push((severity, path.to_owned(), from..from + len, problem.to_owned(), hint.to_owned()));
    }

    /// Everything found, errors first, with pictures.
    pub(crate) fn finish(mut self) -> Vec<Diagnosis> {
        self.found.sort_by_key(|(severity, path, span, ..)| (*severity, path.clone(), span.start));
        self.found.dedup();
        let all = std::mem::take(&mut self.found);
        all.into_iter().map(|(severity, path, span, problem, hint)| self.draw(severity, &path, &span, problem, hint)).collect()
    }

    fn draw(&self, severity: Severity, path: &Path, span: &Range<usize>, problem: String, hint: String) -> Diagnosis {
        let text = self.sources.get(path).map_or("", String::as_str);
        let span = span.start.min(text.len())..span.end.min(text.len());
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let shown = self.directory.join(path).display().to_string();
        let level = if severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let group = level.primary_title(problem.as_str());
        let snippet = Snippet::source(text).line_start(1).path(shown.as_str()).annotation(AnnotationKind::Primary.span(span));
        let report =
            if text.is_empty() { vec![group.element(Level::HELP.message(hint.as_str()))] } else { vec![group.element(snippet).element(Level::HELP.message(hint.as_str()))] };
        let picture = Renderer::plain().render(&report);
        let picture = if text.is_empty() { format!("{picture}\n  --> {shown}") } else { picture };
        Diagnosis { problem: Problem { severity, file: shown, line, column, problem, hint }, picture }
    }
}

fn hint_for(message: &str) -> String {
    if message.starts_with("unknown field") {
        "remove it, or correct its spelling".to_owned()
    } else if message.starts_with("missing field") {
        "add it".to_owned()
    } else if message.contains("invalid type") {
        "write a value of the expected kind".to_owned()
    } else {
        "see the comments in the shipped configuration for the form".to_owned()
    }
}

/// The text with the line at `start` blanked; nothing if there is no such line to blank.
fn blank_line(text: &str, start: usize) -> Option<String> {
    let before = text.get(..start)?;
    let from = before.rfind('\n').map_or(0, |n| n + 1);
    let after = text.get(start..)?;
    let to = start + after.find('\n').unwrap_or(after.len());
    let line = text.get(from..to)?;
    if !line.contains('=') || line.trim_start().starts_with('[') {
        return None;
    }
    let blank: String = " ".repeat(line.len());
    Some(format!("{}{blank}{}", text.get(..from)?, text.get(to..)?))
}

/// Where a value is in a file; the nearest enclosing value if it is not written there.
fn locate(text: &str, at: &[Key]) -> Range<usize> {
    let Ok(table) = DeTable::parse(text) else { return 0..0 };
    let mut span = 0..0;
    let mut here: Option<&DeValue<'_>> = None;
    for (depth, key) in at.iter().enumerate() {
        let found = match (here, key) {
            (None, Key::Name(name)) if depth == 0 => table.get_ref().get(name.as_str()),
            (Some(DeValue::Table(inner)), Key::Name(name)) => inner.get(name.as_str()),
            (Some(DeValue::Array(items)), Key::Index(index)) => items.get(*index),
            _ => None,
        };
        let Some(value) = found else { break };
        span = value.span();
        here = Some(value.get_ref());
    }
    // A whole table is shown by its first line.
    let first_line = text.get(span.clone()).and_then(|t| t.find('\n')).map_or(span.end, |n| span.start + n);
    span.start..first_line
}
