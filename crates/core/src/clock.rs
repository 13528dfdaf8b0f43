//! The two clocks: business time, which may be scaled, and real elapsed time, which may not.
//!
//! The only file in the workspace that reads the system's clocks; everything else is handed a `Clock` or `now`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::time::{Span, Time, Uptime};

/// Where stages get the time from.
pub trait Clock: Send + Sync {
    /// Business time: deadlines, waits, quiet hours, backoff and rates are measured in it.
    fn now(&self) -> Time;
    /// Real elapsed time: timeouts and the two-second rule are measured in it.
    fn uptime(&self) -> Uptime;
    /// How long to really wait for `span` of business time to pass.
    fn real(&self, span: Span) -> Span;
}

/// The machine's clocks; business time is the time of day, or runs faster from a chosen origin.
pub struct SystemClock {
    started: Instant,
    scaled: Option<Mutex<Scaled>>,
}

/// Business time was `origin` at `since`, and runs `scale` times as fast as real time from there.
#[derive(Clone, Copy)]
struct Scaled {
    origin: Time,
    since: Uptime,
    scale: i64,
}

impl SystemClock {
    /// Business time is the time of day.
    pub fn new() -> SystemClock {
        SystemClock { started: instant(), scaled: None }
    }

    /// Business time starts at `origin` and runs `scale` times as fast as real time.
    pub fn scaled(origin: Time, scale: u32) -> SystemClock {
        let scaled = Scaled { origin, since: Uptime(0), scale: i64::from(scale.max(1)) };
        SystemClock { started: instant(), scaled: Some(Mutex::new(scaled)) }
    }

    /// From now on business time runs `scale` times as fast; it does not jump. Nothing for the time of day.
    pub fn set_scale(&self, scale: u32) {
        let (now, uptime) = (self.now(), self.uptime());
        if let Some(scaled) = &self.scaled {
            *locked(scaled) = Scaled { origin: now, since: uptime, scale: i64::from(scale.max(1)) };
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let Some(scaled) = &self.scaled else { return wall() };
        let Scaled { origin, since, scale } = *locked(scaled);
        origin + Span(self.uptime().since(since).0.saturating_mul(scale))
    }

    fn uptime(&self) -> Uptime {
        Uptime(i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn real(&self, span: Span) -> Span {
        Span(span.0 / self.scaled.as_ref().map_or(1, |s| locked(s).scale))
    }
}

fn locked(scaled: &Mutex<Scaled>) -> MutexGuard<'_, Scaled> {
    scaled.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that moves only when told to: tests and the simulation.
#[derive(Default)]
pub struct ManualClock {
    now: AtomicI64,
    uptime: AtomicI64,
    creep: i64,
}

impl ManualClock {
    /// Like `at`, and business time creeps on by a microsecond with each look at it, as it does in life: code that
    /// looks twice where it should look once is found out.
    pub fn creeping(now: Time) -> ManualClock {
        ManualClock { creep: 1, ..ManualClock::at(now) }
    }

    /// Starts at `now`, with an uptime of zero.
    pub fn at(now: Time) -> ManualClock {
        ManualClock { now: AtomicI64::new(now.0), uptime: AtomicI64::new(0), creep: 0 }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, span: Span) {
        self.now.fetch_add(span.0, Ordering::SeqCst);
        self.uptime.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Moves business time alone, either way: somebody set the clock.
    pub fn jump(&self, now: Time) {
        self.now.store(now.0, Ordering::SeqCst);
    }

    /// Moves business time to `now`, and uptime along if that is forward.
    pub fn set(&self, now: Time) {
        let before = self.now.swap(now.0, Ordering::SeqCst);
        self.uptime.fetch_add((now.0 - before).max(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.now.fetch_add(self.creep, Ordering::SeqCst))
    }

    fn uptime(&self) -> Uptime {
        Uptime(self.uptime.load(Ordering::SeqCst))
    }

    fn real(&self, span: Span) -> Span {
        span
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the time of day")]
fn wall() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
fn instant() -> Instant {
    Instant::now()
}
