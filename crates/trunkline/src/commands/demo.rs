//! `trunkline demo`: server and sandbox together, a day of a shop in a minute, then a check against the sandbox's own
//! records.
//!
//! One process, real HTTP between the two, a temporary store, a clock that both share. The day itself is in `day`,
//! the check in `verdict`.

mod day;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_core::time::Time;
use trunkline_engine::transport::HttpTransport;
use trunkline_sim::fixtures;
use trunkline_sim::http::{Sandbox, SandboxSettings};
use trunkline_store::row::Operator;
use trunkline_store::{Command, Unit};
use trunkline_web::console::hash_password;

use super::sim::Posts;
use crate::config::Config;
use crate::output::{self, EXIT_FOUND, EXIT_OK, tell};
use crate::wiring::{self, Node, asked_to_stop};

/// Run server and sandbox together, play a day of orders, and stay up.
#[derive(Args)]
pub(crate) struct Demo {
    /// Stop after the day, check everything, and print a table.
    #[arg(long)]
    exit: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many orders the day has.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    orders: u32,
    /// The console's port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// A day in about a minute.
const SCALE: u32 = 1_440;

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("error", false);
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let ours = TcpListener::bind(("127.0.0.1", self.port)).await.with_context(|| format!("port {} is taken: choose another with --port", self.port))?;
        let theirs = TcpListener::bind("127.0.0.1:0").await?;
        let (console, sandbox_url) = (format!("http://{}", ours.local_addr()?), format!("http://{}", theirs.local_addr()?));
        write_config(folder.path(), &console, &sandbox_url)?;
        let (problems, config) = Config::load(folder.path());
        let config =
            config.ok_or_else(|| anyhow::anyhow!("the shipped configuration has errors:\n{}", problems.iter().map(|p| p.picture.clone()).collect::<Vec<_>>().join("\n")))?;

        // The day starts at the same local hour whenever it is played: what is held and what is sent is the same.
        let noon = SystemClock::new().now().utc_day() + "T12:00:00Z";
        let clock = Arc::new(SystemClock::scaled(noon.parse::<Time>()?, SCALE));
        let shared: Arc<dyn Clock> = clock.clone();
        let (stop, stopped) = watch::channel(false);
        let sandbox = self.sandbox(&console, shared.clone())?;
        let serving = trunkline_sim::http::run(sandbox.clone(), theirs, stopped);
        let node = Node::start(&config, shared, ours, Some(sandbox_url.clone())).await?;
        let password = operator(&node).await?;
        tell(&format!("console  {console}   sign in as 'demo' with password {password}"));
        tell(&format!("sandbox  {sandbox_url}   phones, shop and CRM"));
        tell(&format!("store    {}", folder.path().display()));

        let result = async {
            day::play(&sandbox, clock.as_ref(), self.seed, self.orders).await?;
            day::rest(&sandbox, node.engine.as_ref(), clock.as_ref()).await?;
            // From here on a second is a second again.
            clock.set_scale(1);
            let verdict = verdict::reach(&sandbox, node.engine.as_ref()).await?;
            if self.json {
                verdict.complain();
                output::json(&verdict)?;
            } else {
                verdict.table();
            }
            if !self.exit {
                tell(&format!("the day is over; everything stays up at {console} until ctrl-c"));
                asked_to_stop().await?;
            }
            node.stop().await;
            anyhow::Ok(if verdict.ok { EXIT_OK } else { EXIT_FOUND })
        };
        let ending = async {
            let code = result.await;
            stop.send_replace(true);
            code
        };
        let (served, code) = tokio::join!(serving, ending);
        served?;
        code
    }

    fn sandbox(&self, target: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Sandbox> {
        let settings = SandboxSettings {
            target_base_url: target.to_owned(),
            account_sid: fixtures::ACCOUNT_SID.to_owned(),
            auth_token: fixtures::AUTH_TOKEN.to_owned(),
            senders: vec![fixtures::SENDER.to_owned()],
            inbound_path: "/hooks/twilio".to_owned(),
            shop_secret: fixtures::SHOP_SECRET.to_owned(),
            shop_path: "/hooks/shopify".to_owned(),
            seed: self.seed,
            messaging_service: Some(fixtures::MESSAGING_SERVICE.to_owned()),
            clock,
        };
        Ok(Sandbox::new(settings, Arc::new(Posts(Arc::new(HttpTransport::new()?)))))
    }
}

/// The shipped configuration, pointed at the sandbox.
fn write_config(folder: &Path, console: &str, sandbox: &str) -> anyhow::Result<()> {
    for (path, text) in fixtures::SHIPPED {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let listen = console.trim_start_matches("http://");
        let text = text
            .replace("public_url = \"http://127.0.0.1:8080\"", &format!("public_url = \"{console}\""))
            .replace("listen = \"127.0.0.1:8080\"", &format!("listen = \"{listen}\""))
            .replace("timeout = \"10s\"", "timeout = \"2s\"")
            .replace("http://127.0.0.1:8081", sandbox)
            .replace("{ env = ", "{ file = ");
        std::fs::write(target, text)?;
    }
    for (name, secret) in [("TWILIO_AUTH_TOKEN", fixtures::AUTH_TOKEN), ("SHOPIFY_SECRET", fixtures::SHOP_SECRET), ("CRM_TOKEN", fixtures::CRM_TOKEN)] {
        for place in ["", "sources", "connectors"] {
            std::fs::write(folder.join(place).join(name), secret)?;
        }
    }
    Ok(())
}

async fn operator(node: &Node) -> anyhow::Result<String> {
    let password = wiring::random::<8>()?.iter().fold(String::new(), |out, b| out + &format!("{b:02x}"));
    let hash = hash_password(&password).map_err(|e| anyhow::anyhow!("{e}"))?;
    let unit = Unit::one(Command::PutOperator(Operator { name: "demo".to_owned(), password: hash }));
    node.engine.store.commit(node.engine.clock.now(), vec![unit]).await.pop().unwrap_or(Ok(Vec::new()))?;
    Ok(password)
}
