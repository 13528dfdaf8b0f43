//! The same seed twice is the same world: without this no failing seed could be looked into.

use trunkline_sim::profile::Profile;
use trunkline_sim::world::{Settings, World};

#[test]
fn the_same_seed_gives_the_same_trace() {
    for (profile, seed) in [(Profile::Calm, 1), (Profile::Calm, 2), (Profile::Calm, 3), (Profile::Rough, 1), (Profile::Rough, 8)] {
        let run = || World::new(Settings::in_profile(profile, seed)).unwrap().run();
        let (once, twice) = (run(), run());
        assert_eq!(once.trace, twice.trace, "{profile} seed {seed}");
        assert_eq!(once, twice, "{profile} seed {seed}");
    }
    let trace = |profile, seed| World::new(Settings::in_profile(profile, seed)).unwrap().run().trace;
    assert_ne!(trace(Profile::Calm, 1), trace(Profile::Calm, 2));
    assert_ne!(trace(Profile::Calm, 1), trace(Profile::Rough, 1));
}
