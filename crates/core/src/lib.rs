//! The rules of Trunkline: pure functions from facts and `now` to a decision.
//!
//! Everything that must be right (consent, quiet hours, journeys, delivery state, retries) lives here, where
//! nothing can read a clock, draw a random number, open a socket or touch a table. Callers load facts, ask, and
//! commit the answer. The modules are declared in reading order: values first, then definitions, then decisions.

pub mod clock;
pub mod id;
pub mod time;

pub mod number;
pub mod purpose;
pub mod zone;

mod csv;

pub mod expr;
mod locale;
pub mod segment;
pub mod template;

pub mod preview;
pub mod price;

pub mod event;
pub mod source;

pub mod consent;
pub mod gate;
pub mod keyword;
pub mod looping;
pub mod quiet;
pub mod reason;
pub mod sender;

pub mod journey;

pub mod gap;
pub mod message;
pub mod outcome;
pub mod resolve;
pub mod retry;

pub mod breaker;
pub mod daily;
pub mod health;
pub mod pace;
pub mod rate;
pub mod route;

pub mod owe;

pub mod erase;
pub mod planted;
