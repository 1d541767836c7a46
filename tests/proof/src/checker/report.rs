//! [`Report`]: what was found, in words and with the lines that prove it. Decides nothing.

use std::{collections::BTreeMap, fmt};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An owed event never came, and no word did; the client was told positions beyond it.
    Lost,
    /// The same, at the end of what the client was ever told.
    LostTail,
    /// The same, and the client had asked and was told that it has everything.
    StaleResume,
    /// An event came that nobody ever sent, or as another one than was sent.
    Phantom,
    /// An event came that had definitely been refused.
    AbortedRead,
    /// An event came twice within a connection, outside replays.
    Duplicate,
    /// The position of a product went back within a connection, outside replays.
    Reordered,
    /// A position stood for two different events and went on doing so.
    Inconsistent,
    /// A batch said that an owed event came before it, which did not come, and no word did.
    Hole,
    /// Not of the history: a simulation found something else wrong, such as a publisher that waited too long.
    Misbehaved,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::LostTail,
        Self::StaleResume,
        Self::Phantom,
        Self::AbortedRead,
        Self::Duplicate,
        Self::Reordered,
        Self::Inconsistent,
        Self::Hole,
        Self::Misbehaved,
    ];

    /// Its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::LostTail => "lost tail",
            Self::StaleResume => "stale resume",
            Self::Phantom => "phantom",
            Self::AbortedRead => "aborted read",
            Self::Duplicate => "duplicate within a connection",
            Self::Reordered => "reordered",
            Self::Inconsistent => "inconsistent",
            Self::Hole => "hole without a word",
            Self::Misbehaved => "misbehaved",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// What sort.
    pub kind: Kind,
    /// What exactly.
    pub text: String,
    /// The lines of the history that prove it, from 1.
    pub lines: Vec<u32>,
}

/// How much of everything there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what `rows` says it is")]
pub struct Counts {
    pub published: u64,
    pub accepted: u64,
    pub refused: u64,
    pub unknown: u64,
    pub clients: u64,
    pub connections: u64,
    pub resumes: u64,
    pub batches: u64,
    pub deliveries: u64,
    pub replays: u64,
    pub resyncs: u64,
    pub repeats: u64,
    pub faults: u64,
}

impl Counts {
    /// The table.
    pub fn rows(&self) -> [(&'static str, u64); 13] {
        [
            ("events published", self.published),
            ("  accepted (202)", self.accepted),
            ("  refused", self.refused),
            ("  unknown", self.unknown),
            ("clients", self.clients),
            ("connections", self.connections),
            ("resumes (joins that say where)", self.resumes),
            ("batches", self.batches),
            ("deliveries of events", self.deliveries),
            ("  in replays", self.replays),
            ("  repeated across resumes", self.repeats),
            ("words to refetch", self.resyncs),
            ("faults", self.faults),
        ]
    }

    /// Events that a client got again after it came back, in percent of all it got.
    pub fn repeats_percent(&self) -> f64 {
        if self.deliveries == 0 { 0.0 } else { self.repeats as f64 * 100.0 / self.deliveries as f64 }
    }

    /// Adds those of another history.
    pub fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.clients += other.clients;
        self.connections += other.connections;
        self.resumes += other.resumes;
        self.batches += other.batches;
        self.deliveries += other.deliveries;
        self.replays += other.replays;
        self.resyncs += other.resyncs;
        self.repeats += other.repeats;
        self.faults += other.faults;
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// How much there was.
    pub counts: Counts,
    /// The first of each kind, at most [`Report::SHOWN_MAX`] of each.
    pub anomalies: Vec<Anomaly>,
    /// How many of each kind.
    pub found: BTreeMap<Kind, u64>,
}

impl Report {
    /// Anomalies of one kind that are kept with their proof; the rest is only counted.
    pub const SHOWN_MAX: u64 = 20;

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes something that is wrong. The words are only made up if they are kept.
    pub fn note(&mut self, kind: Kind, lines: &[u32], text: impl FnOnce() -> String) {
        let count = self.found.entry(kind).or_default();
        *count += 1;
        if *count <= Self::SHOWN_MAX {
            let mut lines: Vec<_> = lines.iter().copied().filter(|line| *line > 0).collect();
            lines.sort_unstable();
            lines.dedup();
            self.anomalies.push(Anomaly { kind, text: text(), lines });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts.rows() {
            writeln!(f, "{name:<32} {count:>12}")?;
        }
        writeln!(f, "{:<32} {:>11.3}%", "  repeated, of all deliveries", self.counts.repeats_percent())?;
        for kind in Kind::ALL {
            writeln!(f, "{:<32} {:>12}", kind.as_str(), self.found.get(&kind).unwrap_or(&0))?;
        }
        Ok(())
    }
}
