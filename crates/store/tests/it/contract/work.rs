//! What the stages share: reserved keys, buckets, gauges, pauses, generations, definitions, counters, room.
//!
//! Its own file because none of these belongs to a person or a text, and each is asked for by several stages.

use trunkline_core::id::MessageId;
use trunkline_core::time::Time;
use trunkline_store::Command;
use trunkline_store::row::{Counter, Definition, Gauge, GaugeKind, Pause, Reservation, Standing};

use super::support::{Backend, DAY, Did, SENDER, at};

fn reservation(n: u8, seconds: i64) -> Reservation {
    Reservation { body: [n; 16], message: MessageId::new(n, at(seconds), [n; 16]), at: at(seconds) }
}

/// The second caller finds what the first reserved, and may complete it.
pub(crate) async fn an_idempotency_key_is_reserved_once(b: &Backend) {
    let (key, other) = ([1; 16], [2; 16]);
    assert_eq!(b.store.reservation(key).await.unwrap(), None);
    assert_eq!(b.one(at(0), Command::Reserve(key, reservation(1, 0))).await, Did::Done);
    assert_eq!(b.one(at(5), Command::Reserve(key, reservation(2, 5))).await, Did::Already);
    assert_eq!(b.one(at(5), Command::Reserve(other, reservation(3, 5))).await, Did::Done);
    assert_eq!(b.store.reservation(key).await.unwrap(), Some(reservation(1, 0)));
    assert_eq!(b.store.reservation(other).await.unwrap(), Some(reservation(3, 5)));
}

fn advance(account: &str, from: Time, to: Time) -> Command {
    Command::Advance { account: account.to_owned(), sender: SENDER.to_owned(), from, to }
}

/// Two nodes share one rate: whoever moves it second must look again. Each account's sender is a row of its own.
pub(crate) async fn a_bucket_moves_by_compare_and_set(b: &Backend) {
    let start = b.store.bucket("main", SENDER).await.unwrap();
    assert!(start <= at(0), "a bucket nobody used is empty");
    assert_eq!(b.one(at(1), advance("main", start, at(10))).await, Did::Done);
    assert_eq!(b.store.bucket("main", SENDER).await.unwrap(), at(10));
    assert_eq!(b.one(at(1), advance("main", start, at(20))).await, Did::Conflict);
    assert_eq!(b.store.bucket("main", SENDER).await.unwrap(), at(10));
    assert_eq!(b.one(at(2), advance("main", at(10), at(20))).await, Did::Done);
    assert_eq!(b.store.bucket("main", SENDER).await.unwrap(), at(20));

    assert_eq!(b.store.bucket("other", SENDER).await.unwrap(), start);
    assert_eq!(b.store.bucket("main", "+15005550009").await.unwrap(), start);
    assert_eq!(b.one(at(3), advance("other", at(20), at(30))).await, Did::Conflict);
}

/// Each moves by compare-and-set, alone, and all are read at once with the pauses.
pub(crate) async fn a_gauge_moves_by_compare_and_set(b: &Backend) {
    let gauge = |kind, name: &str, body: &str, rev| Gauge { kind, name: name.to_owned(), body: body.to_owned(), rev };
    assert_eq!(b.store.standing().await.unwrap(), Standing::default());
    let all: Vec<Gauge> = GaugeKind::ALL.into_iter().map(|kind| gauge(kind, "main", "{\"used\":1}", 0)).collect();
    for each in &all {
        assert_eq!(b.one(at(1), Command::PutGauge(each.clone())).await, Did::Done);
        assert_eq!(b.one(at(1), Command::PutGauge(each.clone())).await, Did::Conflict, "somebody made it first");
    }
    let later = |rev| Command::PutGauge(gauge(GaugeKind::Day, "main", "{\"used\":2}", rev));
    assert_eq!((b.one(at(2), later(1)).await, b.one(at(2), later(1)).await, b.one(at(2), later(9)).await), (Did::Done, Did::Conflict, Did::Conflict));
    assert_eq!(b.one(at(3), Command::PutGauge(gauge(GaugeKind::Day, "other", "{}", 0))).await, Did::Done);
    let pause = Pause { account: "main".to_owned(), until: at(9), cause: "out of funds".to_owned() };
    assert_ne!(b.one(at(3), Command::Pause(pause.clone())).await, Did::Conflict);

    let standing = b.store.standing().await.unwrap();
    assert_eq!(standing.pauses, vec![pause]);
    let mut found = standing.gauges;
    found.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    let expect = [
        gauge(GaugeKind::Account, "main", "{\"used\":1}", 1),
        gauge(GaugeKind::Day, "main", "{\"used\":2}", 2),
        gauge(GaugeKind::Day, "other", "{}", 1),
        gauge(GaugeKind::Route, "main", "{\"used\":1}", 1),
    ];
    assert_eq!(found, expect);
}

async fn in_force(b: &Backend, now: i64) -> Vec<Pause> {
    let mut all: Vec<Pause> = b.store.standing().await.unwrap().pauses.into_iter().filter(|p| p.until > at(now)).collect();
    all.sort_by(|one, other| one.account.cmp(&other.account));
    all
}

