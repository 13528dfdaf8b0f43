//! News of an address: its ledger, its conversation and the messages they change, all or nothing.
//!
//! Its own file because the ledger is evidence (I3, I5): an opt-out must not be half applied, applied twice or lost
//! to somebody else's change.

use trunkline_core::consent::{ConsentAct, ConsentEntry, ConsentState, Terms};
use trunkline_core::id::{AddressId, HookId, InboundId};
use trunkline_core::keyword::{How, Keyword};
use trunkline_core::message::{self, Delivery};
use trunkline_core::owe::{Owe, Subject};
use trunkline_core::purpose::Purpose;
use trunkline_store::Command;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, AddressNews, Inbound, MessageFilter};

use super::support::{Backend, Did, SENDER, accepted, alert, at, canceled, claim, counters_agree, hold, made, moved, queued, row_of, writeback};

/// Everybody's address here.
const HOME: AddressId = AddressId([1; 16]);

/// An entry that happened and was recorded at these seconds.
fn entry(act: ConsentAct, occurred: i64, recorded: i64) -> ConsentEntry {
    let scoped = matches!(act, ConsentAct::Grant | ConsentAct::Revoke);
    ConsentEntry {
        act,
        program: scoped.then(|| "acme".to_owned()),
        purpose: scoped.then_some(Purpose::Marketing),
        account: Some("main".to_owned()),
        sender: Some(SENDER.to_owned()),
        evidence: format!("record {occurred}/{recorded}"),
        actor: "inbound".to_owned(),
        occurred_at: at(occurred),
        recorded_at: at(recorded),
        terms: Terms::default(),
    }
}

/// A text from address `n`.
fn text_from(n: u8, vendor_id: &str, body: &str, seconds: i64) -> Inbound {
    let address = AddressId([n; 16]);
    Inbound {
        id: InboundId::of("main", vendor_id, address),
        address,
        account: "main".to_owned(),
        sender: SENDER.to_owned(),
        body: body.to_owned(),
        keyword: None,
        answers: None,
        received_at: at(seconds),
        hook: HookId::new(n, at(seconds), [n; 16]),
    }
}

/// The news as a command.
fn news(guard_version: i64, entries: Vec<ConsentEntry>, inbound: Option<Inbound>, messages: Vec<MessageChange>, owes: Vec<Owe>) -> Command {
    Command::News { address: HOME, guard_version, news: Box::new(AddressNews { entries, inbound }), messages, owes }
}

async fn guard(b: &Backend) -> i64 {
    b.address(HOME).await.guard_version
}

async fn ledger(b: &Backend) -> Vec<ConsentEntry> {
    b.store.ledger(HOME).await.unwrap()
}

/// Everything that news could change.
async fn whole(b: &Backend) -> (Address, Vec<ConsentEntry>, Vec<Inbound>, Vec<(String, i64)>) {
    let inbound = b.store.inbound_of(HOME, 100).await.unwrap();
    (b.address(HOME).await, ledger(b).await, inbound, b.alerts().await)
}

/// In the order of appending, even of what happened earlier and was learned later; each change bumps the guard.
pub(crate) async fn the_ledger_folds_to_consent(b: &Backend) {
    b.home(1).await;
    b.home(2).await;
    let steps = [
        vec![entry(ConsentAct::Grant, 1, 1)],
        vec![entry(ConsentAct::Stop, 10, 11), entry(ConsentAct::VendorBlock, 12, 12)],
        vec![entry(ConsentAct::Revoke, 5, 20)],
        vec![entry(ConsentAct::Start, 30, 30), entry(ConsentAct::Grant, 29, 31)],
    ];
    let mut all: Vec<ConsentEntry> = Vec::new();
    for (now, entries) in (40..).zip(steps) {
        let before = guard(b).await;
        assert_eq!(b.one(at(now), news(before, entries.clone(), None, vec![], vec![])).await, Did::Done);
        all.extend(entries);
        assert_eq!(ledger(b).await, all);
        let address = b.address(HOME).await;
        assert_eq!(address.consent, ConsentState::fold(&all));
        assert_eq!(address.guard_version, before + 1);
    }
    assert_eq!(b.store.ledger(AddressId([2; 16])).await.unwrap(), vec![]);
    assert_eq!(b.address(AddressId([2; 16])).await.consent, ConsentState::default());
}

