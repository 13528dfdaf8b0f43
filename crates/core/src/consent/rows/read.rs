//! From the text of a file to rows, or to everything that is wrong with it.
//!
//! Apart from `rows` because it is the border: what comes out of here is not checked again. It reads a whole file before
//! it gives anything, since nothing of a file with a wrong row is taken.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{COLUMNS, Format, Row, RowProblem};
use crate::consent::{Basis, Channel, ConsentAct, ConsentEntry, Source, Terms, is_jurisdiction};
use crate::csv::{Cell, cells};
use crate::number::{Line, Number};
use crate::purpose::Purpose;
use crate::time::{Span, Time};

/// What rows must fit.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The country for numbers without a country code.
    pub region: Option<&'a str>,
    /// The programs there are.
    pub programs: Vec<&'a str>,
    /// The import, as entries name it.
    pub import: String,
    /// Who imports.
    pub actor: String,
    /// When.
    pub now: Time,
}

/// What reading a file came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The rows that are as they must be.
    pub rows: Vec<Row>,
    /// Everything that is wrong.
    pub problems: Vec<RowProblem>,
}

/// The named values of one row.
struct Raw {
    line: usize,
    cells: BTreeMap<&'static str, Cell>,
}

/// Reads a file.
pub fn read(bytes: &[u8], format: Format, rules: &Rules<'_>) -> Reading {
    let mut reading = Reading::default();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').replace("\r\n", "\n"),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = good.split(|b| *b == b'\n').count();
            let column = 1 + good.iter().rev().take_while(|b| **b != b'\n').count();
            reading.problems.push(RowProblem::new((line, column), "", "is not UTF-8", "save the file as UTF-8"));
            return reading;
        }
    };
    let raws = match format {
        Format::Csv => of_csv(&text, &mut reading.problems),
        Format::Ndjson => of_ndjson(&text, &mut reading.problems),
    };
    for raw in raws {
        let mut check = Check { raw: &raw, problems: &mut reading.problems };
        reading.rows.extend(check.row(rules));
    }
    reading
}

fn column(name: &str) -> Option<&'static str> {
    COLUMNS.into_iter().find(|known| *known == name)
}

fn unknown(place: (usize, usize), name: &str) -> RowProblem {
    let shown: String = name.chars().take(40).collect();
    RowProblem::new(place, &shown, "is no column of such a file", format!("take it out; there are: {}", COLUMNS.join(", ")))
}

fn of_csv(text: &str, problems: &mut Vec<RowProblem>) -> Vec<Raw> {
    let mut rows = match cells(text) {
        Ok(rows) => rows.into_iter(),
        Err(broken) => {
            problems.push(RowProblem::new(broken.place, "", broken.problem, broken.fix));
            return Vec::new();
        }
    };
    let Some(head) = rows.next() else {
        problems.push(RowProblem::new((1, 1), "", "is empty", "begin with a line that names the columns"));
        return Vec::new();
    };
    let mut names = Vec::new();
    for cell in head {
        match column(cell.text.trim()) {
            Some(name) if names.contains(&name) => problems.push(RowProblem::new(cell.place, name, "is named twice", "leave one of the two")),
            Some(name) => names.push(name),
            None => problems.push(unknown(cell.place, cell.text.trim())),
        }
    }
    // Without the names, every row would be wrong, and none of that would be news.
    if !problems.is_empty() {
        return Vec::new();
    }
    let mut raws = Vec::new();
    for row in rows {
        let Some(place) = row.first().map(|cell| cell.place) else { continue };
        if row.len() != names.len() {
            let problem = format!("has {} values, and {} columns are named", row.len(), names.len());
            problems.push(RowProblem::new(place, "", problem, "give one value for each column, empty where there is none"));
            continue;
        }
        raws.push(Raw { line: place.0, cells: names.iter().copied().zip(row).collect() });
    }
    raws
}

fn of_ndjson(text: &str, problems: &mut Vec<RowProblem>) -> Vec<Raw> {
    let mut raws = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let fields: Map<String, Value> = match serde_json::from_str(text) {
            Ok(fields) => fields,
            Err(error) => {
                let problem = error.to_string().split(" at line ").next().unwrap_or_default().to_owned();
                problems.push(RowProblem::new((line, error.column().max(1)), "", format!("is not a JSON object: {problem}"), "write one JSON object a line"));
                continue;
            }
        };
        let mut cells = BTreeMap::new();
        for (name, value) in fields {
            let before = text.find(&format!("\"{name}\"")).and_then(|at| text.get(..at));
            let place = (line, before.map_or(1, |b| b.chars().count() + 1));
            match (column(&name), value) {
                (None, _) => problems.push(unknown(place, &name)),
                (Some(_), Value::Null) => {}
                (Some(name), Value::String(text)) => drop(cells.insert(name, Cell { text, place })),
                (Some(name), _) => problems.push(RowProblem::new(place, name, "is not a text", "put it in quotes")),
            }
        }
        raws.push(Raw { line, cells });
    }
    raws
}

/// Looks at one row, and goes on after a problem to find the next one.
struct Check<'a> {
    raw: &'a Raw,
    problems: &'a mut Vec<RowProblem>,
}

