//! The day: 300 customers, their orders, shipments, replies, and ten minutes without a CRM.
//!
//! Its own file because it is a plan drawn from a seed and then played against the clock; it checks nothing.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use trunkline_core::clock::Clock;
use trunkline_core::number::{Line, Number};
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::http::Sandbox;
use trunkline_sim::shop::Customer;

use crate::output;

/// Something that happens in the day.
enum Deed {
    Order { customer: usize, copies: u32 },
    Ship(i64),
    Reply { phone: String, body: &'static str },
    CrmDown(bool),
}

const FIRST: [&str; 12] = ["Ana", "Ben", "Chloé", "Dev", "Ema", "Farid", "Grace", "Hugo", "Ivy", "João", "Kim", "Lea"];
const LAST: [&str; 8] = ["Alvarez", "Brown", "Chen", "Dubois", "Evans", "Fischer", "Garcia", "Haddad"];
const AREAS: [&str; 10] = ["+1415555", "+1212555", "+1312555", "+1303555", "+1808555", "+1617555", "+1206555", "+1305555", "+1604555", "+44740012"];
const LOCALES: [&str; 6] = ["en-US", "en", "fr-CA", "es", "fr", "en-GB"];
const ANSWERS: [&str; 12] = ["STOP", "STOP", "Stop.", "HELP", "Thanks!", "When does it arrive?", "START", "ok", "wrong colour :(", "unsubscribe", "INFO", "great"];

/// Plays a day.
pub(super) async fn play(sandbox: &Sandbox, clock: &dyn Clock, seed: u64, orders: u32) -> anyhow::Result<()> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let customers = customers(&mut rng);
    let start = clock.now();
    let day = Span::hours(24);
    let mut plan: BTreeMap<(Time, u64), Deed> = BTreeMap::new();
    for n in 0..orders {
        // The first customers are those whose numbers make the vendor misbehave: each orders for certain.
        let drawn = pick(&mut rng, customers.len());
        let customer = usize::try_from(n).ok().filter(|n| *n < 30).unwrap_or(drawn);
        let copies = if rng.next_u32().is_multiple_of(10) { 2 + rng.next_u32() % 2 } else { 1 };
        plan.insert((start + within(&mut rng, day), u64::from(n)), Deed::Order { customer, copies });
    }
    let outage = start + Span::hours(6);
    plan.insert((outage, u64::MAX - 1), Deed::CrmDown(true));
    plan.insert((outage + Span::mins(10), u64::MAX), Deed::CrmDown(false));
    let bar = if output::watched() { ProgressBar::new(u64::from(orders)) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} orders")?);
    let mut sequence = u64::from(orders);
    while let Some(((at, _), deed)) = plan.pop_first() {
        pause(clock.real(at.since(clock.now()))).await;
        bar.set_message(at.to_string().chars().skip(11).take(5).collect::<String>());
        match deed {
            Deed::Order { customer, copies } => {
                let Some(customer) = customers.get(customer) else { continue };
                let order = sandbox.order(customer, copies);
                bar.inc(1);
                sequence += 2;
                if rng.next_u32() % 100 < 60 {
                    plan.insert((at + Span::hours(1) + within(&mut rng, Span::hours(8)), sequence), Deed::Ship(order.id));
                }
                if let Some(phone) = customer.phone.clone().filter(|p| Number::parse(p, None).is_ok_and(|n| n.line() != Line::Fixed) && rng.next_u32() % 100 < 22) {
                    let body = ANSWERS.get(pick(&mut rng, ANSWERS.len())).copied().unwrap_or("ok");
                    plan.insert((at + Span::mins(2) + within(&mut rng, Span::hours(2)), sequence + 1), Deed::Reply { phone, body });
                }
            }
            Deed::Ship(order) => sandbox.ship(order)?,
            Deed::Reply { phone, body } => sandbox.reply(&phone, fixtures::SENDER, body)?,
            Deed::CrmDown(down) => sandbox.set_faults(Faults { crm_down: down, ..sandbox.faults() })?,
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Waits until nothing is under way but what is held for later.
pub(super) async fn rest(sandbox: &Sandbox, engine: &Engine, clock: &dyn Clock) -> anyhow::Result<()> {
    let mut calm = 0;
    // At most two real minutes: whatever is still under way then is reported as it is.
    for _ in 0..600 {
        let busy: i64 = engine.store.backlog().await?.iter().filter(|(queue, _)| queue != "runs" && queue != "messages: held").map(|(_, rows)| rows).sum();
        let due = !engine.store.due_runs(clock.now(), 1).await?.is_empty() || !engine.store.due_messages(clock.now(), 1).await?.is_empty();
        calm = if busy == 0 && !due && sandbox.pending() == 0 { calm + 1 } else { 0 };
        if calm >= 5 {
            return Ok(());
        }
        pause(Span::millis(200)).await;
    }
    let left = engine.store.backlog().await?;
    output::complain(&format!("some work is still under way after two minutes: {left:?}, {} hooks of the sandbox", sandbox.pending()));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the demo waits for its own clock")]
async fn pause(span: Span) {
    tokio::time::sleep(span.std()).await;
}

/// A draw in `[0, bound)`.
fn pick(rng: &mut ChaCha12Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap_or(0) % bound.max(1)
}

fn within(rng: &mut ChaCha12Rng, span: Span) -> Span {
    Span(i64::try_from(rng.next_u64() % u64::try_from(span.0).unwrap_or(1)).unwrap_or(0))
}

/// Three hundred customers: most ordinary, one for each way in which the vendor can misbehave, some unreachable.
fn customers(rng: &mut ChaCha12Rng) -> Vec<Customer> {
    let mut one_of = |list: &[&'static str]| list.get(pick(rng, list.len())).copied().unwrap_or_default();
    let mut all = Vec::new();
    for n in 0..300u32 {
        let area = one_of(&AREAS);
        let phone = match n {
            // The last four digits tell the sandbox how to behave.
            0..12 => Some(format!("{area}{:04}", n + 1)),
            12..18 => Some("call me".to_owned()),
            18..22 => None,
            22..26 => Some(format!("+44207946{n:04}")),
            26..30 => Some(format!("{area}12")),
            _ => Some(format!("{area}{:04}", 1_000 + n)),
        };
        let country = match area {
            "+44740012" => "GB",
            "+1604555" => "CA",
            _ => "US",
        };
        all.push(Customer {
            id: 6_100_000_000_000 + i64::from(n),
            first_name: one_of(&FIRST).to_owned(),
            last_name: one_of(&LAST).to_owned(),
            phone,
            locale: one_of(&LOCALES).to_owned(),
            country: country.to_owned(),
        });
    }
    all
}
