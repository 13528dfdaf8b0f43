//! What a text from a person asks for: by our words, in the languages she may use, and by what the vendor makes of it.
//!
//! Its own file because two opinions meet here, and a text may be an answer: what it is an answer to is read from the
//! ledger's state. What follows from it is next door.

use trunkline_core::consent::ConsentState;
use trunkline_core::keyword::{Classified, FreeText, How, Keyword, State};
use trunkline_store::StoreError;
use trunkline_store::row::{Address, Place};

use crate::Engine;

/// How many profiles of a number tell which languages its holder uses.
pub(super) const MOST_PROFILES: usize = 20;

/// What a text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Understood {
    /// The keyword, if it is one.
    pub(crate) keyword: Option<Keyword>,
    /// How that was found.
    pub(super) how: How,
    /// It may be a revocation in free words, and somebody must look.
    pub(super) review: bool,
    /// It is a START, and she has said STOP since: found in a list, or delivered late. It lifts nothing.
    pub(super) overtaken: bool,
}

impl Engine {
    /// What a text asks for, as far as its words and the vendor tell.
    pub(crate) async fn understand(&self, address: &Address, body: &str, vendor: Option<Keyword>) -> Result<Understood, StoreError> {
        let words = &self.definitions.keywords;
        let profiles = self.store.profiles_at(address.id, MOST_PROFILES).await?;
        let mut locales: Vec<&str> = profiles.iter().filter_map(|p| p.locale.as_deref()).collect();
        if locales.is_empty() {
            locales.push(&self.definitions.default_locale);
        }
        let region = if let Place::Sms(number) = &address.place { number.region() } else { None };
        let found = words.classify(body, words.of(locales, region.as_deref()), self.standing(&address.consent));
        Ok(weigh(found, vendor, words.free_text))
    }

    /// What a text may be an answer to. Where nothing needs to be confirmed, nobody was asked to.
    fn standing(&self, consent: &ConsentState) -> State {
        if self.definitions.confirms() && consent.awaits_confirmation() {
            State::Pending
        } else if consent.stopped.is_some() || !consent.blocks.is_empty() {
            State::OptedOut
        } else {
            State::Subscribed
        }
    }
}

/// A STOP is one whoever hears it; otherwise the vendor, who acts on what it hears, is believed.
fn weigh(found: Classified, vendor: Option<Keyword>, free_text: FreeText) -> Understood {
    let ours = found.action.keyword().filter(|_| !found.free_text);
    let sure = |keyword, how| Understood { keyword: Some(keyword), how, review: false, overtaken: false };
    match (ours, vendor) {
        (Some(Keyword::Stop), _) => sure(Keyword::Stop, found.how),
        (Some(keyword), None) => sure(keyword, found.how),
        (ours, Some(vendor)) => sure(vendor, if ours == Some(vendor) { found.how } else { How::Vendor }),
        (None, None) if found.free_text && free_text == FreeText::OptOut => sure(Keyword::Stop, How::FreeText),
        (None, None) => {
            let how = if found.free_text { How::FreeText } else { found.how };
            Understood { keyword: None, how, review: found.free_text, overtaken: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use trunkline_core::keyword::Action;

    use super::*;

    #[test]
    fn two_opinions_make_one() {
        use Keyword::{Help, Start, Stop};
        let text = |action, how, free_text| Classified { action, how, free_text };
        let (stop, silence) = (text(Action::OptOut, How::LenientLast, false), text(Action::None, How::NoMatch, false));
        let (alone, anger) = (text(Action::OptOut, How::LenientPhrase, true), text(Action::None, How::NoMatch, true));
        let (help, yes) = (text(Action::Help, How::Exact, false), text(Action::None, How::PassThrough, false));
        for (found, vendor, keyword, how, review) in [
            (stop, None, Some(Stop), How::LenientLast, false),
            (stop, Some(Start), Some(Stop), How::LenientLast, false),
            (help, None, Some(Help), How::Exact, false),
            (help, Some(Stop), Some(Stop), How::Vendor, false),
            (help, Some(Help), Some(Help), How::Exact, false),
            (silence, None, None, How::NoMatch, false),
            (silence, Some(Stop), Some(Stop), How::Vendor, false),
            (yes, None, None, How::PassThrough, false),
            (yes, Some(Start), Some(Start), How::Vendor, false),
            (alone, None, None, How::FreeText, true),
            (anger, None, None, How::FreeText, true),
            (anger, Some(Stop), Some(Stop), How::Vendor, false),
        ] {
            assert_eq!(weigh(found, vendor, FreeText::Review), Understood { keyword, how, review, overtaken: false }, "{found:?} {vendor:?}");
        }
        for found in [alone, anger] {
            assert_eq!(weigh(found, None, FreeText::OptOut), Understood { keyword: Some(Stop), how: How::FreeText, review: false, overtaken: false });
        }
        assert_eq!(weigh(silence, None, FreeText::OptOut).keyword, None);
    }
}
