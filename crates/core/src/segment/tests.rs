//! Sizes against the calculator's, cuts against what must stay whole.
//!
//! The table is `data/segments.csv`, made with the calculator that one vendor's bills follow; the rest are the numbers
//! of 3GPP's headers and properties of every cut.

use proptest::prelude::*;
use serde_json::Value;

use super::smart::{By, replace};
use super::*;

/// One line of the table.
struct Case {
    line: usize,
    text: String,
    encoding: String,
    segments: u32,
    fewest: u32,
    units: u32,
}

/// A list of pieces, where a number repeats the piece before it.
fn unpack(json: &str) -> String {
    let (mut text, mut last) = (String::new(), String::new());
    for piece in serde_json::from_str::<Vec<Value>>(json).unwrap() {
        if let Some(times) = piece.as_u64() {
            text.push_str(&last.repeat(usize::try_from(times).unwrap() - 1));
        } else {
            piece.as_str().unwrap().clone_into(&mut last);
            text.push_str(&last);
        }
    }
    text
}

fn cases() -> Vec<Case> {
    let table = include_str!("../../data/segments.csv");
    let case = |(line, row): (usize, &str)| {
        let cells: Vec<&str> = row.splitn(6, ',').collect();
        let number = |at: usize| cells[at].parse::<u32>().unwrap();
        let written = unpack(cells[5]);
        let text = if cells[0] == "1" { replace(&written, By::Vendors).0 } else { written };
        Case { line: line + 1, text, encoding: cells[1].to_owned(), segments: number(2), fewest: number(3), units: number(4) }
    };
    table.lines().enumerate().filter(|(_, row)| !row.starts_with('#')).map(case).collect()
}

fn pairs() -> Route {
    Route { keep: Keep::Pairs, ..Route::default() }
}

#[test]
fn the_calculator_says_the_same() {
    let cases = cases();
    assert!(cases.len() > 700);
    for Case { line, text, encoding, segments, fewest, units } in cases {
        let size = measure(&text);
        assert_eq!((size.encoding.name(), size.segments, size.units), (encoding.as_str(), segments, units), "line {line}: {text}");
        assert_eq!(measure_for(&text, &pairs()).segments, fewest, "line {line}: {text}");
    }
}

#[test]
fn boundaries() {
    let of = |text: &str| {
        let size = measure(text);
        (size.encoding, size.segments, size.units)
    };
    assert_eq!(of(""), (Encoding::Gsm7, 1, 0));
    assert_eq!(of(&"a".repeat(160)), (Encoding::Gsm7, 1, 160));
    assert_eq!(of(&"a".repeat(161)), (Encoding::Gsm7, 2, 161));
    assert_eq!(of(&"é€".repeat(2)), (Encoding::Gsm7, 1, 6));
    // A pair that would straddle the boundary moves whole to the next segment.
    assert_eq!(of(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), (Encoding::Gsm7, 3, 306));
    assert_eq!(of(&"ç".repeat(70)), (Encoding::Ucs2, 1, 70));
    assert_eq!(of(&format!("{}👋{}", "я".repeat(66), "я".repeat(66))), (Encoding::Ucs2, 3, 134));
    assert_eq!(first_beyond_gsm7("it’s"), Some('’'));
    assert_eq!(beyond_gsm7("“a”").collect::<Vec<_>>(), [(0, '“'), (2, '”')]);
}

#[test]
fn room_under_each_header() {
    let room = |text: &str, shifts: &[Shift], reference: Reference| {
        let plan = plan(text, &Route { shifts: shifts.to_vec(), reference, keep: Keep::default() });
        (plan.shift.map(Shift::code), plan.room)
    };
    let (none, tr): (&[Shift], &[Shift]) = (&[], &[Shift::Turkish]);
    let (pt, several): (&[Shift], &[Shift]) = (&[Shift::Portuguese], &[Shift::Turkish, Shift::Spanish]);
    for (text, shifts, reference, expect) in [
        ("a".repeat(10), none, Reference::Eight, (None, 160)),
        ("a".repeat(161), none, Reference::Eight, (None, 153)),
        ("a".repeat(161), none, Reference::Sixteen, (None, 152)),
        ("я".repeat(10), tr, Reference::Eight, (None, 70)),
        ("я".repeat(71), tr, Reference::Eight, (None, 67)),
        ("я".repeat(71), tr, Reference::Sixteen, (None, 66)),
        // The locking table has these in one septet each, and costs as much as the single one.
        ("ğışç".repeat(10), tr, Reference::Eight, (Some("tr"), 155)),
        ("ğışç".repeat(50), tr, Reference::Eight, (Some("tr"), 149)),
        ("ğışç".repeat(50), tr, Reference::Sixteen, (Some("tr"), 148)),
        // Æ is gone from the locking table, and the single one has no other letters of it.
        ("Ægışç".repeat(10), tr, Reference::Eight, (Some("tr"), 155)),
        // Both tables at once: letters of the one, Greek of the other.
        ("ãõ".repeat(60) + "Φ", pt, Reference::Eight, (Some("pt"), 152)),
        ("ãõ".repeat(90) + "Φ", pt, Reference::Eight, (Some("pt"), 146)),
        ("áí".repeat(10), several, Reference::Eight, (Some("es"), 155)),
        ("ğ".to_owned(), pt, Reference::Eight, (None, 70)),
    ] {
        assert_eq!(room(&text, shifts, reference), expect, "{text} {shifts:?} {reference:?}");
    }
}

