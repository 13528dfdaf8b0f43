//! Sentences as pages show them: numbers hidden, instants and ids apart from the words around them.
//!
//! Its own file because sentences come from many hands (reasons, notes, causes) and carry instants and ids as text: an
//! instant has to follow the reader's clock, an id to lead to its page, a number not to show. It changes no other word.

use trunkline_core::id::{AddressId, AttemptId, EventId, HookId, InboundId, MessageId, RunId};
use trunkline_core::time::Time;

use super::mask;
use super::view::{When, capital};

/// What may stand around an instant or an id.
const EDGES: [char; 9] = [' ', ';', ',', ':', '(', ')', '.', '\'', '"'];

/// A sentence, cut where something is more than a word.
#[derive(Default)]
pub(super) struct Said {
    /// Its parts.
    pub(super) bits: Vec<Bit>,
}

/// The letters of an id that a sentence shows; the rest is its title.
const SHOWN: usize = 14;

/// Words, and what stands after them.
#[derive(Default)]
pub(super) struct Bit {
    /// The words, numbers hidden.
    pub(super) text: String,
    /// An instant, if one stands there.
    pub(super) when: Option<When>,
    /// An id, if one stands there.
    pub(super) link: Option<Mention>,
}

/// An id, and the page it leads to.
pub(super) struct Mention {
    /// The page, if there is one.
    pub(super) href: Option<String>,
    /// The id.
    pub(super) word: String,
    /// As much of it as a sentence bears.
    pub(super) short: String,
}

impl Said {
    /// What somebody else wrote.
    pub(super) fn new(text: &str) -> Said {
        let (mut bits, mut words) = (Vec::new(), String::new());
        for piece in text.split_inclusive(' ') {
            let bare = piece.trim_matches(EDGES);
            match (special(bare), piece.split_once(bare)) {
                (Some(found), Some((before, after))) => {
                    words.push_str(before);
                    bits.push(Bit { text: mask::numbers(&words), ..found });
                    words.clear();
                    words.push_str(after);
                }
                _ => words.push_str(piece),
            }
        }
        if !words.is_empty() {
            bits.push(Bit { text: mask::numbers(&words), ..Bit::default() });
        }
        Said { bits }
    }

    /// The same as a sentence: with a capital first letter.
    pub(super) fn sentence(text: &str) -> Said {
        let mut said = Said::new(text);
        if let Some(first) = said.bits.first_mut() {
            first.text = capital(&first.text);
        }
        said
    }

    /// Our own words, which need no look.
    pub(super) fn plain(text: impl Into<String>) -> Said {
        Said { bits: vec![Bit { text: text.into(), ..Bit::default() }] }
    }

    /// An instant alone.
    pub(super) fn at(at: Time) -> Said {
        Said { bits: vec![Bit { when: Some(When::from(at)), ..Bit::default() }] }
    }

    /// Whether there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }
}

/// An instant or an id, if the word is one.
fn special(word: &str) -> Option<Bit> {
    let first = word.chars().next()?;
    if first.is_ascii_digit() {
        let at = word.parse::<Time>().ok()?;
        return Some(Bit { when: Some(When::from(at)), ..Bit::default() });
    }
    let href = page_of(word);
    if href.is_none() && word.parse::<InboundId>().is_err() {
        return None;
    }
    let short = if word.len() > SHOWN + 4 { format!("{}…", word.chars().take(SHOWN).collect::<String>()) } else { word.to_owned() };
    Some(Bit { link: Some(Mention { href, word: word.to_owned(), short }), ..Bit::default() })
}

/// The page about what an id names, if there is one.
pub(super) fn page_of(id: &str) -> Option<String> {
    let (kind, _) = id.split_once('_')?;
    match kind {
        // An attempt's id is its message's id and a count.
        "msg" => id.parse::<MessageId>().or_else(|_| id.parse::<AttemptId>().map(|attempt| attempt.message)).ok().map(|id| format!("/messages/{id}")),
        "adr" => id.parse::<AddressId>().ok().map(|id| format!("/addresses/{id}")),
        "run" => id.parse::<RunId>().ok().map(|id| format!("/runs/{id}")),
        "hook" => id.parse::<HookId>().ok().map(|id| format!("/webhooks/{id}")),
        "evt" => id.parse::<EventId>().ok().map(|id| format!("/search?q={id}&all=1")),
        _ => None,
    }
}

#[cfg(test)]
impl Said {
    /// As text, instants in UTC.
    pub(super) fn text(&self) -> String {
        let word = |bit: &Bit| {
            let when = bit.when.as_ref().map_or("", |when| when.short.as_str());
            let link = bit.link.as_ref().map_or("", |link| link.word.as_str());
            format!("{}{when}{link}", bit.text)
        };
        self.bits.iter().map(word).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_stand_apart_and_numbers_are_hidden() {
        let said = Said::new("timeout for +14155550123; tried again at 2026-11-23T14:05:09.5Z (then 2026-11-23T14:05:00Z).");
        assert_eq!(said.text(), "timeout for +141••••0123; tried again at 23 Nov 14:05:09 (then 23 Nov 14:05:00).");
        let instants: Vec<&str> = said.bits.iter().filter_map(|bit| bit.when.as_ref()).map(|when| when.rfc3339.as_str()).collect();
        assert_eq!(instants, ["2026-11-23T14:05:09Z", "2026-11-23T14:05:00Z"]);
    }

    #[test]
    fn ids_lead_to_their_pages() {
        let message = MessageId::new(1, Time(1), [7; 16]);
        let hook = HookId::new(2, Time(1), [8; 16]);
        let said = Said::sentence(&format!("waits for {message}-1 (see {hook}), msg_nope"));
        let hrefs: Vec<&str> = said.bits.iter().filter_map(|bit| bit.link.as_ref()).filter_map(|link| link.href.as_deref()).collect();
        assert_eq!(hrefs, [format!("/messages/{message}"), format!("/webhooks/{hook}")]);
        assert_eq!(said.text(), format!("Waits for {message}-1 (see {hook}), msg_nope"));
        assert_eq!(Said::sentence(&message.to_string()).text(), message.to_string(), "an id keeps its letters");
    }

    #[test]
    fn nothing_says_nothing() {
        assert!(Said::new("").is_empty() && Said::default().is_empty());
        assert_eq!(Said::plain("1042").text(), "1042");
        assert_eq!(Said::at("2026-11-23T14:05:09Z".parse().unwrap()).text(), "23 Nov 14:05:09");
    }
}
