//! A fake Shopify shop: takes orders, ships and cancels them, and announces all three by signed webhooks.
//!
//! Its own file because it is where events come from, and so the measure of which event must lead to a text. It
//! sends nothing, keeps no stock and takes no money.

mod bodies;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use bytes::Bytes;
use rand_core::RngCore;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use trunkline_connectors::hook::hmac_base64;
use trunkline_core::time::Time;

use self::bodies::{fulfillment_body, order_body};
pub use crate::outgoing::OutgoingHook;
use crate::outgoing::{below, between, uuid_like};

const API_VERSION: &str = "2026-07";
/// Every so many hooks, one comes with the headers of the newer family.
const NEWER_EVERY: u64 = 4;
/// Above 2^53: whoever reads ids as floating point gets them wrong.
const FIRST_ID: i64 = 9_100_000_000_000_000;

/// Somebody who buys.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Shopify's id.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Phone in E.164; absent, as Shopify leaves it for apps that may not see it.
    pub phone: Option<String>,
    /// Language, such as `en` or `pt-BR`.
    pub locale: String,
    /// Country, such as `US`.
    pub country: String,
}

/// The shop and where it announces things.
#[derive(Clone)]
pub struct ShopSettings {
    /// The secret that signs hooks.
    pub secret: String,
    /// Where hooks go.
    pub hook_url: String,
    /// The shop's own domain.
    pub domain: String,
}

/// An order that was placed.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Order {
    /// Shopify's id; a text in JSON, since browsers cannot hold it as a number.
    #[serde(serialize_with = "as_text")]
    pub id: i64,
    /// What people call it: `#1042`.
    pub name: String,
    /// Who placed it.
    pub customer: Customer,
    /// When.
    pub placed_at: Time,
    /// The id of the event that announced it.
    pub event_id: String,
    /// The ids of the events that announced its shipments.
    pub shipment_event_ids: Vec<String>,
    /// The id of the event that announced its cancellation, if it was cancelled.
    pub cancel_event_id: Option<String>,
    #[serde(skip)]
    lines: Vec<Line>,
}

impl Order {
    /// What its name says.
    fn number(&self) -> i64 {
        self.name.trim_start_matches('#').parse().unwrap_or_default()
    }
}

/// So many of one product.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    id: i64,
    product: &'static Product,
    quantity: i64,
}

#[derive(Debug, PartialEq)]
struct Product {
    id: i64,
    title: &'static str,
    variant: &'static str,
    sku: &'static str,
    cents: i64,
    grams: i64,
}

static PRODUCTS: [Product; 6] = [
    Product { id: 9_200_000_000_000_101, title: "Wool blanket", variant: "Moss / 140 x 200", sku: "BLK-MOS-140", cents: 8_900, grams: 1_250 },
    Product { id: 9_200_000_000_000_102, title: "Enamel mug", variant: "White", sku: "MUG-WHT", cents: 1_650, grams: 180 },
    Product { id: 9_200_000_000_000_103, title: "Rain jacket", variant: "Navy / M", sku: "JKT-NVY-M", cents: 12_400, grams: 620 },
    Product { id: 9_200_000_000_000_104, title: "Camp lantern", variant: "Brass", sku: "LAN-BRS", cents: 4_275, grams: 540 },
    Product { id: 9_200_000_000_000_105, title: "Trail socks", variant: "Grey / 39-42", sku: "SCK-GRY-39", cents: 1_400, grams: 90 },
    Product { id: 9_200_000_000_000_106, title: "Field notebook", variant: "Ruled", sku: "NTB-RLD", cents: 950, grams: 140 },
];

/// What a hook is about, in the words of both header families.
struct Topic {
    classic: &'static str,
    newer: &'static str,
    action: &'static str,
    handle: &'static str,
}

const ORDER: Topic = Topic { classic: "orders/create", newer: "Order", action: "create", handle: "trunkline-orders" };
const CANCELLATION: Topic = Topic { classic: "orders/cancelled", newer: "Order", action: "cancel", handle: "trunkline-orders" };
const FULFILLMENT: Topic = Topic { classic: "fulfillments/create", newer: "Fulfillment", action: "create", handle: "trunkline-fulfillments" };

