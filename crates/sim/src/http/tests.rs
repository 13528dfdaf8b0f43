//! The sandbox as its users have it: over HTTP, with hooks that are delivered and a clock that runs fast.
//!
//! Its own file because it needs a server, a target and a client, which are longer than what they test.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trunkline_connectors::hook::RawHook;
use trunkline_connectors::registry::{AccountSettings, provider};
use trunkline_connectors::sms::{Lane, Outbound, Provider};
use trunkline_core::clock::{ManualClock, SystemClock};
use trunkline_core::id::{AttemptId, MessageId};

use super::*;
use crate::vendor::tests::{PHONE, text};

const SENDER: &str = "+15005550006";
const SERVICE: &str = "MG00000000000000000000000000000000";

/// Fails the first posts, then takes all, and remembers them.
struct Target {
    posts: Mutex<Vec<OutgoingHook>>,
    failures: usize,
}

impl Deliver for Target {
    fn post<'a>(&'a self, hook: &'a OutgoingHook) -> Delivered<'a> {
        Box::pin(async move {
            let mut posts = self.posts.lock().unwrap();
            posts.push(hook.clone());
            if posts.len() <= self.failures { Err("nobody there".to_owned()) } else { Ok(200) }
        })
    }
}

fn sandbox(failures: usize, clock: Arc<dyn Clock>) -> (Sandbox, Arc<Target>) {
    let target = Arc::new(Target { posts: Mutex::new(Vec::new()), failures });
    let settings = SandboxSettings {
        target_base_url: "http://127.0.0.1:8080/".into(),
        account_sid: "AC00000000000000000000000000000000".into(),
        auth_token: "token".into(),
        senders: vec![SENDER.into()],
        messaging_service: Some(SERVICE.into()),
        inbound_path: "/hooks/twilio".into(),
        shop_secret: "hush".into(),
        shop_path: "/hooks/shopify".into(),
        seed: 1,
        clock,
    };
    (Sandbox::new(settings, Arc::<Target>::clone(&target)), target)
}

