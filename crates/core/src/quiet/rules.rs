//! The rules of jurisdictions: what each says, where it is from, how sure that is, and whether it is law.
//!
//! Its own file because rules are data that counsel reads and operators override: the shapes here are those of
//! `data/quiet_hours.toml` and of `rules/*.toml` in the configuration. What they come to at an instant is asked in `quiet`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::cap::Cap;
use super::hours::{Slot, WHOLE_DAY, WeekHours};
use crate::purpose::Purpose;
use crate::time::Span;

/// The shipped rules, as they are in the repository.
pub static SHIPPED_RULES: &str = include_str!("../../data/quiet_hours.toml");
/// The shipped calendar of public holidays: jurisdiction, date, name.
pub static SHIPPED_HOLIDAYS: &str = include_str!("../../data/holidays.csv");

/// The jurisdiction of the rule that stands in where a country has none.
pub const ANYWHERE: &str = "*";

/// How sure it is that a rule says this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// General knowledge, or sources that disagree.
    Low,
    /// Read in one place, or argued.
    Medium,
    /// Read where it says so.
    High,
}

/// What a rule says of public holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHolidays {
    /// They are days like others.
    #[default]
    Open,
    /// They are closed.
    Closed,
}

/// A day of the calendar: `2026-11-26`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Counted from 1 January 1970.
    number: i64,
    date: jiff::civil::Date,
}

impl Day {
    fn parse(text: &str) -> Option<Day> {
        let date: jiff::civil::Date = text.trim().parse().ok()?;
        let number = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second().div_euclid(86_400);
        Some(Day { number, date })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.date, f)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Day, D::Error> {
        let text = String::deserialize(d)?;
        Day::parse(&text).ok_or_else(|| D::Error::custom(format!("'{text}' is not a date: write one such as \"2026-11-26\"")))
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called in findings and overrides.
    pub id: String,
    /// Where it counts: a country, a country and a state such as `US-FL`, or `*`.
    pub jurisdiction: String,
    /// The name for people.
    pub name: String,
    /// The purposes that it binds.
    pub purposes: Vec<Purpose>,
    /// The hours in which texts may leave, on the recipient's wall clock.
    pub hours: WeekHours,
    /// What it says of public holidays.
    #[serde(default)]
    pub holidays: OnHolidays,
    /// How many texts may leave.
    #[serde(default)]
    pub caps: Vec<Cap>,
    /// The first day on which it binds.
    #[serde(default)]
    pub since: Option<Day>,
    /// The last day on which it binds.
    #[serde(default)]
    pub until: Option<Day>,
    /// Whether it is law for texts, and not policy.
    pub law: bool,
    /// The norm.
    pub source: String,
    /// Where the hours were read; absent for general knowledge.
    #[serde(default)]
    pub read: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// What one should know.
    #[serde(default)]
    pub note: Option<String>,
}

/// A public holiday that an installation adds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Where.
    pub jurisdiction: String,
    /// When.
    pub date: Day,
    /// What it is called.
    pub name: String,
}

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The day on which it was right.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Rules; one with the id of another takes its place.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// Ids of rules that do not count here.
    #[serde(default)]
    pub without: Vec<String>,
    /// Holidays beside the shipped ones.
    #[serde(default, rename = "holiday")]
    pub holidays: Vec<Holiday>,
}

/// What an installation sets beside the rules: `[quiet_hours]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoursSettings {
    /// How long before the end of a jurisdiction's hours the last text is handed over: vendors take a while.
    pub close_early: Span,
    /// How long after their beginning the first one is: clocks differ.
    pub open_late: Span,
    /// Jurisdictions that bind every text, wherever it goes: the company's own.
    pub jurisdictions: Vec<String>,
}

impl Default for HoursSettings {
    fn default() -> HoursSettings {
        HoursSettings { close_early: Span::mins(10), open_late: Span::mins(1), jurisdictions: Vec::new() }
    }
}

/// A rule with its days worked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// The rule.
    pub(super) rule: Rule,
    closed: Vec<i64>,
    first: i64,
    last: i64,
}

impl Bound {
    fn new(rule: Rule, calendar: &Calendar) -> Bound {
        let closed = if rule.holidays == OnHolidays::Closed { calendar.days(&rule.jurisdiction) } else { Vec::new() };
        let (first, last) = (rule.since.map_or(i64::MIN, |day| day.number), rule.until.map_or(i64::MAX, |day| day.number));
        Bound { rule, closed, first, last }
    }

    /// The hours of a day.
    pub(super) fn slots(&self, day: i64) -> &[Slot] {
        if day < self.first || day > self.last {
            return &WHOLE_DAY;
        }
        if self.closed.binary_search(&day).is_ok() {
            return &[];
        }
        self.rule.hours.on(day)
    }

