//! Typed ids: what names a row, which part it lives in, and how people see it.
//!
//! Its own file because `part` must be derived in one way for ever: addresses and profiles take it from a keyed
//! hash of what they are, other rows carry it beside a time-ordered uuid. It draws no randomness: callers pass it in.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Time;

/// The secret that turns numbers into ids; made once per installation, backed up, never rotated.
#[derive(Clone)]
pub struct InstallationKey(hmac::Key);

impl InstallationKey {
    /// From the 32 bytes kept in the store.
    pub fn new(bytes: &[u8; 32]) -> InstallationKey {
        InstallationKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn id16(&self, kind: &str, pieces: &[&str]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind.as_bytes());
        for piece in pieces {
            // Lengths keep ("ab","c") and ("a","bc") apart.
            context.update(&(piece.len() as u64).to_be_bytes());
            context.update(piece.as_bytes());
        }
        first16(context.sign().as_ref())
    }

    /// The id of an address: the same number is the same row on every node.
    pub fn address(&self, channel: &str, value: &str) -> AddressId {
        AddressId(self.id16("address", &[channel, value]))
    }

    /// The id of what one system says about one person.
    pub fn profile(&self, system: &str, external_id: &str) -> ProfileId {
        ProfileId(self.id16("profile", &[system, external_id]))
    }

    /// The id of a source event: the same (source, id) is the same row.
    pub fn event(&self, source: &str, id: &str) -> EventId {
        EventId(self.id16("event", &[source, id]))
    }
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallationKey(…)")
    }
}

/// The first 16 bytes of SHA-256 over the pieces, each with its length: names for things that are no secret.
pub fn hash16(pieces: &[&[u8]]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    for piece in pieces {
        context.update(&(piece.len() as u64).to_be_bytes());
        context.update(piece);
    }
    first16(context.finish().as_ref())
}

fn first16(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not {expected} id: it starts with {prefix}_ and goes on with {len} letters and digits")]
pub struct IdError {
    given: String,
    expected: &'static str,
    prefix: &'static str,
    len: usize,
}

fn encode(f: &mut fmt::Formatter<'_>, prefix: &str, bytes: &[u8]) -> fmt::Result {
    write!(f, "{prefix}_{}", data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase())
}

fn decode<const N: usize>(text: &str, prefix: &'static str, expected: &'static str) -> Result<[u8; N], IdError> {
    let fail = || IdError { given: text.chars().take(48).collect(), expected, prefix, len: (N * 8).div_ceil(5) };
    let rest = text.strip_prefix(prefix).and_then(|r| r.strip_prefix('_')).ok_or_else(fail)?;
    let bytes = data_encoding::BASE32_NOPAD.decode(rest.to_ascii_uppercase().as_bytes()).map_err(|_| fail())?;
    <[u8; N]>::try_from(bytes).map_err(|_| fail())
}

macro_rules! text_forms {
    ($name:ident, $len:literal, $prefix:literal, $expected:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(f, $prefix, &self.bytes())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<$name, IdError> {
                decode::<$len>(text, $prefix, $expected).map($name::from_bytes)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// An id that is a hash of what it names; its first byte is the part.
macro_rules! hashed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The part this row lives in.
            pub fn part(self) -> u8 {
                self.0.first().copied().unwrap_or(0)
            }
            /// The bytes as stored.
            pub fn bytes(self) -> [u8; 16] {
                self.0
            }
            /// From the bytes as stored.
            pub fn from_bytes(bytes: [u8; 16]) -> $name {
                $name(bytes)
            }
        }
        text_forms!($name, 16, $prefix, $expected);
    };
}

/// An id that carries its part beside a time-ordered uuid.
macro_rules! timed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// A version 7 uuid: rows sort by time of making.
            pub uuid: [u8; 16],
            /// The part this row lives in.
            pub part: u8,
        }

        impl $name {
            /// Made at `at` in `part`, the other bits given by the caller.
            pub fn new(part: u8, at: Time, bits: [u8; 16]) -> $name {
                $name { uuid: v7(at, bits), part }
            }
            /// The part this row lives in.
            pub fn part(self) -> u8 {
                self.part
            }
            /// The bytes as shown and stored: part, then uuid.
            pub fn bytes(self) -> [u8; 17] {
                let mut out = [self.part; 17];
                for (to, from) in out.iter_mut().skip(1).zip(self.uuid) {
                    *to = from;
                }
                out
            }
            /// From the bytes as shown.
            pub fn from_bytes(bytes: [u8; 17]) -> $name {
                let [part, uuid @ ..] = bytes;
                $name { uuid, part }
            }
        }
        text_forms!($name, 17, $prefix, $expected);
    };
}

