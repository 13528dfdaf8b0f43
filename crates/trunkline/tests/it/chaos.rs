//! Chaos against a sandbox and a server that run: a scenario that holds, one whose alert never comes, and places where
//! it must not run at all.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Server, free_port, get, nap};

/// Half of the CRM's records are dropped for some seconds; `alerts` is what is expected.
fn scenario(alerts: &str) -> String {
    format!(
        "name = \"small\"\ndescription = \"A small one.\"\ndrain_within = \"90s\"\n[traffic]\norders = 12\nper_second = 4\ncopies = 2\n[[phase]]\nname = \"drops\"\nlasts = \"4s\"\nfaults = {{ \
         crm_error_permille = 500, invalid_hooks_permille = 500 }}\n[expect]\nalerts = {alerts}\n[expect.felt]\ncopies = 12\ncrm_failures = 1\nhooks_refused = 1\n"
    )
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {report:#}"))
}

#[tokio::test]
async fn a_scenario_passes_or_fails_by_what_it_measures() {
    let port = free_port();
    let sandbox = format!("http://127.0.0.1:{port}");
    let folder = Folder::new(&sandbox);
    let listen = format!("127.0.0.1:{port}");
    let child = folder.command(&["sim", "--listen", &listen, "--target", &folder.url(), "--quick-receipts"]).stderr(Stdio::null()).spawn().unwrap();
    let _sim = Server(child);
    for _ in 0..200 {
        if get(&format!("{sandbox}/sandbox/faults")).await.is_ok_and(|r| r.status == 200) {
            break;
        }
        nap(25).await;
    }
    let nobody = folder.run(&["chaos", "run", "crm-down"]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(nobody.status.code() == Some(1) && said.contains("trunkline serve"), "{said}");
    let server = folder.serve().await;
    folder.write("small.toml", &scenario("[]"));
    let path = folder.path().join("small.toml");
    let passed = folder.run(&["chaos", "run", path.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_slice(&passed.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&passed.stderr)));
    assert_eq!((report["ok"].as_bool(), passed.status.code()), (Some(true), Some(0)), "{report:#}");
    assert_eq!((report["orders"].as_u64(), report["texts"].as_u64()), (Some(12), Some(12)), "{report:#}");
    assert_eq!(check(&report, "forged_taken")["measured"], "0");
    folder.write("small.toml", &scenario("[\"account_refused\"]"));
    let failed = folder.run(&["chaos", "run", path.to_str().unwrap()]);
    let table = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert!(failed.status.code() == Some(3) && table.contains("FAILED: 1 of"), "{table}{}", String::from_utf8_lossy(&failed.stderr));
    assert_eq!(std::fs::read_dir(folder.path().join("chaos-reports")).unwrap().count(), 2, "each report is kept");
    let faults = get(&format!("{sandbox}/sandbox/faults")).await.unwrap();
    let faults: Value = serde_json::from_slice(&faults.body).unwrap();
    assert_eq!((&faults["crm_error_permille"], &faults["quick_receipts"]), (&Value::from(0), &Value::from(true)), "the faults are as before");
    server.stop();
}

#[test]
fn it_never_runs_where_texts_reach_people() {
    let folder = Folder::new("http://127.0.0.1:9");
    let main = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    let real = main.lines().filter(|line| !line.starts_with("base_url")).fold(String::new(), |all, line| all + line + "\n");
    for (text, words) in [(&main, "no sandbox answers at http://127.0.0.1:9"), (&real, "its texts go to a real vendor")] {
        folder.write("trunkline.toml", text);
        folder.run(&["keys", "create", "makes-the-store"]);
        let output = folder.run(&["chaos", "run", "partial-outage"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(words), "{said}");
    }
    let output = folder.run(&["chaos", "run", "partial-outage", "--sandbox", "http://127.0.0.1:9"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("account 'twilio' leads to the vendor itself"), "{said}");
}

#[test]
fn the_shipped_scenarios_are_listed() {
    let folder = Folder::new("http://127.0.0.1:9");
    let output = folder.run(&["chaos", "list"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["webhooks-paused", "webhooks-duplicated", "crm-down", "provider-slow", "invalid-payloads", "partial-outage", "hang-after-accept", "account-refused"] {
        assert!(said.contains(name), "{said}");
    }
    let unknown = folder.run(&["chaos", "run", "nonsense"]);
    assert!(unknown.status.code() == Some(1) && String::from_utf8_lossy(&unknown.stderr).contains("webhooks-paused"));
}
