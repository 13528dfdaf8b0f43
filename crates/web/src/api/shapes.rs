//! What the API answers with: one shape for each kind of row, described for the reference.
//!
//! Its own file because the same row looks the same wherever it is shown. Numbers are masked; nothing here decides.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use trunkline_core::journey::Position;
use trunkline_core::time::Time;
use trunkline_engine::explain::{Step, because};
use trunkline_store::row::{Address, Conflict, Dead, Event, Fate, HistoryEntry, Hook, HookState, Inbound, Message, Place, Profile, Refusal, Run};
use utoipa::ToSchema;

use super::ledger::LedgerShape;
use crate::console::mask;

/// A text and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageShape {
    /// Its id, `msg_…`.
    pub(crate) id: String,
    /// The one word: its delivery state, or `replied`, or `opted out`.
    status: String,
    /// Its delivery state: `queued`, `held`, `dispatched`, `unknown`, `accepted`, `sent`, `undelivered`, `delivered`, `suppressed`, `expired`, `canceled` or `failed`.
    delivery: String,
    /// Why it is in this state, in one sentence.
    because: String,
    /// The recipient, masked.
    to: String,
    /// The address, `adr_…`.
    address: String,
    /// Why it is sent.
    purpose: String,
    /// What the recipient signed up for.
    program: String,
    /// The sender.
    sender: String,
    /// The text as it leaves.
    body: String,
    /// The text as it was written, where smart encoding replaced characters of it.
    written: Option<String>,
    /// How many segments it takes.
    segments: u32,
    /// `gsm7` or `ucs2`.
    #[schema(value_type = String)]
    encoding: Value,
    /// Labels, such as the order.
    labels: BTreeMap<String, String>,
    /// The journey that made it.
    journey: Option<String>,
    /// The run that made it, `run_…`.
    run: Option<String>,
    /// The event it follows from, `evt_…`.
    event: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it is looked at again, if it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Time>,
    /// When it stops being worth sending.
    #[schema(value_type = String, format = DateTime)]
    deadline: Time,
    /// How often it was tried.
    attempts: usize,
    /// When the recipient answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    replied_at: Option<Time>,
    /// When the recipient answered STOP.
    #[schema(value_type = Option<String>, format = DateTime)]
    opted_out_at: Option<Time>,
    /// `known` if two attempts have proof, else `no`.
    #[schema(value_type = String)]
    duplicate: Value,
    /// The vendor's code, if it gave one.
    vendor_code: Option<String>,
}

impl MessageShape {
    /// A message, to this place.
    pub(crate) fn of(message: &Message, place: Option<&Place>) -> MessageShape {
        let (intent, state) = (&message.intent, &message.state);
        MessageShape {
            id: message.id.to_string(),
            status: state.word().to_owned(),
            delivery: state.delivery().word().to_owned(),
            because: because(message),
            to: trunkline_engine::explain::masked(place),
            address: intent.address.to_string(),
            purpose: intent.purpose.to_string(),
            program: intent.program.clone(),
            sender: message.way().1.to_owned(),
            body: intent.body.clone(),
            written: intent.written.clone(),
            segments: intent.size.segments,
            encoding: serde_json::to_value(intent.size.encoding).unwrap_or_default(),
            labels: intent.labels.clone(),
            journey: intent.origin.journey().map(str::to_owned),
            run: intent.origin.run().map(|r| r.to_string()),
            event: intent.event.map(|e| e.to_string()),
            created_at: intent.created_at,
            due: state.due,
            deadline: intent.deadline,
            attempts: state.attempts.len(),
            replied_at: state.flags.replied,
            opted_out_at: state.flags.opted_out,
            duplicate: serde_json::to_value(state.duplicate).unwrap_or_default(),
            vendor_code: state.vendor_code().map(str::to_owned),
        }
    }
}

