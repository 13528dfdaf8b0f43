//! The JSON API: one resource a file.
//!
//! Its own file to list them; what they share (who asks, how problems are told, how bodies and queries are read) is
//! below, with the description that is generated from all of it.

pub(crate) mod addresses;
pub(crate) mod consent;
pub(crate) mod deadletters;
pub(crate) mod erasure;
pub(crate) mod events;
pub(crate) mod hooks;
pub(crate) mod messages;
pub(crate) mod profiles;
pub(crate) mod rulings;
pub(crate) mod runs;

pub(crate) mod health;

pub(crate) mod ledger;
pub(crate) mod openapi;
pub(crate) mod reference;
pub(crate) mod shapes;

pub mod auth;
pub(crate) mod body;
pub(crate) mod problem;
pub(crate) mod query;
