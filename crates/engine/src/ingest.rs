//! New events: who it is about, which runs they end, and which journeys want them.
//!
//! Its own file because this is where an event becomes runs; it makes no text. Effects come first and the event's
//! own mark last, so that a crash in between does the same again.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_core::expr::Facts;
use trunkline_core::id::{AddressId, ProfileId, RunId};
use trunkline_core::journey::{Cancel, Entry, Meaning, Position, Reentry};
use trunkline_core::message;
use trunkline_core::owe::Owe;
use trunkline_core::reason::Reason;
use trunkline_core::time::Time;
use trunkline_store::row::{Address, Conflict, Event, Fate, Message, Profile, Run};
use trunkline_store::{Command, StoreError, Unit};

use crate::definitions::{Journeys, Published};
use crate::effects::system_alert;
use crate::facts::{find, journey_facts};
use crate::poison::poisonous;
use crate::profile::{conflicts_of, residence_of};
use crate::{Engine, Stage, Tick};

/// The most runs of a profile that an event is compared with.
const MOST_FRESH: usize = 100;

/// A run that an event wants to start.
struct Wanted<'a> {
    name: &'a str,
    version: i64,
    published: &'a Published,
    correlation: String,
}

/// An event, whom it is about, and what it wants.
struct Guest<'a> {
    event: &'a Event,
    profile: Profile,
    address: Address,
    wanted: Vec<Wanted<'a>>,
    alerts: Vec<Owe>,
}

/// What a batch of events is decided from.
struct Scene<'a> {
    journeys: &'a Journeys,
    /// The newest run of each entry; those that this batch starts are added as they are decided.
    earlier: BTreeMap<[u8; 16], Run>,
    /// Runs of the profiles whose events may end some: under way, or with texts that have not left.
    open: Vec<Run>,
    /// Runs that were started lately with the events that started them, of the profiles whose events may say the same again;
    /// those of this batch too.
    fresh: Vec<(Run, Event)>,
    /// The texts of these runs that have not left, and their addresses.
    waiting: Vec<Message>,
    homes: BTreeMap<ProfileId, AddressId>,
    addresses: Vec<Address>,
}

impl Engine {
    /// Looks at new events.
    pub async fn ingest_tick(&self, now: Time, limit: usize) -> Result<Tick, StoreError> {
        let events = self.store.new_events(limit).await?;
        if events.is_empty() {
            return Ok(Tick::default());
        }
        let done = match self.ingest(&events, now).await {
            Ok(()) => events.len(),
            Err(error) if poisonous(&error) => self.ingest_apart(now, limit).await?,
            Err(error) => return Err(error),
        };
        self.wake(&[Stage::Journeys]);
        Ok(Tick { done, next: None })
    }

    /// One of a batch cannot be worked on: each on its own, so that it holds up no other. What fails again and again is a
    /// dead letter.
    async fn ingest_apart(&self, now: Time, limit: usize) -> Result<usize, StoreError> {
        let mut done = 0;
        for event in self.store.new_events(limit).await? {
            let Err(error) = self.ingest(std::slice::from_ref(&event), now).await else {
                done += 1;
                continue;
            };
            let Some(cause) = self.failed_alone(&event.id.to_string(), error)? else { continue };
            let source = &event.mapped.event.source;
            let alert = system_alert("event_dead", source, format!("an event of '{source}' could not be worked on: {cause}; mend the cause, then replay {}", event.id));
            self.commit(now, Unit(vec![Command::Owe(alert), Command::FinishEvent(event.id, Fate::Dead { cause })])).await?;
            done += 1;
        }
        Ok(done)
    }

    async fn ingest(&self, events: &[Event], now: Time) -> Result<(), StoreError> {
        let journeys = self.journeys();
        let guests: Vec<Guest<'_>> = events.iter().map(|event| self.guest(event, &journeys)).collect();
        let mut scene = self.scene(&guests, &journeys, now).await?;
        // A run that this batch starts cannot be ended by it: an event that may end it waits for the next tick.
        let mut started: BTreeSet<ProfileId> = BTreeSet::new();
        let mut units = Vec::new();
        for guest in &guests {
            if started.contains(&guest.profile.id) && journeys.may_cancel(&guest.event.mapped.event.kind) {
                continue;
            }
            if !guest.wanted.is_empty() {
                started.insert(guest.profile.id);
            }
            units.push(self.place(guest, &mut scene, now));
        }
        self.commit_all(now, "ingest", units).await.map(|_| ())
    }

