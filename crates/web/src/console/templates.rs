//! `GET /templates`: the texts of the configuration and what they cost; `GET /templates/{name}`: one of them, with a counter
//! that follows while somebody tries other words.
//!
//! Its own file because it shows files and nothing of the store. Nothing is saved here: a text changes in its file, and
//! journeys take it up when it is published. What is counted is `trunkline_core::preview`'s.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use trunkline_core::preview::{Forcing, GUESS, Preview, Sample};
use trunkline_core::price::{self, Rate};
use trunkline_core::segment::{self, Encoding, smart};
use trunkline_engine::Engine;

use super::Console;
use super::page::{self, Page};
use super::problem::Problem;
use super::session::SignedIn;
use super::view;

/// The longest draft that is counted, in characters.
const LONGEST: usize = 3_200;

/// What the URL says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    locale: String,
    text: Option<String>,
}

/// A template in the list.
struct TemplateRow {
    name: String,
    href: String,
    texts: Vec<String>,
}

#[derive(Template)]
#[template(path = "templates.html")]
struct TemplatesPage {
    page: Page,
    rows: Vec<TemplateRow>,
}

/// A locale to choose.
struct Choice {
    word: String,
    href: String,
    here: bool,
}

/// One segment of the worst text.
struct PartRow {
    text: String,
    units: String,
}

/// What a text costs in a market.
struct PriceRow {
    market: String,
    segment: String,
    least: String,
    worst: String,
}

/// What is counted of a draft.
struct Counter {
    /// Why nothing could be, or empty.
    problem: String,
    /// The sizes, in sentences.
    lines: Vec<String>,
    parts: Vec<PartRow>,
    prices: Vec<PriceRow>,
}

#[derive(Template)]
#[template(path = "template.html")]
struct TemplatePage {
    page: Page,
    heading: String,
    action: String,
    locale: String,
    choices: Vec<Choice>,
    draft: String,
    counter: Counter,
}

pub(super) async fn list(State(console): State<Console>, signed_in: SignedIn) -> Result<Response, Problem> {
    let engine = console.engine.clone();
    let rows = counted(move || rows(&engine)).await?;
    Ok(page::html(StatusCode::OK, &TemplatesPage { page: Page::new("Templates", &signed_in).at("templates"), rows }))
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(name): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no template of this name and locale. Templates are folders of the configuration.");
    let definitions = &console.engine.definitions;
    let template = definitions.templates.get(&name).ok_or_else(missing)?;
    let first = || template.pick("", &definitions.default_locale).or_else(|| template.0.iter().next().map(|(k, v)| (k.as_str(), v.as_str())));
    let (locale, written) = match template.0.get_key_value(&asked.locale) {
        Some((locale, text)) => (locale.as_str(), text.as_str()),
        None if asked.locale.is_empty() => first().ok_or_else(missing)?,
        None => return Err(missing()),
    };
    // Browsers send forms with line breaks of two characters; files have one.
    let draft = asked.text.map_or_else(|| written.trim_end().to_owned(), |text| text.replace("\r\n", "\n").chars().take(LONGEST).collect());
    let (engine, about) = (console.engine.clone(), (name.clone(), locale.to_owned(), draft.clone()));
    let counter = counted(move || counter(&engine, &about.0, &about.1, &about.2)).await?;
    let action = format!("/templates/{}", view::percent(&name));
    let choice = |other: &String| Choice { word: other.clone(), href: view::url(&action, &[("locale", other.as_str())]), here: *other == *locale };
    let choices = template.0.keys().map(choice).collect();
    let page = Page::new(format!("Template {name}"), &signed_in).at("templates");
    Ok(page::html(StatusCode::OK, &TemplatePage { page, heading: name, locale: locale.to_owned(), choices, draft, counter, action }))
}

/// Counts where nobody waits behind it: texts are rendered for it, each twice.
async fn counted<T: Send + 'static>(count: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(count).await.map_err(|_| Problem::Internal("the texts could not be counted"))
}

