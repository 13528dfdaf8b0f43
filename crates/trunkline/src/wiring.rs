//! Puts a node together and runs it: store, engine, loops, listener, stopping.
//!
//! Its own file because it is the only one that names concrete types side by side and spawns tasks. The demo and the
//! server are the same node.

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_engine::Engine;
use trunkline_engine::definitions::changes;
use trunkline_engine::transport::Transports;
use trunkline_engine::worker;
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};

use crate::commands::Place;
use crate::config::Config;
use crate::reports;

/// Random bytes from the system, for seeds, keys and passwords.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes)
}

/// Opens the store of a configuration.
pub(crate) fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let path = config.store_path();
    let most = config.files.main.value.store.max_size.map(|size| size.0);
    let store = SqliteStore::open_within(&path, Owes::Direct, most).with_context(|| format!("the store {} cannot be opened", path.display()))?;
    Ok(Arc::new(store))
}

/// An engine beside a server that may be running: it claims nothing.
pub(crate) async fn beside(place: &Place) -> anyhow::Result<Arc<Engine>> {
    let config = place.load()?;
    let store = open_store(&config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let definitions = config.definitions(store.as_ref(), clock.now()).await?;
    Ok(Arc::new(Engine::beside(store, clock, definitions, random()?).await?))
}

/// A running node.
pub(crate) struct Node {
    pub(crate) engine: Arc<Engine>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
    server: JoinHandle<()>,
}

impl Node {
    /// Takes over, then starts the loops and the listener; `sandbox` is where the phones are, if they are make-believe.
    pub(crate) async fn start(config: &Config, clock: Arc<dyn Clock>, listener: TcpListener, sandbox: Option<String>) -> anyhow::Result<Node> {
        let store = open_store(config)?;
        let definitions = config.definitions(store.as_ref(), clock.now()).await?;
        let drift = changes(store.as_ref(), &config.drafts()).await?;
        if !drift.is_empty() {
            let names: Vec<&str> = drift.iter().map(|c| c.journey.as_str()).collect();
            tracing::warn!(journeys = names.join(", "), "the files say otherwise than what is published, which stays in force; see: trunkline apply --dry-run");
        }
        let secure = definitions.public_url.starts_with("https://");
        let engine = Arc::new(Engine::start(store, clock, definitions, random()?).await?);
        let mut orphans = 0;
        loop {
            match engine.take_over(engine.clock.now(), 500).await? {
                0 => break,
                some => orphans += some,
            }
        }
        if orphans > 0 {
            tracing::warn!(orphans, "texts were in the air when the last process ended; they are unknown until a receipt tells");
        }
        let transports = Transports::new()?;
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        for work in worker::loops(&engine, &transports, &stopped) {
            loops.spawn(work);
        }
        let folder = reports::folder(config);
        let kept: trunkline_web::Reports = Arc::new(move || reports::kept(&folder));
        let router = trunkline_web::router_with(&engine, secure, sandbox, Some(kept));
        let mut end = stopped.clone();
        let serving = async move {
            let graceful = async move {
                // An error means that the node is gone, which is an end too.
                while !*end.borrow() && end.changed().await.is_ok() {}
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(graceful).await {
                tracing::error!(%error, "the listener failed");
            }
        };
        Ok(Node { engine, stop, loops, server: spawn(serving) })
    }

    /// Stops: nothing new is taken or claimed, what is in the air is heard and settled.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let drained = async { while self.loops.join_next().await.is_some() {} };
        // Longer than any call may take.
        if tokio::time::timeout(std::time::Duration::from_secs(20), drained).await.is_err() {
            tracing::warn!("some calls did not end in time; their texts are unknown until a receipt tells");
        }
        // Requests under way end quickly; live streams of browsers would never.
        if tokio::time::timeout(std::time::Duration::from_secs(1), &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "wiring is the one place that spawns")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

/// Waits for the signal to stop.
pub(crate) async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
