//! A rehearsal: one journey over recorded events in a world of its own, to see what would go out before anything does.
//!
//! Its own file because it runs the real stages, the real SQL and a vendor's real dialect against fakes, under a clock
//! moved by hand: nothing leaves. It injects no faults; that is what the simulated world is for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use serde_json::Value;
use trunkline_connectors::hook::RawHook;
use trunkline_connectors::http::{Phase, TransportError};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::consent::{ConsentAct, ConsentEntry, Terms};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::{AddressId, InstallationKey};
use trunkline_core::journey::Position;
use trunkline_core::message::Event;
use trunkline_core::reason::Reason;
use trunkline_core::source::Mapped;
use trunkline_core::time::{Span, Time};
use trunkline_core::zone;
use trunkline_engine::Engine;
use trunkline_engine::definitions::Definitions;
use trunkline_engine::intake::Taken;
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_store::row::{AddressNews, HookLane, Message, Origin, Place};
use trunkline_store::{Command, Store, StoreError, Unit};

use crate::faults::Faults;
use crate::fixtures;
use crate::outgoing::{Answer, Effect, OutgoingHook};
use crate::vendor::Vendor;

/// One recorded event: as a source sends it, or as it was mapped.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// A `CloudEvents` event, mapped as the configuration says.
    Raw(Value),
    /// What a mapping made of an event, as `export` writes it.
    Mapped(Box<Mapped>),
}

impl Recorded {
    /// Reads one line.
    pub fn parse(line: &str) -> Result<Recorded, String> {
        let value: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if value.get("event").is_some() && value.get("system").is_some() {
            return serde_json::from_value(value).map(|mapped| Recorded::Mapped(Box::new(mapped))).map_err(|e| e.to_string());
        }
        Ok(Recorded::Raw(value))
    }

    /// When it happened.
    fn at(&self) -> Option<Time> {
        match self {
            Recorded::Mapped(mapped) => Some(mapped.event.time),
            Recorded::Raw(value) => value.get("time").and_then(Value::as_str).and_then(|t| t.parse().ok()),
        }
    }
}

/// Where consent comes from.
pub enum Consent {
    /// Nobody has said anything.
    None,
    /// Everybody has granted everything.
    Assumed,
    /// What the ledger of a real store says now.
    Of(Arc<dyn Store>, Box<InstallationKey>),
}

/// A text that the journey made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The step.
    pub step: String,
    /// The recipient, masked.
    pub to: String,
    /// When it was made.
    pub made_at: Time,
    /// When it left, if it did.
    pub left_at: Option<Time>,
    /// The same on her clock, in each zone she may be in.
    pub local: Vec<String>,
    /// Its state at the end.
    pub delivery: &'static str,
    /// Why it was held on the way, or did not leave.
    pub reasons: Vec<String>,
    /// How many segments it takes.
    pub segments: u32,
    /// `GSM-7` or `UCS-2`.
    pub encoding: &'static str,
    /// The text.
    pub body: String,
}

/// What a rehearsal came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Events read.
    pub events: usize,
    /// Events that could not be taken: (line, what is wrong).
    pub refused: Vec<(usize, String)>,
    /// Runs by how they ended.
    pub runs: BTreeMap<String, usize>,
    /// Texts that left.
    pub left: usize,
    /// Their segments.
    pub segments: u64,
    /// How many people they went to.
    pub recipients: usize,
    /// Texts by their state at the end.
    pub states: BTreeMap<String, usize>,
    /// How often texts were held, by reason.
    pub held: BTreeMap<String, usize>,
    /// Why texts did not leave, by reason.
    pub not_sent: BTreeMap<String, usize>,
    /// When the first and the last of them left.
    pub between: Option<(Time, Time)>,
    /// Every text, in the order in which they were made.
    pub texts: Vec<Text>,
}

/// What is under way in the rehearsal.
struct Stage {
    engine: Engine,
    clock: Arc<ManualClock>,
    vendor: Vendor,
    hooks: BTreeMap<(Time, u64), OutgoingHook>,
    sequence: u64,
    rng: ChaCha8Rng,
    consent: Consent,
    asked: BTreeSet<AddressId>,
}

/// The longest that a rehearsal goes on after its last event.
const LONGEST: Span = Span::hours(24 * 60);
/// Rows in one tick.
const BATCH: usize = 256;

