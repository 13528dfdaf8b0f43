//! The closed list of reasons: why a text was sent, held, suppressed or ended.
//!
//! Its own file because reasons travel: rows, logs, the API, the console and `explain` all show these and nothing
//! else. Each carries its evidence; the sentence for people is made here, in one place.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, HookId, InboundId, MessageId};
use crate::route::Why;
use crate::time::{Span, Time};

/// A rule of a jurisdiction, as findings name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cited {
    /// Its id.
    pub rule: String,
    /// Its name.
    pub name: String,
    /// Whether it is law for texts, and not policy.
    pub law: bool,
    /// The norm.
    pub source: String,
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cited { rule, name, law, source } = self;
        write!(f, "by rule {rule} ({name}, {}): {source}", if *law { "law" } else { "policy" })
    }
}

/// One finding of a check, or one cause of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// There is time left.
    DeadlineAhead {
        /// The deadline.
        deadline: Time,
    },
    /// The text is no longer worth sending.
    DeadlinePassed {
        /// The deadline.
        deadline: Time,
    },
    /// The number can receive texts, as far as the numbering plan tells.
    NumberTextable,
    /// The source gave no number.
    NumberMissing,
    /// What the source gave is not a possible number.
    NumberImpossible {
        /// What is wrong with it.
        problem: String,
    },
    /// A fixed line, certainly.
    FixedLine,
    /// The number was erased, and nobody can text what nobody knows.
    NumberErased,
    /// Nothing on the ledger forbids it.
    NotSuppressed,
    /// The recipient said stop.
    OptedOut {
        /// When.
        at: Time,
        /// The hook or the record that proves it.
        evidence: String,
    },
    /// Everything about the recipient was erased: nothing is sent any more.
    Erased {
        /// When.
        at: Time,
    },
    /// Consent was revoked through the API.
    Revoked {
        /// When.
        at: Time,
        /// The record that proves it.
        evidence: String,
    },
    /// The vendor refuses this recipient for this sender.
    VendorBlocked {
        /// When.
        at: Time,
        /// The attempt that met it.
        evidence: String,
    },
    /// The purpose needs no grant.
    ConsentNotNeeded,
    /// A grant is on the ledger.
    ConsentGranted {
        /// When.
        at: Time,
        /// The record that proves it.
        evidence: String,
    },
    /// The purpose needs a grant and there is none.
    ConsentMissing {
        /// The program asked about.
        program: String,
    },
    /// A grant is on the ledger, and the recipient has not confirmed it as this purpose or program wants.
    ConsentUnconfirmed {
        /// When it was given.
        at: Time,
        /// The record that proves it.
        evidence: String,
    },
    /// A grant is on the ledger, and has run out.
    ConsentLapsed {
        /// When.
        at: Time,
        /// The rule's name.
        rule: String,
        /// Where the rule is written.
        source: String,
    },
    /// The text may leave at any hour.
    HoursAny {
        /// Why no hours bind it; absent in histories from before there were rules.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        because: String,
    },
    /// Inside the permitted hours in every zone the recipient may be in.
    HoursOpen {
        /// The company's own window, or empty.
        window: String,
        /// The zones asked.
        zones: Vec<String>,
        /// The rules that permit it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rules: Vec<String>,
        /// When the hours end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// Outside of them.
    HoursClosed {
        /// The hours.
        window: String,
        /// The zone that is closed.
        zone: String,
        /// The next permitted instant.
        until: Time,
        /// The same, on the recipient's wall clock.
        local: String,
        /// What her clock says now.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        here: String,
        /// When the next hours end, on the same clock.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        till: String,
        /// The rule that closes them; absent for the company's own window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Cited>,
    },
    /// Outside of them for a year: what binds the text leaves no hour in all of the recipient's zones.
    HoursNever {
        /// The hours that are closed now.
        window: String,
        /// The zones asked.
        zones: Vec<String>,
        /// The rule that closes them; absent for the company's own window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Cited>,
    },
    /// Fewer texts were sent than may be.
    BelowCap {
        /// The cap.
        cap: String,
        /// How many were sent.
        count: u32,
    },
    /// As many were sent as may be.
    CapReached {
        /// The cap.
        cap: String,
        /// How many were sent.
        count: u32,
        /// When one more may leave, as far as this cap goes.
        until: Time,
        /// The same, on the recipient's wall clock.
        local: String,
        /// The rule that sets it; absent for the company's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Cited>,
    },
    /// This sender cannot reach this country.
    SenderCannot {
        /// The country.
        country: String,
        /// What its networks ask.
        rule: String,
        /// Where that is from.
        source: String,
    },
    /// Confirmations of opt-outs and answers to HELP are free of consent and hours.
    Exempt,
    /// An earlier text of the same run has not left yet.
    Behind {
        /// The earlier text.
        message: MessageId,
        /// Its deadline, when it stops blocking.
        until: Time,
    },
    /// As many texts as this, or of these words, went to the recipient in a short time: something goes in a circle.
    LoopingGuard {
        /// Whether it is the words that repeat.
        same: bool,
        /// How many went.
        sent: u32,
        /// In how long.
        within: Span,
    },
    /// The sender's rate is used up.
    RateFull {
        /// The next free slot.
        until: Time,
    },
    /// The account's rate is used up, or its vendor named a time to come back.
    AccountRateFull {
        /// The account.
        account: String,
        /// The next free slot.
        until: Time,
    },
    /// The rate to the recipient's country is used up.
    CountryRateFull {
        /// The country.
        country: String,
        /// The slot that this text has.
        until: Time,
    },
    /// What may be sent in a day is used up.
    DayFull {
        /// The account, or the account and its sender.
        of: String,
        /// When the next day begins where it is counted.
        until: Time,
    },
    /// Most calls to the account fail, so that none is made for a while.
    BreakerOpen {
        /// The account.
        account: String,
        /// When it is looked at again.
        until: Time,
    },
    /// Several ways could take it, and this one was chosen.
    RouteChosen {
        /// The route.
        route: String,
        /// The account.
        account: String,
        /// The sender.
        sender: String,
        /// Why this one.
        why: Why,
    },
    /// The account refuses our credentials or is out of funds.
    AccountPaused {
        /// The account.
        account: String,
    },
    /// A failed try may be repeated.
    RetryLater {
        /// When.
        at: Time,
        /// What failed.
        cause: String,
    },
    /// Tried as often as the policy allows.
    AttemptsUsedUp {
        /// How often.
        tried: u32,
        /// What failed last.
        cause: String,
    },
    /// The vendor refused for good.
    Refused {
        /// The class of the refusal.
        class: String,
        /// The vendor's code.
        vendor_code: String,
    },
    /// Nobody knows whether the vendor took it.
    Unclear {
        /// What happened.
        cause: String,
    },
    /// It was unclear for as long as the vendor was asked, and its purpose would rather have two than none.
    SentAgain {
        /// The attempt that may have been taken.
        n: u32,
    },
    /// A person decided about a text of unknown fate.
    Ruled {
        /// What.
        ruling: String,
        /// Who.
        by: String,
        /// What she saw.
        evidence: String,
        /// The text that was made instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<MessageId>,
    },
    /// The process ended between claim and answer.
    TakenOver {
        /// The attempt that was in the air.
        attempt: AttemptId,
    },
    /// A template could not be rendered.
    TemplateFailed {
        /// The template.
        template: String,
        /// What is wrong, naming the variable.
        problem: String,
    },
    /// Somebody cancelled it.
    CanceledBy {
        /// Who, or the inbound text that did.
        by: String,
    },
    /// The inbound text that caused this.
    Inbound {
        /// The inbound text.
        inbound: InboundId,
    },
    /// The hook that caused this.
    Hook {
        /// The hook.
        hook: HookId,
    },
}

