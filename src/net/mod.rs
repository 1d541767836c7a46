//! Connections: the listener and the guarded stream around each accepted socket.
//!
//! A kit: it knows bytes and time, not what they mean. Deadlines, caps and the kill switch belong here as well.

mod guarded;
mod listener;

pub use guarded::{Connection, Guarded};
pub use listener::GuardedListener;
