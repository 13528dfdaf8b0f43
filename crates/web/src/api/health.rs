//! `GET /health` and `GET /ready`: for load balancers, anonymous.
//!
//! Its own file because it must answer when little else does. It says nothing about customers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_engine::Engine;
use trunkline_engine::pressure::Pressed;

/// The process runs.
pub(crate) async fn health(State(engine): State<Arc<Engine>>) -> Response {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "tzdb": trunkline_core::zone::release(), "generation": engine.epoch})).into_response()
}

/// The process can take work: the store answers, and lets in what is new. Why not, if not, so that whoever is called
/// knows what to do.
pub(crate) async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let pressure = engine.pressure();
    let well = match pressure.look() {
        Ok(()) => engine.store.installation().await.map(|_| ()),
        Err(error) => Err(error),
    };
    let Err(error) = well else { return Json(json!({"status": "ready"})).into_response() };
    let reason = Pressed::of(&error).map_or("inconsistent", Pressed::word);
    let body = json!({"status": "not ready", "reason": reason, "detail": error.to_string(), "since": pressure.intake().refusing_since});
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, HeaderValue::from(pressure.retry_after()))], Json(body)).into_response()
}
