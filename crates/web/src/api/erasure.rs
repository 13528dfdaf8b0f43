//! `POST /v1/addresses/{value}/erase`: a person asks to be forgotten.
//!
//! Its own file because nothing else takes anything away, and because it has a scope of its own. What is found and what is
//! kept is the engine's matter.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use trunkline_core::event::FieldProblem;
use trunkline_core::number::Number;
use trunkline_core::time::Time;
use trunkline_engine::Engine;
use trunkline_engine::erase::{Erasing, Remains};
use utoipa::ToSchema;

use super::addresses::missing;
use super::messages::address_of;
use super::problem::Problem;
use super::{auth, body};
use crate::ruling;

const LARGEST: usize = 64 * 1024;

/// Why somebody is erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewErasure {
    /// Why: one line of 1 to 500 characters, kept on the ledger and in the audit.
    // Neither control characters, nor nothing but space; spelled out, since engines differ over what `\s` is.
    #[schema(
        example = "her letter of 3 May, case 1042",
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    reason: String,
}

/// What was erased, and what is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasedShape {
    /// The keyed hash by which the number stays suppressed, `adr_…`.
    address: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    erased_at: Time,
    /// Texts of ours without their words; their states are kept.
    texts: usize,
    /// Texts of hers without their words.
    heard: usize,
    /// Entries of the ledger without their evidence.
    entries: usize,
    /// Webhooks that were emptied.
    webhooks: usize,
    /// Events that were emptied.
    events: usize,
    /// Profiles that were emptied.
    profiles: usize,
    /// Texts whose receipts may still come; their webhooks name the number, until the same is asked once more.
    receipts_may_come: usize,
}

impl From<Remains> for ErasedShape {
    fn from(remains: Remains) -> ErasedShape {
        let Remains { address, erased_at, texts, heard, entries, webhooks, events, profiles, receipts_may_come } = remains;
        ErasedShape { address: address.to_string(), erased_at, texts, heard, entries, webhooks, events, profiles, receipts_may_come }
    }
}

/// Erase whoever holds an address
///
/// Every text, its words in every record, the number and the profiles' attributes go, for good; states, counts and times
/// stay, and so does a keyed hash, by which the number stays suppressed for all purposes. Asked again, it erases what came
/// in since. While something about the number is not worked on yet, nothing is changed, and the answer is 409.
#[utoipa::path(post, path = "/v1/addresses/{value}/erase", operation_id = "erase_address", tag = "addresses",
    params(("value" = String, Path, description = "A number such as `+14155550123`, or an id such as `adr_…`", example = "+14155550123")),
    request_body = NewErasure,
    responses((status = 200, description = "It is erased", body = ErasedShape)),
    security(("key" = ["addresses:erase"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(value): Path<String>, body: Body) -> Result<Json<ErasedShape>, Problem> {
    let client = auth::client(&engine, &headers, "addresses:erase").await?;
    body::must_be_json(&headers)?;
    let given: NewErasure = body::object(&body::read(body, LARGEST).await?)?;
    let reason = ruling::evidence(&given.reason)
        .map_err(|problem| Problem::fields(vec![FieldProblem::new("reason", problem, "say in one line of 1 to 500 characters why, such as the number of her request")]))?;
    let id = address_of(&engine, &value).map_err(|_| missing())?;
    let number = Number::parse(&value, engine.definitions.default_region.as_deref()).ok();
    match engine.erase(id, number.as_ref(), reason, &client, |_| {}).await? {
        Erasing::Done(remains) => Ok(Json(remains.into())),
        Erasing::Busy(what) => {
            let detail = format!("{}: nothing was changed; send the same request again in a minute", what.join(", "));
            Err(Problem::new(StatusCode::CONFLICT, "busy", "Something about the number is not worked on yet", detail))
        }
        Erasing::Unknown => Err(missing()),
    }
}
