//! Why a customer did or did not get a text: one timeline from everything that is recorded.
//!
//! Its own file because the command line, the API and the console must tell the same story. It reads; the sentences
//! of reasons are made in `trunkline_core::reason`.

use serde::{Deserialize, Serialize};
use trunkline_core::gate::{self, Decision, Verdict};
use trunkline_core::id::{HookId, MessageId};
use trunkline_core::message::{Event, Finding as Found, Question, Ruling};
use trunkline_core::owe::Subject;
use trunkline_core::retry::Next;
use trunkline_core::time::Time;
use trunkline_store::row::{Fate, Message, Origin, Place, WritebackState};
use trunkline_store::{Store, StoreError};

/// How a finding bears on sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearing {
    /// It lets the text pass.
    Pass,
    /// It makes the text wait.
    Hold,
    /// It ends the text.
    Stop,
    /// It tells.
    Note,
}

/// One reason of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How it bears on sending.
    pub bearing: Bearing,
    /// The stable code.
    pub code: String,
    /// The sentence.
    pub text: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Time,
    /// What kind of step.
    pub kind: String,
    /// What happened.
    pub text: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The raw hook behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookId>,
}

/// The whole story of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The message.
    pub id: MessageId,
    /// The one word.
    pub word: String,
    /// Why it is in this state, in one sentence.
    pub because: String,
    /// The recipient, masked.
    pub to: String,
    /// The steps, oldest first.
    pub steps: Vec<Step>,
}

/// Tells the story of a message; nothing if there is no such message.
pub async fn explain(store: &dyn Store, id: MessageId) -> Result<Option<Story>, StoreError> {
    let Some(message) = store.messages(&[id]).await?.pop() else { return Ok(None) };
    let address = store.addresses(&[message.intent.address]).await?.pop();
    let mut steps = origin(store, &message).await?;
    for entry in store.history(&id.bytes()).await? {
        if let Ok(event) = serde_json::from_value::<Event>(entry.body) {
            steps.push(step_of(&event, entry.at));
        }
    }
    for row in store.writebacks_of(Subject::Message(id)).await? {
        let pending = match row.state {
            WritebackState::Idle => continue,
            WritebackState::Due => format!("owed to {} record '{}'; next try at {}", row.connector, row.record, row.due),
            WritebackState::Flying => format!("being written to {} record '{}'", row.connector, row.record),
            WritebackState::Dead => format!("given up: {} record '{}'", row.connector, row.record),
        };
        let findings = if row.cause.is_empty() { Vec::new() } else { vec![note("writeback", row.cause)] };
        steps.push(Step { at: row.updated_at, kind: "writeback".to_owned(), text: pending, findings, hook: None });
    }
    steps.sort_by_key(|s| s.at);
    let to = address.map_or_else(|| "unknown".to_owned(), |a| a.place.masked());
    Ok(Some(Story { id, word: message.state.word().to_owned(), because: because(&message), to, steps }))
}

/// Why a message is in its state, in one sentence.
pub fn because(message: &Message) -> String {
    let reasons: Vec<String> = message.state.reasons.iter().map(ToString::to_string).collect();
    if reasons.is_empty() {
        match message.state.vendor_code() {
            Some(code) if message.state.evidence().is_some() => format!("the vendor reports code {code}"),
            _ => format!("it is {}", message.state.delivery().word()),
        }
    } else {
        reasons.join("; ")
    }
}

async fn origin(store: &dyn Store, message: &Message) -> Result<Vec<Step>, StoreError> {
    let mut steps = Vec::new();
    if let Some(event) = match message.intent.event {
        Some(id) => store.events(&[id]).await?.pop(),
        None => None,
    } {
        let source = &event.mapped.event;
        let fate = match &event.fate {
            Some(Fate::Runs { runs }) => runs.iter().map(|(_, journey)| note("run", format!("started {journey}"))).collect(),
            Some(Fate::NoJourney) => vec![note("no_journey", "no journey wanted it".to_owned())],
            Some(Fate::Dead { cause }) => vec![note("dead", cause.clone())],
            None => Vec::new(),
        };
        let text = format!("{} from {} (id {})", source.kind, source.source, source.id);
        steps.push(Step { at: event.received_at, kind: "event".to_owned(), text, findings: fate, hook: event.hook });
    }
    if let Origin::Journey { run, journey, version, .. } = &message.intent.origin {
        for entry in store.history(&run.bytes()).await? {
            let trail = entry.body.get("trail").and_then(|t| t.as_array()).cloned().unwrap_or_default();
            let text = trail.iter().filter_map(|t| t.as_str()).collect::<Vec<_>>().join("; ");
            steps.push(Step { at: entry.at, kind: "run".to_owned(), text: format!("{journey} version {version}: {text}"), findings: Vec::new(), hook: None });
        }
    }
    Ok(steps)
}

