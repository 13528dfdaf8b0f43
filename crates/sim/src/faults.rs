//! The menu of things that go wrong on purpose: the settings, and the phone numbers that ask for it.
//!
//! Its own file because a run's faults are data: the simulation draws them, the sandbox's page sets them, and a
//! report prints them. What a setting does is up to the fake that reads it.

use rand_core::RngCore;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_core::time::Time;

use crate::outgoing::between;

/// How badly the fakes behave. Chances are in thousandths; nothing is set by default.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the menu, set by its name")]
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long the vendor takes to answer, in real milliseconds; applied by whoever carries the answer.
    pub vendor_latency_ms: u64,
    /// The vendor answers 429 and takes nothing.
    pub throttle_permille: u32,
    /// The vendor answers 500 and takes nothing.
    pub server_error_permille: u32,
    /// The vendor answers 500 and has taken the text.
    pub server_error_after_accept_permille: u32,
    /// The vendor takes the text and never answers.
    pub hang_after_accept_permille: u32,
    /// The vendor refuses the connection.
    pub refuse_permille: u32,
    /// The vendor takes our credentials for wrong, as after somebody revoked them.
    pub credentials_revoked: bool,
    /// A callback is sent twice.
    pub callback_duplicate_permille: u32,
    /// The callbacks of one text are sent in reverse.
    pub callback_reorder_permille: u32,
    /// Each callback is late by up to so many milliseconds of business time, which may also change their order.
    pub callback_delay_ms_max: u64,
    /// Receipts come after a fifth of a second instead of seconds: for measuring, not for trying out.
    pub quick_receipts: bool,
    /// No webhook leaves, the vendor's or the shop's; all that waited leave when this ends.
    pub webhooks_paused: bool,
    /// Before a webhook comes a forged copy of it: cut short, changed, or without its signature.
    pub invalid_hooks_permille: u32,
    /// The CRM refuses every connection.
    pub crm_down: bool,
    /// How long the CRM takes to answer, in real milliseconds; applied by whoever carries the answer.
    pub crm_slow_ms: u64,
    /// The CRM answers 409 and writes nothing.
    pub crm_conflict_permille: u32,
    /// The CRM answers 429 and writes nothing.
    pub crm_throttle_permille: u32,
    /// The CRM reads the record, drops it, and answers 500.
    pub crm_error_permille: u32,
    /// The CRM answers 200, and has dropped the record.
    pub crm_lie_permille: u32,
}

/// A chance above certainty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {given}: a chance is a whole number of thousandths from 0 to 1000")]
pub struct TooLikely {
    /// The fault.
    pub name: &'static str,
    /// What it was set to.
    pub given: u32,
}

/// A setting that does not exist, or a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct BadSetting {
    /// What the setting was called.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Faults {
    /// These faults with some settings changed; a setting that is changed to nothing goes back to its default.
    pub fn changed(&self, changes: &Map<String, Value>) -> Result<Faults, BadSetting> {
        let bad = |name: &str, problem: String| BadSetting { name: name.to_owned(), problem };
        let Ok(Value::Object(mut all)) = serde_json::to_value(self) else { return Ok(self.clone()) };
        for (name, value) in changes {
            if !all.contains_key(name) {
                let known: Vec<&str> = all.keys().map(String::as_str).collect();
                return Err(bad(name, format!("there is no such setting; there are {}", known.join(", "))));
            }
            if value.is_null() {
                all.remove(name);
                continue;
            }
            // Alone first: an error of the whole would not say which setting it is about.
            let alone: Map<String, Value> = [(name.clone(), value.clone())].into_iter().collect();
            serde_json::from_value::<Faults>(Value::Object(alone)).map_err(|e| bad(name, e.to_string()))?;
            all.insert(name.clone(), value.clone());
        }
        serde_json::from_value(Value::Object(all)).map_err(|e| bad("", e.to_string()))
    }

    /// Whether every chance is one.
    pub fn check(&self) -> Result<(), TooLikely> {
        let chances = [
            ("throttle_permille", self.throttle_permille),
            ("server_error_permille", self.server_error_permille),
            ("server_error_after_accept_permille", self.server_error_after_accept_permille),
            ("hang_after_accept_permille", self.hang_after_accept_permille),
            ("refuse_permille", self.refuse_permille),
            ("callback_duplicate_permille", self.callback_duplicate_permille),
            ("callback_reorder_permille", self.callback_reorder_permille),
            ("invalid_hooks_permille", self.invalid_hooks_permille),
            ("crm_conflict_permille", self.crm_conflict_permille),
            ("crm_throttle_permille", self.crm_throttle_permille),
            ("crm_error_permille", self.crm_error_permille),
            ("crm_lie_permille", self.crm_lie_permille),
        ];
        match chances.into_iter().find(|(_, given)| *given > 1_000) {
            Some((name, given)) => Err(TooLikely { name, given }),
            None => Ok(()),
        }
    }
}

