//! A scenario as people write it: traffic, phases with their faults, and what must be true afterwards.
//!
//! Its own file because it is the format: every field, its bounds, and the scenarios that are shipped. It runs nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use trunkline_core::time::Span;
use trunkline_sim::faults::Faults;

use crate::config::{Diagnoses, Key};

/// The scenarios that are shipped: (name, text).
pub(super) const SHIPPED: [(&str, &str); 8] = [
    ("account-refused", include_str!("../../../../../config/chaos/account-refused.toml")),
    ("crm-down", include_str!("../../../../../config/chaos/crm-down.toml")),
    ("hang-after-accept", include_str!("../../../../../config/chaos/hang-after-accept.toml")),
    ("invalid-payloads", include_str!("../../../../../config/chaos/invalid-payloads.toml")),
    ("partial-outage", include_str!("../../../../../config/chaos/partial-outage.toml")),
    ("provider-slow", include_str!("../../../../../config/chaos/provider-slow.toml")),
    ("webhooks-duplicated", include_str!("../../../../../config/chaos/webhooks-duplicated.toml")),
    ("webhooks-paused", include_str!("../../../../../config/chaos/webhooks-paused.toml")),
];

/// The most orders: each has a customer with a number of her own.
const MOST_ORDERS: u32 = 5_000;
const MOST_PER_SECOND: u32 = 50;
const MOST_COPIES: u32 = 20;
const LONGEST_PHASE: Span = Span::mins(30);
const LONGEST_DRAIN: Span = Span::hours(1);

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) description: String,
    /// How long after the faults everything may take to come to an end.
    pub(super) drain_within: Span,
    pub(super) traffic: Traffic,
    #[serde(rename = "phase")]
    pub(super) phases: Vec<Phase>,
    #[serde(default)]
    pub(super) expect: Expect,
}

/// What is sent through the system meanwhile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traffic {
    /// Orders in all.
    pub(super) orders: u32,
    pub(super) per_second: u32,
    /// How often the shop announces each.
    #[serde(default = "once")]
    pub(super) copies: u32,
}

fn once() -> u32 {
    1
}

/// A time with the same faults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) lasts: Span,
    #[serde(default)]
    pub(super) faults: Faults,
}

/// What must be true at the end: each number is the most that is borne.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    /// Texts that came twice.
    pub(super) twice: u64,
    /// Orders without a text that came to an end.
    pub(super) lost: u64,
    /// Texts whose state contradicts the phones.
    pub(super) wrong: u64,
    /// Texts of unknown fate.
    pub(super) unclear: u64,
    /// Texts that were given up.
    pub(super) failed: u64,
    /// Things that gave up.
    pub(super) dead_letters: u64,
    /// Records in the CRM that say something else than we know.
    pub(super) crm_wrong: u64,
    /// The alerts that must be raised; no other may be.
    pub(super) alerts: BTreeSet<String>,
    pub(super) felt: Felt,
}

/// That the faults were felt at all, without which passing proves nothing: each number is the least.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Felt {
    /// Calls of the vendor that did not end well.
    pub(super) vendor_failures: u64,
    /// Calls of the CRM that did not end well.
    pub(super) crm_failures: u64,
    /// Webhooks that were refused.
    pub(super) hooks_refused: u64,
    /// Copies of webhooks that changed nothing.
    pub(super) copies: u64,
    /// Webhooks that waited at one time.
    pub(super) hooks_waiting: u64,
    /// Texts that were in the air at one time.
    pub(super) in_the_air: u64,
}

impl Traffic {
    /// How many orders are placed by then.
    pub(super) fn due(&self, at: Span) -> u32 {
        let due = at.0.saturating_mul(i64::from(self.per_second)) / 1_000_000 + 1;
        u32::try_from(due).unwrap_or(u32::MAX).min(self.orders)
    }
}

impl Scenario {
    /// How long all phases last.
    pub(super) fn lasts(&self) -> Span {
        Span(self.phases.iter().map(|phase| phase.lasts.0).sum())
    }

