//! The whole binary, as its users run it: one behaviour a file.

#[cfg(test)]
mod chaos;
#[cfg(test)]
mod check;
#[cfg(test)]
mod classify;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod segments;
#[cfg(test)]
mod support;
#[cfg(test)]
mod synced;
