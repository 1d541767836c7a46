//! [`AddressBuckets`]: how often something may happen from one address.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::rate::{Rate, TokenBucket};

/// A bucket for each [network](super::ClientAddress::network) that has taken something lately.
#[derive(Debug)]
pub struct AddressBuckets {
    rate: Rate,
    addresses: Mutex<HashMap<IpAddr, TokenBucket>>,
}

impl AddressBuckets {
    /// Attempts with a wrong key that are answered as such: enough at once for a deploy with a wrong key to see why;
    /// then one in two seconds, with which guessing a key of 32 random characters outlasts the shop.
    pub const WRONG_KEYS: Rate = Rate { burst: 10.0, per_sec: 0.5 };
    /// Addresses remembered. When full, those with nothing to remember go.
    const ADDRESSES_MAX: usize = 10_000;

    /// Buckets of that kind.
    pub fn new(rate: Rate) -> Self {
        Self { rate, addresses: Mutex::default() }
    }

    /// Takes one token of this network; `Err`: there is none, with the time until there is one.
    pub fn take(&self, network: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut addresses = self.addresses.lock();
        if addresses.len() >= Self::ADDRESSES_MAX {
            addresses.retain(|_, bucket| !bucket.is_full(now));
            // Only a flood from that many addresses gets here; it starts over, and the cap on memory holds.
            if addresses.len() >= Self::ADDRESSES_MAX {
                addresses.clear();
            }
        }
        addresses.entry(network).or_insert_with(|| TokenBucket::new(self.rate, now)).take(now)
    }

    /// Whether this network has no token left.
    pub fn is_spent(&self, network: IpAddr, now: Instant) -> bool {
        self.addresses.lock().get(&network).is_some_and(|bucket| bucket.is_spent(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::ClientAddress;

    #[test]
    fn a_burst_is_forgiven_slowly_and_per_network() {
        let limiter = AddressBuckets::new(AddressBuckets::WRONG_KEYS);
        let now = Instant::now();
        let client = |address: &str| ClientAddress::new(address.parse().unwrap()).network();
        let (one, neighbour, stranger) =
            (client("2001:db8::1"), client("2001:db8::ffff"), client("2001:db8:0:1::1"));
        for _ in 0..10 {
            assert_eq!(limiter.take(one, now), Ok(()));
        }
        assert_eq!(limiter.take(neighbour, now), Err(Duration::from_secs(2)));
        assert_eq!(limiter.take(stranger, now), Ok(()));
        assert_eq!(limiter.take(one, now + Duration::from_secs(2)), Ok(()));
    }
}
