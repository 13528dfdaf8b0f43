//! `GET /health` and `GET /ready`: for load balancers, anonymous.
//!
//! Its own file because it must answer when little else does. It says nothing about customers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_engine::Engine;

/// The process runs.
pub(crate) async fn health(State(engine): State<Arc<Engine>>) -> Response {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "tzdb": trunkline_core::zone::release(), "generation": engine.epoch})).into_response()
}

/// The process can take work: the store answers.
pub(crate) async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    match engine.store.installation().await {
        Ok(_) => Json(json!({"status": "ready"})).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "the store does not answer"}))).into_response(),
    }
}