/// What the recipient's last four digits make happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Plain,
    UnknownHandset,
    Landline,
    NoReceipts,
    HangTaken,
    HangNotTaken,
    ErrorTaken,
    ErrorNotTaken,
    ThrottleOnce,
    Shuffled,
    Late,
    Contradicted,
    UnknownWord,
    Unreachable,
    Filtered,
    Corrected,
}

/// A status that a text reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: Time,
    /// The vendor's word.
    pub(crate) word: &'static str,
    /// The error code and what it means.
    pub(crate) code: Option<(&'static str, &'static str)>,
}

impl Fate {
    /// What this recipient's last four digits ask for.
    pub(crate) fn of(e164: &str) -> Fate {
        match e164.get(e164.len().saturating_sub(4)..).unwrap_or_default() {
            "0001" => Fate::UnknownHandset,
            "0002" => Fate::Landline,
            "0003" => Fate::NoReceipts,
            "0004" => Fate::HangTaken,
            "0005" => Fate::HangNotTaken,
            "0006" => Fate::ErrorTaken,
            "0007" => Fate::ErrorNotTaken,
            "0008" => Fate::ThrottleOnce,
            "0009" => Fate::Shuffled,
            "0010" => Fate::Late,
            "0011" => Fate::Contradicted,
            "0012" => Fate::UnknownWord,
            "0013" => Fate::Unreachable,
            "0014" => Fate::Filtered,
            "0015" => Fate::Corrected,
            _ => Fate::Plain,
        }
    }

    /// Whether the text is on a phone in the end.
    pub(crate) fn reaches_the_phone(self) -> bool {
        !matches!(self, Fate::UnknownHandset | Fate::Landline | Fate::Unreachable | Fate::Filtered | Fate::HangNotTaken | Fate::ErrorNotTaken)
    }

