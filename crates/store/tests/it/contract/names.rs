//! The suite names every operation of the trait, every command and everything that can be owed, or this fails.
//!
//! Its own file because it reads the sources as text: an operation that no case calls is one on which two backends
//! may drift apart.

const TRAIT: &str = include_str!("../../../src/lib.rs");
const COMMANDS: &str = include_str!("../../../src/command.rs");
const OWES: &str = include_str!("../../../../core/src/owe.rs");
const CASES: [&str; 19] = [
    include_str!("support.rs"),
    include_str!("access.rs"),
    include_str!("consent.rs"),
    include_str!("erasure.rs"),
    include_str!("events.rs"),
    include_str!("full.rs"),
    include_str!("gaps.rs"),
    include_str!("hooks.rs"),
    include_str!("lists.rs"),
    include_str!("messages.rs"),
    include_str!("outward.rs"),
    include_str!("owes.rs"),
    include_str!("pages.rs"),
    include_str!("people.rs"),
    include_str!("reopen.rs"),
    include_str!("runs.rs"),
    include_str!("units.rs"),
    include_str!("work.rs"),
    include_str!("writeback.rs"),
];

/// The cases as one line without spaces, so that line breaks inside a call don't matter.
fn cases() -> String {
    CASES.iter().flat_map(|source| source.split_whitespace()).collect()
}

/// The leading word of a line.
fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The lines between the one that starts with `opening` and the brace that closes it.
fn block<'a>(source: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    source.lines().skip_while(move |line| !line.starts_with(opening)).skip(1).take_while(|line| *line != "}")
}

#[test]
fn every_operation_is_named() {
    let names: Vec<String> = block(TRAIT, "pub trait Store").filter_map(|line| line.trim().strip_prefix("async fn ")).map(word).collect();
    assert!(names.len() >= 45, "the trait is read: {names:?}");
    let cases = cases();
    let missing: Vec<&String> = names.iter().filter(|name| !cases.contains(&format!("store.{name}("))).collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}

/// The variants of an enum that no case names.
fn unnamed(source: &str, name: &str, at_least: usize) -> Vec<String> {
    let opening = format!("pub enum {name} {{");
    let lines: Vec<&str> = block(source, &opening).collect();
    let variants = lines.into_iter().filter_map(|line| line.strip_prefix("    ")).map(word);
    let mut names: Vec<String> = variants.filter(|variant| variant.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    assert!(names.len() >= at_least, "{name} is read: {names:?}");
    let cases = cases();
    let named = |variant: &str| cases.split(&format!("{name}::{variant}")).skip(1).any(|rest| !rest.starts_with(char::is_alphanumeric));
    names.retain(|variant| !named(variant));
    names
}

#[test]
fn every_command_is_named() {
    let missing = unnamed(COMMANDS, "Command", 27);
    assert!(missing.is_empty(), "no case commits {missing:?}");
}

#[test]
fn everything_owed_is_named() {
    let missing = unnamed(OWES, "Owe", 4);
    assert!(missing.is_empty(), "no case owes {missing:?}");
}
