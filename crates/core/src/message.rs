//! A message's state: what we are doing about it, and what the vendors have proved about it.
//!
//! Its own file because this is the one transition function. Work states are a machine; evidence is a lattice
//! (`accepted < sent < undelivered < delivered`) kept per attempt, so that receipts may come in any order, any
//! number of times. The word that people see is derived. Nothing here decides: events say what was decided.

use serde::{Deserialize, Serialize};

use crate::gate::{Decision, Verdict};
use crate::id::{HookId, InboundId, MessageId};
use crate::keyword::How;
use crate::outcome::Outcome;
use crate::planted::{Fault, planted};
use crate::reason::Reason;
pub use crate::resolve::{Finding, Question, Ruling};
use crate::retry::Next;
use crate::route::Way;
use crate::time::Time;

pub use self::ignored::Ignored;

/// The version of this fold, kept with every event so that `verify` folds as the writer did.
pub const FOLD_VERSION: u32 = 1;

/// What we are doing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// May be claimed when due.
    Queued,
    /// The gate asked for patience; asked again when due.
    Held,
    /// An attempt is in the air.
    Dispatched,
    /// It may have been taken; waits for evidence, never sent again by itself.
    Unknown,
    /// A vendor has it; the rest is evidence.
    Taken,
    /// Ended: the recipient does not want it.
    Suppressed,
    /// Ended: too late.
    Expired,
    /// Ended: somebody cancelled it.
    Canceled,
    /// Ended: it cannot be sent.
    Failed,
}

/// What a vendor has proved, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The vendor has it.
    Accepted,
    /// The carrier has it.
    Sent,
    /// It did not arrive; a later `delivered` corrects this.
    Undelivered,
    /// It arrived.
    Delivered,
}

/// The derived delivery state, as stored, filtered and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Waiting for a slot.
    Queued,
    /// Waiting for the gate.
    Held,
    /// In the air.
    Dispatched,
    /// Nobody knows.
    Unknown,
    /// The vendor has it.
    Accepted,
    /// The carrier has it.
    Sent,
    /// It did not arrive.
    Undelivered,
    /// It arrived.
    Delivered,
    /// Not wanted.
    Suppressed,
    /// Too late.
    Expired,
    /// Cancelled.
    Canceled,
    /// Cannot be sent.
    Failed,
}

impl Delivery {
    /// All of them, in the order of a message's life.
    pub const ALL: [Delivery; 12] = [
        Delivery::Queued,
        Delivery::Held,
        Delivery::Dispatched,
        Delivery::Unknown,
        Delivery::Accepted,
        Delivery::Sent,
        Delivery::Undelivered,
        Delivery::Delivered,
        Delivery::Suppressed,
        Delivery::Expired,
        Delivery::Canceled,
        Delivery::Failed,
    ];

    /// The word in rows, the API and the console.
    pub const fn word(self) -> &'static str {
        match self {
            Delivery::Queued => "queued",
            Delivery::Held => "held",
            Delivery::Dispatched => "dispatched",
            Delivery::Unknown => "unknown",
            Delivery::Accepted => "accepted",
            Delivery::Sent => "sent",
            Delivery::Undelivered => "undelivered",
            Delivery::Delivered => "delivered",
            Delivery::Suppressed => "suppressed",
            Delivery::Expired => "expired",
            Delivery::Canceled => "canceled",
            Delivery::Failed => "failed",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Delivery> {
        Delivery::ALL.into_iter().find(|d| d.word() == word)
    }

    /// Whether a text of this state still blocks later texts of its run (I9): `unknown` counts as left.
    pub const fn blocks(self) -> bool {
        matches!(self, Delivery::Queued | Delivery::Held | Delivery::Dispatched)
    }
}

/// One attempt, as the state machine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first.
    pub n: u32,
    /// The provider account.
    pub account: String,
    /// The sender.
    pub sender: String,
    /// The process generation that claimed it.
    pub epoch: i64,
    /// When the claim committed.
    pub claimed_at: Time,
    /// The end of the hours in which it left, if that comes before its deadline: the carrier must have it by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// What it told us, once it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it told us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Time>,
    /// The highest evidence seen for it, and the code that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<(Evidence, String)>,
    /// How often the vendor was asked about it.
    #[serde(default, skip_serializing_if = "zero")]
    pub asked: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn zero(n: &u32) -> bool {
    *n == 0
}

/// Things that happened around a message; they add to its state and never replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flags {
    /// The recipient answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replied: Option<Time>,
    /// The recipient answered with STOP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<Time>,
}

