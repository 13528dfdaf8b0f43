//! `trunkline simulate`: seeds of the simulated world, with a verdict.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trunkline_sim::world::{Outcome, Settings, World};

use crate::output::{self, EXIT_FOUND, EXIT_OK};

/// Run the whole system in a simulated world with faults, and check its promises.
#[derive(Args)]
pub(crate) struct Simulate {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed; with --seeds 1 this replays one.
    #[arg(long, default_value_t = 0)]
    start_seed: u64,
    /// Days the shop is open.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=30))]
    days: i64,
    /// Orders a day.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=2000))]
    orders: u32,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let bar = if output::watched() { ProgressBar::new(self.seeds) } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left")?);
        let next = AtomicU64::new(0);
        let done: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            let work = || -> anyhow::Result<()> {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= self.seeds {
                        return Ok(());
                    }
                    let settings = Settings { seed: self.start_seed + index, days: self.days, orders: self.orders };
                    let outcome = World::new(settings)?.run();
                    bar.inc(1);
                    done.lock().map_err(|_| anyhow::anyhow!("a seed panicked"))?.push(outcome);
                }
            };
            let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            running.into_iter().map(|r| r.join().map_err(|_| anyhow::anyhow!("a seed panicked")).and_then(|r| r)).collect::<anyhow::Result<Vec<()>>>()
        })
        .context("the simulation stopped")?;
        bar.finish_and_clear();
        let mut outcomes = done.into_inner().map_err(|_| anyhow::anyhow!("a seed panicked"))?;
        outcomes.sort_by_key(|o| o.seed);
        self.report(&outcomes)
    }

    fn report(&self, outcomes: &[Outcome]) -> anyhow::Result<u8> {
        let total = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        let broken: Vec<&Outcome> = outcomes.iter().filter(|o| !o.violations.is_empty()).collect();
        let violations: usize = broken.iter().map(|o| o.violations.len()).sum();
        let (actions, crashes, accepted) = (total(|o| o.actions), total(|o| o.crashes), total(|o| o.accepted));
        if self.json {
            let first = broken.first();
            output::json(&json!({
                "seeds": self.seeds, "start_seed": self.start_seed, "days": self.days, "actions": actions, "crashes": crashes, "texts": accepted, "violations": violations,
                "failing_seed": first.map(|o| o.seed), "story": first.map(|o| &o.story), "broken": first.map(|o| &o.violations),
            }))?;
        } else {
            if let Some(first) = broken.first() {
                first.story.iter().for_each(|line| output::say(line));
                for violation in &first.violations {
                    output::say(&format!("BROKEN {}: {}", violation.invariant, violation.story));
                }
                output::say(&format!("replay it with: trunkline simulate --seeds 1 --start-seed {} --days {} --orders {}", first.seed, self.days, self.orders));
            }
            output::say(&format!("{} seeds, {actions} actions, {crashes} crashes, {accepted} texts: {violations} violations", self.seeds));
        }
        Ok(if violations == 0 { EXIT_OK } else { EXIT_FOUND })
    }
}
