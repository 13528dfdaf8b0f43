//! Announcements and conflicts: told once for each thing, gone when taken, kept when given up; a write that was not
//! applied is kept with its writer.
//!
//! Its own file because a follower is told of each thing that happened, where a write-back knows the latest only.

use serde_json::json;
use trunkline_core::id::{AddressId, MessageId, ProfileId};
use trunkline_core::owe::Owe;
use trunkline_store::Command;
use trunkline_store::row::{Announcement, Conflict, Profile, WritebackState, announcement_id, announcement_name};

use super::support::{Backend, Did, at};

fn announce(n: u8, kind: &str) -> Owe {
    let body = json!({"type": kind, "n": n}).to_string();
    Owe::Announce { id: [n; 16], follower: "bi".to_owned(), kind: kind.to_owned(), message: MessageId::new(n, at(0), [n; 16]), body }
}

async fn due(b: &Backend, now: i64, epoch: i64) -> Vec<Announcement> {
    b.store.due_announcements(at(now), epoch, 10).await.unwrap()
}

async fn put(b: &Backend, now: i64, row: &Announcement, expect: &Announcement) -> Did {
    b.one(at(now), Command::PutAnnouncement { row: Box::new(row.clone()), expect: Box::new(expect.clone()) }).await
}

/// Owed twice it is told once; taken, it is gone; another claim of it loses.
pub(crate) async fn an_announcement_is_told_once(b: &Backend) {
    for now in 1..=2 {
        b.one(at(now), Command::Owe(announce(1, "message.delivered"))).await;
    }
    let rows = due(b, 5, 1).await;
    let [row] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!((row.id, row.kind.as_str(), row.state, row.tries, row.created_at), ([1; 16], "message.delivered", WritebackState::Due, 0, at(1)));
    assert_eq!(row.body, json!({"type": "message.delivered", "n": 1}).to_string());
    let flying = Announcement { state: WritebackState::Flying, epoch: 1, tries: 1, ..row.clone() };
    assert_eq!(put(b, 5, &flying, row).await, Did::Done);
    assert_eq!(put(b, 5, &flying, row).await, Did::Conflict);
    assert_eq!(due(b, 6, 1).await, vec![]);
    assert_eq!(due(b, 6, 2).await, vec![flying.clone()], "a newer generation takes it over");
    let again = Announcement { state: WritebackState::Due, due: at(60), cause: "HTTP 503".to_owned(), ..flying.clone() };
    assert_eq!(put(b, 6, &again, &flying).await, Did::Done);
    assert_eq!((due(b, 59, 1).await.len(), due(b, 60, 1).await), (0, vec![again.clone()]));
    assert_eq!(put(b, 61, &Announcement { state: WritebackState::Idle, ..again.clone() }, &again).await, Did::Done);
    assert_eq!(due(b, 99, 9).await, vec![]);
    assert_eq!(put(b, 62, &Announcement { state: WritebackState::Idle, ..again.clone() }, &again).await, Did::Conflict);
}

/// What gave up is a dead letter, by a name that leads back to it.
pub(crate) async fn a_dead_announcement_can_be_revived(b: &Backend) {
    b.one(at(1), Command::Owe(announce(1, "message.failed"))).await;
    let row = due(b, 1, 1).await.remove(0);
    let dead = Announcement { state: WritebackState::Dead, cause: "HTTP 410".to_owned(), tries: 4, ..row.clone() };
    assert_eq!(put(b, 2, &dead, &row).await, Did::Done);
    let letters = b.store.dead(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].id.clone(), letters[0].kind.as_str()), (1, announcement_name([1; 16]), "announcement"));
    assert!(letters[0].cause.contains("HTTP 410") && letters[0].cause.contains("bi"), "{}", letters[0].cause);
    assert_eq!(announcement_id(&letters[0].id), Some([1; 16]));
    assert_eq!((announcement_id("ann_x"), announcement_id("evt_aa")), (None, None));
    assert_eq!(b.one(at(3), Command::ReviveAnnouncement([1; 16])).await, Did::Done);
    assert_eq!(b.one(at(3), Command::ReviveAnnouncement([1; 16])).await, Did::Already);
    assert_eq!(due(b, 3, 1).await.iter().map(|r| r.tries).collect::<Vec<_>>(), [0]);
}

/// The latest value by each writer, and how often.
pub(crate) async fn conflicts_are_kept_by_field_and_writer(b: &Backend) {
    let conflict = |system: &str, value: &str, n: i64| Conflict {
        profile: ProfileId([1; 16]),
        field: "attributes.name".to_owned(),
        system: system.to_owned(),
        owner: "shop".to_owned(),
        value: json!(value),
        at: at(n),
        times: 1,
    };
    for (system, value, n) in [("desk", "Zo", 1), ("desk", "Zoe", 2), ("bi", "Z", 3)] {
        assert_eq!(b.one(at(n), Command::NoteConflict(Box::new(conflict(system, value, n)))).await, Did::Done);
    }
    let twice = Conflict { times: 2, ..conflict("desk", "Zoe", 2) };
    assert_eq!(b.store.conflicts(ProfileId([1; 16])).await.unwrap(), vec![conflict("bi", "Z", 3), twice]);
    assert_eq!(b.store.conflicts(ProfileId([2; 16])).await.unwrap(), vec![]);
}

/// What is not named stays, null removes; the profiles of an address are found.
pub(crate) async fn a_profile_is_written_field_by_field(b: &Backend) {
    let write = |fields: serde_json::Value, locale: Option<&str>, n: i64| Profile {
        id: ProfileId([1; 16]),
        system: "shop".to_owned(),
        external_id: "c-1".to_owned(),
        attributes: fields.as_object().unwrap().clone(),
        locale: locale.map(str::to_owned),
        address: AddressId([1; 16]),
        updated_at: at(n),
    };
    for profile in [write(json!({"name": "Zoë", "vip": true}), Some("en"), 1), write(json!({"vip": null, "city": "Oslo"}), None, 2)] {
        assert_eq!(b.one(at(3), Command::PutProfile { profile: Box::new(profile), moved: true }).await, Did::Done);
    }
    let stored = b.store.profiles_at(AddressId([1; 16]), 10).await.unwrap();
    assert_eq!(stored, vec![write(json!({"name": "Zoë", "city": "Oslo"}), Some("en"), 2)]);
    assert_eq!(b.store.profiles_at(AddressId([2; 16]), 10).await.unwrap(), vec![]);
}
