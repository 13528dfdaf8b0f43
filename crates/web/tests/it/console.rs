//! The console: sign-in, throttling, forgery; every page with its headers and masks; what operators can do.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;
use trunkline_core::clock::Clock;
use trunkline_core::consent::{ConsentAct, ConsentEntry, Terms};
use trunkline_core::gap::Cause;
use trunkline_core::id::{AddressId, HookId, InboundId, RunId};
use trunkline_core::keyword::Keyword;
use trunkline_core::time::{Span, Time};
use trunkline_store::Command;
use trunkline_store::row::{AddressNews, Gap, Hook, HookLane, HookState, Inbound, Operator, Refusal};

use crate::support::{Answer, Server};

const PASSWORD: &str = "correct horse battery";
pub(crate) const ORIGIN: &str = "http://console.example";
/// The largest that a page may be.
pub(crate) const LARGEST: usize = 100_000;
/// Somebody in California, where it is morning, and somebody in Australia, where it is night.
pub(crate) const AWAKE: &str = "+14155550123";
const ASLEEP: &str = "+61412345678";

async fn with_operator() -> Server {
    let server = Server::new().await;
    let password = trunkline_web::console::hash_password(PASSWORD).unwrap();
    server.put(Command::PutOperator(Operator { name: "ada".into(), password })).await;
    server
}

async fn sign_in(server: &Server, password: &str, origin: &str) -> Answer {
    post(server, "/signin", "", &[("name", "ada"), ("password", password), ("next", "/")], origin).await
}

/// A server and the cookie of somebody who is signed in.
pub(crate) async fn signed_in() -> (Server, String) {
    let server = with_operator().await;
    let signed = sign_in(&server, PASSWORD, ORIGIN).await;
    let cookie = signed.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (server, cookie)
}