fn start() -> Time {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// Two thousand times as fast as real time.
fn fast() -> Arc<dyn Clock> {
    Arc::new(SystemClock::scaled(start(), 2_000))
}

fn customer() -> Customer {
    Customer { id: 1, first_name: "Ana".into(), last_name: "Prado".into(), phone: Some(PHONE.into()), locale: "en".into(), country: "US".into() }
}

async fn until_idle(sandbox: &Sandbox) {
    let mut every = tokio::time::interval(Duration::from_millis(2));
    while sandbox.pending() > 0 {
        every.tick().await;
    }
}

/// Runs a script against a sandbox that listens.
async fn with_server(sandbox: &Sandbox, script: impl AsyncFnOnce(SocketAddr)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let both = async {
        tokio::select! {
            served = run(sandbox.clone(), listener, stopped) => panic!("the sandbox stopped: {served:?}"),
            () = script(address) => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
}

/// The status and the body of the answer to one request; `more` are header lines.
async fn ask(address: SocketAddr, line: &str, more: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn json_of(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

const JSON: &str = "content-type: application/json\r\n";

/// The real driver of an account at the sandbox that listens there.
fn driver(kind: &str, signing_key: &str, address: SocketAddr) -> Box<dyn Provider> {
    let settings = AccountSettings {
        name: kind.into(),
        provider: kind.into(),
        account_id: "AC00000000000000000000000000000000".into(),
        secrets: vec!["token".into()],
        signing_keys: vec![signing_key.into()],
        base_url: Some(format!("http://{address}")),
        timeout: Span::secs(10),
    };
    provider(&settings).unwrap()
}

/// Sends a text as the driver does.
async fn send(address: SocketAddr, driver: &dyn Provider, callback_url: &str) -> (u16, Value) {
    let attempt = AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 1 };
    let validity = Span::hours(24);
    let request = driver.send(&Outbound { attempt, to: PHONE, from: SENDER, body: "Hello", validity, expires_at: start() + validity, callback_url });
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let path = request.url.replace(&format!("http://{address}"), "");
    let (status, answer) = ask(address, &format!("POST {path}"), &headers, std::str::from_utf8(&request.body).unwrap()).await;
    (status, json_of(&answer))
}

/// The posts so far; the driver takes each for genuine at the time at which it was sent, and its lane is as expected.
fn genuine(target: &Target, driver: &dyn Provider, lane: Lane) -> Vec<OutgoingHook> {
    let posts = target.posts.lock().unwrap().clone();
    for hook in &posts {
        let raw = RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() };
        assert_eq!((driver.verify(&raw, hook.at), driver.lane(&raw)), (Ok(()), lane), "{}", hook.url);
    }
    posts
}

#[tokio::test]
async fn hooks_are_tried_until_they_are_answered() {
    let (sandbox, target) = sandbox(5, fast());
    let order = sandbox.order(&customer(), 2);
    sandbox.ship(order.id).unwrap();
    sandbox.reply(PHONE, SENDER, "STOP").unwrap();
    assert_eq!(sandbox.pending(), 4);
    with_server(&sandbox, async |_| until_idle(&sandbox).await).await;
    let counts = sandbox.snapshot().hooks;
    assert_eq!(counts, HookCounts { made: 4, sent: 9, answered: 4, unanswered: 5, ..HookCounts::default() });
    assert_eq!(target.posts.lock().unwrap().len(), 9);
    let seen = sandbox.snapshot();
    assert_eq!((seen.opt_outs.len(), seen.texts.len(), seen.orders.len()), (1, 1, 1));
}

#[tokio::test]
async fn hooks_wait_while_they_are_paused_and_forgeries_come_first() {
    let (sandbox, target) = sandbox(0, fast());
    let forging = Faults { invalid_hooks_permille: 1_000, ..Faults::default() };
    sandbox.set_faults(Faults { webhooks_paused: true, ..forging.clone() }).unwrap();
    sandbox.order(&customer(), 1);
    assert_eq!((sandbox.pending(), sandbox.nap()), (2, None), "what is paused is not waited for");
    with_server(&sandbox, async |_| {
        let mut every = tokio::time::interval(Duration::from_millis(30));
        every.tick().await;
        every.tick().await;
        assert_eq!(target.posts.lock().unwrap().len(), 0);
        sandbox.set_faults(forging).unwrap();
        until_idle(&sandbox).await;
    })
    .await;
    let counts = sandbox.snapshot().hooks;
    assert_eq!(counts, HookCounts { made: 2, sent: 2, answered: 1, forged: 1, forged_taken: 1, ..HookCounts::default() });
    let posts = target.posts.lock().unwrap();
    assert!(posts[0].body != posts[1].body || posts[0].headers.len() < posts[1].headers.len(), "the first is not the second");
}

#[tokio::test]
async fn takes_texts_over_http() {
    let (sandbox, target) = sandbox(0, fast());
    let request = text(PHONE);
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let path = request.url.replace("http://127.0.0.1:9000", "");
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    with_server(&sandbox, async |address| {
        let (status, answer) = ask(address, &format!("POST {path}"), &headers, &body).await;
        assert_eq!((status, &json_of(&answer)["status"]), (201, &Value::from("queued")));
        let (status, answer) = ask(address, &format!("POST {path}"), "", &body).await;
        assert_eq!((status, &json_of(&answer)["code"]), (401, &Value::from(20_003)));
        until_idle(&sandbox).await;
        let (status, answer) = ask(address, "GET /sandbox/state?latest=10", "", "").await;
        let state = json_of(&answer);
        assert_eq!((status, &state["texts"][0]["phone"], &state["hooks"]["answered"]), (200, &Value::from(PHONE), &Value::from(2)));
    })
    .await;
    assert!(target.posts.lock().unwrap().iter().all(|hook| hook.url.starts_with("http://127.0.0.1:8080/hooks/twilio?attempt=msg_")));
}

#[tokio::test]
async fn the_controls_and_the_page() {
    let (sandbox, _target) = sandbox(0, fast());
    with_server(&sandbox, async |address| {
        let (status, page) = ask(address, "GET /", "", "").await;
        assert!(status == 200 && page.contains("content-security-policy: default-src 'none'") && page.contains("text/html"));
        let reply = format!("{{\"to\": \"{SENDER}\", \"body\": \"Hi\"}}");
        assert_eq!(ask(address, &format!("POST /sandbox/phones/{PHONE}/reply"), JSON, &reply).await.0, 202);
        assert_eq!(ask(address, "POST /sandbox/phones/12/reply", JSON, &reply).await.0, 422);
        assert_eq!(ask(address, "PUT /sandbox/faults", JSON, "{\"crm_down\": true}").await.0, 200);
        assert_eq!(ask(address, "PUT /sandbox/faults", JSON, "{\"refuse_permille\": 2000}").await.0, 422);
        let token = format!("authorization: Bearer {}\r\n", crate::crm::TOKEN);
        assert_eq!(ask(address, "PUT /crm/records/messages/msg_1", &token, "{}").await.0, 503);
        assert_eq!(ask(address, "PUT /sandbox/faults", JSON, "{}").await.0, 200);
        assert_eq!(ask(address, "PUT /crm/records/messages/msg_1", &token, "{}").await.0, 201);
        let order = serde_json::json!({"customer": customer(), "copies": 3}).to_string();
        let (status, answer) = ask(address, "POST /sandbox/shop/orders", JSON, &order).await;
        assert_eq!((status, &json_of(&answer)["name"]), (201, &Value::from("#1001")));
        let shipment = serde_json::json!({"order_id": json_of(&answer)["id"]}).to_string();
        assert_eq!(ask(address, "POST /sandbox/shop/shipments", JSON, &shipment).await.0, 202);
        assert_eq!(ask(address, "POST /sandbox/shop/shipments", JSON, "{\"order_id\": 5}").await.0, 404);
        let cancel = async || ask(address, "POST /sandbox/shop/cancellations", JSON, &shipment).await.0;
        assert_eq!((cancel().await, cancel().await), (202, 409));
    })
    .await;
}

#[test]
fn says_why_not() {
    let (sandbox, _target) = sandbox(0, Arc::new(ManualClock::at(start())));
    assert!(matches!(sandbox.reply("hello", SENDER, "Hi"), Err(SandboxError::Phone(_))));
    assert_eq!(sandbox.reply(PHONE, "+15005550001", "Hi"), Err(SandboxError::Sender("+15005550001".into())));
    assert_eq!(sandbox.reply(PHONE, SENDER, ""), Err(SandboxError::Body));
    assert_eq!(sandbox.ship(1), Err(SandboxError::Order("1".into())));
    assert_eq!(sandbox.cancel(1), Err(SandboxError::Order("1".into())));
    assert!(sandbox.set_faults(Faults { throttle_permille: 1_001, ..Faults::default() }).is_err());
    assert_eq!((sandbox.pending(), sandbox.nap()), (0, None));
    // Answered by the vendor, and not there yet: the clock stands still.
    sandbox.reply(PHONE, SENDER, "STOP").unwrap();
    let seen = sandbox.snapshot();
    assert_eq!((seen.texts.len(), seen.totals.texts, seen.pending), (0, 1, 1));
    assert_eq!(sandbox.snapshot_of(0).replies.len(), 0);
}

#[tokio::test]
async fn scheduled_texts_leave_by_themselves() {
    let (sandbox, target) = sandbox(0, fast());
    let request = text(PHONE);
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let path = request.url.replace("http://127.0.0.1:9000", "");
    let send_at = (sandbox.now() + Span::hours(1)).to_string();
    let body = format!("To=%2B14155550123&MessagingServiceSid={SERVICE}&Body=Later&ScheduleType=fixed&SendAt={send_at}&StatusCallback=http://127.0.0.1:8080/status");
    with_server(&sandbox, async |address| {
        let (status, answer) = ask(address, &format!("POST {path}"), &headers, &body).await;
        assert_eq!((status, &json_of(&answer)["status"]), (201, &Value::from("scheduled")));
        let mut every = tokio::time::interval(Duration::from_millis(5));
        while target.posts.lock().unwrap().len() < 2 {
            every.tick().await;
        }
        let (status, answer) = ask(address, &format!("GET /sandbox/phones/{PHONE}?latest=1"), "", "").await;
        let screen = json_of(&answer);
        assert_eq!((status, &screen["name"], &screen["shown"][0]["body"]), (200, &Value::from("Ana"), &Value::from("Later")));
    })
    .await;
}

#[tokio::test]
async fn every_refusal_is_json_with_a_field_and_a_fix() {
    let (sandbox, _target) = sandbox(0, fast());
    with_server(&sandbox, async |address| {
        let reply = format!("POST /sandbox/phones/{PHONE}/reply");
        for (line, kind, body, status, field) in [
            ("PATCH /sandbox/faults", JSON, "{\"crm_dwn\": true}", 422, Some("crm_dwn")),
            ("PATCH /sandbox/faults", JSON, "{\"refuse_permille\": 1001}", 422, Some("refuse_permille")),
            ("PUT /sandbox/faults", JSON, "{\"crm_dwn\": true}", 422, Some("crm_dwn")),
            ("PUT /sandbox/faults", JSON, "{", 400, None),
            ("PUT /sandbox/faults", "", "{}", 415, None),
            (reply.as_str(), JSON, "{\"to\": \"+15005550006\"}", 422, Some("body")),
            (reply.as_str(), JSON, "{\"to\": \"+1\", \"body\": \"Hi\"}", 422, Some("to")),
            ("POST /sandbox/shop/cancellations", JSON, "{\"order_id\": \"x\"}", 404, Some("order_id")),
            ("GET /sandbox/phones/12", "", "", 422, Some("number")),
            ("GET /sandbox/state?latest=all", "", "", 400, Some("latest")),
            ("GET /nowhere", "", "", 404, None),
        ] {
            let (got, answer) = ask(address, line, kind, body).await;
            let problem = json_of(&answer);
            assert_eq!((got, problem["field"].as_str()), (status, field), "{line} {body}: {problem}");
            assert!(["error", "fix"].iter().all(|part| problem[part].as_str().is_some_and(|text| !text.is_empty())), "{line}: {problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_client_needs_to_know() {
    let (sandbox, _target) = sandbox(0, fast());
    with_server(&sandbox, async |address| {
        let (_, answer) = ask(address, "GET /sandbox/credentials", "", "").await;
        let credentials = json_of(&answer);
        assert_eq!((&credentials["messaging_service"], &credentials["senders"][0]), (&Value::from(SERVICE), &Value::from(SENDER)));
        assert_eq!(credentials["inbound_url"], "http://127.0.0.1:8080/hooks/twilio");
        let (_, answer) = ask(address, "GET /sandbox/phones", "", "").await;
        let bank = json_of(&answer);
        let first = &bank["phones"][0];
        assert!(["number", "name", "kind", "what"].iter().all(|part| first[part].is_string()), "{first}");
        assert_eq!(ask(address, "PATCH /sandbox/faults", JSON, "{\"vendor_latency_ms\": 1, \"crm_slow_ms\": 2}").await.0, 200);
        let (status, answer) = ask(address, "PATCH /sandbox/faults", JSON, "{\"crm_slow_ms\": null}").await;
        let faults = json_of(&answer);
        assert_eq!((status, &faults["vendor_latency_ms"], &faults["crm_slow_ms"]), (200, &Value::from(1), &Value::from(0)));
    })
    .await;
}

#[tokio::test]
async fn telnyx_at_its_own_path() {
    let (sandbox, target) = sandbox(1, fast());
    let key = sandbox.credentials().telnyx_public_key.clone();
    with_server(&sandbox, async |address| {
        let telnyx = driver("telnyx", &key, address);
        let (status, answer) = send(address, &*telnyx, "http://127.0.0.1:8080/hooks/telnyx").await;
        assert!(status == 200 && answer["data"]["id"].is_string(), "{status} {answer}");
        assert_eq!(ask(address, "POST /v2/messages", JSON, "{}").await.0, 401);
        until_idle(&sandbox).await;
        let posts = genuine(&target, &*telnyx, Lane::Receipt);
        let tries = |hook: &OutgoingHook| serde_json::from_slice::<Value>(&hook.body).unwrap()["meta"]["attempt"].as_u64();
        assert_eq!(posts.len(), 3, "one of the two failed once");
        assert!(posts.iter().any(|hook| tries(hook) >= Some(2)), "what is sent again is counted and signed again");
        target.posts.lock().unwrap().clear();
        sandbox.reply(PHONE, SENDER, "Hi").unwrap();
        until_idle(&sandbox).await;
        let posts = genuine(&target, &*telnyx, Lane::Inbound);
        assert!(!posts.is_empty() && posts.iter().all(|hook| hook.url == "http://127.0.0.1:8080/hooks/telnyx"), "{posts:?}");
    })
    .await;
    let seen = sandbox.snapshot();
    assert_eq!((seen.texts.len(), seen.replies.len(), seen.totals.accepted, seen.calls.vendor), (1, 1, 1, 2));
    assert_eq!(sandbox.screen(PHONE, 9).unwrap().shown.len(), 2);
}

#[tokio::test]
async fn sinch_at_its_own_path_and_the_last_to_text_gets_the_reply() {
    let (sandbox, target) = sandbox(0, fast());
    let key = sandbox.credentials().telnyx_public_key.clone();
    with_server(&sandbox, async |address| {
        let sinch = driver("sinch", "token", address);
        let (status, answer) = send(address, &*sinch, "http://127.0.0.1:8080/hooks/sinch").await;
        assert!(status == 201 && answer["id"].is_string(), "{status} {answer}");
        until_idle(&sandbox).await;
        assert!(!genuine(&target, &*sinch, Lane::Receipt).is_empty());
        target.posts.lock().unwrap().clear();
        sandbox.reply(PHONE, SENDER, "Hi").unwrap();
        until_idle(&sandbox).await;
        let posts = genuine(&target, &*sinch, Lane::Inbound);
        assert_eq!(posts.iter().map(|hook| hook.url.as_str()).collect::<Vec<_>>(), ["http://127.0.0.1:8080/hooks/sinch"]);
        let telnyx = driver("telnyx", &key, address);
        assert_eq!(send(address, &*telnyx, "http://127.0.0.1:8080/hooks/telnyx").await.0, 200);
        until_idle(&sandbox).await;
        target.posts.lock().unwrap().clear();
        sandbox.reply(PHONE, SENDER, "And you?").unwrap();
        sandbox.reply("+14155550199", SENDER, "Who is this?").unwrap();
        until_idle(&sandbox).await;
        let mut urls: Vec<String> = target.posts.lock().unwrap().iter().map(|hook| hook.url.clone()).collect();
        urls.sort_unstable();
        assert_eq!(urls, ["http://127.0.0.1:8080/hooks/telnyx", "http://127.0.0.1:8080/hooks/twilio"]);
    })
    .await;
    let seen = sandbox.snapshot_of(2);
    assert_eq!(seen.replies.iter().map(|reply| reply.body.as_str()).collect::<Vec<_>>(), ["And you?", "Who is this?"]);
    assert_eq!((seen.texts.len(), seen.totals.texts, sandbox.tally(1).bodies.len(), sandbox.texts_from(2).len()), (2, 2, 1, 0));
}
