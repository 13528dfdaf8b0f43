//! What each command does to the tables, messages apart.
//!
//! Its own file because this is the whole write side in one match without wildcard. Every command is a
//! compare-and-set or an insert that does nothing the second time.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use trunkline_core::consent::ConsentState;
use trunkline_core::id::{AddressId, ProfileId, hash16};
use trunkline_core::journey::Position;
use trunkline_core::planted::{Fault, planted};
use trunkline_core::time::Time;

use super::codec::{self, hook_key, hook_state, message_key, run_at, to_json};
use super::write_outward::{self, owe_all};
use super::{Owes, failed, gap, write_erase, write_message};
use crate::command::{Applied, Command, MessageChange, Unit};
use crate::row::{AddressNews, Event, Hook, Profile, Run, Trail};
use crate::{Committed, StoreError};

/// Counters of one transaction, added up before they are written.
#[derive(Default, Clone)]
pub(super) struct Tally {
    counts: BTreeMap<(String, String), i64>,
    /// How often something was added.
    pub(super) added: u64,
}

impl Tally {
    pub(super) fn add(&mut self, day: String, name: impl Into<String>, by: i64) {
        self.added += 1;
        *self.counts.entry((day, name.into())).or_default() += by;
    }

    pub(super) fn flush(self, connection: &Connection) -> Result<(), StoreError> {
        for ((day, name), by) in self.counts.into_iter().filter(|(_, by)| *by != 0) {
            exec(connection, "INSERT INTO counter (day, name, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = value + ?3", params![day, name, by])?;
        }
        Ok(())
    }
}

/// Runs a statement; how many rows it changed.
pub(super) fn exec(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
    connection.prepare_cached(sql).map_err(failed)?.execute(params).map_err(failed)
}

/// An insert that may find its row there already.
pub(super) fn inserted(changed: usize) -> Applied {
    if changed == 0 { Applied::Already } else { Applied::Done }
}

/// A compare-and-set that may find another value.
pub(super) fn matched(changed: usize, what: &'static str) -> Result<Applied, StoreError> {
    if changed == 0 { Err(StoreError::Conflict { what }) } else { Ok(Applied::Done) }
}

/// One unit in a savepoint: all of it or nothing.
pub(super) fn unit(transaction: &mut Transaction<'_>, now: Time, unit: &Unit, owes: Owes, tally: &mut Tally) -> Committed {
    let before = tally.clone();
    let savepoint = transaction.savepoint().map_err(failed)?;
    match commands(&savepoint, now, unit, owes, tally) {
        Ok(applied) => savepoint.commit().map_err(failed).map(|()| applied),
        Err(error) => {
            if !planted(Fault::CountsOfUndone) {
                *tally = before;
            }
            Err(error)
        }
    }
}

/// One unit without a savepoint, which costs a copy of every page it touches; `None` if it failed after it had
/// changed something, and the transaction has to be undone.
pub(super) fn bare(c: &Connection, now: Time, unit: &Unit, owes: Owes, tally: &mut Tally) -> Option<Committed> {
    let before = (c.total_changes(), tally.added);
    let result = commands(c, now, unit, owes, tally);
    (result.is_ok() || before == (c.total_changes(), tally.added)).then_some(result)
}

fn commands(c: &Connection, now: Time, unit: &Unit, owes: Owes, tally: &mut Tally) -> Committed {
    unit.0.iter().map(|command| one(c, now, command, owes, tally)).collect()
}

