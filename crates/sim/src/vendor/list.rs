//! Reading and changing the log over the API: one text, pages of texts, cancelling, redacting, deleting.
//!
//! Its own file because it is how clients look back. A page is found by where the last one ended, so that texts that
//! arrive in between move nothing; it does not count how many there are, as the vendor does not.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use form_urlencoded::Serializer;
use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::http::{Request, Response};
use trunkline_core::number::Number;
use trunkline_core::time::{Span, Time};

use super::log::{Course, Message};
use super::{NOT_FOUND, Problem, VERSION, Vendor};
use crate::faults::{Fate, Faults, Step};
use crate::outgoing::{Answer, Called, Effect};

const USUAL_PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;
const DAY: Span = Span::hours(24);

/// What a list is asked for.
struct Wanted {
    to: Option<String>,
    from: Option<String>,
    /// Sent from the first instant on and before the second.
    sent: Option<(Time, Time)>,
    /// The filters as given, for the addresses of the other pages.
    given: Vec<(String, String)>,
    size: usize,
    page: usize,
    start: Start,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the newest text, or so many pages after it.
    Newest,
    /// After this place, going back in time.
    Older(u64),
    /// So that it ends before this place.
    Newer(u64),
}

impl Vendor {
    /// A page of the log, newest first.
    pub(super) fn list(&self, now: Time, query: &str) -> Answer {
        let wanted = match Wanted::read(query) {
            Ok(wanted) => wanted,
            Err(problem) => return problem.answer(),
        };
        let older = |end: u64, skip: usize| {
            let mut rows: Vec<(u64, &Message)> = self.matching(&wanted, now, 0..end).rev().skip(skip).take(wanted.size + 1).collect();
            let more = rows.len() > wanted.size;
            rows.truncate(wanted.size);
            (rows, more)
        };
        let (rows, more) = match wanted.start {
            Start::Newest => older(u64::MAX, wanted.page.saturating_mul(wanted.size)),
            Start::Older(place) => older(place, 0),
            Start::Newer(place) => {
                let mut rows: Vec<(u64, &Message)> = self.matching(&wanted, now, place.saturating_add(1)..u64::MAX).take(wanted.size).collect();
                rows.reverse();
                (rows, true)
            }
        };
        let first_shown = wanted.page.saturating_mul(wanted.size);
        let address = |page: usize, token: Option<String>| wanted.address(&self.settings.account_sid, page, token.as_deref());
        let next = || address(wanted.page.saturating_add(1), rows.last().map(|(place, _)| format!("PA{place:032x}")));
        let previous = || address(wanted.page.saturating_sub(1), rows.first().map(|(place, _)| format!("PB{place:032x}")));
        let messages: Vec<Value> = rows.iter().map(|(_, message)| message.resource(&self.settings, now)).collect();
        Answer::json(
            200,
            &json!({
                "messages": messages,
                "page": wanted.page,
                "page_size": wanted.size,
                "start": first_shown,
                "end": first_shown.saturating_add(rows.len().saturating_sub(1)),
                "uri": address(wanted.page, None),
                "first_page_uri": address(0, None),
                "next_page_uri": more.then(next),
                "previous_page_uri": (wanted.page > 0).then(previous),
            }),
        )
    }

    fn matching<'a>(&'a self, wanted: &'a Wanted, now: Time, places: Range<u64>) -> impl DoubleEndedIterator<Item = (u64, &'a Message)> {
        self.log.among(wanted.to.as_deref(), wanted.from.as_deref(), places).filter(move |(_, message)| wanted.takes(message, now))
    }

    /// Reads, changes or deletes one text.
    pub(super) fn one(&mut self, now: Time, request: &Request, file: &str, faults: &Faults, rng: &mut dyn RngCore) -> Called {
        let Some(place) = file.strip_suffix(".json").and_then(|sid| self.log.place(sid)) else { return Called::only(NOT_FOUND.answer()) };
        match request.method.as_str() {
            "GET" => Called::only(self.shown(now, place)),
            "DELETE" => Called::only(self.delete(now, place)),
            _ => self.update(now, place, &request.body, faults, rng).unwrap_or_else(|problem| Called::only(problem.answer())),
        }
    }

    fn shown(&self, now: Time, place: u64) -> Answer {
        self.log.get(place).map_or_else(|| NOT_FOUND.answer(), |message| Answer::json(200, &message.resource(&self.settings, now)))
    }

    /// Forgets a text that is over; whatever is on a phone stays there.
    fn delete(&mut self, now: Time, place: u64) -> Answer {
        if self.log.get(place).is_some_and(|message| !message.is_over(now)) {
            return Problem::bad(20_009, "this text cannot be deleted: its delivery is not over").answer();
        }
        self.log.delete(place);
        Answer::Reply(Response { status: 204, headers: Vec::new(), body: Bytes::new() })
    }

    fn update(&mut self, now: Time, place: u64, form: &[u8], faults: &Faults, rng: &mut dyn RngCore) -> Result<Called, Problem> {
        let form: BTreeMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
        let cancel = match form.get("Status").map(String::as_str) {
            None | Some("") => false,
            Some("canceled") => true,
            Some(_) => return Err(Problem::bad(20_001, "'Status' can only be set to 'canceled'")),
        };
        let redact = match form.get("Body").map(String::as_str) {
            None => false,
            Some("") => true,
            Some(_) => return Err(Problem::bad(20_001, "'Body' can only be redacted: send it empty")),
        };
        let effects = if cancel { self.cancel(now, place, faults, rng)? } else { Vec::new() };
        if redact {
            self.redact(now, place)?;
        }
        Ok(Called { answer: self.shown(now, place), effects })
    }

    /// Takes a scheduled text back.
    fn cancel(&mut self, now: Time, place: u64, faults: &Faults, rng: &mut dyn RngCore) -> Result<Vec<Effect>, Problem> {
        const TOO_LATE: Problem = Problem::bad(30_409, "Message is not in a cancelable state");
        let message = self.log.get_mut(place).ok_or(NOT_FOUND)?;
        let Course::Scheduled(send_at) = message.course else { return Err(TOO_LATE) };
        message.course = Course::Canceled(now);
        self.scheduled.remove(&(send_at, place));
        let step = Step { at: now, word: "canceled", code: None };
        let callbacks = |message: &Message| self.callbacks(message, &[step], Fate::of(&message.to), faults, rng);
        Ok(self.log.get(place).map(callbacks).unwrap_or_default())
    }

    /// Empties a text that is over. Before that the vendor still needs it, and says so.
    fn redact(&mut self, now: Time, place: u64) -> Result<(), Problem> {
        let message = self.log.get_mut(place).ok_or(NOT_FOUND)?;
        if !message.is_over(now) {
            return Err(Problem::bad(20_009, "this text cannot be redacted: its delivery is not over"));
        }
        message.body = String::new();
        message.edited = Some(now);
        Ok(())
    }
}

