//! Connections: accepted at a pace, guarded by deadlines, counted, and ended when they must be.
//!
//! A kit: it knows bytes and time, not what they mean. Who has to end, and why, others say through [`Connection`].

mod body;
mod connection;
mod connections;
mod deadlines;
mod guarded;
mod listener;
mod seats;
mod serve;

pub use body::BodyTooSlow;
pub use connection::Connection;
pub use connections::{Connections, Owner};
pub use deadlines::{Deadlines, Overdue};
pub use guarded::Guarded;
pub use listener::{GuardedListener, listen};
pub use seats::{NoSeat, Seat, Seats};
pub use serve::{Stops, serve};
