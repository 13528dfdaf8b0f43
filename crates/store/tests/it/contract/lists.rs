//! Finding messages: what is due, what waits, what left last, and the lists that people read.
//!
//! Its own file because each list is a promise about which states are in it and in which order. How messages come
//! to those states is in `messages`.

use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::id::{AddressId, MessageId, RunId};
use trunkline_core::message::{self, Delivery, Evidence, Work};
use trunkline_core::purpose::{Priority, Purpose};
use trunkline_core::reason::Reason;
use trunkline_core::route::Way;
use trunkline_core::time::Time;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Held, Message, MessageFilter, Origin, Queue};

use super::support::{Backend, SENDER, accepted, at, canceled, claim, hold, ids, made, queued, receipt, send, unclear};

/// One of our other numbers.
const OTHER_SENDER: &str = "+15005550009";

/// The new text, from run `run`.
fn of_run(run: u8, mut change: MessageChange) -> MessageChange {
    change.message.intent.origin = Origin::Journey { journey: "welcome".to_owned(), version: 3, run: RunId([run; 16]), step: "greet".to_owned(), visit: 1 };
    change
}

/// The new text, labelled with an order.
fn of_order(order: &str, mut change: MessageChange) -> MessageChange {
    change.message.intent.labels.insert("order".to_owned(), order.to_owned());
    change
}

fn suppressed() -> Verdict {
    Verdict { decision: Decision::Suppress, findings: vec![Reason::ConsentMissing { program: "acme".to_owned() }] }
}

async fn homes(b: &Backend, last: u8) {
    for n in 1..=last {
        b.home(n).await;
    }
}

async fn due_ids(b: &Backend, now: i64, limit: usize) -> Vec<MessageId> {
    ids(&b.store.due_messages(at(now), limit).await.unwrap())
}

async fn orphans(b: &Backend, epoch: i64) -> Vec<Message> {
    let mut found = b.store.orphaned_messages(epoch, 10).await.unwrap();
    found.sort_by_key(|m| m.id.part);
    found
}

/// Queued and held alike, at their instant and not before; nothing that has left or ended.
pub(crate) async fn due_messages_come_longest_waiting_first(b: &Backend) {
    homes(b, 6).await;
    let held = b.put(made(1, at(0), hold(at(30)))).await;
    let late = b.put(queued(2, at(20))).await;
    let early = b.put(queued(3, at(10))).await;
    let gone = b.put(queued(4, at(1))).await;
    b.lead(&gone, at(2), vec![claim(1, 1), accepted(1)]).await;
    let flying = b.put(queued(5, at(1))).await;
    b.lead(&flying, at(2), vec![claim(1, 1)]).await;
    b.put(made(6, at(1), suppressed())).await;

    assert_eq!(due_ids(b, 30, 10).await, vec![early.id, late.id, held.id]);
    assert_eq!(due_ids(b, 29, 10).await, vec![early.id, late.id]);
    assert_eq!(due_ids(b, 30, 2).await, vec![early.id, late.id]);
    assert_eq!(due_ids(b, 9, 10).await, vec![]);
    assert_eq!(b.store.due_messages(at(10), 10).await.unwrap(), vec![early.clone()]);

    b.lead(&early, at(30), vec![canceled("ops")]).await;
    let verdict = hold(at(90));
    b.lead(&held, at(30), vec![message::Event::Gated { verdict }]).await;
    assert_eq!(due_ids(b, 30, 10).await, vec![late.id]);
    assert_eq!(due_ids(b, 90, 10).await, vec![late.id, held.id]);
}

