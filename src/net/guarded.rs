//! [`Guarded`]: a stream that notes when bytes leave. Does not look at the bytes.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use metrics::Histogram;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// The application's handle to one accepted connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connection {
    peer: SocketAddr,
    written: Arc<WriteWatch>,
}

/// Measures from a hand-over to the next write.
struct WriteWatch {
    accepted: Instant,
    /// Microseconds after `accepted`, plus one, of the oldest hand-over not yet written; 0: none waits.
    waiting_since: AtomicU64,
    histogram: Histogram,
}

impl std::fmt::Debug for WriteWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WriteWatch")
    }
}

impl Connection {
    fn new(peer: SocketAddr, histogram: Histogram) -> Self {
        let written = WriteWatch { accepted: Instant::now(), waiting_since: AtomicU64::new(0), histogram };
        Self { peer, written: Arc::new(written) }
    }

    /// The address at the other end of the connection; a proxy's, if there is one.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Notes that something was queued to this connection at `queued`; the next write records how long it took.
    pub fn expect_write(&self, queued: Instant) {
        let since = queued.duration_since(self.written.accepted).as_micros();
        let since = u64::try_from(since).unwrap_or(u64::MAX - 1) + 1;
        // Only the oldest counts; losing this race means that an older one is there already.
        let _ = self.written.waiting_since.compare_exchange(0, since, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn wrote(&self) {
        // The load keeps the line shared between writes that nobody waits for.
        if self.written.waiting_since.load(Ordering::Relaxed) == 0 {
            return;
        }
        let since = self.written.waiting_since.swap(0, Ordering::Relaxed);
        if let Some(since) = since.checked_sub(1) {
            let queued = Duration::from_micros(since);
            let waited = self.written.accepted.elapsed().saturating_sub(queued);
            self.written.histogram.record(waited.as_secs_f64());
        }
    }
}

/// An accepted stream.
#[derive(Debug)]
pub struct Guarded {
    stream: TcpStream,
    connection: Connection,
}

impl Guarded {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, histogram: Histogram) -> Self {
        Self { stream, connection: Connection::new(peer, histogram) }
    }

    /// The application's handle to it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        if matches!(result, Ok(1..)) {
            self.connection.wrote();
        }
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        if matches!(result, Ok(1..)) {
            self.connection.wrote();
        }
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