    /// The statuses that a text goes through, in true order.
    pub(crate) fn steps(self, now: Time, faults: &Faults, rng: &mut dyn RngCore) -> Vec<Step> {
        let (to_sent, to_done) = if faults.quick_receipts { ((20, 20), (200, 200)) } else { ((300, 900), (2_000, 5_000)) };
        let sent = now + between(rng, to_sent.0, to_sent.1);
        let middle = sent + between(rng, 100, 500);
        let done = now + between(rng, to_done.0, to_done.1);
        let after = done + between(rng, 1_000, 4_000);
        let step = |at: Time, word: &'static str| Step { at, word, code: None };
        let lost = |at: Time, code: &'static str, meaning: &'static str| Step { at, word: "undelivered", code: Some((code, meaning)) };
        let mut all = vec![step(sent, "sent")];
        match self {
            Fate::UnknownHandset => all.push(lost(done, "30005", "Unknown destination handset")),
            Fate::Landline => all.push(lost(done, "30006", "Landline or unreachable carrier")),
            Fate::Contradicted => all.extend([step(done, "delivered"), lost(after, "30008", "Unknown error")]),
            Fate::Corrected => all.extend([lost(done, "30008", "Unknown error"), step(after, "delivered")]),
            Fate::UnknownWord => all.extend([step(middle, "teleported"), step(done, "delivered")]),
            Fate::Unreachable => all.push(lost(done, "30003", "Unreachable destination handset")),
            Fate::Filtered => all.push(lost(done, "30007", "Message filtered")),
            Fate::Plain | Fate::NoReceipts | Fate::HangTaken | Fate::HangNotTaken | Fate::ErrorTaken | Fate::ErrorNotTaken | Fate::ThrottleOnce | Fate::Shuffled | Fate::Late => {
                all.push(step(done, "delivered"));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use trunkline_core::time::Span;

    use super::*;
    use crate::outgoing::{Answer, Effect};
    use crate::vendor::tests::{Bench, PHONE, bench, outcome, raw, receipts, text};

    #[test]
    fn nothing_goes_wrong_unless_asked() {
        let none: Faults = serde_json::from_str("{}").unwrap();
        assert_eq!(none, Faults::default());
        assert_eq!(none.check(), Ok(()));
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        assert!(serde_json::from_str::<Faults>("{\"throtle_permille\": 5}").is_err());
        let some: Faults = serde_json::from_str("{\"crm_down\": true, \"throttle_permille\": 5}").unwrap();
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Faults>(&text).unwrap(), some);
    }

    #[test]
    fn every_chance_is_checked() {
        let all = serde_json::to_value(Faults::default()).unwrap();
        for name in all.as_object().unwrap().keys().filter(|k| k.ends_with("_permille")) {
            let mut one = all.clone();
            one[name] = serde_json::json!(1_001);
            let faults: Faults = serde_json::from_value(one).unwrap();
            assert_eq!(faults.check().unwrap_err().name, name);
        }
    }

    #[test]
    fn single_settings_change() {
        let before = Faults { throttle_permille: 7, crm_down: true, ..Faults::default() };
        let change = |text: &str| before.changed(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
        assert_eq!(change("{}").unwrap(), before);
        let after = change("{\"vendor_latency_ms\": 40, \"crm_down\": null}").unwrap();
        assert_eq!(after, Faults { throttle_permille: 7, vendor_latency_ms: 40, ..Faults::default() });
        for (text, name, problem) in [
            ("{\"crm_dwn\": true}", "crm_dwn", "crm_down"),
            ("{\"crm_slow_ms\": 5, \"throttle_permille\": \"often\"}", "throttle_permille", "expected u32"),
            ("{\"quick_receipts\": 1}", "quick_receipts", "expected a boolean"),
        ] {
            let bad = change(text).unwrap_err();
            assert_eq!(bad.name, name);
            assert!(bad.problem.contains(problem), "{bad}");
        }
    }

    #[test]
    fn every_magic_number() {
        let table: [(&str, &str, &[&str], usize); 16] = [
            ("0123", "accepted", &["sent", "delivered"], 1),
            ("0001", "accepted", &["sent", "undelivered30005"], 0),
            ("0002", "accepted", &["sent", "undelivered30006"], 0),
            ("0003", "accepted", &[], 1),
            ("0004", "ambiguous", &["sent", "delivered"], 1),
            ("0005", "ambiguous", &[], 0),
            ("0006", "ambiguous", &["sent", "delivered"], 1),
            ("0007", "ambiguous", &[], 0),
            ("0008", "throttled", &[], 0),
            ("0009", "accepted", &["delivered", "delivered", "sent", "sent"], 1),
            ("0010", "accepted", &["sent", "delivered"], 1),
            ("0011", "accepted", &["sent", "delivered", "undelivered30008"], 1),
            ("0012", "accepted", &["sent", "teleported", "delivered"], 1),
            ("0013", "accepted", &["sent", "undelivered30003"], 0),
            ("0014", "accepted", &["sent", "undelivered30007"], 0),
            ("0015", "accepted", &["sent", "undelivered30008", "delivered"], 1),
        ];
        for (last, expect, words, texts) in table {
            let mut bench = bench();
            let called = bench.call(&text(&format!("+1415555{last}")));
            assert_eq!(outcome(&called.answer), expect, "{last}");
            assert_eq!(receipts(&called.effects), words, "{last}");
            assert_eq!(bench.vendor.texts().len(), texts, "{last}");
            let late = called.effects.iter().all(|Effect::Hook(hook)| hook.at > bench.now + Span::mins(10));
            assert_eq!(late && !words.is_empty(), last == "0010", "{last}");
        }
        let mut bench = bench();
        let (first, second) = (bench.call(&text("+14155550008")), bench.call(&text("+14155550008")));
        assert_eq!((outcome(&first.answer), outcome(&second.answer)), ("throttled", "accepted"));
        let Answer::Reply(response) = first.answer else { panic!("an answer") };
        assert_eq!(response.retry_after(), Some(Span::secs(1)));
    }

    #[test]
    fn every_fault() {
        let always = 1_000;
        let none = Faults::default();
        for (faults, expect, taken) in [
            (Faults { refuse_permille: always, ..none.clone() }, "transient", 0),
            (Faults { throttle_permille: always, ..none.clone() }, "throttled", 0),
            (Faults { server_error_permille: always, ..none.clone() }, "ambiguous", 0),
            (Faults { server_error_after_accept_permille: always, ..none.clone() }, "ambiguous", 1),
            (Faults { hang_after_accept_permille: always, ..none.clone() }, "ambiguous", 1),
            (Faults { credentials_revoked: true, ..none.clone() }, "permanent", 0),
        ] {
            let mut bench = Bench { faults, ..bench() };
            assert_eq!(outcome(&bench.call(&text(PHONE)).answer), expect);
            assert_eq!((bench.vendor.accepted().len(), bench.vendor.texts().len()), (taken, taken));
        }
        let mut twice = Bench { faults: Faults { callback_duplicate_permille: always, ..none.clone() }, ..bench() };
        let effects = twice.call(&text(PHONE)).effects;
        let tokens: BTreeSet<String> = effects.iter().filter_map(|Effect::Hook(hook)| raw(hook).header("I-Twilio-Idempotency-Token").map(str::to_owned)).collect();
        assert_eq!((effects.len(), tokens.len()), (4, 2));
        let mut reversed = Bench { faults: Faults { callback_reorder_permille: always, ..none }, ..bench() };
        assert_eq!(receipts(&reversed.call(&text(PHONE)).effects), ["delivered", "sent"]);
    }
}