/// The fake shop.
pub struct Shop {
    settings: ShopSettings,
    orders: BTreeMap<i64, Order>,
    hooks: u64,
}

impl Shop {
    /// A shop without orders.
    pub fn new(settings: ShopSettings) -> Shop {
        Shop { settings, orders: BTreeMap::new(), hooks: 0 }
    }

    /// Somebody places an order; it is the last of `orders` afterwards.
    pub fn order_created(&mut self, now: Time, customer: &Customer, rng: &mut dyn RngCore) -> OutgoingHook {
        self.placed(now, customer, rng).1
    }

    /// The same, with the order.
    pub(crate) fn placed(&mut self, now: Time, customer: &Customer, rng: &mut dyn RngCore) -> (Order, OutgoingHook) {
        let sequence = i64::try_from(self.orders.len()).unwrap_or(i64::MAX / 4_000_000);
        let number = 1_001 + sequence;
        let id = FIRST_ID + sequence * 2_000_003 + small(rng, 2_000_000);
        let lines = (0..=below(rng, 3)).map(|_| line(rng)).collect();
        let mut order = Order {
            id,
            name: format!("#{number}"),
            customer: customer.clone(),
            placed_at: now,
            event_id: String::new(),
            shipment_event_ids: Vec::new(),
            cancel_event_id: None,
            lines,
        };
        let body = order_body(&order, number, &self.settings.domain, None, rng);
        let (event_id, hook) = self.hook(now, &ORDER, &format!("gid://shopify/Order/{id}"), &body, rng);
        order.event_id = event_id;
        self.orders.insert(id, order.clone());
        (order, hook)
    }

    /// An order leaves the shop; absent if there is no such order. A second shipment is a second event.
    pub fn order_shipped(&mut self, now: Time, order_id: i64, rng: &mut dyn RngCore) -> Option<OutgoingHook> {
        let order = self.orders.get(&order_id)?;
        let shipments = i64::try_from(order.shipment_event_ids.len()).unwrap_or(0);
        let id = order_id + (1 + shipments) * 1_000_000_000_000 + small(rng, 1_000_000);
        let body = fulfillment_body(order, id, now, rng);
        let (event_id, hook) = self.hook(now, &FULFILLMENT, &format!("gid://shopify/Fulfillment/{id}"), &body, rng);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.shipment_event_ids.push(event_id);
        }
        Some(hook)
    }

    /// A customer takes an order back; absent if there is no such order, or it was cancelled before.
    pub fn order_cancelled(&mut self, now: Time, order_id: i64, rng: &mut dyn RngCore) -> Option<OutgoingHook> {
        let order = self.orders.get(&order_id).filter(|order| order.cancel_event_id.is_none())?;
        let body = order_body(order, order.number(), &self.settings.domain, Some(now), rng);
        let (event_id, hook) = self.hook(now, &CANCELLATION, &format!("gid://shopify/Order/{order_id}"), &body, rng);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.cancel_event_id = Some(event_id);
        }
        Some(hook)
    }

    /// Every order by id; later orders have higher ids.
    pub fn orders(&self) -> &BTreeMap<i64, Order> {
        &self.orders
    }

    fn hook(&mut self, now: Time, topic: &Topic, resource: &str, body: &Value, rng: &mut dyn RngCore) -> (String, OutgoingHook) {
        let body = Bytes::from(body.to_string());
        let signature = hmac_base64(hmac::HMAC_SHA256, &self.settings.secret, &body);
        let (webhook_id, event_id) = (uuid_like(rng), uuid_like(rng));
        let triggered = now.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
        self.hooks += 1;
        let domain = self.settings.domain.as_str();
        let mut headers = vec![("Content-Type", "application/json"), ("User-Agent", "Shopify-Captain-Hook")];
        if self.hooks.is_multiple_of(NEWER_EVERY) {
            headers.extend([("shopify-topic", topic.newer), ("shopify-action", topic.action), ("shopify-handle", topic.handle), ("shopify-resource-id", resource)]);
            headers.extend([("shopify-hmac-sha256", signature.as_str()), ("shopify-shop-domain", domain), ("shopify-api-version", API_VERSION)]);
            headers.extend([("shopify-webhook-id", webhook_id.as_str()), ("shopify-event-id", event_id.as_str()), ("shopify-triggered-at", triggered.as_str())]);
        } else {
            headers.extend([("X-Shopify-Topic", topic.classic), ("X-Shopify-Hmac-Sha256", signature.as_str()), ("X-Shopify-Shop-Domain", domain)]);
            headers.extend([("X-Shopify-API-Version", API_VERSION), ("X-Shopify-Webhook-Id", webhook_id.as_str())]);
            headers.extend([("X-Shopify-Event-Id", event_id.as_str()), ("X-Shopify-Triggered-At", triggered.as_str())]);
        }
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let hook = OutgoingHook { at: now + between(rng, 50, 800), url: self.settings.hook_url.clone(), headers, body };
        (event_id, hook)
    }
}

