//! Followers: systems that are told what happens to messages, by Standard Webhooks.
//!
//! Its own file because it is the one outgoing dialect that is not a vendor's: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` as <https://www.standardwebhooks.com> says, `v1` (HMAC-SHA256) and `v1a` (Ed25519). It builds
//! the request and reads the answer; it makes no call.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use trunkline_core::time::{Span, Time};

use crate::http::{Reply, Request};

/// A system that follows.
pub struct Follower {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// What it wants to hear of: `message.delivered`, or `message.*`.
    pub events: Vec<String>,
    /// The keys that sign, the newest first. While one is rotated out, both sign.
    pub keys: Vec<SigningKey>,
    /// Whether it may be on a private network.
    pub allow_private: bool,
    /// Whether it gets numbers in full.
    pub reveal_numbers: bool,
    /// How long one call may take, in real time.
    pub timeout: Span,
}

/// A key that signs what followers get.
pub enum SigningKey {
    /// `whsec_…`: both sides have it.
    Shared(Box<hmac::Key>),
    /// `whsk_…`: they have the public half.
    Private(Box<Ed25519KeyPair>),
}

/// Not a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a signing key: write whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key in base64; make one with 'trunkline keys signing'")]
pub struct KeyError;

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SigningKey::Shared(_) => "whsec_…",
            SigningKey::Private(_) => "whsk_…",
        })
    }
}

impl SigningKey {
    /// From its text form; a text without a prefix is a shared key.
    pub fn parse(secret: &SecretString) -> Result<SigningKey, KeyError> {
        let text = secret.expose_secret().trim();
        if let Some(rest) = text.strip_prefix("whsk_") {
            let bytes = STANDARD.decode(rest).map_err(|_| KeyError)?;
            // The seed, or the seed with the public half behind it.
            let (seed, public) = bytes.split_at_checked(32).ok_or(KeyError)?;
            let pair = match public {
                [] => Ed25519KeyPair::from_seed_unchecked(seed),
                public => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            };
            return pair.map(|pair| SigningKey::Private(Box::new(pair))).map_err(|_| KeyError);
        }
        let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| KeyError)?;
        if (24..=64).contains(&bytes.len()) { Ok(SigningKey::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))) } else { Err(KeyError) }
    }

    /// The text forms of a new pair from a random seed: the secret one, and the one that followers verify with.
    pub fn pair(seed: &[u8; 32]) -> Result<(String, String), KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError)?;
        Ok((format!("whsk_{}", STANDARD.encode(seed)), format!("whpk_{}", STANDARD.encode(pair.public_key().as_ref()))))
    }

    /// The text form of a new shared key.
    pub fn shared(bytes: &[u8; 32]) -> String {
        format!("whsec_{}", STANDARD.encode(bytes))
    }

    fn sign(&self, content: &[u8]) -> String {
        match self {
            SigningKey::Shared(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, content))),
            SigningKey::Private(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(content))),
        }
    }
}

/// What telling a follower came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It took it.
    Done,
    /// Not now.
    Retry {
        /// How long it asked us to wait.
        after: Option<Span>,
        /// What happened.
        cause: String,
    },
    /// Never: it does not want to be told any more.
    Gone,
}

/// How long to wait after so many tries: the schedule that Standard Webhooks recommends, about three days in all.
pub fn backoff(tries: u32) -> Option<Span> {
    const WAITS: [Span; 9] = [Span::secs(5), Span::mins(5), Span::mins(30), Span::hours(2), Span::hours(5), Span::hours(10), Span::hours(14), Span::hours(20), Span::hours(24)];
    usize::try_from(tries.checked_sub(1)?).ok().and_then(|n| WAITS.get(n)).copied()
}

