//! The router in process: real engine, real SQL in memory, a clock that stands still.

#[cfg(test)]
mod api;
#[cfg(test)]
mod api_lists;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod consent;
#[cfg(test)]
mod console;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod support;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod unclear;
