//! The account's log of texts in both directions: what fetching, listing, changing and deleting work on.
//!
//! Its own file because it must stay quick and small with a hundred thousand texts: texts stand in the order in which
//! they came, and one index for each of the two numbers says where. Unlike the vendor's other records it can be
//! changed from outside: what is redacted or deleted here stays on the phone.

use std::collections::BTreeMap;
use std::ops::Range;

use rand_core::RngCore;
use serde_json::{Value, json};
use trunkline_connectors::sms::twilio::ATTEMPT_PARAM;
use trunkline_core::time::Time;

use super::{VERSION, VendorSettings};
use crate::faults::Step;

const RFC_2822: &str = "%a, %d %b %Y %H:%M:%S +0000";

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the API.
    Api,
    /// From the vendor itself, in answer to a keyword.
    Reply,
    /// From a phone.
    Inbound,
}

/// What has become of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course {
    /// It waits for its time.
    Scheduled(Time),
    /// It was taken back before its time.
    Canceled(Time),
    /// It left: the statuses that it goes through, and its status before the first of them.
    Sent {
        /// Until the first step.
        before: &'static str,
        /// In true order.
        steps: Vec<Step>,
    },
    /// It came from a phone.
    Received,
}

/// A text.
pub(super) struct Message {
    /// What is behind `SM`.
    pub(super) id: u128,
    /// Where it came from.
    pub(super) direction: Direction,
    /// The recipient.
    pub(super) to: String,
    /// The sender.
    pub(super) from: String,
    /// Whether it went through the messaging service.
    pub(super) service: bool,
    /// Whether the service picked the sender: then nobody is told who, until the text is sent.
    pub(super) picked: bool,
    /// The text; empty once it is redacted.
    pub(super) body: String,
    /// How many segments the text takes, redacted or not.
    pub(super) segments: u32,
    /// Where its statuses go.
    pub(super) callback: Option<String>,
    /// When the vendor took it.
    pub(super) taken: Time,
    /// When it was last changed from outside.
    pub(super) edited: Option<Time>,
    /// What has become of it.
    pub(super) course: Course,
}

impl Message {
    /// `SM…`.
    pub(super) fn sid(&self) -> String {
        format!("SM{:032x}", self.id)
    }

    /// Our attempt, as named by the callback's URL.
    pub(super) fn attempt(&self) -> Option<String> {
        let query = self.callback.as_deref()?.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ATTEMPT_PARAM).map(|(_, value)| value.into_owned())
    }

    /// The vendor's word for its state.
    pub(super) fn status(&self, now: Time) -> &'static str {
        match &self.course {
            Course::Scheduled(_) => "scheduled",
            Course::Canceled(_) => "canceled",
            Course::Sent { before, .. } => self.reached(now).map_or(*before, |step| step.word),
            Course::Received => "received",
        }
    }

    /// Whether nothing more is to come, as the vendor sees it.
    pub(super) fn is_over(&self, now: Time) -> bool {
        matches!(self.status(now), "delivered" | "undelivered" | "failed" | "canceled" | "received")
    }

    /// When it was sent, as far as it was.
    pub(super) fn sent_at(&self, now: Time) -> Option<Time> {
        match &self.course {
            Course::Sent { steps, .. } => steps.first().filter(|step| step.at <= now && step.word != "failed").map(|step| step.at),
            Course::Received => Some(self.taken),
            Course::Scheduled(_) | Course::Canceled(_) => None,
        }
    }

    /// The sender, as far as the API tells.
    pub(super) fn told_from(&self, now: Time) -> Option<&str> {
        (!self.picked || self.sent_at(now).is_some()).then_some(self.from.as_str())
    }

    /// The text as the API shows it.
    pub(super) fn resource(&self, settings: &VendorSettings, now: Time) -> Value {
        let date = |at: Time| at.timestamp().strftime(RFC_2822).to_string();
        let reached = self.reached(now);
        let code = reached.and_then(|step| step.code);
        let moved = match &self.course {
            Course::Canceled(at) => *at,
            Course::Sent { .. } | Course::Scheduled(_) | Course::Received => reached.map_or(self.taken, |step| step.at),
        };
        let direction = match self.direction {
            Direction::Api => "outbound-api",
            Direction::Reply => "outbound-reply",
            Direction::Inbound => "inbound",
        };
        let told_from = self.told_from(now);
        let segments = if told_from.is_some() { self.segments } else { 0 };
        let uri = format!("/{VERSION}/Accounts/{}/Messages/{}", settings.account_sid, self.sid());
        json!({
            "body": self.body,
            "num_segments": segments.to_string(),
            "direction": direction,
            "from": told_from,
            "date_updated": date(self.edited.map_or(moved, |at| at.max(moved))),
            "price": null,
            "error_message": code.map(|(_, meaning)| meaning),
            "uri": format!("{uri}.json"),
            "account_sid": settings.account_sid,
            "num_media": "0",
            "to": self.to,
            "date_created": date(self.taken),
            "status": self.status(now),
            "sid": self.sid(),
            "date_sent": self.sent_at(now).map(date),
            "messaging_service_sid": settings.messaging_service.as_deref().filter(|_| self.service),
            "error_code": code.and_then(|(code, _)| code.parse::<u32>().ok()),
            "price_unit": "USD",
            "api_version": VERSION,
            "subresource_uris": {"media": format!("{uri}/Media.json")},
        })
    }

    fn reached(&self, now: Time) -> Option<&Step> {
        match &self.course {
            Course::Sent { steps, .. } => steps.iter().rfind(|step| step.at <= now),
            Course::Scheduled(_) | Course::Canceled(_) | Course::Received => None,
        }
    }
}

