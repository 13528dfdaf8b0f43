//! `POST /v1/consent`: grants and revocations, with evidence.
//!
//! Its own file as a resource. It appends to the ledger and answers with what the ledger says afterwards.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::Time;
use trunkline_engine::Engine;
use trunkline_engine::intake::{ConsentAction, ConsentRequest};
use utoipa::ToSchema;

use super::messages::PurposeWord;
use super::problem::Problem;
use super::{auth, body};

/// What happened to consent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsent {
    /// The recipient's number.
    #[schema(example = "+14155550123", format = "phone")]
    address: String,
    /// Whether it was given or taken back.
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
    /// What proves it: the words shown and where, a form's id, a recording. At most 2,000 bytes.
    #[schema(example = "ticked 'Send me offers' on /account", min_length = 1, max_length = 2000, pattern = "\\S")]
    evidence: String,
    /// When it happened; absent means now.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    occurred_at: Option<Time>,
}

/// The two actions.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum ActionWord {
    Grant,
    Revoke,
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

/// Record a grant or a revocation
///
/// A grant does not undo a STOP: only the recipient's own START does.
#[utoipa::path(post, path = "/v1/consent", operation_id = "record_consent", tag = "consent", request_body = NewConsent,
    responses((status = 201, description = "It is on the ledger", body = Recorded)),
    security(("key" = ["consent:write"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<(StatusCode, Json<Recorded>), Problem> {
    let client = auth::client(&engine, &headers, "consent:write").await?;
    body::must_be_json(&headers)?;
    let NewConsent { address, action, program, purpose, evidence, occurred_at } = body::object(&body::read(body, 64 * 1024).await?)?;
    let request = ConsentRequest { address, action, program, purpose, evidence, occurred_at };
    let (id, address) = engine.record_consent(&client, &request).await?;
    Ok((StatusCode::CREATED, Json(Recorded { address: id.to_string(), consent: serde_json::to_value(&address.consent).unwrap_or_default() })))
}
