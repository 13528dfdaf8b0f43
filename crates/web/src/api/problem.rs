//! Problems as RFC 9457 documents: a stable code, and for each wrong field what is wrong and how to mend it.
//!
//! Its own file so that every refusal of the API looks the same. It never carries a secret, a number or a text.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_core::event::FieldProblem;
use trunkline_engine::intake::Unwilling;
use trunkline_engine::pressure::Pressed;
use trunkline_store::StoreError;
use utoipa::ToSchema;

/// A refusal as it is described: RFC 9457, with a stable code and the fields that are wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes for the reference what `Problem` writes")]
pub(crate) struct ProblemShape {
    /// A name for this kind of problem.
    r#type: String,
    /// What kind of problem it is.
    title: String,
    /// The status.
    status: u16,
    /// The stable code.
    code: String,
    /// What is wrong, and what to do.
    detail: String,
    /// Each field that is wrong.
    errors: Option<Vec<FieldShape>>,
}

/// One thing wrong with an input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldShape {
    /// The field, dotted; empty for the whole.
    field: String,
    /// What is wrong.
    problem: String,
    /// What to do.
    fix: String,
}

impl From<FieldProblem> for FieldShape {
    fn from(FieldProblem { field, problem, fix }: FieldProblem) -> FieldShape {
        FieldShape { field, problem, fix }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { kind: format!("urn:trunkline:problem:{code}"), title, status: status.as_u16(), code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    pub(crate) fn fields(errors: Vec<FieldProblem>) -> Problem {
        let first = errors.first().map_or_else(String::new, |e| if e.field.is_empty() { e.problem.clone() } else { format!("'{}' {}", e.field, e.problem) });
        Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "Some fields are not as they must be", first) }
    }

    /// The same, with other names for its fields.
    pub(crate) fn renamed(self, name: impl Fn(String) -> String) -> Problem {
        if self.errors.is_empty() {
            return self;
        }
        Problem::fields(self.errors.into_iter().map(|e| FieldProblem { field: name(e.field), ..e }).collect())
    }

    pub(crate) fn unavailable() -> Problem {
        let detail = "the store cannot take it now; nothing was done; send the same request again";
        Problem { retry_after: Some(5), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Come back later", detail) }
    }

    /// The store is under pressure. What is wrong with it is for the log and for `/ready`, not for clients.
    fn pressed(pressed: Pressed) -> Problem {
        let (code, detail) = match pressed {
            Pressed::Busy => ("store_busy", "more waits for the disk than it takes in time; nothing was done; send the same request again after Retry-After"),
            Pressed::Full => ("store_full", "there is no room for anything new until somebody makes some; nothing was done; send the same request again after Retry-After"),
            Pressed::Unavailable => return Problem::unavailable(),
        };
        Problem { retry_after: Some(pressed.retry_after()), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, "Come back later", detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(%error, "a request could not reach the store");
        Pressed::of(&error).map_or_else(Problem::unavailable, Problem::pressed)
    }
}

impl From<Unwilling> for Problem {
    fn from(unwilling: Unwilling) -> Problem {
        match unwilling {
            Unwilling::Invalid(errors) => Problem::fields(errors),
            Unwilling::KeyReused => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key belongs to another request",
                "the key was used with a different body; use a new key for a new text, the same body for a retry",
            ),
            Unwilling::Store(error) => error.into(),
        }
    }
}

/// Something that is there, asked for in a way that it does not know; `Allow` is added by the router.
pub(crate) async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This cannot be done here", "the header Allow names what can; see /docs")
}

/// Anything under /v1 that does not exist.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is nothing here", "see /docs for what there is")
}
