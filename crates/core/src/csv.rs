//! CSV as RFC 4180 has it, with the place of every value.
//!
//! Its own file because the place is the point: whoever mends a file of a hundred thousand rows needs line and column of
//! the value, which readers made for speed do not keep. It knows nothing of what the values mean.

use std::iter::Peekable;
use std::str::Chars;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// What it says.
    pub(crate) text: String,
    /// Its line and column.
    pub(crate) place: (usize, usize),
}

/// What is no CSV: where, why, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The line and column of the value.
    pub(crate) place: (usize, usize),
    /// What is wrong with it.
    pub(crate) problem: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
}

impl Broken {
    fn at(place: (usize, usize), problem: &'static str, fix: &'static str) -> Broken {
        Broken { place, problem, fix }
    }
}

struct Scan<'a> {
    chars: Peekable<Chars<'a>>,
    place: (usize, usize),
}

/// The values of a text, row by row. Blank lines are no rows.
pub(crate) fn cells(text: &str) -> Result<Vec<Vec<Cell>>, Broken> {
    let mut scan = Scan { chars: text.chars().peekable(), place: (1, 1) };
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    loop {
        let cell = scan.cell()?;
        let end = scan.take();
        if !row.is_empty() || !cell.text.is_empty() || end == Some(',') {
            row.push(cell);
        }
        if end != Some(',') && !row.is_empty() {
            rows.push(std::mem::take(&mut row));
        }
        if end.is_none() {
            return Ok(rows);
        }
    }
}

impl Scan<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.chars.next()?;
        self.place = if next == '\n' { (self.place.0 + 1, 1) } else { (self.place.0, self.place.1 + 1) };
        Some(next)
    }

    fn ends(&mut self) -> bool {
        self.chars.peek().is_none_or(|c| matches!(c, ',' | '\n'))
    }

    fn cell(&mut self) -> Result<Cell, Broken> {
        let place = self.place;
        let mut text = String::new();
        if self.chars.peek() == Some(&'"') {
            self.take();
            self.quoted(place, &mut text)?;
        }
        while !self.ends() {
            match self.take() {
                Some('"') => return Err(Broken::at(place, "has a quote in the middle of a value", "put the whole value in quotes, and write each quote inside twice")),
                other => text.extend(other),
            }
        }
        Ok(Cell { text, place })
    }

    /// What stands between quotes, up to the closing one.
    fn quoted(&mut self, place: (usize, usize), text: &mut String) -> Result<(), Broken> {
        loop {
            match self.take() {
                Some('"') if self.chars.peek() == Some(&'"') => {
                    self.take();
                    text.push('"');
                }
                Some('"') if self.ends() => return Ok(()),
                Some('"') => return Err(Broken::at(place, "has text behind its closing quote", "write a quote inside of a quoted value twice")),
                Some(c) => text.push(c),
                None => return Err(Broken::at(place, "opens a quote that nothing closes", "close it, or write a quote inside of a quoted value twice")),
            }
        }
    }
}

/// A value as it is written.
pub(crate) fn quoted(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']) && text.trim() == text;
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