/// Nobody waits behind the texts of another sender, or behind what is less urgent.
pub(crate) async fn each_sender_and_priority_is_a_queue(b: &Backend) {
    homes(b, 6).await;
    assert_eq!(b.store.waiting_senders().await.unwrap(), vec![]);
    let of = |n: u8, second: i64, account: &str, purpose: Purpose| {
        let mut change = queued(n, at(second));
        change.message.intent.account = account.to_owned();
        change.message.intent.purpose = purpose;
        change
    };
    let late = b.put(of(1, 20, "main", Purpose::Marketing)).await;
    let early = b.put(of(2, 10, "main", Purpose::Marketing)).await;
    let code = b.put(of(3, 30, "main", Purpose::Otp)).await;
    let service = b.put(of(4, 5, "main", Purpose::Service)).await;
    let other = b.put(of(5, 1, "other", Purpose::Marketing)).await;
    let gone = b.put(of(6, 1, "third", Purpose::Marketing)).await;
    b.lead(&gone, at(2), vec![claim(1, 1)]).await;
    let pair = |account: &str| (account.to_owned(), SENDER.to_owned());
    assert_eq!(b.store.waiting_senders().await.unwrap(), vec![pair("main"), pair("other")]);

    let queue = |account: &str, priority, limit| Queue { account: account.to_owned(), sender: SENDER.to_owned(), priority, limit };
    let due = |now: i64, queues: Vec<Queue>| async move { ids(&b.store.queued(at(now), &queues).await.unwrap()) };
    assert_eq!(due(40, vec![queue("main", Priority::Bulk, 10)]).await, vec![early.id, late.id]);
    assert_eq!(due(19, vec![queue("main", Priority::Bulk, 10)]).await, vec![early.id]);
    assert_eq!(due(40, vec![queue("main", Priority::Bulk, 1)]).await, vec![early.id]);
    let both = vec![queue("main", Priority::Urgent, 9), queue("main", Priority::Normal, 9), queue("other", Priority::Bulk, 9), queue("other", Priority::Urgent, 9)];
    assert_eq!(due(40, both).await, vec![code.id, service.id, other.id]);
    assert_eq!(due(40, vec![]).await, vec![]);
}

/// A text that goes another way waits for that one, and an answer to it is found by the sender that it came from.
pub(crate) async fn a_text_that_goes_another_way_changes_queues(b: &Backend) {
    homes(b, 2).await;
    let home = AddressId([1; 16]);
    let moving = b.put(queued(1, at(1))).await;
    let staying = b.put(queued(2, at(2))).await;
    let queue = |account: &str, sender: &str| Queue { account: account.to_owned(), sender: sender.to_owned(), priority: Priority::Normal, limit: 9 };
    let way = Way { account: "other".to_owned(), sender: OTHER_SENDER.to_owned() };
    let reason = Reason::AccountPaused { account: "main".to_owned() };
    let moved = b.lead(&moving, at(3), vec![message::Event::Routed { way, reason }]).await;
    assert_eq!(moved.way(), ("other", OTHER_SENDER));
    let pairs = [("main", SENDER), ("other", OTHER_SENDER)].map(|(account, sender)| (account.to_owned(), sender.to_owned()));
    assert_eq!(b.store.waiting_senders().await.unwrap(), pairs);
    assert_eq!(ids(&b.store.queued(at(9), &[queue("main", SENDER)]).await.unwrap()), vec![staying.id]);
    assert_eq!(b.store.queued(at(9), &[queue("other", OTHER_SENDER)]).await.unwrap(), vec![moved.clone()]);

    let claimed = message::Event::Claimed { n: 1, account: "other".to_owned(), sender: OTHER_SENDER.to_owned(), epoch: 1, verdict: send() };
    let left = b.lead(&moved, at(4), vec![claimed, accepted(1)]).await;
    assert_eq!(b.store.last_left(home, OTHER_SENDER).await.unwrap(), Some(left));
    assert_eq!(b.store.last_left(home, SENDER).await.unwrap(), None);
}

/// Texts of unknown fate, at the instant at which their vendor is asked; never among those that may be claimed.
pub(crate) async fn questions_come_longest_waiting_first(b: &Backend) {
    homes(b, 3).await;
    let asked = |again: i64| message::Event::Asked { n: 1, how: message::Question::LookUp, again_at: at(again) };
    let mut all = Vec::new();
    for (n, again) in [(1, 40), (2, 30)] {
        let row = b.put(queued(n, at(1))).await;
        all.push(b.lead(&row, at(2), vec![claim(1, 1), unclear(1), asked(again)]).await);
    }
    let silent = b.put(queued(3, at(1))).await;
    b.lead(&silent, at(2), vec![claim(1, 1), unclear(1)]).await;
    let due = |now: i64| async move { ids(&b.store.due_questions(at(now), 10).await.unwrap()) };
    assert_eq!(due(29).await, vec![]);
    assert_eq!(due(40).await, vec![all[1].id, all[0].id]);
    assert_eq!(ids(&b.store.due_questions(at(40), 1).await.unwrap()), vec![all[1].id]);
    assert_eq!(due_ids(b, 100, 10).await, vec![]);
    b.lead(&all[1], at(41), vec![message::Event::GivenUp { n: 1, resend: Some(at(50)) }]).await;
    assert_eq!((due(100).await, due_ids(b, 100, 10).await), (vec![all[0].id], vec![all[1].id]));
}

