//! `segments` answers files line by line, and needs no configuration for it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn segments(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    let mut child = command.arg("segments").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn lines_are_answered_beside_their_questions() {
    let input = "{\"text\":\"Hi\"}\n{\"text\":\"“Hi”\",\"smart_encoding\":true}\n\n{\"text\":5}\n{\"text\":\"Привет\",\"id\":7}";
    let output = segments(&["--json"], input);
    let told = text(&output);
    let lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sizes: Vec<String> = lines.iter().map(|l| format!("{} {} {} {}", l["encoding"], l["segments"], l["units"], l["line"])).collect();
    assert_eq!(sizes, ["\"GSM-7\" 1 2 null", "\"GSM-7\" 1 4 null", "null null null 3", "null null null 4", "\"UCS-2\" 1 6 null"]);
    assert_eq!(output.status.code(), Some(3), "a line that could not be read is told in the exit code");
    assert_eq!(segments(&["--json"], "{\"text\":\"\"}\n").status.code(), Some(0));
}

#[test]
fn one_text_comes_as_an_argument_or_on_standard_input() {
    let said = text(&segments(&["Hello"], ""));
    assert_eq!(said, text(&segments(&[], "Hello\n")));
    assert!(said.starts_with("GSM-7, 1 segment, 5 septets\n"), "{said}");
}
