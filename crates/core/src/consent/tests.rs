//! Tables and properties of the fold.

use proptest::prelude::*;

use super::*;
use crate::purpose::{Policy, Purpose};
use crate::reason::Reason;
use crate::time::Time;

fn entry(act: ConsentAct, program: Option<&str>, purpose: Option<Purpose>, at: i64) -> ConsentEntry {
    ConsentEntry {
        act,
        program: program.map(str::to_owned),
        purpose,
        account: Some("main".into()),
        sender: Some("+15005550006".into()),
        evidence: format!("e{at}"),
        actor: "test".into(),
        occurred_at: Time(at),
        recorded_at: Time(at),
        terms: Terms::default(),
    }
}

fn on(basis: Basis, entry: ConsentEntry) -> ConsentEntry {
    ConsentEntry { terms: Terms { basis: Some(basis), jurisdiction: Some("CA".into()), ..entry.terms.clone() }, ..entry }
}

fn about(channel: Channel, entry: ConsentEntry) -> ConsentEntry {
    ConsentEntry { terms: Terms { channel, ..entry.terms.clone() }, ..entry }
}

/// Whether nothing forbids it, and whether the need for a grant is met.
fn verdict(entries: &[ConsentEntry], purpose: Purpose) -> (bool, bool) {
    let state = ConsentState::fold(entries);
    let policy = Policy::default_for(purpose);
    let open = state.suppression("acme", purpose, "main", "+15005550006").is_none();
    (open, matches!(state.grant(&policy, "acme", purpose, Time(1_000)), Reason::ConsentNotNeeded | Reason::ConsentGranted { .. }))
}

#[test]
fn the_ledger_decides() {
    use ConsentAct::{Erase, Expire, Grant, Import, Revoke, Start, Stop, Transfer, VendorBlock};
    let e = entry;
    let m = Some(Purpose::Marketing);
    for (name, ledger, purpose, expect) in [
        ("nothing recorded", vec![], Purpose::Transactional, (true, true)),
        ("marketing needs a grant", vec![], Purpose::Marketing, (true, false)),
        ("a grant", vec![e(Grant, Some("acme"), m, 1)], Purpose::Marketing, (true, true)),
        ("a grant for another program", vec![e(Grant, Some("other"), m, 1)], Purpose::Marketing, (true, false)),
        ("a grant for mail", vec![about(Channel::Email, e(Grant, Some("acme"), m, 1))], Purpose::Marketing, (true, false)),
        ("stop ends everything", vec![e(Grant, Some("acme"), m, 1), e(Stop, None, None, 2)], Purpose::Otp, (false, true)),
        ("start lifts and grants nothing", vec![e(Grant, Some("acme"), m, 1), e(Stop, None, None, 2), e(Start, None, None, 3)], Purpose::Marketing, (true, false)),
        ("a grant does not undo a stop", vec![e(Stop, None, None, 1), e(Grant, Some("acme"), m, 2)], Purpose::Marketing, (false, true)),
        ("revoked for one purpose", vec![e(Revoke, Some("acme"), m, 1)], Purpose::Service, (true, true)),
        ("revoked for all", vec![e(Revoke, None, None, 1)], Purpose::Service, (false, true)),
        ("revoked for mail", vec![about(Channel::Email, e(Revoke, None, None, 1))], Purpose::Service, (true, true)),
        ("granted again", vec![e(Revoke, None, None, 1), e(Grant, None, None, 2)], Purpose::Marketing, (true, true)),
        ("imported", vec![e(Import, Some("acme"), m, 1)], Purpose::Marketing, (true, true)),
        ("imported after a stop", vec![e(Stop, None, None, 1), e(Import, Some("acme"), m, 2), e(Start, None, None, 3)], Purpose::Marketing, (true, false)),
        ("imported after a revocation", vec![e(Revoke, None, None, 1), e(Import, Some("acme"), m, 2)], Purpose::Marketing, (false, false)),
        ("expired", vec![e(Grant, Some("acme"), m, 1), e(Expire, None, None, 2)], Purpose::Marketing, (true, false)),
        ("an opt-out does not expire", vec![e(Stop, None, None, 1), e(Expire, None, None, 2)], Purpose::Otp, (false, true)),
        ("a new holder", vec![e(Grant, None, None, 1), e(Transfer, None, None, 2)], Purpose::Marketing, (true, false)),
        ("another program's new owner", vec![e(Grant, Some("acme"), m, 1), e(Transfer, Some("other"), None, 2)], Purpose::Marketing, (true, true)),
        ("vendor block", vec![e(VendorBlock, None, None, 1)], Purpose::Otp, (false, true)),
        ("vendor block lifted", vec![e(VendorBlock, None, None, 1), e(Start, None, None, 2)], Purpose::Otp, (true, true)),
        ("erased for good", vec![e(Erase, None, None, 1), e(Start, None, None, 2), e(Grant, None, None, 3)], Purpose::Otp, (false, true)),
    ] {
        assert_eq!(verdict(&ledger, purpose), expect, "{name}");
    }
}

