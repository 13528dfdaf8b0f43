//! A fake CRM: records that are written whole, the latest value winning, and every write remembered.
//!
//! Its own file because it is the measure of write-back: what it holds at the end must be what Trunkline knows. It
//! has no schema, and it never changes a record itself.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::RngCore;
use serde::Serialize;
use serde_json::{Value, json};
use trunkline_connectors::http::Request;
use trunkline_core::time::Time;

use crate::faults::Faults;
pub use crate::outgoing::Answer;
use crate::outgoing::hit;

/// What a caller must present as its bearer token.
pub const TOKEN: &str = "crm-sandbox-token";

/// One write of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Write {
    /// When.
    pub at: Time,
    /// What was written.
    pub body: Value,
}

/// The fake CRM.
#[derive(Debug, Default)]
pub struct Crm {
    records: BTreeMap<String, Value>,
    history: BTreeMap<String, Vec<Write>>,
    writes: u64,
    finals: usize,
    /// The records whose latest write was answered with success and dropped.
    lied: BTreeSet<String>,
}

/// The delivery states that nothing follows but a correction.
const FINAL: [&str; 6] = ["delivered", "undelivered", "suppressed", "expired", "canceled", "failed"];

fn is_final(record: &Value) -> bool {
    record.get("delivery").and_then(Value::as_str).is_some_and(|word| FINAL.contains(&word))
}

impl Crm {
    /// A CRM without records.
    pub fn new() -> Crm {
        Crm::default()
    }

    /// Answers `PUT` and `GET` of `/crm/records/{kind}/{key}`.
    pub fn call(&mut self, now: Time, request: &Request, faults: &Faults, rng: &mut dyn RngCore) -> Answer {
        let throttle = hit(rng, faults.crm_throttle_permille);
        let conflict = hit(rng, faults.crm_conflict_permille);
        // No dice unless asked: the worlds of the simulation never ask, and their seeds must stay what they are.
        let error = faults.crm_error_permille > 0 && hit(rng, faults.crm_error_permille);
        let lie = faults.crm_lie_permille > 0 && hit(rng, faults.crm_lie_permille);
        if faults.crm_down {
            return Answer::Refuse;
        }
        if !signed_in(request) {
            return problem(401, "the bearer token is missing or wrong");
        }
        let Some(key) = record_key(&request.url) else { return problem(404, "there is no such resource") };
        if throttle {
            return problem(429, "too many requests").with_header("retry-after", "1");
        }
        if error {
            return problem(500, "something broke on this side, and the record is as it was");
        }
        match request.method.as_str() {
            "GET" => self.records.get(&key).map_or_else(|| problem(404, "there is no such record"), |record| Answer::json(200, record)),
            "PUT" if conflict => problem(409, "somebody else is writing this record"),
            "PUT" if lie => self.lie(key, &request.body),
            "PUT" => self.write(now, key, &request.body),
            _ => problem(405, "records are read with GET and written with PUT"),
        }
    }

    /// Every record as it is now, by kind and key: `messages/msg_…`.
    pub fn records(&self) -> &BTreeMap<String, Value> {
        &self.records
    }

    /// Every write of one record, in order.
    pub fn writes(&self, record: &str) -> &[Write] {
        self.history.get(record).map(Vec::as_slice).unwrap_or_default()
    }

    /// How often records were written.
    pub fn total_writes(&self) -> u64 {
        self.writes
    }

    /// How many records are about texts that came to an end.
    pub fn finals(&self) -> usize {
        self.finals
    }

    /// Whether the latest write of a record was answered with success and dropped. Nobody outside can see that; what is
    /// written next carries the whole record again.
    pub fn lied(&self, record: &str) -> bool {
        self.lied.contains(record)
    }

    fn lie(&mut self, key: String, body: &[u8]) -> Answer {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return problem(400, "the body is not JSON") };
        self.lied.insert(key);
        Answer::json(200, &value)
    }

    fn write(&mut self, now: Time, key: String, body: &[u8]) -> Answer {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return problem(400, "the body is not JSON") };
        self.lied.remove(&key);
        self.history.entry(key.clone()).or_default().push(Write { at: now, body: value.clone() });
        self.writes += 1;
        self.finals += usize::from(is_final(&value));
        let before = self.records.insert(key, value.clone());
        self.finals -= usize::from(before.as_ref().is_some_and(is_final));
        Answer::json(if before.is_some() { 200 } else { 201 }, &value)
    }
}

