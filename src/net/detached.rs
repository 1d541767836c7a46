//! [`Detach`]: an answer that leaves HTTP behind once its head stands, and goes on until its connection ends.
//!
//! An answer that never ends has no request after it, but the library that speaks HTTP keeps what it would need for one:
//! room to read it into, the state of both its versions, the answer as a task's future. So the connection is taken from it,
//! and whoever answers sends his chunks on it himself, the short way. What the chunks say is not known here.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use axum::http::{
    HeaderValue, Response,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Connection, body::InService, connections::Held};

/// Goes on with an answer on its own. Dropped, it stops: its connection has ended.
pub trait Endless: Send + Sync + 'static {
    /// Sends `head` before everything else. From here on it may [`send`](Connection::send) whole chunks as they come.
    fn begin(&self, head: Vec<u8>, connection: &Connection);
}

/// Put into the extensions of an answer to a `GET` of HTTP/1.1, whose own body is then left aside: see
/// [`Connection::may_detach`].
#[derive(Clone)]
pub struct Detach(Arc<dyn Endless>);

/// The chunk that ends a chunked body (RFC 9112 section 7.1).
const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");
/// What a client may say behind its last request. Nobody reads it; who goes on talking is not listened to for ever.
const HEARD_BYTES_MAX: usize = 1_024;

impl Detach {
    /// With who goes on.
    pub fn new(endless: Arc<dyn Endless>) -> Self {
        Self(endless)
    }
}

/// An answer on its way out of the library. An error, because that is what makes the library let go of a connection; it
/// shows the error but does not give it back, so what goes on is taken out of it.
pub(super) struct Detaching(Mutex<Option<Detached>>);

/// An answer that has left the library.
pub(super) struct Detached {
    head: Vec<u8>,
    endless: Arc<dyn Endless>,
    _in_service: InService,
}

impl Detaching {
    /// The stream is about to be dropped, and what it was written to is not to close with it.
    pub(super) fn new<B>(
        Detach(endless): Detach,
        response: Response<B>,
        in_service: InService,
        connection: &Connection,
    ) -> Self {
        connection.detach();
        Self(Mutex::new(Some(Detached { head: head(response), endless, _in_service: in_service })))
    }

    /// Takes out what goes on, if that is why the library gave up.
    pub(super) fn find(error: &(dyn Error + 'static)) -> Option<Detached> {
        error.source()?.downcast_ref::<Self>()?.0.lock().take()
    }
}

impl Detached {
    /// Goes on until one of the two ends wants no more.
    pub(super) async fn go_on(self, connection: Connection, _held: Arc<Held>) {
        let Self { head, endless, _in_service } = self;
        endless.begin(head, &connection);
        let over = connection.over().await;
        drop(endless);
        let ended = match over {
            Ok(()) if connection.is_closing() => connection.end().await,
            over => over,
        };
        connection.let_go();
        if let Err(error) = ended {
            tracing::debug!(%error, "an endless answer ended early");
        }
    }
}

fn head<B>(response: Response<B>) -> Vec<u8> {
    let (mut parts, _body) = response.into_parts();
    #[expect(clippy::disallowed_methods, reason = "a header for caches; nothing here depends on it")]
    let now = SystemTime::now();
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(now));
    date.into_iter().for_each(|date| drop(parts.headers.insert(DATE, date)));
    // That of the body which is left aside.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    let mut out = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        out.extend_from_slice(name.as_ref());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

impl Connection {
    /// Until the other end has gone, or this one is to end; what waits goes out meanwhile.
    async fn over(&self) -> io::Result<()> {
        let mut heard = 0;
        poll_fn(|cx| {
            loop {
                self.watch_read(cx);
                self.check_cut()?;
                self.pump()?;
                if self.is_closing() {
                    return Poll::Ready(Ok(()));
                }
                match self.hear(cx)? {
                    Poll::Ready(0) => return Poll::Ready(Ok(())),
                    Poll::Ready(bytes) => heard += bytes,
                    Poll::Pending => return Poll::Pending,
                }
                if heard > HEARD_BYTES_MAX {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        })
        .await
    }

    /// Ends the body behind all that was sent, and then the way out.
    async fn end(&self) -> io::Result<()> {
        self.writing(|_| {
            self.pump()?;
            Ok(if self.waiting_bytes() == 0 { Poll::Ready(()) } else { Poll::Pending })
        })
        .await?;
        let _sent = self.send(&LAST_CHUNK, Instant::now());
        self.writing(|cx| self.shut_down(cx)).await
    }

    async fn writing(
        &self,
        mut write: impl FnMut(&mut Context<'_>) -> io::Result<Poll<()>>,
    ) -> io::Result<()> {
        poll_fn(|cx| {
            self.watch_write(cx);
            self.check_cut()?;
            write(cx)?.map(Ok)
        })
        .await
    }

    fn hear(&self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        self.outbox().lock().hear(cx)
    }
}

impl fmt::Debug for Detach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detach")
    }
}

impl fmt::Debug for Detaching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detaching")
    }
}

impl fmt::Display for Detaching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer goes on without HTTP")
    }
}

impl Error for Detaching {}
