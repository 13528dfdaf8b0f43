//! Twilio's Messages API (2010-04-01), its status callbacks and inbound texts.
//!
//! One file for the whole dialect but for what is asked afterwards. Facts: Twilio's OpenAPI for the fields, its SDK's
//! validator for the signature, its error reference for `data/twilio_errors.csv`. It has no native idempotency, so our
//! attempt id rides in the callback URL.

mod ask;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use bytes::Bytes;
use form_urlencoded::Serializer;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use trunkline_core::id::hash16;
use trunkline_core::keyword::Keyword;
use trunkline_core::message::Evidence;
use trunkline_core::outcome::Outcome;
use trunkline_core::time::{Span, Time};

use super::ask::{Listing, Looked, NotListed, Page, Resolution, Sent};
use super::codes::Codes;
use super::{Item, Lane, Outbound, Provider, ProviderEvent, Unreadable};
use crate::hook::{RawHook, Refused, hmac_matches, sha256_hex};
use crate::http::{Reply, Request, Response};

/// Where Twilio listens.
pub const API: &str = "https://api.twilio.com";
/// The query parameter of our callback URL that carries the attempt.
pub const ATTEMPT_PARAM: &str = "attempt";
/// The longest text the API takes.
pub const LONGEST: usize = 1_600;

const CODES: Codes = Codes { vendor: "Twilio", table: include_str!("../../data/twilio_errors.csv") };

/// One account.
pub struct Twilio {
    /// The name of the account in our configuration, part of every dedupe key.
    pub name: String,
    /// `AC…`.
    pub account_sid: String,
    /// The auth token; while it is rotated, the old one too. The first one signs in.
    pub auth_tokens: Vec<SecretString>,
    /// Secrets of shared keys, for callbacks signed with HMAC-SHA256.
    pub shared_keys: Vec<SecretString>,
    /// Where the API listens.
    pub base_url: String,
    /// How long a call may take, in real time.
    pub timeout: Span,
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio").field("name", &self.name).field("account_sid", &self.account_sid).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Accepted {
    sid: String,
}

#[derive(Deserialize)]
struct Problem {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Provider for Twilio {
    fn send(&self, text: &Outbound<'_>) -> Request {
        let callback = format!("{}?{ATTEMPT_PARAM}={}", text.callback_url, text.attempt);
        // 1 to 36,000 seconds; Twilio advises more than 5.
        let validity = text.validity.as_secs().clamp(1, 36_000).to_string();
        let body = Serializer::new(String::new())
            .append_pair("To", text.to)
            .append_pair("From", text.from)
            .append_pair("Body", text.body)
            .append_pair("StatusCallback", &callback)
            .append_pair("ValidityPeriod", &validity)
            .finish();
        let mut headers = self.headers();
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        Request { method: ::http::Method::POST, url: format!("{}{}", self.base(), self.messages()), headers, body: Bytes::from(body), timeout: self.timeout }
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
                Ok(accepted) if !accepted.sid.is_empty() => Outcome::Accepted { vendor_id: accepted.sid },
                _ => Outcome::Ambiguous { cause: format!("HTTP {status} without a message id") },
            },
            429 => Outcome::Throttled { retry_after: response.retry_after(), vendor_code: problem(response).map_or_else(|| "429".to_owned(), |p| p.code.to_string()) },
            400..=499 if status != 408 => match problem(response) {
                Some(problem) => CODES.refused(problem.code.to_string(), &problem.message, response),
                None => Outcome::Ambiguous { cause: format!("HTTP {status} that is not Twilio's own") },
            },
            _ => Outcome::Ambiguous { cause: format!("HTTP {status} after the request was written") },
        }
    }

    fn codes(&self) -> Codes {
        CODES
    }

    fn resolution(&self) -> Resolution {
        Resolution::Heuristic { lag: Span::secs(30) }
    }

    fn look_up(&self, sent: &Sent<'_>) -> Option<Request> {
        Some(ask::look_up(self, sent))
    }

    fn looked(&self, sent: &Sent<'_>, reply: &Reply) -> Looked {
        ask::looked(sent, reply)
    }

    fn list(&self, listing: Listing, since: Time, page: Option<&str>) -> Option<Request> {
        ask::list(self, listing, since, page)
    }

    fn list_to(&self, sender: &str, since: Time) -> Option<Request> {
        Some(ask::list_to(self, sender, since))
    }

    fn listed(&self, listing: Listing, since: Time, reply: &Reply) -> Result<Page, NotListed> {
        ask::listed(self, listing, since, reply)
    }

    fn verify(&self, hook: &RawHook, _now: Time) -> Result<(), Refused> {
        let header = "X-Twilio-Signature";
        let signature = hook.header(header).ok_or_else(|| Refused::MissingHeader { header: header.to_owned() })?;
        let sha256 = algorithm(hook.header("X-Twilio-Webhooks-Signature-Settings")) == "HMAC_SHA256";
        let (kind, secrets, name) =
            if sha256 { (hmac::HMAC_SHA256, &self.shared_keys, "HMAC_SHA256") } else { (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.auth_tokens, "HMAC_SHA1") };
        if secrets.is_empty() {
            return Err(Refused::NoSecret { algorithm: name.to_owned() });
        }
        if let Some(expected) = hook.query("bodySHA256")
            && !expected.eq_ignore_ascii_case(&sha256_hex(&hook.body))
        {
            return Err(Refused::BadDigest);
        }
        let secrets: Vec<&str> = secrets.iter().map(SecretString::expose_secret).collect();
        let params = canonical_params(hook);
        let matches = spellings(&hook.url).iter().any(|url| hmac_matches(kind, &secrets, format!("{url}{params}").as_bytes(), signature));
        if matches { Ok(()) } else { Err(Refused::BadSignature) }
    }

    fn lane(&self, hook: &RawHook) -> Lane {
        if hook.query(ATTEMPT_PARAM).is_some() || form(hook).contains_key("MessageStatus") { Lane::Receipt } else { Lane::Inbound }
    }

    fn parse(&self, hook: &RawHook) -> Result<Vec<Item>, Unreadable> {
        let form = form(hook);
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let vendor_id = Some(field("MessageSid")).filter(|s| !s.is_empty()).unwrap_or(field("SmsSid"));
        if vendor_id.is_empty() {
            return Err(Unreadable("no MessageSid".to_owned()));
        }
        let item = match self.lane(hook) {
            Lane::Receipt | Lane::Source => {
                let status = Some(field("MessageStatus")).filter(|s| !s.is_empty()).unwrap_or(field("SmsStatus"));
                if status.is_empty() {
                    return Err(Unreadable("a status callback without MessageStatus".to_owned()));
                }
                let code = Some(field("ErrorCode")).filter(|c| *c != "0").unwrap_or_default();
                Item {
                    key: self.status_key(vendor_id, status, code),
                    // Neither callback tells a time.
                    at: None,
                    event: ProviderEvent::Status {
                        attempt: hook.query(ATTEMPT_PARAM).and_then(|a| a.parse().ok()),
                        vendor_id: vendor_id.to_owned(),
                        status: status.to_owned(),
                        evidence: evidence(status),
                        vendor_code: code.to_owned(),
                    },
                }
            }
            Lane::Inbound => {
                let (from, to) = (field("From"), field("To"));
                if from.is_empty() || to.is_empty() {
                    return Err(Unreadable("an inbound text without From or To".to_owned()));
                }
                Item {
                    key: self.inbound_key(vendor_id),
                    at: None,
                    event: ProviderEvent::Inbound {
                        vendor_id: vendor_id.to_owned(),
                        from: from.to_owned(),
                        to: to.to_owned(),
                        body: field("Body").to_owned(),
                        keyword: match field("OptOutType") {
                            "STOP" => Some(Keyword::Stop),
                            "START" => Some(Keyword::Start),
                            "HELP" => Some(Keyword::Help),
                            _ => None,
                        },
                    },
                }
            }
        };
        Ok(vec![item])
    }

    fn acknowledge(&self, lane: Lane) -> Response {
        match lane {
            // An empty document: Twilio sends no answer of ours.
            Lane::Inbound => Response {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
                body: Bytes::from_static(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"),
            },
            Lane::Receipt | Lane::Source => Response { status: 204, headers: Vec::new(), body: Bytes::new() },
        }
    }
}

