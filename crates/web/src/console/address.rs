//! `GET /addresses/{id}`: one number and everything between it and us; `POST` reveals the number.
//!
//! Its own file because whoever is on the phone is asked for her number first: what waits, why her latest texts did not
//! arrive and whether she opted out come before anything else. The number itself is shown once, to somebody who asked
//! for it, on the answer to that one form; the trail of what people did says so.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use trunkline_core::id::{AddressId, ProfileId, RunId};
use trunkline_core::quiet::Whereabouts;
use trunkline_store::row::{Address, Conflict, Message, MessageFilter, Place, Profile, Run};
use trunkline_store::{Store, StoreError};

use super::Console;
use super::act;
use super::clock::Clocks;
use super::conversation::{self, Talk};
use super::ledger::{self, LedgerRow};
use super::mask;
use super::page::{self, Page};
use super::problem::Problem;
use super::runs::{self, RunRow};
use super::said::Said;
use super::session::{self, SignedIn};
use super::timeline::{self, Line};
use super::view::{self, Fact, Pill, When};
use super::week::{self, Week};

/// How many of the latest texts are answered for at the top.
const LATEST: usize = 3;
/// How many profiles are shown.
const MOST_PROFILES: usize = 20;
/// How many runs are shown.
const MOST_RUNS: usize = 20;
/// How many texts that wait are shown.
const MOST_WAITING: usize = 20;

/// A text at the top of the page: what it is about, and why it is as it is.
struct Text {
    href: String,
    what: String,
    pills: Vec<Pill>,
    when: When,
    why: Said,
}

/// A text that waits.
struct Waiting {
    href: String,
    what: String,
    pills: Vec<Pill>,
    until: Option<When>,
    there: String,
    lines: Vec<Line>,
}

/// What a system of record says about the person.
struct ProfileView {
    system: String,
    external_id: String,
    locale: String,
    updated: When,
    attributes: Vec<(String, String)>,
    conflicts: Vec<ConflictView>,
}

/// A write that its field's owner did not make.
struct ConflictView {
    field: String,
    system: String,
    owner: String,
    value: String,
    when: When,
    times: String,
}

#[derive(Template)]
#[template(path = "address.html")]
struct AddressPage {
    page: Page,
    /// Masked.
    number: String,
    /// In full, on the answer to the form that asks for it.
    revealed: Option<String>,
    /// Where that form goes, if there is anything to reveal.
    reveal: Option<String>,
    /// Where the proof of consent is.
    proof: String,
    summary: Said,
    latest: Vec<Text>,
    waiting: Vec<Waiting>,
    more_waiting: usize,
    talk: Talk,
    in_force: Vec<Line>,
    ledger: Vec<LedgerRow>,
    more_ledger: usize,
    runs: Vec<RunRow>,
    profiles: Vec<ProfileView>,
    weeks: Vec<Week>,
    /// About the purposes that no hours bind.
    free: Option<String>,
    facts: Vec<Fact>,
}

pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Path(id): Path<String>, Query(place): Query<conversation::Place>) -> Result<Response, Problem> {
    let address = load(&console, &signed_in, &id).await?;
    shown(&console, &signed_in, &address, &place, None).await
}