    fn check(&self, path: &Path, found: &mut Diagnoses) {
        let mut bad = |at: &[Key], problem: String, hint: &str| found.error(path, at, &problem, hint);
        let plain = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !plain {
            bad(&["name".into()], format!("'{}' is no name", self.name), "use small letters, digits and hyphens: the report's file is called so");
        }
        if self.drain_within <= Span::ZERO || self.drain_within > LONGEST_DRAIN {
            bad(&["drain_within".into()], format!("{} is no time to wait", self.drain_within), "write up to an hour, such as 90s");
        }
        let traffic = &self.traffic;
        for (name, given, most) in [("orders", traffic.orders, MOST_ORDERS), ("per_second", traffic.per_second, MOST_PER_SECOND), ("copies", traffic.copies, MOST_COPIES)] {
            if !(1..=most).contains(&given) {
                bad(&["traffic".into(), name.into()], format!("is {given}"), &format!("write a whole number from 1 to {most}"));
            }
        }
        for (index, phase) in self.phases.iter().enumerate() {
            if phase.lasts <= Span::ZERO || phase.lasts > LONGEST_PHASE {
                bad(&["phase".into(), index.into(), "lasts".into()], format!("{} is no length of a phase", phase.lasts), "write up to half an hour, such as 20s");
            }
            if let Err(fault) = phase.faults.check() {
                bad(&["phase".into(), index.into(), "faults".into(), fault.name.into()], fault.to_string(), "write thousandths: 50 is one in twenty");
            }
        }
        let room = i64::from(traffic.per_second).saturating_mul(self.lasts().0) / 1_000_000;
        if i64::from(traffic.orders) > room {
            let problem = format!("{} orders do not fit: the phases have room for {room}", traffic.orders);
            bad(&["traffic".into(), "orders".into()], problem, "make a phase longer, or place more in a second");
        }
    }
}

/// The scenario of a shipped name, or of a file; every mistake in it is told with its place.
pub(super) fn read(given: &str) -> anyhow::Result<Scenario> {
    let (path, text) = find(given)?;
    let mut found = Diagnoses::new(Path::new(""));
    let scenario: Option<Scenario> = found.parse(&path, text);
    if let Some(scenario) = &scenario {
        scenario.check(&path, &mut found);
    }
    let pictures: Vec<String> = found.finish().into_iter().map(|problem| problem.picture).collect();
    match scenario {
        Some(scenario) if pictures.is_empty() => Ok(scenario),
        _ => anyhow::bail!("the scenario has errors; nothing was started\n\n{}", pictures.join("\n\n")),
    }
}

fn find(given: &str) -> anyhow::Result<(PathBuf, String)> {
    if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == given) {
        return Ok((PathBuf::from(format!("config/chaos/{name}.toml")), (*text).to_owned()));
    }
    let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    let text = std::fs::read_to_string(given).with_context(|| format!("'{given}' is no file that can be read, and none of the shipped scenarios: {}", names.join(", ")))?;
    Ok((PathBuf::from(given), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let path = Path::new("x.toml");
        let mut found = Diagnoses::new(Path::new(""));
        if let Some(scenario) = found.parse::<Scenario>(path, text.to_owned()) {
            scenario.check(path, &mut found);
        }
        found.finish().into_iter().map(|problem| problem.picture).collect::<Vec<_>>().join("\n")
    }

    const GOOD: &str = "name = \"x\"\ndescription = \"x\"\ndrain_within = \"1m\"\n[traffic]\norders = 10\nper_second = 2\n[[phase]]\nname = \"a\"\nlasts = \"5s\"\n";

    #[test]
    fn the_shipped_ones_are_in_order() {
        for (name, _) in SHIPPED {
            let scenario = read(name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(scenario.phases.iter().any(|phase| phase.faults != Faults::default()) || scenario.traffic.copies > 1, "{name} plays no fault");
        }
    }

    #[test]
    fn mistakes_have_a_place_and_a_fix() {
        assert_eq!(problems(GOOD), "");
        for (from, to, words) in [
            ("name = \"x\"", "name = \"X y\"", "'X y' is no name"),
            ("orders = 10", "orders = 11", "the phases have room for 10"),
            ("per_second = 2", "per_second = 0", "from 1 to 50"),
            ("lasts = \"5s\"", "lasts = \"5 weeks\"", "not a length of time"),
            ("lasts = \"5s\"\n", "lasts = \"5s\"\nfaults = { crm_dwn = true }\n", "crm_dwn"),
            ("lasts = \"5s\"\n", "lasts = \"5s\"\nfaults = { refuse_permille = 1001 }\n", "refuse_permille is 1001"),
            ("drain_within = \"1m\"", "drain_within = \"2h\"", "up to an hour"),
        ] {
            let found = problems(&GOOD.replace(from, to));
            assert!(found.contains(words) && found.contains("x.toml:"), "{to}: {found}");
        }
    }

    #[test]
    fn orders_come_in_step() {
        let traffic = Traffic { orders: 5, per_second: 2, copies: 1 };
        let due: Vec<u32> = [0, 499, 500, 1_400, 9_000].map(|ms| traffic.due(Span::millis(ms))).to_vec();
        assert_eq!(due, [1, 1, 2, 3, 5]);
    }
}
