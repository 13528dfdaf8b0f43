//! The API's reference as a page, rendered on the server from the description: nothing to load from elsewhere, and no
//! script.
//!
//! Its own file because it reads OpenAPI and knows no handler. It shows operations, their fields and their answers; it
//! sends nothing.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::console::assets;

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage {
    version: String,
    title: String,
    release: String,
    description: String,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    operations: Vec<Shown>,
}

struct Shown {
    anchor: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    scope: String,
    parameters: Vec<Field>,
    bodies: Vec<Body>,
    answers: Vec<Answer>,
}

struct Field {
    name: String,
    kind: String,
    required: bool,
    place: String,
    description: String,
}

struct Body {
    media: String,
    fields: Vec<Field>,
}

struct Answer {
    status: String,
    description: String,
    fields: Vec<Field>,
}

/// The page of a description.
pub(crate) fn page(api: &OpenApi) -> Result<String, String> {
    let api = serde_json::to_value(api).map_err(|e| e.to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut groups: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for (path, item) in api.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation.pointer("/tags/0").map(text).unwrap_or_default();
            groups.entry(tag).or_default().push(shown(&api, path, method, operation));
        }
    }
    let at = |pointer: &str| api.pointer(pointer).map(text).unwrap_or_default();
    let page = ReferencePage {
        version: assets::version(),
        title: at("/info/title"),
        release: at("/info/version"),
        description: at("/info/description"),
        groups: groups.into_iter().map(|(name, operations)| Group { name, operations }).collect(),
    };
    page.render().map_err(|e| e.to_string())
}

/// The page as an answer: it loads the console's style sheet and nothing else.
pub(crate) fn html(page: String) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (headers, Html(page)).into_response()
}

fn shown(api: &Value, path: &str, method: &str, operation: &Value) -> Shown {
    let text = |pointer: &str| operation.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let parameter = |p: &Value| {
        let of = |name: &str| p.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = p.get("schema").map(|s| kind(api, s)).unwrap_or_default();
        let description = p.get("description").or_else(|| p.pointer("/schema/description")).and_then(Value::as_str).unwrap_or_default().to_owned();
        Field { name: of("name"), kind, required: p.get("required") == Some(&Value::Bool(true)), place: of("in"), description }
    };
    let body = |(media, content): (&String, &Value)| Body { media: media.clone(), fields: content.get("schema").map(|s| fields(api, s)).unwrap_or_default() };
    let answer = |(status, response): (&String, &Value)| {
        let schema = response.get("content").and_then(Value::as_object).and_then(|c| c.values().next()).and_then(|c| c.get("schema"));
        let problem = schema.and_then(|s| s.get("$ref")).and_then(Value::as_str).is_some_and(|r| r.ends_with("/ProblemShape"));
        Answer {
            status: status.clone(),
            description: response.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            // Problems look the same everywhere: once is enough.
            fields: if problem { Vec::new() } else { schema.map(|s| fields(api, s)).unwrap_or_default() },
        }
    };
    Shown {
        anchor: format!("{method}-{}", path.trim_start_matches('/').replace(['/', '{', '}'], "-")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text("/summary"),
        description: text("/description"),
        scope: text("/security/0/key/0"),
        parameters: operation.get("parameters").and_then(Value::as_array).into_iter().flatten().map(parameter).collect(),
        bodies: operation.pointer("/requestBody/content").and_then(Value::as_object).into_iter().flatten().map(body).collect(),
        answers: operation.get("responses").and_then(Value::as_object).into_iter().flatten().map(answer).collect(),
    }
}

/// A schema with its reference followed.
fn resolved<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| api.pointer(r.trim_start_matches('#')));
    target.unwrap_or(schema)
}

/// The fields of an object, those of its parts included; of a list, those of its rows.
fn fields(api: &Value, schema: &Value) -> Vec<Field> {
    let schema = resolved(api, schema);
    if let Some(items) = schema.get("items") {
        return fields(api, items);
    }
    let mut all: Vec<Field> = schema.get("allOf").and_then(Value::as_array).into_iter().flatten().flat_map(|part| fields(api, part)).collect();
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let description = property.get("description").or_else(|| resolved(api, property).get("description")).and_then(Value::as_str).unwrap_or_default();
        all.push(Field { name: name.clone(), kind: kind(api, property), required: required.contains(&name.as_str()), place: String::new(), description: description.to_owned() });
    }
    all
}

/// What a value is, in a word or two.
fn kind(api: &Value, schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
        let inner = resolved(api, schema);
        return match inner.get("enum").and_then(Value::as_array) {
            Some(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            None => name.trim_end_matches("Shape").to_lowercase(),
        };
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(api, items));
    }
    if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
        return options.iter().filter(|o| o.get("type") != Some(&Value::from("null"))).map(|o| kind(api, o)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    let word = match schema.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).filter(|w| *w != "null").collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match (word.as_str(), schema.get("format").and_then(Value::as_str)) {
        ("string", Some("date-time")) => "instant".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        _ => word,
    }
}
