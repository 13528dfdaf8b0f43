//! Each phase of a failure, from a connection that really fails there.
//!
//! Its own file because of its length. Sockets fail as they do in life; where the order of two events matters, the
//! connection is one in memory, whose end is seen when it is looked at and not when the system gets round to it.

use std::future::{Ready, ready};
use std::io;
use std::sync::Mutex;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tower_service::Service;
use trunkline_core::time::Span;

use super::*;

fn to(url: &str) -> Request {
    Request { method: http::Method::POST, url: url.to_owned(), headers: vec![], body: Bytes::from_static(b"a=b"), timeout: Span::millis(1) }
}

async fn phase_of(url: &str) -> Phase {
    HttpTransport::new().unwrap().call(to(url)).await.unwrap_err().phase
}

/// A client that gives up after less than two seconds.
fn hasty() -> HttpTransport {
    HttpTransport::with(false, Duration::from_millis(1_200)).unwrap()
}

/// A server's socket, and its address.
async fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    (listener, at)
}

/// Reads a whole request.
async fn asked(peer: &mut (impl AsyncRead + Unpin)) {
    let mut all = Vec::new();
    while !all.ends_with(b"a=b") {
        assert!(peer.read_buf(&mut all).await.unwrap() > 0, "the client closed too early");
    }
}

/// Says nothing until the client closes; how many bytes came.
async fn silent(listener: &TcpListener) -> usize {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap_or(0)
}

/// What a call comes to whose request is read in full, and answered with these bytes before the server closes.
async fn after(answer: &[u8]) -> Reply {
    let (listener, at) = listening().await;
    let server = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        // The client may close before it has read all of them.
        peer.write_all(answer).await.unwrap_or_default();
    };
    let transport = HttpTransport::new().unwrap();
    let (reply, ()) = tokio::join!(transport.call(to(&format!("http://{at}/"))), server);
    reply
}

#[tokio::test]
async fn an_unknown_host_is_definite() {
    assert_eq!(phase_of("http://no-such-host.invalid/").await, Phase::Resolve);
}

#[tokio::test]
async fn an_unusable_url_is_definite() {
    for url in ["http://no host/", "/relative", "localhost:80"] {
        assert_eq!(phase_of(url).await, Phase::Resolve, "{url}");
    }
}

#[tokio::test]
async fn a_guarded_call_reaches_nothing_private() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let reply = HttpTransport::guarded().unwrap().call(to(&format!("http://{host}:{port}/"))).await;
        assert_eq!(reply.unwrap_err().phase, Phase::Resolve, "{host}");
    }
    assert!(listener.accept().now_or_never().is_none(), "nobody called");
}

#[tokio::test]
async fn a_closed_port_is_definite() {
    let (listener, at) = listening().await;
    drop(listener);
    assert_eq!(phase_of(&format!("http://{at}/")).await, Phase::Connect);
}

#[tokio::test]
async fn a_failed_handshake_is_definite() {
    let (listener, at) = listening().await;
    let server = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"this is not TLS at all").await.unwrap();
        // Closed by the client: closing here might reset the connection before it has read that.
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap_or(0)
    };
    let url = format!("https://{at}/");
    let (phase, _) = tokio::join!(phase_of(&url), server);
    assert_eq!(phase, Phase::Tls);
}

#[tokio::test]
async fn silence_in_the_handshake_is_definite() {
    let (listener, at) = listening().await;
    let transport = hasty();
    let (reply, _) = tokio::join!(transport.call(to(&format!("https://{at}/"))), silent(&listener));
    let lost = reply.unwrap_err();
    assert_eq!((lost.phase, lost.may_have_arrived()), (Phase::Tls, false));
}

#[tokio::test]
async fn a_reset_while_the_request_is_written_is_unclear() {
    let (listener, at) = listening().await;
    let server = async {
        let (peer, _) = listener.accept().await.unwrap();
        // Closing a socket with bytes that nobody read resets the connection.
        assert!(peer.peek(&mut [0; 1]).await.unwrap() > 0);
    };
    let transport = HttpTransport::new().unwrap();
    // More than the buffers of both sockets take.
    let large = Request { body: Bytes::from(vec![0; 32 * LARGEST]), ..to(&format!("http://{at}/")) };
    let (reply, ()) = tokio::join!(transport.call(large), server);
    assert_eq!(reply.unwrap_err().phase, Phase::Write);
}

