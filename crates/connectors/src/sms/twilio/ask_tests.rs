//! Twilio's lists as its API description has them, and what is made of them. Apart from `ask.rs` because of its length.

use serde_json::{Value, json};
use trunkline_core::id::{AttemptId, MessageId};
use trunkline_core::message::Evidence;

use super::*;
use crate::hook::RawHook;
use crate::http::{Phase, Response, TransportError};
use crate::sms::Provider;
use crate::sms::ask::Resolution;

const PHONE: &str = "+14155550123";
const SENDER: &str = "+15005550006";
const LIST: &str = "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json";

fn account() -> Twilio {
    Twilio {
        name: "main".into(),
        account_sid: "AC00000000000000000000000000000000".into(),
        auth_tokens: vec!["secret".into()],
        shared_keys: vec![],
        base_url: "https://api.twilio.com/".into(),
        timeout: Span::secs(10),
    }
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// Claimed at nine seconds past eight.
fn sent() -> Sent<'static> {
    let attempt = AttemptId { message: MessageId::new(7, Time(1_795_000_000_000_000), [3; 16]), n: 1 };
    Sent { attempt, to: PHONE, from: SENDER, body: "Hi & hello", claimed_at: at("2026-11-23T08:00:09.5Z") }
}

/// A text of ours with this id that was made at this time of the same day, with some fields changed.
fn message(id: u32, time: &str, changes: &Value) -> Value {
    let sid = format!("SM{id:032}");
    let date = format!("Mon, 23 Nov 2026 {time} +0000");
    let uri = LIST.replace("Messages.json", &format!("Messages/{sid}"));
    let mut message = json!({
        "account_sid": "AC00000000000000000000000000000000",
        "api_version": "2010-04-01",
        "body": "Hi & hello",
        "date_created": date,
        "date_sent": date,
        "date_updated": date,
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": SENDER,
        "messaging_service_sid": null,
        "num_media": "0",
        "num_segments": "1",
        "price": null,
        "price_unit": "USD",
        "sid": sid,
        "status": "delivered",
        "subresource_uris": {"media": format!("{uri}/Media.json")},
        "to": PHONE,
        "uri": format!("{uri}.json"),
    });
    for (name, value) in changes.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

#[expect(clippy::unnecessary_wraps, reason = "beside it stand replies that are errors")]
fn answer(status: u16, body: &str) -> Reply {
    Ok(Response { status, headers: vec![("retry-after".into(), "7".into())], body: Bytes::from(body.to_owned()) })
}

fn page(messages: &[Value], next: Option<&str>) -> Reply {
    let first = format!("{LIST}?PageSize=1000&Page=0");
    let page = json!({
        "end": messages.len().saturating_sub(1),
        "first_page_uri": first,
        "messages": messages,
        "next_page_uri": next,
        "page": 0,
        "page_size": 1000,
        "previous_page_uri": null,
        "start": 0,
        "uri": first,
    });
    answer(200, &page.to_string())
}

fn ids(looked: &Looked) -> Vec<u32> {
    let Looked::Found(found) = looked else { panic!("{looked:?}") };
    found.iter().map(|candidate| candidate.vendor_id.trim_start_matches("SM").parse().unwrap()).collect()
}

#[test]
fn asks_for_the_texts_between_two_numbers() {
    let request = account().look_up(&sent()).unwrap();
    assert_eq!(request.url, format!("https://api.twilio.com{LIST}?To=%2B14155550123&From=%2B15005550006&PageSize=50"));
    assert_eq!((request.method, request.body), (::http::Method::GET, Bytes::new()));
    assert!(request.headers.contains(&("authorization".into(), "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ=".into())));
    assert_eq!(account().resolution(), Resolution::Heuristic { lag: Span::secs(30) });
}

#[test]
fn finds_the_text_by_its_words_and_its_time() {
    let messages = [
        message(1, "08:00:10", &json!({"status": "queued", "date_sent": null, "from": null})),
        message(2, "08:10:09", &json!({"direction": "outbound-call"})),
        message(3, "07:59:10", &json!({"status": "undelivered", "error_code": 30005})),
        // Too late, too early, at no time, and other texts.
        message(4, "08:10:10", &json!({})),
        message(5, "07:59:09", &json!({})),
        message(6, "08:00:10", &json!({"date_created": null})),
        message(7, "08:00:10", &json!({"body": "Hi & hello "})),
        message(8, "08:00:10", &json!({"body": null})),
        message(9, "08:00:10", &json!({"direction": "inbound"})),
        message(10, "08:00:10", &json!({"to": "+14155550124"})),
    ];
    let looked = account().looked(&sent(), &page(&messages, None));
    assert_eq!(ids(&looked), [2, 1, 3]);
    let Looked::Found(found) = looked else { panic!("found") };
    let facts: Vec<_> = found.iter().map(|c| (c.status.as_str(), c.evidence, c.vendor_code.as_str(), c.taken_at)).collect();
    let expect = [
        ("delivered", Some(Evidence::Delivered), "", Some(at("2026-11-23T08:10:09Z"))),
        ("queued", Some(Evidence::Accepted), "", Some(at("2026-11-23T08:00:10Z"))),
        ("undelivered", Some(Evidence::Undelivered), "30005", Some(at("2026-11-23T07:59:10Z"))),
    ];
    assert_eq!(facts, expect);
    assert_eq!(account().looked(&sent(), &page(&[], None)), Looked::Found(vec![]));
}

#[test]
fn anything_but_a_list_says_nothing() {
    let lost: Reply = Err(TransportError { phase: Phase::Wait, detail: "no answer in time".into() });
    for (reply, retry_after) in [
        (lost, None),
        (answer(429, "{\"code\": 20429, \"message\": \"Too Many Requests\", \"status\": 429}"), Some(Span::secs(7))),
        (answer(401, "{\"code\": 20003, \"message\": \"Authenticate\", \"status\": 401}"), Some(Span::secs(7))),
        (answer(503, ""), Some(Span::secs(7))),
        (answer(200, "<html>"), Some(Span::secs(7))),
        (answer(200, "{}"), Some(Span::secs(7))),
        (answer(206, "{\"messages\": []}"), Some(Span::secs(7))),
    ] {
        let Looked::Unavailable { cause, retry_after: looked } = account().looked(&sent(), &reply) else { panic!("{reply:?}") };
        let listed = account().listed(Listing::Inbound, Time(0), &reply).unwrap_err();
        assert_eq!((looked, listed.retry_after), (retry_after, retry_after), "{reply:?}");
        assert_eq!(cause, listed.cause);
    }
}

#[test]
fn asks_for_pages_of_its_own_account_only() {
    let url = |listing, page: Option<&str>| account().list(listing, at("2026-11-23T23:59:59Z"), page).map(|request| request.url);
    assert_eq!(url(Listing::Inbound, None), Some(format!("https://api.twilio.com{LIST}?DateSent%3E=2026-11-23&PageSize=200")));
    assert_eq!(url(Listing::Status, None), Some(format!("https://api.twilio.com{LIST}?PageSize=200")));
    let to_one = account().list_to(SENDER, at("2026-11-23T23:59:59Z")).unwrap().url;
    assert_eq!(to_one, format!("https://api.twilio.com{LIST}?To=%2B15005550006&DateSent%3E=2026-11-23&PageSize=200"));
    let path = format!("{LIST}?DateSent%3E=2026-11-23&PageSize=1000&Page=1&PageToken=PASM1");
    let whole = format!("https://api.twilio.com{path}");
    for second in [path.as_str(), whole.as_str()] {
        assert_eq!(url(Listing::Inbound, Some(second)).as_deref(), Some(whole.as_str()));
    }
    for elsewhere in [
        "https://evil.example/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json?Page=1",
        "https://api.twilio.com.evil.example/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json?Page=1",
        "//evil.example/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json?Page=1",
        "@evil.example/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json?Page=1",
        "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json?Page=1",
        "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json/../../Calls.json?Page=1",
        "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json",
        "",
    ] {
        assert_eq!(url(Listing::Inbound, Some(elsewhere)), None, "{elsewhere}");
        let next = account().listed(Listing::Inbound, Time(0), &page(&[], Some(elsewhere)));
        assert!(next.is_err() || elsewhere.is_empty(), "{elsewhere}");
    }
}

/// What the hook of the same fact says.
fn hooked(body: &str) -> Vec<Item> {
    account().parse(&RawHook { method: "POST".into(), url: "https://t.example/hooks/main".into(), headers: vec![], body: Bytes::from(body.to_owned()) }).unwrap()
}

#[test]
fn a_listed_text_is_a_copy_of_its_hook() {
    let inbound = json!({"direction": "inbound", "status": "received", "from": PHONE, "to": SENDER, "body": "STOP"});
    let messages = [
        message(1, "08:00:10", &inbound),
        message(2, "08:00:09", &json!({})),
        // The very second of `since`, of which it may be the first half or the second.
        message(3, "08:00:09", &inbound),
        message(4, "08:00:08", &inbound),
    ];
    let listed = account().listed(Listing::Inbound, at("2026-11-23T08:00:09.5Z"), &page(&messages, None)).unwrap();
    let hook = |id: u32, time: &str| {
        let hook = hooked(&format!("MessageSid=SM{id:032}&From=%2B14155550123&To=%2B15005550006&Body=STOP")).remove(0);
        Item { at: Some(at(time)), ..hook }
    };
    assert_eq!(listed, Page { items: vec![hook(1, "2026-11-23T08:00:10Z"), hook(3, "2026-11-23T08:00:09Z")], next: None });
}

#[test]
fn a_listed_state_is_a_copy_of_its_callback() {
    let messages = [
        message(1, "08:00:10", &json!({})),
        message(2, "08:00:10", &json!({"status": "undelivered", "error_code": 30005})),
        message(3, "08:00:10", &json!({"status": "failed", "error_code": 0, "date_sent": null})),
        message(4, "08:00:10", &json!({"status": "teleported"})),
        message(5, "08:00:10", &json!({"status": null})),
        message(6, "08:00:10", &json!({"direction": "inbound", "status": "received"})),
        message(7, "07:00:10", &json!({"status": "sent"})),
    ];
    let listed = account().listed(Listing::Status, at("2026-11-23T08:00:09.5Z"), &page(&messages, None)).unwrap();
    let callback = |id: u32, rest: &str| {
        let callback = hooked(&format!("MessageSid=SM{id:032}&MessageStatus={rest}")).remove(0);
        Item { at: Some(at(if id == 7 { "2026-11-23T07:00:10Z" } else { "2026-11-23T08:00:10Z" })), ..callback }
    };
    let items = vec![callback(1, "delivered"), callback(2, "undelivered&ErrorCode=30005"), callback(3, "failed"), callback(4, "teleported"), callback(7, "sent&ErrorCode=0")];
    assert_eq!(listed, Page { items, next: None });
}

#[test]
fn pages_end_where_the_gap_began() {
    let next = format!("{LIST}?PageSize=1000&Page=1&PageToken=PASM00000000000000000000000000000002");
    let ends = |time: &str, changes: &Value| {
        let messages = [message(1, "09:00:00", &json!({})), message(2, time, changes)];
        let of = |listing| account().listed(listing, at("2026-11-23T08:00:09.5Z"), &page(&messages, Some(next.as_str()))).unwrap().next;
        assert_eq!(of(Listing::Inbound), of(Listing::Status));
        of(Listing::Status) != Some(next.clone())
    };
    assert!(!ends("08:00:09", &json!({})));
    assert!(ends("08:00:08", &json!({})));
    assert!(ends("08:00:08", &json!({"date_sent": null})));
    // It was scheduled long before, and sent within the gap.
    assert!(!ends("08:00:08", &json!({"date_sent": "Mon, 23 Nov 2026 08:30:00 +0000"})));
    assert!(!ends("08:00:08", &json!({"date_sent": null, "date_created": "soon"})));
}
