//! Tables and properties of the transition function. Apart from `message.rs` only because of its length.

use proptest::prelude::*;

use super::*;

fn send() -> Verdict {
    Verdict { decision: Decision::Send, findings: vec![] }
}

fn claim(n: u32) -> Event {
    Event::Claimed { n, account: "main".into(), sender: "+15005550006".into(), epoch: 1, verdict: send() }
}

fn settle(n: u32, outcome: Outcome, next: Next) -> Event {
    Event::Settled { n, outcome, next }
}

fn receipt(n: u32, evidence: Evidence, code: &str) -> Event {
    Event::Receipt { n, status: format!("{evidence:?}"), evidence: Some(evidence), vendor_code: code.into(), hook: HookId::new(0, Time(0), [0; 16]) }
}

fn accepted() -> Outcome {
    Outcome::Accepted { vendor_id: "SM1".into() }
}

fn unclear() -> Outcome {
    Outcome::Ambiguous { cause: "timeout".into() }
}

fn run(events: &[Event]) -> State {
    fold(events.iter().zip(1..).map(|(e, at)| (e, Time(at)))).unwrap()
}

#[test]
fn lives() {
    let made = || Event::Made { verdict: send() };
    let transient = || settle(1, Outcome::Transient { cause: "connection refused".into() }, Next::Retry { at: Time(9) });
    for (name, events, delivery) in [
        ("made", vec![made()], Delivery::Queued),
        ("claimed", vec![made(), claim(1)], Delivery::Dispatched),
        ("accepted", vec![made(), claim(1), settle(1, accepted(), Next::Taken)], Delivery::Accepted),
        ("unclear", vec![made(), claim(1), settle(1, unclear(), Next::Unknown { ask_at: None })], Delivery::Unknown),
        ("unclear, then proved", vec![made(), claim(1), settle(1, unclear(), Next::Unknown { ask_at: None }), receipt(1, Evidence::Sent, "")], Delivery::Sent),
        ("receipt before the answer", vec![made(), claim(1), receipt(1, Evidence::Delivered, ""), settle(1, accepted(), Next::Taken)], Delivery::Delivered),
        ("receipt, then the answer is lost", vec![made(), claim(1), receipt(1, Evidence::Sent, ""), settle(1, unclear(), Next::Unknown { ask_at: None })], Delivery::Sent),
        ("carrier corrects itself", vec![made(), claim(1), receipt(1, Evidence::Delivered, ""), receipt(1, Evidence::Undelivered, "30005")], Delivery::Delivered),
        ("retry", vec![made(), claim(1), transient()], Delivery::Queued),
        ("retry, then proof of the first try", vec![made(), claim(1), transient(), receipt(1, Evidence::Sent, "")], Delivery::Sent),
        ("second try", vec![made(), claim(1), transient(), claim(2), settle(2, accepted(), Next::Taken)], Delivery::Accepted),
        ("taken over", vec![made(), claim(1), Event::TakenOver { n: 1, epoch: 2, ask_at: None }], Delivery::Unknown),
        ("taken over, late answer", vec![made(), claim(1), Event::TakenOver { n: 1, epoch: 2, ask_at: None }, settle(1, accepted(), Next::Taken)], Delivery::Accepted),
        ("evidence outranks our ends", vec![made(), claim(1), settle(1, unclear(), Next::Fail), receipt(1, Evidence::Delivered, "")], Delivery::Delivered),
        ("cancelled while queued", vec![made(), Event::Canceled { reason: Reason::CanceledBy { by: "STOP".into() } }], Delivery::Canceled),
        ("cancelled too late", vec![made(), claim(1), Event::Canceled { reason: Reason::CanceledBy { by: "STOP".into() } }], Delivery::Dispatched),
    ] {
        assert_eq!(run(&events).delivery(), delivery, "{name}");
    }
}

#[test]
fn a_proved_retry_is_not_claimed_again() {
    let events =
        [Event::Made { verdict: send() }, claim(1), settle(1, Outcome::Transient { cause: String::new() }, Next::Retry { at: Time(9) }), receipt(1, Evidence::Accepted, "")];
    let state = run(&events);
    assert!(!state.claimable());
    assert_eq!(apply(Some(&state), &claim(2), Time(10)), Err(Ignored::NotWaiting));
}

#[test]
fn an_unmapped_status_is_never_terminal() {
    let unmapped = Event::Receipt { n: 1, status: "teleported".into(), evidence: None, vendor_code: "1".into(), hook: HookId::new(0, Time(0), [0; 16]) };
    let before = run(&[Event::Made { verdict: send() }, claim(1), settle(1, accepted(), Next::Taken)]);
    assert_eq!(apply(Some(&before), &unmapped, Time(9)).unwrap(), before);
}

