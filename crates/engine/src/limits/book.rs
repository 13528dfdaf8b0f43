//! What one batch of claims takes: tokens of buckets, what is left of days, probes. Loaded before, counted text by text, and
//! taken in one commit before the claims.
//!
//! Apart from `limits.rs` because it lives for one batch only. What it takes is what the batch needs and no more; if
//! another node took something meanwhile, the batch claims nothing and is made again.

use std::collections::BTreeMap;

use trunkline_core::daily::{Daily, Day};
use trunkline_core::health::Health;
use trunkline_core::purpose::Priority;
use trunkline_core::rate::{Flow, Rate};
use trunkline_core::reason::Reason;
use trunkline_core::time::Time;
use trunkline_store::row::{GaugeKind, Message};
use trunkline_store::{Command, StoreError, Unit};

use super::{Limits, keep};
use crate::Engine;
use crate::effects::system_alert;

/// A bucket's row: a sender's, an account's (without a sender) or a country's (without an account).
type Key = (String, String);

/// A text, and what it takes from.
#[derive(Debug, Clone)]
pub(crate) struct Demand<'a> {
    /// The text.
    pub(crate) message: &'a Message,
    /// The recipient's country, where countries have rates.
    pub(crate) country: Option<String>,
}

/// What became of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It has all it needs.
    Yes,
    /// Not now; the batch's `next` says when to look again.
    Wait,
    /// Not before then, for this reason.
    Hold {
        /// Why.
        reason: Box<Reason>,
        /// When.
        until: Time,
    },
}

struct Bucket {
    flow: Flow,
    from: Time,
    granted: u32,
    used: u32,
    next: Time,
}

/// The places in the line for a country, for texts of one priority that do not fit now.
struct Line {
    from: Time,
    end: Time,
}

struct DayPage {
    daily: Daily,
    today: Day,
    rev: i64,
    was_full: bool,
    used: u32,
}

struct ProbePage {
    health: Health,
    rev: i64,
    left: u32,
    begun: u32,
}

/// What one batch may take, and what it took.
#[derive(Default)]
pub(crate) struct Book {
    buckets: BTreeMap<Key, Bucket>,
    lines: BTreeMap<Key, Line>,
    days: BTreeMap<String, DayPage>,
    probes: BTreeMap<String, ProbePage>,
    /// When what did not fit may be looked at again.
    pub(crate) next: Option<Time>,
}

/// The row of a country's bucket.
fn of_country(country: &str) -> Key {
    (String::new(), country.to_owned())
}

/// The row of the line for a country.
fn line_of(country: &str, priority: Priority) -> Key {
    (String::new(), format!("{country} {}", priority.number()))
}

impl Engine {
    /// The buckets that a text takes from, its country's last, each with its rate at the account's pace.
    fn flows(&self, demand: &Demand<'_>, limits: &Limits) -> Vec<(Key, Flow)> {
        let (account, sender) = demand.message.way();
        let pace = limits.pace(account);
        let key = |sender: &str| (account.to_owned(), sender.to_owned());
        let mut flows = Vec::with_capacity(3);
        flows.extend(self.definitions.sender(account, sender).map(|s| (key(sender), s.rate.at(pace))));
        flows.extend(self.account_rate(account).map(|rate| (key(""), rate.at(pace))));
        let country = demand.country.as_deref().and_then(|country| Some((country, self.definitions.countries.get(country)?)));
        flows.extend(country.map(|(country, rate)| (of_country(country), rate.at(trunkline_core::pace::FULL))));
        flows
    }

    /// The rate that an account has for all of its senders.
    pub(crate) fn account_rate(&self, account: &str) -> Option<Rate> {
        self.definitions.accounts.get(account)?.bounds.rate
    }

