//! What the fakes hand out: answers, hooks to send later, records of what they saw; and the dice they all roll.
//!
//! Its own file because vendor, shop and CRM share it. It sends nothing: whoever owns the fakes does that, at the
//! hook's time.

use bytes::Bytes;
use rand_core::RngCore;
use serde::Serialize;
use serde_json::Value;
use trunkline_connectors::http::Response;
use trunkline_core::time::{Span, Time};

/// What the caller of a fake sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Reply(Response),
    /// The request was read to the end and is never answered.
    Hang,
    /// The connection was refused: nothing was read.
    Refuse,
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Answer {
        Answer::Reply(Response { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: Bytes::from(body.to_string()) })
    }

    /// The same answer with one more header.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Reply(response) = &mut self {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// What the caller sees.
    pub answer: Answer,
    /// What happens later because of it.
    pub effects: Vec<Effect>,
}

impl Called {
    /// An answer that nothing follows from.
    pub(crate) fn only(answer: Answer) -> Called {
        Called { answer, effects: Vec::new() }
    }
}

/// Something that happens later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A signed webhook.
    Hook(OutgoingHook),
}

/// A webhook to be sent: always a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingHook {
    /// When it is first sent, in business time.
    pub at: Time,
    /// Where to, with its query.
    pub url: String,
    /// Its headers, signature included.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl OutgoingHook {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A text on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneText {
    /// When it reaches the phone.
    pub at: Time,
    /// The phone.
    pub phone: String,
    /// Who it is from.
    pub sender: String,
    /// The text.
    pub body: String,
    /// The vendor's id.
    pub vendor_id: String,
    /// Our attempt, as named by the callback's URL.
    pub attempt: Option<String>,
    /// When the vendor took it.
    pub accepted_at: Time,
    /// Whether it is the vendor's own answer to a keyword.
    pub vendor_own: bool,
}

/// A call that the vendor took, whatever the caller saw of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedCall {
    /// Our attempt, as named by the callback's URL.
    pub attempt: Option<String>,
    /// The vendor's id.
    pub vendor_id: String,
    /// When.
    pub at: Time,
    /// The recipient.
    pub phone: String,
    /// The SHA-256 of the request's body.
    pub request_sha256: String,
}

/// A text that a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonText {
    /// When.
    pub at: Time,
    /// The person's phone.
    pub phone: String,
    /// The sender it was sent to.
    pub sender: String,
    /// The text.
    pub body: String,
    /// The vendor's id.
    pub vendor_id: String,
}

/// What a person asked for with a keyword.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// When the person sent it.
    pub at: Time,
    /// The person's phone.
    pub phone: String,
    /// The sender it was sent to.
    pub sender: String,
    /// Whether the vendor understood it. It only knows the bare word: of "Stop!" it takes no notice, and then it is
    /// up to us alone to honour it.
    pub by_vendor: bool,
}

/// Whether something that happens so many times in a thousand happens now. It rolls even when the answer is
/// certain, so that turning one fault off leaves the dice of all others as they were.
pub(crate) fn hit(rng: &mut dyn RngCore, permille: u32) -> bool {
    rng.next_u64() % 1_000 < u64::from(permille)
}

/// A number below `bound`; 0 if the bound is 0.
pub(crate) fn below(rng: &mut dyn RngCore, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

/// A length of time between two others, to the millisecond.
pub(crate) fn between(rng: &mut dyn RngCore, shortest_ms: u64, longest_ms: u64) -> Span {
    let width = longest_ms.saturating_sub(shortest_ms).saturating_add(1);
    span_of_millis(shortest_ms.saturating_add(below(rng, width)))
}

/// So many milliseconds, and at most thirty days of them.
pub(crate) fn span_of_millis(millis: u64) -> Span {
    Span::millis(i64::try_from(millis.min(2_592_000_000)).unwrap_or(0))
}

/// So many random bytes in lower-case hex.
pub(crate) fn hex(rng: &mut dyn RngCore, bytes: usize) -> String {
    let mut raw = vec![0_u8; bytes];
    rng.fill_bytes(&mut raw);
    raw.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

/// Sixteen random bytes in the shape of a uuid.
pub(crate) fn uuid_like(rng: &mut dyn RngCore) -> String {
    let mut out = String::new();
    for (at, digit) in hex(rng, 16).chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn dice_are_fair_at_the_ends() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!((0..500).all(|_| !hit(&mut rng, 0) && hit(&mut rng, 1_000)));
        assert_eq!(below(&mut rng, 0), 0);
        for _ in 0..500 {
            let span = between(&mut rng, 5, 7);
            assert!(span >= Span::millis(5) && span <= Span::millis(7), "{span}");
        }
        assert_eq!(between(&mut rng, 9, 3), Span::millis(9));
        assert_eq!(span_of_millis(u64::MAX), Span::hours(720));
    }

    #[test]
    fn the_same_seed_says_the_same() {
        let said = |seed: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (hex(&mut rng, 4), uuid_like(&mut rng))
        };
        assert_eq!(said(7), said(7));
        assert_ne!(said(7), said(8));
        assert_eq!(said(7).0.len(), 8);
        assert_eq!(said(7).1.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