impl Follower {
    /// Whether it wants to hear of this.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => pattern == kind,
        })
    }

    /// What is sent: type, time, data.
    pub fn body(&self, kind: &str, at: Time, data: &Value) -> String {
        json!({"type": kind, "timestamp": at, "data": data}).to_string()
    }

    /// The request that tells it, signed at `now`.
    pub fn request(&self, id: &str, body: &str, now: Time) -> Request {
        let timestamp = (now.0 / 1_000_000).to_string();
        let content = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(content.as_bytes())).collect();
        let headers =
            [("content-type", "application/json".to_owned()), ("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Request { method: ::http::Method::POST, url: self.url.clone(), headers, body: Bytes::from(body.to_owned()), timeout: self.timeout }
    }

    /// Reads the answer.
    pub fn told(&self, reply: &Reply) -> Told {
        match reply {
            Ok(response) if (200..300).contains(&response.status) => Told::Done,
            Ok(response) if response.status == 410 => Told::Gone,
            Ok(response) => Told::Retry { after: response.retry_after(), cause: format!("HTTP {}", response.status) },
            Err(error) => Told::Retry { after: None, cause: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Response;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    const VECTORS: &str = include_str!("../testdata/standard_webhooks.json");

    fn follower(keys: Vec<SigningKey>) -> Follower {
        Follower {
            name: "bi".into(),
            url: "https://bi.example/hooks".into(),
            events: vec!["message.*".into()],
            keys,
            allow_private: false,
            reveal_numbers: false,
            timeout: Span::secs(15),
        }
    }

    fn header(request: &Request, name: &str) -> String {
        request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
    }

    #[test]
    fn signs_as_the_reference_does() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let mut signed = 0;
        for case in vectors["cases"].as_array().unwrap().iter().filter(|c| c["secret"].is_string()) {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let key = SigningKey::parse(&text(&case["secret"]).into()).unwrap();
            let now = Time(text(&case["timestamp"]).parse::<i64>().unwrap() * 1_000_000);
            let request = follower(vec![key]).request(&text(&case["id"]), &text(&case["body"]), now);
            assert_eq!(header(&request, "webhook-signature"), text(&case["signature"]), "{}", case["id"]);
            assert_eq!(header(&request, "webhook-timestamp"), text(&case["timestamp"]));
            signed += 1;
        }
        assert_eq!(signed, 3);
    }

    #[test]
    fn signs_with_both_keys_while_one_is_rotated() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let case = &vectors["cases"].as_array().unwrap().iter().find(|c| c["public_key"].is_string()).unwrap().clone();
        let (secret, public) = SigningKey::pair(&[7; 32]).unwrap();
        let keys = vec![SigningKey::parse(&secret.into()).unwrap(), SigningKey::parse(&SigningKey::shared(&[1; 32]).into()).unwrap()];
        let request = follower(keys).request("msg_1", "{}", Time(1_000_000));
        let both = header(&request, "webhook-signature");
        let (ours, shared) = both.split_once(' ').unwrap();
        assert!(shared.starts_with("v1,"));
        let verify = |public: &str, content: &[u8], signature: &str| {
            let key = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
            let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
            UnparsedPublicKey::new(&ED25519, key).verify(content, &signature).is_ok()
        };
        assert!(verify(&public, b"msg_1.1.{}", ours) && !verify(&public, b"msg_1.2.{}", ours));
        // The published vector of the scheme verifies in the same way.
        let content = format!("{}.{}.{}", case["id"].as_str().unwrap(), case["timestamp"].as_str().unwrap(), case["body"].as_str().unwrap());
        assert!(verify(case["public_key"].as_str().unwrap(), content.as_bytes(), case["signature"].as_str().unwrap()));
    }

    #[test]
    fn keys_that_are_none() {
        for bad in ["", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "hello"] {
            assert!(SigningKey::parse(&bad.to_owned().into()).is_err(), "{bad}");
        }
        assert!(!format!("{:?}", SigningKey::parse(&SigningKey::shared(&[1; 32]).into()).unwrap()).contains("AQEB"));
    }

    #[test]
    fn hears_what_it_wants_and_answers() {
        let mut follower = follower(Vec::new());
        assert!(follower.wants("message.delivered") && !follower.wants("case.opened"));
        follower.events = vec!["message.delivered".into()];
        assert!(follower.wants("message.delivered") && !follower.wants("message.delivered2"));
        let of = |status: u16| follower.told(&Ok(Response { status, headers: vec![("retry-after".into(), "7".into())], body: Bytes::new() }));
        assert_eq!((of(204), of(410)), (Told::Done, Told::Gone));
        assert_eq!(of(503), Told::Retry { after: Some(Span::secs(7)), cause: "HTTP 503".into() });
        assert_eq!((backoff(1), backoff(9), backoff(10)), (Some(Span::secs(5)), Some(Span::hours(24)), None));
    }
}
