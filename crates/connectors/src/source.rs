//! Sources that emit webhooks: what each must say.
//!
//! Its own file because it is the one interface; each system's dialect is a file below. What a payload means is
//! configuration, not code.

pub mod shopify;

use trunkline_core::event::SourceEvent;
use trunkline_core::time::Time;

use crate::hook::{RawHook, Refused};
use crate::sms::Unreadable;

/// A source's dialect as pure functions.
pub trait Source: Send + Sync {
    /// Checks the signature over the raw bytes, and the age.
    fn verify(&self, hook: &RawHook, now: Time) -> Result<(), Refused>;
    /// The event a verified hook carries: its id is the dedupe key, its type the topic, its data the whole payload.
    fn read(&self, hook: &RawHook, now: Time) -> Result<SourceEvent, Unreadable>;
}
