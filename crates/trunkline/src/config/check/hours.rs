//! Rules of jurisdictions, and senders that their countries do not let through.
//!
//! Its own file because both are about law and networks, not about how files hang together. Whether a shipped rule is
//! right is for counsel; what is looked at here is what an installation writes over it.

use std::collections::BTreeSet;

use trunkline_core::consent::is_jurisdiction;
use trunkline_core::quiet::{ANYWHERE, OnHolidays, Rules};
use trunkline_core::sender::{self, Kind, Route};
use trunkline_core::time::Span;

use super::at;
use crate::config::diagnose::{Diagnoses, Key};
use crate::config::files::{Files, SenderFile};

pub(super) fn all(files: &Files, found: &mut Diagnoses) {
    settings(files, found);
    overrides(files, found);
    for (index, from) in files.main.value.senders.iter().enumerate() {
        senders(index, from, files, found);
    }
}

fn settings(files: &Files, found: &mut Diagnoses) {
    let (path, settings) = (&files.main.path, &files.main.value.quiet_hours);
    for (field, margin) in [("close_early", settings.close_early), ("open_late", settings.open_late)] {
        if margin > Span::hours(2) {
            found.error(path, at!["quiet_hours", field], "is longer than two hours, which leaves little of short days", "write a margin such as \"10m\"");
        }
    }
    for (index, jurisdiction) in settings.jurisdictions.iter().enumerate() {
        if !is_jurisdiction(jurisdiction) {
            found.error(path, at!["quiet_hours", "jurisdictions", index], "is no jurisdiction", FORM);
        }
    }
}

/// How a jurisdiction is written.
const FORM: &str = "write a country such as \"FR\", or one with a state such as \"US-TX\"";

fn overrides(files: &Files, found: &mut Diagnoses) {
    let shipped = Rules::shipped();
    let in_force = files.rules_in_force();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for file in files.rules.values() {
        let (path, rules) = (&file.path, &file.value);
        for (index, id) in rules.without.iter().enumerate() {
            match shipped.get(id) {
                None => found.error(path, at!["without", index], &format!("no shipped rule has the id '{id}'"), "see the ids with: trunkline when <number> --purpose marketing"),
                Some(rule) if rule.law => {
                    let problem = format!("rule '{id}' is law ({}), and is left out", rule.source);
                    found.warning(path, at!["without", index], &problem, "write a rule of the same id if your counsel reads it otherwise");
                }
                Some(_) => {}
            }
        }
        for (index, rule) in rules.rules.iter().enumerate() {
            let way = |field: &'static str| [Key::from("rule"), Key::from(index), Key::from(field)];
            if !seen.insert(&rule.id) {
                found.error(path, &way("id"), &format!("'{}' is the id of two rules", rule.id), "give each rule an id of its own");
            }
            if rule.jurisdiction != ANYWHERE && !is_jurisdiction(&rule.jurisdiction) {
                found.error(path, &way("jurisdiction"), "is no jurisdiction", FORM);
            }
            if rule.purposes.is_empty() {
                found.error(path, &way("purposes"), "is empty, so that the rule binds nothing", "write the purposes, such as [\"marketing\"]");
            }
            if rule.hours.to_string().is_empty() {
                found.error(path, &way("hours"), "has no hours, so that nothing could ever leave", "write hours such as { mon-sat = \"08:00-20:00\" }");
            }
            if rule.since.zip(rule.until).is_some_and(|(since, until)| until < since) {
                found.error(path, &way("until"), "is before since", "give the last day on which the rule binds");
            }
            if rule.holidays == OnHolidays::Closed && !in_force.knows_holidays_of(&rule.jurisdiction) {
                let problem = format!("is \"closed\", but no holiday of {} is known", rule.jurisdiction);
                found.warning(path, &way("holidays"), &problem, "add [[holiday]] with jurisdiction, date and name");
            }
        }
        for (index, holiday) in rules.holidays.iter().enumerate() {
            if !is_jurisdiction(&holiday.jurisdiction) {
                found.error(path, at!["holiday", index, "jurisdiction"], "is no jurisdiction", FORM);
            }
        }
    }
}

fn senders(index: usize, from: &SenderFile, files: &Files, found: &mut Diagnoses) {
    let (path, main) = (&files.main.path, &files.main.value);
    let mut refused = |country: &str, way: &[Key]| {
        let template = main.template_ids.get(country).is_some_and(|ids| !ids.is_empty());
        let route = Route { sender: &from.number, country: Some(country), registered: &from.registered, template };
        if let Some(refusal) = sender::refuses(&route) {
            let problem = format!("'{}' cannot reach {country}: {} ({})", from.number, refusal.rule, refusal.source);
            let fix = match sender::kind(&from.number) {
                Some(Kind::Name) if refusal.rule.contains("registered first") => "name the country under registered once it is, or use a number",
                Some(Kind::Name) => "use a number or a short code there",
                _ => "add [template_ids.<country>] with an id for each template, or another sender",
            };
            found.error(path, way, &problem, fix);
        }
    };
    for (place, country) in from.countries.iter().enumerate() {
        refused(country, at!["senders", index, "countries", place]);
    }
    // Without a word of where it sends to, it sends to the country of numbers without one.
    if let Some(country) = main.default_region.as_deref().filter(|_| from.countries.is_empty()) {
        refused(country, at!["senders", index, "number"]);
    }
    for (field, codes) in [("countries", &from.countries), ("registered", &from.registered)] {
        for (place, code) in codes.iter().enumerate() {
            if code.len() != 2 || !is_jurisdiction(code) {
                found.error(path, at!["senders", index, field, place], "is not a country code", "write two capital letters, such as \"GB\"");
            }
        }
    }
}
