//! `/v1/deadletters`: what gave up, and putting it back to work.
//!
//! Its own file as a resource. Replaying is audited, and does what is done for new work, nothing else.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use trunkline_core::event::FieldProblem;
use trunkline_engine::Engine;
use trunkline_store::row::Audit;
use trunkline_store::{Command, Unit};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::query::{Limit, MOST, Params};
use super::shapes::DeadShape;
use super::{auth, body};

/// How many are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// How many of the newest: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

/// Everything that gave up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetters {
    /// The newest, newest first.
    items: Vec<DeadShape>,
}

/// List what gave up
#[utoipa::path(get, path = "/v1/deadletters", operation_id = "list_dead_letters", tag = "dead letters", params(Wanted),
    responses((status = 200, description = "The newest of them", body = DeadLetters)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<Wanted>) -> Result<Json<DeadLetters>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let items = engine.store.dead(wanted.limit.rows()).await?.into_iter().map(Into::into).collect();
    Ok(Json(DeadLetters { items }))
}

/// What to replay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// Ids as the list gives them: 1 to 200.
    #[schema(min_items = 1, max_items = 200)]
    ids: Vec<String>,
}

/// What became of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// How many are worked on again.
    replayed: usize,
    /// Ids of nothing that gave up.
    not_found: Vec<String>,
}

/// Put what gave up back to work
#[utoipa::path(post, path = "/v1/deadletters/replay", operation_id = "replay_dead_letters", tag = "dead letters", request_body = Replay,
    responses((status = 200, description = "They are worked on again", body = Replayed)),
    security(("key" = ["deadletters:write"])))]
pub(crate) async fn replay(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<Json<Replayed>, Problem> {
    let client = auth::client(&engine, &headers, "deadletters:write").await?;
    body::must_be_json(&headers)?;
    let Replay { ids } = body::object(&body::read(body, 64 * 1024).await?)?;
    if ids.is_empty() || ids.len() > MOST {
        return Err(Problem::fields(vec![FieldProblem::new("ids", format!("holds {} ids", ids.len()), "give 1 to 200 of them")]));
    }
    let mut not_found = Vec::new();
    let now = engine.clock.now();
    let mut audit = Vec::new();
    for id in &ids {
        if engine.replay(id).await? {
            let entry = Audit { number: 0, at: now, operator: client.clone(), act: "replayed".to_owned(), about: id.clone(), detail: String::new() };
            audit.push(Unit::one(Command::Audit(entry)));
        } else {
            not_found.push(id.clone());
        }
    }
    for result in engine.store.commit(now, audit).await {
        result?;
    }
    Ok(Json(Replayed { replayed: ids.len() - not_found.len(), not_found }))
}
