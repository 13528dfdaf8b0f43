//! Consent of one address: what is in force now, and the ledger that proves it.
//!
//! Its own file because both must be read side by side: the state is a fold of the entries, and a complaint is answered
//! with the entry. It folds nothing and records nothing: that is `trunkline_core::consent` and the engine.

use trunkline_core::consent::{Channel, ConsentAct, ConsentEntry, ConsentState, Scoped, Terms};
use trunkline_core::purpose::Purpose;

use super::mask;
use super::said::Said;
use super::timeline::{Line, note};
use super::view::When;

/// How many entries are shown.
pub(super) const MOST: usize = 50;

/// One entry of the ledger.
pub(super) struct LedgerRow {
    /// The colour's class.
    pub(super) tone: &'static str,
    /// What it does.
    pub(super) act: &'static str,
    /// The program and purpose it is about, or the sender.
    pub(super) scope: String,
    /// On what ground, by what way, and under whose law, as far as it is known.
    pub(super) terms: String,
    /// What proves it.
    pub(super) evidence: Said,
    /// Who recorded it.
    pub(super) actor: String,
    /// When it happened.
    pub(super) occurred: When,
    /// When we learned of it.
    pub(super) recorded: When,
}

/// What is in force now, the gravest first.
pub(super) fn in_force(consent: &ConsentState) -> Vec<Line> {
    let line = |mark: &'static str, text: String| Line { mark, ..note(&text) };
    let mut lines = Vec::new();
    lines.extend(consent.erased.map(|at| line("stop", format!("everything was erased at {at}"))));
    lines.extend(consent.stopped.as_ref().map(|since| line("stop", format!("opted out at {} ({})", since.at, since.evidence))));
    lines.extend(
        consent
            .blocks
            .iter()
            .map(|block| line("stop", format!("the vendor blocks {} of account {} since {} ({})", block.sender, block.account, block.since.at, block.since.evidence))),
    );
    lines.extend(consent.revoked.iter().map(|scoped| line("stop", in_scope("revoked", scoped))));
    lines.extend(consent.grants.iter().map(|scoped| line("pass", in_scope("granted", scoped))));
    if lines.is_empty() {
        lines.push(note("nothing is recorded: purposes that need no grant may be sent, others may not"));
    }
    lines
}

fn in_scope(word: &str, scoped: &Scoped) -> String {
    let confirmed = scoped.confirmed.as_ref().map_or(String::new(), |c| format!(", confirmed at {}", c.at));
    let until = scoped.runs_out().map_or(String::new(), |lapse| format!(", until {} by {}", lapse.at, lapse.rule.name));
    format!("{word} for {} at {}{confirmed}{until} ({})", scoped.words(), scoped.since.at, scoped.since.evidence)
}

fn scope(program: Option<&str>, purpose: Option<Purpose>) -> String {
    format!("{}, {}", program.unwrap_or("all programs"), purpose.map_or("all purposes", Purpose::word))
}

/// The newest entries, newest first.
pub(super) fn rows(ledger: &[ConsentEntry]) -> Vec<LedgerRow> {
    ledger.iter().rev().take(MOST).map(row).collect()
}

fn row(entry: &ConsentEntry) -> LedgerRow {
    let (tone, act) = match entry.act {
        ConsentAct::Grant => ("good", "granted"),
        ConsentAct::Revoke => ("bad", "revoked"),
        ConsentAct::Stop => ("bad", "opted out"),
        ConsentAct::Start => ("good", "opted in again"),
        ConsentAct::Confirm => ("good", "confirmed"),
        ConsentAct::Expire => ("quiet", "ran out"),
        ConsentAct::Transfer => ("quiet", "changed hands"),
        ConsentAct::Import => ("good", "granted elsewhere"),
        ConsentAct::VendorBlock => ("bad", "blocked by the vendor"),
        ConsentAct::Erase => ("bad", "erased"),
    };
    let scope = match (&entry.program, &entry.purpose, &entry.sender) {
        (None, None, Some(sender)) => format!("everything; sent to {}", mask::numbers(sender)),
        (program, purpose, _) => scope(program.as_deref(), *purpose),
    };
    LedgerRow {
        tone,
        act,
        scope,
        terms: terms(&entry.terms),
        evidence: Said::new(&entry.evidence),
        actor: mask::numbers(&entry.actor),
        occurred: When::from(entry.occurred_at),
        recorded: When::from(entry.recorded_at),
    }
}

fn terms(terms: &Terms) -> String {
    let channel = (terms.channel != Channel::Sms).then(|| terms.channel.word().to_owned());
    let words = [
        channel,
        terms.basis.map(|b| b.word().replace('_', " ")),
        terms.source.map(|s| format!("by {}", s.word().replace('_', " "))),
        terms.jurisdiction.clone(),
        terms.import.clone(),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::time::Time;

    fn entry(act: ConsentAct, program: Option<&str>) -> ConsentEntry {
        ConsentEntry {
            act,
            program: program.map(str::to_owned),
            purpose: program.map(|_| Purpose::Marketing),
            account: Some("main".into()),
            sender: Some("+15005550006".into()),
            evidence: "she texted from +14155550123".into(),
            actor: "inbound".into(),
            occurred_at: Time(1_795_442_709_000_000),
            recorded_at: Time(1_795_442_710_000_000),
            terms: Terms::from_source(trunkline_core::consent::Source::Keyword),
        }
    }

    #[test]
    fn what_is_in_force_is_said_with_its_proof() {
        let marks = |acts: &[ConsentAct]| -> Vec<&'static str> {
            let entries: Vec<ConsentEntry> = acts.iter().map(|act| entry(*act, Some("acme"))).collect();
            in_force(&ConsentState::fold(&entries)).iter().map(|line| line.mark).collect()
        };
        assert_eq!(marks(&[]), ["note"]);
        assert_eq!(marks(&[ConsentAct::Grant]), ["pass"]);
        assert_eq!(marks(&[ConsentAct::VendorBlock, ConsentAct::Stop]), ["stop", "stop"]);
        let stopped = in_force(&ConsentState::fold(&[entry(ConsentAct::Stop, None)]));
        assert_eq!(stopped.first().unwrap().text.text(), "Opted out at 23 Nov 14:05:09 (she texted from +141••••0123)");
    }

    #[test]
    fn the_ledger_is_shown_newest_first() {
        let rows = rows(&[entry(ConsentAct::Grant, Some("acme")), entry(ConsentAct::Stop, None)]);
        let shown: Vec<(&str, &str)> = rows.iter().map(|row| (row.act, row.scope.as_str())).collect();
        assert_eq!(shown, [("opted out", "everything; sent to +150••••0006"), ("granted", "acme, marketing")]);
    }
}
