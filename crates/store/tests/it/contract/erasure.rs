//! Erasures: what rows say of a person goes, and everything that is counted, folded or compared stays.
//!
//! Its own file because nothing else takes anything away: each command must leave the rows of others alone, and be as
//! good as nothing the second time.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use trunkline_core::consent::{ConsentAct, ConsentEntry, ConsentState, Terms};
use trunkline_core::erase::{self, ERASED};
use trunkline_core::id::{HookId, InboundId, ProfileId};
use trunkline_core::message;
use trunkline_core::number::Number;
use trunkline_core::owe::{AlertKind, Owe};
use trunkline_store::Command;
use trunkline_store::command::{Erased, Erasure};
use trunkline_store::row::{Address, AddressNews, Audit, Conflict, Fate, HookFilter, HookLane, HookState, Inbound, Intent, Message, MessageFilter, Place, Profile, Refusal};

use super::support::{Backend, Did, SENDER, accepted, address, at, claim, counters_agree, event, hook, queued};

/// Two of our people: one is erased, the other one is not.
const DIGITS: &str = "14155550001";
const OTHERS: &str = "14155550002";

fn stop(evidence: &str) -> ConsentEntry {
    ConsentEntry {
        act: ConsentAct::Stop,
        program: None,
        purpose: None,
        account: Some("main".to_owned()),
        sender: Some(SENDER.to_owned()),
        evidence: evidence.to_owned(),
        actor: "inbound".to_owned(),
        occurred_at: at(10),
        recorded_at: at(11),
        terms: Terms::default(),
    }
}

async fn heard(b: &Backend, n: u8) {
    let from = address(n);
    let inbound = Inbound {
        id: InboundId::of("main", &format!("MO{n}"), from.id),
        address: from.id,
        account: "main".to_owned(),
        sender: SENDER.to_owned(),
        body: "stop this".to_owned(),
        keyword: None,
        answers: None,
        received_at: at(10),
        hook: HookId::new(n, at(10), [n; 16]),
    };
    let news = Box::new(AddressNews { entries: vec![stop("stop this")], inbound: Some(inbound) });
    let guard_version = b.address(from.id).await.guard_version;
    assert_eq!(b.one(at(11), Command::News { address: from.id, guard_version, news, messages: vec![], owes: vec![] }).await, Did::Done);
}

async fn told(b: &Backend, message: &Message) -> Vec<message::Event> {
    let history = b.store.history(&message.id.bytes()).await.unwrap();
    history.into_iter().map(|entry| serde_json::from_value(entry.body).unwrap()).collect()
}