#[expect(clippy::too_many_lines, reason = "one line for each command of the closed list; splitting it would hide that it is whole")]
fn one(c: &Connection, now: Time, command: &Command, owes: Owes, tally: &mut Tally) -> Result<Applied, StoreError> {
    match command {
        Command::AcceptEvent(event) => accept_event(c, now, event, tally),
        Command::FinishEvent(id, fate) => exec(c, "UPDATE source_event SET fate = ?2 WHERE id = ?1 AND fate IS NULL", params![id.0, to_json(fate)?]).map(inserted),
        Command::ReviveEvent(id) => exec(c, "UPDATE source_event SET fate = NULL WHERE id = ?1 AND fate LIKE '{\"fate\":\"dead\"%'", params![id.0]).map(inserted),
        Command::PutProfile { profile, moved } => put_profile(c, profile, *moved),
        Command::NoteConflict(conflict) => write_outward::conflict(c, conflict),
        Command::PutAddress(address) => exec(
            c,
            "INSERT OR IGNORE INTO address (id, part, place, zones, consent, guard_version) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![address.id.0, address.id.part(), to_json(&address.place)?, to_json(&address.zones)?, to_json(&address.consent)?, address.guard_version],
        )
        .map(inserted),
        Command::Reside { address, profile, residence } => reside(c, *address, *profile, residence.as_deref()),
        Command::News { address, guard_version, news: fresh, messages, owes: owed } => news(c, now, *address, *guard_version, fresh, messages, owes, tally).and_then(|applied| {
            if applied == Applied::Done {
                owe_all(c, now, owed, owes)?;
            }
            Ok(applied)
        }),
        Command::PutRun(run, trail) => put_run(c, now, run, trail, tally),
        Command::PutMessage(change) => write_message::put(c, now, change, owes, tally),
        Command::Note(id, event) => write_message::note(c, now, *id, event),
        Command::PutHook(hook) => put_hook(c, now, hook, tally),
        Command::MoveHook(id, state, note) => {
            let (word, due) = hook_state(state);
            let sql = "UPDATE hook SET state = ?2, due = ?3, note = ?4, tries = tries + 1 WHERE id = ?1 AND state <> 'done'";
            exec(c, sql, params![hook_key(*id), word, due, note]).map(inserted)
        }
        Command::Refuse(refusal) => {
            let sql = "INSERT INTO refusal (name, at, reason, request, body) VALUES (?1, ?2, ?3, ?4, ?5)";
            exec(c, sql, params![refusal.name, refusal.at.0, refusal.reason, refusal.request, refusal.body])?;
            exec(c, "DELETE FROM refusal WHERE number <= (SELECT max(number) FROM refusal) - 10000", [])?;
            tally.add(now.utc_day(), "hook.refused", 1);
            Ok(Applied::Done)
        }
        Command::BindFound(bind) => {
            let sql = "SELECT message, n FROM provider_ref WHERE account = ?1 AND vendor_id = ?2";
            let bound = codec::first(c, sql, params![bind.account, bind.vendor_id], |row| Ok((row.get::<_, Vec<u8>>(0).map_err(failed)?, row.get::<_, u32>(1).map_err(failed)?)))?;
            match bound {
                Some((message, n)) if message != message_key(bind.attempt.message) || n != bind.attempt.n => Err(StoreError::Conflict { what: "provider reference" }),
                Some(_) => Ok(Applied::Already),
                None => one(c, now, &Command::BindRef(bind.clone()), owes, tally),
            }
        }
        Command::BindRef(bind) => {
            let part = hash16(&[bind.account.as_bytes(), bind.vendor_id.as_bytes()]).first().copied();
            let sql = "INSERT OR IGNORE INTO provider_ref (account, vendor_id, part, message, n) VALUES (?1, ?2, ?3, ?4, ?5)";
            let changed = exec(c, sql, params![bind.account, bind.vendor_id, part, message_key(bind.attempt.message), bind.attempt.n])?;
            let wake = "UPDATE hook SET due = ?3 WHERE state = 'waiting' AND id IN (SELECT hook FROM parked WHERE account = ?1 AND vendor_id = ?2)";
            exec(c, wake, params![bind.account, bind.vendor_id, now.0])?;
            exec(c, "DELETE FROM parked WHERE account = ?1 AND vendor_id = ?2", params![bind.account, bind.vendor_id])?;
            Ok(inserted(changed))
        }
        Command::Park { account, vendor_id, hook, due } => {
            let bound = codec::first(c, "SELECT 1 FROM provider_ref WHERE account = ?1 AND vendor_id = ?2", params![account, vendor_id], |_| Ok(()))?;
            let due = if bound.is_some() { now } else { *due };
            if bound.is_none() {
                exec(c, "INSERT OR IGNORE INTO parked (account, vendor_id, hook) VALUES (?1, ?2, ?3)", params![account, vendor_id, hook_key(*hook)])?;
            }
            let sql = "UPDATE hook SET due = ?2, tries = tries + 1, note = 'waits for its attempt' WHERE id = ?1 AND state = 'waiting'";
            exec(c, sql, params![hook_key(*hook), due.0]).map(inserted)
        }
        Command::Reserve(key, reservation) => {
            let sql = "INSERT OR IGNORE INTO idempotency (key, part, body, message, at) VALUES (?1, ?2, ?3, ?4, ?5)";
            exec(c, sql, params![key, key.first(), reservation.body, message_key(reservation.message), reservation.at.0]).map(inserted)
        }
        Command::Advance { account, sender, from, to } => {
            exec(c, "INSERT OR IGNORE INTO bucket (account, sender, tat) VALUES (?1, ?2, 0)", params![account, sender])?;
            let sql = "UPDATE bucket SET tat = ?4 WHERE account = ?1 AND sender = ?2 AND tat = ?3";
            matched(exec(c, sql, params![account, sender, from.0, to.0])?, "bucket")
        }
        Command::OpenGap(row) => gap::open(c, row),
        Command::PutGap(row) => gap::put(c, row),
        Command::CloseGap { account, rev } => gap::close(c, account, *rev),
        Command::Beat { account, at } => gap::beat(c, account, *at),
        Command::PutGauge(gauge) => {
            let changed = if gauge.rev == 0 {
                exec(c, "INSERT OR IGNORE INTO gauge (kind, name, rev, body) VALUES (?1, ?2, 1, ?3)", params![gauge.kind.word(), gauge.name, gauge.body])?
            } else {
                let sql = "UPDATE gauge SET rev = rev + 1, body = ?3 WHERE kind = ?1 AND name = ?2 AND rev = ?4";
                exec(c, sql, params![gauge.kind.word(), gauge.name, gauge.body, gauge.rev])?
            };
            matched(changed, "gauge")
        }
        Command::Pause(pause) => {
            let sql = "INSERT INTO pause (account, until, cause) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET until = ?2, cause = ?3";
            exec(c, sql, params![pause.account, pause.until.0, pause.cause]).map(inserted)
        }
        Command::PutWriteback { row, expect } => write_outward::put_writeback(c, now, row, expect),
        Command::PutAnnouncement { row, expect } => write_outward::put_announcement(c, now, row, expect, tally),
        Command::ReviveAnnouncement(id) => exec(c, "UPDATE announcement SET state = 'due', due = ?2, tries = 0 WHERE id = ?1 AND state = 'dead'", params![id, now.0]).map(inserted),
        Command::Owe(owed) => owe_all(c, now, std::slice::from_ref(owed), owes).map(|()| Applied::Done),
        Command::CloseAlert { code, about } => {
            exec(c, "UPDATE alert SET closed_at = ?3 WHERE code = ?1 AND about = ?2 AND closed_at IS NULL", params![code, about, now.0]).map(inserted)
        }
        Command::Publish(definition) => {
            let newest =
                codec::first(c, "SELECT body FROM definition WHERE kind = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1", params![definition.kind, definition.name], |row| {
                    row.get::<_, String>(0).map_err(failed)
                })?;
            if newest.as_ref() == Some(&definition.body) {
                return Ok(Applied::Already);
            }
            let sql = "INSERT OR IGNORE INTO definition (kind, name, version, body, published_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            matched(exec(c, sql, params![definition.kind, definition.name, definition.version, definition.body, definition.published_at.0])?, "definition")
        }
        Command::Count(counts) => {
            for (name, by) in counts {
                tally.add(now.utc_day(), name.clone(), *by);
            }
            Ok(Applied::Done)
        }
        Command::TakeEpoch => exec(c, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'", []).map(inserted),
        Command::PutApiKey(key) => {
            let sql = "INSERT INTO api_key (id, hash, name, scopes, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET revoked_at = ?6, scopes = ?4";
            exec(c, sql, params![key.id, key.hash, key.name, to_json(&key.scopes)?, key.created_at.0, key.revoked_at.map(|t| t.0)]).map(inserted)
        }
        Command::PutOperator(operator) => {
            exec(c, "INSERT INTO operator (name, password) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET password = ?2", params![operator.name, operator.password]).map(inserted)
        }
        Command::PutSession(session) => {
            exec(c, "DELETE FROM session WHERE expires_at < ?1", params![now.0])?;
            exec(c, "INSERT OR REPLACE INTO session (hash, operator, expires_at) VALUES (?1, ?2, ?3)", params![session.hash, session.operator, session.expires_at.0]).map(inserted)
        }
        Command::EndSession(hash) => exec(c, "DELETE FROM session WHERE hash = ?1", params![hash]).map(inserted),
        Command::Audit(audit) => {
            let sql = "INSERT INTO audit (at, operator, act, about, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
            exec(c, sql, params![audit.at.0, audit.operator, audit.act, audit.about, audit.detail]).map(inserted)
        }
        Command::EraseEvent(id, mapped) => write_erase::event(c, *id, mapped),
        Command::EraseHook(id) => write_erase::hook(c, *id),
        Command::EraseProfile(id) => write_erase::profile(c, *id),
        Command::Redact(number) => write_erase::redact(c, number),
        Command::EraseAddress(erasure) => write_erase::address(c, erasure),
        Command::PutSignIns(name, ins) => {
            exec(c, "DELETE FROM sign_in WHERE not_before < ?1 - 86400000000", params![now.0])?;
            let sql = "INSERT INTO sign_in (name, failures, not_before) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET failures = ?2, not_before = ?3";
            exec(c, sql, params![name, ins.failures, ins.not_before.0]).map(inserted)
        }
    }
}

fn accept_event(c: &Connection, now: Time, event: &Event, tally: &mut Tally) -> Result<Applied, StoreError> {
    let sql = "INSERT OR IGNORE INTO source_event (id, part, mapped, received_at, hook) VALUES (?1, ?2, ?3, ?4, ?5)";
    let applied = inserted(exec(c, sql, params![event.id.0, event.id.part(), to_json(&event.mapped)?, event.received_at.0, event.hook.map(hook_key)])?);
    tally.add(now.utc_day(), if applied == Applied::Done { "event.accepted" } else { "event.duplicate" }, 1);
    Ok(applied)
}

fn put_profile(c: &Connection, profile: &Profile, moved: bool) -> Result<Applied, StoreError> {
    let sql = "INSERT INTO profile (id, part, system, external_id, attributes, locale, address, updated_at) VALUES (?1, ?2, ?3, ?4, json_patch('{}', ?5), ?6, ?7, ?8) \
               ON CONFLICT DO UPDATE SET attributes = json_patch(attributes, ?5), locale = ifnull(?6, locale), address = CASE WHEN ?9 THEN ?7 ELSE address END, \
               updated_at = ?8 WHERE updated_at <= ?8";
    let attributes = to_json(&profile.attributes)?;
    let id = profile.id;
    exec(c, sql, params![id.0, id.part(), profile.system, profile.external_id, attributes, profile.locale, profile.address.0, profile.updated_at.0, moved]).map(inserted)
}

fn reside(c: &Connection, id: AddressId, profile: ProfileId, residence: Option<&str>) -> Result<Applied, StoreError> {
    let Some(mut address) = codec::first(c, "SELECT * FROM address WHERE id = ?1", params![id.0], codec::address)? else { return Ok(Applied::Already) };
    if address.residences.get(&profile).map(String::as_str) == residence {
        return Ok(Applied::Already);
    }
    match residence {
        Some(residence) => address.residences.insert(profile, residence.to_owned()),
        None => address.residences.remove(&profile),
    };
    exec(c, "UPDATE address SET residences = ?2, guard_version = guard_version + 1 WHERE id = ?1", params![id.0, to_json(&address.residences)?]).map(inserted)
}

#[expect(clippy::too_many_arguments, reason = "the fields of one command and what every command gets")]
fn news(c: &Connection, now: Time, id: AddressId, guard: i64, news: &AddressNews, messages: &[MessageChange], owes: Owes, tally: &mut Tally) -> Result<Applied, StoreError> {
    if let Some(inbound) = &news.inbound {
        let sql = "INSERT OR IGNORE INTO inbound (id, part, address, received_at, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        if exec(c, sql, params![inbound.id.0, inbound.id.part(), id.0, inbound.received_at.0, to_json(inbound)?])? == 0 {
            return Ok(Applied::Already);
        }
    }
    let found = codec::first(c, "SELECT * FROM address WHERE id = ?1", params![id.0], codec::address)?;
    let Some(address) = found.filter(|a| a.guard_version == guard) else { return Err(StoreError::Conflict { what: "address" }) };
    let mut consent: ConsentState = address.consent;
    let next: i64 = codec::first(c, "SELECT ifnull(max(seq), 0) FROM ledger WHERE address = ?1", params![id.0], |row| row.get(0).map_err(failed))?.unwrap_or(0);
    for (entry, seq) in news.entries.iter().zip(next + 1..) {
        consent.apply(entry);
        exec(c, "INSERT INTO ledger (address, seq, part, entry) VALUES (?1, ?2, ?3, ?4)", params![id.0, seq, id.part(), to_json(entry)?])?;
    }
    let bump = i64::from(!planted(Fault::ConsentUnguarded));
    exec(c, "UPDATE address SET consent = ?2, guard_version = guard_version + ?3 WHERE id = ?1", params![id.0, to_json(&consent)?, bump])?;
    for change in messages {
        write_message::put(c, now, change, owes, tally)?;
    }
    Ok(Applied::Done)
}

