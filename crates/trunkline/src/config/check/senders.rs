//! Senders and how much goes through them: numbers that are none, accounts that do not exist, rates and limits that let
//! nothing through.
//!
//! Apart from the other checks because these are about how fast and how much, for senders, accounts and countries alike.

use trunkline_core::breaker::Rule;
use trunkline_core::daily::Daily;
use trunkline_core::number::Number;
use trunkline_core::rate::Rate;
use trunkline_core::route::SenderKind;
use trunkline_core::time::Span;
use trunkline_core::zone;

use super::super::diagnose::{Diagnoses, Key};
use super::super::files::{Files, SenderFile};
use super::at;

/// The longest name that a text can come from.
const LONGEST_NAME: usize = 11;

pub(super) fn all(files: &Files, found: &mut Diagnoses) {
    let (path, main) = (&files.main.path, &files.main.value);
    for (index, sender) in main.senders.iter().enumerate() {
        if !main.accounts.contains_key(&sender.account) {
            let known: Vec<&str> = main.accounts.keys().map(String::as_str).collect();
            let problem = format!("no account is called '{}'", sender.account);
            found.error(path, at!["senders", index, "account"], &problem, &format!("use one of: {}", known.join(", ")));
        }
        form(files, index, sender, found);
        rate(files, at!["senders", index, "rate"], Some(sender.rate), found);
        daily(files, at!["senders", index, "daily"], sender.daily.as_ref(), found);
        if main.senders.iter().take(index).any(|above| above.number == sender.number && above.account == sender.account) {
            let problem = format!("'{}' of account '{}' is written twice", sender.number, sender.account);
            found.error(path, at!["senders", index, "number"], &problem, "remove one of the two");
        }
    }
    for (name, account) in &main.accounts {
        rate(files, at!["accounts", name.as_str(), "rate"], account.rate, found);
        daily(files, at!["accounts", name.as_str(), "daily"], account.daily.as_ref(), found);
        breaker(files, name, &account.breaker, found);
    }
    for (code, country) in &main.countries {
        if !zone::is_country(code) {
            found.error(path, at!["countries", code.as_str()], &format!("'{code}' is no country"), "write two capital letters, such as [countries.US]");
        }
        if country.rate.is_none() {
            found.warning(path, at!["countries", code.as_str()], "says nothing", "give a rate, or remove it");
        }
        rate(files, at!["countries", code.as_str(), "rate"], country.rate, found);
    }
}

/// Whether a sender looks like what it is said to be.
fn form(files: &Files, index: usize, sender: &SenderFile, found: &mut Diagnoses) {
    let path = &files.main.path;
    let at_number = at!["senders", index, "number"].to_vec();
    let (kind, looks) = (sender.kind(), SenderKind::of(&sender.number));
    match looks {
        SenderKind::LongCode | SenderKind::TollFree => match Number::parse(&sender.number, None) {
            Ok(number) if number.e164() == sender.number => {}
            _ => found.error(path, &at_number, "is not a number in E.164 form", "write it like \"+15005550006\""),
        },
        SenderKind::ShortCode if !(3..=8).contains(&sender.number.len()) => {
            found.error(path, &at_number, "is not a short code of 3 to 8 digits", "write a number in E.164 form, like \"+15005550006\", or a short code, like \"72345\"");
        }
        SenderKind::Alphanumeric if sender.number.is_empty() || sender.number.len() > LONGEST_NAME || !sender.number.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ') => {
            found.error(path, &at_number, "is neither a number nor a name of 1 to 11 letters, digits and spaces", "write it like \"+15005550006\", \"72345\" or \"Acme\"");
        }
        SenderKind::ShortCode | SenderKind::Alphanumeric => {}
    }
    // What is toll-free outside of North America its form does not tell.
    let numbers = |kind: SenderKind| matches!(kind, SenderKind::LongCode | SenderKind::TollFree);
    if kind != looks && !(numbers(kind) && numbers(looks)) {
        let problem = format!("is '{}', and '{}' looks like '{}'", kind.word(), sender.number, looks.word());
        found.error(path, at!["senders", index, "kind"], &problem, "correct one of the two, or leave 'kind' out");
    }
}

fn rate(files: &Files, way: &[Key], rate: Option<Rate>, found: &mut Diagnoses) {
    if rate.is_some_and(|rate| rate.per_second == 0 || rate.burst == 0) {
        found.error(&files.main.path, way, "lets nothing through", "give at least 1 for per_second and burst");
    }
}

fn daily(files: &Files, way: &[Key], daily: Option<&Daily>, found: &mut Diagnoses) {
    let Some(daily) = daily else { return };
    let part = |field: &str| [way, &[Key::from(field)][..]].concat();
    if daily.limit == 0 {
        found.error(&files.main.path, &part("limit"), "lets nothing through", "give at least 1, or leave 'daily' out");
    }
    if zone::zone(&daily.zone).is_none() {
        let problem = format!("no time zone is called '{}'", daily.zone);
        found.error(&files.main.path, &part("zone"), &problem, "write one such as \"America/Los_Angeles\"");
    }
}

fn breaker(files: &Files, name: &str, rule: &Rule, found: &mut Diagnoses) {
    let mut bad = |field: &str, problem: &str, fix: &str| found.error(&files.main.path, at!["accounts", name, "breaker", field], problem, fix);
    if !(1..=100).contains(&rule.percent) {
        bad("percent", "is not a share of the calls", "write 1 to 100");
    }
    for (field, value) in [("minimum", rule.minimum), ("probes", rule.probes)] {
        if value == 0 {
            bad(field, "is zero", "give at least 1");
        }
    }
    for (field, value) in [("window", rule.window), ("cool_down", rule.cool_down)] {
        if value <= Span::ZERO {
            bad(field, "is no time", "write one such as \"30s\"");
        }
    }
    if rule.cool_down_max < rule.cool_down {
        bad("cool_down_max", "is shorter than cool_down", "give at least as long");
    }
}
