//! Telnyx's Messages API (v2), its events about our texts and about texts from people.
//!
//! One file for the whole dialect. Facts: Telnyx's OpenAPI (2026-02-26) and Python SDK 4.189.0 for the fields and the
//! signature, its error reference for `data/telnyx_errors.csv`, its page on idempotency for the key. A call with the
//! same key and the very same bytes is answered as before for 24 hours, and only successes are remembered; so nothing
//! that may change between two tries goes into the body. Our attempt rides in the key and in the webhook URL. Telnyx
//! answers STOP itself and blocks the recipient for the whole messaging profile. There is no look-up by a reference of
//! ours, no list of texts, and no field for how long a text is worth delivering: none of these is done here.

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_core::id::hash16;
use trunkline_core::keyword::Keyword;
use trunkline_core::message::Evidence;
use trunkline_core::outcome::Outcome;
use trunkline_core::time::{Span, Time};

use super::ask::{Listing, Looked, NotListed, Page, Resolution, Sent};
use super::codes::Codes;
use super::{Item, Lane, Outbound, Provider, ProviderEvent, Unreadable};
use crate::hook::{RawHook, Refused};
use crate::http::{Reply, Request, Response};

/// Where Telnyx listens.
pub const API: &str = "https://api.telnyx.com";
/// The query parameter of our webhook URL that carries the attempt.
pub const ATTEMPT_PARAM: &str = "attempt";
/// The event of a text from a person; every other event is about a text of ours.
pub const RECEIVED: &str = "message.received";

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";
/// How far, in seconds, the signed time may be from ours, either way: as in Telnyx's own SDK.
const TOLERANCE_SECS: u64 = 300;

const CODES: Codes = Codes { vendor: "Telnyx", table: include_str!("../../data/telnyx_errors.csv") };

/// One account.
pub struct Telnyx {
    /// The name of the account in our configuration, part of every dedupe key.
    pub name: String,
    /// The messaging profile to send from, if it is to be named.
    pub messaging_profile_id: Option<String>,
    /// API keys, the newest first: the first one signs in.
    pub api_keys: Vec<SecretString>,
    /// The keys that Telnyx signs hooks with, in base64; several while one is rotated.
    pub public_keys: Vec<SecretString>,
    /// Where the API listens.
    pub base_url: String,
    /// How long a call may take, in real time.
    pub timeout: Span,
}

impl fmt::Debug for Telnyx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telnyx").field("name", &self.name).field("messaging_profile_id", &self.messaging_profile_id).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The body of a call. Its bytes are part of what the key stands for, so the order of the fields is fixed, and every
/// field is the same whenever the attempt is built again.
#[derive(Serialize)]
struct Message<'a> {
    from: &'a str,
    to: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_profile_id: Option<&'a str>,
    webhook_url: String,
}

