//! Classic faults that can be put back, one at a time, to prove that the simulation finds each of them.
//!
//! Its own file because nothing of it is in the product: without the feature `planted` the question is always answered
//! with no, at compile time, and the branches that ask it are gone. With it, a fault is there for as long as one closure
//! runs on one thread, which is where a simulated world lives. It decides nothing else.

#[cfg(feature = "planted")]
use std::cell::Cell;

/// A fault that somebody else's system has had, and ours must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The call is made, and its attempt was never committed.
    CallBeforeCommit,
    /// A receipt is a copy if its text had one before, whatever that one said.
    DedupeById,
    /// Attempts of a dead process are taken for not begun, and made again.
    TakeoverResends,
    /// A call without an answer is taken for one that did not arrive.
    RetryOnTimeout,
    /// The gate is asked when a text is made, and not when it is claimed.
    GateOnce,
    /// A status that nobody knows is taken for the end.
    UnknownIsFinal,
    /// The receipt that came last is believed.
    LastReceiptWins,
    /// A receipt that comes before the answer of its call is thrown away.
    EarlyReceiptDropped,
    /// A webhook is acknowledged though it could not be filed.
    AckBeforeCommit,
    /// A change of consent does not bump the version that claims compare.
    ConsentUnguarded,
    /// A webhook with a wrong signature is noted and taken all the same.
    ForgedAccepted,
    /// A source's webhook that comes twice is two events.
    EventsNotDeduped,
    /// Quiet hours are those of UTC.
    HoursInUtc,
    /// Of a number that may be in several zones, the first one counts.
    FirstZoneOnly,
    /// A text does not wait for an earlier one of its run.
    OrderIgnored,
    /// What was owed while a write was in the air is taken for written.
    LatestLost,
    /// A conflict in the other system is taken for success.
    ConflictIsDone,
    /// Counters keep what a unit added before it was undone.
    CountsOfUndone,
    /// A look-up may bind an id of the vendor's that belongs to another attempt.
    BoundTwice,
    /// A state changes, and its history does not say so.
    HistoryMissing,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 20] = [
        Fault::CallBeforeCommit,
        Fault::DedupeById,
        Fault::TakeoverResends,
        Fault::RetryOnTimeout,
        Fault::GateOnce,
        Fault::UnknownIsFinal,
        Fault::LastReceiptWins,
        Fault::EarlyReceiptDropped,
        Fault::AckBeforeCommit,
        Fault::ConsentUnguarded,
        Fault::ForgedAccepted,
        Fault::EventsNotDeduped,
        Fault::HoursInUtc,
        Fault::FirstZoneOnly,
        Fault::OrderIgnored,
        Fault::LatestLost,
        Fault::ConflictIsDone,
        Fault::CountsOfUndone,
        Fault::BoundTwice,
        Fault::HistoryMissing,
    ];
}

/// Whether this fault is there now: never, in a product.
#[cfg(not(feature = "planted"))]
pub const fn planted(_fault: Fault) -> bool {
    false
}

#[cfg(feature = "planted")]
thread_local! {
    static NOW: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Whether this fault is there now.
#[cfg(feature = "planted")]
pub fn planted(fault: Fault) -> bool {
    NOW.get() == Some(fault)
}

/// Runs something with a fault, or with none, on this thread.
#[cfg(feature = "planted")]
pub fn with<T>(fault: Option<Fault>, run: impl FnOnce() -> T) -> T {
    let before = NOW.replace(fault);
    let result = run();
    NOW.set(before);
    result
}
