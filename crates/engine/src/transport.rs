//! Calls to other systems, with the phase of every failure.
//!
//! Its own file because what a failure means depends on how far the bytes got. The client repeats nothing and follows
//! no redirect: both could send a text twice. Answers are capped.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use trunkline_connectors::http::{Phase, Reply, Request, Response, TransportError};

/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;
/// How long opening a connection may take: shorter than any call's timeout, so that a timeout of the call means that
/// the request may have been written.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(3);

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
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
}

impl HttpTransport {
    /// A client with its own pool of connections.
    pub fn new() -> Result<HttpTransport, TransportError> {
        HttpTransport::with(false)
    }

    /// The same, which connects to public addresses only: the check is made on the address that is connected to, so
    /// that a name which resolves differently the next time gains nothing.
    pub fn guarded() -> Result<HttpTransport, TransportError> {
        HttpTransport::with(true)
    }

    fn with(guarded: bool) -> Result<HttpTransport, TransportError> {
        let fail = |e: &dyn std::fmt::Display| TransportError { phase: Phase::Tls, detail: e.to_string() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tcp = HttpConnector::new_with_resolver(Resolver { inner: GaiResolver::new(), guarded });
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider).map_err(|e| fail(&e))?.https_or_http().enable_http1().wrap_connector(tcp);
        // An idle connection that the other side has closed fails after the request was written, which is unclear:
        // keep them only as long as servers usually do.
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(std::time::Duration::from_secs(4))
            .pool_timer(TokioTimer::new())
            .retry_canceled_requests(false)
            .build(connector);
        Ok(HttpTransport { guarded, client })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn call(&self, request: Request) -> Reply {
        let timeout = request.timeout.std();
        match tokio::time::timeout(timeout.max(CONNECT + std::time::Duration::from_millis(500)), self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => Err(TransportError { phase: Phase::Exchange, detail: "no answer in time".to_owned() }),
        }
    }
}

impl HttpTransport {
    async fn exchange(&self, request: Request) -> Reply {
        let mut builder = http::Request::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name.as_str(), value.as_str());
        }
        // A request that cannot be built was never written.
        let built = builder.body(Full::new(request.body)).map_err(|e| TransportError { phase: Phase::Resolve, detail: e.to_string() })?;
        // An address instead of a name is never resolved.
        let literal = built.uri().host().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if self.guarded && literal.is_some_and(|ip| !public(ip)) {
            return Err(TransportError { phase: Phase::Resolve, detail: NotPublic.to_string() });
        }
        let answer = self.client.request(built).await.map_err(|e| {
            let phase = if e.is_connect() { connect_phase(&e) } else { Phase::Exchange };
            TransportError { phase, detail: chain(&e) }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|e| TransportError { phase: Phase::Exchange, detail: e.to_string() })?;
        let headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
        Ok(Response { status: head.status.as_u16(), headers, body: body.to_bytes() })
    }
}

/// How far opening a connection got, by the types of the causes.
fn connect_phase(error: &hyper_util::client::legacy::Error) -> Phase {
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

/// The system's resolver, its errors marked as its own.
#[derive(Clone)]
struct Resolver {
    inner: GaiResolver,
    guarded: bool,
}

#[derive(Debug, thiserror::Error)]
enum Unresolved {
    #[error("the host name could not be resolved")]
    Failed(#[source] std::io::Error),
    #[error(transparent)]
    Guarded(#[from] NotPublic),
}

/// An address that a guarded call may not go to.
#[derive(Debug, thiserror::Error)]
#[error("the host is on a private network, which this call may not reach; write allow_private = true if it may")]
struct NotPublic;

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = BoxFuture<'static, Result<Self::Response, Unresolved>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        self.inner.poll_ready(context).map_err(Unresolved::Failed)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (asked, guarded) = (self.inner.call(name), self.guarded);
        Box::pin(async move {
            let found: Vec<SocketAddr> = asked.await.map_err(Unresolved::Failed)?.filter(|at| !guarded || public(at.ip())).collect();
            if found.is_empty() { Err(NotPublic.into()) } else { Ok(found.into_iter()) }
        })
    }
}

/// Whether an address is one of the public internet: none of this machine, of private or shared networks, of a link,
/// of documentation, and no way around these through a mapping of IPv4 into IPv6.
fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let reserved = matches!((a, b, c), (0 | 240..=255, ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _));
            !(reserved || v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation())
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return public(IpAddr::V4(v4));
            }
            let segments = v6.segments();
            let [first, second, third, ..] = segments;
            let embedded = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            };
            match (first, second) {
                // Only 2000::/3 is given out; of it, Teredo and documentation are not.
                (0x2001, 0 | 0xdb8) | (0x3fff, _) => false,
                (0x2002, _) => embedded(second, third),
                (0x64, 0xff9b) => matches!(segments, [_, _, 0, 0, 0, 0, high, low] if embedded(high, low)),
                _ => (0x2000..=0x3fff).contains(&first),
            }
        }
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
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use trunkline_core::time::Span;

    fn to(url: String) -> Request {
        Request { method: http::Method::POST, url, headers: vec![], body: Bytes::from_static(b"a=b"), timeout: Span::millis(1) }
    }

    async fn phase_of(url: String) -> Phase {
        HttpTransport::new().unwrap().call(to(url)).await.unwrap_err().phase
    }

    #[tokio::test]
    async fn a_closed_port_is_definite() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert_eq!(phase_of(format!("http://127.0.0.1:{port}/")).await, Phase::Connect);
    }

    #[tokio::test]
    async fn a_failed_handshake_is_definite() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"this is not TLS at all").await.unwrap();
        };
        let (phase, ()) = tokio::join!(phase_of(format!("https://localhost:{port}/")), server);
        assert_eq!(phase, Phase::Tls);
    }

    #[tokio::test]
    async fn a_reset_after_the_request_is_unclear() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut some = [0; 64];
            assert!(socket.read(&mut some).await.unwrap() > 0);
        };
        let (phase, ()) = tokio::join!(phase_of(format!("http://127.0.0.1:{port}/")), server);
        assert_eq!(phase, Phase::Exchange);
    }

    #[tokio::test]
    async fn silence_after_the_request_is_unclear() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let quiet = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut all = Vec::new();
            // Ends when the client gives up and closes.
            socket.read_to_end(&mut all).await.unwrap_or(0)
        };
        let (phase, _) = tokio::join!(phase_of(format!("http://127.0.0.1:{port}/")), quiet);
        assert_eq!(phase, Phase::Exchange);
    }

    #[tokio::test]
    async fn an_unknown_host_is_definite() {
        assert_eq!(phase_of("http://no-such-host.invalid/".to_owned()).await, Phase::Resolve);
    }

    #[test]
    fn private_addresses_are_known() {
        for ip in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2002:808:808::1", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.9",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_guarded_call_reaches_nothing_private() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let reply = HttpTransport::guarded().unwrap().call(to(format!("http://{host}:{port}/"))).await;
            assert_eq!(reply.unwrap_err().phase, Phase::Resolve, "{host}");
        }
        assert!(listener.accept().now_or_never().is_none(), "nobody called");
    }

    #[tokio::test]
    async fn an_unusable_url_is_definite() {
        assert_eq!(phase_of("http://no host/".to_owned()).await, Phase::Resolve);
    }
}