/// Whether more than one text may be on the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicate {
    /// One at most.
    #[default]
    No,
    /// Two attempts have evidence.
    Known,
}

/// The whole state of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What we are doing about it.
    pub work: Work,
    /// When it is due, if queued or held.
    pub due: Option<Time>,
    /// Why it is in this state.
    pub reasons: Vec<Reason>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// What happened around it.
    pub flags: Flags,
    /// Whether it is on a phone twice.
    pub duplicate: Duplicate,
    /// The way that it goes now, where that is no longer the one that its intent has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
}

/// One entry of a message's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The intent was made; the gate's verdict sets its first state.
    Made {
        /// What the gate said.
        verdict: Verdict,
    },
    /// The gate was asked again while it waited.
    Gated {
        /// What the gate said.
        verdict: Verdict,
    },
    /// It goes another way from now on: every attempt so far was certainly not taken.
    Routed {
        /// The way.
        way: Way,
        /// Why.
        reason: Reason,
    },
    /// An attempt was recorded; its bytes leave after this commit.
    Claimed {
        /// Which attempt.
        n: u32,
        /// The provider account.
        account: String,
        /// The sender.
        sender: String,
        /// The process generation.
        epoch: i64,
        /// What the gate said at the claim.
        verdict: Verdict,
    },
    /// The attempt told us something.
    Settled {
        /// Which attempt.
        n: u32,
        /// What it told us.
        outcome: Outcome,
        /// What follows.
        next: Next,
    },
    /// The process that held the attempt is gone.
    TakenOver {
        /// Which attempt.
        n: u32,
        /// The generation that takes over.
        epoch: i64,
        /// When the vendor is asked about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask_at: Option<Time>,
    },
    /// The vendor is asked about an attempt of unknown fate; the question leaves after this commit.
    Asked {
        /// Which attempt.
        n: u32,
        /// How.
        how: Question,
        /// When it is asked again, should nobody hear the answer.
        again_at: Time,
    },
    /// What asking brought.
    Looked {
        /// Which attempt.
        n: u32,
        /// What it brought.
        found: Finding,
        /// When it is asked again, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Time>,
    },
    /// The time for asking is over.
    GivenUp {
        /// Which attempt.
        n: u32,
        /// When it is sent again, if the purpose would rather have two than none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resend: Option<Time>,
    },
    /// A person decided about an attempt of unknown fate.
    Ruled {
        /// Which attempt.
        n: u32,
        /// What.
        ruling: Ruling,
        /// Who.
        by: String,
        /// What she saw.
        evidence: String,
        /// The text that was made instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<MessageId>,
    },
    /// A receipt.
    Receipt {
        /// Which attempt.
        n: u32,
        /// The vendor's word.
        status: String,
        /// What it proves; absent if we do not know the word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
        /// The vendor's error code, or empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        vendor_code: String,
        /// The hook that brought it.
        hook: HookId,
    },
    /// It will not be sent after all.
    Canceled {
        /// By whom or what.
        reason: Reason,
    },
    /// The recipient answered it.
    Replied {
        /// The answer.
        inbound: InboundId,
        /// Whether the answer was STOP.
        stop: bool,
        /// How it was understood; absent in histories from before that was noted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        how: Option<How>,
    },
    /// Another system was told.
    WrittenBack {
        /// The connector.
        connector: String,
        /// The record there.
        record: String,
        /// The status that was written.
        word: String,
    },
    /// Another system could not be told.
    WritebackDead {
        /// The connector.
        connector: String,
        /// The record there.
        record: String,
        /// Why.
        cause: String,
    },
}

impl Event {
    /// The word for the timeline.
    pub const fn kind(&self) -> &'static str {
        match self {
            Event::Made { .. } => "made",
            Event::Gated { .. } => "gated",
            Event::Routed { .. } => "routed",
            Event::Claimed { .. } => "claimed",
            Event::Settled { .. } => "settled",
            Event::TakenOver { .. } => "taken_over",
            Event::Asked { .. } => "asked",
            Event::Looked { .. } => "looked",
            Event::GivenUp { .. } => "given_up",
            Event::Ruled { .. } => "ruled",
            Event::Receipt { .. } => "receipt",
            Event::Canceled { .. } => "canceled",
            Event::Replied { .. } => "replied",
            Event::WrittenBack { .. } => "written_back",
            Event::WritebackDead { .. } => "writeback_dead",
        }
    }
}

impl State {
    /// The strongest evidence of any attempt.
    pub fn evidence(&self) -> Option<Evidence> {
        self.attempts.iter().filter_map(|a| a.evidence.as_ref().map(|(e, _)| *e)).max()
    }

