//! `trunkline chaos`: faults on purpose against a running sandbox and server, with traffic, and a verdict at the end.
//!
//! What a scenario says is read in `scenario`, what it may run against is looked at in `ground`, the sandbox is spoken
//! to in `sandbox`; `watch` looks on, `count` follows every order to its end, `report` is the verdict. Here is the order
//! of things, and that the faults are off again whatever happens.

mod count;
mod ground;
mod report;
mod sandbox;
mod scenario;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_core::time::{Span, Time};
use trunkline_engine::verify::verify;
use trunkline_sim::faults::Faults;
use trunkline_sim::shop::Customer;

use self::ground::Ground;
use self::report::{Measured, Report};
use self::sandbox::Placed;
use self::scenario::{SHIPPED, Scenario};
use self::watch::Watch;
use super::Place;
use crate::output::{self, EXIT_FOUND, EXIT_OK, tell};
use crate::reports;
use crate::wiring::asked_to_stop;

/// Break things on purpose, in the sandbox, and check that every promise holds.
#[derive(Args)]
pub(crate) struct Chaos {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run a scenario against a running `trunkline sim` and `trunkline serve`. Exit code 0: passed; 3: failed; 1: it could not be run.
    Run {
        /// A file, or the name of a shipped scenario.
        scenario: String,
        /// Where the server listens; as the configuration says if not given.
        #[arg(long)]
        server: Option<String>,
        /// Where the sandbox listens; where the accounts of the configuration lead if not given.
        #[arg(long)]
        sandbox: Option<String>,
        /// Where the report is kept; beside the store, where the console finds it, if not given.
        #[arg(long)]
        report_dir: Option<PathBuf>,
    },
    /// List the shipped scenarios.
    List,
}

/// How often is looked, in real time.
const LOOK: Span = Span::millis(500);
/// How often orders are placed.
const STEP: Span = Span::millis(50);
/// How many looks in a row must find nothing under way.
const CALM_LOOKS: u32 = 3;

/// What happened.
struct Played {
    orders: Vec<Placed>,
    /// How long after the faults all was calm, if it was.
    drained: Option<Span>,
}

impl Chaos {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("error", false);
        let Action::Run { scenario, server, sandbox, report_dir } = &self.action else { return list(self.place.json) };
        let scenario = scenario::read(scenario)?;
        let config = self.place.load()?;
        let ground = Ground::survey(&config, server.as_deref(), sandbox.as_deref()).await?;
        let report = run(&scenario, &ground).await?;
        let folder = report_dir.as_ref().unwrap_or(&ground.reports);
        let kept = reports::keep(folder, report.started_at, &scenario.name, &report)?;
        if self.place.json {
            output::json(&report)?;
        } else {
            report.table();
        }
        tell(&format!("kept as {}", kept.display()));
        Ok(if report.ok { EXIT_OK } else { EXIT_FOUND })
    }
}

fn list(as_json: bool) -> anyhow::Result<u8> {
    let shipped = SHIPPED.iter().map(|(name, _)| scenario::read(name)).collect::<anyhow::Result<Vec<Scenario>>>()?;
    if as_json {
        output::json(&shipped.iter().map(|s| json!({"name": s.name, "description": s.description, "lasts": s.lasts(), "drain_within": s.drain_within})).collect::<Vec<_>>())?;
    } else {
        let rows: Vec<Vec<String>> = shipped.iter().map(|s| vec![s.name.clone(), s.lasts().to_string(), s.description.clone()]).collect();
        output::table(&["NAME", "LASTS", "WHAT HAPPENS"], &rows);
    }
    Ok(EXIT_OK)
}

async fn run(scenario: &Scenario, ground: &Ground) -> anyhow::Result<Report> {
    let clock = SystemClock::new();
    let (started_at, began) = (clock.now(), clock.uptime());
    let mut watch = Watch::begin(ground, scenario.expect.unclear).await?;
    let played = tokio::select! {
        played = play(scenario, ground, &mut watch, &clock) => played,
        asked = asked_to_stop() => asked.and_then(|()| Err(anyhow::anyhow!("stopped before the end; nothing goes wrong in the sandbox any more"))),
    };
    // Whatever happened, and first of all.
    let restored = ground.sandbox.set_faults(&ground.calm).await;
    let played = played?;
    restored?;
    let Watch { before, seen, .. } = watch;
    let store = ground.store.as_ref();
    let after = ground.sandbox.state().await?;
    let counters = watch::counters(store).await?;
    let of = |all: &std::collections::BTreeMap<String, i64>, name: &str| all.get(name).copied().unwrap_or(0);
    let grown = |name: &str| u64::try_from(of(&counters, name) - of(&before.counters, name)).unwrap_or(0);
    let dead = watch::dead(store).await?.into_iter().filter(|(id, _)| !before.dead.contains(id)).map(|(id, cause)| format!("{id}: {cause}")).collect();
    let counted = count::count(ground, &played.orders, before.sandbox.now, before.sandbox.totals.texts).await?;
    let verified = verify(store, |_| {}).await?;
    let measured = Measured {
        started_at,
        took: clock.uptime().since(began),
        orders: played.orders.len(),
        drained: played.drained,
        before: &before,
        seen: &seen,
        after: &after,
        grown: &grown,
        dead,
        counted,
        verified,
    };
    Ok(Report::of(scenario, ground, measured))
}

