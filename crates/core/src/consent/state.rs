//! What the ledger of one address comes to: the fold, and what it says about a text.
//!
//! Its own file because the row keeps this state and adds one entry at a time: the fold of a longer ledger must be the
//! fold of the shorter one and the entry. Nothing here asks what time it is but where consent may have run out.

use serde::{Deserialize, Serialize};

use super::entry::{Basis, Channel, ConsentAct, ConsentEntry, is_sms};
use super::lapse::{Lapse, lapse};
use crate::purpose::{ConsentRule, Policy, Purpose};
use crate::reason::Reason;
use crate::time::Time;

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
    /// What it is about.
    #[serde(default, skip_serializing_if = "is_sms")]
    pub channel: Channel,
    /// On what ground a grant rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Whose law a grant falls under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// When a grant was confirmed last, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Since>,
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
    /// When everything about the person was erased: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Time>,
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

impl Scoped {
    /// About texts, on terms that nobody knows.
    pub fn of(program: Option<String>, purpose: Option<Purpose>, since: Since) -> Scoped {
        Scoped { program, purpose, since, channel: Channel::Sms, basis: None, jurisdiction: None, confirmed: None }
    }

    /// Whether it speaks about this.
    fn matches(&self, channel: Channel, program: &str, purpose: Purpose) -> bool {
        self.channel == channel && self.program.as_deref().is_none_or(|p| p == program) && self.purpose.is_none_or(|p| p == purpose)
    }

    fn same_scope(&self, entry: &ConsentEntry) -> bool {
        self.program == entry.program && self.purpose == entry.purpose && self.channel == entry.terms.channel
    }

    /// What a grant lacks to count for a purpose now.
    fn lacks(&self, policy: &Policy, purpose: Purpose, now: Time) -> Option<Reason> {
        if policy.double_opt_in && self.confirmed.is_none() {
            return Some(Reason::ConsentUnconfirmed { at: self.since.at, evidence: self.since.evidence.clone() });
        }
        let lapse = lapse(self, purpose).filter(|l| l.at <= now)?;
        Some(Reason::ConsentLapsed { at: lapse.at, rule: lapse.rule.name.to_owned(), source: lapse.rule.source.to_owned() })
    }

    /// When it runs out, if it does: for marketing, unless it is about another purpose.
    pub fn runs_out(&self) -> Option<Lapse> {
        lapse(self, self.purpose.unwrap_or(Purpose::Marketing))
    }

