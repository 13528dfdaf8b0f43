//! Taking a text: what is checked, who sends it, when it leaves, and what the caller sees of it.
//!
//! Its own file because the checks are the vendor's contract with its clients: each has its own code. It does not
//! send: a text that is taken leaves at once or at its time, by way of `Vendor::send`.

use std::collections::BTreeMap;

use rand_core::RngCore;
use trunkline_connectors::hook::sha256_hex;
use trunkline_connectors::http::Request;
use trunkline_connectors::sms::twilio::LONGEST;
use trunkline_core::number::Number;
use trunkline_core::segment;
use trunkline_core::time::{Span, Time};

use super::list::moment;
use super::log::{Course, Direction, Message, new_id};
use super::{Problem, SERVER_ERROR, Vendor, magic, throttled};
use crate::faults::{Fate, Faults};
use crate::outgoing::{AcceptedCall, Answer, Called, hit};

/// The soonest that a text can be scheduled for. Twilio's pages give 300 or 900 seconds; the shorter is taken, so that
/// what either of them allows is allowed here.
const SOONEST: Span = Span::mins(5);
/// The latest that a text can be scheduled for.
const LATEST: Span = Span::hours(35 * 24);

/// The fields of a call that passed every check.
struct Wanted {
    to: String,
    from: String,
    service: bool,
    picked: bool,
    body: String,
    callback: Option<String>,
    send_at: Option<Time>,
}

/// The fields of a form; an empty one is as good as none.
struct Form(BTreeMap<String, String>);

