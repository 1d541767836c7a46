//! [`Guarded`]: a stream that notes what moves, and that ends when it is told to. Does not look at the bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{Connection, connections::Held};

/// An accepted stream. Dropped, it leaves the list of open connections.
#[derive(Debug)]
pub struct Guarded {
    stream: TcpStream,
    connection: Connection,
    held: Held,
}

impl Guarded {
    pub(super) fn new(stream: TcpStream, held: Held) -> Self {
        Self { stream, connection: held.connection().clone(), held }
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

    fn after_write(&self, cx: &Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes @ 1..)) => {
                self.connection.wrote();
                self.held.count_out(*bytes);
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                self.connection.write_waits();
                self.connection.watch_write(cx);
                // It may have been cut before it was watched.
                self.check_cut()?;
            }
        }
        result
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
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
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
        self.held.count_in(bytes);
        result
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_cut()?;
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_cut()?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.after_write(cx, result)
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