/// A repeat changes nothing, whether it saw the address before or after the first.
pub(crate) async fn an_inbound_text_is_taken_once(b: &Backend) {
    b.home(1).await;
    let waits = b.put(queued(1, at(0))).await;
    let before = guard(b).await;
    let text = Inbound { keyword: Some(Keyword::Stop), answers: Some(waits.id), ..text_from(1, "MO1", "Stop", 10) };
    let told = |guard: i64, now: i64| {
        let cancel = moved(&waits, at(now), vec![canceled("STOP")]);
        news(guard, vec![entry(ConsentAct::Stop, 10, now)], Some(text.clone()), vec![cancel], vec![alert("stopped", "it")])
    };
    assert_eq!(b.one(at(11), told(before, 11)).await, Did::Done);
    let (after, row) = (whole(b).await, b.message(waits.id).await);
    assert_eq!(after.2, vec![text.clone()]);
    assert_eq!(after.3, vec![("stopped".to_owned(), 1)]);
    assert_eq!((after.0.guard_version, row.rev), (before + 1, 2));

    for guard in [before, before + 1] {
        assert_eq!(b.one(at(12), told(guard, 12)).await, Did::Already, "a repeat that saw guard {guard}");
        assert_eq!(whole(b).await, after);
        assert_eq!(b.message(waits.id).await, row);
    }
    counters_agree(b.store.as_ref()).await;
}

/// What waits is cancelled and what it answers is flagged, with the ledger entry and not after it.
pub(crate) async fn a_stop_cancels_in_the_same_command(b: &Backend) {
    b.home(1).await;
    let waits = b.put(queued(1, at(0))).await;
    let patient = b.put(made(1, at(1), hold(at(500)))).await;
    let left = b.put(queued(1, at(2))).await;
    let left = b.lead(&left, at(3), vec![claim(1, 1), accepted(1)]).await;

    let text = Inbound { keyword: Some(Keyword::Stop), answers: Some(left.id), ..text_from(1, "MO1", "STOP", 10) };
    let stop = entry(ConsentAct::Stop, 10, 11);
    let replied = message::Event::Replied { inbound: text.id, stop: true, how: Some(How::Exact) };
    let changes = vec![
        moved(&waits, at(11), vec![canceled("STOP")]),
        MessageChange { owes: vec![writeback("orders/1042", Subject::Message(patient.id))], ..moved(&patient, at(11), vec![canceled("STOP")]) },
        moved(&left, at(11), vec![replied]),
    ];
    let owes = vec![writeback("people/1", Subject::Address(HOME)), alert("stopped", "it")];
    let command = news(guard(b).await, vec![stop.clone()], Some(text.clone()), changes.clone(), owes);
    assert_eq!(b.one(at(11), command).await, Did::Done);

    for change in &changes {
        let row = row_of(change);
        assert_eq!(b.message(row.id).await, row);
        let history = b.store.history(&row.id.bytes()).await.unwrap();
        assert_eq!(i64::try_from(history.len()).unwrap(), row.rev);
    }
    assert_eq!(b.store.waiting_for_address(HOME).await.unwrap(), vec![]);
    assert_eq!(b.store.messages_matching(&MessageFilter::in_state(Delivery::Canceled), 10).await.unwrap().len(), 2);
    assert_eq!(ledger(b).await, vec![stop.clone()]);
    assert_eq!(b.address(HOME).await.consent, ConsentState::fold([&stop]));
    assert_eq!(b.store.inbound(&[text.id]).await.unwrap(), vec![text]);
    assert_eq!(b.alerts().await, vec![("stopped".to_owned(), 1)]);
    for (subject, record) in [(Subject::Address(HOME), "people/1"), (Subject::Message(patient.id), "orders/1042")] {
        let owed = b.store.writebacks_of(subject).await.unwrap();
        let records: Vec<&str> = owed.iter().map(|w| w.record.as_str()).collect();
        assert_eq!(records, vec![record]);
    }
    counters_agree(b.store.as_ref()).await;
}

