//! Reports of chaos: shown to who is signed in, from whatever keeps them.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::console::{LARGEST, page, signed_in};

#[tokio::test]
async fn reports_of_chaos_are_shown() {
    let (server, cookie) = signed_in().await;
    assert_eq!(page(&server, "/chaos", "").await.status, StatusCode::SEE_OTHER);
    let empty = page(&server, "/chaos", &cookie).await;
    assert!(empty.status == StatusCode::OK && empty.text.contains("Nothing was broken on purpose yet"), "{}", empty.text);
    let check = json!({"what": "texts that came twice", "expected": "0", "measured": "1", "ok": false, "evidence": ["it says the same on +14155550123 twice"]});
    let report = json!({
        "scenario": "crm-down", "description": "The CRM is down.", "started_at": "2026-11-23T08:00:00Z", "seconds": 71.4, "orders": 60, "texts": 60, "phases": [], "checks": [check], "ok": false,
    });
    let reports: trunkline_web::Reports = Arc::new(move || vec![("a-crm-down".to_owned(), report.clone()), ("b".to_owned(), json!({}))]);
    for (path, status, words) in [
        ("/chaos", StatusCode::OK, "<a href=\"/chaos/a-crm-down\">crm-down</a>"),
        ("/chaos/a-crm-down", StatusCode::OK, "Expected 0, measured 1."),
        ("/chaos/b", StatusCode::NOT_FOUND, "There is no such report"),
    ] {
        let router = trunkline_web::router_with(&server.engine, false, None, Some(reports.clone()));
        let request = Request::get(path).header("accept", "text/html").header("cookie", &cookie).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let shown = to_bytes(response.into_body(), LARGEST).await.unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(shown.contains(words) && !shown.contains("4155550123"), "{path}: {shown}");
    }
}
