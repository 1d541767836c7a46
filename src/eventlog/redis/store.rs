//! [`Store`]: the few things the shared log asks of a server, each of them atomic there. Decides nothing: whether
//! history is whole is judged by [`reader`](super::reader), on whatever store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    eventlog::{Append, Appended, InputGap},
    model::{Entry, Epoch, LogTime, Position, ProductId},
};

/// A server that keeps one log for every pod.
///
/// Each call is one atomic step at the server, has a deadline, and is never tried again by itself: whoever calls
/// knows whether that is safe. A call that was given up may still be executed later.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Appends, unless a claim or the lease says otherwise. Makes the first epoch if there is none.
    async fn append(&self, append: &Append) -> Result<Taken, StoreError>;

    /// Appends the word that an input lost something.
    async fn append_gap(&self, gap: &InputGap) -> Result<Taken, StoreError>;

    /// Where the log stands. If there is no epoch, or the server's lineage is not the one in which the epoch began,
    /// a new epoch begins on an emptied log first.
    async fn head(&self) -> Result<Standing, StoreError>;

    /// Begins a new epoch on an emptied log if the epoch is still `expected`; the first pod wins.
    async fn renew(&self, expected: Epoch) -> Result<Standing, StoreError>;

    /// The entries behind `after_n`, in order. Waits a moment for one if there is none; then the answer is empty.
    async fn read(&self, after_n: u64) -> Result<Vec<Stored>, StoreError>;
}

/// The server in whose keeping an epoch began: its replication id, which is another one after a failover and after a
/// restart. Empty: the server does not tell.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Lineage(pub Box<str>);

impl Lineage {
    /// Whether these are known to be two chains.
    pub fn differs(&self, other: &Self) -> bool {
        !self.0.is_empty() && !other.0.is_empty() && self != other
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came of an append at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The answer for the publisher.
    pub appended: Appended,
    /// The lineage in which the epoch of this moment began.
    pub lineage: Lineage,
}

/// Where a log stands at its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The newest position.
    pub head: Position,
    /// The oldest `n` still kept; `head.n + 1` if nothing is.
    pub first_n: u64,
    /// The time that an event appended now would at least get.
    pub log_time: LogTime,
    /// The log time at which the epoch began.
    pub born: LogTime,
    /// How long ago that was by the server's own clock, which log time may be ahead of.
    pub age: Duration,
    /// The last position of the epoch before, as this server had it when it ended.
    pub ended: Option<Position>,
    /// The lineage in which the epoch began.
    pub lineage: Lineage,
}

/// One entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it stands.
    pub at: Position,
    /// When the log took it.
    pub log_time: LogTime,
    /// The log time of the entry before it (of the epoch's birth for the first): each has its own microsecond, so an
    /// entry that continues another history is found out.
    pub before: LogTime,
    /// What it says.
    pub content: Content,
}

/// What a kept entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An event.
    Event(Arc<Entry>),
    /// An input lost something.
    InputGap(Vec<ProductId>),
    /// Nothing that this version can read.
    Unreadable,
}

/// Why a step was not done, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The publisher's fault: the key was used for another body.
    #[error("this idempotency key was used for another request body")]
    KeyReused,
    /// The lease is held by another pod, or by none.
    #[error("the lease is no longer held")]
    Fenced,
    /// What it was computed from did not stand any more, every time; nothing was done.
    #[error("others were quicker every time")]
    Contended,
    /// More waits for the server than may; it was not asked.
    #[error("too much waits for the server")]
    NoRoom,
    /// What the server keeps of this epoch contradicts itself; nothing was done. A new epoch mends it. `None`: of the one
    /// that the caller asked about.
    #[error("the log and its head contradict each other")]
    Inconsistent(Option<Epoch>),
    /// The server refused; nothing was done.
    #[error("the server refused: {0}")]
    Refused(Refusal),
    /// The server did not answer in time, or the connection broke: it may have been done, or be done later.
    #[error("the server did not answer")]
    Unknown,
}

impl StoreError {
    /// The name in metrics; one of [`LOG_FAILURES`](crate::telemetry::LOG_FAILURES), or none that is counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyReused => "key_reused",
            Self::Fenced => "fenced",
            Self::Contended => "contended",
            Self::NoRoom => "no_room",
            Self::Inconsistent(_) => "inconsistent",
            Self::Refused(refusal) => refusal.as_str(),
            Self::Unknown => "unknown",
        }
    }
}

