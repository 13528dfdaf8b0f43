//! Files that are right, files that are wrong, and what becomes of their rows.

use super::*;
use crate::consent::{Basis, Channel, Source};
use crate::time::Time;

fn rules() -> Rules<'static> {
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    Rules { region: Some("US"), programs: vec!["acme"], import: "imp_1".into(), actor: "command line".into(), now }
}

fn csv(text: &str) -> Reading {
    read(text.as_bytes(), Format::Csv, &rules())
}

/// Line, column and field of every problem.
fn places(reading: &Reading) -> Vec<(usize, usize, &str)> {
    assert!(reading.problems.iter().all(|p| !p.problem.is_empty() && !p.fix.is_empty()), "{reading:?}");
    reading.problems.iter().map(|p| (p.line, p.column, p.field.as_str())).collect()
}

const HEAD: &str = "address,action,program,purpose,basis,evidence,occurred_at\n";

#[test]
fn rows_are_read_with_what_they_leave_out() {
    let reading = csv(&format!(
        "\u{feff}{HEAD}(415) 555-0123,grant,acme,marketing,express_written,\"ticked \"\"offers\"\", at\r\ncheckout\",2026-01-02T03:04:05Z\r\n\r\n+16045550123,stop,,,,texted STOP,2026-01-02T03:04:05Z"
    ));
    assert!(reading.problems.is_empty(), "{reading:?}");
    let [grant, stop] = reading.rows.as_slice() else { panic!("{reading:?}") };
    assert_eq!((grant.line, grant.number.e164(), grant.entry.act), (2, "+14155550123", ConsentAct::Import));
    assert_eq!((grant.entry.evidence.as_str(), grant.entry.terms.basis), ("ticked \"offers\", at\ncheckout", Some(Basis::ExpressWritten)));
    assert_eq!((grant.entry.terms.source, grant.entry.terms.channel, grant.entry.terms.import.as_deref()), (Some(Source::Import), Channel::Sms, Some("imp_1")));
    assert_eq!((stop.line, stop.entry.act, stop.entry.terms.jurisdiction.as_deref()), (5, ConsentAct::Stop, Some("CA")));
}

#[test]
fn a_wrong_row_names_line_and_column() {
    for (name, text, expect) in [
        ("nothing", "", vec![(1, 1, "")]),
        ("no such column", "address,colour\n", vec![(1, 9, "colour")]),
        ("a column twice", "address,address\n", vec![(1, 9, "address")]),
        ("too few values", "address,action\n+14155550123\n", vec![(2, 1, "")]),
        ("an open quote", "address,action\n+14155550123,\"grant\n", vec![(2, 14, "")]),
        ("text behind a quote", "address,action\n\"+1415\"5550123,grant\n", vec![(2, 1, "")]),
        ("a quote inside", "address,action\n+14155550123,gr\"ant\n", vec![(2, 14, "")]),
        ("a bad purpose", &format!("{HEAD}+14155550123,grant,acme,sales,,form,2026-01-02T03:04:05Z\n"), vec![(2, 25, "purpose")]),
        (
            "everything at once",
            &format!("{HEAD}12,give,other,marketing,heard,,2027-01-02T03:04:05Z\n"),
            vec![(2, 1, "address"), (2, 4, "action"), (2, 9, "program"), (2, 25, "basis"), (2, 31, "evidence"), (2, 32, "occurred_at")],
        ),
        ("a fixed line", &format!("{HEAD}+442079460123,revoke,,,,form,2026-01-02T03:04:05Z\n"), vec![(2, 1, "address")]),
        ("a block of nobody", &format!("{HEAD}+14155550123,vendor_block,,,,21610,2026-01-02T03:04:05Z\n"), vec![(2, 14, "action")]),
        ("an erasure", &format!("{HEAD}+14155550123,erase,,,,form,2026-01-02T03:04:05Z\n"), vec![(2, 14, "action")]),
    ] {
        let reading = csv(text);
        assert_eq!(places(&reading), expect, "{name}");
        assert!(reading.rows.is_empty(), "{name}");
    }
    let lines = "{\"address\": \"+14155550123\", \"action\": \"revoke\", \"evidence\": \"form\", \"occurred_at\": \"yesterday\"}\n\n{\"address\": 7}\n[]\n{\"address\"";
    let reading = read(lines.as_bytes(), Format::Ndjson, &rules());
    let found = places(&reading);
    for expect in [(1, 69, "occurred_at"), (3, 2, "address"), (4, 1, ""), (5, 10, "")] {
        assert!(found.contains(&expect), "{expect:?} in {found:?}");
    }
    assert_eq!(places(&read(b"address\n+1\xff", Format::Csv, &rules())), [(2, 3, "")]);
}

#[test]
fn what_is_written_is_read() {
    let text = format!("{HEAD}+14155550123,grant,acme,marketing,express,\"a, \"\"b\"\"\",2026-01-02T03:04:05Z\n+16045550123,stop,,,,texted STOP,2026-01-02T03:04:05Z\n");
    let rows = csv(&text).rows;
    for format in [Format::Csv, Format::Ndjson] {
        let lines = rows.iter().map(|row| line(format, &row.number, &row.entry));
        let written = head(format).into_iter().chain(lines).fold(String::new(), |all, line| all + &line + "\n");
        let again = read(written.as_bytes(), format, &rules());
        assert!(again.problems.is_empty(), "{written}");
        let keys = |rows: &[Row]| rows.iter().map(|row| key(&row.number, &row.entry)).collect::<Vec<_>>();
        assert_eq!(keys(&again.rows), keys(&rows), "{written}");
    }
}

#[test]
fn a_row_is_taken_once_and_lifts_nothing() {
    let rows = csv(&format!("{HEAD}+14155550123,grant,acme,marketing,,form,2026-01-02T03:04:05Z\n+14155550123,start,,,,texted START,2026-01-03T03:04:05Z\n+14155550123,revoke,,,,called,2026-01-04T03:04:05Z\n")).rows;
    let [grant, start, revoke] = rows.as_slice() else { panic!("{rows:?}") };
    let none = BTreeSet::new();
    let state = |act| ConsentState::fold([&ConsentEntry { act, program: None, purpose: None, occurred_at: Time(1), ..revoke.entry.clone() }]);
    let open = ConsentState::default();
    assert_eq!([grant, revoke].map(|row| fate(&open, &none, row)), [Fate::New, Fate::New]);
    let granted = ConsentEntry { act: ConsentAct::Grant, actor: "key k1".into(), recorded_at: Time(9), ..grant.entry.clone() };
    assert_eq!(fate(&open, &[key(&grant.number, &granted)].into(), grant), Fate::Same, "however it came to the ledger");
    let refused = |state: &ConsentState, row: &Row| matches!(fate(state, &none, row), Fate::Refused { .. });
    assert!(refused(&open, start));
    for act in [ConsentAct::Stop, ConsentAct::Revoke, ConsentAct::Erase] {
        assert!(refused(&state(act), grant), "{act:?}");
    }
    assert_eq!([ConsentAct::Stop, ConsentAct::Revoke].map(|act| fate(&state(act), &none, revoke)), [Fate::New, Fate::New], "another opt-out is always taken");
    assert!(refused(&state(ConsentAct::Erase), revoke), "nothing more is kept of who was erased");
}
