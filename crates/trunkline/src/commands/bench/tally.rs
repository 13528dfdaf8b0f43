//! The count afterwards: each order on the phones, each record in the CRM, each message in the store.
//!
//! Its own file because it takes nobody's word: what was lost or came twice is read off the sandbox's own memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use trunkline_core::time::Time;
use trunkline_engine::verify::verify;
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};

use super::load::order;

/// What was counted.
pub(super) struct Counted {
    pub(super) lost: u32,
    pub(super) twice: u32,
    pub(super) differences: u64,
    pub(super) hook_ack: (f64, f64),
    pub(super) to_dispatch: (f64, f64),
    pub(super) store_bytes: u64,
    pub(super) writebacks_per_message: f64,
}

pub(super) async fn count(folder: &Path, state: &Value, messages: u32) -> anyhow::Result<Counted> {
    let mut on_phones: BTreeMap<&str, u32> = BTreeMap::new();
    for body in state.get("bodies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if let Some(order) = body.split(' ').find(|word| word.starts_with("#B")) {
            *on_phones.entry(order).or_default() += 1;
        }
    }
    let written = state.get("crm_final").and_then(Value::as_u64).unwrap_or(0);
    let (mut lost, mut twice) = (0, 0);
    for n in 0..messages {
        match on_phones.get(order(n).as_str()).copied().unwrap_or(0) {
            0 => lost += 1,
            1 => {}
            _ => twice += 1,
        }
    }
    lost = lost.max(messages.saturating_sub(u32::try_from(written).unwrap_or(u32::MAX)));
    let path = folder.join("trunkline.sqlite");
    let size = |end: &str| std::fs::metadata(folder.join(format!("trunkline.sqlite{end}"))).map_or(0, |m| m.len());
    let store_bytes = size("") + size("-wal");
    let store = SqliteStore::open(&path, Owes::Direct)?;
    let report = verify(&store, |_| {}).await?;
    let number = |name: &str| state.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    Ok(Counted {
        lost,
        twice,
        differences: report.differences,
        hook_ack: (round(number("hook_ack_ms_p50")), round(number("hook_ack_ms_p99"))),
        to_dispatch: to_dispatch(&store).await?,
        store_bytes,
        writebacks_per_message: number("crm_writes") / f64::from(messages),
    })
}

/// From taking an event to the claim of its text, in milliseconds: the median, and what 99 of 100 did not exceed.
async fn to_dispatch(store: &dyn Store) -> anyhow::Result<(f64, f64)> {
    let mut spans: Vec<i64> = Vec::new();
    let mut after = None;
    loop {
        let page = store.messages_after(after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let events: BTreeMap<_, Time> = store.events(&page.iter().filter_map(|m| m.intent.event).collect::<Vec<_>>()).await?.into_iter().map(|e| (e.id, e.received_at)).collect();
        for message in &page {
            let taken = message.intent.event.and_then(|id| events.get(&id));
            if let (Some(taken), Some(attempt)) = (taken, message.state.attempts.first()) {
                spans.push(attempt.claimed_at.since(*taken).0);
            }
        }
    }
    spans.sort_unstable();
    let at = |percent: usize| spans.get((spans.len() * percent / 100).min(spans.len().saturating_sub(1))).map_or(0.0, |micros| super::seconds(*micros * 1_000));
    Ok((round(at(50)), round(at(99))))
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
