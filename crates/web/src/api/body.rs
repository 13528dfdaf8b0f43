//! Request bodies: capped, parsed, and refused with the place of the fault.
//!
//! Its own file because a fault in JSON must name line, column and field, for every resource alike.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use trunkline_core::event::{FieldProblem, kind_of};

use super::problem::Problem;

/// The bytes of a body of at most `cap` bytes.
pub(crate) async fn read(body: Body, cap: usize) -> Result<axum::body::Bytes, Problem> {
    to_bytes(body, cap).await.map_err(|_| {
        let detail = format!("the body is larger than {cap} bytes, or broke off; split it, or send it again");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", detail)
    })
}

/// A body as a value of the domain; a fault names the field.
pub(crate) fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed: Result<T, _> = serde_path_to_error::deserialize(&mut reader);
    match parsed {
        Ok(value) => reader.end().map(|()| value).map_err(|e| malformed(&e)),
        Err(error) => {
            let path = error.path().to_string();
            let inner = error.into_inner();
            // A word that is written as a number, too, is called a fault of syntax where it is read; it is one of the field.
            if (inner.is_syntax() || inner.is_eof()) && serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
                return Err(malformed(&inner));
            }
            let field = if path == "." { String::new() } else { path };
            let problem = if inner.is_data() { inner.to_string() } else { "is of another type".to_owned() };
            let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
            Err(Problem::fields(vec![FieldProblem::new(field, problem, "see docs/api.md for the fields and their types")]))
        }
    }
}

/// A body that is one object. Without this look, a list would be taken for the fields in their order.
pub(crate) fn object<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return parse(bytes);
    }
    let other: Value = parse(bytes)?;
    Err(Problem::fields(vec![FieldProblem::new("", format!("the body is a JSON object, not {}", kind_of(&other)), "send {…}")]))
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is not JSON: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON", detail)
}

/// The media type without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Refuses bodies that are not JSON by their own account.
pub(crate) fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media = media_type(headers);
    if media == "application/json" || media.ends_with("+json") {
        return Ok(());
    }
    let detail = format!("Content-Type is '{media}'; send application/json");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Only JSON is understood", detail))
}
