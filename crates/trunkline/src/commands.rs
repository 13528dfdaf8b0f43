//! The command line: one subcommand a file.
//!
//! Its own file for the grammar: what can be asked for, with which flags. Every command has `--json`.

mod apply;
mod bench;
mod chaos;
mod check;
mod classify;
mod consent;
mod demo;
mod erase;
mod explain;
mod export;
mod keys;
mod number;
mod proof;
mod rehearse;
mod replay;
mod segments;
mod send;
mod serve;
mod sim;
mod simulate;
mod verify;
mod when;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Severity};
use crate::output;

/// Texts from business events: never twice, never lost, never after STOP, and always able to say why.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: API, webhooks, console and every stage.
    Serve(serve::Serve),
    /// Run the sandbox alone: a vendor, a shop, a CRM and phones to point a server at.
    Sim(sim::Sim),
    /// Run server and sandbox together, play a day of orders, and stay up.
    Demo(demo::Demo),
    /// Check the configuration: every problem with file, line and hint.
    Check(check::Check),
    /// Publish the journeys of the files, after showing what changes.
    Apply(apply::Apply),
    /// Run a journey over recorded events and show what would go out; nothing leaves.
    Rehearse(rehearse::Rehearse),
    /// Send one text.
    Send(send::Send),
    /// Count the segments of texts: what they cost, where they are cut, what makes them dear.
    Segments(segments::Segments),
    /// Say why a message is where it is.
    Explain(explain::Explain),
    /// Say when a text may leave to a number, and draw the week.
    When(when::When),
    /// Say what a phone number tells: country, kind of line, time zones.
    Number(number::NumberOf),
    /// Say what a text from a recipient asks for: an opt-out, an opt-in, help, or nothing.
    Classify(classify::Classify),
    /// Recompute all state from its history and compare.
    Verify(verify::Verify),
    /// Bring consent in from a file, or write the ledger to one.
    Consent(consent::Consent),
    /// Put together the proof of consent for one number.
    Proof(proof::ProofOf),
    /// Erase every text and every word about one number, for good; it stays suppressed.
    Erase(erase::Erase),
    /// Put something that gave up back to work, or list what did.
    Replay(replay::Replay),
    /// Write what happened to a file, one JSON object a line.
    Export(export::Export),
    /// Measure the whole lifecycle on this machine.
    Bench(bench::Bench),
    /// Break things on purpose, in the sandbox, and check that every promise holds.
    Chaos(chaos::Chaos),
    /// Run the whole system in a simulated world with faults, and check its promises.
    Simulate(simulate::Simulate),
    /// Make, list and revoke API keys, and set operators' passwords.
    Keys(keys::Keys),
}

/// Where the configuration is, and how to answer.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// The directory that holds trunkline.toml.
    #[arg(long, short, env = "TRUNKLINE_CONFIG", default_value = "config", global = true)]
    config: PathBuf,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl Place {
    /// The configuration, or an error that shows every problem.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        let (problems, config) = Config::load(&self.config);
        config.ok_or_else(|| {
            let errors: Vec<String> = problems.iter().filter(|p| p.problem.severity == Severity::Error).map(|p| p.picture.clone()).collect();
            anyhow::anyhow!("the configuration has {} errors; nothing was started\n\n{}", errors.len(), errors.join("\n\n"))
        })
    }
}

/// Logs to standard error: sentences by default, JSON if asked; never a number, a text or a secret.
fn log(default: &str, as_json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TRUNKLINE_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(output::watched()).with_target(false);
    let set = if as_json { builder.json().try_init() } else { builder.try_init() };
    if set.is_err() {
        output::complain("a logger is set already");
    }
}

pub(crate) async fn run(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Serve(command) => command.run().await,
        Command::Sim(command) => command.run().await,
        Command::Demo(command) => command.run().await,
        Command::Check(command) => command.run(),
        Command::Apply(command) => command.run().await,
        Command::Rehearse(command) => command.run().await,
        Command::Export(command) => command.run().await,
        Command::Bench(command) => command.run().await,
        Command::Chaos(command) => command.run().await,
        Command::Send(command) => command.run().await,
        Command::Segments(command) => command.run(),
        Command::Explain(command) => command.run().await,
        Command::Classify(command) => command.run(),
        Command::Verify(command) => command.run().await,
        Command::Consent(command) => command.run().await,
        Command::Proof(command) => command.run().await,
        Command::Erase(command) => command.run().await,
        Command::Replay(command) => command.run().await,
        Command::Simulate(command) => command.run(),
        Command::When(command) => command.run(),
        Command::Number(command) => command.run(),
        Command::Keys(command) => command.run().await,
    }
}
