//! `POST /v1/messages/{id}/ruling`: what somebody decided about a text that stays unclear.
//!
//! Its own file because, unlike the other changes of a text, it needs evidence and may make another text. Whether the
//! text is still unclear is the engine's word.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::MessageId;
use trunkline_core::message::Ruling;
use trunkline_engine::Engine;
use trunkline_engine::ruling::Ruled;
use utoipa::ToSchema;

use super::messages::{missing, shape};
use super::problem::Problem;
use super::shapes::MessageShape;
use super::{auth, body};
use crate::ruling;

const LARGEST: usize = 64 * 1024;

/// A decision about a text that stays unclear.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRuling {
    /// What is decided.
    #[schema(value_type = RulingWord)]
    ruling: Ruling,
    /// What was seen at the vendor: one line of 1 to 500 characters, kept with the text and in the audit.
    // Neither control characters, nor nothing but space; spelled out, since engines differ over what `\s` is.
    #[schema(
        example = "SM0a1b2c is delivered in the vendor's log",
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    evidence: String,
}

/// The three rulings.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum RulingWord {
    Arrived,
    SendAgain,
    LetGo,
}

/// A text after a ruling.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuledMessage {
    #[serde(flatten)]
    message: MessageShape,
    /// The text that is sent instead, `msg_…`; only after `send_again`.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<String>,
}

/// Decide about an unclear text
///
/// Works while the text is `unknown`. `arrived`: it counts as `accepted`, on your word. `send_again`: it is `failed`, and
/// a new text is made; if the first one arrives after all, the recipient has two. `let_go`: it is `failed`, and nothing
/// more is sent. A proof that comes later still counts. Each ruling is an entry in the audit. A text that is not
/// `unknown`, or changed meanwhile, is answered with 409.
#[utoipa::path(post, path = "/v1/messages/{id}/ruling", operation_id = "rule_on_message", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    request_body = NewRuling,
    responses((status = 200, description = "It is decided", body = RuledMessage)),
    security(("key" = ["messages:write"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>, body: Body) -> Result<Json<RuledMessage>, Problem> {
    let client = auth::client(&engine, &headers, "messages:write").await?;
    body::must_be_json(&headers)?;
    let given: NewRuling = body::object(&body::read(body, LARGEST).await?)?;
    let evidence = ruling::evidence(&given.evidence).map_err(|problem| {
        let fix = "say in one line of 1 to 500 characters what was seen at the vendor";
        Problem::fields(vec![FieldProblem::new("evidence", problem, fix)])
    })?;
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let again = match ruling::rule(&engine, &client, id, given.ruling, evidence).await? {
        Ruled::Done => None,
        Ruled::Again(again) => Some(again.to_string()),
        Ruled::NotUnclear(delivery) => {
            let detail = format!("it is {}: only a text that is unknown can be ruled on", delivery.word());
            return Err(Problem::new(StatusCode::CONFLICT, "not_unclear", "The text is not unclear", detail));
        }
        Ruled::Moved => {
            let detail = "it changed while it was ruled on, and nothing was decided; read it, and if it is still unknown send the ruling again";
            return Err(Problem::new(StatusCode::CONFLICT, "moved", "The text changed meanwhile", detail));
        }
        Ruled::NoSuchMessage => return Err(missing()),
    };
    let message = engine.store.messages(&[id]).await?.pop().ok_or_else(missing)?;
    Ok(Json(RuledMessage { message: shape(&engine, &message).await?, again }))
}