pub(crate) async fn page(server: &Server, path: &str, cookie: &str) -> Answer {
    server.ask(Request::get(path).header("accept", "text/html").header("cookie", cookie).body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(server: &Server, path: &str, cookie: &str, fields: &[(&str, &str)], origin: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded").header("host", "console.example").header("origin", origin);
    server.ask(request.header("cookie", cookie).body(Body::from(form)).unwrap()).await
}

pub(crate) fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

fn address(server: &Server, number: &str) -> AddressId {
    server.engine.key.address("sms", number)
}

/// Asks for a text about an order; gives its id.
pub(crate) async fn text(server: &Server, key: &str, number: &str, purpose: &str, order: &str) -> String {
    let sent = server.send(key, &json!({"to": number, "body": format!("About {order}"), "purpose": purpose, "labels": {"order": order}})).await.json();
    sent["id"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned()
}

/// Files a text from a person, the nth.
async fn heard(server: &Server, number: &str, n: u8, body: &str, keyword: Option<Keyword>) {
    let now = server.clock.now();
    let address = server.engine.store.addresses(&[address(server, number)]).await.unwrap().remove(0);
    let hook = HookId::new(1, now, [n; 16]);
    let inbound = Inbound {
        id: InboundId([n; 16]),
        address: address.id,
        account: "twilio".into(),
        sender: "+15005550006".into(),
        body: body.into(),
        keyword,
        answers: None,
        received_at: now,
        hook,
    };
    let entry = ConsentEntry {
        act: ConsentAct::Stop,
        program: None,
        purpose: None,
        account: Some("twilio".into()),
        sender: Some("+15005550006".into()),
        evidence: format!("{} texted '{body}', {hook}", inbound.id),
        actor: "inbound".into(),
        occurred_at: now,
        recorded_at: now,
        terms: Terms::default(),
    };
    let entries = if keyword == Some(Keyword::Stop) { vec![entry] } else { Vec::new() };
    let news = Box::new(AddressNews { entries, inbound: Some(inbound) });
    server.put(Command::News { address: address.id, guard_version: address.guard_version, news, messages: Vec::new(), owes: Vec::new() }).await;
}

/// Files a hook that gave up, the nth.
async fn dead_hook(server: &Server, n: u8) -> HookId {
    let id = HookId::new(1, server.clock.now(), [n; 16]);
    let hook = Hook {
        id,
        name: "twilio".into(),
        lane: HookLane::Receipt,
        method: "POST".into(),
        url: "https://trunkline.test/hooks/twilio".into(),
        headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded".into()), ("X-Twilio-Signature".into(), "c2lnbmVk".into())],
        body: b"MessageStatus=delivered&To=%2B14155550123".to_vec(),
        received_at: server.clock.now(),
        state: HookState::Dead,
        tries: 3,
        note: "no attempt of ours is known as SM1".into(),
    };
    server.put(Command::PutHook(Box::new(hook))).await;
    id
}

/// An event that starts a run, taken as far as its first wait.
async fn run(server: &Server) -> RunId {
    let event = json!({"specversion": "1.0", "id": "e1", "source": "/logistics", "type": "delivery.exception",
        "data": {"order": "#1042", "customer_id": "c1", "phone": AWAKE}});
    let taken = server.post("/v1/events", "application/cloudevents+json", event.to_string()).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    let now = server.clock.now();
    server.engine.ingest_tick(now, 10).await.unwrap();
    server.engine.journey_tick(now, 10).await.unwrap();
    let runs = server.engine.store.open_runs(&[server.engine.key.profile("shopify", "c1")]).await.unwrap();
    runs.first().unwrap().id
}

/// Every page that the rows of a list lead to, in order.
fn rows(page: &str) -> Vec<String> {
    page.split("class=\"col-number\"><a href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Where the link with this word leads.
fn link(page: &str, word: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\">{word}</a>"))?;
    let (_, href) = before.rsplit_once("href=\"")?;
    Some(href.replace("&#38;", "&"))
}

#[tokio::test]
async fn pages_need_a_session() {
    let server = with_operator().await;
    for path in ["/", "/messages", "/journeys", "/webhooks", "/unclear", "/dead", "/audit"] {
        assert!(location(&page(&server, path, "").await).starts_with("/signin"), "{path}");
    }
    let signed = sign_in(&server, PASSWORD, ORIGIN).await;
    assert_eq!(location(&signed), "/");
    let cookie = signed.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    for path in ["/addresses/adr_nope", "/messages/msg_nope", "/runs/run_nope", "/webhooks/hook_nope", "/journeys/nope", "/nowhere"] {
        let missing = page(&server, path, cookie.split(';').next().unwrap()).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{path}");
        assert!(missing.text.contains("</html>"), "{path} is a page too");
    }
}

#[tokio::test]
async fn an_account_in_a_gap_is_on_the_overview() {
    let (server, cookie) = signed_in().await;
    let line = "Account twilio is reading what came while we were away";
    assert!(!page(&server, "/", &cookie).await.text.contains(line));
    let now = server.clock.now();
    server.put(Command::OpenGap(Box::new(Gap::opened("twilio", now, Cause::Down, now)))).await;
    let shown = page(&server, "/", &cookie).await.text;
    assert!(shown.contains(line) && shown.contains("its texts wait for that"), "{shown}");
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("trunkline_gaps_open 1"), "{metrics}");
}

#[tokio::test]
async fn every_page_opens_masked_and_small() {
    let (server, cookie) = signed_in().await;
    let message = text(&server, "a", AWAKE, "otp", "#1042").await;
    text(&server, "b", ASLEEP, "service", "#1043").await;
    text(&server, "c", AWAKE, "marketing", "#1044").await;
    heard(&server, AWAKE, 1, "call +14155550123", None).await;
    heard(&server, AWAKE, 2, "STOP", Some(Keyword::Stop)).await;
    let (hook, run) = (dead_hook(&server, 3).await, run(&server).await);
    let body = "From=%2B14155550123&AuthToken=hush".to_owned();
    server
        .put(Command::Refuse(Refusal {
            number: 0,
            name: "twilio".into(),
            at: Time(0),
            reason: "the signature is missing".into(),
            request: "POST https://trunkline.test/hooks/twilio".into(),
            body,
        }))
        .await;
    let event = server.engine.store.events_before(None, 1).await.unwrap().remove(0).id;
    for path in [
        "/",
        "/messages",
        "/messages?state=held",
        "/messages?state=failed",
        &format!("/messages/{message}"),
        &format!("/addresses/{}", address(&server, AWAKE)),
        &format!("/addresses/{}", address(&server, ASLEEP)),
        "/journeys",
        "/journeys/delivery-exception",
        "/journeys/order-shipped?version=1",
        &format!("/runs/{run}"),
        "/webhooks",
        "/webhooks?lane=receipt&name=twilio",
        "/webhooks?lane=inbound",
        "/webhooks/refused",
        &format!("/webhooks/{hook}"),
        "/unclear",
        "/dead",
        "/audit",
        "/search",
        "/search?q=104&all=1",
        &format!("/search?q={event}&all=1"),
    ] {
        let shown = page(&server, path, &cookie).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        assert!(shown.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(shown.headers["cache-control"], "no-store", "{path}");
        assert!(shown.text.contains("</html>") && shown.text.len() < LARGEST, "{path} has {} bytes", shown.text.len());
        for hidden in ["4155550123", "412345678", "c2lnbmVk", "hush"] {
            assert!(!shown.text.contains(hidden), "{path} shows {hidden}");
        }
        assert!(!shown.text.contains(" style=") && !shown.text.contains("<script>"), "{path} has something inline");
    }
}

#[tokio::test]
async fn a_search_leads_to_the_reason() {
    let (server, cookie) = signed_in().await;
    let message = text(&server, "a", ASLEEP, "service", "#1042").await;
    let page_of_message = format!("/messages/{message}");
    for typed in ["1042", "%231042", message.as_str()] {
        assert_eq!(location(&page(&server, &format!("/search?q={typed}"), &cookie).await), page_of_message, "{typed}");
    }
    let story = page(&server, &page_of_message, &cookie).await.text;
    let (reason, rest) = (story.find("Outside 08:00-21:00").unwrap(), story.find("What happened").unwrap());
    assert!(reason < rest, "the reason comes first");
    assert!(story.contains("where the recipient is"), "until when on her clock");
    let of_address = format!("/addresses/{}", address(&server, ASLEEP));
    assert!(story.contains(&format!("href=\"{of_address}\"")));
    assert_eq!(location(&page(&server, "/search?q=%2B61%20412%20345%20678", &cookie).await), of_address, "no number stays in the URL");
    let shown = page(&server, &of_address, &cookie).await.text;
    assert!(shown.find("Held now").unwrap() < shown.find("Conversation").unwrap());
    assert!(shown.find("Outside 08:00-21:00").unwrap() < shown.find("Conversation").unwrap() && shown.contains(" there<"));
    let unknown = page(&server, &format!("/addresses/{}", address(&server, "+14155550199")), &cookie).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text.contains("No text was ever made to this number"), "{}", unknown.text);
}

#[tokio::test]
async fn lists_page_without_gaps_and_repeats() {
    let (server, cookie) = signed_in().await;
    for n in 0..120 {
        text(&server, &format!("k{n}"), AWAKE, "otp", "#1042").await;
        server.clock.advance(Span::millis(n % 2));
    }
    for start in ["/messages".to_owned(), "/messages?label=1042".to_owned(), format!("/messages?address={}", address(&server, AWAKE))] {
        let (mut seen, mut next) = (Vec::new(), Some(start.clone()));
        while let Some(path) = next {
            let shown = page(&server, &path, &cookie).await;
            assert!(shown.text.len() < LARGEST, "{path} has {} bytes", shown.text.len());
            let found = rows(&shown.text);
            assert!(found.len() <= 50 && !found.is_empty(), "{path}: {}", found.len());
            assert_eq!(link(&shown.text, "Newest").is_some(), path.contains("before="), "{path}");
            seen.extend(found);
            next = link(&shown.text, "Older");
        }
        let each: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), each.len()), (120, 120), "{start}");
    }
    heard(&server, AWAKE, 1, "when?", None).await;
    let (mut bubbles, mut next) = (0, Some(format!("/addresses/{}", address(&server, AWAKE))));
    while let Some(path) = next {
        let shown = page(&server, &path, &cookie).await;
        assert!(shown.text.len() < LARGEST, "{path} has {} bytes", shown.text.len());
        bubbles += shown.text.matches("<li class=\"turn ").count();
        next = link(&shown.text, "Earlier");
    }
    assert_eq!(bubbles, 121);
}

