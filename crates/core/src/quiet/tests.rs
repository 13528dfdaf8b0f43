//! Tables and properties of quiet hours.
//!
//! Apart from the rules because they are as long: each rule against a reading of its own, and the arithmetic against a
//! scan of every minute of a year.

use super::oracle::{self, Raw, Scan, Wall};
use super::*;
use crate::time::Span;

fn t(text: &str) -> Time {
    text.parse().unwrap()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Asks in one line: `open`, `until <instant> by <rule> in <zone>`, `any`, `never`.
fn ask(places: &[&str], zones: &[&str], window: Option<&str>, purpose: Purpose, now: &str) -> String {
    let (jurisdictions, zones) = (owned(places), owned(zones));
    let window = window.map(|w| w.parse().unwrap());
    let question = Question { rules: Rules::shipped(), purpose, jurisdictions: &jurisdictions, zones: &zones, window };
    let by = |by: Forbids<'_>| format!("by {} in {}", by.rule.map_or("own", |rule| rule.id.as_str()), by.zone);
    match question.ask(t(now)) {
        Answer::Any => "any".to_owned(),
        Answer::Open { until } => format!("open to {until}"),
        Answer::Closed { until, by: forbids, .. } => format!("until {until} {}", by(forbids)),
        Answer::Never { by: forbids } => format!("never {}", by(forbids)),
    }
}

#[test]
fn one_rule_on_one_clock() {
    let florida = |now| ask(&["US", "US-FL"], &["America/New_York"], None, Purpose::Marketing, now);
    for (now, expect) in [
        // Ten minutes before the end and one after the beginning are kept: vendors take a while, and clocks differ.
        ("2026-11-23T13:00:59Z", "until 2026-11-23T13:01:00Z by us-fl in America/New_York"),
        ("2026-11-23T13:01:00Z", "open to 2026-11-24T00:50:00Z"),
        ("2026-11-24T00:49:59Z", "open to 2026-11-24T00:50:00Z"),
        ("2026-11-24T00:50:00Z", "until 2026-11-24T13:01:00Z by us-fl in America/New_York"),
        ("2026-11-24T01:30:00Z", "until 2026-11-24T13:01:00Z by us-fl in America/New_York"),
        // The clocks go back: 08:00 is an hour later for the world.
        ("2026-11-01T02:00:00Z", "until 2026-11-01T13:01:00Z by us-fl in America/New_York"),
        ("2026-10-31T02:00:00Z", "until 2026-10-31T12:01:00Z by us-fl in America/New_York"),
    ] {
        assert_eq!(florida(now), expect, "{now}");
    }
}

#[test]
fn the_zone_changes_of_2026() {
    for (place, zone, now, expect) in [
        // British Columbia and Alberta changed their clocks for the last time in March; Morocco is back on UTC.
        ("CA", "America/Vancouver", "2026-11-23T10:00:00Z", "until 2026-11-23T16:01:00Z by ca in America/Vancouver"),
        ("CA", "America/Edmonton", "2026-11-23T10:00:00Z", "until 2026-11-23T15:01:00Z by ca in America/Edmonton"),
        ("MA", "Africa/Casablanca", "2026-12-22T04:00:00Z", "until 2026-12-22T08:01:00Z by default in Africa/Casablanca"),
        ("AU", "Australia/Lord_Howe", "2026-10-06T15:00:00Z", "until 2026-10-06T22:01:00Z by au in Australia/Lord_Howe"),
    ] {
        assert_eq!(ask(&[place], &[zone], None, Purpose::Marketing, now), expect, "{zone}");
    }
}

#[test]
fn holidays_sundays_and_the_strictest_of_several() {
    let table: [(&[&str], &[&str], &str, &str); 8] = [
        // Christmas is a Friday; in France the day after it is a Saturday like others.
        (&["FR"], &["Europe/Paris"], "2026-12-25T10:00:00Z", "until 2026-12-26T07:01:00Z by fr in Europe/Paris"),
        // In Germany it is another holiday, and Sunday follows.
        (&["DE"], &["Europe/Berlin"], "2026-12-25T10:00:00Z", "until 2026-12-28T07:01:00Z by de in Europe/Berlin"),
        (&["CO"], &["America/Bogota"], "2026-11-21T21:00:00Z", "until 2026-11-23T12:01:00Z by co in America/Bogota"),
        (&["US", "US-AL"], &["America/Chicago"], "2026-11-26T18:00:00Z", "until 2026-11-27T14:01:00Z by us-al in America/Chicago"),
        // A number of California and an address in Texas: nine in the west, by Texan law.
        (&["US", "US-CA", "US-TX"], &["America/Los_Angeles", "America/Chicago"], "2026-11-23T15:00:00Z", "until 2026-11-23T17:01:00Z by us-tx in America/Los_Angeles"),
        (&["SE"], &["Europe/Stockholm"], "2026-11-22T08:00:00Z", "until 2026-11-22T09:01:00Z by default in Europe/Stockholm"),
        (&[], &[], "2026-11-23T07:00:00Z", "until 2026-11-23T08:01:00Z by default in UTC"),
        (&["US"], &["Nowhere/Nothing"], "2026-11-23T12:00:00Z", "open to 2026-11-23T20:50:00Z"),
    ];
    for (places, zones, now, expect) in table {
        assert_eq!(ask(places, zones, None, Purpose::Marketing, now), expect, "{places:?} {now}");
    }
}

/// Jurisdictions, the company's window, the purpose, the instant, and what follows.
type Case<'a> = (&'a [&'a str], Option<&'a str>, Purpose, &'a str, &'a str);

#[test]
fn purposes_and_the_hours_of_the_company() {
    let zone = &["America/Los_Angeles"][..];
    let day = Some("08:00-21:00");
    let table: [Case<'_>; 7] = [
        (&["US", "US-FL"], None, Purpose::Otp, "2026-11-23T09:00:00Z", "any"),
        (&["CO"], None, Purpose::Transactional, "2026-11-23T09:00:00Z", "any"),
        (&["CO"], None, Purpose::Collections, "2026-11-23T09:00:00Z", "until 2026-11-23T15:01:00Z by co in America/Los_Angeles"),
        // What the company wrote is taken as it is written.
        (&["US"], day, Purpose::Service, "2026-11-23T16:00:00Z", "open to 2026-11-24T05:00:00Z"),
        (&["US"], day, Purpose::Service, "2026-11-23T15:59:59Z", "until 2026-11-23T16:00:00Z by own in America/Los_Angeles"),
        (&["US"], Some("12:00-14:00"), Purpose::Marketing, "2026-11-23T17:00:00Z", "until 2026-11-23T20:00:00Z by own in America/Los_Angeles"),
        (&["US", "US-CT"], Some("08:00-09:00"), Purpose::Marketing, "2026-11-23T17:00:00Z", "never by own in America/Los_Angeles"),
    ];
    for (places, window, purpose, now, expect) in table {
        assert_eq!(ask(places, zone, window, purpose, now), expect, "{places:?} {purpose} {now}");
    }
}

#[test]
fn hours_that_never_meet_are_said_to() {
    let far = ["Pacific/Fiji", "Africa/Abidjan"];
    assert_eq!(ask(&["GB"], &far, None, Purpose::Marketing, "2026-11-23T12:00:00Z"), "never by gb in Pacific/Fiji");
}

#[test]
fn a_week_as_a_picture() {
    let (places, zones) = (owned(&["US", "US-AL"]), owned(&["America/Chicago"]));
    let question = Question { rules: Rules::shipped(), purpose: Purpose::Marketing, jurisdictions: &places, zones: &zones, window: None };
    let week = question.picture(t("2026-11-23T18:00:00Z"));
    let days: Vec<String> = week.days.iter().map(|day| format!("{} {}{}", day.label, day.hours(), day.holiday.as_ref().map(|h| format!(" {h}")).unwrap_or_default())).collect();
    assert_eq!(
        days,
        [
            "Mon 23 Nov 08:01-19:50",
            "Tue 24 Nov 08:01-19:50",
            "Wed 25 Nov 08:01-19:50",
            "Thu 26 Nov closed Thanksgiving Day",
            "Fri 27 Nov 08:01-19:50",
            "Sat 28 Nov 08:01-19:50",
            "Sun 29 Nov closed",
        ]
    );
    assert!(week.days[0].at(480, 30) && !week.days[0].at(450, 30) && week.days[0].at(1_170, 20));
    let free = Question { purpose: Purpose::Otp, ..question }.picture(t("2026-11-23T18:00:00Z"));
    assert!(free.days.iter().all(|day| day.open == [(0, 1_440)]), "{free:?}");
}

#[test]
fn caps_of_rules_and_of_the_company() {
    let (places, zones) = (owned(&["US", "US-FL"]), owned(&["America/New_York"]));
    let question = Question { rules: Rules::shipped(), purpose: Purpose::Marketing, jurisdictions: &places, zones: &zones, window: None };
    let id = |n: u8| MessageId::new(1, Time(1), [n; 16]);
    let now = t("2026-11-23T18:00:00Z");
    let sent = |n: u8, purpose: Purpose, hours: i64| Sent { message: id(n), purpose, at: now - Span::hours(hours) };
    let sends = [sent(1, Purpose::Marketing, 20), sent(2, Purpose::Marketing, 5), sent(3, Purpose::Marketing, 1), sent(4, Purpose::Service, 1)];
    let own = [Cap { max: std::num::NonZeroU32::MIN, per: Period::Day }];
    let told: Vec<(Option<&str>, u32, Option<Time>)> = question.caps(&own, &sends, id(9), now).into_iter().map(|c| (c.rule.map(|r| r.id.as_str()), c.count, c.until)).collect();
    assert_eq!(told, [(Some("us-fl"), 3, Some(now + Span::hours(4))), (None, 2, Some(t("2026-11-24T05:00:00Z")))]);
    // A text that is tried again does not count against itself.
    let again: Vec<u32> = question.caps(&own, &sends, id(3), now).into_iter().map(|c| c.count).collect();
    assert_eq!(again, [2, 1]);
    assert!(Question { purpose: Purpose::Service, ..question }.caps(&[], &sends, id(9), now).is_empty());
}

/// Each rule alone, every quarter of an hour of three weeks: they have holidays of some, and clocks do not jump in them.
#[test]
fn every_rule_as_its_own_reading_has_it() {
    let (raw, zones) = (Raw::all(), owned(&["America/New_York"]));
    let wall = Wall::of(zone::clock("America/New_York").unwrap());
    let mut rules = Rules::shipped().clone();
    rules.settings = HoursSettings { close_early: Span::ZERO, open_late: Span::ZERO, jurisdictions: Vec::new() };
    let start = t(oracle::START);
    for rule in &raw {
        let place = rule.jurisdiction.as_str();
        let places = owned(&[place]);
        // A state alone has no country with a rule: the one of `*` binds too, here and there.
        let scan = Scan { rules: oracle::of_places(&raw, &[place]), own: None, walls: vec![&wall], margin: (0, 0) };
        let question = Question { rules: &rules, purpose: Purpose::Marketing, jurisdictions: &places, zones: &zones, window: None };
        // From 2 January on all of them bind.
        for first in [60 * 24 * 13usize, 60 * 24 * 268, 60 * 24 * 338] {
            for minute in (first..first + 60 * 24 * 8).step_by(15) {
                let now = start + Span::mins(i64::try_from(minute).unwrap());
                let open = matches!(question.ask(now), Answer::Open { .. });
                assert_eq!(open, scan.permitted(minute), "{} at {now}", rule.id);
            }
        }
    }
    assert_eq!(raw.len(), 57);
}

/// A generator that needs no crate: what is drawn is the same on every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// One question, asked both ways.
fn compare(raw: &[Raw], zones: &[(&str, &Wall)], draw: &mut Draw) {
    let mut places: Vec<&str> = (0..=draw.below(3)).map(|_| raw[draw.below(raw.len())].jurisdiction.as_str()).collect();
    places.dedup();
    let own = (draw.below(3) == 0).then(|| (draw.below(40), 41 + draw.below(54)));
    let (late, early) = (draw.below(3), draw.below(16));
    let minute = 20_000 + draw.below(60 * 24 * 340);
    let mut rules = Rules::shipped().clone();
    rules.settings = HoursSettings { close_early: Span::mins(i64::try_from(early).unwrap()), open_late: Span::mins(i64::try_from(late).unwrap()), jurisdictions: Vec::new() };
    let quarter = |n: usize| u16::try_from(n * 15).unwrap();
    let clock = |n: usize| jiff::civil::time(i8::try_from(n / 4).unwrap(), i8::try_from(n % 4 * 15).unwrap(), 0, 0);
    let window = own.map(|(start, end)| Window { start: clock(start), end: clock(end) });
    let own = own.map(|(start, end)| (quarter(start), quarter(end)));
    let scan = Scan { rules: oracle::of_places(raw, &places), own, walls: zones.iter().map(|(_, wall)| *wall).collect(), margin: (late, early) };
    let (jurisdictions, names) = (owned(&places), zones.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    let question = Question { rules: &rules, purpose: Purpose::Marketing, jurisdictions: &jurisdictions, zones: &names, window };
    let start = t(oracle::START);
    let at = |minute: usize| start + Span::mins(i64::try_from(minute).unwrap());
    let story = format!("{places:?} {names:?} {window:?} late {late} early {early} at {}", at(minute));
    match question.ask(at(minute)) {
        Answer::Any => panic!("marketing is bound everywhere: {story}"),
        Answer::Open { until } => assert_eq!(scan.first(false, minute, 8).map(at), Some(until), "{story}"),
        Answer::Closed { until, closes, .. } => {
            let found = scan.first(true, minute, 14);
            assert!(!scan.permitted(minute), "{story}");
            assert_eq!(found.map_or(until.max(at(minute + 14 * 1_440)), at), until, "{story}");
            if let Some(found) = found {
                assert_eq!(scan.first(false, found, 8).map(at), Some(closes), "{story}");
            }
        }
        Answer::Never { .. } => assert_eq!(scan.first(true, minute, 14), None, "{story}"),
    }
}

/// Against a scan by the minute. `TRUNKLINE_ORACLE_CASES=100000` asks so often, in every zone of the tables.
#[test]
fn agrees_with_a_scan_of_every_minute() {
    const FEW: [&str; 6] = ["America/New_York", "America/Vancouver", "Africa/Casablanca", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Kolkata"];
    let cases: usize = std::env::var("TRUNKLINE_ORACLE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_200);
    let zones: Vec<&str> = if cases >= 10_000 { zone::every().into_iter().collect() } else { FEW.to_vec() };
    let raw = Raw::all();
    let seconds: Vec<(&str, Wall)> = ["Europe/Berlin", "America/St_Johns"].into_iter().map(|name| (name, Wall::of(zone::clock(name).unwrap()))).collect();
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    for name in &zones {
        let wall = Wall::of(zone::clock(name).unwrap());
        for _ in 0..cases.div_ceil(zones.len()) {
            let mut asked = vec![(*name, &wall)];
            if let Some((second, wall)) = seconds.get(draw.below(4)).filter(|(second, _)| second != name) {
                asked.push((*second, wall));
            }
            compare(&raw, &asked, &mut draw);
        }
    }
}
