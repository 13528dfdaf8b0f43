//! New events: who it is about, and which journeys want it.
//!
//! Its own file because this is where an event becomes runs; it makes no text. Effects come first and the event's
//! own mark last, so that a crash in between does the same again.

use trunkline_core::id::RunId;
use trunkline_core::owe::Owe;
use trunkline_core::time::Time;
use trunkline_store::row::{Event, Fate, Profile, Run};
use trunkline_store::{Command, StoreError, Unit};

use crate::effects::system_alert;
use crate::facts::journey_facts;
use crate::{Engine, Stage, Tick};

impl Engine {
    /// Looks at new events.
    pub async fn ingest_tick(&self, now: Time, limit: usize) -> Result<Tick, StoreError> {
        let events = self.store.new_events(limit).await?;
        let done = events.len();
        if done == 0 {
            return Ok(Tick::default());
        }
        let units = events.iter().map(|event| self.place(event, now)).collect();
        self.commit_all(now, "ingest", units).await?;
        self.wake(&[Stage::Journeys]);
        Ok(Tick { done, next: None })
    }

    fn place(&self, event: &Event, now: Time) -> Unit {
        let mapped = &event.mapped;
        let id = self.key.profile(&mapped.system, &mapped.external_id);
        let address = self.address_of(mapped.phone.as_deref(), mapped.region.as_deref(), &id.to_string());
        let profile = Profile {
            id,
            system: mapped.system.clone(),
            external_id: mapped.external_id.clone(),
            attributes: mapped.attributes.clone(),
            locale: mapped.locale.clone(),
            address: address.id,
            updated_at: mapped.event.time,
        };
        let mut commands = vec![Command::PutAddress(Box::new(address)), Command::PutProfile(Box::new(profile.clone()))];
        let mut runs = Vec::new();
        for (name, version) in &self.definitions.current {
            match self.starts(name, *version, event, &profile, now) {
                Ok(Some(run)) => {
                    runs.push((run.id, format!("{name} version {version}")));
                    let trail = vec![format!("started by event {}", event.id)];
                    commands.push(Command::PutRun(Box::new(run), trail));
                }
                Ok(None) => {}
                Err(alert) => commands.push(Command::Owe(alert)),
            }
        }
        let fate = if runs.is_empty() { Fate::NoJourney } else { Fate::Runs { runs } };
        commands.push(Command::FinishEvent(event.id, fate));
        Unit(commands)
    }

    fn starts(&self, name: &str, version: i64, event: &Event, profile: &Profile, now: Time) -> Result<Option<Run>, Owe> {
        let Some(published) = self.definitions.journeys.get(&(name.to_owned(), version)) else { return Ok(None) };
        let journey = &published.journey;
        if journey.trigger.kind != event.mapped.event.kind {
            return Ok(None);
        }
        let facts = journey_facts(event, profile);
        let alert =
            |what: &str, error: &dyn std::fmt::Display| system_alert("journey_trigger", name, format!("journeys/{name}.toml: {what} {error}; event {} started no run", event.id));
        if let Some(when) = &journey.trigger.when
            && !self.expr.holds(when, &facts).map_err(|e| alert("trigger.when", &e))?
        {
            return Ok(None);
        }
        let key = self.expr.value(&journey.correlation, &facts).map_err(|e| alert("correlation", &e))?;
        let correlation = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        let id = RunId::of(name, profile.id, &correlation);
        let position = journey.start(now);
        Ok(Some(Run { id, journey: name.to_owned(), version, profile: profile.id, correlation, event: event.id, position, rev: 0 }))
    }
}
