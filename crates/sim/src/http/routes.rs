//! The sandbox's routes: the vendors' APIs, the CRM, the controls and the page.
//!
//! Its own file because it is where HTTP ends: it turns requests into calls of the fakes, and their answers into
//! responses, late ones and missing ones included. It decides nothing.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunkline_connectors::http::Request;
use trunkline_core::time::Span;

use super::deliver::pause;
use super::refused::{Wire, nowhere};
use super::vendors::throttled;
use super::{Credentials, Sandbox, SandboxError, Screen, Snapshot, Tally};
use crate::carrier::Dialect;
use crate::faults::Faults;
use crate::outgoing::{Answer, PhoneText, span_of_millis};
use crate::shop::{Customer, Order};
use crate::vendor::magic::BANK;

/// How long a call that is never answered is held open, in real time.
const HELD: Duration = Duration::from_secs(30);
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every route of the sandbox.
pub fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/2010-04-01/{*rest}", any(twilio))
        .route("/v2/{*rest}", any(telnyx))
        .route("/xms/v1/{*rest}", any(sinch))
        .route("/crm/{*rest}", any(crm))
        .route("/sandbox/state", get(state))
        .route("/sandbox/tally", get(tally))
        .route("/sandbox/texts", get(texts))
        .route("/sandbox/credentials", get(credentials))
        .route("/sandbox/faults", get(faults).put(set_faults).patch(change_faults))
        .route("/sandbox/phones", get(bank))
        .route("/sandbox/phones/{number}", get(screen))
        .route("/sandbox/phones/{number}/reply", post(reply))
        .route("/sandbox/shop/orders", post(order))
        .route("/sandbox/shop/shipments", post(shipment))
        .route("/sandbox/shop/cancellations", post(cancellation))
        .route("/", get(|| async { page("text/html; charset=utf-8", include_str!("../../static/sandbox.html")) }))
        .route("/sandbox.css", get(|| async { page("text/css; charset=utf-8", include_str!("../../static/sandbox.css")) }))
        .route("/sandbox.js", get(|| async { page("text/javascript; charset=utf-8", include_str!("../../static/sandbox.js")) }))
        .fallback(nowhere)
        .with_state(sandbox)
}

async fn twilio(State(sandbox): State<Sandbox>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    vendor(sandbox, Dialect::Twilio, request(method, &uri, &headers, body)).await
}

async fn telnyx(State(sandbox): State<Sandbox>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    vendor(sandbox, Dialect::Telnyx, request(method, &uri, &headers, body)).await
}

async fn sinch(State(sandbox): State<Sandbox>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    vendor(sandbox, Dialect::Sinch, request(method, &uri, &headers, body)).await
}

async fn vendor(sandbox: Sandbox, dialect: Dialect, request: Request) -> Response {
    let (answer, latency) = sandbox.call_vendor(dialect, &request);
    pause(span_of_millis(latency).std()).await;
    // The connection is open by now, so it can no longer be refused: that it was too early is as definite.
    answered(answer, throttled(dialect)).await
}

async fn crm(State(sandbox): State<Sandbox>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, latency) = sandbox.call_crm(&request(method, &uri, &headers, body));
    pause(span_of_millis(latency).std()).await;
    answered(answer, Answer::json(503, &json!({"error": "the CRM is down"}))).await
}

/// How much of the state is wanted.
#[derive(Deserialize)]
struct Wanted {
    latest: Option<usize>,
}

impl Wanted {
    fn most(wanted: Result<Query<Wanted>, QueryRejection>) -> Result<usize, SandboxError> {
        let Query(wanted) = wanted?;
        Ok(wanted.latest.unwrap_or(usize::MAX))
    }
}

/// From where texts or their bodies are wanted.
#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn tally(State(sandbox): State<Sandbox>, Query(wanted): Query<From>) -> Json<Tally> {
    Json(sandbox.tally(wanted.from))
}

async fn texts(State(sandbox): State<Sandbox>, Query(wanted): Query<From>) -> Json<Vec<PhoneText>> {
    Json(sandbox.texts_from(wanted.from))
}

