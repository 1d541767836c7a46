//! [`Guarded`]: a stream that notes what moves, and that ends when it is told to. Does not look at the bytes.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::{Connection, connections::Held};
use crate::rate::{Rate, TokenBucket};

/// An accepted stream. Dropped, it leaves the list of open connections.
#[derive(Debug)]
pub struct Guarded {
    connection: Connection,
    held: Arc<Held>,
    /// What was read from it before, and is to be read again.
    unread: Bytes,
    /// What it may send, once it is upgraded.
    incoming: Option<TokenBucket>,
}

/// Bytes from an upgraded connection: 500 messages of 2 KiB at once, and more than a page ever has to say in the long run.
const INCOMING: Rate = Rate { burst: 1024.0 * 1024.0, per_sec: 64.0 * 1024.0 };

impl Guarded {
    pub(super) fn new(stream: TcpStream, held: Held) -> Self {
        let connection = held.connection().clone();
        connection.open(stream);
        Self { connection, held: Arc::new(held), unread: Bytes::new(), incoming: None }
    }

    /// The application's handle to it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its place in the list, for who goes on without it.
    pub(super) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held)
    }

    /// The same stream with `bytes`, which were read from it, before all that is still to be read.
    pub fn with_unread(mut self, bytes: &[u8]) -> Self {
        // A copy, mostly of nothing: a slice would keep the whole buffer that a head was read into.
        self.unread = Bytes::copy_from_slice(bytes);
        self
    }

    /// Tries to write. What cannot be done is tried again once it is watched: the connection may have been cut before
    /// that, or what waits in it may have become less.
    fn attempt<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&Connection, &mut Context<'_>) -> io::Result<Poll<T>>,
    ) -> Poll<io::Result<T>> {
        self.connection.check_cut()?;
        if let Poll::Ready(done) = write(&self.connection, cx)? {
            return Poll::Ready(Ok(done));
        }
        self.connection.watch_write(cx);
        self.connection.check_cut()?;
        write(&self.connection, cx)?.map(Ok)
    }

    /// Whether the client has sent more than it may for now. It is not read then, so it can send no more: nothing of what
    /// it sent is lost, and a flood costs as much as its rate allows.
    fn is_spent(&mut self) -> bool {
        if !self.connection.is_upgraded() {
            return false;
        }
        let now = Instant::now();
        self.incoming.get_or_insert_with(|| TokenBucket::new(INCOMING, now)).is_spent(now)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !self.connection.is_detached() {
            self.connection.let_go();
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.connection.check_cut()?;
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let result = if self.is_spent() {
            self.connection.throttle();
            Poll::Pending
        } else {
            self.connection.outbox().lock().read(cx, buf)
        };
        if result.is_pending() {
            self.connection.watch_read(cx);
            // It may have been ended before it was watched, or the kernel may take more of what waits: whoever sends
            // beside the one who serves it counts on this one to go on with that.
            self.connection.check_cut()?;
            self.connection.pump()?;
            if self.connection.is_closing() {
                return Poll::Ready(Ok(()));
            }
            return Poll::Pending;
        }
        let bytes = buf.filled().len() - before;
        self.connection.read(bytes);
        if let Some(incoming) = &mut self.incoming {
            incoming.spend(bytes as f64, Instant::now());
        }
        self.held.count_in(bytes);
        result
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.attempt(cx, |connection, cx| connection.write(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(cx, |connection, _| connection.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(cx, Connection::shut_down)
    }
}
