//! `trunkline serve`: the server.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use trunkline_core::clock::SystemClock;

use super::Place;
use crate::output::{EXIT_OK, tell};
use crate::wiring::{Node, asked_to_stop};

/// Run the server.
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Listen here instead of where the configuration says.
    #[arg(long)]
    listen: Option<String>,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        super::log("info", self.place.json);
        let config = self.place.load()?;
        let listen = self.listen.unwrap_or_else(|| config.files.main.value.listen.clone());
        let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on {listen}: is another server running there?"))?;
        let address = listener.local_addr()?;
        let node = Node::start(&config, Arc::new(SystemClock::new()), listener, None).await?;
        tracing::info!(listen = %address, store = %config.store_path().display(), generation = node.engine.epoch, "ready");
        if self.place.json {
            crate::output::json(&serde_json::json!({"url": format!("http://{address}"), "generation": node.engine.epoch}))?;
        }
        tell(&format!("trunkline listens on http://{address}"));
        asked_to_stop().await?;
        tracing::info!("stopping: nothing new is claimed, what is in the air is heard first");
        node.stop().await;
        tracing::info!("stopped");
        Ok(EXIT_OK)
    }
}
