//! `GET /addresses/{id}/proof`: the proof of consent as a file; `POST` gives it with the number in full.
//!
//! Its own file because it is no page: a file that is kept, sent on and read elsewhere. The number is masked in it unless
//! somebody asked for it, and the trail of what people did says who.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use trunkline_core::id::AddressId;
use trunkline_engine::proof::Proof;

use super::Console;
use super::act;
use super::problem::Problem;
use super::session::{self, SignedIn};

/// What the URL says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    /// `json`, or a page.
    format: String,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let proof = load(&console, &signed_in, &id, false).await?;
    file(&proof, &asked)
}

/// The number in full, for this one file; noted.
pub(super) async fn reveal(
    State(console): State<Console>,
    signed_in: SignedIn,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let proof = load(&console, &signed_in, &id, true).await?;
    act::note(&console, &signed_in, "revealed", &[proof.address.to_string()]).await?;
    file(&proof, &asked)
}

async fn load(console: &Console, signed_in: &SignedIn, id: &str, reveal: bool) -> Result<Proof, Problem> {
    let missing = || Problem::not_found(signed_in, "No text was ever made to this number, and none came from it. Check the number, or search for the order.");
    let id: AddressId = id.parse().map_err(|_| missing())?;
    console.engine.proof(id, reveal).await?.ok_or_else(missing)
}

fn file(proof: &Proof, asked: &Asked) -> Result<Response, Problem> {
    let as_json = asked.format == "json";
    let (media, end) = if as_json { ("application/json", "json") } else { ("text/html; charset=utf-8", "html") };
    let body = if as_json {
        serde_json::to_string_pretty(proof).map_err(|_| "the proof cannot be written as JSON")
    } else {
        crate::proof::html(proof).map_err(|_| "the proof cannot be rendered")
    };
    let name =
        HeaderValue::from_str(&format!("attachment; filename=\"proof-{}.{end}\"", proof.address)).map_err(|_| Problem::Internal("the name of the proof is no legal header"))?;
    let headers: [(HeaderName, HeaderValue); 2] = [(header::CONTENT_TYPE, HeaderValue::from_static(media)), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body.map_err(Problem::Internal)?).into_response())
}
