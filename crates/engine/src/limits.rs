//! What may be called now: pauses, paces, breakers and daily limits as they stand, and what calls make of them.
//!
//! Its own file because claiming, settling and choosing a way must see the same. All of it is one read for a batch, and a
//! write only where something moved: while every account is well, settling writes nothing here. Taking from buckets is
//! in `limits/book.rs`.

pub(crate) mod book;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trunkline_core::breaker::{Breaker, May, Rule};
use trunkline_core::daily::{Daily, Day};
use trunkline_core::health::{Health, Heard, Turn};
use trunkline_core::pace;
use trunkline_core::reason::Reason;
use trunkline_core::route::Unfit;
use trunkline_core::time::{Span, Time};
use trunkline_store::row::{Gauge, GaugeKind, Pause, Standing};
use trunkline_store::{Command, StoreError, Unit};

use crate::Engine;
use crate::effects::system_alert;

/// A wait that is shorter is only waited for: nobody is told, and no text goes another way for it.
pub(crate) const BRIEF: Span = Span::secs(5);
/// How often what calls told is written again because somebody else was first.
const RELOADS: usize = 3;

/// What is kept of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RouteState {
    /// Whether no way of it is well.
    pub(crate) bad: bool,
}

/// Everything of this kind, as loaded for one batch; each value with the revision that its row must have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pauses: Vec<Pause>,
    accounts: BTreeMap<String, (Health, i64)>,
    days: BTreeMap<String, (Day, i64)>,
    routes: BTreeMap<String, (RouteState, i64)>,
}

/// Whether texts may go through an account and sender now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    /// They may: all of them, or so many of the account, to see whether it is well.
    Open {
        /// How many, if not all.
        probes: Option<u32>,
    },
    /// They may not.
    Shut(Box<Shut>),
}

/// Why and until when texts may not go this way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shut {
    /// When to look again.
    pub(crate) until: Time,
    /// What is the matter, for the text's history.
    pub(crate) reason: Reason,
    /// The same, for choosing another way.
    pub(crate) unfit: Unfit,
}

impl Limits {
    /// What the store says.
    pub(crate) fn read(standing: Standing) -> Result<Limits, StoreError> {
        let mut limits = Limits { pauses: standing.pauses, ..Limits::default() };
        for gauge in standing.gauges {
            match gauge.kind {
                GaugeKind::Account => {
                    limits.accounts.insert(gauge.name.clone(), (body(&gauge)?, gauge.rev));
                }
                GaugeKind::Day => {
                    limits.days.insert(gauge.name.clone(), (body(&gauge)?, gauge.rev));
                }
                GaugeKind::Route => {
                    limits.routes.insert(gauge.name.clone(), (body(&gauge)?, gauge.rev));
                }
            }
        }
        Ok(limits)
    }

    /// How an account is, and its revision.
    pub(crate) fn account(&self, name: &str) -> (Health, i64) {
        self.accounts.get(name).cloned().unwrap_or_default()
    }

    /// What was used of a daily limit today, and its revision; what was kept before today is forgotten.
    pub(crate) fn day(&self, name: &str, daily: &Daily, now: Time) -> (Day, i64) {
        let (kept, rev) = self.days.get(name).cloned().unwrap_or_default();
        (daily.today(&kept, now), rev)
    }

    /// Whether the limit's last day, if it is over, ended full: its alert is to be closed.
    pub(crate) fn was_full(&self, name: &str, today: &Day) -> bool {
        self.days.get(name).is_some_and(|(kept, _)| kept.full && kept.day != today.day)
    }

    /// What is kept of a route, and its revision.
    pub(crate) fn route(&self, name: &str) -> (RouteState, i64) {
        self.routes.get(name).copied().unwrap_or_default()
    }

    /// The pause of an account that is in force.
    fn paused(&self, account: &str, now: Time) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.account == account && pause.until > now)
    }

    /// Since when an account is well again, if it ever was not: out of its breaker and out of its pause.
    pub(crate) fn well_since(&self, account: &str, now: Time) -> Option<Time> {
        let pause = self.pauses.iter().find(|pause| pause.account == account && pause.until <= now).map(|pause| pause.until);
        let closed = match self.account(account).0.breaker {
            Breaker::Closed { since, .. } => since,
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => None,
        };
        pause.max(closed)
    }

    /// The share of its full speed at which an account may be called, in thousandths.
    pub(crate) fn pace(&self, account: &str) -> u32 {
        self.accounts.get(account).map_or(pace::FULL, |(health, _)| health.pace.permille)
    }
}

/// What a gauge keeps.
fn body<T: DeserializeOwned>(gauge: &Gauge) -> Result<T, StoreError> {
    serde_json::from_str(&gauge.body).map_err(|e| StoreError::Inconsistent { table: "gauge", column: "body", cause: format!("{} {}: {e}", gauge.kind.word(), gauge.name) })
}

/// The command that keeps something.
pub(crate) fn keep<T: Serialize>(kind: GaugeKind, name: &str, value: &T, rev: i64) -> Result<Command, StoreError> {
    let body = serde_json::to_string(value).map_err(|e| StoreError::Inconsistent { table: "gauge", column: "body", cause: e.to_string() })?;
    Ok(Command::PutGauge(Gauge { kind, name: name.to_owned(), body, rev }))
}

