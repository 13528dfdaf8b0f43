//! Due announcements: claim, give the calls back as data, settle what came of them.
//!
//! Its own file because a follower is told of each thing that happened, not of the latest value: an announcement's
//! body is as it was then, its id the same at every try. It decides nothing about texts.

use trunkline_connectors::follower::{Told, backoff};
use trunkline_connectors::http::{Reply, Request};
use trunkline_core::time::Time;
use trunkline_store::row::{Announcement, WritebackState, announcement_name};
use trunkline_store::{Command, StoreError, Unit};

use crate::effects::system_alert;
use crate::{Engine, Tick};

/// A claimed announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnounceCall {
    /// The row as claimed.
    pub row: Announcement,
    /// What to send.
    pub request: Request,
    /// Whether the follower may be on a private network.
    pub allow_private: bool,
}

/// An announcement and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnounceResult {
    /// The row as claimed.
    pub row: Announcement,
    /// What came of it.
    pub reply: Reply,
}

impl Engine {
    /// Claims at most `slots` due announcements.
    pub async fn announce_claim_tick(&self, now: Time, slots: usize) -> Result<(Vec<AnnounceCall>, Tick), StoreError> {
        if self.definitions.followers.is_empty() {
            return Ok((Vec::new(), Tick::default()));
        }
        self.claim_announcements(now, slots).await
    }

    /// Claims what is due; what is owed to a follower that is configured no more is given up.
    pub(crate) async fn claim_announcements(&self, now: Time, slots: usize) -> Result<(Vec<AnnounceCall>, Tick), StoreError> {
        let due = self.store.due_announcements(now, self.epoch, slots).await?;
        let (mut units, mut calls) = (Vec::new(), Vec::new());
        for expect in due {
            let Some(follower) = self.definitions.followers.iter().find(|f| f.name == expect.follower) else {
                units.push(give_up(&expect, "the follower is not configured any more"));
                calls.push(None);
                continue;
            };
            let row = Announcement { state: WritebackState::Flying, epoch: self.epoch, tries: expect.tries + 1, ..expect.clone() };
            let request = follower.request(&announcement_name(row.id), &row.body, now);
            units.push(put(row.clone(), &expect));
            calls.push(Some(AnnounceCall { row, request, allow_private: follower.allow_private }));
        }
        let done = units.len();
        let landed = self.commit_claims(now, "announce claim", units).await?;
        let calls: Vec<AnnounceCall> = calls.into_iter().zip(landed).filter_map(|(call, landed)| call.filter(|_| landed)).collect();
        self.air.tellings.hold(calls.iter().map(|c| c.row.id), self.clock.uptime());
        Ok((calls, Tick { done, next: None }))
    }

    /// Commits what came of announcements; gives back those that could not be committed.
    pub async fn announce_settle_tick(&self, now: Time, results: Vec<AnnounceResult>) -> (Tick, Vec<AnnounceResult>) {
        let asked = results.len();
        let units = results.iter().map(|result| self.told(result, now)).collect();
        // A row that moved meanwhile was taken over by a newer generation, which tells the follower again.
        match self.commit_all(now, "announce settle", units).await {
            Ok(_) => {
                self.air.tellings.land(results.iter().map(|r| &r.row.id));
                (Tick { done: asked, next: None }, Vec::new())
            }
            Err(error) => {
                tracing::error!(%error, results = asked, "results of announcements could not be committed; they are kept and tried again");
                self.air.tellings.hold(results.iter().map(|r| r.row.id), self.clock.uptime());
                (Tick::default(), results)
            }
        }
    }

    fn told(&self, result: &AnnounceResult, now: Time) -> Unit {
        let row = &result.row;
        let told = self.definitions.followers.iter().find(|f| f.name == row.follower).map(|f| f.told(&result.reply));
        match told {
            Some(Told::Done) => put(Announcement { state: WritebackState::Idle, ..row.clone() }, row),
            Some(Told::Retry { after, cause }) => match backoff(row.tries) {
                // What it asks for counts if it is longer than what the schedule says.
                Some(wait) => put(Announcement { state: WritebackState::Due, due: now + after.map_or(wait, |a| a.max(wait)), cause, ..row.clone() }, row),
                None => give_up(row, &cause),
            },
            Some(Told::Gone) => give_up(row, "the follower answered 410: it does not want to be told; take it out of the configuration"),
            None => give_up(row, "the follower is not configured any more"),
        }
    }
}

pub(crate) fn put(row: Announcement, expect: &Announcement) -> Unit {
    Unit::one(Command::PutAnnouncement { row: Box::new(row), expect: Box::new(expect.clone()) })
}

fn give_up(row: &Announcement, cause: &str) -> Unit {
    let name = announcement_name(row.id);
    let detail = format!("follower '{}' was not told of {} of {}: {cause}; mend the cause, then replay {name}", row.follower, row.kind, row.message);
    let dead = Announcement { state: WritebackState::Dead, cause: cause.to_owned(), ..row.clone() };
    Unit(vec![Command::Owe(system_alert("announcement_dead", &row.follower, detail)), Command::PutAnnouncement { row: Box::new(dead), expect: Box::new(row.clone()) }])
}