#[tokio::test]
async fn filters_are_in_the_url_and_numbers_are_not() {
    let (server, cookie) = signed_in().await;
    let order = text(&server, "a", AWAKE, "otp", "#1042").await;
    server.clock.advance(Span::hours(2));
    let late = text(&server, "b", AWAKE, "otp", "#1043").await;
    text(&server, "c", ASLEEP, "service", "#1044").await;
    let of_address = address(&server, AWAKE);
    for (path, expect) in [
        ("/messages?label=1042".to_owned(), vec![&order]),
        (format!("/messages?address={of_address}"), vec![&late, &order]),
        (format!("/messages?address={of_address}&from=2026-11-23T19:00"), vec![&late]),
        (format!("/messages?address={of_address}&to=2026-11-23T19:00"), vec![&order]),
        (format!("/messages?state=held&address={of_address}"), vec![]),
        ("/messages?journey=order-shipped".to_owned(), vec![]),
    ] {
        let shown = page(&server, &path, &cookie).await.text;
        assert_eq!(rows(&shown), expect.iter().map(|id| format!("/messages/{id}")).collect::<Vec<_>>(), "{path}");
        assert_eq!(shown.contains("Clear the filters"), expect.is_empty(), "{path}");
    }
    for (path, expect) in [
        ("/messages?state=&journey=&label=&number=%2B14155550123&from=&to=".to_owned(), format!("/messages?address={of_address}")),
        ("/messages?number=(415)+555-0123&state=held".to_owned(), format!("/messages?state=held&address={of_address}")),
        ("/messages?label=%2B14155550123".to_owned(), format!("/messages?address={of_address}")),
        ("/messages?number=nonsense".to_owned(), "/messages?problem=number".to_owned()),
        ("/messages?from=yesterday&label=1042".to_owned(), "/messages?label=1042&problem=time".to_owned()),
    ] {
        assert_eq!(location(&page(&server, &path, &cookie).await), expect, "{path}");
    }
    assert!(page(&server, "/messages?problem=number", &cookie).await.text.contains("is not a phone number"));
}

