//! Sinch's XMS REST API (v1): batches of one text, delivery reports, inbound texts, and the lists of all three.
//!
//! One file for the whole dialect. Facts: Sinch's SDKs for the fields and the signature (python 2.3.0), its pages on
//! status codes, delivery reports and SMPP errors for `data/sinch_errors.csv`. It has no native idempotency, but
//! batches of the last 14 days can be looked up by our reference, so that finding none after a lag is proof; the lag
//! is not documented, and is ours. Our attempt id rides in the callback URL and in the reference. Sinch is not known to
//! answer STOP by itself, and none of its codes says for certain that a recipient opted out: none counts as a block.
//! Sinch reads `${name}` in a text as a placeholder and has no way to escape it; such texts go out as they are here.

use std::cmp::Reverse;
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use bytes::Bytes;
use form_urlencoded::Serializer;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::id::{AttemptId, hash16};
use trunkline_core::message::Evidence;
use trunkline_core::outcome::Outcome;
use trunkline_core::time::{Span, Time};

use super::ask::{Candidate, Listing, Looked, NotListed, Page, Resolution, Sent};
use super::codes::Codes;
use super::{Item, Lane, Outbound, Provider, ProviderEvent, Unreadable};
use crate::hook::{RawHook, Refused, hmac_matches};
use crate::http::{Reply, Request, Response};

/// Where Sinch listens in the United States; other regions differ in the first letters.
pub const API: &str = "https://us.sms.api.sinch.com";
/// The query parameter of our callback URL that carries the attempt.
pub const ATTEMPT_PARAM: &str = "attempt";
/// The longest that Sinch keeps trying.
pub const LONGEST_VALIDITY: Span = Span::hours(72);

/// How far the time of a hook may be from ours, either way.
const AHEAD: Span = Span::mins(5);
/// How old a hook may be. The vendor tries for a day, and nothing says that it signs each try anew; a repeated one is
/// only a copy.
const OLDEST: Span = Span::hours(24);
/// How long a batch may be missing from the list. Sinch admits a delay and gives no number.
const LAG: Span = Span::mins(2);
/// How much before our own time of the claim a look-up starts, for clocks that differ.
const MARGIN: Span = Span::hours(1);
/// How much before a gap the list of reports starts: its filter is about when Sinch took the text, not about when
/// it reported. Reports that come later than this after their text are left to whoever misses a receipt.
const REACH: Span = Span::hours(4);
/// The largest page.
const PAGE: &str = "100";

const CODES: Codes = Codes { vendor: "Sinch", table: include_str!("../../data/sinch_errors.csv") };

/// One service plan.
pub struct Sinch {
    /// The name of the account in our configuration, part of every dedupe key.
    pub name: String,
    /// The service plan's id.
    pub service_plan_id: String,
    /// The API token; while it is rotated, the old one too. The first one signs in.
    pub api_tokens: Vec<SecretString>,
    /// The secrets that sign hooks.
    pub hook_secrets: Vec<SecretString>,
    /// Where the API listens.
    pub base_url: String,
    /// How long a call may take, in real time.
    pub timeout: Span,
}

impl fmt::Debug for Sinch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sinch").field("name", &self.name).field("service_plan_id", &self.service_plan_id).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    text: String,
}

