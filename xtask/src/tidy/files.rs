//! What each file must look like: a header, a bearable length, nothing left undone, no path of somebody's machine.
//!
//! Its own file because it also finds the files: every later check works on the list read here, and none opens
//! anything itself.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Problem;

/// The longest Rust file.
const LONGEST: usize = 600;
/// The longest that the file in the middle may be.
const LONGEST_MEDIAN: usize = 200;
/// Directories that hold nothing written by hand.
const SKIPPED: [&str; 3] = ["artifacts", "node_modules", "target"];
/// What is read as text, by the end of its name.
const TEXTS: [&str; 15] = [".ci/run", ".css", ".csv", ".html", ".js", ".json", ".md", ".mjs", ".rs", ".sh", ".sql", ".svg", ".toml", ".txt", "Makefile"];
/// Marks of unfinished or unfailing code, spelled in two so that this file has none.
const MARKS: [(&str, &str); 7] = [
    (concat!("to", "do!"), "write it, or leave it out"),
    (concat!("unimple", "mented!"), "write it, or leave it out"),
    (concat!("FIX", "ME"), "mend it, or describe the limit in a sentence"),
    (concat!("XX", "X"), "mend it, or describe the limit in a sentence"),
    (concat!("#[ig", "nore"), "mend the test, or remove it"),
    (concat!("#[should_", "panic"), "return the failure as a value and assert on it"),
    (concat!("db", "g!"), "remove it"),
];
/// Where people's machines keep their files, spelled in two for the same reason.
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];

/// A file of the project.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// From the root of the workspace, with slashes.
    pub(super) path: String,
    /// What it says; empty if it is not text.
    pub(super) text: String,
}

impl File {
    /// Whether its name ends with `.` and this.
    pub(super) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
    }

    /// Its lines, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// Every file that somebody wrote, by path.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut found = Vec::new();
    walk(root, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, prefix: &str, found: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !matches!(name.as_str(), ".cargo" | ".ci");
            if !hidden && !SKIPPED.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), found)?;
            }
        } else if kind.is_file() {
            let bytes = if TEXTS.iter().any(|end| path.ends_with(end)) { fs::read(entry.path()).with_context(|| format!("read {path}"))? } else { Vec::new() };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            found.push(File { path, text });
        }
    }
    Ok(())
}

/// How many lines each Rust file has, the shortest first.
pub(super) fn lengths(files: &[File]) -> Vec<usize> {
    let mut lengths: Vec<usize> = files.iter().filter(|f| f.is("rs")).map(|f| f.text.lines().count()).collect();
    lengths.sort_unstable();
    lengths
}

/// Looks at every file; `own` is where the workspace is checked out.
pub(super) fn check(files: &[File], own: &str, median: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        if file.is("rs") {
            shape(file, &mut problems);
            marks(file, &mut problems);
        }
        machine_paths(file, own, &mut problems);
    }
    if median > LONGEST_MEDIAN {
        let what = format!("half of all Rust files have {median} lines or more, and {LONGEST_MEDIAN} is the most for the one in the middle");
        problems.push(Problem::new("Cargo.toml", 1, what, "split the files that do more than one thing"));
    }
    problems
}

fn shape(file: &File, problems: &mut Vec<Problem>) {
    if !file.text.starts_with("//!") {
        problems.push(Problem::new(&file.path, 1, "has no header", "open it with `//!`: what it is, why it is its own file, what it leaves to others"));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST {
        problems.push(Problem::new(&file.path, lines, format!("has {lines} lines, and {LONGEST} is the most"), "split it along its concerns"));
    }
}

fn marks(file: &File, problems: &mut Vec<Problem>) {
    for (number, line) in file.lines() {
        for (mark, fix) in MARKS {
            if line.contains(mark) {
                problems.push(Problem::new(&file.path, number, format!("has `{mark}`"), fix));
            }
        }
    }
}

fn machine_paths(file: &File, own: &str, problems: &mut Vec<Problem>) {
    // A checkout right below the root, such as `/app`, may be the name of something else.
    let own = Some(own).filter(|path| path.matches('/').count() > 1);
    for (number, line) in file.lines() {
        if let Some(found) = HOMES.into_iter().chain(own).find(|home| starts_a_path(line, home)) {
            problems.push(Problem::new(&file.path, number, format!("names a place on one machine (`{found}`)"), "use a path from the root of the workspace"));
        }
    }
}

/// Whether `home` stands in the line as the beginning of a path, not inside of a longer one or of a URL.
fn starts_a_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line.get(..at).and_then(|s| s.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"/._-~})>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&[file], "/srv/build/app", 0).into_iter().map(|p| (p.line, p.what)).collect()
    }

    #[test]
    fn good_files_pass() {
        let url = format!("see https://example.com{}x and /hooks/{{name}}\n", HOMES[0]);
        let prose = format!("Pages may speak of {}.\n", MARKS[2].0);
        for (path, text) in [("a.rs", "//! A header.\nfn f() {}\n"), ("a.md", &url), ("a.md", &prose)] {
            let found = found(path, text);
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn each_rule_has_a_place() {
        assert_eq!(found("a.rs", "fn f() {}\n"), [(1, "has no header".to_owned())]);
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        assert_eq!(found("a.rs", &long), [(LONGEST + 1, format!("has {} lines, and {LONGEST} is the most", LONGEST + 1))]);
        for (mark, _) in MARKS {
            assert_eq!(found("a.rs", &format!("//! A header.\n// {mark}\n")), [(2, format!("has `{mark}`"))]);
        }
        for path in HOMES.into_iter().chain(["/srv/build/app"]) {
            assert_eq!(found("a.toml", &format!("x = 1\ny = \"{path}x\"\n")).len(), 1, "{path}");
        }
        let median = check(&[], "/", LONGEST_MEDIAN + 1);
        assert_eq!(median.len(), 1);
    }
}
