//! `GET /webhooks`: what vendors and sources called us with, taken or refused; and each of them as it came.
//!
//! Its own file because it is where an engineer looks when another system says that it told us. Bodies are shown by
//! `hook`, without numbers and secrets; putting one back to work is `dead`'s.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use trunkline_core::id::HookId;
use trunkline_store::row::{Hook, HookFilter, HookLane, HookState, Refusal};

use super::Console;
use super::hook::{self, HookView};
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::said::Said;
use super::session::SignedIn;
use super::view::{self, Fact, Pill, When, capital};

/// How many are shown.
const MOST: usize = 50;
/// The most of a refused body that a list shows, in characters.
const BODY_START: usize = 200;

/// What the URL says.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    name: String,
    lane: String,
    before: String,
}

/// A link that narrows the list.
struct Choice {
    word: String,
    href: String,
    here: bool,
}

/// A hook in the list.
struct HookRow {
    href: String,
    when: When,
    name: String,
    lane: &'static str,
    pill: Pill,
    note: Said,
    tries: u32,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct ReceivedPage {
    page: Page,
    lanes: Vec<Choice>,
    names: Vec<Choice>,
    hooks: Vec<HookRow>,
    narrowed: bool,
    newest: Option<String>,
    older: Option<String>,
}

/// A refused hook in the list.
struct RefusalRow {
    when: When,
    name: String,
    reason: Said,
    request: String,
    body: String,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    page: Page,
    refusals: Vec<RefusalRow>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct HookPage {
    page: Page,
    heading: String,
    pill: Pill,
    note: Said,
    facts: Vec<Fact>,
    raw: HookView,
    /// Its id, if it is dead and can be put back to work.
    replay: Option<String>,
}

pub(super) async fn received(State(console): State<Console>, signed_in: SignedIn, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let known = names(&console);
    // A name or lane that does not exist narrows nothing: the choices show what is in force.
    let name = Some(asked.name).filter(|name| known.contains(name));
    let lane = HookLane::ALL.into_iter().find(|lane| lane.word() == asked.lane);
    let filter = HookFilter { name, lane, before: asked.before.parse::<HookId>().ok() };
    let mut hooks = console.engine.store.hooks(&filter, MOST + 1).await?;
    let more = hooks.len() > MOST;
    hooks.truncate(MOST);
    let (name, lane) = (filter.name.as_deref().unwrap_or_default(), filter.lane.map_or("", HookLane::word));
    let older = hooks.last().filter(|_| more).map(|last| url(name, lane, &last.id.to_string()));
    let view = ReceivedPage {
        page: Page::new("Webhooks", &signed_in).at("webhooks"),
        lanes: choices("every kind", &HookLane::ALL.map(HookLane::word), lane, |word| url(name, word, "")),
        names: choices("every name", &known.iter().map(String::as_str).collect::<Vec<_>>(), name, |word| url(word, lane, "")),
        hooks: hooks.iter().map(row).collect(),
        narrowed: filter.name.is_some() || filter.lane.is_some(),
        newest: filter.before.map(|_| url(name, lane, "")),
        older,
    };
    Ok(page::html(StatusCode::OK, &view))
}

pub(super) async fn refused(State(console): State<Console>, signed_in: SignedIn, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let before = asked.before.parse::<i64>().ok();
    let mut refusals = console.engine.store.refusals(before, MOST + 1).await?;
    let more = refusals.len() > MOST;
    refusals.truncate(MOST);
    let older = refusals.last().filter(|_| more).map(|last| format!("/webhooks/refused?before={}", last.number));
    let view = RefusedPage {
        page: Page::new("Refused webhooks", &signed_in).at("webhooks"),
        refusals: refusals.iter().map(refusal_row).collect(),
        newest: before.map(|_| "/webhooks/refused".to_owned()),
        older,
    };
    Ok(page::html(StatusCode::OK, &view))
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>) -> Result<Response, Problem> {
    let missing = || Problem::not_found(&signed_in, "There is no webhook with this id. It may have been mistyped, or be one of another installation.");
    let id: HookId = id.parse().map_err(|_| missing())?;
    let hook = console.engine.store.hook(id).await?.ok_or_else(missing)?;
    let view = HookPage {
        page: Page::new(format!("Webhook to {}", hook.name), &signed_in).at("webhooks"),
        heading: format!("Webhook to {}", hook.name),
        pill: pill(&hook.state),
        note: note(&hook),
        facts: facts(&hook),
        raw: HookView::new(&hook, false),
        replay: (hook.state == HookState::Dead).then(|| id.to_string()),
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The names that hooks can be posted to.
fn names(console: &Console) -> Vec<String> {
    let definitions = &console.engine.definitions;
    let sources = definitions.sources.iter().filter(|(_, source)| source.webhooks.is_some()).map(|(name, _)| name.clone());
    let mut names: Vec<String> = definitions.accounts.keys().cloned().chain(sources).collect();
    names.sort();
    names
}

/// A link for each word, and one for all of them.
fn choices(all: &str, words: &[&str], here: &str, href: impl Fn(&str) -> String) -> Vec<Choice> {
    let each = words.iter().map(|&word| Choice { word: word.to_owned(), href: href(word), here: word == here });
    std::iter::once(Choice { word: all.to_owned(), href: href(""), here: here.is_empty() }).chain(each).collect()
}

fn url(name: &str, lane: &str, before: &str) -> String {
    view::url("/webhooks", &[("name", name), ("lane", lane), ("before", before)])
}

fn row(hook: &Hook) -> HookRow {
    HookRow {
        href: format!("/webhooks/{}", hook.id),
        when: When::from(hook.received_at),
        name: hook.name.clone(),
        lane: hook.lane.word(),
        pill: pill(&hook.state),
        note: note(hook),
        tries: hook.tries,
    }
}

fn pill(state: &HookState) -> Pill {
    match state {
        HookState::Waiting { .. } => Pill { tone: "wait", word: "waiting" },
        HookState::Done => Pill { tone: "good", word: "done" },
        HookState::Dead => Pill { tone: "bad", word: "dead" },
    }
}

/// What came of a hook, in one line.
fn note(hook: &Hook) -> Said {
    match (&hook.state, hook.note.as_str()) {
        (HookState::Waiting { due }, "") => Said::new(&format!("To be worked on at {due}")),
        (HookState::Waiting { due }, note) => Said::new(&format!("{}, next at {due}", capital(note))),
        (HookState::Done | HookState::Dead, "") => Said::plain("No note"),
        (HookState::Done | HookState::Dead, note) => Said::sentence(note),
    }
}

fn facts(hook: &Hook) -> Vec<Fact> {
    let mut facts = vec![Fact::text("Kind", hook.lane.word()), Fact::time("Received", hook.received_at), Fact::text("Tries", hook.tries.to_string())];
    if let HookState::Waiting { due } = hook.state {
        facts.push(Fact::time("Due", due));
    }
    facts.extend(attempt(&hook.url).map(|message| Fact::said("About", &message)));
    facts.push(Fact::text("Webhook id", hook.id.to_string()));
    facts
}

/// The attempt that a receipt's URL names.
fn attempt(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("attempt=")).map(str::to_owned)
}

fn refusal_row(refusal: &Refusal) -> RefusalRow {
    RefusalRow {
        when: When::from(refusal.at),
        name: refusal.name.clone(),
        reason: Said::sentence(&refusal.reason),
        request: mask::url(&refusal.request),
        body: hook::beginning(&refusal.body, BODY_START),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::time::Time;

    fn hook(state: HookState, note: &str) -> Hook {
        Hook {
            id: HookId::new(1, Time(1), [2; 16]),
            name: "main".into(),
            lane: HookLane::Receipt,
            method: "POST".into(),
            url: "https://trunk.example/hooks/main?attempt=msg_a-1&x=1".into(),
            headers: Vec::new(),
            body: Vec::new(),
            received_at: Time(1),
            state,
            tries: 1,
            note: note.into(),
        }
    }

    #[test]
    fn a_line_says_what_came_of_a_hook() {
        let due: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        for (state, given, expect) in [
            (HookState::Waiting { due }, "", "To be worked on at 23 Nov 14:05:09"),
            (HookState::Waiting { due }, "waits for its attempt", "Waits for its attempt, next at 23 Nov 14:05:09"),
            (HookState::Done, "delivered for +14155550123", "Delivered for +141••••0123"),
            (HookState::Dead, "", "No note"),
        ] {
            assert_eq!(note(&hook(state, given)).text(), expect);
        }
    }

    #[test]
    fn a_receipt_names_its_attempt() {
        assert_eq!(attempt(&hook(HookState::Done, "").url).as_deref(), Some("msg_a-1"));
        assert_eq!(attempt("https://trunk.example/hooks/main"), None);
    }

    #[test]
    fn one_choice_is_here() {
        let shown = choices("all", &["inbound", "receipt"], "receipt", str::to_owned);
        let here: Vec<&str> = shown.iter().filter(|choice| choice.here).map(|choice| choice.word.as_str()).collect();
        assert_eq!((shown.len(), here), (3, vec!["receipt"]));
    }
}
