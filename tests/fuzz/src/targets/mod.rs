//! The targets, a file each. What several of them need stands in [`deliveries`], [`events`] and [`packets`].
//!
//! Each has one function, `run`, which gets any bytes and panics if something that must hold does not.

pub mod channel;
pub mod cursor;
mod deliveries;
mod events;
pub mod forwarded;
pub mod http;
pub mod meta;
pub mod notify;
mod packets;
pub mod polling;
pub mod shopify;
pub mod socketio_text;
pub mod sse_block;
pub mod sse_query;
pub mod standard;
pub mod token;
pub mod woocommerce;
