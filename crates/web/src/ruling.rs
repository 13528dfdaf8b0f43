//! Deciding about a text that stays unclear, for the API and the console alike.
//!
//! Its own file because both doors ask for the same: evidence in words, and an entry in the audit. What a ruling does
//! to the text is the engine's matter.

use trunkline_core::id::MessageId;
use trunkline_core::message::Ruling;
use trunkline_engine::Engine;
use trunkline_engine::ruling::Ruled;
use trunkline_store::row::Audit;
use trunkline_store::{Command, StoreError, Unit};

/// The most characters of evidence.
const LONGEST: usize = 500;

/// Evidence as it is kept, or what is wrong with it. All that is given counts, so that a description can say the same.
pub(crate) fn evidence(given: &str) -> Result<&str, &'static str> {
    if given.chars().any(char::is_control) {
        return Err("has a line break or another control character");
    }
    if given.chars().count() > LONGEST {
        return Err("is longer than 500 characters");
    }
    let kept = given.trim();
    if kept.is_empty() { Err("is empty") } else { Ok(kept) }
}

/// Asks the engine to rule; what was done is noted in the audit, what was not done is not.
pub(crate) async fn rule(engine: &Engine, by: &str, id: MessageId, ruling: Ruling, evidence: &str) -> Result<Ruled, StoreError> {
    let ruled = engine.rule(id, ruling, evidence, by).await?;
    let done = match &ruled {
        Ruled::Done => Some(said(ruling).to_owned()),
        Ruled::Again(again) => Some(format!("{}, as {again}", said(ruling))),
        Ruled::NotUnclear(_) | Ruled::NoSuchMessage | Ruled::Moved => None,
    };
    if let Some(done) = done {
        let now = engine.clock.now();
        let audit = Audit { number: 0, at: now, operator: by.to_owned(), act: "ruled".to_owned(), about: id.to_string(), detail: format!("{done}: {evidence}") };
        for committed in engine.store.commit(now, vec![Unit::one(Command::Audit(audit))]).await {
            committed?;
        }
    }
    Ok(ruled)
}

/// A ruling in the words that people read.
pub(crate) const fn said(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Arrived => "it arrived",
        Ruling::SendAgain => "send again",
        Ruling::LetGo => "let it go",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_one_line_of_words() {
        let (long, longer) = ("é".repeat(LONGEST), "é".repeat(LONGEST + 1));
        for (given, expect) in [
            (" SM1 is delivered there ", Ok("SM1 is delivered there")),
            (long.as_str(), Ok(long.as_str())),
            (longer.as_str(), Err("is longer than 500 characters")),
            ("", Err("is empty")),
            (" \u{a0}\u{2003}", Err("is empty")),
            ("one\ntwo", Err("has a line break or another control character")),
            ("\u{7f}", Err("has a line break or another control character")),
        ] {
            assert_eq!(evidence(given), expect, "{given:?}");
        }
    }
}