impl Reason {
    /// The stable code, as in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::DeadlineAhead { .. } => "deadline_ahead",
            Reason::DeadlinePassed { .. } => "deadline_passed",
            Reason::NumberTextable => "number_textable",
            Reason::NumberMissing => "number_missing",
            Reason::NumberImpossible { .. } => "number_impossible",
            Reason::FixedLine => "fixed_line",
            Reason::NumberErased => "number_erased",
            Reason::NotSuppressed => "not_suppressed",
            Reason::OptedOut { .. } => "opted_out",
            Reason::Erased { .. } => "erased",
            Reason::Revoked { .. } => "revoked",
            Reason::VendorBlocked { .. } => "vendor_blocked",
            Reason::ConsentNotNeeded => "consent_not_needed",
            Reason::ConsentGranted { .. } => "consent_granted",
            Reason::ConsentMissing { .. } => "consent_missing",
            Reason::ConsentUnconfirmed { .. } => "consent_unconfirmed",
            Reason::ConsentLapsed { .. } => "consent_lapsed",
            Reason::HoursAny { .. } => "hours_any",
            Reason::HoursOpen { .. } => "hours_open",
            Reason::HoursClosed { .. } => "hours_closed",
            Reason::HoursNever { .. } => "hours_never",
            Reason::BelowCap { .. } => "below_cap",
            Reason::CapReached { .. } => "cap_reached",
            Reason::SenderCannot { .. } => "sender_cannot",
            Reason::Exempt => "exempt",
            Reason::Behind { .. } => "behind",
            Reason::LoopingGuard { .. } => "looping_guard",
            Reason::RateFull { .. } => "rate_full",
            Reason::AccountRateFull { .. } => "account_rate_full",
            Reason::CountryRateFull { .. } => "country_rate_full",
            Reason::DayFull { .. } => "day_full",
            Reason::BreakerOpen { .. } => "breaker_open",
            Reason::RouteChosen { .. } => "route_chosen",
            Reason::AccountPaused { .. } => "account_paused",
            Reason::RetryLater { .. } => "retry_later",
            Reason::AttemptsUsedUp { .. } => "attempts_used_up",
            Reason::Refused { .. } => "refused",
            Reason::Unclear { .. } => "unclear",
            Reason::SentAgain { .. } => "sent_again",
            Reason::Ruled { .. } => "ruled",
            Reason::TakenOver { .. } => "taken_over",
            Reason::TemplateFailed { .. } => "template_failed",
            Reason::CanceledBy { .. } => "canceled_by",
            Reason::Inbound { .. } => "inbound",
            Reason::Hook { .. } => "hook",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::DeadlineAhead { deadline } => write!(f, "worth sending until {deadline}"),
            Reason::DeadlinePassed { deadline } => write!(f, "its deadline {deadline} has passed"),
            Reason::NumberTextable => f.write_str("the number can receive texts"),
            Reason::NumberMissing => f.write_str("the source gave no phone number"),
            Reason::NumberImpossible { problem } => write!(f, "the phone number {problem}"),
            Reason::FixedLine => f.write_str("the number is a fixed line, which cannot receive texts"),
            Reason::NumberErased => f.write_str("the number was erased, and is not kept"),
            Reason::NotSuppressed => f.write_str("the recipient has not opted out"),
            Reason::OptedOut { at, evidence } => write!(f, "the recipient opted out at {at} ({evidence})"),
            Reason::Erased { at } => write!(f, "everything about the recipient was erased at {at}; the number stays suppressed"),
            Reason::Revoked { at, evidence } => write!(f, "consent was revoked at {at} ({evidence})"),
            Reason::VendorBlocked { at, evidence } => write!(f, "the vendor blocks this recipient for this sender since {at} ({evidence})"),
            Reason::ConsentNotNeeded => f.write_str("this purpose needs no recorded grant"),
            Reason::ConsentGranted { at, evidence } => write!(f, "consent was granted at {at} ({evidence})"),
            Reason::ConsentMissing { program } => write!(f, "this purpose needs a recorded grant for '{program}', and there is none"),
            Reason::ConsentUnconfirmed { at, evidence } => write!(f, "consent was granted at {at} ({evidence}), and is to be confirmed by the recipient before it counts"),
            Reason::ConsentLapsed { at, rule, source } => write!(f, "consent ran out at {at} by the rule {rule} ({source})"),
            Reason::HoursAny { because } if because.is_empty() => f.write_str("this purpose may be sent at any hour"),
            Reason::HoursAny { because } => write!(f, "may be sent at any hour: {because}"),
            Reason::HoursOpen { window, zones, rules, .. } => open(f, window, rules, zones),
            Reason::HoursClosed { window, zone, local, here, till, by, .. } => closed(f, (window, zone), here, (local, till), by.as_ref()),
            Reason::HoursNever { window, zones, by } => {
                write!(f, "outside {window}, and within a year no hour is permitted in all of {}", zones.join(", "))?;
                cite(f, by.as_ref())
            }
            Reason::BelowCap { cap, count } => write!(f, "{count} sent of at most {cap}"),
            Reason::CapReached { cap, count, local, by, .. } => {
                write!(f, "{count} sent of at most {cap}; next permitted {local}")?;
                cite(f, by.as_ref())
            }
            Reason::SenderCannot { country, rule, source } => write!(f, "the sender cannot reach {country}: {rule} ({source})"),
            Reason::Exempt => f.write_str("a confirmation or help answer, free of consent and quiet hours"),
            Reason::LoopingGuard { same: true, sent, within } => write!(f, "{sent} texts with the same words went to this recipient within {within}: it looks like a loop"),
            Reason::LoopingGuard { same: false, sent, within } => write!(f, "{sent} texts went to this recipient within {within}: it looks like a loop"),
            Reason::Behind { message, until } => write!(f, "waits for {message} of the same run, at most until {until}"),
            Reason::RateFull { until } => write!(f, "the sender's rate is used up; next slot {until}"),
            Reason::AccountRateFull { account, until } => write!(f, "the rate of account '{account}' is used up; next slot {until}"),
            Reason::CountryRateFull { country, until } => write!(f, "the rate to {country} is used up; its slot is {until}"),
            Reason::DayFull { of, until } => write!(f, "the limit of {of} for today is used up; its next day begins {until}"),
            Reason::BreakerOpen { account, until } => write!(f, "most calls to account '{account}' fail, so that none is made; looked at again {until}"),
            Reason::RouteChosen { route, account, sender, why } => write!(f, "through {account} from {sender} by {route}: {why}"),
            Reason::AccountPaused { account } => write!(f, "the account '{account}' is paused; see the open alerts"),
            Reason::RetryLater { at, cause } => write!(f, "{cause}; tried again at {at}"),
            Reason::AttemptsUsedUp { tried, cause } => write!(f, "tried {tried} times; last: {cause}"),
            Reason::Refused { class, vendor_code } => write!(f, "the vendor refused it for good ({class}, code {vendor_code})"),
            Reason::Unclear { cause } => write!(f, "nobody knows whether the vendor took it: {cause}; not sent again"),
            Reason::SentAgain { n } => write!(f, "nobody knows whether the vendor took attempt {n}; this purpose would rather have two texts than none"),
            Reason::Ruled { ruling, by, evidence, again } => ruled(f, ruling, by, evidence, *again),
            Reason::TakenOver { attempt } => write!(f, "the process ended while {attempt} was in the air"),
            Reason::TemplateFailed { template, problem } => write!(f, "template '{template}' could not be rendered: {problem}"),
            Reason::CanceledBy { by } => write!(f, "cancelled by {by}"),
            Reason::Inbound { inbound } => write!(f, "inbound text {inbound}"),
            Reason::Hook { hook } => write!(f, "webhook {hook}"),
        }
    }
}