/// I9: queued, held and in the air block later texts; `unknown` counts as left.
pub(crate) async fn texts_of_a_run_wait_until_they_left(b: &Backend) {
    homes(b, 3).await;
    let waits = b.put(of_run(1, queued(1, at(0)))).await;
    let patient = b.put(of_run(1, made(1, at(1), hold(at(100))))).await;
    let flying = b.put(of_run(1, queued(1, at(2)))).await;
    let flying = b.lead(&flying, at(10), vec![claim(1, 1)]).await;
    for (second, events) in [(3, vec![claim(1, 1), accepted(1)]), (4, vec![claim(1, 1), unclear(1)]), (5, vec![canceled("ops")])] {
        let left = b.put(of_run(1, queued(1, at(second)))).await;
        b.lead(&left, at(10), events).await;
    }
    let second_run = b.put(of_run(2, queued(2, at(6)))).await;
    b.put(of_run(3, queued(3, at(7)))).await;
    b.put(queued(1, at(8))).await;

    let (one, two, none) = (RunId([1; 16]), RunId([2; 16]), RunId([9; 16]));
    assert_eq!(b.store.waiting_in_runs(&[one]).await.unwrap(), vec![waits.clone(), patient.clone(), flying.clone()]);
    let several = b.store.waiting_in_runs(&[two, none, one, two]).await.unwrap();
    assert_eq!(ids(&several), ids(&[waits, patient, flying, second_run]), "oldest first over all runs, each once");
    assert_eq!(b.store.waiting_in_runs(&[none]).await.unwrap(), vec![]);
}

/// What a STOP must cancel: queued and held, of any run or none.
pub(crate) async fn texts_of_an_address_wait_until_they_left(b: &Backend) {
    homes(b, 2).await;
    let waits = b.put(of_run(1, queued(1, at(0)))).await;
    let patient = b.put(made(1, at(1), hold(at(100)))).await;
    for (second, events) in [(2, vec![claim(1, 1), accepted(1)]), (3, vec![claim(1, 1), unclear(1)]), (4, vec![canceled("ops")])] {
        let left = b.put(queued(1, at(second))).await;
        b.lead(&left, at(10), events).await;
    }
    b.put(made(1, at(5), suppressed())).await;
    let other = b.put(queued(2, at(6))).await;

    let mut found = b.store.waiting_for_address(AddressId([1; 16])).await.unwrap();
    found.sort_by_key(|m| m.id);
    assert_eq!(found, vec![waits, patient]);
    assert_eq!(b.store.waiting_for_address(AddressId([2; 16])).await.unwrap(), vec![other]);
    assert_eq!(b.store.waiting_for_address(AddressId([9; 16])).await.unwrap(), vec![]);
}

/// The text an answer belongs to: the newest from that sender that may be on the phone, an unclear one included.
pub(crate) async fn the_last_that_left_is_found(b: &Backend) {
    homes(b, 2).await;
    let home = AddressId([1; 16]);
    let taken = vec![claim(1, 1), accepted(1)];
    let older = b.put(queued(1, at(0))).await;
    assert_eq!(b.store.last_left(home, SENDER).await.unwrap(), None);
    let older = b.lead(&older, at(1), taken.clone()).await;
    assert_eq!(b.store.last_left(home, SENDER).await.unwrap(), Some(older));

    let newer = b.put(queued(1, at(10))).await;
    let newer = b.lead(&newer, at(11), [taken.clone(), vec![receipt(1, Evidence::Delivered)]].concat()).await;
    b.put(queued(1, at(20))).await;
    let ended = b.put(queued(1, at(21))).await;
    b.lead(&ended, at(22), vec![canceled("ops")]).await;
    let elsewhere = b.put(queued(2, at(23))).await;
    b.lead(&elsewhere, at(24), taken).await;
    let mut from_other = queued(1, at(25));
    from_other.message.intent.sender = OTHER_SENDER.to_owned();
    let from_other = b.put(from_other).await;
    let sender = OTHER_SENDER.to_owned();
    let by_other = message::Event::Claimed { n: 1, account: "main".to_owned(), sender, epoch: 1, verdict: send() };
    let from_other = b.lead(&from_other, at(26), vec![by_other, accepted(1)]).await;
    assert_eq!(b.store.last_left(home, SENDER).await.unwrap(), Some(newer));
    assert_eq!(b.store.last_left(home, OTHER_SENDER).await.unwrap(), Some(from_other));

    let unsure = b.put(queued(1, at(30))).await;
    let unsure = b.lead(&unsure, at(31), vec![claim(1, 1), unclear(1)]).await;
    assert_eq!(b.store.last_left(home, SENDER).await.unwrap(), Some(unsure));
    assert_eq!(b.store.last_left(home, "+15005550000").await.unwrap(), None);
}

