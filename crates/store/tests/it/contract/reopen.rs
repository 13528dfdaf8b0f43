//! A file that is closed and opened again: what was committed is there, what was owed still arrives.
//!
//! Its own file because it is about one backend's files; it compares every read before and after, so that no column
//! is kept in memory only (I2).

use std::fmt::Debug;

use trunkline_core::consent::{ConsentAct, ConsentEntry, Terms};
use trunkline_core::gap::Cause;
use trunkline_core::id::{AddressId, AttemptId, InboundId, ProfileId};
use trunkline_core::message::Evidence;
use trunkline_core::owe::{Owe, Subject};
use trunkline_store::command::MessageChange;
use trunkline_store::row::{
    AddressNews, ApiKey, Definition, Gap, Gauge, GaugeKind, HookLane, Inbound, MessageFilter, Operator, Pause, Profile, ProviderRef, Refusal, Reservation, Session, SignIns,
};
use trunkline_store::sqlite::Owes;
use trunkline_store::{Applied, Command, Store, Unit};

use super::support::{DAY, SENDER, accepted, address, alert, at, claim, event, hold, hook, made, moved, open, queued, receipt, row_of, run, settle, writeback};

const HOME: AddressId = AddressId([1; 16]);

/// Commits units that must all be taken.
async fn commit(store: &dyn Store, units: Vec<Unit>) {
    for committed in store.commit(at(1), units).await {
        committed.unwrap();
    }
}

/// People, what happened to them and their texts.
fn lives() -> Vec<Unit> {
    let new = queued(1, at(0));
    let taken = moved(&row_of(&new), at(1), vec![claim(1, 1), accepted(1), receipt(1, Evidence::Sent)]);
    let mut other = made(1, at(1), hold(at(500)));
    other.message.intent.labels.insert("order".to_owned(), "1042".to_owned());
    let entry = ConsentEntry {
        act: ConsentAct::VendorBlock,
        program: None,
        purpose: None,
        account: Some("main".to_owned()),
        sender: Some("+15005550009".to_owned()),
        evidence: "msg_1-1".to_owned(),
        actor: "vendor".to_owned(),
        occurred_at: at(0),
        recorded_at: at(1),
        terms: Terms::default(),
    };
    let inbound = Inbound {
        id: InboundId::of("main", "MO1", HOME),
        address: HOME,
        account: "main".to_owned(),
        sender: SENDER.to_owned(),
        body: "who is this?".to_owned(),
        keyword: None,
        answers: Some(new.message.id),
        received_at: at(1),
        hook: hook(1, HookLane::Inbound, at(0)).id,
    };
    let news = Box::new(AddressNews { entries: vec![entry], inbound: Some(inbound) });
    let profile = Profile {
        id: ProfileId([1; 16]),
        system: "shop".to_owned(),
        external_id: "c-1".to_owned(),
        attributes: event("e1", at(0)).mapped.attributes,
        locale: None,
        address: HOME,
        updated_at: at(0),
    };
    let put = |change: MessageChange| Command::PutMessage(Box::new(change));
    vec![
        Unit::one(Command::AcceptEvent(Box::new(event("e1", at(0))))),
        Unit(vec![Command::PutAddress(Box::new(address(1))), Command::PutProfile { profile: Box::new(profile), moved: true }]),
        Unit::one(Command::PutRun(Box::new(run(1, at(0))), vec!["started".to_owned()].into())),
        Unit(vec![put(new), put(taken), put(other)]),
        Unit::one(Command::News { address: HOME, guard_version: address(1).guard_version, news, messages: vec![], owes: vec![] }),
    ]
}

/// What the stages and the console keep.
fn things() -> Vec<Unit> {
    let message = queued(1, at(0)).message.id;
    let subject = Subject::Message(message);
    let case = Owe::Case { code: "unclear".to_owned(), address: HOME, message: Some(message), detail: "ask".to_owned(), due: at(900) };
    let (account, name) = ("main".to_owned(), "ida".to_owned());
    let vendor_id = "SM1".to_owned();
    let key = ApiKey { id: "k1".to_owned(), hash: [1; 16], name: "shop".to_owned(), scopes: vec!["messages:write".to_owned()], created_at: at(0), revoked_at: None };
    let definition = Definition { kind: "journey".to_owned(), name: "welcome".to_owned(), version: 1, body: "{}".to_owned(), published_at: at(0) };
    let refusal = Refusal { number: 0, name: "main".to_owned(), at: at(0), reason: "too old".to_owned(), request: "POST /hooks/main".to_owned(), body: String::new() };
    let all = vec![
        Command::PutHook(Box::new(hook(1, HookLane::Inbound, at(0)))),
        Command::Refuse(refusal),
        Command::BindRef(ProviderRef { account: account.clone(), vendor_id, attempt: AttemptId { message, n: 1 } }),
        Command::Reserve([1; 16], Reservation { body: [2; 16], message, at: at(0) }),
        Command::Pause(Pause { account, until: at(900), cause: "out of funds".to_owned() }),
        Command::OpenGap(Box::new(Gap::opened("main", at(-60), Cause::Down, at(0)))),
        Command::Beat { account: "main".to_owned(), at: at(0) },
        Command::PutGauge(Gauge { kind: GaugeKind::Account, name: "main".to_owned(), body: "{}".to_owned(), rev: 0 }),
        Command::Owe(alert("account_paused", "main")),
        Command::Owe(case),
        Command::Owe(writeback("orders/1042", subject)),
        Command::Publish(definition),
        Command::Count(vec![("test.received".to_owned(), 2)]),
        Command::TakeEpoch,
        Command::PutApiKey(key),
        Command::PutOperator(Operator { name: name.clone(), password: "$argon2id$v=19$one".to_owned() }),
        Command::PutSession(Session { hash: [3; 16], operator: name.clone(), expires_at: at(DAY) }),
        Command::PutSignIns(name, SignIns { failures: 2, not_before: at(60) }),
    ];
    all.into_iter().map(Unit::one).collect()
}

