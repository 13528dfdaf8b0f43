//! How long the gate takes to decide about a text, with all of its facts loaded: less than ten microseconds.
//!
//! Its own target, since it measures and asserts nothing: `cargo bench -p trunkline-core`.

use divan::{Bencher, black_box};
use trunkline_core::consent::{ConsentAct, ConsentEntry, ConsentState, Terms};
use trunkline_core::gate::{self, Facts, Reach};
use trunkline_core::id::MessageId;
use trunkline_core::number::Number;
use trunkline_core::purpose::{Policy, Purpose};
use trunkline_core::quiet::{Rules, Sent};
use trunkline_core::sender::Route;
use trunkline_core::time::{Span, Time};
use trunkline_core::zone;

/// Noon in New York, on a Wednesday in November of 2026.
const NOON: Time = Time(1_795_626_000_000_000);

fn main() {
    divan::main();
}

/// Decides about a text to a number, whose holder may be under these jurisdictions and has agreed.
fn decide(bencher: Bencher<'_, '_>, number: &str, jurisdictions: &[&str], purpose: Purpose, now: Time) {
    let Ok(number) = Number::parse(number, None) else { return };
    let grant = ConsentEntry {
        act: ConsentAct::Grant,
        program: None,
        purpose: None,
        account: None,
        sender: None,
        evidence: "form 7".to_owned(),
        actor: "shop".to_owned(),
        occurred_at: NOON - Span::hours(24),
        recorded_at: NOON - Span::hours(24),
        terms: Terms::default(),
    };
    let consent = ConsentState::fold([&grant]);
    let (policy, reach) = (Policy::default_for(purpose), Reach::Line(number.line()));
    let jurisdictions: Vec<String> = jurisdictions.iter().map(|j| (*j).to_owned()).collect();
    let zones = zone::candidates(&number);
    let sends: Vec<Sent> = (1..3).map(|n: u8| Sent { message: MessageId::new(1, NOON, [n; 16]), purpose, at: now - Span::hours(20) }).collect();
    let facts = Facts {
        message: MessageId::new(1, NOON, [9; 16]),
        purpose,
        policy: &policy,
        program: "acme",
        deadline: now + Span::hours(24),
        reach: &reach,
        consent: &consent,
        rules: Rules::shipped(),
        jurisdictions: &jurisdictions,
        zones: &zones,
        sends: &sends,
        account: "main",
        route: Route { sender: "+15005550006", country: jurisdictions.first().map(String::as_str), registered: &[], template: false },
        exempt: false,
        behind: None,
        body: "Three for two, until Friday",
        earlier: &[],
    };
    bencher.bench_local(|| gate::ask(black_box(&facts), now));
}

/// A code: nothing binds it.
#[divan::bench]
fn code(bencher: Bencher<'_, '_>) {
    decide(bencher, "+13055550123", &["US", "US-FL"], Purpose::Otp, NOON);
}

/// An offer by day, under a federal and a state's rule, with a cap.
#[divan::bench]
fn offer_by_day(bencher: Bencher<'_, '_>) {
    decide(bencher, "+13055550123", &["US", "US-FL"], Purpose::Marketing, NOON);
}

/// The same by night: the next permitted time is looked for.
#[divan::bench]
fn offer_by_night(bencher: Bencher<'_, '_>) {
    decide(bencher, "+13055550123", &["US", "US-FL"], Purpose::Marketing, NOON + Span::hours(14));
}

/// Before a French Sunday and holidays: hours that stay closed for longer.
#[divan::bench]
fn offer_on_a_saturday_night(bencher: Bencher<'_, '_>) {
    decide(bencher, "+33639980123", &["FR"], Purpose::Marketing, NOON + Span::hours(3 * 24 + 8));
}

/// A mobile number that may be in any of a country's zones.
#[divan::bench]
fn offer_in_many_zones(bencher: Bencher<'_, '_>) {
    decide(bencher, "+61412345678", &["AU"], Purpose::Marketing, NOON);
}