    /// The vendor's code that came with the strongest evidence, or with the last refusal.
    pub fn vendor_code(&self) -> Option<&str> {
        let best = self.attempts.iter().filter_map(|a| a.evidence.as_ref()).max();
        let code = best.map(|(_, code)| code.as_str()).filter(|c| !c.is_empty());
        code.or_else(|| match &self.attempts.last()?.outcome {
            Some(Outcome::Permanent { vendor_code, .. } | Outcome::Throttled { vendor_code, .. }) => Some(vendor_code),
            _ => None,
        })
    }

    /// The derived delivery state: evidence outranks everything of ours.
    pub fn delivery(&self) -> Delivery {
        match self.evidence() {
            Some(Evidence::Delivered) => Delivery::Delivered,
            Some(Evidence::Undelivered) => Delivery::Undelivered,
            Some(Evidence::Sent) => Delivery::Sent,
            Some(Evidence::Accepted) => Delivery::Accepted,
            None => match self.work {
                Work::Queued => Delivery::Queued,
                Work::Held => Delivery::Held,
                Work::Dispatched => Delivery::Dispatched,
                Work::Unknown => Delivery::Unknown,
                Work::Taken => Delivery::Accepted,
                Work::Suppressed => Delivery::Suppressed,
                Work::Expired => Delivery::Expired,
                Work::Canceled => Delivery::Canceled,
                Work::Failed => Delivery::Failed,
            },
        }
    }

    /// The one word that people see.
    pub fn word(&self) -> &'static str {
        if self.flags.opted_out.is_some() {
            "opted out"
        } else if self.flags.replied.is_some() {
            "replied"
        } else {
            self.delivery().word()
        }
    }

    /// Whether it may be claimed: nothing has left, and it waits.
    pub fn claimable(&self) -> bool {
        matches!(self.work, Work::Queued | Work::Held) && self.evidence().is_none()
    }
}

/// The one transition function: the state after an event, or why the event changes nothing.
pub fn apply(state: Option<&State>, event: &Event, at: Time) -> Result<State, Ignored> {
    let Some(state) = state else {
        return match event {
            Event::Made { verdict } => Ok(made(verdict, at)),
            _ => Err(Ignored::NotMade),
        };
    };
    let mut next = state.clone();
    match event {
        Event::Made { .. } => return Err(Ignored::AlreadyMade),
        Event::Gated { verdict } => {
            if !state.claimable() {
                return Err(Ignored::NotWaiting);
            }
            gated(&mut next, verdict, at);
        }
        Event::Routed { way, reason } => routed::moved(&mut next, way, reason)?,
        Event::Claimed { n, account, sender, epoch, verdict } => {
            if !state.claimable() {
                return Err(Ignored::NotWaiting);
            }
            let (account, sender) = (account.clone(), sender.clone());
            let valid_until = verdict.hours_end();
            next.attempts.push(Attempt { n: *n, account, sender, epoch: *epoch, claimed_at: at, valid_until, outcome: None, settled_at: None, evidence: None, asked: 0 });
            (next.work, next.due, next.reasons) = (Work::Dispatched, None, Vec::new());
        }
        Event::Settled { n, outcome, next: follow } => settled(&mut next, *n, outcome, follow, at)?,
        Event::TakenOver { n, ask_at, .. } => {
            if attempt(&mut next, *n)?.outcome.is_some() {
                return Err(Ignored::AlreadySettled);
            }
            if next.work == Work::Dispatched {
                (next.work, next.due) = (Work::Unknown, *ask_at);
                next.reasons = vec![Reason::Unclear { cause: format!("the process ended while attempt {n} was in the air") }];
            }
        }
        Event::Asked { n, again_at, .. } => {
            unclear::attempt(&mut next, *n)?.asked += 1;
            next.due = Some(*again_at);
        }
        Event::Looked { n, found, next: again } => unclear::looked(&mut next, *n, found, *again, at)?,
        Event::GivenUp { n, resend } => unclear::given_up(&mut next, *n, *resend)?,
        Event::Ruled { n, ruling, by, evidence, again } => unclear::ruled(&mut next, *n, *ruling, (by, evidence), *again)?,
        Event::Receipt { n, evidence, vendor_code, .. } => {
            let attempt = attempt(&mut next, *n)?;
            let told = evidence.map(|e| (e, vendor_code.clone()));
            let before = attempt.evidence.take();
            attempt.evidence = if planted(Fault::LastReceiptWins) { told.or(before) } else { before.max(told) };
        }
        Event::Canceled { reason } => {
            if !state.claimable() {
                return Err(Ignored::NotWaiting);
            }
            (next.work, next.due, next.reasons) = (Work::Canceled, None, vec![reason.clone()]);
        }
        Event::Replied { stop, .. } => {
            next.flags.replied = Some(next.flags.replied.map_or(at, |t| t.min(at)));
            if *stop {
                next.flags.opted_out = Some(next.flags.opted_out.map_or(at, |t| t.min(at)));
            }
        }
        Event::WrittenBack { .. } | Event::WritebackDead { .. } => {}
    }
    resolve(&mut next);
    Ok(next)
}

