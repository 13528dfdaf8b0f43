//! `/v1/events`: take CloudEvents 1.0 in structured, batch and binary mode; list what was taken.
//!
//! Its own file as a resource. Each event of a batch is accepted or refused on its own; the answer comes after the
//! commit, and a second copy is answered as the first was.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::EventId;
use trunkline_engine::Engine;
use trunkline_engine::intake::Taken;
use trunkline_store::row::Event;
use utoipa::{IntoParams, ToSchema};

use super::problem::{FieldShape, Problem};
use super::query::{Limit, Page, Params, place};
use super::shapes::EventShape;
use super::{auth, body};

/// The largest body.
const LARGEST: usize = 8 * 1024 * 1024;
/// The largest single event.
const LARGEST_EVENT: usize = 256 * 1024;
/// The most events in a batch.
pub(crate) const MOST: usize = 1_000;

/// A `CloudEvents` event in structured mode; extension attributes may stand beside these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes for the reference what is parsed by hand, so that all problems are told at once")]
pub(crate) struct CloudEvent {
    /// `1.0`.
    #[schema(example = "1.0", pattern = "^1\\.0$")]
    specversion: String,
    /// Names it within its source.
    #[schema(example = "e-1", min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    id: String,
    /// The system that emitted it.
    #[schema(example = "/crm", min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    source: String,
    /// What happened.
    #[schema(example = "visit.booked", min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    r#type: String,
    /// What it happened to.
    #[schema(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    subject: Option<String>,
    /// When it happened, at most 13 months ago; absent means now.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// `application/json`.
    #[schema(example = "application/json", max_length = 256, pattern = "^(application/json|[^\\x00-\\x1f\\x7f-\\x9f]*\\+json)$")]
    datacontenttype: Option<String>,
    /// The payload.
    data: Option<Value>,
}

/// One event was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenEvent {
    /// `accepted`.
    status: &'static str,
    /// Its id here, `evt_…`.
    event: String,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenBatch {
    /// How many were taken.
    accepted: usize,
    /// How many were not.
    refused: usize,
    /// One entry for each event, in order.
    results: Vec<TakenEntry>,
}

/// What became of one event of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenEntry {
    /// Its place in the batch, from 0.
    index: usize,
    /// `accepted` or `refused`.
    status: &'static str,
    /// Its id here, `evt_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldShape>,
}

/// Take events
///
/// Structured mode (`application/cloudevents+json`), batch mode (`application/cloudevents-batch+json`, 1 to 1,000 events), or binary
/// mode: attributes as `ce-` headers, the data as a JSON body. The answer comes after the commit.
#[utoipa::path(post, path = "/v1/events", operation_id = "take_events", tag = "events",
    request_body(content((CloudEvent = "application/cloudevents+json"), (Vec<CloudEvent> = "application/cloudevents-batch+json"))),
    responses(
        (status = 202, description = "One event is taken, now or since before", body = TakenEvent),
        (status = 200, description = "A batch is taken: each event on its own", body = TakenBatch)),
    security(("key" = ["events:write"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    auth::client(&engine, &headers, "events:write").await?;
    let media = body::media_type(&headers);
    let binary = headers.keys().any(|name| name.as_str().starts_with("ce-"));
    match media.as_str() {
        "application/cloudevents+json" => one(&engine, &body::read(body, LARGEST).await?).await,
        "application/cloudevents-batch+json" => many(&engine, &body::read(body, LARGEST).await?).await,
        _ if binary => {
            let bytes = body::read(body, LARGEST).await?;
            if !bytes.is_empty() {
                body::must_be_json(&headers)?;
            }
            let taken = take_one(&engine, from_headers(&headers, &bytes)?, bytes.len()).await;
            // A problem with an attribute names its header.
            taken.map_err(|problem| problem.renamed(|field| if matches!(field.as_str(), "" | "data") { field } else { format!("ce-{field}") }))
        }
        _ => {
            let detail = format!(
                "Content-Type is '{media}'; send application/cloudevents+json for one event, application/cloudevents-batch+json for a list, or ce- headers with a JSON body"
            );
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "CloudEvents in JSON are understood", detail))
        }
    }
}

async fn one(engine: &Engine, bytes: &Bytes) -> Result<Response, Problem> {
    take_one(engine, body::parse(bytes)?, bytes.len()).await
}

async fn take_one(engine: &Engine, event: Value, size: usize) -> Result<Response, Problem> {
    fits(size).map_err(|e| Problem::fields(vec![e]))?;
    match engine.take_events(&[event]).await?.pop() {
        Some(Taken::Accepted(id)) => Ok((StatusCode::ACCEPTED, Json(TakenEvent { status: "accepted", event: id.to_string() })).into_response()),
        Some(Taken::Refused(errors)) => Err(Problem::fields(errors)),
        None => Err(Problem::unavailable()),
    }
}

