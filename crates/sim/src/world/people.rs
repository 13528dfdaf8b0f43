//! The customers of the simulated shop, and what they answer.
//!
//! Its own file because it is data: places, bad numbers, numbers whose last digits make the vendor misbehave.

use rand_core::RngCore;

use crate::homes::HOMES;
use crate::shop::Customer;

/// How many customers have numbers whose last digits make the vendor misbehave, or no number.
pub(super) const ODD: usize = 14;

/// Customers with numbers of every kind, then one for each place. The last four digits tell the vendor how to behave.
pub(super) fn customers(rng: &mut impl RngCore) -> Vec<Customer> {
    let names = [("Ana", "es"), ("Zoë", "fr"), ("Liu", "en"), ("Omar", "en-US"), ("Ida", "fr-CA")];
    let mut all: Vec<Customer> = Vec::new();
    for n in 0..ODD + HOMES.len() {
        let home = &HOMES[if n < ODD { rng.next_u32() as usize % HOMES.len() } else { n - ODD }];
        let (first, locale) = names[rng.next_u32() as usize % names.len()];
        // 0000 to 0012: the vendor's documented behaviours; two share none.
        let phone = match n {
            12 => Some("not a number".to_owned()),
            13 => None,
            _ if n < ODD => Some(format!("{}{n:04}", home.area)),
            _ => Some(format!("{}{:04}", home.area, 3_000 + n)),
        };
        all.push(Customer {
            id: 7_000 + i64::try_from(n).unwrap_or(0),
            first_name: first.to_owned(),
            last_name: format!("Test {n}"),
            phone,
            locale: locale.to_owned(),
            country: home.country.to_owned(),
        });
    }
    all
}

/// What people write back.
pub(super) const ANSWERS: [&str; 10] = ["STOP", "stop.", "START", "HELP", "thanks!", "Where is it?", "Yes", "unsubscribe", "ok", "STOP ALL"];