/// Paused again is paused as said last; lifted is not paused at any later instant.
pub(crate) async fn a_pause_holds_until_it_is_lifted(b: &Backend) {
    let pause = |account: &str, until: i64| Pause { account: account.to_owned(), until: at(until), cause: "out of funds".to_owned() };
    assert_eq!(b.store.standing().await.unwrap(), Standing::default());
    for each in [pause("main", 100), pause("other", 200), pause("main", 300)] {
        assert_ne!(b.one(at(10), Command::Pause(each)).await, Did::Conflict);
    }
    assert_eq!(in_force(b, 20).await, vec![pause("main", 300), pause("other", 200)]);
    assert_ne!(b.one(at(20), Command::Pause(pause("main", 19))).await, Did::Conflict);
    assert_eq!(in_force(b, 20).await, vec![pause("other", 200)]);
}

/// The key is drawn once for ever; each start is a newer generation.
pub(crate) async fn generations_rise_and_the_key_stays(b: &Backend) {
    let (key, mut epoch) = b.store.installation().await.unwrap();
    assert_ne!(key, [0; 32]);
    assert_eq!(b.store.installation().await.unwrap(), (key, epoch));
    for now in 1..=3 {
        assert_eq!(b.one(at(now), Command::TakeEpoch).await, Did::Done);
        let (same, newer) = b.store.installation().await.unwrap();
        assert_eq!(same, key);
        assert!(newer > epoch, "{newer} comes after {epoch}");
        epoch = newer;
    }
}

/// A version that says nothing new is not published; older versions stay for the runs that keep them.
pub(crate) async fn a_definition_is_published_once(b: &Backend) {
    let version = |name: &str, version: i64, body: &str, seconds: i64| Definition {
        kind: "journey".to_owned(),
        name: name.to_owned(),
        version,
        body: body.to_owned(),
        published_at: at(seconds),
    };
    let (one, two) = (r#"{"program":"acme"}"#, r#"{"program":"acme","ttl":"4h"}"#);
    let published = [version("welcome", 1, one, 0), version("welcome", 2, two, 2), version("winback", 1, one, 3), version("welcome", 3, one, 4)];
    for each in &published {
        assert_eq!(b.one(each.published_at, Command::Publish(each.clone())).await, Did::Done);
        let again = Definition { version: each.version + 1, published_at: at(9), ..each.clone() };
        assert_eq!(b.one(at(9), Command::Publish(again)).await, Did::Already);
    }
    let mut found = b.store.definitions().await.unwrap();
    found.sort_by_key(|d| d.published_at);
    assert_eq!(found, published);
}

async fn since(b: &Backend, day: &str) -> Vec<Counter> {
    let mut all: Vec<Counter> = b.store.counters(day).await.unwrap().into_iter().filter(|c| c.name.starts_with("test.")).collect();
    all.sort();
    all
}

/// Counts of one day add up; another day counts apart.
pub(crate) async fn counts_add_up_by_day(b: &Backend) {
    let count = |name: &str, value: i64| (name.to_owned(), value);
    let steps = [(0, vec![count("test.received", 2), count("test.refused", 1)]), (10, vec![count("test.received", 3)]), (DAY, vec![count("test.received", 7)])];
    for (now, counts) in steps {
        assert_eq!(b.one(at(now), Command::Count(counts)).await, Did::Done);
    }
    let row = |day: &str, name: &str, value: i64| Counter { day: day.to_owned(), name: name.to_owned(), value };
    let second = row("2026-11-24", "test.received", 7);
    assert_eq!(since(b, "2026-11-23").await, vec![row("2026-11-23", "test.received", 5), row("2026-11-23", "test.refused", 1), second.clone()]);
    assert_eq!(since(b, "2026-11-24").await, vec![second]);
    assert_eq!(since(b, "2026-11-25").await, vec![]);
}

/// A probe writes and takes it away again, as often as it is made.
pub(crate) async fn a_probe_leaves_nothing_behind(b: &Backend) {
    let before = b.store.installation().await.unwrap();
    for _ in 0..3 {
        b.store.probe().await.unwrap();
    }
    let used = b.store.room().await.unwrap().used;
    b.store.probe().await.unwrap();
    assert_eq!(b.store.room().await.unwrap().used, used);
    assert_eq!(b.store.installation().await.unwrap(), before);
}

/// What is kept takes room; where nothing is said there is no limit.
pub(crate) async fn the_room_that_is_taken_is_told(b: &Backend) {
    let before = b.store.room().await.unwrap();
    assert!(before.used > 0 && before.most.is_none(), "{before:?}");
    let large = Definition { kind: "journey".to_owned(), name: "large".to_owned(), version: 1, body: "x".repeat(1_000_000), published_at: at(0) };
    assert_eq!(b.one(at(0), Command::Publish(large)).await, Did::Done);
    let after = b.store.room().await.unwrap();
    assert!(after.used >= before.used + 1_000_000, "{before:?} {after:?}");
}
