//! The JSON API: one resource a file.
//!
//! Its own file to list them; what they share (who asks, how problems are told, how bodies are read) is below.

pub mod auth;
pub(crate) mod body;
pub(crate) mod consent;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod messages;
pub(crate) mod problem;
