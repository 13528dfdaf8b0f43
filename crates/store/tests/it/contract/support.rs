//! What the cases share: the backends, and rows made in one line.
//!
//! Its own file because every case starts from the same few rows. A row's number is its part and names it; instants
//! are seconds after one noon.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use trunkline_core::consent::ConsentState;
use trunkline_core::event::SourceEvent;
use trunkline_core::gate::{Decision, Verdict};
use trunkline_core::id::{AddressId, HookId, InstallationKey, MessageId, ProfileId, RunId};
use trunkline_core::journey::Position;
use trunkline_core::message::{self, Evidence};
use trunkline_core::number::Number;
use trunkline_core::outcome::Outcome;
use trunkline_core::owe::{AlertKind, Owe, Subject};
use trunkline_core::purpose::Purpose;
use trunkline_core::reason::Reason;
use trunkline_core::retry::Next;
use trunkline_core::segment;
use trunkline_core::source::Mapped;
use trunkline_core::time::{Span, Time};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Address, Counter, Event, Hook, HookLane, HookState, Intent, Message, Origin, Place, Run};
use trunkline_store::sqlite::{Owes, SqliteStore};
use trunkline_store::wrap::in_order;
use trunkline_store::{Applied, Command, Committed, Store, StoreError, Unit};

/// Noon of the day of the tests: 2026-11-23T12:00:00Z.
const NOON: Time = Time(1_795_435_200_000_000);
/// One of our numbers.
pub(crate) const SENDER: &str = "+15005550006";
/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// So many seconds after noon.
pub(crate) fn at(seconds: i64) -> Time {
    NOON + Span::secs(seconds)
}

/// A store to hold to the contract. The store is dropped before its directory.
pub(crate) struct Backend {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    /// Whether a unit's commands commit one by one.
    pub(crate) in_order: bool,
    /// Whether what is owed goes through the outbox.
    pub(crate) outbox: bool,
    _dir: Option<TempDir>,
}

/// What one command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    /// It changed the store.
    Done,
    /// It was there already.
    Already,
    /// Somebody was first.
    Conflict,
}

/// The file of a store that lives in a directory.
pub(crate) fn open(dir: &Path, owes: Owes) -> SqliteStore {
    SqliteStore::open(&dir.join("trunkline.db"), owes).unwrap()
}

impl Backend {
    /// In memory, the writer inline, one transaction for each unit.
    pub(crate) fn memory() -> Backend {
        let store = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
        Backend { store, in_order: false, outbox: false, _dir: None }
    }

    /// A file and its writer thread, one transaction for each unit.
    pub(crate) fn file() -> Backend {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(open(dir.path(), Owes::Direct));
        Backend { store, in_order: false, outbox: false, _dir: Some(dir) }
    }

    /// In memory, command by command, with the outbox.
    pub(crate) fn memory_in_order() -> Backend {
        let inner: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Outbox).unwrap());
        Backend { store: Arc::new(in_order(inner)), in_order: true, outbox: true, _dir: None }
    }

    /// A file, command by command, with the outbox.
    pub(crate) fn file_in_order() -> Backend {
        let dir = tempfile::tempdir().unwrap();
        let inner: Arc<dyn Store> = Arc::new(open(dir.path(), Owes::Outbox));
        Backend { store: Arc::new(in_order(inner)), in_order: true, outbox: true, _dir: Some(dir) }
    }

    /// Commits one unit and brings what it owes to where it is worked on.
    pub(crate) async fn unit(&self, now: Time, commands: Vec<Command>) -> Committed {
        let mut all = self.store.commit(now, vec![Unit(commands)]).await;
        assert_eq!(all.len(), 1, "one answer for each unit");
        settle(self.store.as_ref(), now).await;
        all.remove(0)
    }

    /// Commits one command.
    pub(crate) async fn one(&self, now: Time, command: Command) -> Did {
        match self.unit(now, vec![command]).await {
            Ok(done) if done == [Applied::Done] => Did::Done,
            Ok(done) if done == [Applied::Already] => Did::Already,
            Err(StoreError::Conflict { .. }) => Did::Conflict,
            other => panic!("one command came to {other:?}"),
        }
    }

    /// Commits a change of a message, which must be taken, and gives the row it leaves.
    pub(crate) async fn put(&self, change: MessageChange) -> Message {
        let (now, row) = (change.message.updated_at, row_of(&change));
        assert_eq!(self.one(now, Command::PutMessage(Box::new(change))).await, Did::Done);
        row
    }

    /// Lets these events happen to a message.
    pub(crate) async fn lead(&self, message: &Message, now: Time, events: Vec<message::Event>) -> Message {
        self.put(moved(message, now, events)).await
    }

    /// Makes address `n`.
    pub(crate) async fn home(&self, n: u8) -> AddressId {
        let row = address(n);
        let id = row.id;
        assert_eq!(self.one(at(-60), Command::PutAddress(Box::new(row))).await, Did::Done);
        id
    }

    /// The message as the store has it.
    pub(crate) async fn message(&self, id: MessageId) -> Message {
        self.store.messages(&[id]).await.unwrap().pop().unwrap()
    }

    /// The address as the store has it.
    pub(crate) async fn address(&self, id: AddressId) -> Address {
        self.store.addresses(&[id]).await.unwrap().pop().unwrap()
    }

    /// Open alerts: (code, how often), by code.
    pub(crate) async fn alerts(&self) -> Vec<(String, i64)> {
        let mut all: Vec<(String, i64)> = self.store.alerts().await.unwrap().into_iter().map(|a| (a.code, a.times)).collect();
        all.sort();
        all
    }
}

