//! `GET /v1/hooks`: webhooks as received, and those that were refused.
//!
//! Its own file as a resource. It shows what was filed; receiving is `/hooks/{name}`, which answers vendors.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use trunkline_core::event::FieldProblem;
use trunkline_core::id::HookId;
use trunkline_engine::Engine;
use trunkline_store::row::{HookFilter, HookLane};
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use super::auth;
use super::problem::Problem;
use super::query::{Limit, Page, Params, one_of, place};
use super::shapes::{HookShape, RefusalShape};

/// Which hooks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The account or source they were posted to.
    #[serde(default)]
    name: Option<String>,
    /// `inbound`, `receipt` or `source`.
    #[param(schema_with = lanes, required = false)]
    #[serde(default)]
    lane: Option<String>,
    /// `next` of the page before.
    #[param(min_length = 1)]
    #[serde(default)]
    cursor: Option<String>,
    /// Rows of a page: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

fn lanes() -> Object {
    one_of("What they bring.", HookLane::ALL.into_iter().map(HookLane::word))
}

/// List webhooks, newest first
///
/// As received, with secrets and numbers hidden.
#[utoipa::path(get, path = "/v1/hooks", operation_id = "list_hooks", tag = "hooks", params(Wanted),
    responses((status = 200, description = "A page of webhooks", body = Page<HookShape>)),
    security(("key" = ["hooks:read"])))]
pub(crate) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<Wanted>) -> Result<Json<Page<HookShape>>, Problem> {
    auth::client(&engine, &headers, "hooks:read").await?;
    let unknown = || Problem::fields(vec![FieldProblem::new("lane", "is no lane", "use inbound, receipt or source")]);
    let lane = match &wanted.lane {
        Some(word) => Some(HookLane::ALL.into_iter().find(|l| l.word() == word).ok_or_else(unknown)?),
        None => None,
    };
    let filter = HookFilter { name: wanted.name.clone(), lane, before: place(wanted.cursor.as_deref(), |text| text.parse().ok())? };
    let limit = wanted.limit.rows();
    let rows = engine.store.hooks(&filter, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |h| h.id.to_string(), |h| HookShape::of(&h))))
}

/// Read one webhook
#[utoipa::path(get, path = "/v1/hooks/{id}", operation_id = "read_hook", tag = "hooks", params(("id" = String, Path, description = "`hook_…`")),
    responses((status = 200, description = "The webhook", body = HookShape)),
    security(("key" = ["hooks:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<HookShape>, Problem> {
    auth::client(&engine, &headers, "hooks:read").await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "no_such_hook", "There is no such webhook", "an id starts with hook_ and comes from GET /v1/hooks or a timeline");
    let id: HookId = id.parse().map_err(|_| missing())?;
    engine.store.hook(id).await?.map(|hook| Json(HookShape::of(&hook))).ok_or_else(missing)
}

/// Which refusals are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedRefusals {
    /// `next` of the page before.
    #[param(min_length = 1)]
    #[serde(default)]
    cursor: Option<String>,
    /// Rows of a page: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

/// List refused webhooks, newest first
///
/// Each with the reason that its sender was not told. The newest ten thousand are kept.
#[utoipa::path(get, path = "/v1/hooks/refused", operation_id = "list_refused_hooks", tag = "hooks", params(WantedRefusals),
    responses((status = 200, description = "A page of refusals", body = Page<RefusalShape>)),
    security(("key" = ["hooks:read"])))]
pub(crate) async fn refused(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<WantedRefusals>) -> Result<Json<Page<RefusalShape>>, Problem> {
    auth::client(&engine, &headers, "hooks:read").await?;
    let limit = wanted.limit.rows();
    let rows = engine.store.refusals(place(wanted.cursor.as_deref(), |text| text.parse().ok())?, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |r| r.number.to_string(), |r| RefusalShape::of(&r))))
}