#[test]
fn a_double_opt_in_needs_both_halves() {
    let policy = Policy { double_opt_in: true, ..Policy::default_for(Purpose::Marketing) };
    let code = |entries: &[ConsentEntry]| ConsentState::fold(entries).grant(&policy, "acme", Purpose::Marketing, Time(9)).code();
    let grant = entry(ConsentAct::Grant, Some("acme"), Some(Purpose::Marketing), 1);
    let confirm = entry(ConsentAct::Confirm, None, None, 2);
    assert_eq!(code(&[]), "consent_missing");
    assert_eq!(code(std::slice::from_ref(&confirm)), "consent_missing", "nothing to confirm");
    assert_eq!(code(std::slice::from_ref(&grant)), "consent_unconfirmed");
    assert!(ConsentState::fold([&grant]).awaits_confirmation());
    assert_eq!(code(&[grant.clone(), confirm.clone()]), "consent_granted");
    assert_eq!(code(&[grant.clone(), confirm.clone(), ConsentEntry { evidence: "again".into(), ..grant.clone() }]), "consent_granted", "said again, and confirmed before");
    assert_eq!(code(&[grant.clone(), confirm, entry(ConsentAct::Stop, None, None, 3), entry(ConsentAct::Start, None, None, 4), grant]), "consent_unconfirmed");
}

#[test]
fn implied_consent_lapses_and_what_was_said_does_not() {
    let policy = Policy::default_for(Purpose::Marketing);
    let day: Time = "2026-01-31T12:00:00Z".parse().unwrap();
    let inquiry = ConsentEntry { occurred_at: day, ..on(Basis::ImpliedInquiry, entry(ConsentAct::Grant, Some("acme"), Some(Purpose::Marketing), 1)) };
    let express = ConsentEntry { terms: Terms { basis: Some(Basis::Express), ..inquiry.terms.clone() }, ..inquiry.clone() };
    let asked = |entries: &[ConsentEntry], at: &str| ConsentState::fold(entries).grant(&policy, "acme", Purpose::Marketing, at.parse().unwrap());
    assert_eq!(asked(std::slice::from_ref(&inquiry), "2026-07-31T11:59:59Z").code(), "consent_granted");
    let lapsed = asked(std::slice::from_ref(&inquiry), "2026-07-31T12:00:00Z");
    assert_eq!(lapsed.code(), "consent_lapsed");
    let said = lapsed.to_string();
    assert!(said.contains("casl_inquiry") && said.contains("CASL, section 10(10)") && said.contains("2026-07-31T12:00:00Z"), "{said}");
    // The order in which they were recorded does not matter: neither takes the other's place.
    for both in [[inquiry.clone(), express.clone()], [express, inquiry]] {
        assert_eq!(asked(&both, "2030-01-01T00:00:00Z").code(), "consent_granted");
    }
}

