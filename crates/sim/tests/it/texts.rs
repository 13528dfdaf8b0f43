//! Texts as they leave: in the reader's language and on her clock, and smaller where that is configured.
//!
//! Its own file because it goes from a request or an event to the row of a message; how a language writes and how a text
//! is cut is shown in core.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use trunkline_core::clock::{Clock, ManualClock};
use trunkline_core::preview::Settings;
use trunkline_core::purpose::Purpose;
use trunkline_core::segment::{Encoding, Shift};
use trunkline_core::template::Template;
use trunkline_engine::Engine;
use trunkline_engine::definitions::Definitions;
use trunkline_engine::intake::SendRequest;
use trunkline_sim::carrier::Dialect;
use trunkline_sim::fixtures;
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

/// In California.
const READER: &str = "+14155550100";
const LONG: &str = "It’s on its way, and we text you when it is there. Reply STOP to get no more texts from us, ever.";

async fn engine(change: impl FnOnce(&mut Definitions)) -> Engine {
    let clock = Arc::new(ManualClock::at("2026-11-23T18:00:00Z".parse().unwrap()));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Owes::Direct).unwrap());
    let mut definitions = Arc::into_inner(fixtures::definitions(store.as_ref(), clock.now(), false, Dialect::Twilio).await.unwrap()).unwrap();
    change(&mut definitions);
    Engine::start(store, clock, Arc::new(definitions), [7; 32]).await.unwrap()
}

async fn send(engine: &Engine, body: Option<&str>, template: Option<&str>, data: Option<Value>, locale: Option<&str>, smart_encoding: Option<bool>) -> Message {
    let request = SendRequest {
        to: READER.into(),
        template: template.map(str::to_owned),
        data,
        body: body.map(str::to_owned),
        locale: locale.map(str::to_owned),
        purpose: Purpose::Transactional,
        program: None,
        ttl: None,
        labels: BTreeMap::new(),
        smart_encoding,
    };
    engine.send_text("test", &format!("{template:?}{locale:?}{smart_encoding:?}"), &request).await.unwrap()
}

#[tokio::test]
async fn a_text_speaks_the_readers_language_and_tells_her_time() {
    let engine = engine(|definitions| {
        let english = "{{ n | plural(one='One parcel', other='# parcels') }} at {{ at | time }}, {{ at | date }}: {{ total | currency('USD') }}";
        let french = "{{ n | plural(one='# colis', other='# colis') }} le {{ at | date('long') }} : {{ total | currency('CAD') }}";
        let texts = [("default", english), ("fr", french)].map(|(locale, text)| (locale.to_owned(), text.to_owned()));
        definitions.templates.insert("parcels".to_owned(), Template(texts.into()));
    })
    .await;
    let data = json!({"n": 2, "at": "2026-11-25T04:30:00Z", "total": "1234.5"});
    let english = send(&engine, None, Some("parcels"), Some(data.clone()), None, None).await;
    assert_eq!(english.intent.body, "2 parcels at 8:30 PM, Nov 24, 2026: $1,234.50");
    let french = send(&engine, None, Some("parcels"), Some(data), Some("fr-CA"), None).await;
    assert_eq!(french.intent.body, "2 colis le 24 novembre 2026 : 1 234,50 $");
    assert_eq!(french.intent.template, Some(("parcels".to_owned(), "fr".to_owned())));
    assert!([&english, &french].iter().all(|m| m.intent.size.encoding == Encoding::Gsm7), "what languages write does not make texts dear");
}

#[tokio::test]
async fn smart_encoding_is_as_configured_unless_the_request_says_otherwise() {
    let template = |definitions: &mut Definitions| {
        definitions.templates.insert("long".to_owned(), Template([("default".to_owned(), LONG.to_owned())].into()));
    };
    let plain = engine(template).await;
    let by_template = engine(|d| {
        template(d);
        d.texts.insert("long".to_owned(), Settings { smart_encoding: true, ..Settings::default() });
    });
    let by_program = engine(|d| {
        template(d);
        for program in d.programs.values_mut() {
            program.smart_encoding = true;
        }
    });
    let by_account = engine(|d| {
        template(d);
        for account in d.accounts.values_mut() {
            account.smart_encoding = true;
        }
    });
    let (by_template, by_program, by_account) = (by_template.await, by_program.await, by_account.await);
    for (name, engine, asked, smaller) in [
        ("nothing asks for it", &plain, None, false),
        ("the request asks", &plain, Some(true), true),
        ("the template asks", &by_template, None, true),
        ("the program asks", &by_program, None, true),
        ("the account asks", &by_account, None, true),
        ("the request forbids it", &by_account, Some(false), false),
    ] {
        let message = send(engine, None, Some("long"), None, None, asked).await;
        let (segments, written) = (message.intent.size.segments, message.intent.written.as_deref());
        assert_eq!((segments, written), if smaller { (1, Some(LONG)) } else { (2, None) }, "{name}");
        assert_eq!(message.intent.body, if smaller { LONG.replace('’', "'") } else { LONG.to_owned() }, "{name}");
    }
}

#[tokio::test]
async fn a_sender_with_shift_tables_counts_with_them() {
    let text = "Siparişiniz yola çıktı, yarın kapınızda: ".repeat(2);
    let shifting = engine(|d| {
        for sender in &mut d.senders {
            sender.shift_tables = vec![Shift::Turkish];
        }
    })
    .await;
    let plain = engine(|_| {}).await;
    let size = send(&shifting, Some(&text), None, None, None, None).await.intent.size;
    assert_eq!((size.encoding, size.segments), (Encoding::Gsm7, 1));
    assert_eq!(send(&plain, Some(&text), None, None, None, None).await.intent.size.segments, 2);
}
