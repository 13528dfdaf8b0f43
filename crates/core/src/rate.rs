//! The generic cell rate algorithm: how many texts a bucket lets start now, and when the next one.
//!
//! Its own file because the row that holds the state is shared by nodes: the arithmetic is pure, and advancing the
//! row is a compare-and-set somewhere else. Whose bucket it is (a sender's, an account's, a country's) it does not ask.

use serde::{Deserialize, Serialize};

use crate::pace;
use crate::time::{Span, Time};

/// A rate, as it is configured.
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

/// A rate at some share of its speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    interval: i64,
    tolerance: i64,
}

impl Rate {
    /// Takes up to `want` segments from a bucket whose row says `tat`, at full speed.
    pub fn take(self, tat: Time, now: Time, want: u32) -> Grant {
        self.at(pace::FULL).take(tat, now, want)
    }

    /// The rate at so many thousandths of its speed. What may leave at once shrinks with it, down to one segment: a bucket
    /// that is slowed down must not find room for a burst by that.
    pub fn at(self, permille: u32) -> Flow {
        let full = self.interval().0;
        let interval = full * i64::from(pace::FULL) / i64::from(permille.clamp(1, pace::FULL));
        Flow { interval, tolerance: (full * i64::from(self.burst.max(1))).max(interval) }
    }

    /// How long one segment takes.
    pub fn interval(self) -> Span {
        Span((1_000_000 / i64::from(self.per_second.max(1))).max(1))
    }
}

impl Flow {
    /// Takes up to `want` segments from a bucket whose row says `tat`.
    pub fn take(self, tat: Time, now: Time, want: u32) -> Grant {
        let base = tat.0.max(now.0);
        let room = now.0 + self.tolerance - base;
        let fits = if room < self.interval { 0 } else { room / self.interval };
        let granted = i64::from(want).min(fits);
        let tat = Time(base + granted * self.interval);
        let next = now.max(Time(tat.0 + self.interval - self.tolerance));
        Grant { granted: u32::try_from(granted).unwrap_or(0), tat, next }
    }

    /// The most segments that ever leave at once: a text that has more costs no more than this, or it would never leave.
    pub fn most(self) -> u32 {
        u32::try_from(self.tolerance / self.interval).unwrap_or(u32::MAX)
    }

    /// How long so many segments take.
    pub fn lasts(self, segments: u32) -> Span {
        Span(self.interval.saturating_mul(i64::from(segments)))
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

    #[test]
    fn a_slow_bucket_has_no_room_for_a_burst() {
        let rate = Rate { per_second: 10, burst: 4 };
        let empty = rate.take(Time(0), Time(1_000_000), 9);
        assert_eq!((empty.granted, rate.at(500).most(), rate.at(1).most()), (4, 2, 1));
        // Slowed down just after the burst: the next one waits longer, and not less.
        let slow = rate.at(500).take(empty.tat, Time(1_000_000), 1);
        assert_eq!((slow.granted, slow.next), (0, Time(1_200_000)));
        assert_eq!(rate.at(500).lasts(3), Span::millis(600));
        assert_eq!(Rate { per_second: 4_000_000_000, burst: 1 }.take(Time(0), Time(9), 1).granted, 1, "faster than time is counted");
    }

    proptest! {
        #[test]
        fn a_text_of_any_length_leaves_at_any_pace(per_second in 1u32..200, burst in 1u32..50, permille in 0u32..2_000, segments in 1u32..20) {
            let flow = Rate { per_second, burst }.at(permille);
            let cost = segments.min(flow.most());
            prop_assert_eq!(flow.take(Time(0), Time(1), cost).granted, cost);
        }

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
