//! Whether texts from people were understood, by a reading of its own.
//!
//! Its own file because an opt-out that is not heard breaks no promise that commits can show. It knows the few texts
//! that the world's people write, and nothing of the words in `core`.

use trunkline_core::keyword::Keyword;
use trunkline_store::row::Inbound;

use super::Violation;

/// I3: a text that asks for it opts out, and no other does.
pub(super) fn misread(text: &Inbound) -> Option<Violation> {
    let letters: String = text.body.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_uppercase).collect();
    let asks = matches!(letters.as_str(), "STOP" | "STOPALL" | "UNSUBSCRIBE" | "PLEASESTOP");
    let heard = text.keyword == Some(Keyword::Stop);
    (asks != heard).then(|| Violation::new("I3", format!("{} asks to stop: {asks}; it was heard as {:?}", text.id, text.keyword)))
}