#[tokio::test]
async fn a_number_is_revealed_once_and_on_record() {
    let (server, cookie) = signed_in().await;
    text(&server, "a", AWAKE, "otp", "#1042").await;
    let path = format!("/addresses/{}", address(&server, AWAKE));
    assert_eq!(post(&server, &path, &cookie, &[], "http://evil.example").await.status, StatusCode::FORBIDDEN);
    assert_eq!(location(&post(&server, &path, "", &[], ORIGIN).await), "/signin");
    assert!(server.engine.store.audits(None, 10).await.unwrap().is_empty(), "a forged form reveals nothing");
    let shown = post(&server, &path, &cookie, &[], ORIGIN).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.text.matches(AWAKE).count(), 1);
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert!(!page(&server, &path, &cookie).await.text.contains(AWAKE), "on that one answer only");
    let audits = server.engine.store.audits(None, 10).await.unwrap();
    let noted: Vec<(&str, &str, String)> = audits.iter().map(|a| (a.operator.as_str(), a.act.as_str(), a.about.clone())).collect();
    assert_eq!(noted, [("operator ada", "revealed", address(&server, AWAKE).to_string())]);
    let trail = page(&server, "/audit", &cookie).await.text;
    assert!(trail.contains("operator ada") && trail.contains("revealed the number of") && trail.contains(&format!("href=\"{path}\"")));
}