impl Provider for Sinch {
    fn send(&self, text: &Outbound<'_>) -> Request {
        // The deadline is `validity` from now, so what is too long about one is too long about the other.
        let too_long = Span((text.validity.0 - LONGEST_VALIDITY.0).max(0));
        let batch = json!({
            "from": text.from,
            "to": [text.to],
            "type": "mt_text",
            "body": text.body,
            "delivery_report": "per_recipient",
            "expire_at": stamp(text.expires_at - too_long),
            "callback_url": format!("{}?{ATTEMPT_PARAM}={}", text.callback_url, text.attempt),
            "client_reference": text.attempt.to_string(),
        });
        self.request(::http::Method::POST, "batches", Bytes::from(batch.to_string()))
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
                Ok(accepted) if !accepted.id.is_empty() => Outcome::Accepted { vendor_id: accepted.id },
                _ => Outcome::Ambiguous { cause: format!("HTTP {status} without a batch id") },
            },
            429 => Outcome::Throttled { retry_after: response.retry_after(), vendor_code: problem(response).map_or_else(|| "429".to_owned(), |p| p.code) },
            // Documented as a token that is not valid for the plan; a body is only promised with 400 and 403.
            401 if response.body.trim_ascii().is_empty() => CODES.refused("unauthorized".to_owned(), "the API token is not valid for this service plan", response),
            400..=499 if status != 408 => match problem(response) {
                Some(problem) => CODES.refused(problem.code, &problem.text, response),
                None => Outcome::Ambiguous { cause: format!("HTTP {status} that is not Sinch's own") },
            },
            _ => Outcome::Ambiguous { cause: format!("HTTP {status} after the request was written") },
        }
    }

    fn codes(&self) -> Codes {
        CODES
    }

    fn resolution(&self) -> Resolution {
        Resolution::ExactLookup { lag: LAG }
    }

    fn look_up(&self, sent: &Sent<'_>) -> Option<Request> {
        let (reference, start) = (sent.attempt.to_string(), stamp(sent.claimed_at - MARGIN));
        Some(self.page("batches", &[("client_reference", reference.as_str()), ("start_date", start.as_str())], None))
    }

    fn looked(&self, sent: &Sent<'_>, reply: &Reply) -> Looked {
        let list = match rows(reply, "batches") {
            Ok(list) => list,
            Err(NotListed { cause, retry_after }) => return Looked::Unavailable { cause, retry_after },
        };
        let reference = sent.attempt.to_string();
        let mut found: Vec<Candidate> = list.all.iter().filter(|batch| field(batch, "client_reference") == reference).map(candidate).collect();
        // "Not taken" lets the text be sent again: a list that goes on, or a batch without an id, does not say so.
        let goes_on = found.is_empty() && list.count > list.all.len() as u64;
        if goes_on || found.iter().any(|candidate| candidate.vendor_id.is_empty()) {
            return Looked::Unavailable { cause: "the list of batches does not say whether ours is in it".to_owned(), retry_after: None };
        }
        found.sort_by_key(|candidate| Reverse(candidate.taken_at));
        Looked::Found(found)
    }

    fn list(&self, listing: Listing, since: Time, page: Option<&str>) -> Option<Request> {
        let start = match listing {
            Listing::Inbound => since,
            Listing::Status => since - REACH,
        };
        Some(self.page(list_name(listing), &[("start_date", stamp(start).as_str())], page))
    }

    fn listed(&self, listing: Listing, _since: Time, reply: &Reply) -> Result<Page, NotListed> {
        let list = rows(reply, list_name(listing))?;
        // An entry that cannot be read must not hide those beside it.
        let items = list.all.iter().filter_map(|entry| self.items(entry, None).ok()).flatten().collect();
        let shown = list.page.saturating_mul(list.page_size).saturating_add(list.all.len() as u64);
        // Where `page_size` is what came back and not what was asked for, a short last page asks for an empty one more.
        let more = !list.all.is_empty() && shown < list.count;
        Ok(Page { items, next: more.then(|| list.page.saturating_add(1).to_string()) })
    }

    fn verify(&self, hook: &RawHook, now: Time) -> Result<(), Refused> {
        let header = |name: &str| hook.header(name).ok_or_else(|| Refused::MissingHeader { header: name.to_owned() });
        let signature = header("x-sinch-webhook-signature")?;
        let nonce = header("x-sinch-webhook-signature-nonce")?;
        let timestamp = header("x-sinch-webhook-signature-timestamp")?;
        // Left out, it is what the scheme has always been.
        let algorithm = hook.header("x-sinch-webhook-signature-algorithm").unwrap_or("HmacSHA256");
        if !algorithm.eq_ignore_ascii_case("HmacSHA256") || self.hook_secrets.is_empty() {
            return Err(Refused::NoSecret { algorithm: algorithm.to_owned() });
        }
        let mut signed = hook.body.to_vec();
        signed.extend_from_slice(format!(".{nonce}.{timestamp}").as_bytes());
        let secrets: Vec<&str> = self.hook_secrets.iter().map(SecretString::expose_secret).collect();
        if !hmac_matches(hmac::HMAC_SHA256, &secrets, &signed, signature) {
            return Err(Refused::BadSignature);
        }
        let Ok(seconds) = timestamp.parse::<i64>() else { return Err(Refused::Stale { at: timestamp.to_owned() }) };
        let at = Time(seconds.saturating_mul(1_000_000));
        if (now - OLDEST..=now + AHEAD).contains(&at) { Ok(()) } else { Err(Refused::Stale { at: at.to_string() }) }
    }

    fn lane(&self, hook: &RawHook) -> Lane {
        // The kind decides, not the URL: whatever a person sent must not wait behind receipts.
        let body: Value = serde_json::from_slice(&hook.body).unwrap_or_default();
        if is_inbound(field(&body, "type")) { Lane::Inbound } else { Lane::Receipt }
    }

    fn parse(&self, hook: &RawHook) -> Result<Vec<Item>, Unreadable> {
        let body: Value = serde_json::from_slice(&hook.body).map_err(|e| Unreadable(format!("the body is not JSON: {e}")))?;
        self.items(&body, hook.query(ATTEMPT_PARAM).and_then(|a| a.parse().ok()))
    }

    fn acknowledge(&self, _lane: Lane) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::new() }
    }
}

