//! What each action does.
//!
//! Apart from `world.rs` because that file owns time and order, and this one what happens. Every draw comes from the
//! world's generator, in the order of the actions.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::FutureExt;
use trunkline_connectors::hook::RawHook;
use trunkline_connectors::http::{Phase, Reply, TransportError};
use trunkline_core::consent::Terms;
use trunkline_core::message::Question;
use trunkline_core::time::Span;
use trunkline_engine::announce::{AnnounceCall, AnnounceResult};
use trunkline_engine::consent::{ConsentAction, ConsentRequest};
use trunkline_engine::dispatch::{BEGIN_WITHIN, Call};
use trunkline_engine::receive::Received;
use trunkline_engine::resolve::{Answered, Ask};
use trunkline_engine::settle::{CallResult, Heard};
use trunkline_engine::writeback::{WriteCall, WriteResult};
use trunkline_engine::{Stage, Tick};
use trunkline_store::StoreError;
use trunkline_store::row::HookLane;

use super::people::ANSWERS;
use super::{Action, World};
use crate::carrier::Dialect;
use crate::faults::Faults;
use crate::fixtures;
use crate::outgoing::{Answer, Effect, OutgoingHook};

/// A tick that may have been overtaken.
pub(super) type Ticking = Pin<Box<dyn Future<Output = Ticked> + Send>>;

/// What a tick gave back.
pub(super) enum Ticked {
    Stage(Result<Tick, StoreError>),
    Calls(Result<(Vec<Call>, Tick), StoreError>),
    Asks(Result<(Vec<Ask>, Tick), StoreError>),
    Writes(Result<(Vec<WriteCall>, Tick), StoreError>),
    Announcements(Result<(Vec<AnnounceCall>, Tick), StoreError>),
}

/// A vendor gives up on a hook after this many tries; nobody gives up while a node is being restarted.
const MOST_TRIES: u32 = 400;

