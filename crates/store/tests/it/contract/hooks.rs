//! Hooks: kept untouched, found by lane when due, parked until a vendor's id is bound, refused ones on file.
//!
//! Its own file because receipts and attempts meet here: whichever side comes second must find the first.

use trunkline_core::id::{AttemptId, HookId, MessageId};
use trunkline_core::time::Time;
use trunkline_store::row::{Hook, HookLane, HookState, ProviderRef, Refusal};
use trunkline_store::{Applied, Command, Unit};

use super::support::{Backend, Did, at, hook};

async fn file(b: &Backend, hook: &Hook) -> Did {
    b.one(hook.received_at, Command::PutHook(Box::new(hook.clone()))).await
}

async fn step(b: &Backend, now: i64, id: HookId, state: HookState, note: &str) -> Did {
    b.one(at(now), Command::MoveHook(id, state, note.to_owned())).await
}

async fn due_ids(b: &Backend, lane: HookLane, now: i64) -> Vec<HookId> {
    b.store.due_hooks(lane, at(now), 10).await.unwrap().into_iter().map(|h| h.id).collect()
}

fn attempt(n: u8) -> AttemptId {
    AttemptId { message: MessageId::new(n, at(0), [n; 16]), n: 1 }
}

async fn bind(b: &Backend, now: i64, account: &str, vendor_id: &str, attempt: AttemptId) -> Did {
    b.one(at(now), Command::BindRef(ProviderRef { account: account.to_owned(), vendor_id: vendor_id.to_owned(), attempt })).await
}

/// Parks a hook until second 600 at the latest.
async fn park(b: &Backend, now: i64, account: &str, vendor_id: &str, hook: HookId) {
    let command = Command::Park { account: account.to_owned(), vendor_id: vendor_id.to_owned(), hook, due: at(600) };
    assert_ne!(b.one(at(now), command).await, Did::Conflict);
}

