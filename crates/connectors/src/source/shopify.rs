//! Shopify's webhooks: both header families, HMAC over the raw bytes, several secrets at once.
//!
//! Facts: Shopify's own API library for the headers and the digest. One event id can reach several subscriptions of
//! different topics, so the dedupe key is event id and topic; the webhook id stands in where there is no event id.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use trunkline_core::event::SourceEvent;
use trunkline_core::time::{Span, Time};

use super::Source;
use crate::hook::{RawHook, Refused, hmac_matches};
use crate::sms::Unreadable;

/// One shop.
pub struct Shopify {
    /// The app's client secret, the shop's own key, or both; while one is rotated, the old one too.
    pub secrets: Vec<SecretString>,
    /// Hooks triggered longer ago than this are refused; Shopify itself retries for four hours.
    pub max_age: Span,
}

impl fmt::Debug for Shopify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shopify").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

/// The headers of one family: (what they share, which are required).
struct Family {
    prefix: &'static str,
    required: &'static [&'static str],
}

const CLASSIC: Family = Family { prefix: "X-Shopify-", required: &["Topic", "Hmac-Sha256", "Shop-Domain", "API-Version", "Webhook-Id"] };
const EVENTS: Family = Family { prefix: "shopify-", required: &["topic", "hmac-sha256", "shop-domain", "api-version", "webhook-id", "event-id"] };

fn family(hook: &RawHook) -> &'static Family {
    if hook.header("shopify-hmac-sha256").is_some() { &EVENTS } else { &CLASSIC }
}

fn header<'a>(hook: &'a RawHook, name: &str) -> Option<&'a str> {
    hook.header(&format!("{}{name}", family(hook).prefix))
}

impl Source for Shopify {
    fn verify(&self, hook: &RawHook, now: Time) -> Result<(), Refused> {
        let family = family(hook);
        for name in family.required {
            if header(hook, name).is_none() {
                return Err(Refused::MissingHeader { header: format!("{}{name}", family.prefix) });
            }
        }
        if self.secrets.is_empty() {
            return Err(Refused::NoSecret { algorithm: "HMAC-SHA256".to_owned() });
        }
        let secrets: Vec<&str> = self.secrets.iter().map(SecretString::expose_secret).collect();
        if !hmac_matches(hmac::HMAC_SHA256, &secrets, &hook.body, header(hook, "Hmac-Sha256").unwrap_or_default()) {
            return Err(Refused::BadSignature);
        }
        match triggered_at(hook) {
            Some(at) if at < now - self.max_age => Err(Refused::Stale { at: at.to_string() }),
            _ => Ok(()),
        }
    }

    fn read(&self, hook: &RawHook, now: Time) -> Result<SourceEvent, Unreadable> {
        let data = serde_json::from_slice(&hook.body).map_err(|e| Unreadable(format!("the body is not JSON: {e}")))?;
        let topic = header(hook, "Topic").unwrap_or_default();
        let kind = match hook.header("shopify-action") {
            Some(action) => format!("{topic}/{action}"),
            None => topic.to_owned(),
        };
        let event_id = header(hook, "Event-Id").or_else(|| header(hook, "Webhook-Id")).unwrap_or_default();
        let shop = header(hook, "Shop-Domain").unwrap_or_default();
        Ok(SourceEvent {
            id: format!("{event_id}:{kind}"),
            source: format!("shopify:{shop}"),
            kind,
            subject: None,
            time: triggered_at(hook).unwrap_or(now),
            data,
            extensions: BTreeMap::new(),
        })
    }
}

fn triggered_at(hook: &RawHook) -> Option<Time> {
    header(hook, "Triggered-At")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::Value;

    static VECTORS: &str = include_str!("../../testdata/shopify/hmac.json");

    fn now() -> Time {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn shop(secrets: &[&str]) -> Shopify {
        Shopify { secrets: secrets.iter().map(|s| (*s).into()).collect(), max_age: Span::hours(48) }
    }

    fn hook(case: &Value) -> RawHook {
        RawHook {
            method: "POST".into(),
            url: "https://t.example/hooks/shopify".into(),
            headers: case["headers"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect(),
            body: Bytes::from(case["body"].as_str().unwrap().to_owned()),
        }
    }

    fn cases() -> Vec<Value> {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        vectors["cases"].as_array().unwrap().clone()
    }

    #[test]
    fn every_vector() {
        assert_eq!(cases().len(), 7);
        for case in cases() {
            let verdict = shop(&[case["secret"].as_str().unwrap()]).verify(&hook(&case), now());
            assert_eq!(verdict.is_ok(), case["expect_valid"].as_bool().unwrap(), "{}: {verdict:?}", case["id"]);
        }
    }

    #[test]
    fn two_secrets_while_one_is_rotated() {
        let case = &cases()[0];
        assert!(shop(&["new", case["secret"].as_str().unwrap()]).verify(&hook(case), now()).is_ok());
        assert_eq!(shop(&["new"]).verify(&hook(case), now()), Err(Refused::BadSignature));
        assert_eq!(shop(&[]).verify(&hook(case), now()), Err(Refused::NoSecret { algorithm: "HMAC-SHA256".into() }));
    }

    #[test]
    fn old_hooks_are_stale() {
        let case = &cases()[0];
        let later = now() + Span::hours(49);
        assert!(matches!(shop(&[case["secret"].as_str().unwrap()]).verify(&hook(case), later), Err(Refused::Stale { .. })));
    }

    #[test]
    fn keys_are_event_id_and_topic() {
        let shop = shop(&["s"]);
        let classic = shop.read(&hook(&cases()[0]), now()).unwrap();
        assert_eq!(classic.id, "98880550-7158-44d4-b7cd-2c97c8a091b5:orders/create");
        assert_eq!(classic.data["id"], Value::from(820_982_911_946_154_500_i64), "ids beyond 2^53 keep their digits");
        let without = cases().into_iter().find(|c| c["id"] == "missing-event-id-still-valid").unwrap();
        assert_eq!(shop.read(&hook(&without), now()).unwrap().id, "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043:orders/create");
        let events = cases().into_iter().find(|c| c["id"] == "events-family-headers").unwrap();
        assert_eq!(shop.read(&hook(&events), now()).unwrap().kind, "Order/create");
    }
}