impl Sinch {
    fn request(&self, method: ::http::Method, path: &str, body: Bytes) -> Request {
        let token = self.api_tokens.first().map(SecretString::expose_secret).unwrap_or_default();
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {token}")), ("accept".to_owned(), "application/json".to_owned())];
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let url = format!("{}/xms/v1/{}/{path}", self.base_url.trim_end_matches('/'), self.service_plan_id);
        Request { method, url, headers, body, timeout: self.timeout }
    }

    /// The request for a page of a list; the first one if none is named.
    fn page(&self, list: &str, filters: &[(&str, &str)], page: Option<&str>) -> Request {
        let query = Serializer::new(String::new()).extend_pairs(filters).append_pair("page", page.unwrap_or("0")).append_pair("page_size", PAGE).finish();
        self.request(::http::Method::GET, &format!("{list}?{query}"), Bytes::new())
    }

    /// What a hook's body, or an entry of a list, says. Both have one form, and so the same keys.
    fn items(&self, body: &Value, attempt: Option<AttemptId>) -> Result<Vec<Item>, Unreadable> {
        match field(body, "type") {
            kind if is_inbound(kind) => Ok(vec![self.inbound(body, kind)?]),
            "recipient_delivery_report_sms" | "recipient_delivery_report_mms" => Ok(vec![self.status(body, body, field(body, "recipient"), attempt)?]),
            "delivery_report_sms" | "delivery_report_mms" => {
                let groups = body.get("statuses").and_then(Value::as_array).filter(|groups| !groups.is_empty());
                let groups = groups.ok_or_else(|| Unreadable("a delivery report without statuses".to_owned()))?;
                groups.iter().map(|group| self.status(body, group, &recipients(group), attempt)).collect()
            }
            "" => Err(Unreadable("no type".to_owned())),
            other => Err(Unreadable(format!("'{}' is no kind of hook that is known", other.chars().take(60).collect::<String>()))),
        }
    }

    /// One status of a batch. The time is not part of the key: a report has the time at which it was made, which
    /// is another one when a list makes it again, and the same status a second time says nothing new.
    fn status(&self, batch: &Value, report: &Value, recipient: &str, attempt: Option<AttemptId>) -> Result<Item, Unreadable> {
        let (vendor_id, status) = (field(batch, "batch_id"), field(report, "status"));
        if vendor_id.is_empty() || status.is_empty() {
            return Err(Unreadable("a delivery report without batch_id or status".to_owned()));
        }
        let evidence = evidence(status);
        let code = code(report);
        let is_fine = matches!(evidence, Some(Evidence::Accepted | Evidence::Sent | Evidence::Delivered)) || matches!(code.as_str(), "0" | "400" | "401");
        let vendor_code = if is_fine { String::new() } else { code };
        // The case of the word and the plus of the number differ between Sinch's own descriptions.
        let word = status.to_ascii_lowercase();
        let pieces = [self.name.as_str(), vendor_id, recipient.trim_start_matches('+'), word.as_str(), vendor_code.as_str()].map(str::as_bytes);
        Ok(Item {
            key: hash16(&pieces),
            at: field(report, "at").parse().ok(),
            event: ProviderEvent::Status {
                attempt: attempt.or_else(|| field(batch, "client_reference").parse().ok()),
                vendor_id: vendor_id.to_owned(),
                status: status.to_owned(),
                evidence,
                vendor_code,
            },
        })
    }

