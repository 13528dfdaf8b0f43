//! The gate: every check before a text may leave, in one pure function that says everything it found.
//!
//! Its own file because it runs twice, when the intent is made and again when it is claimed, and must be the same
//! both times. It reports all findings, not the first; it loads nothing and changes nothing.

use serde::{Deserialize, Serialize};

use crate::consent::ConsentState;
use crate::id::MessageId;
use crate::looping::Earlier;
use crate::number::{Line, NumberError};
use crate::purpose::{Policy, Purpose};
use crate::quiet::{Answer, Counted, Forbids, Question, Rule, Rules, Sent};
use crate::reason::{Cited, Reason};
use crate::sender::{self, Route};
use crate::time::Time;
use crate::zone::local;

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
    /// The text: it does not count against caps itself.
    pub message: MessageId,
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
    /// The rules of jurisdictions in force.
    pub rules: &'a Rules,
    /// Every jurisdiction the recipient may be under.
    pub jurisdictions: &'a [String],
    /// Every zone the recipient may be in.
    pub zones: &'a [String],
    /// What was handed over to this address lately.
    pub sends: &'a [Sent],
    /// The provider account it would go through.
    pub account: &'a str,
    /// The sender it would come from, and where it would go.
    pub route: Route<'a>,
    /// A confirmation or help answer: free of consent and hours.
    pub exempt: bool,
    /// An earlier text of the same run that has not left, and its deadline.
    pub behind: Option<(MessageId, Time)>,
    /// Its words.
    pub body: &'a str,
    /// The texts that went to the address lately.
    pub earlier: &'a [Earlier<'a>],
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
    /// Never, because the recipient does not want it, or surely would not.
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

impl Verdict {
    /// The end of the hours in which the text may leave, if that comes before its deadline.
    pub fn hours_end(&self) -> Option<Time> {
        let deadline = self.findings.iter().find_map(|f| if let Reason::DeadlineAhead { deadline } = f { Some(*deadline) } else { None });
        let end = self.findings.iter().find_map(|f| if let Reason::HoursOpen { until, .. } = f { *until } else { None });
        end.filter(|end| deadline.is_none_or(|deadline| *end < deadline))
    }
}

/// Runs every check; the gravest finding decides.
pub fn ask(facts: &Facts<'_>, now: Time) -> Verdict {
    let mut findings = vec![deadline(facts, now), number(facts)];
    findings.extend(reachable(facts));
    findings.extend([suppression(facts), consent(facts, now), hours(facts, now)]);
    findings.extend(caps(facts, now));
    findings.extend(order(facts, now));
    findings.extend(looping(facts, now));
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
    facts.consent.suppression(facts.program, facts.purpose, facts.account, facts.route.sender).unwrap_or(Reason::NotSuppressed)
}

fn consent(facts: &Facts<'_>, now: Time) -> Reason {
    if facts.exempt { Reason::ConsentNotNeeded } else { facts.consent.grant(facts.policy, facts.program, facts.purpose, now) }
}

/// A sender that the recipient's country does not let through.
fn reachable(facts: &Facts<'_>) -> Option<Reason> {
    let sender::Refusal { country, rule, source, .. } = sender::refuses(&facts.route)?;
    Some(Reason::SenderCannot { country, rule, source })
}

fn question<'a>(facts: &Facts<'a>) -> Question<'a> {
    Question { rules: facts.rules, purpose: facts.purpose, jurisdictions: facts.jurisdictions, zones: facts.zones, window: facts.policy.window }
}

fn hours(facts: &Facts<'_>, now: Time) -> Reason {
    if facts.exempt {
        return Reason::HoursAny { because: "she asked for it by a keyword".to_owned() };
    }
    let question = question(facts);
    let own = || facts.policy.window.map(|window| window.to_string()).unwrap_or_default();
    let window = |by: &Forbids<'_>| by.rule.map_or_else(own, |rule| rule.hours.to_string());
    match question.ask(now) {
        Answer::Any => {
            let places = if facts.jurisdictions.is_empty() { "wherever she is".to_owned() } else { format!("in {}", facts.jurisdictions.join(", ")) };
            Reason::HoursAny { because: format!("no rule binds {} texts {places}", facts.purpose) }
        }
        Answer::Open { until } => {
            let rules = question.binding().iter().map(|rule| rule.id.clone()).collect();
            Reason::HoursOpen { window: own(), zones: zones(facts), rules, until: Some(until) }
        }
        Answer::Closed { until, closes, by } => Reason::HoursClosed {
            window: window(&by),
            zone: by.zone.to_owned(),
            until,
            local: local(by.zone, until, "%a %H:%M %Z"),
            here: local(by.zone, now, "%a %H:%M %Z"),
            till: local(by.zone, closes, "%H:%M"),
            by: by.rule.map(cited),
        },
        Answer::Never { by } => Reason::HoursNever { window: window(&by), zones: zones(facts), by: by.rule.map(cited) },
    }
}

