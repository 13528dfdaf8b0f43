//! Calls to other systems, with the phase of every failure.
//!
//! Its own file because what a failure means depends on how far the bytes got. The client repeats nothing and follows
//! no redirect: both could send a text twice. Answers are capped.

use std::error::Error as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
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

/// The real client.
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
}

impl HttpTransport {
    /// A client with its own pool of connections.
    pub fn new() -> Result<HttpTransport, TransportError> {
        let fail = |e: &dyn std::fmt::Display| TransportError { phase: Phase::Tls, detail: e.to_string() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
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
        Ok(HttpTransport { client })
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
        if inner.is::<Unresolved>() {
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
struct Resolver(GaiResolver);

#[derive(Debug, thiserror::Error)]
#[error("the host name could not be resolved")]
struct Unresolved(#[source] std::io::Error);

impl tower_service::Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = Unresolved;
    type Future = BoxFuture<'static, Result<GaiAddrs, Unresolved>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        self.0.poll_ready(context).map_err(Unresolved)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let asked = self.0.call(name);
        Box::pin(async move { asked.await.map_err(Unresolved) })
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

    #[tokio::test]
    async fn an_unusable_url_is_definite() {
        assert_eq!(phase_of("http://no host/".to_owned()).await, Phase::Resolve);
    }
}
