//! Consent as an append-only ledger, and what it says now: a fold.
//!
//! Its own file because the ledger is evidence: nothing here removes an entry. A STOP ends everything until a START;
//! a START grants nothing; a grant does not undo a STOP, since only the recipient's own word does.

use serde::{Deserialize, Serialize};

use crate::purpose::{ConsentRule, Policy, Purpose};
use crate::reason::Reason;
use crate::time::Time;

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentAct {
    /// The person agreed to texts of a program and purpose.
    Grant,
    /// The person took that back, through some system of ours.
    Revoke,
    /// The person texted a word of the STOP family.
    Stop,
    /// The person texted a word of the START family.
    Start,
    /// The vendor told us that it blocks this recipient for one sender.
    VendorBlock,
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// What it does.
    pub act: ConsentAct,
    /// The program it is about; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The purpose it is about; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The provider account, for vendor blocks and inbound words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The sender, for vendor blocks and inbound words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What proves it: a hook, an attempt, or the words shown and where.
    pub evidence: String,
    /// Who recorded it: an API key, `inbound`, `vendor`.
    pub actor: String,
    /// When it happened.
    pub occurred_at: Time,
    /// When we learned of it.
    pub recorded_at: Time,
}

/// When something became so, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// When.
    pub at: Time,
    /// The proof.
    pub evidence: String,
}

/// A grant or revocation in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scoped {
    /// The program; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The purpose; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// When and why.
    pub since: Since,
}

/// A vendor's block in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The account.
    pub account: String,
    /// The sender.
    pub sender: String,
    /// When and why.
    pub since: Since,
}

/// What the ledger of one address says now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConsentState {
    /// Set between a STOP and the next START.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Since>,
    /// Grants in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Scoped>,
    /// Revocations in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Scoped>,
    /// Vendor blocks in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
}

impl ConsentState {
    /// Folds a whole ledger.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a ConsentEntry>) -> ConsentState {
        let mut state = ConsentState::default();
        for entry in entries {
            state.apply(entry);
        }
        state
    }

    /// Adds one entry.
    pub fn apply(&mut self, entry: &ConsentEntry) {
        let since = Since { at: entry.occurred_at, evidence: entry.evidence.clone() };
        let scoped = || Scoped { program: entry.program.clone(), purpose: entry.purpose, since: since.clone() };
        match entry.act {
            ConsentAct::Grant => {
                self.revoked.retain(|r| !covers(entry, r));
                self.grants.retain(|g| g.program != entry.program || g.purpose != entry.purpose);
                self.grants.push(scoped());
            }
            ConsentAct::Revoke => {
                self.grants.retain(|g| !covers(entry, g));
                self.revoked.retain(|r| r.program != entry.program || r.purpose != entry.purpose);
                self.revoked.push(scoped());
            }
            ConsentAct::Stop => {
                self.grants.clear();
                self.stopped.get_or_insert(since);
            }
            ConsentAct::Start => {
                self.stopped = None;
                self.blocks.retain(|b| entry.account.as_ref().is_some_and(|a| *a != b.account) || entry.sender.as_ref().is_some_and(|s| *s != b.sender));
            }
            ConsentAct::VendorBlock => {
                let (account, sender) = (entry.account.clone().unwrap_or_default(), entry.sender.clone().unwrap_or_default());
                if !self.blocks.iter().any(|b| b.account == account && b.sender == sender) {
                    self.blocks.push(Block { account, sender, since });
                }
            }
        }
    }

    /// Whether anything on the ledger forbids a text of this kind through this sender.
    pub fn suppression(&self, program: &str, purpose: Purpose, account: &str, sender: &str) -> Option<Reason> {
        if let Some(stopped) = &self.stopped {
            return Some(Reason::OptedOut { at: stopped.at, evidence: stopped.evidence.clone() });
        }
        if let Some(revoked) = self.revoked.iter().find(|r| matches(r, program, purpose)) {
            return Some(Reason::Revoked { at: revoked.since.at, evidence: revoked.since.evidence.clone() });
        }
        let block = self.blocks.iter().find(|b| b.account == account && b.sender == sender)?;
        Some(Reason::VendorBlocked { at: block.since.at, evidence: block.since.evidence.clone() })
    }

    /// Whether the purpose's need for a grant is met.
    pub fn grant(&self, policy: &Policy, program: &str, purpose: Purpose) -> Reason {
        match policy.consent {
            ConsentRule::NotOptedOut => Reason::ConsentNotNeeded,
            ConsentRule::Grant => match self.grants.iter().find(|g| matches(g, program, purpose)) {
                Some(grant) => Reason::ConsentGranted { at: grant.since.at, evidence: grant.since.evidence.clone() },
                None => Reason::ConsentMissing { program: program.to_owned() },
            },
        }
    }
}

