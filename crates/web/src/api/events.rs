//! `POST /v1/events`: CloudEvents 1.0, structured and batch mode.
//!
//! Its own file as a resource. Each event of a batch is accepted or refused on its own; the answer comes after the
//! commit, and a second copy is answered as the first was. Binary mode is not understood.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use trunkline_core::event::FieldProblem;
use trunkline_engine::Engine;
use trunkline_engine::intake::Taken;

use super::problem::Problem;
use super::{auth, body};

/// The largest body.
const LARGEST: usize = 8 * 1024 * 1024;
/// The largest single event.
const LARGEST_EVENT: usize = 256 * 1024;
/// The most events in a batch.
const MOST: usize = 1_000;

pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    auth::client(&engine, &headers, "events:write").await?;
    let media = body::media_type(&headers);
    let batch = match media.as_str() {
        "application/cloudevents+json" => false,
        "application/cloudevents-batch+json" => true,
        _ => {
            let detail = format!("Content-Type is '{media}'; send application/cloudevents+json for one event or application/cloudevents-batch+json for a list");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "CloudEvents in JSON are understood", detail));
        }
    };
    let value: Value = body::parse(&body::read(body, LARGEST).await?)?;
    if batch { many(&engine, value).await } else { one(&engine, value).await }
}

async fn one(engine: &Engine, value: Value) -> Result<Response, Problem> {
    too_large(&value).map_err(|e| Problem::fields(vec![e]))?;
    match engine.take_events(&[value]).await?.pop() {
        Some(Taken::Accepted(id)) => Ok((StatusCode::ACCEPTED, Json(json!({"status": "accepted", "event": id}))).into_response()),
        Some(Taken::Refused(errors)) => Err(Problem::fields(errors)),
        None => Err(Problem::unavailable()),
    }
}

async fn many(engine: &Engine, value: Value) -> Result<Response, Problem> {
    let Value::Array(values) = value else {
        return Err(Problem::fields(vec![FieldProblem::new("", "a batch is a JSON list of events", "send […], or one event as application/cloudevents+json")]));
    };
    if values.is_empty() || values.len() > MOST {
        return Err(Problem::fields(vec![FieldProblem::new("", format!("a batch holds 1 to {MOST} events, this one {}", values.len()), "split it")]));
    }
    let sizes: Vec<Option<FieldProblem>> = values.iter().map(|v| too_large(v).err()).collect();
    let fitting: Vec<Value> = values.into_iter().zip(&sizes).filter(|(_, s)| s.is_none()).map(|(v, _)| v).collect();
    let mut taken = engine.take_events(&fitting).await?.into_iter();
    let results: Vec<Value> = sizes
        .into_iter()
        .enumerate()
        .map(|(index, size)| match size.map_or_else(|| taken.next(), |e| Some(Taken::Refused(vec![e]))) {
            Some(Taken::Accepted(id)) => json!({"index": index, "status": "accepted", "event": id}),
            Some(Taken::Refused(errors)) => json!({"index": index, "status": "refused", "errors": errors}),
            None => json!({"index": index, "status": "unavailable"}),
        })
        .collect();
    let accepted = results.iter().filter(|r| r.get("status").and_then(Value::as_str) == Some("accepted")).count();
    Ok((StatusCode::OK, Json(json!({"accepted": accepted, "refused": results.len() - accepted, "results": results}))).into_response())
}

fn too_large(value: &Value) -> Result<(), FieldProblem> {
    let size = serde_json::to_vec(value).map_or(usize::MAX, |v| v.len());
    if size <= LARGEST_EVENT {
        return Ok(());
    }
    Err(FieldProblem::new("data", format!("makes the event {size} bytes, and {LARGEST_EVENT} are the most"), "send what the texts need, and keep the rest where it is"))
}