#[test]
fn two_proved_attempts_are_a_known_duplicate() {
    let retry = settle(1, Outcome::Transient { cause: String::new() }, Next::Retry { at: Time(9) });
    let state = run(&[Event::Made { verdict: send() }, claim(1), retry, claim(2), settle(2, accepted(), Next::Taken), receipt(1, Evidence::Delivered, "")]);
    assert_eq!(state.duplicate, Duplicate::Known);
}

/// Another way is for texts that nobody can have taken: I1 rests on it.
#[test]
fn only_what_was_certainly_not_taken_goes_another_way() {
    let made = || Event::Made { verdict: send() };
    let way = crate::route::Way { account: "other".into(), sender: "+15005550009".into() };
    let reason = Reason::BreakerOpen { account: "main".into(), until: Time(9) };
    let routed = Event::Routed { way: way.clone(), reason: reason.clone() };
    let retry = |outcome| settle(1, outcome, Next::Retry { at: Time(9) });
    let throttled = || Outcome::Throttled { retry_after: None, vendor_code: "429".into() };
    let resent = Event::GivenUp { n: 1, resend: Some(Time(9)) };
    for (name, events, moves) in [
        ("before the first attempt", vec![made()], true),
        ("throttled", vec![made(), claim(1), retry(throttled())], true),
        ("refused connection", vec![made(), claim(1), retry(Outcome::Transient { cause: String::new() })], true),
        ("never begun", vec![made(), claim(1), retry(Outcome::NotWritten { cause: String::new() })], true),
        ("in the air", vec![made(), claim(1)], false),
        ("unclear", vec![made(), claim(1), settle(1, unclear(), Next::Unknown { ask_at: None })], false),
        ("unclear, and sent again all the same", vec![made(), claim(1), settle(1, unclear(), Next::Unknown { ask_at: None }), resent], false),
        ("taken over", vec![made(), claim(1), Event::TakenOver { n: 1, epoch: 2, ask_at: None }], false),
        ("not taken, says a receipt's absence; then a receipt", vec![made(), claim(1), retry(throttled()), receipt(1, Evidence::Sent, "")], false),
    ] {
        let before = run(&events);
        let after = apply(Some(&before), &routed, Time(20));
        assert_eq!(after.is_ok(), moves, "{name}");
        if let Ok(after) = after {
            assert_eq!((after.way.as_ref(), after.delivery(), after.due), (Some(&way), before.delivery(), before.due), "{name}: it waits as it did");
            assert_eq!(after.reasons.last(), Some(&reason), "{name}");
        }
    }
}

/// States from before texts could go another way.
#[test]
fn old_states_are_read() {
    let state = run(&[Event::Made { verdict: send() }, claim(1)]);
    let text = serde_json::to_string(&state).unwrap();
    assert!(!text.contains("way"), "{text}");
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
}

proptest! {
    /// I6: any order and any number of copies of the same receipts, and the answer anywhere among them.
    #[test]
    fn receipts_commute(picks in prop::collection::vec((0usize..4, 0usize..3), 1..8), order in any::<u64>(), answer in any::<bool>()) {
        let kinds = [Evidence::Accepted, Evidence::Sent, Evidence::Undelivered, Evidence::Delivered];
        let codes = ["", "30003", "30005"];
        let mut events: Vec<Event> = picks.iter().map(|(k, c)| receipt(1, kinds[*k], codes[*c])).collect();
        events.push(if answer { settle(1, accepted(), Next::Taken) } else { settle(1, unclear(), Next::Unknown { ask_at: None }) });
        let start = [Event::Made { verdict: send() }, claim(1)];
        let straight: Vec<Event> = start.iter().chain(&events).cloned().collect();
        let mut shuffled = events.clone();
        let mut seed = order;
        for i in (1..shuffled.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(seed >> 33).unwrap() % (i + 1));
        }
        let copies: Vec<Event> = start.iter().chain(&shuffled).chain(&events).cloned().collect();
        let (a, b) = (run(&straight), run(&copies));
        prop_assert_eq!(a.delivery(), b.delivery());
        prop_assert_eq!(a.vendor_code(), b.vendor_code());
        prop_assert_eq!(a.work, b.work);
    }

    /// Once a receipt proves something, no event takes the proof back.
    #[test]
    fn evidence_never_falls(picks in prop::collection::vec(0usize..8, 0..20)) {
        let menu = [
            receipt(1, Evidence::Accepted, ""), receipt(1, Evidence::Sent, ""), receipt(1, Evidence::Undelivered, "30003"), receipt(1, Evidence::Delivered, ""),
            settle(1, accepted(), Next::Taken), settle(1, unclear(), Next::Unknown { ask_at: None }), Event::TakenOver { n: 1, epoch: 2, ask_at: None },
            Event::Canceled { reason: Reason::NumberMissing },
        ];
        let mut state = run(&[Event::Made { verdict: send() }, claim(1)]);
        for (pick, at) in picks.into_iter().zip(10..) {
            let before = state.evidence();
            if let Ok(next) = apply(Some(&state), &menu[pick], Time(at)) {
                state = next;
            }
            prop_assert!(state.evidence() >= before);
        }
    }
}
