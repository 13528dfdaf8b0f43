//! A store without room: what was acknowledged stays, what was refused left nothing, and room alone is what it needs.
//!
//! Its own file because it sets a limit, so that the database itself says that it is full. What the engine makes of that is
//! tested there.

use serde_json::json;
use trunkline_store::row::Event;
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::{Applied, Command, Committed, Store, StoreError, Unit};

use super::support::{at, event, open};

/// The nth event, with so much to say.
fn large(n: i64, bytes: usize) -> Event {
    let mut large = event(&format!("e{n}"), at(n));
    large.mapped.event.data = json!({"filler": "x".repeat(bytes)});
    large
}

async fn accept(store: &SqliteStore, event: &Event) -> Committed {
    store.commit(event.received_at, vec![Unit::one(Command::AcceptEvent(Box::new(event.clone())))]).await.remove(0)
}

/// Takes events until there is no room; those that were taken, and what the store said of the next.
async fn fill(store: &SqliteStore) -> (Vec<Event>, StoreError) {
    let mut taken = Vec::new();
    for n in 0..100 {
        let next = large(n, 20_000);
        match accept(store, &next).await {
            Ok(done) => assert_eq!(done, [Applied::Done]),
            Err(error) => return (taken, error),
        }
        taken.push(next);
    }
    panic!("there is always room");
}

async fn accepted(store: &SqliteStore) -> i64 {
    store.counters("2026-11-23").await.unwrap().into_iter().find(|c| c.name == "event.accepted").map_or(0, |c| c.value)
}

async fn a_full_store_goes_on_once_there_is_room(store: &SqliteStore) {
    let used = store.room().await.unwrap().used;
    store.limit(Some(used + 400_000)).await.unwrap();
    assert_eq!(store.room().await.unwrap().most, Some(used + 400_000));
    let (taken, error) = fill(store).await;
    assert!(matches!(&error, StoreError::Full { cause } if cause.contains("max_size")), "{error:?}");
    assert!(taken.len() > 5, "{}", taken.len());
    assert!(matches!(store.probe().await, Err(StoreError::Full { .. })));
    // Nothing of what was refused is there, in no table and no counter; the rest is whole.
    let count = i64::try_from(taken.len()).unwrap();
    assert_eq!(accepted(store).await, count);
    assert_eq!(store.new_events(1_000).await.unwrap(), taken);
    assert!(store.room().await.unwrap().used <= used + 400_000);

    store.limit(Some(used + 4_000_000)).await.unwrap();
    store.probe().await.unwrap();
    let refused = large(count, 20_000);
    assert_eq!(accept(store, &refused).await, Ok(vec![Applied::Done]));
    assert_eq!(store.new_events(1_000).await.unwrap(), [taken, vec![refused]].concat());
    assert_eq!(accepted(store).await, count + 1);
}

#[tokio::test]
async fn a_full_store_in_memory_goes_on_once_there_is_room() {
    a_full_store_goes_on_once_there_is_room(&SqliteStore::in_memory(Owes::Direct).unwrap()).await;
}

#[tokio::test]
async fn a_full_file_goes_on_once_there_is_room_and_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Owes::Direct);
    a_full_store_goes_on_once_there_is_room(&store).await;
    let events = store.new_events(1_000).await.unwrap();
    let used = store.room().await.unwrap().used;
    drop(store);
    let store = SqliteStore::open_within(&dir.path().join("trunkline.db"), Owes::Direct, Some(used)).unwrap();
    assert_eq!(store.new_events(1_000).await.unwrap(), events, "what is over the limit is kept");
    assert!(matches!(fill_on(&store, events.len()).await, StoreError::Full { .. }), "and does not grow");
}

/// Takes small events after so many, until there is no room.
async fn fill_on(store: &SqliteStore, after: usize) -> StoreError {
    for n in 0..1_000 {
        if let Err(error) = accept(store, &large(i64::try_from(after).unwrap() + n, 1_000)).await {
            return error;
        }
    }
    panic!("there is always room");
}

#[tokio::test]
async fn what_is_refused_does_not_concern_the_next_caller() {
    let store = SqliteStore::in_memory(Owes::Direct).unwrap();
    let used = store.room().await.unwrap().used;
    let first = large(0, 100);
    accept(&store, &first).await.unwrap();
    store.limit(Some(used + 40_000)).await.unwrap();
    let units = vec![Unit::one(Command::AcceptEvent(Box::new(large(1, 200_000)))), Unit::one(Command::Count(vec![("test.small".to_owned(), 1)]))];
    // Where the database ends the transaction, nothing after it may be done outside of one.
    let results = store.commit(at(5), units).await;
    assert!(results.len() == 2 && results.iter().all(|r| matches!(r, Err(StoreError::Full { .. }))), "{results:?}");
    let alone = store.commit(at(6), vec![Unit::one(Command::Count(vec![("test.small".to_owned(), 1)]))]).await;
    assert_eq!(alone, [Ok(vec![Applied::Done])]);
    assert_eq!(store.new_events(10).await.unwrap(), [first]);
}
