//! Lists in pages: every filter narrows, pages neither skip nor repeat, runs and hooks and events come newest first.
//!
//! Its own file because a list that skips a row hides a customer: each case walks page by page what it made.

use trunkline_core::id::{AddressId, EventId, HookId, MessageId, ProfileId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::message::{self, Delivery};
use trunkline_store::Command;
use trunkline_store::row::{Audit, HookFilter, HookLane, Message, MessageFilter, Origin, Run, RunFilter, StepCount, Trail};

use super::support::{Backend, Did, at, canceled, event, hook, ids, made, queued, run, send};

/// Every page of a list of messages, each of `size` rows.
async fn walk(b: &Backend, filter: MessageFilter, size: usize) -> Vec<MessageId> {
    let (mut all, mut before) = (Vec::new(), filter.before);
    loop {
        let page = b.store.messages_matching(&MessageFilter { before, ..filter.clone() }, size).await.unwrap();
        assert!(page.len() <= size);
        let Some(last) = page.last() else { return all };
        before = Some(last.id);
        all.extend(ids(&page));
    }
}

async fn of_journey(b: &Backend, n: u8, now: i64, journey: &str) -> Message {
    let mut change = made(n, at(now), send());
    change.message.intent.origin = Origin::Journey { journey: journey.to_owned(), version: 1, run: RunId([n; 16]), step: "tell".to_owned(), visit: 1 };
    b.put(change).await
}

/// A page ends where the next begins, whatever the filter; filters narrow together.
pub(crate) async fn messages_are_paged_without_a_gap(b: &Backend) {
    for n in 1..=3 {
        b.home(n).await;
    }
    let mut all = Vec::new();
    for now in 0..7 {
        let n = u8::try_from(now % 3).unwrap() + 1;
        all.push(if now % 2 == 0 { of_journey(b, n, now, "welcome").await } else { b.put(queued(n, at(now))).await });
    }
    let dropped = b.lead(&all[2], at(20), vec![canceled("ops")]).await;
    let newest_first: Vec<MessageId> = all.iter().rev().map(|m| m.id).collect();
    for size in [1, 2, 3, 7, 50] {
        assert_eq!(walk(b, MessageFilter::default(), size).await, newest_first, "pages of {size}");
    }
    let which = |keep: &dyn Fn(usize) -> bool| -> Vec<MessageId> { (0..7).rev().filter(|n| keep(*n)).map(|n| all[n].id).collect() };
    let journey = MessageFilter { journey: Some("welcome".to_owned()), ..MessageFilter::default() };
    assert_eq!(walk(b, journey.clone(), 2).await, which(&|n| n % 2 == 0));
    assert_eq!(walk(b, MessageFilter::of_address(AddressId([1; 16])), 2).await, which(&|n| n % 3 == 0));
    assert_eq!(walk(b, MessageFilter::labelled("c-2"), 1).await, which(&|n| n % 3 == 1));
    let between = MessageFilter { since: Some(at(2)), until: Some(at(5)), ..MessageFilter::default() };
    assert_eq!(walk(b, between.clone(), 2).await, which(&|n| (2..5).contains(&n)), "the first instant belongs to it, the last does not");
    let both = MessageFilter { journey: Some("welcome".to_owned()), delivery: Some(Delivery::Canceled), ..between };
    assert_eq!(walk(b, both, 5).await, vec![dropped.id]);
    let labelled = MessageFilter { label: Some("c-3".to_owned()), delivery: Some(Delivery::Queued), ..journey };
    assert_eq!(walk(b, labelled, 5).await, Vec::<MessageId>::new());
    assert_eq!(walk(b, MessageFilter { label: Some("c-1".to_owned()), since: Some(at(3)), ..MessageFilter::default() }, 1).await, vec![all[6].id, all[3].id]);
}

async fn start(b: &Backend, n: u8, now: i64, change: impl FnOnce(Run) -> Run) -> Run {
    let row = change(Run { started_at: at(now), ..run(n, at(now)) });
    assert_eq!(b.one(at(now), Command::PutRun(Box::new(row.clone()), Trail::default())).await, Did::Done);
    Run { rev: 1, ..row }
}

/// Runs by the time of their start, of one journey, under way or over; and where they are.
pub(crate) async fn runs_are_paged_latest_first(b: &Backend) {
    let mut all = Vec::new();
    for n in 1..=5u8 {
        // Two start at once: their ids decide.
        let now = i64::from(n / 2);
        all.push(start(b, n, now, |r| Run { journey: if n == 5 { "other" } else { "welcome" }.to_owned(), ..r }).await);
    }
    let over = Run { position: Position::Canceled { why: "ended by event".to_owned() }, ..all[0].clone() };
    assert_eq!(b.one(at(9), Command::PutRun(Box::new(over.clone()), Trail::default())).await, Did::Done);
    all[0] = Run { rev: 2, ..over };
    let mut expect = all.clone();
    expect.sort_by_key(|r| std::cmp::Reverse((r.started_at, r.id)));
    for size in [1, 2, 5] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = b.store.runs_matching(&RunFilter { before, ..RunFilter::default() }, size).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some((last.started_at, last.id));
            seen.extend(page);
        }
        assert_eq!(seen, expect, "pages of {size}");
    }
    let of = |journey: Option<&str>, open| RunFilter { journey: journey.map(str::to_owned), open, before: None };
    let count = async |filter: RunFilter| b.store.runs_matching(&filter, 10).await.unwrap().len();
    assert_eq!((count(of(Some("other"), None)).await, count(of(None, Some(true))).await, count(of(None, Some(false))).await), (1, 4, 1));
    let mut steps = b.store.steps_now().await.unwrap();
    steps.sort();
    let step = |journey: &str, runs| StepCount { journey: journey.to_owned(), version: 3, step: "greet".to_owned(), runs };
    assert_eq!(steps, vec![step("other", 1), step("welcome", 3)]);
}

