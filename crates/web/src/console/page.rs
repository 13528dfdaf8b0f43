//! The frame around every page, and how a template becomes an answer.
//!
//! Its own file because every page shares it. It knows nothing of messages.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::assets;
use super::session::SignedIn;

/// What the frame shows.
pub(super) struct Page {
    /// For the browser's tab.
    pub(super) title: String,
    /// Who is signed in; without one, the frame has no navigation.
    pub(super) operator: Option<String>,
    /// Which item of the navigation this is.
    pub(super) here: &'static str,
    /// What is in the search field.
    pub(super) query: String,
    /// Of the assets.
    pub(super) version: String,
}

impl Page {
    /// A page for somebody who is signed in.
    pub(super) fn new(title: impl Into<String>, signed_in: &SignedIn) -> Page {
        Page::of(title, signed_in.operator.clone())
    }

    /// A page for this operator.
    pub(super) fn of(title: impl Into<String>, operator: String) -> Page {
        Page { operator: Some(operator), ..Page::outside(title) }
    }

    /// A page for anybody.
    pub(super) fn outside(title: impl Into<String>) -> Page {
        Page { title: title.into(), operator: None, here: "", query: String::new(), version: assets::version() }
    }

    /// Says which item of the navigation it is.
    pub(super) fn at(self, here: &'static str) -> Page {
        Page { here, ..self }
    }
}

/// Renders a page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(body) => (status, Html(body)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered\n").into_response()
        }
    }
}
