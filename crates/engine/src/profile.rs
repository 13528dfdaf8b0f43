//! Profiles: who may write which field, and what happens to a write that may not.
//!
//! Its own file because events and clients write the same rows under the same rule: a field belongs to one system, and
//! what another writes there is kept as a conflict, shown, and not applied.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_core::event::FieldProblem;
use trunkline_core::id::{AddressId, ProfileId};
use trunkline_core::quiet;
use trunkline_core::time::Time;
use trunkline_store::row::{Conflict, Place, Profile};
use trunkline_store::{Command, Unit};

use crate::Engine;
use crate::definitions::Definitions;
use crate::intake::Unwilling;

/// What a client says of a profile; what is absent stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRequest {
    /// Which system says so; absent means the profile's own.
    #[serde(default)]
    pub written_by: Option<String>,
    /// The phone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// The country for a number without a country code.
    #[serde(default)]
    pub region: Option<String>,
    /// The person's locale.
    #[serde(default)]
    pub locale: Option<String>,
    /// Attributes; null removes one.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// The most attributes of one write.
const MOST_ATTRIBUTES: usize = 64;

/// A profile as one system writes it, without the fields that others own; and those as conflicts.
pub(crate) fn conflicts_of(definitions: &Definitions, writer: &str, mut profile: Profile, now: Time) -> (Profile, Vec<Conflict>) {
    if definitions.systems.is_empty() {
        return (profile, Vec::new());
    }
    let mut found = Vec::new();
    let mut foreign = |field: String, value: &Value| {
        let owner = definitions.owner(&field, &profile.system, writer);
        if let Some(owner) = owner {
            let (system, owner) = (writer.to_owned(), owner.to_owned());
            found.push(Conflict { profile: profile.id, field, system, owner, value: value.clone(), at: now, times: 1 });
        }
        owner.is_some()
    };
    profile.attributes.retain(|name, value| !foreign(format!("attributes.{name}"), value));
    let locale = profile.locale.take();
    profile.locale = locale.filter(|locale| !foreign("locale".to_owned(), &Value::from(locale.as_str())));
    (profile, found)
}

/// Tells an address where a profile's attributes say that its person lives; nothing if they say nothing of it.
pub(crate) fn residence_of(id: ProfileId, attributes: &Map<String, Value>, address: AddressId, place: &Place) -> Option<Command> {
    let number = if let Place::Sms(number) = place { Some(number) } else { None };
    quiet::speaks_of_residence(attributes).then(|| Command::Reside { address, profile: id, residence: quiet::residence(attributes, number) })
}

/// Attributes with a write over them: what it does not name stays, null removes one.
fn merged(before: Option<&Profile>, write: &Map<String, Value>) -> Map<String, Value> {
    let mut all = before.map(|b| b.attributes.clone()).unwrap_or_default();
    all.extend(write.clone());
    all
}

impl Engine {
    /// Writes what a client says of a profile; gives the profile and every conflict that is known of it.
    pub async fn put_profile(&self, system: &str, external_id: &str, request: &ProfileRequest) -> Result<(Profile, Vec<Conflict>), Unwilling> {
        self.pressure.admit()?;
        let now = self.clock.now();
        let writer = request.written_by.as_deref().unwrap_or(system);
        let problems = check(system, external_id, request);
        if !problems.is_empty() {
            return Err(Unwilling::Invalid(problems));
        }
        let id = self.key.profile(system, external_id);
        let before = self.store.profiles(&[id]).await?.pop();
        let mut commands = Vec::new();
        let owner = self.definitions.owner("phone", system, writer).filter(|_| request.phone.is_some());
        let phone = request.phone.as_deref().filter(|_| owner.is_none());
        if let (Some(owner), Some(value)) = (owner, &request.phone) {
            let conflict =
                Conflict { profile: id, field: "phone".to_owned(), system: writer.to_owned(), owner: owner.to_owned(), value: Value::from(value.as_str()), at: now, times: 1 };
            commands.push(Command::NoteConflict(Box::new(conflict)));
        }
        let address = match (phone, &before) {
            (Some(phone), _) => {
                self.textable("phone", phone, request.region.as_deref()).map_err(|p| Unwilling::Invalid(vec![p]))?;
                Some(self.address_of(Some(phone), request.region.as_deref(), ""))
            }
            (None, Some(_)) => None,
            (None, None) => Some(self.address_of(None, None, &id.to_string())),
        };
        let moved = phone.is_some();
        let at = address.as_ref().map(|a| a.id).or_else(|| before.as_ref().map(|b| b.address));
        let place = match (&address, at) {
            (Some(address), _) => Some(address.place.clone()),
            (None, Some(at)) if quiet::speaks_of_residence(&request.attributes) => self.store.addresses(&[at]).await?.pop().map(|a| a.place),
            (None, _) => None,
        };
        commands.extend(address.map(|address| Command::PutAddress(Box::new(address))));
        let written = Profile {
            id,
            system: system.to_owned(),
            external_id: external_id.to_owned(),
            attributes: request.attributes.clone(),
            locale: request.locale.clone(),
            address: at.unwrap_or(trunkline_core::id::AddressId(id.0)),
            updated_at: now,
        };
        let (kept, conflicts) = conflicts_of(&self.definitions, writer, written, now);
        commands.extend(conflicts.into_iter().map(|c| Command::NoteConflict(Box::new(c))));
        commands.extend(place.and_then(|place| residence_of(id, &merged(before.as_ref(), &kept.attributes), kept.address, &place)));
        commands.push(Command::PutProfile { profile: Box::new(kept.clone()), moved });
        self.commit(now, Unit(commands)).await?;
        let stored = self.store.profiles(&[id]).await?.pop().unwrap_or(kept);
        Ok((stored, self.store.conflicts(id).await?))
    }

    /// A profile and the conflicts that are known of it.
    pub async fn profile(&self, system: &str, external_id: &str) -> Result<Option<(Profile, Vec<Conflict>)>, Unwilling> {
        let id: ProfileId = self.key.profile(system, external_id);
        match self.store.profiles(&[id]).await?.pop() {
            Some(profile) => Ok(Some((profile, self.store.conflicts(id).await?))),
            None => Ok(None),
        }
    }
}

fn check(system: &str, external_id: &str, request: &ProfileRequest) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let named = |text: &str| !text.trim().is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
    for (field, text) in [("system", system), ("external_id", external_id), ("written_by", request.written_by.as_deref().unwrap_or("-"))] {
        if !named(text) {
            problems.push(FieldProblem::new(field, "is empty, longer than 256 bytes, or has control characters", "give the name that the system of record uses"));
        }
    }
    if request.attributes.len() > MOST_ATTRIBUTES || request.attributes.keys().any(|name| !named(name) || name.len() > 64) {
        problems.push(FieldProblem::new("attributes", "are too many or too long", "give at most 64, names of 1 to 64 bytes"));
    }
    if request.locale.as_deref().is_some_and(|l| !named(l) || l.len() > 35) {
        problems.push(FieldProblem::new("locale", "is not a language tag", "write one such as \"en\" or \"fr-CA\""));
    }
    if request.region.as_deref().is_some_and(|r| r.len() != 2 || !r.chars().all(|c| c.is_ascii_alphabetic())) {
        problems.push(FieldProblem::new("region", "is not a country code", "write two letters, such as \"US\""));
    }
    problems
}
