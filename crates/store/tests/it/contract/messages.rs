//! Changes of messages: made once, moved by compare-and-set, each event one entry of history, counted.
//!
//! Its own file because this is where a text could be sent twice or a receipt lost: a refused change must leave
//! nothing behind, not in the row, the history, the counters or what is owed. Finding messages is in `lists`.

use serde_json::from_value;
use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::message::{self, Evidence, FOLD_VERSION};
use trunkline_core::owe::Subject;
use trunkline_core::purpose::Purpose;
use trunkline_core::quiet::Sent;
use trunkline_core::reason::Reason;
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::Message;
use trunkline_store::{Command, Committed, StoreError, Unit};

use super::support::{Backend, DAY, Did, accepted, alert, at, canceled, claim, counters_agree, hold, made, moved, queued, receipt, row_of, send, unclear, writeback};

async fn change(b: &Backend, now: i64, change: &MessageChange) -> Did {
    b.one(at(now), Command::PutMessage(Box::new(change.clone()))).await
}

/// What a message's history says: (place, when, what).
async fn told(b: &Backend, message: &Message) -> Vec<(i64, Time, message::Event)> {
    let entries = b.store.history(&message.id.bytes()).await.unwrap();
    assert!(entries.iter().all(|e| e.fold == FOLD_VERSION), "each entry names the fold that wrote it");
    entries.into_iter().map(|e| (e.seq, e.at, from_value(e.body).unwrap())).collect()
}

/// Making it again changes nothing and owes nothing, whatever it says.
pub(crate) async fn a_message_is_made_once(b: &Backend) {
    b.home(1).await;
    let new = MessageChange { owes: vec![alert("made", "it")], ..queued(1, at(0)) };
    let row = b.put(new.clone()).await;
    assert_eq!(row.rev, 1);
    assert_eq!(b.message(row.id).await, row);

    let mut copy = new;
    copy.message.intent.body = "other words".to_owned();
    assert_eq!(change(b, 5, &copy).await, Did::Already);
    assert_eq!(b.message(row.id).await, row);
    assert_eq!(told(b, &row).await, vec![(1, at(0), message::Event::Made { verdict: send() })]);
    assert_eq!(b.alerts().await, vec![("made".to_owned(), 1)]);
    let never = queued(2, at(0)).message.id;
    assert_eq!(b.store.messages(&[never, row.id]).await.unwrap(), vec![row]);
}

/// Several events of one change are entries of their own, and their fold is the row (I5).
pub(crate) async fn every_event_is_one_entry_of_history(b: &Backend) {
    b.home(1).await;
    let made = b.put(queued(1, at(0))).await;
    let row = b.lead(&made, at(5), vec![claim(1, 1), accepted(1)]).await;
    assert_eq!(row.rev, 3);
    let row = b.lead(&row, at(9), vec![receipt(1, Evidence::Delivered)]).await;
    assert_eq!(b.message(row.id).await, row);

    let history = told(b, &row).await;
    let expect = [message::Event::Made { verdict: send() }, claim(1, 1), accepted(1), receipt(1, Evidence::Delivered)];
    let places = [(1, at(0)), (2, at(5)), (3, at(5)), (4, at(9))];
    let expect: Vec<(i64, Time, message::Event)> = places.into_iter().zip(expect).map(|((seq, when), event)| (seq, when, event)).collect();
    assert_eq!(history, expect);
    assert_eq!(message::fold(history.iter().map(|(_, when, event)| (event, *when))), Some(row.state));
}