/// One run of an entry is under way at a time; the newest is found; a profile's open runs are found.
pub(crate) async fn an_entry_has_one_open_run(b: &Backend) {
    let entry = Some([7; 16]);
    let first = start(b, 1, 0, |r| Run { entry, ..r }).await;
    let second = Run { entry, started_at: at(5), ..run(2, at(5)) };
    assert_eq!(b.one(at(5), Command::PutRun(Box::new(second.clone()), Trail::default())).await, Did::Already, "one is under way");
    assert_eq!(b.store.entered(&[[7; 16], [8; 16]]).await.unwrap(), vec![first.clone()]);
    assert_eq!(b.store.open_runs(&[ProfileId([1; 16]), ProfileId([2; 16])]).await.unwrap(), vec![first.clone()]);
    let over = Run { position: Position::Ended { why: "done".to_owned() }, ..first };
    assert_eq!(b.one(at(6), Command::PutRun(Box::new(over), Trail::default())).await, Did::Done);
    assert_eq!(b.one(at(7), Command::PutRun(Box::new(second.clone()), Trail::default())).await, Did::Done);
    assert_eq!(b.store.entered(&[[7; 16]]).await.unwrap(), vec![Run { rev: 1, ..second.clone() }], "the newest");
    assert_eq!(b.store.open_runs(&[ProfileId([1; 16])]).await.unwrap(), vec![]);
    // Runs without an entry are never in each other's way.
    start(b, 3, 8, |r| r).await;
    start(b, 4, 8, |r| r).await;
    let mut days = b.store.counters("2026-11-23").await.unwrap();
    days.retain(|c| c.name.starts_with("run.welcome"));
    let counts: Vec<(&str, i64)> = days.iter().map(|c| (c.name.as_str(), c.value)).collect();
    assert_eq!(counts, vec![("run.welcome.ended", 1), ("run.welcome.started", 4)]);
}

