//! Small pieces that several pages show: instants, pills, one line about a message.
//!
//! Its own file so that the same thing looks and reads the same everywhere. Whatever somebody else wrote is said by
//! `said`, which masks numbers; nothing here prints one.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::id::AddressId;
use trunkline_core::message::{Delivery, Duplicate, State};
use trunkline_core::time::Time;
use trunkline_store::row::Message;
use trunkline_store::{Store, StoreError};

use super::clock::Clocks;
use super::mask;
use super::said::Said;

/// An instant, for machines and for people.
pub(super) struct When {
    /// For `datetime`.
    pub(super) rfc3339: String,
    /// For people, in UTC.
    pub(super) short: String,
}

impl From<Time> for When {
    fn from(at: Time) -> When {
        When { rfc3339: at.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), short: short(at) }
    }
}

/// `23 Nov 14:05:09`, in UTC.
fn short(at: Time) -> String {
    at.timestamp().strftime("%-d %b %H:%M:%S").to_string()
}

/// A word about a state, and the colour that goes with it.
pub(super) struct Pill {
    /// The colour's class.
    pub(super) tone: &'static str,
    /// The word.
    pub(super) word: &'static str,
}

/// The word that people see, then the delivery state if that is another word, then a warning of a duplicate.
pub(super) fn pills(state: &State) -> Vec<Pill> {
    let delivery = state.delivery();
    let mut pills = vec![Pill { tone: tone(delivery), word: delivery.word() }];
    if state.flags.opted_out.is_some() {
        pills.insert(0, Pill { tone: "quiet", word: state.word() });
    } else if state.flags.replied.is_some() {
        pills.insert(0, Pill { tone: "good", word: state.word() });
    }
    if state.duplicate == Duplicate::Known {
        pills.push(Pill { tone: "bad", word: "duplicate" });
    }
    pills
}

/// The colour of a delivery state.
pub(super) const fn tone(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Delivered => "good",
        Delivery::Dispatched | Delivery::Accepted | Delivery::Sent => "info",
        Delivery::Queued | Delivery::Held => "wait",
        Delivery::Unknown => "unsure",
        Delivery::Undelivered | Delivery::Failed => "bad",
        Delivery::Suppressed | Delivery::Expired | Delivery::Canceled => "quiet",
    }
}

/// What a delivery state means, for somebody who asks about one text.
pub(super) const fn meaning(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Queued => "It waits for its turn",
        Delivery::Held => "It is held",
        Delivery::Dispatched => "An attempt is in the air",
        Delivery::Unknown => "Nobody knows whether the vendor took it",
        Delivery::Accepted => "The vendor has it",
        Delivery::Sent => "The carrier has it",
        Delivery::Undelivered => "It did not arrive",
        Delivery::Delivered => "It arrived",
        Delivery::Suppressed => "The recipient must not get it",
        Delivery::Expired => "It was too late to send it",
        Delivery::Canceled => "It was canceled",
        Delivery::Failed => "It cannot be sent",
    }
}

/// Why a message is in its state, in one line.
pub(super) fn one_line(state: &State) -> Said {
    let delivery = state.delivery();
    match (state.reasons.first(), state.vendor_code()) {
        (Some(reason), _) => Said::sentence(&reason.to_string()),
        (None, Some(code)) if delivery == Delivery::Undelivered => Said::new(&format!("It did not arrive: vendor code {code}")),
        (None, _) => Said::plain(meaning(delivery)),
    }
}

/// One line of a list of facts.
pub(super) struct Fact {
    /// What it is.
    pub(super) name: &'static str,
    /// What it says.
    pub(super) said: Said,
    /// The same instant on the recipient's clock, or empty.
    pub(super) there: String,
    /// Where to read on.
    pub(super) link: Option<Link>,
}

impl Fact {
    /// Our own words.
    pub(super) fn text(name: &'static str, value: impl Into<String>) -> Fact {
        Fact { name, said: Said::plain(value), there: String::new(), link: None }
    }

    /// Words that carry instants, ids or numbers.
    pub(super) fn said(name: &'static str, value: &str) -> Fact {
        Fact { said: Said::new(value), ..Fact::text(name, "") }
    }

    /// An instant.
    pub(super) fn time(name: &'static str, at: Time) -> Fact {
        Fact { said: Said::at(at), ..Fact::text(name, "") }
    }

