//! A fake Shopify shop: takes orders, ships them, and announces both by signed webhooks in Shopify's own shape.
//!
//! Its own file because it is where events come from, and so the measure of which event must lead to a text. It
//! sends nothing, keeps no stock and takes no money.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use bytes::Bytes;
use rand_core::RngCore;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use trunkline_connectors::hook::hmac_base64;
use trunkline_core::time::Time;

pub use crate::outgoing::OutgoingHook;
use crate::outgoing::{below, between, hex, uuid_like};

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
    #[serde(skip)]
    lines: Vec<Line>,
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

/// Where a country's customers live, as far as this shop is concerned.
struct Place {
    street: &'static str,
    city: &'static str,
    zip: &'static str,
    province: Option<&'static str>,
    country: &'static str,
    currency: &'static str,
}

fn place(country: &str) -> Place {
    let of = |street, city, zip, province, country, currency| Place { street, city, zip, province, country, currency };
    match country {
        "US" => of("418 Alder Street", "Portland", "97205", Some("Oregon"), "United States", "USD"),
        "CA" => of("77 rue Sherbrooke", "Montreal", "H2X 1X2", Some("Quebec"), "Canada", "CAD"),
        "GB" => of("9 Harbour Row", "Bristol", "BS1 5TY", None, "United Kingdom", "GBP"),
        "DE" => of("Lindenallee 23", "Leipzig", "04109", None, "Germany", "EUR"),
        "FR" => of("14 rue des Lilas", "Nantes", "44000", None, "France", "EUR"),
        "IT" => of("Via dei Mille 8", "Torino", "10123", None, "Italy", "EUR"),
        "ES" => of("Calle Mayor 31", "Zaragoza", "50001", None, "Spain", "EUR"),
        "BR" => of("Rua das Flores 120", "Curitiba", "80020-090", Some("Paraná"), "Brazil", "BRL"),
        "AU" => of("5 Banksia Road", "Hobart", "7000", Some("Tasmania"), "Australia", "AUD"),
        _ => of("1 Quay Street", "Rotterdam", "3011 AA", None, "Netherlands", "EUR"),
    }
}

/// What a hook is about, in the words of both header families.
struct Topic {
    classic: &'static str,
    newer: &'static str,
    handle: &'static str,
}

const ORDER: Topic = Topic { classic: "orders/create", newer: "Order", handle: "trunkline-orders" };
const FULFILLMENT: Topic = Topic { classic: "fulfillments/create", newer: "Fulfillment", handle: "trunkline-fulfillments" };

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
        let mut order = Order { id, name: format!("#{number}"), customer: customer.clone(), placed_at: now, event_id: String::new(), shipment_event_ids: Vec::new(), lines };
        let body = order_body(&order, number, &self.settings.domain, rng);
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
            headers.extend([("shopify-topic", topic.newer), ("shopify-action", "create"), ("shopify-handle", topic.handle), ("shopify-resource-id", resource)]);
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

/// What an order costs, in cents, and weighs.
struct Sums {
    goods: i64,
    shipping: i64,
    tax: i64,
    grams: i64,
}

impl Sums {
    fn of(order: &Order) -> Sums {
        let goods: i64 = order.lines.iter().map(|l| l.product.cents * l.quantity).sum();
        let grams = order.lines.iter().map(|l| l.product.grams * l.quantity).sum();
        Sums { goods, shipping: 590, tax: goods / 10, grams }
    }

    fn total(&self) -> i64 {
        self.goods + self.shipping + self.tax
    }
}

fn order_body(order: &Order, number: i64, domain: &str, rng: &mut dyn RngCore) -> Value {
    let place = place(&order.customer.country);
    let sums = Sums::of(order);
    let token = hex(rng, 16);
    joined([
        order_head(order, rng),
        order_prices(order, &place, &sums),
        json!({
            "number": number - 1_000,
            "order_number": number,
            "order_status_url": format!("https://{domain}/548380009/orders/{token}/authenticate"),
            "token": token,
        }),
        order_terms(order, &place, &sums),
        order_parts(order, &place, &sums),
    ])
}

