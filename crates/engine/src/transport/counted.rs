//! How far a request got, by the bytes that went over its connection.
//!
//! Its own file because whether a text may be sent again hangs on it. The bytes are counted inside of TLS, where one
//! connection serves one request after the other: what was counted until the last whole answer belongs to requests
//! that are over. It decides nothing but the phase, and does not look into the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;
use trunkline_connectors::http::Phase;

/// The bytes of one connection.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Taken by the connection.
    written: AtomicUsize,
    /// Taken by the connection when it last said that nothing waits to be written.
    flushed: AtomicUsize,
    /// Read from it.
    read: AtomicUsize,
    /// What of `written` belongs to requests that were answered in full.
    written_before: AtomicUsize,
    /// What of `read` does.
    read_before: AtomicUsize,
}

impl Counts {
    /// The counters of the connection that a call was given; nothing if it was given none.
    pub(super) fn of(captured: &CaptureConnection) -> Option<Arc<Counts>> {
        let metadata = captured.connection_metadata();
        let connected = metadata.as_ref()?;
        let mut extras = http::Extensions::new();
        connected.get_extras(&mut extras);
        // Every connection has counters. Fresh ones never say that the request was not begun, but where the client
        // itself says so.
        Some(extras.remove::<Arc<Counts>>().unwrap_or_default())
    }

    /// A whole answer came: what has been counted belongs to the past.
    ///
    /// The client may have given the connection to the next call by now, and a part of that call's request may be
    /// written: then too much belongs to the past, and `phase` must not conclude from it alone that nothing of that
    /// request was written.
    pub(super) fn answered(&self) {
        self.written_before.store(self.written.load(Ordering::SeqCst), Ordering::SeqCst);
        self.read_before.store(self.read.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// How far the call that has the connection got. `unsent` is whether the client gave the request back as one that
    /// it had not begun: nothing was written only if both say so.
    pub(super) fn phase(&self, unsent: bool) -> Phase {
        let (written, before) = (self.written.load(Ordering::SeqCst), self.written_before.load(Ordering::SeqCst));
        if unsent && written == before {
            Phase::Begin
        } else if self.read.load(Ordering::SeqCst) > self.read_before.load(Ordering::SeqCst) {
            Phase::Read
        } else if written > before && self.flushed.load(Ordering::SeqCst) == written {
            // The client flushes a connection when it has handed over the whole request, and not before.
            Phase::Wait
        } else {
            Phase::Write
        }
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(count)) => self.written.fetch_add(*count, Ordering::SeqCst),
            // TLS may have sent a piece of what it could not send in full.
            Poll::Ready(Err(_)) => self.written.fetch_add(1, Ordering::SeqCst),
            Poll::Pending => return,
        };
    }
}

/// A stream that counts.
pub(super) struct Counted<S> {
    inner: TokioIo<S>,
    counts: Arc<Counts>,
}

impl<S> Counted<S> {
    fn new(stream: S) -> Counted<S> {
        Counted { inner: TokioIo::new(stream), counts: Arc::default() }
    }
}

impl<S> Connection for Counted<S> {
    /// The counters only: what the stream below would add, such as another version of HTTP, is not in use.
    fn connected(&self) -> Connected {
        Connected::new().extra(Arc::clone(&self.counts))
    }
}

impl<S: hyper::rt::Read + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.counts.read.fetch_add(buffer.filled().len().saturating_sub(before), Ordering::SeqCst);
        polled
    }
}

impl<S: hyper::rt::Write + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.counts.wrote(&polled);
        polled
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.counts.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.counts.flushed.store(self.counts.written.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// A connector whose connections count.
#[derive(Clone)]
pub(super) struct Counting<C>(pub(super) C);

impl<C> Service<Uri> for Counting<C>
where
    C: Service<Uri>,
    C::Response: Send + 'static,
    C::Error: Send + 'static,
    C::Future: Send + 'static,
{
    type Response = TokioIo<Counted<C::Response>>;
    type Error = C::Error;
    type Future = BoxFuture<'static, Result<TokioIo<Counted<C::Response>>, C::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let opening = self.0.call(to);
        Box::pin(async move { opening.await.map(|stream| TokioIo::new(Counted::new(stream))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_is_never_too_early() {
        // Read and written, each with what of it is past; what was flushed; whether the client gave the request back.
        for (name, (written, written_before), (read, read_before), flushed, unsent, expect) in [
            ("given back, fresh", (0, 0), (0, 0), 0, true, Phase::Begin),
            ("given back, used before", (70, 70), (40, 40), 70, true, Phase::Begin),
            ("given back, but bytes were written", (90, 70), (40, 40), 90, true, Phase::Wait),
            ("given back, the past not yet settled", (70, 0), (40, 0), 70, true, Phase::Read),
            ("no byte counted, but not given back", (70, 70), (40, 40), 70, false, Phase::Write),
            ("fresh and not given back", (0, 0), (0, 0), 0, false, Phase::Write),
            ("a part is written", (90, 70), (40, 40), 70, false, Phase::Write),
            ("all is written", (140, 70), (40, 40), 140, false, Phase::Wait),
            ("an answer began", (140, 70), (41, 40), 140, false, Phase::Read),
            ("an answer began before all was written", (90, 70), (41, 40), 70, false, Phase::Read),
        ] {
            let [written, written_before, read, read_before, flushed] = [written, written_before, read, read_before, flushed].map(AtomicUsize::new);
            let counts = Counts { written, flushed, read, written_before, read_before };
            assert_eq!(counts.phase(unsent), expect, "{name}");
        }
    }

    #[test]
    fn a_write_that_failed_counts() {
        let counts = Counts::default();
        counts.wrote(&Poll::Pending);
        assert_eq!(counts.phase(true), Phase::Begin);
        counts.wrote(&Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())));
        assert_eq!(counts.phase(true), Phase::Write);
    }
}
