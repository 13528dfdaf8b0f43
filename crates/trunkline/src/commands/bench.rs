//! `trunkline bench`: the whole lifecycle, measured: event in, text accepted, two signed receipts, record written back.
//!
//! Server and sandbox are processes of their own; this one drives, waits, and then counts on the phones. The load is in
//! `load`, what is read off the processes in `meter`, the counting in `tally`.

mod codes;
mod load;
mod meter;
mod tally;

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_sim::fixtures;

use crate::output::{self, EXIT_FOUND, EXIT_OK, tell};
use codes::Codes;
use load::Load;
use meter::Meter;

/// Measure the whole lifecycle, server and sandbox as processes of their own.
#[derive(Args)]
pub(crate) struct Bench {
    /// How many events, each of which becomes one text.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    messages: u32,
    /// Events a second; as fast as they are taken if not said.
    #[arg(long)]
    rate: Option<u32>,
    /// Events in one request.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
    /// Codes asked for one by one, ten a second, while the texts of the events wait; those are marketing then.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    codes: u32,
    /// Keep the folder with configuration, store and logs, and say where it is.
    #[arg(long)]
    keep: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// A process of ours; it is killed if this one ends early.
struct Running {
    child: Child,
    url: String,
    pid: u32,
}

impl Bench {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("error", false);
        let folder = tempfile::Builder::new().prefix("trunkline-bench-").disable_cleanup(self.keep).tempdir().context("no temporary folder")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let target = format!("http://127.0.0.1:{port}");
        let sandbox = start(folder.path(), "sim", &["--listen", "127.0.0.1:0", "--target", &target, "--quick-receipts", "--json"]).await?;
        write_config(folder.path(), port, &sandbox.url, self.codes > 0)?;
        let made = command(folder.path())?.args(["keys", "create", "bench", "--json"]).output().await?;
        let key: Value = serde_json::from_slice(&made.stdout).with_context(|| format!("no key: {}", String::from_utf8_lossy(&made.stderr)))?;
        let server = start(folder.path(), "serve", &["--json"]).await?;

        let load = Load {
            target,
            key: key.get("key").and_then(Value::as_str).unwrap_or_default().to_owned(),
            messages: self.messages,
            rate: self.rate,
            batch: self.batch,
            codes: self.codes,
        };
        let clock = SystemClock::new();
        let mut meter = Meter::start(server.pid, sandbox.pid)?;
        let began = clock.uptime();
        load.drive(&clock).await?;
        let accepted = clock.uptime();
        let codes = async { if self.codes > 0 { Codes::ask(&load, &sandbox.url, self.codes).await.map(Some) } else { Ok(None) } };
        let (codes, finished) = tokio::join!(codes, load.finish(&sandbox.url, &mut meter));
        let (codes, ()) = (codes?, finished?);
        let ended = clock.uptime();
        meter.stop()?;

        let state = load.state(&sandbox.url).await?;
        stop(server).await?;
        let counted = tally::count(folder.path(), &state, self.messages).await?;
        stop(sandbox).await?;
        let seconds = seconds(ended.since(began).0);
        let each = |micros: u64| micros / u64::from(self.messages);
        let mut result = json!({
            "messages": self.messages, "batch": self.batch, "rate": self.rate, "seconds": round(seconds), "accept_seconds": round(self::seconds(accepted.since(began).0)),
            "lifecycle_per_s": (f64::from(self.messages) / seconds).round(),
            "server_cpu_us_per_message": each(meter.server_micros), "sandbox_cpu_us_per_message": each(meter.sandbox_micros),
            "hook_ack_ms_p50": counted.hook_ack.0, "hook_ack_ms_p99": counted.hook_ack.1,
            "event_to_dispatch_ms_p50": counted.to_dispatch.0, "event_to_dispatch_ms_p99": counted.to_dispatch.1,
            "store_bytes_per_message": counted.store_bytes / u64::from(self.messages), "peak_rss_mb": meter.peak_rss_kb / 1_024,
            "writebacks_per_message": round(counted.writebacks_per_message), "lost": counted.lost, "twice": counted.twice, "verify_differences": counted.differences,
        });
        let mut codes_lost = 0;
        if let (Some(codes), Some(fields)) = (codes, result.as_object_mut()) {
            let left = codes.left(folder.path()).await?;
            codes_lost = left.missing;
            let measured = [("code_to_dispatch_ms_p50", left.p50), ("code_to_dispatch_ms_p99", left.p99), ("code_to_dispatch_ms_max", left.longest)];
            fields.extend(measured.map(|(name, value)| (name.to_owned(), json!(value))));
            fields.insert("codes".to_owned(), json!(self.codes));
            fields.insert("waiting_at_first_code".to_owned(), json!(codes.waiting));
            fields.insert("codes_lost".to_owned(), json!(left.missing));
        }
        if self.json {
            output::json(&result)?;
        } else {
            let rows: Vec<Vec<String>> = result.as_object().into_iter().flatten().map(|(name, value)| vec![name.clone(), value.to_string()]).collect();
            output::table(&["WHAT", "VALUE"], &rows);
        }
        if self.keep {
            tell(&format!("kept: {}", folder.path().display()));
        }
        Ok(if codes_lost == 0 && counted.lost == 0 && counted.twice == 0 && counted.differences == 0 { EXIT_OK } else { EXIT_FOUND })
    }
}

