//! The sandbox: the same fakes behind real HTTP, for people who try the product.
//!
//! Its own file because it is the one owner of fakes, faults, dice and clock; phones, refusals, routes and delivery
//! are files below. It binds no port and makes no connection: the listener and the means to post hooks are handed in.

mod deliver;
mod phones;
mod refused;
mod routes;
mod tally;
mod vendors;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use trunkline_connectors::http::Request;
use trunkline_core::clock::Clock;
use trunkline_core::number::Number;
use trunkline_core::time::{Span, Time, Uptime};

pub use self::deliver::{Deliver, Delivered, HookCounts};
use self::deliver::{Origin, Queue, Waiting};
pub use self::phones::{OnScreen, Screen};
pub use self::refused::SandboxError;
pub use self::routes::router;
pub use self::tally::Tally;
use self::vendors::Vendors;
use crate::carrier::Dialect;
use crate::crm::Crm;
use crate::faults::Faults;
use crate::outgoing::{Answer, Choice, Effect, OutgoingHook, PersonText, PhoneText, below, hit};
use crate::shop::{Customer, Order, Shop, ShopSettings};

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
    /// The account at Twilio, the messaging profile at Telnyx, the service plan at Sinch.
    pub account_sid: String,
    /// Twilio's auth token, Telnyx's API key, Sinch's token and the secret that signs its hooks.
    pub auth_token: String,
    /// Our senders in E.164: the same at all vendors.
    pub senders: Vec<String>,
    /// The messaging service, `MG…`, that sends from all of them; absent means there is none.
    pub messaging_service: Option<String>,
    /// Where Twilio announces texts from people, such as `/hooks/twilio`; the others do at `/hooks/telnyx` and `/hooks/sinch`.
    pub inbound_path: String,
    /// The secret that signs the shop's hooks.
    pub shop_secret: String,
    /// Where the shop announces orders, such as `/hooks/shopify`.
    pub shop_path: String,
    /// What the dice start from.
    pub seed: u64,
    /// The time of all fakes.
    pub clock: Arc<dyn Clock>,
}

/// What a client needs in order to talk to the sandbox: all of it made up, and good for nothing else.
#[derive(Clone, Serialize)]
pub struct Credentials {
    /// The account at Twilio, the messaging profile at Telnyx, the service plan at Sinch.
    pub account_sid: String,
    /// Twilio's auth token, Telnyx's API key, Sinch's token and the secret that signs its hooks.
    pub auth_token: String,
    /// The key that Telnyx's hooks are verified with, in base64.
    pub telnyx_public_key: String,
    /// Our senders.
    pub senders: Vec<String>,
    /// The messaging service, if there is one.
    pub messaging_service: Option<String>,
    /// Where Twilio announces texts from people.
    pub inbound_url: String,
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
    /// How calls of the vendors and the CRM ended.
    pub calls: CallCounts,
    /// How long their answers took, in real milliseconds: the median, and what 99 of 100 did not exceed.
    pub hook_ack_ms: (f64, f64),
    /// Hooks neither delivered nor given up.
    pub pending: usize,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

/// How many calls the fakes were asked for, and how many of those did not end well for the caller: refused, throttled,
/// broken, or never answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    /// Calls of the vendors.
    pub vendor: u64,
    /// Those of them that did not end well, whatever the vendors made of them.
    pub vendor_failed: u64,
    /// Calls of the CRM.
    pub crm: u64,
    /// Those of them that did not end well.
    pub crm_failed: u64,
}

/// How many there are of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls that the vendors took.
    pub accepted: usize,
    /// Texts that reached, or are about to reach, a phone.
    pub texts: usize,
    /// Texts that people sent.
    pub replies: usize,
    /// Orders.
    pub orders: usize,
    /// CRM records.
    pub crm: usize,
    /// Those of them about texts that came to an end.
    pub crm_final: usize,
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
    credentials: Credentials,
}

struct Fakes {
    vendors: Vendors,
    shop: Shop,
    crm: Crm,
    faults: Faults,
    queue: Queue,
    calls: CallCounts,
    rng: ChaCha8Rng,
}