#[derive(Deserialize)]
struct Accepted {
    data: Taken,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

/// As much of a hook as its queue depends on.
#[derive(Deserialize)]
struct Announced {
    data: Kind,
}

#[derive(Deserialize)]
struct Kind {
    event_type: String,
}

/// The first of the errors in an answer.
struct Problem {
    code: String,
    /// The title, not the detail: that one may quote both numbers.
    title: String,
}

impl Provider for Telnyx {
    fn send(&self, text: &Outbound<'_>) -> Request {
        let message = Message {
            from: text.from,
            to: text.to,
            text: text.body,
            messaging_profile_id: self.messaging_profile_id.as_deref(),
            webhook_url: format!("{}?{ATTEMPT_PARAM}={}", text.callback_url, text.attempt),
        };
        let token = self.api_keys.first().map(SecretString::expose_secret).unwrap_or_default();
        Request {
            method: ::http::Method::POST,
            url: format!("{}/v2/messages", self.base_url.trim_end_matches('/')),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {token}")),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("accept".to_owned(), "application/json".to_owned()),
                // Telnyx takes letters, digits, '-', '_' and ':'; an attempt's text form has no others.
                ("idempotency-key".to_owned(), text.attempt.to_string()),
            ],
            // A struct of texts can always be written as JSON.
            body: Bytes::from(serde_json::to_vec(&message).unwrap_or_default()),
            timeout: self.timeout,
        }
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        let response = match reply {
            Err(error) if error.may_have_arrived() => return Outcome::Ambiguous { cause: error.to_string() },
            Err(error) => return Outcome::Transient { cause: error.to_string() },
            Ok(response) => response,
        };
        let status = response.status;
        match status {
            200..=299 => match serde_json::from_slice::<Accepted>(&response.body) {
                Ok(accepted) if !accepted.data.id.is_empty() => Outcome::Accepted { vendor_id: accepted.data.id },
                _ => Outcome::Ambiguous { cause: format!("HTTP {status} without a message id") },
            },
            429 => Outcome::Throttled { retry_after: response.retry_after(), vendor_code: problem(response).map_or_else(|| "429".to_owned(), |p| p.code) },
            // A call that is in conflict with another one of the same key says nothing about that other one. How Telnyx
            // words a call that is still in flight is not documented, and sending knows no other conflict.
            409 => Outcome::Ambiguous { cause: "HTTP 409: another call with this idempotency key".to_owned() },
            422 if names_the_key(response) => Outcome::Ambiguous { cause: "HTTP 422: the idempotency key was used with another body".to_owned() },
            400..=499 if status != 408 => match problem(response) {
                Some(problem) => CODES.refused(problem.code, &problem.title, response),
                None => Outcome::Ambiguous { cause: format!("HTTP {status} that is not Telnyx's own") },
            },
            _ => Outcome::Ambiguous { cause: format!("HTTP {status} after the request was written") },
        }
    }

    fn codes(&self) -> Codes {
        CODES
    }

    fn resolution(&self) -> Resolution {
        // Telnyx forgets a key after 24 hours and would take the text anew: an hour's margin for clocks and slow calls.
        Resolution::NativeKey { keeps: Span::hours(23) }
    }

    fn look_up(&self, _sent: &Sent<'_>) -> Option<Request> {
        None
    }

    fn looked(&self, _sent: &Sent<'_>, _reply: &Reply) -> Looked {
        Looked::Unavailable { cause: "Telnyx has no look-up by a reference of ours".to_owned(), retry_after: None }
    }

    fn list(&self, _listing: Listing, _since: Time, _page: Option<&str>) -> Option<Request> {
        None
    }

    fn listed(&self, _listing: Listing, _since: Time, _reply: &Reply) -> Result<Page, NotListed> {
        Err(NotListed { cause: "Telnyx has no list of texts".to_owned(), retry_after: None })
    }

    fn verify(&self, hook: &RawHook, now: Time) -> Result<(), Refused> {
        let header = |name: &str| hook.header(name).ok_or_else(|| Refused::MissingHeader { header: name.to_owned() });
        let (signature, timestamp) = (header(SIGNATURE)?, header(TIMESTAMP)?);
        if self.public_keys.is_empty() {
            return Err(Refused::NoSecret { algorithm: "Ed25519".to_owned() });
        }
        let signature = STANDARD.decode(signature.trim()).map_err(|_| Refused::BadSignature)?;
        let mut message = format!("{timestamp}|").into_bytes();
        message.extend_from_slice(&hook.body);
        let matches = |key: &SecretString| {
            let key = STANDARD.decode(key.expose_secret().trim());
            key.is_ok_and(|key| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok())
        };
        if !self.public_keys.iter().any(matches) {
            return Err(Refused::BadSignature);
        }
        let sent: i64 = timestamp.trim().parse().map_err(|_| Refused::BadSignature)?;
        let seconds = now.0.div_euclid(1_000_000);
        if seconds.abs_diff(sent) > TOLERANCE_SECS {
            return Err(Refused::Stale { at: Time(sent.saturating_mul(1_000_000)).to_string() });
        }
        Ok(())
    }

    fn lane(&self, hook: &RawHook) -> Lane {
        // By the body alone: nobody has signed the URL.
        match serde_json::from_slice::<Announced>(&hook.body) {
            Ok(announced) if announced.data.event_type == RECEIVED => Lane::Inbound,
            _ => Lane::Receipt,
        }
    }

