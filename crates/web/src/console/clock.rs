//! What the clock says where a recipient is.
//!
//! Its own file because she may be in any of several zones and each that differs counts: a text is held until it is day
//! in all of them. It decides nothing: quiet hours are `trunkline_core::quiet`'s.

use trunkline_core::time::Time;
use trunkline_core::zone;
use trunkline_store::row::Address;

/// How many times of day are shown one by one.
const MOST: usize = 3;

/// The clocks of wherever the holder of an address may be.
#[derive(Default)]
pub(super) struct Clocks(Vec<String>);

impl Clocks {
    /// The clocks of this address's holder.
    pub(super) fn of(address: Option<&Address>) -> Clocks {
        Clocks(address.map(|address| address.whereabouts().zones).unwrap_or_default())
    }

    /// `Mon 08:00 PST`, once for each clock that differs; empty if nobody knows where she is.
    pub(super) fn at(&self, at: Time) -> String {
        let local = |name: &String| {
            let local = at.timestamp().to_zoned(zone::zone(name)?);
            Some((local.offset().seconds(), local.strftime("%a %H:%M %Z").to_string()))
        };
        let mut clocks: Vec<(i32, String)> = self.0.iter().filter_map(local).collect();
        clocks.sort();
        clocks.dedup_by_key(|(offset, _)| *offset);
        match clocks.as_slice() {
            [(_, first), .., (_, last)] if clocks.len() > MOST => format!("{first} to {last}"),
            few => few.iter().map(|(_, clock)| clock.as_str()).collect::<Vec<_>>().join(" or "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(zones: &[&str]) -> Clocks {
        Clocks(zones.iter().map(|zone| (*zone).to_owned()).collect())
    }

    #[test]
    fn each_clock_that_differs() {
        let at: Time = "2026-11-23T16:00:00Z".parse().unwrap();
        for (zones, expect) in [
            (vec![], ""),
            (vec!["America/Los_Angeles"], "Mon 08:00 PST"),
            (vec!["America/Boise", "America/Denver", "America/Los_Angeles"], "Mon 08:00 PST or Mon 09:00 MST"),
            (vec!["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"], "Mon 08:00 PST to Mon 11:00 EST"),
            (vec!["Nowhere/Nothing"], ""),
        ] {
            assert_eq!(clocks(&zones).at(at), expect, "{zones:?}");
        }
    }
}
