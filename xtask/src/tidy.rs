//! The rules that no compiler checks: headers, sizes, who imports whom, marks left behind, links.
//!
//! One file for each kind of check below. All problems are listed at once, each with its place and what to do; how
//! long a function may be and what may not be called is clippy's concern.

mod crates;
mod files;
mod links;

use std::fmt;
use std::path::Path;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, from the root of the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    fn new(file: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { file: file.to_owned(), line, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.what, self.fix)
    }
}

/// What the checks found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Everything to mend, by file and line.
    pub problems: Vec<Problem>,
    /// How many Rust files there are.
    pub files: usize,
    /// How many lines the file in the middle has.
    pub median: usize,
}

/// Runs every check on the workspace at `root`.
pub fn check(root: &Path) -> anyhow::Result<Report> {
    let all = files::read(root)?;
    let lengths = files::lengths(&all);
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let mut problems = files::check(&all, &root.to_string_lossy(), median);
    problems.extend(links::check(&all));
    problems.extend(crates::check(&all, &crates::metadata(root)?));
    problems.sort();
    Ok(Report { problems, files: lengths.len(), median })
}
