//! Whatever is not the page that was asked for: signed out, not found, forged, broken.
//!
//! Its own file because it is the one error type of the console's handlers. What broke goes to the log; the page
//! says what the reader can do, and no more.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use trunkline_store::StoreError;

use super::Console;
use super::page::{self, Page};
use super::session::SignedIn;
use super::view;

/// Why there is no page.
pub(super) enum Problem {
    /// Nobody is signed in.
    SignedOut {
        /// Where to go after signing in.
        next: String,
    },
    /// There is no such thing.
    NotFound {
        /// Who asked.
        signed_in: Box<SignedIn>,
        /// What there is not.
        what: &'static str,
    },
    /// The form was not sent by one of our pages.
    Forged,
    /// The store failed.
    Store(StoreError),
    /// Something else failed.
    Internal(&'static str),
}

impl Problem {
    pub(super) fn not_found(signed_in: &SignedIn, what: &'static str) -> Problem {
        Problem::NotFound { signed_in: Box::new(signed_in.clone()), what }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::Store(error)
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    status: u16,
    heading: &'static str,
    sentence: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::SignedOut { next } if next == "/" => Redirect::to("/signin").into_response(),
            Problem::SignedOut { next } => Redirect::to(&format!("/signin?next={}", view::percent(&next))).into_response(),
            Problem::NotFound { signed_in, what } => show(StatusCode::NOT_FOUND, Page::new("Not found", &signed_in), "Not found", what),
            Problem::Forged => show(
                StatusCode::FORBIDDEN,
                Page::outside("Refused"),
                "Refused",
                "This form was not sent from a page of this console. Go back, load the page again, and send the form once more.",
            ),
            Problem::Store(error) => {
                tracing::error!(%error, "the console could not read or write the store");
                broken()
            }
            Problem::Internal(what) => {
                tracing::error!(what, "the console could not answer");
                broken()
            }
        }
    }
}

fn broken() -> Response {
    let sentence = "Trunkline could not load this page. Nothing was changed. Try again in a moment; if it stays like this, the log says why.";
    show(StatusCode::INTERNAL_SERVER_ERROR, Page::outside("Something broke"), "Something broke", sentence)
}

fn show(status: StatusCode, page: Page, heading: &'static str, sentence: &'static str) -> Response {
    page::html(status, &ProblemPage { page, status: status.as_u16(), heading, sentence })
}

/// For paths that are none of ours. Programs get a line of text, no redirect, and no look into the store.
pub(super) async fn nowhere(State(console): State<Console>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    match SignedIn::from_request_parts(&mut parts, &console).await {
        Ok(signed_in) => Problem::not_found(&signed_in, "There is no page at this address.").into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_nothing_of_what_broke() {
        let response = Problem::from(StoreError::Unavailable { cause: "disk on fire".into() }).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let page = ProblemPage { page: Page::outside("x"), status: 404, heading: "Not found", sentence: "Gone." }.render().unwrap();
        assert!(page.contains("Gone.") && !page.contains("/signout"));
    }

    #[test]
    fn the_way_back_survives_the_sign_in() {
        let response = Problem::SignedOut { next: "/search?q=%231042&x=1".into() }.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers().get("location").unwrap(), "/signin?next=/search%3Fq%3D%25231042%26x%3D1");
    }
}