/// Places the orders while the phases pass, then waits until all is calm.
async fn play(scenario: &Scenario, ground: &Ground, watch: &mut Watch<'_>, clock: &SystemClock) -> anyhow::Result<Played> {
    let progress = Progress::new()?;
    let customers = Customers::new(clock.now());
    let mut orders = Vec::new();
    let began = clock.uptime();
    let (mut until, mut next_look) = (Span::ZERO, Span::ZERO);
    for phase in &scenario.phases {
        ground.sandbox.set_faults(&Faults { quick_receipts: phase.faults.quick_receipts || ground.calm.quick_receipts, ..phase.faults.clone() }).await?;
        until = Span(until.0 + phase.lasts.0);
        progress.phase(&format!("{}, {}", phase.name, phase.lasts));
        loop {
            let at = clock.uptime().since(began);
            if at >= until {
                break;
            }
            place(scenario, ground, &customers, &mut orders, scenario.traffic.due(at)).await?;
            if at >= next_look {
                watch.look().await?;
                next_look = Span(at.0 + LOOK.0);
                progress.now(&format!("{}: {}s left, {} orders, {}", phase.name, Span(until.0 - at.0).as_secs(), orders.len(), watch.seen.left.join(", ")));
            }
            pause(STEP).await;
        }
    }
    ground.sandbox.set_faults(&ground.calm).await?;
    place(scenario, ground, &customers, &mut orders, scenario.traffic.orders).await?;
    progress.phase(&format!("nothing goes wrong any more, at most {}", scenario.drain_within));
    let off = clock.uptime();
    let mut calm = 0;
    let drained = loop {
        calm = if watch.look().await? { calm + 1 } else { 0 };
        let waited = clock.uptime().since(off);
        if calm >= CALM_LOOKS {
            break Some(waited);
        }
        if waited >= scenario.drain_within {
            break None;
        }
        progress.now(&format!("draining for {}s: {}", waited.as_secs(), watch.seen.left.join(", ")));
        pause(LOOK).await;
    };
    progress.done();
    Ok(Played { orders, drained })
}

/// Places orders until there are so many.
async fn place(scenario: &Scenario, ground: &Ground, customers: &Customers, orders: &mut Vec<Placed>, wanted: u32) -> anyhow::Result<()> {
    while let Some(n) = u32::try_from(orders.len()).ok().filter(|n| *n < wanted) {
        orders.push(ground.sandbox.order(&customers.nth(n), scenario.traffic.copies).await?);
    }
    Ok(())
}

/// People who order once each: the sandbox forgets its orders when it stops, the server does not, and an order's number
/// that comes again must not be taken for the old one of the same customer.
struct Customers {
    first: i64,
}

impl Customers {
    fn new(now: Time) -> Customers {
        Customers { first: i64::try_from(now.millis()).unwrap_or(0).saturating_mul(10_000) }
    }

    /// A customer whose number has no habits in the sandbox.
    fn nth(&self, n: u32) -> Customer {
        Customer {
            id: self.first + i64::from(n),
            first_name: "Ana".to_owned(),
            last_name: "Chaos".to_owned(),
            phone: Some(format!("+1415555{:04}", 1_000 + n)),
            locale: "en-US".to_owned(),
            country: "US".to_owned(),
        }
    }
}

/// How it goes: a line that changes where somebody watches, else a line for each phase.
struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new() -> anyhow::Result<Progress> {
        let bar = output::watched().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}")?);
        }
        Ok(Progress { bar })
    }

    fn phase(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell(line),
        }
    }

    fn now(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.to_owned());
            bar.tick();
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it waits for real processes, always in a loop with an end")]
async fn pause(span: Span) {
    tokio::time::sleep(span.std()).await;
}
