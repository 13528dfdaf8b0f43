//! Work that no stage would ever pick up: found, counted, told once, and given back to its stage.
//!
//! Its own file because it is the one place that doubts the others: rows that say a call is in the air which nobody holds,
//! and texts of unknown fate that nobody asks about and nobody is to look at. What is done about each is what its own
//! stage does. It takes two looks, since whoever moves a row does not wait for whoever looks at it.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use trunkline_connectors::http::{Phase, TransportError};
use trunkline_core::id::AttemptId;
use trunkline_core::owe::Owe;
use trunkline_core::time::{Span, Time, Uptime};
use trunkline_store::row::{Announcement, Message, Writeback, WritebackState, announcement_name};
use trunkline_store::{Command, StoreError, Unit};

use crate::effects::{UNCLEAR, system_alert};
use crate::resolve::LOOK_WITHIN;
use crate::settle::{CallResult, Heard};
use crate::{Engine, Stage, announce, writeback};

/// How often it is looked, in real time.
const EVERY: Span = Span::secs(60);
/// How many of a kind are looked at.
const MOST: usize = 1_000;
/// What a row of the air says that nobody holds.
const NOBODY: &str = "nobody heard what came of the call";

/// What the last look found.
#[derive(Default)]
pub(crate) struct Suspects {
    looked: Option<Uptime>,
    names: BTreeSet<String>,
}

/// What one look found.
struct Found {
    texts: Vec<CallResult>,
    writes: Vec<Writeback>,
    tellings: Vec<Announcement>,
    unclear: Vec<Message>,
}

impl Engine {
    /// Looks once a minute, and frees what was stuck at the look before too; how much that was.
    pub(crate) async fn free_what_is_stuck(&self, now: Time) -> Result<usize, StoreError> {
        let uptime = self.clock.uptime();
        {
            let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            if suspects.looked.is_some_and(|at| uptime.since(at) < EVERY) {
                return Ok(0);
            }
            suspects.looked = Some(uptime);
        }
        let found = self.doubt(uptime).await?;
        let found = self.confirmed(found);
        let mut freed = 0;
        freed += self.give_up_calls(found.texts, now).await?;
        freed += self.write_again(&found.writes, now).await?;
        freed += self.tell_again(&found.tellings, now).await?;
        freed += self.show_unclear(&found.unclear, now).await?;
        Ok(freed)
    }

    /// Everything that looks stuck now.
    async fn doubt(&self, uptime: Uptime) -> Result<Found, StoreError> {
        // A generation to come would take over every one of these.
        let next = self.epoch + 1;
        let flying = self.store.orphaned_messages(next, MOST).await?;
        let lost = |m: &Message| {
            let last = m.state.attempts.last()?;
            let attempt = AttemptId { message: m.id, n: last.n };
            // One of an account that is configured no more is taken over at the next start.
            let known = self.definitions.accounts.contains_key(&last.account) && !self.air.texts.holds(&attempt, uptime);
            let heard = Heard::Reply(Err(TransportError { phase: Phase::Wait, detail: NOBODY.to_owned() }));
            known.then(|| CallResult { attempt, account: last.account.clone(), heard })
        };
        let mut writes = self.store.due_writebacks(Time(i64::MIN), next, MOST).await?;
        writes.retain(|w| w.state == WritebackState::Flying && !self.air.writes.holds(&(w.connector.clone(), w.record.clone()), uptime));
        let mut tellings = self.store.due_announcements(Time(i64::MIN), next, MOST).await?;
        tellings.retain(|a| a.state == WritebackState::Flying && !self.air.tellings.holds(&a.id, uptime));
        let mut unclear = self.store.unclear_without_case(UNCLEAR, MOST).await?;
        unclear.retain(|m| m.state.due.is_none());
        Ok(Found { texts: flying.iter().filter_map(lost).collect(), writes, tellings, unclear })
    }