impl Sandbox {
    /// A sandbox in which nothing has happened yet.
    pub fn new(settings: SandboxSettings, deliver: Arc<dyn Deliver>) -> Sandbox {
        let base = settings.target_base_url.trim_end_matches('/');
        let inbound = format!("{base}{}", settings.inbound_path);
        let hook_url = format!("{base}{}", settings.shop_path);
        let mut credentials = Credentials {
            account_sid: settings.account_sid,
            auth_token: settings.auth_token,
            telnyx_public_key: String::new(),
            senders: settings.senders,
            messaging_service: settings.messaging_service,
            inbound_url: inbound,
        };
        let vendors = Vendors::new(&credentials, base);
        credentials.telnyx_public_key = vendors.telnyx_public_key();
        let shop = ShopSettings { secret: settings.shop_secret, hook_url, domain: SHOP_DOMAIN.to_owned() };
        let fakes = Fakes {
            vendors,
            shop: Shop::new(shop),
            crm: Crm::new(),
            faults: Faults::default(),
            queue: Queue::default(),
            calls: CallCounts::default(),
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
        };
        let shared = Shared { fakes: Mutex::new(fakes), clock: settings.clock, deliver, added: Notify::new(), credentials };
        Sandbox { shared: Arc::new(shared) }
    }

    /// A person texts one of our senders.
    pub fn reply(&self, phone: &str, sender: &str, body: &str) -> Result<(), SandboxError> {
        let phone = Number::parse(phone, None).map_err(SandboxError::Phone)?;
        if !self.shared.credentials.senders.iter().any(|known| known == sender) {
            return Err(SandboxError::Sender(sender.chars().take(32).collect()));
        }
        if body.is_empty() || body.chars().count() > LONGEST_REPLY {
            return Err(SandboxError::Body);
        }
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let (dialect, effects) = fakes.vendors.reply(now, phone.e164(), sender, body, &mut fakes.rng);
        fakes.add(dialect, effects);
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
            fakes.announce(Origin::Shop, hook.clone());
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
        fakes.announce(Origin::Shop, hook);
        drop(guard);
        self.shared.added.notify_one();
        Ok(())
    }

    /// A customer takes an order back, which happens once to an order.
    pub fn cancel(&self, order_id: i64) -> Result<(), SandboxError> {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        if !fakes.shop.orders().contains_key(&order_id) {
            return Err(SandboxError::Order(order_id.to_string()));
        }
        let hook = fakes.shop.order_cancelled(now, order_id, &mut fakes.rng).ok_or_else(|| SandboxError::Cancelled(order_id.to_string()))?;
        fakes.announce(Origin::Shop, hook);
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
        // Hooks that were paused may be due.
        self.shared.added.notify_one();
        Ok(())
    }

    /// Changes some of what goes wrong on purpose, from the next call on; the faults as they are then.
    pub fn change_faults(&self, changes: &Map<String, Value>) -> Result<Faults, SandboxError> {
        let mut fakes = self.fakes();
        let faults = fakes.faults.changed(changes)?;
        faults.check()?;
        fakes.faults = faults.clone();
        drop(fakes);
        self.shared.added.notify_one();
        Ok(faults)
    }