/// Caps of rules and of the company; what answers a keyword is not counted.
fn caps(facts: &Facts<'_>, now: Time) -> Vec<Reason> {
    if facts.exempt {
        return Vec::new();
    }
    let zone = facts.zones.first().map_or("UTC", String::as_str);
    let found = |counted: Counted<'_>| match counted.until {
        None => Reason::BelowCap { cap: counted.cap.to_string(), count: counted.count },
        Some(until) => Reason::CapReached { cap: counted.cap.to_string(), count: counted.count, until, local: local(zone, until, "%a %H:%M %Z"), by: counted.rule.map(cited) },
    };
    question(facts).caps(&facts.policy.caps, facts.sends, facts.message, now).into_iter().map(found).collect()
}

fn cited(rule: &Rule) -> Cited {
    Cited { rule: rule.id.clone(), name: rule.name.clone(), law: rule.law, source: rule.source.clone() }
}

/// The zones that were asked: somebody whose country is unknown is asked about in UTC.
fn zones(facts: &Facts<'_>) -> Vec<String> {
    if facts.zones.is_empty() { vec!["UTC".to_owned()] } else { facts.zones.to_vec() }
}

fn order(facts: &Facts<'_>, now: Time) -> Option<Reason> {
    let (message, until) = facts.behind.filter(|(_, until)| now < *until)?;
    Some(Reason::Behind { message, until })
}

/// Confirmations and answers have a rule of their own: one for each opt-out.
fn looping(facts: &Facts<'_>, now: Time) -> Option<Reason> {
    let rule = facts.policy.guard(facts.purpose);
    if facts.exempt { None } else { rule.ask(facts.purpose, facts.body, facts.earlier, now) }
}

