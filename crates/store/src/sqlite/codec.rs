//! Between rows and values of the domain.
//!
//! Its own file because an impossible row must become `Inconsistent` with table and column, in one way everywhere.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_core::id::{AddressId, EventId, HookId, MessageId, ProfileId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::time::Time;

use super::failed;
use crate::StoreError;
use crate::row::{Address, Announcement, Event, Hook, HookLane, HookState, Message, Profile, Run, Writeback, WritebackState};

/// A value as JSON text.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Inconsistent { table: "?", column: "?", cause: e.to_string() })
}

/// Reads columns of one table and names it in errors.
pub(super) struct Cells<'a, 'b> {
    pub(super) table: &'static str,
    pub(super) row: &'a Row<'b>,
}

impl Cells<'_, '_> {
    fn wrong(&self, column: &'static str, cause: impl std::fmt::Display) -> StoreError {
        StoreError::Inconsistent { table: self.table, column, cause: cause.to_string() }
    }

    pub(super) fn get<T: rusqlite::types::FromSql>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.get(column).map_err(|e| self.wrong(column, e))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|e| self.wrong(column, e))
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Time, StoreError> {
        self.get(column).map(Time)
    }

    pub(super) fn id16(&self, column: &'static str) -> Result<[u8; 16], StoreError> {
        let bytes: Vec<u8> = self.get(column)?;
        bytes.try_into().map_err(|_| self.wrong(column, "not 16 bytes"))
    }

    /// A time-ordered id: uuid then part, so that rows cluster by time.
    pub(super) fn timed(&self, column: &'static str) -> Result<([u8; 16], u8), StoreError> {
        let bytes: Vec<u8> = self.get(column)?;
        untimed(&bytes).ok_or_else(|| self.wrong(column, "not 17 bytes"))
    }

    pub(super) fn message_id(&self, column: &'static str) -> Result<MessageId, StoreError> {
        self.timed(column).map(|(uuid, part)| MessageId { uuid, part })
    }

    pub(super) fn hook_id(&self, column: &'static str) -> Result<HookId, StoreError> {
        self.timed(column).map(|(uuid, part)| HookId { uuid, part })
    }
}

/// The stored form of a time-ordered id.
pub(super) fn timed(uuid: [u8; 16], part: u8) -> [u8; 17] {
    let mut out = [part; 17];
    for (to, from) in out.iter_mut().zip(uuid) {
        *to = from;
    }
    out
}

pub(super) fn message_key(id: MessageId) -> [u8; 17] {
    timed(id.uuid, id.part)
}

pub(super) fn hook_key(id: HookId) -> [u8; 17] {
    timed(id.uuid, id.part)
}

fn untimed(bytes: &[u8]) -> Option<([u8; 16], u8)> {
    let (uuid, part) = bytes.split_at_checked(16)?;
    match part {
        [part] => Some((uuid.try_into().ok()?, *part)),
        _ => None,
    }
}

pub(super) fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    let cells = Cells { table: "source_event", row };
    let hook: Option<Vec<u8>> = cells.get("hook")?;
    let fate: Option<String> = cells.get("fate")?;
    Ok(Event {
        id: EventId(cells.id16("id")?),
        mapped: cells.json("mapped")?,
        received_at: cells.time("received_at")?,
        hook: hook.and_then(|h| untimed(&h)).map(|(uuid, part)| HookId { uuid, part }),
        fate: fate.map(|f| serde_json::from_str(&f)).transpose().map_err(|e| cells.wrong("fate", e))?,
    })
}

pub(super) fn profile(row: &Row<'_>) -> Result<Profile, StoreError> {
    let cells = Cells { table: "profile", row };
    Ok(Profile {
        id: ProfileId(cells.id16("id")?),
        system: cells.get("system")?,
        external_id: cells.get("external_id")?,
        attributes: cells.json("attributes")?,
        locale: cells.get("locale")?,
        address: AddressId(cells.id16("address")?),
        updated_at: cells.time("updated_at")?,
    })
}

pub(super) fn address(row: &Row<'_>) -> Result<Address, StoreError> {
    let cells = Cells { table: "address", row };
    Ok(Address {
        id: AddressId(cells.id16("id")?),
        place: cells.json("place")?,
        zones: cells.json("zones")?,
        residences: cells.json("residences")?,
        sends: cells.json("sends")?,
        consent: cells.json("consent")?,
        guard_version: cells.get("guard_version")?,
    })
}

pub(super) fn run(row: &Row<'_>) -> Result<Run, StoreError> {
    let cells = Cells { table: "run", row };
    Ok(Run {
        id: RunId(cells.id16("id")?),
        journey: cells.get("journey")?,
        version: cells.get("version")?,
        profile: ProfileId(cells.id16("profile")?),
        correlation: cells.get("correlation")?,
        event: EventId(cells.id16("event")?),
        position: cells.json("position")?,
        started_at: cells.time("started_at")?,
        entry: cells.get::<Option<Vec<u8>>>("entry")?.map(|_| cells.id16("entry")).transpose()?,
        rev: cells.get("rev")?,
    })
}

