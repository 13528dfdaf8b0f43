//! The thin receiver: verify a webhook, file it, answer. Nothing else happens in the request.
//!
//! Its own file because vendors give up after seconds: whatever takes time waits in the inbox. Refusals are filed
//! too, with the reason, and tell the sender nothing.

use bytes::Bytes;
use trunkline_connectors::hook::{RawHook, Refused};
use trunkline_connectors::http::Response;
use trunkline_connectors::sms::Lane;
use trunkline_core::gap::Door;
use trunkline_core::id::{HookId, hash16};
use trunkline_core::planted::{Fault, planted};
use trunkline_store::row::{Hook, HookLane, HookState, Refusal};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::VerifyMode;
use crate::{Engine, Stage};

/// The largest hook that is taken.
pub const LARGEST: usize = 2 * 1024 * 1024;

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It is filed, durably.
    Accepted(Response),
    /// It is not from whom it says, or too old.
    Refused,
    /// Nobody of that name is configured.
    Unknown,
    /// It could not be filed: the sender should come back.
    Unavailable,
}

impl Engine {
    /// Takes a webhook posted to `/hooks/{name}`; its URL is the public one.
    pub async fn receive(&self, name: &str, raw: RawHook) -> Received {
        let now = self.clock.now();
        let (verdict, mode, lane) = if let Some(account) = self.definitions.accounts.get(name) {
            (account.provider.verify(&raw, now), account.verify, account.provider.lane(&raw))
        } else if let Some((webhooks, source)) = self.definitions.sources.get(name).and_then(|s| s.webhooks.as_ref().map(|w| (w, s))) {
            (webhooks.verify(&raw, now), source.verify, Lane::Source)
        } else {
            return Received::Unknown;
        };
        // Before anything is filed, a refusal included: the vendor comes back, or its list is polled.
        if let Err(error) = self.pressure.admit() {
            tracing::warn!(%error, hook = name, "a hook was turned away; its sender was told to come back");
            self.at_the_door(name, |door| if verdict.is_ok() { door.failed(now) } else { door.refused(now) });
            return Received::Unavailable;
        }
        if let Err(reason) = verdict {
            let enforced = mode == VerifyMode::Enforce && !planted(Fault::ForgedAccepted);
            if enforced {
                self.at_the_door(name, |door| door.refused(now));
            }
            if self.refuse(name, &raw, &reason).await.is_err() {
                return Received::Unavailable;
            }
            if enforced {
                return Received::Refused;
            }
            tracing::warn!(hook = name, %reason, "a hook that 'enforce' would refuse was taken, since verify is 'observe'");
        }
        let bits = self.bits();
        let id = HookId::new(hash16(&[&bits]).first().copied().unwrap_or(0), now, bits);
        let (lane, stage) = match lane {
            Lane::Inbound => (HookLane::Inbound, Stage::Inbound),
            Lane::Receipt => (HookLane::Receipt, Stage::Receipts),
            Lane::Source => (HookLane::Source, Stage::Sources),
        };
        let hook = Hook {
            id,
            name: name.to_owned(),
            lane,
            method: raw.method,
            url: raw.url,
            headers: raw.headers,
            body: raw.body.to_vec(),
            received_at: now,
            state: HookState::Waiting { due: now },
            tries: 0,
            note: String::new(),
        };
        match self.commit(now, Unit::one(Command::PutHook(Box::new(hook)))).await {
            Ok(_) => {
                self.at_the_door(name, |door| door.accepted(now));
                self.wake(&[stage]);
                Received::Accepted(self.acknowledgement(name, lane))
            }
            Err(error) => {
                let error = self.pressure.refused(error);
                tracing::error!(%error, hook = name, "a hook could not be filed; its sender was told to come back");
                self.at_the_door(name, |door| door.failed(now));
                if planted(Fault::AckBeforeCommit) { Received::Accepted(self.acknowledgement(name, lane)) } else { Received::Unavailable }
            }
        }
    }

    /// Notes what came of an account's hook, and wakes whoever reads what was lost. Sources keep their events until we
    /// take them.
    fn at_the_door(&self, name: &str, what: impl FnOnce(&mut Door)) {
        if self.definitions.accounts.contains_key(name) && self.doors.note(name, what) {
            self.wake(&[Stage::Gaps]);
        }
    }

    /// Files a refused hook.
    pub async fn refuse(&self, name: &str, raw: &RawHook, reason: &Refused) -> Result<(), StoreError> {
        tracing::warn!(hook = name, %reason, "a hook was refused");
        let now = self.clock.now();
        let refusal = Refusal {
            number: 0,
            name: name.to_owned(),
            at: now,
            reason: reason.to_string(),
            request: format!("{} {}", raw.method, raw.url).chars().take(512).collect(),
            body: String::from_utf8_lossy(&raw.body).chars().take(1_024).collect(),
        };
        self.commit(now, Unit::one(Command::Refuse(refusal))).await.map(|_| ())
    }

    fn acknowledgement(&self, name: &str, lane: HookLane) -> Response {
        let lane = match lane {
            HookLane::Inbound => Lane::Inbound,
            HookLane::Receipt => Lane::Receipt,
            HookLane::Source => Lane::Source,
        };
        match self.definitions.accounts.get(name) {
            Some(account) => account.provider.acknowledge(lane),
            None => Response { status: 200, headers: Vec::new(), body: Bytes::new() },
        }
    }
}

/// A filed hook as its connector reads it.
pub(crate) fn raw(hook: &Hook) -> RawHook {
    RawHook { method: hook.method.clone(), url: hook.url.clone(), headers: hook.headers.clone(), body: Bytes::from(hook.body.clone()) }
}
