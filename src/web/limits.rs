//! [`FailureLimiter`]: slows down whoever guesses keys. Never stands in the way of a good key.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::ClientAddress;
use crate::rate::{Rate, TokenBucket};

/// Failed attempts per [network](ClientAddress::network).
#[derive(Debug, Default)]
pub struct FailureLimiter {
    addresses: Mutex<HashMap<IpAddr, TokenBucket>>,
}

impl FailureLimiter {
    /// Attempts that may fail at once, because a deploy with a wrong key should still see why; then one in two seconds,
    /// with which guessing a key of 32 random characters outlasts the shop.
    const FAILURES: Rate = Rate { burst: 10.0, per_sec: 0.5 };
    /// Addresses remembered. When full, those with nothing to remember go.
    const ADDRESSES_MAX: usize = 10_000;

    /// Notes a failed attempt; `Err`: too many, with the time until the next is welcome.
    pub fn failed(&self, client: ClientAddress, now: Instant) -> Result<(), Duration> {
        let mut addresses = self.addresses.lock();
        if addresses.len() >= Self::ADDRESSES_MAX {
            addresses.retain(|_, bucket| !bucket.is_full(now));
            // Only a flood from that many addresses gets here; it starts over, and the cap on memory holds.
            if addresses.len() >= Self::ADDRESSES_MAX {
                addresses.clear();
            }
        }
        let bucket =
            addresses.entry(client.network()).or_insert_with(|| TokenBucket::new(Self::FAILURES, now));
        bucket.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_forgiven_slowly_and_per_network() {
        let limiter = FailureLimiter::default();
        let now = Instant::now();
        let client = |address: &str| ClientAddress::new(address.parse().unwrap());
        let (one, neighbour, stranger) =
            (client("2001:db8::1"), client("2001:db8::ffff"), client("2001:db8:0:1::1"));
        for _ in 0..10 {
            assert_eq!(limiter.failed(one, now), Ok(()));
        }
        assert_eq!(limiter.failed(neighbour, now), Err(Duration::from_secs(2)));
        assert_eq!(limiter.failed(stranger, now), Ok(()));
        assert_eq!(limiter.failed(one, now + Duration::from_secs(2)), Ok(()));
    }
}
