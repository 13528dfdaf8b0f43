//! Opt-outs in a few words more than one: "STOP texting me", "take me off your list", "pls stop".
//!
//! Its own file because it is where texts are most easily misread: the law hears any reasonable wording, and "stop by
//! at five" is none. Longer texts count by their first and last clause only; what remains is for `free_text`.

use super::normal::Normal;
use super::words::{Index, Kind, Sequence};
use super::{How, Languages};

/// A strong word at the end counts in texts of at most this many words, whatever stands before it.
const SHORTEST: usize = 3;
/// Letters in a row are looked for in texts of at most this many.
const FEW_LETTERS: usize = 60;
/// How far what is asked for may be from the word that asks.
const NEAR: usize = 3;

impl Index {
    /// The stage that finds an opt-out, and whether it rests on free words alone.
    pub(super) fn lenient(&self, tokens: &[&str], normal: &Normal, languages: Languages) -> Option<(How, bool)> {
        if tokens.len() > self.most_words {
            let (first, last) = normal.edges();
            let clause = |tokens: Option<&[&str]>, how| tokens.and_then(|t| self.clause(t, languages, how));
            return clause(tokens.get(..first), How::LenientFirst).or_else(|| clause(tokens.get(last..), How::LenientLast)).map(|how| (how, false));
        }
        let phrase = self.phrase(tokens, languages, true);
        let how = if phrase == Some(false) {
            How::LenientPhrase
        } else if self.strong_first(tokens, languages) {
            How::LenientFirst
        } else if let Some(how) = self.nothing_else(tokens, languages) {
            how
        } else if self.asks_for_silence(tokens) || self.inside(tokens, languages) {
            How::LenientPhrase
        } else if self.strong_last(tokens, normal, languages) {
            How::LenientLast
        } else {
            return phrase.map(|free_text| (How::LenientPhrase, free_text));
        };
        Some((how, false))
    }

    /// The first or last clause of a longer text: it must ask for nothing but this.
    fn clause(&self, tokens: &[&str], languages: Languages, place: How) -> Option<How> {
        if tokens.len() > self.most_words {
            return None;
        }
        if self.phrase(tokens, languages, true) == Some(false) {
            return Some(How::LenientPhrase);
        }
        let strong = tokens.iter().any(|t| self.is_strong(t, languages));
        (strong && self.nothing_else(tokens, languages).is_some()).then_some(place)
    }

    /// "STOP texting me", and not "stop by tomorrow".
    fn strong_first(&self, tokens: &[&str], languages: Languages) -> bool {
        let Some((first, rest)) = tokens.split_first() else { return false };
        let taken_back = tokens.len() <= SHORTEST && rest.last().is_some_and(|last| self.takes_back.contains(*last));
        self.is_strong(first, languages) && !begins_with(rest, &self.goes_on) && !taken_back
    }

    /// "Can you please stop", "Why? Stop", "make stop", and not "bus stop".
    fn strong_last(&self, tokens: &[&str], normal: &Normal, languages: Languages) -> bool {
        let Some((last, before)) = tokens.split_last() else { return false };
        if before.is_empty() || !self.is_strong(last, languages) {
            return false;
        }
        let alone = normal.edges().1 == before.len();
        let asked = self.polite_end(before) > 0 && !ends_with(self.without_polite_end(before), &self.negations);
        let short = tokens.len() <= SHORTEST && !ends_with(before, &self.negations) && !ends_with(before, &self.places);
        alone || asked || short
    }

    /// Nothing but keywords of the STOP family and politeness: "please cancel", "STOP STOP". A keyword that comes first
    /// counts as first, otherwise as last.
    pub(super) fn nothing_else(&self, tokens: &[&str], languages: Languages) -> Option<How> {
        let mut from = 0;
        while let Some(words) = tokens.get(from..).and_then(|rest| self.polite_start(rest)) {
            from += words;
        }
        let rest = self.without_polite_end(tokens.get(from..)?);
        if rest.is_empty() {
            return None;
        }
        let how = if from == 0 { How::LenientFirst } else { How::LenientLast };
        let stops = |kind| kind == Some(Kind::Stop);
        if stops(self.whole(&rest.join(" "), languages)) || stops(self.joined(rest, languages)) {
            return Some(how);
        }
        let mut at = 0;
        while let Some(token) = rest.get(at) {
            at += match rest.get(at..).and_then(|rest| self.polite_start(rest)) {
                Some(words) => words,
                None if stops(self.whole(token, languages)) || self.is_strong(token, languages) => 1,
                None => return None,
            };
        }
        Some(how)
    }

