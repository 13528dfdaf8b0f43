//! Requests, responses and failures as values.
//!
//! Its own file because the phase of a failure decides whether a text may be tried again: everything up to the
//! first byte of the request is definite, everything after is not. The client that makes the calls lives elsewhere,
//! and so does the clock: a date in an answer is turned into a length of time before it gets here.

use std::fmt;

use bytes::Bytes;
use trunkline_core::time::Span;

/// A call to make.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: ::http::Method,
    /// The whole URL.
    pub url: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the whole call may take, in real time.
    pub timeout: Span,
}

impl fmt::Debug for Request {
    /// Never the headers or the body: they hold credentials and texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, self.url.split('?').next().unwrap_or_default(), self.body.len())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, capped.
    pub body: Bytes,
}

impl Response {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// `Retry-After` in seconds; whoever made the call has turned a date into the seconds until then.
    pub fn retry_after(&self) -> Option<Span> {
        let secs: i64 = self.header("retry-after")?.trim().parse().ok()?;
        Some(Span::secs(secs.clamp(0, 86_400)))
    }
}

/// How far a call got before it failed. Where that is not certain, it is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding the address, or making sense of the URL: nobody was called.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The connection turned out dead before a byte of this request was written: mostly one that had been idle.
    Begin,
    /// Some of the request was written, and it is not known to be all.
    Write,
    /// The request was written, and no byte of an answer came.
    Wait,
    /// An answer began, and was cut or is too large.
    Read,
}

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct TransportError {
    /// How far it got.
    pub phase: Phase,
    /// What happened.
    pub detail: String,
}

impl TransportError {
    /// Whether the other side may have got the request.
    pub fn may_have_arrived(&self) -> bool {
        match self.phase {
            Phase::Resolve | Phase::Connect | Phase::Tls | Phase::Begin => false,
            Phase::Write | Phase::Wait | Phase::Read => true,
        }
    }
}

/// What a call came to.
pub type Reply = Result<Response, TransportError>;