    async fn scene<'a>(&self, guests: &[Guest<'_>], journeys: &'a Journeys, now: Time) -> Result<Scene<'a>, StoreError> {
        let again = |g: &Guest<'_>| g.wanted.iter().filter(|w| w.published.journey.reentry == Reentry::AfterEnd).map(|w| w.entry(g.profile.id)).collect::<Vec<_>>();
        let entries: Vec<[u8; 16]> = guests.iter().flat_map(again).collect();
        let earlier = if entries.is_empty() { Vec::new() } else { self.store.entered(&entries).await? };
        let ending: Vec<ProfileId> = guests.iter().filter(|g| journeys.may_cancel(&g.event.mapped.event.kind)).map(|g| g.profile.id).collect();
        let open = if ending.is_empty() { Vec::new() } else { self.store.open_runs(&ending).await? };
        let waiting = if open.is_empty() { Vec::new() } else { self.store.waiting_in_runs(&open.iter().map(|r| r.id).collect::<Vec<_>>()).await? };
        let mut ids: Vec<AddressId> = waiting.iter().map(|m| m.intent.address).collect();
        let profiles = if open.is_empty() { Vec::new() } else { self.store.profiles(&ending).await? };
        ids.extend(profiles.iter().map(|p| p.address));
        let homes = profiles.into_iter().map(|p| (p.id, p.address)).collect();
        let addresses = self.store.addresses(&ids).await?;
        let earlier = earlier.into_iter().filter_map(|run| run.entry.map(|entry| (entry, run))).collect();
        let fresh = self.fresh(guests, now).await?;
        Ok(Scene { journeys, earlier, open, fresh, waiting, homes, addresses })
    }

    /// The runs that events of a batch may repeat, with the events that started them.
    async fn fresh(&self, guests: &[Guest<'_>], now: Time) -> Result<Vec<(Run, Event)>, StoreError> {
        let careful = |g: &&Guest<'_>| g.wanted.iter().any(|w| w.published.journey.duplicate_within.is_some());
        let profiles: BTreeSet<ProfileId> = guests.iter().filter(careful).map(|g| g.profile.id).collect();
        let within = guests.iter().flat_map(|g| &g.wanted).filter_map(|w| w.published.journey.duplicate_within).max();
        let Some(within) = within else { return Ok(Vec::new()) };
        let runs = self.store.runs_since(&profiles.into_iter().collect::<Vec<_>>(), now - within, MOST_FRESH).await?;
        let events = self.store.events(&runs.iter().map(|r| r.event).collect::<Vec<_>>()).await?;
        let with_event = |run: Run| events.iter().find(|e| e.id == run.event).map(|event| (run, event.clone()));
        Ok(runs.into_iter().filter_map(with_event).collect())
    }

    fn guest<'a>(&self, event: &'a Event, journeys: &'a Journeys) -> Guest<'a> {
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
        let (mut wanted, mut alerts) = (Vec::new(), Vec::new());
        for (name, version, published) in journeys.current() {
            match self.wants(name, published, event, &profile) {
                Ok(Some(correlation)) => wanted.push(Wanted { name, version, published, correlation }),
                Ok(None) => {}
                Err(alert) => alerts.push(alert),
            }
        }
        Guest { event, profile, address, wanted, alerts }
    }

    fn place(&self, guest: &Guest<'_>, scene: &mut Scene<'_>, now: Time) -> Unit {
        let Guest { event, profile, address, wanted, alerts } = guest;
        let mut commands = vec![Command::PutAddress(Box::new(address.clone()))];
        let (kept, mut conflicts) = conflicts_of(&self.definitions, &profile.system, profile.clone(), now);
        let phone = event.mapped.phone.as_ref();
        let owner = self.definitions.owner("phone", &profile.system, &profile.system).filter(|_| phone.is_some());
        let moved = phone.is_some() && owner.is_none();
        let residence = residence_of(profile.id, &kept.attributes, address.id, &address.place).filter(|_| moved);
        commands.push(Command::PutProfile { profile: Box::new(kept), moved });
        if let (Some(owner), Some(phone)) = (owner, phone) {
            let (field, system, owner, value) = ("phone".to_owned(), profile.system.clone(), owner.to_owned(), phone.as_str().into());
            conflicts.push(Conflict { profile: profile.id, field, system, owner, value, at: now, times: 1 });
        }
        commands.extend(conflicts.into_iter().map(|c| Command::NoteConflict(Box::new(c))));
        commands.extend(alerts.iter().cloned().map(Command::Owe));
        let mut runs = self.end_runs(guest, scene, &mut commands, now);
        for wanted in wanted {
            if let Some((run, event)) = scene.repeated(wanted, guest) {
                runs.push((run.id, format!("{} was not entered again: the event says the same as {}", wanted.name, event.id)));
                continue;
            }
            let entry = wanted.entry(profile.id);
            let (id, entry) = match wanted.published.journey.reentry {
                Reentry::Once => (RunId::of(wanted.name, profile.id, &wanted.correlation), None),
                Reentry::AfterEnd => (RunId::entered(wanted.name, profile.id, &wanted.correlation, event.id), Some(entry)),
                Reentry::Always => (RunId::entered(wanted.name, profile.id, &wanted.correlation, event.id), None),
            };
            let earlier = entry.and_then(|e| scene.earlier.get(&e)).filter(|r| r.id != id);
            if let Entry::Barred { why } = wanted.published.journey.enter(earlier.map(|r| (&r.position, r.started_at)), now) {
                runs.push((earlier.map_or(id, |r| r.id), format!("{} was not entered again: {why}", wanted.name)));
                continue;
            }
            let run = Run {
                id,
                journey: wanted.name.to_owned(),
                version: wanted.version,
                profile: profile.id,
                correlation: wanted.correlation.clone(),
                event: event.id,
                position: wanted.published.journey.start(now),
                started_at: now,
                entry,
                rev: 0,
            };
            runs.push((run.id, format!("{} version {}", wanted.name, wanted.version)));
            if let Some(entry) = entry {
                scene.earlier.insert(entry, run.clone());
            }
            if wanted.published.journey.duplicate_within.is_some() {
                scene.fresh.push((run.clone(), (*event).clone()));
            }
            commands.push(Command::PutRun(Box::new(run), vec![format!("started by event {}", event.id)].into()));
        }
        // It bumps the version of the address, which the texts that are taken back compare: so after them.
        commands.extend(residence);
        let fate = if runs.is_empty() { Fate::NoJourney } else { Fate::Runs { runs } };
        commands.push(Command::FinishEvent(event.id, fate));
        Unit(commands)
    }

    /// The runs that an event ends, with their texts that have not left; and runs that it ends before they start, since
    /// an order may be cancelled before we hear of it.
    fn end_runs(&self, guest: &Guest<'_>, scene: &Scene<'_>, commands: &mut Vec<Command>, now: Time) -> Vec<(RunId, String)> {
        let kind = &guest.event.mapped.event.kind;
        let mut ended = Vec::new();
        if !scene.journeys.may_cancel(kind) {
            return ended;
        }
        let why = format!("ended by event {} ({kind})", guest.event.id);
        let mut over_now: Vec<&Run> = Vec::new();
        for run in scene.open.iter().filter(|r| r.profile == guest.profile.id) {
            let Some(published) = scene.journeys.versions.get(&(run.journey.clone(), run.version)) else { continue };
            let ends = |rule: &Cancel| self.correlation_of(&run.journey, published, rule, guest, commands) == Some(run.correlation.clone());
            if !published.journey.cancel.iter().filter(|rule| rule.kind == *kind).any(ends) {
                continue;
            }
            over_now.push(run);
            // A journey whose last step is a text is over when the text is made; only the text is taken back.
            if !matches!(run.position, Position::At { .. }) {
                ended.push((run.id, format!("{} version {}: its texts that had not left were taken back", run.journey, run.version)));
                continue;
            }
            let over = Run { position: Position::Canceled { why: why.clone() }, ..run.clone() };
            commands.push(Command::PutRun(Box::new(over), vec![why.clone()].into()));
            ended.push((run.id, format!("{} version {} ended", run.journey, run.version)));
        }
        commands.extend(self.take_back_texts(&over_now, scene, &format!("event {} ({kind})", guest.event.id), now));
        for (name, version, published) in scene.journeys.current().filter(|(_, _, p)| p.journey.reentry == Reentry::Once) {
            for rule in published.journey.cancel.iter().filter(|rule| rule.kind == *kind) {
                let Some(correlation) = self.correlation_of(name, published, rule, guest, commands) else { continue };
                let id = RunId::of(name, guest.profile.id, &correlation);
                if scene.open.iter().any(|r| r.id == id) {
                    continue;
                }
                // Nothing happens if there was such a run: it is over.
                let run = Run {
                    id,
                    journey: name.to_owned(),
                    version,
                    profile: guest.profile.id,
                    correlation,
                    event: guest.event.id,
                    position: Position::Canceled { why: format!("{why} before it started") },
                    started_at: now,
                    entry: None,
                    rev: 0,
                };
                commands.push(Command::PutRun(Box::new(run), vec![why.clone()].into()));
            }
        }
        ended
    }

    /// Cancels the texts of runs that have not left, and bumps the versions of the addresses they would go to: a claim
    /// that was decided while a run was under way must be decided again.
    fn take_back_texts(&self, runs: &[&Run], scene: &Scene<'_>, by: &str, now: Time) -> Vec<Command> {
        let of_these = |m: &&Message| m.state.claimable() && runs.iter().any(|r| m.intent.origin.run() == Some(r.id));
        let waiting: Vec<&Message> = scene.waiting.iter().filter(of_these).collect();
        let homes: BTreeSet<AddressId> = waiting.iter().map(|m| m.intent.address).chain(runs.iter().filter_map(|r| scene.homes.get(&r.profile).copied())).collect();
        let mut commands = Vec::new();
        for address in homes.into_iter().filter_map(|id| find(&scene.addresses, id)) {
            let event = message::Event::Canceled { reason: Reason::CanceledBy { by: by.to_owned() } };
            let cancel = |m: &&Message| self.change(m, event.clone(), None, address, now).ok();
            let messages = waiting.iter().filter(|m| m.intent.address == address.id).filter_map(cancel).collect();
            commands.push(Command::News { address: address.id, guard_version: address.guard_version, news: Box::default(), messages, owes: Vec::new() });
        }
        commands
    }

    /// The value that names the run a rule ends; nothing if the rule's condition does not hold.
    fn correlation_of(&self, name: &str, published: &Published, rule: &Cancel, guest: &Guest<'_>, commands: &mut Vec<Command>) -> Option<String> {
        let facts = Facts::of(&journey_facts(guest.event, &guest.profile));
        let read = || -> Result<Option<String>, (&str, trunkline_core::expr::ExprError)> {
            if let Some(when) = &rule.when
                && !self.expr.holds_of(when, &facts).map_err(|e| ("cancel.when", e))?
            {
                return Ok(None);
            }
            let source = rule.correlation.as_ref().unwrap_or(&published.journey.correlation);
            let value = self.expr.value_of(source, &facts).map_err(|e| ("cancel.correlation", e))?;
            Ok(Some(as_key(&value)))
        };
        read().unwrap_or_else(|(what, error)| {
            let detail = format!("journeys/{name}.toml: {what} {error}; event {} ended no run", guest.event.id);
            commands.push(Command::Owe(system_alert("journey_cancel", name, detail)));
            None
        })
    }

    /// The correlation of the run that this journey wants to start for an event, if it wants to.
    fn wants(&self, name: &str, published: &Published, event: &Event, profile: &Profile) -> Result<Option<String>, Owe> {
        let journey = &published.journey;
        if journey.trigger.kind != event.mapped.event.kind {
            return Ok(None);
        }
        let facts = Facts::of(&journey_facts(event, profile));
        let alert =
            |what: &str, error: &dyn std::fmt::Display| system_alert("journey_trigger", name, format!("journeys/{name}.toml: {what} {error}; event {} started no run", event.id));
        if let Some(when) = &journey.trigger.when
            && !self.expr.holds_of(when, &facts).map_err(|e| alert("trigger.when", &e))?
        {
            return Ok(None);
        }
        let key = self.expr.value_of(&journey.correlation, &facts).map_err(|e| alert("correlation", &e))?;
        Ok(Some(as_key(&key)))
    }
}

impl Scene<'_> {
    /// The run that this event would start a second time, and the event that started it.
    fn repeated(&self, wanted: &Wanted<'_>, guest: &Guest<'_>) -> Option<(&Run, &Event)> {
        let same = |run: &Run| run.journey == wanted.name && run.profile == guest.profile.id && run.correlation == wanted.correlation && run.event != guest.event.id;
        let found = self.fresh.iter().find(|(run, event)| same(run) && wanted.published.journey.repeats(meaning(guest.event), meaning(event)));
        found.map(|(run, event)| (run, event))
    }
}

fn meaning(event: &Event) -> Meaning<'_> {
    let source = &event.mapped.event;
    Meaning { kind: &source.kind, subject: source.subject.as_deref(), data: &source.data, at: event.received_at }
}

impl Wanted<'_> {
    fn entry(&self, profile: ProfileId) -> [u8; 16] {
        RunId::entry(self.name, profile, &self.correlation)
    }
}

/// A correlation as a text.
fn as_key(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
