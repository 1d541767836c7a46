//! [`TokenBucket`]: how often something may happen. Pure: it is told the time and waits for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// How much at once, and how much in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens a full bucket holds.
    pub burst: f64,
    /// Tokens that come back each second.
    pub per_sec: f64,
}

/// A bucket of tokens; whatever is done costs some, and they come back with time.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, at: now }
    }

    /// Takes one token; `Err`: there is none, with the time until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.tokens = self.tokens_at(now);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate.per_sec))
    }

    /// Takes any number, more than there are if need be: then nothing is there until they have come back.
    pub fn spend(&mut self, tokens: f64, now: Instant) {
        self.tokens = self.tokens_at(now) - tokens;
        self.at = self.at.max(now);
    }

    /// Whether there is not one token now.
    pub fn is_spent(&self, now: Instant) -> bool {
        self.tokens_at(now) < 1.0
    }

    /// Whether nothing was taken lately.
    pub fn is_full(&self, now: Instant) -> bool {
        self.tokens_at(now) >= self.rate.burst
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let back = now.saturating_duration_since(self.at).as_secs_f64() * self.rate.per_sec;
        (self.tokens + back).min(self.rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { burst: 10.0, per_sec: 2.0 };

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(RATE, now);
        assert!((0..10).all(|_| bucket.take(now).is_ok()));
        assert_eq!(bucket.take(now), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(now + Duration::from_millis(500)), Ok(()));
        assert!(bucket.take(now + Duration::from_millis(600)).is_err());
    }

    #[test]
    fn who_spends_more_than_there_is_waits_the_longer() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(RATE, now);
        bucket.spend(20.0, now);
        assert!(bucket.is_spent(now + Duration::from_secs(5)));
        assert!(!bucket.is_spent(now + Duration::from_secs(6)));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate_allow(gaps_ms in prop::collection::vec(0_u64..400, 1..400)) {
            let start = Instant::now();
            let (mut now, mut taken) = (start, 0_u32);
            let mut bucket = TokenBucket::new(RATE, start);
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                taken += u32::from(bucket.take(now).is_ok());
                let allowed = RATE.burst + (now - start).as_secs_f64() * RATE.per_sec;
                prop_assert!(f64::from(taken) <= allowed + 1e-6);
            }
        }
    }
}
