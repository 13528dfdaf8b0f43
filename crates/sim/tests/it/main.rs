//! The simulation's own tests: it keeps its promises, replays, and remembers seeds that once broke one.

mod determinism;
mod smoke;
