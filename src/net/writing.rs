//! Writing to a connection: by the one who serves it, and beside it by whoever it is shared with.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{net::TcpStream, time::Instant};

use super::{
    Connection,
    outbox::{Ask, Outbox, Witness},
};

/// What came of sending beside the one who serves a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// Taken, in order.
    Taken,
    /// Too much waits already: nothing was taken.
    Full,
    /// The connection is no more.
    Gone,
}

impl Connection {
    /// Takes the socket.
    pub(super) fn open(&self, socket: TcpStream) {
        *self.outbox().lock() = Outbox::new(socket);
    }

    /// Fails once it was cut; what the kernel still holds for the other end goes with it.
    pub(super) fn check_cut(&self) -> io::Result<()> {
        if !self.is_cut() {
            return Ok(());
        }
        if let Err(error) = self.outbox().lock().reset() {
            tracing::debug!(%error, "a connection that was cut lingers");
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// The stream is dropped.
    pub(super) fn let_go(&self) {
        self.outbox().lock().close();
        self.note_waiting(0);
    }

    /// From here on others may [`send`](Self::send) beside the one who serves it. `witness`: is shown what that one writes,
    /// and must not call back.
    pub fn share(&self, witness: Arc<dyn Witness>) {
        self.outbox().lock().share(witness);
    }

    /// Sends beside the one who serves a shared connection, behind all that was taken before. Does not wait, and wakes
    /// nobody as long as the kernel takes it. `since`: when it was made; how long it took from there is recorded once it
    /// is written.
    pub fn send(&self, bytes: &Bytes, since: Instant) -> Sent {
        let mut out = self.outbox().lock();
        match out.send(bytes) {
            Ok(Some(given)) => {
                self.handed_over(since);
                self.sent_beside();
                self.note(&out, given);
                // An error here is found by the one who serves it, who polls the same socket.
                let _ = self.pump_rest(&mut out);
                Sent::Taken
            }
            Ok(None) => Sent::Full,
            Err(_) => Sent::Gone,
        }
    }

    /// Writes for the one who serves it: a part of it as long as it is not shared, then all or nothing.
    pub(super) fn write(&self, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> io::Result<Poll<usize>> {
        let mut out = self.outbox().lock();
        if !out.is_shared() {
            let written = out.write(cx, parts, self.ask());
            match written {
                Poll::Pending => self.write_waits(),
                Poll::Ready(Ok(given)) => self.wrote(given),
                Poll::Ready(Err(_)) => {}
            }
            return transpose(written);
        }
        let Some(part) = parts.iter().find(|part| !part.is_empty()) else { return Ok(Poll::Ready(0)) };
        self.pump_rest(&mut out)?;
        let Some(given) = out.take(part)? else { return Ok(Poll::Pending) };
        self.note(&out, given);
        self.pump_rest(&mut out)?;
        Ok(Poll::Ready(part.len()))
    }

    /// Whether all that the one who serves it wrote was given to the kernel.
    pub(super) fn flush(&self) -> io::Result<Poll<()>> {
        let mut out = self.outbox().lock();
        self.pump_rest(&mut out)?;
        Ok(if out.is_served() { Poll::Ready(()) } else { Poll::Pending })
    }

    /// Ends the way out, once nothing waits for it any more.
    pub(super) fn shut_down(&self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let mut out = self.outbox().lock();
        self.pump_rest(&mut out)?;
        if out.waiting_bytes() > 0 { Ok(Poll::Pending) } else { transpose(out.shut_down(cx)) }
    }

    /// Goes on with what the kernel has not taken yet.
    pub(super) fn pump(&self) -> io::Result<()> {
        if self.waiting_bytes() == 0 { Ok(()) } else { self.pump_rest(&mut self.outbox().lock()) }
    }

    fn pump_rest(&self, out: &mut Outbox) -> io::Result<()> {
        if out.waiting_bytes() == 0 {
            return Ok(());
        }
        // Whoever pumps next is woken by it, not the task that happens to send.
        let waker = self.waker();
        let given = out.pump(&mut Context::from_waker(&waker), self.ask())?;
        self.note(out, given);
        Ok(())
    }

    /// Notes what moved, and what waits.
    fn note(&self, out: &Outbox, given: usize) {
        if given > 0 {
            self.wrote(given);
        }
        self.note_waiting(out.waiting_bytes());
        if out.waiting_bytes() > 0 {
            self.write_waits();
        }
    }

    fn ask(&self) -> Ask {
        if self.may_write_unasked() { Ask::Nobody } else { Ask::Kernel }
    }
}

fn transpose<T>(polled: Poll<io::Result<T>>) -> io::Result<Poll<T>> {
    match polled {
        Poll::Ready(result) => result.map(Poll::Ready),
        Poll::Pending => Ok(Poll::Pending),
    }
}
