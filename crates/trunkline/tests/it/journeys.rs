//! Journeys from the command line: what changes before it is published, what would go out before anything does, what
//! went in afterwards; and the keys that followers verify with.
//!
//! Its own file because these commands are one way of working: look, rehearse, apply, export. Most of them run without
//! a server. What a journey decides is tested where it is decided.

use std::process::Output;

use serde_json::{Value, json};
use trunkline_connectors::http::Request;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};

use crate::support::Folder;

const NOWHERE: &str = "http://127.0.0.1:9";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn code(output: &Output, expect: i32) -> String {
    let text = said(output);
    assert_eq!(output.status.code(), Some(expect), "{text}");
    text
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

fn has(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "no '{piece}' in\n{text}");
    }
}

/// An event of the carrier about an order, and a customer whose phone is in California.
fn event(id: &str, kind: &str, time: &str, n: u32) -> String {
    let data = json!({"order": format!("#{n}"), "customer_id": format!("c{n}"), "phone": format!("+1415555{n:04}"), "problem": "is late"});
    json!({"specversion": "1.0", "id": id, "source": "/logistics", "type": kind, "time": time, "data": data}).to_string()
}

fn rehearse(folder: &Folder, lines: &[String], more: &[&str]) -> Output {
    folder.write("events.ndjson", &lines.join("\n"));
    let events = folder.path().join("events.ndjson");
    folder.run(&[&["rehearse", "delivery-exception", "--events", events.to_str().unwrap()], more].concat())
}

#[test]
fn apply_shows_the_difference_and_publishes_it_once() {
    let folder = Folder::new(NOWHERE);
    for _ in 0..2 {
        let looked = code(&folder.run(&["apply", "--dry-run"]), 3);
        has(&looked, &["order-confirmed: new, version 1", "delivery-exception: new, version 1", "no run is under way"]);
    }
    has(&code(&folder.run(&["apply"]), 1), &["nobody can be asked here", "--yes", "--dry-run"]);
    has(&code(&folder.run(&["apply", "--yes"]), 0), &["4 journeys published"]);
    has(&code(&folder.run(&["apply", "--yes"]), 0), &["nothing to apply"]);

    let path = "journeys/delivery-exception.toml";
    let journey = std::fs::read_to_string(folder.path().join(path)).unwrap();
    folder.write(path, &journey.replace("for = \"30m\"", "for = \"45m\""));
    std::fs::remove_file(folder.path().join("journeys/order-shipped.toml")).unwrap();
    for _ in 0..2 {
        let looked = code(&folder.run(&["apply", "--dry-run"]), 3);
        has(&looked, &["delivery-exception: version 1 becomes 2", "- for = \"30m\"", "+ for = \"45m\"", "order-shipped: retired"]);
        assert!(!looked.contains("order-confirmed"), "what stays is not shown: {looked}");
    }
    let looked = told(&folder.run(&["apply", "--dry-run", "--json"]));
    assert_eq!((&looked["applied"], looked["changes"].as_array().unwrap().len()), (&json!(false), 2), "{looked}");
    assert_eq!((&looked["changes"][0]["from"], &looked["changes"][0]["to"]), (&json!(1), &json!(2)), "{looked}");
    assert_eq!(told(&folder.run(&["apply", "--yes", "--json"]))["applied"], true);
    has(&code(&folder.run(&["apply", "--dry-run"]), 0), &["nothing to apply"]);
}

#[test]
fn a_rehearsal_shows_what_would_leave_and_what_waits_for_the_morning() {
    let folder = Folder::new(NOWHERE);
    let lines = [
        // Three in the morning in California, eleven in the morning there, and one that is mended in time.
        event("e1", "delivery.exception", "2026-11-23T11:00:00Z", 101),
        event("e2", "delivery.exception", "2026-11-23T19:00:00Z", 102),
        event("e3", "delivery.exception", "2026-11-23T20:00:00Z", 103),
        event("e4", "delivery.completed", "2026-11-23T20:10:00Z", 103),
        // A second one within the cooldown.
        event("e5", "delivery.exception", "2026-11-23T22:00:00Z", 102),
    ];
    let shown = code(&rehearse(&folder, &lines, &[]), 0);
    has(&shown, &["Mon 08:00 PST", "Mon 11:30 PST", "5 events", "2 texts would go out to 2 people, 2 segments", "1 ended early by an event", "nothing left this machine"]);
    has(&shown, &["outside 08:00-21:00 in America/Los_Angeles", "1 GSM-7", "not sent: none"]);
    assert!(!shown.contains("5550101"), "numbers are masked: {shown}");

    let report = told(&rehearse(&folder, &lines, &["--json"]));
    for (field, expect) in [("events", json!(5)), ("left", json!(2)), ("segments", json!(2)), ("recipients", json!(2)), ("refused", json!([])), ("states", json!({"delivered": 2}))]
    {
        assert_eq!(report[field], expect, "{field}: {report:#}");
    }
    let (night, day) = (&report["texts"][0], &report["texts"][1]);
    assert_eq!((&night["made_at"], night["local"][0].as_str()), (&json!("2026-11-23T11:30:00Z"), Some("Mon 08:00 PST")), "{night:#}");
    assert!(night["left_at"].as_str().unwrap().starts_with("2026-11-23T16:0"), "{night:#}");
    assert!(night["reasons"][0].as_str().unwrap().starts_with("outside 08:00-21:00"), "{night:#}");
    assert_eq!(report["held"].as_object().unwrap().values().collect::<Vec<_>>(), [&json!(1)], "{report:#}");
    assert!(day["left_at"].as_str().unwrap().starts_with("2026-11-23T19:30") && day["reasons"] == json!([]), "{day:#}");
    assert!(day["body"].as_str().unwrap().contains("order #102 is late"), "{day:#}");
    assert!(!folder.store().exists(), "it needs no store, and makes none");
}

