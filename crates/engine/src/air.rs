//! What is in the air, by this process's own memory: calls that were claimed and are not settled.
//!
//! Its own file because a row says only that a call was claimed; whether somebody holds it still is known to the process
//! that claimed it and to nobody else. It decides nothing: what follows for a call that nobody holds is for `stuck`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use trunkline_core::id::AttemptId;
use trunkline_core::time::{Span, Uptime};

use crate::dispatch::BEGIN_WITHIN;

/// How long a call may be in the air, in real time, before it is taken for lost.
pub const LEASE: Span = Span::mins(2);
/// What a call may take beyond its own timeout: until it is begun, and until its answer is looked at.
const MARGIN: Span = Span(BEGIN_WITHIN.0 + 15_000_000);

/// The longest timeout of a call that is surely over before it is taken for lost.
pub const LONGEST_CALL: Span = Span(LEASE.0 - MARGIN.0);

/// Calls of one kind, and since when each is in the air.
pub(crate) struct Flights<K>(Mutex<BTreeMap<K, Uptime>>);

impl<K> Default for Flights<K> {
    fn default() -> Flights<K> {
        Flights(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord> Flights<K> {
    /// A poisoned lock means a panic in another thread; what is kept here is still whole.
    fn all(&self) -> MutexGuard<'_, BTreeMap<K, Uptime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody holds these calls, or what came of them.
    pub(crate) fn hold(&self, calls: impl IntoIterator<Item = K>, now: Uptime) {
        self.all().extend(calls.into_iter().map(|call| (call, now)));
    }

    /// These are settled.
    pub(crate) fn land<'a>(&self, calls: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        let mut all = self.all();
        for call in calls {
            all.remove(call);
        }
    }

    /// Whether somebody holds this call, and not for longer than any may take.
    pub(crate) fn holds(&self, call: &K, now: Uptime) -> bool {
        self.all().get(call).is_some_and(|since| now.since(*since) <= LEASE)
    }
}

/// Everything that this process has in the air.
#[derive(Default)]
pub(crate) struct Air {
    /// Attempts at vendors.
    pub(crate) texts: Flights<AttemptId>,
    /// Write-backs by connector and record.
    pub(crate) writes: Flights<(String, String)>,
    /// Announcements.
    pub(crate) tellings: Flights<[u8; 16]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_held_until_it_lands_or_its_lease_is_over() {
        let flights: Flights<u8> = Flights::default();
        let at = |span: Span| Uptime(span.0);
        flights.hold([1, 2], at(Span::ZERO));
        assert!(flights.holds(&1, at(LEASE)) && !flights.holds(&3, at(LEASE)));
        assert!(!flights.holds(&1, at(Span(LEASE.0 + 1))), "nothing takes so long");
        // What came of it could not be committed: it is held anew.
        flights.hold([1], at(LEASE));
        assert!(flights.holds(&1, at(Span(LEASE.0 * 2))) && !flights.holds(&2, at(Span(LEASE.0 * 2))));
        flights.land(&[1]);
        assert!(!flights.holds(&1, at(LEASE)));
    }

    #[test]
    fn a_call_that_takes_its_whole_time_is_over_before_its_lease_is() {
        for timeout in [Span::secs(1), Span::secs(30), LONGEST_CALL] {
            assert!(BEGIN_WITHIN.0 + timeout.0 < LEASE.0, "{timeout}");
        }
        assert!(LONGEST_CALL > Span::secs(30), "what the configuration permits for an account");
    }
}
