//! The simulation's own tests: it keeps its promises, replays, and remembers seeds that once broke one. And rules of
//! the engine that need a follower or a day of events to be seen.

#[cfg(test)]
mod determinism;
#[cfg(test)]
mod followers;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod keywords;
#[cfg(test)]
mod priorities;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod unclear;
