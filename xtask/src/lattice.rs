//! The picture of a message's delivery state, drawn from the transition function itself.
//!
//! It walks every state that a menu of events can reach from nothing with at most two attempts, notes each change of
//! the delivery state, and fails if the hand-laid picture shows one change more or less. Flags (replied, opted out)
//! do not change the delivery state and are not drawn.

mod draw;

use std::collections::{BTreeSet, VecDeque};

use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::id::HookId;
use trunkline_core::message::{Delivery, Event, Evidence, Finding, Ruling, State, apply};
use trunkline_core::outcome::{Outcome, Refusal};
use trunkline_core::reason::Reason;
use trunkline_core::retry::Next;
use trunkline_core::time::Time;

/// Where the picture lives.
pub const FILE: &str = "docs/delivery-lattice.svg";

/// One change: from which delivery state (none before the message exists), by which kind of event, to which.
type Change = (Option<Delivery>, &'static str, Delivery);

/// Enough for a retry, a duplicate and a late answer; a third attempt reaches nothing new.
const MOST_ATTEMPTS: u32 = 2;
const NOW: Time = Time(0);
const LATER: Time = Time(1);

/// The picture, or what it would get wrong.
pub fn picture() -> anyhow::Result<String> {
    let (reached, drawn) = (reachable(), draw::changes());
    let missing = reached.difference(&drawn).map(|change| format!("not drawn: {}", sentence(change)));
    let invented = drawn.difference(&reached).map(|change| format!("drawn, but cannot happen: {}", sentence(change)));
    let wrong: Vec<String> = missing.chain(invented).collect();
    anyhow::ensure!(wrong.is_empty(), "the arrows of xtask/src/lattice/draw.rs must be mended:\n{}", wrong.join("\n"));
    Ok(draw::svg())
}

fn sentence((from, kind, to): &Change) -> String {
    format!("{} --{kind}--> {}", from.map_or("(nothing)", Delivery::word), to.word())
}

/// Every change of the delivery state that can happen.
fn reachable() -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut waiting: VecDeque<Option<State>> = VecDeque::from([None]);
    while let Some(state) = waiting.pop_front() {
        for event in menu(state.as_ref()) {
            let (Some(kind), Ok(next)) = (kind(&event), apply(state.as_ref(), &event, NOW)) else { continue };
            let (from, to) = (state.as_ref().map(State::delivery), next.delivery());
            if from != Some(to) {
                changes.insert((from, kind, to));
            }
            if seen.insert(format!("{next:?}")) {
                waiting.push_back(Some(next));
            }
        }
    }
    changes
}

/// The word on the arrow; nothing for events that never change the delivery state. No wildcard: a new kind of event
/// must be sorted in here, and into the menu if it changes something.
fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::Made { .. }
        | Event::Gated { .. }
        | Event::Claimed { .. }
        | Event::Settled { .. }
        | Event::TakenOver { .. }
        | Event::Receipt { .. }
        | Event::Canceled { .. }
        | Event::Looked { .. }
        | Event::GivenUp { .. }
        | Event::Ruled { .. } => Some(event.kind()),
        Event::Routed { .. } | Event::Asked { .. } | Event::Replied { .. } | Event::WrittenBack { .. } | Event::WritebackDead { .. } => None,
    }
}

/// What may happen next, sensible or not: the transition function says which of it applies.
fn menu(state: Option<&State>) -> Vec<Event> {
    let decisions = [Decision::Send, Decision::Hold { until: LATER }, Decision::Suppress, Decision::Expire, Decision::Fail];
    let verdicts = decisions.map(|decision| Verdict { decision, findings: Vec::new() });
    let Some(state) = state else {
        return verdicts.into_iter().map(|verdict| Event::Made { verdict }).collect();
    };
    let mut menu: Vec<Event> = verdicts.into_iter().map(|verdict| Event::Gated { verdict }).collect();
    menu.push(Event::Canceled { reason: Reason::CanceledBy { by: String::new() } });
    let tried = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
    if tried < MOST_ATTEMPTS {
        let verdict = Verdict { decision: Decision::Send, findings: Vec::new() };
        menu.push(Event::Claimed { n: tried + 1, account: String::new(), sender: String::new(), epoch: 1, verdict });
    }
    for n in 1..=tried {
        menu.push(Event::TakenOver { n, epoch: 2, ask_at: None });
        menu.extend(questions(n));
        menu.extend(settlements().map(|(outcome, next)| Event::Settled { n, outcome, next }));
        menu.extend([Evidence::Accepted, Evidence::Sent, Evidence::Undelivered, Evidence::Delivered].map(|evidence| receipt(n, evidence)));
    }
    menu
}

fn settlements() -> [(Outcome, Next); 5] {
    let transient = || Outcome::Transient { cause: String::new() };
    let refused = Outcome::Permanent { class: Refusal::Number, vendor_code: String::new(), message: String::new() };
    [
        (Outcome::Accepted { vendor_id: String::new() }, Next::Taken),
        (Outcome::Ambiguous { cause: String::new() }, Next::Unknown { ask_at: None }),
        (transient(), Next::Retry { at: LATER }),
        (transient(), Next::Expire),
        (refused, Next::Fail),
    ]
}

/// The ways out of `unknown`, receipts apart.
fn questions(n: u32) -> Vec<Event> {
    let cause = String::new;
    let taken = Finding::Taken { vendor_id: String::new(), status: String::new(), evidence: Some(Evidence::Accepted), vendor_code: String::new() };
    let nexts = [Next::Retry { at: LATER }, Next::Expire, Next::Fail];
    let mut all: Vec<Event> = nexts.into_iter().map(|next| Event::Looked { n, found: Finding::NotTaken { cause: cause(), next }, next: None }).collect();
    all.push(Event::Looked { n, found: taken, next: None });
    all.push(Event::Looked { n, found: Finding::Nothing { cause: cause() }, next: Some(LATER) });
    all.extend([None, Some(LATER)].map(|resend| Event::GivenUp { n, resend }));
    all.extend(Ruling::ALL.map(|ruling| Event::Ruled { n, ruling, by: String::new(), evidence: String::new(), again: None }));
    all
}

fn receipt(n: u32, evidence: Evidence) -> Event {
    Event::Receipt { n, status: String::new(), evidence: Some(evidence), vendor_code: String::new(), hook: HookId::new(0, LATER, [0; 16]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_exactly_what_can_happen() {
        let svg = picture().unwrap();
        for state in Delivery::ALL {
            assert!(svg.contains(&format!(">{}<", state.word())), "{}", state.word());
        }
        assert_eq!(svg, picture().unwrap());
    }

    #[test]
    fn a_proof_is_never_taken_back() {
        for (from, kind, to) in reachable() {
            assert_ne!(from, Some(Delivery::Delivered), "{kind} leads to {}", to.word());
        }
    }
}
