//! `trunkline sim`: the sandbox alone.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use trunkline_connectors::http::Request;
use trunkline_core::clock::SystemClock;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::http::{Deliver, Delivered, Sandbox, SandboxSettings};
use trunkline_sim::outgoing::OutgoingHook;

use crate::output::{self, EXIT_OK, tell};
use crate::wiring::asked_to_stop;

/// Run the sandbox alone.
#[derive(Args)]
pub(crate) struct Sim {
    /// Listen here.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: String,
    /// Where the server is that gets receipts, replies and orders.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    target: String,
    /// The sender that phones answer to.
    #[arg(long, default_value = fixtures::SENDER)]
    sender: Vec<String>,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Receipts come after a fifth of a second instead of seconds.
    #[arg(long)]
    quick_receipts: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// The real client, for the sandbox's own hooks.
pub(crate) struct Posts(pub(crate) Arc<dyn Transport>);

impl Deliver for Posts {
    fn post<'a>(&'a self, hook: &'a OutgoingHook) -> Delivered<'a> {
        let request =
            Request { method: "POST".parse().unwrap_or_default(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone(), timeout: Span::secs(10) };
        Box::pin(async move { self.0.call(request).await.map(|r| r.status).map_err(|e| e.to_string()) })
    }
}

impl Sim {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("info", self.json);
        let listener = TcpListener::bind(&self.listen).await.with_context(|| format!("cannot listen on {}: is another sandbox running there?", self.listen))?;
        let address = listener.local_addr()?;
        let settings = SandboxSettings {
            target_base_url: self.target.clone(),
            account_sid: fixtures::ACCOUNT_SID.to_owned(),
            auth_token: fixtures::AUTH_TOKEN.to_owned(),
            senders: self.sender,
            inbound_path: "/hooks/twilio".to_owned(),
            shop_secret: fixtures::SHOP_SECRET.to_owned(),
            shop_path: "/hooks/shopify".to_owned(),
            seed: self.seed,
            messaging_service: Some(fixtures::MESSAGING_SERVICE.to_owned()),
            clock: Arc::new(SystemClock::new()),
        };
        let sandbox = Sandbox::new(settings, Arc::new(Posts(Arc::new(HttpTransport::new()?))));
        sandbox.set_faults(Faults { quick_receipts: self.quick_receipts, ..Faults::default() })?;
        let exports = [("TWILIO_AUTH_TOKEN", fixtures::AUTH_TOKEN), ("SHOPIFY_SECRET", fixtures::SHOP_SECRET), ("CRM_TOKEN", fixtures::CRM_TOKEN)];
        if self.json {
            output::json(&json!({"url": format!("http://{address}"), "account_sid": fixtures::ACCOUNT_SID, "target": self.target}))?;
        } else {
            tell(&format!("the sandbox listens on http://{address} and calls {}", self.target));
            tell("the shipped configuration talks to it with:");
            for (name, value) in exports {
                tell(&format!("  export {name}={value}"));
            }
        }
        let (stop, stopped) = watch::channel(false);
        let signal = async {
            let result = asked_to_stop().await;
            stop.send_replace(true);
            result
        };
        let (served, asked) = tokio::join!(trunkline_sim::http::run(sandbox, listener, stopped), signal);
        served?;
        asked?;
        Ok(EXIT_OK)
    }
}
