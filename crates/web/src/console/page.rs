//! The frame around every page, and how a template becomes an answer.
//!
//! Its own file because every page shares it. It knows nothing of messages.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::assets;
use super::said::Said;
use super::session::{MOST_COUNTED, SignedIn};

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
    /// How many things gave up, or empty if none did.
    pub(super) dead: String,
    /// How many texts are unclear, or empty if none is.
    pub(super) unclear: String,
    /// Where the sandbox's phones are, if there is a sandbox.
    pub(super) phones: Option<String>,
}

/// What became of a form, said at the top of the page that it leads to.
pub(super) struct Banner {
    /// The colour's class.
    pub(super) tone: &'static str,
    /// What happened.
    pub(super) said: Said,
}

impl Page {
    /// A page for somebody who is signed in.
    pub(super) fn new(title: impl Into<String>, signed_in: &SignedIn) -> Page {
        let (dead, unclear) = (badge(signed_in.dead), badge(signed_in.unclear));
        Page { operator: Some(signed_in.operator.clone()), dead, unclear, phones: signed_in.phones.clone(), ..Page::outside(title) }
    }

    /// A page for anybody.
    pub(super) fn outside(title: impl Into<String>) -> Page {
        let version = assets::version();
        Page { title: title.into(), operator: None, here: "", query: String::new(), version, dead: String::new(), unclear: String::new(), phones: None }
    }

    /// Says which item of the navigation it is.
    pub(super) fn at(self, here: &'static str) -> Page {
        Page { here, ..self }
    }
}

/// A count beside an item of the navigation; nothing if there is nothing to count.
fn badge(count: usize) -> String {
    match count {
        0 => String::new(),
        n if n < MOST_COUNTED => n.to_string(),
        _ => format!("{}+", MOST_COUNTED - 1),
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

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::time::Time;

    #[test]
    fn the_frame_counts_what_waits_as_far_as_it_looks() {
        let page = |dead, unclear| Page::new("x", &SignedIn { operator: "ada".into(), expires_at: Time(0), dead, unclear, phones: None });
        let shown = [(0, 7), (7, MOST_COUNTED), (MOST_COUNTED, 0)].map(|(dead, unclear)| page(dead, unclear)).map(|page| (page.dead, page.unclear));
        assert_eq!(shown, [("", "7"), ("7", "99+"), ("99+", "")].map(|(dead, unclear)| (dead.to_owned(), unclear.to_owned())));
    }
}