#[tokio::test]
async fn the_proof_of_consent_is_a_file_and_the_full_number_is_on_record() {
    let (server, cookie) = signed_in().await;
    text(&server, "a", AWAKE, "transactional", "#1042").await;
    let path = format!("/addresses/{}/proof", address(&server, AWAKE));
    assert!(page(&server, &format!("/addresses/{}", address(&server, AWAKE)), &cookie).await.text.contains(&format!("href=\"{path}\"")));
    let masked = page(&server, &path, &cookie).await;
    assert!(masked.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"proof-adr_"));
    assert!(masked.text.contains("About #1042") && masked.text.contains("+141••••0123") && !masked.text.contains(AWAKE), "{}", masked.text);
    let data = page(&server, &format!("{path}?format=json"), &cookie).await.json();
    assert_eq!((&data["items"][0]["kind"], &data["number"]), (&json!("text"), &json!("+141••••0123")));
    assert_eq!(post(&server, &path, &cookie, &[], "http://evil.example").await.status, StatusCode::FORBIDDEN);
    assert!(server.engine.store.audits(None, 10).await.unwrap().is_empty(), "what is masked reveals nothing");
    assert!(post(&server, &path, &cookie, &[], ORIGIN).await.text.contains(AWAKE));
    let acts: Vec<String> = server.engine.store.audits(None, 10).await.unwrap().into_iter().map(|a| a.act).collect();
    assert_eq!(acts, ["revealed"]);
}

#[tokio::test]
async fn dead_letters_go_back_to_work_on_record() {
    let (server, cookie) = signed_in().await;
    assert!(page(&server, "/dead", &cookie).await.text.contains("Nothing gave up"));
    let (one, two) = (dead_hook(&server, 1).await, dead_hook(&server, 2).await);
    let shown = page(&server, "/dead", &cookie).await.text;
    assert!(shown.contains("<span class=\"badge\">2</span>") && shown.contains("No attempt of ours is known"), "{shown}");
    assert!(page(&server, &format!("/webhooks/{one}"), &cookie).await.text.contains("Replay</button>"));
    let ids = format!("{one}\r\n{two}");
    assert_eq!(post(&server, "/dead/replay", &cookie, &[("ids", &ids)], "http://evil.example").await.status, StatusCode::FORBIDDEN);
    let replayed = post(&server, "/dead/replay", &cookie, &[("ids", &ids)], ORIGIN).await;
    assert_eq!(location(&replayed), "/dead?replayed=2&stayed=0");
    assert!(page(&server, "/dead?replayed=2&stayed=0", &cookie).await.text.contains("2 dead letters are back at work"));
    for id in [one, two] {
        assert!(matches!(server.engine.store.hook(id).await.unwrap().unwrap().state, HookState::Waiting { .. }));
    }
    let again = post(&server, "/dead/replay", &cookie, &[("ids", &one.to_string())], ORIGIN).await;
    assert_eq!(location(&again), "/dead?replayed=0&stayed=1");
    let acts: Vec<String> = server.engine.store.audits(None, 10).await.unwrap().into_iter().map(|a| format!("{} {}", a.act, a.about)).collect();
    assert_eq!(acts, [format!("replayed {two}"), format!("replayed {one}")]);
}