/// What one finding alone would decide.
pub fn consequence(finding: &Reason) -> Decision {
    match finding {
        Reason::DeadlinePassed { .. } => Decision::Expire,
        Reason::NumberMissing
        | Reason::NumberImpossible { .. }
        | Reason::FixedLine
        | Reason::NumberErased
        | Reason::TemplateFailed { .. }
        | Reason::HoursNever { .. }
        | Reason::SenderCannot { .. } => Decision::Fail,
        Reason::OptedOut { .. }
        | Reason::Erased { .. }
        | Reason::Revoked { .. }
        | Reason::VendorBlocked { .. }
        | Reason::ConsentMissing { .. }
        | Reason::ConsentUnconfirmed { .. }
        | Reason::ConsentLapsed { .. }
        | Reason::LoopingGuard { .. } => Decision::Suppress,
        Reason::HoursClosed { until, .. }
        | Reason::CapReached { until, .. }
        | Reason::Behind { until, .. }
        | Reason::RateFull { until }
        | Reason::AccountRateFull { until, .. }
        | Reason::CountryRateFull { until, .. }
        | Reason::DayFull { until, .. }
        | Reason::BreakerOpen { until, .. } => Decision::Hold { until: *until },
        Reason::DeadlineAhead { .. }
        | Reason::NumberTextable
        | Reason::NotSuppressed
        | Reason::ConsentNotNeeded
        | Reason::ConsentGranted { .. }
        | Reason::HoursAny { .. }
        | Reason::HoursOpen { .. }
        | Reason::BelowCap { .. }
        | Reason::Exempt
        | Reason::RouteChosen { .. }
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

impl Verdict {
    /// The verdict with one finding more, for which the text waits until then, but no longer than it is worth sending. For
    /// what is looked at after the gate, when it is claimed: rates, limits, the state of its account.
    pub fn held(mut self, finding: Reason, until: Time, deadline: Time) -> Verdict {
        self.decision = match graver(self.decision, Decision::Hold { until }) {
            Decision::Hold { until } => Decision::Hold { until: until.min(deadline) },
            other => other,
        };
        self.findings.push(finding);
        self
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
        places: Vec<String>,
        sends: Vec<Sent>,
        sender: &'static str,
        reach: Reach,
        acts: Vec<ConsentAct>,
        now: &'static str,
        exempt: bool,
        behind: Option<(MessageId, Time)>,
        earlier: usize,
    }

    fn case(purpose: Purpose) -> Case {
        Case {
            purpose,
            places: vec!["US".to_owned(), "US-CA".to_owned()],
            sends: vec![],
            sender: "+15005550006",
            reach: Reach::Line(Line::Unsure),
            acts: vec![],
            now: "2026-11-23T18:00:00Z",
            exempt: false,
            behind: None,
            earlier: 0,
        }
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
            message: MessageId::new(1, Time(1), [9; 16]),
            purpose: case.purpose,
            policy: &Policy::default_for(case.purpose),
            program: "acme",
            deadline: t("2026-11-24T12:00:00Z"),
            reach: &case.reach,
            consent: &ConsentState::fold(&entries),
            rules: Rules::shipped(),
            jurisdictions: &case.places,
            zones: &["America/Los_Angeles".to_owned()],
            sends: &case.sends,
            account: "main",
            route: Route { sender: case.sender, country: Some("US"), registered: &[], template: false },
            exempt: case.exempt,
            behind: case.behind,
            body: "hi",
            earlier: &vec![Earlier { purpose: case.purpose, body: "hi", at: t(case.now) }; case.earlier],
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
            ("three times before", Case { earlier: 3, ..case(Purpose::Service) }, Decision::Suppress, vec!["looping_guard", "hours_open"]),
            ("twice before", Case { earlier: 2, ..case(Purpose::Service) }, Decision::Send, vec![]),
            ("answers to keywords", Case { earlier: 9, exempt: true, ..case(Purpose::Service) }, Decision::Send, vec!["exempt"]),
            ("no longer behind", Case { behind: Some((message, t("2026-11-23T17:00:00Z"))), ..case(Purpose::Otp) }, Decision::Send, vec![]),
        ] {
            let verdict = run(&case);
            assert_eq!(verdict.decision, decision, "{name}: {:?}", verdict.findings);
            for code in codes {
                assert!(verdict.findings.iter().any(|f| f.code() == code), "{name}: no {code} in {:?}", verdict.findings);
            }
        }
    }

    #[test]
    fn a_limit_holds_until_the_deadline_at_most() {
        let verdict = || Verdict { decision: Decision::Send, findings: vec![] };
        let held = |verdict: Verdict, text: &str| verdict.held(Reason::CountryRateFull { country: "FR".into(), until: t(text) }, t(text), t("2026-11-24T12:00:00Z"));
        let soon = held(verdict(), "2026-11-24T10:00:00Z");
        assert_eq!((soon.decision, soon.findings.len()), (Decision::Hold { until: t("2026-11-24T10:00:00Z") }, 1));
        assert_eq!(held(verdict(), "2026-11-25T10:00:00Z").decision, Decision::Hold { until: t("2026-11-24T12:00:00Z") });
        let expired = Verdict { decision: Decision::Expire, findings: vec![] };
        assert_eq!(held(expired, "2026-11-25T10:00:00Z").decision, Decision::Expire);
        assert_eq!(consequence(&soon.findings[0]), soon.decision, "the finding alone would decide the same");
    }

    fn marketing() -> Case {
        Case { acts: vec![ConsentAct::Grant], places: vec!["US".to_owned(), "US-FL".to_owned()], ..case(Purpose::Marketing) }
    }

    #[test]
    fn the_law_binds_marketing_and_says_which() {
        let held = run(&Case { now: "2026-11-24T04:05:00Z", ..marketing() });
        assert_eq!(held.decision, Decision::Hold { until: t("2026-11-24T12:00:00Z") }, "not beyond its deadline: {held:?}");
        let said: Vec<String> = held.findings.iter().filter(|f| f.code() == "hours_closed").map(ToString::to_string).collect();
        // The window of the company's own and Florida's begin together, but a law is handed over to a minute later.
        assert_eq!(
            said,
            [
                "outside 08:00-20:00 in America/Los_Angeles, where it is Mon 20:05 PST; next permitted Tue 08:01 PST to 19:50; by rule us-fl (Florida, law): Fla. Stat. 501.616(6)(a)-(b) (FTSA)"
            ]
        );
        let open = run(&marketing());
        assert_eq!((open.decision, open.hours_end()), (Decision::Send, Some(t("2026-11-24T03:50:00Z"))), "the carrier must have it by then");
        let service = run(&case(Purpose::Otp));
        assert!(service.findings.iter().any(|f| f.to_string() == "may be sent at any hour: no rule binds otp texts in US, US-CA"), "{service:?}");
        assert_eq!(service.hours_end(), None);
    }

    #[test]
    fn caps_hold_and_senders_fail() {
        let sent = |n: u8, at: &str| Sent { message: MessageId::new(1, Time(1), [n; 16]), purpose: Purpose::Marketing, at: t(at) };
        let sends = vec![sent(1, "2026-11-22T20:00:00Z"), sent(2, "2026-11-23T16:00:00Z"), sent(3, "2026-11-23T17:00:00Z")];
        let held = run(&Case { sends, ..marketing() });
        assert_eq!(held.decision, Decision::Hold { until: t("2026-11-23T20:00:00Z") }, "{held:?}");
        assert!(held.findings.iter().any(|f| f.to_string().starts_with("3 sent of at most 3 in 24h; next permitted Mon 12:00 PST; by rule us-fl")), "{held:?}");
        let named = run(&Case { sender: "ACME", ..case(Purpose::Transactional) });
        assert_eq!(named.decision, Decision::Fail);
        assert!(named.findings.iter().any(|f| f.code() == "sender_cannot"), "{named:?}");
    }
}
