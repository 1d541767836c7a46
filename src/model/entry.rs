//! [`Entry`]: an event that has its place in the log. Made only by a log.

use super::{Event, LogTime, Position};

/// An accepted event: it cannot be taken back, and its position names it for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub at: Position,
    /// When the log took it; its own microsecond.
    pub log_time: LogTime,
    /// What was accepted.
    pub event: Event,
}

impl Entry {
    /// Bytes this entry is counted with against `LOG_MAX_BYTES`: its text plus the fixed cost of holding it
    /// (structure, reference counts, list slots).
    pub fn size_bytes(&self) -> usize {
        const FIXED: usize = size_of::<Entry>() + 64;
        FIXED + self.event.encoded_len()
    }
}
