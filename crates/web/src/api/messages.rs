//! `/v1/messages`: make a text, list texts, read one, take one back.
//!
//! Its own file as a resource. Making a text needs an `Idempotency-Key`: the same key with the same body is the same
//! text, whatever happened to the first answer. Deciding about an unclear one is in `rulings`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use trunkline_core::event::FieldProblem;
use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::message::Delivery;
use trunkline_core::number::Number;
use trunkline_core::purpose::Purpose;
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::cancel::Canceled;
use trunkline_engine::explain::explain;
use trunkline_engine::intake::SendRequest;
use trunkline_store::StoreError;
use trunkline_store::row::{Address, Message, MessageFilter};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::query::{Limit, Page, Params, one_of, place};
use super::shapes::{MessageShape, MessageStory};
use super::{auth, body};

const LARGEST: usize = 256 * 1024;

/// A text to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// The recipient, in international form or in the national form of the default country.
    #[schema(example = "+14155550123", format = "phone", max_length = 64)]
    to: String,
    /// The text, up to 1,600 characters; or a template.
    #[schema(example = "Your order has left.", min_length = 1, max_length = 1600, pattern = "\\S")]
    #[serde(default)]
    body: Option<String>,
    /// The template.
    #[schema(min_length = 1)]
    #[serde(default)]
    template: Option<String>,
    /// The template's variables.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    data: Option<Value>,
    /// The locale of the template.
    #[serde(default)]
    locale: Option<String>,
    /// Why it is sent: `otp`, `transactional`, `service`, `marketing` or `collections`.
    #[schema(value_type = PurposeWord)]
    purpose: Purpose,
    /// What the recipient signed up for; absent means the first program.
    #[schema(min_length = 1)]
    #[serde(default)]
    program: Option<String>,
    /// How long it is worth sending, from 1 second to 14 days: `90s`, `15m`, `4h`, `2d`.
    #[schema(value_type = Option<String>, example = "4h", pattern = "^[0-9]+(ms|s|m|min|h|d)$")]
    #[serde(default)]
    ttl: Option<Span>,
    /// Labels, such as the order: at most 16, names up to 64 bytes, values up to 128.
    #[schema(schema_with = labels, required = false)]
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Whether characters outside of GSM-7 are replaced where that saves segments; absent means as configured.
    #[serde(default)]
    smart_encoding: Option<bool>,
}

fn labels() -> Object {
    let text = |least, most| ObjectBuilder::new().schema_type(Type::String).min_length(Some(least)).max_length(Some(most));
    let names = ObjectBuilder::new().property_names(Some(text(1, 64).build())).additional_properties(Some(text(0, 128)));
    names.max_properties(Some(16)).description(Some("Labels, such as the order: at most 16, names up to 64 bytes, values up to 128.")).build()
}

/// The five purposes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of another type for the reference")]
pub(crate) enum PurposeWord {
    Otp,
    Transactional,
    Service,
    Marketing,
    Collections,
}

impl From<NewMessage> for SendRequest {
    fn from(new: NewMessage) -> SendRequest {
        let NewMessage { to, body, template, data, locale, purpose, program, ttl, labels, smart_encoding } = new;
        SendRequest { to, template, data, body, locale, purpose, program, ttl, labels, smart_encoding }
    }
}

/// Make one text
///
/// The gate's verdict is in the answer: a text that is held or suppressed says so at once.
#[utoipa::path(post, path = "/v1/messages", operation_id = "send_message", tag = "messages", request_body = NewMessage,
    params(("Idempotency-Key" = String, Header, description = "Names this text: the same key with the same body is the same text. 1 to 255 characters.", min_length = 1, max_length = 255)),
    responses((status = 202, description = "It is made, now or since before", body = MessageShape)),
    security(("key" = ["messages:write"])))]
pub(crate) async fn post(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Body) -> Result<(StatusCode, Json<MessageShape>), Problem> {
    let client = auth::client(&engine, &headers, "messages:write").await?;
    let key = idempotency_key(&headers)?;
    body::must_be_json(&headers)?;
    let request: NewMessage = body::object(&body::read(body, LARGEST).await?)?;
    let message = engine.send_text(&client, &key, &request.into()).await?;
    Ok((StatusCode::ACCEPTED, Json(shape(&engine, &message).await?)))
}

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// A delivery state, such as `held`.
    #[param(schema_with = states, required = false)]
    #[serde(default)]
    state: Option<String>,
    /// A number, or an address's id.
    #[param(min_length = 1)]
    #[serde(default)]
    address: Option<String>,
    /// The value of a label, such as `#1042`.
    #[serde(default)]
    label: Option<String>,
    /// A journey.
    #[serde(default)]
    journey: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    since: Option<Time>,
    /// Made before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    until: Option<Time>,
    /// `next` of the page before.
    #[param(min_length = 1)]
    #[serde(default)]
    cursor: Option<String>,
    /// Rows of a page: 1 to 200, 50 if not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Limit,
}

fn states() -> Object {
    one_of("A delivery state.", Delivery::ALL.iter().map(|state| state.word()))
}