impl World {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Order => self.order(),
            Action::Ship(id) => self.ship(id),
            Action::Hook { hook, tries } => self.hook(hook, tries),
            Action::Forge => self.forge(),
            Action::Reply { phone, body } => {
                self.tell(format!("somebody texts {body}"));
                let effects = self.vendor.reply(self.clock_now(), &phone, fixtures::SENDER, &body, &mut self.rng);
                self.effects(effects);
            }
            Action::Consent { phone, grant } => self.consent(&phone, grant),
            Action::Event(event) => self.client_event(event),
            Action::Cancel(order) => self.cancel_order(order),
            Action::Announce { call, generation } => self.announce(*call, generation),
            Action::Announced { result, generation } => self.announced(*result, generation),
            Action::Ask { ask, generation } => self.ask(&ask, generation),
            Action::Answered { answer, generation } => self.answered(*answer, generation),
            Action::Tick(stage) => self.tick(stage),
            Action::Resume(stage, generation) => self.resume(stage, generation),
            Action::Call { call, generation } => self.call(&call, generation),
            Action::Heard { result, generation } => self.heard(*result, generation),
            Action::Write { call, generation } => self.write(*call, generation),
            Action::Written { result, generation } => self.written(*result, generation),
            Action::PlanCrash => {
                let after = u64::from(self.below(12)) + 1;
                let how = if self.below(2) == 0 { crate::watch::Crash::Before } else { crate::watch::Crash::After };
                if !self.calm && self.node.is_some() {
                    self.watch.plan(Some((after, how)));
                }
            }
            Action::Kill if self.calm => {}
            Action::Kill => self.crash("between two commits"),
            Action::Restart => self.restart(),
            Action::CrmDown(down) => {
                self.faults.crm_down = down && !self.calm;
                self.tell(format!("the CRM is {}", if down { "down" } else { "up" }));
            }
            Action::Mood => self.mood(),
        }
    }

    fn clock_now(&self) -> trunkline_core::time::Time {
        self.now()
    }

    /// The vendor's and the CRM's mood changes.
    fn mood(&mut self) {
        if self.calm {
            return;
        }
        let crm_down = self.faults.crm_down;
        let mut dice = |most: u32| self.rng_below(most);
        self.faults = Faults {
            throttle_permille: dice(200),
            server_error_permille: dice(100),
            server_error_after_accept_permille: dice(100),
            hang_after_accept_permille: dice(100),
            refuse_permille: dice(100),
            callback_duplicate_permille: dice(400),
            callback_reorder_permille: dice(400),
            callback_delay_ms_max: u64::from(dice(120_000)),
            crm_conflict_permille: dice(200),
            crm_throttle_permille: dice(200),
            crm_down,
            ..Faults::default()
        };
        self.tell("the weather changes");
    }

    fn rng_below(&mut self, most: u32) -> u32 {
        self.below(most)
    }

    fn order(&mut self) {
        let pick = self.below(u32::try_from(self.customers.len()).unwrap_or(1)) as usize;
        let Some(customer) = self.customers.get(pick).cloned() else { return };
        let now = self.now();
        let hook = self.shop.order_created(now, &customer, &mut self.rng);
        let id = self.shop.orders().last_key_value().map(|(id, _)| *id);
        self.tell(format!("order of customer {}", customer.id));
        self.send_hook(hook);
        if let Some(id) = id.filter(|_| self.rng_below(10) < 6) {
            self.soon(6 * 3_600, Action::Ship(id));
        }
        if let Some(id) = id.filter(|_| self.rng_below(10) < 2) {
            self.soon(9 * 3_600, Action::Cancel(id));
        }
        if let Some(phone) = customer.phone.filter(|p| p.starts_with('+') && self.below(10) < 3) {
            let body = ANSWERS[self.below(u32::try_from(ANSWERS.len()).unwrap_or(1)) as usize].to_owned();
            self.soon(3_600, Action::Reply { phone, body });
        }
    }

    fn ship(&mut self, id: i64) {
        let now = self.now();
        if let Some(hook) = self.shop.order_shipped(now, id, &mut self.rng) {
            self.tell("an order ships");
            self.send_hook(hook);
        }
    }

    /// A hook on its way, sometimes twice, sometimes late.
    fn send_hook(&mut self, hook: OutgoingHook) {
        if !self.calm && self.below(100) < 15 {
            let late = hook.at + self.seconds(600);
            let copy = if hook.url.ends_with("/shopify") { hook.clone() } else { self.vendor.again(hook.clone(), late) };
            self.at(late, Action::Hook { hook: copy, tries: 0 });
        }
        let at = hook.at + self.seconds(2);
        self.at(at, Action::Hook { hook, tries: 0 });
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Hook(hook) = effect;
            self.send_hook(hook);
        }
    }

    fn raw(hook: &OutgoingHook) -> (String, RawHook) {
        let name = hook.url.rsplit("/hooks/").next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        (name, RawHook { method: "POST".to_owned(), url: hook.url.clone(), headers: hook.headers.clone(), body: hook.body.clone() })
    }

    fn hook(&mut self, hook: OutgoingHook, tries: u32) {
        let (name, raw) = World::raw(&hook);
        let received = self.node.as_ref().map(|node| node.receive(&name, raw).now_or_never());
        match received {
            Some(Some(Received::Accepted(_))) => {
                self.tell(format!("hook to {name} is acknowledged"));
                self.acknowledge(&hook);
                let stage = if name == "shopify" { Stage::Sources } else { Stage::Receipts };
                self.tick_soon(&[stage, Stage::Inbound]);
            }
            Some(Some(Received::Refused | Received::Unknown)) => {
                self.violations.push(crate::oracle::Violation::new("I7", format!("a true hook to {name} was refused")));
            }
            other => {
                if matches!(other, Some(None)) {
                    self.crash("while it files a hook");
                }
                if tries < MOST_TRIES {
                    let again = self.now() + Span::secs(1 << tries.min(7)) + self.seconds(2);
                    let hook = if name == "shopify" { hook } else { self.vendor.again(hook, again) };
                    self.at(again, Action::Hook { hook, tries: tries + 1 });
                }
            }
        }
    }

    /// A hook that nobody signed: it must be refused, on record, and change nothing.
    fn forge(&mut self) {
        let sent_at = self.now().0.div_euclid(1_000_000).to_string();
        let (headers, body): (Vec<(&str, &str)>, &'static str) = match self.dialect {
            Dialect::Twilio => (
                vec![("X-Twilio-Signature", "bm90IGEgc2lnbmF0dXJl"), ("Content-Type", "application/x-www-form-urlencoded")],
                "MessageSid=SM0000000000000000000000000000beef&MessageStatus=delivered&From=%2B14155550000&To=%2B15005550006&Body=STOP",
            ),
            Dialect::Telnyx => (
                vec![("telnyx-signature-ed25519", "bm90IGEgc2lnbmF0dXJl"), ("telnyx-timestamp", &sent_at)],
                r#"{"data":{"event_type":"message.received","id":"beef","payload":{"from":{"phone_number":"+14155550000"},"to":[{"phone_number":"+15005550006"}],"text":"STOP"}}}"#,
            ),
            Dialect::Sinch => (
                vec![("x-sinch-webhook-signature", "bm90IGEgc2lnbmF0dXJl"), ("x-sinch-webhook-signature-nonce", "beef"), ("x-sinch-webhook-signature-timestamp", &sent_at)],
                r#"{"type":"mo_text","id":"beef","from":"14155550000","to":"15005550006","body":"STOP"}"#,
            ),
        };
        let hook = OutgoingHook {
            at: self.now(),
            url: format!("{}/hooks/{}", fixtures::PUBLIC_URL, self.dialect.name()),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let (name, raw) = World::raw(&hook);
        match self.node.as_ref().map(|node| node.receive(&name, raw).now_or_never()) {
            None => {}
            Some(None) => self.crash("while it refuses a hook"),
            Some(Some(Received::Refused)) => self.forged += 1,
            Some(Some(other)) => self.violations.push(crate::oracle::Violation::new("I7", format!("a forged hook was answered with {other:?}"))),
        }
    }

    fn consent(&mut self, phone: &str, grant: bool) {
        let action = if grant { ConsentAction::Grant } else { ConsentAction::Revoke };
        let request = ConsentRequest {
            address: phone.to_owned(),
            action,
            program: None,
            purpose: None,
            evidence: "form 7".to_owned(),
            occurred_at: None,
            terms: Terms::default(),
            through: None,
        };
        let crashed = self.node.as_ref().is_some_and(|node| node.record_consent("world", &request).now_or_never().is_none());
        self.tell(format!("consent: grant {grant}"));
        if crashed {
            self.crash("while it records consent");
        }
    }

    fn tick(&mut self, stage: Stage) {
        self.ticking.remove(&stage);
        let Some(node) = self.node.clone().filter(|_| !self.suspended.contains_key(&stage)) else { return };
        let now = self.clock_now();
        let work: Ticking = Box::pin(async move {
            match stage {
                Stage::Dispatch => Ticked::Calls(node.claim_tick(now, 8).await),
                Stage::Questions => Ticked::Asks(node.ask_tick(now, 8).await),
                Stage::Writebacks => Ticked::Writes(node.writeback_claim_tick(now, 8).await),
                Stage::Announcements => Ticked::Announcements(node.announce_claim_tick(now, 8).await),
                Stage::Inbound => Ticked::Stage(node.inbox_tick(HookLane::Inbound, now, 16).await),
                Stage::Receipts => Ticked::Stage(node.inbox_tick(HookLane::Receipt, now, 16).await),
                Stage::Sources => Ticked::Stage(node.inbox_tick(HookLane::Source, now, 16).await),
                Stage::Ingest => Ticked::Stage(node.ingest_tick(now, 16).await),
                Stage::Journeys => Ticked::Stage(node.journey_tick(now, 16).await),
                Stage::Sweep => Ticked::Stage(node.sweep_tick(now, 16).await),
            }
        });
        let stall = !self.calm && self.below(100) < 12;
        self.watch.stall_next(stall);
        self.go_on(stage, work);
        self.watch.stall_next(false);
    }

    /// A stage that was overtaken at its commit goes on.
    fn resume(&mut self, stage: Stage, generation: u64) {
        if generation == self.generation
            && let Some(work) = self.suspended.remove(&stage)
        {
            self.tell(format!("{stage:?} goes on"));
            self.go_on(stage, work);
        }
    }

    fn go_on(&mut self, stage: Stage, mut work: Ticking) {
        let ticked = work.as_mut().now_or_never();
        if ticked.is_none() && self.watch.take_stalled() {
            self.tell(format!("{stage:?} is overtaken"));
            self.suspended.insert(stage, work);
            let generation = self.generation;
            return self.soon(6, Action::Resume(stage, generation));
        }
        let generation = self.generation;
        let done = match ticked {
            None => return self.crash(&format!("in {stage:?}")),
            Some(Ticked::Stage(Err(error)) | Ticked::Calls(Err(error)) | Ticked::Asks(Err(error)) | Ticked::Writes(Err(error)) | Ticked::Announcements(Err(error))) => {
                self.violations.push(crate::oracle::Violation::new("liveness", format!("{stage:?}: {error}")));
                return;
            }
            Some(Ticked::Stage(Ok(tick))) => tick.done,
            Some(Ticked::Calls(Ok((calls, tick)))) => {
                for call in calls {
                    // Some calls are begun too late to be begun at all.
                    self.soon(3, Action::Call { call: Box::new(call), generation });
                }
                tick.done
            }
            Some(Ticked::Asks(Ok((asks, tick)))) => {
                for ask in asks {
                    self.soon(3, Action::Ask { ask: Box::new(ask), generation });
                }
                tick.done
            }
            Some(Ticked::Writes(Ok((calls, tick)))) => {
                for call in calls {
                    self.soon(3, Action::Write { call: Box::new(call), generation });
                }
                tick.done
            }
            Some(Ticked::Announcements(Ok((calls, tick)))) => {
                for call in calls {
                    self.soon(3, Action::Announce { call: Box::new(call), generation });
                }
                tick.done
            }
        };
        if done > 0 {
            self.tell(format!("{stage:?}: {done}"));
            self.tick_soon(&Stage::ALL);
        } else {
            self.idle(stage);
        }
    }

    /// Nothing to do now: look again later, as long as there is a later.
    fn idle(&mut self, stage: Stage) {
        let last = self.closing + Span::hours(60);
        let at = self.clock_now() + Span::mins(10) + self.seconds(1_200);
        if at < last && self.ticking.insert(stage) {
            self.at(at, Action::Tick(stage));
        }
    }

    fn call(&mut self, call: &Call, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            // The process died before the first byte.
            return;
        }
        let late = self.node.as_ref().is_some_and(|n| n.clock.uptime().since(call.claimed) > BEGIN_WITHIN);
        if late || self.clock_now() >= call.deadline {
            let result = CallResult::of(call, Heard::NotBegun("too late to begin"));
            return self.soon(1, Action::Heard { result: Box::new(result), generation });
        }
        let now = self.clock_now();
        let called = self.vendor.call(now, &call.request, &self.faults, &mut self.rng);
        let reply = answer(called.answer);
        self.tell(format!("{} is called: {}", call.attempt, word(&reply)));
        self.effects(called.effects);
        let wait = if reply.is_err() { 12 } else { 4 };
        let result = CallResult::of(call, Heard::Reply(reply));
        self.soon(wait, Action::Heard { result: Box::new(result), generation });
    }

    fn heard(&mut self, result: CallResult, generation: u64) {
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.settle_tick(self.clock.now_of(), vec![result]).now_or_never() {
            None => self.crash("while it settles a call"),
            Some((_, left)) if left.is_empty() => self.tick_soon(&Stage::ALL),
            Some(_) => self.violations.push(crate::oracle::Violation::new("liveness", "a result could not be settled")),
        }
    }

    fn ask(&mut self, ask: &Ask, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let late = self.node.as_ref().is_some_and(|n| n.clock.uptime().since(ask.claimed) > BEGIN_WITHIN);
        let heard = if late || (ask.how == Question::Repeat && self.clock_now() >= ask.deadline) {
            Heard::NotBegun("too late to ask")
        } else {
            let called = self.vendor.call(self.clock_now(), &ask.request, &self.faults, &mut self.rng);
            self.effects(called.effects);
            let reply = answer(called.answer);
            self.tell(format!("the vendor is asked about {}: {}", ask.attempt, word(&reply)));
            Heard::Reply(reply)
        };
        let answer = Answered { attempt: ask.attempt, how: ask.how, heard };
        self.soon(6, Action::Answered { answer: Box::new(answer), generation });
    }

    fn answered(&mut self, answer: Answered, generation: u64) {
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.answer_tick(self.clock.now_of(), vec![answer]).now_or_never() {
            None => self.crash("while it hears about an unclear text"),
            Some((_, left)) if left.is_empty() => self.tick_soon(&Stage::ALL),
            Some(_) => self.violations.push(crate::oracle::Violation::new("liveness", "an answer could not be committed")),
        }
    }

    fn cancel_order(&mut self, id: i64) {
        let now = self.now();
        if let Some(hook) = self.shop.order_cancelled(now, id, &mut self.rng) {
            self.tell("an order is cancelled");
            self.send_hook(hook);
        }
    }

    fn announce(&mut self, call: AnnounceCall, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let trouble = if self.calm { 0 } else { 150 };
        let reply = answer(self.follower.call(&call.request, trouble, &mut self.rng));
        self.tell(format!("the follower is told of {}: {}", call.row.kind, word(&reply)));
        let result = AnnounceResult { row: call.row, reply };
        self.soon(4, Action::Announced { result: Box::new(result), generation });
    }

    fn announced(&mut self, result: AnnounceResult, generation: u64) {
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.announce_settle_tick(self.clock.now_of(), vec![result]).now_or_never() {
            None => self.crash("while it settles an announcement"),
            Some((_, left)) if left.is_empty() => self.tick_soon(&[Stage::Announcements]),
            Some(_) => self.violations.push(crate::oracle::Violation::new("liveness", "an announcement could not be settled")),
        }
    }

    fn write(&mut self, call: WriteCall, generation: u64) {
        if generation != self.generation || self.node.is_none() {
            return;
        }
        let now = self.clock_now();
        let reply = answer(self.crm.call(now, &call.request, &self.faults, &mut self.rng));
        self.tell(format!("{} {} is written: {}", call.row.connector, call.row.record, word(&reply)));
        let result = WriteResult { row: call.row, word: call.word, reply };
        self.soon(4, Action::Written { result: Box::new(result), generation });
    }

    fn written(&mut self, result: WriteResult, generation: u64) {
        let Some(node) = self.node.as_ref().filter(|_| generation == self.generation) else { return };
        match node.writeback_settle_tick(self.clock.now_of(), vec![result]).now_or_never() {
            None => self.crash("while it settles a write-back"),
            Some((_, left)) if left.is_empty() => self.tick_soon(&[Stage::Writebacks]),
            Some(_) => self.violations.push(crate::oracle::Violation::new("liveness", "a write-back could not be settled")),
        }
    }
}

/// The clock's business time, for use while the node is borrowed.
trait NowOf {
    fn now_of(&self) -> trunkline_core::time::Time;
}

impl NowOf for std::sync::Arc<trunkline_core::clock::ManualClock> {
    fn now_of(&self) -> trunkline_core::time::Time {
        trunkline_core::clock::Clock::now(self.as_ref())
    }
}

fn answer(answer: Answer) -> Reply {
    match answer {
        Answer::Reply(response) => Ok(response),
        Answer::Hang => Err(TransportError { phase: Phase::Wait, detail: "no answer in time".to_owned() }),
        Answer::Refuse => Err(TransportError { phase: Phase::Connect, detail: "connection refused".to_owned() }),
    }
}

fn word(reply: &Reply) -> String {
    match reply {
        Ok(response) => format!("HTTP {}", response.status),
        Err(error) => error.to_string(),
    }
}
