//! The proof machinery: what a history looks like, what is wrong with one, and a simulation that makes them.
//!
//! - [`history`]: what publishers did and clients saw, one JSON object a line.
//! - [`checker`]: finds every broken promise in a history. It runs nothing.
//! - [`sim`]: several gateways on one simulated server, with faults, in one thread and in simulated time. One seed is
//!   one run.

pub mod checker;
pub mod history;
pub mod sim;
