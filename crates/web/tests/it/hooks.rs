//! The thin receiver: signed hooks are filed, others are refused on record.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use trunkline_core::time::Time;
use trunkline_sim::fixtures;
use trunkline_sim::outgoing::{Effect, OutgoingHook};
use trunkline_sim::vendor::{Vendor, VendorSettings};
use trunkline_store::row::HookLane;

use crate::support::{Answer, Server};

pub(crate) async fn deliver(server: &Server, hook: &OutgoingHook) -> Answer {
    let path = hook.url.strip_prefix(fixtures::PUBLIC_URL).unwrap();
    let mut request = Request::post(path);
    for (name, value) in &hook.headers {
        request = request.header(name, value);
    }
    server.ask(request.body(Body::from(hook.body.clone())).unwrap()).await
}

pub(crate) fn inbound(body: &str) -> OutgoingHook {
    let url = format!("{}/hooks/twilio", fixtures::PUBLIC_URL);
    let mut vendor = Vendor::new(VendorSettings {
        account_sid: fixtures::ACCOUNT_SID.into(),
        auth_token: fixtures::AUTH_TOKEN.into(),
        inbound_urls: [(fixtures::SENDER.to_owned(), url)].into(),
        messaging_service: None,
        answers_stop: true,
    });
    let Effect::Hook(hook) = vendor.reply(Time(0), "+14155550123", fixtures::SENDER, body, &mut ChaCha12Rng::seed_from_u64(1)).remove(0);
    hook
}

#[tokio::test]
async fn a_signed_text_is_filed_and_answered_as_the_vendor_expects() {
    let server = Server::new().await;
    let answer = deliver(&server, &inbound("STOP")).await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "text/xml"), "{}", answer.text);
    assert!(answer.text.contains("<Response/>"));
    let filed = server.engine.store.due_hooks(HookLane::Inbound, Time(i64::MAX), 10).await.unwrap();
    assert_eq!(filed.len(), 1);
}

#[tokio::test]
async fn anything_else_is_refused_on_record_and_changes_nothing() {
    let server = Server::new().await;
    let good = inbound("STOP");
    let tampered = OutgoingHook { body: inbound("START").body, ..good.clone() };
    let unsigned = OutgoingHook { headers: vec![], ..good.clone() };
    let elsewhere = OutgoingHook { url: format!("{}?x=1", good.url), ..good.clone() };
    for (name, hook, reason) in [("tampered", tampered, "does not match"), ("unsigned", unsigned, "is missing"), ("another URL", elsewhere, "does not match")] {
        let answer = deliver(&server, &hook).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(answer.text.is_empty(), "{name}: a stranger learns nothing");
        let refusals = server.engine.store.refusals(None, 1).await.unwrap();
        assert!(refusals[0].reason.contains(reason), "{name}: {}", refusals[0].reason);
    }
    let huge = OutgoingHook { body: vec![b'x'; 3 << 20].into(), ..good.clone() };
    assert_eq!(deliver(&server, &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(server.engine.store.refusals(None, 1).await.unwrap()[0].reason.contains("larger"));
    let nobody = OutgoingHook { url: format!("{}/hooks/nobody", fixtures::PUBLIC_URL), ..good };
    assert_eq!(deliver(&server, &nobody).await.status, StatusCode::NOT_FOUND);
    for lane in HookLane::ALL {
        assert!(server.engine.store.due_hooks(lane, Time(i64::MAX), 10).await.unwrap().is_empty());
    }
}
