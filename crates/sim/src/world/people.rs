//! The customers of the simulated shop, and what they answer.
//!
//! Its own file because it is data: places, bad numbers, numbers whose last digits make the vendor misbehave.

use rand_core::RngCore;

use crate::homes::{HOMES, Home, PLACES};
use crate::shop::Customer;

/// How many customers have numbers whose last digits make the vendor misbehave, or no number.
pub(super) const ODD: usize = 14;
/// From here on there is somebody at every place already.
const MORE: usize = ODD + PLACES;

/// So many customers: first numbers of every kind, then one at each place, then others. The last four digits tell the
/// vendor how to behave.
pub(super) fn customers(rng: &mut impl RngCore, many: u32) -> Vec<Customer> {
    let names = [("Ana", "es"), ("Zoë", "fr"), ("Liu", "en"), ("Omar", "en-US"), ("Ida", "fr-CA")];
    let between: Vec<&Home> = HOMES.iter().filter(|home| home.country == "US" && home.zones.len() > 1).collect();
    let mut all: Vec<Customer> = Vec::new();
    for (n, id) in (0..many as usize).zip(7_000..) {
        let somewhere = &HOMES[rng.next_u32() as usize % HOMES.len()];
        let home = match n.checked_sub(ODD) {
            Some(place) if n < MORE => &HOMES[place],
            // Where nobody knows from the number which of several zones it is.
            Some(_) if (MORE + 5..MORE + 11).contains(&n) => between[n % between.len()],
            _ => somewhere,
        };
        let (first, locale) = names[rng.next_u32() as usize % names.len()];
        let number = |last: usize| Some(format!("{}{last:04}", home.area));
        let (phone, country) = match n {
            12 => (Some("not a number".to_owned()), home.country),
            13 => (None, home.country),
            // 0000 to 0011: the vendor's documented behaviours; two share none.
            0..12 => (number(n), home.country),
            ODD..MORE => (number(3_000 + n), home.country),
            _ => match n - MORE {
                // 0012 to 0015: the others.
                more @ 0..4 => (number(12 + more), home.country),
                4 => (Some("+442079460002".to_owned()), "GB"),
                _ => (number(100 + n), home.country),
            },
        };
        all.push(Customer { id, first_name: first.to_owned(), last_name: format!("Test {n}"), phone, locale: locale.to_owned(), country: country.to_owned() });
    }
    all
}

/// What people write back; `oracle/words.rs` knows which of them ask to stop.
pub(super) const ANSWERS: [&str; 10] = ["STOP", "please stop", "START", "HELP", "thanks!", "please leave me alone", "Yes", "unsubscribe", "don't stop", "STOP ALL"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::profile::Profile;

    #[test]
    fn every_place_has_somebody_in_every_profile_and_nobody_shares_a_number() {
        for profile in Profile::ALL {
            let all = customers(&mut ChaCha12Rng::seed_from_u64(1), profile.menu().customers);
            let phones: Vec<&str> = all.iter().filter_map(|customer| customer.phone.as_deref()).collect();
            assert!(HOMES.iter().all(|home| phones.iter().skip(ODD - 1).any(|phone| phone.starts_with(home.area))), "{profile}");
            assert_eq!(phones.iter().collect::<BTreeSet<_>>().len(), phones.len(), "{profile}: {phones:?}");
        }
    }
}
