//! How hard the store is pressed: what waits for it, whether it has room, and whether intake is turned away.
//!
//! Its own file because two kinds wait for the disk and only one of them may be refused. Whoever brings something new
//! can bring it again, so that it is turned away at the door, before anything of it is done; what a stage has to say of a
//! call that was made is said nowhere else, so that it waits as long as it takes. It makes no room itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use trunkline_core::clock::Clock;
use trunkline_core::time::{Span, Time, Uptime};
use trunkline_store::row::Room;
use trunkline_store::wrap::Commits;
use trunkline_store::{Committed, Store, StoreError, Unit};

use crate::Engine;

/// The most units that may wait for the disk when more are let in: a few seconds of its work.
pub const MOST_WAITING: usize = 32_768;
/// The longest that a commit may have waited, in real time, when more are let in. A disk that is well takes milliseconds.
pub const LONGEST_WAIT: Span = Span::secs(10);
/// Of the room that the store may take, one in so many parts is kept for what is under way.
const KEPT: i64 = 20;

/// Why intake is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressed {
    /// Too much waits for the disk.
    Busy,
    /// There is no room.
    Full,
    /// The store takes no writes.
    Unavailable,
}

impl Pressed {
    /// All of them.
    pub const ALL: [Pressed; 3] = [Pressed::Busy, Pressed::Full, Pressed::Unavailable];

    /// What an error says of the store's state; nothing if it is about rows.
    pub const fn of(error: &StoreError) -> Option<Pressed> {
        match error {
            StoreError::Busy { .. } => Some(Pressed::Busy),
            StoreError::Full { .. } => Some(Pressed::Full),
            StoreError::Unavailable { .. } => Some(Pressed::Unavailable),
            StoreError::Conflict { .. } | StoreError::Inconsistent { .. } => None,
        }
    }

    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Pressed::Busy => "busy",
            Pressed::Full => "full",
            Pressed::Unavailable => "unavailable",
        }
    }

    /// How many seconds whoever is turned away should stay away: what waits is soon done, room has to be made by somebody.
    pub const fn retry_after(self) -> u32 {
        match self {
            Pressed::Busy => 2,
            Pressed::Full => 30,
            Pressed::Unavailable => 5,
        }
    }
}

/// What is known of intake. Vendors and sources may have given up on what was turned away: whoever polls their lists
/// afterwards needs to know since when and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntakeHealth {
    /// Since when intake is turned away, if it is.
    pub refusing_since: Option<Time>,
    /// The last time that it was, from and until, once that is over.
    pub last: Option<(Time, Time)>,
    /// How many units wait for the disk.
    pub waiting: usize,
    /// How many requests were turned away since the process started, by reason.
    pub refused: Vec<(Pressed, u64)>,
}

/// The pressure on one store, shared by everything that commits to it.
#[derive(Clone)]
pub struct Pressure(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    refused: [AtomicU64; 3],
}

#[derive(Default)]
struct State {
    /// Commits under way, the oldest first: how many units, and since when.
    commits: BTreeMap<u64, (usize, Uptime)>,
    next: u64,
    waiting: usize,
    /// What the last commit that failed said, until a probe succeeds.
    trouble: Option<StoreError>,
    /// Said when the room was looked at last: only what is kept for the stages is left.
    crowded: Option<StoreError>,
    refusing_since: Option<Time>,
    last: Option<(Time, Time)>,
}

/// A commit under way; over when this is dropped, whether it was answered or given up.
struct Waiting<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some((units, _)) = state.commits.remove(&self.number) {
            state.waiting -= units;
        }
    }
}

#[async_trait]
impl Commits for Pressure {
    async fn commit(&self, inner: &dyn Store, now: Time, units: Vec<Unit>) -> Vec<Committed> {
        let waiting = self.0.begin(units.len());
        let results = inner.commit(now, units).await;
        drop(waiting);
        if let Some(error) = results.iter().filter_map(|r| r.as_ref().err()).find(|e| Pressed::of(e).is_some()) {
            self.0.state().trouble = Some(error.clone());
        }
        results
    }
}

