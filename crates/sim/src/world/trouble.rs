//! Trouble that is nobody's answer: clocks, disks, the vendor's outages; and people who change things meanwhile.
//!
//! Apart from `act` because none of it belongs to an order. What the vendor and the CRM do to single calls is in
//! `faults`; dying at a commit and refusing one is done by the watch.

use futures_util::FutureExt;
use serde_json::json;
use trunkline_core::id::MessageId;
use trunkline_core::message::Ruling;
use trunkline_core::time::Span;
use trunkline_engine::Stage;
use trunkline_engine::definitions::{changes, publish};
use trunkline_engine::profile::ProfileRequest;

use super::World;
use crate::faults::Faults;
use crate::fixtures::{self, FixtureError, Series};
use crate::homes::HOMES;
use crate::watch::Crash;

/// How the vendor is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// Nobody can connect.
    Unreachable,
    /// Everybody can, and nobody is answered; nothing is taken.
    Silent,
}

/// How long the last text of a series waits, in the versions that are published one after the other.
const PAUSES: [u32; 3] = [5, 45, 20];

impl World {
    /// The node will die at one of its next commits, whether or not it took effect.
    pub(super) fn plan_crash(&mut self) {
        let after = u64::from(self.below(12)) + 1;
        let how = if self.below(2) == 0 { Crash::Before } else { Crash::After };
        if !self.closed && self.node.is_some() {
            self.watch.plan(Some((after, how)));
        }
    }

    /// One of the next commits is refused.
    pub(super) fn busy(&mut self) {
        let after = u64::from(self.below(12)) + 1;
        if !self.closed {
            self.watch.refuse_one(Some(after));
        }
    }

    pub(super) fn disk_full(&mut self, full: bool) {
        let full = full && !self.closed;
        self.watch.fill_disk(full);
        self.tell(if full { "the disk is full" } else { "the disk has room" });
    }

    pub(super) fn vendor_out(&mut self, outage: Option<Outage>) {
        self.outage = outage.filter(|_| !self.closed);
        self.tell(format!("the vendor's outage: {:?}", self.outage));
    }

    pub(super) fn crm_down(&mut self, down: bool) {
        self.faults.crm_down = down && !self.closed;
        self.tell(format!("the CRM is {}", if down { "down" } else { "up" }));
    }

    /// The vendor's and the CRM's mood changes.
    pub(super) fn mood(&mut self) {
        if self.closed {
            return;
        }
        let crm_down = self.faults.crm_down;
        self.faults = Faults {
            throttle_permille: self.below(200),
            server_error_permille: self.below(100),
            server_error_after_accept_permille: self.below(100),
            hang_after_accept_permille: self.below(100),
            refuse_permille: self.below(100),
            callback_duplicate_permille: self.below(400),
            callback_reorder_permille: self.below(400),
            callback_delay_ms_max: u64::from(self.below(120_000)),
            crm_conflict_permille: self.below(200),
            crm_throttle_permille: self.below(200),
            crm_lie_permille: if self.menu.lies_permille > 0 { self.below(self.menu.lies_permille) } else { 0 },
            crm_down,
            ..Faults::default()
        };
        self.tell("the weather changes");
    }

    /// Hours are gone at once: the machine slept, or somebody set its clock.
    pub(super) fn leap(&mut self) {
        if self.closed {
            return;
        }
        let to = self.now() + Span::hours(1) + self.seconds(5 * 3_600);
        if self.below(2) == 0 {
            self.clock.set(to);
            self.tell("the machine slept for hours");
        } else {
            self.clock.jump(to);
            self.tell("the clock is set forward by hours");
        }
    }

    /// The clock is set back a little, every stage looks at it, and time goes on from where it was.
    pub(super) fn step_back(&mut self) {
        if self.closed {
            return;
        }
        let to = self.now() - Span::secs(1) - self.seconds(119);
        self.clock.jump(to);
        self.tell("the clock is set back");
        for stage in Stage::ALL {
            self.tick(stage);
        }
    }

    /// A client changes what is known of somebody, whose texts may wait meanwhile.
    pub(super) fn change_profile(&mut self) {
        let Some(customer) = self.anybody() else { return };
        let mut request = ProfileRequest { written_by: Some("shopify".to_owned()), ..ProfileRequest::default() };
        match self.below(3) {
            0 => {
                let locale = if self.below(2) == 0 { "fr" } else { "en" };
                request.locale = Some(locale.to_owned());
            }
            1 => {
                let home = &HOMES[self.below(u32::try_from(HOMES.len()).unwrap_or(1)) as usize];
                request.phone = Some(format!("{}{:04}", home.area, 200 + self.below(50)));
            }
            _ => drop(request.attributes.insert("first_name".to_owned(), json!("Ada"))),
        }
        let put = self.node.as_ref().map(|node| node.put_profile("shopify", &customer.id.to_string(), &request).now_or_never());
        match put {
            None => {}
            Some(None) => self.crash("while it writes a profile"),
            Some(Some(result)) => self.tell(format!("profile of customer {}: {}", customer.id, if result.is_ok() { "written" } else { "not written" })),
        }
    }

    /// A person decides about a text of unknown fate.
    pub(super) fn rule(&mut self) {
        let cases = self.store.cases(100_000).now_or_never().and_then(Result::ok).unwrap_or_default();
        let unclear: Vec<MessageId> = cases.into_iter().filter(|case| case.code == "unclear_send").filter_map(|case| case.message).collect();
        let pick = self.below(u32::try_from(unclear.len()).unwrap_or(1)) as usize;
        let Some(id) = unclear.get(pick).copied() else { return };
        let message = self.store.messages(&[id]).now_or_never().and_then(Result::ok).and_then(|mut m| m.pop());
        // Where others of its run come after it, another text in its place would come out of turn.
        let alone = message.is_some_and(|m| m.intent.origin.journey() != Some("series"));
        let ruling = match self.below(3) {
            0 => Ruling::Arrived,
            1 if alone => Ruling::SendAgain,
            _ => Ruling::LetGo,
        };
        match self.node.as_ref().map(|node| node.rule(id, ruling, "looked up at the vendor", "ana").now_or_never()) {
            None => {}
            Some(None) => self.crash("while it notes what a person decided"),
            Some(Some(ruled)) => self.tell(format!("{id} is ruled {}: {ruled:?}", ruling.word())),
        }
    }

    /// Journeys are published anew, sometimes with one less; runs under way keep their versions.
    pub(super) fn publish(&mut self) {
        if self.closed {
            return;
        }
        let nth = self.published as usize;
        self.published += 1;
        self.series = Series { pause_mins: PAUSES[nth % PAUSES.len()], ..self.series };
        let (store, now, series) = (self.store.clone(), self.now(), self.series);
        let work = async {
            let mut drafts = fixtures::drafts(series)?;
            if nth % 2 == 1 {
                drafts.retain(|draft| draft.name != "delivery-exception");
            }
            let changes = changes(store.as_ref(), &drafts).await?;
            publish(store.as_ref(), now, &changes).await?;
            Ok::<usize, FixtureError>(changes.len())
        };
        let said = match work.now_or_never() {
            Some(Ok(changed)) => format!("{changed} journeys are published"),
            Some(Err(error)) => format!("journeys could not be published: {error}"),
            None => "whoever publishes journeys dies".to_owned(),
        };
        self.tell(said);
        self.definitions = None;
    }
}
