//! I4 by the book: each claim against the raw rules, holidays and caps, on clocks that were written down by hand.
//!
//! Apart from the other promises because it reads the shipped data anew: not the engine's reading of the rules, not its
//! arithmetic, not its counts.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jiff::civil::DateTime;
use trunkline_core::quiet::{SHIPPED_HOLIDAYS, SHIPPED_RULES};
use trunkline_core::time::{Span, Time};
use trunkline_core::zone;
use trunkline_store::row::{Address, Place};

use super::Violation;
use crate::homes::{self, Home};
use crate::watch::Claim;

/// How long before the end of hours a text may still leave, and how long after their beginning it may not yet.
const EARLY: Span = Span::mins(10);
const LATE: Span = Span::mins(1);

/// How far back a cap of the shipped rules counts, and more.
pub(crate) const CAPS_REACH: Span = Span::hours(48);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Every rule as its file has it.
fn rules() -> &'static [toml::Value] {
    static RULES: OnceLock<Vec<toml::Value>> = OnceLock::new();
    RULES.get_or_init(|| {
        let file: toml::Table = SHIPPED_RULES.parse().unwrap_or_default();
        file.get("rule").and_then(toml::Value::as_array).cloned().unwrap_or_default()
    })
}

fn text<'a>(rule: &'a toml::Value, field: &str) -> &'a str {
    rule.get(field).and_then(toml::Value::as_str).unwrap_or_default()
}

/// Where the claimed text goes; nothing for numbers of nowhere in the simulation.
pub(crate) fn home_of(address: Option<&Address>) -> Option<&'static Home> {
    match &address?.place {
        Place::Sms(number) => homes::of(number.e164()),
        Place::NotANumber { .. } | Place::Nowhere | Place::Erased => None,
    }
}

/// The rules that bind a purpose there.
fn binding(home: &Home, purpose: &str) -> Vec<&'static toml::Value> {
    let binds = |rule: &&toml::Value| rule.get("purposes").and_then(toml::Value::as_array).is_some_and(|all| all.iter().any(|p| p.as_str() == Some(purpose)));
    let of = |place: &str| rules().iter().filter(binds).filter(|rule| text(rule, "jurisdiction") == place).collect::<Vec<_>>();
    let mut all: Vec<&toml::Value> = home.jurisdictions.iter().flat_map(|place| of(place)).collect();
    if home.jurisdictions.iter().any(|place| !place.contains('-') && of(place).is_empty()) {
        all.extend(of("*"));
    }
    all
}

/// I4: a claim outside of the hours that bind it.
pub(super) fn permitted(claim: &Claim, home: &Home) -> Vec<Violation> {
    let intent = &claim.message.intent;
    let mut found = Vec::new();
    if intent.origin.exempt() {
        return found;
    }
    for rule in binding(home, intent.purpose.word()) {
        for name in home.zones {
            for at in [claim.at - LATE, claim.at, claim.at + EARLY] {
                let local = local(name, at);
                if !local.is_some_and(|local| open(rule, local)) {
                    let story = format!("{} was claimed at {}, and rule {} does not permit {local:?} in {name}", claim.attempt, claim.at, text(rule, "id"));
                    found.push(Violation::new("I4", story));
                }
            }
        }
    }
    found
}

fn local(zone: &str, at: Time) -> Option<DateTime> {
    Some(at.timestamp().to_zoned(zone::zone(zone)?).datetime())
}

/// Whether a wall clock says an hour at which the rule lets texts leave.
fn open(rule: &toml::Value, local: DateTime) -> bool {
    let (jurisdiction, date) = (text(rule, "jurisdiction"), local.date().to_string());
    let country = jurisdiction.split('-').next().unwrap_or_default();
    let rows = [format!("{jurisdiction},{date},"), format!("{country},{date},")];
    let holiday = |line: &str| rows.iter().any(|row| line.starts_with(row.as_str()));
    if text(rule, "holidays") == "closed" && SHIPPED_HOLIDAYS.lines().any(holiday) {
        return false;
    }
    let today = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    let covers = |key: &str| {
        let (first, last) = key.split_once('-').unwrap_or((key, key));
        place(first).is_some_and(|first| first <= today) && place(last).is_some_and(|last| today <= last)
    };
    let clock = local.strftime("%H:%M").to_string();
    // Texts of the same form compare like times.
    let within = |hours: &str| hours.split(", ").filter_map(|window| window.split_once('-')).any(|(start, end)| start <= clock.as_str() && clock.as_str() < end);
    let hours = rule.get("hours").and_then(toml::Value::as_table);
    hours.into_iter().flatten().any(|(key, hours)| covers(key) && hours.as_str().is_some_and(within))
}

/// I4: one text more than a cap permits. `earlier` are all claims of this address so far, this one among them.
pub(super) fn below_caps(claim: &Claim, earlier: &[Claim], home: &Home) -> Vec<Violation> {
    let purpose = claim.message.intent.purpose;
    let mut found = Vec::new();
    if claim.message.intent.origin.exempt() {
        return found;
    }
    for rule in binding(home, purpose.word()) {
        let purposes: Vec<&str> = rule.get("purposes").and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str).collect();
        for cap in rule.get("caps").and_then(toml::Value::as_array).into_iter().flatten() {
            let max = cap.get("max").and_then(toml::Value::as_integer).and_then(|max| usize::try_from(max).ok()).unwrap_or(0);
            for name in home.zones {
                let counts = |other: &&Claim| match text(cap, "per") {
                    "day" => local(name, other.at).map(DateTime::date) == local(name, claim.at).map(DateTime::date),
                    _ => other.at + Span::hours(24) > claim.at,
                };
                let bound = |other: &&Claim| purposes.contains(&other.message.intent.purpose.word()) && !other.message.intent.origin.exempt();
                let texts: BTreeSet<_> = earlier.iter().filter(bound).filter(counts).map(|other| other.message.id).collect();
                if texts.len() > max {
                    found.push(Violation::new("I4", format!("{} was claimed as text {} of at most {max} of rule {}", claim.attempt, texts.len(), text(rule, "id"))));
                }
            }
        }
    }
    found
}
