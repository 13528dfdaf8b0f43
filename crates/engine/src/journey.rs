//! Due runs: one step further, and the text that is due on the way.
//!
//! Its own file because a send step makes exactly one intent, rendered once, in the same unit that moves the run.
//! The intent's id follows from run, step and visit, so doing it again makes the same one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trunkline_core::expr::Reader;
use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::id::MessageId;
use trunkline_core::journey::{Journey, Position};
use trunkline_core::message;
use trunkline_core::owe::Owe;
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::template::Template;
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Event, Intent, Message, Origin, Profile, Run, Trail};
use trunkline_store::{Command, StoreError, Unit};

use crate::compose::Wish;
use crate::effects::{customer_alert, system_alert};
use crate::facts::{earlier, find, journey_facts};
use crate::limits::Limits;
use crate::poison::poisonous;
use crate::{Engine, Stage, Tick};

/// What a run's step is decided from.
struct Scene<'a> {
    run: &'a Run,
    event: &'a Event,
    profile: &'a Profile,
    address: &'a Address,
    waiting: &'a [Message],
    /// What went to the addresses of the batch lately, or is about to.
    texts: &'a [Message],
    limits: Option<&'a Limits>,
}

impl Engine {
    /// Moves due runs.
    pub async fn journey_tick(&self, now: Time, limit: usize) -> Result<Tick, StoreError> {
        let runs = self.store.due_runs(now, limit).await?;
        if runs.is_empty() {
            return Ok(Tick::default());
        }
        let done = match self.move_on(&runs, now).await {
            Ok(()) => runs.len(),
            Err(error) if poisonous(&error) => self.move_on_apart(now, limit).await?,
            Err(error) => return Err(error),
        };
        self.wake(&[Stage::Dispatch]);
        Ok(Tick { done, next: None })
    }

    /// One of a batch cannot be moved: each on its own, so that it holds up no other. What fails again and again has failed.
    async fn move_on_apart(&self, now: Time, limit: usize) -> Result<usize, StoreError> {
        let mut done = 0;
        for run in self.store.due_runs(now, limit).await? {
            let Err(error) = self.move_on(std::slice::from_ref(&run), now).await else {
                done += 1;
                continue;
            };
            let Some(cause) = self.failed_alone(&run.id.to_string(), error)? else { continue };
            self.commit(now, stop(&run, &cause)).await?;
            done += 1;
        }
        Ok(done)
    }

