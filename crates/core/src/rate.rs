//! The generic cell rate algorithm: how many texts a sender may start now, and when the next one.
//!
//! Its own file because the row that holds the state is shared by nodes: the arithmetic is pure, and advancing the
//! row is a compare-and-set somewhere else.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// A sender's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Segments a second.
    pub per_second: u32,
    /// How many may leave at once after a pause.
    pub burst: u32,
}

/// The result of asking for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many segments may leave now.
    pub granted: u32,
    /// The row's new value: the theoretical arrival time of the next segment.
    pub tat: Time,
    /// When at least one more may leave.
    pub next: Time,
}

impl Rate {
    /// Takes up to `want` segments from a bucket whose row says `tat`.
    pub fn take(self, tat: Time, now: Time, want: u32) -> Grant {
        let interval = 1_000_000 / i64::from(self.per_second.max(1));
        let tolerance = interval * i64::from(self.burst.max(1));
        let base = tat.0.max(now.0);
        let room = now.0 + tolerance - base;
        let fits = if room < interval { 0 } else { room / interval };
        let granted = i64::from(want).min(fits);
        let tat = Time(base + granted * interval);
        let next = now.max(Time(tat.0 + interval - tolerance));
        Grant { granted: u32::try_from(granted).unwrap_or(0), tat, next }
    }

    /// How long one segment takes.
    pub fn interval(self) -> Span {
        Span(1_000_000 / i64::from(self.per_second.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bursts_then_paces() {
        let rate = Rate { per_second: 10, burst: 3 };
        let first = rate.take(Time(0), Time(1_000_000), 5);
        assert_eq!((first.granted, first.next), (3, Time(1_100_000)));
        assert_eq!(rate.take(first.tat, Time(1_000_000), 1).granted, 0);
        assert_eq!(rate.take(first.tat, first.next, 5).granted, 1);
    }

    proptest! {
        #[test]
        fn never_more_than_rate_and_burst(per_second in 1u32..200, burst in 1u32..50, steps in prop::collection::vec((0i64..400_000, 1u32..30), 1..60)) {
            let rate = Rate { per_second, burst };
            let (mut tat, mut now, mut total) = (Time(0), Time(10_000_000), 0u64);
            let start = now;
            for (wait, want) in steps {
                now = now + Span(wait);
                let grant = rate.take(tat, now, want);
                tat = grant.tat;
                total += u64::from(grant.granted);
                if grant.granted < want {
                    prop_assert!(grant.next > now);
                    prop_assert!(rate.take(tat, grant.next, 1).granted == 1);
                }
            }
            let elapsed = u64::try_from(now.0 - start.0).unwrap();
            let interval = u64::try_from(rate.interval().0).unwrap();
            prop_assert!(total <= elapsed / interval + u64::from(burst) + 1);
        }
    }
}