#[test]
fn an_instant_is_asked_by_what_we_knew_and_by_what_was_true() {
    // She revoked at 10, and we heard of it at 30; the text left at 20.
    let late = ConsentEntry { recorded_at: Time(30), ..entry(ConsentAct::Revoke, None, None, 10) };
    let ledger = [entry(ConsentAct::Grant, None, None, 1), late];
    let open = |when: i64, by| at(&ledger, Time(when), by).suppression("acme", Purpose::Marketing, "main", "s").is_none();
    assert_eq!((open(20, Knowledge::Recorded), open(20, Knowledge::Occurred)), (true, false));
    assert_eq!((open(30, Knowledge::Recorded), open(30, Knowledge::Occurred)), (false, false));
    assert_eq!((open(9, Knowledge::Recorded), open(9, Knowledge::Occurred)), (true, true));
}

#[test]
fn preferences_are_kept_by_channel() {
    let all = |entries: &[ConsentEntry]| Channel::ALL.map(|c| ConsentState::fold(entries).subscribed(c));
    let m = Some(Purpose::Marketing);
    let mail = about(Channel::Email, entry(ConsentAct::Grant, None, m, 1));
    let push = about(Channel::Push, entry(ConsentAct::Revoke, None, m, 2));
    assert_eq!(all(&[]), [None, None, None]);
    assert_eq!(all(&[mail.clone(), push.clone()]), [None, Some(true), Some(false)]);
    assert_eq!(all(&[entry(ConsentAct::Grant, None, m, 1), mail, push, entry(ConsentAct::Stop, None, None, 3)]), [Some(false), Some(true), Some(false)], "STOP is about texts");
}

#[test]
fn entries_and_states_of_older_rows_are_read() {
    let old =
        r#"{"act":"grant","program":"acme","purpose":"marketing","evidence":"form 7","actor":"key k1","occurred_at":"2026-11-23T12:00:00Z","recorded_at":"2026-11-23T12:00:01Z"}"#;
    let read: ConsentEntry = serde_json::from_str(old).unwrap();
    assert_eq!(read.terms, Terms::default());
    assert_eq!(serde_json::to_string(&read).unwrap(), old, "and written as it was");
    let state = r#"{"grants":[{"program":"acme","purpose":"marketing","since":{"at":"2026-11-23T12:00:00Z","evidence":"form 7"}}]}"#;
    assert_eq!(serde_json::to_string(&ConsentState::fold([&read])).unwrap(), state);
    assert_eq!(serde_json::from_str::<ConsentState>(state).unwrap(), ConsentState::fold([&read]));
}

#[test]
fn words_are_those_of_rows() {
    for act in ConsentAct::ALL {
        assert_eq!(serde_json::to_value(act).unwrap(), act.word());
        assert_eq!(ConsentAct::from_word(act.word()), Some(act));
    }
    for basis in Basis::ALL {
        assert_eq!(serde_json::to_value(basis).unwrap(), basis.word());
    }
    for source in Source::ALL {
        assert_eq!(serde_json::to_value(source).unwrap(), source.word());
    }
    for channel in Channel::ALL {
        assert_eq!(serde_json::to_value(channel).unwrap(), channel.word());
    }
    for (text, expect) in [("CA", true), ("US-FL", true), ("ca", false), ("CAN", false), ("US-", false), ("US-FLOR", false), ("", false), ("U1", false)] {
        assert_eq!(is_jurisdiction(text), expect, "{text}");
    }
}

fn any_entry() -> impl Strategy<Value = ConsentEntry> {
    let scope = (prop::option::of(prop::sample::select(vec!["acme", "other"])), prop::option::of(prop::sample::select(Purpose::ALL.to_vec())));
    let terms = (prop::sample::select(Channel::ALL.to_vec()), prop::option::of(prop::sample::select(Basis::ALL.to_vec())));
    (prop::sample::select(ConsentAct::ALL.to_vec()), scope, terms, 0..50_i64, 0..10_i64).prop_map(|(act, (program, purpose), (channel, basis), occurred, later)| {
        let made = entry(act, program, purpose, occurred);
        ConsentEntry { recorded_at: Time(occurred + later), terms: Terms { channel, basis, ..Terms::default() }, ..made }
    })
}