async fn state(State(sandbox): State<Sandbox>, wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Json<Snapshot>, SandboxError> {
    Ok(Json(sandbox.snapshot_of(Wanted::most(wanted)?)))
}

async fn credentials(State(sandbox): State<Sandbox>) -> Json<Credentials> {
    Json(sandbox.credentials().clone())
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Faults> {
    Json(sandbox.faults())
}

async fn set_faults(State(sandbox): State<Sandbox>, Wire(faults): Wire<Faults>) -> Result<Json<Faults>, SandboxError> {
    sandbox.set_faults(faults)?;
    Ok(Json(sandbox.faults()))
}

async fn change_faults(State(sandbox): State<Sandbox>, Wire(changes): Wire<Map<String, Value>>) -> Result<Json<Faults>, SandboxError> {
    Ok(Json(sandbox.change_faults(&changes)?))
}

async fn bank() -> Json<Value> {
    Json(json!({"phones": BANK}))
}

async fn screen(State(sandbox): State<Sandbox>, Path(number): Path<String>, wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Json<Screen>, SandboxError> {
    Ok(Json(sandbox.screen(&number, Wanted::most(wanted)?)?))
}

/// A text from a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    to: String,
    body: String,
}

async fn reply(State(sandbox): State<Sandbox>, Path(number): Path<String>, Wire(reply): Wire<Reply>) -> Result<StatusCode, SandboxError> {
    sandbox.reply(&number, &reply.to, &reply.body)?;
    Ok(StatusCode::ACCEPTED)
}

/// An order to place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    customer: Customer,
    #[serde(default = "once")]
    copies: u32,
}

fn once() -> u32 {
    1
}

async fn order(State(sandbox): State<Sandbox>, Wire(order): Wire<NewOrder>) -> (StatusCode, Json<Order>) {
    (StatusCode::CREATED, Json(sandbox.order(&order.customer, order.copies)))
}

/// An order that is meant, by its id as a number or, since browsers cannot hold it, as a text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    order_id: Value,
}

impl Meant {
    fn id(&self) -> Result<i64, SandboxError> {
        let given = &self.order_id;
        let id = given.as_i64().or_else(|| given.as_str()?.parse().ok());
        id.ok_or_else(|| SandboxError::Order(given.to_string().chars().take(32).collect()))
    }
}

async fn shipment(State(sandbox): State<Sandbox>, Wire(meant): Wire<Meant>) -> Result<StatusCode, SandboxError> {
    sandbox.ship(meant.id()?)?;
    Ok(StatusCode::ACCEPTED)
}

async fn cancellation(State(sandbox): State<Sandbox>, Wire(meant): Wire<Meant>) -> Result<StatusCode, SandboxError> {
    sandbox.cancel(meant.id()?)?;
    Ok(StatusCode::ACCEPTED)
}

/// Something of the page: it loads nothing from elsewhere, and may not either.
fn page(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text)
}

fn request(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Request {
    let headers = headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
    Request { method, url: uri.to_string(), headers, body, timeout: Span::ZERO }
}

async fn answered(answer: Answer, instead_of_refusing: Answer) -> Response {
    match answer {
        Answer::Reply(response) => response_of(response),
        Answer::Hang => {
            pause(HELD).await;
            dropped()
        }
        Answer::Refuse => match instead_of_refusing {
            Answer::Reply(response) => response_of(response),
            Answer::Hang | Answer::Refuse => dropped(),
        },
    }
}

fn response_of(response: trunkline_connectors::http::Response) -> Response {
    let mut out = Response::new(Body::from(response.body));
    *out.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            out.headers_mut().append(name, value);
        }
    }
    out
}

/// A response whose body fails before its first byte: the server closes the connection without an answer.
fn dropped() -> Response {
    let broken = futures_util::stream::iter([Err::<Bytes, io::Error>(io::Error::other("the vendor never answers this call"))]);
    Response::new(Body::from_stream(broken))
}