    async fn move_on(&self, runs: &[Run], now: Time) -> Result<(), StoreError> {
        let events = self.store.events(&runs.iter().map(|r| r.event).collect::<Vec<_>>()).await?;
        let profiles = self.store.profiles(&runs.iter().map(|r| r.profile).collect::<Vec<_>>()).await?;
        let addresses = self.store.addresses(&profiles.iter().map(|p| p.address).collect::<Vec<_>>()).await?;
        let waiting = self.store.waiting_in_runs(&runs.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
        let journeys = self.journeys();
        let purposes: BTreeSet<Purpose> = runs.iter().filter_map(|r| journeys.versions.get(&(r.journey.clone(), r.version)).map(|p| p.journey.purpose)).collect();
        let texts = self.recent_texts(&addresses.iter().map(|a| (a.id, None)).collect::<Vec<_>>(), &purposes, now).await?;
        let limits = self.limits_for_routes().await?;
        let limits = limits.as_ref();
        let mut units = Vec::new();
        for run in runs {
            let event = events.iter().find(|e| e.id == run.event);
            let profile = profiles.iter().find(|p| p.id == run.profile);
            let address = profile.and_then(|p| find(&addresses, p.address));
            let unit = match (event, profile, address) {
                (Some(event), Some(profile), Some(address)) => self.step(&Scene { run, event, profile, address, waiting: &waiting, texts: &texts, limits }, now),
                _ => stop(run, "its event, profile or address is missing from the store"),
            };
            units.push(unit);
        }
        self.commit_all(now, "journey", units).await.map(|_| ())
    }

    fn step(&self, scene: &Scene<'_>, now: Time) -> Unit {
        let run = scene.run;
        let Position::At { step, visit, due } = &run.position else { return stop(run, "it is due and over at once") };
        let journeys = self.journeys();
        let Some(published) = journeys.versions.get(&(run.journey.clone(), run.version)) else {
            return stop(run, "its version of the journey is not published");
        };
        let facts = journey_facts(scene.event, scene.profile);
        let moved = published.journey.advance(&self.expr, step, *visit, *due, &self.whereabouts(scene.address).zones, &facts);
        let mut commands = Vec::new();
        let (mut position, mut trail) = (moved.position, moved.trail);
        if let Some((step, visit, template)) = moved.send {
            match self.intent(scene, &published.journey, &published.templates, &step, visit, *due, &template, &facts, now) {
                Ok(change) => {
                    trail.push(format!("{step}: made {}", change.message.id));
                    if matches!(change.message.state.reasons.first(), Some(Reason::TemplateFailed { .. })) {
                        position = Position::Failed { why: format!("step '{step}': template '{template}' could not be rendered") };
                    }
                    commands.push(Command::PutMessage(Box::new(change)));
                }
                Err(why) => return stop(run, &why),
            }
        }
        if let Position::Failed { why } = &position {
            commands.push(Command::Owe(system_alert("run_failed", &run.journey, format!("journeys/{}.toml: {why}; mend the cause, then replay {}", run.journey, run.id))));
        }
        commands.push(Command::PutRun(Box::new(Run { position, ..run.clone() }), Trail { lines: trail, steps: moved.passed }));
        Unit(commands)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one send step, each of them needed once")]
    fn intent(
        &self,
        scene: &Scene<'_>,
        journey: &Journey,
        templates: &BTreeMap<String, Template>,
        step: &str,
        visit: u32,
        due: Time,
        template: &str,
        facts: &Value,
        now: Time,
    ) -> Result<MessageChange, String> {
        let (way, chosen) = self.way_of_new(scene.address, journey.purpose, scene.limits, now).ok_or("no sender is configured")?;
        let run = scene.run;
        let id = MessageId::of_step(scene.address.id, due, run.id, step, visit);
        let house = &self.definitions.default_locale;
        let reader = Reader { locale: scene.profile.locale.as_ref().unwrap_or(house).clone(), zones: self.whereabouts(scene.address).zones, house: house.clone() };
        let rendered = match templates.get(template) {
            Some(found) => found.render(&self.expr, &reader, facts).map_err(|e| e.to_string()),
            None => Err("it does not exist in this version of the journey".to_owned()),
        };
        let (text, used) = rendered.as_ref().map(|r| (r.text.clone(), r.locale.clone())).unwrap_or_default();
        let composed = self.compose(text, (&way.account, &way.sender), Wish { template: Some(template), program: &journey.program, asked: None });
        let intent = Intent {
            address: scene.address.id,
            profile: Some(scene.profile.id),
            event: Some(scene.event.id),
            origin: Origin::Journey { journey: run.journey.clone(), version: run.version, run: run.id, step: step.to_owned(), visit },
            purpose: journey.purpose,
            program: journey.program.clone(),
            account: way.account,
            sender: way.sender,
            size: composed.size,
            body: composed.body,
            written: composed.written,
            template: Some((template.to_owned(), used)),
            deadline: due + journey.ttl.unwrap_or_else(|| self.definitions.policy(journey.purpose).ttl),
            created_at: now,
            labels: scene.event.mapped.labels.clone(),
        };
        let (verdict, alert) = match rendered {
            Ok(_) => {
                let behind = scene.waiting.iter().find(|m| m.intent.origin.run() == Some(run.id) && m.intent.address == scene.address.id && m.id != id);
                let behind = behind.map(|m| (m.id, m.intent.deadline));
                let mut verdict = self.ask_gate(id, &intent, scene.address, behind, &earlier(scene.texts, scene.address.id, id, true), now);
                verdict.findings.extend(chosen);
                let alert = unreachable(&verdict, run, id);
                (verdict, alert)
            }
            Err(problem) => {
                let detail = format!("journeys/{}.toml, step '{step}': template '{template}': {problem}; no text was sent, newest {id}", run.journey);
                let failed = Reason::TemplateFailed { template: template.to_owned(), problem };
                (Verdict { decision: Decision::Fail, findings: vec![failed] }, Some(system_alert("template_failed", template, detail)))
            }
        };
        let mut change = self.make(id, intent, message::Event::Made { verdict }, scene.address, now).map_err(|e| e.to_string())?;
        change.owes.extend(alert);
        Ok(change)
    }
}

/// An alert for whoever talks to customers, if the number cannot be texted.
fn unreachable(verdict: &Verdict, run: &Run, id: MessageId) -> Option<Owe> {
    let bad = verdict.findings.iter().find(|f| matches!(f, Reason::NumberMissing | Reason::NumberImpossible { .. } | Reason::FixedLine))?;
    Some(customer_alert("number_unreachable", &run.journey, format!("journey '{}' has customers whose number cannot be texted; newest: {id}, {bad}", run.journey)))
}

fn stop(run: &Run, why: &str) -> Unit {
    let failed = Run { position: Position::Failed { why: why.to_owned() }, ..run.clone() };
    let alert = system_alert("run_failed", &run.journey, format!("run {} of journey '{}' cannot go on: {why}; mend the cause, then replay it", run.id, run.journey));
    Unit(vec![Command::Owe(alert), Command::PutRun(Box::new(failed), vec![why.to_owned()].into())])
}
