//! Tables and properties of the choice of a way. Apart from `route.rs` only because of its length.

use proptest::prelude::*;

use super::*;

fn arm(name: &str, weight: u32) -> Arm {
    Arm { way: Way { account: name.to_owned(), sender: format!("+1500555000{}", name.len()) }, weight }
}

/// The ways of a route with these names, weights and states.
fn ways<'a>(arms: &'a [Arm], fitness: &[Fitness]) -> Vec<(&'a Arm, Fitness)> {
    arms.iter().zip(fitness.iter().copied()).collect()
}

/// Somebody whose own way is the one with this name.
fn somebody(arms: &[Arm], name: &str) -> [u8; 4] {
    let well: Vec<Fitness> = arms.iter().map(|_| Fitness::Well).collect();
    let at_home = |n: &u32| choose(&ways(arms, &well), &n.to_be_bytes()).unwrap().0.account == name;
    (0u32..1_000).find(at_home).unwrap().to_be_bytes()
}

const OPEN: Fitness = Fitness::Unfit(Unfit::BreakerOpen);
const PAUSED: Fitness = Fitness::Unfit(Unfit::AccountPaused);

#[test]
fn who_goes_where() {
    let arms = [arm("a", 1), arm("bb", 1)];
    let ana = somebody(&arms, "a");
    let (account, sender) = ("a".to_owned(), "+15005550001".to_owned());
    let away = Why::Away { account: account.clone(), sender: sender.clone(), because: Unfit::BreakerOpen };
    for (name, fitness, to, why) in [
        ("all is well", [Fitness::Well, Fitness::Well], "a", Why::Home),
        ("the other is not", [Fitness::Well, OPEN], "a", Why::Home),
        ("her own is not", [OPEN, Fitness::Well], "bb", away.clone()),
        ("the other has just come back", [OPEN, Fitness::Returning(0)], "bb", away),
        ("her own has just come back", [Fitness::Returning(0), Fitness::Well], "bb", Why::NotBack { account, sender }),
        ("her own is back for everybody", [Fitness::Returning(1_000), Fitness::Well], "a", Why::Home),
        ("her own has just come back and the other is gone", [Fitness::Returning(0), PAUSED], "a", Why::Home),
        ("her own takes a few", [Fitness::Probing, Fitness::Well], "a", Why::Probe),
        ("the other takes a few", [OPEN, Fitness::Probing], "bb", Why::Probe),
        ("all bad: do nothing", [OPEN, PAUSED], "a", Why::AllBad { because: Unfit::BreakerOpen }),
    ] {
        let ways = ways(&arms, &fitness);
        let (way, told) = choose(&ways, &ana).unwrap();
        assert_eq!((way.account.as_str(), told), (to, why), "{name}");
    }
    assert_eq!(choose(&[], &ana), None);
}

#[test]
fn a_text_moves_to_what_it_has_not_tried() {
    let arms = [arm("a", 1), arm("bb", 1), arm("ccc", 1)];
    let pair = |arm: &'static str, n: &'static str| (arm, n);
    let (a, bb, ccc) = (pair("a", "+15005550001"), pair("bb", "+15005550002"), pair("ccc", "+15005550003"));
    for (name, fitness, from, tried, to) in [
        ("one is left", [Fitness::Well, Fitness::Well, OPEN], a, vec![a], Some(("bb", true))),
        ("the one that is new", [Fitness::Well; 3], bb, vec![a, bb], Some(("ccc", true))),
        ("all were tried", [OPEN, Fitness::Well, Fitness::Well], ccc, vec![a, bb, ccc], Some(("bb", false))),
        ("nothing else is well", [Fitness::Well, OPEN, PAUSED], a, vec![a], None),
        ("a probe is no way out", [OPEN, Fitness::Probing, PAUSED], a, vec![a], None),
    ] {
        let ways = ways(&arms, &fitness);
        let found = other(&ways, b"ana", from, &tried).map(|(way, fresh)| (way.account.as_str(), fresh));
        assert_eq!(found, to, "{name}");
    }
}

