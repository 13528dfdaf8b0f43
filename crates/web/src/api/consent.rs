//! `POST /v1/consent`: grants and revocations, with evidence.
//!
//! Its own file as a resource. It appends to the ledger and answers with what the ledger says afterwards.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_engine::Engine;
use trunkline_engine::intake::ConsentRequest;

use super::problem::Problem;
use super::{auth, body};

pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let client = auth::client(&engine, &headers, "consent:write").await?;
    body::must_be_json(&headers)?;
    let request: ConsentRequest = body::parse(&body::read(body, 64 * 1024).await?)?;
    let (id, address) = engine.record_consent(&client, &request).await?;
    Ok((StatusCode::CREATED, Json(json!({"address": id, "consent": address.consent}))).into_response())
}
