//! What lists can be asked for, and rows that exist only in lists.
//!
//! Apart from the other rows because no stage decides on these: people read them. A filter names what is wanted; a
//! place in a list is the last row that was seen, so that pages neither skip nor repeat while rows are added.

use serde::{Deserialize, Serialize};
use trunkline_core::id::{AddressId, HookId, MessageId, RunId};
use trunkline_core::message::Delivery;
use trunkline_core::time::Time;

use super::HookLane;

/// Which messages a list is about; what is absent does not narrow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFilter {
    /// Of this delivery state.
    pub delivery: Option<Delivery>,
    /// To this address.
    pub address: Option<AddressId>,
    /// With a label of this value, whatever its name.
    pub label: Option<String>,
    /// Made by this journey.
    pub journey: Option<String>,
    /// Due to be made at this time or later, as its id says.
    pub since: Option<Time>,
    /// Due to be made before this time, as its id says.
    pub until: Option<Time>,
    /// Older than this one.
    pub before: Option<MessageId>,
}

impl MessageFilter {
    /// The messages to an address.
    pub fn of_address(address: AddressId) -> MessageFilter {
        MessageFilter { address: Some(address), ..MessageFilter::default() }
    }

    /// The messages with a label of this value.
    pub fn labelled(value: &str) -> MessageFilter {
        MessageFilter { label: Some(value.to_owned()), ..MessageFilter::default() }
    }

    /// The messages of a delivery state.
    pub fn in_state(delivery: Delivery) -> MessageFilter {
        MessageFilter { delivery: Some(delivery), ..MessageFilter::default() }
    }
}

/// Which runs a list is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Of this journey.
    pub journey: Option<String>,
    /// Under way, or over.
    pub open: Option<bool>,
    /// Started before this one.
    pub before: Option<(Time, RunId)>,
}

/// Which hooks a list is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookFilter {
    /// Posted to this name.
    pub name: Option<String>,
    /// In this lane.
    pub lane: Option<HookLane>,
    /// Received before this one.
    pub before: Option<HookId>,
}

/// How many runs are at a step now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepCount {
    /// The journey.
    pub journey: String,
    /// The version.
    pub version: i64,
    /// The step.
    pub step: String,
    /// How many.
    pub runs: i64,
}

/// A counter of one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    /// The day in UTC.
    pub day: String,
    /// What is counted.
    pub name: String,
    /// How many.
    pub value: i64,
}

/// How many messages are held for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reason's code.
    pub code: String,
    /// How many.
    pub count: i64,
    /// When the first of them is asked again.
    pub next: Time,
    /// One of them.
    pub example: MessageId,
}

/// How much room the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room {
    /// Bytes that hold something.
    pub used: i64,
    /// Bytes it may take, if it is told.
    pub most: Option<i64>,
}

/// Something that gave up and can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    /// How to name it to `replay`.
    pub id: String,
    /// What it is: `hook`, `writeback`, `event`, `announcement`, `run`.
    pub kind: String,
    /// Why.
    pub cause: String,
    /// Since when.
    pub at: Time,
}
