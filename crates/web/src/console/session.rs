//! Who is signed in: the session cookie, and where a form may come from.
//!
//! Its own file because every page takes a `SignedIn`, and only this file can make one: a page without the check does
//! not compile. Passwords and throttling are in `signin`.

use aws_lc_rs::rand;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trunkline_core::id::hash16;
use trunkline_core::message::Delivery;
use trunkline_core::time::{Span, Time};
use trunkline_store::row::MessageFilter;

use super::Console;
use super::problem::Problem;

/// How long a session lasts.
pub(super) const LIFE: Span = Span::hours(24 * 7);
/// How far things that wait for a human are counted: the frame needs to know whether there are any, and roughly how many.
pub(super) const MOST_COUNTED: usize = 100;
const COOKIE: &str = "tl_session";

/// An operator who is signed in, and what the frame around every page tells about the state of things.
#[derive(Clone)]
pub(super) struct SignedIn {
    /// Who.
    pub(super) operator: String,
    /// When the session ends.
    pub(super) expires_at: Time,
    /// How many things gave up, as far as they are counted.
    pub(super) dead: usize,
    /// How many texts are unclear, as far as they are counted.
    pub(super) unclear: usize,
    /// Where the sandbox's phones are, if there is a sandbox.
    pub(super) phones: Option<String>,
}

impl SignedIn {
    /// Who did it, for records that others may ask about later.
    pub(super) fn by(&self) -> String {
        format!("operator {}", self.operator)
    }
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<SignedIn, Problem> {
        let engine = &console.engine;
        let session = match hash_in(&parts.headers) {
            Some(hash) => engine.store.session(hash).await?,
            None => None,
        };
        let Some(session) = session.filter(|s| engine.clock.now() < s.expires_at) else {
            return Err(Problem::SignedOut { next: wanted(parts) });
        };
        let unknown = MessageFilter::in_state(Delivery::Unknown);
        let (dead, unclear) = tokio::try_join!(engine.store.dead(MOST_COUNTED), engine.store.messages_matching(&unknown, MOST_COUNTED))?;
        Ok(SignedIn { operator: session.operator, expires_at: session.expires_at, dead: dead.len(), unclear: unclear.len(), phones: console.sandbox.clone() })
    }
}

/// Where to go after signing in: only a page that was asked for is worth coming back to.
fn wanted(parts: &Parts) -> String {
    let path = if parts.method == Method::GET { parts.uri.path_and_query().map(ToString::to_string) } else { None };
    safe_next(&path.unwrap_or_default())
}

/// A path of ours, or the overview: never another host, however it is written.
pub(super) fn safe_next(next: &str) -> String {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && next.chars().all(|c| c.is_ascii_graphic());
    if ours && next.len() <= 1024 { next.to_owned() } else { "/".to_owned() }
}

/// A new session's token, and the hash by which the store knows it.
pub(super) fn token() -> Result<(String, [u8; 16]), Problem> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Problem::Internal("no randomness for a session token"))?;
    Ok((URL_SAFE_NO_PAD.encode(bytes), hash(&bytes)))
}

fn hash(token: &[u8]) -> [u8; 16] {
    hash16(&[b"session", token])
}

/// The hash of the token in the cookie, if there is one.
pub(super) fn hash_in(headers: &HeaderMap) -> Option<[u8; 16]> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let (_, text) = cookies.flat_map(|all| all.split(';')).filter_map(|one| one.trim().split_once('=')).find(|(name, _)| *name == COOKIE)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32)?;
    Some(hash(&bytes))
}

/// The header that keeps a session in the browser; an empty token ends it.
pub(super) fn cookie(token: &str, secure: bool) -> Result<HeaderValue, Problem> {
    let age = if token.is_empty() { 0 } else { LIFE.as_secs() };
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(|_| Problem::Internal("the session cookie is not a legal header"))
}

/// Whether a form was sent by one of our own pages, as far as the browser tells.
pub(super) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &'static str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text("host").unwrap_or_default();
    let origin = text("origin").is_none_or(|origin| origin.split_once("://").is_some_and(|(_, from)| !from.is_empty() && from.eq_ignore_ascii_case(host)));
    site && origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (axum::http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn comes_back_to_our_own_pages_only() {
        for (next, expect) in [
            ("/", "/"),
            ("/messages?state=held", "/messages?state=held"),
            ("", "/"),
            ("messages", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(safe_next(next), expect, "{next}");
        }
    }

    #[test]
    fn forms_come_from_our_own_pages() {
        for (pairs, expect) in [
            (vec![("host", "trunk.example")], true),
            (vec![("host", "trunk.example"), ("origin", "https://trunk.example"), ("sec-fetch-site", "same-origin")], true),
            (vec![("host", "trunk.example:8080"), ("origin", "http://Trunk.example:8080")], true),
            (vec![("host", "trunk.example"), ("sec-fetch-site", "none")], true),
            (vec![("host", "trunk.example"), ("sec-fetch-site", "cross-site")], false),
            (vec![("host", "trunk.example"), ("sec-fetch-site", "same-site")], false),
            (vec![("host", "trunk.example"), ("origin", "https://evil.example")], false),
            (vec![("host", "trunk.example"), ("origin", "null")], false),
            (vec![("origin", "https://")], false),
        ] {
            assert_eq!(same_origin(&headers(&pairs)), expect, "{pairs:?}");
        }
    }

    #[test]
    fn the_cookie_leads_back_to_its_hash() {
        let (token, expect) = token().ok().unwrap();
        let sent = cookie(&token, true).ok().unwrap();
        let text = sent.to_str().unwrap();
        assert!(text.ends_with("; HttpOnly; SameSite=Lax; Secure") && text.contains("Max-Age=604800"));
        let back = format!("theme=dark; {}", text.split(';').next().unwrap());
        assert_eq!(hash_in(&headers(&[("cookie", back.as_str())])), Some(expect));
        assert_eq!(hash_in(&headers(&[("cookie", "tl_session=short")])), None);
        assert_eq!(hash_in(&headers(&[])), None);
    }
}