fn signed_in(request: &Request) -> bool {
    let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    given.and_then(|(_, value)| value.split_once(' ')).is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.trim() == TOKEN)
}

/// `{kind}/{key}` with its escapes undone.
fn record_key(url: &str) -> Option<String> {
    let uri: ::http::Uri = url.parse().ok()?;
    match uri.path().split('/').collect::<Vec<_>>().as_slice() {
        ["", "crm", "records", kind, key] if !kind.is_empty() && !key.is_empty() => Some(format!("{}/{}", unescaped(kind), unescaped(key))),
        _ => None,
    }
}

/// A path segment, whose escapes are those of a form except for `+`, `&` and `=`, which stand for themselves.
fn unescaped(segment: &str) -> String {
    let as_form = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(as_form.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn problem(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"error": message}))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;
    use trunkline_core::time::Span;

    use super::*;

    const URL: &str = "http://127.0.0.1:9000/crm/records/addresses/%2B14155550123";

    fn request(method: ::http::Method, url: &str, body: &str) -> Request {
        let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
        Request { method, url: url.to_owned(), headers, body: Bytes::from(body.to_owned()), timeout: Span::secs(10) }
    }

    fn status(crm: &mut Crm, request: &Request, faults: &Faults) -> u16 {
        match crm.call(Time(1_795_000_000_000_000), request, faults, &mut ChaCha8Rng::seed_from_u64(1)) {
            Answer::Reply(response) => response.status,
            Answer::Hang => 0,
            Answer::Refuse => 1,
        }
    }

    #[test]
    fn the_latest_write_wins_and_all_are_remembered() {
        let (mut crm, faults) = (Crm::new(), Faults::default());
        assert_eq!(status(&mut crm, &request(::http::Method::GET, URL, ""), &faults), 404);
        assert_eq!(status(&mut crm, &request(::http::Method::PUT, URL, "{\"consent\": \"yes\"}"), &faults), 201);
        assert_eq!(status(&mut crm, &request(::http::Method::PUT, URL, "{\"consent\": \"no\"}"), &faults), 200);
        assert_eq!(status(&mut crm, &request(::http::Method::GET, URL, ""), &faults), 200);
        assert_eq!(crm.records().get("addresses/+14155550123"), Some(&json!({"consent": "no"})));
        assert_eq!(crm.writes("addresses/+14155550123").iter().map(|w| w.body["consent"].clone()).collect::<Vec<_>>(), ["yes", "no"]);
        assert!(crm.writes("addresses/other").is_empty());
    }

    #[test]
    fn refuses_what_it_cannot_take() {
        let (mut crm, faults) = (Crm::new(), Faults::default());
        let put = request(::http::Method::PUT, URL, "{}");
        assert_eq!(status(&mut crm, &Request { headers: Vec::new(), ..put.clone() }, &faults), 401);
        assert_eq!(status(&mut crm, &request(::http::Method::PUT, URL, "{"), &faults), 400);
        assert_eq!(status(&mut crm, &request(::http::Method::PUT, "http://127.0.0.1:9000/crm/records/addresses", "{}"), &faults), 404);
        assert_eq!(status(&mut crm, &request(::http::Method::DELETE, URL, ""), &faults), 405);
        for (faults, expect) in [
            (Faults { crm_down: true, ..Faults::default() }, 1),
            (Faults { crm_throttle_permille: 1_000, ..Faults::default() }, 429),
            (Faults { crm_conflict_permille: 1_000, ..Faults::default() }, 409),
            (Faults { crm_error_permille: 1_000, ..Faults::default() }, 500),
            (Faults { crm_lie_permille: 1_000, ..Faults::default() }, 200),
        ] {
            assert_eq!(status(&mut crm, &put, &faults), expect);
        }
        assert!(crm.records().is_empty());
    }

    #[test]
    fn undoes_escapes_of_paths_not_of_forms() {
        assert_eq!(unescaped("msg%3Aabc"), "msg:abc");
        assert_eq!(unescaped("a+b&c=d%20e"), "a+b&c=d e");
        assert_eq!(record_key("/crm/records/messages/msg_1"), Some("messages/msg_1".to_owned()));
        assert_eq!(record_key("/crm/records//msg_1"), None);
    }
}
