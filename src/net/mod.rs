//! Connections: accepted at a pace, guarded by deadlines, counted, and ended when they must be.
//!
//! A kit: it knows bytes and time, not what they mean. Who has to end, and why, others say through [`Connection`].

mod body;
mod connection;
mod connections;
mod deadlines;
mod detached;
mod guarded;
mod listener;
mod outbox;
mod seats;
mod serve;
mod writing;

pub use body::{BodyTooSlow, Timed};
pub use connection::Connection;
pub use connections::{Connections, Owner};
pub use deadlines::{Deadlines, Overdue};
pub use detached::{Detach, Endless};
pub use guarded::Guarded;
pub use listener::{GuardedListener, listen};
pub use outbox::Witness;
pub use seats::{NoSeat, Seat, Seats};
pub use serve::{Answering, Answers, Stops, serve};
pub use writing::Sent;

#[cfg(test)]
mod tests;
