//! What is owed to people: alerts and cases, by way of the outbox or at once, and what waits in each queue.
//!
//! Its own file because a debt must arrive once however it travels: an operator who is told twice stops reading.
//! Write-backs have a file of their own.

use trunkline_core::id::{AddressId, MessageId};
use trunkline_core::journey::Position;
use trunkline_core::owe::{AlertKind, Owe, Subject};
use trunkline_core::time::Time;
use trunkline_store::row::{Alert, Case, Fate, HookLane, HookState, Run, Writeback, WritebackState};
use trunkline_store::{Command, Unit};

use super::support::{Backend, Did, alert, at, canceled, claim, event, hook, ids, queued, run, settle, unclear, writeback};

async fn owe(b: &Backend, now: i64, owe: Owe) {
    assert_eq!(b.one(at(now), Command::Owe(owe)).await, Did::Done);
}

fn opened(code: &str, about: &str, opened: i64, last: i64, times: i64) -> Alert {
    Alert { kind: AlertKind::System, code: code.to_owned(), about: about.to_owned(), detail: "look at it".to_owned(), opened_at: at(opened), last_at: at(last), times }
}

/// Raised again it counts; closed and raised again it is a new one.
pub(crate) async fn one_alert_is_open_for_each_code_and_thing(b: &Backend) {
    for now in 1..=3 {
        owe(b, now, alert("vendor_word", "main")).await;
    }
    assert_eq!(b.store.alerts().await.unwrap(), vec![opened("vendor_word", "main", 1, 3, 3)]);
    owe(b, 4, alert("vendor_word", "other")).await;
    owe(b, 5, alert("account_paused", "main")).await;
    let (older, newer) = (opened("vendor_word", "other", 4, 4, 1), opened("account_paused", "main", 5, 5, 1));
    assert_eq!(b.store.alerts().await.unwrap(), vec![newer.clone(), older.clone(), opened("vendor_word", "main", 1, 3, 3)]);

    let close = Command::CloseAlert { code: "vendor_word".to_owned(), about: "main".to_owned() };
    assert_eq!(b.one(at(6), close.clone()).await, Did::Done);
    assert_eq!(b.store.alerts().await.unwrap(), vec![newer.clone(), older.clone()]);
    assert_ne!(b.one(at(7), close).await, Did::Conflict, "closing it again harms nothing");
    owe(b, 8, alert("vendor_word", "main")).await;
    assert_eq!(b.store.alerts().await.unwrap(), vec![opened("vendor_word", "main", 8, 8, 1), newer, older]);
}

fn case(code: &str, message: u8, due: i64) -> Owe {
    let message = Some(MessageId::new(message, at(0), [message; 16]));
    Owe::Case { code: code.to_owned(), address: AddressId([1; 16]), message, detail: "ask the vendor".to_owned(), due: at(due) }
}

/// The most urgent first; the second debt for the same text opens nothing.
pub(crate) async fn one_case_is_open_for_each_code_and_message(b: &Backend) {
    let owed = [(1, "unclear", 1, 500), (2, "unclear", 2, 300), (3, "complaint", 1, 400), (4, "unclear", 1, 100)];
    for (now, code, message, due) in owed {
        owe(b, now, case(code, message, due)).await;
    }
    let found = b.store.cases(10).await.unwrap();
    let told: Vec<(&str, u8, Time, Time)> = found.iter().map(|c| (c.code.as_str(), c.message.unwrap().part, c.opened_at, c.due)).collect();
    assert_eq!(told, vec![("unclear", 2, at(2), at(300)), ("complaint", 1, at(3), at(400)), ("unclear", 1, at(1), at(500))]);
    assert!(found.iter().all(|c| c.owner.is_none() && c.detail == "ask the vendor" && c.address == AddressId([1; 16])));
    let mut numbers: Vec<i64> = found.iter().map(|c| c.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 3, "each case has a number of its own");
    let first: Vec<Case> = found.into_iter().take(1).collect();
    assert_eq!(b.store.cases(1).await.unwrap(), first);
}

/// Closed by what opened it, and by nothing else; owed again it is a new case.
pub(crate) async fn a_case_is_closed_by_its_code_and_message(b: &Backend) {
    for (now, code, message) in [(1, "unclear", 1), (2, "unclear", 2), (3, "complaint", 1)] {
        owe(b, now, case(code, message, 100 + now)).await;
    }
    let open = b.store.cases(10).await.unwrap();
    let close = Owe::CloseCase { code: "unclear".to_owned(), message: MessageId::new(1, at(0), [1; 16]) };
    owe(b, 4, close.clone()).await;
    let left: Vec<Case> = open.into_iter().skip(1).collect();
    assert_eq!(b.store.cases(10).await.unwrap(), left);
    owe(b, 5, close).await;
    assert_eq!(b.store.cases(10).await.unwrap(), left, "closing it again harms nothing");

    owe(b, 6, case("unclear", 1, 50)).await;
    let told: Vec<(i64, bool)> = b.store.cases(10).await.unwrap().iter().map(|c| (c.due.0, left.contains(c))).collect();
    assert_eq!(told, vec![(at(50).0, false), (at(102).0, true), (at(103).0, true)]);
}