    /// Those that looked stuck before too.
    fn confirmed(&self, mut found: Found) -> Found {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut suspects.names);
        let mut again = |name: String| {
            let known = before.contains(&name);
            suspects.names.insert(name);
            known
        };
        found.texts.retain(|t| again(t.attempt.to_string()));
        found.writes.retain(|w| again(format!("{}/{} {}", w.connector, w.record, w.tries)));
        found.tellings.retain(|a| again(format!("{} {}", announcement_name(a.id), a.tries)));
        found.unclear.retain(|m| again(m.id.to_string()));
        found
    }

    /// Nobody knows whether these were taken: they are asked about like any other of which nobody knows.
    async fn give_up_calls(&self, lost: Vec<CallResult>, now: Time) -> Result<usize, StoreError> {
        let Some(newest) = lost.last().map(|r| r.attempt) else { return Ok(0) };
        let (tick, _) = self.settle_tick(now, lost).await;
        let detail =
            format!("{} texts were in the air and nobody held their calls; their vendors are asked about them; newest {newest}: the log says what ended the call", tick.done);
        self.tell_of_stuck("texts in the air", tick.done, detail, now).await
    }

    /// The latest value is written again, as after any unclear answer.
    async fn write_again(&self, lost: &[Writeback], now: Time) -> Result<usize, StoreError> {
        let Some(newest) = lost.last().map(|w| format!("{}/{}", w.connector, w.record)) else { return Ok(0) };
        let due = |w: &Writeback| writeback::put(Writeback { state: WritebackState::Due, due: now, cause: NOBODY.to_owned(), ..w.clone() }, w);
        let freed = self.commit_all(now, "stuck write-backs", lost.iter().map(due).collect()).await?.into_iter().filter(|landed| *landed).count();
        self.wake(&[Stage::Writebacks]);
        let detail = format!("{freed} write-backs were in the air and nobody held their calls; they are written again; newest {newest}: the log says what ended the call");
        self.tell_of_stuck("write-backs", freed, detail, now).await
    }

    /// The follower is told again, in the same words and under the same id.
    async fn tell_again(&self, lost: &[Announcement], now: Time) -> Result<usize, StoreError> {
        let Some(newest) = lost.last().map(|a| announcement_name(a.id)) else { return Ok(0) };
        let due = |a: &Announcement| announce::put(Announcement { state: WritebackState::Due, due: now, cause: NOBODY.to_owned(), ..a.clone() }, a);
        let freed = self.commit_all(now, "stuck announcements", lost.iter().map(due).collect()).await?.into_iter().filter(|landed| *landed).count();
        self.wake(&[Stage::Announcements]);
        let detail = format!("{freed} announcements were in the air and nobody held their calls; they are told again; newest {newest}: the log says what ended the call");
        self.tell_of_stuck("announcements", freed, detail, now).await
    }

    /// Somebody is to look at these, as at any that asking did not clear up.
    async fn show_unclear(&self, left: &[Message], now: Time) -> Result<usize, StoreError> {
        let Some(newest) = left.last().map(|m| m.id) else { return Ok(0) };
        let case = |m: &Message| {
            let detail = "nobody knows whether this text was taken; look it up at the vendor before sending again".to_owned();
            Unit::one(Command::Owe(Owe::Case { code: UNCLEAR.to_owned(), address: m.intent.address, message: Some(m.id), detail, due: now + LOOK_WITHIN }))
        };
        let freed = self.commit_all(now, "stuck unclear texts", left.iter().map(case).collect()).await?.len();
        let detail = format!("{freed} texts of unknown fate were asked about by nobody and shown to nobody; each has a case now; newest {newest}");
        self.tell_of_stuck("unclear texts", freed, detail, now).await
    }

    /// One alert is open for each kind; how often it happened is counted.
    async fn tell_of_stuck(&self, kind: &str, freed: usize, detail: String, now: Time) -> Result<usize, StoreError> {
        if freed > 0 {
            tracing::error!(kind, freed, "work was stuck and is freed: {detail}");
            let count = Command::Count(vec![(format!("stuck.{}", kind.replace(' ', "_")), i64::try_from(freed).unwrap_or(i64::MAX))]);
            self.commit(now, Unit(vec![Command::Owe(system_alert("stuck_work", kind, detail)), count])).await?;
        }
        Ok(freed)
    }
}
