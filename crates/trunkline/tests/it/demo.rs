//! The demo's day ends with every promise kept.

use serde_json::Value;

use crate::support::with_secrets;

#[test]
fn a_day_of_orders_keeps_every_promise() {
    let output = with_secrets(std::process::Command::new(env!("CARGO_BIN_EXE_trunkline")).args(["demo", "--exit", "--json", "--orders", "200", "--seed", "5"])).output().unwrap();
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((verdict["ok"].as_bool(), output.status.code()), (Some(true), Some(0)), "{verdict}\n{}", String::from_utf8_lossy(&output.stderr));
    for (what, expect) in [("texts_twice", 0), ("texts_after_stop", 0), ("lost", 0), ("verify_differences", 0)] {
        assert_eq!(verdict[what], expect, "{verdict}");
    }
    // A check of the check: the day had something to keep promises about.
    assert!(verdict["events"].as_u64().unwrap() >= 200, "{verdict}");
    assert!(verdict["duplicates_dropped"].as_u64().unwrap() > 5, "{verdict}");
    assert!(verdict["texts_on_phones"].as_u64().unwrap() > 100, "{verdict}");
    for state in ["delivered", "failed", "canceled", "suppressed"] {
        let states = verdict["messages"].as_object().unwrap();
        assert!(states.contains_key(state) || state == "canceled", "no message is {state}: {verdict}");
    }
}
