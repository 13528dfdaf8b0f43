//! An acknowledgement leaves only after the disk has what it acknowledges; killing a process cannot show this, the
//! system calls can.

use std::process::{Command, Stdio};

use trunkline_connectors::http::Request;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};

use crate::support::{Folder, Server, get, nap, with_secrets};

#[tokio::test]
async fn the_log_is_synced_before_the_answer_is_written() {
    let folder = Folder::new("http://127.0.0.1:9");
    let key = folder.run(&["keys", "create", "test"]);
    let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
    let trace = folder.path().join("trace.txt");
    let mut command = Command::new("strace");
    command.args(["-f", "-s", "24", "-e", "trace=fdatasync,fsync,write,writev,sendto,recvfrom,read", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_trunkline")).arg("serve");
    let child = with_secrets(command.env("TRUNKLINE_CONFIG", folder.path())).stderr(Stdio::null()).spawn().expect("strace is needed: apt-get install strace");
    let server = Server(child);
    let mut ready = false;
    for _ in 0..600 {
        ready = get(&format!("{}/ready", folder.url())).await.is_ok_and(|r| r.status == 200);
        if ready {
            break;
        }
        nap(50).await;
    }
    assert!(ready, "the traced server did not become ready");
    let event = r#"{"specversion": "1.0", "id": "e1", "source": "/crm", "type": "nothing.wants.it", "data": {}}"#;
    let headers = vec![("authorization".to_owned(), format!("Bearer {key}")), ("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    let request = Request { method: "POST".parse().unwrap(), url: format!("{}/v1/events", folder.url()), headers, body: event.into(), timeout: Span::secs(20) };
    let reply = HttpTransport::new().unwrap().call(request).await.unwrap();
    assert_eq!(reply.status, 202);
    // The traced server, not the tracer: that one would leave it running.
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.0.id())).unwrap();
    let killed = Command::new("kill").arg("-KILL").args(children.split_whitespace()).status().unwrap();
    assert!(killed.success());
    let mut tracer = server;
    tracer.0.wait().unwrap();
    let lines: Vec<String> = std::fs::read_to_string(&trace).unwrap().lines().map(str::to_owned).collect();
    let asked = lines.iter().position(|l| l.contains("POST /v1/events")).expect("the request is in the trace");
    let answered = lines.iter().position(|l| l.contains("HTTP/1.1 202")).expect("the answer is in the trace");
    let synced = |l: &String| (l.contains("fdatasync") || l.contains("fsync")) && l.trim_end().ends_with("= 0");
    assert!(lines[asked..answered].iter().any(synced), "no sync between request and answer:\n{}", lines[asked..=answered].join("\n"));
}