fn rows(engine: &Engine) -> Vec<TemplateRow> {
    let sized = |name: &str, locale: &str, text: &str| {
        let size = engine.preview(name, locale, text).map_or_else(|error| error.to_string(), |found| range(&found));
        format!("{locale}: {size}")
    };
    let templates = engine.definitions.templates.iter();
    let row = templates.map(|(name, template)| TemplateRow {
        name: name.clone(),
        href: format!("/templates/{}", view::percent(name)),
        texts: template.0.iter().map(|(locale, text)| sized(name, locale, text)).collect(),
    });
    row.collect()
}

fn counter(engine: &Engine, template: &str, locale: &str, draft: &str) -> Counter {
    let found = match engine.preview(template, locale, draft) {
        Ok(found) => found,
        Err(error) => return Counter { problem: format!("This text {error}."), lines: Vec::new(), parts: Vec::new(), prices: Vec::new() },
    };
    let day = engine.clock.now().utc_day();
    let plan = segment::plan(&found.worst.text, &engine.route());
    let part = |part: &segment::Part<'_>| PartRow { text: part.text.to_owned(), units: format!("{} of {}", part.units, plan.room) };
    Counter {
        problem: String::new(),
        lines: lines(&found, engine),
        parts: plan.parts.iter().map(part).collect(),
        prices: price::markets(&engine.definitions.rates, &day).into_iter().map(|rate| price_of(rate, &found)).collect(),
    }
}

/// `GSM-7, 1 to 2 segments`.
fn range(found: &Preview) -> String {
    let (least, worst) = (found.least.size.segments, found.worst.size.segments);
    let guessed = if found.guessed.is_empty() { "" } else { ", perhaps more" };
    let segments = if least == worst { view::count(usize::try_from(worst).unwrap_or(usize::MAX), "segment", "segments") } else { format!("{least} to {worst} segments") };
    format!("{}, {segments}{guessed}", found.worst.size.encoding)
}

fn lines(found: &Preview, engine: &Engine) -> Vec<String> {
    let sized = |what: &str, sample: &Sample| {
        let unit = if sample.size.encoding == Encoding::Gsm7 { "septets" } else { "units" };
        let segments = view::count(usize::try_from(sample.size.segments).unwrap_or(usize::MAX), "segment", "segments");
        format!("{what}: {segments}, {}, {} {unit}.", sample.size.encoding, sample.size.units)
    };
    let mut lines = vec![sized("At least", &found.least), sized("At worst", &found.worst)];
    if let Some(Forcing { character, line, column }) = found.forces {
        let place = line.zip(column).map_or_else(|| "in a value".to_owned(), |(line, column)| format!("in line {line}, column {column}"));
        lines.push(format!("'{character}' (U+{:04X}) {place} turns it to UCS-2.", u32::from(character)));
    }
    if let Some(smaller) = smart::encode(&found.worst.text, &engine.route()) {
        let changes: Vec<String> = smaller.changes.iter().map(|change| format!("{} by {}", change.from, if change.to.is_empty() { "nothing" } else { change.to })).collect();
        lines.push(format!(
            "With smart_encoding it would take {} at worst, replacing {}.",
            view::count(usize::try_from(smaller.after.segments).unwrap_or(usize::MAX), "segment", "segments"),
            changes.join(", ")
        ));
    }
    if !found.guessed.is_empty() {
        lines.push(format!("{GUESS} characters are guessed for {}: say how long they may be under longest.", found.guessed.join(", ")));
    }
    lines
}

fn price_of(rate: &Rate, found: &Preview) -> PriceRow {
    let place = if rate.country == "*" { "everywhere else" } else { rate.country.as_str() };
    let sender = if rate.sender_type == "*" { String::new() } else { format!(", {}", rate.sender_type) };
    let amount = |micros: i64| format!("{} {}", price::written(micros), rate.currency);
    PriceRow {
        market: format!("{place}, {}{sender}", rate.provider),
        segment: amount(rate.segment),
        least: amount(rate.cost(found.least.size.segments)),
        worst: amount(rate.cost(found.worst.size.segments)),
    }
}
