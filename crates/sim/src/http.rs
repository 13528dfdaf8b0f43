//! The sandbox: the same fakes behind real HTTP, for people who try the product.
//!
//! Its own file because it is the one owner of fakes, faults, dice and clock; routes and delivery are files below.
//! It binds no port and makes no connection: the listener and the means to post hooks are handed in.

mod deliver;
mod routes;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use trunkline_connectors::http::Request;
use trunkline_core::clock::Clock;
use trunkline_core::number::{Number, NumberError};
use trunkline_core::time::{Span, Time};

pub use self::deliver::{Deliver, Delivered, HookCounts};
use self::deliver::{Origin, Queue, Waiting};
pub use self::routes::router;
use crate::crm::Crm;
use crate::faults::Faults;
use crate::outgoing::{Answer, Choice, Effect, PersonText, PhoneText};
use crate::shop::{Customer, Order, Shop, ShopSettings};
use crate::vendor::{Vendor, VendorSettings};

/// What the sandbox's shop calls itself.
pub const SHOP_DOMAIN: &str = "trunkline-sandbox.myshopify.com";
/// The longest text a phone sends.
const LONGEST_REPLY: usize = 1_600;
/// The most copies of one hook.
const MOST_COPIES: u32 = 20;

/// How the sandbox is wired to Trunkline.
pub struct SandboxSettings {
    /// Trunkline's public base, such as `http://127.0.0.1:8080`, exactly as Trunkline knows it: hooks are signed over it.
    pub target_base_url: String,
    /// The vendor's account.
    pub account_sid: String,
    /// The vendor's auth token.
    pub auth_token: String,
    /// Our senders in E.164.
    pub senders: Vec<String>,
    /// Where the vendor announces texts from people, such as `/hooks/twilio`.
    pub inbound_path: String,
    /// The secret that signs the shop's hooks.
    pub shop_secret: String,
    /// Where the shop announces orders, such as `/hooks/shopify`.
    pub shop_path: String,
    /// What the dice start from.
    pub seed: u64,
    /// The time of all three fakes.
    pub clock: Arc<dyn Clock>,
}

/// Why the sandbox does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// Not a phone number.
    #[error("what was given as a phone {0}")]
    Phone(NumberError),
    /// Not one of our senders.
    #[error("{0} is not a sender of this sandbox")]
    Sender(String),
    /// A text that no phone sends.
    #[error("a text has from 1 to {longest} characters", longest = LONGEST_REPLY)]
    Body,
    /// No such order.
    #[error("there is no order {0}")]
    Order(String),
    /// A fault that cannot be.
    #[error(transparent)]
    Fault(#[from] crate::faults::TooLikely),
}

/// Everything that a person may look at.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The sandbox's time.
    pub now: Time,
    /// Our senders.
    pub senders: Vec<String>,
    /// The texts that have reached a phone.
    pub texts: Vec<PhoneText>,
    /// The texts that people sent.
    pub replies: Vec<PersonText>,
    /// Every STOP.
    pub opt_outs: Vec<Choice>,
    /// Every START.
    pub opt_ins: Vec<Choice>,
    /// The shop's orders.
    pub orders: Vec<Order>,
    /// The CRM's records by kind and key.
    pub crm: BTreeMap<String, Value>,
    /// How many there are of everything, shown here or not.
    pub totals: Totals,
    /// What became of the hooks.
    pub hooks: HookCounts,
    /// Hooks neither delivered nor given up.
    pub pending: usize,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

/// How many there are of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls that the vendor took.
    pub accepted: usize,
    /// Texts that reached, or are about to reach, a phone.
    pub texts: usize,
    /// Texts that people sent.
    pub replies: usize,
    /// Orders.
    pub orders: usize,
    /// CRM records.
    pub crm: usize,
}

/// The sandbox; clones are handles to the same one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    fakes: Mutex<Fakes>,
    clock: Arc<dyn Clock>,
    deliver: Arc<dyn Deliver>,
    added: Notify,
    senders: Vec<String>,
}

struct Fakes {
    vendor: Vendor,
    shop: Shop,
    crm: Crm,
    faults: Faults,
    queue: Queue,
    rng: ChaCha8Rng,
}

