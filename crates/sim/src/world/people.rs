//! The customers of the simulated shop, and what they answer.
//!
//! Its own file because it is data: zones, bad numbers, numbers whose last digits make the vendor misbehave.

use rand_core::RngCore;

use crate::shop::Customer;

/// Customers with numbers of every kind. The last four digits tell the vendor how to behave.
pub(super) fn customers(rng: &mut impl RngCore) -> Vec<Customer> {
    let areas = ["+1415555", "+1212555", "+1312555", "+1808555", "+1604555", "+44740012"];
    let names = [("Ana", "es"), ("Zoë", "fr"), ("Liu", "en"), ("Omar", "en-US"), ("Ida", "fr-CA")];
    let mut all: Vec<Customer> = Vec::new();
    for n in 0..14u32 {
        let area = areas[rng.next_u32() as usize % areas.len()];
        let (first, locale) = names[rng.next_u32() as usize % names.len()];
        // 0000 to 0012: the vendor's documented behaviours; two share none.
        let phone = match n {
            12 => Some("not a number".to_owned()),
            13 => None,
            _ => Some(format!("{area}{n:04}")),
        };
        let country = if area.starts_with("+44") { "GB" } else { "US" };
        all.push(Customer {
            id: 7_000 + i64::from(n),
            first_name: first.to_owned(),
            last_name: format!("Test {n}"),
            phone,
            locale: locale.to_owned(),
            country: country.to_owned(),
        });
    }
    all
}

/// What people write back; `oracle/words.rs` knows which of them ask to stop.
pub(super) const ANSWERS: [&str; 10] = ["STOP", "please stop", "START", "HELP", "thanks!", "please leave me alone", "Yes", "unsubscribe", "don't stop", "STOP ALL"];
