//! [`Labelled`] and [`ByTransport`]: figures that are told apart by a label. Its values are known beforehand.

use std::fmt;

use metrics::Counter;

/// The transports a connection may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Socket.IO, over WebSocket or polling.
    SocketIo,
    /// Server-Sent Events.
    Sse,
}

impl Transport {
    /// Every transport; each stands at its own number.
    pub const ALL: [Self; 2] = [Self::SocketIo, Self::Sse];

    fn as_str(self) -> &'static str {
        match self {
            Self::SocketIo => "socketio",
            Self::Sse => "sse",
        }
    }
}

/// One figure for each transport.
pub struct ByTransport<T>([T; 2]);

impl<T> ByTransport<T> {
    pub(super) fn make(make: impl Fn(&'static str) -> T) -> Self {
        Self(Transport::ALL.map(|transport| make(transport.as_str())))
    }

    /// The figure of this transport.
    pub fn of(&self, transport: Transport) -> &T {
        &self.0[transport as usize]
    }
}

/// One counter for each value of a label that is known beforehand.
pub struct Labelled(pub(super) Vec<(&'static str, Counter)>);

impl Labelled {
    /// The counter of this value; one that counts nothing for a value that is not in the list.
    pub fn of(&self, value: &str) -> Counter {
        self.0
            .iter()
            .find(|(known, _)| *known == value)
            .map_or_else(Counter::noop, |(_, counter)| counter.clone())
    }
}

impl fmt::Debug for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Labelled")
    }
}

impl<T> fmt::Debug for ByTransport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByTransport")
    }
}