/// What a sender's daily limit is called in rows; an account's is called as the account.
pub(crate) fn day_of_sender(account: &str, sender: &str) -> String {
    format!("{account}/{sender}")
}

impl Engine {
    /// Everything that says what may be called now.
    pub(crate) async fn limits(&self) -> Result<Limits, StoreError> {
        Limits::read(self.store.standing().await?)
    }

    /// The same where a way has to be chosen; nothing, and nothing is read, where there are no routes.
    pub(crate) async fn limits_for_routes(&self) -> Result<Option<Limits>, StoreError> {
        if self.definitions.routes.is_empty() { Ok(None) } else { self.limits().await.map(Some) }
    }

    /// When an account's breaker opens and closes.
    pub(crate) fn breaker_rule(&self, account: &str) -> Rule {
        self.definitions.accounts.get(account).map(|a| a.bounds.breaker).unwrap_or_default()
    }

    /// Whether texts may go through an account and sender now. Rates apart: those are taken from text by text.
    pub(crate) fn door(&self, limits: &Limits, account: &str, sender: &str, now: Time) -> Door {
        let name = || account.to_owned();
        if let Some(pause) = limits.paused(account, now) {
            return Door::Shut(Box::new(Shut { until: pause.until, reason: Reason::AccountPaused { account: name() }, unfit: Unfit::AccountPaused }));
        }
        for (of, daily) in self.daily_limits(account, sender) {
            let today = limits.day(&of, daily, now).0;
            if today.full {
                let until = daily.reset(now);
                return Door::Shut(Box::new(Shut { until, reason: Reason::DayFull { of, until }, unfit: Unfit::DailyLimit }));
            }
        }
        let health = limits.account(account).0;
        if let Some(until) = health.pace.held(now) {
            return Door::Shut(Box::new(Shut { until, reason: Reason::AccountRateFull { account: name(), until }, unfit: Unfit::Throttled }));
        }
        match health.breaker.may(&self.breaker_rule(account), now) {
            May::Everything => Door::Open { probes: None },
            May::Probes(most) => Door::Open { probes: Some(most) },
            May::Nothing { until } => Door::Shut(Box::new(Shut { until, reason: Reason::BreakerOpen { account: name(), until }, unfit: Unfit::BreakerOpen })),
        }
    }

    /// The daily limits that a text through an account and sender counts for, by their names.
    pub(crate) fn daily_limits(&self, account: &str, sender: &str) -> Vec<(String, &Daily)> {
        let of_sender = self.definitions.sender(account, sender).and_then(|s| s.daily.as_ref()).map(|daily| (day_of_sender(account, sender), daily));
        let of_account = self.definitions.accounts.get(account).and_then(|a| a.bounds.daily.as_ref()).map(|daily| (account.to_owned(), daily));
        of_sender.into_iter().chain(of_account).collect()
    }

    /// What a batch of outcomes makes of their accounts: one row for each account that changed, and none where nothing did.
    /// The limits are those from then on.
    pub(crate) fn feel(&self, limits: &mut Limits, heard: &BTreeMap<String, Heard>, now: Time) -> Result<Vec<(String, Unit)>, StoreError> {
        let mut units = Vec::new();
        for (account, heard) in heard {
            let (before, rev) = limits.account(account);
            let (after, turn) = before.after(&self.breaker_rule(account), *heard, now);
            if after == before {
                continue;
            }
            let mut commands = Vec::new();
            match turn {
                Turn::Opened => commands.push(Command::Owe(system_alert("breaker_open", account, opened(account)))),
                Turn::Closed => commands.push(Command::CloseAlert { code: "breaker_open".to_owned(), about: account.clone() }),
                Turn::None => {}
            }
            commands.push(keep(GaugeKind::Account, account, &after, rev)?);
            units.push((account.clone(), Unit(commands)));
            limits.accounts.insert(account.clone(), (after, rev));
        }
        Ok(units)
    }

    /// Writes what outcomes told of these accounts, where the first writing of it lost a race.
    pub(crate) async fn feel_again(&self, mut heard: BTreeMap<String, Heard>, now: Time) -> Result<(), StoreError> {
        for _ in 0..RELOADS {
            if heard.is_empty() {
                break;
            }
            let mut limits = self.limits().await?;
            let (accounts, units): (Vec<String>, Vec<Unit>) = self.feel(&mut limits, &heard, now)?.into_iter().unzip();
            let landed = self.commit_all(now, "health", units).await?;
            let lost: Vec<String> = accounts.into_iter().zip(landed).filter(|(_, landed)| !landed).map(|(account, _)| account).collect();
            heard.retain(|account, _| lost.contains(account));
        }
        // What is told too little, the next outcomes tell again.
        Ok(())
    }
}

fn opened(account: &str) -> String {
    format!(
        "most calls to account '{account}' fail, so that only a few are made to see when it is well; its texts go another way where a route has one, or wait: look at its vendor's status page"
    )
}