    /// What a client needs in order to talk to the sandbox.
    pub fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    /// What one phone shows, oldest first: at most so many texts of each direction, the latest.
    pub fn screen(&self, phone: &str, most: usize) -> Result<Screen, SandboxError> {
        let phone = Number::parse(phone, None).map_err(SandboxError::Phone)?;
        let now = self.now();
        let fakes = self.fakes();
        let replies = fakes.vendors.replies();
        Ok(phones::screen(phone.e164(), fakes.vendors.texts(), &*replies, now, most))
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
        let (vendors, orders, records) = (&fakes.vendors, fakes.shop.orders(), fakes.crm.records());
        let texts = vendors.texts_count();
        Snapshot {
            now,
            senders: self.shared.credentials.senders.clone(),
            texts: vendors.texts().skip(texts.saturating_sub(most)).filter(|text| text.at <= now).cloned().collect(),
            replies: latest(&vendors.replies(), most).to_vec(),
            opt_outs: latest(&vendors.opt_outs(), most).to_vec(),
            opt_ins: latest(&vendors.opt_ins(), most).to_vec(),
            orders: orders.values().skip(orders.len().saturating_sub(most)).cloned().collect(),
            crm: records.iter().take(most).map(|(key, record)| (key.clone(), record.clone())).collect(),
            totals: Totals { accepted: vendors.accepted_count(), texts, replies: vendors.replies().len(), orders: orders.len(), crm: records.len(), crm_final: fakes.crm.finals() },
            hooks: fakes.queue.counts(),
            calls: fakes.calls,
            hook_ack_ms: (fakes.queue.latencies().percentile(50), fakes.queue.latencies().percentile(99)),
            pending: fakes.queue.pending(),
            faults: fakes.faults.clone(),
        }
    }

    /// A call to a vendor, and how long it takes to answer.
    fn call_vendor(&self, dialect: Dialect, request: &Request) -> (Answer, u64) {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let called = fakes.vendors.call(dialect, now, request, &fakes.faults, &mut fakes.rng);
        fakes.calls.vendor += 1;
        fakes.calls.vendor_failed += u64::from(!ended_well(&called.answer));
        fakes.add(dialect, called.effects);
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
        fakes.calls.crm += 1;
        fakes.calls.crm_failed += u64::from(!ended_well(&answer));
        (answer, fakes.faults.crm_slow_ms)
    }

    /// The first hook that is due. Scheduled texts that are due leave first: their hooks may be.
    fn take_hook(&self) -> Option<Waiting> {
        let now = self.now();
        let mut guard = self.fakes();
        let fakes = &mut *guard;
        let effects = fakes.vendors.due(now, &fakes.faults, &mut fakes.rng);
        fakes.add(Dialect::Twilio, effects);
        if fakes.faults.webhooks_paused {
            return None;
        }
        let waiting = fakes.queue.take(now)?;
        Some(waiting.leaving(now, |hook| fakes.vendors.again(hook, now)))
    }

    fn settle_hook(&self, waiting: Waiting, took: Duration, result: &Result<u16, String>) {
        let now = self.now();
        self.fakes().queue.settle(now, waiting, took, result);
    }

    /// How long to really wait for the next hook or the next scheduled text, if there is one.
    fn nap(&self) -> Option<Duration> {
        let fakes = self.fakes();
        // Hooks that are paused may have been due for long: waiting for them would spin.
        let hook = fakes.queue.next_at().filter(|_| !fakes.faults.webhooks_paused);
        let next = hook.into_iter().chain(fakes.vendors.next_due()).min()?;
        drop(fakes);
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

    fn uptime(&self) -> Uptime {
        self.shared.clock.uptime()
    }

    fn fakes(&self) -> MutexGuard<'_, Fakes> {
        self.shared.fakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fakes {
    fn add(&mut self, dialect: Dialect, effects: Vec<Effect>) {
        let origin = match dialect {
            Dialect::Telnyx => Origin::Telnyx,
            Dialect::Twilio | Dialect::Sinch => Origin::Vendor,
        };
        for Effect::Hook(hook) in effects {
            self.announce(origin, hook);
        }
    }

    /// A hook that leaves when it is due, and before some of them a forged copy.
    fn announce(&mut self, origin: Origin, hook: OutgoingHook) {
        // No dice unless asked: a sandbox without forgeries does what it did before there were any.
        if self.faults.invalid_hooks_permille > 0 && hit(&mut self.rng, self.faults.invalid_hooks_permille) {
            let way = below(&mut self.rng, 3);
            self.queue.add(Origin::Forger, deliver::forged(&hook, way));
        }
        self.queue.add(origin, hook);
    }
}

/// Whether a call is what the caller hoped for.
fn ended_well(answer: &Answer) -> bool {
    matches!(answer, Answer::Reply(response) if response.status < 400)
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
mod tests;