/// One entry of a message's history, for people.
pub fn step_of(event: &Event, at: Time) -> Step {
    let (text, findings, hook) = match event {
        Event::Made { verdict } => (format!("the text was made; the gate says {}", decision(verdict)), weigh(verdict), None),
        Event::Gated { verdict } => (format!("the gate was asked again and says {}", decision(verdict)), weigh(verdict), None),
        Event::Routed { way, reason } => (format!("it goes another way: {} from {}", way.account, way.sender), vec![note(reason.code(), reason.to_string())], None),
        Event::Claimed { n, account, sender, verdict, .. } => (format!("attempt {n} through {account} from {sender}"), weigh(verdict), None),
        Event::Settled { n, outcome, next } => {
            let follow = match next {
                Next::Taken => "the vendor has it".to_owned(),
                Next::Retry { at } => format!("tried again at {at}"),
                Next::Fail => "not tried again".to_owned(),
                Next::Expire => "not tried again: the next try would be past its deadline".to_owned(),
                Next::Unknown { .. } => "nobody knows whether the vendor took it; not sent again".to_owned(),
            };
            (format!("attempt {n}: {}; {follow}", outcome.cause()), Vec::new(), None)
        }
        Event::TakenOver { n, .. } => (format!("the process ended while attempt {n} was in the air; nobody knows whether the vendor took it"), Vec::new(), None),
        Event::Asked { .. } | Event::Looked { .. } | Event::GivenUp { .. } | Event::Ruled { .. } => (unclear_step(event), Vec::new(), None),
        Event::Receipt { n, status, evidence, vendor_code, hook } => {
            let proof = evidence.map_or("a word we do not know: the state stays".to_owned(), |e| {
                format!("proof of '{}'", serde_json::to_value(e).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default())
            });
            let code = if vendor_code.is_empty() { String::new() } else { format!(", code {vendor_code}") };
            (format!("receipt for attempt {n}: '{status}'{code}, {proof}"), Vec::new(), Some(*hook))
        }
        Event::Canceled { reason } => ("cancelled".to_owned(), vec![Finding { bearing: Bearing::Stop, code: reason.code().to_owned(), text: reason.to_string() }], None),
        Event::Replied { inbound, stop, how } => {
            let text = if *stop { format!("the recipient answered STOP ({inbound})") } else { format!("the recipient answered ({inbound})") };
            (text, how.iter().map(|how| note(how.word(), how.to_string())).collect(), None)
        }
        Event::WrittenBack { connector, record, word } => (format!("{connector} record '{record}' was told: {word}"), Vec::new(), None),
        Event::WritebackDead { connector, record, cause } => (format!("{connector} record '{record}' could not be told"), vec![note("writeback_dead", cause.clone())], None),
    };
    Step { at, kind: event.kind().to_owned(), text, findings, hook }
}

/// What was done about a text of unknown fate.
fn unclear_step(event: &Event) -> String {
    match event {
        Event::Asked { n, how: Question::Repeat, .. } => format!("the vendor is given attempt {n} again with the same key, which sends nothing twice"),
        Event::Asked { n, how: Question::LookUp, .. } => format!("the vendor is asked for attempt {n}"),
        Event::Looked { n, found, next } => {
            let again = next.map_or(String::new(), |at| format!("; asked again at {at}"));
            match found {
                Found::Taken { vendor_id, status, .. } => format!("the vendor has attempt {n} as {vendor_id} ('{status}')"),
                Found::NotTaken { cause, .. } => format!("attempt {n} was not taken: {cause}"),
                Found::Nothing { cause } => format!("attempt {n} stays unclear: {cause}{again}"),
            }
        }
        Event::GivenUp { n, resend: Some(at) } => format!("asking about attempt {n} is over; this purpose would rather have two texts than none, so it is sent again at {at}"),
        Event::GivenUp { n, resend: None } => format!("asking about attempt {n} is over; it is not sent again, and somebody must look"),
        Event::Ruled { ruling, by, evidence, again, .. } => match (ruling, again) {
            (Ruling::Arrived, _) => format!("{by} found that it arrived: {evidence}"),
            (Ruling::SendAgain, Some(again)) => format!("{by} had it sent again as {again}: {evidence}"),
            (Ruling::SendAgain | Ruling::LetGo, _) => format!("{by} let it go: {evidence}"),
        },
        _ => String::new(),
    }
}

fn decision(verdict: &Verdict) -> String {
    match verdict.decision {
        Decision::Send => "send".to_owned(),
        Decision::Hold { until } => format!("hold until {until}"),
        Decision::Suppress => "suppress".to_owned(),
        Decision::Expire => "too late".to_owned(),
        Decision::Fail => "it cannot be sent".to_owned(),
    }
}

fn weigh(verdict: &Verdict) -> Vec<Finding> {
    let bearing = |finding| match gate::consequence(finding) {
        Decision::Send => Bearing::Pass,
        Decision::Hold { .. } => Bearing::Hold,
        Decision::Suppress | Decision::Expire | Decision::Fail => Bearing::Stop,
    };
    verdict.findings.iter().map(|f| Finding { bearing: bearing(f), code: f.code().to_owned(), text: f.to_string() }).collect()
}

fn note(code: &str, text: String) -> Finding {
    Finding { bearing: Bearing::Note, code: code.to_owned(), text }
}

/// The recipient's place, masked, for lists.
pub fn masked(place: Option<&Place>) -> String {
    place.map_or_else(|| "unknown".to_owned(), Place::masked)
}
