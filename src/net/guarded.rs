//! [`Guarded`]: a stream that notes what moves, and that ends when it is told to. Does not look at the bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use socket2::SockRef;
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
    stream: TcpStream,
    connection: Connection,
    held: Held,
    /// What it may send, once it is upgraded.
    incoming: Option<TokenBucket>,
}

/// Bytes from an upgraded connection: 500 messages of 2 KiB at once, and more than a page ever has to say in the long run.
const INCOMING: Rate = Rate { burst: 1024.0 * 1024.0, per_sec: 64.0 * 1024.0 };

impl Guarded {
    pub(super) fn new(stream: TcpStream, held: Held) -> Self {
        Self { stream, connection: held.connection().clone(), held, incoming: None }
    }

    /// The application's handle to it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Fails once the connection was cut; what the kernel still holds for the other end goes with it.
    fn check_cut(&self) -> io::Result<()> {
        if !self.connection.is_cut() {
            return Ok(());
        }
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "a connection that was cut lingers");
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Notes what came of a write. `unasked`: tries it although the kernel has not called for it.
    fn after_write(
        &self,
        cx: &Context<'_>,
        result: Poll<io::Result<usize>>,
        unasked: impl FnOnce(&SockRef<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let written = match result {
            Poll::Ready(written) => written?,
            Poll::Pending => {
                self.connection.write_waits();
                self.connection.watch_write(cx);
                // It may have been cut before it was watched.
                self.check_cut()?;
                if !self.connection.may_write_unasked() {
                    return Poll::Pending;
                }
                match unasked(&SockRef::from(&self.stream)) {
                    Ok(written) => written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        };
        if written > 0 {
            self.connection.wrote(written);
            self.held.count_out(written);
        }
        Poll::Ready(Ok(written))
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

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_cut()?;
        let before = buf.filled().len();
        let result = if self.is_spent() {
            self.connection.throttle();
            Poll::Pending
        } else {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        };
        if result.is_pending() {
            self.connection.watch_read(cx);
            // It may have been ended before it was watched.
            self.check_cut()?;
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_cut()?;
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after_write(cx, result, |socket| socket.send(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_cut()?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.after_write(cx, result, |socket| socket.send_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