/// Runs recorded events, each with the number of its line, in the order of their times, through definitions that hold one journey. The accounts must be
/// those of `fixtures::rehearsed`, which the fake vendor knows.
pub async fn rehearse(store: Arc<dyn Store>, definitions: Arc<Definitions>, mut events: Vec<(usize, Recorded)>, consent: Consent) -> Result<Report, StoreError> {
    events.sort_by_key(|(line, e)| (e.at(), *line));
    let first = events.iter().find_map(|(_, e)| e.at()).unwrap_or(Time(1_795_000_000_000_000));
    let clock = Arc::new(ManualClock::at(first));
    let vendor = Vendor::new(fixtures::vendor_for(&definitions));
    let engine = Engine::start(store, clock.clone(), definitions, [7; 32]).await?;
    let mut stage = Stage { engine, clock, vendor, hooks: BTreeMap::new(), sequence: 0, rng: ChaCha8Rng::seed_from_u64(1), consent, asked: BTreeSet::new() };
    let mut report = Report { events: events.len(), ..Report::default() };
    for (line, event) in events {
        let at = event.at().unwrap_or(stage.clock.now()).max(stage.clock.now());
        stage.until(at).await?;
        if let Err(problem) = stage.take(event).await? {
            report.refused.push((line, problem));
        }
    }
    let end = stage.clock.now() + LONGEST;
    stage.until(end).await?;
    stage.report(report).await
}

impl Stage {
    async fn take(&self, event: Recorded) -> Result<Result<(), String>, StoreError> {
        let sentence = |problems: Vec<FieldProblem>| problems.iter().map(|p| format!("{} {}: {}", p.field, p.problem, p.fix)).collect::<Vec<_>>().join("; ");
        match event {
            Recorded::Raw(value) => match self.engine.take_events(&[value]).await?.pop() {
                Some(Taken::Refused(problems)) => Ok(Err(sentence(problems))),
                Some(Taken::Accepted(_)) | None => Ok(Ok(())),
            },
            Recorded::Mapped(mapped) => self.engine.take_mapped(*mapped).await.map(Ok),
        }
    }

    /// Lets everything happen that is due until `end`, and sets the clock there.
    async fn until(&mut self, end: Time) -> Result<(), StoreError> {
        loop {
            while self.turn().await? {}
            match self.next().await? {
                Some(next) if next <= end => self.clock.set(next.max(self.clock.now() + Span::millis(10))),
                _ => break,
            }
        }
        // Nothing is left to wait for: the days after the last text need not be lived.
        if self.next().await?.is_some() || end < self.clock.now() + LONGEST {
            self.clock.set(end.max(self.clock.now()));
        }
        Ok(())
    }

    /// When the next thing is due.
    async fn next(&self) -> Result<Option<Time>, StoreError> {
        let far = Time(i64::MAX);
        let store = &self.engine.store;
        let run = store.due_runs(far, 1).await?.pop().and_then(|r| if let Position::At { due, .. } = r.position { Some(due) } else { None });
        let message = store.due_messages(far, 1).await?.pop().and_then(|m| m.state.due);
        let hook = self.hooks.first_key_value().map(|((at, _), _)| *at);
        Ok([run, message, hook].into_iter().flatten().min())
    }

    /// One tick of every stage; whether any found something.
    async fn turn(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut done = self.engine.ingest_tick(now, BATCH).await?.done;
        self.consents(now).await?;
        done += self.engine.journey_tick(now, BATCH).await?.done;
        let (calls, _) = self.engine.claim_tick(now, BATCH).await?;
        done += calls.len();
        let mut results = Vec::with_capacity(calls.len());
        for call in &calls {
            let called = self.vendor.call(now, &call.request, &Faults::default(), &mut self.rng);
            for Effect::Hook(hook) in called.effects {
                self.sequence += 1;
                self.hooks.insert((hook.at, self.sequence), hook);
            }
            let reply = match called.answer {
                Answer::Reply(response) => Ok(response),
                Answer::Hang | Answer::Refuse => Err(TransportError { phase: Phase::Wait, detail: "no answer".to_owned() }),
            };
            results.push(CallResult::of(call, Heard::Reply(reply)));
        }
        if !results.is_empty() {
            self.engine.settle_tick(now, results).await;
        }
        done += self.receive(now).await?;
        Ok(done > 0)
    }

    async fn receive(&mut self, now: Time) -> Result<usize, StoreError> {
        let mut done = 0;
        while let Some(first) = self.hooks.first_entry().filter(|h| h.key().0 <= now) {
            let hook = first.remove();
            let name = hook.url.rsplit("/hooks/").next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
            self.engine.receive(&name, RawHook { method: "POST".to_owned(), url: hook.url, headers: hook.headers, body: hook.body }).await;
            done += 1;
        }
        for lane in HookLane::ALL {
            done += self.engine.inbox_tick(lane, now, BATCH).await?.done;
        }
        Ok(done)
    }

