//! [`Figures`]: what one run of one scenario against one server came to.

use std::collections::BTreeMap;

/// What is measured, in the order of the table. The server's own unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Memory (PSS).
    KibPerConnection,
    /// CPU time for a batch that reaches a client, publishing it included.
    CpuUsPerDelivery,
    /// CPU time for an event that was answered 202.
    CpuUsPerEvent,
    /// CPU time of Redis for an event.
    RedisCpuUsPerEvent,
    /// Events answered 202 a second.
    EventsPerSec,
    /// CPU time for a client that connects, joins, leaves and ends.
    CpuUsPerVisit,
    /// From the first byte to the answer of the join, 99 of 100.
    JoinedP99Ms,
    /// Half of the deliveries come within this after the end of the window.
    BeyondWindowP50Ms,
    /// 99 of 100.
    BeyondWindowP99Ms,
    /// Without framing.
    BytesPerDelivery,
    /// Deliveries a second.
    DeliveriesPerSec,
    /// Of its core.
    ServerCpuPercent,
    /// Of the core that clients and publishers share: near 100 it is the generator that is measured.
    GeneratorCpuPercent,
}

impl Figure {
    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KibPerConnection => "memory per connection, KiB",
            Self::CpuUsPerDelivery => "CPU per delivery, us",
            Self::CpuUsPerEvent => "CPU per event, us",
            Self::RedisCpuUsPerEvent => "CPU of Redis per event, us",
            Self::EventsPerSec => "events a second",
            Self::CpuUsPerVisit => "CPU per visit, us",
            Self::JoinedP99Ms => "connected and joined p99, ms",
            Self::BeyondWindowP50Ms => "beyond the window p50, ms",
            Self::BeyondWindowP99Ms => "beyond the window p99, ms",
            Self::BytesPerDelivery => "bytes per delivery",
            Self::DeliveriesPerSec => "deliveries a second",
            Self::ServerCpuPercent => "server's core in use, %",
            Self::GeneratorCpuPercent => "generator's core in use, %",
        }
    }

    /// Whether the ratio of two servers says which is better.
    pub fn has_ratio(self) -> bool {
        !matches!(self, Self::GeneratorCpuPercent | Self::ServerCpuPercent)
    }
}

/// What must not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Events that did not reach a client.
    pub lost: u64,
    /// Events that reached a client twice.
    pub duplicates: u64,
    /// Batches that are not as they have to be.
    pub misread: u64,
    /// Connections that the server ended or refused.
    pub broken: u64,
    /// Posts that were not answered 202.
    pub refused: u64,
}

impl Faults {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.misread += other.misread;
        self.broken += other.broken;
        self.refused += other.refused;
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lost, duplicates, misread, broken, refused } = self;
        write!(
            f,
            "lost {lost}, duplicates {duplicates}, misread {misread}, broken {broken}, refused {refused}"
        )
    }
}

/// One run.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What was measured.
    pub values: BTreeMap<Figure, f64>,
    /// What went wrong.
    pub faults: Faults,
}

/// The middle one; of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => values.get(half).copied(),
        _ => Some((values[half - 1] + values[half]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