impl Twilio {
    /// Where the API listens, without the slash that paths begin with.
    fn base(&self) -> &str {
        self.base_url.trim_end_matches('/')
    }

    /// The path of the account's texts.
    fn messages(&self) -> String {
        format!("/2010-04-01/Accounts/{}/Messages.json", self.account_sid)
    }

    /// Signs a call in.
    fn headers(&self) -> Vec<(String, String)> {
        let token = self.auth_tokens.first().map(SecretString::expose_secret).unwrap_or_default();
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{token}", self.account_sid));
        vec![("authorization".to_owned(), format!("Basic {basic}")), ("accept".to_owned(), "application/json".to_owned())]
    }

    /// What makes a status of a text new, whether a callback tells it or a list.
    fn status_key(&self, vendor_id: &str, status: &str, code: &str) -> [u8; 16] {
        hash16(&[self.name.as_bytes(), vendor_id.as_bytes(), status.as_bytes(), code.as_bytes()])
    }

    /// What makes a text from a person new, likewise.
    fn inbound_key(&self, vendor_id: &str) -> [u8; 16] {
        hash16(&[self.name.as_bytes(), vendor_id.as_bytes(), b"inbound"])
    }
}

/// What a status proves; a word that is not in Twilio's list proves nothing.
fn evidence(status: &str) -> Option<Evidence> {
    match status {
        "accepted" | "scheduled" | "queued" | "sending" => Some(Evidence::Accepted),
        "sent" => Some(Evidence::Sent),
        "delivered" | "read" => Some(Evidence::Delivered),
        "undelivered" | "failed" | "canceled" => Some(Evidence::Undelivered),
        _ => None,
    }
}

/// The signing algorithm named by the settings header.
pub fn algorithm(settings: Option<&str>) -> &str {
    let named = settings.into_iter().flat_map(|s| s.split(',')).find_map(|pair| pair.trim().strip_prefix("algorithm="));
    named.unwrap_or("HMAC_SHA1")
}

/// What follows the URL in the signed string: every form parameter by name, its distinct values in order.
pub fn canonical_params(hook: &RawHook) -> String {
    let form_body = hook.header("content-type").is_none_or(|c| c.starts_with("application/x-www-form-urlencoded"));
    if hook.method != "POST" || !form_body {
        return String::new();
    }
    let mut params: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&hook.body) {
        params.entry(name.into_owned()).or_default().insert(value.into_owned());
    }
    params.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name}{value}"))).collect()
}

/// The URL as configured, with the default port spelled out, and without any port: Twilio signs one of them.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    match port {
        Some(_) => all.push(format!("{scheme}://{host}{path}")),
        None => all.push(format!("{scheme}://{host}:{}{path}", if scheme == "https" { 443 } else { 80 })),
    }
    all
}

fn form(hook: &RawHook) -> BTreeMap<String, String> {
    form_urlencoded::parse(&hook.body).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

fn problem(response: &Response) -> Option<Problem> {
    serde_json::from_slice(&response.body).ok()
}

#[cfg(test)]
#[path = "twilio/tests.rs"]
mod tests;