/// Microseconds as seconds.
fn seconds(micros: i64) -> f64 {
    // Exact for any time a benchmark may take.
    f64::from(i32::try_from(micros / 1_000).unwrap_or(i32::MAX)) / 1_000.0
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// This program again, over the folder's configuration.
fn command(folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command.env("TRUNKLINE_CONFIG", folder).env("TRUNKLINE_LOG", "warn").stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Starts a process and waits until it says where it listens.
async fn start(folder: &Path, name: &str, args: &[&str]) -> anyhow::Result<Running> {
    let log = std::fs::File::create(folder.join(format!("{name}.log")))?;
    let mut child = command(folder)?.arg(name).args(args).stdout(Stdio::piped()).stderr(log).spawn().with_context(|| format!("{name} does not start"))?;
    let pid = child.id().context("the process has ended")?;
    let out = child.stdout.take().context("no output")?;
    let line = BufReader::new(out).lines().next_line().await?;
    let Some(said) = line.and_then(|line| serde_json::from_str::<Value>(&line).ok()) else {
        anyhow::bail!("{name} ended before it listened: {}", std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default());
    };
    let url = said.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Running { child, url, pid })
}

async fn stop(mut running: Running) -> anyhow::Result<()> {
    Command::new("kill").args(["-TERM", &running.pid.to_string()]).status().await.context("the program 'kill' is missing")?;
    running.child.wait().await?;
    Ok(())
}

/// The shipped configuration with one journey, a source for the load, and a sender that is not slowed down.
fn write_config(folder: &Path, port: u16, sandbox: &str, marketing: bool) -> anyhow::Result<()> {
    let wanted = |path: &str| matches!(path, "trunkline.toml" | "connectors/crm.toml");
    for (path, text) in fixtures::SHIPPED.iter().filter(|(path, _)| wanted(path)) {
        let text = text
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
            .replace("http://127.0.0.1:8081", sandbox)
            .replace("rate = { per_second = 100, burst = 100 }", "rate = { per_second = 100000, burst = 100000 }")
            .replace("{ env = ", "{ file = ");
        let policy = if marketing && path == &"trunkline.toml" { codes::POLICY } else { "" };
        place(folder, path, &format!("{text}{policy}"))?;
    }
    for (path, text) in load::CONFIG {
        let purpose = if marketing { "\"marketing\"" } else { "\"transactional\"" };
        place(folder, path, &text.replace("\"transactional\"", purpose))?;
    }
    if marketing {
        place(folder, "rules/none.toml", &codes::no_rules())?;
    }
    for secret in [("TWILIO_AUTH_TOKEN", fixtures::AUTH_TOKEN), ("connectors/CRM_TOKEN", fixtures::CRM_TOKEN), ("CRM_TOKEN", fixtures::CRM_TOKEN)] {
        place(folder, secret.0, secret.1)?;
    }
    Ok(())
}

fn place(folder: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let target = folder.join(path);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(target, text)?;
    Ok(())
}
