//! The load: events of a made-up order system, posted in batches, and waiting until every one of them is written back.
//!
//! Its own file because it is the client's side: it knows the server by its API only, and the sandbox by its state.

use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use trunkline_connectors::http::{Request, Response};
use trunkline_core::clock::Clock;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};

use super::meter::Meter;
use crate::output;

/// A source for the load, one journey, one text.
pub(super) const CONFIG: [(&str, &str); 3] = [
    (
        "sources/bench.toml",
        "kind = \"events\"\nsystem = \"shopify\"\nreads = \"/bench\"\n\n[[map]]\ntopics = [\"order.created\"]\ndata = { order = \"body.order\", total = \"body.total\" }\nlabels = { \
         order = \"body.order\" }\n\n[map.profile]\nexternal_id = \"body.customer\"\nphone = \"body.phone\"\nlocale = \"body.locale\"\nattributes = { first_name = \"body.first_name\" }\n",
    ),
    (
        "journeys/bench.toml",
        "program = \"acme\"\npurpose = \"transactional\"\nttl = \"4h\"\ncorrelation = \"event.data.order\"\n\n[trigger]\ntype = \"order.created\"\n\n[[step]]\nid = \"confirm\"\ndo = \
         \"send\"\ntemplate = \"bench\"\n\n[[step]]\nid = \"done\"\ndo = \"end\"\n",
    ),
    ("templates/bench/default.txt", "Hello {{ profile.attributes.first_name }}, order {{ event.data.order }} over {{ event.data.total }} is confirmed."),
];

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// The longest that is waited for the end after the last event was taken, in real time.
const PATIENCE: Span = Span::mins(10);

pub(super) struct Load {
    pub(super) target: String,
    pub(super) key: String,
    pub(super) messages: u32,
    pub(super) rate: Option<u32>,
    pub(super) batch: u32,
    /// Texts asked for beside the events.
    pub(super) codes: u32,
}

impl Load {
    /// Posts every event, and again what was not taken.
    pub(super) async fn drive(&self, clock: &dyn Clock) -> anyhow::Result<()> {
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new()?);
        let bar = if output::watched() { ProgressBar::new(u64::from(self.messages)) } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("events    {bar:40} {human_pos}/{human_len} {per_sec}")?);
        let began = clock.uptime();
        let mut flying = FuturesUnordered::new();
        let (mut next, mut done) = (0, 0);
        while done < self.messages {
            while next < self.messages && flying.len() < AT_ONCE {
                let size = self.batch.min(self.messages - next);
                if let Some(rate) = self.rate {
                    let due = Span(i64::from(next) * 1_000_000 / i64::from(rate.max(1)));
                    let wait = Span(due.0 - clock.uptime().since(began).0);
                    if wait.0 > 0 {
                        if !flying.is_empty() {
                            break;
                        }
                        pause(wait).await;
                    }
                }
                flying.push(self.post(transport.clone(), next, size));
                next += size;
            }
            if let Some(taken) = flying.next().await {
                let taken: u32 = taken?;
                done += taken;
                bar.inc(u64::from(taken));
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Posts one batch until it is taken; how many events it has.
    async fn post(&self, transport: Arc<dyn Transport>, from: u32, size: u32) -> anyhow::Result<u32> {
        let events: Vec<Value> = (from..from + size).map(event).collect();
        let (media, body) = match events.as_slice() {
            [one] if self.batch == 1 => ("application/cloudevents+json", one.to_string()),
            _ => ("application/cloudevents-batch+json", Value::Array(events).to_string()),
        };
        for _ in 0..100 {
            let headers = vec![("authorization".to_owned(), format!("Bearer {}", self.key)), ("content-type".to_owned(), media.to_owned())];
            let request = Request { method: http_post(), url: format!("{}/v1/events", self.target), headers, body: body.clone().into(), timeout: Span::secs(60) };
            match transport.call(request).await {
                Ok(Response { status: 200 | 202, .. }) => return Ok(size),
                // Taken or not, the same events again are the same events.
                Ok(Response { status: 429 | 503, .. }) | Err(_) => pause(Span::millis(50)).await,
                Ok(other) => anyhow::bail!("events were answered with {}: {}", other.status, String::from_utf8_lossy(&other.body)),
            }
        }
        anyhow::bail!("a batch of events was not taken in a hundred tries")
    }

    /// Waits until the CRM has the last word about every text.
    pub(super) async fn finish(&self, sandbox: &str, meter: &mut Meter) -> anyhow::Result<()> {
        let transport = HttpTransport::new()?;
        let bar = if output::watched() { ProgressBar::new(u64::from(self.messages)) } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("lifecycle {bar:40} {human_pos}/{human_len} {per_sec}")?);
        let rounds = PATIENCE.0 / POLL.0;
        for _ in 0..rounds {
            let state = get(&transport, &format!("{sandbox}/sandbox/state?latest=0")).await?;
            let done = state.pointer("/totals/crm_final").and_then(Value::as_u64).unwrap_or(0);
            bar.set_position(done);
            if done >= u64::from(self.messages + self.codes) {
                bar.finish_and_clear();
                return Ok(());
            }
            meter.look()?;
            pause(POLL).await;
        }
        output::complain("not every text was written back in ten minutes; what is missing is counted as lost");
        Ok(())
    }

    /// What the sandbox counted, with the body of every text on its phones.
    pub(super) async fn state(&self, sandbox: &str) -> anyhow::Result<Value> {
        let transport = HttpTransport::new()?;
        let mut bodies: Vec<Value> = Vec::new();
        loop {
            let mut state = get(&transport, &format!("{sandbox}/sandbox/tally?from={}", bodies.len())).await?;
            let page = state.get_mut("bodies").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            let last = page.is_empty();
            bodies.extend(page);
            if last {
                if let Value::Object(fields) = &mut state {
                    fields.insert("bodies".to_owned(), Value::Array(bodies));
                }
                return Ok(state);
            }
        }
    }
}

const POLL: Span = Span::millis(50);

fn http_post() -> http::Method {
    http::Method::POST
}

pub(super) async fn get(transport: &HttpTransport, url: &str) -> anyhow::Result<Value> {
    let request = Request { method: http::Method::GET, url: url.to_owned(), headers: Vec::new(), body: Vec::new().into(), timeout: Span::secs(60) };
    let response = transport.call(request).await.context("the sandbox does not answer")?;
    serde_json::from_slice(&response.body).with_context(|| format!("{url} was answered with {}", response.status))
}

/// The order that an event is about.
pub(super) fn order(n: u32) -> String {
    format!("#B{n:07}")
}

/// One event: another customer each, whose number has no habits in the sandbox.
fn event(n: u32) -> Value {
    const AREAS: [u32; 10] = [212, 213, 312, 305, 415, 503, 617, 702, 808, 206];
    let area = AREAS.get(usize::try_from(n % 10).unwrap_or(0)).copied().unwrap_or(212);
    let rest = n / 10;
    let phone = format!("+1{area}{:03}{:04}", 200 + rest / 8_000, 1_000 + rest % 8_000);
    json!({
        "specversion": "1.0", "id": format!("b{n}"), "source": "/bench", "type": "order.created", "subject": order(n),
        "data": {"order": order(n), "total": "129.00 USD", "customer": format!("c{n}"), "phone": phone, "locale": "en-US", "first_name": "Ana"},
    })
}

#[expect(clippy::disallowed_methods, reason = "a load generator waits for real processes")]
pub(super) async fn pause(span: Span) {
    tokio::time::sleep(span.std()).await;
}
