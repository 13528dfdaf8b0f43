//! The simulation must find what it is for: each classic fault is put back, alone, and some seed must break a promise.
//!
//! A target of its own because it needs a build in which faults can be planted, which the product is not. It says nothing
//! about how soon a fault is found, beyond a number of seeds that a test run can afford.

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "the table of what was found by which seed is for whoever runs it")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use trunkline_core::planted::{Fault, planted, with};
    use trunkline_sim::oracle::Violation;
    use trunkline_sim::profile::Profile;
    use trunkline_sim::world::{Outcome, Settings, World};

    /// How many seeds a fault may hide from.
    const MOST_SEEDS: u64 = 200;

    /// A rough day, all of it on this thread: the store's writer runs inline.
    fn run(fault: Option<Fault>, seed: u64) -> Outcome {
        with(fault, || World::new(Settings::in_profile(Profile::Rough, seed)).unwrap().run())
    }

    /// The first seed that a fault breaks a promise in, and the promise.
    fn hunt(fault: Fault) -> Option<(u64, Violation)> {
        (0..MOST_SEEDS).find_map(|seed| run(Some(fault), seed).violations.into_iter().next().map(|violation| (seed, violation)))
    }

    #[test]
    fn every_classic_fault_is_found() {
        let next = AtomicUsize::new(0);
        let found: Mutex<BTreeMap<Fault, Option<(u64, Violation)>>> = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            let work = || {
                while let Some(fault) = Fault::ALL.get(next.fetch_add(1, Ordering::SeqCst)).copied() {
                    let hit = hunt(fault);
                    found.lock().unwrap().insert(fault, hit);
                }
            };
            for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
                scope.spawn(work);
            }
        });
        let found = found.into_inner().unwrap();
        println!("{:<22}{:>5}  {:<10}what was broken", "planted", "seed", "promise");
        for (fault, hit) in &found {
            match hit {
                Some((seed, violation)) => println!("{:<22}{seed:>5}  {:<10}{}", format!("{fault:?}"), violation.invariant, violation.story),
                None => println!("{:<22}{:>5}  nothing was found in {MOST_SEEDS} seeds", format!("{fault:?}"), "-"),
            }
        }
        let missed: Vec<&Fault> = found.iter().filter(|(_, hit)| hit.is_none()).map(|(fault, _)| fault).collect();
        assert!(found.len() == Fault::ALL.len() && missed.is_empty(), "nobody found {missed:?}");
    }

    #[test]
    fn without_a_fault_nothing_is_found() {
        // Each vendor with each way to commit.
        for seed in [0, 1, 6, 7, 12, 13] {
            let outcome = run(None, seed);
            assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}\n{}", outcome.violations, outcome.story.join("\n"));
        }
    }

    #[test]
    fn a_fault_is_there_for_one_closure_on_one_thread() {
        assert!(Fault::ALL.iter().all(|fault| !planted(*fault)));
        with(Some(Fault::GateOnce), || {
            assert!(planted(Fault::GateOnce) && !planted(Fault::BoundTwice));
            std::thread::scope(|scope| assert!(!scope.spawn(|| planted(Fault::GateOnce)).join().unwrap()));
        });
        assert!(!planted(Fault::GateOnce));
    }
}
