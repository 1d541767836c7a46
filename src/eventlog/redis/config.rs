//! How a log at Redis is kept, and when what is appended to it counts. Reads no settings.

/// What the log keeps, and when an append counts as done.
#[derive(Debug, Clone, Copy)]
pub struct RedisLogConfig {
    /// Seconds an entry is kept.
    pub retention_secs: u64,
    /// Entries kept at most; a few more until a whole node of the stream can go.
    pub events_max: usize,
    /// Seconds a claim is kept.
    pub claim_ttl_secs: u64,
    /// When an append is acknowledged.
    pub durability: Durability,
}

/// When an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the primary executed it.
    Memory,
    /// When one replica has it.
    Replica,
    /// When the primary wrote it to its disk (`WAITAOF`, Redis 7.2).
    Fsync,
}

impl Durability {
    /// Calls under way at once that append what publishers bring (ADR 0040 has what was measured).
    pub(super) fn calls_under_way_max(self) -> usize {
        match self {
            // One is executed while the next is on its way.
            Self::Memory => 2,
            // A call that waits to be confirmed holds the connection: one behind it would wait at the server, where nobody can
            // join it any more.
            Self::Replica | Self::Fsync => 1,
        }
    }
}