/// A body that is no text, one that is large and even, headers that repeat: a signature must still fit them.
pub(crate) async fn a_hook_survives_untouched(b: &Backend) {
    let binary: Vec<u8> = (0..=255).chain([0, 0, 255]).collect();
    let headers = [("X-Twilio-Signature", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="), ("via", "one"), ("via", "two"), ("x-empty", "")];
    let headers: Vec<(String, String)> = headers.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let all = [
        Hook { body: binary, headers, ..hook(1, HookLane::Source, at(1)) },
        Hook { body: b"MessageStatus=delivered&MessageSid=SM1&".repeat(5_000), ..hook(2, HookLane::Source, at(2)) },
        Hook { body: vec![], headers: vec![], note: "polled".to_owned(), ..hook(3, HookLane::Source, at(3)) },
    ];
    for each in &all {
        assert_eq!(file(b, each).await, Did::Done);
        assert_eq!(b.store.hook(each.id).await.unwrap().as_ref(), Some(each));
        assert_eq!(file(b, each).await, Did::Already);
    }
    assert_eq!(b.store.due_hooks(HookLane::Source, at(3), 10).await.unwrap(), all);
    assert_eq!(b.store.hook(hook(9, HookLane::Source, at(9)).id).await.unwrap(), None);
}

/// Each lane is a queue of its own; a hook is due at its instant and not before.
pub(crate) async fn due_hooks_come_by_lane_oldest_first(b: &Backend) {
    for (n, lane) in (1..).zip(HookLane::ALL) {
        for second in [20, 10, 30] {
            let filed = hook(n, lane, at(i64::from(n) + second));
            assert_eq!(file(b, &filed).await, Did::Done);
        }
    }
    for (n, lane) in (1..).zip(HookLane::ALL) {
        let id = |second: i64| hook(n, lane, at(i64::from(n) + second)).id;
        let start = i64::from(n);
        assert_eq!(due_ids(b, lane, start + 30).await, vec![id(10), id(20), id(30)], "{lane:?}");
        assert_eq!(due_ids(b, lane, start + 29).await, vec![id(10), id(20)], "{lane:?}");
        assert_eq!(due_ids(b, lane, start + 9).await, vec![], "{lane:?}");
        let first: Vec<HookId> = b.store.due_hooks(lane, at(100), 1).await.unwrap().into_iter().map(|h| h.id).collect();
        assert_eq!(first, vec![id(10)], "{lane:?}");
    }
}

/// Waiting, dead, waiting again, done: each word is kept, the body stays.
pub(crate) async fn each_move_counts_a_try(b: &Backend) {
    let filed = hook(1, HookLane::Receipt, at(0));
    assert_eq!(file(b, &filed).await, Did::Done);
    let states = [
        (1, HookState::Waiting { due: at(30) }, "no attempt yet"),
        (31, HookState::Dead, "not a form"),
        (32, HookState::Waiting { due: at(40) }, "replayed"),
        (41, HookState::Done, "1 receipt"),
    ];
    for (tries, (now, state, note)) in (1..).zip(states) {
        assert_eq!(step(b, now, filed.id, state.clone(), note).await, Did::Done);
        let expect = Hook { state: state.clone(), tries, note: note.to_owned(), ..filed.clone() };
        assert_eq!(b.store.hook(filed.id).await.unwrap(), Some(expect));
        let due = match state {
            HookState::Waiting { due } => vec![(due, filed.id)],
            HookState::Done | HookState::Dead => vec![],
        };
        let found = b.store.due_hooks(HookLane::Receipt, at(100), 10).await.unwrap();
        let found: Vec<(Time, HookId)> = found.into_iter().filter_map(|h| if let HookState::Waiting { due } = h.state { Some((due, h.id)) } else { None }).collect();
        assert_eq!(found, due, "after try {tries}");
        let dead: Vec<(String, String)> = b.store.dead(10).await.unwrap().into_iter().map(|d| (d.id, d.cause)).collect();
        let gave_up = if state == HookState::Dead { vec![(filed.id.to_string(), note.to_owned())] } else { vec![] };
        assert_eq!(dead, gave_up, "after try {tries}");
    }
}

/// Bind, then park: the attempt's side came first, so the hook need not wait.
pub(crate) async fn a_hook_parked_after_its_ref_is_due_at_once(b: &Backend) {
    let filed = hook(1, HookLane::Receipt, at(2));
    assert_eq!(bind(b, 1, "main", "SM1", attempt(1)).await, Did::Done);
    assert_eq!(file(b, &filed).await, Did::Done);
    park(b, 3, "main", "SM1", filed.id).await;
    assert_eq!(due_ids(b, HookLane::Receipt, 3).await, vec![filed.id]);
}

/// Park, then bind: the hook is woken, and only that one.
pub(crate) async fn a_parked_hook_wakes_when_its_ref_is_bound(b: &Backend) {
    let hooks = [1, 2, 3, 4].map(|n| hook(n, HookLane::Receipt, at(i64::from(n))));
    for (each, (account, vendor_id)) in hooks.iter().zip([("main", "SM1"), ("main", "SM2"), ("other", "SM1"), ("main", "SM1")]) {
        assert_eq!(file(b, each).await, Did::Done);
        park(b, 5, account, vendor_id, each.id).await;
    }
    let [one, two, three, four] = hooks.map(|h| h.id);
    assert_eq!(due_ids(b, HookLane::Receipt, 10).await, vec![]);
    assert_eq!(due_ids(b, HookLane::Receipt, 600).await.len(), 4, "looked at again by itself");

    assert_eq!(bind(b, 10, "main", "SM1", attempt(1)).await, Did::Done);
    assert_eq!(due_ids(b, HookLane::Receipt, 10).await, vec![one, four]);
    assert_eq!(bind(b, 11, "other", "SM1", attempt(2)).await, Did::Done);
    assert_eq!(due_ids(b, HookLane::Receipt, 11).await.len(), 3);
    assert_eq!(bind(b, 12, "main", "SM2", attempt(3)).await, Did::Done);
    let mut all = due_ids(b, HookLane::Receipt, 12).await;
    all.sort();
    let mut expect = vec![one, two, three, four];
    expect.sort();
    assert_eq!(all, expect);
}

/// A hook that was settled by other means waits for nothing.
pub(crate) async fn a_settled_hook_is_not_woken(b: &Backend) {
    let filed = hook(1, HookLane::Receipt, at(0));
    assert_eq!(file(b, &filed).await, Did::Done);
    park(b, 1, "main", "SM1", filed.id).await;
    assert_eq!(step(b, 600, filed.id, HookState::Done, "matched by reference").await, Did::Done);
    assert_eq!(bind(b, 601, "main", "SM1", attempt(1)).await, Did::Done);
    assert_eq!(due_ids(b, HookLane::Receipt, 700).await, vec![]);
    assert_eq!(b.store.hook(filed.id).await.unwrap().unwrap().state, HookState::Done);
}

/// The first binding stands; answers come in the order asked, with a gap for each unknown id.
pub(crate) async fn refs_are_bound_once(b: &Backend) {
    assert_eq!(bind(b, 1, "main", "SM1", attempt(1)).await, Did::Done);
    assert_eq!(bind(b, 1, "main", "SM2", attempt(2)).await, Did::Done);
    assert_eq!(bind(b, 1, "other", "SM1", attempt(3)).await, Did::Done);
    assert_eq!(bind(b, 2, "main", "SM1", attempt(1)).await, Did::Already);
    assert_eq!(bind(b, 2, "main", "SM1", attempt(9)).await, Did::Already);

    let asked: Vec<String> = ["SM2", "never", "SM1", "SM2"].map(str::to_owned).to_vec();
    let found = b.store.provider_refs("main", &asked).await.unwrap();
    assert_eq!(found, vec![Some(attempt(2)), None, Some(attempt(1)), Some(attempt(2))]);
    assert_eq!(b.store.provider_refs("other", &asked).await.unwrap(), vec![None, None, Some(attempt(3)), None]);
    assert_eq!(b.store.provider_refs("main", &[]).await.unwrap(), vec![]);
}

fn refusal(n: i64) -> Refusal {
    Refusal {
        number: n,
        name: "main".to_owned(),
        at: at(n),
        reason: "the signature does not fit".to_owned(),
        request: format!("POST https://hooks.example.com/main?n={n}"),
        body: "Body=free%20money".to_owned(),
    }
}

/// I7: refusals are on file.
pub(crate) async fn refusals_come_newest_first(b: &Backend) {
    for n in 1..=3 {
        assert_eq!(b.one(at(n), Command::Refuse(refusal(n))).await, Did::Done);
    }
    assert_eq!(b.store.refusals(None, 10).await.unwrap(), vec![refusal(3), refusal(2), refusal(1)]);
    assert_eq!(b.store.refusals(None, 2).await.unwrap(), vec![refusal(3), refusal(2)]);
    assert_eq!(b.store.refusals(Some(2), 2).await.unwrap(), vec![refusal(1)]);
}

/// Forgers can't fill the disk. In order this would be ten thousand commits, so one transaction stands for all.
pub(crate) async fn ten_thousand_refusals_are_kept(b: &Backend) {
    if b.in_order {
        return;
    }
    let unit = Unit((1..=10_003).map(|n| Command::Refuse(refusal(n))).collect());
    let done = b.store.commit(at(10_003), vec![unit]).await.pop().unwrap().unwrap();
    assert!(done.len() == 10_003 && done.iter().all(|d| *d == Applied::Done));
    let kept = b.store.refusals(None, 20_000).await.unwrap();
    assert_eq!(kept.len(), 10_000);
    assert_eq!((kept.first(), kept.last()), (Some(&refusal(10_003)), Some(&refusal(4))));
}

/// Two attempts must not be given one text of the vendor's; finding it again is no news.
pub(crate) async fn what_a_look_up_found_belongs_to_one_attempt(b: &Backend) {
    let found = |attempt| Command::BindFound(ProviderRef { account: "main".to_owned(), vendor_id: "SM1".to_owned(), attempt });
    let waits = hook(1, HookLane::Receipt, at(0));
    assert_eq!(file(b, &waits).await, Did::Done);
    park(b, 1, "main", "SM1", waits.id).await;
    assert_eq!(b.one(at(2), found(attempt(1))).await, Did::Done);
    assert_eq!(due_ids(b, HookLane::Receipt, 2).await, vec![waits.id], "a hook that waits for it is woken");
    assert_eq!(b.one(at(3), found(attempt(1))).await, Did::Already);
    assert_eq!(b.one(at(3), found(attempt(2))).await, Did::Conflict);
    assert_eq!(b.store.provider_refs("main", &["SM1".to_owned()]).await.unwrap(), vec![Some(attempt(1))]);
}
