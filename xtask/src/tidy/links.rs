//! Documentation that can be found and does not lead nowhere: every file of `docs/` is linked, every link has an end.
//!
//! Only links inside the project are followed; headings and other sites are not looked at.

use std::collections::BTreeSet;

use super::Problem;
use super::files::File;

/// The pages from which everything else must be reachable.
const DOORS: [&str; 2] = ["README.md", "ARCHITECTURE.md"];

/// Looks at every page.
pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut linked = BTreeSet::new();
    for page in files.iter().filter(|f| f.is("md")) {
        for (number, line) in page.lines() {
            for target in targets(line) {
                let path = resolve(&page.path, target);
                let exists = files.iter().any(|f| f.path == path || f.path.starts_with(&format!("{path}/")));
                if !exists {
                    problems.push(Problem::new(&page.path, number, format!("links to `{target}`, which does not exist"), "mend the link, or write the file"));
                }
                if DOORS.contains(&page.path.as_str()) {
                    linked.insert(path);
                }
            }
        }
    }
    for file in files.iter().filter(|f| f.path.starts_with("docs/") && !linked.contains(&f.path)) {
        problems.push(Problem::new(&file.path, 1, "is linked from nowhere", "link it from README.md or ARCHITECTURE.md, or remove it"));
    }
    problems
}

/// The files that a line links to; a page's comments do not count.
fn targets(line: &str) -> Vec<&str> {
    if line.starts_with("<!--") {
        return Vec::new();
    }
    let after = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    after.filter(|target| !target.is_empty() && !target.contains(':')).collect()
}

/// A link's target from the root of the workspace.
fn resolve(page: &str, target: &str) -> String {
    let mut path: Vec<&str> = page.split('/').collect();
    path.pop();
    for step in target.trim_end_matches('/').split('/') {
        match step {
            "." => {}
            ".." => {
                path.pop();
            }
            name => path.push(name),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pages: &[(&str, &str)]) -> Vec<(String, String)> {
        let files: Vec<File> = pages.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
        check(&files).into_iter().map(|p| (p.file, p.what)).collect()
    }

    #[test]
    fn links_have_two_ends() {
        let good =
            [("README.md", "[a](docs/a.md#part), ![b](docs/b.png), [c](https://example.com), [d](docs/), [e](#top)"), ("docs/a.md", "[up](../README.md)"), ("docs/b.png", "")];
        assert!(found(&good).is_empty(), "{:?}", found(&good));
        let dead = found(&[("README.md", "[a](docs/a.md)\n<!-- [b](docs/b.md) -->")]);
        assert_eq!(dead, [("README.md".to_owned(), "links to `docs/a.md`, which does not exist".to_owned())]);
        let lost = found(&[("README.md", ""), ("docs/a.md", "[a](b.md)"), ("docs/b.md", "")]);
        assert_eq!(lost.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(), ["docs/a.md", "docs/b.md"]);
    }
}
