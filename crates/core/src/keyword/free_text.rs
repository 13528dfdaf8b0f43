//! Revocations in free words: texts that no stage takes for an opt-out, and that somebody must not pass over.
//!
//! Its own file because it only ever asks for a look, so that it may be generous: misspelt keywords, a keyword with
//! "please", anger, "I don't want these messages". What a look costs is decided in the inbox.

use super::lenient::{ends_with, is_prefix};
use super::words::{Index, Kind};
use super::Languages;

/// How far an object may be from its verb.
const NEAR: usize = 5;

impl Index {
    /// Whether a text may be a revocation.
    pub(super) fn may_revoke(&self, tokens: &[&str], languages: Languages) -> bool {
        self.phrase(tokens, languages).is_some() || self.asked_politely(tokens, languages) || (0..tokens.len()).any(|at| self.revokes_at(tokens, at))
    }

    fn revokes_at(&self, tokens: &[&str], at: usize) -> bool {
        let (before, here) = tokens.split_at(at);
        let Some(token) = here.first() else { return false };
        let phrase = self.free.get(*token).into_iter().flatten().any(|words| is_prefix(here, words));
        let after = |words: &[String]| here.iter().skip(words.len()).take(NEAR).any(|t| self.objects.contains(*t));
        let verb = || self.verbs.get(*token).into_iter().flatten().any(|words| is_prefix(here, words) && after(words));
        (phrase || verb()) && !ends_with(before, &self.negations)
    }

    /// Nothing but a keyword, perhaps misspelt, and politeness: "please cancel".
    fn asked_politely(&self, tokens: &[&str], languages: Languages) -> bool {
        if tokens.len() > self.most_words {
            return false;
        }
        let polite = |t: &&&str| self.polite.contains(**t);
        let from = tokens.iter().take_while(polite).count();
        let until = tokens.len() - tokens.iter().rev().take_while(polite).count();
        let Some(rest) = tokens.get(from..until).filter(|rest| !rest.is_empty()) else { return false };
        self.whole(&rest.join(" "), languages) == Some(Kind::Stop) || matches!(rest, [word] if misspelt(word))
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
        for yes in ["St0p", "STPO", "SOTP", "tsop", "Stoop", "sstop", "5top", "SТОP", "unsuscribe", "unsubscribed", "unsubcribe"] {
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
