//! [`Keys`]: every key and channel name in one place. All keys share one hash tag, so that a cluster keeps them in one
//! slot and one script may touch them all.

use std::fmt::Display;

/// Names of keys and channels.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    channel_prefix: String,
}

impl Keys {
    /// `prefix`: of the gateway's own keys (`REDIS_PREFIX`). `channel_prefix`: of every channel and stream that others
    /// use too (`CHANNEL_PREFIX`).
    pub fn new(prefix: &str, channel_prefix: &str) -> Self {
        Self { prefix: prefix.into(), channel_prefix: channel_prefix.into() }
    }

    fn own(&self, name: impl Display) -> String {
        format!("{{{}}}:{name}", self.prefix)
    }

    /// The log: a stream.
    pub fn log(&self) -> String {
        self.own("log")
    }

    /// The head of the log: a hash.
    pub fn meta(&self) -> String {
        self.own("meta")
    }

    /// Who takes messages from the input channels: a string that expires.
    pub fn lease(&self) -> String {
        self.own("lease")
    }

    /// What is known of the holdings of the lease: a hash.
    pub fn lease_meta(&self) -> String {
        self.own("lease-meta")
    }

    /// Messages that could not be read: a capped list.
    pub fn dead(&self) -> String {
        self.own("dead")
    }

    /// A claim on a request or an event: a string that expires.
    pub fn claim(&self, claim: impl Display) -> String {
        self.own(format_args!("claim:{claim}"))
    }

    /// Which product a part belongs to, in two generations: hashes.
    pub fn parts(&self) -> [String; 2] {
        ["young", "old"].map(|generation| self.own(format_args!("parts:{generation}")))
    }

    /// What products looked like when they were seen last: a hash that expires.
    pub fn snapshots(&self) -> String {
        self.own("snapshots")
    }

    /// Since when products have been told of by what was seen of them alone: a hash that expires.
    pub fn streaks(&self) -> String {
        self.own("streaks")
    }

    /// When sales begin and end: a sorted set.
    pub fn sales(&self) -> String {
        self.own("sales")
    }

    /// What one pod tells of its viewers: a string that expires.
    pub fn audience(&self, pod: &str) -> String {
        self.own(format_args!("audience:{pod}"))
    }

    /// The pods that tell of their viewers: a sorted set.
    pub fn audience_pods(&self) -> String {
        self.own("audience")
    }

    /// A channel or stream that others use too.
    pub fn channel(&self, name: &str) -> String {
        format!("{}{name}", self.channel_prefix)
    }
}
