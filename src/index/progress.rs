//! [`Progress`]: how far this pod has come in the log, and how far back it can answer.

use crate::model::{Epoch, LogTime, Position};

/// Why a client is told to refetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResyncReason {
    /// The client's position is of another life of the log.
    LogReset,
    /// The client was away for longer than the log remembers, or its position cannot be read.
    Expired,
    /// Events are missing here, or the client knows of events that never came.
    Gap,
    /// The client did not read fast enough, and batches were left out.
    Slow,
}

impl ResyncReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::LogReset, Self::Expired, Self::Gap, Self::Slow];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogReset => "log_reset",
            Self::Expired => "expired",
            Self::Gap => "gap",
            Self::Slow => "slow",
        }
    }
}

/// A snapshot of how far this pod is. Within one epoch `covered <= applied`; the floor is below both unless more was
/// forgotten than a window is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The life of the log this pod follows.
    pub epoch: Epoch,
    /// The newest entry read from the log. It may not be in a window yet, nor be those of the same page before it.
    pub applied_n: u64,
    /// Everything at or before it was delivered to whoever was subscribed.
    pub covered_n: u64,
    /// What came at or before it may be forgotten.
    pub floor_n: u64,
    /// The log time of the floor.
    pub floor_time: LogTime,
    /// The log time of the newest entry read.
    pub log_time: LogTime,
}

impl Progress {
    /// A pod that knows everything behind `at`, and nothing before.
    pub fn starting(at: Position, log_time: LogTime) -> Self {
        Self {
            epoch: at.epoch,
            applied_n: at.n,
            covered_n: at.n,
            floor_n: at.n,
            floor_time: log_time,
            log_time,
        }
    }

    /// The covered position.
    pub fn covered(&self) -> Position {
        self.epoch.at(self.covered_n)
    }

    /// The floor.
    pub fn floor(&self) -> Position {
        self.epoch.at(self.floor_n)
    }
}
