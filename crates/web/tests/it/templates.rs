//! Templates: what texts cost is shown to who is signed in, and follows a draft that is never kept.

use axum::http::StatusCode;

use crate::console::{page, signed_in};

#[tokio::test]
async fn texts_say_what_they_cost() {
    let (server, cookie) = signed_in().await;
    assert_eq!(page(&server, "/templates", "").await.status, StatusCode::SEE_OTHER);
    let listed = page(&server, "/templates", &cookie).await.text;
    assert!(listed.contains("href=\"/templates/order_confirmed\"") && listed.contains("es: GSM-7, 1 segment"), "{listed}");
    let shown = page(&server, "/templates/order_shipped?locale=fr", &cookie).await.text;
    assert!(shown.contains("en route avec") && shown.contains("aria-current=\"true\">fr</a>"), "{shown}");
    assert!(shown.contains("everywhere else, twilio") && shown.contains("0.014 USD"), "{shown}");
    for (path, words) in [
        ("/templates/order_shipped?text=It%E2%80%99s+here", "(U+2019) in line 1, column 3 turns it to UCS-2"),
        ("/templates/order_shipped?text=Hi+%7B%7B+event.data.colour+%7D%7D", "40 characters are guessed for event.data.colour"),
        ("/templates/order_shipped?text=Hi+%7B%7B+event.", "This text cannot be read"),
        ("/templates/order_shipped?text=a%0D%0Ab", "At worst: 1 segment, GSM-7, 3 septets."),
    ] {
        let counted = page(&server, path, &cookie).await;
        assert!(counted.status == StatusCode::OK && counted.text.contains(words), "{path}: {}", counted.text);
    }
    for path in ["/templates/nope", "/templates/order_shipped?locale=xx"] {
        assert_eq!(page(&server, path, &cookie).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