fn show(value: &impl Debug) -> String {
    format!("{value:?}")
}

/// Every read, as text; a read that finds nothing says so.
async fn everything(store: &dyn Store) -> Vec<(&'static str, String)> {
    let message = queued(1, at(0)).message.id;
    let from = store.bucket("main", SENDER).await.unwrap();
    vec![
        ("installation", show(&store.installation().await.unwrap())),
        ("events", show(&store.new_events(10).await.unwrap())),
        ("profiles", show(&store.profiles(&[ProfileId([1; 16])]).await.unwrap())),
        ("addresses", show(&store.addresses_after(None, 10).await.unwrap())),
        ("runs", show(&store.due_runs(at(9), 10).await.unwrap())),
        ("history of a run", show(&store.history(&run(1, at(0)).id.bytes()).await.unwrap())),
        ("messages", show(&store.messages_after(None, 10).await.unwrap())),
        ("due messages", show(&store.due_messages(at(500), 10).await.unwrap())),
        ("labelled", show(&store.messages_matching(&MessageFilter::labelled("1042"), 10).await.unwrap())),
        ("history", show(&store.history(&message.bytes()).await.unwrap())),
        ("ledger", show(&store.ledger(HOME).await.unwrap())),
        ("inbound", show(&store.inbound_of(HOME, 10).await.unwrap())),
        ("hooks", show(&store.due_hooks(HookLane::Inbound, at(9), 10).await.unwrap())),
        ("refusals", show(&store.refusals(None, 10).await.unwrap())),
        ("refs", show(&store.provider_refs("main", &["SM1".to_owned()]).await.unwrap())),
        ("reservation", show(&store.reservation([1; 16]).await.unwrap())),
        ("bucket", show(&from)),
        ("pauses", show(&store.standing().await.unwrap().pauses)),
        ("gauges", show(&store.standing().await.unwrap().gauges)),
        ("gaps", show(&store.gaps().await.unwrap())),
        ("beats", show(&store.beats().await.unwrap())),
        ("definitions", show(&(store.definitions().await.unwrap(), store.newest_definition().await.unwrap()))),
        ("writebacks", show(&store.due_writebacks(at(9), 0, 10).await.unwrap())),
        ("alerts", show(&store.alerts().await.unwrap())),
        ("cases", show(&store.cases(10).await.unwrap())),
        ("held", show(&store.held().await.unwrap())),
        ("counters", show(&store.counters("2026-11-23").await.unwrap())),
        ("recount", show(&store.recount().await.unwrap())),
        ("backlog", show(&store.backlog().await.unwrap())),
        ("api keys", show(&store.api_keys().await.unwrap())),
        ("operator", show(&store.operator("ida").await.unwrap())),
        ("session", show(&store.session([3; 16]).await.unwrap())),
        ("sign-ins", show(&store.sign_ins("ida").await.unwrap())),
    ]
}

#[tokio::test]
async fn what_is_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Owes::Direct);
    commit(&store, lives()).await;
    commit(&store, things()).await;
    let from = store.bucket("main", SENDER).await.unwrap();
    commit(&store, vec![Unit::one(Command::Advance { account: "main".to_owned(), sender: SENDER.to_owned(), from, to: at(7) })]).await;
    let before = everything(&store).await;
    for (name, shown) in &before {
        assert!(shown != "[]" && shown != "None" && shown != "[None]", "{name} found nothing");
    }
    drop(store);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 1, "closing leaves one file, without a log beside it: {files:?}");

    let store = open(dir.path(), Owes::Direct);
    for (was, is) in before.iter().zip(everything(&store).await) {
        assert_eq!(*was, is);
    }
    let accept = Command::AcceptEvent(Box::new(event("e1", at(0))));
    assert_eq!(store.commit(at(9), vec![Unit::one(accept)]).await, vec![Ok(vec![Applied::Already])]);
}

#[tokio::test]
async fn what_is_owed_arrives_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Owes::Outbox);
    commit(&store, vec![Unit::one(Command::Owe(alert("owed", "it")))]).await;
    assert_eq!(store.alerts().await.unwrap(), vec![]);
    drop(store);

    let store = open(dir.path(), Owes::Outbox);
    settle(&store, at(5)).await;
    let codes: Vec<String> = store.alerts().await.unwrap().into_iter().map(|a| a.code).collect();
    assert_eq!(codes, ["owed"]);
    settle(&store, at(6)).await;
    assert_eq!(store.alerts().await.unwrap().len(), 1);
}
