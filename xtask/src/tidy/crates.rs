//! Who imports whom: the workspace's real dependencies against the table in ARCHITECTURE.md.
//!
//! Its own file because it asks Cargo instead of reading files. Dev-dependencies may add anything: a test may need
//! what the code must not reach.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use super::Problem;
use super::files::File;

/// The page with the table: a fenced block named `dependencies`, a line for each crate.
const PAGE: &str = "ARCHITECTURE.md";
/// Crates that decide and translate; they reach no runtime, no table and no socket.
const PURE: [&str; 2] = ["core", "connectors"];
/// What would let them.
const IMPURE: [&str; 8] = ["async-trait", "axum", "hyper", "hyper-util", "reqwest", "rusqlite", "tokio", "tokio-postgres"];

/// What Cargo says about the workspace.
#[derive(Deserialize)]
pub(super) struct Metadata {
    workspace_root: String,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// One line of the table.
struct Row<'a> {
    line: usize,
    name: &'a str,
    may: Vec<&'a str>,
}

/// Asks Cargo; reads manifests only, so it neither builds nor downloads.
pub(super) fn metadata(root: &Path) -> anyhow::Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).current_dir(root).args(["metadata", "--no-deps", "--format-version", "1"]).output().context("run cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("read the answer of cargo metadata")
}

/// Compares them.
pub(super) fn check(files: &[File], metadata: &Metadata) -> Vec<Problem> {
    let page = files.iter().find(|f| f.path == PAGE);
    let rows = page.map(table).unwrap_or_default();
    let mut problems = Vec::new();
    if rows.is_empty() {
        problems.push(Problem::new(PAGE, 1, "has no table of dependencies", "write a fenced block named `dependencies` with a line such as `store -> core` for each crate"));
        return problems;
    }
    for package in &metadata.packages {
        let name = short(&package.name);
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root).unwrap_or(&package.manifest_path).trim_start_matches('/');
        let file = files.iter().find(|f| f.path == manifest);
        let mut problem = |dependency: &str, what: String, fix: String| {
            let line = file.and_then(|f| line_of(f, dependency)).unwrap_or(1);
            problems.push(Problem::new(manifest, line, what, fix));
        };
        let Some(row) = rows.iter().find(|row| row.name == name) else {
            problem("name", format!("'{name}' is not in the table of dependencies"), format!("add a line for it to {PAGE}"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            let other = short(&dependency.name);
            if rows.iter().any(|r| r.name == other) && !row.may.contains(&other) {
                problem(&dependency.name, format!("'{name}' imports '{other}'"), format!("{PAGE}:{} does not permit it; move the code, or change the design first", row.line));
            }
            if PURE.contains(&name) && IMPURE.contains(&other) {
                problem(&dependency.name, format!("'{name}' decides and translates, and '{other}' does I/O"), "leave the I/O to 'engine' or 'store'".to_owned());
            }
        }
    }
    for row in &rows {
        for name in [row.name].iter().chain(&row.may) {
            if !metadata.packages.iter().any(|p| short(&p.name) == *name) {
                problems.push(Problem::new(PAGE, row.line, format!("'{name}' is no crate of this workspace"), "mend the table of dependencies"));
            }
        }
    }
    problems
}

/// The lines `store -> core` of the fenced block.
fn table(page: &File) -> Vec<Row<'_>> {
    let mut inside = false;
    let mut rows = Vec::new();
    for (line, text) in page.lines() {
        if text.starts_with("```") {
            inside = text.trim_end() == "```dependencies";
        } else if let (true, Some((name, may))) = (inside, text.split_once("->")) {
            rows.push(Row { line, name: name.trim(), may: may.split([',', ' ']).filter(|n| !n.is_empty()).collect() });
        }
    }
    rows
}

/// A crate's name without the family's.
fn short(name: &str) -> &str {
    name.strip_prefix("trunkline-").unwrap_or(name)
}

/// The line of a manifest on which a key stands.
fn line_of(manifest: &File, key: &str) -> Option<usize> {
    let starts = |text: &str| text.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().find(|(_, text)| starts(text)).map(|(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependencies = dependencies.iter().map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) }).collect();
        Package { name: name.to_owned(), manifest_path: format!("/w/crates/{}/Cargo.toml", short(name)), dependencies }
    }

    fn found(page: &str, packages: Vec<Package>) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let manifest = "[dependencies]\ntrunkline-store.workspace = true\ntokio = \"1\"\n";
        let files = [file(PAGE, page), file("crates/core/Cargo.toml", manifest)];
        let metadata = Metadata { workspace_root: "/w".to_owned(), packages };
        check(&files, &metadata).into_iter().map(|p| format!("{}:{}: {}", p.file, p.line, p.what)).collect()
    }

    const TABLE: &str = "# Crates\n```dependencies\ncore ->\nstore -> core\n```\n```text\nother -> core\n```\n";

    #[test]
    fn what_is_permitted_passes() {
        let store = package("trunkline-store", &[("trunkline-core", None), ("tokio", None)]);
        let core = package("trunkline-core", &[("serde", None), ("trunkline-store", Some("dev"))]);
        let found = found(TABLE, vec![core, store]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn what_is_not_is_named() {
        let store = || package("trunkline-store", &[]);
        let backwards = package("trunkline-core", &[("trunkline-store", None), ("tokio", None)]);
        let expect = ["crates/core/Cargo.toml:2: 'core' imports 'store'", "crates/core/Cargo.toml:3: 'core' decides and translates, and 'tokio' does I/O"];
        assert_eq!(found(TABLE, vec![backwards, store()]), expect);
        let core = || package("trunkline-core", &[]);
        assert_eq!(found(TABLE, vec![core()]), ["ARCHITECTURE.md:4: 'store' is no crate of this workspace"]);
        assert_eq!(found(TABLE, vec![core(), store(), package("other", &[])]), ["crates/other/Cargo.toml:1: 'other' is not in the table of dependencies"]);
        assert_eq!(found("", vec![core()]), ["ARCHITECTURE.md:1: has no table of dependencies"]);
    }
}