fn order_head(order: &Order, rng: &mut dyn RngCore) -> Value {
    let at = shop_time(order.placed_at);
    json!({
        "id": order.id,
        "admin_graphql_api_id": format!("gid://shopify/Order/{}", order.id),
        "app_id": 580_111,
        "browser_ip": "203.0.113.24",
        "buyer_accepts_marketing": true,
        "cancel_reason": null,
        "cancelled_at": null,
        "cart_token": hex(rng, 16),
        "checkout_id": order.id + 7_000_000_000,
        "checkout_token": hex(rng, 16),
        "client_details": {"accept_language": order.customer.locale, "browser_ip": "203.0.113.24", "session_hash": null, "user_agent": "Mozilla/5.0"},
        "closed_at": null,
        "confirmation_number": hex(rng, 4).to_uppercase(),
        "confirmed": true,
        "contact_email": email(&order.customer),
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
    })
}

fn order_prices(order: &Order, place: &Place, sums: &Sums) -> Value {
    json!({
        "currency": place.currency,
        "current_subtotal_price": money(sums.goods),
        "current_subtotal_price_set": price_set(sums.goods, place),
        "current_total_discounts": "0.00",
        "current_total_price": money(sums.total()),
        "current_total_price_set": price_set(sums.total(), place),
        "current_total_tax": money(sums.tax),
        "customer_locale": order.customer.locale,
        "discount_codes": [],
        "email": email(&order.customer),
        "estimated_taxes": false,
        "financial_status": "paid",
        "fulfillment_status": null,
        "landing_site": "/",
        "name": order.name,
        "note": null,
        "note_attributes": [],
    })
}

fn order_terms(order: &Order, place: &Place, sums: &Sums) -> Value {
    json!({
        "payment_gateway_names": ["shopify_payments"],
        "phone": order.customer.phone,
        "presentment_currency": place.currency,
        "referring_site": "",
        "source_name": "web",
        "subtotal_price": money(sums.goods),
        "tags": "",
        "tax_lines": [{"price": money(sums.tax), "rate": 0.1, "title": "Sales tax", "channel_liable": false}],
        "taxes_included": false,
        "test": false,
        "total_discounts": "0.00",
        "total_line_items_price": money(sums.goods),
        "total_outstanding": "0.00",
        "total_price": money(sums.total()),
        "total_price_set": price_set(sums.total(), place),
        "total_tax": money(sums.tax),
        "total_tip_received": "0.00",
        "total_weight": sums.grams,
        "user_id": null,
    })
}

fn order_parts(order: &Order, place: &Place, sums: &Sums) -> Value {
    json!({
        "billing_address": address(&order.customer, place),
        "customer": customer_body(&order.customer, place, &shop_time(order.placed_at)),
        "discount_applications": [],
        "fulfillments": [],
        "line_items": order.lines.iter().map(|l| line_body(l, place)).collect::<Vec<_>>(),
        "payment_terms": null,
        "refunds": [],
        "shipping_address": address(&order.customer, place),
        "shipping_lines": [{
            "id": order.id + 3_000_000_000,
            "carrier_identifier": null,
            "code": "Standard",
            "discounted_price": money(sums.shipping),
            "phone": null,
            "price": money(sums.shipping),
            "price_set": price_set(sums.shipping, place),
            "source": "shopify",
            "title": "Standard",
            "tax_lines": [],
            "discount_allocations": [],
        }],
    })
}

