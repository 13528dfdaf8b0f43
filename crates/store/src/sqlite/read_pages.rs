//! Reads of lists that people page through: filtered, newest first, each page from the last row of the one before.
//!
//! Apart from `read_lists` because these take filters. Every filter leads to an index whose order is the list's, so
//! that a page costs the same however many rows there are; two filters at once walk the rarer one's index.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use trunkline_core::id::{AddressId, EventId, ProfileId};
use trunkline_core::time::Time;

use super::codec::{self, Cells, all, hook_key, message_key};
use super::read::rows;
use crate::StoreError;
use crate::row::{Audit, Conflict, Event, Hook, HookFilter, Message, MessageFilter, Profile, Refusal, Run, RunFilter};

/// Conditions and their values, put together as the filter asks.
#[derive(Default)]
struct Where {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    /// Adds a condition on one value, written as `?`.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.sql.push(condition.replace('?', &format!("?{}", self.values.len())));
    }

    fn text(&self) -> String {
        if self.sql.is_empty() { String::new() } else { format!("WHERE {}", self.sql.join(" AND ")) }
    }

    /// The values with the limit last, and its place.
    fn limited(mut self, limit: usize) -> (Vec<Value>, String) {
        self.values.push(Value::Integer(rows(limit)));
        let place = format!("LIMIT ?{}", self.values.len());
        (self.values, place)
    }
}

/// The least stored id of an instant: ids of messages begin with their milliseconds.
pub(super) fn from_instant(at: Time) -> Vec<u8> {
    at.millis().to_be_bytes().iter().skip(2).copied().collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn messages_matching(c: &Connection, filter: MessageFilter, limit: usize) -> Result<Vec<Message>, StoreError> {
    let mut conditions = Where::default();
    let (from, id) = match &filter.label {
        Some(value) => {
            conditions.and("label.value = ?", value.clone());
            ("label JOIN message ON message.id = label.message", "label.message")
        }
        None => ("message", "message.id"),
    };
    if let Some(address) = filter.address {
        conditions.and("message.address = ?", address.0.to_vec());
    }
    if let Some(journey) = &filter.journey {
        conditions.and("message.journey = ?", journey.clone());
    }
    if let Some(delivery) = filter.delivery {
        conditions.and("message.delivery = ?", delivery.word().to_owned());
    }
    if let Some(since) = filter.since {
        conditions.and(&format!("{id} >= ?"), from_instant(since));
    }
    if let Some(until) = filter.until {
        conditions.and(&format!("{id} < ?"), from_instant(until));
    }
    if let Some(before) = filter.before {
        conditions.and(&format!("{id} < ?"), message_key(before).to_vec());
    }
    // Two labels of one message may have the same value.
    let distinct = if filter.label.is_some() { "DISTINCT" } else { "" };
    let text = conditions.text();
    let (values, limit) = conditions.limited(limit);
    all(c, &format!("SELECT {distinct} message.* FROM {from} {text} ORDER BY {id} DESC {limit}"), params_from_iter(values), codec::message)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn runs_matching(c: &Connection, filter: RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
    let mut conditions = Where::default();
    if let Some(journey) = &filter.journey {
        conditions.and("journey = ?", journey.clone());
    }
    match filter.open {
        Some(true) => conditions.sql.push("due IS NOT NULL".to_owned()),
        Some(false) => conditions.sql.push("due IS NULL".to_owned()),
        None => {}
    }
    if let Some((at, id)) = filter.before {
        // The first condition leads the index to the place, the second one settles ties there.
        conditions.and("started_at <= ?", at.0);
        conditions.and("(started_at < ? OR", at.0);
        conditions.and("id < ?)", id.0.to_vec());
        let tie = conditions.sql.split_off(conditions.sql.len() - 2).join(" ");
        conditions.sql.push(tie);
    }
    let text = conditions.text();
    let (values, limit) = conditions.limited(limit);
    all(c, &format!("SELECT * FROM run {text} ORDER BY started_at DESC, id DESC {limit}"), params_from_iter(values), codec::run)
}

pub(super) fn events_before(c: &Connection, before: Option<EventId>, limit: usize) -> Result<Vec<Event>, StoreError> {
    // Rows are numbered in the order in which they were taken.
    let sql = "SELECT * FROM source_event WHERE rowid < ifnull((SELECT rowid FROM source_event WHERE id = ?1), 9223372036854775807) ORDER BY rowid DESC LIMIT ?2";
    all(c, sql, params![before.map(|id| id.0), rows(limit)], codec::event)
}

#[expect(clippy::needless_pass_by_value, reason = "the closure that crosses to a reader thread owns them")]
pub(super) fn hooks(c: &Connection, filter: HookFilter, limit: usize) -> Result<Vec<Hook>, StoreError> {
    let mut conditions = Where::default();
    if let Some(name) = &filter.name {
        conditions.and("name = ?", name.clone());
    }
    if let Some(lane) = filter.lane {
        conditions.and("lane = ?", lane.word().to_owned());
    }
    if let Some(before) = filter.before {
        conditions.and("id < ?", hook_key(before).to_vec());
    }
    let text = conditions.text();
    let (values, limit) = conditions.limited(limit);
    all(c, &format!("SELECT * FROM hook {text} ORDER BY id DESC {limit}"), params_from_iter(values), codec::hook)
}

pub(super) fn refusals(c: &Connection, before: Option<i64>, limit: usize) -> Result<Vec<Refusal>, StoreError> {
    all(c, "SELECT * FROM refusal WHERE number < ?1 ORDER BY number DESC LIMIT ?2", params![before.unwrap_or(i64::MAX), rows(limit)], |row| {
        let cells = Cells { table: "refusal", row };
        Ok(Refusal {
            number: cells.get("number")?,
            name: cells.get("name")?,
            at: cells.time("at")?,
            reason: cells.get("reason")?,
            request: cells.get("request")?,
            body: cells.get("body")?,
        })
    })
}

pub(super) fn profiles_at(c: &Connection, address: AddressId, limit: usize) -> Result<Vec<Profile>, StoreError> {
    all(c, "SELECT * FROM profile WHERE address = ?1 ORDER BY id LIMIT ?2", params![address.0, rows(limit)], codec::profile)
}

pub(super) fn conflicts(c: &Connection, profile: ProfileId) -> Result<Vec<Conflict>, StoreError> {
    all(c, "SELECT * FROM profile_conflict WHERE profile = ?1 ORDER BY field, system", params![profile.0], |row| {
        let cells = Cells { table: "profile_conflict", row };
        Ok(Conflict {
            profile,
            field: cells.get("field")?,
            system: cells.get("system")?,
            owner: cells.get("owner")?,
            value: cells.json("value")?,
            at: cells.time("at")?,
            times: cells.get("times")?,
        })
    })
}

pub(super) fn audits(c: &Connection, before: Option<i64>, limit: usize) -> Result<Vec<Audit>, StoreError> {
    all(c, "SELECT * FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2", params![before.unwrap_or(i64::MAX), rows(limit)], |row| {
        let cells = Cells { table: "audit", row };
        Ok(Audit {
            number: cells.get("number")?,
            at: cells.time("at")?,
            operator: cells.get("operator")?,
            act: cells.get("act")?,
            about: cells.get("about")?,
            detail: cells.get("detail")?,
        })
    })
}
