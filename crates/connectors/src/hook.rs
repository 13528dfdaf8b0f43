//! A raw webhook, and why one is refused.
//!
//! Its own file because providers and sources share it: the signature is checked over these very bytes and the
//! configured public URL, before anything is read.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A webhook as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHook {
    /// The method.
    pub method: String,
    /// The public URL, with its query as sent.
    pub url: String,
    /// Headers as received.
    pub headers: Vec<(String, String)>,
    /// The body, untouched.
    pub body: Bytes,
}

impl RawHook {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.url.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }
}

/// Why a webhook is refused; recorded, shown, and never explained to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refused {
    /// A header that the scheme needs is missing.
    #[error("the header {header} is missing")]
    MissingHeader {
        /// The header.
        header: String,
    },
    /// The signature does not match.
    #[error("the signature does not match; check the secret, and that public_url is exactly what the sender calls")]
    BadSignature,
    /// The body's digest does not match.
    #[error("the body does not match its digest")]
    BadDigest,
    /// No secret is configured for the algorithm.
    #[error("no secret is configured for {algorithm}")]
    NoSecret {
        /// The algorithm the sender used.
        algorithm: String,
    },
    /// Sent too long ago.
    #[error("it was sent at {at}, longer ago than max_age")]
    Stale {
        /// When it says it was sent.
        at: String,
    },
    /// The body is over the cap.
    #[error("the body is larger than {cap} bytes")]
    TooLarge {
        /// The cap.
        cap: usize,
    },
}

/// Whether `signature` is the base64 HMAC of `message` under any of the secrets; constant time for each.
pub fn hmac_matches(algorithm: hmac::Algorithm, secrets: &[&str], message: &[u8], signature: &str) -> bool {
    let Ok(given) = base64::engine::general_purpose::STANDARD.decode(signature.trim()) else { return false };
    secrets.iter().any(|secret| hmac::verify(&hmac::Key::new(algorithm, secret.as_bytes()), message, &given).is_ok())
}

/// The base64 HMAC of `message`.
pub fn hmac_base64(algorithm: hmac::Algorithm, secret: &str, message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message);
    base64::engine::general_purpose::STANDARD.encode(tag)
}

/// The lower-case hex SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}
