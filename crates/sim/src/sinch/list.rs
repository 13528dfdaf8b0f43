//! Asking about what happened: one batch, and the lists of batches, inbound texts and delivery reports.
//!
//! Its own file because these are questions and change nothing. They are as unhelpful as the vendor's: a batch is not
//! shown at once, `page_size` in an answer is how many came back, and the times that filter reports are those at which
//! their batches were taken. Reports of statuses that are not final are in no list.

use serde_json::{Value, json};
use trunkline_core::time::{Span, Time};

use super::inbound::inbound;
use super::{Batch, NOT_FOUND, Problem, SinchFake, digits, is_final, stamp};
use crate::faults::Step;
use crate::outgoing::{Answer, PersonText};

const USUAL_PAGE: usize = 30;
const LARGEST_PAGE: usize = 100;
/// How far back a list goes unless it is told.
const USUAL_REACH: Span = Span::hours(24);
/// How far back a list goes at most.
const KEPT: Span = Span::hours(14 * 24);

/// What a list is asked for.
struct Wanted {
    start: Time,
    end: Time,
    reference: Option<String>,
    page: usize,
    size: usize,
}

impl SinchFake {
    /// One batch, once it is shown.
    pub(super) fn one_batch(&self, now: Time, id: &str) -> Answer {
        let batch = self.by_id.get(id).and_then(|place| self.batches.get(*place)).filter(|batch| batch.shown_from <= now);
        batch.map_or_else(|| NOT_FOUND.answer(), |batch| Answer::json(200, &batch.resource()))
    }

    /// A page of the batches, newest first.
    pub(super) fn list_batches(&self, now: Time, query: &str) -> Result<Answer, Problem> {
        let wanted = Wanted::read(now, query)?;
        let all: Vec<&Batch> = self.among(&wanted).filter(|batch| batch.shown_from <= now).collect();
        Ok(wanted.page_of("batches", &all, |batch| batch.resource()))
    }

    /// A page of the last final report of each batch that has one, the newest batch first.
    pub(super) fn list_reports(&self, now: Time, query: &str) -> Result<Answer, Problem> {
        let wanted = Wanted::read(now, query)?;
        let last = |batch: &Batch| batch.steps.iter().rfind(|step| step.at <= now && is_final(step)).copied();
        let all: Vec<(&Batch, Step)> = self.among(&wanted).filter_map(|batch| Some((batch, last(batch)?))).collect();
        Ok(wanted.page_of("delivery_reports", &all, |(batch, step)| batch.report(step)))
    }

    /// A page of the texts that people sent, newest first.
    pub(super) fn list_inbounds(&self, now: Time, query: &str) -> Result<Answer, Problem> {
        let wanted = Wanted::read(now, query)?;
        let all: Vec<&PersonText> = self.replies.iter().rev().filter(|text| wanted.takes(text.at)).collect();
        Ok(wanted.page_of("inbounds", &all, |text| inbound(text)))
    }

    /// The batches that a list is about, newest first.
    fn among<'a>(&'a self, wanted: &'a Wanted) -> Box<dyn Iterator<Item = &'a Batch> + 'a> {
        let Some(reference) = wanted.reference.as_deref() else {
            return Box::new(self.batches.iter().rev().filter(|batch| wanted.takes(batch.taken)));
        };
        let places = self.by_reference.get(reference).map(Vec::as_slice).unwrap_or_default();
        Box::new(places.iter().rev().filter_map(|place| self.batches.get(*place)).filter(|batch| wanted.takes(batch.taken)))
    }
}

impl Batch {
    /// The batch as the API shows it.
    pub(super) fn resource(&self) -> Value {
        let mut resource = json!({
            "id": self.id,
            "to": [digits(&self.to)],
            "from": digits(&self.from),
            "canceled": false,
            "body": self.body,
            "type": "mt_text",
            "created_at": stamp(self.taken),
            "modified_at": stamp(self.taken),
            "delivery_report": self.delivery_report.word(),
            "expire_at": stamp(self.expire_at),
        });
        if let (Some(url), Some(fields)) = (&self.callback_url, resource.as_object_mut()) {
            fields.insert("callback_url".to_owned(), json!(url));
        }
        self.refer(&mut resource);
        resource
    }
}

impl Wanted {
    fn read(now: Time, query: &str) -> Result<Wanted, Problem> {
        let mut wanted = Wanted { start: now - USUAL_REACH, end: Time(i64::MAX), reference: None, page: 0, size: USUAL_PAGE };
        let instant = |value: &str| value.parse::<Time>().map_err(|_| Problem::format("a date is not an instant in ISO 8601"));
        let number = |value: &str| value.parse::<usize>().map_err(|_| Problem::format("'page' or 'page_size' is not a whole number"));
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "start_date" => wanted.start = instant(&value)?,
                "end_date" => wanted.end = instant(&value)?,
                "client_reference" => wanted.reference = Some(value.into_owned()),
                "page" => wanted.page = number(&value)?,
                "page_size" => wanted.size = number(&value)?,
                // As the vendor does with names that it does not know.
                _ => {}
            }
        }
        if !(1..=LARGEST_PAGE).contains(&wanted.size) {
            return Err(Problem::constraint("'page_size' is not from 1 to 100"));
        }
        wanted.start = wanted.start.max(now - KEPT);
        Ok(wanted)
    }

    /// The page that is asked for, of all that there is.
    fn page_of<T>(&self, name: &str, all: &[T], show: impl Fn(&T) -> Value) -> Answer {
        let rows: Vec<Value> = all.iter().skip(self.page.saturating_mul(self.size)).take(self.size).map(show).collect();
        Answer::json(200, &json!({"count": all.len(), "page": self.page, "page_size": rows.len(), name: rows}))
    }

    /// Whether something that came in then is asked for.
    fn takes(&self, at: Time) -> bool {
        self.start <= at && at < self.end
    }
}
