//! Texts that stay unclear, and what somebody decides about them: through the API, and on the console's pages.
//!
//! Its own file because both doors must do the same and be noted alike. What a ruling makes of a state is the engine's
//! matter, and is tested there.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::http::{Phase, TransportError};
use trunkline_core::clock::Clock;
use trunkline_core::time::Span;
use trunkline_engine::settle::{CallResult, Heard};

use crate::console::{AWAKE, LARGEST, ORIGIN, location, page, post, signed_in, text};
use crate::support::{Answer, Server};

const SEEN: &str = "SM1 is delivered in the vendor's log";

/// Makes a text whose call broke off after its bytes had left; gives its id.
async fn unclear(server: &Server, key: &str, order: &str) -> String {
    let id = text(server, key, AWAKE, "transactional", order).await;
    let (calls, _) = server.engine.claim_tick(server.clock.now(), 10).await.unwrap();
    let heard = || Heard::Reply(Err(TransportError { phase: Phase::Wait, detail: "no answer within 10s".to_owned() }));
    let results: Vec<CallResult> = calls.iter().map(|call| CallResult::of(call, heard())).collect();
    let (_, left) = server.engine.settle_tick(server.clock.now(), results).await;
    assert!(left.is_empty() && delivery(server, &id).await == "unknown", "{id}");
    id
}

