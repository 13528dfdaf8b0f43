//! Query strings and pages: read strictly, with the place in a list as an opaque cursor.
//!
//! Its own file because every list pages alike: `items`, and `next` for the page after, absent on the last one. A
//! parameter that nobody knows is refused, since a misspelt filter would answer with everything.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trunkline_core::event::FieldProblem;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::problem::Problem;

/// How many rows a page has if the request does not say.
const USUAL: usize = 50;
/// The most rows of a page.
pub(crate) const MOST: usize = 200;

/// The parameters of a query, each problem naming its parameter.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params<T>, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut fields = serde_json::Map::new();
        for (name, value) in pairs {
            if fields.insert(name.clone(), serde_json::Value::String(value)).is_some() {
                return Err(Problem::fields(vec![FieldProblem::new(clip(&name), "is given twice", "give it once")]));
            }
        }
        let parsed: Result<T, _> = serde_path_to_error::deserialize(serde_json::Value::Object(fields));
        parsed.map(Params).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner().to_string());
            let field = if path == "." || path == "?" { String::new() } else { path };
            Problem::fields(vec![FieldProblem::new(clip(&field), clip(&inner), "see the reference at /docs for the parameters and their forms")])
        })
    }
}

/// A parameter that is one of these words, as the reference says it.
pub(crate) fn one_of(description: &str, words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(words)).build()
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// The cursor of the page after; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// A page from one row more than it shows: if that is there, so is a page after. `place` names a row.
    pub(crate) fn of<R>(mut rows: Vec<R>, limit: usize, place: impl Fn(&R) -> String, view: impl FnMut(R) -> T) -> Page<T> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| cursor(&place(row)));
        Page { items: rows.into_iter().map(view).collect(), next }
    }
}

/// A place in a list as it is handed out.
fn cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// The place behind a cursor.
pub(crate) fn place<T>(cursor: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(read) {
        Some(place) => Ok(Some(place)),
        None => Err(Problem::fields(vec![FieldProblem::new("cursor", "is not a cursor of this list", "pass on what the page before gave as 'next', unchanged")])),
    }
}

/// A number in a query, within bounds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limit(Option<usize>);

impl Limit {
    pub(crate) fn rows(self) -> usize {
        self.0.unwrap_or(USUAL)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Limit, D::Error> {
        let text = String::deserialize(d)?;
        match text.parse::<usize>() {
            Ok(rows) if (1..=MOST).contains(&rows) && !text.starts_with('+') => Ok(Limit(Some(rows))),
            _ => Err(serde::de::Error::custom(format!("is not a whole number from 1 to {MOST}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_whether_there_is_more() {
        let page = Page::of(vec![1, 2, 3], 2, ToString::to_string, |n| n);
        let next = page.next.unwrap();
        assert_eq!((page.items, place(Some(&next), |t| t.parse::<i32>().ok()).unwrap_or_default()), (vec![1, 2], Some(2)));
        assert!(Page::of(vec![1, 2], 2, ToString::to_string, |n| n).next.is_none());
        assert!(place(Some("!"), |t| t.parse::<i32>().ok()).is_err());
        assert!(place(Some(&cursor("x")), |t| t.parse::<i32>().ok()).is_err());
    }

    #[test]
    fn limits_are_bounded() {
        for (text, expect) in [("1", Some(1)), ("200", Some(200)), ("0", None), ("201", None), ("-1", None), ("+5", None), ("x", None)] {
            let limit: Result<Limit, _> = serde_json::from_value(serde_json::json!(text));
            assert_eq!(limit.ok().map(Limit::rows), expect, "{text}");
        }
    }
}
