//! Revocations in free words: texts that no stage takes for an opt-out, and that somebody must not pass over.
//!
//! Its own file because it only ever asks for a look, so that it may be generous: misspelt keywords, anger, "I don't
//! want these any more". What a look costs is decided in the inbox.

use super::Languages;
use super::lenient::{ends_with, is_prefix};
use super::normal::Normal;
use super::words::Index;

/// How far an object may be from its verb.
const NEAR: usize = 5;

impl Index {
    /// Whether a text may be a revocation.
    pub(super) fn may_revoke(&self, tokens: &[&str], normal: &Normal, languages: Languages) -> bool {
        self.phrase(tokens, languages, false).is_some()
            || self.begins_or_ends_so(tokens, normal, languages)
            || (0..tokens.len()).any(|at| self.revokes_at(tokens, at))
            || self.slipped(tokens)
    }

    fn revokes_at(&self, tokens: &[&str], at: usize) -> bool {
        let (before, here) = tokens.split_at(at);
        let Some(token) = here.first() else { return false };
        let phrase = self.free.get(*token).into_iter().flatten().any(|words| is_prefix(here, words));
        let after = |words: &[String]| here.iter().skip(words.len()).take(NEAR).any(|t| self.objects.contains(*t));
        let verb = || self.verbs.get(*token).into_iter().flatten().any(|words| is_prefix(here, words) && after(words));
        (phrase || verb()) && !ends_with(before, &self.negations)
    }

    /// A clause at its beginning or end is a keyword: "Cancel. I never asked for this".
    fn begins_or_ends_so(&self, tokens: &[&str], normal: &Normal, languages: Languages) -> bool {
        let (first, last) = normal.edges();
        let so = |clause: Option<&[&str]>| clause.is_some_and(|c| c.len() < tokens.len() && self.nothing_else(c, languages).is_some());
        so(tokens.get(..first)) || so(tokens.get(last..))
    }

    /// Nothing but a misspelt keyword and politeness.
    fn slipped(&self, tokens: &[&str]) -> bool {
        if tokens.len() > self.most_words {
            return false;
        }
        let mut from = 0;
        while let Some(words) = tokens.get(from..).and_then(|rest| self.polite_start(rest)) {
            from += words;
        }
        matches!(self.without_polite_end(tokens.get(from..).unwrap_or_default()), [word] if misspelt(word))
    }
}

/// Whether a word looks like STOP or UNSUBSCRIBE and is not: other signs for letters, letters doubled or swapped.
fn misspelt(word: &str) -> bool {
    let letters: Vec<char> = word.chars().map(look_alike).collect();
    let mut single = letters.clone();
    single.dedup();
    let stop = ['s', 't', 'o', 'p'];
    let swapped = (0..3).any(|at| {
        let mut other = stop;
        other.swap(at, at + 1);
        letters == other
    });
    single == stop || swapped || (letters.len() >= 8 && distance(&letters, &"unsubscribe".chars().collect::<Vec<_>>()) <= 2)
}

/// Signs that stand for letters. Letters of other scripts are one letter with ours already, where they can be.
fn look_alike(c: char) -> char {
    match c {
        '0' | 'о' | 'ο' => 'o',
        '1' | 'і' => 'i',
        '5' | 'ѕ' => 's',
        '3' | 'е' => 'e',
        '4' | 'а' => 'a',
        'т' | 'τ' => 't',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        other => other,
    }
}

/// How many letters must be added, dropped or changed to make one of the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            left = (corner + usize::from(x != y)).min(above + 1).min(left + 1);
            corner = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyword::normal::normal;

    #[test]
    fn slips_of_the_thumb() {
        let word = |text: &str| normal(text).text().to_owned();
        for yes in ["St0p", "STPO", "SOTP", "tsop", "Stoop", "sstop", "5top", "unsuscribe", "unsubscribed", "unsubcribe"] {
            assert!(misspelt(&word(yes)), "{yes}");
        }
        for no in ["shop", "step", "top", "spot", "post", "stamp", "opts", "describe", "transcribe"] {
            assert!(!misspelt(&word(no)), "{no}");
        }
    }

    #[test]
    fn distances() {
        let d = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!([d("", "abc"), d("abc", "abc"), d("kitten", "sitting"), d("abc", "")], [3, 0, 3, 3]);
    }
}