async fn delivery(server: &Server, id: &str) -> String {
    let shown = server.get(&format!("/v1/messages/{id}")).await.json();
    shown["delivery"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned()
}

async fn rule(server: &Server, id: &str, body: &Value) -> Answer {
    server.post(&format!("/v1/messages/{id}/ruling"), "application/json", body.to_string()).await
}

/// The trail of what people did, the newest first.
async fn trail(server: &Server) -> Vec<String> {
    server.engine.store.audits(None, 20).await.unwrap().into_iter().map(|a| format!("{} {} {}: {}", a.operator, a.act, a.about, a.detail)).collect()
}

#[tokio::test]
async fn a_ruling_settles_an_unclear_text_on_record() {
    let server = Server::new().await;
    let arrived = unclear(&server, "a", "#1042").await;
    let again = unclear(&server, "b", "#1043").await;
    let gone = unclear(&server, "c", "#1044").await;
    for (id, ruling, expect) in [(&arrived, "arrived", "accepted"), (&again, "send_again", "failed"), (&gone, "let_go", "failed")] {
        let answer = rule(&server, id, &json!({"ruling": ruling, "evidence": format!(" {SEEN} ")})).await;
        let body = answer.json();
        assert_eq!((answer.status, &body["id"], &body["delivery"]), (StatusCode::OK, &json!(id), &json!(expect)), "{ruling}: {body}");
        assert!(body["because"].as_str().unwrap().contains(SEEN), "{ruling}: {body}");
        assert_eq!(body["again"].is_string(), ruling == "send_again", "{ruling}: {body}");
        if let Some(fresh) = body["again"].as_str() {
            let made = server.get(&format!("/v1/messages/{fresh}")).await.json();
            assert_eq!((&made["delivery"], &made["labels"]["order"]), (&json!("queued"), &json!("#1043")), "a new text about the same: {made}");
        }
        let story = server.get(&format!("/v1/messages/{id}")).await.json();
        assert!(story["timeline"].as_array().unwrap().iter().any(|step| step["kind"] == "ruled"), "{story}");
        let twice = rule(&server, id, &json!({"ruling": ruling, "evidence": SEEN})).await;
        assert_eq!((twice.status, twice.json()["code"].as_str()), (StatusCode::CONFLICT, Some("not_unclear")), "{}", twice.text);
        assert!(twice.json()["detail"].as_str().unwrap().contains(expect), "{}", twice.text);
    }
    let trail = trail(&server).await;
    assert_eq!(trail.len(), 3, "each once: {trail:?}");
    for (entry, id, did) in [(&trail[0], &gone, "let it go: "), (&trail[1], &again, "send again, as msg_"), (&trail[2], &arrived, "it arrived: ")] {
        assert!(entry.starts_with("key ") && entry.contains(&format!(" ruled {id}: {did}")) && entry.ends_with(&format!(": {SEEN}")), "{entry}");
    }
}

#[tokio::test]
async fn a_ruling_that_is_not_one_changes_nothing() {
    let server = Server::new().await;
    let id = unclear(&server, "a", "#1042").await;
    for (name, body, field) in [
        ("nothing said", json!({"ruling": "arrived"}), "evidence"),
        ("an empty word", json!({"ruling": "arrived", "evidence": ""}), "evidence"),
        ("space", json!({"ruling": "arrived", "evidence": " \u{a0}"}), "evidence"),
        ("two lines", json!({"ruling": "arrived", "evidence": "one\ntwo"}), "evidence"),
        ("too much", json!({"ruling": "arrived", "evidence": "é".repeat(501)}), "evidence"),
        ("a number", json!({"ruling": "arrived", "evidence": 7}), "evidence"),
        ("no ruling", json!({"evidence": SEEN}), "ruling"),
        ("an unknown ruling", json!({"ruling": "maybe", "evidence": SEEN}), "ruling"),
        ("an unknown field", json!({"ruling": "arrived", "evidence": SEEN, "colour": "red"}), "colour"),
        ("a list", json!(["arrived", SEEN]), ""),
    ] {
        let answer = rule(&server, &id, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", answer.text);
        let fields = answer.fields();
        // What is missing is a fault of the whole.
        assert!(fields == [field] || (body.get(field).is_none() && fields == [""]), "{name}: {fields:?}");
    }
    let fine = json!({"ruling": "let_go", "evidence": "é".repeat(500)});
    for missing in ["msg_nope", "x"] {
        let answer = rule(&server, missing, &fine).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("no_such_message")), "{}", answer.text);
    }
    let queued = text(&server, "b", AWAKE, "otp", "#1043").await;
    let early = rule(&server, &queued, &fine).await;
    assert_eq!((early.status, early.json()["code"].as_str()), (StatusCode::CONFLICT, Some("not_unclear")), "{}", early.text);
    assert!(early.json()["detail"].as_str().unwrap().contains("queued"), "{}", early.text);
    assert!(trail(&server).await.is_empty() && delivery(&server, &id).await == "unknown");
    assert_eq!(rule(&server, &id, &fine).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_operator_decides_about_unclear_texts_on_record() {
    let (server, cookie) = signed_in().await;
    let empty = page(&server, "/unclear", &cookie).await.text;
    assert!(empty.contains("No text is unclear") && !empty.contains("badge unsure"), "{empty}");
    let first = unclear(&server, "a", "#1042").await;
    server.clock.advance(Span::mins(1));
    let second = unclear(&server, "b", "#1043").await;
    let third = unclear(&server, "c", "#1044").await;
    let shown = page(&server, "/unclear", &cookie).await.text;
    for said in ["<span class=\"badge unsure\">3</span>", "no answer within 10s", "not yet; next at <time", "if the first one arrives after all, she has two"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(shown.find("#1042").unwrap() < shown.find("#1043").unwrap(), "the oldest first");
    assert!(!shown.contains("4155550123"), "{shown}");
    let of_first = format!("/messages/{first}/ruling");
    assert!(shown.contains(&format!("action=\"{of_first}\"")));

    let form = [("ruling", "arrived"), ("evidence", "SM1 is delivered\r\nfor +14155550123")];
    assert_eq!(post(&server, &of_first, &cookie, &form, "http://evil.example").await.status, StatusCode::FORBIDDEN);
    assert_eq!(location(&post(&server, &of_first, "", &form, ORIGIN).await), "/signin");
    for (fields, word) in [([("ruling", "arrived"), ("evidence", " \r\n ")], "evidence"), ([("ruling", "maybe"), ("evidence", SEEN)], "nothing")] {
        let after = format!("/unclear?ruled={word}&about={first}");
        assert_eq!(location(&post(&server, &of_first, &cookie, &fields, ORIGIN).await), after);
        assert!(page(&server, &after, &cookie).await.text.contains("Nothing was decided"), "{word}");
    }
    assert!(trail(&server).await.is_empty());

    let after = format!("/unclear?ruled=arrived&about={first}");
    assert_eq!(location(&post(&server, &of_first, &cookie, &form, ORIGIN).await), after);
    let rest = page(&server, &after, &cookie).await.text;
    assert!(rest.contains("counts as arrived now") && !rest.contains("#1042") && rest.contains("#1043"), "{rest}");
    let late = format!("/unclear?ruled=known&about={first}");
    assert_eq!(location(&post(&server, &of_first, &cookie, &form, ORIGIN).await), late);
    assert!(page(&server, &late, &cookie).await.text.contains("is not unclear any more"));

    let story = page(&server, &format!("/messages/{second}"), &cookie).await.text;
    assert!(story.contains("Send again</button>"), "{story}");
    let again = [("ruling", "send_again"), ("evidence", SEEN), ("back", "message")];
    let sent = post(&server, &format!("/messages/{second}/ruling"), &cookie, &again, ORIGIN).await;
    let place = location(&sent).to_owned();
    assert!(place.starts_with(&format!("/messages/{second}?ruled=send_again&again=msg_")), "{place}");
    let fresh = place.rsplit('=').next().unwrap();
    let told = page(&server, &place, &cookie).await.text;
    assert!(told.contains("It is sent again as") && told.matches(&format!("href=\"/messages/{fresh}\"")).count() >= 2 && !told.contains("Send again</button>"), "{told}");
    assert!(told.contains("operator ada had it sent again"), "{told}");

    let gone = [("ruling", "let_go"), ("evidence", SEEN)];
    assert_eq!(location(&post(&server, &format!("/messages/{third}/ruling"), &cookie, &gone, ORIGIN).await), format!("/unclear?ruled=let_go&about={third}"));
    assert!(page(&server, "/unclear", &cookie).await.text.contains("No text is unclear"));
    assert_eq!(post(&server, "/messages/msg_nope/ruling", &cookie, &gone, ORIGIN).await.status, StatusCode::NOT_FOUND);
    let trail = trail(&server).await;
    let expect = [
        format!("operator ada ruled {third}: let it go: {SEEN}"),
        format!("operator ada ruled {second}: send again, as {fresh}: {SEEN}"),
        format!("operator ada ruled {first}: it arrived: SM1 is delivered for +14155550123"),
    ];
    assert_eq!(trail, expect);
    let audit = page(&server, "/audit", &cookie).await.text;
    assert!(audit.contains("ruled on") && audit.contains("It arrived: SM1 is delivered for +141") && !audit.contains("4155550123"), "{audit}");
}

#[tokio::test]
async fn a_long_list_shows_the_oldest_and_stays_small() {
    let (server, cookie) = signed_in().await;
    for n in 0..22 {
        unclear(&server, &format!("k{n}"), &format!("#{}", 2_000 + n)).await;
        server.clock.advance(Span::secs(1));
    }
    let shown = page(&server, "/unclear", &cookie).await.text;
    assert_eq!(shown.matches("<form class=\"ruling\"").count(), 20);
    assert!(shown.contains("#2000") && shown.contains("#2019") && !shown.contains("#2020"), "the oldest first");
    assert!(shown.contains("<span class=\"badge unsure\">22</span>") && shown.contains("/messages?state=unknown"));
    assert!(shown.len() < LARGEST, "{} bytes", shown.len());
}