    /// An instant that concerns the recipient.
    pub(super) fn there(name: &'static str, at: Time, clocks: &Clocks) -> Fact {
        Fact { there: clocks.at(at), ..Fact::time(name, at) }
    }

    /// Words that lead to a page.
    pub(super) fn link(name: &'static str, word: impl Into<String>, href: String) -> Fact {
        Fact { link: Some(Link { href, word: word.into() }), ..Fact::text(name, "") }
    }
}

/// One message in a list.
pub(super) struct MessageRow {
    /// Its page.
    pub(super) href: String,
    /// When it was made.
    pub(super) when: When,
    /// Whom it is for, masked.
    pub(super) number: String,
    /// Its state.
    pub(super) pills: Vec<Pill>,
    /// Why it is in that state.
    pub(super) reason: Said,
    /// The order it is about, or empty.
    pub(super) order: String,
}

/// Messages as rows of a list, in the order given.
pub(super) async fn rows(store: &dyn Store, messages: &[Message]) -> Result<Vec<MessageRow>, StoreError> {
    let ids: BTreeSet<AddressId> = messages.iter().map(|m| m.intent.address).collect();
    let ids: Vec<AddressId> = ids.into_iter().collect();
    let places: BTreeMap<AddressId, String> = store.addresses(&ids).await?.into_iter().map(|a| (a.id, a.place.masked())).collect();
    Ok(messages.iter().map(|message| row(message, places.get(&message.intent.address))).collect())
}

fn row(message: &Message, number: Option<&String>) -> MessageRow {
    MessageRow {
        href: format!("/messages/{}", message.id),
        when: When::from(message.intent.created_at),
        number: number.cloned().unwrap_or_else(|| "unknown number".to_owned()),
        pills: pills(&message.state),
        reason: one_line(&message.state),
        order: message.intent.labels.get("order").map(|order| mask::label(order)).unwrap_or_default(),
    }
}

/// A word, and the page it leads to.
pub(super) struct Link {
    /// The page.
    pub(super) href: String,
    /// The word.
    pub(super) word: String,
}

/// The same text with a capital first letter, unless it begins with the name of a file or a field.
pub(super) fn capital(text: &str) -> String {
    if text.split(' ').next().is_some_and(|word| word.trim_end_matches(['.', ':', ',']).contains(['/', '.', '_'])) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `12,345`.
pub(super) fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    if n < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 case`, `2 cases`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// An order is called `1042` by some and `#1042` by others.
pub(super) fn spellings(typed: &str) -> Vec<String> {
    let bare = typed.trim_start_matches('#');
    let mut spellings = vec![typed.to_owned()];
    for other in [bare.to_owned(), format!("#{bare}")] {
        if !bare.is_empty() && !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    spellings
}

/// A path with a query of whatever is not empty.
pub(super) fn url(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={}", percent(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Percent-encodes a value for a query; slashes stay, they are legal there.
pub(super) fn percent(text: &str) -> String {
    let hex = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0').to_ascii_uppercase();
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_amounts() {
        let at: Time = "2026-11-03T04:05:09.123456Z".parse().unwrap();
        let when = When::from(at);
        assert_eq!((when.rfc3339.as_str(), when.short.as_str()), ("2026-11-03T04:05:09Z", "3 Nov 04:05:09"));
        let shown: Vec<String> = [0, 7, 999, 1_000, 12_345, 1_234_567, -4_000].into_iter().map(grouped).collect();
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567", "-4,000"]);
        assert_eq!((count(1, "case", "cases"), count(0, "case", "cases")), ("1 case".to_owned(), "0 cases".to_owned()));
    }

    #[test]
    fn first_letters() {
        assert_eq!(capital("élan"), "Élan");
        assert_eq!(capital(""), "");
    }

    #[test]
    fn orders_are_spelled_in_two_ways() {
        assert_eq!(spellings("1042"), ["1042", "#1042"]);
        assert_eq!(spellings("#1042"), ["#1042", "1042"]);
        assert_eq!(spellings("#"), ["#"]);
    }

    #[test]
    fn encodes_for_queries() {
        assert_eq!(percent("a/b c&d=é#"), "a/b%20c%26d%3D%C3%A9%23");
        assert_eq!(url("/messages", &[("state", "held"), ("label", ""), ("from", "2026-11-23T14:05")]), "/messages?state=held&from=2026-11-23T14%3A05");
        assert_eq!(url("/messages", &[("state", "")]), "/messages");
    }
}
