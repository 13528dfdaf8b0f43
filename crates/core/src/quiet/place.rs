//! Where a contact may be: whose rules bind a text to her, and whose clocks.
//!
//! Its own file because it is a set of guesses, and whoever asks must be right in all of them: the number says one thing,
//! the address in a system of record another, and the company has a seat of its own.

use serde_json::{Map, Value};

use crate::number::Number;
use crate::zone;

/// Every jurisdiction and every zone of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whereabouts {
    /// Countries, and states as `US-FL`.
    pub jurisdictions: Vec<String>,
    /// Names of time zones.
    pub zones: Vec<String>,
}

impl Whereabouts {
    /// What a number alone tells.
    pub fn of(number: &Number) -> Whereabouts {
        Whereabouts { zones: zone::candidates(number), ..Whereabouts::subject_to(number) }
    }

    /// The jurisdictions that a number alone tells.
    pub fn subject_to(number: &Number) -> Whereabouts {
        let mut here = Whereabouts::default();
        if let Some(code) = zone::area_code(number) {
            if code.subdivisions.is_empty() {
                here.under(code.region, None);
            }
            for state in &code.subdivisions {
                here.under(code.region, Some(*state));
            }
        } else if let Some(region) = number.region() {
            here.under(&region, None);
        }
        here
    }

    /// Adds where a system of record says that she lives: a country, or one with a state.
    pub fn lives_in(&mut self, residence: &str) {
        let (country, state) = residence.split_once('-').map_or((residence, None), |(country, state)| (country, Some(state)));
        let known = self.jurisdictions.iter().any(|j| j == country);
        self.under(country, state);
        let territory = state.filter(|state| zone::within(state) == Some(country));
        let zones = match (territory, state.and_then(|state| zone::of_subdivision(country, state))) {
            (Some(territory), _) => zone::of_region(territory),
            (None, Some(zones)) => zones,
            // The number has told already where in its country she may be.
            (None, None) if known => Vec::new(),
            (None, None) => zone::of_region(country),
        };
        for zone in zones {
            if !self.zones.contains(&zone) {
                self.zones.push(zone);
            }
        }
    }

    /// Adds a jurisdiction that binds wherever she is.
    pub fn bound_by(&mut self, jurisdiction: &str) {
        if let Some((country, _)) = jurisdiction.split_once('-') {
            self.add(country.to_owned());
        }
        self.add(jurisdiction.to_owned());
    }

    /// A territory is a state of the country whose law counts there too.
    fn under(&mut self, region: &str, state: Option<&str>) {
        match (zone::within(region), state) {
            (Some(country), _) => self.bound_by(&format!("{country}-{region}")),
            (None, Some(state)) => self.bound_by(&format!("{region}-{state}")),
            (None, None) => self.add(region.to_owned()),
        }
    }

    fn add(&mut self, jurisdiction: String) {
        if !self.jurisdictions.contains(&jurisdiction) {
            self.jurisdictions.push(jurisdiction);
        }
    }
}

/// Fields of a profile that may name a country, the surest first.
const COUNTRY: [&str; 2] = ["country_code", "country"];
/// Fields that may name a state or province.
const STATE: [&str; 4] = ["province_code", "state_code", "province", "state"];

/// Whether these attributes say anything of where somebody lives, be it that it is no longer known.
pub fn speaks_of_residence(attributes: &Map<String, Value>) -> bool {
    COUNTRY.iter().chain(&STATE).any(|field| attributes.contains_key(*field))
}

