//! Runs: made once, moved by compare-and-set, found when due, with a history of what they passed.
//!
//! Its own file because two workers may move one run: the second must be told, and leave nothing behind.

use serde_json::{Value, json, to_value};
use trunkline_core::id::{ProfileId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::time::Time;
use trunkline_store::Command;
use trunkline_store::row::{Dead, Run};

use super::support::{Backend, Did, at, run};

async fn put(b: &Backend, now: i64, run: &Run, trail: &[&str]) -> Did {
    let trail: Vec<String> = trail.iter().map(|t| (*t).to_owned()).collect();
    b.one(at(now), Command::PutRun(Box::new(run.clone()), trail.into())).await
}

async fn the_run(b: &Backend, id: RunId) -> Option<Run> {
    b.store.runs(&[id]).await.unwrap().pop()
}

/// What a run's history says: (place, when, what it passed).
async fn trails(b: &Backend, id: RunId) -> Vec<(i64, Time, Value)> {
    let entries = b.store.history(&id.bytes()).await.unwrap();
    entries.into_iter().map(|e| (e.seq, e.at, e.body.get("trail").cloned().unwrap_or_default())).collect()
}

async fn due_ids(b: &Backend, now: i64, limit: usize) -> Vec<RunId> {
    b.store.due_runs(at(now), limit).await.unwrap().into_iter().map(|r| r.id).collect()
}

fn ended() -> Position {
    Position::Ended { why: "reached 'done'".to_owned() }
}

fn failed() -> Position {
    Position::Failed { why: "step 'gone' does not exist in this version".to_owned() }
}

/// Making it again changes neither the row nor its history.
pub(crate) async fn a_run_is_made_once(b: &Backend) {
    let new = run(1, at(5));
    assert_eq!(put(b, 0, &new, &["started by e1"]).await, Did::Done);
    let row = Run { rev: 1, ..new.clone() };
    assert_eq!(the_run(b, new.id).await, Some(row.clone()));

    let again = Run { position: ended(), ..new };
    assert_eq!(put(b, 1, &again, &["started by e2"]).await, Did::Already);
    assert_eq!(the_run(b, row.id).await, Some(row.clone()));
    assert_eq!(trails(b, row.id).await, vec![(1, at(0), json!(["started by e1"]))]);
    assert_eq!(the_run(b, RunId([9; 16])).await, None);
}

/// Each position survives; a stale move is a conflict that leaves nothing behind.
pub(crate) async fn a_run_moves_by_compare_and_set(b: &Backend) {
    let new = run(1, at(5));
    assert_eq!(put(b, 0, &new, &["started"]).await, Did::Done);
    let thanks = Position::At { step: "thank".to_owned(), visit: 3, due: at(60) };
    for (rev, position) in [(1, thanks.clone()), (2, failed()), (3, thanks), (4, ended())] {
        let moved = Run { position, rev, ..new.clone() };
        assert_eq!(put(b, rev, &moved, &["greet: send hello", "pause: wait 1m"]).await, Did::Done);
        let newest = b.store.history(&new.id.bytes()).await.unwrap().pop().unwrap();
        assert_eq!(newest.body.get("position"), Some(&to_value(&moved.position).unwrap()), "what `verify` compares with the row");
        assert_eq!(the_run(b, new.id).await, Some(Run { rev: rev + 1, ..moved }));
    }
    let before = (the_run(b, new.id).await, trails(b, new.id).await);
    for rev in [4, 6] {
        let stale = Run { rev, ..new.clone() };
        assert_eq!(put(b, 9, &stale, &["thank: send thanks"]).await, Did::Conflict, "at rev {rev}");
    }
    assert_eq!((the_run(b, new.id).await, trails(b, new.id).await), before);
    let trail = json!(["greet: send hello", "pause: wait 1m"]);
    let moves = (1..5).map(|n| (n + 1, at(n), trail.clone()));
    let whole: Vec<(i64, Time, Value)> = std::iter::once((1, at(0), json!(["started"]))).chain(moves).collect();
    assert_eq!(before.1, whole);

    let never = Run { rev: 1, ..run(2, at(0)) };
    assert_eq!(put(b, 9, &never, &["moved"]).await, Did::Conflict, "a run that does not exist cannot move");
    assert_eq!((the_run(b, never.id).await, trails(b, never.id).await), (None, vec![]));
}

/// Due at its instant and not before; what is over is never due.
pub(crate) async fn due_runs_come_longest_waiting_first(b: &Backend) {
    let over = [Run { position: ended(), ..run(4, at(0)) }, Run { position: failed(), ..run(5, at(0)) }];
    let waiting = [run(1, at(30)), run(2, at(10)), run(3, at(20)), run(6, at(100))];
    for each in waiting.iter().chain(&over) {
        assert_eq!(put(b, 0, each, &["started"]).await, Did::Done);
    }
    let id = |n: u8| RunId([n; 16]);
    assert_eq!(due_ids(b, 30, 10).await, vec![id(2), id(3), id(1)]);
    assert_eq!(due_ids(b, 29, 10).await, vec![id(2), id(3)]);
    assert_eq!(due_ids(b, 30, 1).await, vec![id(2)]);
    assert_eq!(due_ids(b, 9, 10).await, vec![]);

    let later = Run { rev: 1, ..run(2, at(200)) };
    assert_eq!(put(b, 30, &later, &["moved"]).await, Did::Done);
    assert_eq!(due_ids(b, 30, 10).await, vec![id(3), id(1)]);
}

/// Pages meet without gap or overlap, and pass runs that are over.
pub(crate) async fn runs_are_walked_in_id_order(b: &Backend) {
    for n in [3, 1, 200, 2] {
        let position = if n == 2 { ended() } else { run(n, at(0)).position };
        assert_eq!(put(b, 0, &Run { position, ..run(n, at(0)) }, &["started"]).await, Did::Done);
    }
    let ids = |runs: Vec<Run>| -> Vec<RunId> { runs.into_iter().map(|r| r.id).collect() };
    let id = |n: u8| RunId([n; 16]);
    assert_eq!(ids(b.store.runs_after(None, 3).await.unwrap()), vec![id(1), id(2), id(3)]);
    assert_eq!(ids(b.store.runs_after(Some(id(3)), 3).await.unwrap()), vec![id(200)]);
    assert_eq!(ids(b.store.runs_after(Some(id(200)), 3).await.unwrap()), vec![]);
    let mut several = ids(b.store.runs(&[id(200), id(9), id(1)]).await.unwrap());
    several.sort();
    assert_eq!(several, vec![id(1), id(200)]);
}

/// A failed run is among what gave up, with its cause and when that was, until it goes on.
pub(crate) async fn a_failed_run_is_listed_until_it_goes_on(b: &Backend) {
    let (new, other) = (run(1, at(5)), run(2, at(5)));
    for each in [&new, &other] {
        assert_eq!(put(b, 0, each, &["started"]).await, Did::Done);
    }
    assert_eq!(b.store.dead(10).await.unwrap(), vec![]);
    assert_eq!(put(b, 7, &Run { position: failed(), rev: 1, ..new.clone() }, &["stopped"]).await, Did::Done);
    assert_eq!(put(b, 8, &Run { position: ended(), rev: 1, ..other }, &["over"]).await, Did::Done);
    let listed = b.store.dead(10).await.unwrap();
    let cause = "journey 'welcome': step 'gone' does not exist in this version".to_owned();
    assert_eq!(listed, vec![Dead { id: new.id.to_string(), kind: "run".to_owned(), cause, at: at(7) }]);
    let again = Position::At { step: "greet".to_owned(), visit: 1, due: at(9) };
    assert_eq!(put(b, 9, &Run { position: again, rev: 2, ..new.clone() }, &["replayed"]).await, Did::Done);
    assert_eq!(b.store.dead(10).await.unwrap(), vec![]);
    assert_eq!(due_ids(b, 9, 10).await, vec![new.id]);
}

/// The newest of a profile since an instant, whether under way or over; other profiles' are not among them.
pub(crate) async fn the_latest_runs_of_profiles_are_found(b: &Backend) {
    let of = |n: u8, profile: u8, started: i64| Run { profile: ProfileId([profile; 16]), ..run(n, at(started)) };
    let mine = [of(1, 7, 10), of(2, 7, 30), of(3, 7, 20)];
    let other = of(4, 8, 25);
    for each in mine.iter().chain([&other]) {
        assert_eq!(put(b, 0, each, &["started"]).await, Did::Done);
    }
    assert_eq!(put(b, 40, &Run { position: ended(), rev: 1, ..mine[1].clone() }, &["over"]).await, Did::Done);
    let found = |runs: Vec<Run>| runs.into_iter().map(|r| r.id).collect::<Vec<_>>();
    let (me, them) = (ProfileId([7; 16]), ProfileId([8; 16]));
    assert_eq!(found(b.store.runs_since(&[me], at(10), 10).await.unwrap()), [mine[1].id, mine[2].id, mine[0].id]);
    assert_eq!(found(b.store.runs_since(&[me], at(11), 10).await.unwrap()), [mine[1].id, mine[2].id]);
    assert_eq!(found(b.store.runs_since(&[me, them], at(0), 1).await.unwrap()), [mine[1].id, other.id]);
    assert!(b.store.runs_since(&[], at(0), 10).await.unwrap().is_empty());
}
