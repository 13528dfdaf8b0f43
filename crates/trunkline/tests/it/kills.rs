//! A hundred times kill -9 under load, at instants drawn from a seed: nothing acknowledged is lost, nothing is sent
//! twice, and everything comes to an end.
//!
//! `TRUNKLINE_KILLS` says how often, for a long run. One kill in five hits a server that is only starting. After every
//! fourth, before the next start, the store is looked into: what was under way tells where the kill fell. After the others
//! nobody looks, so that the server itself finds the log as it was left.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use trunkline_connectors::http::Request;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::message::Delivery;
use trunkline_core::time::Span;
use trunkline_engine::transport::{HttpTransport, Transport};
use trunkline_engine::verify::verify;
use trunkline_sim::faults::Faults;
use trunkline_sim::http::{Sandbox, Snapshot};
use trunkline_sim::shop::Customer;
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

use crate::support::{Folder, Server, nap, sandbox};

const KILLS: u32 = 100;
const SEED: u64 = 11;

/// How often to kill.
fn kills() -> u32 {
    std::env::var("TRUNKLINE_KILLS").map_or(KILLS, |text| text.parse().expect("TRUNKLINE_KILLS is a whole number"))
}

fn phone(n: u32) -> String {
    format!("+1415555{:04}", 1_000 + n % 400)
}

fn customer(n: u32) -> Customer {
    Customer { id: 9_000 + i64::from(n), first_name: "Ana".into(), last_name: "Test".into(), phone: Some(phone(n)), locale: "en".into(), country: "US".into() }
}

/// Orders of the shop, whose hooks the sandbox posts until they are acknowledged; every second one comes twice.
async fn orders(sandbox: &Sandbox, done: &watch::Receiver<bool>) {
    let mut n = 0;
    while !*done.borrow() {
        sandbox.order(&customer(n), 1 + n % 2);
        n += 1;
        nap(80).await;
    }
}

/// Texts of the API, each asked for with the same key until it is acknowledged: the ids that were, by key.
async fn texts(url: &str, key: &str, done: &watch::Receiver<bool>) -> BTreeMap<u32, MessageId> {
    let transport = HttpTransport::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut n = 0;
    while !*done.borrow() {
        let body = json!({"to": phone(n + 200), "purpose": "transactional", "body": format!("Text {n} under kills.")}).to_string();
        let headers = [("authorization", format!("Bearer {key}")), ("content-type", "application/json".to_owned()), ("idempotency-key", format!("kill-{n}"))];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let request = Request { method: "POST".parse().unwrap(), url: format!("{url}/v1/messages"), headers, body: body.into(), timeout: Span::secs(5) };
        match transport.call(request).await {
            Ok(response) if response.status == 202 => {
                let answer: Value = serde_json::from_slice(&response.body).unwrap();
                acknowledged.insert(n, answer["id"].as_str().unwrap().parse().unwrap());
                n += 1;
                nap(40).await;
            }
            Ok(response) => {
                assert_eq!(response.status, 503, "{}", String::from_utf8_lossy(&response.body));
                nap(20).await;
            }
            // Nobody knows whether it was taken: the same key asks again.
            Err(_) => nap(20).await,
        }
    }
    acknowledged
}

/// What was under way when the server was killed, by queue: in how many of the looks.
async fn look(folder: &Folder, seen: &mut BTreeMap<String, u32>) {
    let store = SqliteStore::open(&folder.store(), Owes::Direct).unwrap();
    for (queue, rows) in store.backlog().await.unwrap() {
        if rows > 0 {
            *seen.entry(queue).or_default() += 1;
        }
    }
}

fn starting(folder: &Folder) -> Server {
    Server(folder.command(&["serve"]).stderr(Stdio::null()).spawn().unwrap())
}

async fn kill_again_and_again(folder: &Folder) -> BTreeMap<String, u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut within = |from: u64, to: u64| from + rng.next_u64() % (to - from);
    let mut seen = BTreeMap::new();
    for kill in 0..kills() {
        let server = if kill % 5 == 4 {
            let server = starting(folder);
            nap(within(5, 250)).await;
            server
        } else {
            let server = folder.serve().await;
            nap(within(5, 450)).await;
            server
        };
        server.kill();
        if kill % 4 == 3 {
            look(folder, &mut seen).await;
        }
    }
    seen
}

/// Waits until nothing is under way any more, in the sandbox and in the store.
async fn rest(sandbox: &Sandbox, folder: &Folder) {
    let store = SqliteStore::open(&folder.store(), Owes::Direct).unwrap();
    let mut left = Vec::new();
    let mut calm = 0;
    for _ in 0..900 {
        left = store.backlog().await.unwrap().into_iter().filter(|(_, rows)| *rows > 0).collect();
        calm = if left.is_empty() && sandbox.pending() == 0 { calm + 1 } else { 0 };
        if calm >= 5 {
            return;
        }
        nap(200).await;
    }
    panic!("still under way three minutes after the last kill: {left:?}, {} hooks of the sandbox", sandbox.pending());
}

async fn all_messages(store: &dyn Store) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let page = store.messages_after(all.last().map(|m| m.id), 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// The shop's ids of the events that came to an end.
async fn ended_events(store: &dyn Store) -> BTreeSet<String> {
    let mut ended = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.events_after(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return ended };
        after = Some(last.id);
        ended.extend(page.iter().filter(|e| e.fate.is_some()).map(|e| e.mapped.event.id.split(':').next().unwrap().to_owned()));
    }
}