/// The row keeps its state and its version, the ledger its acts, and whoever is beside keeps everything.
pub(crate) async fn an_address_loses_its_words(b: &Backend) {
    let mut texts = Vec::new();
    for n in [1, 2] {
        b.home(n).await;
        let text = b.put(queued(n, at(0))).await;
        texts.push(b.lead(&text, at(1), vec![claim(1, 1), accepted(1)]).await);
        heard(b, n).await;
        let lives = Command::Reside { address: address(n).id, profile: ProfileId([n; 16]), residence: Some("US-TX".to_owned()) };
        assert_eq!(b.one(at(12), lives).await, Did::Done);
    }
    let [erased, kept] = texts.as_slice() else { panic!("two texts") };
    let (before, beside) = (b.address(erased.intent.address).await, (b.address(kept.intent.address).await, told(b, kept).await));
    let erasing = ConsentEntry { act: ConsentAct::Erase, evidence: "her letter".to_owned(), ..stop("") };
    let history: Vec<(i64, Value)> = told(b, erased).await.iter().zip(1..).map(|(event, seq)| (seq, serde_json::to_value(erase::event(event, DIGITS)).unwrap())).collect();
    let message = Message { intent: Intent { body: ERASED.to_owned(), written: None, ..erased.intent.clone() }, ..erased.clone() };
    let erasure = |guard_version: i64, ledger: Vec<ConsentEntry>, rev: i64| {
        let messages = vec![Erased { message: Message { rev, ..message.clone() }, history: history.clone() }];
        Command::EraseAddress(Box::new(Erasure { address: before.id, guard_version, ledger, messages }))
    };
    let ledger = vec![stop(ERASED)];
    for (name, command) in [
        ("an old guard", erasure(before.guard_version - 1, ledger.clone(), erased.rev)),
        ("an entry too few", erasure(before.guard_version, vec![], erased.rev)),
        ("an entry too many", erasure(before.guard_version, vec![stop(ERASED), erasing.clone()], erased.rev)),
        ("an old message", erasure(before.guard_version, ledger.clone(), erased.rev - 1)),
    ] {
        assert_eq!(b.one(at(20), command).await, Did::Conflict, "{name}");
        assert_eq!(b.address(before.id).await, before, "{name}");
        assert_eq!(b.message(erased.id).await, *erased, "{name}");
    }
    let news = Box::new(AddressNews { entries: vec![erasing.clone()], inbound: None });
    assert_eq!(b.one(at(21), Command::News { address: before.id, guard_version: before.guard_version, news, messages: vec![], owes: vec![] }).await, Did::Done);
    let ledger = vec![stop(ERASED), erasing];
    assert_eq!(b.one(at(22), erasure(before.guard_version + 1, ledger.clone(), erased.rev)).await, Did::Done);

    let after = b.address(before.id).await;
    let (consent, guard_version) = (ConsentState::fold(&ledger), before.guard_version + 2);
    assert_eq!(after, Address { place: Place::Erased, residences: BTreeMap::new(), consent, guard_version, ..before });
    assert_eq!(b.store.ledger(after.id).await.unwrap(), ledger);
    let row = b.message(erased.id).await;
    assert_eq!((row.intent.body.as_str(), row.intent.written.as_deref(), &row.state, row.rev), (ERASED, None, &erased.state, erased.rev));
    assert_eq!(told(b, &row).await.len(), 3);
    assert_eq!(b.store.inbound_of(after.id, 10).await.unwrap().iter().map(|i| i.body.clone()).collect::<Vec<_>>(), [ERASED]);
    assert_eq!((b.address(kept.intent.address).await, told(b, kept).await), beside);
    assert_eq!(b.message(kept.id).await, *kept);
    assert_eq!(b.store.inbound_of(kept.intent.address, 10).await.unwrap().remove(0).body, "stop this");
    counters_agree(b.store.as_ref()).await;
}

