//! One of the fake vendors, whichever dialect it speaks.
//!
//! Its own file because a world has one, drawn from its seed, and the promises are the same for all of them. It adds
//! nothing: what a vendor does is in its own file.

use std::collections::BTreeMap;

use rand_core::RngCore;
use serde_json::Value;
use trunkline_connectors::http::Request;
use trunkline_connectors::registry::AccountSettings;
use trunkline_core::id::AttemptId;
use trunkline_core::message::Evidence;
use trunkline_core::time::{Span, Time};

use crate::faults::Faults;
use crate::fixtures::{ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, SENDER};
use crate::outgoing::{AcceptedCall, Called, Choice, Effect, OutgoingHook, PersonText, PhoneText};
use crate::sinch::{SinchFake, SinchSettings};
use crate::telnyx::{TelnyxFake, TelnyxSettings};
use crate::vendor::{Vendor, VendorSettings};

/// The seed of the key that signs Telnyx's hooks: the same everywhere, so that an account is configured once.
pub(crate) const SIGNING_SEED: [u8; 32] = [7; 32];

/// The dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Twilio: nothing but a look-up by recipient, body and time.
    Twilio,
    /// Telnyx: idempotency keys.
    Telnyx,
    /// Sinch: a look-up by our reference.
    Sinch,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Dialect::Twilio, Dialect::Telnyx, Dialect::Sinch];

    /// The kind of account in configuration, which is also the account's name here.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Twilio => "twilio",
            Dialect::Telnyx => "telnyx",
            Dialect::Sinch => "sinch",
        }
    }

    /// Our account at the fake, as the connector is configured for it.
    pub fn account(self) -> AccountSettings {
        let signing_keys = match self {
            Dialect::Twilio => Vec::new(),
            Dialect::Telnyx => vec![Carrier::new(self, false).public_key().into()],
            Dialect::Sinch => vec![AUTH_TOKEN.into()],
        };
        AccountSettings {
            name: self.name().to_owned(),
            provider: self.name().to_owned(),
            account_id: ACCOUNT_SID.to_owned(),
            secrets: vec![AUTH_TOKEN.into()],
            signing_keys,
            base_url: None,
            timeout: Span::secs(10),
        }
    }
}

/// A fake vendor.
pub enum Carrier {
    /// Twilio.
    Twilio(Box<Vendor>),
    /// Telnyx.
    Telnyx(Box<TelnyxFake>),
    /// Sinch.
    Sinch(Box<SinchFake>),
}

impl Carrier {
    /// A vendor that knows our sender; whether it answers STOP itself, where it can.
    pub fn new(dialect: Dialect, answers_stop: bool) -> Carrier {
        let inbound_urls: BTreeMap<String, String> = [(SENDER.to_owned(), format!("{PUBLIC_URL}/hooks/{}", dialect.name()))].into();
        match dialect {
            Dialect::Twilio => Carrier::Twilio(Box::new(Vendor::new(VendorSettings {
                account_sid: ACCOUNT_SID.to_owned(),
                auth_token: AUTH_TOKEN.to_owned(),
                inbound_urls,
                messaging_service: None,
                answers_stop,
            }))),
            Dialect::Telnyx => Carrier::Telnyx(Box::new(TelnyxFake::new(TelnyxSettings {
                api_key: AUTH_TOKEN.to_owned(),
                signing_seed: SIGNING_SEED,
                inbound_urls,
                messaging_profile_id: Some(ACCOUNT_SID.to_owned()),
                answers_stop,
            }))),
            Dialect::Sinch => Carrier::Sinch(Box::new(SinchFake::new(SinchSettings {
                service_plan_id: ACCOUNT_SID.to_owned(),
                api_token: AUTH_TOKEN.to_owned(),
                hook_secret: AUTH_TOKEN.to_owned(),
                inbound_urls,
            }))),
        }
    }

    fn public_key(&self) -> String {
        match self {
            Carrier::Telnyx(fake) => fake.public_key(),
            Carrier::Twilio(_) | Carrier::Sinch(_) => String::new(),
        }
    }

    /// Answers one call to the API.
    pub fn call(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        match self {
            Carrier::Twilio(fake) => fake.call(now, request, faults, rng),
            Carrier::Telnyx(fake) => fake.call(now, request, faults, rng),
            Carrier::Sinch(fake) => fake.call(now, request, faults, rng),
        }
    }

    /// A person texts one of our senders.
    pub fn reply(&mut self, now: Time, phone: &str, sender: &str, body: &str, rng: &mut dyn RngCore) -> Vec<Effect> {
        match self {
            Carrier::Twilio(fake) => fake.reply(now, phone, sender, body, rng),
            Carrier::Telnyx(fake) => fake.reply(now, phone, sender, body, rng),
            Carrier::Sinch(fake) => fake.reply(now, phone, sender, body, rng),
        }
    }

