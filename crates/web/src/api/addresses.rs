//! `GET /v1/addresses/{value}`: everything about one number.
//!
//! Its own file as a resource. It joins what the support agent asks for: the conversation, the ledger, the runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use trunkline_engine::Engine;
use trunkline_store::row::MessageFilter;

use super::auth;
use super::ledger::LedgerShape;
use super::messages::address_of;
use super::problem::Problem;
use super::shapes::{AddressShape, ProfileShape, RunShape, TextShape};

/// The most texts of each direction.
const MOST_TEXTS: usize = 100;
/// The most profiles of one number.
const MOST_PROFILES: usize = 20;

/// Read one address
///
/// Its newest 100 texts in each direction, its whole consent ledger, the runs of its profiles that are under way.
#[utoipa::path(get, path = "/v1/addresses/{value}", operation_id = "read_address", tag = "addresses", params(("value" = String, Path, description = "A number such as `+14155550123`, or an id such as `adr_…`", example = "+14155550123")),
    responses((status = 200, description = "The address", body = AddressShape)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(value): Path<String>) -> Result<Json<AddressShape>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let id = address_of(&engine, &value).map_err(|_| missing())?;
    let store = engine.store.as_ref();
    let address = store.addresses(&[id]).await?.pop().ok_or_else(missing)?;
    let mut conversation: Vec<TextShape> = store.messages_matching(&MessageFilter::of_address(id), MOST_TEXTS).await?.iter().map(TextShape::to).collect();
    conversation.extend(store.inbound_of(id, MOST_TEXTS).await?.iter().map(TextShape::from));
    conversation.sort_by_key(|text| text.at);
    let profiles = store.profiles_at(id, MOST_PROFILES).await?;
    let runs = store.open_runs(&profiles.iter().map(|p| p.id).collect::<Vec<_>>()).await?;
    let mut shown = Vec::new();
    for profile in &profiles {
        shown.push(ProfileShape::of(profile, &store.conflicts(profile.id).await?));
    }
    let ledger = store.ledger(id).await?.iter().map(LedgerShape::of).collect();
    let runs = runs.iter().map(RunShape::of).collect();
    Ok(Json(AddressShape { ledger, conversation, runs, profiles: shown, ..AddressShape::of(&address) }))
}

/// Nothing is known of it.
pub(crate) fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_address", "Nothing is known of this address", "give a number that texts went to or came from, or its id (adr_…)")
}
