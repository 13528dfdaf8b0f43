//! `explain` answers for a sent, a held, a suppressed, an expired and an unknown message; `send`, `replay` and `keys`
//! on the way.

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{Folder, nap, sandbox};

fn send(folder: &Folder, args: &[&str]) -> String {
    let output = folder.run(&[&["send", "--json"], args].concat());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn story(folder: &Folder, id: &str) -> Value {
    let output = folder.run(&["explain", "--json", id]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the story's word is the expected one.
async fn until(folder: &Folder, id: &str, word: &str) -> Value {
    for _ in 0..200 {
        let told = story(folder, id);
        if told["word"] == word {
            return told;
        }
        nap(100).await;
    }
    panic!("{id} never became {word}: {}", story(folder, id));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fate_has_a_story() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new(&format!("http://{}", listener.local_addr().unwrap()));
    // A window that is closed now: whatever the hour, one of two is.
    let hour =
        trunkline_core::clock::Clock::now(&trunkline_core::clock::SystemClock::new()).timestamp().to_zoned(trunkline_core::zone::zone("America/Los_Angeles").unwrap()).hour();
    let window = if hour < 12 { "13:00-23:00" } else { "00:00-11:00" };
    let main = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap().replace("08:00-21:00", window).replace("timeout = \"10s\"", "timeout = \"3s\"");
    folder.write("trunkline.toml", &main);
    let (stop, stopped) = watch::channel(false);
    let sandbox = sandbox(&folder.url(), 1);
    let serving = trunkline_sim::http::run(sandbox.clone(), listener, stopped);
    let testing = async {
        let expired = send(&folder, &["+14155551000", "--body", "too late", "--purpose", "otp", "--ttl", "1s"]);
        nap(1_100).await;
        let server = folder.serve().await;
        assert!(until(&folder, &expired, "expired").await["because"].as_str().unwrap().contains("deadline"));

        let sent = send(&folder, &["+14155551001", "--body", "hello", "--purpose", "transactional"]);
        let told = until(&folder, &sent, "delivered").await;
        let text = told.to_string();
        for piece in ["the gate says send", "attempt 1 through twilio", "accepted as SM", "receipt for attempt 1: 'delivered'", "has not opted out"] {
            assert!(text.contains(piece), "no '{piece}' in {told:#}");
        }
        let held = send(&folder, &["+14155551002", "--body", "by day", "--purpose", "service"]);
        assert!(until(&folder, &held, "held").await["because"].as_str().unwrap().contains(window));
        let suppressed = send(&folder, &["+14155551003", "--body", "sale", "--purpose", "marketing"]);
        assert!(until(&folder, &suppressed, "suppressed").await["because"].as_str().unwrap().contains("grant"));
        // 0005: the sandbox never answers and never took it.
        let unknown = send(&folder, &["+14155550005", "--body", "hello?", "--purpose", "transactional"]);
        let told = until(&folder, &unknown, "unknown").await;
        assert!(told["because"].as_str().unwrap().contains("nobody knows"), "{told:#}");
        assert!(!told.to_string().contains("4155550005"), "numbers are masked");

        let refused = folder.run(&["send", "+44 20 7946 0123", "--body", "x", "--purpose", "otp"]);
        assert_eq!(refused.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("fixed line"));
        let nothing = folder.run(&["explain", "#999999"]);
        assert_eq!(nothing.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&folder.run(&["replay"]).stdout).contains("nothing gave up"));
        let verified = folder.run(&["verify", "--json"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        server.stop();
        stop.send_replace(true);
    };
    let (served, ()) = tokio::join!(serving, testing);
    served.unwrap();
}
