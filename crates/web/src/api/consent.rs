//! `POST /v1/consent`, and consent of an address at an instant.
//!
//! Its own file as a resource. One appends to the ledger and answers with what the ledger says afterwards; the other
//! answers "had she opted out when it left?", by what we knew and by what was true.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_core::consent::{Basis, Channel, Knowledge, Source, Terms, at};
use trunkline_core::purpose::Purpose;
use trunkline_core::time::Time;
use trunkline_engine::Engine;
use trunkline_engine::consent::{ConsentAction, ConsentRequest};
use utoipa::{IntoParams, ToSchema};

use super::addresses::missing;
use super::ledger::{ActionWord, BasisWord, ChannelWord, ConsentAtShape, EffectiveShape, SourceWord};
use super::messages::{PurposeWord, address_of};
use super::problem::Problem;
use super::query::Params;
use super::{auth, body};

/// What happened to consent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsent {
    /// The recipient's number.
    #[schema(example = "+14155550123", format = "phone")]
    address: String,
    /// What happened: given, confirmed, taken back, run out, the number or program changed hands, or the vendor blocks it.
    #[schema(value_type = ActionWord)]
    action: ConsentAction,
    /// The program; absent means all.
    #[schema(min_length = 1)]
    #[serde(default)]
    program: Option<String>,
    /// The purpose; absent means all.
    #[schema(value_type = Option<PurposeWord>)]
    #[serde(default)]
    purpose: Option<Purpose>,
    /// What it is about; absent means `sms`. The other channels are kept for systems that ask, and decide about no text.
    #[schema(value_type = Option<ChannelWord>)]
    #[serde(default)]
    channel: Option<Channel>,
    /// On what ground it rests: implied consent runs out where the law says so.
    #[schema(value_type = Option<BasisWord>)]
    #[serde(default)]
    basis: Option<Basis>,
    /// How it came about; absent means `api`.
    #[schema(value_type = Option<SourceWord>)]
    #[serde(default)]
    source: Option<Source>,
    /// Whose law it falls under, as ISO 3166 names it; absent means that of the number's country.
    #[schema(example = "CA", pattern = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    #[serde(default)]
    jurisdiction: Option<String>,
    /// What proves it: the words shown and where, a form's id, a recording. At most 2,000 bytes.
    #[schema(example = "ticked 'Send me offers' on /account", min_length = 1, max_length = 2000, pattern = "\\S")]
    evidence: String,
    /// When it happened; absent means now.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    occurred_at: Option<Time>,
    /// The account of the sender, for a vendor's block.
    #[serde(default)]
    account: Option<String>,
    /// The sender that is blocked, for a vendor's block.
    #[serde(default)]
    sender: Option<String>,
}

impl From<NewConsent> for ConsentRequest {
    fn from(new: NewConsent) -> ConsentRequest {
        let NewConsent { address, action, program, purpose, channel, basis, source, jurisdiction, evidence, occurred_at, account, sender } = new;
        let terms = Terms { channel: channel.unwrap_or_default(), basis, source: Some(source.unwrap_or(Source::Api)), jurisdiction, import: None };
        let through = if account.is_none() && sender.is_none() { None } else { Some((account.unwrap_or_default(), sender.unwrap_or_default())) };
        ConsentRequest { address, action, program, purpose, evidence, occurred_at, terms, through }
    }
}

/// What the ledger says afterwards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recorded {
    /// The address, `adr_…`.
    address: String,
    /// What is in force.
    #[schema(value_type = Object)]
    consent: Value,
}

/// Record what happened to consent
///
/// A grant does not undo a STOP: only the recipient's own START does. Where a program or purpose asks for a double opt-in,
/// a grant counts once it is confirmed, here or by her own YES. Of a number that was erased nothing is recorded.
#[utoipa::path(post, path = "/v1/consent", operation_id = "record_consent", tag = "consent", request_body = NewConsent,
    responses((status = 201, description = "It is on the ledger", body = Recorded)),
    security(("key" = ["consent:write"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<(StatusCode, Json<Recorded>), Problem> {
    let client = auth::client(&engine, &headers, "consent:write").await?;
    body::must_be_json(&headers)?;
    let new: NewConsent = body::object(&body::read(body, 64 * 1024).await?)?;
    let (id, address) = engine.record_consent(&client, &new.into()).await?;
    Ok((StatusCode::CREATED, Json(Recorded { address: id.to_string(), consent: serde_json::to_value(&address.consent).unwrap_or_default() })))
}

/// Which instant is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct When {
    /// The instant, itself included; absent means now.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    at: Option<Time>,
}

/// Read consent of an address at an instant
///
/// Twice: by what had been recorded until then, which is what we knew, and by what had happened until then, whenever we
/// heard of it. Consent that had run out by then is found to have.
#[utoipa::path(get, path = "/v1/addresses/{value}/consent", operation_id = "read_consent", tag = "addresses",
    params(("value" = String, Path, description = "A number such as `+14155550123`, or an id such as `adr_…`", example = "+14155550123"), When),
    responses((status = 200, description = "Consent at that instant", body = ConsentAtShape)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(value): Path<String>, Params(when): Params<When>) -> Result<Json<ConsentAtShape>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let id = address_of(&engine, &value).map_err(|_| missing())?;
    if engine.store.addresses(&[id]).await?.is_empty() {
        return Err(missing());
    }
    let ledger = engine.store.ledger(id).await?;
    let instant = when.at.unwrap_or_else(|| engine.clock.now());
    let effective = |by| {
        let consent = at(&ledger, instant, by);
        EffectiveShape::of(&consent, engine.standings(&consent, instant))
    };
    Ok(Json(ConsentAtShape { address: id.to_string(), at: instant, recorded: effective(Knowledge::Recorded), occurred: effective(Knowledge::Occurred) }))
}