#[test]
fn a_bad_event_is_named_by_its_line() {
    let folder = Folder::new(NOWHERE);
    let good = event("e1", "delivery.exception", "2026-11-23T19:00:00Z", 101);
    let broken = code(&rehearse(&folder, &[good.clone(), String::new(), "{\"id\": ".to_owned()], &[]), 1);
    has(&broken, &["events.ndjson line 3", "one JSON object a line"]);
    assert!(!broken.contains("would go out"), "nothing is rehearsed in half: {broken}");
    let nameless = good.replace("\"e1\"", "\"\"");
    let refused = code(&rehearse(&folder, &[good.clone(), String::new(), nameless.clone()], &[]), 3);
    has(&refused, &["1 texts would go out", "events.ndjson line 3", "id is empty"]);
    assert_eq!(told(&rehearse(&folder, &[nameless, good], &["--json"]))["refused"][0][0], 1);
    let unknown = code(&folder.run(&["rehearse", "nope", "--events", "nowhere.ndjson"]), 1);
    has(&unknown, &["journeys/nope.toml", "delivery-exception", "order-shipped"]);
    has(&code(&folder.run(&["rehearse", "order-shipped", "--events", "nowhere.ndjson"]), 1), &["nowhere.ndjson cannot be read"]);
}

#[tokio::test]
async fn what_is_exported_can_be_rehearsed() {
    let folder = Folder::new(NOWHERE);
    let server = folder.serve().await;
    let key = String::from_utf8(folder.run(&["keys", "create", "test"]).stdout).unwrap();
    let now = trunkline_core::clock::Clock::now(&trunkline_core::clock::SystemClock::new()).to_string();
    let http = HttpTransport::new().unwrap();
    for n in [101, 102] {
        let headers = vec![("authorization".to_owned(), format!("Bearer {}", key.trim())), ("content-type".to_owned(), "application/cloudevents+json".to_owned())];
        let body = event(&format!("e{n}"), "delivery.exception", &now, n).into();
        let request = Request { method: "POST".parse().unwrap(), url: format!("{}/v1/events", folder.url()), headers, body, timeout: Span::secs(5) };
        assert_eq!(http.call(request).await.unwrap().status, 202);
    }
    server.stop();
    let file = folder.path().join("exported.ndjson");
    let file = file.to_str().unwrap();
    has(&code(&folder.run(&["export", "events", "--out", file]), 0), &["2 events in", "the file holds phone numbers"]);
    let lines = std::fs::read_to_string(file).unwrap();
    assert_eq!(lines, String::from_utf8(folder.run(&["export", "events"]).stdout).unwrap(), "a file or standard output, the same lines");
    let ids: Vec<Value> = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"]["id"].clone()).collect();
    assert_eq!(ids, ["e101", "e102"], "oldest first");
    assert_eq!(folder.run(&["export", "events", "--until", "2026-01-01T00:00:00Z"]).stdout, b"");
    let report = told(&folder.run(&["rehearse", "delivery-exception", "--events", file, "--json"]));
    assert_eq!((&report["events"], &report["refused"], report["texts"].as_array().unwrap().len()), (&json!(2), &json!([]), 2), "{report:#}");
    let texts = report["texts"].to_string();
    has(&texts, &["order #101 is late", "order #102 is late"]);
    assert_eq!((&report["left"], &report["recipients"]), (&json!(2), &json!(2)), "{report:#}");
}

/// What `check` says of a follower whose key is this.
fn checked(folder: &Folder, key: &str) -> Output {
    let follower = "\n[followers.warehouse]\nurl = \"https://warehouse.example.com/hooks\"\nevents = [\"message.*\"]\nsecrets = [{ env = \"WAREHOUSE_SIGNING_KEY\" }]\n";
    let main = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    folder.write("trunkline.toml", &(main.replace(follower, "") + follower));
    folder.command(&["check"]).env("WAREHOUSE_SIGNING_KEY", key).output().unwrap()
}

#[test]
fn a_signing_key_is_shown_once_and_fits_a_follower() {
    let folder = Folder::new(NOWHERE);
    let shared = folder.run(&["keys", "signing"]);
    let secret = String::from_utf8(shared.stdout.clone()).unwrap().trim().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == "whsec_".len() + 44, "{secret}");
    has(&said(&shared), &["verifies with the same key", "shown once"]);
    let pair = folder.run(&["keys", "signing", "--ed25519"]);
    let private = String::from_utf8(pair.stdout.clone()).unwrap().trim().to_owned();
    let told_apart = String::from_utf8_lossy(&pair.stderr).into_owned();
    assert!(private.starts_with("whsk_") && told_apart.contains("whpk_") && !told_apart.contains(&private), "{told_apart}");
    let both = told(&folder.run(&["keys", "signing", "--ed25519", "--json"]));
    let public = both["public"].as_str().unwrap();
    assert!(both["secret"].as_str().unwrap().starts_with("whsk_") && public.starts_with("whpk_"), "{both}");
    assert_ne!(both["secret"], json!(private), "each one is new");
    assert_eq!(told(&folder.run(&["keys", "signing", "--json"]))["public"], Value::Null);
    assert!(!folder.store().exists(), "the store keeps none of it");
    for key in [&secret, &private] {
        code(&checked(&folder, key), 0);
    }
    for wrong in [public, "hello", "whsec_c2hvcnQ="] {
        has(&code(&checked(&folder, wrong), 3), &["is not a signing key", "trunkline keys signing"]);
    }
}
