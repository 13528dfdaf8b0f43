//! Due write-backs: render the record as it is now, claim, and give the calls back as data; settle what came of them.
//!
//! Its own file because the latest value wins: what is written is rendered at the claim, so a queue of old values
//! never forms, and an unclear result is simply written again. One write of a record is in the air at a time.

use trunkline_connectors::crm::declared::{Connector, Written};
use trunkline_connectors::http::{Reply, Request};
use trunkline_core::message;
use trunkline_core::owe::{Owe, Subject};
use trunkline_core::retry::WRITEBACKS;
use trunkline_core::time::Time;
use trunkline_store::row::{Address, Message, Writeback, WritebackState};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::OURSELVES;
use crate::effects::system_alert;
use crate::facts::{address_facts, find, message_facts};
use crate::poison::poisonous;
use crate::{Engine, Tick};

/// A claimed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteCall {
    /// The row as claimed; its `wanted` is what the rendered value covers.
    pub row: Writeback,
    /// The status the rendered value says, for the message's history.
    pub word: String,
    /// What to send.
    pub request: Request,
}

/// A write and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteResult {
    /// The row as claimed.
    pub row: Writeback,
    /// The status it wrote.
    pub word: String,
    /// What came of it.
    pub reply: Reply,
}

impl Engine {
    /// Claims at most `slots` due write-backs.
    pub async fn writeback_claim_tick(&self, now: Time, slots: usize) -> Result<(Vec<WriteCall>, Tick), StoreError> {
        let due = self.store.due_writebacks(now, self.epoch, slots).await?;
        if due.is_empty() {
            return Ok((Vec::new(), Tick::default()));
        }
        let message_ids: Vec<_> = due.iter().filter_map(|w| if let Subject::Message(id) = w.subject { Some(id) } else { None }).collect();
        let messages = self.store.messages(&message_ids).await?;
        let mut address_ids: Vec<_> = due.iter().filter_map(|w| if let Subject::Address(id) = w.subject { Some(id) } else { None }).collect();
        address_ids.extend(messages.iter().map(|m| m.intent.address));
        let addresses = self.store.addresses(&address_ids).await?;
        let mut units = Vec::new();
        let mut calls = Vec::new();
        for expect in due {
            let connector = self.definitions.connectors.iter().find(|c| c.name == expect.connector);
            match connector.ok_or_else(|| "the connector is not configured any more".to_owned()).and_then(|c| self.render(c, &expect, &messages, &addresses)) {
                Ok((request, word)) => {
                    let row = Writeback { state: WritebackState::Flying, epoch: self.epoch, tries: expect.tries + 1, ..expect.clone() };
                    units.push(Unit::one(Command::PutWriteback { row: Box::new(row.clone()), expect: Box::new(expect) }));
                    calls.push(Some(WriteCall { row, word, request }));
                }
                Err(cause) => {
                    units.push(give_up(&expect, &expect, &cause));
                    calls.push(None);
                }
            }
        }
        let done = units.len();
        let landed = self.commit_claims(now, "write-back claim", units).await?;
        let calls: Vec<WriteCall> = calls.into_iter().zip(landed).filter_map(|(call, landed)| call.filter(|_| landed)).collect();
        self.air.writes.hold(calls.iter().map(|c| key(&c.row)), self.clock.uptime());
        Ok((calls, Tick { done, next: None }))
    }

    fn render(&self, connector: &Connector, row: &Writeback, messages: &[Message], addresses: &[Address]) -> Result<(Request, String), String> {
        let missing = || "what it is about is missing from the store".to_owned();
        let (facts, word) = match row.subject {
            Subject::Message(id) => {
                let message = messages.iter().find(|m| m.id == id).ok_or_else(missing)?;
                (message_facts(message, find(addresses, message.intent.address)), message.state.word().to_owned())
            }
            Subject::Address(id) => (address_facts(find(addresses, id).ok_or_else(missing)?), "consent".to_owned()),
        };
        let request = connector.request(&self.expr, &facts).map_err(|e| format!("connectors/{}.toml: {e}", connector.name))?;
        if self.definitions.systems.is_empty() {
            return Ok((request, word));
        }
        match connector.foreign_field(&request, |field| self.definitions.owner(field, OURSELVES, OURSELVES)) {
            Some((field, owner)) => Err(format!("connectors/{}.toml: the body writes '{field}', which '{owner}' owns; take it out, or change [systems.{owner}]", connector.name)),
            None => Ok((request, word)),
        }
    }