    /// Opens the book for a batch: reads what is in the buckets that its texts take from. Days and probes are in the limits.
    pub(crate) async fn book(&self, demands: &[Demand<'_>], limits: &Limits, probes: &BTreeMap<String, u32>, now: Time) -> Result<Book, StoreError> {
        let mut wanted: BTreeMap<Key, (Flow, u32)> = BTreeMap::new();
        let mut book = Book::default();
        for demand in demands {
            for (key, flow) in self.flows(demand, limits) {
                let entry = wanted.entry(key).or_insert((flow, 0));
                entry.1 = entry.1.saturating_add(cost(demand, flow));
            }
            let (account, sender) = demand.message.way();
            for (name, daily) in self.daily_limits(account, sender) {
                let (today, rev) = limits.day(&name, daily, now);
                let was_full = limits.was_full(&name, &today);
                book.days.entry(name).or_insert_with(|| DayPage { daily: daily.clone(), today, rev, was_full, used: 0 });
            }
        }
        for ((account, sender), (flow, want)) in wanted {
            let from = self.store.bucket(&account, &sender).await?;
            let grant = flow.take(from, now, want);
            if account.is_empty() && grant.granted < want {
                for priority in Priority::ALL {
                    let key = line_of(&sender, priority);
                    let from = self.store.bucket(&key.0, &key.1).await?;
                    book.lines.insert(key, Line { from, end: from });
                }
            }
            book.buckets.insert((account, sender), Bucket { flow, from, granted: grant.granted, used: 0, next: grant.next });
        }
        for (account, left) in probes {
            let (health, rev) = limits.account(account);
            book.probes.insert(account.clone(), ProbePage { health, rev, left: *left, begun: 0 });
        }
        Ok(book)
    }

    /// Takes what a text needs, all of it or nothing.
    pub(crate) fn take(&self, book: &mut Book, demand: &Demand<'_>, limits: &Limits, now: Time) -> Taken {
        let (account, sender) = demand.message.way();
        if book.probes.get(account).is_some_and(|page| page.begun >= page.left) {
            return Taken::Wait;
        }
        let segments = demand.message.intent.size.segments;
        let days: Vec<String> = self.daily_limits(account, sender).into_iter().map(|(name, _)| name).collect();
        for name in &days {
            let Some(page) = book.days.get_mut(name) else { continue };
            if page.daily.cost(segments) > page.daily.left(&page.today).saturating_sub(page.used) {
                // From now on the door is shut: there the text is held, or goes another way.
                page.today.full = true;
                book.next = Some(now);
                return Taken::Wait;
            }
        }
        let flows = self.flows(demand, limits);
        // A sender that is not configured any more sends nothing.
        if self.definitions.sender(account, sender).is_none() {
            return Taken::Wait;
        }
        for (key, flow) in &flows {
            let Some(bucket) = book.buckets.get(key) else { return Taken::Wait };
            if cost(demand, *flow) <= bucket.granted - bucket.used {
                continue;
            }
            let next = bucket.next;
            if key.0.is_empty() {
                return book.line_up(demand, &key.1, *flow, next);
            }
            book.next = book.next.into_iter().chain([next]).min();
            return Taken::Wait;
        }
        for (key, flow) in &flows {
            if let Some(bucket) = book.buckets.get_mut(key) {
                bucket.used += cost(demand, *flow);
            }
        }
        for name in &days {
            if let Some(page) = book.days.get_mut(name) {
                page.used += page.daily.cost(segments);
            }
        }
        if let Some(page) = book.probes.get_mut(account) {
            page.begun += 1;
        }
        Taken::Yes
    }

    /// Takes what the book says in one commit; false if somebody else took some of it meanwhile, and the batch may claim
    /// nothing.
    pub(crate) async fn settle_book(&self, book: &Book, now: Time) -> Result<bool, StoreError> {
        let mut units = Vec::new();
        for ((account, sender), bucket) in book.buckets.iter().filter(|(_, bucket)| bucket.used > 0) {
            let to = bucket.flow.take(bucket.from, now, bucket.used).tat;
            units.push(Unit::one(Command::Advance { account: account.clone(), sender: sender.clone(), from: bucket.from, to }));
        }
        for ((account, sender), line) in book.lines.iter().filter(|(_, line)| line.end != line.from) {
            units.push(Unit::one(Command::Advance { account: account.clone(), sender: sender.clone(), from: line.from, to: line.end }));
        }
        for (name, page) in &book.days {
            units.extend(page.unit(name)?);
        }
        for (account, page) in book.probes.iter().filter(|(_, page)| page.begun > 0) {
            let health = Health { breaker: page.health.breaker.probed(page.begun, now), ..page.health.clone() };
            units.push(Unit::one(keep(GaugeKind::Account, account, &health, page.rev)?));
        }
        if units.is_empty() {
            return Ok(true);
        }
        Ok(self.commit_all(now, "limits", units).await?.into_iter().all(|landed| landed))
    }
}

impl Book {
    /// A place in the line for a country. A text that stood in it before and comes too early again goes to its front: only
    /// who is new to it goes to its end.
    fn line_up(&mut self, demand: &Demand<'_>, country: &str, flow: Flow, next: Time) -> Taken {
        let again = demand.message.state.reasons.iter().any(|reason| matches!(reason, Reason::CountryRateFull { .. }));
        let lasts = flow.lasts(cost(demand, flow));
        let key = line_of(country, demand.message.intent.priority());
        let until = match (self.buckets.get_mut(&of_country(country)), self.lines.get_mut(&key)) {
            (_, Some(line)) if !again => {
                let place = line.end.max(next);
                line.end = place + lasts;
                place
            }
            (Some(bucket), _) => {
                bucket.next = next + lasts;
                next
            }
            (None, _) => next,
        };
        Taken::Hold { reason: Box::new(Reason::CountryRateFull { country: country.to_owned(), until }), until }
    }
}

impl DayPage {
    /// What is to be written: what was used, and once a day that it was not enough.
    fn unit(&self, name: &str) -> Result<Option<Unit>, StoreError> {
        let used = self.today.used.saturating_add(self.used);
        let full = self.today.full || used >= self.daily.limit;
        if self.used == 0 && !full {
            return Ok(None);
        }
        let mut commands = Vec::new();
        // For the first time today: had it been full when it was loaded, its texts would not have been looked at.
        if full {
            let Daily { limit, zone, .. } = &self.daily;
            let detail = format!("the limit of {name}, {limit} a day, is used up; its texts go another way where a route has one, or wait until midnight in {zone}");
            commands.push(Command::Owe(system_alert("daily_limit_reached", name, detail)));
        } else if self.was_full {
            commands.push(Command::CloseAlert { code: "daily_limit_reached".to_owned(), about: name.to_owned() });
        }
        commands.push(keep(GaugeKind::Day, name, &Day { used, full, ..self.today.clone() }, self.rev)?);
        Ok(Some(Unit(commands)))
    }
}

/// What a text costs of a rate: its segments, but no more than may ever leave at once.
fn cost(demand: &Demand<'_>, flow: Flow) -> u32 {
    demand.message.intent.size.segments.min(flow.most())
}
