//! The normal form in which texts and keywords are compared.
//!
//! Its own file because people write STOP in many ways that look alike: full-width, bold, accented, in letters of two
//! alphabets, with emoji and invisible characters. Misspellings are not made equal here; see `free_text`.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

/// Longer texts are looked at as far as this: nobody asks for anything at the end of a book.
const MOST: usize = 2_000;

/// A text in lower case, its words one space apart, with nothing else in it.
#[derive(Debug, Default)]
pub(super) struct Normal {
    text: String,
    /// How many words there are up to the end of each clause.
    clauses: Vec<usize>,
    words: usize,
}

impl Normal {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn tokens(&self) -> Vec<&str> {
        self.text.split(' ').filter(|t| !t.is_empty()).collect()
    }

    /// Where the first clause ends and where the last one begins, counted in words.
    pub(super) fn edges(&self) -> (usize, usize) {
        let first = self.clauses.first().copied().unwrap_or(self.words);
        let last = self.clauses.iter().rev().copied().find(|end| *end < self.words).unwrap_or(0);
        (first, last)
    }
}

/// The normal form of a text.
pub(super) fn normal(text: &str) -> Normal {
    let marks = CanonicalCombiningClassMapBorrowed::new();
    let mut form = Form { out: Normal::default(), marks, open: false, plain: true, spaced: false, from: 0, latin: false, alike: false };
    if text.is_ascii() {
        text.chars().take(MOST).for_each(|c| form.push(c));
    } else {
        // Apostrophes go first: some of them would fall apart into a space and an accent.
        let kept = text.chars().take(MOST).filter(|c| !invisible(*c) && !apostrophe(*c)).map(unboxed);
        DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(kept).for_each(|c| form.push(c));
    }
    form.close();
    form.out
}

/// A word of another alphabet whose letters all look like Latin ones: how it looks.
pub(super) fn looks(word: &str) -> Option<String> {
    let latin: String = word.chars().map(as_latin).collect();
    (!word.is_ascii() && latin.is_ascii()).then_some(latin)
}

/// A normal form while it is made.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about what was read last, and none follows from another")]
struct Form {
    out: Normal,
    marks: CanonicalCombiningClassMapBorrowed<'static>,
    /// Inside of a word.
    open: bool,
    /// The last letter's accents do not matter.
    plain: bool,
    /// The last character was a space.
    spaced: bool,
    /// Where the word begins.
    from: usize,
    /// The word has a Latin letter.
    latin: bool,
    /// The word has a letter of another alphabet that looks like a Latin one.
    alike: bool,
}

impl Form {
    /// Ends a word. One that mixes alphabets is meant as it looks.
    fn close(&mut self) {
        if self.latin && self.alike {
            let word = self.out.text.split_off(self.from);
            self.out.text.extend(word.chars().map(as_latin));
        }
        (self.open, self.latin, self.alike) = (false, false, false);
    }

    fn push(&mut self, c: char) {
        if apostrophe(c) {
            return;
        }
        if !c.is_ascii() && self.marks.get_u8(c) != 0 {
            // In other scripts a mark may be all that tells two words apart.
            if self.open && !self.plain {
                self.out.text.push(c);
            }
            return;
        }
        if !c.is_alphanumeric() {
            self.close();
            let ends = ends_clause(c) || (c == '-' && self.spaced);
            if ends && self.out.words > 0 && self.out.clauses.last() != Some(&self.out.words) {
                self.out.clauses.push(self.out.words);
            }
            self.spaced = c.is_whitespace();
            return;
        }
        if !self.open {
            if self.out.words > 0 {
                self.out.text.push(' ');
            }
            self.open = true;
            self.out.words += 1;
            self.from = self.out.text.len();
        }
        self.latin |= c.is_ascii_alphabetic();
        for lower in c.to_lowercase() {
            self.alike |= as_latin(lower) != lower;
            fold(lower, &mut self.out.text);
        }
        self.plain = accents_do_not_matter(c);
        self.spaced = false;
    }
}

fn fold(c: char, out: &mut String) {
    match c {
        'ı' => out.push('i'),
        'ς' => out.push('σ'),
        'ß' => out.push_str("ss"),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'ø' => out.push('o'),
        'đ' => out.push('d'),
        'ł' => out.push('l'),
        _ => out.push(c),
    }
}

/// Letters in boxes, and the ones that flags are made of.
fn unboxed(c: char) -> char {
    let first = match c {
        '\u{1f130}'..='\u{1f149}' => '\u{1f130}',
        '\u{1f150}'..='\u{1f169}' => '\u{1f150}',
        '\u{1f170}'..='\u{1f189}' => '\u{1f170}',
        '\u{1f1e6}'..='\u{1f1ff}' => '\u{1f1e6}',
        _ => return c,
    };
    ('a'..='z').nth((first..c).count()).unwrap_or(c)
}

/// The Latin letter that a Cyrillic or Greek one looks like.
fn as_latin(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'е' | 'ε' => 'e',
        'ѕ' => 's',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'н' | 'һ' => 'h',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'т' | 'τ' => 't',
        'у' | 'υ' => 'y',
        'х' | 'χ' => 'x',
        'ԁ' => 'd',
        'ν' => 'n',
        other => other,
    }
}

/// Latin and Greek letters.
fn accents_do_not_matter(c: char) -> bool {
    matches!(c, '\0'..='\u{7f}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')
}

fn apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '‛' | 'ʼ' | '`' | '´' | '′')
}

fn ends_clause(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | ',' | ';' | '\n' | '\r' | '—' | '–' | '。' | '、')
}

/// What takes no room on a screen: joiners, marks of direction, soft hyphens, selectors of variants, fillers.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_alike() {
        for (text, expect) in [
            ("  STOP!! ", "stop"),
            ("“Stop”", "stop"),
            ("ＳＴＯＰ", "stop"),
            ("𝐒𝐓𝐎𝐏", "stop"),
            ("ST\u{200b}OP\u{fe0f}", "stop"),
            ("\u{202e}stop\u{202c}", "stop"),
            ("🙏stop🙏", "stop"),
            ("Don’t", "dont"),
            ("don´t", "dont"),
            ("ARRÊT", "arret"),
            ("İPTAL", "iptal"),
            ("ıptal", "iptal"),
            ("ΔΙΑΓΡΑΦΉ στος", "διαγραφη στοσ"),
            ("HJÆLP Straße", "hjaelp strasse"),
            ("ｽﾄｯﾌﾟ", "ストッフ\u{309a}"),
            ("a-b\u{a0}c", "a b c"),
            ("SТОP", "stop"),
            ("SТОP! СТОП", "stop стоп"),
            ("🆂🆃🅾🅿", "stop"),
            ("🇸🇹🇴🇵", "stop"),
            ("S\u{336}T\u{336}O\u{336}P\u{336}", "stop"),
            ("🛑", ""),
            ("", ""),
        ] {
            assert_eq!(normal(text).text(), expect, "{text}");
        }
        assert_eq!((looks("ѕтор").as_deref(), looks("стоп"), looks("stop")), (Some("stop"), None, None));
        assert_ne!(normal("बंद").text(), normal("बद").text(), "marks of other scripts stay");
    }

    #[test]
    fn clauses_have_edges() {
        for (text, edges) in
            [("stop", (1, 0)), ("Stop. Now go", (1, 1)), ("a b, c d. e!", (2, 4)), ("Stop - sent from here", (1, 1)), ("a: b", (2, 0)), ("well-known", (2, 0)), ("...", (0, 0))]
        {
            assert_eq!(normal(text).edges(), edges, "{text}");
        }
    }
}
