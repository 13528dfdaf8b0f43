//! Senders: what a text may come from, and what the networks of a country ask of it.
//!
//! Its own file because a sender that cannot work is refused at two places, by `check` and by the gate, with the same
//! words. It knows countries, not vendors: what a vendor supports is the vendor's to say.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::number::Number;
use crate::quiet::Confidence;

static SHIPPED: &str = include_str!("../data/sender_rules.toml");

/// What kind of sender it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name of letters and digits, which nobody can answer.
    Name,
    /// A short code.
    ShortCode,
    /// A phone number.
    Number,
}

/// Whether names can be senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Names {
    Never,
    Registered,
    Free,
}

/// What a country's own long numbers can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Numbers {
    #[default]
    Both,
    Inbound,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Country {
    code: String,
    names: Names,
    #[serde(default)]
    numbers: Numbers,
    #[serde(default)]
    templates: bool,
    #[serde(default)]
    asks: Option<String>,
    source: String,
    confidence: Confidence,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    as_of: String,
    country: Vec<Country>,
}

struct Table {
    as_of: String,
    countries: BTreeMap<String, Country>,
}

/// A text on its way from a sender to a country.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// The sender, as configured.
    pub sender: &'a str,
    /// The country of the recipient's number, if it is known.
    pub country: Option<&'a str>,
    /// The countries in which the sender is registered.
    pub registered: &'a [String],
    /// Whether the text has the id of a template that is registered in that country.
    pub template: bool,
}

/// Why a sender cannot reach a country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The country.
    pub country: String,
    /// What its networks ask.
    pub rule: String,
    /// Where that is from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
}

/// What kind of sender this is; nothing if it can be none.
pub fn kind(sender: &str) -> Option<Kind> {
    let digits = sender.chars().all(|c| c.is_ascii_digit());
    if sender.starts_with('+') {
        return Number::parse(sender, None).ok().filter(|number| number.e164() == sender).map(|_| Kind::Number);
    }
    if digits {
        return (3..=8).contains(&sender.len()).then_some(Kind::ShortCode);
    }
    let fits = (1..=11).contains(&sender.len()) && sender.trim() == sender && sender.chars().all(|c| c.is_ascii_alphanumeric() || " .&_-#".contains(c));
    (fits && sender.chars().any(|c| c.is_ascii_alphabetic())).then_some(Kind::Name)
}

/// Why the networks of the recipient's country would not deliver this, if they would not.
pub fn refuses(route: &Route<'_>) -> Option<Refusal> {
    let country = table().countries.get(route.country?)?;
    let registered = route.registered.contains(&country.code);
    let asks = || country.asks.as_ref().map(|asks| format!(" ({asks})")).unwrap_or_default();
    let rule = match (kind(route.sender), country.names) {
        (Some(Kind::Name), Names::Never) => format!("a name cannot be a sender there{}", asks()),
        (Some(Kind::Name), Names::Registered) if !registered => format!("a name must be registered first{}", asks()),
        (Some(Kind::Number), _) if country.numbers == Numbers::Inbound && own_number(route.sender, &country.code) => "its own long numbers only receive".to_owned(),
        _ if country.templates && !route.template => format!("each text needs the id of a registered template{}", asks()),
        _ => return None,
    };
    Some(Refusal { country: country.code.clone(), rule, source: country.source.clone(), confidence: country.confidence })
}

/// The day on which the shipped table was right.
pub fn as_of() -> &'static str {
    &table().as_of
}

fn own_number(sender: &str, country: &str) -> bool {
    Number::parse(sender, None).ok().and_then(|number| number.region()).is_some_and(|region| region == country)
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        // A test reads the shipped file.
        let file: File = toml::from_str(SHIPPED).unwrap_or_default();
        Table { as_of: file.as_of, countries: file.country.into_iter().map(|country| (country.code.clone(), country)).collect() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_table_is_whole() {
        let file: File = toml::from_str(SHIPPED).unwrap();
        assert_eq!((file.country.len(), table().countries.len(), as_of()), (49, 49, "2026-11-23"));
        assert!(file.country.iter().all(|c| !c.source.is_empty()));
    }

    #[test]
    fn kinds() {
        for (sender, expect) in [
            ("+15005550006", Some(Kind::Number)),
            ("36245", Some(Kind::ShortCode)),
            ("ACME", Some(Kind::Name)),
            ("Acme Shop", Some(Kind::Name)),
            ("AD-ACME", Some(Kind::Name)),
            ("Acme Outfitters", None),
            ("123456789", None),
            ("Zoë", None),
            ("", None),
            ("+1500", None),
        ] {
            assert_eq!(kind(sender), expect, "{sender}");
        }
    }

    #[test]
    fn refuses_what_cannot_work() {
        let registered = ["IE".to_owned(), "IN".to_owned()];
        for (sender, country, template, expect) in [
            ("ACME", Some("US"), false, Some("a name cannot be a sender there")),
            ("+15005550006", Some("US"), false, None),
            ("36245", Some("US"), false, None),
            ("ACME", Some("GB"), false, None),
            ("ACME", Some("IE"), false, None),
            ("ACME", Some("SG"), false, Some("must be registered first")),
            ("ACME", Some("IN"), false, Some("each text needs the id")),
            ("ACME", Some("IN"), true, None),
            ("+15005550006", Some("IN"), false, Some("each text needs the id")),
            ("+919876543210", Some("IN"), true, Some("only receive")),
            ("ACME", Some("ZW"), false, None),
            ("ACME", None, false, None),
        ] {
            let found = refuses(&Route { sender, country, registered: &registered, template });
            assert_eq!(found.is_some(), expect.is_some(), "{sender} to {country:?}: {found:?}");
            if let (Some(found), Some(part)) = (found, expect) {
                assert!(found.rule.contains(part) && Some(found.country.as_str()) == country, "{found:?}");
            }
        }
    }
}