/// Folds a whole history; ignored events stay ignored.
pub fn fold<'a>(events: impl IntoIterator<Item = (&'a Event, Time)>) -> Option<State> {
    let mut state = None;
    for (event, at) in events {
        if let Ok(next) = apply(state.as_ref(), event, at) {
            state = Some(next);
        }
    }
    state
}

fn made(verdict: &Verdict, at: Time) -> State {
    let mut state = State { work: Work::Queued, due: Some(at), reasons: Vec::new(), attempts: Vec::new(), flags: Flags::default(), duplicate: Duplicate::No, way: None };
    gated(&mut state, verdict, at);
    state
}

fn gated(state: &mut State, verdict: &Verdict, at: Time) {
    let (work, due) = match verdict.decision {
        Decision::Send => (Work::Queued, Some(at)),
        Decision::Hold { until } => (Work::Held, Some(until)),
        Decision::Suppress => (Work::Suppressed, None),
        Decision::Expire => (Work::Expired, None),
        Decision::Fail => (Work::Failed, None),
    };
    let grave = verdict.findings.iter().filter(|f| crate::gate::consequence(f) != Decision::Send);
    (state.work, state.due, state.reasons) = (work, due, grave.cloned().collect());
}

fn attempt(state: &mut State, n: u32) -> Result<&mut Attempt, Ignored> {
    state.attempts.iter_mut().find(|a| a.n == n).ok_or(Ignored::NoSuchAttempt)
}

fn settled(state: &mut State, n: u32, outcome: &Outcome, follow: &Next, at: Time) -> Result<(), Ignored> {
    let tried = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
    let entry = attempt(state, n)?;
    if entry.outcome.is_some() {
        return Err(Ignored::AlreadySettled);
    }
    entry.outcome = Some(outcome.clone());
    entry.settled_at = Some(at);
    if matches!(outcome, Outcome::Accepted { .. }) {
        entry.evidence = entry.evidence.take().max(Some((Evidence::Accepted, String::new())));
    }
    let newest = state.attempts.last().is_some_and(|a| a.n == n);
    if newest && matches!(state.work, Work::Dispatched | Work::Unknown) {
        follow_up(state, outcome, follow, tried);
    }
    Ok(())
}

/// What the newest attempt's outcome makes of the message.
fn follow_up(state: &mut State, outcome: &Outcome, follow: &Next, tried: u32) {
    let cause = outcome.cause();
    let (work, due, reason) = match follow {
        Next::Taken => (Work::Taken, None, None),
        Next::Retry { at } => (Work::Queued, Some(*at), Some(Reason::RetryLater { at: *at, cause })),
        Next::Unknown { ask_at } => (Work::Unknown, *ask_at, Some(Reason::Unclear { cause })),
        Next::Expire => (Work::Expired, None, Some(Reason::AttemptsUsedUp { tried, cause })),
        Next::Fail => {
            let reason = match outcome {
                Outcome::Permanent { class, vendor_code, .. } => Reason::Refused { class: class.word().to_owned(), vendor_code: vendor_code.clone() },
                _ => Reason::AttemptsUsedUp { tried, cause },
            };
            (Work::Failed, None, Some(reason))
        }
    };
    (state.work, state.due, state.reasons) = (work, due, reason.into_iter().collect());
}

/// Evidence settles what we were doing: a proved text is neither sent again nor unclear.
fn resolve(state: &mut State) {
    if state.evidence().is_some() && state.work != Work::Dispatched {
        if state.work != Work::Taken {
            state.reasons.clear();
        }
        (state.work, state.due) = (Work::Taken, None);
    }
    if state.attempts.iter().filter(|a| a.evidence.is_some()).count() > 1 {
        state.duplicate = Duplicate::Known;
    }
}

mod ignored;
mod routed;
mod unclear;

#[cfg(test)]
#[path = "message/tests.rs"]
mod tests;