impl Shared {
    /// A poisoned lock means a panic in another thread; what is counted here is still whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, units: usize) -> Waiting<'_> {
        let since = self.clock.uptime();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.waiting += units;
        state.commits.insert(number, (units, since));
        Waiting { shared: self, number }
    }

    /// Notes since when intake is turned away, and when that ends.
    fn note(&self, state: &mut State, pressed: bool) {
        match (pressed, state.refusing_since) {
            (true, None) => state.refusing_since = Some(self.clock.now()),
            (false, Some(since)) => {
                state.last = Some((since, self.clock.now()));
                state.refusing_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}

impl State {
    fn pressed(&self, uptime: Uptime) -> Option<StoreError> {
        if let Some(error) = self.trouble.as_ref().or(self.crowded.as_ref()) {
            return Some(error.clone());
        }
        if self.waiting >= MOST_WAITING {
            return Some(StoreError::Busy { cause: format!("{} units wait for the disk", self.waiting) });
        }
        let waited = uptime.since(self.commits.first_key_value()?.1.1);
        (waited > LONGEST_WAIT).then(|| StoreError::Busy { cause: format!("a commit has waited {waited} for the disk") })
    }
}

impl Pressure {
    /// On a store that is idle and well.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Pressure {
        Pressure(Arc::new(Shared { clock, state: Mutex::default(), refused: [const { AtomicU64::new(0) }; 3] }))
    }

    /// Whether more may be let in; if not, why not.
    pub fn look(&self) -> Result<(), StoreError> {
        let uptime = self.0.clock.uptime();
        let mut state = self.0.state();
        let pressed = state.pressed(uptime);
        self.0.note(&mut state, pressed.is_some());
        pressed.map_or(Ok(()), Err)
    }

    /// The same for a request that is turned away if not: it is counted.
    pub(crate) fn admit(&self) -> Result<(), StoreError> {
        self.look().map_err(|error| self.refused(error))
    }

    /// Counts a request that the store did not take.
    pub(crate) fn refused(&self, error: StoreError) -> StoreError {
        if let Some(pressed) = Pressed::of(&error) {
            let [busy, full, unavailable] = &self.0.refused;
            let count = match pressed {
                Pressed::Busy => busy,
                Pressed::Full => full,
                Pressed::Unavailable => unavailable,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
        error
    }

    /// How many seconds whoever is turned away now should stay away.
    pub fn retry_after(&self) -> u32 {
        let pressed = self.look().err().and_then(|error| Pressed::of(&error));
        pressed.unwrap_or(Pressed::Unavailable).retry_after()
    }

    /// What is known of intake.
    pub fn intake(&self) -> IntakeHealth {
        let refused = Pressed::ALL.into_iter().zip(&self.0.refused).map(|(pressed, count)| (pressed, count.load(Ordering::Relaxed))).collect();
        let state = self.0.state();
        IntakeHealth { refusing_since: state.refusing_since, last: state.last, waiting: state.waiting, refused }
    }

    fn troubled(&self) -> bool {
        self.0.state().trouble.is_some()
    }

    fn mended(&self) {
        self.0.state().trouble = None;
    }

    /// Keeps the last of the room for what is under way.
    fn has_room(&self, room: Room) {
        let crowded = room
            .most
            .filter(|most| room.used >= most - most / KEPT)
            .map(|most| StoreError::Full { cause: format!("{} of {most} bytes are used, and the rest is kept for what is under way; raise max_size under [store]", room.used) });
        self.0.state().crowded = crowded;
    }
}

impl Engine {
    /// The pressure on the store.
    pub fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// Looks whether the store has room, and after trouble whether it takes writes again. Nobody else would find out
    /// while everybody is turned away.
    pub(crate) async fn look_at_the_store(&self) -> Result<(), StoreError> {
        self.pressure.has_room(self.store.room().await?);
        if self.pressure.troubled() {
            self.store.probe().await?;
            self.pressure.mended();
            tracing::info!("the store takes writes again");
        }
        // Notes the end of it, though nobody asks.
        drop(self.pressure.look());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::clock::ManualClock;

    fn pressure() -> (Arc<ManualClock>, Pressure) {
        let clock = Arc::new(ManualClock::at(Time(1_000)));
        (clock.clone(), Pressure::new(clock))
    }

    fn word(pressure: &Pressure) -> &'static str {
        pressure.look().err().and_then(|e| Pressed::of(&e)).map_or("well", Pressed::word)
    }

    #[test]
    fn much_that_waits_turns_away_and_passes() {
        let (clock, pressure) = pressure();
        let few = pressure.0.begin(MOST_WAITING - 2);
        assert_eq!(word(&pressure), "well");
        let more = pressure.0.begin(2);
        assert_eq!((word(&pressure), pressure.intake().waiting), ("busy", MOST_WAITING));
        drop(more);
        assert_eq!(word(&pressure), "well");
        clock.advance(LONGEST_WAIT);
        let fresh = pressure.0.begin(1);
        assert_eq!(word(&pressure), "well");
        clock.advance(Span(1));
        assert_eq!(word(&pressure), "busy", "the oldest counts");
        drop(few);
        assert_eq!(word(&pressure), "well");
        drop(fresh);
        assert_eq!(pressure.intake().waiting, 0);
    }

    #[test]
    fn it_says_since_when_and_how_often() {
        let (clock, pressure) = pressure();
        pressure.admit().unwrap();
        assert_eq!(pressure.intake().refusing_since, None);
        pressure.has_room(Room { used: 95, most: Some(100) });
        assert_eq!(Pressed::of(&pressure.admit().unwrap_err()), Some(Pressed::Full));
        clock.advance(Span(500));
        pressure.admit().unwrap_err();
        let health = pressure.intake();
        assert_eq!((health.refusing_since, health.last), (Some(Time(1_000)), None));
        assert_eq!(health.refused, [(Pressed::Busy, 0), (Pressed::Full, 2), (Pressed::Unavailable, 0)]);
        assert_eq!(pressure.retry_after(), 30);
        pressure.has_room(Room { used: 94, most: Some(100) });
        pressure.look().unwrap();
        let health = pressure.intake();
        assert_eq!((health.refusing_since, health.last), (None, Some((Time(1_000), Time(1_500)))));
        pressure.has_room(Room { used: i64::MAX, most: None });
        assert_eq!(word(&pressure), "well", "without a limit there is always room");
    }
}
