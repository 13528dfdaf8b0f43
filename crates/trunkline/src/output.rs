//! What goes to the terminal: results to standard output, everything else to standard error.
//!
//! Its own file because it is the one place that prints. Exit codes are here too, since scripts read both.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Done, and all is well.
pub(crate) const EXIT_OK: u8 = 0;
/// It could not be done.
pub(crate) const EXIT_FAILED: u8 = 1;
/// It was done, and found something wrong: problems of the configuration, differences, violations, nothing found.
pub(crate) const EXIT_FOUND: u8 = 3;

/// A line of the result. A closed pipe ends quietly: whoever read it has enough.
pub(crate) fn say(line: &str) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(i32::from(EXIT_OK));
    }
}

/// A result as JSON on one line.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    say(&serde_json::to_string(value)?);
    Ok(())
}

/// Where a result of many lines goes, for whoever writes them together.
pub(crate) fn stream() -> std::io::StdoutLock<'static> {
    std::io::stdout().lock()
}

/// Something that went wrong.
pub(crate) fn complain(line: &str) {
    // Nothing is left to do if even this cannot be written.
    drop(writeln!(std::io::stderr().lock(), "trunkline: {line}"));
}

/// A line that tells how it goes.
pub(crate) fn tell(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Whether somebody watches.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Rows as a table: columns as wide as their widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).chain(head.get(column).map(|h| h.chars().count())).max().unwrap_or(0);
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().enumerate().map(|(i, c)| format!("{c}{}", " ".repeat(width(i).saturating_sub(c.chars().count())))).collect();
        say(padded.join("  ").trim_end());
    };
    line(head.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}