    /// A hook that was not acknowledged, as the vendor sends it the next time: some sign the time anew.
    pub fn again(&self, hook: OutgoingHook, at: Time) -> OutgoingHook {
        match self {
            Carrier::Telnyx(fake) => fake.again(&hook, at),
            Carrier::Twilio(_) | Carrier::Sinch(_) => hook,
        }
    }

    /// Every text that reached, or is about to reach, a phone.
    pub fn texts(&self) -> &[PhoneText] {
        match self {
            Carrier::Twilio(fake) => fake.texts(),
            Carrier::Telnyx(fake) => fake.texts(),
            Carrier::Sinch(fake) => fake.texts(),
        }
    }

    /// Every call that the vendor took.
    pub fn accepted(&self) -> &[AcceptedCall] {
        match self {
            Carrier::Twilio(fake) => fake.accepted(),
            Carrier::Telnyx(fake) => fake.accepted(),
            Carrier::Sinch(fake) => fake.accepted(),
        }
    }

    /// Whether the vendor can be asked what happened since an instant.
    pub const fn lists(&self) -> bool {
        match self {
            Carrier::Twilio(_) | Carrier::Sinch(_) => true,
            Carrier::Telnyx(_) => false,
        }
    }

    /// Every text that a person sent.
    pub fn replies(&self) -> &[PersonText] {
        match self {
            Carrier::Twilio(fake) => fake.replies(),
            Carrier::Telnyx(fake) => fake.replies(),
            Carrier::Sinch(fake) => fake.replies(),
        }
    }

    /// Every STOP, by the time at which the person sent it.
    pub fn opt_outs(&self) -> &[Choice] {
        match self {
            Carrier::Twilio(fake) => fake.opt_outs(),
            Carrier::Telnyx(fake) => fake.opt_outs(),
            Carrier::Sinch(fake) => fake.opt_outs(),
        }
    }

    /// Every START, likewise.
    pub fn opt_ins(&self) -> &[Choice] {
        match self {
            Carrier::Twilio(fake) => fake.opt_ins(),
            Carrier::Telnyx(fake) => fake.opt_ins(),
            Carrier::Sinch(fake) => fake.opt_ins(),
        }
    }

    /// The text that a hook tells of, if a person sent it; by its id, which nobody else's hook has.
    pub fn told_of(&self, hook: &OutgoingHook) -> Option<&PersonText> {
        let body = String::from_utf8_lossy(&hook.body);
        // The newest first: a hook is seldom much later than its text.
        self.replies().iter().rev().find(|text| body.contains(&text.vendor_id))
    }

    /// What a status hook proves about an attempt, read without the connector.
    pub fn proof(&self, hook: &OutgoingHook) -> Option<(AttemptId, Option<Evidence>)> {
        let attempt = |url: &str| {
            let query = url.split_once('?')?.1;
            form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "attempt")?.1.parse::<AttemptId>().ok()
        };
        let (attempt, word) = match self {
            Carrier::Twilio(_) => (attempt(&hook.url)?, form_urlencoded::parse(&hook.body).find(|(name, _)| name == "MessageStatus")?.1.into_owned()),
            Carrier::Telnyx(_) => {
                let body: Value = serde_json::from_slice(&hook.body).ok()?;
                (attempt(&hook.url)?, body.pointer("/data/payload/to/0/status")?.as_str()?.to_owned())
            }
            Carrier::Sinch(_) => {
                let body: Value = serde_json::from_slice(&hook.body).ok()?;
                (attempt(&hook.url)?, body.get("status")?.as_str()?.to_lowercase())
            }
        };
        Some((attempt, proves(&word)))
    }

    /// Whether the receiver must refuse a hook for its age, by the time that the vendor signed.
    pub fn is_stale(&self, hook: &OutgoingHook, now: Time) -> bool {
        let header = match self {
            // Signs no time: what comes again is a copy, however late.
            Carrier::Twilio(_) => return false,
            Carrier::Telnyx(_) => "telnyx-timestamp",
            Carrier::Sinch(_) => "x-sinch-webhook-signature-timestamp",
        };
        let Some(sent) = hook.header(header).and_then(|at| at.parse::<i64>().ok()) else { return false };
        match self {
            Carrier::Twilio(_) => false,
            Carrier::Telnyx(_) => now.0.div_euclid(1_000_000).abs_diff(sent) > 300,
            Carrier::Sinch(_) => {
                let at = Time(sent.saturating_mul(1_000_000));
                at < now - Span::hours(24) || at > now + Span::mins(5)
            }
        }
    }
}

/// What a vendor's word for a status proves: not the connectors' maps, so that each is a check of the other.
pub fn proves(word: &str) -> Option<Evidence> {
    match word.to_lowercase().as_str() {
        "queued" | "accepted" | "scheduled" | "sending" => Some(Evidence::Accepted),
        "sent" | "dispatched" => Some(Evidence::Sent),
        "undelivered" | "failed" | "canceled" | "delivery_failed" | "sending_failed" | "expired" | "rejected" | "aborted" | "cancelled" | "deleted" => Some(Evidence::Undelivered),
        "delivered" | "read" => Some(Evidence::Delivered),
        _ => None,
    }
}