/// What nobody has looked at yet is not taken away from under whoever will.
pub(crate) async fn raw_records_are_emptied_once_they_were_worked_on(b: &Backend) {
    let told = event("e1", at(0));
    assert_eq!(b.one(at(1), Command::AcceptEvent(Box::new(told.clone()))).await, Did::Done);
    let left = Box::new(erase::mapped(&told.mapped));
    assert_eq!(b.one(at(2), Command::EraseEvent(told.id, left.clone())).await, Did::Conflict);
    assert_eq!(b.one(at(3), Command::FinishEvent(told.id, Fate::NoJourney)).await, Did::Done);
    for _ in 0..2 {
        assert_eq!(b.one(at(4), Command::EraseEvent(told.id, left.clone())).await, Did::Done);
        let row = b.store.events(&[told.id]).await.unwrap().remove(0);
        assert_eq!((row.mapped.event.data.clone(), row.mapped.phone.clone(), row.fate), (Value::Null, None, Some(Fate::NoJourney)));
        assert_eq!(row.mapped, *left);
    }
    assert_eq!(b.one(at(5), Command::AcceptEvent(Box::new(told))).await, Did::Already, "a copy is known as one");

    let raw = hook(1, HookLane::Receipt, at(0));
    assert_eq!(b.one(at(6), Command::PutHook(Box::new(raw.clone()))).await, Did::Done);
    assert_eq!(b.one(at(7), Command::EraseHook(raw.id)).await, Did::Conflict);
    assert_eq!(b.one(at(8), Command::MoveHook(raw.id, HookState::Done, String::new())).await, Did::Done);
    for _ in 0..2 {
        assert_eq!(b.one(at(9), Command::EraseHook(raw.id)).await, Did::Done);
        let row = b.store.hooks(&HookFilter::default(), 10).await.unwrap().remove(0);
        assert_eq!((row.body, row.headers, row.url.as_str(), row.state), (vec![], vec![], "https://hooks.example.com/main", HookState::Done));
    }

    let profile = Profile {
        id: ProfileId([1; 16]),
        system: "shop".to_owned(),
        external_id: "c-1".to_owned(),
        attributes: [("name".to_owned(), json!("Zoë"))].into_iter().collect(),
        locale: Some("fr".to_owned()),
        address: address(1).id,
        updated_at: at(1),
    };
    let (field, system, owner, value) = ("attributes.name".to_owned(), "crm".to_owned(), "shop".to_owned(), json!("Ida"));
    assert_eq!(b.one(at(10), Command::PutProfile { profile: Box::new(profile.clone()), moved: true }).await, Did::Done);
    assert_eq!(b.one(at(10), Command::NoteConflict(Box::new(Conflict { profile: profile.id, field, system, owner, value, at: at(1), times: 1 }))).await, Did::Done);
    assert_eq!(b.one(at(11), Command::EraseProfile(profile.id)).await, Did::Done);
    assert_eq!(b.store.profiles(&[profile.id]).await.unwrap(), vec![Profile { attributes: Map::new(), locale: None, ..profile.clone() }]);
    assert_eq!(b.store.conflicts(profile.id).await.unwrap(), vec![]);
}

/// Wherever it is repeated, and no other number.
pub(crate) async fn a_number_is_taken_out_wherever_it_is_repeated(b: &Backend) {
    b.home(1).await;
    for digits in [DIGITS, OTHERS] {
        let refusal =
            Refusal { number: 0, name: "main".to_owned(), at: at(0), reason: "no signature".to_owned(), request: "POST /hooks/main".to_owned(), body: format!("From=%2B{digits}") };
        let detail = format!("the vendor refused +{digits}");
        let audit = Audit { number: 0, at: at(0), operator: "key k1".to_owned(), act: "ruled".to_owned(), about: "msg_1".to_owned(), detail: detail.clone() };
        let mut labelled = queued(1, at(i64::from(digits != DIGITS)));
        labelled.message.intent.labels.insert("phone".to_owned(), format!("+{digits}"));
        b.put(labelled).await;
        for command in
            [Command::Refuse(refusal), Command::Audit(audit), Command::Owe(Owe::Alert { kind: AlertKind::System, code: "refused".to_owned(), about: digits.to_owned(), detail })]
        {
            assert_eq!(b.one(at(1), command).await, Did::Done);
        }
    }
    let number = Number::parse(&format!("+{DIGITS}"), None).unwrap();
    assert_eq!(b.one(at(2), Command::Redact(number.clone())).await, Did::Done);
    assert_eq!(b.one(at(3), Command::Redact(number)).await, Did::Already);
    let store = b.store.as_ref();
    let said = format!("{:?} {:?} {:?}", store.refusals(None, 10).await.unwrap(), store.audits(None, 10).await.unwrap(), store.alerts().await.unwrap());
    assert!(!said.contains(DIGITS) && said.matches(OTHERS).count() == 4, "{said}");
    let labelled = |digits: &str| MessageFilter::labelled(&format!("+{digits}"));
    assert_eq!(store.messages_matching(&labelled(DIGITS), 10).await.unwrap().len(), 0);
    assert_eq!(store.messages_matching(&labelled(OTHERS), 10).await.unwrap().len(), 1);
}
