//! [`Outbox`]: the socket of one connection, and what is on its way out. Does not know what the bytes mean.
//!
//! At first the one who serves the connection writes to the kernel, and nothing is kept here. Once it is shared
//! ([`Connection::share`](super::Connection::share)) others may send beside the one who serves it: then every write is
//! taken whole, so that what others send always stands between two writes and never inside one.
//!
//! Whenever something waits, somebody has polled for it ([`pump`](Outbox::pump)) with the connection's own waker.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Is shown what the one who serves a shared connection writes, whole and in order.
pub trait Witness: Send + Sync {
    /// These bytes were taken; whatever is sent from here on goes out behind them.
    fn wrote(&self, bytes: &[u8]);
}

/// Bytes that may wait in a shared connection. What a client does not take of that is more than it can make use of: it is
/// told to refetch.
pub(super) const WAITING_BYTES_MAX: usize = 256 * 1024;

/// The socket, and what waits for it.
#[derive(Default)]
pub(super) struct Outbox {
    /// Taken when the stream is dropped: whoever still holds the connection must not keep its socket open.
    socket: Option<TcpStream>,
    witness: Option<Arc<dyn Witness>>,
    waiting: VecDeque<Bytes>,
    /// Bytes ever taken, and ever given to the kernel, since it is shared.
    taken: u64,
    given: u64,
    /// How much must have been given until what the one who serves the connection wrote has left.
    served: u64,
}

/// Whether a write that the kernel has not called for is tried: it calls only when a third of its buffer is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Only when it calls.
    Kernel,
    /// In any case.
    Nobody,
}

impl Outbox {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket: Some(socket), ..Self::default() }
    }

    /// From here on every write is taken whole, and shown to the witness.
    pub(super) fn share(&mut self, witness: Arc<dyn Witness>) {
        self.witness = Some(witness);
    }

    pub(super) fn is_shared(&self) -> bool {
        self.witness.is_some()
    }

    /// Has the kernel forget what it holds for the other end, once the socket is closed.
    pub(super) fn reset(&self) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), TcpStream::set_zero_linger)
    }

    /// Bytes that the other end said, of which nothing is kept; 0: it has ended.
    pub(super) fn hear(&self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        let Some(socket) = &self.socket else { return Ok(Poll::Ready(0)) };
        while socket.poll_read_ready(cx)?.is_ready() {
            match socket.try_read(&mut [0; 256]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                heard => return heard.map(Poll::Ready),
            }
        }
        Ok(Poll::Pending)
    }

    /// Reads for the one who serves the connection.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        Pin::new(socket).poll_read(cx, buf)
    }

    /// Closes the socket, and forgets what waits for it.
    pub(super) fn close(&mut self) {
        self.socket = None;
        self.witness = None;
        self.waiting = VecDeque::new();
    }

    /// Bytes that wait for the kernel.
    pub(super) fn waiting_bytes(&self) -> usize {
        // At most what may wait and one write.
        (self.taken - self.given) as usize
    }

    /// Whether all that the one who serves the connection wrote was given to the kernel.
    pub(super) fn is_served(&self) -> bool {
        self.given >= self.served
    }

    /// Writes as much as the kernel takes, of what is not shared.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
        ask: Ask,
    ) -> Poll<io::Result<usize>> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = match parts {
            [part] => Pin::new(&mut *socket).poll_write(cx, part),
            parts => Pin::new(&mut *socket).poll_write_vectored(cx, parts),
        };
        if written.is_pending() && ask == Ask::Nobody {
            return unasked(SockRef::from(&*socket).send_vectored(parts));
        }
        written
    }

    /// Takes a write of the one who serves the connection, whole. Answers how much of it was given to the kernel: the rest
    /// waits, and is to be pumped. `None`: too much waits already.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let given = self.give(bytes, Bytes::copy_from_slice)?;
        if given.is_some() {
            self.served = self.taken;
            if let Some(witness) = &self.witness {
                witness.wrote(bytes);
            }
        }
        Ok(given)
    }

    /// The same for what somebody sends beside it.
    pub(super) fn send(&mut self, bytes: &Bytes) -> io::Result<Option<usize>> {
        self.give(bytes, |rest| bytes.slice_ref(rest))
    }

    fn give(&mut self, bytes: &[u8], keep: impl FnOnce(&[u8]) -> Bytes) -> io::Result<Option<usize>> {
        if self.waiting_bytes() > WAITING_BYTES_MAX {
            return Ok(None);
        }
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        // Past the runtime, which would count it against the task that sends, and that sends to hundreds in one go; and whose
        // book of what is ready lies in yet another place of memory. What is not taken here is pumped, and then polled for.
        let socket = SockRef::from(socket);
        let mut written = 0;
        while self.waiting.is_empty() && written < bytes.len() {
            match socket.send(&bytes[written..]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.taken += bytes.len() as u64;
        self.given += written as u64;
        if written < bytes.len() {
            self.waiting.push_back(keep(&bytes[written..]));
        }
        Ok(Some(written))
    }

    /// Gives what waits to the kernel, as much as it takes; with some left, `cx` is woken when it takes more. Answers how
    /// much it took.
    pub(super) fn pump(&mut self, cx: &mut Context<'_>, ask: Ask) -> io::Result<usize> {
        let mut total = 0;
        while let Some(mut first) = self.waiting.pop_front() {
            let Poll::Ready(written) = self.write(cx, &[io::IoSlice::new(&first)], ask)? else {
                self.waiting.push_front(first);
                return Ok(total);
            };
            total += written;
            self.given += written as u64;
            first.advance(written);
            if !first.is_empty() {
                self.waiting.push_front(first);
            }
        }
        // Most clients never wait: who did once does not keep the room for it.
        self.waiting = VecDeque::new();
        Ok(total)
    }

    pub(super) fn shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.as_mut().map_or(Poll::Ready(Ok(())), |socket| Pin::new(socket).poll_shutdown(cx))
    }
}

fn unasked(written: io::Result<usize>) -> Poll<io::Result<usize>> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        written => Poll::Ready(written),
    }
}
