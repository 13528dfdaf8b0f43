//! The console: sign-in, throttling, forgery, pages and their headers.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use trunkline_store::Command;
use trunkline_store::row::Operator;

use crate::support::{Answer, Server};

const PASSWORD: &str = "correct horse battery";

async fn with_operator() -> Server {
    let server = Server::new().await;
    let password = trunkline_web::console::hash_password(PASSWORD).unwrap();
    server.put(Command::PutOperator(Operator { name: "ada".into(), password })).await;
    server
}

async fn sign_in(server: &Server, password: &str, origin: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("name", "ada").append_pair("password", password).append_pair("next", "/").finish();
    let request = Request::post("/signin").header("content-type", "application/x-www-form-urlencoded").header("host", "console.example").header("origin", origin);
    server.ask(request.body(Body::from(form)).unwrap()).await
}

async fn page(server: &Server, path: &str, cookie: &str) -> Answer {
    server.ask(Request::get(path).header("accept", "text/html").header("cookie", cookie).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn pages_need_a_session() {
    let server = with_operator().await;
    let away = page(&server, "/", "").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER);
    assert!(away.headers["location"].to_str().unwrap().starts_with("/signin"));
    let signed = sign_in(&server, PASSWORD, "http://console.example").await;
    assert_eq!(signed.status, StatusCode::SEE_OTHER, "{}", signed.text);
    let cookie = signed.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let sent = server.send("k", &json!({"to": "+14155550123", "body": "Hi", "purpose": "otp", "labels": {"order": "#1042"}})).await.json();
    let id = sent["id"].as_str().unwrap();
    for path in ["/", "/messages", &format!("/messages/{id}"), "/search?q=1042&all=1"] {
        let shown = page(&server, path, cookie).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        assert!(shown.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert!(!shown.text.contains("4155550123"), "{path} shows a number");
        assert!(shown.text.contains("</html>"), "{path}");
    }
    let found = page(&server, "/search?q=%231042", cookie).await;
    assert_eq!((found.status, found.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, format!("/messages/{id}").as_str()));
    assert_eq!(page(&server, "/messages/msg_nope", cookie).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn forged_and_guessed_sign_ins_fail() {
    let server = with_operator().await;
    assert_eq!(sign_in(&server, PASSWORD, "http://evil.example").await.status, StatusCode::FORBIDDEN);
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        let refused = sign_in(&server, "wrong", "http://console.example").await;
        assert!(refused.headers.get("set-cookie").is_none());
        last = refused.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "guessing is slowed down");
    assert_eq!(sign_in(&server, PASSWORD, "http://console.example").await.status, StatusCode::TOO_MANY_REQUESTS, "even with the right one, until the time is over");
    server.clock.advance(trunkline_core::time::Span::hours(1));
    assert_eq!(sign_in(&server, PASSWORD, "http://console.example").await.status, StatusCode::SEE_OTHER);
}
