//! Gaps in our intake: one open for each account, widened by the next, moved by compare-and-set; and when intake was up.
//!
//! Its own file because a gap holds an account's texts back: losing one, or moving a wrong one, would let a text go out
//! after an opt-out.

use trunkline_core::gap::{Cause, Listing, Reading};
use trunkline_core::time::Time;
use trunkline_store::Command;
use trunkline_store::row::{Gap, HookLane, HookState};

use super::support::{Backend, Did, at, hook};

async fn open(b: &Backend, gap: &Gap) {
    assert_ne!(b.one(gap.opened_at, Command::OpenGap(Box::new(gap.clone()))).await, Did::Conflict);
}

/// The gap of an account as it is stored.
async fn stored(b: &Backend, account: &str) -> Option<Gap> {
    b.store.gaps().await.unwrap().into_iter().find(|gap| gap.account == account)
}

/// Every field survives; each account has its own, listed by name.
pub(crate) async fn a_gap_is_open_for_each_account(b: &Backend) {
    assert_eq!(b.store.gaps().await.unwrap(), vec![]);
    let second = Gap::opened("second", at(10), Cause::NotFiled, at(20));
    let main = Gap::opened("main", at(-500), Cause::Down, at(30));
    for gap in [&second, &main] {
        open(b, gap).await;
    }
    assert_eq!(b.store.gaps().await.unwrap(), vec![main, second]);
}

/// Whatever was read before says nothing of what was lost since: it begins anew, at the earlier time, and holds again.
pub(crate) async fn a_gap_that_is_opened_again_is_wider(b: &Backend) {
    let first = Gap::opened("main", at(100), Cause::Down, at(200));
    open(b, &first).await;
    let reading = Reading { again: true, read: true, list: Some(Listing::Status), sender: 0, page: Some("7".to_owned()), pages: 3 };
    let moved = Gap { holds: false, reading, tries: 4, next_at: at(900), ..first.clone() };
    assert_eq!(b.one(at(210), Command::PutGap(Box::new(moved))).await, Did::Done);

    open(b, &Gap::opened("main", at(150), Cause::NotFiled, at(300))).await;
    let expect = Gap { cause: Cause::NotFiled, read_at: at(300), next_at: at(300), rev: 3, ..first.clone() };
    assert_eq!(stored(b, "main").await, Some(expect));
    open(b, &Gap::opened("main", at(50), Cause::Refused, at(400))).await;
    let expect = Gap { since: at(50), cause: Cause::Refused, read_at: at(400), next_at: at(400), rev: 4, ..first };
    assert_eq!(stored(b, "main").await, Some(expect));
}

/// A page that was asked for before the gap was widened turns nothing, and closes nothing.
pub(crate) async fn a_gap_moves_by_compare_and_set(b: &Backend) {
    let first = Gap::opened("main", at(100), Cause::Down, at(200));
    open(b, &first).await;
    let reading = Reading { page: Some("2".to_owned()), pages: 1, read: true, ..Reading::begin(false) };
    let turned = Gap { reading, read_at: at(205), tries: 1, next_at: at(206), ..first.clone() };
    assert_eq!(b.one(at(205), Command::PutGap(Box::new(turned.clone()))).await, Did::Done);
    assert_eq!(stored(b, "main").await, Some(Gap { rev: 2, ..turned.clone() }));
    assert_eq!(b.one(at(206), Command::PutGap(Box::new(first))).await, Did::Conflict);

    let close = |rev: i64| Command::CloseGap { account: "main".to_owned(), rev };
    assert_eq!(b.one(at(207), close(1)).await, Did::Conflict);
    assert_eq!(stored(b, "main").await, Some(Gap { rev: 2, ..turned.clone() }));
    assert_eq!(b.one(at(208), close(2)).await, Did::Done);
    assert_eq!(b.one(at(209), close(2)).await, Did::Already);
    assert_eq!(b.one(at(210), Command::PutGap(Box::new(turned))).await, Did::Conflict);
    assert_eq!(b.store.gaps().await.unwrap(), vec![]);
}

/// An account that never had one has none; an earlier time than the newest is noted too, since clocks are set back.
pub(crate) async fn the_last_beat_counts(b: &Backend) {
    assert_eq!(b.store.beats().await.unwrap(), vec![]);
    let beat = |account: &str, second: i64| Command::Beat { account: account.to_owned(), at: at(second) };
    for (account, second, did) in [("second", 5, Did::Done), ("main", 10, Did::Done), ("main", 25, Did::Done), ("main", 7, Did::Done), ("main", 7, Did::Already)] {
        assert_eq!(b.one(at(30), beat(account, second)).await, did, "{account} {second}");
    }
    assert_eq!(b.store.beats().await.unwrap(), vec![("main".to_owned(), at(7)), ("second".to_owned(), at(5))]);
}

/// What waits of an account's inbound lane, by when it was filed, though it is due later; nothing else counts.
pub(crate) async fn the_oldest_text_that_waits_is_found(b: &Backend) {
    let oldest = async || -> Option<Time> { b.store.oldest_inbound("main").await.unwrap() };
    assert_eq!(oldest().await, None);
    let mut receipt = hook(1, HookLane::Receipt, at(1));
    let mut other = hook(2, HookLane::Inbound, at(2));
    let mut dead = hook(3, HookLane::Inbound, at(3));
    (receipt.name, other.name, dead.state) = ("main".to_owned(), "other".to_owned(), HookState::Dead);
    let mut later = hook(4, HookLane::Inbound, at(4));
    later.state = HookState::Waiting { due: at(600) };
    let last = hook(5, HookLane::Inbound, at(5));
    for filed in [receipt, other, dead] {
        assert_eq!(b.one(at(6), Command::PutHook(Box::new(filed))).await, Did::Done);
    }
    assert_eq!(oldest().await, None);
    for filed in [&last, &later] {
        assert_eq!(b.one(at(6), Command::PutHook(Box::new(filed.clone()))).await, Did::Done);
    }
    assert_eq!(oldest().await, Some(at(4)));
    assert_eq!(b.one(at(7), Command::MoveHook(later.id, HookState::Done, "applied".to_owned())).await, Did::Done);
    assert_eq!(oldest().await, Some(at(5)));
    assert_eq!(b.one(at(8), Command::MoveHook(last.id, HookState::Done, "applied".to_owned())).await, Did::Done);
    assert_eq!(oldest().await, None);
}
