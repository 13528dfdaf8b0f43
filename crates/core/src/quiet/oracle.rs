//! A naive oracle for the tests: every minute of a year on a wall clock, and rules read from the raw files.
//!
//! Its own file because it must share nothing with what it judges: not the reading of the rules, not the arithmetic, not
//! the margins. It is slow, and knows only whole minutes.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{SHIPPED_HOLIDAYS, SHIPPED_RULES};
use crate::time::{Span, Time};

/// The first minute of the scan: some days before 2026.
pub(super) const START: &str = "2025-12-20T00:00:00Z";
/// How many minutes are scanned: some days more than a year.
const MINUTES: i64 = 60 * 24 * 400;

/// What one wall clock says in each minute.
pub(super) struct Wall(Vec<(Date, u16)>);

impl Wall {
    pub(super) fn of(zone: &TimeZone) -> Wall {
        let start: Time = START.parse().unwrap();
        let minute = |n: i64| {
            let local = (start + Span::mins(n)).timestamp().to_zoned(zone.clone());
            (local.date(), u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap())
        };
        Wall((0..MINUTES).map(minute).collect())
    }
}

/// A rule as its file has it.
pub(super) struct Raw {
    pub(super) id: String,
    pub(super) jurisdiction: String,
    marketing: bool,
    /// Minutes of the days, Monday first.
    days: [Vec<(u16, u16)>; 7],
    closed: BTreeSet<Date>,
}

impl Raw {
    /// Every shipped rule.
    pub(super) fn all() -> Vec<Raw> {
        let file: toml::Table = SHIPPED_RULES.parse().unwrap();
        file["rule"].as_array().unwrap().iter().map(Raw::read).collect()
    }

    fn read(rule: &toml::Value) -> Raw {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let jurisdiction = rule["jurisdiction"].as_str().unwrap().to_owned();
        let mut days: [Vec<(u16, u16)>; 7] = [const { Vec::new() }; 7];
        for (key, hours) in rule["hours"].as_table().unwrap() {
            let ends: Vec<usize> = key.split('-').map(|name| names.iter().position(|n| *n == name).unwrap()).collect();
            for day in &mut days[ends[0]..=*ends.last().unwrap()] {
                for window in hours.as_str().unwrap().split(", ") {
                    let (start, end) = window.split_once('-').unwrap();
                    day.push((minutes(start), minutes(end)));
                }
            }
        }
        let country = jurisdiction.split('-').next().unwrap();
        let holiday = |line: &str| {
            let (place, rest) = line.split_once(',').unwrap();
            (place == jurisdiction || place == country).then(|| rest.split_once(',').unwrap().0.parse::<Date>().unwrap())
        };
        let on_holidays = rule.get("holidays").and_then(toml::Value::as_str) == Some("closed");
        let closed = SHIPPED_HOLIDAYS.lines().filter(|line| on_holidays && !line.starts_with('#')).filter_map(holiday).collect();
        let marketing = rule["purposes"].as_array().unwrap().iter().any(|p| p.as_str() == Some("marketing"));
        Raw { id: rule["id"].as_str().unwrap().to_owned(), jurisdiction, marketing, days, closed }
    }

    fn open(&self, (date, minute): (Date, u16)) -> bool {
        if self.closed.contains(&date) {
            return false;
        }
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
        self.days[day].iter().any(|(start, end)| *start <= minute && minute < *end)
    }
}

fn minutes(text: &str) -> u16 {
    let (hours, minutes) = text.split_once(':').unwrap();
    hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
}

/// The rules of marketing in these places, where a country without one has that of `*`.
pub(super) fn of_places<'a>(all: &'a [Raw], places: &[&str]) -> Vec<&'a Raw> {
    let of = |place: &str| all.iter().filter(|rule| rule.marketing && rule.jurisdiction == place).collect::<Vec<_>>();
    let countries: Vec<&&str> = places.iter().filter(|place| !place.contains('-')).collect();
    let mut bound: Vec<&Raw> = places.iter().flat_map(|place| of(place)).collect();
    if countries.is_empty() || countries.iter().any(|country| of(country).is_empty()) {
        bound.extend(of("*"));
    }
    bound
}

/// What is scanned: rules and hours of the company, on these clocks.
pub(super) struct Scan<'a> {
    pub(super) rules: Vec<&'a Raw>,
    pub(super) own: Option<(u16, u16)>,
    pub(super) walls: Vec<&'a Wall>,
    /// How many minutes texts leave late and stop early, by the rules only.
    pub(super) margin: (usize, usize),
}

impl Scan<'_> {
    fn lawful(&self, minute: usize) -> bool {
        self.walls.iter().all(|wall| self.rules.iter().all(|rule| rule.open(wall.0[minute])))
    }

    /// Whether a text may leave in this minute: it is open, was so for a while, and stays so for a while.
    pub(super) fn permitted(&self, minute: usize) -> bool {
        let (late, early) = self.margin;
        let own = |wall: &&Wall| self.own.is_none_or(|(start, end)| start <= wall.0[minute].1 && wall.0[minute].1 < end);
        self.walls.iter().all(own) && (minute - late..=minute + early).all(|m| self.lawful(m))
    }

    /// The first minute, this one or later, that is permitted or is not; none within so many days.
    pub(super) fn first(&self, permitted: bool, from: usize, days: usize) -> Option<usize> {
        (from..from + days * 1_440).find(|minute| self.permitted(*minute) == permitted)
    }
}
