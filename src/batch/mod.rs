//! Batching: entries of one product that were accepted close together leave together.
//!
//! [`Windows`] is the pure state machine, [`Batcher`] the one task around it. Neither encodes a batch nor knows who
//! wants it. Next: [`fanout`](crate::fanout), through [`Downstream`].

mod batcher;
mod window;

pub use batcher::{Batcher, Downstream};
pub use window::{BatchConfig, Closed, Edge, Windows};

#[cfg(test)]
mod tests;
