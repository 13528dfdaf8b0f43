//! Followers are told of each thing once, signed, as it was; are tried for three days; and then it is a dead letter.
//!
//! Its own file because it joins what a change owes, the stage that tells, the dialect and the fake that checks
//! signatures with code of its own. Which addresses are private is the transport's matter: here it is which of the two
//! ways out a call takes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use trunkline_connectors::http::{Phase, Reply, Request, Response, TransportError};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::time::{Span, Time};
use trunkline_engine::Engine;
use trunkline_engine::announce::{AnnounceCall, AnnounceResult};
use trunkline_engine::transport::{HttpTransport, Transport, Transports};
use trunkline_engine::worker::loops;
use trunkline_sim::fixtures;
use trunkline_sim::follower::Follower;
use trunkline_sim::outgoing::Answer;
use trunkline_store::Store;
use trunkline_store::sqlite::{Owes, SqliteStore};

struct Node {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
}

impl Node {
    /// A node whose one follower listens there.
    async fn new(url: &str, allow_private: bool) -> Node {
        let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, trunkline_sim::carrier::Dialect::Twilio).await.unwrap()).unwrap();
        definitions.connectors = Vec::new();
        for follower in &mut definitions.followers {
            (follower.url, follower.allow_private) = (url.to_owned(), allow_private);
        }
        let engine = Arc::new(Engine::start(store, clock.clone(), Arc::new(definitions), [7; 32]).await.unwrap());
        Node { engine, clock }
    }

    /// Makes a text, which is something to tell; gives its id.
    async fn text(&self) -> String {
        let request = serde_json::from_value(json!({"to": "+14155550123", "body": "hello", "purpose": "transactional", "ttl": "90s", "labels": {"order": "#1"}})).unwrap();
        self.engine.send_text("test", "key", &request).await.unwrap().id.to_string()
    }

    async fn claim(&self) -> Vec<AnnounceCall> {
        self.engine.announce_claim_tick(self.clock.now(), 10).await.unwrap().0
    }

    async fn settle(&self, call: AnnounceCall, reply: Reply) {
        let (_, left) = self.engine.announce_settle_tick(self.clock.now(), vec![AnnounceResult { row: call.row, reply }]).await;
        assert!(left.is_empty());
    }

    /// Claims the one call that is due.
    async fn one(&self) -> AnnounceCall {
        let mut calls = self.claim().await;
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a transport answers with a result")]
fn answer(status: u16, headers: &[(&str, &str)]) -> Reply {
    Ok(Response { status, headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(), body: Bytes::new() })
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
}

/// What the fake follower, which checks the signature, answers.
#[expect(clippy::unnecessary_wraps, reason = "a transport answers with a result")]
fn ask(follower: &mut Follower, request: &Request) -> Reply {
    match follower.call(request, 0, &mut ChaCha12Rng::seed_from_u64(1)) {
        Answer::Reply(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_follower_is_told_once_with_a_signature_it_can_check() {
    let node = Node::new("https://bi.example/hooks", false).await;
    let mut follower = Follower::default();
    assert!(node.claim().await.is_empty(), "nothing happened yet");
    let id = node.text().await;
    let call = node.one().await;
    assert_eq!((call.request.url.as_str(), header(&call.request, "webhook-timestamp")), ("https://bi.example/hooks", "1795456800"));
    assert!(node.claim().await.is_empty(), "it is in the air");
    let told: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!((&told["type"], &told["timestamp"], &told["data"]["id"]), (&json!("message.queued"), &json!("2026-11-23T18:00:00Z"), &json!(id)), "{told}");
    assert!(told["data"]["labels"]["order"] == "#1" && !told.to_string().contains("4155550123"), "the number is masked: {told}");
    let mut forged = call.request.clone();
    forged.body = Bytes::from(told.to_string().replace("queued", "delivered"));
    assert_eq!(ask(&mut follower, &forged).unwrap().status, 401, "another body has another signature");
    let mut follower = Follower::default();
    let reply = ask(&mut follower, &call.request);
    node.settle(call, reply).await;
    assert!(follower.faults().is_empty() && follower.taken().len() == 1, "{:?}", follower.faults());
    node.clock.advance(Span::hours(48));
    assert!(node.claim().await.is_empty(), "it was told");
    // What happens next is told too: the text was not sent in time.
    node.engine.claim_tick(node.clock.now(), 10).await.unwrap();
    let call = node.one().await;
    let reply = ask(&mut follower, &call.request);
    node.settle(call, reply).await;
    let kinds: Vec<String> = follower.taken().values().map(|body| serde_json::from_slice::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned()).collect();
    assert!(kinds.len() == 2 && kinds.contains(&"message.expired".to_owned()), "{kinds:?}");
}

#[tokio::test]
async fn a_follower_that_is_down_is_tried_for_three_days_and_then_it_is_a_dead_letter() {
    let node = Node::new("https://bi.example/hooks", false).await;
    node.text().await;
    let started = node.clock.now();
    let (mut first, mut tries) = (None, 0);
    loop {
        let call = node.one().await;
        tries += 1;
        let now = (header(&call.request, "webhook-id").to_owned(), call.request.body.clone());
        assert_eq!(*first.get_or_insert_with(|| now.clone()), now, "the same id and words at try {tries}");
        let reply = if tries % 2 == 0 { Err(TransportError { phase: Phase::Wait, detail: "no answer".to_owned() }) } else { answer(503, &[]) };
        node.settle(call, reply).await;
        let dead = node.engine.store.dead(10).await.unwrap();
        if !dead.is_empty() {
            assert_eq!((dead[0].kind.as_str(), dead[0].id.as_str()), ("announcement", first.as_ref().unwrap().0.as_str()));
            break;
        }
        let due = node.engine.store.due_announcements(Time(i64::MAX), node.engine.epoch, 1).await.unwrap().remove(0).due;
        node.clock.set(Time(due.0 - 1));
        assert!(node.claim().await.is_empty(), "not before it is due");
        node.clock.set(due);
    }
    let lasted = node.clock.now().since(started);
    assert!(tries == 10 && lasted > Span::hours(72) && lasted < Span::hours(96), "{tries} tries in {lasted:?}");
    node.clock.advance(Span::hours(240));
    assert!(node.claim().await.is_empty(), "it was given up");
    let alerts = node.engine.store.alerts().await.unwrap();
    assert!(alerts.iter().any(|a| a.code == "announcement_dead" && a.detail.contains("replay ann_")), "{alerts:?}");
    // Once the follower is up again, whoever mended it replays.
    let (name, body) = first.unwrap();
    assert!(node.engine.replay(&name).await.unwrap() && node.engine.store.dead(10).await.unwrap().is_empty());
    let call = node.one().await;
    assert_eq!((header(&call.request, "webhook-id"), &call.request.body), (name.as_str(), &body));
    assert_eq!(header(&call.request, "webhook-timestamp"), (node.clock.now().0 / 1_000_000).to_string(), "signed anew");
    let mut follower = Follower::default();
    let reply = ask(&mut follower, &call.request);
    node.settle(call, reply).await;
    assert!(follower.taken().contains_key(&name) && !node.engine.replay(&name).await.unwrap());
}

#[tokio::test]
async fn a_follower_may_ask_for_time_or_for_silence() {
    let node = Node::new("https://bi.example/hooks", false).await;
    node.text().await;
    let call = node.one().await;
    node.settle(call, answer(429, &[("retry-after", "90")])).await;
    node.clock.advance(Span::secs(89));
    assert!(node.claim().await.is_empty());
    node.clock.advance(Span::secs(1));
    let call = node.one().await;
    node.settle(call, answer(410, &[])).await;
    let dead = node.engine.store.dead(10).await.unwrap();
    assert!(dead.len() == 1 && dead[0].cause.contains("410"), "{dead:?}");
}

#[tokio::test]
async fn a_follower_on_a_private_address_is_not_called() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = Node::new(&format!("http://localhost:{}/hooks", listener.local_addr().unwrap().port()), false).await;
    node.text().await;
    let call = node.one().await;
    let reply = HttpTransport::guarded().unwrap().call(call.request.clone()).await;
    node.settle(call, reply).await;
    let row = node.engine.store.due_announcements(Time(i64::MAX), node.engine.epoch, 1).await.unwrap().remove(0);
    assert!(row.tries == 1 && row.cause.contains("private network"), "{row:?}");
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none(), "nobody called");
}

/// Takes note of each call to a follower and which way it took, and answers it.
struct Way(&'static str, mpsc::UnboundedSender<&'static str>);

#[async_trait]
impl Transport for Way {
    async fn call(&self, request: Request) -> Reply {
        if request.headers.iter().any(|(name, _)| name == "webhook-id") {
            self.1.send(self.0).unwrap();
        }
        answer(204, &[])
    }
}

#[tokio::test]
async fn a_follower_is_called_the_guarded_way_unless_it_is_said_otherwise() {
    for (allow_private, expect) in [(false, "guarded"), (true, "plain")] {
        let node = Node::new("https://bi.example/hooks", allow_private).await;
        node.text().await;
        let (send, mut calls) = mpsc::unbounded_channel();
        let transports = Transports { plain: Arc::new(Way("plain", send.clone())), guarded: Arc::new(Way("guarded", send)) };
        let (stop, stopped) = watch::channel(false);
        let working = join_all(loops(&node.engine, &transports, &stopped));
        let watching = async {
            let way = calls.recv().await;
            stop.send_replace(true);
            way
        };
        let (_, way) = tokio::join!(working, watching);
        assert_eq!(way, Some(expect));
    }
}
