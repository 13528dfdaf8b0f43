//! A text of ours as Telnyx shows it, in answers and in events.
//!
//! Its own file because the fates of texts are told in another vendor's words: here they become Telnyx's. It decides
//! neither what happens to a text nor who hears of it.

use serde_json::{Value, json};
use trunkline_connectors::sms::telnyx::attempt_in;
use trunkline_core::segment::{self, Encoding};
use trunkline_core::time::Time;

use crate::faults::Step;

/// A text that was taken.
pub(super) struct Message {
    /// Telnyx's id.
    pub(super) id: String,
    /// The recipient.
    pub(super) to: String,
    /// The sender.
    pub(super) from: String,
    /// The text.
    pub(super) text: String,
    /// Where its events go, if the call says so.
    pub(super) webhook_url: Option<String>,
    /// When it was taken.
    pub(super) taken: Time,
}

/// How far a text has come.
struct Stage {
    status: &'static str,
    sent: Option<Time>,
    completed: Option<Time>,
    error: Option<(&'static str, &'static str)>,
}

impl Message {
    /// Our attempt, as named by the webhook URL.
    pub(super) fn attempt(&self) -> Option<String> {
        attempt_in(self.webhook_url.as_deref()?)
    }

    /// The text as the answer to its call shows it.
    pub(super) fn queued(&self, profile: Option<&str>) -> Value {
        self.shown(profile, &Stage { status: "queued", sent: None, completed: None, error: None })
    }

    /// The event that tells of a step, `left` being the time of the first one.
    pub(super) fn event(&self, id: &str, profile: Option<&str>, left: Option<Time>, step: &Step) -> Value {
        let (kind, status) = match step.word {
            "delivered" => ("message.finalized", "delivered"),
            "undelivered" => ("message.finalized", "delivery_failed"),
            // `sent`, and the word that nobody knows.
            word => ("message.sent", word),
        };
        let completed = (kind == "message.finalized").then_some(step.at);
        let payload = self.shown(profile, &Stage { status, sent: left, completed, error: step.code.map(|(code, _)| error(code)) });
        json!({"event_type": kind, "id": id, "occurred_at": date(step.at), "payload": payload, "record_type": "event"})
    }

    fn shown(&self, profile: Option<&str>, stage: &Stage) -> Value {
        let size = segment::measure(&self.text);
        let errors: Vec<Value> = stage.error.iter().map(|(code, title)| json!({"code": code, "title": title})).collect();
        json!({
            "record_type": "message",
            "direction": "outbound",
            "id": self.id,
            "type": "SMS",
            "messaging_profile_id": profile,
            "from": {"phone_number": self.from, "carrier": "Telnyx", "line_type": "VoIP"},
            "to": [{"phone_number": self.to, "status": stage.status, "carrier": "", "line_type": ""}],
            "text": self.text,
            "media": [],
            "webhook_url": self.webhook_url,
            "webhook_failover_url": null,
            "encoding": encoding(size.encoding),
            "parts": size.segments,
            "tags": [],
            "cost": null,
            "received_at": date(self.taken),
            "sent_at": stage.sent.map(date),
            "completed_at": stage.completed.map(date),
            "valid_until": null,
            "errors": errors,
        })
    }
}

/// An instant as Telnyx writes it.
pub(super) fn date(at: Time) -> String {
    at.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string()
}

/// How a text travels, in Telnyx's words.
pub(super) fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gsm7 => "GSM-7",
        Encoding::Ucs2 => "UCS-2",
    }
}

/// Telnyx's code for what the fates call by another vendor's.
fn error(code: &str) -> (&'static str, &'static str) {
    match code {
        "30003" => ("40006", "Recipient server unavailable"),
        "30005" => ("40012", "Invalid destination number"),
        "30006" => ("40001", "Not routable"),
        "30007" => ("40002", "Blocked as spam for now"),
        _ => ("40008", "Undeliverable"),
    }
}