async fn recent(b: &Backend, of: &[(AddressId, Option<MessageId>)], since: i64, limit: usize) -> Vec<Message> {
    b.store.recent_texts(of, at(since), limit).await.unwrap()
}

/// What the looping guard counts: the newest to each address since an instant, but for the one that is asked about, each once.
pub(crate) async fn the_newest_texts_of_addresses_are_found(b: &Backend) {
    homes(b, 3).await;
    let home = |n: u8| AddressId([n; 16]);
    let mut mine = Vec::new();
    for second in [0, 10, 20, 30] {
        mine.push(b.put(queued(1, at(second))).await);
    }
    let other = b.put(made(2, at(15), suppressed())).await;
    assert_eq!(recent(b, &[(home(1), None)], 10, 10).await, mine[1..]);
    assert_eq!(recent(b, &[(home(1), None)], 11, 10).await, mine[2..]);
    assert_eq!(recent(b, &[(home(1), None)], 0, 2).await, mine[2..], "the newest of them");
    assert_eq!(recent(b, &[(home(1), Some(mine[3].id))], 0, 2).await, mine[1..3]);
    let twice = [(home(1), Some(mine[3].id)), (home(1), Some(mine[0].id)), (home(2), None), (home(3), None)];
    let mut all = [mine, vec![other]].concat();
    all.sort_by_key(|m| m.id);
    assert_eq!(recent(b, &twice, 0, 10).await, all);
    assert_eq!(recent(b, &[], 0, 10).await, vec![]);
}

/// By address, by label, by state: newest first whatever part they are in.
pub(crate) async fn messages_are_listed_newest_first(b: &Backend) {
    homes(b, 9).await;
    let oldest = b.put(of_order("1042", queued(9, at(0)))).await;
    let second = b.put(of_order("1042", queued(1, at(1)))).await;
    let third = b.put(of_order("2000", queued(5, at(2)))).await;
    let fourth = b.put(queued(1, at(3))).await;
    let done = vec![claim(1, 1), accepted(1), receipt(1, Evidence::Delivered)];
    let oldest = b.lead(&oldest, at(4), done.clone()).await;
    let second = b.lead(&second, at(5), done).await;

    let home = AddressId([1; 16]);
    assert_eq!(b.store.messages_matching(&MessageFilter::of_address(home), 10).await.unwrap(), vec![fourth.clone(), second.clone()]);
    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::of_address(home), 1).await.unwrap()), vec![fourth.id]);
    assert_eq!(b.store.messages_matching(&MessageFilter::labelled("1042"), 10).await.unwrap(), vec![second.clone(), oldest.clone()]);
    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::labelled("1042"), 1).await.unwrap()), vec![second.id]);
    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::labelled("c-5"), 10).await.unwrap()), vec![third.id]);
    assert_eq!(b.store.messages_matching(&MessageFilter::labelled("104"), 10).await.unwrap(), vec![], "a label is found by its whole value");

    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::default(), 10).await.unwrap()), ids(&[fourth.clone(), third.clone(), second.clone(), oldest.clone()]));
    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::default(), 2).await.unwrap()), vec![fourth.id, third.id]);
    assert_eq!(b.store.messages_matching(&MessageFilter::in_state(Delivery::Delivered), 10).await.unwrap(), vec![second, oldest]);
    assert_eq!(ids(&b.store.messages_matching(&MessageFilter::in_state(Delivery::Queued), 1).await.unwrap()), vec![fourth.id]);
    assert_eq!(b.store.messages_matching(&MessageFilter::in_state(Delivery::Failed), 10).await.unwrap(), vec![]);
}

