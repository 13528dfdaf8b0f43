//! Gaps in our intake: what came while webhooks were lost is read from the vendors' lists, before texts go out again.
//!
//! Its own file because it is a stage that calls out, in two ticks: one gives back the pages to ask for as data, the
//! other files what they show. It applies nothing itself. What is found waits in the same lanes as webhooks, with the
//! same keys, and in the inbox it is a copy or it is news.
//!
//! Why the order is right: texts of an account wait from the instant its gap is known (on disk, or in memory until it
//! is). A page turns only after what it showed is filed. The account is let go only when all that people sent is filed
//! and its inbound lane holds nothing that was filed until then, so that a STOP in the list is on the ledger; and the
//! gate asks the ledger at each claim. A crash anywhere in between begins the reading anew, which files copies.

mod found;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use trunkline_connectors::http::{Reply, Request};
use trunkline_connectors::sms::ask::{Listing, NotListed, Page};
use trunkline_core::gap::{self, BACKOFF, BEAT_EVERY, Cause, Door, LATE, Reading, TELL_AFTER};
use trunkline_core::time::{Span, Time};
use trunkline_store::row::Gap;
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::{Account, Definitions};
use crate::effects::system_alert;
use crate::{Engine, Stage, Tick};

pub use found::LISTED;
pub(crate) use found::read;

/// When a page is asked for again whose answer nobody heard: longer than any call takes.
const UNHEARD: Span = Span::mins(2);
/// When to look again whether the inbound lane is through.
const LOOK_AGAIN: Span = Span::secs(1);
/// How many senders' lists are read one by one; where an account has more, one list of everything is shorter.
const MOST_SENDERS: usize = 20;
/// How often the second reading is tried, for which nothing waits.
const TRIES_AGAIN: u32 = 30;
/// The alert while an account waits for lists that cannot be read.
const UNREAD: &str = "gap_unread";

/// A page to ask a vendor for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCall {
    /// The account.
    pub account: String,
    /// The gap as it was when the page was claimed.
    pub rev: i64,
    /// What to send.
    pub request: Request,
}

/// A page and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListResult {
    /// The account.
    pub account: String,
    /// The gap as it was when the page was claimed.
    pub rev: i64,
    /// Where the page is.
    pub url: String,
    /// What happened.
    pub reply: Reply,
}

impl ListResult {
    /// From a call.
    pub fn of(call: &ListCall, reply: Reply) -> ListResult {
        ListResult { account: call.account.clone(), rev: call.rev, url: call.request.url.clone(), reply }
    }
}

/// What this process knows of its intake: in memory only, until the next beat or gap is on disk.
#[derive(Default)]
pub(crate) struct Doors {
    all: Mutex<BTreeMap<String, Door>>,
    beat: Mutex<Time>,
}

impl Doors {
    /// Notes what came of an account's webhook; whether some were lost without a gap on disk.
    pub(crate) fn note(&self, account: &str, what: impl FnOnce(&mut Door)) -> bool {
        let mut all = locked(&self.all);
        let door = all.entry(account.to_owned()).or_default();
        what(door);
        door.lost().is_some()
    }

    /// Accounts whose webhooks were lost without a gap on disk, since when, and why.
    fn lost(&self) -> Vec<(String, (Time, Cause))> {
        locked(&self.all).iter().filter_map(|(name, door)| door.lost().map(|lost| (name.clone(), lost))).collect()
    }