/// What a run passed is counted for the picture of its journey.
pub(crate) async fn steps_are_counted(b: &Backend) {
    let row = start(b, 1, 0, |r| r).await;
    let trail = Trail { lines: vec!["greet: send hello".to_owned()], steps: vec!["greet".to_owned(), "pause".to_owned()] };
    assert_eq!(b.one(at(1), Command::PutRun(Box::new(row), trail)).await, Did::Done);
    let counted = b.store.counters("2026-11-23").await.unwrap();
    let steps: Vec<(&str, i64)> = counted.iter().filter(|c| c.name.starts_with("step.")).map(|c| (c.name.as_str(), c.value)).collect();
    assert_eq!(steps, vec![("step.welcome.3.greet", 1), ("step.welcome.3.pause", 1)]);
}

/// Events in the order in which they were taken, hooks in that of their ids.
pub(crate) async fn events_and_hooks_are_paged_newest_first(b: &Backend) {
    let mut taken: Vec<EventId> = Vec::new();
    for n in 0..5 {
        let row = event(&format!("e{n}"), at(n));
        taken.push(row.id);
        assert_eq!(b.one(at(n), Command::AcceptEvent(Box::new(row))).await, Did::Done);
        let lane = if n % 2 == 0 { HookLane::Receipt } else { HookLane::Source };
        assert_eq!(b.one(at(n), Command::PutHook(Box::new(hook(u8::try_from(n).unwrap() + 1, lane, at(n))))).await, Did::Done);
    }
    taken.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = b.store.events_before(before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|e| e.id));
    }
    assert_eq!(seen, taken);

    let (mut seen, mut before): (Vec<i64>, Option<HookId>) = (Vec::new(), None);
    loop {
        let page = b.store.hooks(&HookFilter { before, ..HookFilter::default() }, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|h| h.received_at.since(at(0)).as_secs()));
    }
    assert_eq!(seen, vec![4, 3, 2, 1, 0]);
    let receipts = HookFilter { lane: Some(HookLane::Receipt), name: Some("main".to_owned()), before: None };
    assert_eq!(b.store.hooks(&receipts, 10).await.unwrap().len(), 3);
    assert_eq!(b.store.hooks(&HookFilter { name: Some("nobody".to_owned()), ..HookFilter::default() }, 10).await.unwrap(), vec![]);
}

/// A note changes no state and moves the row on, whatever it says meanwhile.
pub(crate) async fn a_note_is_history_and_no_state(b: &Backend) {
    b.home(1).await;
    let before = b.put(queued(1, at(0))).await;
    let told = message::Event::WrittenBack { connector: "crm".to_owned(), record: "orders/1".to_owned(), word: "queued".to_owned() };
    assert_eq!(b.one(at(1), Command::Note(before.id, told.clone())).await, Did::Done);
    let after = b.message(before.id).await;
    assert_eq!((after.rev, &after.state, after.updated_at), (before.rev + 1, &before.state, at(1)));
    let history = b.store.history(&before.id.bytes()).await.unwrap();
    assert_eq!((history.len(), history[1].seq, history[1].body.clone()), (2, 2, serde_json::to_value(&told).unwrap()));
    let nobody = MessageId::new(9, at(9), [9; 16]);
    assert_eq!(b.one(at(2), Command::Note(nobody, told)).await, Did::Already);
    assert_eq!(b.store.history(&nobody.bytes()).await.unwrap(), vec![]);
}

/// What people did, newest first.
pub(crate) async fn what_people_did_is_kept(b: &Backend) {
    let entry = |n: i64| Audit { number: n, at: at(n), operator: "ada".to_owned(), act: "revealed".to_owned(), about: format!("adr_{n}"), detail: String::new() };
    for n in 1..=3 {
        assert_eq!(b.one(at(n), Command::Audit(entry(n))).await, Did::Done);
    }
    assert_eq!(b.store.audits(None, 2).await.unwrap(), vec![entry(3), entry(2)]);
    assert_eq!(b.store.audits(Some(2), 2).await.unwrap(), vec![entry(1)]);
}
