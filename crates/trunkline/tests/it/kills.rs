//! Twenty times kill -9 under load: nothing acknowledged is lost, nothing is sent twice.

use std::collections::{BTreeMap, BTreeSet};

use tokio::net::TcpListener;
use tokio::sync::watch;
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::message::Delivery;
use trunkline_engine::verify::verify;
use trunkline_sim::faults::Faults;
use trunkline_sim::http::{Sandbox, Snapshot};
use trunkline_sim::shop::Customer;
use trunkline_store::Store;
use trunkline_store::row::Message;
use trunkline_store::sqlite::{Owes, SqliteStore};

use crate::support::{Folder, nap, sandbox};

const KILLS: u32 = 20;

fn customer(n: u32) -> Customer {
    let phone = Some(format!("+1415555{:04}", 1_000 + n));
    Customer { id: 9_000 + i64::from(n), first_name: "Ana".into(), last_name: "Test".into(), phone, locale: "en".into(), country: "US".into() }
}

async fn load(sandbox: &Sandbox, done: &watch::Receiver<bool>) {
    let mut n = 0;
    while !*done.borrow() {
        sandbox.order(&customer(n % 200), 1 + n % 2);
        n += 1;
        nap(15).await;
    }
}

async fn all_messages(store: &dyn Store) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let page = store.messages_after(all.last().map(|m| m.id), 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn check_phones(theirs: &Snapshot, messages: &[Message]) {
    let mut on_phone: BTreeMap<MessageId, u32> = BTreeMap::new();
    for text in theirs.texts.iter().filter(|t| !t.vendor_own) {
        let attempt: AttemptId = text.attempt.as_deref().unwrap().parse().unwrap();
        *on_phone.entry(attempt.message).or_default() += 1;
    }
    let twice: Vec<_> = on_phone.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "on a phone twice: {twice:?}");
    let known: BTreeSet<MessageId> = messages.iter().map(|m| m.id).collect();
    assert!(on_phone.keys().all(|id| known.contains(id)), "a text is on a phone that no message knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_sent_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new(&format!("http://{}", listener.local_addr().unwrap()));
    let (stop, stopped) = watch::channel(false);
    let (done, finished) = watch::channel(false);
    let sandbox = sandbox(&folder.url(), 20);
    sandbox.set_faults(Faults { vendor_latency_ms: 30, callback_duplicate_permille: 200, ..Faults::default() }).unwrap();
    let serving = trunkline_sim::http::run(sandbox.clone(), listener, stopped);
    let loading = load(&sandbox, &finished);
    let killing = async {
        for kill in 0..KILLS {
            let server = folder.serve().await;
            // Moments that fall into every stage's work.
            nap(120 + u64::from(kill * 37 % 230)).await;
            server.kill();
        }
        done.send_replace(true);
        let server = folder.serve().await;
        for _ in 0..600 {
            if sandbox.pending() == 0 {
                break;
            }
            nap(100).await;
        }
        nap(2_000).await;
        server.stop();
        stop.send_replace(true);
    };
    let (served, (), ()) = tokio::join!(serving, loading, killing);
    served.unwrap();

    let theirs = sandbox.snapshot();
    let store = SqliteStore::open(&folder.store(), Owes::Direct).unwrap();
    let messages = all_messages(&store).await;
    assert!(messages.len() > 100, "the load was no load: {}", messages.len());
    check_phones(&theirs, &messages);
    let mut ended = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.events_after(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        ended.extend(page.iter().filter(|e| e.fate.is_some()).map(|e| e.mapped.event.id.split(':').next().unwrap().to_owned()));
    }
    assert_eq!(theirs.hooks.given_up, 0, "the sandbox gave up on a hook, so nothing can be said of it");
    let lost: Vec<_> = theirs.orders.iter().filter(|o| !ended.contains(&o.event_id)).map(|o| &o.name).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let open: Vec<_> = messages.iter().filter(|m| m.state.delivery().blocks()).map(|m| m.id).collect();
    assert!(open.is_empty(), "still under way: {open:?}");
    let unknown = messages.iter().filter(|m| m.state.delivery() == Delivery::Unknown).count();
    assert!(unknown <= usize::try_from(KILLS).unwrap() * 3, "{unknown} of {} ended unknown", messages.len());
    let report = verify(&store, |_| {}).await.unwrap();
    assert_eq!(report.differences, 0, "{:#?}", report.first);
}