/// An event in binary mode: its attributes are headers, percent-encoded where they are not plain text.
fn from_headers(headers: &HeaderMap, bytes: &Bytes) -> Result<Value, Problem> {
    let mut event = Map::new();
    for (name, value) in headers.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix("ce-")?, value))) {
        let Ok(text) = value.to_str() else {
            return Err(Problem::fields(vec![FieldProblem::new(format!("ce-{name}"), "is not plain text", "percent-encode what is not ASCII")]));
        };
        // A form's decoding, with + standing for itself.
        let decoded = form_urlencoded::parse(text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D").as_bytes()).next().map(|(text, _)| text.into_owned());
        event.insert(name.to_owned(), Value::String(decoded.unwrap_or_default()));
    }
    if !bytes.is_empty() {
        event.insert("data".to_owned(), body::parse(bytes)?);
    }
    Ok(Value::Object(event))
}

async fn many(engine: &Engine, bytes: &Bytes) -> Result<Response, Problem> {
    // Read in two steps, so that the size of each event is known without writing it out again.
    let whole = std::str::from_utf8(bytes).map_err(|_| Problem::fields(vec![FieldProblem::new("", "the batch is not UTF-8", "send JSON in UTF-8")]))?;
    if !whole.trim_start().starts_with('[') {
        let _: Value = body::parse(bytes)?;
        return Err(Problem::fields(vec![FieldProblem::new("", "a batch is a JSON list of events", "send […], or one event as application/cloudevents+json")]));
    }
    let raw: Vec<&RawValue> = body::parse(bytes)?;
    if raw.is_empty() || raw.len() > MOST {
        return Err(Problem::fields(vec![FieldProblem::new("", format!("a batch holds 1 to {MOST} events, this one {}", raw.len()), "split it")]));
    }
    let sizes: Vec<Option<FieldProblem>> = raw.iter().map(|r| fits(r.get().len()).err()).collect();
    let mut fitting = Vec::with_capacity(raw.len());
    for (event, _) in raw.iter().zip(&sizes).filter(|(_, size)| size.is_none()) {
        fitting.push(body::parse::<Value>(event.get().as_bytes())?);
    }
    let mut taken = engine.take_events(&fitting).await?.into_iter();
    let results: Vec<TakenEntry> = sizes
        .into_iter()
        .enumerate()
        .map(|(index, size)| match size.map_or_else(|| taken.next(), |e| Some(Taken::Refused(vec![e]))) {
            Some(Taken::Accepted(id)) => TakenEntry { index, status: "accepted", event: Some(id.to_string()), errors: Vec::new() },
            Some(Taken::Refused(errors)) => TakenEntry { index, status: "refused", event: None, errors: errors.into_iter().map(Into::into).collect() },
            None => TakenEntry { index, status: "unavailable", event: None, errors: Vec::new() },
        })
        .collect();
    let accepted = results.iter().filter(|r| r.event.is_some()).count();
    Ok(Json(TakenBatch { accepted, refused: results.len() - accepted, results }).into_response())
}

fn fits(size: usize) -> Result<(), FieldProblem> {
    if size <= LARGEST_EVENT {
        return Ok(());
    }
    Err(FieldProblem::new("data", format!("makes the event {size} bytes, and {LARGEST_EVENT} are the most"), "send what the texts need, and keep the rest where it is"))
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `next` of the page before.
    #[param(min_length = 1)]
    #[serde(default)]
    cursor: Option<String>,
    /// Rows of a page: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

/// List events, the latest taken first
#[utoipa::path(get, path = "/v1/events", operation_id = "list_events", tag = "events", params(Wanted),
    responses((status = 200, description = "A page of events", body = Page<EventShape>)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<Wanted>) -> Result<Json<Page<EventShape>>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let limit = wanted.limit.rows();
    let rows = engine.store.events_before(place(wanted.cursor.as_deref(), |text| text.parse().ok())?, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |e: &Event| e.id.to_string(), |e| EventShape::of(&e))))
}

/// Read one event
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "read_event", tag = "events", params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The event and what became of it", body = EventShape)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<EventShape>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_event", "There is no such event", "an id starts with evt_ and comes from POST /v1/events");
    let id: EventId = id.parse().map_err(|_| missing())?;
    engine.store.events(&[id]).await?.pop().map(|event| Json(EventShape::of(&event))).ok_or_else(missing)
}
