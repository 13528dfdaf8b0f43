//! Which way a text goes, where its route has several: when it is made, when the way it waits for is not well, and when an
//! attempt was certainly not taken.
//!
//! Its own file because all three must tell the same: a choice is kept in the text's history with its reason. The choosing
//! is `trunkline_core::route`; here is what it is chosen from. A text whose sender is given (the answer to a keyword) is
//! never moved.

use trunkline_core::message::{self, Event};
use trunkline_core::outcome::{Outcome, Refusal};
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::retry::Next;
use trunkline_core::route::{self, Arm, Fitness, Route, Unfit, Way, Why};
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, GaugeKind, Message, Place};
use trunkline_store::{Command, StoreError, Unit};

use crate::Engine;
use crate::effects::system_alert;
use crate::limits::{BRIEF, Door, Limits, RouteState, keep};

/// Another way for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detour {
    way: Way,
    reason: Reason,
    /// Whether the text was never tried there: then nothing is to be waited for.
    pub(crate) fresh: bool,
}

impl Detour {
    /// The entry in the text's history.
    pub(crate) fn event(self) -> Event {
        Event::Routed { way: self.way, reason: self.reason }
    }
}

/// The recipient's country, if the numbering plan tells.
pub(crate) fn country(address: &Address) -> Option<String> {
    match &address.place {
        Place::Sms(number) => number.region(),
        Place::NotANumber { .. } | Place::Nowhere | Place::Erased => None,
    }
}

/// A change that is followed by the text's going another way.
pub(crate) fn followed(mut change: MessageChange, detour: Detour, now: Time) -> MessageChange {
    let event = detour.event();
    if let Ok(state) = message::apply(Some(&change.message.state), &event, now) {
        change.message.state = state;
        change.events.push((event, None));
    }
    change
}

impl Engine {
    /// The way of a new text whose sender is not given, and why where there was a choice; nothing if no sender is configured.
    /// `limits` are there if there are routes.
    pub(crate) fn way_of_new(&self, address: &Address, purpose: Purpose, limits: Option<&Limits>, now: Time) -> Option<(Way, Option<Reason>)> {
        if let Some(limits) = limits
            && let Some(route) = self.definitions.route(country(address).as_deref(), purpose)
        {
            let ways = self.ways(route, limits, now);
            if let Some((way, why)) = route::choose(&ways, &address.id.bytes()) {
                return Some((way.clone(), Some(chosen(route, way, why))));
            }
        }
        let first = self.definitions.senders.first()?;
        Some((Way { account: first.account.clone(), sender: first.number.clone() }, None))
    }

    /// Another way for a text that waits for one that is not well.
    pub(crate) fn move_away(&self, message: &Message, address: &Address, because: Unfit, limits: &Limits, now: Time) -> Option<Detour> {
        if !message.state.may_move() {
            return None;
        }
        let (account, sender) = message.way();
        self.detour(message, address, (account, sender), limits, now, Why::Moved { account: account.to_owned(), sender: sender.to_owned(), because })
    }

    /// Another way for a text whose newest attempt was certainly not taken, and that is worth trying again.
    pub(crate) fn fail_over(&self, (message, address): (&Message, &Address), n: u32, outcome: &Outcome, next: &Next, limits: &Limits, now: Time) -> Option<Detour> {
        let definite = match outcome {
            Outcome::Throttled { .. } | Outcome::Transient { .. } | Outcome::NotWritten { .. } | Outcome::Permanent { class: Refusal::Account, .. } => true,
            Outcome::Permanent { class: Refusal::Number | Refusal::Policy | Refusal::Content, .. } | Outcome::Accepted { .. } | Outcome::Ambiguous { .. } => false,
        };
        if !definite || !matches!(next, Next::Retry { .. }) || !message.state.may_move_without(n) {
            return None;
        }
        let attempt = message.state.attempts.last()?;
        let why = Why::FailedOver { account: attempt.account.clone(), sender: attempt.sender.clone(), outcome: outcome.word().to_owned() };
        self.detour(message, address, (&attempt.account, &attempt.sender), limits, now, why)
    }

    fn detour(&self, message: &Message, address: &Address, from: (&str, &str), limits: &Limits, now: Time, why: Why) -> Option<Detour> {
        if message.intent.origin.exempt() {
            return None;
        }
        let route = self.definitions.route(country(address).as_deref(), message.intent.purpose).filter(|route| route.has(from.0, from.1))?;
        // What failed is the account and not its sender: another sender of the same account is no way out.
        let failed = |arm: &Arm| matches!(why, Why::FailedOver { .. }) && arm.way.account == from.0;
        // A text is not led to where it would be suppressed.
        let blocked = |arm: &Arm| address.consent.blocks.iter().any(|block| block.account == arm.way.account && block.sender == arm.way.sender);
        let ways: Vec<(&Arm, Fitness)> = self.ways(route, limits, now).into_iter().filter(|(arm, _)| !blocked(arm) && !failed(arm)).collect();
        let tried: Vec<(&str, &str)> = message.state.attempts.iter().map(|attempt| (attempt.account.as_str(), attempt.sender.as_str())).collect();
        let (way, fresh) = route::other(&ways, &address.id.bytes(), from, &tried)?;
        Some(Detour { way: way.clone(), reason: chosen(route, way, why), fresh })
    }

    /// The ways of a route, and how each is.
    fn ways<'a>(&self, route: &'a Route, limits: &Limits, now: Time) -> Vec<(&'a Arm, Fitness)> {
        route.arms.iter().map(|arm| (arm, self.fitness(&arm.way, limits, now))).collect()
    }

    fn fitness(&self, way: &Way, limits: &Limits, now: Time) -> Fitness {
        match self.door(limits, &way.account, &way.sender, now) {
            Door::Shut(shut) if shut.unfit == Unfit::Throttled && shut.until.since(now) < BRIEF => Fitness::Well,
            Door::Shut(shut) => Fitness::Unfit(shut.unfit),
            Door::Open { probes: Some(_) } => Fitness::Probing,
            Door::Open { probes: None } => match limits.well_since(&way.account, now) {
                Some(since) => route::returned(since, self.breaker_rule(&way.account).return_after, now),
                None => Fitness::Well,
            },
        }
    }

    /// Raises an alert for each route of which no way is well any more, and closes it when one is.
    pub(crate) async fn watch_routes(&self, limits: &Limits, now: Time) -> Result<(), StoreError> {
        let mut units = Vec::new();
        for route in &self.definitions.routes {
            let bad = self.ways(route, limits, now).iter().all(|(_, fitness)| matches!(fitness, Fitness::Unfit(_) | Fitness::Probing));
            let (kept, rev) = limits.route(&route.name);
            if bad == kept.bad {
                continue;
            }
            let alert = if bad {
                let detail = format!("no way of {} is well: its texts wait as long as they are worth sending; see the other alerts for what is the matter with each", route.name);
                Command::Owe(system_alert("all_routes_bad", &route.name, detail))
            } else {
                Command::CloseAlert { code: "all_routes_bad".to_owned(), about: route.name.clone() }
            };
            units.push(Unit(vec![alert, keep(GaugeKind::Route, &route.name, &RouteState { bad }, rev)?]));
        }
        if !units.is_empty() {
            // Whoever was first has said it.
            self.commit_all(now, "routes", units).await?;
        }
        Ok(())
    }
}

fn chosen(route: &Route, way: &Way, why: Why) -> Reason {
    Reason::RouteChosen { route: route.name.clone(), account: way.account.clone(), sender: way.sender.clone(), why }
}