    /// Commits what came of writes; gives back those that could not be committed.
    pub async fn writeback_settle_tick(&self, now: Time, results: Vec<WriteResult>) -> (Tick, Vec<WriteResult>) {
        let mut kept = Vec::new();
        let asked = results.len();
        let keys: Vec<(String, String)> = results.iter().map(|r| key(&r.row)).collect();
        match self.writeback_settle_once(now, &results).await {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, results = asked, "results of write-backs could not be committed; they are kept and tried again");
                kept = results;
                if poisonous(&error) {
                    kept = self.writeback_settle_apart(now, kept).await;
                }
            }
        }
        self.air.writes.land(&keys);
        self.air.writes.hold(kept.iter().map(|r| key(&r.row)), self.clock.uptime());
        self.wake(&[]);
        (Tick { done: asked - kept.len(), next: None }, kept)
    }

    /// One of a batch cannot be settled: each on its own, so that it holds up no other.
    async fn writeback_settle_apart(&self, now: Time, results: Vec<WriteResult>) -> Vec<WriteResult> {
        let mut kept = Vec::new();
        for result in results {
            if self.writeback_settle_once(now, std::slice::from_ref(&result)).await.is_err() {
                kept.push(result);
            }
        }
        kept
    }

    async fn writeback_settle_once(&self, now: Time, results: &[WriteResult]) -> Result<(), StoreError> {
        let mut units = Vec::new();
        for result in results {
            let Some(connector) = self.definitions.connectors.iter().find(|c| c.name == result.row.connector) else { continue };
            let before = &result.row;
            let (connector_name, record) = (before.connector.clone(), before.record.clone());
            match connector.outcome(&result.reply) {
                Written::Done => {
                    let row = Writeback { state: WritebackState::Idle, written: before.wanted, tries: 0, cause: String::new(), ..before.clone() };
                    let event = message::Event::WrittenBack { connector: connector_name, record, word: result.word.clone() };
                    units.push(noted(before.subject, event, put(row, before)));
                }
                Written::Retry { after, cause } if before.tries < connector.definition.max_attempts => {
                    let due = now + WRITEBACKS.wait(before.tries, after, self.draw());
                    units.push(put(Writeback { state: WritebackState::Due, due, cause, ..before.clone() }, before));
                }
                Written::Retry { cause, .. } | Written::GiveUp { cause } => {
                    let event = message::Event::WritebackDead { connector: connector_name, record, cause: cause.clone() };
                    units.push(noted(before.subject, event, give_up(before, before, &cause)));
                }
            }
        }
        // A row that moved meanwhile was taken over by a newer generation, which writes the latest value again.
        self.commit_all(now, "write-back settle", units).await.map(|_| ())
    }
}

/// What happened to the record, in the history of the message that it is about.
fn noted(subject: Subject, event: message::Event, mut unit: Unit) -> Unit {
    if let Subject::Message(id) = subject {
        unit.0.insert(0, Command::Note(id, event));
    }
    unit
}

/// What names a record's call while it is in the air.
fn key(row: &Writeback) -> (String, String) {
    (row.connector.clone(), row.record.clone())
}

pub(crate) fn put(row: Writeback, expect: &Writeback) -> Unit {
    Unit::one(Command::PutWriteback { row: Box::new(row), expect: Box::new(expect.clone()) })
}

fn give_up(row: &Writeback, expect: &Writeback, cause: &str) -> Unit {
    let dead = Writeback { state: WritebackState::Dead, cause: cause.to_owned(), ..row.clone() };
    let detail = format!("record '{}' of connector '{}' was given up: {cause}; mend the cause, then replay {}/{}", row.record, row.connector, row.connector, row.record);
    let alert: Owe = system_alert("writeback_dead", &row.connector, detail);
    Unit(vec![Command::Owe(alert), Command::PutWriteback { row: Box::new(dead), expect: Box::new(expect.clone()) }])
}