/// A text with its whole story.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageStory {
    #[serde(flatten)]
    pub(crate) message: MessageShape,
    /// Each step, oldest first.
    pub(crate) timeline: Vec<StepShape>,
}

/// One step of a story.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepShape {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// What kind of step, such as `gated` or `receipt`.
    kind: String,
    /// What happened.
    text: String,
    /// Why.
    findings: Vec<FindingShape>,
    /// The raw hook behind it, `hook_…`.
    hook: Option<String>,
}

/// One reason of a step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingShape {
    /// `pass`, `hold`, `stop` or `note`.
    #[schema(value_type = String)]
    bearing: Value,
    /// The stable code.
    code: String,
    /// The sentence.
    text: String,
}

impl From<Step> for StepShape {
    fn from(step: Step) -> StepShape {
        let finding = |f: trunkline_engine::explain::Finding| FindingShape { bearing: serde_json::to_value(f.bearing).unwrap_or_default(), code: f.code, text: f.text };
        StepShape { at: step.at, kind: step.kind, text: step.text, findings: step.findings.into_iter().map(finding).collect(), hook: step.hook.map(|h| h.to_string()) }
    }
}

/// A source event as it was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventShape {
    /// Its id here, `evt_…`.
    pub(crate) id: String,
    /// `1.0`.
    specversion: &'static str,
    /// Its id in the source.
    source_id: String,
    /// The source.
    source: String,
    /// What happened.
    #[serde(rename = "type")]
    kind: String,
    /// What it happened to.
    subject: Option<String>,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    time: Time,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    received_at: Time,
    /// The hook that brought it, `hook_…`.
    hook: Option<String>,
    /// Its labels.
    labels: BTreeMap<String, String>,
    /// What it says, mapped.
    data: Value,
    /// `waiting`, `no_journey`, `runs` or `dead`.
    fate: String,
    /// Why it could not be worked on.
    cause: Option<String>,
    /// The runs it started or met.
    runs: Vec<EventRun>,
}

/// A run that an event started or met.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventRun {
    /// The run, `run_…`.
    run: String,
    /// What happened.
    what: String,
}

impl EventShape {
    pub(crate) fn of(event: &Event) -> EventShape {
        let said = &event.mapped.event;
        let (fate, cause, runs) = match &event.fate {
            None => ("waiting", None, Vec::new()),
            Some(Fate::NoJourney) => ("no_journey", None, Vec::new()),
            Some(Fate::Dead { cause }) => ("dead", Some(cause.clone()), Vec::new()),
            Some(Fate::Runs { runs }) => ("runs", None, runs.iter().map(|(run, what)| EventRun { run: run.to_string(), what: what.clone() }).collect()),
        };
        EventShape {
            id: event.id.to_string(),
            specversion: "1.0",
            source_id: said.id.clone(),
            source: said.source.clone(),
            kind: said.kind.clone(),
            subject: said.subject.clone(),
            time: said.time,
            received_at: event.received_at,
            hook: event.hook.map(|h| h.to_string()),
            labels: event.mapped.labels.clone(),
            data: said.data.clone(),
            fate: fate.to_owned(),
            cause,
            runs,
        }
    }
}

/// One execution of a journey.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunShape {
    /// Its id, `run_…`.
    pub(crate) id: String,
    /// The journey.
    journey: String,
    /// The version it keeps.
    version: i64,
    /// Whom it is about, `prf_…`.
    profile: String,
    /// What it is about.
    correlation: String,
    /// The event that started it, `evt_…`.
    event: String,
    /// `at`, `ended`, `canceled` or `failed`.
    status: String,
    /// The step it is at.
    step: Option<String>,
    /// When it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Time>,
    /// Why it is over.
    why: Option<String>,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
}

