//! The index: what changed when, so that a client that comes back is answered from memory.
//!
//! It holds only what was flushed, never what still waits in a window, and does not send anything.
//! Next: [`fanout`](crate::fanout) asks it while it joins clients to rooms.

mod history;
mod progress;
mod since;

pub use history::{Answer, Index, IndexConfig, Missed};
pub use progress::{Progress, ResyncReason};
pub use since::Since;

#[cfg(test)]
mod tests;
