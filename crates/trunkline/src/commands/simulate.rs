//! `trunkline simulate`: seeds of the simulated world, with a verdict.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_sim::profile::Profile;
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
    /// How rough the world is: calm, or rough.
    #[arg(long, default_value_t = Profile::default())]
    profile: Profile,
    /// Days the shop is open.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=30))]
    days: i64,
    /// Orders a day; 40 in a calm world and 100 in a rough one if not said.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2000))]
    orders: Option<u32>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        let bar = if output::watched() { ProgressBar::new(self.seeds) } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left")?);
        let clock = SystemClock::new();
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
                    let settings = Settings { seed: self.start_seed + index, days: self.days, orders: self.orders(), profile: self.profile };
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
        let millis = u64::try_from(clock.uptime().0 / 1_000).unwrap_or(0).max(1);
        let mut outcomes = done.into_inner().map_err(|_| anyhow::anyhow!("a seed panicked"))?;
        outcomes.sort_by_key(|o| o.seed);
        self.report(&outcomes, millis)
    }

    fn orders(&self) -> u32 {
        self.orders.unwrap_or(self.profile.orders())
    }

    fn report(&self, outcomes: &[Outcome], millis: u64) -> anyhow::Result<u8> {
        let total = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        let broken: Vec<&Outcome> = outcomes.iter().filter(|o| !o.violations.is_empty()).collect();
        let violations: usize = broken.iter().map(|o| o.violations.len()).sum();
        let (actions, idle, crashes) = (total(|o| o.actions), total(|o| o.idle), total(|o| o.crashes));
        let (source_events, accepted) = (total(|o| o.source_events), total(|o| o.accepted));
        let per_second = actions.saturating_mul(1_000) / millis;
        if self.json {
            let first = broken.first();
            output::json(&json!({
                "seeds": self.seeds, "start_seed": self.start_seed, "profile": self.profile.word(), "days": self.days, "orders": self.orders(),
                "actions": actions, "idle": idle, "actions_per_s": per_second, "source_events": source_events, "accepted": accepted, "crashes": crashes,
                "violations": violations, "failing_seeds": broken.len(), "failing_seed": first.map(|o| o.seed), "story": first.map(|o| &o.story), "broken": first.map(|o| &o.violations),
            }))?;
        } else {
            if let Some(first) = broken.first() {
                self.tell_of(first);
            }
            let days = if self.days == 1 { "a day".to_owned() } else { format!("{} days", self.days) };
            output::say(&format!("{} seeds of {days} each, profile {}", self.seeds, self.profile));
            output::say(&format!("  {source_events} events of sources, {accepted} texts accepted by the vendor, the node killed {crashes} times"));
            output::say(&format!("  {actions} actions, {per_second} a second; {idle} of them looked for work and found none"));
            output::say(&match broken.first() {
                None => "no promise was broken".to_owned(),
                Some(first) => format!("BROKEN: {violations} violations in {} of {} seeds, the smallest is {}", broken.len(), self.seeds, first.seed),
            });
        }
        Ok(if violations == 0 { EXIT_OK } else { EXIT_FOUND })
    }

    /// The story of the smallest seed that failed, and how to see it again.
    fn tell_of(&self, first: &Outcome) {
        output::say(&format!("seed {}, the last things that happened:", first.seed));
        first.story.iter().for_each(|line| output::say(&format!("  {line}")));
        for violation in &first.violations {
            output::say(&format!("BROKEN {}: {}", violation.invariant, violation.story));
        }
        let (profile, days, orders) = (self.profile, self.days, self.orders());
        output::say(&format!("replay it with: trunkline simulate --seeds 1 --start-seed {} --profile {profile} --days {days} --orders {orders}", first.seed));
        output::say("");
    }
}
