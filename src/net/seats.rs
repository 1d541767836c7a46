//! [`Seats`]: how many there may be, in all and for one address. What sits on them is the caller's business.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A number of seats. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    per_address_max: Option<usize>,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    /// Only those who sit: bounded by `max`.
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSeat {
    /// All are taken.
    #[error("every seat is taken")]
    Full,
    /// This address has as many as it may.
    #[error("this address has as many seats as it may")]
    AddressFull,
}

/// One seat, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    address: Option<IpAddr>,
}

impl Seats {
    /// `max` seats, of which one address may have `per_address_max`.
    pub fn new(max: usize, per_address_max: Option<usize>) -> Self {
        Self(Arc::new(Inner { max, per_address_max, taken: Mutex::default(), freed: Notify::new() }))
    }

    /// Takes a seat. `address`: whose it is; `None`: nobody's in particular.
    pub fn take(&self, address: Option<IpAddr>) -> Result<Seat, NoSeat> {
        // Without a cap for each nobody is counted.
        let address = address.filter(|_| self.0.per_address_max.is_some());
        let mut taken = self.0.taken.lock();
        let Taken { count, by_address } = &mut *taken;
        if let (Some(address), Some(max)) = (address, self.0.per_address_max)
            && by_address.get(&address).is_some_and(|has| *has >= max)
        {
            return Err(NoSeat::AddressFull);
        }
        if *count >= self.0.max {
            return Err(NoSeat::Full);
        }
        *count += 1;
        if let Some(address) = address {
            *by_address.entry(address).or_default() += 1;
        }
        Ok(Seat { seats: self.clone(), address })
    }

    /// Whether it is time to look for some that could be freed.
    pub(super) fn is_crowded(&self) -> bool {
        self.taken() * 4 >= self.0.max * 3
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.taken.lock().count
    }

    /// Waits until one may have been freed.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.taken.lock();
        taken.count -= 1;
        if let Some(address) = self.address
            && let Some(has) = taken.by_address.get_mut(&address)
        {
            *has -= 1;
            if *has == 0 {
                taken.by_address.remove(&address);
            }
        }
        self.seats.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[test]
    fn an_address_takes_its_share_and_others_still_find_a_seat() {
        let seats = Seats::new(3, Some(2));
        let first = seats.take(address(1)).unwrap();
        let _second = seats.take(address(1)).unwrap();
        assert_eq!(seats.take(address(1)).unwrap_err(), NoSeat::AddressFull);
        let _other = seats.take(address(2)).unwrap();
        assert_eq!(seats.take(address(3)).unwrap_err(), NoSeat::Full);
        drop(first);
        assert!(seats.take(address(1)).is_ok());
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let seats = Seats::new(10, Some(1));
        for last in 0..10 {
            drop(seats.take(address(last)).unwrap());
        }
        assert_eq!((seats.taken(), seats.0.taken.lock().by_address.len()), (0, 0));
    }

    #[test]
    fn without_a_cap_for_each_one_address_may_have_all() {
        let seats = Seats::new(2, None);
        let _both = (seats.take(address(1)).unwrap(), seats.take(address(1)).unwrap());
        assert_eq!(seats.take(address(1)).unwrap_err(), NoSeat::Full);
    }
}
