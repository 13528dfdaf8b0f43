//! The router in process: real engine, real SQL in memory, a clock that stands still.

mod api;
mod console;
mod hooks;
mod support;