    /// Whether it contains a phrase that nothing takes back; and if so, whether only one of free words. `strict` also
    /// heeds what makes a condition of it: "stop texting me after nine".
    pub(super) fn phrase(&self, tokens: &[&str], languages: Languages, strict: bool) -> Option<bool> {
        let mut found = None;
        for (at, token) in tokens.iter().enumerate() {
            let (before, here) = tokens.split_at(at);
            for phrase in self.phrases.get(*token).into_iter().flatten() {
                let said = languages.hear(phrase.languages, false) && is_prefix(here, &phrase.words) && !ends_with(before, &self.negations);
                if !said || !self.stands(here, &phrase.words, languages, strict) {
                    continue;
                }
                if !phrase.free_text {
                    return Some(false);
                }
                found = Some(true);
            }
        }
        found
    }

    /// Whether what follows a phrase leaves it what it is: "want to stop", and not "want to stop by".
    fn stands(&self, here: &[&str], words: &[String], languages: Languages, strict: bool) -> bool {
        let rest = here.get(words.len()..).unwrap_or_default();
        let goes_on = words.last().is_some_and(|last| self.is_strong(last, languages)) && begins_with(rest, &self.goes_on);
        !(goes_on || strict && self.conditional(rest))
    }

    fn conditional(&self, rest: &[&str]) -> bool {
        (0..rest.len()).any(|at| rest.get(at..).is_some_and(|rest| begins_with(rest, &self.unless)))
    }

    /// "Cancel all texts", "don't want these messages".
    fn asks_for_silence(&self, tokens: &[&str]) -> bool {
        (0..tokens.len()).any(|at| {
            let (before, here) = tokens.split_at(at);
            let mut asks = here.first().and_then(|token| self.asks.get(*token)).into_iter().flatten().filter(|words| is_prefix(here, words));
            let about = |words: &Sequence| {
                let rest = here.get(words.len()..).unwrap_or_default();
                (0..rest.len().min(NEAR)).any(|at| rest.get(at).is_some_and(|t| self.about.contains(*t)) && !self.conditional(rest.get(at + 1..).unwrap_or_default()))
            };
            asks.any(about) && !ends_with(before, &self.negations)
        })
    }

    /// Scripts that put no space between words: letters in a row.
    fn inside(&self, tokens: &[&str], languages: Languages) -> bool {
        if tokens.iter().all(|t| t.is_ascii()) {
            return false;
        }
        let letters = tokens.concat();
        letters.chars().count() <= FEW_LETTERS && self.inside.iter().any(|(inside, of)| languages.hear(*of, false) && letters.contains(inside.as_str()))
    }

    /// How many words of politeness a text begins with.
    pub(super) fn polite_start(&self, tokens: &[&str]) -> Option<usize> {
        self.polite.iter().filter(|words| is_prefix(tokens, words)).map(Vec::len).max()
    }

    /// How many words of politeness it ends with.
    fn polite_end(&self, tokens: &[&str]) -> usize {
        self.polite.iter().filter(|words| ends(tokens, words)).map(Vec::len).max().unwrap_or(0)
    }

    pub(super) fn without_polite_end<'a, 'b>(&self, mut tokens: &'b [&'a str]) -> &'b [&'a str] {
        loop {
            let words = self.polite_end(tokens);
            match tokens.len().checked_sub(words).and_then(|until| tokens.get(..until)) {
                Some(rest) if words > 0 => tokens = rest,
                _ => return tokens,
            }
        }
    }
}

pub(super) fn is_prefix(tokens: &[&str], words: &[String]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token == word)
}

fn ends(tokens: &[&str], words: &[String]) -> bool {
    tokens.len().checked_sub(words.len()).and_then(|from| tokens.get(from..)).is_some_and(|tail| is_prefix(tail, words))
}

pub(super) fn begins_with(tokens: &[&str], any: &[Sequence]) -> bool {
    any.iter().any(|words| is_prefix(tokens, words))
}

pub(super) fn ends_with(tokens: &[&str], any: &[Sequence]) -> bool {
    any.iter().any(|words| ends(tokens, words))
}