    /// Whether it binds on a day at all.
    pub(super) fn binds(&self, day: i64) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// Public holidays by jurisdiction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Calendar(BTreeMap<String, BTreeMap<i64, String>>);

impl Calendar {
    fn shipped() -> Calendar {
        let mut calendar = Calendar::default();
        for line in SHIPPED_HOLIDAYS.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.splitn(3, ',');
            if let (Some(jurisdiction), Some(Some(day)), Some(name)) = (cells.next(), cells.next().map(Day::parse), cells.next()) {
                calendar.add(jurisdiction, day, name);
            }
        }
        calendar
    }

    fn add(&mut self, jurisdiction: &str, day: Day, name: &str) {
        self.0.entry(jurisdiction.to_owned()).or_default().insert(day.number, name.to_owned());
    }

    /// A state keeps its own holidays and those of its country.
    fn of(&self, jurisdiction: &str) -> impl Iterator<Item = &BTreeMap<i64, String>> {
        let country = jurisdiction.split('-').next().filter(|country| *country != jurisdiction);
        [Some(jurisdiction), country].into_iter().flatten().filter_map(move |name| self.0.get(name))
    }

    fn days(&self, jurisdiction: &str) -> Vec<i64> {
        let days: BTreeSet<i64> = self.of(jurisdiction).flat_map(BTreeMap::keys).copied().collect();
        days.into_iter().collect()
    }

    fn name(&self, jurisdiction: &str, day: i64) -> Option<&str> {
        self.of(jurisdiction).find_map(|days| days.get(&day)).map(String::as_str)
    }
}

/// Every rule in force in an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What the installation sets beside them.
    pub settings: HoursSettings,
    as_of: String,
    bound: Vec<Bound>,
    /// Where each jurisdiction's rules are among them.
    at: BTreeMap<String, Vec<usize>>,
    calendar: Calendar,
}

impl Rules {
    /// The shipped rules alone.
    pub fn shipped() -> &'static Rules {
        static SHIPPED: OnceLock<Rules> = OnceLock::new();
        SHIPPED.get_or_init(|| Rules::new(&[], HoursSettings::default()))
    }

    /// The shipped rules, with an installation's over them: one with the same id takes the other's place.
    pub fn new(files: &[&RuleFile], settings: HoursSettings) -> Rules {
        // A test reads the shipped file.
        let shipped: RuleFile = toml::from_str(SHIPPED_RULES).unwrap_or_default();
        let mut calendar = Calendar::shipped();
        let mut rules = shipped.rules;
        for file in files {
            rules.retain(|rule| !file.without.contains(&rule.id));
            for fresh in &file.rules {
                match rules.iter_mut().find(|rule| rule.id == fresh.id) {
                    Some(rule) => rule.clone_from(fresh),
                    None => rules.push(fresh.clone()),
                }
            }
            for holiday in &file.holidays {
                calendar.add(&holiday.jurisdiction, holiday.date, &holiday.name);
            }
        }
        let bound: Vec<Bound> = rules.into_iter().map(|rule| Bound::new(rule, &calendar)).collect();
        let mut at: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, bound) in bound.iter().enumerate() {
            at.entry(bound.rule.jurisdiction.clone()).or_default().push(place);
        }
        Rules { settings, as_of: shipped.as_of.unwrap_or_default(), bound, at, calendar }
    }

    /// The day on which the shipped rules were right.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// The last day whose holidays are shipped: calendars are of whole years.
    pub fn holidays_until() -> String {
        let year = SHIPPED_HOLIDAYS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(',').nth(1)?.get(..4)).max();
        format!("{}-12-31", year.unwrap_or("1970"))
    }

    /// Whether any holiday of a jurisdiction is known.
    pub fn knows_holidays_of(&self, jurisdiction: &str) -> bool {
        self.calendar.of(jurisdiction).next().is_some()
    }

    /// Every rule.
    pub fn all(&self) -> impl Iterator<Item = &Rule> {
        self.bound.iter().map(|bound| &bound.rule)
    }

    /// The rule of this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.all().find(|rule| rule.id == id)
    }

    /// Whether some rule limits how many texts of this purpose may leave.
    pub fn caps(&self, purpose: Purpose) -> bool {
        self.all().any(|rule| !rule.caps.is_empty() && rule.purposes.contains(&purpose))
    }

    /// The rules that bind a purpose in these jurisdictions; where a country has none, the one of `*` stands in.
    pub(super) fn binding(&self, purpose: Purpose, jurisdictions: &[String]) -> Vec<&Bound> {
        let mut all: Vec<&Bound> = Vec::new();
        let mut uncovered = !jurisdictions.iter().any(|j| is_country(j));
        for jurisdiction in jurisdictions {
            let before = all.len();
            all.extend(self.of(jurisdiction, purpose));
            uncovered |= is_country(jurisdiction) && all.len() == before;
        }
        if uncovered {
            all.extend(self.of(ANYWHERE, purpose));
        }
        all
    }

    /// The name of a holiday on which one of these rules is closed.
    pub(super) fn holiday(&self, bound: &[&Bound], day: i64) -> Option<&str> {
        bound.iter().filter(|b| b.rule.holidays == OnHolidays::Closed && b.binds(day)).find_map(|b| self.calendar.name(&b.rule.jurisdiction, day))
    }

    fn of(&self, jurisdiction: &str, purpose: Purpose) -> impl Iterator<Item = &Bound> {
        let places = self.at.get(jurisdiction).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(move |place| self.bound.get(*place)).filter(move |bound| bound.rule.purposes.contains(&purpose))
    }
}

