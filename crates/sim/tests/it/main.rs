//! The simulation's own tests: it keeps its promises, replays, and remembers seeds that once broke one. And rules of
//! the engine that need a follower or a day of events to be seen.

#[cfg(test)]
mod consent;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod followers;
#[cfg(test)]
mod gaps;
#[cfg(test)]
mod hours;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod keywords;
#[cfg(test)]
mod looping;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod priorities;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod stuck;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod unclear;
