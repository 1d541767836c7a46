//! [`GuardedListener`]: accepts, and wraps each stream. Serves nothing itself: axum does.

use std::{io, net::SocketAddr, time::Duration};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use metrics::Histogram;
use tokio::net::TcpListener;

use super::{Connection, Guarded};

/// A TCP listener whose streams are [`Guarded`].
#[derive(Debug)]
pub struct GuardedListener {
    listener: TcpListener,
    written: Histogram,
}

impl GuardedListener {
    /// A pause after a failed accept. Failures that last (no file descriptors left) would otherwise spin.
    const RETRY: Duration = Duration::from_millis(100);

    /// Accepts from `listener`; `written` takes the seconds from hand-over to write.
    pub fn new(listener: TcpListener, written: Histogram) -> Self {
        Self { listener, written }
    }
}

impl axum::serve::Listener for GuardedListener {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // A batch is one small write; waiting to fill a segment would only delay it.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY was not set");
                    }
                    return (Guarded::new(stream, peer, self.written.clone()), peer);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "accepting a connection failed");
                    tokio::time::sleep(Self::RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, GuardedListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, GuardedListener>) -> Self {
        stream.io().connection().clone()
    }
}

/// The peer went away before it was accepted: nothing is wrong here.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
