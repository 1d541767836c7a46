//! Many times in little room: counted in steps of two hundredths, so that a million of them cost some kilobytes.

use std::time::Duration;

/// Times, and their percentiles right to 2 %.
#[derive(Debug, Clone, Default)]
pub struct Times {
    counts: Vec<u64>,
    count: u64,
}

const STEP: f64 = 1.02;
const LEAST_US: f64 = 10.0;

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        let us = time.as_secs_f64() * 1e6;
        let bucket = (us / LEAST_US).max(1.0).log(STEP).ceil() as usize;
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
    }

    /// In milliseconds, the time that `share` of all are within; `None` without times.
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        let mut left = (self.count as f64 * share).ceil() as i64;
        let bucket = self.counts.iter().position(|count| {
            left -= i64::try_from(*count).unwrap_or(i64::MAX);
            left <= 0
        });
        bucket.filter(|_| self.count > 0).map(|bucket| LEAST_US * STEP.powi(bucket as i32) / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_two_hundredths() {
        let mut times = Times::default();
        (1..=10_000).for_each(|ms| times.add(Duration::from_millis(ms)));
        for (share, ms) in [(0.5, 5_000.0), (0.99, 9_900.0)] {
            let told = times.percentile_ms(share).unwrap();
            assert!((told - ms).abs() <= ms * 0.02, "{told} for {ms}");
        }
    }

    #[test]
    fn without_times_there_is_nothing_to_say() {
        assert_eq!(Times::default().percentile_ms(0.5), None);
    }
}
