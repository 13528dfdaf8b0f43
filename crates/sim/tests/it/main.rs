//! The simulation's own tests: it keeps its promises, replays, and remembers seeds that once broke one.

#[cfg(test)]
mod determinism;
#[cfg(test)]
mod smoke;