#[test]
fn what_a_shift_table_saves() {
    let text = "Siparişiniz yola çıktı, yarın kapınızda: ".repeat(2);
    let turkish = Route { shifts: vec![Shift::Turkish], ..Route::default() };
    assert_eq!((measure(&text).segments, measure_for(&text, &turkish).segments), (2, 1));
    let plain = "a".repeat(160);
    assert_eq!(measure_for(&plain, &turkish), measure(&plain), "nothing is shifted that need not be");
}

#[test]
fn what_belongs_together_stays_together() {
    let last = |text: &str, route: &Route| plan(text, route).parts.first().map(|p| p.text.chars().next_back().unwrap()).unwrap();
    let family = "я".repeat(64) + "👨‍👩‍👧" + &"я".repeat(20);
    assert_eq!(last(&family, &Route::default()), 'я');
    assert_eq!(last(&family, &pairs()), '\u{200d}', "without its joiner a family is three people");
    let flags = "я".repeat(64) + "🇫🇷" + &"я".repeat(20);
    assert_eq!(plan(&flags, &Route::default()).parts[0].units, 64);
    let endless = format!("e{}", "\u{301}".repeat(200));
    assert_eq!(plan(&endless, &Route::default()).parts.iter().map(|p| p.units).collect::<Vec<_>>(), [67, 67, 67], "what no segment has room for is cut");
}

/// Texts of everything that could be cut wrong.
fn texts() -> impl Strategy<Value = String> {
    let pieces = ["a", "€", "^", "é", "ç", "я", "中", "😀", "👨‍👩‍👧", "🇫🇷", "e\u{301}", "\r\n", "ğ", "ã", " ", "क्षि"];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..200).prop_map(|pieces| pieces.concat())
}

fn routes() -> impl Strategy<Value = Route> {
    let shifts = proptest::collection::vec(proptest::sample::select(Shift::ALL.to_vec()), 0..3);
    let references = proptest::sample::select(vec![Reference::Eight, Reference::Sixteen]);
    let keeps = proptest::sample::select(vec![Keep::Graphemes, Keep::Pairs]);
    (shifts, references, keeps).prop_map(|(shifts, reference, keep)| Route { shifts, reference, keep })
}

proptest! {
    #[test]
    fn parts_are_the_text(text in texts(), route in routes()) {
        let plan = plan(&text, &route);
        prop_assert_eq!(plan.parts.iter().map(|p| p.text).collect::<String>(), text.clone());
        prop_assert_eq!(plan.parts.iter().map(|p| p.units).sum::<u32>(), plan.size.units);
        prop_assert_eq!(u32::try_from(plan.parts.len()).unwrap(), plan.size.segments);
        prop_assert!(plan.parts.iter().all(|p| p.units <= plan.room), "{:?}", plan);
        prop_assert_eq!(plan.size, measure_for(&text, &route));
    }

    #[test]
    fn keeping_more_whole_never_takes_less(text in texts()) {
        let (whole, fewest) = (measure(&text), measure_for(&text, &pairs()));
        prop_assert!(whole.segments >= fewest.segments && whole.units == fewest.units);
    }

    #[test]
    fn smart_encoding_only_ever_saves(text in texts()) {
        if let Some(smart) = smart::encode(&text, &Route::default()) {
            prop_assert!(smart.after.segments < smart.before.segments && smart.after == measure(&smart.text));
            prop_assert_eq!(smart::encode(&smart.text, &Route::default()), None);
        }
    }
}