fn put_run(c: &Connection, now: Time, run: &Run, trail: &Trail, tally: &mut Tally) -> Result<Applied, StoreError> {
    let (position, (step, due), id) = (to_json(&run.position)?, run_at(&run.position), run.id);
    let applied = if run.rev == 0 {
        let sql = "INSERT OR IGNORE INTO run (id, part, journey, version, profile, correlation, event, position, due, rev, step, started_at, entry) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12)";
        inserted(exec(c, sql, params![id.0, id.part(), run.journey, run.version, run.profile.0, run.correlation, run.event.0, position, due, step, run.started_at.0, run.entry])?)
    } else {
        let sql = "UPDATE run SET position = ?2, due = ?3, rev = rev + 1, step = ?5 WHERE id = ?1 AND rev = ?4";
        matched(exec(c, sql, params![id.0, position, due, run.rev, step])?, "run")?
    };
    if applied == Applied::Done {
        count_run(now, run, trail, tally);
        let body = serde_json::json!({"kind": "moved", "trail": trail.lines, "position": run.position}).to_string();
        let sql = "INSERT INTO history (owner, seq, part, at, fold, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        exec(c, sql, params![id.0, run.rev + 1, id.part(), now.0, trunkline_core::message::FOLD_VERSION, body])?;
    }
    Ok(applied)
}