fn check_phones(theirs: &Snapshot, messages: &[Message]) {
    let mut on_phone: BTreeMap<MessageId, u32> = BTreeMap::new();
    let mut words: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for text in theirs.texts.iter().filter(|t| !t.vendor_own) {
        let attempt: AttemptId = text.attempt.as_deref().unwrap().parse().unwrap();
        *on_phone.entry(attempt.message).or_default() += 1;
        *words.entry((text.phone.as_str(), text.body.as_str())).or_default() += 1;
    }
    let twice: Vec<_> = on_phone.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "on a phone twice: {twice:?}");
    // Each text names its order or its number: two messages with the same words were made for one occasion.
    let same: Vec<_> = words.iter().filter(|(_, n)| **n > 1).collect();
    assert!(same.is_empty(), "the same words twice: {same:?}");
    let known: BTreeSet<MessageId> = messages.iter().map(|m| m.id).collect();
    assert!(on_phone.keys().all(|id| known.contains(id)), "a text is on a phone that no message knows");
}

fn check_records(theirs: &Snapshot, messages: &[Message]) {
    let record = |m: &Message| theirs.crm.get(&format!("messages/{}", m.id)).and_then(|r| r["status"].as_str()).map(str::to_owned);
    let differ: Vec<_> = messages.iter().filter(|m| record(m).as_deref() != Some(m.state.word())).map(|m| (m.id, m.state.word(), record(m))).collect();
    assert!(differ.is_empty(), "the CRM says something else: {differ:?}");
}

/// Where the kills fell, as far as was looked.
fn check_phases(seen: &BTreeMap<String, u32>) {
    if kills() < KILLS {
        return;
    }
    for phase in ["messages: dispatched", "write-backs"] {
        assert!(seen.contains_key(phase), "no kill fell where there were {phase}: {seen:?}");
    }
    assert!(seen.len() >= 3, "the kills fell into few phases only: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_sent_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new(&format!("http://{}", listener.local_addr().unwrap()));
    let main = std::fs::read_to_string(folder.path().join("trunkline.toml")).unwrap();
    // Short, so that what a kill leaves in the air is heard of soon; and wide, so that no text waits for its turn.
    folder.write("trunkline.toml", &main.replace("timeout = \"10s\"", "timeout = \"2s\"").replace("{ per_second = 100, burst = 100 }", "{ per_second = 1000, burst = 1000 }"));
    let made = folder.run(&["keys", "create", "kills"]);
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let (stop, stopped) = watch::channel(false);
    let (done, finished) = watch::channel(false);
    // On the same clock as the server, which may ask it what it took, and when.
    let sandbox = sandbox(&folder.url(), 1);
    sandbox.set_faults(Faults { vendor_latency_ms: 60, crm_slow_ms: 20, callback_duplicate_permille: 200, quick_receipts: true, ..Faults::default() }).unwrap();
    let serving = trunkline_sim::http::run(sandbox.clone(), listener, stopped);
    let killing = async {
        let seen = kill_again_and_again(&folder).await;
        done.send_replace(true);
        let server = folder.serve().await;
        rest(&sandbox, &folder).await;
        server.stop();
        stop.send_replace(true);
        seen
    };
    let url = folder.url();
    let (served, (), acknowledged, seen) = tokio::join!(serving, orders(&sandbox, &finished), texts(&url, &key, &finished), killing);
    served.unwrap();

    let theirs = sandbox.snapshot();
    let store = SqliteStore::open(&folder.store(), Owes::Direct).unwrap();
    let messages = all_messages(&store).await;
    let load = usize::try_from(kills()).unwrap();
    assert!(theirs.orders.len() > load && acknowledged.len() > load, "the load was no load: {} orders, {} texts", theirs.orders.len(), acknowledged.len());
    check_phones(&theirs, &messages);
    check_records(&theirs, &messages);
    check_phases(&seen);
    let known: BTreeSet<MessageId> = messages.iter().map(|m| m.id).collect();
    let gone: Vec<_> = acknowledged.iter().filter(|(_, id)| !known.contains(id)).collect();
    assert!(gone.is_empty(), "acknowledged by the API and lost: {gone:?}");
    assert_eq!(acknowledged.values().collect::<BTreeSet<_>>().len(), acknowledged.len(), "two keys are one text");
    assert_eq!(theirs.hooks.given_up, 0, "the sandbox gave up on a hook, so nothing can be said of it");
    let ended = ended_events(&store).await;
    let lost: Vec<_> = theirs.orders.iter().filter(|o| !ended.contains(&o.event_id)).map(|o| &o.name).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let open: Vec<_> = messages.iter().filter(|m| m.state.delivery().blocks()).map(|m| m.id).collect();
    assert!(open.is_empty(), "still under way: {open:?}");
    // What is unclear was in the air when a kill fell, and its vendor never got it: a few each time.
    let unknown = messages.iter().filter(|m| m.state.delivery() == Delivery::Unknown).count();
    assert!(unknown <= load * 4, "{unknown} of {} ended unknown", messages.len());
    let report = verify(&store, |_| {}).await.unwrap();
    assert_eq!(report.differences, 0, "{:#?}", report.first);
}