impl Form {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl Vendor {
    /// Takes a text, or says why not.
    pub(super) fn create(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let form = Form(form_urlencoded::parse(&request.body).into_owned().collect());
        let wanted = match self.checked(now, &form) {
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
        let send_at = wanted.send_at;
        let mut message = wanted.into_message(new_id(rng), now);
        self.accepted.push(AcceptedCall { attempt: message.attempt(), vendor_id: message.sid(), at: now, phone: message.to.clone(), request_sha256: sha256_hex(&request.body) });
        let effects = if send_at.is_some() { Vec::new() } else { self.send(&mut message, now, fate, faults, rng) };
        let answer = if hang {
            Answer::Hang
        } else if error {
            SERVER_ERROR.answer()
        } else {
            Answer::json(201, &message.resource(&self.settings, now))
        };
        let place = self.log.push(message);
        if let Some(at) = send_at {
            self.scheduled.insert((at, place));
        }
        Called { answer, effects }
    }

    fn checked(&self, now: Time, form: &Form) -> Result<Wanted, Problem> {
        let to = form.field("To").ok_or(Problem::bad(21_604, "'To' is missing"))?;
        let to = Number::parse(to, None).map_err(|_| Problem::bad(21_211, "'To' is not a phone number"))?;
        if form.field("MediaUrl").is_some() {
            return Err(Problem::bad(21_620, "'MediaUrl' is not supported: the sandbox carries texts without media"));
        }
        if form.field("ContentSid").is_some() {
            return Err(Problem::bad(21_655, "'ContentSid' is not supported: the sandbox knows no content templates, send 'Body'"));
        }
        let body = form.field("Body").ok_or(Problem::bad(21_602, "'Body' is missing"))?;
        if body.chars().count() > LONGEST {
            return Err(Problem::bad(21_617, "'Body' is longer than 1600 characters"));
        }
        let service = self.service(form)?;
        let (from, picked) = self.sender(to.e164(), form, service)?;
        let validity_is_fine = form.field("ValidityPeriod").is_none_or(|text| text.parse::<u32>().is_ok_and(|secs| (1..=36_000).contains(&secs)));
        if !validity_is_fine {
            return Err(Problem::bad(21_624, "'ValidityPeriod' is not a whole number of seconds from 1 to 36000"));
        }
        let callback = form.field("StatusCallback");
        let callback_is_fine = callback.is_none_or(can_be_called);
        if !callback_is_fine {
            return Err(Problem::bad(21_609, "'StatusCallback' is not a URL that can be called"));
        }
        let send_at = send_at(now, form, service)?;
        if let Some(problem) = magic::refused_recipient(to.e164()) {
            return Err(problem);
        }
        if self.is_blocked(to.e164(), from, service) {
            return Err(Problem::bad(21_610, "the recipient has unsubscribed from 'From'"));
        }
        let (to, from) = (to.e164().to_owned(), from.to_owned());
        Ok(Wanted { to, from, service, picked, body: body.to_owned(), callback: callback.map(str::to_owned), send_at })
    }

    /// Whether the messaging service is to send it. As with the vendor itself, `From` may name the service too.
    fn service(&self, form: &Form) -> Result<bool, Problem> {
        let named = form.field("MessagingServiceSid").or_else(|| form.field("From").filter(|from| from.starts_with("MG")));
        match named {
            None => Ok(false),
            Some(sid) if self.settings.messaging_service.as_deref() == Some(sid) => Ok(true),
            Some(_) => Err(Problem::bad(21_701, "'MessagingServiceSid' is not a messaging service of this account")),
        }
    }

    /// Who sends it, and whether the service picked them: the same one for the same recipient every time.
    fn sender<'a>(&'a self, to: &str, form: &'a Form, service: bool) -> Result<(&'a str, bool), Problem> {
        if let Some(from) = form.field("From").filter(|from| !from.starts_with("MG")) {
            if let Some(problem) = magic::refused_sender(from) {
                return Err(problem);
            }
            if from != magic::WORKING_SENDER && !self.settings.inbound_urls.contains_key(from) {
                return Err(Problem::bad(21_606, "'From' is not a sender of this account"));
            }
            return Ok((from, false));
        }
        if !service {
            return Err(Problem::bad(21_603, "'From' or 'MessagingServiceSid' is missing"));
        }
        let pool = &self.settings.inbound_urls;
        let spread = to.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let picked = pool.keys().nth(spread % pool.len().max(1));
        picked.map(|sender| (sender.as_str(), true)).ok_or(Problem::bad(21_704, "the messaging service has no senders"))
    }
}

impl Wanted {
    fn into_message(self, id: u128, now: Time) -> Message {
        let before = if self.service { "accepted" } else { "queued" };
        Message {
            id,
            direction: Direction::Api,
            segments: segment::measure(&self.body).segments,
            to: self.to,
            from: self.from,
            service: self.service,
            picked: self.picked,
            body: self.body,
            callback: self.callback,
            taken: now,
            edited: None,
            course: self.send_at.map_or(Course::Sent { before, steps: Vec::new() }, Course::Scheduled),
        }
    }
}

/// When it is to leave, if not at once. Twilio documents three codes for this, and each mistake here has one of them.
fn send_at(now: Time, form: &Form, service: bool) -> Result<Option<Time>, Problem> {
    let text = match (form.field("ScheduleType"), form.field("SendAt")) {
        (None, None) => return Ok(None),
        (Some("fixed"), None) => return Err(Problem::bad(35_111, "'SendAt' is missing: it is required with 'ScheduleType' = fixed")),
        (Some("fixed"), Some(text)) => text,
        (_, _) => return Err(Problem::bad(35_114, "'SendAt' needs 'ScheduleType' = fixed")),
    };
    if !service {
        return Err(Problem::bad(35_118, "'MessagingServiceSid' is required to schedule a text"));
    }
    match moment(text) {
        Some((at, _)) if (now + SOONEST..=now + LATEST).contains(&at) => Ok(Some(at)),
        Some(_) => Err(Problem::bad(35_114, "'SendAt' is not from 300 seconds to 35 days ahead")),
        None => Err(Problem::bad(35_114, "'SendAt' is not a time in ISO 8601, such as 2026-11-30T20:36:27Z")),
    }
}

/// The vendor calls HTTP and HTTPS, and no host with an underscore.
fn can_be_called(url: &str) -> bool {
    let Ok(uri) = url.parse::<::http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty() && !host.contains('_'))
}
