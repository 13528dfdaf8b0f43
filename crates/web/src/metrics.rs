//! `GET /metrics`: what flows and what waits, for a scraper with an API key.
//!
//! Its own file as the one list of metric names. It reads counters that the stages keep; it never scans messages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use trunkline_engine::Engine;

use crate::api::auth;
use crate::api::problem::Problem;

type Labelled = Family<Vec<(&'static str, String)>, Gauge>;
type Counted = Family<Vec<(&'static str, String)>, Counter>;

pub(crate) async fn metrics(State(engine): State<Arc<Engine>>, headers: HeaderMap) -> Result<Response, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let today = engine.clock.now().utc_day();
    let mut registry = Registry::with_prefix("trunkline");
    let gaps: Gauge = Gauge::default();
    let (today_counts, backlog, alerts) = (Labelled::default(), Labelled::default(), Labelled::default());
    registry.register("today", "Events, hooks and messages of the current UTC day, by what they are", today_counts.clone());
    registry.register("backlog", "Rows waiting in each queue", backlog.clone());
    registry.register("alerts_open", "Open alerts by code", alerts.clone());
    registry.register("gaps_open", "Accounts whose vendors' lists are being read, since webhooks may have been lost", gaps.clone());
    gaps.set(i64::try_from(engine.store.gaps().await?.len()).unwrap_or(i64::MAX));
    pressure(&engine, &mut registry);
    for counter in engine.store.counters(&today).await? {
        today_counts.get_or_create(&vec![("what", counter.name)]).set(counter.value);
    }
    for (queue, rows) in engine.store.backlog().await? {
        backlog.get_or_create(&vec![("queue", queue)]).set(rows);
    }
    for alert in engine.store.alerts().await? {
        alerts.get_or_create(&vec![("code", alert.code)]).inc();
    }
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    }
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// What the process itself knows of its store.
fn pressure(engine: &Engine, registry: &mut Registry) {
    let (ready, queue): (Gauge, Gauge) = (Gauge::default(), Gauge::default());
    let refused = Counted::default();
    registry.register("ready", "Whether intake is let in: 1, or 0 while it is turned away", ready.clone());
    registry.register("store_queue", "Units that wait for the disk", queue.clone());
    registry.register("intake_refused", "Requests that were turned away since the process started, by reason", refused.clone());
    ready.set(i64::from(engine.pressure().look().is_ok()));
    let health = engine.pressure().intake();
    queue.set(i64::try_from(health.waiting).unwrap_or(i64::MAX));
    for (reason, times) in health.refused {
        refused.get_or_create(&vec![("reason", reason.word().to_owned())]).inc_by(times);
    }
}
