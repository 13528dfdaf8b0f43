//! Fixed seeds, and every seed that ever broke a promise.

use std::collections::BTreeSet;

use trunkline_sim::world::{Outcome, Settings, World};

static REGRESSIONS: &str = include_str!("regressions.txt");

fn run(seed: u64) -> Outcome {
    World::new(Settings::of(seed)).unwrap().run()
}

#[test]
fn the_first_seeds_keep_every_promise() {
    let mut places = BTreeSet::new();
    for seed in 0..20 {
        let outcome = run(seed);
        places.extend(outcome.marketing.iter().cloned());
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}\n{}", outcome.violations, outcome.story.join("\n"));
        assert!(outcome.accepted > 5 && outcome.actions > 500, "seed {seed} did next to nothing: {outcome:?}");
    }
    assert!(places.len() >= 12, "marketing left in {places:?} only");
}

#[test]
fn seeds_that_broke_a_promise_once_keep_it_now() {
    for line in REGRESSIONS.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let seed: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        let outcome = run(seed);
        assert!(outcome.violations.is_empty(), "seed {line}: {:#?}\n{}", outcome.violations, outcome.story.join("\n"));
    }
}