/// Whether the recipient has said STOP after a START of this time, so that it lifts nothing. Lists and late webhooks
/// tell of texts out of order, and of the two mistakes this is the one that sends nothing.
pub fn overtaken(ledger: &[ConsentEntry], start_at: Time) -> bool {
    ledger.iter().any(|entry| entry.act == ConsentAct::Stop && entry.occurred_at > start_at)
}

/// Whether a new entry speaks about everything that `older` speaks about.
fn covers(entry: &ConsentEntry, older: &Scoped) -> bool {
    (entry.program.is_none() || entry.program == older.program) && (entry.purpose.is_none() || entry.purpose == older.purpose)
}

fn matches(scoped: &Scoped, program: &str, purpose: Purpose) -> bool {
    scoped.program.as_deref().is_none_or(|p| p == program) && scoped.purpose.is_none_or(|p| p == purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(act: ConsentAct, program: Option<&str>, purpose: Option<Purpose>, at: i64) -> ConsentEntry {
        ConsentEntry {
            act,
            program: program.map(str::to_owned),
            purpose,
            account: Some("main".into()),
            sender: Some("+15005550006".into()),
            evidence: format!("e{at}"),
            actor: "test".into(),
            occurred_at: Time(at),
            recorded_at: Time(at),
        }
    }

    fn verdict(entries: &[ConsentEntry], purpose: Purpose) -> (bool, bool) {
        let state = ConsentState::fold(entries);
        let policy = Policy::default_for(purpose);
        let open = state.suppression("acme", purpose, "main", "+15005550006").is_none();
        (open, !matches!(state.grant(&policy, "acme", purpose), Reason::ConsentMissing { .. }))
    }

    #[test]
    fn the_ledger_decides() {
        use ConsentAct::{Grant, Revoke, Start, Stop, VendorBlock};
        let e = entry;
        let m = Some(Purpose::Marketing);
        for (name, ledger, purpose, expect) in [
            ("nothing recorded", vec![], Purpose::Transactional, (true, true)),
            ("marketing needs a grant", vec![], Purpose::Marketing, (true, false)),
            ("a grant", vec![e(Grant, Some("acme"), m, 1)], Purpose::Marketing, (true, true)),
            ("a grant for another program", vec![e(Grant, Some("other"), m, 1)], Purpose::Marketing, (true, false)),
            ("stop ends everything", vec![e(Grant, Some("acme"), m, 1), e(Stop, None, None, 2)], Purpose::Otp, (false, true)),
            ("start lifts and grants nothing", vec![e(Grant, Some("acme"), m, 1), e(Stop, None, None, 2), e(Start, None, None, 3)], Purpose::Marketing, (true, false)),
            ("a grant does not undo a stop", vec![e(Stop, None, None, 1), e(Grant, Some("acme"), m, 2)], Purpose::Marketing, (false, true)),
            ("revoked for one purpose", vec![e(Revoke, Some("acme"), m, 1)], Purpose::Service, (true, true)),
            ("revoked for all", vec![e(Revoke, None, None, 1)], Purpose::Service, (false, true)),
            ("granted again", vec![e(Revoke, None, None, 1), e(Grant, None, None, 2)], Purpose::Marketing, (true, true)),
            ("vendor block", vec![e(VendorBlock, None, None, 1)], Purpose::Otp, (false, true)),
            ("vendor block lifted", vec![e(VendorBlock, None, None, 1), e(Start, None, None, 2)], Purpose::Otp, (true, true)),
        ] {
            assert_eq!(verdict(&ledger, purpose), expect, "{name}");
        }
    }

    #[test]
    fn a_start_is_overtaken_by_a_later_stop_alone() {
        use ConsentAct::{Revoke, Start, Stop};
        let ledger = [entry(Stop, None, None, 1), entry(Start, None, None, 3), entry(Stop, None, None, 5), entry(Revoke, None, None, 9)];
        let told: Vec<bool> = [2, 4, 5, 6].into_iter().map(|at| overtaken(&ledger, Time(at))).collect();
        assert_eq!(told, [true, true, false, false]);
        assert!(!overtaken(&[], Time(0)));
    }
}
