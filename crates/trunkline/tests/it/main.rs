//! The whole binary, as its users run it: one behaviour a file.

mod check;
mod demo;
mod explain;
mod kills;
mod support;
mod synced;
