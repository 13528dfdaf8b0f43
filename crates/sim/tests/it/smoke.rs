//! Fixed seeds of both profiles, and every seed that ever broke a promise.

use std::collections::BTreeSet;

use serde::Deserialize;
use trunkline_sim::profile::Profile;
use trunkline_sim::world::{Outcome, Settings, World};

static REGRESSIONS: &str = include_str!("../regressions.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Regressions {
    seed: Vec<Regression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    seed: u64,
    profile: String,
    found: String,
}

fn run(profile: Profile, seed: u64) -> Outcome {
    World::new(Settings::in_profile(profile, seed)).unwrap().run()
}

fn kept(outcome: &Outcome, what: &str) {
    assert!(outcome.violations.is_empty(), "seed {} ({what}): {:#?}\n{}", outcome.seed, outcome.violations, outcome.story.join("\n"));
}

#[test]
fn the_first_seeds_keep_every_promise() {
    let mut places = BTreeSet::new();
    for seed in 0..20 {
        let outcome = run(Profile::Calm, seed);
        kept(&outcome, "calm");
        places.extend(outcome.marketing.iter().cloned());
        assert!(outcome.accepted > 5 && outcome.actions > 500, "seed {seed} did next to nothing: {outcome:?}");
    }
    assert!(places.len() >= 12, "marketing left in {places:?} only");
}

#[test]
fn rough_days_are_full_and_keep_every_promise() {
    // Each vendor with each way to commit.
    for seed in [0, 1, 6, 7, 12, 13] {
        let outcome = run(Profile::Rough, seed);
        kept(&outcome, "rough");
        assert!(outcome.source_events >= 300 && outcome.actions >= 2_000 && outcome.crashes > 5, "seed {seed} was not that rough: {outcome:?}");
        assert!(outcome.idle * 2 < outcome.actions, "seed {seed} spent its life looking for work: {outcome:?}");
    }
}

#[test]
fn a_world_of_many_days_keeps_every_promise() {
    let outcome = World::new(Settings { days: 4, orders: 60, ..Settings::in_profile(Profile::Rough, 1) }).unwrap().run();
    kept(&outcome, "rough, four days");
    assert!(outcome.source_events > 600, "{outcome:?}");
}

#[test]
fn seeds_that_broke_a_promise_once_keep_it_now() {
    let regressions: Regressions = toml::from_str(REGRESSIONS).unwrap();
    assert!(!regressions.seed.is_empty());
    for Regression { seed, profile, found } in regressions.seed {
        kept(&run(profile.parse().unwrap(), seed), &found);
    }
}
