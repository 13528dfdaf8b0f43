//! Smart encoding: plain characters in place of those that turn a whole text to UCS-2.
//!
//! Its own file because it changes what somebody wrote: only where it is asked for, only all or nothing, never inside
//! of a link, and with every change told. The table is data with its source; what vendors do by themselves is known
//! here too, so that their counts can be foretold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::{Encoding, Route, Size, measure_for, table};

static LIST: &str = include_str!("../../data/smart.csv");

/// Whose table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Ours.
    Us,
    /// The one of the vendors that replace characters by themselves: Twilio, as its calculator has it.
    Vendors,
}

/// One character that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its place among the text's characters, from 0.
    pub at: usize,
    /// What stood there.
    pub from: char,
    /// What stands there now; empty if it was left out.
    pub to: &'static str,
}

/// A text that was made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smart {
    /// The text.
    pub text: String,
    /// What is different.
    pub changes: Vec<Change>,
    /// The size of what was written.
    pub before: Size,
    /// The size of the text.
    pub after: Size,
}

struct Row {
    ours: String,
    vendors: Option<String>,
}

static ROWS: LazyLock<BTreeMap<char, Row>> = LazyLock::new(|| LIST.lines().filter(|line| !line.starts_with('#')).filter_map(row).collect());

/// Makes a text GSM-7, if that takes it fewer segments; nothing if it would not, or if a character would be left over.
pub fn encode(text: &str, route: &Route) -> Option<Smart> {
    let before = measure_for(text, route);
    if before.encoding == Encoding::Gsm7 || before.segments == 1 {
        return None;
    }
    let (text, changes) = replace(text, By::Us);
    let after = measure_for(&text, route);
    let smaller = after.encoding == Encoding::Gsm7 && after.segments < before.segments;
    smaller.then_some(Smart { text, changes, before, after })
}

/// Replaces whatever a table has a replacement for. Ours leaves links alone: they would lead elsewhere.
pub fn replace(text: &str, by: By) -> (String, Vec<Change>) {
    let mut out = String::with_capacity(text.len());
    let mut changes = Vec::new();
    let mut link = false;
    for (at, (place, c)) in text.char_indices().enumerate() {
        link = by == By::Us && if link { !ends_link(c) } else { c == 'h' && text.get(place..).is_some_and(starts_link) };
        match (link, to(c, by)) {
            (false, Some(to)) => {
                out.push_str(to);
                changes.push(Change { at, from: c, to });
            }
            _ => out.push(c),
        }
    }
    (out, changes)
}

/// What stands for a character, if something does.
fn to(c: char, by: By) -> Option<&'static str> {
    if table::GSM.width(c) != 0 {
        return None;
    }
    let row = ROWS.get(&c)?;
    match by {
        By::Us => Some(&row.ours),
        By::Vendors => row.vendors.as_deref(),
    }
}

fn starts_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// What no link contains: spaces, and the marks that people put around one.
fn ends_link(c: char) -> bool {
    c.is_whitespace() || "\"<>“”«»‹›".contains(c)
}

fn row(line: &str) -> Option<(char, Row)> {
    let mut cells = line.split(',');
    let (from, ours, vendors) = (cells.next()?, cells.next()?, cells.next()?);
    let ours = decode(ours)?;
    let vendors = match vendors {
        "=" => Some(ours.clone()),
        "!" => None,
        other => Some(decode(other)?),
    };
    Some((decode(from)?.chars().next()?, Row { ours, vendors }))
}

/// Code points in hexadecimal as a text.
fn decode(cell: &str) -> Option<String> {
    cell.split(' ').filter(|hex| !hex.is_empty()).map(|hex| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((lines, ROWS.len()), (278, 278));
        assert!(ROWS.iter().all(|(c, row)| table::GSM.width(*c) == 0 && row.ours.chars().all(|to| table::GSM.width(to) != 0)), "only what GSM-7 lacks, by what it has");
    }

    #[test]
    fn replaces_and_says_what() {
        let (text, changes) = replace("“It’s 5\u{a0}€…”", By::Us);
        assert_eq!(text, "\"It's 5 €...\"");
        let told: Vec<(usize, char, &str)> = changes.iter().map(|c| (c.at, c.from, c.to)).collect();
        assert_eq!(told, [(0, '“', "\""), (3, '’', "'"), (7, '\u{a0}', " "), (9, '…', "..."), (10, '”', "\"")]);
        assert_eq!(replace("5\u{a0}km", By::Vendors).0, "5  km", "the vendors' quirk is theirs");
        assert_eq!(replace("a\u{200d}b", By::Vendors).0, "a\u{200d}b");
    }

    #[test]
    fn all_or_nothing_and_only_to_save() {
        let long = "It’s on its way, and we text you when it is there. Reply STOP to get no more texts from us, ever. ";
        let smart = encode(long, &Route::default()).unwrap();
        assert_eq!((smart.before.segments, smart.after.segments, smart.changes.len()), (2, 1, 1));
        assert!(!smart.text.contains('’'));
        for (text, why) in [
            ("It’s short.".to_owned(), "it is one segment anyway"),
            (format!("{long}Привет"), "something would be left over"),
            (format!("{long}https://x.example/l’été"), "a link would lead elsewhere"),
            ("plain ".repeat(60), "there is nothing to do"),
            ("…".repeat(71), "three dots for each are no shorter"),
        ] {
            assert_eq!(encode(&text, &Route::default()), None, "{why}");
        }
        assert!(encode(&format!("{long}“https://x.example/a”"), &Route::default()).is_some(), "a link ends at its quote");
    }
}