impl Sandbox {
    /// A sandbox in which nothing has happened yet.
    pub fn new(settings: SandboxSettings, deliver: Arc<dyn Deliver>) -> Sandbox {
        let base = settings.target_base_url.trim_end_matches('/');
        let inbound = format!("{base}{}", settings.inbound_path);
        let hook_url = format!("{base}{}", settings.shop_path);
        let vendor = VendorSettings {
            account_sid: settings.account_sid,
            auth_token: settings.auth_token,
            inbound_urls: settings.senders.iter().map(|sender| (sender.clone(), inbound.clone())).collect(),
            answers_stop: true,
        };
        let shop = ShopSettings { secret: settings.shop_secret, hook_url, domain: SHOP_DOMAIN.to_owned() };
        let fakes = Fakes {
            vendor: Vendor::new(vendor),
            shop: Shop::new(shop),
            crm: Crm::new(),
            faults: Faults::default(),
            queue: Queue::default(),
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
        };
        let shared = Shared { fakes: Mutex::new(fakes), clock: settings.clock, deliver, added: Notify::new(), senders: settings.senders };
        Sandbox { shared: Arc::new(shared) }
    }

    /// A person texts one of our senders.
    pub fn reply(&self, phone: &str, sender: &str, body: &str) -> Result<(), SandboxError> {
        let phone = Number::parse(phone, None).map_err(SandboxError::Phone)?;
        if !self.shared.senders.iter().any(|known| known == sender) {
            return Err(SandboxError::Sender(sender.chars().take(32).collect()));
        }
        if body.is_empty() || body.chars().count() > LONGEST_REPLY {
            return Err(SandboxError::Body);
        }
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let effects = fakes.vendor.reply(now, phone.e164(), sender, body, &mut fakes.rng);
        fakes.add(effects);
        drop(guard);
        self.shared.added.notify_one();
        Ok(())
    }

    /// Somebody places an order, and the shop announces it `copies` times: the same event, as a nervous sender would.
    pub fn order(&self, customer: &Customer, copies: u32) -> Order {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let (order, hook) = fakes.shop.placed(now, customer, &mut fakes.rng);
        for _ in 0..copies.clamp(1, MOST_COPIES) {
            fakes.queue.add(Origin::Shop, hook.clone());
        }
        drop(guard);
        self.shared.added.notify_one();
        order
    }

    /// An order leaves the shop.
    pub fn ship(&self, order_id: i64) -> Result<(), SandboxError> {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let hook = fakes.shop.order_shipped(now, order_id, &mut fakes.rng).ok_or_else(|| SandboxError::Order(order_id.to_string()))?;
        fakes.queue.add(Origin::Shop, hook);
        drop(guard);
        self.shared.added.notify_one();
        Ok(())
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> Faults {
        self.fakes().faults.clone()
    }

    /// Sets what goes wrong on purpose, from the next call on.
    pub fn set_faults(&self, faults: Faults) -> Result<(), SandboxError> {
        faults.check()?;
        self.fakes().faults = faults;
        Ok(())
    }

    /// Hooks neither delivered nor given up.
    pub fn pending(&self) -> usize {
        self.fakes().queue.pending()
    }

    /// Everything that a person may look at.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(usize::MAX)
    }

    /// At most so many of everything, the latest.
    pub fn snapshot_of(&self, most: usize) -> Snapshot {
        let now = self.now();
        let fakes = self.fakes();
        let (vendor, orders, records) = (&fakes.vendor, fakes.shop.orders(), fakes.crm.records());
        Snapshot {
            now,
            senders: self.shared.senders.clone(),
            texts: latest(vendor.texts(), most).iter().filter(|text| text.at <= now).cloned().collect(),
            replies: latest(vendor.replies(), most).to_vec(),
            opt_outs: latest(vendor.opt_outs(), most).to_vec(),
            opt_ins: latest(vendor.opt_ins(), most).to_vec(),
            orders: orders.values().skip(orders.len().saturating_sub(most)).cloned().collect(),
            crm: records.iter().take(most).map(|(key, record)| (key.clone(), record.clone())).collect(),
            totals: Totals { accepted: vendor.accepted().len(), texts: vendor.texts().len(), replies: vendor.replies().len(), orders: orders.len(), crm: records.len() },
            hooks: fakes.queue.counts(),
            pending: fakes.queue.pending(),
            faults: fakes.faults.clone(),
        }
    }