impl RunShape {
    pub(crate) fn of(run: &Run) -> RunShape {
        let (status, step, due, why) = match &run.position {
            Position::At { step, due, .. } => ("at", Some(step.clone()), Some(*due), None),
            Position::Ended { why } => ("ended", None, None, Some(why.clone())),
            Position::Canceled { why } => ("canceled", None, None, Some(why.clone())),
            Position::Failed { why } => ("failed", None, None, Some(why.clone())),
        };
        RunShape {
            id: run.id.to_string(),
            journey: run.journey.clone(),
            version: run.version,
            profile: run.profile.to_string(),
            correlation: run.correlation.clone(),
            event: run.event.to_string(),
            status: status.to_owned(),
            step,
            due,
            why,
            started_at: run.started_at,
        }
    }
}

/// A run with what it passed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunStory {
    #[serde(flatten)]
    pub(crate) run: RunShape,
    /// What it passed, oldest first.
    pub(crate) history: Vec<RunEntry>,
}

/// One move of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// What was passed.
    trail: Vec<String>,
}

impl RunEntry {
    pub(crate) fn of(entry: &HistoryEntry) -> RunEntry {
        let trail = entry.body.get("trail").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        RunEntry { at: entry.at, trail }
    }
}

/// A webhook as received; secrets and numbers in it are hidden.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HookShape {
    /// Its id, `hook_…`.
    pub(crate) id: String,
    /// The name it was posted to.
    name: String,
    /// `inbound`, `receipt` or `source`.
    lane: String,
    /// The method.
    method: String,
    /// The URL.
    url: String,
    /// Headers in the order received, each `name: value`.
    headers: Vec<String>,
    /// The body, at most its first 8,192 characters.
    body: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    received_at: Time,
    /// `waiting`, `done` or `dead`.
    state: String,
    /// How often it was worked on.
    tries: u32,
    /// What came of it.
    note: String,
}

/// The most of a body that is shown.
const MOST_BODY: usize = 8_192;

impl HookShape {
    pub(crate) fn of(hook: &Hook) -> HookShape {
        let header = |(name, value): &(String, String)| format!("{name}: {}", if mask::secret(name) { mask::HIDDEN.to_owned() } else { mask::url(value) });
        let state = match hook.state {
            HookState::Waiting { .. } => "waiting",
            HookState::Done => "done",
            HookState::Dead => "dead",
        };
        HookShape {
            id: hook.id.to_string(),
            name: hook.name.clone(),
            lane: hook.lane.word().to_owned(),
            method: hook.method.clone(),
            url: mask::url(&hook.url),
            headers: hook.headers.iter().map(header).collect(),
            body: mask::numbers(&String::from_utf8_lossy(&hook.body).chars().take(MOST_BODY).collect::<String>()),
            received_at: hook.received_at,
            state: state.to_owned(),
            tries: hook.tries,
            note: hook.note.clone(),
        }
    }
}

/// A webhook that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalShape {
    /// Its place among the refusals.
    pub(crate) number: i64,
    /// The name it was posted to.
    name: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// Why.
    reason: String,
    /// The method and URL.
    request: String,
    /// The first bytes of the body, numbers hidden.
    body: String,
}

impl RefusalShape {
    pub(crate) fn of(refusal: &Refusal) -> RefusalShape {
        RefusalShape {
            number: refusal.number,
            name: refusal.name.clone(),
            at: refusal.at,
            reason: refusal.reason.clone(),
            request: mask::url(&refusal.request),
            body: mask::numbers(&refusal.body),
        }
    }
}

/// Something that gave up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadShape {
    /// How to name it to replay.
    id: String,
    /// `hook`, `writeback`, `event`, `announcement` or `run`.
    kind: String,
    /// Why.
    cause: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<Dead> for DeadShape {
    fn from(dead: Dead) -> DeadShape {
        DeadShape { id: dead.id, kind: dead.kind, cause: dead.cause, at: dead.at }
    }
}