/// Relays until nothing is left to relay.
pub(crate) async fn settle(store: &dyn Store, now: Time) {
    for _ in 0..1_000 {
        if store.relay(now, 100).await.unwrap() == 0 {
            return;
        }
    }
    panic!("the outbox never runs dry");
}

/// I11: the message counters (`message.…`) are what a recount of the rows gives; one at zero is as good as none.
pub(crate) async fn counters_agree(store: &dyn Store) {
    let tidy = |mut all: Vec<Counter>| {
        all.retain(|c| c.value != 0 && c.name.starts_with("message."));
        all.sort();
        all
    };
    let kept = tidy(store.counters("2000-01-01").await.unwrap());
    let counted = tidy(store.recount().await.unwrap());
    assert!(!counted.is_empty(), "a recount of messages gives something");
    assert_eq!(kept, counted);
}

/// The ids of messages, as they came.
pub(crate) fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|m| m.id).collect()
}

/// A source event that nobody has looked at.
pub(crate) fn event(id: &str, received_at: Time) -> Event {
    let source = SourceEvent {
        id: id.to_owned(),
        source: "/shop".to_owned(),
        kind: "order.created".to_owned(),
        subject: Some("order/1042".to_owned()),
        time: received_at,
        data: json!({"total": 12.5, "lines": [{"sku": "tea", "n": 2}], "note": null}),
        extensions: BTreeMap::from([("traceparent".to_owned(), json!("00-4bf9"))]),
    };
    let mapped = Mapped {
        event: source,
        system: "shop".to_owned(),
        external_id: "c-7".to_owned(),
        phone: Some("+14155550123".to_owned()),
        region: Some("US".to_owned()),
        locale: Some("en-US".to_owned()),
        attributes: [("name".to_owned(), json!("Zoë"))].into_iter().collect(),
        labels: BTreeMap::from([("order".to_owned(), "1042".to_owned())]),
    };
    let hook = Some(HookId::new(4, received_at, [4; 16]));
    Event { id: InstallationKey::new(&[7; 32]).event("/shop", id), mapped, received_at, hook, fate: None }
}

/// Address `n`, with nothing on its ledger.
pub(crate) fn address(n: u8) -> Address {
    Address {
        id: AddressId([n; 16]),
        place: Place::Sms(Number::from_stored(format!("+1415555{n:04}"))),
        zones: vec!["America/Los_Angeles".to_owned(), "America/New_York".to_owned()],
        residences: BTreeMap::new(),
        sends: Vec::new(),
        consent: ConsentState::default(),
        guard_version: 0,
    }
}

/// Run `n`, not made yet, at its first step.
pub(crate) fn run(n: u8, due: Time) -> Run {
    Run {
        id: RunId([n; 16]),
        journey: "welcome".to_owned(),
        version: 3,
        profile: ProfileId([n; 16]),
        correlation: format!("order-{n}"),
        event: event("e1", at(0)).id,
        position: Position::At { step: "greet".to_owned(), visit: 1, due },
        started_at: due,
        entry: None,
        rev: 0,
    }
}

/// Hook `n`, due as soon as it is received.
pub(crate) fn hook(n: u8, lane: HookLane, received_at: Time) -> Hook {
    Hook {
        id: HookId::new(n, received_at, [n; 16]),
        name: "main".to_owned(),
        lane,
        method: "POST".to_owned(),
        url: format!("https://hooks.example.com/main?n={n}"),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: b"MessageStatus=delivered".to_vec(),
        received_at,
        state: HookState::Waiting { due: received_at },
        tries: 0,
        note: String::new(),
    }
}

