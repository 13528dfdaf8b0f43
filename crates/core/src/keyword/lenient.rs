//! Opt-outs in a few words more than one: "STOP texting me", "take me off your list", "pls stop".
//!
//! Its own file because it is where texts are most easily misread: the law hears any reasonable wording, and "stop by
//! at five" is none. Longer texts count by their first and last clause only; what remains is for `free_text`.

use super::normal::Normal;
use super::words::{Index, Sequence};
use super::{How, Languages};

/// A strong word at the end counts in texts of at most this many words.
const SHORTEST: usize = 3;

impl Index {
    /// The stage that finds an opt-out, and whether it rests on free words alone.
    pub(super) fn lenient(&self, tokens: &[&str], normal: &Normal, languages: Languages) -> Option<(How, bool)> {
        if tokens.len() > self.most_words {
            let (first, last) = normal.edges();
            let clause = |tokens: Option<&[&str]>, how| tokens.and_then(|t| self.clause(t, languages, how)).map(|how| (how, false));
            return clause(tokens.get(..first), How::LenientFirst).or_else(|| clause(tokens.get(last..), How::LenientLast));
        }
        if let Some(free_text) = self.phrase(tokens, languages) {
            return Some((How::LenientPhrase, free_text));
        }
        let (first, rest) = tokens.split_first()?;
        if self.is_strong(first, languages) && !begins_with(rest, &self.goes_on) {
            return Some((How::LenientFirst, false));
        }
        if self.strong_and_polite(tokens, languages) {
            return Some((How::LenientLast, false));
        }
        let (last, before) = tokens.split_last()?;
        let place = ends_with(before, &self.negations) || ends_with(before, &self.places);
        (tokens.len() <= SHORTEST && self.is_strong(last, languages) && !place).then_some((How::LenientLast, false))
    }

    /// The first or last clause of a longer text: it must ask for nothing but this.
    fn clause(&self, tokens: &[&str], languages: Languages, place: How) -> Option<How> {
        if tokens.len() > self.most_words {
            return None;
        }
        if self.phrase(tokens, languages) == Some(false) {
            return Some(How::LenientPhrase);
        }
        self.strong_and_polite(tokens, languages).then_some(place)
    }

    fn strong_and_polite(&self, tokens: &[&str], languages: Languages) -> bool {
        let strong = |t: &&str| self.is_strong(t, languages);
        tokens.iter().any(strong) && tokens.iter().all(|t| self.polite.contains(*t) || strong(t))
    }

    /// Whether it contains a phrase that nothing takes back; and if so, whether only one of free words.
    pub(super) fn phrase(&self, tokens: &[&str], languages: Languages) -> Option<bool> {
        let mut found = None;
        for (at, token) in tokens.iter().enumerate() {
            let (before, here) = tokens.split_at(at);
            for phrase in self.phrases.get(*token).into_iter().flatten() {
                if languages.hear(phrase.languages, false) && is_prefix(here, &phrase.words) && !ends_with(before, &self.negations) {
                    if !phrase.free_text {
                        return Some(false);
                    }
                    found = Some(true);
                }
            }
        }
        found
    }
}

pub(super) fn is_prefix(tokens: &[&str], words: &[String]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token == word)
}

fn begins_with(tokens: &[&str], any: &[Sequence]) -> bool {
    any.iter().any(|words| is_prefix(tokens, words))
}

pub(super) fn ends_with(tokens: &[&str], any: &[Sequence]) -> bool {
    any.iter().any(|words| tokens.len().checked_sub(words.len()).and_then(|from| tokens.get(from..)).is_some_and(|tail| is_prefix(tail, words)))
}