    /// Brings the consent of addresses that are new.
    async fn consents(&mut self, now: Time) -> Result<(), StoreError> {
        let store = self.engine.store.clone();
        let mut after = None;
        if matches!(self.consent, Consent::None) {
            return Ok(());
        }
        loop {
            let page = store.addresses_after(after, 500).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for address in &page {
                let Place::Sms(number) = &address.place else { continue };
                if !self.asked.insert(address.id) {
                    continue;
                }
                let entries = match &self.consent {
                    Consent::None => Vec::new(),
                    Consent::Assumed => vec![granted(now)],
                    Consent::Of(real, key) => real.ledger(key.address("sms", number.e164())).await?,
                };
                if entries.is_empty() {
                    continue;
                }
                let news = Box::new(AddressNews { entries, inbound: None });
                let command = Command::News { address: address.id, guard_version: address.guard_version, news, messages: Vec::new(), owes: Vec::new() };
                for result in store.commit(now, vec![Unit::one(command)]).await {
                    result?;
                }
            }
        }
    }

    async fn report(&self, mut report: Report) -> Result<Report, StoreError> {
        let store = self.engine.store.as_ref();
        let (mut after, mut messages): (_, Vec<Message>) = (None, Vec::new());
        loop {
            let page = store.messages_after(after, 500).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            messages.extend(page);
        }
        messages.sort_by_key(|m| (m.intent.created_at, m.id));
        let mut people = BTreeSet::new();
        for message in &messages {
            let text = self.text(message, &mut report).await?;
            *report.states.entry(text.delivery.to_owned()).or_default() += 1;
            if let Some(at) = text.left_at {
                report.left += 1;
                report.segments += u64::from(text.segments);
                people.insert(message.intent.address);
                report.between = Some(report.between.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
            }
            report.texts.push(text);
        }
        report.recipients = people.len();
        let mut after = None;
        loop {
            let page = store.runs_after(after, 500).await?;
            let Some(last) = page.last() else { return Ok(report) };
            after = Some(last.id);
            for run in &page {
                let word = match &run.position {
                    Position::At { step, .. } => format!("still at '{step}'"),
                    Position::Ended { why } => format!("ended: {why}"),
                    Position::Canceled { .. } => "ended early by an event".to_owned(),
                    Position::Failed { why } => format!("failed: {why}"),
                };
                *report.runs.entry(word).or_default() += 1;
            }
        }
    }

    async fn text(&self, message: &Message, report: &mut Report) -> Result<Text, StoreError> {
        let store = self.engine.store.as_ref();
        let address = store.addresses(&[message.intent.address]).await?.pop();
        let mut reasons = Vec::new();
        for entry in store.history(&message.id.bytes()).await? {
            let Ok(Event::Made { verdict } | Event::Gated { verdict }) = serde_json::from_value::<Event>(entry.body) else { continue };
            for finding in verdict.findings.iter().filter(|f| holds(f)) {
                *report.held.entry(finding.code().to_owned()).or_default() += 1;
                reasons.push(finding.to_string());
            }
        }
        let left_at = message.state.attempts.first().map(|a| a.claimed_at);
        if left_at.is_none() {
            for reason in &message.state.reasons {
                *report.not_sent.entry(reason.code().to_owned()).or_default() += 1;
            }
            reasons = message.state.reasons.iter().map(ToString::to_string).collect();
        }
        let zones = address.as_ref().map(|a| a.zones.clone()).unwrap_or_default();
        let at = left_at.or(message.state.due).unwrap_or(message.intent.created_at);
        let clock = |name: &String| zone::zone(name).map(|tz| at.timestamp().to_zoned(tz).strftime("%a %H:%M %Z").to_string());
        let local: BTreeSet<String> = zones.iter().filter_map(clock).collect();
        let step = match &message.intent.origin {
            Origin::Journey { step, .. } => step.clone(),
            Origin::Api { .. } | Origin::Confirmation { .. } | Origin::Help { .. } => "answer".to_owned(),
        };
        Ok(Text {
            step,
            to: address.map_or_else(|| "unknown".to_owned(), |a| a.place.masked()),
            made_at: message.intent.created_at,
            left_at,
            local: local.into_iter().collect(),
            delivery: message.state.delivery().word(),
            reasons,
            segments: message.intent.size.segments,
            encoding: match message.intent.size.encoding {
                trunkline_core::segment::Encoding::Gsm7 => "GSM-7",
                trunkline_core::segment::Encoding::Ucs2 => "UCS-2",
            },
            body: message.intent.body.clone(),
        })
    }
}

fn holds(reason: &Reason) -> bool {
    matches!(trunkline_core::gate::consequence(reason), trunkline_core::gate::Decision::Hold { .. })
}

fn granted(now: Time) -> ConsentEntry {
    ConsentEntry {
        act: ConsentAct::Grant,
        program: None,
        purpose: None,
        account: None,
        sender: None,
        evidence: "assumed for a rehearsal".to_owned(),
        actor: "rehearsal".to_owned(),
        occurred_at: now,
        recorded_at: now,
        terms: Terms::default(),
    }
}
