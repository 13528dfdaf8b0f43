//! Calls to other systems, with the phase of every failure.
//!
//! Its own file because what a failure means depends on how far the bytes got. The client repeats nothing and follows
//! no redirect: both could send a text twice. Answers are capped. Bytes are counted and addresses guarded in the files
//! below.

mod counted;
mod guard;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, Connect, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use trunkline_connectors::http::{Phase, Reply, Request, Response, TransportError};
use trunkline_core::time::Time;

use counted::{Counting, Counts};
use guard::{NotPublic, Resolver, Unresolved, public};

/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;
/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Makes calls.
#[async_trait]
pub trait Transport: Send + Sync {
    /// One call; never repeated.
    async fn call(&self, request: Request) -> Reply;
}

/// The two ways out: to systems that an engineer configured, and to places that are guarded.
#[derive(Clone)]
pub struct Transports {
    /// To vendors and systems of record.
    pub plain: Arc<dyn Transport>,
    /// To followers: never to a private address, however its name resolves.
    pub guarded: Arc<dyn Transport>,
}

impl Transports {
    /// The real clients.
    pub fn new() -> Result<Transports, TransportError> {
        Ok(Transports { plain: Arc::new(HttpTransport::new()?), guarded: Arc::new(HttpTransport::guarded()?) })
    }
}

/// The real client.
pub struct HttpTransport {
    guarded: bool,
    /// The shortest time that a call is given: longer than opening a connection may take.
    least: Duration,
    client: Client<Counting<HttpsConnector<HttpConnector<Resolver>>>, Full<Bytes>>,
}

impl HttpTransport {
    /// A client with its own pool of connections.
    pub fn new() -> Result<HttpTransport, TransportError> {
        HttpTransport::with(false, CONNECT)
    }

    /// The same, which connects to public addresses only: the check is made on the address that is connected to, so
    /// that a name which resolves differently the next time gains nothing.
    pub fn guarded() -> Result<HttpTransport, TransportError> {
        HttpTransport::with(true, CONNECT)
    }

    fn with(guarded: bool, connect: Duration) -> Result<HttpTransport, TransportError> {
        let fail = |e: &dyn std::fmt::Display| TransportError { phase: Phase::Tls, detail: e.to_string() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(guarded));
        tcp.set_connect_timeout(Some(connect));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider).map_err(|e| fail(&e))?.https_or_http().enable_http1().wrap_connector(tcp);
        // A sixth more leaves room for the second address family, which is tried a little later than the first.
        Ok(HttpTransport { guarded, least: connect + connect / 6, client: client(connector) })
    }

    /// The request for the client; one that cannot be built, or may not be made, was never written.
    fn built(&self, request: Request) -> Result<http::Request<Full<Bytes>>, TransportError> {
        let fail = |detail: String| TransportError { phase: Phase::Resolve, detail };
        let mut builder = http::Request::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let built = builder.body(Full::new(request.body)).map_err(|e| fail(e.to_string()))?;
        let (Some(_), Some(host)) = (built.uri().scheme(), built.uri().host()) else { return Err(fail("the URL has no scheme or no host".to_owned())) };
        // An address instead of a name is never resolved.
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if self.guarded && literal.is_some_and(|ip| !public(ip)) {
            return Err(fail(NotPublic.to_string()));
        }
        Ok(built)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn call(&self, request: Request) -> Reply {
        let limit = request.timeout.std().max(self.least);
        let mut built = self.built(request)?;
        let secure = built.uri().scheme_str() == Some("https");
        let captured = capture_connection(&mut built);
        match tokio::time::timeout(limit, exchange(&self.client, built, &captured)).await {
            Ok(reply) => reply,
            Err(_) => Err(out_of_time(secure, &captured)),
        }
    }
}

/// A client that repeats nothing, over connections that count.
fn client<C>(connector: C) -> Client<Counting<C>, Full<Bytes>>
where
    Counting<C>: Connect + Clone,
{
    // An idle connection that the other side has closed may fail after the request was written, which is unclear:
    // keep them only as long as servers usually do.
    Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(4)).pool_timer(TokioTimer::new()).retry_canceled_requests(false).build(Counting(connector))
}

/// One request and its answer; `captured` is the request's, and knows its connection afterwards.
async fn exchange<C>(client: &Client<C, Full<Bytes>>, request: http::Request<Full<Bytes>>, captured: &CaptureConnection) -> Reply
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let answer = client.request(request).await.map_err(|e| TransportError { phase: phase(&e, captured), detail: chain(&e) })?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|e| TransportError { phase: Phase::Read, detail: e.to_string() })?;
    if let Some(counts) = Counts::of(captured) {
        counts.answered();
    }
    let mut headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect::<Vec<_>>();
    delay_in_seconds(&mut headers);
    Ok(Response { status: head.status.as_u16(), headers, body: body.to_bytes() })
}

/// How far a call got that failed.
fn phase(error: &Error, captured: &CaptureConnection) -> Phase {
    match Counts::of(captured) {
        Some(counts) => {
            // The client gives back a request that it had not begun, and says so in the cause.
            let unsent = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()).is_some_and(hyper::Error::is_canceled);
            counts.phase(unsent)
        }
        None if error.is_connect() => connect_phase(error),
        // There was a connection, and it closed before the request was put on it.
        None => Phase::Begin,
    }
}

/// Where a call stood when its time ran out.
fn out_of_time(secure: bool, captured: &CaptureConnection) -> TransportError {
    match Counts::of(captured) {
        // Although no byte may be counted yet: whoever writes them may be about to.
        Some(counts) => TransportError { phase: counts.phase(false), detail: "no answer in time".to_owned() },
        // Without a connection no request is written, now or later. Connecting fails sooner than this by itself, so
        // it was the handshake, or else the resolver.
        None => TransportError { phase: if secure { Phase::Tls } else { Phase::Resolve }, detail: "no connection in time".to_owned() },
    }
}

/// How far opening a connection got, by the types of the causes.
fn connect_phase(error: &Error) -> Phase {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.is::<Unresolved>() || inner.is::<NotPublic>() {
            return Phase::Resolve;
        }
        if is_tls(inner) {
            return Phase::Tls;
        }
        cause = inner.source();
    }
    Phase::Connect
}

/// Whether an error is the TLS library's, however often it is wrapped: the source of an I/O error is not what it wraps.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.is_some_and(|inner| is_tls(inner))
}

/// Turns a date in `Retry-After` into seconds, counted from the answer's own `Date`: no clock is needed, and the two
/// clocks need not agree.
fn delay_in_seconds(headers: &mut [(String, String)]) {
    let date = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| Time::from_rfc2822(value));
    let (Some(answered), Some(until)) = (date("date"), date("retry-after")) else { return };
    for (_, value) in headers.iter_mut().filter(|(name, _)| name == "retry-after") {
        *value = until.since(answered).as_secs().to_string();
    }
}

/// The error with its causes; the client's own message alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
