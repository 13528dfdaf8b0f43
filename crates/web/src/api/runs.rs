//! `/v1/runs`: executions of journeys.
//!
//! Its own file as a resource. Runs are started by events and ended by steps or events, never from here.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use trunkline_core::event::FieldProblem;
use trunkline_core::id::RunId;
use trunkline_core::time::Time;
use trunkline_engine::Engine;
use trunkline_store::row::{Run, RunFilter};
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use super::auth;
use super::problem::Problem;
use super::query::{Limit, Page, Params, one_of, place};
use super::shapes::{RunEntry, RunShape, RunStory};

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// A journey.
    #[serde(default)]
    journey: Option<String>,
    /// `open` or `over`.
    #[param(schema_with = statuses, required = false)]
    #[serde(default)]
    status: Option<String>,
    /// `next` of the page before.
    #[param(min_length = 1)]
    #[serde(default)]
    cursor: Option<String>,
    /// Rows of a page: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

fn statuses() -> Object {
    one_of("Whether they are under way.", ["open", "over"])
}

/// List runs, the latest started first
#[utoipa::path(get, path = "/v1/runs", operation_id = "list_runs", tag = "runs", params(Wanted),
    responses((status = 200, description = "A page of runs", body = Page<RunShape>)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<Wanted>) -> Result<Json<Page<RunShape>>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let open = match wanted.status.as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("over") => Some(false),
        Some(_) => return Err(Problem::fields(vec![FieldProblem::new("status", "is neither 'open' nor 'over'", "use one of the two, or leave it out")])),
    };
    let before = place(wanted.cursor.as_deref(), |text| {
        let (at, id) = text.split_once(' ')?;
        Some((Time(at.parse().ok()?), id.parse::<RunId>().ok()?))
    })?;
    let limit = wanted.limit.rows();
    let rows = engine.store.runs_matching(&RunFilter { journey: wanted.journey.clone(), open, before }, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |r: &Run| format!("{} {}", r.started_at.0, r.id), |r| RunShape::of(&r))))
}

/// Read one run
#[utoipa::path(get, path = "/v1/runs/{id}", operation_id = "read_run", tag = "runs", params(("id" = String, Path, description = "`run_…`")),
    responses((status = 200, description = "The run and what it passed", body = RunStory)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<RunStory>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_run", "There is no such run", "an id starts with run_ and comes from GET /v1/runs");
    let id: RunId = id.parse().map_err(|_| missing())?;
    let run = engine.store.runs(&[id]).await?.pop().ok_or_else(missing)?;
    let history = engine.store.history(&id.bytes()).await?.iter().map(RunEntry::of).collect();
    Ok(Json(RunStory { run: RunShape::of(&run), history }))
}