    fn inbound(&self, message: &Value, kind: &str) -> Result<Item, Unreadable> {
        let (vendor_id, from, to) = (field(message, "id"), field(message, "from"), field(message, "to"));
        if vendor_id.is_empty() || from.is_empty() || to.is_empty() {
            return Err(Unreadable("an inbound text without id, from or to".to_owned()));
        }
        let body = match message.get("body") {
            Some(Value::String(encoded)) if kind == "mo_binary" => readable(encoded),
            Some(Value::String(text)) => text.clone(),
            // With media, the text is one field of the body: a STOP in it counts like any other.
            Some(body) => field(body, "message").to_owned(),
            None => String::new(),
        };
        Ok(Item {
            key: hash16(&[self.name.as_bytes(), vendor_id.as_bytes(), b"inbound"]),
            at: field(message, "received_at").parse().ok(),
            event: ProviderEvent::Inbound { vendor_id: vendor_id.to_owned(), from: number(from), to: number(to), body, keyword: None },
        })
    }
}

/// A page of a list, as far as all lists are alike.
struct Rows {
    all: Vec<Value>,
    count: u64,
    page: u64,
    page_size: u64,
}

fn rows(reply: &Reply, name: &str) -> Result<Rows, NotListed> {
    let response = reply.as_ref().map_err(|error| NotListed { cause: error.to_string(), retry_after: None })?;
    let not_listed = |what: &str| NotListed { cause: format!("HTTP {} {what}", response.status), retry_after: response.retry_after() };
    if !(200..=299).contains(&response.status) {
        return Err(not_listed("in answer to a list"));
    }
    let body: Value = serde_json::from_slice(&response.body).map_err(|_| not_listed("without a list"))?;
    let number = |name: &str| body.get(name).and_then(Value::as_u64);
    // Both are always there; without them nobody knows where the list ends.
    let (Some(count), Some(page)) = (number("count"), number("page")) else { return Err(not_listed("without a list")) };
    let rows = match body.get(name).and_then(Value::as_array) {
        Some(rows) => rows.clone(),
        None if count == 0 => Vec::new(),
        None => return Err(not_listed("without a list")),
    };
    Ok(Rows { count, page, page_size: number("page_size").unwrap_or(rows.len() as u64), all: rows })
}

fn list_name(listing: Listing) -> &'static str {
    match listing {
        Listing::Inbound => "inbounds",
        Listing::Status => "delivery_reports",
    }
}

/// A batch that may be the one. It has no delivery status of its own: it is there, or it was cancelled.
fn candidate(batch: &Value) -> Candidate {
    let canceled = match batch.get("canceled") {
        Some(Value::Bool(canceled)) => *canceled,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let (status, evidence) = if canceled { ("canceled", Evidence::Undelivered) } else { ("accepted", Evidence::Accepted) };
    Candidate {
        vendor_id: field(batch, "id").to_owned(),
        status: status.to_owned(),
        evidence: Some(evidence),
        vendor_code: String::new(),
        taken_at: field(batch, "created_at").parse().ok(),
    }
}

/// What a status proves; a word that is not in Sinch's list proves nothing, nor does its own `Unknown`.
fn evidence(status: &str) -> Option<Evidence> {
    match status.to_ascii_lowercase().as_str() {
        "queued" => Some(Evidence::Accepted),
        "dispatched" => Some(Evidence::Sent),
        "delivered" => Some(Evidence::Delivered),
        "failed" | "rejected" | "aborted" | "cancelled" | "expired" | "deleted" => Some(Evidence::Undelivered),
        _ => None,
    }
}

fn is_inbound(kind: &str) -> bool {
    kind.starts_with("mo_")
}

/// A field that is a text; empty if there is none.
fn field<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The code of a report: a number, or in some descriptions a number in quotes.
fn code(report: &Value) -> String {
    match report.get("code") {
        Some(Value::Number(code)) => code.to_string(),
        Some(Value::String(code)) => code.clone(),
        _ => "0".to_owned(),
    }
}

/// The recipients of a group of a full report. Our batches have one, and then the key is that of its own report.
fn recipients(group: &Value) -> String {
    let all = group.get("recipients").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

/// A number as we write them: Sinch leaves the plus out. What is shorter is a short code, and has none.
fn number(text: &str) -> String {
    let is_international = (7..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_international { format!("+{text}") } else { text.to_owned() }
}

/// The text of a binary message, if it is one that people can read. Anything else is an empty text: that somebody
/// sent something is worth knowing, and bytes that are no text hold no keyword.
fn readable(encoded: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) { String::new() } else { text }
}

/// An instant as the API writes them, to the millisecond.
fn stamp(at: Time) -> String {
    at.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn problem(response: &Response) -> Option<Problem> {
    serde_json::from_slice(&response.body).ok()
}

#[cfg(test)]
#[path = "sinch/tests.rs"]
mod tests;