    /// A call to the vendor, and how long it takes to answer.
    fn call_vendor(&self, request: &Request) -> (Answer, u64) {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let called = fakes.vendor.call(now, request, &fakes.faults, &mut fakes.rng);
        fakes.add(called.effects);
        let latency = fakes.faults.vendor_latency_ms;
        drop(guard);
        self.shared.added.notify_one();
        (called.answer, latency)
    }

    /// A call to the CRM, and how long it takes to answer.
    fn call_crm(&self, request: &Request) -> (Answer, u64) {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let answer = fakes.crm.call(now, request, &fakes.faults, &mut fakes.rng);
        (answer, fakes.faults.crm_slow_ms)
    }

    fn take_hook(&self) -> Option<Waiting> {
        let now = self.now();
        self.fakes().queue.take(now)
    }

    fn settle_hook(&self, waiting: Waiting, result: &Result<u16, String>) {
        let now = self.now();
        self.fakes().queue.settle(now, waiting, result);
    }

    /// How long to really wait for the next hook, if there is one.
    fn nap(&self) -> Option<Duration> {
        let next = self.fakes().queue.next_at()?;
        let wait = self.shared.clock.real(next.since(self.now()));
        // A scaled wait can round to nothing: that would spin.
        Some(wait.max(Span::millis(1)).std())
    }

    fn woken(&self) -> Notified<'_> {
        self.shared.added.notified()
    }

    fn deliver(&self) -> Arc<dyn Deliver> {
        Arc::clone(&self.shared.deliver)
    }

    fn now(&self) -> Time {
        self.shared.clock.now()
    }

    fn fakes(&self) -> MutexGuard<'_, Fakes> {
        self.shared.fakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fakes {
    fn add(&mut self, effects: Vec<Effect>) {
        for Effect::Hook(hook) in effects {
            self.queue.add(Origin::Vendor, hook);
        }
    }
}

fn latest<T>(all: &[T], most: usize) -> &[T] {
    all.get(all.len().saturating_sub(most)..).unwrap_or_default()
}

/// Serves and delivers until told to stop; answers that are held back then are cut off.
pub async fn run(sandbox: Sandbox, listener: TcpListener, shutdown: watch::Receiver<bool>) -> io::Result<()> {
    let server = axum::serve(listener, router(sandbox.clone()));
    tokio::select! {
        served = server.into_future() => served,
        () = deliver::run(&sandbox, shutdown) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use trunkline_core::clock::{ManualClock, SystemClock};

    use super::*;
    use crate::outgoing::OutgoingHook;
    use crate::vendor::tests::{PHONE, text};

    const SENDER: &str = "+15005550006";

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

    #[tokio::test]
    async fn hooks_are_tried_until_they_are_answered() {
        let (sandbox, target) = sandbox(5, fast());
        let order = sandbox.order(&customer(), 2);
        sandbox.ship(order.id).unwrap();
        sandbox.reply(PHONE, SENDER, "STOP").unwrap();
        assert_eq!(sandbox.pending(), 4);
        with_server(&sandbox, async |_| until_idle(&sandbox).await).await;
        let counts = sandbox.snapshot().hooks;
        assert_eq!(counts, HookCounts { made: 4, sent: 9, answered: 4, unanswered: 5, given_up: 0 });
        assert_eq!(target.posts.lock().unwrap().len(), 9);
        let seen = sandbox.snapshot();
        assert_eq!((seen.opt_outs.len(), seen.texts.len(), seen.orders.len()), (1, 1, 1));
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
        assert!(sandbox.set_faults(Faults { throttle_permille: 1_001, ..Faults::default() }).is_err());
        assert_eq!((sandbox.pending(), sandbox.nap()), (0, None));
        // Answered by the vendor, and not there yet: the clock stands still.
        sandbox.reply(PHONE, SENDER, "STOP").unwrap();
        let seen = sandbox.snapshot();
        assert_eq!((seen.texts.len(), seen.totals.texts, seen.pending), (0, 1, 1));
        assert_eq!(sandbox.snapshot_of(0).replies.len(), 0);
    }
}