/// Where a profile's attributes say that somebody lives: `FR`, `US-TX`; a state without a country is one of the number's.
pub fn residence(attributes: &Map<String, Value>, number: Option<&Number>) -> Option<String> {
    let texts = |fields: &'static [&'static str]| fields.iter().filter_map(move |field| attributes.get(*field)?.as_str()).map(str::trim).filter(|text| !text.is_empty());
    let code = |text: &str| Some(text.to_ascii_uppercase()).filter(|code| code.len() == 2 && !zone::of_region(code).is_empty());
    let stated = texts(&STATE).next();
    let country = texts(&COUNTRY).find_map(code).or_else(|| stated.and(number).and_then(Number::region))?;
    let short = |text: &str| text.len() <= 3 && text.chars().all(|c| c.is_ascii_alphanumeric());
    let territory = |text: &str| zone::within(text).is_some_and(|within| within == country);
    let state = texts(&STATE).find_map(|text| match zone::subdivision(&country, text) {
        Some(code) => Some(code.to_owned()),
        // States of other countries are taken as they are written, for rules that an installation adds; names are not.
        None => Some(text.to_ascii_uppercase()).filter(|code| short(code) && (territory(code) || !matches!(country.as_str(), "US" | "CA"))),
    });
    Some(state.map_or(country.clone(), |state| format!("{country}-{state}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(text: &str) -> Number {
        Number::parse(text, None).unwrap()
    }

    #[test]
    fn numbers_tell_jurisdictions() {
        for (text, jurisdictions) in [
            ("+14155550123", vec!["US", "US-CA"]),
            ("+13055550123", vec!["US", "US-FL"]),
            ("+14165550123", vec!["CA", "CA-ON"]),
            ("+19025550123", vec!["CA", "CA-NS", "CA-PE"]),
            ("+17875550123", vec!["US", "US-PR"]),
            ("+12425550123", vec!["BS"]),
            ("+33612345678", vec!["FR"]),
            ("+262692123456", vec!["FR", "FR-RE"]),
            ("+447400123456", vec!["GB"]),
        ] {
            assert_eq!(Whereabouts::of(&number(text)).jurisdictions, jurisdictions, "{text}");
        }
    }

    #[test]
    fn an_address_adds_to_what_the_number_tells() {
        for (text, residence, jurisdictions, zones) in [
            ("+14155550123", "US-FL", vec!["US", "US-CA", "US-FL"], vec!["America/Los_Angeles", "America/New_York", "America/Chicago"]),
            ("+14155550123", "US", vec!["US", "US-CA"], vec!["America/Los_Angeles"]),
            ("+14155550123", "FR", vec!["US", "US-CA", "FR"], vec!["America/Los_Angeles", "Europe/Paris"]),
            ("+33612345678", "FR", vec!["FR"], vec!["Europe/Paris"]),
            ("+491701234567", "US-CA", vec!["DE", "US", "US-CA"], vec!["Europe/Berlin", "America/Los_Angeles"]),
        ] {
            let mut here = Whereabouts::of(&number(text));
            here.lives_in(residence);
            assert_eq!(here.jurisdictions, jurisdictions, "{text} {residence}");
            let (mut found, mut expect) = (here.zones, zones);
            found.sort();
            expect.sort_unstable();
            assert_eq!(found, expect, "{text} {residence}");
        }
        let mut here = Whereabouts::of(&number("+33612345678"));
        here.bound_by("US-TX");
        assert_eq!((here.jurisdictions.len(), here.zones.len()), (3, 1), "the company's seat moves no clock");
    }

    #[test]
    fn profiles_say_where_somebody_lives() {
        for (attributes, phone, expect) in [
            (json!({"country": "fr"}), None, Some("FR")),
            (json!({"country_code": "US", "province_code": "TX"}), None, Some("US-TX")),
            (json!({"country": "US", "state": "texas"}), None, Some("US-TX")),
            (json!({"country_code": "US", "province_code": null, "province": "Oregon"}), None, Some("US-OR")),
            (json!({"state": "Quebec"}), Some("+14165550123"), Some("CA-QC")),
            (json!({"country": "US", "state": "PR"}), None, Some("US-PR")),
            (json!({"country": "US", "state": "nowhere"}), None, Some("US")),
            (json!({"country": "DE", "state": "BY"}), None, Some("DE-BY")),
            (json!({"country": "DE", "state": "Bayern"}), None, Some("DE")),
            (json!({"country": "United States"}), None, None),
            (json!({"first_name": "Ada"}), Some("+14165550123"), None),
        ] {
            let map = attributes.as_object().unwrap();
            let phone = phone.map(number);
            assert_eq!(residence(map, phone.as_ref()).as_deref(), expect, "{attributes}");
        }
        assert!(speaks_of_residence(json!({"country": null}).as_object().unwrap()));
        assert!(!speaks_of_residence(json!({"first_name": "Ada"}).as_object().unwrap()));
    }
}
