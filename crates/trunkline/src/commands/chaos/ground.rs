//! What a scenario runs against: a server and a sandbox that belong together, and nothing real in reach.
//!
//! Its own file because these checks are what keeps chaos away from people: every account and every connector of the
//! configuration must lead to the sandbox, and the sandbox must call the server. Nothing is changed here.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use trunkline_connectors::crm::declared::About;
use trunkline_connectors::http::{Request, Response};
use trunkline_core::id::InstallationKey;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_sim::faults::Faults;
use trunkline_store::Store;

use super::sandbox::Sandbox;
use crate::config::Config;
use crate::{reports, wiring};

/// A server and a sandbox.
pub(super) struct Ground {
    pub(super) server: String,
    pub(super) sandbox: Sandbox,
    pub(super) store: Arc<dyn Store>,
    pub(super) key: InstallationKey,
    /// Where reports are kept.
    pub(super) reports: PathBuf,
    /// Whether a connector keeps a record of each message in the sandbox's CRM.
    pub(super) crm: bool,
    /// What goes wrong before and after: nothing, but receipts may be quick.
    pub(super) calm: Faults,
    transport: HttpTransport,
}

impl Ground {
    /// Looks at everything that must be so before anything goes wrong on purpose.
    pub(super) async fn survey(config: &Config, server: Option<&str>, sandbox: Option<&str>) -> anyhow::Result<Ground> {
        let main = &config.files.main.value;
        let server = server.map_or_else(|| format!("http://{}", main.listen), str::to_owned).trim_end_matches('/').to_owned();
        let known = main.accounts.values().find_map(|account| account.base_url.as_deref());
        let url = sandbox.or(known).context("no account of the configuration has a base_url, so its texts go to a real vendor: point it at a sandbox, or give --config")?;
        let sandbox = Sandbox::at(url)?;
        only_the_sandbox(config, &sandbox.url)?;
        let store_path = config.store_path();
        anyhow::ensure!(
            store_path.exists(),
            "there is no store at {}: start the server with this configuration (trunkline serve), or give its directory with --config",
            store_path.display()
        );
        let faults = sandbox.faults().await?;
        let calm = Faults { quick_receipts: faults.quick_receipts, ..Faults::default() };
        anyhow::ensure!(
            faults == calm,
            "something goes wrong in the sandbox already; turn it off first: curl -X PUT {}/sandbox/faults -H 'content-type: application/json' -d '{{}}'",
            sandbox.url
        );
        let called = sandbox.calls().await?;
        let public = main.public_url.trim_end_matches('/');
        anyhow::ensure!(
            called.starts_with(&format!("{public}/")),
            "the sandbox calls {called}, and the server is reached at {public}: start it with: trunkline sim --target {public}"
        );
        let store = wiring::open_store(config)?;
        let (key, _) = store.installation().await?;
        let crm = config.files.connectors.values().any(|file| {
            let definition = &file.value.definition;
            definition.about == About::Message && definition.url.starts_with(&format!("{}/crm/records/messages/", sandbox.url))
        });
        let transport = HttpTransport::new()?;
        let ground = Ground { server, sandbox, store, key: InstallationKey::new(&key), reports: reports::folder(config), crm, calm, transport };
        anyhow::ensure!(ground.is_ready().await, "no server is ready at {}; start one with: trunkline serve", ground.server);
        Ok(ground)
    }

    /// Whether the server answers that it is ready.
    pub(super) async fn is_ready(&self) -> bool {
        let request = Request { method: http::Method::GET, url: format!("{}/ready", self.server), headers: Vec::new(), body: Vec::new().into(), timeout: Span::secs(5) };
        matches!(self.transport.call(request).await, Ok(Response { status: 200, .. }))
    }
}

/// Refuses where a text or a record could reach anybody real.
fn only_the_sandbox(config: &Config, sandbox: &str) -> anyhow::Result<()> {
    let main = &config.files.main.value;
    for (name, account) in &main.accounts {
        let at = account.base_url.as_deref().unwrap_or("the vendor itself");
        anyhow::ensure!(
            at.trim_end_matches('/') == sandbox,
            "account '{name}' leads to {at}, and chaos is for the sandbox at {sandbox} only: its texts would reach people; set base_url = \"{sandbox}\" and start the server again"
        );
    }
    for (name, file) in &config.files.connectors {
        let url = &file.value.definition.url;
        anyhow::ensure!(
            url.starts_with(&format!("{sandbox}/")),
            "connector '{name}' writes to {url}, which is not in the sandbox at {sandbox}: records of made-up customers do not belong there; take connectors/{name}.toml away for this"
        );
    }
    for (name, follower) in &main.followers {
        anyhow::ensure!(
            on_this_machine(&follower.url),
            "follower '{name}' listens at {}, which may be real: what happens to made-up customers is no news for it; take it out of trunkline.toml for this",
            follower.url
        );
    }
    Ok(())
}

fn on_this_machine(url: &str) -> bool {
    url.parse::<http::Uri>().ok().is_some_and(|uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_may_be_real() {
        for (url, expect) in [("http://127.0.0.1:9/x", true), ("http://localhost/x", true), ("http://[::1]:9/", true), ("https://crm.example.com/x", false), ("nonsense", false)] {
            assert_eq!(on_this_machine(url), expect, "{url}");
        }
    }
}