/// A stale guard, or one stale message among several, refuses all of it.
pub(crate) async fn stale_news_change_nothing(b: &Backend) {
    b.home(1).await;
    let waits = b.put(queued(1, at(0))).await;
    let moved_on = b.put(queued(1, at(1))).await;
    b.lead(&moved_on, at(2), vec![claim(1, 1)]).await;
    let right = guard(b).await;
    assert_eq!(b.one(at(3), news(right, vec![entry(ConsentAct::Grant, 1, 3)], None, vec![], vec![])).await, Did::Done);
    let before = whole(b).await;

    let cancel = || moved(&waits, at(4), vec![canceled("STOP")]);
    let too_late = || moved(&moved_on, at(4), vec![canceled("STOP")]);
    let stop = || vec![entry(ConsentAct::Stop, 4, 4)];
    let text = || Some(text_from(1, "MO1", "STOP", 4));
    for (name, command) in [
        ("an old guard", news(right, stop(), text(), vec![cancel()], vec![alert("stopped", "it")])),
        ("a guard to come", news(right + 2, stop(), None, vec![], vec![alert("stopped", "it")])),
        ("an old message", news(right + 1, stop(), text(), vec![cancel(), too_late()], vec![alert("stopped", "it")])),
    ] {
        assert_eq!(b.one(at(4), command).await, Did::Conflict, "{name}");
        assert_eq!(whole(b).await, before, "{name}");
        assert_eq!(b.message(waits.id).await, waits, "{name}");
        assert_eq!(b.store.history(&waits.id.bytes()).await.unwrap().len(), 1, "{name}");
    }
    assert_eq!(b.one(at(5), news(right + 1, stop(), text(), vec![cancel()], vec![])).await, Did::Done);
    counters_agree(b.store.as_ref()).await;
}

/// The newest first of one address; by id, whatever the address.
pub(crate) async fn inbound_texts_are_found(b: &Backend) {
    b.home(1).await;
    b.home(2).await;
    let texts = [text_from(1, "MO1", "who is this?", 10), text_from(1, "MO2", "ok 👍", 20), text_from(1, "MO3", "thanks", 30)];
    for (now, text) in (40..).zip(&texts) {
        let command = news(guard(b).await, vec![], Some(text.clone()), vec![], vec![]);
        assert_eq!(b.one(at(now), command).await, Did::Done);
    }
    let other = text_from(2, "MO4", "HELP", 15);
    let told = AddressNews { entries: vec![], inbound: Some(other.clone()) };
    let guard_version = b.address(other.address).await.guard_version;
    let command = Command::News { address: other.address, guard_version, news: Box::new(told), messages: vec![], owes: vec![] };
    assert_eq!(b.one(at(50), command).await, Did::Done);

    let [first, second, third] = texts;
    assert_eq!(b.store.inbound_of(HOME, 10).await.unwrap(), vec![third.clone(), second.clone(), first.clone()]);
    assert_eq!(b.store.inbound_of(HOME, 2).await.unwrap(), vec![third, second]);
    assert_eq!(b.store.inbound_of(other.address, 10).await.unwrap(), vec![other.clone()]);
    assert_eq!(b.store.inbound_of(AddressId([9; 16]), 10).await.unwrap(), vec![]);
    let never = text_from(1, "never", "", 0).id;
    let mut found = b.store.inbound(&[other.id, never, first.id]).await.unwrap();
    found.sort_by_key(|i| i.received_at);
    assert_eq!(found, vec![first, other]);
}
