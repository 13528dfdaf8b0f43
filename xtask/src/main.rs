//! `cargo xtask tidy` and `cargo xtask gen`: the commands around the library.
//!
//! Exit codes: 0 when all is well, 1 when there is something to mend, 2 when the command is not understood.

#![expect(clippy::print_stdout, reason = "a command answers on standard output")]

use std::fs;
use std::process::ExitCode;

use anyhow::Context;

const USAGE: &str = "cargo xtask tidy         lists what breaks the project's rules, with the fix
cargo xtask gen          writes what is generated from the code
cargo xtask gen --check  says whether it is up to date";

fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy(),
        ["gen"] => generate(false),
        ["gen", "--check"] => generate(true),
        _ => {
            println!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

fn tidy() -> anyhow::Result<ExitCode> {
    let report = xtask::tidy::check(&xtask::root())?;
    for problem in &report.problems {
        println!("{problem}");
    }
    println!("{} problems; {} Rust files, median {} lines", report.problems.len(), report.files, report.median);
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn generate(only_check: bool) -> anyhow::Result<ExitCode> {
    let path = xtask::root().join(xtask::lattice::FILE);
    let picture = xtask::lattice::picture()?;
    if !only_check {
        fs::write(&path, picture).with_context(|| format!("write {}", xtask::lattice::FILE))?;
        println!("wrote {}", xtask::lattice::FILE);
        return Ok(ExitCode::SUCCESS);
    }
    if fs::read_to_string(&path).is_ok_and(|there| there == picture) {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}:1: differs from what the code says; run `cargo xtask gen` and look at the change", xtask::lattice::FILE);
    Ok(ExitCode::FAILURE)
}