/// How many wait for each reason, until when, and one of them to look at.
pub(crate) async fn held_messages_are_counted_by_reason(b: &Backend) {
    homes(b, 4).await;
    assert_eq!(b.store.held().await.unwrap(), vec![]);
    let until = at(90);
    let (window, zone, local) = ("08:00-21:00".to_owned(), "America/New_York".to_owned(), "Tue 08:00 EST".to_owned());
    let closed = Reason::HoursClosed { window, zone, until, local, here: String::new(), till: String::new(), by: None };
    let night = Verdict { decision: Decision::Hold { until }, findings: vec![Reason::NumberTextable, closed] };
    let first = b.put(made(1, at(0), hold(at(60)))).await;
    let second = b.put(made(2, at(1), hold(at(30)))).await;
    let third = b.put(made(3, at(2), night)).await;
    b.put(queued(4, at(3))).await;

    let mut found = b.store.held().await.unwrap();
    found.sort_by(|one, other| one.code.cmp(&other.code));
    let told: Vec<(&str, i64, Time)> = found.iter().map(|h| (h.code.as_str(), h.count, h.next)).collect();
    assert_eq!(told, vec![("hours_closed", 1, until), ("rate_full", 2, at(30))]);
    let examples: Vec<MessageId> = found.iter().map(|h| h.example).collect();
    assert!(examples == [third.id, first.id] || examples == [third.id, second.id], "{examples:?}");

    b.lead(&second, at(30), vec![canceled("ops")]).await;
    b.lead(&third, at(30), vec![canceled("ops")]).await;
    let left = Held { code: "rate_full".to_owned(), count: 1, next: at(60), example: first.id };
    assert_eq!(b.store.held().await.unwrap(), vec![left]);
}

/// In the air since an older generation, whatever a receipt has proved meanwhile; settled ones are nobody's orphans.
pub(crate) async fn attempts_of_older_generations_are_orphans(b: &Backend) {
    homes(b, 5).await;
    let mut flying = Vec::new();
    for (n, epoch) in [(1, 1), (2, 2), (3, 3)] {
        let new = b.put(queued(n, at(i64::from(n)))).await;
        flying.push(b.lead(&new, at(10), vec![claim(1, epoch)]).await);
    }
    let settled = b.put(queued(4, at(4))).await;
    b.lead(&settled, at(10), vec![claim(1, 1), accepted(1)]).await;
    let proved = b.put(queued(5, at(5))).await;
    let proved = b.lead(&proved, at(10), vec![claim(1, 1), receipt(1, Evidence::Delivered)]).await;
    assert_eq!((proved.state.work, proved.state.delivery()), (Work::Dispatched, Delivery::Delivered));

    assert_eq!(orphans(b, 1).await, vec![]);
    let expect: Vec<Message> = flying.iter().take(2).chain([&proved]).cloned().collect();
    assert_eq!(orphans(b, 3).await, expect);
    assert_eq!(b.store.orphaned_messages(3, 1).await.unwrap().len(), 1);

    for orphan in &expect {
        b.lead(orphan, at(20), vec![message::Event::TakenOver { n: 1, epoch: 3, ask_at: None }]).await;
    }
    assert_eq!(orphans(b, 3).await, vec![]);
    assert_eq!(orphans(b, 4).await.len(), 1);
}

/// Pages meet without gap or overlap; inside one part the order is that of their making.
pub(crate) async fn messages_are_walked_in_id_order(b: &Backend) {
    homes(b, 3).await;
    let mut made = Vec::new();
    for (n, second) in [(2, 5), (1, 3), (1, 1), (3, 0), (1, 2)] {
        made.push(b.put(queued(n, at(second))).await.id);
    }
    let mut walked: Vec<MessageId> = Vec::new();
    for _ in 0..4 {
        let page = b.store.messages_after(walked.last().copied(), 2).await.unwrap();
        walked.extend(ids(&page));
    }
    let one: Vec<MessageId> = walked.iter().copied().filter(|m| m.part == 1).collect();
    assert_eq!(one, vec![made[2], made[4], made[1]]);
    walked.sort();
    made.sort();
    assert_eq!(walked, made, "each message once");
}
