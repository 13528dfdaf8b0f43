//! The gate: every check before a text may leave, in one pure function that says everything it found.
//!
//! Its own file because it runs twice, when the intent is made and again when it is claimed, and must be the same
//! both times. It reports all findings, not the first; it loads nothing and changes nothing.

use serde::{Deserialize, Serialize};

use crate::consent::ConsentState;
use crate::id::MessageId;
use crate::number::{Line, NumberError};
use crate::purpose::{Policy, Purpose};
use crate::quiet::{self, Hours};
use crate::reason::Reason;
use crate::time::Time;
use crate::zone;

/// What is known of the recipient's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// A possible number on this kind of line.
    Line(Line),
    /// The source gave none.
    Missing,
    /// It was erased.
    Erased,
    /// The source gave something else.
    Impossible(NumberError),
}

/// Everything the gate looks at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Why the text is sent.
    pub purpose: Purpose,
    /// The purpose's rules.
    pub policy: &'a Policy,
    /// The program it belongs to.
    pub program: &'a str,
    /// When it stops being worth sending.
    pub deadline: Time,
    /// What is known of the number.
    pub reach: &'a Reach,
    /// What the ledger says.
    pub consent: &'a ConsentState,
    /// Every zone the recipient may be in.
    pub zones: &'a [String],
    /// The provider account it would go through.
    pub account: &'a str,
    /// The sender it would come from.
    pub sender: &'a str,
    /// A confirmation or help answer: free of consent and hours.
    pub exempt: bool,
    /// An earlier text of the same run that has not left, and its deadline.
    pub behind: Option<(MessageId, Time)>,
}

/// What the gate decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It may leave now.
    Send,
    /// Not now; ask again then.
    Hold {
        /// When to ask again.
        until: Time,
    },
    /// Never, because the recipient does not want it.
    Suppress,
    /// Never, because it is too late.
    Expire,
    /// Never, because it cannot arrive.
    Fail,
}

/// The decision and everything that was found on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What follows.
    #[serde(flatten)]
    pub decision: Decision,
    /// Each check's finding, in the order of the checks.
    pub findings: Vec<Reason>,
}

/// Runs every check; the gravest finding decides.
pub fn ask(facts: &Facts<'_>, now: Time) -> Verdict {
    let findings = vec![deadline(facts, now), number(facts), suppression(facts), consent(facts, now), hours(facts, now)];
    let findings: Vec<Reason> = findings.into_iter().chain(order(facts, now)).collect();
    let mut decision = Decision::Send;
    for finding in &findings {
        decision = graver(decision, consequence(finding));
    }
    if let Decision::Hold { until } = decision {
        // Held past its deadline is expired at its deadline, not forgotten.
        decision = Decision::Hold { until: until.min(facts.deadline) };
    }
    Verdict { decision, findings }
}

fn deadline(facts: &Facts<'_>, now: Time) -> Reason {
    let deadline = facts.deadline;
    if now < deadline { Reason::DeadlineAhead { deadline } } else { Reason::DeadlinePassed { deadline } }
}

fn number(facts: &Facts<'_>) -> Reason {
    match facts.reach {
        Reach::Line(Line::Fixed) => Reason::FixedLine,
        Reach::Line(Line::Mobile | Line::Unsure) => Reason::NumberTextable,
        Reach::Missing => Reason::NumberMissing,
        Reach::Erased => Reason::NumberErased,
        Reach::Impossible(problem) => Reason::NumberImpossible { problem: problem.to_string() },
    }
}

fn suppression(facts: &Facts<'_>) -> Reason {
    if facts.exempt {
        return Reason::Exempt;
    }
    facts.consent.suppression(facts.program, facts.purpose, facts.account, facts.sender).unwrap_or(Reason::NotSuppressed)
}

fn consent(facts: &Facts<'_>, now: Time) -> Reason {
    if facts.exempt { Reason::ConsentNotNeeded } else { facts.consent.grant(facts.policy, facts.program, facts.purpose, now) }
}

fn hours(facts: &Facts<'_>, now: Time) -> Reason {
    let Some(window) = facts.policy.window.filter(|_| !facts.exempt) else { return Reason::HoursAny };
    // A number whose country is unknown is asked in UTC rather than not at all.
    let utc = ["UTC".to_owned()];
    let zones = if facts.zones.is_empty() { &utc } else { facts.zones };
    match quiet::ask(window, zones, now) {
        Hours::Open => Reason::HoursOpen { window: window.to_string(), zones: zones.to_vec() },
        Hours::Closed { until, zone } => {
            let local = zone::zone(&zone).map_or_else(|| until.to_string(), |tz| until.timestamp().to_zoned(tz).strftime("%a %H:%M %Z").to_string());
            Reason::HoursClosed { window: window.to_string(), zone, until, local }
        }
    }
}

fn order(facts: &Facts<'_>, now: Time) -> Option<Reason> {
    let (message, until) = facts.behind.filter(|(_, until)| now < *until)?;
    Some(Reason::Behind { message, until })
}

