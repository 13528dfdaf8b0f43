//! Reports of `trunkline chaos`, as files beside the store: kept by the command, shown by the console.
//!
//! Its own file because the command and the server share the place and nothing else: neither starts the other, and no
//! report is ever changed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use trunkline_core::time::Time;

use crate::config::Config;

/// The most that are shown: the newest.
const MOST: usize = 50;

/// Where they are, beside the store.
pub(crate) fn folder(config: &Config) -> PathBuf {
    config.store_path().with_file_name("chaos-reports")
}

/// Keeps a report; where it is.
pub(crate) fn keep<T: Serialize>(folder: &Path, started_at: Time, name: &str, report: &T) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made; give another place with --report-dir", folder.display()))?;
    // In the order of names is the order of time.
    let path = folder.join(format!("{}-{name}.json", started_at.timestamp().strftime("%Y%m%dT%H%M%SZ")));
    let text = serde_json::to_string_pretty(report)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written; give another place with --report-dir", path.display()))?;
    Ok(path)
}

/// The newest reports by name, the newest first. What is no report is left out: the folder is people's too.
pub(crate) fn kept(folder: &Path) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let report = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        Some((name, report))
    };
    paths.iter().rev().filter_map(read).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("chaos-reports");
        assert!(kept(&place).is_empty());
        for (at, name) in [("2026-11-23T08:00:00Z", "first"), ("2026-11-23T09:00:00Z", "second")] {
            keep(&place, at.parse().unwrap(), name, &serde_json::json!({"scenario": name})).unwrap();
        }
        std::fs::write(place.join("notes.txt"), "x").unwrap();
        std::fs::write(place.join("broken.json"), "{").unwrap();
        let names: Vec<String> = kept(&place).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["20261123T090000Z-second", "20261123T080000Z-first"]);
    }
}
