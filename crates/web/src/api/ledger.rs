//! Shapes of consent: an entry of the ledger, what was in force at an instant, and the words in both.
//!
//! Apart from the other shapes because the API, its reference and the ledger must use the same words. Nothing here
//! decides: what stands is the engine's answer.

use serde::Serialize;
use serde_json::Value;
use trunkline_core::consent::{ConsentEntry, ConsentState, Standing};
use trunkline_core::time::Time;
use utoipa::ToSchema;

/// One entry of the consent ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerShape {
    /// What it does: `grant`, `confirm`, `revoke`, `expire`, `transfer`, `import`, `stop`, `start`, `vendor_block`, `erase`.
    act: String,
    /// The program; absent means all.
    program: Option<String>,
    /// The purpose; absent means all.
    purpose: Option<String>,
    /// What it is about: `sms`, `email` or `push`.
    channel: String,
    /// On what ground it rests.
    basis: Option<String>,
    /// How it came about.
    source: Option<String>,
    /// Whose law it falls under, such as `CA` or `US-FL`.
    jurisdiction: Option<String>,
    /// The import that brought it.
    import: Option<String>,
    /// What proves it.
    evidence: String,
    /// Who recorded it.
    actor: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Time,
    /// When we learned of it.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Time,
}

impl LedgerShape {
    pub(crate) fn of(entry: &ConsentEntry) -> LedgerShape {
        let terms = &entry.terms;
        LedgerShape {
            act: entry.act.word().to_owned(),
            program: entry.program.clone(),
            purpose: entry.purpose.map(|p| p.to_string()),
            channel: terms.channel.word().to_owned(),
            basis: terms.basis.map(|b| b.word().to_owned()),
            source: terms.source.map(|s| s.word().to_owned()),
            jurisdiction: terms.jurisdiction.clone(),
            import: terms.import.clone(),
            evidence: entry.evidence.clone(),
            actor: entry.actor.clone(),
            occurred_at: entry.occurred_at,
            recorded_at: entry.recorded_at,
        }
    }
}

/// Consent of one address at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentAtShape {
    /// The address, `adr_…`.
    pub(crate) address: String,
    /// The instant.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Time,
    /// By what had been recorded until then: what we knew.
    pub(crate) recorded: EffectiveShape,
    /// By what had happened until then, whenever it was recorded: what was true.
    pub(crate) occurred: EffectiveShape,
}

/// What a ledger comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EffectiveShape {
    /// What is in force.
    #[schema(value_type = Object)]
    consent: Value,
    /// Whether texts may be sent, for each program and purpose.
    standings: Vec<StandingShape>,
}

/// Whether consent permits texts of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StandingShape {
    /// The program.
    program: String,
    /// The purpose.
    purpose: String,
    /// Whether it does.
    permitted: bool,
    /// Why: the codes and sentences of what was found, about opt-outs and about grants.
    findings: Vec<FindingShape>,
}

/// One finding about consent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingShape {
    /// The stable code, such as `opted_out` or `consent_lapsed`.
    code: String,
    /// The sentence.
    text: String,
}

impl EffectiveShape {
    pub(crate) fn of(consent: &ConsentState, standings: Vec<Standing>) -> EffectiveShape {
        EffectiveShape { consent: serde_json::to_value(consent).unwrap_or_default(), standings: standings.into_iter().map(standing).collect() }
    }
}

fn standing(standing: Standing) -> StandingShape {
    StandingShape {
        program: standing.program,
        purpose: standing.purpose.word().to_owned(),
        permitted: standing.permitted,
        findings: standing.findings.iter().map(|f| FindingShape { code: f.code().to_owned(), text: f.to_string() }).collect(),
    }
}

/// What can be recorded.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum ActionWord {
    Grant,
    Confirm,
    Revoke,
    Expire,
    Transfer,
    VendorBlock,
}

/// What consent is about.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum ChannelWord {
    Sms,
    Email,
    Push,
}

/// On what ground consent rests.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum BasisWord {
    ExpressWritten,
    Express,
    ImpliedPurchase,
    ImpliedInquiry,
    ExistingRelationship,
    SoftOptIn,
    Contract,
    LegitimateInterest,
    Inferred,
}

/// How an entry came about.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum SourceWord {
    Web,
    Keyword,
    Paper,
    PointOfSale,
    Verbal,
    Email,
    Api,
    Import,
    Vendor,
    Operator,
}
