//! The bodies of the shop's hooks, in Shopify's own shape.
//!
//! Its own file because it is nearly all data: which fields an order and a shipment have, and what a shop puts into
//! them. When something is announced, and whether, is decided a level up.

use rand_core::RngCore;
use serde_json::{Map, Value, json};
use trunkline_core::time::Time;

use super::{Customer, Line, Order};
use crate::outgoing::hex;

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

/// An order as it was placed or, once it was cancelled, as it is since then.
pub(super) fn order_body(order: &Order, number: i64, domain: &str, cancelled: Option<Time>, rng: &mut dyn RngCore) -> Value {
    let place = place(&order.customer.country);
    let sums = Sums::of(order);
    let token = hex(rng, 16);
    joined([
        order_head(order, cancelled, rng),
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

fn order_head(order: &Order, cancelled: Option<Time>, rng: &mut dyn RngCore) -> Value {
    let at = shop_time(order.placed_at);
    let cancelled_at = cancelled.map(shop_time);
    json!({
        "id": order.id,
        "admin_graphql_api_id": format!("gid://shopify/Order/{}", order.id),
        "app_id": 580_111,
        "browser_ip": "203.0.113.24",
        "buyer_accepts_marketing": true,
        "cancel_reason": cancelled.map(|_| "customer"),
        "cancelled_at": cancelled_at,
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
        "updated_at": cancelled_at.as_ref().unwrap_or(&at),
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

/// A shipment of an order.
pub(super) fn fulfillment_body(order: &Order, id: i64, now: Time, rng: &mut dyn RngCore) -> Value {
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