/// What one system of record says about a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProfileShape {
    /// Its id, `prf_…`.
    id: String,
    /// The system of record.
    system: String,
    /// The person's id there.
    external_id: String,
    /// What the system says.
    #[schema(value_type = Object)]
    attributes: Value,
    /// The person's locale.
    locale: Option<String>,
    /// The person's address now, `adr_…`.
    address: String,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Writes to fields that another system owns: kept, and not applied.
    conflicts: Vec<ConflictShape>,
}

/// A write that was not applied.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConflictShape {
    /// The field.
    field: String,
    /// Who wrote it.
    written_by: String,
    /// Who owns it.
    owner: String,
    /// The value that was written last.
    value: Value,
    /// When that was.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// How often it was written.
    times: i64,
}

impl ProfileShape {
    pub(crate) fn of(profile: &Profile, conflicts: &[Conflict]) -> ProfileShape {
        let conflict = |c: &Conflict| ConflictShape {
            field: c.field.clone(),
            written_by: c.system.clone(),
            owner: c.owner.clone(),
            value: if c.field == "phone" { c.value.as_str().map_or(Value::Null, |v| Value::from(mask::numbers(v))) } else { c.value.clone() },
            at: c.at,
            times: c.times,
        };
        ProfileShape {
            id: profile.id.to_string(),
            system: profile.system.clone(),
            external_id: profile.external_id.clone(),
            attributes: Value::Object(profile.attributes.clone()),
            locale: profile.locale.clone(),
            address: profile.address.to_string(),
            updated_at: profile.updated_at,
            conflicts: conflicts.iter().map(conflict).collect(),
        }
    }
}

/// An address: its conversation, its ledger, its runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddressShape {
    /// Its id, `adr_…`.
    pub(crate) id: String,
    /// The number, masked.
    pub(crate) number: String,
    /// Every zone its holder may be in.
    pub(crate) zones: Vec<String>,
    /// When its holder opted out, if that is in force.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) opted_out_at: Option<Time>,
    /// What the ledger says now.
    #[schema(value_type = Object)]
    pub(crate) consent: Value,
    /// The ledger, oldest first.
    pub(crate) ledger: Vec<LedgerShape>,
    /// The newest texts from and to it, oldest first.
    pub(crate) conversation: Vec<TextShape>,
    /// The runs of its profiles that are under way.
    pub(crate) runs: Vec<RunShape>,
    /// The profiles whose address it is.
    pub(crate) profiles: Vec<ProfileShape>,
}

impl AddressShape {
    /// Without what has to be loaded beside it.
    pub(crate) fn of(address: &Address) -> AddressShape {
        AddressShape {
            id: address.id.to_string(),
            number: address.place.masked(),
            zones: address.zones.clone(),
            opted_out_at: address.consent.stopped.as_ref().map(|s| s.at),
            consent: serde_json::to_value(&address.consent).unwrap_or_default(),
            ledger: Vec::new(),
            conversation: Vec::new(),
            runs: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

/// One text of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextShape {
    /// When it was made or received.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Time,
    /// `to` or `from` the address.
    direction: &'static str,
    /// The text.
    body: String,
    /// The sender of ours.
    sender: String,
    /// The message, `msg_…`, or the inbound text, `inb_…`.
    id: String,
    /// The state of a message, or the keyword of an inbound text.
    status: Option<String>,
}

impl TextShape {
    pub(crate) fn to(message: &Message) -> TextShape {
        let intent = &message.intent;
        let status = Some(message.state.word().to_owned());
        TextShape { at: intent.created_at, direction: "to", body: intent.body.clone(), sender: message.way().1.to_owned(), id: message.id.to_string(), status }
    }

    pub(crate) fn from(inbound: &Inbound) -> TextShape {
        let keyword = inbound.keyword.and_then(|k| serde_json::to_value(k).ok()).and_then(|v| v.as_str().map(str::to_owned));
        TextShape { at: inbound.received_at, direction: "from", body: inbound.body.clone(), sender: inbound.sender.clone(), id: inbound.id.to_string(), status: keyword }
    }
}