    fn up(&self, account: &str, now: Time) -> Time {
        locked(&self.all).get(account).map_or(now, |door| door.up(now))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a generation begins with: a gap of each account since its last beat, and the first beat of each. An account that
/// never had one is new, and has lost nothing.
pub(crate) fn at_start(beats: &[(String, Time)], definitions: &Definitions, now: Time) -> Unit {
    let mut commands = Vec::new();
    for account in definitions.accounts.keys() {
        if let Some((_, up)) = beats.iter().find(|(name, _)| name == account) {
            commands.extend(opening(account, *up, Cause::Down, now));
        }
        commands.push(Command::Beat { account: account.clone(), at: now });
    }
    commands.push(Command::TakeEpoch);
    Unit(commands)
}

/// Opens a gap of an account whose intake was up until then.
fn opening(account: &str, up: Time, cause: Cause, now: Time) -> Vec<Command> {
    let (since, cut) = gap::since(up, now);
    let mut commands = Vec::new();
    if cut {
        let detail =
            format!("{cause} since {up}: what account '{account}' missed before {since}, more than a week ago, is not read; look for texts of the STOP family at the vendor");
        commands.push(Command::Owe(system_alert("gap_cut", account, detail)));
    }
    commands.push(Command::OpenGap(Box::new(Gap::opened(account, since, cause, now))));
    commands
}

impl Engine {
    /// Accounts whose texts wait for a gap, and when to look again. Memory is asked first: what is forgotten there is on
    /// disk already.
    pub(crate) async fn accounts_in_gaps(&self, now: Time) -> Result<BTreeMap<String, Time>, StoreError> {
        let mut waiting: BTreeMap<String, Time> = self.doors.lost().into_iter().map(|(account, _)| (account, now + LOOK_AGAIN)).collect();
        for gap in self.store.gaps().await?.into_iter().filter(|gap| gap.holds) {
            waiting.insert(gap.account, gap.next_at.max(now + LOOK_AGAIN));
        }
        Ok(waiting)
    }

    /// Notes that intake is up, now and then; not beyond what was lost or refused.
    pub(crate) async fn beat(&self, now: Time) -> Result<(), StoreError> {
        let last = *locked(&self.doors.beat);
        // A clock that was set back makes the last one a promise that nobody can keep.
        if last <= now && now.since(last) < BEAT_EVERY {
            return Ok(());
        }
        let beats = self.definitions.accounts.keys().map(|account| Command::Beat { account: account.clone(), at: self.doors.up(account, now) }).collect();
        self.commit(now, Unit(beats)).await?;
        *locked(&self.doors.beat) = now;
        Ok(())
    }

    /// Opens the gaps that this process knows of, and gives at most so many pages to ask for. What comes back must be
    /// asked for, or it is again in two minutes.
    pub async fn gap_tick(&self, now: Time, slots: usize) -> Result<(Vec<ListCall>, Tick), StoreError> {
        self.open_gaps(now).await?;
        let mut next: Option<Time> = None;
        let (mut units, mut calls) = (Vec::new(), Vec::new());
        for gap in self.store.gaps().await? {
            let later = if gap.next_at > now {
                Some(gap.next_at)
            } else if units.len() >= slots {
                Some(now + LOOK_AGAIN)
            } else if let Some((unit, call)) = self.step_of_gap(&gap, now).await? {
                units.push(unit);
                calls.push(call);
                None
            } else {
                Some(now + LOOK_AGAIN)
            };
            next = next.into_iter().chain(later).min();
        }
        let done = units.len();
        if done == 0 {
            return Ok((Vec::new(), Tick { done, next }));
        }
        let landed = self.commit_all(now, "gaps", units).await?;
        self.wake(&[Stage::Dispatch]);
        let calls = calls.into_iter().zip(landed).filter_map(|(call, landed)| call.filter(|_| landed)).collect();
        Ok((calls, Tick { done, next }))
    }

    async fn open_gaps(&self, now: Time) -> Result<(), StoreError> {
        for (account, lost) in self.doors.lost() {
            let (up, cause) = lost;
            self.commit(now, Unit(opening(&account, up, cause, now))).await?;
            tracing::warn!(account, %cause, since = %up, "webhooks were lost: the account waits until the vendor's lists are read");
            self.doors.note(&account, |door| door.opened(lost));
        }
        Ok(())
    }

    /// The next thing to do about a gap; nothing while its inbound lane is not through.
    async fn step_of_gap(&self, gap: &Gap, now: Time) -> Result<Option<(Unit, Option<ListCall>)>, StoreError> {
        // Nothing is sent through an account that is not configured any more.
        let Some(account) = self.definitions.accounts.get(&gap.account) else { return Ok(Some((close(gap), None))) };
        if gap.holds && gap.reading.polled() {
            let waits = self.store.oldest_inbound(&gap.account).await?.is_some_and(|filed| filed <= gap.read_at);
            return Ok((!waits).then(|| (let_go(gap, now), None)));
        }
        let mut reading = gap.reading.clone();
        while let Some(list) = reading.list {
            if let Some(request) = self.page_of(gap, account, list, &reading) {
                let call = ListCall { account: gap.account.clone(), rev: gap.rev + 1, request };
                return Ok(Some((put(Gap { reading, next_at: now + UNHEARD, ..gap.clone() }), Some(call))));
            }
            reading = reading.skipped();
        }
        Ok(Some((at_the_end(gap, reading, now), None)))
    }

    fn page_of(&self, gap: &Gap, account: &Account, list: Listing, reading: &Reading) -> Option<Request> {
        let page = reading.page.as_deref();
        let sender = usize::try_from(reading.sender).ok().and_then(|n| self.listed_apart(gap, account).get(n).copied());
        match (list, page, sender) {
            (Listing::Inbound, None, Some(sender)) => account.provider.list_to(sender, gap.since),
            _ => account.provider.list(list, gap.since, page),
        }
    }

    /// The senders for each of which there is a list of its own of what people sent; none if one list is enough.
    fn listed_apart(&self, gap: &Gap, account: &Account) -> Vec<&str> {
        let senders: Vec<&str> = self.definitions.senders.iter().filter(|s| s.account == gap.account).map(|s| s.number.as_str()).collect();
        let apart = senders.len() <= MOST_SENDERS && senders.first().is_some_and(|sender| account.provider.list_to(sender, gap.since).is_some());
        if apart { senders } else { Vec::new() }
    }

    /// Files what these pages show; gives back those that could not be filed, to be given again.
    pub async fn gap_settle_tick(&self, now: Time, results: Vec<ListResult>) -> (Tick, Vec<ListResult>) {
        let asked = results.len();
        let mut left = Vec::new();
        for result in results {
            if let Err(error) = self.hear_page(&result, now).await {
                tracing::error!(%error, account = result.account, "a page of a vendor's list could not be filed; it is kept and tried again");
                left.push(result);
            }
        }
        self.wake(&[Stage::Inbound, Stage::Receipts, Stage::Gaps]);
        (Tick { done: asked - left.len(), next: None }, left)
    }

    async fn hear_page(&self, result: &ListResult, now: Time) -> Result<(), StoreError> {
        // One that was opened anew meanwhile is read anew.
        let Some(gap) = self.store.gaps().await?.into_iter().find(|gap| gap.account == result.account && gap.rev == result.rev) else { return Ok(()) };
        let (Some(account), Some(list)) = (self.definitions.accounts.get(&gap.account), gap.reading.list) else { return Ok(()) };
        let unit = match account.provider.listed(list, gap.since, &result.reply) {
            Ok(Page { items, next }) => {
                let items = self.news_in(&gap, items).await?;
                // All of it is filed before the page turns; filing it twice files nothing.
                self.commit_all(now, "gaps", found::filed(&gap, list, items, result, now)).await?;
                self.turn_page(&gap, account, next, now)
            }
            Err(why) => self.unread(&gap, &why, now),
        };
        self.commit_all(now, "gaps", vec![unit]).await.map(drop)
    }

    fn turn_page(&self, gap: &Gap, account: &Account, next: Option<String>, now: Time) -> Unit {
        let lists = u32::try_from(self.listed_apart(gap, account).len()).unwrap_or(u32::MAX).max(1);
        let (reading, cut) = gap.reading.clone().turned(next, lists);
        let mut commands = Vec::new();
        if cut {
            let detail = format!(
                "account '{}' has a list of more than {} pages since {}: the older ones were not read; look for texts of the STOP family at the vendor",
                gap.account,
                gap::PAGES,
                gap.since
            );
            commands.push(Command::Owe(system_alert("gap_cut", &gap.account, detail)));
        }
        commands.push(Command::PutGap(Box::new(Gap { reading, read_at: now, tries: 0, next_at: now, ..gap.clone() })));
        Unit(commands)
    }

    /// A page that could not be read is asked for again; somebody is told if texts wait for it for long.
    fn unread(&self, gap: &Gap, why: &NotListed, now: Time) -> Unit {
        let tries = gap.tries.saturating_add(1);
        tracing::warn!(account = gap.account, tries, %why, "a vendor's list could not be read; it is asked for again");
        if gap.reading.again && tries >= TRIES_AGAIN {
            return close(gap);
        }
        let next_at = now + BACKOFF.wait(tries, why.retry_after.map(|asked| asked.min(BACKOFF.cap)), self.draw());
        let mut commands = Vec::new();
        if gap.holds && now.since(gap.opened_at) >= TELL_AFTER {
            let detail = format!(
                "nothing is sent through account '{}', since its vendor's lists cannot be read ({why}) and what came since {} may hold a STOP; \
                 check the account's credentials and the way to the vendor",
                gap.account, gap.since
            );
            commands.push(Command::Owe(system_alert(UNREAD, &gap.account, detail)));
        }
        commands.push(Command::PutGap(Box::new(Gap { tries, next_at, ..gap.clone() })));
        Unit(commands)
    }
}

fn put(gap: Gap) -> Unit {
    Unit::one(Command::PutGap(Box::new(gap)))
}

fn close(gap: &Gap) -> Unit {
    Unit::one(Command::CloseGap { account: gap.account.clone(), rev: gap.rev })
}

/// What people sent is on the ledger: texts leave again. The rest is read while they do.
fn let_go(gap: &Gap, now: Time) -> Unit {
    let told = Command::CloseAlert { code: UNREAD.to_owned(), about: gap.account.clone() };
    let row = Gap { holds: false, tries: 0, next_at: now, ..gap.clone() };
    Unit(vec![told, Command::PutGap(Box::new(row))])
}

/// No list is left to read.
fn at_the_end(gap: &Gap, reading: Reading, now: Time) -> Unit {
    if gap.holds {
        // Nothing was there to be read at all: what was lost stays lost, and somebody must know.
        let detail = format!(
            "webhooks of account '{}' may be lost since {} ({}), and its vendor has no list to read them from; look for texts of the STOP family at the vendor",
            gap.account, gap.since, gap.cause
        );
        let alert = (!reading.read).then(|| Command::Owe(system_alert("gap_unlistable", &gap.account, detail)));
        let row = Gap { reading, read_at: now, next_at: now, ..gap.clone() };
        return Unit(alert.into_iter().chain([Command::PutGap(Box::new(row))]).collect());
    }
    if reading.again || !reading.read {
        return close(gap);
    }
    put(Gap { reading: Reading::begin(true), tries: 0, next_at: now + LATE, ..gap.clone() })
}
