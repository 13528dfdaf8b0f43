//! `POST /v1/messages` and `GET /v1/messages/{id}`.
//!
//! Its own file as a resource. Making a text needs an `Idempotency-Key`: the same key with the same body is the same
//! text, whatever happened to the first answer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::MessageId;
use trunkline_engine::Engine;
use trunkline_engine::explain::{Story, because, explain};
use trunkline_engine::intake::SendRequest;
use trunkline_store::row::Message;

use super::problem::Problem;
use super::{auth, body};

const LARGEST: usize = 256 * 1024;

pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let client = auth::client(&engine, &headers, "messages:write").await?;
    let key = idempotency_key(&headers)?;
    body::must_be_json(&headers)?;
    let request: SendRequest = body::parse(&body::read(body, LARGEST).await?)?;
    let message = engine.send_text(&client, &key, &request).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&message, None))).into_response())
}

pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_message", "There is no such message", "an id starts with msg_ and comes from POST /v1/messages or the console");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let message = engine.store.messages(&[id]).await?.pop().ok_or_else(missing)?;
    let story = explain(engine.store.as_ref(), id).await?;
    Ok(Json(view(&message, story.as_ref())).into_response())
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let value = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::trim);
    match value {
        Some(key) if !key.is_empty() && key.len() <= 255 => Ok(key.to_owned()),
        _ => {
            let fix = "send a header of 1 to 255 characters that names this text, such as the order and the occasion; repeat it when you retry";
            Err(Problem::fields(vec![FieldProblem::new("Idempotency-Key", "is missing, empty or too long", fix)]))
        }
    }
}

fn view(message: &Message, story: Option<&Story>) -> Value {
    let (intent, state) = (&message.intent, &message.state);
    let mut out = json!({
        "id": message.id, "status": state.word(), "delivery": state.delivery(), "because": because(message),
        "purpose": intent.purpose, "program": intent.program, "sender": intent.sender, "body": intent.body, "segments": intent.size.segments, "encoding": intent.size.encoding,
        "labels": intent.labels, "created_at": intent.created_at, "deadline": intent.deadline, "attempts": state.attempts.len(),
        "replied_at": state.flags.replied, "opted_out_at": state.flags.opted_out, "duplicate": state.duplicate, "vendor_code": state.vendor_code(),
    });
    if let (Some(story), Value::Object(fields)) = (story, &mut out) {
        fields.insert("to".to_owned(), json!(story.to));
        fields.insert("timeline".to_owned(), json!(story.steps));
    }
    out
}
