//! Rows about people: their addresses, and what systems of record say of them.
//!
//! Apart from the other rows because an address belongs to the number and a profile to its system: a person is where they
//! meet. Where somebody may be is asked here, since it is made of both; what consent says is the core's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trunkline_core::consent::ConsentState;
use trunkline_core::id::{AddressId, ProfileId};
use trunkline_core::number::Number;
use trunkline_core::quiet::{Sent, Whereabouts};
use trunkline_core::time::Time;

/// What a system of record says about a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its id.
    pub id: ProfileId,
    /// The system of record.
    pub system: String,
    /// The person's id there.
    pub external_id: String,
    /// What the system says.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// The person's locale.
    pub locale: Option<String>,
    /// The person's address now.
    pub address: AddressId,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A value that somebody wrote to a field of a profile which another system owns: kept, shown, and not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The profile.
    pub profile: ProfileId,
    /// The field, such as `attributes.first_name`.
    pub field: String,
    /// Who wrote it.
    pub system: String,
    /// Who owns it.
    pub owner: String,
    /// The value that was written last.
    pub value: serde_json::Value,
    /// When that was.
    pub at: Time,
    /// How often.
    pub times: i64,
}

/// What an address's value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "channel", content = "value", rename_all = "snake_case")]
pub enum Place {
    /// A phone number.
    Sms(Number),
    /// What a source gave instead of one.
    NotANumber {
        /// As given, clipped.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The source gave nothing.
    Nowhere,
    /// It was erased: only the id is left, which nobody can turn back into a number.
    Erased,
}

impl Place {
    /// For people: masked.
    pub fn masked(&self) -> String {
        match self {
            Place::Sms(number) => number.masked(),
            Place::NotANumber { given, .. } => {
                let shown: String = given.chars().take(3).collect();
                format!("{shown}… (not a number)")
            }
            Place::Nowhere => "no number".to_owned(),
            Place::Erased => "erased".to_owned(),
        }
    }
}

/// An address: owns consent, messages and conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its id.
    pub id: AddressId,
    /// What it is.
    pub place: Place,
    /// Every zone its holder may be in, as far as the number tells.
    pub zones: Vec<String>,
    /// Where systems of record say that its holders live, such as `US-TX`, by profile.
    pub residences: BTreeMap<ProfileId, String>,
    /// What was handed over to it lately, of the purposes that caps count.
    pub sends: Vec<Sent>,
    /// What the ledger says: a fold of it.
    pub consent: ConsentState,
    /// Bumped by every change that a claim must notice, and by every claim.
    pub guard_version: i64,
}

impl Address {
    /// Everywhere that its holders may be, by the number and by what systems of record say.
    pub fn whereabouts(&self) -> Whereabouts {
        let mut here = match &self.place {
            Place::Sms(number) => Whereabouts { zones: self.zones.clone(), ..Whereabouts::subject_to(number) },
            Place::NotANumber { .. } | Place::Nowhere | Place::Erased => Whereabouts::default(),
        };
        for residence in self.residences.values() {
            here.lives_in(residence);
        }
        here
    }
}
