//! `/hooks/{name}`: from HTTP to the engine's receiver, and nothing else.
//!
//! Its own file because it is the hot door: the body is capped, the public URL put together, the answer passed on.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use trunkline_connectors::hook::{RawHook, Refused};
use trunkline_engine::Engine;
use trunkline_engine::receive::{LARGEST, Received};

pub(crate) async fn receive(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if method != Method::POST && method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    // Signatures cover the URL that the sender calls, whatever a proxy made of it.
    let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let url = format!("{}{path}", engine.definitions.public_url.trim_end_matches('/'));
    let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    let mut raw = RawHook { method: method.to_string(), url, headers, body: Bytes::new() };
    match to_bytes(body, LARGEST).await {
        Ok(bytes) => raw.body = bytes,
        Err(_) => {
            return match engine.refuse(&name, &raw, &Refused::TooLarge { cap: LARGEST }).await {
                Ok(()) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
                Err(_) => unavailable(&engine),
            };
        }
    }
    match engine.receive(&name, raw).await {
        Received::Accepted(answer) => {
            let mut response = (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), answer.body).into_response();
            response.headers_mut().remove(header::CONTENT_TYPE);
            for (name, value) in &answer.headers {
                if let (Ok(name), Ok(value)) = (header::HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Received::Refused => StatusCode::FORBIDDEN.into_response(),
        Received::Unknown => StatusCode::NOT_FOUND.into_response(),
        Received::Unavailable => unavailable(&engine),
    }
}

fn unavailable(engine: &Engine) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, HeaderValue::from(engine.pressure().retry_after()))]).into_response()
}
