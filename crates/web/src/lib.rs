//! HTTP: the API, the webhooks and the console, over the engine.
//!
//! A handler parses, asks the engine and answers; it decides nothing. Nothing is anonymous but health, the
//! description of the API, and hooks, which the engine verifies.

pub mod api;
pub mod console;
pub mod proof;

mod hooks;
mod metrics;
mod ruling;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use trunkline_engine::Engine;

/// Gives the reports of `trunkline chaos` that are kept: names and reports, the newest first.
pub type Reports = Arc<dyn Fn() -> Vec<(String, serde_json::Value)> + Send + Sync>;

/// Everything that is served; `secure_cookies` if browsers reach the console over HTTPS, `sandbox` is the page with the
/// phones of the sandbox, where there is one.
pub fn router(engine: &Arc<Engine>, secure_cookies: bool, sandbox: Option<String>) -> Router {
    router_with(engine, secure_cookies, sandbox, None)
}

/// The same, with the reports of chaos.
pub fn router_with(engine: &Arc<Engine>, secure_cookies: bool, sandbox: Option<String>, reports: Option<Reports>) -> Router {
    let console = console::Console { engine: engine.clone(), changes: engine.changes(), secure_cookies, sandbox, reports };
    let machines = Router::new()
        .route("/health", get(api::health::health))
        .route("/ready", get(api::health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/hooks/{name}", any(hooks::receive))
        .merge(api::openapi::router())
        .route("/v1/{*rest}", any(api::problem::no_such_route))
        .with_state(engine.clone());
    machines.merge(console::router(console).layer(CsrfLayer::new())).layer(CatchPanicLayer::new())
}