impl Wanted {
    fn read(query: &str) -> Result<Wanted, Problem> {
        let mut wanted = Wanted { to: None, from: None, sent: None, given: Vec::new(), size: USUAL_PAGE, page: 0, start: Start::Newest };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "To" => wanted.to = Some(number(&value)),
                "From" => wanted.from = Some(number(&value)),
                "DateSent" | "DateSent<" | "DateSent>" => wanted.narrow(&name, &value)?,
                "PageSize" => wanted.size = page_size(&value)?,
                "Page" => wanted.page = value.parse().map_err(|_| Problem::bad(20_001, "'Page' is not a whole number"))?,
                "PageToken" => wanted.start = start(&value).ok_or(Problem::bad(20_001, "'PageToken' is not one that was given out"))?,
                // As the vendor does with names that it does not know.
                _ => continue,
            }
            if !name.starts_with("Page") {
                wanted.given.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(wanted)
    }

    /// One more bound on when a text was sent. A day is a whole day; as the vendor has it, `DateSent` alone always is.
    fn narrow(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let (at, whole_day) = moment(value).ok_or(Problem::bad(20_001, "'DateSent' is not a date such as 2026-11-23, nor a time such as 2026-11-23T08:00:00Z"))?;
        let day = Time(at.0.div_euclid(DAY.0) * DAY.0);
        let (since, before) = match name {
            "DateSent>" => (at, Time(i64::MAX)),
            // The API tells times in whole seconds, so the one that is named is meant to its end.
            "DateSent<" => (Time(i64::MIN), at + if whole_day { DAY } else { Span::secs(1) }),
            _ => (day, day + DAY),
        };
        let (from, until) = self.sent.unwrap_or((Time(i64::MIN), Time(i64::MAX)));
        self.sent = Some((from.max(since), until.min(before)));
        Ok(())
    }

    fn takes(&self, message: &Message, now: Time) -> bool {
        let to = self.to.as_ref().is_none_or(|to| *to == message.to);
        let from = self.from.as_deref().is_none_or(|from| message.told_from(now) == Some(from));
        to && from && self.sent.is_none_or(|(since, before)| message.sent_at(now).is_some_and(|at| since <= at && at < before))
    }

    /// Where a page of this list is.
    fn address(&self, account: &str, page: usize, token: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.given).append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if let Some(token) = token {
            query.append_pair("PageToken", token);
        }
        format!("/{VERSION}/Accounts/{account}/Messages.json?{}", query.finish())
    }
}

/// An instant, and whether it is a date that was given; in GMT where no zone is named.
pub(super) fn moment(text: &str) -> Option<(Time, bool)> {
    let text = text.trim();
    if text.len() == 10 {
        return Some((format!("{text}T00:00:00Z").parse().ok()?, true));
    }
    Some((text.parse::<Time>().or_else(|_| format!("{text}Z").parse::<Time>()).ok()?, false))
}

/// A number as the log has it; what is none is left as it is, and found nowhere.
fn number(text: &str) -> String {
    Number::parse(text, None).map_or_else(|_| text.to_owned(), |number| number.e164().to_owned())
}

/// Clients ask for as many as they want in all, so more than the most is no mistake.
fn page_size(text: &str) -> Result<usize, Problem> {
    match text.parse::<usize>() {
        Ok(size) if size > 0 => Ok(size.min(LARGEST_PAGE)),
        Ok(_) | Err(_) => Err(Problem::bad(20_001, "'PageSize' is not a whole number from 1 to 1000")),
    }
}

fn start(token: &str) -> Option<Start> {
    let place = |digits: &str| u64::from_str_radix(digits, 16).ok();
    match (token.strip_prefix("PA"), token.strip_prefix("PB")) {
        (Some(digits), _) => place(digits).map(Start::Older),
        (_, Some(digits)) => place(digits).map(Start::Newer),
        (None, None) => None,
    }
}