/// Shows the number in full on this one answer, and notes who asked.
pub(super) async fn reveal(State(console): State<Console>, signed_in: SignedIn, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Problem> {
    if !session::same_origin(&headers) {
        return Err(Problem::Forged);
    }
    let address = load(&console, &signed_in, &id).await?;
    let number = match &address.place {
        Place::Sms(number) => Some(number.e164().to_owned()),
        Place::NotANumber { given, .. } => Some(given.clone()),
        Place::Nowhere | Place::Erased => None,
    };
    if number.is_some() {
        act::note(&console, &signed_in, "revealed", &[address.id.to_string()]).await?;
    }
    shown(&console, &signed_in, &address, &conversation::Place::default(), number).await
}

async fn load(console: &Console, signed_in: &SignedIn, id: &str) -> Result<Address, Problem> {
    let missing = || Problem::not_found(signed_in, "No text was ever made to this number, and none came from it. Check the number, or search for the order.");
    let id: AddressId = id.parse().map_err(|_| missing())?;
    console.engine.store.addresses(&[id]).await?.into_iter().next().ok_or_else(missing)
}

async fn shown(console: &Console, signed_in: &SignedIn, address: &Address, place: &conversation::Place, revealed: Option<String>) -> Result<Response, Problem> {
    let store = console.engine.store.as_ref();
    let (of_address, clocks, now) = (MessageFilter::of_address(address.id), Clocks::of(Some(address)), console.engine.clock.now());
    let (waiting, latest, entries) = tokio::try_join!(store.waiting_for_address(address.id), store.messages_matching(&of_address, LATEST), store.ledger(address.id))?;
    let (talk, profiles) = tokio::try_join!(conversation::load(store, address, place), store.profiles_at(address.id, MOST_PROFILES))?;
    let runs = runs_of(store, &profiles, &talk.messages).await?;
    let number = address.place.masked();
    let (weeks, free) = week::of(&console.engine, address, now);
    let view = AddressPage {
        page: Page::new(format!("Number {number}"), signed_in).at("messages"),
        reveal: (!matches!(address.place, Place::Nowhere | Place::Erased) && revealed.is_none()).then(|| format!("/addresses/{}", address.id)),
        proof: format!("/addresses/{}/proof", address.id),
        number,
        revealed,
        summary: summary(address, waiting.len()),
        latest: latest.iter().filter(|message| !waiting.iter().any(|other| other.id == message.id)).map(text).collect(),
        more_waiting: waiting.len().saturating_sub(MOST_WAITING),
        waiting: waiting.iter().take(MOST_WAITING).map(|message| waits(message, &clocks)).collect(),
        talk,
        in_force: ledger::in_force(&address.consent),
        ledger: ledger::rows(&entries),
        more_ledger: entries.len().saturating_sub(ledger::MOST),
        runs: runs::rows(&runs, &clocks, now),
        profiles: profile_views(store, &profiles).await?,
        weeks,
        free,
        facts: facts(address, &console.engine.whereabouts(address)),
    };
    Ok(page::html(StatusCode::OK, &view))
}

/// The runs under way of its profiles, then those that made the texts of this page.
async fn runs_of(store: &dyn Store, profiles: &[Profile], messages: &[Message]) -> Result<Vec<Run>, StoreError> {
    let ids: Vec<ProfileId> = profiles.iter().map(|profile| profile.id).collect();
    let mut runs = store.open_runs(&ids).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    runs.truncate(MOST_RUNS);
    let known: BTreeSet<RunId> = runs.iter().map(|run| run.id).collect();
    let mut others: Vec<RunId> = Vec::new();
    for id in messages.iter().filter_map(|message| message.intent.origin.run()) {
        if !known.contains(&id) && !others.contains(&id) {
            others.push(id);
        }
    }
    others.truncate(MOST_RUNS - runs.len());
    runs.extend(store.runs(&others).await?);
    Ok(runs)
}

/// The one sentence about this number.
fn summary(address: &Address, waiting: usize) -> Said {
    let consent = &address.consent;
    let sentence = if let Some(at) = consent.erased {
        format!("Everything about this person was erased at {at}: nothing is sent to this number, and no text is kept.")
    } else if let Some(since) = &consent.stopped {
        format!("This person opted out at {}: nothing is sent to this number.", since.at)
    } else if !consent.revoked.is_empty() || !consent.blocks.is_empty() {
        "Some texts must not be sent to this number: see what is in force.".to_owned()
    } else if waiting > 0 {
        format!("{}; the reasons are below.", view::count(waiting, "text waits", "texts wait"))
    } else {
        "Nothing waits, and no opt-out is recorded.".to_owned()
    };
    Said::new(&sentence)
}

/// What a text is about, for somebody who knows the order.
fn what(message: &Message) -> String {
    let labels: Vec<String> = message.intent.labels.iter().map(|(name, value)| format!("{name} {}", mask::label(value))).collect();
    if labels.is_empty() { format!("{} text", message.intent.purpose.word()) } else { labels.join(", ") }
}

fn text(message: &Message) -> Text {
    Text {
        href: format!("/messages/{}", message.id),
        what: what(message),
        pills: view::pills(&message.state),
        when: When::from(message.intent.created_at),
        why: view::one_line(&message.state),
    }
}

fn waits(message: &Message, clocks: &Clocks) -> Waiting {
    Waiting {
        href: format!("/messages/{}", message.id),
        what: what(message),
        pills: view::pills(&message.state),
        until: message.state.due.map(When::from),
        there: message.state.due.map(|due| clocks.at(due)).unwrap_or_default(),
        lines: message.state.reasons.iter().map(timeline::standing).collect(),
    }
}

fn facts(address: &Address, here: &Whereabouts) -> Vec<Fact> {
    let known = |names: &[String], unknown: &str| if names.is_empty() { unknown.to_owned() } else { names.join(", ") };
    let mut facts = vec![Fact::text("Time zones", known(&here.zones, "not known; UTC is used")), Fact::text("Jurisdictions", known(&here.jurisdictions, "not known"))];
    if let Place::NotANumber { problem, .. } = &address.place {
        facts.push(Fact::said("Problem", &format!("what the source gave {problem}")));
    }
    facts.push(Fact::text("Address id", address.id.to_string()));
    facts
}

async fn profile_views(store: &dyn Store, profiles: &[Profile]) -> Result<Vec<ProfileView>, StoreError> {
    let mut views = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let conflicts = store.conflicts(profile.id).await?;
        views.push(ProfileView {
            system: profile.system.clone(),
            external_id: mask::label(&profile.external_id),
            locale: profile.locale.clone().unwrap_or_else(|| "not known".to_owned()),
            updated: When::from(profile.updated_at),
            attributes: profile.attributes.iter().map(|(name, value)| (name.clone(), attribute(name, value))).collect(),
            conflicts: conflicts.iter().map(conflict).collect(),
        });
    }
    Ok(views)
}