hashed_id!(
    /// An address: (channel, value).
    AddressId, "adr", "an address"
);
hashed_id!(
    /// A profile: (system, external id).
    ProfileId, "prf", "a profile"
);
hashed_id!(
    /// A source event: (source, id).
    EventId, "evt", "an event"
);
hashed_id!(
    /// A run: (journey, profile, correlation key); its part is the profile's.
    RunId, "run", "a run"
);
hashed_id!(
    /// A text that came in: named by the vendor's id, in the address's part.
    InboundId, "inb", "an inbound text"
);
timed_id!(
    /// A message, in its address's part.
    MessageId, "msg", "a message"
);
timed_id!(
    /// A raw webhook as received.
    HookId, "hook", "a hook"
);

impl RunId {
    /// The one run of this journey for this profile and key.
    pub fn of(journey: &str, profile: ProfileId, correlation: &str) -> RunId {
        let mut id = hash16(&[b"run", journey.as_bytes(), &profile.0, correlation.as_bytes()]);
        if let Some(first) = id.first_mut() {
            *first = profile.part();
        }
        RunId(id)
    }
}

impl RunId {
    /// The run that one event starts, where a journey may be entered more than once.
    pub fn entered(journey: &str, profile: ProfileId, correlation: &str, event: EventId) -> RunId {
        let mut id = hash16(&[b"entered", journey.as_bytes(), &profile.0, correlation.as_bytes(), &event.0]);
        if let Some(first) = id.first_mut() {
            *first = profile.part();
        }
        RunId(id)
    }

    /// What all runs of this journey for this profile and key have in common.
    pub fn entry(journey: &str, profile: ProfileId, correlation: &str) -> [u8; 16] {
        hash16(&[b"entry", journey.as_bytes(), &profile.0, correlation.as_bytes()])
    }
}

impl InboundId {
    /// The inbound text that a vendor's account named `vendor_id`, sent by `address`.
    pub fn of(account: &str, vendor_id: &str, address: AddressId) -> InboundId {
        let mut id = hash16(&[b"inbound", account.as_bytes(), vendor_id.as_bytes()]);
        if let Some(first) = id.first_mut() {
            *first = address.part();
        }
        InboundId(id)
    }
}

impl MessageId {
    /// The intent of one visit of one step: making it again makes the same id.
    pub fn of_step(address: AddressId, due: Time, run: RunId, step: &str, visit: u32) -> MessageId {
        MessageId::new(address.part(), due, hash16(&[b"intent", &run.0, step.as_bytes(), &visit.to_be_bytes()]))
    }
}

/// One try at one provider account: the message and a count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The message.
    pub message: MessageId,
    /// 1 for the first.
    pub n: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.n)
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AttemptId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<AttemptId, IdError> {
        let fail = || IdError { given: text.chars().take(48).collect(), expected: "an attempt", prefix: "msg", len: 28 };
        let (message, n) = text.split_once('-').ok_or_else(fail)?;
        Ok(AttemptId { message: message.parse()?, n: n.parse().ok().filter(|n| *n > 0).ok_or_else(fail)? })
    }
}

impl Serialize for AttemptId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttemptId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<AttemptId, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

fn v7(at: Time, bits: [u8; 16]) -> [u8; 16] {
    let mut tail = [0; 10];
    for (to, from) in tail.iter_mut().zip(bits) {
        *to = from;
    }
    uuid::Builder::from_unix_timestamp_millis(at.millis(), &tail).into_uuid().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_the_trip_through_text() {
        let key = InstallationKey::new(&[7; 32]);
        let address = key.address("sms", "+14155550123");
        assert_eq!(address.to_string().parse::<AddressId>().unwrap(), address);
        let message = MessageId::of_step(address, Time(1_800_000_000_000_000), RunId([3; 16]), "send", 1);
        assert_eq!(message.part(), address.part());
        assert_eq!(message.to_string().parse::<MessageId>().unwrap(), message);
        let attempt = AttemptId { message, n: 2 };
        assert_eq!(attempt.to_string().parse::<AttemptId>().unwrap(), attempt);
        assert!(message.to_string().parse::<HookId>().unwrap_err().to_string().contains("hook_"));
        assert!(format!("{message}-0").parse::<AttemptId>().is_err());
    }

    #[test]
    fn a_step_made_again_makes_the_same_intent() {
        let address = AddressId([9; 16]);
        let one = MessageId::of_step(address, Time(5_000_000), RunId([1; 16]), "remind", 1);
        assert_eq!(one, MessageId::of_step(address, Time(5_000_000), RunId([1; 16]), "remind", 1));
        assert_ne!(one, MessageId::of_step(address, Time(5_000_000), RunId([1; 16]), "remind", 2));
    }

    #[test]
    fn keyed_ids_differ_between_installations() {
        let (a, b) = (InstallationKey::new(&[1; 32]), InstallationKey::new(&[2; 32]));
        assert_ne!(a.address("sms", "+14155550123"), b.address("sms", "+14155550123"));
        assert_ne!(a.profile("ab", "c"), a.profile("a", "bc"));
    }
}