    /// Its scope in words.
    pub fn words(&self) -> String {
        let about = if self.channel == Channel::Sms { String::new() } else { format!("{}: ", self.channel.word()) };
        format!("{about}{}, {}", self.program.as_deref().unwrap_or("all programs"), self.purpose.map_or("all purposes", Purpose::word))
    }
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
        let since = || Since { at: entry.occurred_at, evidence: entry.evidence.clone() };
        match entry.act {
            ConsentAct::Grant => {
                self.revoked.retain(|r| !covers(entry, r));
                self.put_grant(entry, since());
            }
            ConsentAct::Import => {
                if self.barred(entry).is_none() {
                    self.put_grant(entry, since());
                }
            }
            ConsentAct::Confirm => {
                for grant in self.grants.iter_mut().filter(|g| covers(entry, g)) {
                    if grant.confirmed.as_ref().is_none_or(|c| c.at < entry.occurred_at) {
                        grant.confirmed = Some(since());
                    }
                }
            }
            ConsentAct::Revoke => {
                self.grants.retain(|g| !covers(entry, g));
                self.revoked.retain(|r| !r.same_scope(entry));
                self.revoked.push(Scoped { channel: entry.terms.channel, ..Scoped::of(entry.program.clone(), entry.purpose, since()) });
            }
            ConsentAct::Expire | ConsentAct::Transfer => self.grants.retain(|g| !covers(entry, g)),
            ConsentAct::Stop => {
                self.grants.retain(|g| g.channel != Channel::Sms);
                self.stopped.get_or_insert(since());
            }
            ConsentAct::Start => {
                self.stopped = None;
                self.blocks.retain(|b| entry.account.as_ref().is_some_and(|a| *a != b.account) || entry.sender.as_ref().is_some_and(|s| *s != b.sender));
            }
            ConsentAct::VendorBlock => {
                let (account, sender) = (entry.account.clone().unwrap_or_default(), entry.sender.clone().unwrap_or_default());
                if !self.blocks.iter().any(|b| b.account == account && b.sender == sender) {
                    self.blocks.push(Block { account, sender, since: since() });
                }
            }
            ConsentAct::Erase => {
                self.grants.clear();
                self.erased.get_or_insert(entry.occurred_at);
            }
        }
    }

    /// A grant takes the place of one of the same scope on the same ground, and keeps its confirmation. One on another
    /// ground stands beside it: what is implied and runs out must not replace what was said and does not.
    fn put_grant(&mut self, entry: &ConsentEntry, since: Since) {
        let terms = &entry.terms;
        let same = |g: &Scoped| g.same_scope(entry) && g.basis == terms.basis;
        let confirmed = self.grants.iter().find(|g| same(g)).and_then(|g| g.confirmed.clone());
        self.grants.retain(|g| !same(g));
        let scoped = Scoped::of(entry.program.clone(), entry.purpose, since);
        self.grants.push(Scoped { channel: terms.channel, basis: terms.basis, jurisdiction: terms.jurisdiction.clone(), confirmed, ..scoped });
    }

    /// The opt-out that an imported grant or confirmation cannot get past.
    pub fn barred(&self, entry: &ConsentEntry) -> Option<Reason> {
        if let Some(at) = self.erased {
            return Some(Reason::Erased { at });
        }
        if let Some(stopped) = self.stopped.as_ref().filter(|_| entry.terms.channel == Channel::Sms) {
            return Some(Reason::OptedOut { at: stopped.at, evidence: stopped.evidence.clone() });
        }
        let wide = |r: &&Scoped| {
            let program = r.program.is_none() || r.program == entry.program;
            r.channel == entry.terms.channel && program && (r.purpose.is_none() || r.purpose == entry.purpose)
        };
        let revoked = self.revoked.iter().find(wide)?;
        Some(Reason::Revoked { at: revoked.since.at, evidence: revoked.since.evidence.clone() })
    }

    /// Whether anything on the ledger forbids a text of this kind through this sender.
    pub fn suppression(&self, program: &str, purpose: Purpose, account: &str, sender: &str) -> Option<Reason> {
        if let Some(at) = self.erased {
            return Some(Reason::Erased { at });
        }
        if let Some(stopped) = &self.stopped {
            return Some(Reason::OptedOut { at: stopped.at, evidence: stopped.evidence.clone() });
        }
        if let Some(revoked) = self.revoked.iter().find(|r| r.matches(Channel::Sms, program, purpose)) {
            return Some(Reason::Revoked { at: revoked.since.at, evidence: revoked.since.evidence.clone() });
        }
        let block = self.blocks.iter().find(|b| b.account == account && b.sender == sender)?;
        Some(Reason::VendorBlocked { at: block.since.at, evidence: block.since.evidence.clone() })
    }

    /// Whether the purpose's need for a grant is met now: by any grant that counts, or what the first one lacks.
    pub fn grant(&self, policy: &Policy, program: &str, purpose: Purpose, now: Time) -> Reason {
        if policy.consent == ConsentRule::NotOptedOut {
            return Reason::ConsentNotNeeded;
        }
        let mut lacking = None;
        for grant in self.grants.iter().filter(|g| g.matches(Channel::Sms, program, purpose)) {
            match grant.lacks(policy, purpose, now) {
                None => return Reason::ConsentGranted { at: grant.since.at, evidence: grant.since.evidence.clone() },
                Some(reason) => lacking = lacking.or(Some(reason)),
            }
        }
        lacking.unwrap_or_else(|| Reason::ConsentMissing { program: program.to_owned() })
    }

    /// Whether a grant about texts waits for the person's second word.
    pub fn awaits_confirmation(&self) -> bool {
        self.grants.iter().any(|g| g.channel == Channel::Sms && g.confirmed.is_none())
    }

    /// Whether the person wants to be written to by a channel, as far as she has said: for systems that keep a copy.
    pub fn subscribed(&self, channel: Channel) -> Option<bool> {
        let about = |s: &Scoped| s.channel == channel && s.purpose.is_none_or(|p| p == Purpose::Marketing);
        let out = self.erased.is_some() || (channel == Channel::Sms && self.stopped.is_some()) || self.revoked.iter().any(about);
        if out { Some(false) } else { self.grants.iter().any(about).then_some(true) }
    }

    /// What is in force, the gravest first, one sentence each.
    pub fn in_force(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.erased.map(|at| format!("erased at {at}, and suppressed for good")));
        lines.extend(self.stopped.as_ref().map(|since| format!("opted out since {}", since.at)));
        lines.extend(self.blocks.iter().map(|b| format!("blocked by the vendor for {} of account {} since {}", b.sender, b.account, b.since.at)));
        lines.extend(self.revoked.iter().map(|r| format!("revoked for {} since {}", r.words(), r.since.at)));
        lines.extend(self.grants.iter().map(|g| {
            let basis = g.basis.map_or(String::new(), |b| format!(", {}", b.word()));
            let confirmed = g.confirmed.as_ref().map_or(String::new(), |c| format!(", confirmed at {}", c.at));
            let until = g.runs_out().map_or(String::new(), |l| format!(", until {} by {}", l.at, l.rule.name));
            format!("granted for {} since {}{basis}{confirmed}{until}", g.words(), g.since.at)
        }));
        lines
    }
}

/// Whether the recipient has said STOP after a START of this time, so that it lifts nothing. Lists and late webhooks
/// tell of texts out of order, and of the two mistakes this is the one that sends nothing.
pub fn overtaken(ledger: &[ConsentEntry], start_at: Time) -> bool {
    ledger.iter().any(|entry| entry.act == ConsentAct::Stop && entry.occurred_at > start_at)
}

/// Whether a new entry speaks about everything that `older` speaks about.
fn covers(entry: &ConsentEntry, older: &Scoped) -> bool {
    entry.terms.channel == older.channel && (entry.program.is_none() || entry.program == older.program) && (entry.purpose.is_none() || entry.purpose == older.purpose)
}
