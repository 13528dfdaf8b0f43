//! What of a text is the recipient's own: not the text of ours that it quotes, not what her phone adds below.
//!
//! Its own file because our own texts say "Reply STOP to opt out", and people's phones send them back. What cannot be
//! told apart stays hers: nothing is cut away that would leave nothing.

use std::borrow::Cow;

use super::lenient::{begins_with, ends_with};
use super::normal::normal;
use super::words::Index;

impl Index {
    /// Whether a phone says that its owner liked, or laughed at, a text of ours.
    pub(super) fn is_reaction(&self, text: &str) -> bool {
        let Some((before, quoted)) = text.split_once(['“', '"', '«', '„']) else { return false };
        if !quoted.trim_end().ends_with(['”', '"', '»', '“']) {
            return false;
        }
        let normal = normal(before);
        let tokens = normal.tokens();
        self.reactions.iter().any(|words| tokens == *words)
    }

    /// The text without the lines that it quotes.
    pub(super) fn her_words<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains('\n') {
            return Cow::Borrowed(text);
        }
        let mut kept: Vec<&str> = Vec::new();
        let mut begun = false;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with('>') {
                continue;
            }
            if begun && (trimmed.starts_with("-----") || self.introduces_quote(trimmed)) {
                break;
            }
            begun |= !trimmed.is_empty();
            kept.push(line);
        }
        if begun { Cow::Owned(kept.join("\n")) } else { Cow::Borrowed(text) }
    }

    fn introduces_quote(&self, line: &str) -> bool {
        line.ends_with(':') && ends_with(&normal(line).tokens(), &self.quoted_after)
    }

    /// The text without a signature, if it has one.
    pub(super) fn unsigned(&self, text: &str) -> Option<String> {
        let mut lines = text.lines();
        let mut kept = vec![lines.next()?];
        for line in lines {
            if line.trim() == "--" || begins_with(&normal(line).tokens(), &self.signatures) {
                return Some(kept.join("\n"));
            }
            kept.push(line);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::keyword::words::tests::shipped;

    #[test]
    fn quotes_are_not_hers() {
        let index = shipped();
        for (text, hers) in [
            ("stop", "stop"),
            ("> stop", "> stop"),
            ("> a\n> b", "> a\n> b"),
            ("ok\n> Reply STOP", "ok"),
            ("> Reply STOP\nok\n\nfine", "ok\n\nfine"),
            ("ok\r\nOn Monday Acme <a@example.com> wrote:\r\nReply STOP", "ok"),
            ("ok\n-----Original Message-----\nReply STOP", "ok"),
            ("On Monday Acme wrote:\nstop", "On Monday Acme wrote:\nstop"),
        ] {
            assert_eq!(index.her_words(text), hers, "{text}");
        }
    }

    #[test]
    fn signatures_are_a_phones() {
        let index = shipped();
        assert_eq!(index.unsigned("Cancel\n\nSent from my iPhone").as_deref(), Some("Cancel\n"));
        assert_eq!(index.unsigned("Cancel\n--\nAna\nAcme Ltd").as_deref(), Some("Cancel"));
        assert_eq!(index.unsigned("Sent from my iPhone"), None, "something must be left");
        assert_eq!(index.unsigned("one\ntwo"), None);
    }

    #[test]
    fn reactions_quote_to_the_end() {
        let index = shipped();
        for text in ["Liked “Reply STOP to opt out”", "Laughed at \"stop\" ", "Reacted 👍 to “Acme: STOP to end”", "A aimé « STOP »"] {
            assert!(index.is_reaction(text), "{text}");
        }
        for text in ["Liked it. “STOP”", "“STOP”", "Loved \"Acme\", but stop", "Liked", ""] {
            assert!(!index.is_reaction(text), "{text}");
        }
    }
}