fn conflict(conflict: &Conflict) -> ConflictView {
    ConflictView {
        field: conflict.field.clone(),
        system: conflict.system.clone(),
        owner: conflict.owner.clone(),
        value: attribute(&conflict.field, &conflict.value),
        when: When::from(conflict.at),
        times: if conflict.times > 1 { format!("{} times", conflict.times) } else { "once".to_owned() },
    }
}

/// A value as others wrote it, numbers and secrets hidden.
fn attribute(name: &str, value: &Value) -> String {
    if mask::secret(name) {
        return mask::HIDDEN.to_owned();
    }
    // A phone field may hold a number without a country code, which is one all the same.
    if name.contains("phone") {
        let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return mask::numbers(&format!("+{}", given.trim_start_matches('+'))).trim_start_matches('+').to_owned();
    }
    let mut value = value.clone();
    mask::secrets_in(&mut value);
    mask::numbers(value.as_str().unwrap_or(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use serde_json::json;
    use trunkline_core::consent::{ConsentState, Since};
    use trunkline_core::number::Number;
    use trunkline_core::time::Time;

    fn address(stopped: Option<Time>) -> Address {
        let consent = ConsentState { stopped: stopped.map(|at| Since { at, evidence: String::new() }), ..ConsentState::default() };
        let place = Place::Sms(Number::parse("+14155550123", None).unwrap());
        Address { id: AddressId([1; 16]), place, zones: Vec::new(), residences: BTreeMap::new(), sends: Vec::new(), consent, guard_version: 1 }
    }

    #[test]
    fn the_gravest_thing_is_said_first() {
        let at: Time = "2026-11-23T14:05:09Z".parse().unwrap();
        assert_eq!(summary(&address(Some(at)), 2).text(), "This person opted out at 23 Nov 14:05:09: nothing is sent to this number.");
        assert_eq!(summary(&address(None), 2).text(), "2 texts wait; the reasons are below.");
        assert_eq!(summary(&address(None), 0).text(), "Nothing waits, and no opt-out is recorded.");
    }

    #[test]
    fn attributes_hide_numbers_and_secrets() {
        for (name, value, expect) in [
            ("first_name", json!("Ada"), "Ada"),
            ("note", json!("call +14155550123"), "call +141••••0123"),
            ("phone", json!("4155550123"), "41••••0123"),
            ("phone", json!("+14155550123"), "141••••0123"),
            ("phone", json!(4_155_550_123_i64), "41••••0123"),
            ("api_token", json!("t"), "•••"),
            ("tags", json!(["a", "b"]), "[\"a\",\"b\"]"),
        ] {
            assert_eq!(attribute(name, &value), expect, "{name}");
        }
    }
}
