//! Source events: taken once, looked at in order, finished once, revived when dead.
//!
//! Its own file because an accepted event must never be lost or taken twice, whatever repeats it.

use trunkline_core::id::{EventId, RunId};
use trunkline_store::Command;
use trunkline_store::row::{Event, Fate};

use super::support::{Backend, Did, at, event};

async fn accept(b: &Backend, event: &Event) -> Did {
    b.one(event.received_at, Command::AcceptEvent(Box::new(event.clone()))).await
}

async fn finish(b: &Backend, seconds: i64, id: EventId, fate: &Fate) -> Did {
    b.one(at(seconds), Command::FinishEvent(id, fate.clone())).await
}

async fn new_ids(b: &Backend, limit: usize) -> Vec<EventId> {
    b.store.new_events(limit).await.unwrap().into_iter().map(|e| e.id).collect()
}

fn dead() -> Fate {
    Fate::Dead { cause: "mapping field 'subject' is undefined".to_owned() }
}

/// The second copy changes nothing, even if it says something else; unknown ids are left out of what is read.
pub(crate) async fn an_event_is_taken_once(b: &Backend) {
    let first = event("e1", at(0));
    let mut copy = event("e1", at(5));
    copy.mapped.external_id = "somebody else".to_owned();
    let other = Event { hook: None, ..event("e2", at(6)) };
    assert_eq!(accept(b, &first).await, Did::Done);
    assert_eq!(accept(b, &copy).await, Did::Already);
    assert_eq!(accept(b, &other).await, Did::Done);

    let asked = [first.id, event("never", at(0)).id, other.id];
    let mut found = b.store.events(&asked).await.unwrap();
    found.sort_by_key(|e| e.received_at);
    assert_eq!(found, vec![first, other]);
    assert_eq!(b.store.events(&[]).await.unwrap(), vec![]);
}

/// Oldest first is by when they were taken; what is finished is no longer new.
pub(crate) async fn new_events_come_oldest_first(b: &Backend) {
    let (early, middle, late) = (event("e1", at(1)), event("e2", at(2)), event("e3", at(3)));
    for each in [&middle, &early, &late] {
        assert_eq!(accept(b, each).await, Did::Done);
    }
    assert_eq!(new_ids(b, 10).await, vec![early.id, middle.id, late.id]);
    assert_eq!(new_ids(b, 2).await, vec![early.id, middle.id]);
    assert_eq!(finish(b, 4, early.id, &Fate::NoJourney).await, Did::Done);
    assert_eq!(new_ids(b, 10).await, vec![middle.id, late.id]);
}

/// Each fate survives the trip, and the second word is not heard.
pub(crate) async fn only_the_first_word_about_an_event_counts(b: &Backend) {
    let runs = Fate::Runs { runs: vec![(RunId([3; 16]), "started".to_owned()), (RunId([4; 16]), "there already".to_owned())] };
    for (name, fate) in [("e1", Fate::NoJourney), ("e2", runs), ("e3", dead())] {
        let taken = event(name, at(0));
        assert_eq!(accept(b, &taken).await, Did::Done);
        assert_eq!(finish(b, 1, taken.id, &fate).await, Did::Done);
        let second = Fate::Dead { cause: "a second word".to_owned() };
        assert_eq!(finish(b, 2, taken.id, &second).await, Did::Already);
        assert_eq!(b.store.events(&[taken.id]).await.unwrap(), vec![Event { fate: Some(fate), ..taken }]);
    }
    assert_eq!(new_ids(b, 10).await, vec![]);
}

/// A dead event is listed, and goes back to work when revived; a finished one stays finished.
pub(crate) async fn a_dead_event_can_be_revived(b: &Backend) {
    let (bad, good) = (event("bad", at(0)), event("good", at(1)));
    assert_eq!(accept(b, &bad).await, Did::Done);
    assert_eq!(accept(b, &good).await, Did::Done);
    assert_eq!(finish(b, 2, bad.id, &dead()).await, Did::Done);
    assert_eq!(finish(b, 2, good.id, &Fate::NoJourney).await, Did::Done);
    let listed = b.store.dead(10).await.unwrap();
    let told: Vec<(&str, &str, &str)> = listed.iter().map(|d| (d.kind.as_str(), d.id.as_str(), d.cause.as_str())).collect();
    assert_eq!(told, vec![("event", bad.id.to_string().as_str(), "mapping field 'subject' is undefined")]);

    assert_eq!(b.one(at(3), Command::ReviveEvent(bad.id)).await, Did::Done);
    assert_eq!(new_ids(b, 10).await, vec![bad.id]);
    assert_eq!(b.store.dead(10).await.unwrap(), vec![]);
    assert_eq!(b.store.events(&[bad.id]).await.unwrap(), vec![bad.clone()]);

    assert_eq!(b.one(at(4), Command::ReviveEvent(good.id)).await, Did::Already);
    assert_eq!(b.store.events(&[good.id]).await.unwrap(), vec![Event { fate: Some(Fate::NoJourney), ..good }]);
    assert_eq!(finish(b, 5, bad.id, &Fate::NoJourney).await, Did::Done);
    assert_eq!(new_ids(b, 10).await, vec![]);
}

/// The walk passes finished and new ones alike, with their fates.
pub(crate) async fn events_are_walked_in_id_order(b: &Backend) {
    let mut all: Vec<Event> = (0..5).map(|n| event(&format!("e{n}"), at(n))).collect();
    for each in &all {
        assert_eq!(accept(b, each).await, Did::Done);
    }
    all.sort_by_key(|e| e.id);
    if let Some(one) = all.get_mut(1) {
        assert_eq!(finish(b, 9, one.id, &dead()).await, Did::Done);
        one.fate = Some(dead());
    }
    let mut walked: Vec<Event> = Vec::new();
    for _ in 0..4 {
        let after = walked.last().map(|e| e.id);
        walked.extend(b.store.events_after(after, 2).await.unwrap());
    }
    assert_eq!(walked, all);
}