    fn parse(&self, hook: &RawHook) -> Result<Vec<Item>, Unreadable> {
        let event: Value = serde_json::from_slice(&hook.body).map_err(|e| Unreadable(format!("the body is not JSON: {e}")))?;
        let field = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (kind, event_id, vendor_id) = (field("/data/event_type"), field("/data/id"), field("/data/payload/id"));
        if event_id.is_empty() || vendor_id.is_empty() {
            return Err(Unreadable("an event without its own id or the text's".to_owned()));
        }
        if kind == RECEIVED {
            let (from, to) = (field("/data/payload/from/phone_number"), field("/data/payload/to/0/phone_number"));
            if from.is_empty() || to.is_empty() {
                return Err(Unreadable("an inbound text without from or to".to_owned()));
            }
            let item = Item {
                key: hash16(&[self.name.as_bytes(), event_id.as_bytes(), b"inbound"]),
                at: None,
                event: ProviderEvent::Inbound {
                    vendor_id: vendor_id.to_owned(),
                    from: from.to_owned(),
                    to: to.to_owned(),
                    body: field("/data/payload/text").to_owned(),
                    keyword: keyword(field("/data/payload/autoresponse_type")),
                },
            };
            return Ok(vec![item]);
        }
        // Every text of ours has one recipient.
        let status = field("/data/payload/to/0/status");
        if !kind.starts_with("message.") || status.is_empty() {
            let kind: String = kind.chars().take(40).collect();
            return Err(Unreadable(format!("an event '{kind}' without the status of a recipient")));
        }
        let item = Item {
            key: hash16(&[self.name.as_bytes(), event_id.as_bytes(), status.as_bytes()]),
            at: None,
            event: ProviderEvent::Status {
                // The body is signed and the URL is not, so the URL counts only where the body names no attempt.
                attempt: attempt_in(field("/data/payload/webhook_url")).or_else(|| hook.query(ATTEMPT_PARAM)).and_then(|a| a.parse().ok()),
                vendor_id: vendor_id.to_owned(),
                status: status.to_owned(),
                evidence: evidence(status),
                vendor_code: event.pointer("/data/payload/errors/0/code").map(word).unwrap_or_default(),
            },
        };
        Ok(vec![item])
    }

    fn acknowledge(&self, _lane: Lane) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What a status proves. `delivery_unconfirmed` is Telnyx's word for not knowing, and a word that is not in its list
/// proves nothing either.
fn evidence(status: &str) -> Option<Evidence> {
    match status {
        "queued" | "sending" => Some(Evidence::Accepted),
        "sent" => Some(Evidence::Sent),
        "delivered" | "read" => Some(Evidence::Delivered),
        "delivery_failed" | "sending_failed" | "expired" => Some(Evidence::Undelivered),
        _ => None,
    }
}

/// What Telnyx itself took a text for.
fn keyword(autoresponse: &str) -> Option<Keyword> {
    match autoresponse {
        "STOP" => Some(Keyword::Stop),
        "START" => Some(Keyword::Start),
        "HELP" => Some(Keyword::Help),
        _ => None,
    }
}

/// The attempt that a webhook URL of ours names.
pub fn attempt_in(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ATTEMPT_PARAM).map(|(_, value)| value.into_owned())
}

/// A code as text: the schema says text, and a number would mean the same.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.as_u64().map(|n| n.to_string()).unwrap_or_default(), str::to_owned)
}

fn problem(response: &Response) -> Option<Problem> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    let code = body.pointer("/errors/0/code").map(word).filter(|code| !code.is_empty())?;
    let title = body.pointer("/errors/0/title").and_then(Value::as_str).unwrap_or_default();
    Some(Problem { code, title: title.chars().take(200).collect() })
}

/// Whether a refusal is about the key. Which code it then has is not documented, and taking another refusal for one of
/// these only means that it is asked again.
fn names_the_key(response: &Response) -> bool {
    String::from_utf8_lossy(&response.body).to_ascii_lowercase().contains("idempoten")
}

#[cfg(test)]
#[path = "telnyx/tests.rs"]
mod tests;