/// What the picture of a journey shows: how many started, ended, failed, and passed each step today.
fn count_run(now: Time, run: &Run, trail: &Trail, tally: &mut Tally) {
    let day = now.utc_day();
    match run.position {
        // A run that an event ended before it began never started.
        Position::Canceled { .. } if run.rev == 0 => return,
        Position::At { .. } => {}
        Position::Canceled { .. } => tally.add(day.clone(), format!("run.{}.canceled", run.journey), 1),
        Position::Ended { .. } => tally.add(day.clone(), format!("run.{}.ended", run.journey), 1),
        Position::Failed { .. } => tally.add(day.clone(), format!("run.{}.failed", run.journey), 1),
    }
    if run.rev == 0 {
        tally.add(day.clone(), format!("run.{}.started", run.journey), 1);
    }
    for step in &trail.steps {
        tally.add(day.clone(), format!("step.{}.{}.{step}", run.journey, run.version), 1);
    }
}

fn put_hook(c: &Connection, now: Time, hook: &Hook, tally: &mut Tally) -> Result<Applied, StoreError> {
    // Receipts are small and hardly shrink; orders are large and shrink to a fifth.
    let packed = if hook.body.len() > 512 { zstd::encode_all(hook.body.as_slice(), 1).ok() } else { None };
    let (word, due) = hook_state(&hook.state);
    let sql = "INSERT OR IGNORE INTO hook (id, part, name, lane, method, url, headers, body, packed, received_at, state, due, tries, note) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let body = packed.as_deref().unwrap_or(&hook.body);
    let headers = to_json(&hook.headers)?;
    let changed = exec(
        c,
        sql,
        params![
            hook_key(hook.id),
            hook.id.part,
            hook.name,
            hook.lane.word(),
            hook.method,
            hook.url,
            headers,
            body,
            packed.is_some(),
            hook.received_at.0,
            word,
            due,
            hook.tries,
            hook.note
        ],
    )?;
    tally.add(now.utc_day(), format!("hook.{}", hook.lane.word()), i64::from(changed > 0));
    Ok(inserted(changed))
}
