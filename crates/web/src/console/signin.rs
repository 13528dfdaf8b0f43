//! Signing in and out, with a brake on guessing.
//!
//! Its own file because it is the only place where a stranger makes us work: one password is checked at a time, a
//! name that failed three times in a row has to wait, and an unknown name looks and lasts like a known one.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::sync::Mutex;
use trunkline_core::time::{Span, Time};
use trunkline_store::Command;
use trunkline_store::row::{Session, SignIns};

use super::Console;
use super::act;
use super::page::{self, Page};
use super::password;
use super::problem::Problem;
use super::session::{self, LIFE};
use super::view::When;

/// Failures in a row that cost nothing.
const FREE_FAILURES: i64 = 3;
const LONGEST_WAIT: Span = Span::mins(15);
const LONGEST_NAME: usize = 64;
const LONGEST_PASSWORD: usize = 256;

/// Held while a password is checked, so that a crowd of guesses cannot take all memory, nor slip past the count.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<Mutex<()>>);

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

/// What the form gave.
#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage {
    page: Page,
    next: String,
    name: String,
    refused: bool,
    wait: Option<(When, i64)>,
}

impl SignInPage {
    fn new(name: &str, next: &str) -> SignInPage {
        SignInPage { page: Page::outside("Sign in"), next: session::safe_next(next), name: name.chars().take(LONGEST_NAME).collect(), refused: false, wait: None }
    }
}

pub(super) async fn form(State(console): State<Console>, headers: HeaderMap, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let session = match session::hash_in(&headers) {
        Some(hash) => console.engine.store.session(hash).await?,
        None => None,
    };
    if session.is_some_and(|s| console.engine.clock.now() < s.expires_at) {
        return Ok(Redirect::to(&session::safe_next(&wanted.next)).into_response());
    }
    Ok(page::html(StatusCode::OK, &SignInPage::new("", &wanted.next)))
}

pub(super) async fn sign_in(State(console): State<Console>, Extension(turn): Extension<Turn>, headers: HeaderMap, Form(given): Form<Given>) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let name = given.name.trim();
    // No operator has such a name or password, so the short answer gives nothing away.
    if name.is_empty() || name.chars().count() > LONGEST_NAME || given.password.len() > LONGEST_PASSWORD {
        return Ok(refused(name, &given.next));
    }
    let _turn = turn.0.lock().await;
    let now = console.engine.clock.now();
    let before = console.engine.store.sign_ins(name).await?;
    if now < before.not_before {
        return Ok(wait(name, &given.next, before.not_before, now));
    }
    let operator = console.engine.store.operator(name).await?;
    let right = password::check(given.password, operator.map(|o| o.password)).await.map_err(|_| Problem::Internal("the password check did not end"))?;
    if !right {
        let failures = before.failures.saturating_add(1);
        let after = SignIns { failures, not_before: now + pause(failures) };
        act::commit(&console, now, vec![Command::PutSignIns(name.to_owned(), after)]).await?;
        tracing::info!(failures, "a sign-in to the console was refused");
        return Ok(refused(name, &given.next));
    }
    let (token, hash) = session::token()?;
    let session = Session { hash, operator: name.to_owned(), expires_at: now + LIFE };
    let forget = Command::PutSignIns(name.to_owned(), SignIns { failures: 0, not_before: now });
    act::commit(&console, now, vec![forget, Command::PutSession(session)]).await?;
    let mut response = Redirect::to(&session::safe_next(&given.next)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, session::cookie(&token, console.secure_cookies)?);
    Ok(response)
}

pub(super) async fn sign_out(State(console): State<Console>, headers: HeaderMap) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    if let Some(hash) = session::hash_in(&headers) {
        act::commit(&console, console.engine.clock.now(), vec![Command::EndSession(hash)]).await?;
    }
    let mut response = Redirect::to("/signin").into_response();
    response.headers_mut().insert(header::SET_COOKIE, session::cookie("", console.secure_cookies)?);
    Ok(response)
}

fn refused(name: &str, next: &str) -> Response {
    page::html(StatusCode::UNAUTHORIZED, &SignInPage { refused: true, ..SignInPage::new(name, next) })
}

fn wait(name: &str, next: &str, until: Time, now: Time) -> Response {
    let seconds = (until.since(now).0 + 999_999) / 1_000_000;
    let mut response = page::html(StatusCode::TOO_MANY_REQUESTS, &SignInPage { wait: Some((When::from(until), seconds)), ..SignInPage::new(name, next) });
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// How long a name has to wait after so many failures in a row.
fn pause(failures: i64) -> Span {
    let beyond = failures.saturating_sub(FREE_FAILURES);
    if beyond < 0 { Span::ZERO } else { Span::secs(1 << beyond.min(10)).min(LONGEST_WAIT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slow() {
        let secs: Vec<i64> = [0, 1, 2, 3, 4, 5, 12, 13, 100, i64::MAX].into_iter().map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(secs, [0, 0, 0, 1, 2, 4, 512, 900, 900, 900]);
    }

    #[test]
    fn the_form_keeps_the_name_and_drops_foreign_paths() {
        let html = SignInPage { refused: true, ..SignInPage::new("<b>ana", "//evil.example") }.render().unwrap();
        assert!(html.contains("value=\"&#60;b&#62;ana\"") && html.contains("name=\"next\" value=\"/\""));
        assert!(html.contains("role=\"alert\""));
    }
}