/// Every text that was not deleted, by the order in which they came.
#[derive(Default)]
pub(super) struct Log {
    messages: BTreeMap<u64, Message>,
    by_id: BTreeMap<u128, u64>,
    /// The places of each recipient's texts. A deleted text leaves its place behind; whoever reads skips it.
    by_to: BTreeMap<String, Vec<u64>>,
    /// The places of each sender's texts, likewise.
    by_from: BTreeMap<String, Vec<u64>>,
    next: u64,
}

impl Log {
    /// Adds a text at the end; its place.
    pub(super) fn push(&mut self, message: Message) -> u64 {
        let place = self.next;
        self.next += 1;
        self.by_id.insert(message.id, place);
        note(&mut self.by_to, &message.to, place);
        note(&mut self.by_from, &message.from, place);
        self.messages.insert(place, message);
        place
    }

    /// Where the text with this id is.
    pub(super) fn place(&self, sid: &str) -> Option<u64> {
        let digits = sid.strip_prefix("SM").filter(|digits| digits.len() == 32)?;
        self.by_id.get(&u128::from_str_radix(digits, 16).ok()?).copied()
    }

    /// The text at a place.
    pub(super) fn get(&self, place: u64) -> Option<&Message> {
        self.messages.get(&place)
    }

    /// The text at a place, to change it.
    pub(super) fn get_mut(&mut self, place: u64) -> Option<&mut Message> {
        self.messages.get_mut(&place)
    }

    /// Takes a text out for a moment, to be put back at its place.
    pub(super) fn take(&mut self, place: u64) -> Option<Message> {
        self.messages.remove(&place)
    }

    /// Puts a text back that was taken out.
    pub(super) fn put_back(&mut self, place: u64, message: Message) {
        self.messages.insert(place, message);
    }

    /// Forgets a text.
    pub(super) fn delete(&mut self, place: u64) {
        if let Some(message) = self.messages.remove(&place) {
            self.by_id.remove(&message.id);
        }
    }

    /// The texts at these places, oldest first, from the shorter of the lists that the numbers lead to. It only
    /// narrows down: with both numbers, half of what comes may be of one of them alone.
    pub(super) fn among<'a>(&'a self, to: Option<&str>, from: Option<&str>, places: Range<u64>) -> Box<dyn DoubleEndedIterator<Item = (u64, &'a Message)> + 'a> {
        let listed = match (to.map(|to| listed(&self.by_to, to)), from.map(|from| listed(&self.by_from, from))) {
            (Some(one), Some(other)) => Some(if one.len() <= other.len() { one } else { other }),
            (one, other) => one.or(other),
        };
        let Some(listed) = listed else { return Box::new(self.messages.range(places).map(|(place, message)| (*place, message))) };
        let start = listed.partition_point(|place| *place < places.start);
        let end = listed.partition_point(|place| *place < places.end);
        let within = listed.get(start..end).unwrap_or_default();
        Box::new(within.iter().filter_map(move |place| Some((*place, self.messages.get(place)?))))
    }
}

fn listed<'a>(index: &'a BTreeMap<String, Vec<u64>>, number: &str) -> &'a [u64] {
    index.get(number).map(Vec::as_slice).unwrap_or_default()
}

fn note(index: &mut BTreeMap<String, Vec<u64>>, number: &str, place: u64) {
    // Most numbers are known already: no key is made for them.
    if let Some(places) = index.get_mut(number) {
        places.push(place);
    } else {
        index.insert(number.to_owned(), vec![place]);
    }
}

/// A new id.
pub(super) fn new_id(rng: &mut dyn RngCore) -> u128 {
    let mut raw = [0_u8; 16];
    rng.fill_bytes(&mut raw);
    u128::from_be_bytes(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u128, to: &str, from: &str) -> Message {
        Message {
            id,
            direction: Direction::Api,
            to: to.into(),
            from: from.into(),
            service: false,
            picked: false,
            body: "Hi".into(),
            segments: 1,
            callback: None,
            taken: Time(0),
            edited: None,
            course: Course::Received,
        }
    }

    #[test]
    fn finds_by_either_number() {
        let mut log = Log::default();
        for (id, to, from) in [(1, "+1", "+9"), (2, "+2", "+9"), (3, "+1", "+8"), (4, "+1", "+9")] {
            log.push(message(id, to, from));
        }
        let found = |log: &Log, to, from, places| log.among(to, from, places).map(|(place, _)| place).collect::<Vec<_>>();
        for (to, from, places, expect) in [
            (None, None, 0..u64::MAX, vec![0, 1, 2, 3]),
            (None, None, 2..2, vec![]),
            (Some("+1"), None, 0..u64::MAX, vec![0, 2, 3]),
            (Some("+1"), None, 1..3, vec![2]),
            (None, Some("+9"), 1..u64::MAX, vec![1, 3]),
            (Some("+1"), Some("+8"), 0..u64::MAX, vec![2]),
            (Some("+7"), None, 0..u64::MAX, vec![]),
        ] {
            assert_eq!(found(&log, to, from, places.clone()), expect, "{to:?} {from:?} {places:?}");
        }
        let sid = format!("SM{:032x}", 3);
        assert_eq!(log.place(&sid), Some(2));
        log.delete(2);
        assert_eq!((log.place(&sid), found(&log, Some("+1"), None, 0..u64::MAX)), (None, vec![0, 3]));
        assert_eq!(log.place("SM3"), None);
    }

    #[test]
    fn an_id_is_the_dice_in_hex() {
        use rand_chacha::ChaCha8Rng;
        use rand_core::SeedableRng;
        let as_text = crate::outgoing::hex(&mut ChaCha8Rng::seed_from_u64(5), 16);
        assert_eq!(format!("{:032x}", new_id(&mut ChaCha8Rng::seed_from_u64(5))), as_text);
    }
}
