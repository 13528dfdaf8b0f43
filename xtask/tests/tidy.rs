//! The project obeys its own rules: the same checks as `cargo xtask tidy`.
//!
//! One test for all of them, since one look at the list says everything.

#[test]
fn the_project_is_tidy() {
    let report = xtask::tidy::check(&xtask::root()).unwrap();
    let list: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}", list.join("\n"));
    assert!(report.files > 0);
}
