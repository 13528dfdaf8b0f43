//! Where a text is cut: each segment as full as it can be, and nothing cut that belongs together.
//!
//! Its own file because counting and cutting must agree, so both walk the same iterator. Which units and how much room
//! is the caller's; graphemes are those of Unicode's annex 29, with the exceptions of the calculators that bills follow.

use unicode_segmentation::GraphemeCursor;

use super::table::Alphabet;
use super::{Keep, Part};

/// What a text is counted in.
#[derive(Clone, Copy)]
pub(super) enum Units {
    /// Septets of an alphabet that has every character of the text.
    Septets(&'static Alphabet),
    /// UTF-16.
    Utf16,
}

impl Units {
    pub(super) fn width(self, c: char) -> u32 {
        match self {
            Units::Septets(alphabet) => alphabet.width(c),
            Units::Utf16 => 1 + u32::from(u32::from(c) > 0xFFFF),
        }
    }
}

/// Cuts a text into parts.
pub(super) struct Parts<'a> {
    pub(super) rest: &'a str,
    /// The units that a part has room for: at least those of one character.
    pub(super) room: u32,
    pub(super) units: Units,
    pub(super) keep: Keep,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let text = self.rest;
        if text.is_empty() {
            return None;
        }
        let (mut units, mut end) = (0, text.len());
        for (at, c) in text.char_indices() {
            let width = self.units.width(c);
            if units + width > self.room {
                end = at;
                break;
            }
            units += width;
        }
        // The characters of GSM-7 stand alone, so only UTF-16 has graphemes of several.
        if matches!((self.keep, self.units), (Keep::Graphemes, Units::Utf16)) {
            let whole = last_boundary(text, end);
            let back: u32 = text.get(whole..end).unwrap_or_default().chars().map(|c| self.units.width(c)).sum();
            (end, units) = (whole, units - back);
        }
        let (part, rest) = text.split_at_checked(end)?;
        self.rest = rest;
        Some(Part { text: part, units })
    }
}

/// The last place up to `end` where the text may be cut; `end` if everything before it is one grapheme.
fn last_boundary(text: &str, end: usize) -> usize {
    let mut at = end;
    while !boundary(text, at) {
        let Some(before) = text.get(..at).and_then(|t| t.chars().next_back()) else { break };
        at -= before.len_utf8();
    }
    if at == 0 { end } else { at }
}

/// Whether a text may be cut here.
fn boundary(text: &str, at: usize) -> bool {
    let Some((before, after)) = text.split_at_checked(at) else { return false };
    let (Some(last), Some(next)) = (before.chars().next_back(), after.chars().next()) else { return true };
    // A carriage return and its line feed are two characters to the calculators; below the combining marks, all are.
    if (last < '\u{300}' && next < '\u{300}') || conjunct(last, next) {
        return true;
    }
    GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

/// Two consonants of an Indic script that a virama ties together. Newer rules see one grapheme; the calculators two.
fn conjunct(last: char, next: char) -> bool {
    matches!(last, '\u{94D}' | '\u{9CD}' | '\u{ACD}' | '\u{B4D}' | '\u{C4D}' | '\u{D4D}' | '\u{200D}') && next.is_alphabetic()
}