fn open(f: &mut fmt::Formatter<'_>, window: &str, rules: &[String], zones: &[String]) -> fmt::Result {
    f.write_str("inside ")?;
    match (window.is_empty(), rules.is_empty()) {
        (false, true) => f.write_str(window)?,
        (false, false) => write!(f, "{window} and the hours of {}", rules.join(", "))?,
        (true, _) => write!(f, "the hours of {}", rules.join(", "))?,
    }
    write!(f, " in {}", zones.join(", "))
}

fn closed(f: &mut fmt::Formatter<'_>, (window, zone): (&str, &str), here: &str, (local, till): (&str, &str), by: Option<&Cited>) -> fmt::Result {
    write!(f, "outside {window} in {zone}")?;
    if !here.is_empty() {
        write!(f, ", where it is {here}")?;
    }
    write!(f, "; next permitted {local}")?;
    if !till.is_empty() {
        write!(f, " to {till}")?;
    }
    cite(f, by)
}

fn cite(f: &mut fmt::Formatter<'_>, by: Option<&Cited>) -> fmt::Result {
    by.map_or(Ok(()), |by| write!(f, "; {by}"))
}

fn ruled(f: &mut fmt::Formatter<'_>, ruling: &str, by: &str, evidence: &str, again: Option<MessageId>) -> fmt::Result {
    match (ruling, again) {
        ("arrived", _) => write!(f, "{by} found that it arrived: {evidence}"),
        (_, Some(again)) => write!(f, "{by} had it sent again as {again}: {evidence}"),
        _ => write!(f, "{by} let it go: {evidence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        serde_json::from_str::<Reason>(json).unwrap().to_string()
    }

    #[test]
    fn hours_name_the_rule_its_source_her_time_and_the_next_window() {
        let held = r#"{"code":"hours_closed","window":"08:00-20:00","zone":"America/New_York","until":"2026-11-24T13:01:00Z","local":"Tue 08:01 EST",
            "here":"Mon 22:13 EST","till":"19:50","by":{"rule":"us-fl","name":"Florida","law":true,"source":"Fla. Stat. 501.616(6)"}}"#;
        assert_eq!(
            said(held),
            "outside 08:00-20:00 in America/New_York, where it is Mon 22:13 EST; next permitted Tue 08:01 EST to 19:50; by rule us-fl (Florida, law): Fla. Stat. 501.616(6)"
        );
    }

    #[test]
    fn findings_of_older_versions_are_read() {
        for (json, expect) in [
            (r#"{"code":"hours_any"}"#, "this purpose may be sent at any hour"),
            (r#"{"code":"hours_open","window":"08:00-21:00","zones":["UTC"]}"#, "inside 08:00-21:00 in UTC"),
            (
                r#"{"code":"hours_closed","window":"08:00-21:00","zone":"UTC","until":"2026-11-24T08:00:00Z","local":"Tue 08:00 UTC"}"#,
                "outside 08:00-21:00 in UTC; next permitted Tue 08:00 UTC",
            ),
        ] {
            assert_eq!(said(json), expect);
        }
    }
}
