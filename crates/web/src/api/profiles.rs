//! `/v1/profiles/{system}/{external_id}`: what systems of record say about people.
//!
//! Its own file as a resource. Who may write which field is configured; what may not is kept as a conflict and shown.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use trunkline_engine::Engine;
use trunkline_engine::profile::ProfileRequest;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::problem::Problem;
use super::shapes::ProfileShape;
use super::{auth, body};

/// A name: not blank, no control characters.
const NAME: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$";

/// What is written; what is absent stays as it was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileWrite {
    /// Which system says so; absent means the profile's own.
    #[schema(min_length = 1, max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$")]
    #[serde(default)]
    written_by: Option<String>,
    /// The phone number.
    #[schema(example = "+14155550123", format = "phone")]
    #[serde(default)]
    phone: Option<String>,
    /// The country for a number without a country code, such as `US`.
    #[schema(example = "US", min_length = 2, max_length = 2, pattern = "^[A-Za-z]{2}$")]
    #[serde(default)]
    region: Option<String>,
    /// The person's locale, such as `fr-CA`.
    #[schema(example = "en", min_length = 1, max_length = 35, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$")]
    #[serde(default)]
    locale: Option<String>,
    /// Attributes, at most 64; null removes one.
    #[schema(schema_with = attributes, required = false)]
    #[serde(default)]
    attributes: Map<String, Value>,
}

fn attributes() -> Object {
    let names = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(64)).pattern(Some(NAME)).build();
    ObjectBuilder::new().property_names(Some(names)).max_properties(Some(64)).description(Some("Attributes, at most 64; null removes one.")).build()
}

impl From<ProfileWrite> for ProfileRequest {
    fn from(write: ProfileWrite) -> ProfileRequest {
        let ProfileWrite { written_by, phone, region, locale, attributes } = write;
        ProfileRequest { written_by, phone, region, locale, attributes }
    }
}

/// Write a profile
///
/// Fields that are absent stay. A field that another system owns (`[systems.<name>] owns`) is not written: the write is kept under `conflicts`.
#[utoipa::path(put, path = "/v1/profiles/{system}/{external_id}", operation_id = "write_profile", tag = "profiles", request_body = ProfileWrite,
    params(("system" = String, Path, description = "The system of record", min_length = 1, max_length = 256,
            pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"),
        ("external_id" = String, Path, description = "The person's id there", min_length = 1, max_length = 256,
            pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$")),
    responses((status = 200, description = "The profile as it is now", body = ProfileShape)),
    security(("key" = ["profiles:write"])))]
pub(crate) async fn put(
    State(engine): State<Arc<Engine>>,
    headers: HeaderMap,
    Path((system, external_id)): Path<(String, String)>,
    body: Body,
) -> Result<Json<ProfileShape>, Problem> {
    auth::client(&engine, &headers, "profiles:write").await?;
    body::must_be_json(&headers)?;
    let write: ProfileWrite = body::object(&body::read(body, 256 * 1024).await?)?;
    let (profile, conflicts) = engine.put_profile(&system, &external_id, &write.into()).await?;
    Ok(Json(ProfileShape::of(&profile, &conflicts)))
}

/// Read a profile
#[utoipa::path(get, path = "/v1/profiles/{system}/{external_id}", operation_id = "read_profile", tag = "profiles",
    params(("system" = String, Path, description = "The system of record", min_length = 1, max_length = 256,
            pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"),
        ("external_id" = String, Path, description = "The person's id there", min_length = 1, max_length = 256,
            pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$")),
    responses((status = 200, description = "The profile, with writes that were not applied", body = ProfileShape)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path((system, external_id)): Path<(String, String)>) -> Result<Json<ProfileShape>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    match engine.profile(&system, &external_id).await? {
        Some((profile, conflicts)) => Ok(Json(ProfileShape::of(&profile, &conflicts))),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "no_such_profile", "There is no such profile", "it is made by an event of its source, or by PUT to this address")),
    }
}