/// A conflict leaves no trace: not in the row, the history, what is owed or the counters.
pub(crate) async fn a_stale_change_leaves_nothing_behind(b: &Backend) {
    b.home(1).await;
    let made = b.put(queued(1, at(0))).await;
    let row = b.lead(&made, at(1), vec![claim(1, 1)]).await;
    let history = told(b, &row).await;
    let subject = Subject::Message(row.id);
    let owes = vec![alert("late", "it"), writeback("orders/1042", subject)];
    for rev in [1, 3] {
        let mut stale = MessageChange { owes: owes.clone(), ..moved(&made, at(2), vec![claim(1, 2)]) };
        stale.message.rev = rev;
        assert_eq!(change(b, 2, &stale).await, Did::Conflict, "at rev {rev}");
    }
    let mut never = MessageChange { owes, ..queued(1, at(3)) };
    never.message.rev = 1;
    assert_eq!(change(b, 3, &never).await, Did::Conflict, "a message that does not exist cannot move");

    assert_eq!(b.store.messages(&[row.id, never.message.id]).await.unwrap(), vec![row.clone()]);
    assert_eq!(told(b, &row).await, history);
    assert_eq!(told(b, &never.message).await, vec![]);
    assert_eq!(b.alerts().await, vec![]);
    assert_eq!(b.store.writebacks_of(subject).await.unwrap(), vec![]);
    counters_agree(b.store.as_ref()).await;
}

/// The dedupe key makes a receipt new: a copy is known, whether it comes with the row's rev or an old one.
pub(crate) async fn a_copy_of_a_receipt_changes_nothing(b: &Backend) {
    b.home(1).await;
    let made = b.put(queued(1, at(0))).await;
    let taken = b.lead(&made, at(1), vec![claim(1, 1), accepted(1)]).await;
    let keyed = |from: &Message, now: i64, evidence: Evidence, key: u8| MessageChange {
        events: vec![(receipt(1, evidence), Some([key; 16]))],
        owes: vec![alert("receipt", "it")],
        ..moved(from, at(now), vec![receipt(1, evidence)])
    };
    let first = keyed(&taken, 2, Evidence::Sent, 1);
    assert_eq!(change(b, 2, &first).await, Did::Done);
    let sent = row_of(&first);
    assert_eq!(b.message(sent.id).await, sent);

    assert_eq!(change(b, 3, &keyed(&sent, 3, Evidence::Sent, 1)).await, Did::Already);
    assert_eq!(change(b, 4, &first).await, Did::Already);
    assert_eq!(b.message(sent.id).await, sent);
    assert_eq!(told(b, &sent).await.len(), 4);
    assert_eq!(b.alerts().await, vec![("receipt".to_owned(), 1)]);

    let next = keyed(&sent, 5, Evidence::Delivered, 2);
    assert_eq!(change(b, 5, &next).await, Did::Done);
    assert_eq!(b.message(sent.id).await, row_of(&next));
    assert_eq!(b.alerts().await, vec![("receipt".to_owned(), 2)]);
    counters_agree(b.store.as_ref()).await;
}

/// A claim compares and bumps the address's guard, so that it can't miss a change of consent.
pub(crate) async fn a_claim_needs_the_guard_it_saw(b: &Backend) {
    let home = b.home(1).await;
    let guard = b.address(home).await.guard_version;
    let made = b.put(queued(1, at(0))).await;
    assert_eq!(b.address(home).await.guard_version, guard, "making a text is no claim");
    let with = |guard: i64| MessageChange { guard: Some(guard), owes: vec![alert("claimed", "it")], ..moved(&made, at(1), vec![claim(1, 1)]) };
    for wrong in [guard - 1, guard + 1] {
        assert_eq!(change(b, 1, &with(wrong)).await, Did::Conflict);
    }
    assert_eq!(b.message(made.id).await, made);
    assert_eq!(told(b, &made).await.len(), 1);
    assert_eq!(b.address(home).await.guard_version, guard);
    assert_eq!(b.alerts().await, vec![]);

    let right = with(guard);
    assert_eq!(change(b, 1, &right).await, Did::Done);
    assert_eq!(b.message(made.id).await, row_of(&right));
    assert_eq!(b.address(home).await.guard_version, guard + 1);

    // The row is stale, the guard is not: the guard stays.
    assert_eq!(change(b, 2, &with(guard + 1)).await, Did::Conflict);
    assert_eq!(b.address(home).await.guard_version, guard + 1);
}

