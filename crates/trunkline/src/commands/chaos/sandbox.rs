//! The sandbox as its client sees it: faults, orders, texts on phones, counts.
//!
//! Its own file because it is the one place that knows the sandbox's addresses. Whatever answers otherwise is no
//! sandbox, and nothing is done to it.

use std::collections::BTreeMap;

use anyhow::Context;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trunkline_connectors::http::Request;
use trunkline_core::time::{Span, Time};
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_sim::faults::Faults;
use trunkline_sim::fixtures;
use trunkline_sim::shop::Customer;

/// A sandbox behind HTTP.
pub(super) struct Sandbox {
    pub(super) url: String,
    transport: HttpTransport,
}

/// What the sandbox says of itself, as far as it is needed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct State {
    /// The sandbox's time.
    pub(super) now: Time,
    pub(super) totals: Totals,
    pub(super) hooks: Hooks,
    pub(super) calls: Calls,
    /// Webhooks neither delivered nor given up.
    pub(super) pending: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Totals {
    pub(super) texts: usize,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Hooks {
    pub(super) given_up: u64,
    pub(super) forged: u64,
    pub(super) forged_taken: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Calls {
    pub(super) vendor_failed: u64,
    pub(super) crm_failed: u64,
}

/// A text on a phone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text {
    pub(super) phone: String,
    pub(super) body: String,
    /// Our attempt.
    pub(super) attempt: Option<String>,
    /// Whether it is the vendor's own answer to a keyword.
    pub(super) vendor_own: bool,
}

/// An order that was placed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Placed {
    /// What people call it: `#1042`.
    pub(super) name: String,
    /// The id of the event that announced it.
    pub(super) event_id: String,
}

impl Sandbox {
    pub(super) fn at(url: &str) -> anyhow::Result<Sandbox> {
        Ok(Sandbox { url: url.trim_end_matches('/').to_owned(), transport: HttpTransport::new()? })
    }

    /// What goes wrong now.
    pub(super) async fn faults(&self) -> anyhow::Result<Faults> {
        self.ask(Method::GET, "/sandbox/faults", None).await
    }

    /// Sets all of what goes wrong.
    pub(super) async fn set_faults(&self, faults: &Faults) -> anyhow::Result<()> {
        let _: Faults = self.ask(Method::PUT, "/sandbox/faults", Some(&serde_json::to_value(faults)?)).await?;
        Ok(())
    }

    /// Where it announces texts from people, which is at the server that it calls.
    pub(super) async fn calls(&self) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Credentials {
            inbound_url: String,
        }
        let credentials: Credentials = self.ask(Method::GET, "/sandbox/credentials", None).await?;
        Ok(credentials.inbound_url)
    }

    /// Places an order, which is announced so many times.
    pub(super) async fn order(&self, customer: &Customer, copies: u32) -> anyhow::Result<Placed> {
        self.ask(Method::POST, "/sandbox/shop/orders", Some(&json!({"customer": customer, "copies": copies}))).await
    }

    /// The counts.
    pub(super) async fn state(&self) -> anyhow::Result<State> {
        self.ask(Method::GET, "/sandbox/state?latest=0", None).await
    }

    /// Every text that the vendor sent, from a place on.
    pub(super) async fn texts(&self, from: usize) -> anyhow::Result<Vec<Text>> {
        let mut all: Vec<Text> = Vec::new();
        loop {
            let page: Vec<Text> = self.ask(Method::GET, &format!("/sandbox/texts?from={}", from + all.len()), None).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// What the CRM's record of a message says its status is; nothing if there is no such record.
    pub(super) async fn crm_status(&self, message: &str) -> anyhow::Result<Option<String>> {
        let (status, body) = self.call(Method::GET, &format!("/crm/records/messages/{message}"), None).await?;
        match status {
            200 => Ok(serde_json::from_slice::<BTreeMap<String, Value>>(&body)?.get("status").and_then(Value::as_str).map(str::to_owned)),
            404 => Ok(None),
            other => anyhow::bail!("the sandbox's CRM answered with HTTP {other}: {}", String::from_utf8_lossy(&body)),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<T> {
        let (status, answer) = self.call(method, path, body).await?;
        if !(200..300).contains(&status) {
            let said: String = String::from_utf8_lossy(&answer).chars().take(300).collect();
            anyhow::bail!("{}{path} was answered with HTTP {status}: {said}", self.url);
        }
        serde_json::from_slice(&answer).with_context(|| format!("what answers at {} is no sandbox of this version; start one with: trunkline sim", self.url))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Vec<u8>)> {
        // The token is for the CRM; nothing else reads it.
        let headers = vec![("content-type".to_owned(), "application/json".to_owned()), ("authorization".to_owned(), format!("Bearer {}", fixtures::CRM_TOKEN))];
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request { method, url: format!("{}{path}", self.url), headers, body: body.into(), timeout: Span::secs(20) };
        let reply = self.transport.call(request).await;
        let response = reply.map_err(|e| anyhow::anyhow!("no sandbox answers at {} ({e}); start one with: trunkline sim", self.url))?;
        Ok((response.status, response.body.to_vec()))
    }
}
