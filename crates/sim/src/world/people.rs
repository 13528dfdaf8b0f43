//! The customers of the simulated shop, and what they answer.
//!
//! Its own file because it is data: zones, bad numbers, numbers whose last digits make the vendor misbehave.

use rand_core::RngCore;

use crate::shop::Customer;

/// Where customers live: the beginnings of their numbers.
pub(super) const AREAS: [&str; 6] = ["+1415555", "+1212555", "+1312555", "+1808555", "+1604555", "+44740012"];
/// Where nobody knows from the number which of several zones it is.
const BETWEEN_ZONES: [&str; 2] = ["+1208555", "+1850555"];

/// So many customers with numbers of every kind. The last four digits tell the vendor how to behave.
pub(super) fn customers(rng: &mut impl RngCore, many: u32) -> Vec<Customer> {
    let names = [("Ana", "es"), ("Zoë", "fr"), ("Liu", "en"), ("Omar", "en-US"), ("Ida", "fr-CA")];
    let mut all: Vec<Customer> = Vec::new();
    for n in 0..many {
        let area = AREAS[rng.next_u32() as usize % AREAS.len()];
        let (first, locale) = names[rng.next_u32() as usize % names.len()];
        let phone = match n {
            12 => Some("not a number".to_owned()),
            13 => None,
            // 0000 to 0011: the vendor's documented behaviours; two share none.
            0..12 => Some(format!("{area}{n:04}")),
            // 0012 to 0015: the others.
            14..18 => Some(format!("{area}{:04}", n - 2)),
            18 => Some("+442079460002".to_owned()),
            19..25 => Some(format!("{}{:04}", BETWEEN_ZONES[n as usize % BETWEEN_ZONES.len()], 100 + n)),
            _ => Some(format!("{area}{:04}", 100 + n)),
        };
        let country = if phone.as_deref().is_some_and(|p| p.starts_with("+44")) { "GB" } else { "US" };
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

/// What people write back.
pub(super) const ANSWERS: [&str; 10] = ["STOP", "stop.", "START", "HELP", "thanks!", "Where is it?", "Yes", "unsubscribe", "ok", "STOP ALL"];
