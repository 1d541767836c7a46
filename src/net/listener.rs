//! [`GuardedListener`]: accepts at a bounded pace, and wraps each stream. Serves nothing itself.

use std::{
    io,
    net::{self, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::Instant,
};

use super::{Connections, Guarded, NoSeat};
use crate::rate::{Rate, TokenBucket};

/// A TCP listener whose streams are [`Guarded`].
#[derive(Debug)]
pub struct GuardedListener {
    listener: TcpListener,
    connections: Arc<Connections>,
    pace: TokenBucket,
}

/// Connections accepted. When everybody comes back at once they wait in the kernel's queue, and those who are here
/// already are served on.
const PACE: Rate = Rate { burst: 2_000.0, per_sec: 4_000.0 };

/// Bytes the kernel holds for a client that reads slowly (it doubles the figure): a few seconds of batches. What a client
/// does not take within that shows here, where it can be told to refetch.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How long the kernel keeps trying to reach a client that acknowledges nothing. Longer than a lift or a tunnel takes,
/// shorter than the quarter of an hour that is its default.
#[cfg(target_os = "linux")]
const UNREACHABLE_AFTER: Duration = Duration::from_secs(30);

/// Connections that may wait in the kernel to be accepted; it takes fewer where `net.core.somaxconn` is less. With the usual
/// 128 a storm of reconnections overflows it: clients then take themselves for connected, and wait for seconds.
const BACKLOG: u32 = 4_096;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A gateway that is started again takes its port while connections of the one before still linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl GuardedListener {
    /// A pause after a failed accept. Failures that last (no file descriptors left) would otherwise spin.
    const RETRY: Duration = Duration::from_millis(100);

    /// Accepts from `listener` into `connections`.
    pub fn new(listener: TcpListener, connections: Arc<Connections>) -> Self {
        Self { listener, connections, pace: TokenBucket::new(PACE, Instant::now()) }
    }

    /// Closes the socket, and lets in who waited in the kernel's line until then, at no pace: with the socket they would be
    /// reset, together with what they sent. Not those for whom there is no seat. `take` is to serve each at once: only a
    /// connection that is served makes room.
    pub async fn close(self, take: impl Fn(Guarded)) {
        let line = self.listener.into_std().map(|listener| in_line(&listener)).unwrap_or_default();
        for (stream, peer) in line {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            let Ok(stream) = stream else { continue };
            match admit(&self.connections, stream, peer).await {
                Ok(guarded) => take(guarded),
                Err(NoSeat::Full) => break,
                Err(no_seat) => tracing::debug!(%no_seat, "a connection was not let in"),
            }
        }
    }

    /// The next connection. Cancel safe, but for a connection that is just being let in.
    pub async fn accept(&mut self) -> Guarded {
        loop {
            while let Err(wait) = self.pace.take(Instant::now()) {
                tokio::time::sleep(wait).await;
            }
            match self.listener.accept().await {
                Ok((stream, peer)) => match admit(&self.connections, stream, peer).await {
                    Ok(guarded) => return guarded,
                    // Nothing is said: what a flood is told costs more than the flood.
                    Err(no_seat) => tracing::debug!(%no_seat, "a connection was not let in"),
                },
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "accepting a connection failed");
                    tokio::time::sleep(Self::RETRY).await;
                }
            }
        }
    }
}

async fn admit(
    connections: &Arc<Connections>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<Guarded, NoSeat> {
    let held = connections.admit(peer).await?;
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "a socket option was not set");
    }
    Ok(Guarded::new(stream, held))
}

/// All who wait in the kernel's line of a listener that does not block.
fn in_line(listener: &net::TcpListener) -> Vec<(net::TcpStream, SocketAddr)> {
    let mut line = Vec::new();
    while line.len() < BACKLOG as usize {
        match listener.accept() {
            Ok(next) => line.push(next),
            Err(error) if is_of_the_peer(&error) => {}
            Err(_) => break,
        }
    }
    line
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // A batch is one small write; waiting to fill a segment would only delay it.
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNREACHABLE_AFTER))?;
    Ok(())
}

/// The peer went away before it was accepted: nothing is wrong here.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
