//! Trunkline: texts from business events, exactly once, and always able to say why.
//!
//! The binary: the command line, the configuration, the wiring. It decides nothing; the only place where concrete
//! types meet and tasks are spawned.

mod commands;
mod config;
mod ndjson;
mod output;
mod reports;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("the runtime could not start: {error}"));
            return ExitCode::from(output::EXIT_FAILED);
        }
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::from(output::EXIT_FAILED)
        }
    }
}
