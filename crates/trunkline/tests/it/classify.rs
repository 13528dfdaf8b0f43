//! `classify` reads lines and answers lines, in order; a bad one stops nothing.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Folder;

#[test]
fn one_answer_a_line() {
    let folder = Folder::new("http://127.0.0.1:8081");
    let shipped = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    folder.write("trunkline.toml", &shipped.replace("free_text = \"review\"", "stop = [\"no more offers\"]"));
    let mut child = folder.command(&["classify", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = [
        json!({"text": "pls stop", "locale": "en", "state": "subscribed"}).to_string(),
        "STOP".to_owned(),
        json!({"text": "yes", "locale": "en", "state": "pending"}).to_string(),
        json!({"text": "No more offers!", "locale": "en"}).to_string(),
    ];
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.success());
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0], json!({"action": "opt_out", "how": "lenient-last"}));
    assert!(told[1]["line"] == 2 && told[1]["error"].as_str().unwrap().starts_with("line 2: "), "{}", told[1]);
    assert_eq!(told[2], json!({"action": "opt_in", "how": "exact"}));
    assert_eq!(told[3], json!({"action": "opt_out", "how": "exact"}));
}
