//! The same seed twice is the same world: without this no failing seed could be looked into.

use trunkline_sim::world::{Settings, World};

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 2, 3] {
        let run = || World::new(Settings::of(seed)).unwrap().run();
        let (once, twice) = (run(), run());
        assert_eq!(once.trace, twice.trace, "seed {seed}");
        assert_eq!(once, twice, "seed {seed}");
    }
    let other = |seed| World::new(Settings::of(seed)).unwrap().run().trace;
    assert_ne!(other(1), other(2));
}
