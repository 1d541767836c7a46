//! The nouns every stage speaks: checked values, no I/O, no clocks, no locks.
//!
//! Along the path an [`Event`] (came in, checked) becomes an [`Entry`] (has its position in the log),
//! entries of one product become a [`Batch`] (a closed window), and a batch becomes a [`Frame`] (encoded once).
//! This module does not decide anything about them: that is the stages' work.

mod batch;
mod decimal;
mod entry;
mod event;
mod frame;
mod log_time;
mod observed;
mod origin;
mod position;
mod product_id;
mod trace_parent;

pub use batch::Batch;
pub use decimal::{Decimal, InvalidDecimal};
pub use entry::{Entry, InvalidDigest, MessageDigest};
pub use event::{Data, DataError, Event, EventType, InvalidTimestamp, Timestamp};
pub use frame::Frame;
pub use log_time::LogTime;
pub use observed::{
    Availability, ContentDigest, InvalidContentDigest, ObservedAction, ObservedProduct, Sale, Stock,
    Visibility,
};
pub use origin::Origin;
pub use position::{Epoch, InvalidCursor, N_MAX, Position};
pub use product_id::{InvalidProductId, ProductId};
pub use trace_parent::{InvalidTraceParent, TraceParent};

#[cfg(test)]
mod tests;
