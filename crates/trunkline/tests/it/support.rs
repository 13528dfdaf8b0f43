//! A configuration in a temporary folder, and the binary run over it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use trunkline_connectors::http::{Reply, Request};
use trunkline_core::clock::SystemClock;
use trunkline_core::time::{Span, Time};
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_sim::fixtures;
use trunkline_sim::http::{Deliver, Delivered, Sandbox, SandboxSettings};
use trunkline_sim::outgoing::OutgoingHook;

pub(crate) struct Folder {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) port: u16,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Folder {
    /// The shipped configuration, pointed at a sandbox.
    pub(crate) fn new(sandbox: &str) -> Folder {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        for (path, text) in fixtures::SHIPPED {
            let target = dir.path().join(path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}")).replace("http://127.0.0.1:8081", sandbox);
            std::fs::write(target, text).unwrap();
        }
        Folder { dir, port }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("trunkline.sqlite")
    }

    /// Writes a file of the configuration anew.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let target = self.path().join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        with_secrets(command.args(args).env("TRUNKLINE_CONFIG", self.path()));
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn serve(&self) -> Server {
        let child = self.command(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
        let server = Server(child);
        for _ in 0..400 {
            if get(&format!("{}/ready", self.url())).await.is_ok_and(|r| r.status == 200) {
                return server;
            }
            nap(25).await;
        }
        panic!("the server did not become ready");
    }
}

pub(crate) fn with_secrets(command: &mut Command) -> &mut Command {
    command.env("TWILIO_AUTH_TOKEN", fixtures::AUTH_TOKEN).env("SHOPIFY_SECRET", fixtures::SHOP_SECRET).env("CRM_TOKEN", fixtures::CRM_TOKEN)
}

/// A running server; killed when dropped.
pub(crate) struct Server(pub(crate) Child);

impl Server {
    /// SIGKILL: nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM: it drains and ends by itself.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let ended = self.0.wait().unwrap();
        assert!(ended.success(), "a graceful stop ends with 0: {ended}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) async fn get(url: &str) -> Reply {
    let request = Request { method: "GET".parse().unwrap(), url: url.into(), headers: vec![], body: Vec::new().into(), timeout: Span::secs(5) };
    HttpTransport::new().unwrap().call(request).await
}

/// A real, short wait: these tests run real processes.
#[expect(clippy::disallowed_methods, reason = "whole-binary tests wait for real processes, always in a loop with a condition")]
pub(crate) async fn nap(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

/// Posts hooks, and comes back at once where nobody answers: so that a server which is killed again and again is not
/// given up before its time.
struct Posts(HttpTransport);

/// How often a hook is posted before the sandbox is told that nobody answers.
const TRIES: u32 = 160;

impl Deliver for Posts {
    fn post<'a>(&'a self, hook: &'a OutgoingHook) -> Delivered<'a> {
        let request = Request { method: "POST".parse().unwrap(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone(), timeout: Span::secs(5) };
        Box::pin(async move {
            let mut tried = 0;
            loop {
                tried += 1;
                match self.0.call(request.clone()).await {
                    Ok(response) => return Ok(response.status),
                    Err(error) if tried >= TRIES => return Err(error.to_string()),
                    Err(_) => nap(75).await,
                }
            }
        })
    }
}

/// A sandbox in this process, its own time `scale` times as fast, so that its retries come soon.
pub(crate) fn sandbox(target: &str, scale: u32) -> Sandbox {
    let now = trunkline_core::clock::Clock::now(&SystemClock::new());
    let settings = SandboxSettings {
        target_base_url: target.into(),
        account_sid: fixtures::ACCOUNT_SID.into(),
        auth_token: fixtures::AUTH_TOKEN.into(),
        senders: vec![fixtures::SENDER.into()],
        inbound_path: "/hooks/twilio".into(),
        shop_secret: fixtures::SHOP_SECRET.into(),
        shop_path: "/hooks/shopify".into(),
        seed: 7,
        messaging_service: None,
        clock: Arc::new(SystemClock::scaled(Time(now.0), scale)),
    };
    Sandbox::new(settings, Arc::new(Posts(HttpTransport::new().unwrap())))
}