/// Where a run is and when it is due, if it is not over.
pub(super) fn run_at(position: &Position) -> (Option<&str>, Option<i64>) {
    match position {
        Position::At { step, due, .. } => (Some(step), Some(due.0)),
        Position::Ended { .. } | Position::Canceled { .. } | Position::Failed { .. } => (None, None),
    }
}

pub(super) fn message(row: &Row<'_>) -> Result<Message, StoreError> {
    let cells = Cells { table: "message", row };
    Ok(Message { id: cells.message_id("id")?, intent: cells.json("intent")?, state: cells.json("state")?, rev: cells.get("rev")?, updated_at: cells.time("updated_at")? })
}

pub(super) fn hook(row: &Row<'_>) -> Result<Hook, StoreError> {
    let cells = Cells { table: "hook", row };
    let word: String = cells.get("lane")?;
    let state: String = cells.get("state")?;
    let (packed, body): (bool, Vec<u8>) = (cells.get("packed")?, cells.get("body")?);
    Ok(Hook {
        id: cells.hook_id("id")?,
        name: cells.get("name")?,
        lane: HookLane::ALL.into_iter().find(|l| l.word() == word).ok_or_else(|| cells.wrong("lane", &word))?,
        method: cells.get("method")?,
        url: cells.get("url")?,
        headers: cells.json("headers")?,
        body: if packed { zstd::decode_all(body.as_slice()).map_err(|e| cells.wrong("body", e))? } else { body },
        received_at: cells.time("received_at")?,
        state: match state.as_str() {
            "waiting" => HookState::Waiting { due: cells.time("due")? },
            "done" => HookState::Done,
            "dead" => HookState::Dead,
            other => return Err(cells.wrong("state", other)),
        },
        tries: cells.get("tries")?,
        note: cells.get("note")?,
    })
}

/// The stored words of a hook's state.
pub(super) fn hook_state(state: &HookState) -> (&'static str, Option<i64>) {
    match state {
        HookState::Waiting { due } => ("waiting", Some(due.0)),
        HookState::Done => ("done", None),
        HookState::Dead => ("dead", None),
    }
}

pub(super) fn writeback(row: &Row<'_>) -> Result<Writeback, StoreError> {
    let cells = Cells { table: "writeback", row };
    let state: String = cells.get("state")?;
    Ok(Writeback {
        connector: cells.get("connector")?,
        record: cells.get("record")?,
        subject: cells.json("subject")?,
        wanted: cells.get("wanted")?,
        written: cells.get("written")?,
        state: writeback_state(&state).ok_or_else(|| cells.wrong("state", &state))?,
        due: cells.time("due")?,
        tries: cells.get("tries")?,
        epoch: cells.get("epoch")?,
        cause: cells.get("cause")?,
        updated_at: cells.time("updated_at")?,
    })
}

pub(super) fn announcement(row: &Row<'_>) -> Result<Announcement, StoreError> {
    let cells = Cells { table: "announcement", row };
    let state: String = cells.get("state")?;
    Ok(Announcement {
        id: cells.id16("id")?,
        follower: cells.get("follower")?,
        kind: cells.get("kind")?,
        message: cells.message_id("message")?,
        body: cells.get("body")?,
        state: writeback_state(&state).ok_or_else(|| cells.wrong("state", &state))?,
        due: cells.time("due")?,
        tries: cells.get("tries")?,
        epoch: cells.get("epoch")?,
        cause: cells.get("cause")?,
        created_at: cells.time("created_at")?,
    })
}

fn writeback_state(word: &str) -> Option<WritebackState> {
    [WritebackState::Idle, WritebackState::Due, WritebackState::Flying, WritebackState::Dead].into_iter().find(|s| writeback_word(*s) == word)
}

pub(super) fn writeback_word(state: WritebackState) -> &'static str {
    match state {
        WritebackState::Idle => "idle",
        WritebackState::Due => "due",
        WritebackState::Flying => "flying",
        WritebackState::Dead => "dead",
    }
}

/// Every row of a query, decoded.
pub(super) fn all<T>(
    connection: &rusqlite::Connection,
    sql: &str,
    params: impl rusqlite::Params,
    decode: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        out.push(decode(row)?);
    }
    Ok(out)
}

/// The first row of a query, decoded.
pub(super) fn first<T>(
    connection: &rusqlite::Connection,
    sql: &str,
    params: impl rusqlite::Params,
    decode: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    rows.next().map_err(failed)?.map(decode).transpose()
}
