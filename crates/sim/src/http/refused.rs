//! What the sandbox's own controls refuse: said in JSON, with the field and what to do about it.
//!
//! Its own file because every control answers its mistakes alike, whether the sandbox found them or the web framework
//! did. The vendor's and the CRM's refusals are not here: those are in their own words.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;
use trunkline_core::number::NumberError;

use super::LONGEST_REPLY;
use crate::faults::{BadSetting, TooLikely};

/// Why the sandbox does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// Not a phone number.
    #[error("what was given as a phone {0}")]
    Phone(NumberError),
    /// Not one of our senders.
    #[error("{0} is not a sender of this sandbox")]
    Sender(String),
    /// A text that no phone sends.
    #[error("a text has from 1 to {longest} characters", longest = LONGEST_REPLY)]
    Body,
    /// No such order.
    #[error("there is no order {0}")]
    Order(String),
    /// An order that was cancelled before.
    #[error("order {0} is cancelled already")]
    Cancelled(String),
    /// A fault that cannot be.
    #[error(transparent)]
    Fault(#[from] TooLikely),
    /// A setting that there is not, or that cannot be so.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// A request that could not be read.
    #[error("{problem}")]
    Unreadable {
        /// The HTTP status that says so.
        status: u16,
        /// The field, if it is about one.
        field: Option<String>,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        fix: &'static str,
    },
}

impl SandboxError {
    fn status(&self) -> StatusCode {
        match self {
            SandboxError::Order(_) => StatusCode::NOT_FOUND,
            SandboxError::Cancelled(_) => StatusCode::CONFLICT,
            SandboxError::Unreadable { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST),
            SandboxError::Phone(_) | SandboxError::Sender(_) | SandboxError::Body | SandboxError::Fault(_) | SandboxError::Setting(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            SandboxError::Phone(_) => Some("number"),
            SandboxError::Sender(_) => Some("to"),
            SandboxError::Body => Some("body"),
            SandboxError::Order(_) | SandboxError::Cancelled(_) => Some("order_id"),
            SandboxError::Fault(fault) => Some(fault.name),
            SandboxError::Setting(setting) => Some(setting.name.as_str()),
            SandboxError::Unreadable { field, .. } => field.as_deref(),
        }
    }

    fn fix(&self) -> &'static str {
        match self {
            SandboxError::Phone(_) => "write the number in international form, such as +14155550123",
            SandboxError::Sender(_) => "GET /sandbox/credentials lists the senders",
            SandboxError::Body => "shorten the text, or write one",
            SandboxError::Order(_) => "GET /sandbox/state lists the orders",
            SandboxError::Cancelled(_) => "nothing: it was announced when it was cancelled",
            SandboxError::Fault(_) => "give a whole number from 0 to 1000",
            SandboxError::Setting(_) => "GET /sandbox/faults shows every setting",
            SandboxError::Unreadable { fix, .. } => fix,
        }
    }
}

impl IntoResponse for SandboxError {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({"error": self.to_string(), "field": self.field(), "fix": self.fix()}))).into_response()
    }
}

impl From<JsonRejection> for SandboxError {
    fn from(rejection: JsonRejection) -> SandboxError {
        let status = rejection.status().as_u16();
        let said = rejection.body_text();
        // What the framework says first is the same every time.
        let problem = said.split_once(": ").map_or(said.as_str(), |(_, rest)| rest).to_owned();
        let unreadable = |field: Option<String>, fix: &'static str| SandboxError::Unreadable { status, field, problem: problem.clone(), fix };
        match rejection {
            JsonRejection::JsonDataError(_) => {
                let fix = if problem.contains("missing field") { "add the field" } else { "give the field as docs/sandbox.md has it" };
                unreadable(Some(field_of(&problem)), fix)
            }
            JsonRejection::JsonSyntaxError(_) => unreadable(None, "send JSON"),
            JsonRejection::MissingJsonContentType(_) => SandboxError::Unreadable { status, field: None, problem: said, fix: "send the header content-type: application/json" },
            _ => SandboxError::Unreadable { status, field: None, problem: said, fix: "send a shorter body, to the end" },
        }
    }
}

impl From<QueryRejection> for SandboxError {
    fn from(rejection: QueryRejection) -> SandboxError {
        let (status, problem) = (rejection.status().as_u16(), rejection.body_text());
        SandboxError::Unreadable { status, field: Some("latest".to_owned()), problem, fix: "give a whole number, or leave it out" }
    }
}

/// A JSON body whose mistakes are answered in JSON.
pub(super) struct Wire<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Wire<T> {
    type Rejection = SandboxError;

    async fn from_request(request: Request, state: &S) -> Result<Wire<T>, SandboxError> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Wire(value))
    }
}

/// Where there is nothing.
pub(super) async fn nowhere() -> SandboxError {
    SandboxError::Unreadable { status: 404, field: None, problem: "there is nothing at this address".to_owned(), fix: "docs/sandbox.md lists the addresses" }
}

/// The field that a mistake is about: the way to it, then the name that is missing at its end.
fn field_of(problem: &str) -> String {
    let path = problem.split_once(": ").map(|(path, _)| path).filter(|path| !path.contains(' '));
    let missing = problem.split_once("missing field `").and_then(|(_, rest)| rest.split('`').next());
    match (path, missing) {
        (Some(path), Some(missing)) => format!("{path}.{missing}"),
        (Some(path), None) => path.to_owned(),
        (None, _) => missing.unwrap_or("body").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u32,
    }

    #[test]
    fn names_the_field() {
        for (body, field, fix) in [
            ("{}", "inner", "add the field"),
            ("{\"inner\": {}}", "inner.count", "add the field"),
            ("{\"inner\": {\"count\": \"x\"}}", "inner.count", "give the field as docs/sandbox.md has it"),
            ("{\"inner\": {\"cnt\": 1}}", "inner.cnt", "give the field as docs/sandbox.md has it"),
            ("{\"inner\": {\"count\": 1}, \"outer\": 1}", "outer", "give the field as docs/sandbox.md has it"),
            ("5", "body", "give the field as docs/sandbox.md has it"),
        ] {
            let refused = SandboxError::from(Json::<Outer>::from_bytes(body.as_bytes()).unwrap_err());
            assert_eq!((refused.status(), refused.field(), refused.fix()), (StatusCode::UNPROCESSABLE_ENTITY, Some(field), fix), "{body}: {refused}");
        }
        let fine = Json::<Outer>::from_bytes(b"{\"inner\": {\"count\": 1}}").unwrap();
        assert_eq!(fine.0.inner.count, 1);
        let refused = SandboxError::from(Json::<Outer>::from_bytes(b"{").unwrap_err());
        assert_eq!((refused.status(), refused.field()), (StatusCode::BAD_REQUEST, None));
    }
}