/// A ledger as it is kept: in the order of recording.
fn any_ledger() -> impl Strategy<Value = Vec<ConsentEntry>> {
    prop::collection::vec(any_entry(), 0..24).prop_map(|mut all| {
        all.sort_by_key(|e| e.recorded_at);
        all
    })
}

proptest! {
    #[test]
    fn what_we_knew_is_the_fold_of_the_beginning(ledger in any_ledger(), when in 0..60_i64) {
        let known = ledger.iter().take_while(|e| e.recorded_at <= Time(when));
        prop_assert_eq!(at(&ledger, Time(when), Knowledge::Recorded), ConsentState::fold(known));
    }

    #[test]
    fn one_more_entry_is_one_more_step(ledger in any_ledger(), more in any_entry()) {
        let mut state = ConsentState::fold(&ledger);
        state.apply(&more);
        let whole: Vec<ConsentEntry> = ledger.into_iter().chain([more]).collect();
        prop_assert_eq!(state, ConsentState::fold(&whole));
    }

    #[test]
    fn a_stop_is_undone_by_a_start_alone(before in any_ledger(), after in any_ledger()) {
        let stop = entry(ConsentAct::Stop, None, None, 1);
        let after: Vec<ConsentEntry> = after.into_iter().filter(|e| e.act != ConsentAct::Start).collect();
        let state = ConsentState::fold(before.iter().chain([&stop]).chain(&after));
        for purpose in Purpose::ALL {
            prop_assert!(state.suppression("acme", purpose, "main", "s").is_some());
        }
    }

    #[test]
    fn a_revocation_is_undone_by_a_grant_alone(before in any_ledger(), after in any_ledger()) {
        let revoke = entry(ConsentAct::Revoke, None, None, 1);
        let after: Vec<ConsentEntry> = after.into_iter().filter(|e| e.act != ConsentAct::Grant).collect();
        let state = ConsentState::fold(before.iter().chain([&revoke]).chain(&after));
        prop_assert!(state.suppression("acme", Purpose::Marketing, "main", "s").is_some());
    }

    #[test]
    fn nothing_undoes_an_erasure(before in any_ledger(), after in any_ledger()) {
        let erase = entry(ConsentAct::Erase, None, None, 1);
        let state = ConsentState::fold(before.iter().chain([&erase]).chain(&after));
        prop_assert!(state.suppression("acme", Purpose::Otp, "main", "s").is_some());
        prop_assert_eq!(state.subscribed(Channel::Sms), Some(false));
    }

    #[test]
    fn an_import_lifts_no_opt_out(ledger in any_ledger(), import in any_entry()) {
        let before = ConsentState::fold(&ledger);
        let mut after = before.clone();
        after.apply(&ConsentEntry { act: ConsentAct::Import, ..import });
        prop_assert_eq!((&after.erased, &after.stopped, &after.revoked, &after.blocks), (&before.erased, &before.stopped, &before.revoked, &before.blocks));
    }

    #[test]
    fn a_copy_of_the_last_entry_opens_nothing(ledger in any_ledger()) {
        let once = ConsentState::fold(&ledger);
        let mut twice = once.clone();
        if let Some(last) = ledger.last() {
            twice.apply(last);
        }
        for purpose in Purpose::ALL {
            let policy = Policy::default_for(purpose);
            let stands = |state: &ConsentState| state.standing(&policy, ("acme", purpose), ("main", "s"), Time(100)).permitted;
            prop_assert_eq!(stands(&once), stands(&twice));
        }
    }

    #[test]
    fn consent_only_ever_runs_out(ledger in any_ledger(), when in 0..4_000_i64) {
        let state = ConsentState::fold(&ledger);
        let policy = Policy::default_for(Purpose::Marketing);
        let granted = |at: Time| matches!(state.grant(&policy, "acme", Purpose::Marketing, at), Reason::ConsentGranted { .. });
        let (sooner, later) = (Time(when * 86_400_000_000), Time((when + 30) * 86_400_000_000));
        prop_assert!(granted(sooner) || !granted(later));
    }
}