/// What one finding alone would decide.
pub fn consequence(finding: &Reason) -> Decision {
    match finding {
        Reason::DeadlinePassed { .. } => Decision::Expire,
        Reason::NumberMissing | Reason::NumberImpossible { .. } | Reason::FixedLine | Reason::NumberErased | Reason::TemplateFailed { .. } => Decision::Fail,
        Reason::OptedOut { .. }
        | Reason::Erased { .. }
        | Reason::Revoked { .. }
        | Reason::VendorBlocked { .. }
        | Reason::ConsentMissing { .. }
        | Reason::ConsentUnconfirmed { .. }
        | Reason::ConsentLapsed { .. } => Decision::Suppress,
        Reason::HoursClosed { until, .. } | Reason::Behind { until, .. } | Reason::RateFull { until } => Decision::Hold { until: *until },
        Reason::DeadlineAhead { .. }
        | Reason::NumberTextable
        | Reason::NotSuppressed
        | Reason::ConsentNotNeeded
        | Reason::ConsentGranted { .. }
        | Reason::HoursAny
        | Reason::HoursOpen { .. }
        | Reason::Exempt
        | Reason::AccountPaused { .. }
        | Reason::RetryLater { .. }
        | Reason::AttemptsUsedUp { .. }
        | Reason::Refused { .. }
        | Reason::Unclear { .. }
        | Reason::SentAgain { .. }
        | Reason::Ruled { .. }
        | Reason::TakenOver { .. }
        | Reason::CanceledBy { .. }
        | Reason::Inbound { .. }
        | Reason::Hook { .. } => Decision::Send,
    }
}

fn graver(a: Decision, b: Decision) -> Decision {
    let weight = |d: &Decision| match d {
        Decision::Send => 0,
        Decision::Hold { .. } => 1,
        Decision::Expire => 2,
        Decision::Fail => 3,
        Decision::Suppress => 4,
    };
    match (a, b) {
        (Decision::Hold { until: x }, Decision::Hold { until: y }) => Decision::Hold { until: x.max(y) },
        (a, b) => {
            if weight(&b) > weight(&a) {
                b
            } else {
                a
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{ConsentAct, ConsentEntry};

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    struct Case {
        purpose: Purpose,
        reach: Reach,
        acts: Vec<ConsentAct>,
        now: &'static str,
        exempt: bool,
        behind: Option<(MessageId, Time)>,
    }

    fn case(purpose: Purpose) -> Case {
        Case { purpose, reach: Reach::Line(Line::Unsure), acts: vec![], now: "2026-11-23T18:00:00Z", exempt: false, behind: None }
    }

    fn run(case: &Case) -> Verdict {
        let entry = |act| ConsentEntry {
            act,
            program: None,
            purpose: None,
            account: Some("main".into()),
            sender: Some("+15005550006".into()),
            evidence: "hook".into(),
            actor: "inbound".into(),
            occurred_at: Time(1),
            recorded_at: Time(1),
            terms: crate::consent::Terms::default(),
        };
        let entries: Vec<ConsentEntry> = case.acts.iter().copied().map(entry).collect();
        let facts = Facts {
            purpose: case.purpose,
            policy: &Policy::default_for(case.purpose),
            program: "acme",
            deadline: t("2026-11-24T12:00:00Z"),
            reach: &case.reach,
            consent: &ConsentState::fold(&entries),
            zones: &["America/Los_Angeles".to_owned()],
            account: "main",
            sender: "+15005550006",
            exempt: case.exempt,
            behind: case.behind,
        };
        ask(&facts, t(case.now))
    }

    #[test]
    fn decides_and_says_everything() {
        let night = "2026-11-24T09:00:00Z";
        let message = MessageId::new(1, Time(1), [0; 16]);
        for (name, case, decision, codes) in [
            ("by day", case(Purpose::Service), Decision::Send, vec!["not_suppressed", "hours_open"]),
            ("by night", Case { now: night, ..case(Purpose::Service) }, Decision::Hold { until: t("2026-11-24T12:00:00Z") }, vec!["hours_closed"]),
            ("a code by night", Case { now: night, ..case(Purpose::Otp) }, Decision::Send, vec!["hours_any"]),
            ("too late", Case { now: "2026-11-24T12:00:00Z", ..case(Purpose::Otp) }, Decision::Expire, vec!["deadline_passed"]),
            ("no grant", case(Purpose::Marketing), Decision::Suppress, vec!["consent_missing"]),
            ("granted", Case { acts: vec![ConsentAct::Grant], ..case(Purpose::Marketing) }, Decision::Send, vec!["consent_granted"]),
            (
                "stopped, and by night: both are said",
                Case { now: night, acts: vec![ConsentAct::Stop], ..case(Purpose::Service) },
                Decision::Suppress,
                vec!["opted_out", "hours_closed"],
            ),
            ("confirmation of a stop", Case { now: night, acts: vec![ConsentAct::Stop], exempt: true, ..case(Purpose::Service) }, Decision::Send, vec!["exempt"]),
            ("fixed line", Case { reach: Reach::Line(Line::Fixed), ..case(Purpose::Otp) }, Decision::Fail, vec!["fixed_line"]),
            ("erased", Case { reach: Reach::Erased, acts: vec![ConsentAct::Erase], ..case(Purpose::Otp) }, Decision::Suppress, vec!["number_erased", "erased"]),
            ("no number", Case { reach: Reach::Missing, ..case(Purpose::Otp) }, Decision::Fail, vec!["number_missing"]),
            (
                "behind another",
                Case { behind: Some((message, t("2026-11-23T19:00:00Z"))), ..case(Purpose::Otp) },
                Decision::Hold { until: t("2026-11-23T19:00:00Z") },
                vec!["behind"],
            ),
            ("no longer behind", Case { behind: Some((message, t("2026-11-23T17:00:00Z"))), ..case(Purpose::Otp) }, Decision::Send, vec![]),
        ] {
            let verdict = run(&case);
            assert_eq!(verdict.decision, decision, "{name}: {:?}", verdict.findings);
            for code in codes {
                assert!(verdict.findings.iter().any(|f| f.code() == code), "{name}: no {code} in {:?}", verdict.findings);
            }
        }
    }
}