/// What caps count is written with the claim, or not at all.
pub(crate) async fn a_claim_counts_what_it_sends(b: &Backend) {
    let home = b.home(1).await;
    let guard = b.address(home).await.guard_version;
    let made = b.put(queued(1, at(0))).await;
    let sends = vec![Sent { message: made.id, purpose: Purpose::Marketing, at: at(1) }];
    let with = |guard: i64| MessageChange { guard: Some(guard), sends: Some(sends.clone()), ..moved(&made, at(1), vec![claim(1, 1)]) };
    assert_eq!(change(b, 1, &with(guard + 1)).await, Did::Conflict);
    assert_eq!(b.address(home).await.sends, vec![], "what did not leave is not counted");
    assert_eq!(change(b, 1, &with(guard)).await, Did::Done);
    assert_eq!(b.address(home).await.sends, sends);
    let other = b.put(queued(1, at(2))).await;
    let uncounted = MessageChange { guard: Some(guard + 1), ..moved(&other, at(3), vec![claim(1, 1)]) };
    assert_eq!(change(b, 3, &uncounted).await, Did::Done);
    assert_eq!(b.address(home).await.sends, sends, "a claim that no cap counts leaves them");
}

/// Two workers claim at the same time: one commits, the other is told.
pub(crate) async fn of_two_claims_one_wins(b: &Backend) {
    let home = b.home(1).await;
    let guard = b.address(home).await.guard_version;
    let made = b.put(queued(1, at(0))).await;
    let by = |epoch: i64| {
        let change = MessageChange { guard: Some(guard), ..moved(&made, at(1), vec![claim(1, epoch)]) };
        vec![Unit::one(Command::PutMessage(Box::new(change)))]
    };
    let (one, two) = tokio::join!(b.store.commit(at(1), by(1)), b.store.commit(at(1), by(2)));
    let all: Vec<Committed> = one.into_iter().chain(two).collect();
    assert_eq!(all.len(), 2);
    assert_eq!(all.iter().filter(|c| c.is_ok()).count(), 1);
    assert!(all.iter().any(|c| matches!(c, Err(StoreError::Conflict { .. }))), "{all:?}");
    let row = b.message(made.id).await;
    assert_eq!((row.rev, row.state.attempts.len()), (2, 1));
    assert_eq!(b.address(home).await.guard_version, guard + 1);
}

/// I11, after every step, over two days, with what is refused and what is there already.
pub(crate) async fn counters_equal_a_recount(b: &Backend) {
    for n in 1..=4 {
        b.home(n).await;
    }
    let store = b.store.as_ref();
    let refused = Verdict { decision: Decision::Suppress, findings: vec![Reason::ConsentMissing { program: "acme".to_owned() }] };
    let mut rows = Vec::new();
    for new in [queued(1, at(0)), made(2, at(1), hold(at(60))), queued(3, at(2)), made(4, at(3), refused)] {
        rows.push(b.put(new.clone()).await);
        counters_agree(store).await;
        assert_eq!(change(b, 4, &new).await, Did::Already);
        counters_agree(store).await;
    }
    let corrected = vec![receipt(1, Evidence::Undelivered), receipt(1, Evidence::Delivered)];
    let lives = [
        vec![vec![claim(1, 1)], vec![accepted(1)], vec![receipt(1, Evidence::Sent)], corrected],
        vec![vec![canceled("ops")]],
        vec![vec![claim(1, 1), unclear(1)], vec![receipt(1, Evidence::Undelivered)]],
    ];
    for (mut row, life) in rows.into_iter().zip(lives) {
        for (day, events) in (1..).zip(life) {
            let now = day * DAY;
            let stale = moved(&row, at(now), events.clone());
            row = b.lead(&row, at(now), events).await;
            counters_agree(store).await;
            assert_eq!(change(b, now, &stale).await, Did::Conflict);
            counters_agree(store).await;
        }
    }
}