#[tokio::test]
async fn a_text_that_waits_can_be_taken_back() {
    let (server, cookie) = signed_in().await;
    let held = text(&server, "a", ASLEEP, "service", "#1042").await;
    let refused = text(&server, "b", AWAKE, "marketing", "#1043").await;
    assert!(page(&server, &format!("/messages/{held}"), &cookie).await.text.contains("Cancel this text"));
    assert!(!page(&server, &format!("/messages/{refused}"), &cookie).await.text.contains("Cancel this text"));
    assert_eq!(post(&server, &format!("/messages/{held}/cancel"), &cookie, &[], "http://evil.example").await.status, StatusCode::FORBIDDEN);
    for (id, word, said) in [(&held, "done", "It is canceled, and will not be sent."), (&refused, "late", "It was too late to cancel it")] {
        let after = format!("/messages/{id}?cancel={word}");
        assert_eq!(location(&post(&server, &format!("/messages/{id}/cancel"), &cookie, &[], ORIGIN).await), after);
        assert!(page(&server, &after, &cookie).await.text.contains(said), "{word}");
    }
    let story = page(&server, &format!("/messages/{held}"), &cookie).await.text;
    assert!(story.contains("Cancelled by operator ada") && !story.contains("Cancel this text"));
    let acts: Vec<String> = server.engine.store.audits(None, 10).await.unwrap().into_iter().map(|a| format!("{} {} {}", a.operator, a.act, a.about)).collect();
    assert_eq!(acts, [format!("operator ada canceled {held}")]);
}

#[tokio::test]
async fn a_journey_is_drawn_with_its_traffic() {
    let (server, cookie) = signed_in().await;
    let run = run(&server).await;
    let shown = page(&server, "/journeys/delivery-exception", &cookie).await.text;
    assert!(shown.contains("<svg class=\"graph\"") && shown.contains("1 started today"), "{shown}");
    assert!(shown.contains("0 here, 1 today") && shown.contains("1 here, 0 today"), "passed the wait, is at the text");
    assert!(shown.contains(&format!("href=\"/runs/{run}\"")) && shown.contains("order.cancelled"));
    let listed = page(&server, "/journeys", &cookie).await.text;
    assert!(listed.contains("href=\"/journeys/delivery-exception\"") && listed.contains("href=\"/journeys/order-confirmed\""));
    server.clock.advance(Span::mins(31));
    server.engine.journey_tick(server.clock.now(), 10).await.unwrap();
    let story = page(&server, &format!("/runs/{run}"), &cookie).await.text;
    assert!(story.contains("c1 in shopify") && story.contains("Step settle: wait until"), "{story}");
    assert_eq!(rows(&story).len(), 1, "the text that it made");
}

#[tokio::test]
async fn the_phones_are_there_where_the_sandbox_is() {
    let (server, cookie) = signed_in().await;
    assert!(!page(&server, "/", &cookie).await.text.contains("Phones"));
    let router = trunkline_web::router(&server.engine, false, Some("http://127.0.0.1:8081/".to_owned()));
    let request = Request::get("/").header("accept", "text/html").header("cookie", &cookie).body(Body::empty()).unwrap();
    let body = to_bytes(router.oneshot(request).await.unwrap().into_body(), LARGEST).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("<a href=\"http://127.0.0.1:8081/\">Phones</a>"));
}

#[tokio::test]
async fn forged_and_guessed_sign_ins_fail() {
    let server = with_operator().await;
    assert_eq!(sign_in(&server, PASSWORD, "http://evil.example").await.status, StatusCode::FORBIDDEN);
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        let refused = sign_in(&server, "wrong", ORIGIN).await;
        assert!(refused.headers.get("set-cookie").is_none());
        last = refused.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "guessing is slowed down");
    assert_eq!(sign_in(&server, PASSWORD, ORIGIN).await.status, StatusCode::TOO_MANY_REQUESTS, "even with the right one, until the time is over");
    server.clock.advance(Span::hours(1));
    assert_eq!(sign_in(&server, PASSWORD, ORIGIN).await.status, StatusCode::SEE_OTHER);
}