/// Why a server refuses, for the metrics and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no connection to it.
    NotConnected,
    /// It is out of memory (`-OOM`).
    OutOfMemory,
    /// It is a replica (`-READONLY`).
    ReadOnly,
    /// It is loading its data (`-LOADING`).
    Loading,
    /// Its primary is away (`-MASTERDOWN`).
    PrimaryDown,
    /// The cluster does not serve this slot (`-CLUSTERDOWN`, `-MOVED`, `-ASK`, `-TRYAGAIN`).
    ClusterDown,
    /// It runs a script for too long (`-BUSY`).
    Busy,
    /// It cannot write to its disk (`-MISCONF`).
    Disk,
    /// Too few replicas (`-NOREPLICAS`), or fewer than `DURABILITY` asks for confirmed the write.
    TooFewReplicas,
    /// Credentials or rights are missing (`-NOAUTH`, `-WRONGPASS`, `-NOPERM`).
    Unauthorized,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 11] = [
        Self::NotConnected,
        Self::OutOfMemory,
        Self::ReadOnly,
        Self::Loading,
        Self::PrimaryDown,
        Self::ClusterDown,
        Self::Busy,
        Self::Disk,
        Self::TooFewReplicas,
        Self::Unauthorized,
        Self::Other,
    ];

    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::OutOfMemory => "out_of_memory",
            Self::ReadOnly => "read_only",
            Self::Loading => "loading",
            Self::PrimaryDown => "primary_down",
            Self::ClusterDown => "cluster_down",
            Self::Busy => "busy",
            Self::Disk => "disk",
            Self::TooFewReplicas => "too_few_replicas",
            Self::Unauthorized => "unauthorized",
            Self::Other => "other",
        }
    }

    /// Reads the code at the beginning of a server's error. Before Redis 7 the error of a command in a script stands inside
    /// another: `ERR Error running script (call to f_...): @user_script:12: -READONLY You can't write ...`.
    pub fn of(error: &str) -> Self {
        let inner = error.split(" -").nth(1).filter(|_| error.starts_with("ERR Error running script"));
        let error = inner.unwrap_or(error);
        match error.split_whitespace().next().unwrap_or_default().trim_start_matches('-') {
            "OOM" => Self::OutOfMemory,
            "READONLY" => Self::ReadOnly,
            "LOADING" => Self::Loading,
            "MASTERDOWN" => Self::PrimaryDown,
            "CLUSTERDOWN" | "MOVED" | "ASK" | "TRYAGAIN" | "CROSSSLOT" => Self::ClusterDown,
            "BUSY" => Self::Busy,
            "MISCONF" => Self::Disk,
            "NOREPLICAS" => Self::TooFewReplicas,
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Unauthorized,
            // Of a command in a script.
            _ if error.contains("The user executing the script can't") => Self::Unauthorized,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use crate::telemetry::LOG_FAILURES;

    #[test]
    fn every_refusal_is_counted_under_its_name() {
        assert!(Refusal::ALL.iter().all(|refusal| LOG_FAILURES.contains(&refusal.as_str())));
    }

    #[test]
    fn a_refusal_is_told_by_the_code_at_its_beginning() {
        for (error, refusal) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Refusal::OutOfMemory),
            ("READONLY You can't write against a read only replica.", Refusal::ReadOnly),
            ("LOADING Redis is loading the dataset in memory", Refusal::Loading),
            ("MASTERDOWN Link with MASTER is down", Refusal::PrimaryDown),
            ("CLUSTERDOWN Hash slot not served", Refusal::ClusterDown),
            ("BUSY Redis is busy running a script.", Refusal::Busy),
            ("NOREPLICAS Not enough good replicas to write.", Refusal::TooFewReplicas),
            ("NOPERM this user has no permissions", Refusal::Unauthorized),
            ("MISCONF Redis is configured to save RDB snapshots", Refusal::Disk),
            (
                "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write",
                Refusal::ReadOnly,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: 5f2",
                Refusal::Unauthorized,
            ),
            ("WRONGTYPE Operation against a key", Refusal::Other),
            ("", Refusal::Other),
        ] {
            assert_eq!(Refusal::of(error), refusal, "{error}");
        }
    }
}
