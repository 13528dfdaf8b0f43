//! How many segments a text costs, where it is cut, and what makes it cost more.
//!
//! The room's root: what is measured and for which route. Rates, cost and `check` ask here. Alphabets are in `table`,
//! where a text may be cut in `split`, plainer characters in `smart`. Prices are not here: see `price`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod split;
mod table;

pub mod smart;

use split::{Parts, Units};

/// How the text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// GSM 03.38: 160 units, 153 when concatenated.
    Gsm7,
    /// UTF-16: 70 units, 67 when concatenated.
    Ucs2,
}

impl Encoding {
    /// What people and vendors call it.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The size of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// How it travels.
    pub encoding: Encoding,
    /// How many segments it takes.
    pub segments: u32,
    /// Septets or UTF-16 units.
    pub units: u32,
}

/// A language with tables of its own in GSM 03.38: few routes carry them, so none is used unless a route says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Shift {
    /// Turkish: a locking and a single shift table.
    #[serde(rename = "tr")]
    Turkish,
    /// Spanish: a single shift table.
    #[serde(rename = "es")]
    Spanish,
    /// Portuguese: a locking and a single shift table.
    #[serde(rename = "pt")]
    Portuguese,
}

impl Shift {
    /// All of them.
    pub const ALL: [Shift; 3] = [Shift::Turkish, Shift::Spanish, Shift::Portuguese];

    /// The language's code.
    pub const fn code(self) -> &'static str {
        match self {
            Shift::Turkish => "tr",
            Shift::Spanish => "es",
            Shift::Portuguese => "pt",
        }
    }
}

/// Not one of the languages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' has no shift tables here: use tr, es or pt")]
pub struct ShiftError(String);

impl FromStr for Shift {
    type Err = ShiftError;
    fn from_str(text: &str) -> Result<Shift, ShiftError> {
        Shift::ALL.into_iter().find(|s| s.code() == text).ok_or_else(|| ShiftError(text.chars().take(40).collect()))
    }
}

/// The reference that ties the segments of one text together, in the header of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reference {
    /// One byte: what everybody sends.
    #[default]
    Eight,
    /// Two bytes.
    Sixteen,
}

/// What is never cut in two, besides an escape with its character and the two halves of a surrogate pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// What a reader takes for one character, such as a flag or a family. So do Twilio and its calculator.
    #[default]
    Graphemes,
    /// Nothing else: the fewest segments that a carrier could bill.
    Pairs,
}

/// How a route carries texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// The languages whose shift tables it can use.
    pub shifts: Vec<Shift>,
    /// The reference in its headers.
    pub reference: Reference,
    /// What it keeps whole.
    pub keep: Keep,
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its septets or UTF-16 units, without the header.
    pub units: u32,
}

/// A text cut into segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Its size.
    pub size: Size,
    /// The language whose shift tables it takes, if any.
    pub shift: Option<Shift>,
    /// The units that each of its segments has room for.
    pub room: u32,
    /// The segments.
    pub parts: Vec<Part<'a>>,
}

/// Measures a text for a route without shift tables, as Twilio does.
pub fn measure(text: &str) -> Size {
    measure_for(text, &Route::default())
}

/// Measures a text for a route.
pub fn measure_for(text: &str, route: &Route) -> Size {
    Fit::of(text, route).size
}

/// Cuts a text into segments. An empty text is one empty segment.
pub fn plan<'a>(text: &'a str, route: &Route) -> Plan<'a> {
    let fit = Fit::of(text, route);
    let parts = if fit.size.segments == 1 { vec![Part { text, units: fit.size.units }] } else { fit.parts(text, route).collect() };
    let room = if fit.size.segments == 1 { fit.single } else { fit.part };
    Plan { size: fit.size, shift: fit.shift, room, parts }
}

/// The first character that GSM-7 lacks, which turns the whole text to UCS-2.
pub fn first_beyond_gsm7(text: &str) -> Option<char> {
    beyond_gsm7(text).next().map(|(_, c)| c)
}

/// Every character that GSM-7 lacks, each with its place among the text's characters, from 0.
pub fn beyond_gsm7(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    text.chars().enumerate().filter(|(_, c)| table::GSM.width(*c) == 0)
}

/// The bytes that one segment carries.
const PAYLOAD: u32 = 140;

/// How a text fits: the encoding that takes the fewest segments.
struct Fit {
    size: Size,
    shift: Option<Shift>,
    units: Units,
    /// The room of the only segment.
    single: u32,
    /// The room of each of several.
    part: u32,
}

impl Fit {
    fn of(text: &str, route: &Route) -> Fit {
        if let Some(fit) = Fit::septets(text, route, &table::GSM, 0, None) {
            return fit;
        }
        let shifted = route.shifts.iter().flat_map(|shift| table::of(*shift).iter().map(move |table| (*shift, table)));
        let best = shifted.filter_map(|(shift, table)| Fit::septets(text, route, table.alphabet, table.header, Some(shift))).min_by_key(|f| (f.size.segments, f.size.units));
        best.unwrap_or_else(|| Fit::ucs2(text, route))
    }

    /// In septets, if the alphabet has every character; `header` is what its shift tables add to a header.
    fn septets(text: &str, route: &Route, alphabet: &'static table::Alphabet, header: u32, shift: Option<Shift>) -> Option<Fit> {
        let units = alphabet.units(text)?;
        let room = |bytes: u32| (PAYLOAD - bytes) * 8 / 7;
        let alone = if header == 0 { 0 } else { 1 + header };
        let (single, part) = (room(alone), room(tied(route.reference) + header));
        Some(Fit { size: Size { encoding: Encoding::Gsm7, segments: 1, units }, shift, units: Units::Septets(alphabet), single, part }.counted(text, route))
    }

    fn ucs2(text: &str, route: &Route) -> Fit {
        let units = text.chars().map(|c| Units::Utf16.width(c)).sum();
        let (single, part) = (PAYLOAD / 2, (PAYLOAD - tied(route.reference)) / 2);
        Fit { size: Size { encoding: Encoding::Ucs2, segments: 1, units }, shift: None, units: Units::Utf16, single, part }.counted(text, route)
    }

    fn counted(mut self, text: &str, route: &Route) -> Fit {
        if self.size.units > self.single {
            self.size.segments = self.parts(text, route).map(|_| 1_u32).sum();
        }
        self
    }

    fn parts<'a>(&self, text: &'a str, route: &Route) -> Parts<'a> {
        Parts { rest: text, room: self.part, units: self.units, keep: route.keep }
    }
}

/// The bytes of a header with nothing but the reference.
const fn tied(reference: Reference) -> u32 {
    match reference {
        Reference::Eight => 6,
        Reference::Sixteen => 7,
    }
}

#[cfg(test)]
mod tests;
