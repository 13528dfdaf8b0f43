//! The API's routes with their description: OpenAPI 3.1, generated from the handlers.
//!
//! Its own file because a route and its description must not drift apart: whoever adds a handler here adds both. What
//! all operations share (who may ask, how they refuse) is added once, below.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use trunkline_engine::Engine;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContactBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::CloudEvent;
use super::problem::{self, FieldShape, ProblemShape};
use super::{addresses, consent, deadletters, erasure, events, hooks, messages, profiles, reference, rulings, runs};

/// The routes under `/v1`, its description at `/v1/openapi.json`, and the page at `/docs`.
pub(crate) fn router() -> Router<Arc<Engine>> {
    let (router, api) = described();
    let page = reference::page(&api);
    let json = Arc::new(serde_json::to_value(&api).unwrap_or_default());
    let router = router.route("/v1/openapi.json", get(move || async move { Json(json.as_ref().clone()) })).route("/docs", get(move || async move { shown(page) }));
    router.method_not_allowed_fallback(problem::no_such_method)
}

fn shown(page: Result<String, String>) -> Response {
    match page {
        Ok(page) => reference::html(page),
        Err(error) => {
            tracing::error!(%error, "the reference could not be rendered");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn described() -> (Router<Arc<Engine>>, OpenApi) {
    let (router, mut api) = OpenApiRouter::with_openapi(frame())
        .routes(routes!(events::post, events::list))
        .routes(routes!(events::get))
        .routes(routes!(messages::post, messages::list))
        .routes(routes!(messages::get))
        .routes(routes!(messages::cancel))
        .routes(routes!(rulings::post))
        .routes(routes!(addresses::get))
        .routes(routes!(consent::get))
        .routes(routes!(erasure::post))
        .routes(routes!(runs::list))
        .routes(routes!(runs::get))
        .routes(routes!(profiles::put, profiles::get))
        .routes(routes!(consent::post))
        .routes(routes!(hooks::list))
        .routes(routes!(hooks::refused))
        .routes(routes!(hooks::get))
        .routes(routes!(deadletters::list))
        .routes(routes!(deadletters::replay))
        .split_for_parts();
    extensions(&mut api);
    for item in api.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.put, &mut item.post].into_iter().flatten() {
            refusals(operation);
            batches(operation);
            links(operation);
        }
    }
    (router, api)
}

fn frame() -> OpenApi {
    let description = "Texts from business events: events in, exactly one text out, every receipt and reply back. Every request carries `Authorization: Bearer tlk_…`, a key \
                       made with `trunkline keys create`; the scope an operation needs stands beside it. Refusals are problem documents (RFC 9457) with a stable `code`.";
    let info = InfoBuilder::new().title("Trunkline").version(env!("CARGO_PKG_VERSION")).description(Some(description)).contact(Some(ContactBuilder::new().build()));
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, `tlk_…`")).build());
    let mut api = OpenApiBuilder::new().info(info.build()).build();
    let mut components = utoipa::openapi::ComponentsBuilder::new().security_scheme("key", scheme);
    components = components.schema(ProblemShape::name(), ProblemShape::schema()).schema(FieldShape::name(), FieldShape::schema());
    api.components = Some(components.build());
    api
}

/// What may stand beside the attributes of an event: extension attributes, by the rules of `CloudEvents`.
fn extensions(api: &mut OpenApi) {
    if let Some(RefOr::T(Schema::Object(event))) = api.components.as_mut().and_then(|all| all.schemas.get_mut(&*CloudEvent::name())) {
        let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z0-9]{1,20}$")).build();
        let simple = SchemaType::from_iter([Type::String, Type::Number, Type::Boolean, Type::Null]);
        event.property_names = Some(Box::new(Schema::Object(name)));
        let value = ObjectBuilder::new().schema_type(simple).max_length(Some(1_024)).build();
        event.additional_properties = Some(Box::new(AdditionalProperties::RefOr(RefOr::T(Schema::Object(value)))));
    }
}

/// How many events a batch holds.
fn batches(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(Content { schema: Some(RefOr::T(Schema::Array(list))), .. }) = content {
            (list.min_items, list.max_items) = (Some(1), Some(events::MOST));
        }
    }
}

/// What can be done with what an operation made: by its status, the operation, and where the answer has the id.
fn links(operation: &mut Operation) {
    let (status, id, follow): (_, _, &[&str]) = match operation.operation_id.as_deref() {
        Some("send_message") => ("202", "$response.body#/id", &["read_message", "cancel_message"]),
        Some("take_events") => ("202", "$response.body#/event", &["read_event"]),
        _ => return,
    };
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
        for name in follow {
            response.links.insert((*name).to_owned(), Link::builder().operation_id(*name).parameter("id", id).build().into());
        }
    }
}

/// How every operation may refuse.
fn refusals(operation: &mut Operation) {
    let writes = operation.request_body.is_some();
    let parameters = operation.parameters.as_ref().is_some_and(|p| !p.is_empty());
    let in_path = |p: &RefOr<Parameter>| matches!(p, RefOr::T(Parameter { parameter_in: ParameterIn::Path, .. }));
    let named = operation.parameters.iter().flatten().any(in_path);
    let mut all = vec![
        ("401", "No key, or one that does not exist"),
        ("403", "The key lacks the scope"),
        ("503", "The store cannot take it now; nothing was done; `Retry-After` says when to come back"),
    ];
    if writes || parameters {
        all.push(("422", "Fields are not as they must be; `errors` names each"));
    }
    if writes {
        all.extend([("400", "The body is not JSON"), ("413", "The body is too large"), ("415", "The body is of another type")]);
    }
    if named {
        all.push(("404", "There is no such thing"));
    }
    match operation.operation_id.as_deref() {
        Some("cancel_message") => all.push(("409", "It is too late")),
        Some("erase_address") => all.push(("409", "Something about the number is not worked on yet")),
        Some("rule_on_message") => all.push(("409", "It is not unclear, or it changed meanwhile")),
        _ => {}
    }
    for (status, description) in all {
        let content = Content::new(Some(Ref::from_schema_name(ProblemShape::name())));
        let response = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        operation.responses.responses.insert(status.to_owned(), response.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described() {
        let (_, api) = described();
        let json = serde_json::to_value(&api).unwrap();
        assert_eq!(json["openapi"], "3.1.0");
        let mut names = std::collections::BTreeSet::new();
        let mut operations = 0;
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["security"][0]["key"][0].is_string(), "{method} {path} names no scope");
                assert!(operation["responses"]["401"].is_object(), "{method} {path}");
                assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}: another operation has this id");
                operations += 1;
            }
        }
        assert!(operations >= 21, "{operations}");
        // No reference leads nowhere.
        let text = json.to_string();
        for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(json["components"]["schemas"][name].is_object(), "{name} is not described");
        }
    }
}
