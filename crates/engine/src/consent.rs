//! What others say of consent: one statement, or a file of them. Checked, committed to the ledger, then answered.
//!
//! Its own file because the ledger is evidence: whoever says something says what proves it and on what terms. What the
//! person texts herself is taken by `inbox`; what an entry means is `trunkline_core::consent`.

mod import;

use serde::{Deserialize, Serialize};
use trunkline_core::consent::{ConsentAct, ConsentEntry, ConsentState, Standing, Terms, is_jurisdiction};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::AddressId;
use trunkline_core::number::Number;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_store::row::{Address, AddressNews};
use trunkline_store::{Command, StoreError, Unit};

pub use import::{Imported, Planned};

use crate::intake::Unwilling;
use crate::{Engine, Stage};

/// A request to record consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRequest {
    /// The recipient.
    pub address: String,
    /// What happened.
    pub action: ConsentAction,
    /// The program; absent means all.
    pub program: Option<String>,
    /// The purpose; absent means all.
    pub purpose: Option<Purpose>,
    /// What proves it: the words shown and where, a form's id, a recording.
    pub evidence: String,
    /// When it happened; absent means now.
    pub occurred_at: Option<Time>,
    /// On what terms; whose law it falls under is taken from the number if it is not said.
    pub terms: Terms,
    /// The account and sender of a vendor's block.
    pub through: Option<(String, String)>,
}

/// What a client may record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentAction {
    /// The person agreed.
    Grant,
    /// She said once more that she did.
    Confirm,
    /// The person took it back.
    Revoke,
    /// What was granted ran out.
    Expire,
    /// The number has a new holder, or the program a new owner.
    Transfer,
    /// The vendor blocks this recipient for one sender.
    VendorBlock,
}

impl ConsentAction {
    const fn act(self) -> ConsentAct {
        match self {
            ConsentAction::Grant => ConsentAct::Grant,
            ConsentAction::Confirm => ConsentAct::Confirm,
            ConsentAction::Revoke => ConsentAct::Revoke,
            ConsentAction::Expire => ConsentAct::Expire,
            ConsentAction::Transfer => ConsentAct::Transfer,
            ConsentAction::VendorBlock => ConsentAct::VendorBlock,
        }
    }
}

impl Engine {
    /// Appends what a client says to the ledger of an address; a revocation holds back what is queued at its next look by
    /// the gate. Of a number that was erased nothing more is kept.
    pub async fn record_consent(&self, client: &str, request: &ConsentRequest) -> Result<(AddressId, Address), Unwilling> {
        self.pressure.admit()?;
        let now = self.clock.now();
        let (number, entry) = self.entry_of(client, request, now).map_err(Unwilling::Invalid)?;
        let fresh = self.address_of(Some(number.e164()), None, "");
        self.commit(now, Unit::one(Command::PutAddress(Box::new(fresh.clone())))).await?;
        loop {
            let address = self.store.addresses(&[fresh.id]).await?.pop().unwrap_or_else(|| fresh.clone());
            if let Some(at) = address.consent.erased {
                let fix = "leave it: nothing more is kept of whoever was erased, and nothing is sent to this number";
                return Err(Unwilling::Invalid(vec![FieldProblem::new("address", format!("was erased at {at}"), fix)]));
            }
            let (command, after) = self.said(&address, vec![entry.clone()]);
            match self.commit(now, Unit::one(command)).await {
                Ok(_) => {
                    self.wake(&[Stage::Dispatch, Stage::Writebacks, Stage::Announcements]);
                    return Ok((fresh.id, after));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Entries for the ledger of an address, with what that owes to systems that keep a copy; and the address as it is then.
    fn said(&self, address: &Address, entries: Vec<ConsentEntry>) -> (Command, Address) {
        let mut after = address.clone();
        for entry in &entries {
            after.consent.apply(entry);
        }
        let owes = if after.consent == address.consent { Vec::new() } else { self.owed_for_address(&after) };
        let news = Box::new(AddressNews { entries, inbound: None });
        (Command::News { address: address.id, guard_version: address.guard_version, news, messages: Vec::new(), owes }, after)
    }

    fn entry_of(&self, client: &str, request: &ConsentRequest, now: Time) -> Result<(Number, ConsentEntry), Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let number = self.textable("address", &request.address, None).map_err(|p| problems.push(p)).ok();
        if let Err(problem) = request.program.as_deref().map_or(Ok(String::new()), |p| self.program_of(Some(p))) {
            problems.push(problem);
        }
        if request.evidence.trim().is_empty() || request.evidence.len() > 2_000 {
            problems.push(FieldProblem::new("evidence", "is empty or longer than 2,000 bytes", "say what proves it: the words shown and where, a form's id, a recording"));
        }
        if request.occurred_at.is_some_and(|t| t > now + Span::mins(5)) {
            problems.push(FieldProblem::new("occurred_at", "is in the future", "give the time at which it happened"));
        }
        if request.terms.jurisdiction.as_deref().is_some_and(|j| !is_jurisdiction(j)) {
            problems.push(FieldProblem::new("jurisdiction", "is no country or part of one", "write it as ISO 3166 does, such as CA or US-FL"));
        }
        let through = request.through.as_ref().filter(|(account, sender)| self.definitions.sender(account, sender).is_some());
        if through.is_none() && (request.action == ConsentAction::VendorBlock || request.through.is_some()) {
            problems.push(FieldProblem::new("sender", "is no configured sender of the account", "give 'account' and 'sender' as in [[senders]] of trunkline.toml"));
        }
        let (Some(number), true) = (number, problems.is_empty()) else { return Err(problems) };
        let there = || number.region().filter(|r| is_jurisdiction(r));
        let terms = Terms { jurisdiction: request.terms.jurisdiction.clone().or_else(there), ..request.terms.clone() };
        let entry = ConsentEntry {
            act: request.action.act(),
            program: request.program.clone(),
            purpose: request.purpose,
            account: through.map(|(account, _)| account.clone()),
            sender: through.map(|(_, sender)| sender.clone()),
            evidence: request.evidence.clone(),
            actor: client.to_owned(),
            occurred_at: request.occurred_at.unwrap_or(now),
            recorded_at: now,
            terms,
        };
        Ok((number, entry))
    }

    /// Whether consent permits texts at an instant: for each program and purpose, through the first sender.
    pub fn standings(&self, consent: &ConsentState, at: Time) -> Vec<Standing> {
        let (account, sender) = self.definitions.senders.first().map_or(("", ""), |s| (s.account.as_str(), s.number.as_str()));
        let mut all = Vec::new();
        for program in self.definitions.programs.keys() {
            for purpose in Purpose::ALL {
                let policy = self.definitions.policy_of(purpose, program);
                all.push(consent.standing(&policy, (program.as_str(), purpose), (account, sender), at));
            }
        }
        all
    }
}
