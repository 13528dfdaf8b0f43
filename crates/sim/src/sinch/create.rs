//! Taking a batch: what is checked, and what the caller sees of it.
//!
//! Its own file because the checks are the vendor's contract with its clients. Sinch documents its codes and leaves
//! open which mistake gets which; a batch of several recipients, one for later, and a report of a whole batch are
//! refused, though Sinch takes them, because nothing here sends them.

use rand_core::RngCore;
use serde_json::Value;
use trunkline_connectors::hook::sha256_hex;
use trunkline_connectors::http::Request;
use trunkline_connectors::sms::sinch::LONGEST_VALIDITY;
use trunkline_core::number::Number;
use trunkline_core::time::Time;

use super::{Batch, Problem, Reports, SERVER_ERROR, SinchFake, digits, new_id, throttled};
use crate::faults::{Fate, Faults};
use crate::outgoing::{AcceptedCall, Answer, Called, between, hit};

/// The longest text.
const LONGEST: usize = 2_000;
/// The longest reference.
const LONGEST_REFERENCE: usize = 128;
/// The longest that a batch stays out of the lists, in milliseconds of business time.
const LONGEST_LAG_MS: u64 = 60_000;

/// The fields of a call that passed every check.
struct Wanted {
    to: String,
    from: String,
    body: String,
    delivery_report: Reports,
    callback_url: Option<String>,
    client_reference: Option<String>,
    expire_at: Time,
}

impl SinchFake {
    /// Takes a batch, or says why not.
    pub(super) fn create(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let wanted = match self.checked(now, &request.body) {
            Ok(wanted) => wanted,
            Err(problem) => return Called::only(problem.answer()),
        };
        let fate = Fate::of(&wanted.to);
        if fate == Fate::HangNotTaken {
            return Called::only(Answer::Hang);
        }
        if fate == Fate::ErrorNotTaken {
            return Called::only(SERVER_ERROR.answer());
        }
        if fate == Fate::ThrottleOnce && self.throttled_once.insert(wanted.to.clone()) {
            return Called::only(throttled());
        }
        let hang = hit(rng, faults.hang_after_accept_permille) || fate == Fate::HangTaken;
        let error = hit(rng, faults.server_error_after_accept_permille) || fate == Fate::ErrorTaken;
        let id = new_id(now, rng);
        let shown_from = now + between(rng, 0, LONGEST_LAG_MS);
        let mut batch = wanted.into_batch(id, now, shown_from);
        self.accepted.push(AcceptedCall { attempt: batch.attempt(), vendor_id: batch.id.clone(), at: now, phone: batch.to.clone(), request_sha256: sha256_hex(&request.body) });
        let effects = self.send(&mut batch, fate, faults, rng);
        let answer = if hang {
            Answer::Hang
        } else if error {
            SERVER_ERROR.answer()
        } else {
            Answer::json(201, &batch.resource())
        };
        self.keep(batch);
        Called { answer, effects }
    }

    fn keep(&mut self, batch: Batch) {
        let place = self.batches.len();
        self.by_id.insert(batch.id.clone(), place);
        if let Some(reference) = &batch.client_reference {
            self.by_reference.entry(reference.clone()).or_default().push(place);
        }
        self.batches.push(batch);
    }

    fn checked(&self, now: Time, body: &[u8]) -> Result<Wanted, Problem> {
        let unreadable = Problem { status: 400, code: "syntax_invalid_json", text: "the body is not a JSON object" };
        let body: Value = serde_json::from_slice(body).ok().filter(Value::is_object).ok_or(unreadable)?;
        if body.get("send_at").is_some() {
            return Err(Problem::constraint("'send_at' is not supported: the sandbox sends at once"));
        }
        if body.get("type").is_some_and(|kind| kind != "mt_text") {
            return Err(Problem::constraint("'type' is not mt_text: the sandbox carries texts alone"));
        }
        let to = recipient(&body)?;
        let from = text(&body, "from")?.ok_or(Problem::constraint("'from' is missing"))?;
        let from = self.settings.inbound_urls.keys().find(|sender| digits(sender) == digits(from));
        let from = from.ok_or(Problem::constraint("'from' is not a sender of this service plan"))?;
        let content = text(&body, "body")?.ok_or(Problem::constraint("'body' is missing"))?;
        if content.chars().count() > LONGEST {
            return Err(Problem::constraint("'body' is longer than 2000 characters"));
        }
        let delivery_report = match text(&body, "delivery_report")? {
            None | Some("none") => Reports::None,
            Some("per_recipient") => Reports::PerRecipient,
            Some("per_recipient_final") => Reports::PerRecipientFinal,
            Some(_) => return Err(Problem::constraint("'delivery_report' is not supported: the sandbox reports by recipient")),
        };
        let callback_url = text(&body, "callback_url")?;
        let callback_is_fine = callback_url.is_none_or(can_be_called);
        if !callback_is_fine {
            return Err(Problem::format("'callback_url' is not a URL that can be called"));
        }
        if callback_url.is_none() && delivery_report != Reports::None {
            return Err(Problem { status: 403, code: "missing_callback_url", text: "reports are asked for, and there is no 'callback_url'" });
        }
        let client_reference = text(&body, "client_reference")?;
        if client_reference.is_some_and(|reference| reference.chars().count() > LONGEST_REFERENCE) {
            return Err(Problem::constraint("'client_reference' is longer than 128 characters"));
        }
        let expire_at = expiry(now, text(&body, "expire_at")?)?;
        Ok(Wanted {
            to,
            from: from.clone(),
            body: content.to_owned(),
            delivery_report,
            callback_url: callback_url.map(str::to_owned),
            client_reference: client_reference.map(str::to_owned),
            expire_at,
        })
    }
}

impl Wanted {
    fn into_batch(self, id: String, now: Time, shown_from: Time) -> Batch {
        Batch {
            id,
            to: self.to,
            from: self.from,
            body: self.body,
            delivery_report: self.delivery_report,
            callback_url: self.callback_url,
            client_reference: self.client_reference,
            expire_at: self.expire_at,
            taken: now,
            shown_from,
            steps: Vec::new(),
        }
    }
}

/// A field that is a text, or missing, or empty.
fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Problem::format("a field that is a text has another type")),
    }
}

/// The one recipient in E.164; Sinch takes numbers with and without their plus.
fn recipient(body: &Value) -> Result<String, Problem> {
    let all = body.get("to").and_then(Value::as_array).ok_or(Problem::constraint("'to' is not a list of numbers"))?;
    let [Value::String(only)] = all.as_slice() else {
        return Err(Problem::constraint("'to' does not name one recipient: the sandbox takes no more in a batch"));
    };
    let number = Number::parse(&format!("+{}", digits(only.trim())), None).map_err(|_| Problem::format("'to' is not a phone number"))?;
    Ok(number.e164().to_owned())
}

fn expiry(now: Time, given: Option<&str>) -> Result<Time, Problem> {
    let Some(given) = given else { return Ok(now + LONGEST_VALIDITY) };
    let at: Time = given.parse().map_err(|_| Problem::format("'expire_at' is not an instant in ISO 8601"))?;
    if at <= now {
        return Err(Problem::constraint("'expire_at' is not in the future"));
    }
    if at > now + LONGEST_VALIDITY {
        return Err(Problem::constraint("'expire_at' is more than three days ahead"));
    }
    Ok(at)
}

fn can_be_called(url: &str) -> bool {
    let Ok(uri) = url.parse::<::http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}
