//! The console: server-rendered pages for support agents and operators.
//!
//! The module root: what the pages need, every route in one table, and the headers that each answer carries. It
//! decides nothing. Pages read the store; what an operator does (reveal, cancel, rule, replay) is done by the engine,
//! and noted by `act` or `crate::ruling`.

pub(crate) mod assets;
mod live;
mod signin;

mod address;
mod audit;
mod chaos;
mod dead;
mod journeys;
mod message;
mod messages;
mod overview;
mod proof;
mod runs;
mod search;
mod templates;
mod unclear;
mod webhooks;

mod conversation;
mod graph;
mod hook;
mod ledger;
mod timeline;
mod view;
mod week;

mod clock;
pub(crate) mod mask;
mod said;

mod act;
mod page;
mod password;
mod problem;
mod session;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use tokio::sync::watch;
use trunkline_engine::Engine;

pub use password::hash_password;

/// The largest form that is read: the ids of a page of dead letters.
const LARGEST_FORM: usize = 32 * 1024;

/// Nothing from elsewhere, nothing inline, nobody may frame it.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the console needs.
#[derive(Clone)]
pub struct Console {
    /// What the pages read, and what does what operators ask for.
    pub engine: Arc<Engine>,
    /// Bumped with every change; pages that are open look again.
    pub changes: watch::Receiver<u64>,
    /// Whether the session cookie is for HTTPS only.
    pub secure_cookies: bool,
    /// The page with the sandbox's phones, where there is a sandbox.
    pub sandbox: Option<String>,
    /// The reports of chaos, where they are kept.
    pub reports: Option<crate::Reports>,
}

impl Console {
    /// The country for numbers typed without a country code.
    fn region(&self) -> Option<&str> {
        self.engine.definitions.default_region.as_deref()
    }
}

/// The console's routes, with a fallback that shows a page to browsers and a line of text to everything else.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/messages", get(messages::show))
        .route("/messages/{id}", get(message::show))
        .route("/messages/{id}/cancel", post(message::cancel))
        .route("/messages/{id}/ruling", post(unclear::rule))
        .route("/unclear", get(unclear::show))
        .route("/addresses/{id}", get(address::show).post(address::reveal))
        .route("/addresses/{id}/proof", get(proof::show).post(proof::reveal))
        .route("/journeys", get(journeys::list))
        .route("/journeys/{name}", get(journeys::show))
        .route("/runs/{id}", get(runs::show))
        .route("/templates", get(templates::list))
        .route("/templates/{name}", get(templates::show))
        .route("/webhooks", get(webhooks::received))
        .route("/webhooks/refused", get(webhooks::refused))
        .route("/webhooks/{id}", get(webhooks::show))
        .route("/dead", get(dead::show))
        .route("/dead/replay", post(dead::replay))
        .route("/audit", get(audit::show))
        .route("/chaos", get(chaos::list))
        .route("/chaos/{name}", get(chaos::show))
        .route("/search", get(search::show))
        .route("/live", get(live::stream))
        .route("/signin", get(signin::form).post(signin::sign_in))
        .route("/signout", post(signin::sign_out))
        .route("/static/console.css", get(assets::css()))
        .route("/static/console.js", get(assets::js()))
        .route("/static/icon.svg", get(assets::icon()))
        .fallback(problem::nowhere)
        .layer(Extension(signin::Turn::default()))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::map_response(|response: Response| async move { guard(response) }))
        .with_state(console)
}

fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
