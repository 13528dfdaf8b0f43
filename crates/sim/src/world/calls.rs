//! Calls to others, and what comes of them: to the vendor, the CRM and the follower.
//!
//! Apart from `stages` because between a claim and its call, and between a call and its answer, anything may happen: each
//! is an action of its own, and belongs to the generation that began it.

use futures_util::FutureExt;
use trunkline_connectors::http::{Phase, Reply, Request, TransportError};
use trunkline_core::message::Question;
use trunkline_core::time::Span;
use trunkline_engine::announce::{AnnounceCall, AnnounceResult};
use trunkline_engine::dispatch::{BEGIN_WITHIN, Call};
use trunkline_engine::resolve::{Answered, Ask};
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_engine::writeback::{WriteCall, WriteResult};

use super::trouble::Outage;
use super::{Action, World};
use crate::outgoing::{Answer, Called};

impl World {
    pub(super) fn call(&mut self, call: &Call, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            // The process died before the first byte.
            return;
        }
        let late = self.node.as_ref().is_some_and(|n| n.clock.uptime().since(call.claimed) > BEGIN_WITHIN);
        if late || self.now() >= call.deadline {
            let result = CallResult::of(call, Heard::NotBegun("too late to begin"));
            return self.soon(1, Action::Heard { result: Box::new(result), generation });
        }
        let called = self.call_vendor(&call.request);
        let reply = answer(called.answer);
        self.tell(format!("{} is called: {}", call.attempt, word(&reply)));
        self.effects(called.effects);
        let wait = if reply.is_err() { 12 } else { 4 };
        let result = CallResult::of(call, Heard::Reply(reply));
        self.soon(wait, Action::Heard { result: Box::new(result), generation });
    }

    /// The vendor's answer, or what its outage makes of the call.
    pub(super) fn call_vendor(&mut self, request: &Request) -> Called {
        let now = self.now();
        match self.outage {
            Some(Outage::Unreachable) => Called::only(Answer::Refuse),
            Some(Outage::Silent) => Called::only(Answer::Hang),
            None => self.vendor.call(now, request, &self.faults, &mut self.rng),
        }
    }

    pub(super) fn heard(&mut self, result: CallResult, generation: u64) {
        let now = self.now();
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.settle_tick(now, vec![result]).now_or_never() {
            None => self.crash("while it settles a call"),
            Some((_, left)) => self.once_more(left, "a result could not be settled", |result| Action::Heard { result: Box::new(result), generation }),
        }
    }

    /// What could not be committed is kept, and given again a second later.
    pub(super) fn once_more<R>(&mut self, left: Vec<R>, what: &str, action: impl Fn(R) -> Action) {
        if left.is_empty() || !self.excused(what) {
            return;
        }
        let at = self.now() + Span::secs(1);
        for result in left {
            self.at(at, action(result));
        }
    }

    pub(super) fn ask(&mut self, ask: &Ask, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let late = self.node.as_ref().is_some_and(|n| n.clock.uptime().since(ask.claimed) > BEGIN_WITHIN);
        let heard = if late || (ask.how == Question::Repeat && self.now() >= ask.deadline) {
            Heard::NotBegun("too late to ask")
        } else {
            let called = self.call_vendor(&ask.request);
            self.effects(called.effects);
            let reply = answer(called.answer);
            self.tell(format!("the vendor is asked about {}: {}", ask.attempt, word(&reply)));
            Heard::Reply(reply)
        };
        let answer = Answered { attempt: ask.attempt, how: ask.how, heard };
        self.soon(6, Action::Answered { answer: Box::new(answer), generation });
    }

    pub(super) fn answered(&mut self, answer: Answered, generation: u64) {
        let now = self.now();
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.answer_tick(now, vec![answer]).now_or_never() {
            None => self.crash("while it hears about an unclear text"),
            Some((_, left)) => self.once_more(left, "an answer could not be committed", |answer| Action::Answered { answer: Box::new(answer), generation }),
        }
    }

    pub(super) fn announce(&mut self, call: AnnounceCall, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let trouble = if self.closed { 0 } else { 150 };
        let reply = answer(self.follower.call(&call.request, trouble, &mut self.rng));
        self.tell(format!("the follower is told of {}: {}", call.row.kind, word(&reply)));
        let result = AnnounceResult { row: call.row, reply };
        self.soon(4, Action::Announced { result: Box::new(result), generation });
    }

    pub(super) fn announced(&mut self, result: AnnounceResult, generation: u64) {
        let now = self.now();
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.announce_settle_tick(now, vec![result]).now_or_never() {
            None => self.crash("while it settles an announcement"),
            Some((_, left)) => self.once_more(left, "an announcement could not be settled", |result| Action::Announced { result: Box::new(result), generation }),
        }
    }

    pub(super) fn write(&mut self, call: WriteCall, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let now = self.now();
        let reply = answer(self.crm.call(now, &call.request, &self.faults, &mut self.rng));
        self.tell(format!("{} {} is written: {}", call.row.connector, call.row.record, word(&reply)));
        let result = WriteResult { row: call.row, word: call.word, reply };
        self.soon(4, Action::Written { result: Box::new(result), generation });
    }

    pub(super) fn written(&mut self, result: WriteResult, generation: u64) {
        let now = self.now();
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.writeback_settle_tick(now, vec![result]).now_or_never() {
            None => self.crash("while it settles a write-back"),
            Some((_, left)) => self.once_more(left, "a write-back could not be settled", |result| Action::Written { result: Box::new(result), generation }),
        }
    }
}

pub(super) fn answer(answer: Answer) -> Reply {
    match answer {
        Answer::Reply(response) => Ok(response),
        Answer::Hang => Err(TransportError { phase: Phase::Wait, detail: "no answer in time".to_owned() }),
        Answer::Refuse => Err(TransportError { phase: Phase::Connect, detail: "connection refused".to_owned() }),
    }
}

pub(super) fn word(reply: &Reply) -> String {
    match reply {
        Ok(response) => format!("HTTP {}", response.status),
        Err(error) => error.to_string(),
    }
}
