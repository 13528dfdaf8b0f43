//! Codes in the middle of a burst: texts that somebody waits for, asked for one by one while marketing fills the queue.
//!
//! Its own file because it measures one promise only: how long a code takes to leave, from the first byte of the request
//! that asks for it to its claim, whatever else waits.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use trunkline_connectors::http::{Request, Response};
use trunkline_core::clock::{Clock, SystemClock};
use trunkline_core::quiet::Rules;
use trunkline_core::time::{Span, Time};
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_store::Store;
use trunkline_store::row::{MessageFilter, Origin};
use trunkline_store::sqlite::{Owes, SqliteStore};

use super::load::{Load, pause};

/// One code every so long.
const EVERY: Span = Span::millis(100);
/// What makes the texts of the events marketing that needs no grant and may leave at any hour.
pub(super) const POLICY: &str = "\n[purposes.marketing]\nconsent = \"not_opted_out\"\nttl = \"4h\"\nmax_attempts = 6\n";

/// A measurement at night must not wait for the morning: no rule of a jurisdiction counts.
pub(super) fn no_rules() -> String {
    let ids: Vec<&str> = Rules::shipped().all().map(|rule| rule.id.as_str()).collect();
    format!("without = {}\n", json!(ids))
}

/// What was measured.
#[derive(Default)]
pub(super) struct Codes {
    /// When each was asked for, by its text.
    asked: BTreeMap<String, Time>,
    /// How many texts waited when the first one was asked for.
    pub(super) waiting: u64,
}

/// From asking for a code to its claim, in milliseconds.
pub(super) struct Left {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) longest: f64,
    pub(super) missing: u32,
}

impl Codes {
    /// Asks for so many codes, one after the other.
    pub(super) async fn ask(load: &Load, sandbox: &str, codes: u32) -> anyhow::Result<Codes> {
        let (clock, transport) = (SystemClock::new(), HttpTransport::new()?);
        let state = super::load::get(&transport, &format!("{sandbox}/sandbox/state?latest=0")).await?;
        let gone = state.pointer("/totals/accepted").and_then(Value::as_u64).unwrap_or(0);
        let mut all = Codes { waiting: u64::from(load.messages).saturating_sub(gone), ..Codes::default() };
        for n in 0..codes {
            let text = format!("Your code is {:06}.", 100_000 + n);
            let body = json!({"to": format!("+1919{:03}{:04}", 200 + n / 8_000, 1_000 + n % 8_000), "body": text, "purpose": "otp"}).to_string();
            let headers = vec![
                ("authorization".to_owned(), format!("Bearer {}", load.key)),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("idempotency-key".to_owned(), format!("code-{n}")),
            ];
            let request = Request { method: http::Method::POST, url: format!("{}/v1/messages", load.target), headers, body: body.into(), timeout: Span::secs(60) };
            all.asked.insert(text, clock.now());
            match transport.call(request).await.context("the server does not answer")? {
                Response { status: 200..=299, .. } => {}
                other => anyhow::bail!("a code was answered with {}: {}", other.status, String::from_utf8_lossy(&other.body)),
            }
            pause(EVERY).await;
        }
        Ok(all)
    }

    /// How long they took, as the store has it.
    pub(super) async fn left(&self, folder: &Path) -> anyhow::Result<Left> {
        let store = SqliteStore::open(&folder.join("trunkline.sqlite"), Owes::Direct)?;
        let mut spans: Vec<i64> = Vec::new();
        let mut filter = MessageFilter::default();
        loop {
            let page = store.messages_matching(&filter, 1_000).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id);
            for message in page.iter().filter(|m| matches!(m.intent.origin, Origin::Api { .. })) {
                if let (Some(asked), Some(attempt)) = (self.asked.get(&message.intent.body), message.state.attempts.first()) {
                    spans.push(attempt.claimed_at.since(*asked).0);
                }
            }
        }
        spans.sort_unstable();
        let at = |percent: usize| spans.get((spans.len() * percent / 100).min(spans.len().saturating_sub(1))).map_or(0.0, |micros| super::round(super::seconds(*micros * 1_000)));
        let missing = u32::try_from(self.asked.len().saturating_sub(spans.len())).unwrap_or(u32::MAX);
        Ok(Left { p50: at(50), p99: at(99), longest: at(100), missing })
    }
}