fn line(rng: &mut dyn RngCore) -> Line {
    let id = FIRST_ID + 500_000_000_000_000 + small(rng, 100_000_000_000_000);
    let product = pick(rng);
    Line { id, product, quantity: 1 + small(rng, 2) }
}

fn pick(rng: &mut dyn RngCore) -> &'static Product {
    let [first, ..] = &PRODUCTS;
    usize::try_from(below(rng, PRODUCTS.len() as u64)).ok().and_then(|at| PRODUCTS.get(at)).unwrap_or(first)
}

/// A number below `bound`.
fn small(rng: &mut dyn RngCore, bound: u64) -> i64 {
    i64::try_from(below(rng, bound)).unwrap_or(0)
}

fn as_text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;
    use serde_json::json;
    use trunkline_connectors::hook::{RawHook, Refused};
    use trunkline_connectors::source::Source;
    use trunkline_connectors::source::shopify::Shopify;
    use trunkline_core::time::Span;

    use super::*;

    fn now() -> Time {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn shop() -> Shop {
        Shop::new(ShopSettings { secret: "hush".into(), hook_url: "http://127.0.0.1:8080/hooks/shopify".into(), domain: "sandbox.myshopify.com".into() })
    }

    fn customer() -> Customer {
        Customer {
            id: 9_300_000_000_000_001,
            first_name: "Zoë".into(),
            last_name: "Lindqvist".into(),
            phone: Some("+14155550123".into()),
            locale: "en".into(),
            country: "US".into(),
        }
    }

    fn raw(hook: &OutgoingHook) -> RawHook {
        RawHook { method: "POST".into(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() }
    }

    fn connector(secret: &str) -> Shopify {
        Shopify { secrets: vec![secret.into()], max_age: Span::hours(48) }
    }

    #[test]
    fn both_header_families_verify_and_read() {
        let (mut shop, mut rng) = (shop(), ChaCha8Rng::seed_from_u64(1));
        let mut kinds = Vec::new();
        for _ in 0..4 {
            let hook = shop.order_created(now(), &customer(), &mut rng);
            assert_eq!(connector("hush").verify(&raw(&hook), now()), Ok(()));
            assert_eq!(connector("other").verify(&raw(&hook), now()), Err(Refused::BadSignature));
            let event = connector("hush").read(&raw(&hook), now()).unwrap();
            let order = shop.orders().values().next_back().unwrap();
            assert_eq!(event.id, format!("{}:{}", order.event_id, event.kind));
            assert_eq!((event.time, &event.data["id"]), (now(), &Value::from(order.id)));
            assert_eq!(event.source, "shopify:sandbox.myshopify.com");
            kinds.push(event.kind);
        }
        assert_eq!(kinds, ["orders/create", "orders/create", "orders/create", "Order/create"]);
    }

    #[test]
    fn an_order_looks_like_one() {
        let (mut shop, mut rng) = (shop(), ChaCha8Rng::seed_from_u64(2));
        for number in 1_001..1_021 {
            let hook = shop.order_created(now(), &customer(), &mut rng);
            assert!((4_000..9_000).contains(&hook.body.len()), "{}", hook.body.len());
            let order: Value = serde_json::from_slice(&hook.body).unwrap();
            assert!(order["id"].as_i64().unwrap() > 1 << 53);
            assert_eq!((&order["order_number"], &order["name"]), (&json!(number), &json!(format!("#{number}"))));
            assert_eq!((&order["customer"]["phone"], &order["shipping_address"]["first_name"]), (&json!("+14155550123"), &json!("Zoë")));
            assert_eq!(order["customer"]["sms_marketing_consent"]["state"], "subscribed");
            let cents = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
            let goods: i64 = order["line_items"].as_array().unwrap().iter().map(|l| cents(&l["price"]) * l["quantity"].as_i64().unwrap()).sum();
            assert_eq!(goods, cents(&order["subtotal_price"]));
            assert_eq!(cents(&order["total_price"]), goods + cents(&order["total_tax"]) + 590);
        }
        assert_eq!(shop.orders().len(), 20);
    }

    #[test]
    fn a_shipment_names_its_order() {
        let (mut shop, mut rng) = (shop(), ChaCha8Rng::seed_from_u64(3));
        assert_eq!(shop.order_shipped(now(), 1, &mut rng), None);
        shop.order_created(now(), &customer(), &mut rng);
        let id = *shop.orders().keys().next().unwrap();
        let hook = shop.order_shipped(now() + Span::hours(20), id, &mut rng).unwrap();
        let event = connector("hush").read(&raw(&hook), now()).unwrap();
        assert_eq!((event.kind.as_str(), &event.data["order_id"], &event.data["name"]), ("fulfillments/create", &json!(id), &json!("#1001.1")));
        assert_eq!(event.data["destination"]["phone"], "+14155550123");
        assert!(event.data["tracking_url"].as_str().unwrap().starts_with("https://parcels.example/track/TS"));
        shop.order_shipped(now() + Span::hours(30), id, &mut rng).unwrap();
        let order = shop.orders().get(&id).unwrap();
        assert_eq!(order.shipment_event_ids.len(), 2);
        assert_eq!(serde_json::to_value(order).unwrap()["id"], json!(id.to_string()));
    }

    #[test]
    fn an_order_is_cancelled_once() {
        let (mut shop, mut rng) = (shop(), ChaCha8Rng::seed_from_u64(5));
        assert_eq!(shop.order_cancelled(now(), 1, &mut rng), None);
        for round in 0..4 {
            shop.order_created(now(), &customer(), &mut rng);
            let id = *shop.orders().keys().next_back().unwrap();
            let hook = shop.order_cancelled(now() + Span::mins(5), id, &mut rng).unwrap();
            let event = connector("hush").read(&raw(&hook), now()).unwrap();
            // Every fourth hook is of the newer family, and every second one is a cancellation.
            assert_eq!(event.kind, if round % 2 == 1 { "Order/cancel" } else { "orders/cancelled" });
            assert_eq!((&event.data["id"], &event.data["cancel_reason"], &event.data["name"]), (&json!(id), &json!("customer"), &json!(format!("#{}", 1_001 + round))));
            assert_eq!((&event.data["cancelled_at"], &event.data["created_at"]), (&json!("2026-11-23T08:05:00+00:00"), &json!("2026-11-23T08:00:00+00:00")));
            assert!(event.data["line_items"].as_array().is_some_and(|lines| !lines.is_empty()));
            let order = shop.orders().get(&id).unwrap();
            assert_eq!(order.cancel_event_id.as_ref().map(|event_id| format!("{event_id}:{}", event.kind)), Some(event.id));
            assert_eq!(shop.order_cancelled(now(), id, &mut rng), None);
        }
        let placed: Value = serde_json::from_slice(&shop.order_created(now(), &customer(), &mut rng).body).unwrap();
        assert!(placed["cancelled_at"].is_null() && placed["cancel_reason"].is_null());
    }

    #[test]
    fn a_customer_without_a_phone_has_no_consent() {
        let hook = shop().order_created(now(), &Customer { phone: None, ..customer() }, &mut ChaCha8Rng::seed_from_u64(4));
        let order: Value = serde_json::from_slice(&hook.body).unwrap();
        assert!(order["phone"].is_null() && order["customer"]["phone"].is_null() && order["customer"]["sms_marketing_consent"].is_null());
    }
}