/// The gate lets it leave.
pub(crate) fn send() -> Verdict {
    Verdict { decision: Decision::Send, findings: vec![] }
}

/// The gate asks for patience because the sender's rate is used up.
pub(crate) fn hold(until: Time) -> Verdict {
    Verdict { decision: Decision::Hold { until }, findings: vec![Reason::RateFull { until }] }
}

/// A new text to address `n`, on which the gate said this. Its instant names it: one text an instant and address.
pub(crate) fn made(n: u8, now: Time, verdict: Verdict) -> MessageChange {
    let body = "Your order 1042 is on its way, Zoë 👋";
    let intent = Intent {
        address: AddressId([n; 16]),
        profile: Some(ProfileId([n; 16])),
        event: None,
        origin: Origin::Api { client: "ops".to_owned() },
        purpose: Purpose::Transactional,
        program: "acme".to_owned(),
        account: "main".to_owned(),
        sender: SENDER.to_owned(),
        body: body.to_owned(),
        written: Some("as it was written".to_owned()),
        template: Some(("shipped".to_owned(), "en".to_owned())),
        size: segment::measure(body),
        deadline: now + Span::hours(4),
        created_at: now,
        labels: BTreeMap::from([("customer".to_owned(), format!("c-{n}"))]),
    };
    let event = message::Event::Made { verdict };
    let state = message::apply(None, &event, now).unwrap();
    let message = Message { id: MessageId::new(n, now, [n; 16]), intent, state, rev: 0, updated_at: now };
    MessageChange { message, events: vec![(event, None)], owes: Vec::new(), guard: None, sends: None }
}

/// A new text to address `n` that may leave now.
pub(crate) fn queued(n: u8, now: Time) -> MessageChange {
    made(n, now, send())
}

/// What these events make of a message that is in the store as given.
pub(crate) fn moved(message: &Message, now: Time, events: Vec<message::Event>) -> MessageChange {
    let mut next = Message { updated_at: now, ..message.clone() };
    for event in &events {
        next.state = message::apply(Some(&next.state), event, now).unwrap();
    }
    MessageChange { message: next, events: events.into_iter().map(|e| (e, None)).collect(), owes: Vec::new(), guard: None, sends: None }
}

/// The row that a change leaves.
pub(crate) fn row_of(change: &MessageChange) -> Message {
    let added = i64::try_from(change.events.len()).unwrap();
    Message { rev: change.message.rev + added, ..change.message.clone() }
}

/// Attempt `n` is claimed.
pub(crate) fn claim(n: u32, epoch: i64) -> message::Event {
    message::Event::Claimed { n, account: "main".to_owned(), sender: SENDER.to_owned(), epoch, verdict: send() }
}

/// The vendor took attempt `n`.
pub(crate) fn accepted(n: u32) -> message::Event {
    message::Event::Settled { n, outcome: Outcome::Accepted { vendor_id: format!("SM{n}") }, next: Next::Taken }
}

/// Nobody knows what became of attempt `n`.
pub(crate) fn unclear(n: u32) -> message::Event {
    message::Event::Settled { n, outcome: Outcome::Ambiguous { cause: "timeout".to_owned() }, next: Next::Unknown { ask_at: None } }
}

/// A receipt for attempt `n`.
pub(crate) fn receipt(n: u32, evidence: Evidence) -> message::Event {
    let status = format!("{evidence:?}");
    message::Event::Receipt { n, status, evidence: Some(evidence), vendor_code: String::new(), hook: HookId::new(5, at(0), [5; 16]) }
}

/// Somebody cancelled it.
pub(crate) fn canceled(by: &str) -> message::Event {
    message::Event::Canceled { reason: Reason::CanceledBy { by: by.to_owned() } }
}

/// An alert is owed.
pub(crate) fn alert(code: &str, about: &str) -> Owe {
    let detail = "look at it".to_owned();
    Owe::Alert { kind: AlertKind::System, code: code.to_owned(), about: about.to_owned(), detail }
}

/// A record in the customer system is out of date.
pub(crate) fn writeback(record: &str, subject: Subject) -> Owe {
    Owe::Writeback { connector: "crm".to_owned(), record: record.to_owned(), subject, patience: Span::ZERO }
}
