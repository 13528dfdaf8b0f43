//! Taking a text: the idempotency key, what is checked, and what the caller sees of it.
//!
//! Its own file because it is the vendor's contract with its clients: a key is good for one text, and each mistake has
//! its own code. It does not send: a text that is taken leaves by way of `TelnyxFake::send`.

use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::hook::sha256_hex;
use trunkline_connectors::http::Request;
use trunkline_core::number::Number;
use trunkline_core::segment;
use trunkline_core::time::{Span, Time};

use super::event::Message;
use super::{Problem, TelnyxFake, server_error, throttled};
use crate::faults::{Fate, Faults};
use crate::outgoing::{AcceptedCall, Answer, Called, hit, uuid_like};

/// How long a key is remembered.
const KEPT: Span = Span::hours(24);
/// The longest text, in parts.
const MOST_PARTS: u32 = 10;

/// A key that was used, and the success it stands for.
pub(super) struct Kept {
    at: Time,
    request_sha256: String,
    answer: Answer,
}

/// The fields of a call that passed every check.
struct Wanted {
    to: String,
    from: String,
    text: String,
    webhook_url: Option<String>,
}

impl TelnyxFake {
    /// Takes a text, or says why not, or says again what it said to the first call with this key.
    pub(super) fn create(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let request_sha256 = sha256_hex(&request.body);
        let key = match key(request) {
            Ok(key) => key,
            Err(problem) => return Called::only(problem.answer()),
        };
        // Before every other check: what was taken stays taken, even if the recipient has unsubscribed since.
        if let Some(kept) = key.and_then(|key| self.kept.get(key)).filter(|kept| now.since(kept.at) < KEPT) {
            let same = kept.request_sha256 == request_sha256;
            return Called::only(if same { kept.answer.clone() } else { reused().answer() });
        }
        let wanted = match self.checked(&request.body) {
            Ok(wanted) => wanted,
            Err(problem) => return Called::only(problem.answer()),
        };
        let fate = Fate::of(&wanted.to);
        if fate == Fate::HangNotTaken {
            return Called::only(Answer::Hang);
        }
        if fate == Fate::ErrorNotTaken {
            return Called::only(server_error());
        }
        if fate == Fate::ThrottleOnce && self.throttled_once.insert(wanted.to.clone()) {
            return Called::only(throttled());
        }
        let hang = hit(rng, faults.hang_after_accept_permille) || fate == Fate::HangTaken;
        let error = hit(rng, faults.server_error_after_accept_permille) || fate == Fate::ErrorTaken;
        let message = Message { id: uuid_like(rng), to: wanted.to, from: wanted.from, text: wanted.text, webhook_url: wanted.webhook_url, taken: now };
        let attempt = message.attempt();
        self.accepted.push(AcceptedCall { attempt, vendor_id: message.id.clone(), at: now, phone: message.to.clone(), request_sha256: request_sha256.clone() });
        let effects = self.send(&message, fate, faults, rng);
        let success = Answer::json(200, &json!({"data": message.queued(self.settings.messaging_profile_id.as_deref())}));
        // The success is kept even if this caller does not see it: that is what the key is for.
        if let Some(key) = key {
            self.kept.insert(key.to_owned(), Kept { at: now, request_sha256, answer: success.clone() });
        }
        let answer = if hang {
            Answer::Hang
        } else if error {
            server_error()
        } else {
            success
        };
        Called { answer, effects }
    }

    fn checked(&self, body: &[u8]) -> Result<Wanted, Problem> {
        let fields: Value = serde_json::from_slice(body).map_err(|_| malformed("the body is not JSON"))?;
        let field = |name: &str| fields.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        let given = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        let missing = |pointer| Problem::new(422, "10004", "Missing required parameter", "a required field is missing").of(pointer);
        let to = field("to").ok_or_else(|| missing("/to"))?;
        if !to.starts_with('+') {
            return Err(Problem::new(422, "10016", "Phone number must be in +E.164 format", "'to' does not start with a plus sign").of("/to"));
        }
        let to = Number::parse(to, None).map_err(|_| Problem::new(400, "40310", "Invalid 'to' address", "'to' is not one phone number").of("/to"))?;
        if given("media_urls") || given("send_at") {
            return Err(malformed("the sandbox sends at once, and texts without media"));
        }
        let text = field("text").ok_or_else(|| Problem::new(400, "40316", "No content provided", "'text' is missing").of("/text"))?;
        if segment::measure(text).segments > MOST_PARTS {
            return Err(Problem::new(400, "40302", "Message too large", "'text' takes more than ten parts").of("/text"));
        }
        let from = field("from").ok_or_else(|| missing("/from"))?;
        let profile = field("messaging_profile_id");
        let ours = self.settings.inbound_urls.contains_key(from) && profile.is_none_or(|named| self.settings.messaging_profile_id.as_deref() == Some(named));
        if !ours {
            return Err(Problem::new(400, "40305", "Invalid 'from' address", "'from' is not a sender of this messaging profile").of("/from"));
        }
        let webhook_url = field("webhook_url");
        let url_is_fine = webhook_url.is_none_or(can_be_called);
        if !url_is_fine {
            return Err(Problem::new(422, "10003", "Invalid URL", "'webhook_url' is not a URL that can be called").of("/webhook_url"));
        }
        let to = to.e164();
        if self.blocked.contains(to) {
            let detail = format!("Messages cannot be sent from '{from}' to '{to}' due to an existing block rule.");
            return Err(Problem::new(403, "40300", "Blocked due to STOP message", &detail));
        }
        Ok(Wanted { to: to.to_owned(), from: from.to_owned(), text: text.to_owned(), webhook_url: webhook_url.map(str::to_owned) })
    }
}

/// The call's key, if it has one.
fn key(request: &Request) -> Result<Option<&str>, Problem> {
    let Some((_, key)) = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key")) else { return Ok(None) };
    let fine = (1..=255).contains(&key.len()) && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'));
    if fine { Ok(Some(key.as_str())) } else { Err(malformed("the idempotency key is not 1 to 255 letters, digits, '-', '_' and ':'")) }
}

/// Telnyx says that it answers 422; the code and the words are made up here.
fn reused() -> Problem {
    Problem::new(422, "10015", "Bad request", "the Idempotency-Key was used before with another body")
}

fn malformed(detail: &str) -> Problem {
    Problem::new(400, "10015", "Bad request", detail)
}

fn can_be_called(url: &str) -> bool {
    let Ok(uri) = url.parse::<::http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}
