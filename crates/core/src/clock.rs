//! The two clocks: business time, which may be scaled, and real elapsed time, which may not.
//!
//! The only file in the workspace that reads the system's clocks; everything else is handed a `Clock` or `now`.

use std::sync::atomic::{AtomicI64, Ordering};
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

/// The machine's clocks, business time running `scale` times as fast from a chosen origin.
pub struct SystemClock {
    started: Instant,
    origin: Time,
    scale: i64,
}

impl SystemClock {
    /// Business time is the time of day.
    pub fn new() -> SystemClock {
        SystemClock { started: instant(), origin: wall(), scale: 1 }
    }

    /// Business time starts at `origin` and runs `scale` times as fast as real time.
    pub fn scaled(origin: Time, scale: u32) -> SystemClock {
        SystemClock { started: instant(), origin, scale: i64::from(scale.max(1)) }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        if self.scale == 1 { wall() } else { self.origin + Span(self.uptime().0.saturating_mul(self.scale)) }
    }

    fn uptime(&self) -> Uptime {
        Uptime(i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn real(&self, span: Span) -> Span {
        Span(span.0 / self.scale)
    }
}

/// A clock that moves only when told to: tests and the simulation.
#[derive(Default)]
pub struct ManualClock {
    now: AtomicI64,
    uptime: AtomicI64,
}

impl ManualClock {
    /// Starts at `now`, with an uptime of zero.
    pub fn at(now: Time) -> ManualClock {
        ManualClock { now: AtomicI64::new(now.0), uptime: AtomicI64::new(0) }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, span: Span) {
        self.now.fetch_add(span.0, Ordering::SeqCst);
        self.uptime.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Moves business time to `now`, and uptime along if that is forward.
    pub fn set(&self, now: Time) {
        let before = self.now.swap(now.0, Ordering::SeqCst);
        self.uptime.fetch_add((now.0 - before).max(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.now.load(Ordering::SeqCst))
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