impl Check<'_> {
    fn row(&mut self, rules: &Rules<'_>) -> Option<Row> {
        let before = self.problems.len();
        let number = self.number(rules.region);
        let act = self.act();
        let program = self.text("program", 128);
        if let Some(unknown) = program.as_deref().filter(|p| !rules.programs.contains(p)) {
            self.problem("program", format!("'{unknown}' does not exist"), format!("use one of: {}; or leave it empty, for all", rules.programs.join(", ")));
        }
        let purpose = self.word("purpose", |w| w.parse::<Purpose>().ok(), Purpose::ALL.map(Purpose::word).as_slice());
        let channel = self.word("channel", Channel::from_word, Channel::ALL.map(Channel::word).as_slice()).unwrap_or_default();
        let basis = self.word("basis", Basis::from_word, Basis::ALL.map(Basis::word).as_slice());
        let source = self.word("source", Source::from_word, Source::ALL.map(Source::word).as_slice());
        let jurisdiction = self.jurisdiction(number.as_ref());
        let evidence = self.required("evidence", 2_000, "what proves it: the words shown and where, a form's id, a recording");
        let occurred_at = self.occurred(rules.now);
        let (account, sender) = (self.text("account", 128), self.text("sender", 32));
        let actor = self.text("actor", 128).map_or_else(|| rules.actor.clone(), |from| format!("{}, from {from}", rules.actor));
        let (Some(number), Some(act), Some(evidence), Some(occurred_at), true) = (number, act, evidence, occurred_at, before == self.problems.len()) else { return None };
        let terms = Terms { channel, basis, source: Some(source.unwrap_or(Source::Import)), jurisdiction, import: Some(rules.import.clone()) };
        let entry = ConsentEntry { act, program, purpose, account, sender, evidence, actor, occurred_at, recorded_at: rules.now, terms };
        Some(Row { line: self.raw.line, number, entry })
    }

    fn problem(&mut self, field: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let place = self.raw.cells.get(field).map_or((self.raw.line, 1), |cell| cell.place);
        self.problems.push(RowProblem::new(place, field, problem, fix));
    }

    /// A value; an empty one is none.
    fn get(&self, field: &str) -> Option<String> {
        self.raw.cells.get(field).map(|cell| cell.text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn text(&mut self, field: &str, longest: usize) -> Option<String> {
        let text = self.get(field)?;
        if text.len() > longest {
            self.problem(field, format!("is longer than {longest} bytes"), "shorten it");
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            self.problem(field, "has control characters", "remove them");
        }
        Some(text)
    }

    fn required(&mut self, field: &str, longest: usize, what: &str) -> Option<String> {
        let text = self.text(field, longest);
        if text.is_none() {
            self.problem(field, "is missing", format!("give {what}"));
        }
        text
    }

    fn word<T>(&mut self, field: &str, read: impl Fn(&str) -> Option<T>, words: &[&str]) -> Option<T> {
        let text = self.get(field)?;
        let value = read(&text);
        if value.is_none() {
            let shown: String = text.chars().take(40).collect();
            self.problem(field, format!("'{shown}' is none of its words"), format!("use one of: {}; or leave it empty", words.join(", ")));
        }
        value
    }

    fn number(&mut self, region: Option<&str>) -> Option<Number> {
        let text = self.required("address", 64, "a number in international form, such as +14155550123")?;
        match Number::parse(&text, region) {
            Ok(number) if number.line() == Line::Fixed => {
                self.problem("address", "is a fixed line, which cannot receive texts", "give a mobile number, or take the row out");
                None
            }
            Ok(number) => Some(number),
            Err(error) => {
                self.problem("address", error.to_string(), "give a number in international form, such as +14155550123");
                None
            }
        }
    }

    fn act(&mut self) -> Option<ConsentAct> {
        const WORDS: &str = "grant, confirm, revoke, expire, transfer, stop, start, vendor_block";
        let text = self.required("action", 32, &format!("one of: {WORDS}"))?;
        match ConsentAct::from_word(&text) {
            // What another system recorded as a grant is an import here: it lifts nothing.
            Some(ConsentAct::Grant | ConsentAct::Import) => Some(ConsentAct::Import),
            Some(ConsentAct::Erase) | None => {
                let shown: String = text.chars().take(40).collect();
                self.problem("action", format!("'{shown}' is no action of a file"), format!("use one of: {WORDS}"));
                None
            }
            Some(ConsentAct::VendorBlock) if self.get("account").is_none() || self.get("sender").is_none() => {
                self.problem("action", "is a vendor's block without the sender that it is for", "give 'account' and 'sender'");
                None
            }
            Some(act) => Some(act),
        }
    }

    fn jurisdiction(&mut self, number: Option<&Number>) -> Option<String> {
        match self.get("jurisdiction") {
            Some(text) if !is_jurisdiction(&text) => {
                self.problem("jurisdiction", "is no country or part of one", "write it as ISO 3166 does, such as CA or US-FL, or leave it empty");
                None
            }
            Some(text) => Some(text),
            None => number.and_then(Number::region).filter(|r| is_jurisdiction(r)),
        }
    }

    fn occurred(&mut self, now: Time) -> Option<Time> {
        let text = self.required("occurred_at", 64, "the time at which it happened, such as 2026-11-23T14:05:00Z")?;
        match text.parse::<Time>() {
            Ok(at) if at > now + Span::mins(5) => {
                self.problem("occurred_at", "is in the future", "give the time at which it happened");
                None
            }
            Ok(at) => Some(at),
            Err(error) => {
                self.problem("occurred_at", error.to_string(), "write it like 2026-11-23T14:05:00Z");
                None
            }
        }
    }
}
