//! Write-backs: what is owed to one record is one row, one flight at a time, the latest wins.
//!
//! Its own file because a lost debt leaves another system wrong for ever (I10): what is owed while a write is in the
//! air must outlive that write.

use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::owe::Subject;
use trunkline_store::Command;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Fate, HookLane, HookState, Writeback, WritebackState};

use super::support::{Backend, Did, at, claim, event, hook, moved, queued, writeback};

/// No record.
const NONE: [&str; 0] = [];

fn message_id(n: u8) -> MessageId {
    MessageId::new(n, at(0), [n; 16])
}

/// The record of message 1.
fn subject() -> Subject {
    Subject::Message(message_id(1))
}

async fn owe(b: &Backend, now: i64, record: &str, subject: Subject) {
    assert_eq!(b.one(at(now), Command::Owe(writeback(record, subject))).await, Did::Done);
}

async fn put(b: &Backend, now: i64, row: &Writeback, expect: &Writeback) -> Did {
    b.one(at(now), Command::PutWriteback { row: Box::new(row.clone()), expect: Box::new(expect.clone()) }).await
}

/// The one row of message 1.
async fn the_row(b: &Backend) -> Writeback {
    let mut rows = b.store.writebacks_of(subject()).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// The row with a write in the air.
fn flying(row: &Writeback, epoch: i64, now: i64) -> Writeback {
    Writeback { state: WritebackState::Flying, epoch, updated_at: at(now), ..row.clone() }
}

async fn due_records(b: &Backend, now: i64, epoch: i64) -> Vec<String> {
    let mut all: Vec<String> = b.store.due_writebacks(at(now), epoch, 10).await.unwrap().into_iter().map(|w| w.record).collect();
    all.sort();
    all
}

/// Owed by a message's change or alone: the record's count rises, other records and connectors are apart.
pub(crate) async fn what_is_owed_to_one_record_is_one_row(b: &Backend) {
    b.home(1).await;
    let owes = vec![writeback("orders/1", subject())];
    let made = b.put(MessageChange { owes: owes.clone(), ..queued(1, at(0)) }).await;
    assert_eq!(Subject::Message(made.id), subject());
    let first = the_row(b).await;
    assert_eq!((first.connector.as_str(), first.record.as_str(), first.subject), ("crm", "orders/1", subject()));
    assert_eq!((first.wanted, first.written, first.state, first.tries), (1, 0, WritebackState::Due, 0));
    b.put(MessageChange { owes, ..moved(&made, at(1), vec![claim(1, 1)]) }).await;
    owe(b, 2, "orders/1", subject()).await;
    owe(b, 3, "people/1", Subject::Address(AddressId([1; 16]))).await;

    let row = the_row(b).await;
    assert_eq!((row.wanted, row.written, row.state), (3, 0, WritebackState::Due));
    let person = b.store.writebacks_of(Subject::Address(AddressId([1; 16]))).await.unwrap();
    assert_eq!(person.iter().map(|w| (w.record.as_str(), w.wanted)).collect::<Vec<_>>(), vec![("people/1", 1)]);
    assert_eq!(b.store.writebacks_of(Subject::Message(message_id(9))).await.unwrap(), vec![]);
    assert_eq!(b.store.writeback("crm", "orders/1").await.unwrap(), Some(row));
    assert_eq!(b.store.writeback("other", "orders/1").await.unwrap(), None);
    assert_eq!(due_records(b, 3, 1).await, ["orders/1", "people/1"]);
    assert_eq!(b.store.due_writebacks(at(3), 1, 1).await.unwrap().len(), 1);
}

/// Of two workers with the same row in hand one flies; what it writes is what is read.
pub(crate) async fn a_writeback_is_claimed_once(b: &Backend) {
    owe(b, 0, "orders/1", subject()).await;
    let due = the_row(b).await;
    let flight = flying(&due, 1, 1);
    assert_eq!(put(b, 1, &flight, &due).await, Did::Done);
    assert_eq!(the_row(b).await, flight);
    assert_eq!(due_records(b, 100, 1).await, NONE);
    assert_eq!(put(b, 1, &flying(&due, 1, 1), &due).await, Did::Conflict, "its state moved");
    let old = Writeback { epoch: flight.epoch + 1, ..flight.clone() };
    assert_eq!(put(b, 1, &Writeback { state: WritebackState::Idle, ..old.clone() }, &old).await, Did::Conflict, "its generation differs");
    assert_eq!(the_row(b).await, flight);

    let failed = Writeback { state: WritebackState::Due, due: at(60), tries: 1, cause: "503".to_owned(), updated_at: at(2), ..flight.clone() };
    assert_eq!(put(b, 2, &failed, &flight).await, Did::Done);
    assert_eq!(the_row(b).await, failed);
    assert_eq!(due_records(b, 59, 1).await, NONE);
    assert_eq!(due_records(b, 60, 1).await, ["orders/1"]);

    let flight = flying(&failed, 1, 61);
    assert_eq!(put(b, 61, &flight, &failed).await, Did::Done);
    let idle = Writeback { state: WritebackState::Idle, written: 1, tries: 0, cause: String::new(), updated_at: at(62), ..flight.clone() };
    assert_eq!(put(b, 62, &idle, &flight).await, Did::Done);
    assert_eq!(the_row(b).await, idle);
    assert_eq!(due_records(b, 100, 1).await, NONE);

    owe(b, 70, "orders/1", subject()).await;
    let again = the_row(b).await;
    assert_eq!((again.wanted, again.written, again.state), (2, 1, WritebackState::Due));
    assert_eq!(due_records(b, 70, 1).await, ["orders/1"]);
}

/// The flight goes on; when it lands the record is still behind, and due at once.
pub(crate) async fn what_is_owed_during_a_flight_survives(b: &Backend) {
    owe(b, 0, "orders/1", subject()).await;
    let due = the_row(b).await;
    let flight = flying(&due, 1, 1);
    assert_eq!(put(b, 1, &flight, &due).await, Did::Done);
    owe(b, 2, "orders/1", subject()).await;
    let meanwhile = the_row(b).await;
    assert_eq!((meanwhile.wanted, meanwhile.written, meanwhile.state), (2, 0, WritebackState::Flying));
    assert_eq!(due_records(b, 2, 1).await, NONE, "one flight at a time");

    let landed = Writeback { state: WritebackState::Idle, written: 1, updated_at: at(3), ..flight.clone() };
    assert_eq!(put(b, 3, &landed, &flight).await, Did::Done);
    let behind = the_row(b).await;
    assert_eq!((behind.wanted, behind.written, behind.state), (2, 1, WritebackState::Due));
    assert_eq!(due_records(b, 3, 1).await, ["orders/1"]);

    let flight = flying(&behind, 1, 4);
    assert_eq!(put(b, 4, &flight, &behind).await, Did::Done);
    owe(b, 5, "orders/1", subject()).await;
    let failed = Writeback { state: WritebackState::Due, due: at(60), tries: 1, cause: "503".to_owned(), updated_at: at(6), ..flight.clone() };
    assert_eq!(put(b, 6, &failed, &flight).await, Did::Done);
    assert_eq!(the_row(b).await, Writeback { wanted: 3, ..failed });
}

/// Whoever claimed it is gone: it is due, whatever its instant says.
pub(crate) async fn a_flight_of_an_older_generation_is_due(b: &Backend) {
    owe(b, 0, "orders/1", subject()).await;
    owe(b, 0, "people/1", Subject::Address(AddressId([1; 16]))).await;
    let due = the_row(b).await;
    assert_eq!(put(b, 1, &flying(&due, 4, 1), &due).await, Did::Done);
    assert_eq!(due_records(b, 2, 4).await, ["people/1"]);
    assert_eq!(due_records(b, 2, 5).await, ["orders/1", "people/1"]);
    let lost = the_row(b).await;
    let taken = flying(&lost, 5, 3);
    assert_eq!(put(b, 3, &taken, &lost).await, Did::Done);
    assert_eq!(put(b, 3, &taken, &lost).await, Did::Conflict, "taken over once");
    assert_eq!(due_records(b, 4, 5).await, ["people/1"]);
}

/// An event, a hook and a write-back that gave up one after the other; owed again, a dead write-back is due again.
pub(crate) async fn what_gave_up_is_listed_newest_first(b: &Backend) {
    let (taken, filed) = (event("e1", at(0)), hook(1, HookLane::Receipt, at(10)));
    assert_eq!(b.one(at(0), Command::AcceptEvent(Box::new(taken.clone()))).await, Did::Done);
    assert_eq!(b.one(at(1), Command::FinishEvent(taken.id, Fate::Dead { cause: "no subject".to_owned() })).await, Did::Done);
    assert_eq!(b.one(at(10), Command::PutHook(Box::new(filed.clone()))).await, Did::Done);
    assert_eq!(b.one(at(11), Command::MoveHook(filed.id, HookState::Dead, "not a form".to_owned())).await, Did::Done);
    owe(b, 20, "orders/1", subject()).await;
    owe(b, 20, "people/1", Subject::Address(AddressId([1; 16]))).await;
    let due = the_row(b).await;
    let dead = Writeback { state: WritebackState::Dead, cause: "the record is gone".to_owned(), tries: 9, updated_at: at(21), ..due.clone() };
    assert_eq!(put(b, 21, &dead, &due).await, Did::Done);
    assert_eq!(due_records(b, 100, 9).await, ["people/1"]);

    let listed = b.store.dead(10).await.unwrap();
    let told: Vec<(&str, &str, &str)> = listed.iter().map(|d| (d.kind.as_str(), d.id.as_str(), d.cause.as_str())).collect();
    let (hook_id, event_id) = (filed.id.to_string(), taken.id.to_string());
    assert_eq!(told, vec![("writeback", "crm/orders/1", "the record is gone"), ("hook", hook_id.as_str(), "not a form"), ("event", event_id.as_str(), "no subject")]);
    assert_eq!(b.store.dead(2).await.unwrap(), listed.into_iter().take(2).collect::<Vec<_>>());

    owe(b, 30, "orders/1", subject()).await;
    assert_eq!(the_row(b).await.state, WritebackState::Due);
    assert_eq!(due_records(b, 30, 9).await, ["orders/1", "people/1"]);
    assert_eq!(b.store.dead(10).await.unwrap().len(), 2);
}