#[tokio::test]
async fn a_close_after_the_request_is_unclear() {
    assert_eq!(after(b"").await.unwrap_err().phase, Phase::Wait);
}

#[tokio::test]
async fn silence_after_the_request_is_unclear() {
    let (listener, at) = listening().await;
    let transport = hasty();
    let (reply, written) = tokio::join!(transport.call(to(&format!("http://{at}/"))), silent(&listener));
    assert_eq!(reply.unwrap_err().phase, Phase::Wait);
    assert!(written > 0);
}

#[tokio::test]
async fn a_cut_answer_is_unclear() {
    for answer in ["HTTP/1.1 20", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        assert_eq!(after(answer.as_bytes()).await.unwrap_err().phase, Phase::Read, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_unclear() {
    let answer = |size: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{}", "x".repeat(size)).into_bytes();
    assert_eq!(after(&answer(LARGEST)).await.unwrap().body.len(), LARGEST);
    assert_eq!(after(&answer(LARGEST + 1)).await.unwrap_err().phase, Phase::Read);
}

#[tokio::test]
async fn a_date_to_come_back_at_becomes_a_time_to_wait() {
    let now = "date: Mon, 23 Nov 2026 07:51:00 GMT\r\n";
    for (date, retry_after, expect) in [
        (now, "Mon, 23 Nov 2026 07:53:00 GMT", Some(Span::secs(120))),
        (now, "Mon, 23 Nov 2026 07:50:00 GMT", Some(Span::ZERO)),
        (now, "7", Some(Span::secs(7))),
        (now, "soon", None),
        ("", "Mon, 23 Nov 2026 07:53:00 GMT", None),
    ] {
        let answer = format!("HTTP/1.1 503 Busy\r\n{date}retry-after: {retry_after}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(after(answer.as_bytes()).await.unwrap().retry_after(), expect, "{date}{retry_after}");
    }
}

/// A way to connections in memory, the last one first.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Vec<DuplexStream>>>);

impl Service<Uri> for Scripted {
    type Response = TokioIo<DuplexStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<DuplexStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.lock().unwrap().pop();
        ready(stream.map(TokioIo::new).ok_or_else(|| io::Error::other("there are no more connections")))
    }
}

type Memory = Client<Counting<Scripted>, Full<Bytes>>;

/// A client with one connection, and the server's end of it.
fn memory() -> (Memory, DuplexStream) {
    let (near, far) = tokio::io::duplex(4_096);
    (client(Scripted(Arc::new(Mutex::new(vec![near])))), far)
}

async fn post(client: &Memory) -> Reply {
    let mut request = http::Request::post("http://peer.test/").body(Full::new(Bytes::from_static(b"a=b"))).unwrap();
    let captured = capture_connection(&mut request);
    exchange(client, request, &captured).await
}

/// Makes one call that is answered, and leaves the connection idle.
async fn used(client: &Memory, mut far: DuplexStream) -> DuplexStream {
    let server = async {
        asked(&mut far).await;
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    };
    let (reply, ()) = tokio::join!(post(client), server);
    assert_eq!(reply.unwrap().body, "ok");
    // The client's own tasks put the connection back.
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    far
}

#[tokio::test]
async fn an_idle_connection_that_died_is_definite() {
    let (client, far) = memory();
    let far = used(&client, far).await;
    // The call gets the connection before the client has looked at it again, and finds it dead before it writes.
    drop(far);
    let lost = post(&client).await.unwrap_err();
    assert_eq!((lost.phase, lost.may_have_arrived()), (Phase::Begin, false), "{lost}");
}

#[tokio::test]
async fn a_connection_that_was_closed_at_once_is_definite() {
    let (client, far) = memory();
    drop(far);
    let lost = post(&client).await.unwrap_err();
    assert_eq!((lost.phase, lost.may_have_arrived()), (Phase::Begin, false), "{lost}");
}

#[tokio::test]
async fn earlier_answers_on_a_connection_do_not_count() {
    for (answer, phase) in [("", Phase::Wait), ("HTTP/1.1 20", Phase::Read)] {
        let (client, far) = memory();
        let mut far = used(&client, far).await;
        let server = async move {
            asked(&mut far).await;
            far.write_all(answer.as_bytes()).await.unwrap();
        };
        let (reply, ()) = tokio::join!(post(&client), server);
        assert_eq!(reply.unwrap_err().phase, phase);
    }
}