fn fulfillment_body(order: &Order, id: i64, now: Time, rng: &mut dyn RngCore) -> Value {
    let place = place(&order.customer.country);
    let tracking = format!("TS{}", hex(rng, 6).to_uppercase());
    let url = format!("https://parcels.example/track/{tracking}");
    let at = shop_time(now);
    let parts = [
        json!({
            "id": id,
            "admin_graphql_api_id": format!("gid://shopify/Fulfillment/{id}"),
            "created_at": at,
            "destination": address(&order.customer, &place),
            "email": email(&order.customer),
            "line_items": order.lines.iter().map(|l| line_body(l, &place)).collect::<Vec<_>>(),
            "location_id": 655_441_491,
            "name": format!("{}.{}", order.name, order.shipment_event_ids.len() + 1),
            "order_id": order.id,
            "origin_address": {},
            "receipt": {},
            "service": "manual",
            "shipment_status": null,
            "status": "success",
        }),
        json!({
            "tracking_company": "Tern Parcels",
            "tracking_number": tracking,
            "tracking_numbers": [tracking],
            "tracking_url": url,
            "tracking_urls": [url],
            "updated_at": at,
        }),
    ];
    joined(parts)
}

fn customer_body(customer: &Customer, place: &Place, at: &str) -> Value {
    let consent = customer.phone.as_ref().map(|_| json!({"state": "subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": at, "consent_collected_from": "SHOPIFY"}));
    json!({
        "id": customer.id,
        "admin_graphql_api_id": format!("gid://shopify/Customer/{}", customer.id),
        "email": email(customer),
        "created_at": at,
        "updated_at": at,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "disabled",
        "note": null,
        "verified_email": true,
        "tax_exempt": false,
        "email_marketing_consent": {"state": "not_subscribed", "opt_in_level": null, "consent_updated_at": null},
        "sms_marketing_consent": consent,
        "phone": customer.phone,
        "locale": customer.locale,
        "tags": "",
        "currency": place.currency,
        "default_address": address(customer, place),
    })
}

fn address(customer: &Customer, place: &Place) -> Value {
    json!({
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "name": format!("{} {}", customer.first_name, customer.last_name),
        "company": null,
        "address1": place.street,
        "address2": null,
        "phone": customer.phone,
        "city": place.city,
        "zip": place.zip,
        "province": place.province,
        "province_code": null,
        "country": place.country,
        "country_code": customer.country,
        "latitude": null,
        "longitude": null,
    })
}

fn line_body(line: &Line, place: &Place) -> Value {
    let product = line.product;
    json!({
        "id": line.id,
        "admin_graphql_api_id": format!("gid://shopify/LineItem/{}", line.id),
        "current_quantity": line.quantity,
        "fulfillable_quantity": line.quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": null,
        "gift_card": false,
        "grams": product.grams,
        "name": format!("{} - {}", product.title, product.variant),
        "price": money(product.cents),
        "price_set": price_set(product.cents, place),
        "product_exists": true,
        "product_id": product.id,
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": true,
        "sku": product.sku,
        "taxable": true,
        "title": product.title,
        "total_discount": "0.00",
        "variant_id": product.id + 40_000,
        "variant_title": product.variant,
        "vendor": "Sandbox Outfitters",
        "tax_lines": [],
        "discount_allocations": [],
    })
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

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn price_set(cents: i64, place: &Place) -> Value {
    let price = json!({"amount": money(cents), "currency_code": place.currency});
    json!({"shop_money": price, "presentment_money": price})
}

fn email(customer: &Customer) -> String {
    format!("customer-{}@example.com", customer.id)
}

fn shop_time(at: Time) -> String {
    at.timestamp().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// One object of several: a single `json!` of all these fields is deeper than the compiler lets macros go.
fn joined<const N: usize>(parts: [Value; N]) -> Value {
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(fields) = part {
            all.extend(fields);
        }
    }
    Value::Object(all)
}

fn as_text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;
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
    fn a_customer_without_a_phone_has_no_consent() {
        let hook = shop().order_created(now(), &Customer { phone: None, ..customer() }, &mut ChaCha8Rng::seed_from_u64(4));
        let order: Value = serde_json::from_slice(&hook.body).unwrap();
        assert!(order["phone"].is_null() && order["customer"]["phone"].is_null() && order["customer"]["sms_marketing_consent"].is_null());
    }
}