#[test]
fn recipients_come_back_little_by_little() {
    let (since, after) = (Time(0), Span::mins(5));
    let at = |secs: i64| returned(since, after, Time(0) + Span::secs(secs));
    assert_eq!((at(0), at(299), at(300), at(450), at(600)), (Fitness::Returning(0), Fitness::Returning(0), Fitness::Returning(0), Fitness::Returning(500), Fitness::Well));
    assert_eq!(returned(since, Span::ZERO, Time(0)), Fitness::Well);
}

#[test]
fn routes_take_what_they_say() {
    let route = Route { name: "offers".into(), countries: vec!["US".into(), "CA".into()], purposes: vec![Purpose::Marketing], arms: vec![arm("a", 1)] };
    assert!(route.takes(Some("CA"), Purpose::Marketing));
    assert!(!route.takes(Some("CA"), Purpose::Otp) && !route.takes(Some("FR"), Purpose::Marketing) && !route.takes(None, Purpose::Marketing));
    let all = Route { countries: vec![], purposes: vec![], ..route };
    assert!(all.takes(None, Purpose::Otp) && all.takes(Some("FR"), Purpose::Marketing));
    assert!(all.has("a", "+15005550001") && !all.has("a", "+15005550002"));
}

#[test]
fn a_sender_is_what_it_looks_like() {
    for (sender, kind) in [
        ("+15005550006", SenderKind::LongCode),
        ("+18005550123", SenderKind::TollFree),
        ("+18885550123", SenderKind::TollFree),
        ("+448005550123", SenderKind::LongCode),
        ("72345", SenderKind::ShortCode),
        ("Acme", SenderKind::Alphanumeric),
        ("7Acme", SenderKind::Alphanumeric),
    ] {
        assert_eq!(SenderKind::of(sender), kind, "{sender}");
    }
}

fn fitness() -> impl Strategy<Value = Fitness> {
    prop_oneof![Just(Fitness::Well), (0u32..1_001).prop_map(Fitness::Returning), Just(Fitness::Probing), Just(OPEN), Just(PAUSED)]
}

proptest! {
    #[test]
    fn a_way_that_is_not_well_is_chosen_only_where_none_is(states in prop::collection::vec((1u32..9, fitness()), 1..6), person: [u8; 16]) {
        let arms: Vec<Arm> = states.iter().enumerate().map(|(n, (weight, _))| arm(&"x".repeat(n + 1), *weight)).collect();
        let fitness: Vec<Fitness> = states.iter().map(|(_, fitness)| *fitness).collect();
        let ways = ways(&arms, &fitness);
        let (way, why) = choose(&ways, &person).unwrap();
        let chosen = ways.iter().find(|(arm, _)| arm.way == *way).unwrap().1;
        if let Fitness::Unfit(because) = chosen {
            prop_assert!(fitness.iter().all(|f| matches!(f, Fitness::Unfit(_))), "{fitness:?}");
            prop_assert_eq!(why.clone(), Why::AllBad { because });
        }
        prop_assert_eq!(choose(&ways, &person), Some((way, why)), "the same recipient, the same way");
    }

    /// Stickiness: what happens to other ways does not move somebody whose own way is well.
    #[test]
    fn who_is_well_where_she_is_stays(others in prop::collection::vec(fitness(), 3), person: [u8; 16]) {
        let arms = [arm("a", 2), arm("bb", 1), arm("ccc", 3), arm("dddd", 1)];
        let all = ways(&arms, &[Fitness::Well; 4]);
        let home = choose(&all, &person).unwrap().0.clone();
        let mut others = others.into_iter();
        let changed: Vec<(&Arm, Fitness)> = arms.iter().map(|arm| (arm, if arm.way == home { Fitness::Well } else { others.next().unwrap() })).collect();
        prop_assert_eq!(choose(&changed, &person), Some((&home, Why::Home)));
    }
}

#[test]
fn weights_are_shares() {
    let arms = [arm("a", 3), arm("bb", 1), arm("ccc", 0)];
    let ways = ways(&arms, &[Fitness::Well; 3]);
    let count = |name: &str| (0u32..4_000).filter(|n| choose(&ways, &n.to_be_bytes()).unwrap().0.account == name).count();
    assert!((2_850..3_150).contains(&count("a")) && count("ccc") == 0, "{} {}", count("a"), count("ccc"));
}