fn is_country(jurisdiction: &str) -> bool {
    !jurisdiction.contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_are_whole() {
        let read: RuleFile = toml::from_str(SHIPPED_RULES).unwrap();
        assert_eq!(read.rules.len(), 57);
        let rules = Rules::shipped();
        assert_eq!((rules.all().count(), rules.as_of(), Rules::holidays_until().as_str()), (57, "2026-11-23", "2028-12-31"));
        let ids: BTreeSet<&str> = rules.all().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), 57, "every id once");
        for rule in rules.all() {
            assert!(!rule.source.is_empty() && !rule.name.is_empty() && !rule.purposes.is_empty(), "{}", rule.id);
            let exempt = [Purpose::Otp, Purpose::Transactional, Purpose::Service];
            assert!(!rule.purposes.iter().any(|p| exempt.contains(p)), "{}", rule.id);
            if rule.holidays == OnHolidays::Closed {
                assert!(rules.knows_holidays_of(&rule.jurisdiction), "{} is closed on holidays that nobody knows", rule.id);
            }
        }
        assert_eq!(rules.all().filter(|rule| !rule.caps.is_empty()).count(), 6);
        assert_eq!(SHIPPED_HOLIDAYS.lines().count() - 1, rules.calendar.0.values().map(BTreeMap::len).sum::<usize>(), "every row of the calendar is read");
    }

    #[test]
    fn rules_bind_by_place_and_purpose() {
        let rules = Rules::shipped();
        for (purpose, places, expect) in [
            (Purpose::Marketing, vec!["US", "US-FL"], vec!["us", "us-fl"]),
            (Purpose::Marketing, vec!["US", "US-CA"], vec!["us"]),
            (Purpose::Marketing, vec!["SE"], vec!["default"]),
            (Purpose::Marketing, vec!["SE", "FR"], vec!["fr", "default"]),
            (Purpose::Marketing, vec![], vec!["default"]),
            (Purpose::Collections, vec!["CO"], vec!["co"]),
            (Purpose::Collections, vec!["FR"], vec![]),
            (Purpose::Transactional, vec!["US", "US-FL"], vec![]),
        ] {
            let places: Vec<String> = places.into_iter().map(str::to_owned).collect();
            let ids: Vec<&str> = rules.binding(purpose, &places).iter().map(|bound| bound.rule.id.as_str()).collect();
            assert_eq!(ids, expect, "{purpose} {places:?}");
        }
        assert!(rules.caps(Purpose::Marketing) && rules.caps(Purpose::Collections) && !rules.caps(Purpose::Otp));
    }

    #[test]
    fn an_installation_overrides_by_id() {
        let file: RuleFile = toml::from_str(
            r#"
without = ["us-il"]
[[rule]]
id = "us-fl"
jurisdiction = "US-FL"
name = "Florida, as our counsel reads it"
purposes = ["marketing", "service"]
hours = { mon-fri = "09:00-18:00" }
law = true
source = "our counsel"
confidence = "high"
[[rule]]
id = "us-ga"
jurisdiction = "US-GA"
name = "Georgia"
purposes = ["marketing"]
hours = { mon-sun = "10:00-18:00" }
holidays = "closed"
law = false
source = "our policy"
confidence = "high"
[[holiday]]
jurisdiction = "US-GA"
date = "2026-04-27"
name = "State Holiday"
"#,
        )
        .unwrap();
        let rules = Rules::new(&[&file], HoursSettings::default());
        assert_eq!((rules.all().count(), rules.get("us-il").is_none()), (57, true));
        assert_eq!(rules.get("us-fl").map(|rule| rule.hours.to_string()).as_deref(), Some("mon-fri 09:00-18:00"));
        let georgia = rules.binding(Purpose::Marketing, &["US-GA".to_owned()]);
        let days: Vec<i64> = ["2026-04-27", "2026-11-26", "2026-04-28"].into_iter().map(|d| Day::parse(d).unwrap().number).collect();
        let names: Vec<Option<&str>> = days.iter().map(|day| rules.holiday(&georgia, *day)).collect();
        assert_eq!(names, [Some("State Holiday"), Some("Thanksgiving Day"), None], "its own and its country's");
    }

    #[test]
    fn a_bad_rule_is_refused() {
        for (text, part) in [
            ("[[rule]]\nid = \"x\"\n", "missing field"),
            ("[[holiday]]\njurisdiction = \"FR\"\ndate = \"26.11.2026\"\nname = \"x\"\n", "is not a date"),
            ("rules = []\n", "unknown field"),
        ] {
            let problem = toml::from_str::<RuleFile>(text).unwrap_err().to_string();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