/// Texts of unknown fate are listed, oldest first, until they have an open case of this code, and again once it is closed.
pub(crate) async fn an_unclear_text_is_listed_until_it_has_its_case(b: &Backend) {
    let mut unknown = Vec::new();
    for (n, made) in [(1, 20), (2, 10), (3, 30)] {
        b.home(n).await;
        let message = b.put(queued(n, at(made))).await;
        unknown.push(b.lead(&message, at(made + 1), vec![claim(1, 1), unclear(1)]).await);
    }
    b.home(4).await;
    b.put(queued(4, at(5))).await;
    let listed = |code: &'static str, limit: usize| async move { ids(&b.store.unclear_without_case(code, limit).await.unwrap()) };
    let [first, second, third] = [unknown[0].id, unknown[1].id, unknown[2].id];
    assert_eq!(listed("unclear", 10).await, [second, first, third]);
    assert_eq!(listed("unclear", 1).await, [second]);
    let open = Owe::Case { code: "unclear".to_owned(), address: AddressId([1; 16]), message: Some(second), detail: "look".to_owned(), due: at(99) };
    owe(b, 40, open).await;
    assert_eq!(listed("unclear", 10).await, [first, third]);
    assert_eq!(listed("other", 10).await.len(), 3, "a case of another code does not count");
    owe(b, 41, Owe::CloseCase { code: "unclear".to_owned(), message: second }).await;
    assert_eq!(listed("unclear", 10).await.len(), 3);
}

/// With an outbox nothing has arrived before the relay, and each relay moves at most what it may.
pub(crate) async fn the_relay_drains_the_outbox(b: &Backend) {
    assert_eq!(b.store.relay(at(0), 10).await.unwrap(), 0);
    let subject = Subject::Address(AddressId([1; 16]));
    let owed = [alert("one", "it"), alert("two", "it"), writeback("people/1", subject)];
    let unit = Unit(owed.map(Command::Owe).to_vec());
    assert!(b.store.commit(at(1), vec![unit]).await.iter().all(Result::is_ok));
    if b.outbox {
        assert_eq!(b.alerts().await, vec![]);
        assert_eq!(b.store.writebacks_of(subject).await.unwrap(), vec![]);
    }
    let mut relayed = Vec::new();
    for _ in 0..4 {
        relayed.push(b.store.relay(at(2), 2).await.unwrap());
    }
    assert_eq!(relayed, if b.outbox { vec![2, 1, 0, 0] } else { vec![0; 4] });
    assert_eq!(b.alerts().await, vec![("one".to_owned(), 1), ("two".to_owned(), 1)]);
    let wanted: Vec<i64> = b.store.writebacks_of(subject).await.unwrap().iter().map(|w| w.wanted).collect();
    assert_eq!(wanted, vec![1]);
    settle(b.store.as_ref(), at(3)).await;
    assert_eq!(b.alerts().await, vec![("one".to_owned(), 1), ("two".to_owned(), 1)]);
}

async fn waiting(b: &Backend) -> i64 {
    b.store.backlog().await.unwrap().iter().map(|(_, rows)| rows).sum()
}

/// One row waits in each of five queues, then none does.
pub(crate) async fn the_backlog_says_what_waits(b: &Backend) {
    b.home(1).await;
    assert_eq!(waiting(b).await, 0);
    let (taken, filed, moving) = (event("e1", at(0)), hook(1, HookLane::Receipt, at(0)), run(1, at(0)));
    let subject = Subject::Address(AddressId([1; 16]));
    let text = b.put(queued(1, at(0))).await;
    for command in [
        Command::AcceptEvent(Box::new(taken.clone())),
        Command::PutHook(Box::new(filed.clone())),
        Command::PutRun(Box::new(moving.clone()), vec!["started".to_owned()].into()),
        Command::Owe(writeback("people/1", subject)),
    ] {
        assert_eq!(b.one(at(0), command).await, Did::Done);
    }
    let backlog = b.store.backlog().await.unwrap();
    assert!(waiting(b).await >= 5, "{backlog:?}");
    assert!(backlog.iter().all(|(name, rows)| !name.is_empty() && *rows >= 0), "{backlog:?}");

    let owed = b.store.writebacks_of(subject).await.unwrap().remove(0);
    let idle = Writeback { state: WritebackState::Idle, written: owed.wanted, updated_at: at(1), ..owed.clone() };
    let over = Position::Ended { why: "reached 'done'".to_owned() };
    b.lead(&text, at(1), vec![canceled("ops")]).await;
    for command in [
        Command::FinishEvent(taken.id, Fate::NoJourney),
        Command::MoveHook(filed.id, HookState::Done, String::new()),
        Command::PutRun(Box::new(Run { position: over, rev: 1, ..moving }), vec!["done: end".to_owned()].into()),
        Command::PutWriteback { row: Box::new(idle), expect: Box::new(owed) },
    ] {
        assert_eq!(b.one(at(1), command).await, Did::Done);
    }
    let backlog = b.store.backlog().await.unwrap();
    assert_eq!(waiting(b).await, 0, "{backlog:?}");
}
