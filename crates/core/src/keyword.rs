//! Words by which a recipient opts out, opts in again or asks for help.
//!
//! Its own file because a missed STOP is a lawsuit: the default set is the carrier's own, matched exactly after
//! dropping case, space and punctuation. Other languages and free wording are not its concern.

use serde::{Deserialize, Serialize};

/// What an inbound text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keyword {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who are you?
    Help,
}

const STOP: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"];
const START: [&str; 3] = ["START", "YES", "UNSTOP"];
const HELP: [&str; 2] = ["HELP", "INFO"];

/// The keyword that a whole text is, if it is one.
pub fn classify(text: &str) -> Option<Keyword> {
    // The longest keyword is 11 letters; anything much longer is a conversation.
    if text.chars().count() > 64 {
        return None;
    }
    let word: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    let is = |set: &[&str]| set.contains(&word.as_str());
    if is(&STOP) {
        Some(Keyword::Stop)
    } else if is(&START) {
        Some(Keyword::Start)
    } else if is(&HELP) {
        Some(Keyword::Help)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_after_trimming() {
        use Keyword::{Help, Start, Stop};
        for (text, expect) in [
            ("STOP", Some(Stop)),
            ("  stop. ", Some(Stop)),
            ("\"Stop\"!!", Some(Stop)),
            ("Opt-out", Some(Stop)),
            ("stop all", Some(Stop)),
            ("Revoke", Some(Stop)),
            ("cancel", Some(Stop)),
            ("START", Some(Start)),
            ("yes", Some(Start)),
            ("unstop", Some(Start)),
            ("help?", Some(Help)),
            ("Info", Some(Help)),
            ("stop by tomorrow", None),
            ("cancel my order", None),
            ("don't stop", None),
            ("", None),
            ("thanks!", None),
        ] {
            assert_eq!(classify(text), expect, "{text}");
        }
    }
}