/// List texts, newest first
///
/// Filters narrow together. What matters for time is when a text was due to be made, which its id carries.
#[utoipa::path(get, path = "/v1/messages", operation_id = "list_messages", tag = "messages", params(Wanted),
    responses((status = 200, description = "A page of texts", body = Page<MessageShape>)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, Params(wanted): Params<Wanted>) -> Result<Json<Page<MessageShape>>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let delivery = match &wanted.state {
        Some(word) => Some(Delivery::from_word(word).ok_or_else(|| unknown_state(word))?),
        None => None,
    };
    let filter = MessageFilter {
        delivery,
        address: wanted.address.as_deref().map(|text| address_of(&engine, text)).transpose()?,
        label: wanted.label.clone(),
        journey: wanted.journey.clone(),
        since: wanted.since,
        until: wanted.until,
        before: place(wanted.cursor.as_deref(), |text| text.parse().ok())?,
    };
    let limit = wanted.limit.rows();
    let rows = engine.store.messages_matching(&filter, limit + 1).await?;
    let addresses = engine.store.addresses(&rows.iter().map(|m| m.intent.address).collect::<Vec<_>>()).await?;
    let place_of = |m: &Message| addresses.iter().find(|a| a.id == m.intent.address).map(|a: &Address| a.place.clone());
    Ok(Json(Page::of(rows, limit, |m| m.id.to_string(), |m| MessageShape::of(&m, place_of(&m).as_ref()))))
}

fn unknown_state(word: &str) -> Problem {
    let known: Vec<&str> = Delivery::ALL.iter().map(|d| d.word()).collect();
    let given: String = word.chars().take(40).collect();
    Problem::fields(vec![FieldProblem::new("state", format!("'{given}' is not a delivery state"), format!("use one of: {}", known.join(", ")))])
}

/// The address behind a number or an id.
pub(crate) fn address_of(engine: &Engine, text: &str) -> Result<AddressId, Problem> {
    if let Ok(id) = text.parse::<AddressId>() {
        return Ok(id);
    }
    match Number::parse(text, engine.definitions.default_region.as_deref()) {
        Ok(number) => Ok(engine.key.address("sms", number.e164())),
        Err(error) => {
            Err(Problem::fields(vec![FieldProblem::new("address", error.to_string(), "give a number such as +14155550123 (in a query, + is written %2B), or an id such as adr_…")]))
        }
    }
}

/// Read one text
///
/// With its timeline: the event, the journey's steps, each check with its evidence, each attempt, each receipt, each write-back.
#[utoipa::path(get, path = "/v1/messages/{id}", operation_id = "read_message", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    responses((status = 200, description = "The text and its story", body = MessageStory)),
    security(("key" = ["messages:read"])))]
pub(crate) async fn get(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<MessageStory>, Problem> {
    auth::client(&engine, &headers, "messages:read").await?;
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let message = engine.store.messages(&[id]).await?.pop().ok_or_else(missing)?;
    let story = explain(engine.store.as_ref(), id).await?.ok_or_else(missing)?;
    Ok(Json(MessageStory { message: shape(&engine, &message).await?, timeline: story.steps.into_iter().map(Into::into).collect() }))
}

/// Take a text back
///
/// Works while the text is queued or held. One that has left, or came to an end, is answered with 409 and its state.
#[utoipa::path(post, path = "/v1/messages/{id}/cancel", operation_id = "cancel_message", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    responses((status = 200, description = "It will not be sent", body = MessageShape)),
    security(("key" = ["messages:write"])))]
pub(crate) async fn cancel(State(engine): State<Arc<Engine>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<MessageShape>, Problem> {
    let client = auth::client(&engine, &headers, "messages:write").await?;
    let id: MessageId = id.parse().map_err(|_| missing())?;
    match engine.cancel_text(&client, id).await? {
        Canceled::Done(message) => Ok(Json(shape(&engine, &message).await?)),
        Canceled::TooLate(message) => {
            let detail = format!("it is {}: a text can be taken back while it is queued or held", message.state.delivery().word());
            Err(Problem::new(StatusCode::CONFLICT, "too_late", "The text cannot be taken back", detail))
        }
        Canceled::Unknown => Err(missing()),
    }
}

/// A message as it is answered.
pub(crate) async fn shape(engine: &Engine, message: &Message) -> Result<MessageShape, StoreError> {
    let address = engine.store.addresses(&[message.intent.address]).await?.pop();
    Ok(MessageShape::of(message, address.as_ref().map(|a| &a.place)))
}

/// There is no such message.
pub(crate) fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_message", "There is no such message", "an id starts with msg_ and comes from POST /v1/messages or the console")
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let value = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::trim);
    match value {
        Some(key) if !key.is_empty() && key.len() <= 255 => Ok(key.to_owned()),
        _ => {
            let fix = "send a header of 1 to 255 characters that names this text, such as the order and the occasion; repeat it when you retry";
            Err(Problem::fields(vec![FieldProblem::new("Idempotency-Key", "is missing, empty or too long", fix)]))
        }
    }
}
