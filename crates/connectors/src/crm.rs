//! Systems of record that are written back to.
//!
//! Its own file because more dialects follow; the one below is defined wholly in configuration.

pub mod declared;
