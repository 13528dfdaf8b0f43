//! Numbers with a meaning: Twilio's documented test numbers, and a bank of phones to try things out on.
//!
//! Its own file because it is data that people look up: the page shows it, and docs/sandbox.md explains it. What a
//! recipient's last four digits do is decided in `faults`; the bank only gives the numbers names.

use serde::Serialize;

use super::Problem;

/// The sender that Twilio documents as good; it works whatever the account's own senders are.
pub(super) const WORKING_SENDER: &str = "+15005550006";

/// A phone of the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BankPhone {
    /// Its number in E.164.
    pub number: &'static str,
    /// Whose it is.
    pub name: &'static str,
    /// What kind of a case it stands for, in a word or two.
    pub kind: &'static str,
    /// What happens to a text that is sent there.
    pub what: &'static str,
}

const fn phone(number: &'static str, name: &'static str, kind: &'static str, what: &'static str) -> BankPhone {
    BankPhone { number, name, kind, what }
}

/// Every phone of the bank, the ordinary ones first. The numbers are set aside for fiction where a country has such.
pub static BANK: [BankPhone; 21] = [
    phone("+14155550123", "Ana", "mobile", "Delivered within seconds, and said so."),
    phone("+12125550147", "Ben", "ported", "Moved to another carrier: delivered like any other, though the area code says nothing about where Ben is."),
    phone("+442079460002", "Front desk", "fixed line", "A fixed line by its number, and by what comes back: undelivered, code 30006."),
    phone("+447700900123", "Cara", "international", "United Kingdom: delivered."),
    phone("+33639980123", "Didier", "international", "France: delivered."),
    phone("+5511955550123", "Elisa", "international", "Brazil: delivered."),
    phone("+61491570156", "Finn", "international", "Australia: delivered."),
    phone("+14155550013", "Gail", "unreachable", "Switched off: undelivered, code 30003."),
    phone("+14155550010", "Hugo", "slow", "Delivered at once, and the callbacks are ten minutes late."),
    phone("+14155550003", "Ines", "no receipt", "Delivered, and no callback ever says so."),
    phone("+14155550001", "Jon", "unknown", "Nobody has this number: undelivered, code 30005."),
    phone("+14155550002", "Kim", "fixed line", "A fixed line that its number does not give away: undelivered, code 30006."),
    phone("+14155550014", "Lou", "filtered", "Stopped by a carrier's filter: undelivered, code 30007."),
    phone("+14155550004", "Mona", "no answer", "Taken, and the call is never answered; callbacks come."),
    phone("+14155550005", "Nils", "no answer", "Not taken, and the call is never answered."),
    phone("+14155550006", "Olga", "error", "Taken, and the call is answered with HTTP 500."),
    phone("+14155550007", "Pia", "error", "Not taken, and the call is answered with HTTP 500."),
    phone("+14155550008", "Quinn", "throttled", "The first call is answered with 429, later ones go through."),
    phone("+14155550009", "Rosa", "disorder", "The callback for delivered comes before the one for sent, and each of them twice."),
    phone("+14155550011", "Sam", "contradiction", "The callback for delivered is followed by one for undelivered."),
    phone("+14155550012", "Tess", "odd word", "Between sent and delivered comes a status that nobody knows."),
];

/// The refusal that a documented recipient stands for.
pub(super) fn refused_recipient(to: &str) -> Option<Problem> {
    match to {
        "+15005550001" => Some(Problem::bad(21_211, "'To' is not a phone number")),
        "+15005550002" => Some(Problem::bad(21_612, "'To' cannot be reached from this 'From'")),
        "+15005550003" => Some(Problem::bad(21_408, "texts to the region of 'To' are not enabled")),
        "+15005550004" => Some(Problem::bad(21_610, "the recipient has unsubscribed from 'From'")),
        "+15005550009" => Some(Problem::bad(21_614, "'To' is not a mobile number")),
        _ => None,
    }
}

/// The refusal that a documented sender stands for.
pub(super) fn refused_sender(from: &str) -> Option<Problem> {
    match from {
        "+15005550001" => Some(Problem::bad(21_212, "'From' is not a phone number")),
        "+15005550007" => Some(Problem::bad(21_606, "'From' is not a sender of this account")),
        "+15005550008" => Some(Problem::bad(21_611, "too many texts are queued for 'From'")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use trunkline_core::number::{Line, Number};

    use super::*;
    use crate::faults::Fate;

    #[test]
    fn the_bank_has_real_numbers_and_every_kind() {
        let mut numbers = BTreeSet::new();
        for phone in BANK {
            let number = Number::parse(phone.number, None).unwrap();
            assert_eq!(number.e164(), phone.number, "{}", phone.name);
            assert!(numbers.insert(phone.number), "{} is there twice", phone.number);
            assert!(!phone.name.is_empty() && phone.what.ends_with('.'), "{}", phone.number);
            let plain = matches!(phone.kind, "mobile" | "ported" | "international");
            assert_eq!(plain, Fate::of(phone.number) == Fate::Plain, "{}", phone.number);
        }
        let kinds: BTreeSet<&str> = BANK.iter().map(|phone| phone.kind).collect();
        assert!(["mobile", "fixed line", "ported", "international", "unreachable", "slow", "no receipt"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
        for last in 1..=14 {
            assert!(numbers.contains(format!("+1415555{last:04}").as_str()), "{last}");
        }
        assert_eq!(Number::parse("+442079460002", None).unwrap().line(), Line::Fixed);
    }
}
