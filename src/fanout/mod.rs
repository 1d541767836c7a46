//! Fan-out: who looks at what, and how it reaches them.
//!
//! The [`Hub`] is the rooms and the only owner of interest; [`socketio`] and [`sse`] are the two ways in and out.
//! A subscriber that is slow never slows a product, and is never left with a silent gap ([`slow`]). Clients spread the
//! refetches they are told of ([`spread`]), over all pods ([`audience`]).

mod admission;
mod audience;
mod beat;
mod deliver;
mod drain;
mod flushes;
mod hub;
mod lane;
mod resume;
mod slow;
pub mod socketio;
mod spread;
pub mod sse;
mod subscriber;

pub use admission::{Admission, NotAdmitted};
pub use audience::{Bulletin, BulletinError, Notice, Report, SILENT_AFTER, run_audience};
pub use beat::run_beats;
pub use flushes::{Flush, Flushes, Told};
pub use hub::{Counts, Hub, HubConfig, JoinError};
pub use lane::{Delivery, Lane, Parcel, PositionBeat, Resync};
pub use resume::{IfAhead, Outcome};
pub use slow::run_debts;
pub use subscriber::{Subscriber, SubscriberId};

#[cfg(test)]
mod tests;
