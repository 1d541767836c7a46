//! Spread: over which time clients are to spread the refetches that a word of ours sets off (contract section 8).
//!
//! [`RefetchQueue`] is a model of what the shop's origin still has to serve because of this pod. It delays nothing:
//! the clients wait, and what they are told is the queue's length in time. A pure state machine; time comes in as
//! `now`.

use std::{num::NonZeroU32, sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{Hub, Subscriber};
use crate::model::ProductId;

/// Fewer viewers than this need no spread (contract section 8).
const VIEWERS_MIN: u64 = 100;
/// The longest spread: a page that is older than this is worse than an origin under load (contract section 8).
const SPREAD_MAX: Duration = Duration::from_secs(30);
/// The pace at which clients that are told to refetch may do so without a configured budget (contract section 8).
const REFETCHES_PER_SEC: u64 = 500;

/// Viewers of this pod and of all the others, from which its share of the budget follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) here: u64,
    pub(super) elsewhere: u64,
}

impl Share {
    /// Above 0 and at most 1. The shares of pods that know of each other add up to 1.
    fn of_all(self) -> f64 {
        // Without a viewer nothing is told. Those who come back are about to be viewers, so the share is never nothing.
        let here = self.here.max(1) as f64;
        here / (here + self.elsewhere as f64)
    }
}

/// The refetches that are expected of this pod's clients, over all products, drained at the pod's share of the budget.
///
/// What is told: `n` clients wait uniformly in `[0, length)`, where `length` counts them already. So each of them
/// begins no later than if they stood in a real queue, and what has begun at any time is at least what a real queue
/// would have let through, and at most one length of the queue more.
#[derive(Debug)]
pub(super) struct RefetchQueue {
    /// Refetches a second, over all pods.
    budget: f64,
    /// Of those, what this pod may use.
    rate: f64,
    /// Refetches expected at `at` and not yet due by the rate.
    waiting: f64,
    at: Instant,
}

impl RefetchQueue {
    pub(super) fn new(budget: NonZeroU32, now: Instant) -> Self {
        let budget = f64::from(budget.get());
        Self { budget, rate: budget, waiting: 0.0, at: now }
    }

    /// Adds `refetches`, and tells over which time they are to be spread, in milliseconds. `viewers`: of the same
    /// thing, on all pods. Few of them need not wait, but they reach the origin, so they count for those who come next.
    pub(super) fn expect(&mut self, now: Instant, share: Share, refetches: u64, viewers: u64) -> u64 {
        self.pass(now, share);
        self.waiting += refetches as f64;
        self.cap();
        if viewers < VIEWERS_MIN { 0 } else { self.length_ms() }
    }

    /// The length in time, now.
    pub(super) fn length(&mut self, now: Instant, share: Share) -> Duration {
        self.pass(now, share);
        Duration::from_secs_f64(self.waiting / self.rate)
    }

    /// Lets time pass, at the share that held until now.
    fn pass(&mut self, now: Instant, share: Share) {
        // Callers on several threads may come in another order than they looked at the clock.
        let passed = now.saturating_duration_since(self.at);
        self.waiting = (self.waiting - passed.as_secs_f64() * self.rate).max(0.0);
        self.at = self.at.max(now);
        self.rate = self.budget * share.of_all();
        self.cap();
    }

    /// Nobody waits longer than the longest spread, so nothing is left of what stood behind it.
    fn cap(&mut self) {
        self.waiting = self.waiting.min(self.rate * SPREAD_MAX.as_secs_f64());
    }

    /// Rounded up, so that the pace is never above the rate.
    fn length_ms(&self) -> u64 {
        // The cast saturates, and the cap keeps it small.
        ((self.waiting * 1_000.0 / self.rate).ceil() as u64).min(SPREAD_MAX.as_millis() as u64)
    }
}

impl Hub {
    /// A batch leaves for these members: over which time they refetch. 0 without a budget.
    pub(super) fn spread_of_batch(&self, product_id: &ProductId, members: usize) -> u64 {
        let Some(queue) = &self.refetches else { return 0 };
        let here = members as u64;
        // The others are asked about only where they decide.
        let elsewhere = if here < VIEWERS_MIN { self.audience.viewers_of(product_id) } else { 0 };
        let share = self.share(here);
        queue.lock().expect(Instant::now(), share, here, here + elsewhere)
    }

    /// This many clients are about to be told to refetch: over which time they do.
    ///
    /// A client counts as one refetch, however many products it tracks: it fetches what its page shows, mostly in one
    /// request.
    pub(super) fn spread_of_words(&self, clients: usize) -> u64 {
        let connections = self.subscribers.len() as u64;
        let Some(queue) = &self.refetches else {
            let ms = (connections * 1_000 / REFETCHES_PER_SEC).min(SPREAD_MAX.as_millis() as u64);
            return if connections < VIEWERS_MIN { 0 } else { ms };
        };
        let clients = clients as u64;
        let share = self.share(clients);
        queue.lock().expect(Instant::now(), share, clients, connections + share.elsewhere)
    }

    /// A single client is about to be told to refetch because of what it asked: over which time it does.
    ///
    /// It counts once in the time that a refetch may wait. Otherwise one client that asks again and again would fill
    /// the queue, and everybody else would wait.
    pub(super) fn spread_of_answer(&self, subscriber: &Subscriber) -> u64 {
        if self.refetches.is_none() {
            return self.spread_of_words(0);
        }
        let now = Instant::now();
        let counts = subscriber.update(|standing| {
            let counts = standing.counted.is_none_or(|at| now >= at + SPREAD_MAX);
            if counts {
                standing.counted = Some(now);
            }
            counts
        });
        self.spread_of_words(usize::from(counts))
    }

    /// Over which time clients that are told to refetch now spread that, if they were counted before.
    pub(super) fn spread_ms(&self) -> u64 {
        self.spread_of_words(0)
    }

    /// Whether refetches have a budget.
    pub fn has_budget(&self) -> bool {
        self.refetches.is_some()
    }

    /// The length of the queue of expected refetches, in time; zero without a budget.
    pub fn refetch_queue(&self) -> Duration {
        let queue = self.refetches.as_ref();
        queue.map_or(Duration::ZERO, |queue| queue.lock().length(Instant::now(), self.share(0)))
    }

    /// The share of this pod, in which at least `told` clients look at something.
    fn share(&self, told: u64) -> Share {
        let here = (self.joined.load(Ordering::Relaxed) as u64).max(told);
        Share { here, elsewhere: self.audience.viewers() }
    }
}

#[cfg(test)]
mod tests {
    //! The model against the clients it stands for: how many have begun to refetch by when.

    use proptest::prelude::*;

    use super::*;

    /// A word of the queue's: when, to how many, over which time.
    #[derive(Debug, Clone, Copy)]
    struct Told {
        at: f64,
        clients: f64,
        spread: f64,
    }

    impl Told {
        /// How many of them have begun by then, as each waits uniformly.
        fn begun_by(&self, t: f64) -> f64 {
            if t < self.at {
                0.0
            } else if self.spread == 0.0 {
                self.clients
            } else {
                self.clients * ((t - self.at) / self.spread).min(1.0)
            }
        }
    }

    fn begun(told: &[Told], from: f64, to: f64) -> f64 {
        told.iter().map(|t| t.begun_by(to) - t.begun_by(from)).sum()
    }

    fn budget(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    const ALONE: Share = Share { here: 1, elsewhere: 0 };

    fn play(rps: u32, share: Share, steps: &[(u64, u64)], viewers: impl Fn(u64) -> u64) -> Vec<Told> {
        let start = Instant::now();
        let mut queue = RefetchQueue::new(budget(rps), start);
        // The share holds from the first moment.
        queue.pass(start, share);
        let mut ms = 0;
        let tell = |&(pause_ms, clients): &(u64, u64)| {
            ms += pause_ms;
            let now = start + Duration::from_millis(ms);
            let spread_ms = queue.expect(now, share, clients, viewers(clients));
            Told { at: ms as f64 / 1e3, clients: clients as f64, spread: spread_ms as f64 / 1e3 }
        };
        steps.iter().map(tell).collect()
    }

    fn steps(clients: std::ops::Range<u64>) -> impl Strategy<Value = Vec<(u64, u64)>> {
        let pause_ms = prop_oneof![3 => 0..2_u64, 3 => 0..500_u64, 1 => 0..20_000_u64];
        prop::collection::vec((pause_ms, clients), 1..60)
    }

    proptest! {
        #[test]
        fn a_spread_is_at_most_thirty_seconds_and_nothing_for_few(
            rps in 1..=1_000_000_u32,
            here in 0..1_000_000_u64,
            elsewhere in 0..1_000_000_u64,
            steps in steps(0..1_000_000),
        ) {
            let told = play(rps, Share { here, elsewhere }, &steps, |clients| clients);
            for told in told {
                prop_assert!((0.0..=30.0).contains(&told.spread), "{told:?}");
                prop_assert!(told.clients >= 100.0 || told.spread == 0.0, "{told:?}");
            }
        }

        /// Goal: the budget is a promise to the origin. Over any time no more begins than the pod's part of the budget
        /// and one length of the queue, as long as the queue is not at its cap.
        #[test]
        fn what_begins_in_any_time_is_within_the_budget_and_one_queue(
            rps in 1..5_000_u32,
            (here, elsewhere) in (1..1_000_u64, 0..3_000_u64),
            loads in prop::collection::vec((0..3_000_u64, 0.0..3.0_f64), 20..60),
            (a, b) in (0.0..90.0_f64, 0.0..90.0_f64),
        ) {
            let rate = f64::from(rps) * here as f64 / (here + elsewhere) as f64;
            // About as much as the rate allows in the long run, so that the queue is neither empty nor at its cap.
            let steps: Vec<_> = loads.iter().map(|(ms, secs)| (*ms, (rate * secs) as u64)).collect();
            let told = play(rps, Share { here, elsewhere }, &steps, |_| 100);
            let longest = told.iter().map(|t| t.spread).fold(0.0, f64::max);
            prop_assume!(longest < 30.0);
            let (from, to) = (a.min(b), a.max(b));
            let most = rate * (to - from) + rate * longest;
            prop_assert!(begun(&told, from, to) <= most * (1.0 + 1e-9));
        }

        /// Goal: a single burst, however large, begins at the budget's pace and not faster.
        #[test]
        fn one_burst_begins_at_the_pace_of_the_budget(
            rps in 1..10_000_u32,
            seconds in 0.0..30.0_f64,
            from in 0.0..30.0_f64,
            length in 0.0..30.0_f64,
        ) {
            let clients = (f64::from(rps) * seconds) as u64;
            let told = play(rps, ALONE, &[(0, clients)], |_| 100);
            prop_assert!(begun(&told, from, from + length) <= f64::from(rps) * length * (1.0 + 1e-9) + 1e-6);
        }

        /// Goal: nobody waits longer than in a real queue at that pace, where the cap does not forbid one.
        #[test]
        fn nobody_waits_longer_than_in_a_real_queue(rps in 1..5_000_u32, steps in steps(1..3_000)) {
            let told = play(rps, ALONE, &steps, |_| 100);
            let mut free_at = 0.0_f64;
            for told in told {
                free_at = free_at.max(told.at) + told.clients / f64::from(rps);
                // A millisecond for the rounding up.
                prop_assert!(told.at + told.spread <= free_at + 0.001 + 1e-6, "{told:?}, free at {free_at}");
            }
        }

        #[test]
        fn a_quiet_time_as_long_as_the_longest_spread_drains_everything(
            rps in 1..=1_000_000_u32,
            steps in steps(0..1_000_000),
            clients in 100..1_000_u64,
        ) {
            let first = play(rps, ALONE, &[(0, clients)], |_| 100)[0].spread;
            let later = [steps, vec![(30_000, clients)]].concat();
            prop_assert_eq!(play(rps, ALONE, &later, |_| 100).last().unwrap().spread, first);
        }
    }

    #[test]
    fn the_spread_is_the_length_of_the_queue_over_all_products() {
        let spreads = |steps: &[(u64, u64)]| -> Vec<f64> {
            play(100, ALONE, steps, |clients| clients).iter().map(|t| t.spread).collect()
        };
        assert_eq!(spreads(&[(0, 150), (0, 100), (500, 100)]), [1.5, 2.5, 3.0]);
        assert_eq!(spreads(&[(0, 99), (0, 101)]), [0.0, 2.0], "few do not wait, but they count");
        assert_eq!(spreads(&[(0, 1_000_000), (0, 100), (29_000, 100)]), [30.0, 30.0, 2.0]);
    }

    #[test]
    fn pods_that_know_of_each_other_share_the_budget() {
        let pod = |here, elsewhere| play(100, Share { here, elsewhere }, &[(0, here)], |_| 400)[0].spread;
        assert_eq!((pod(300, 100), pod(100, 300)), (4.0, 4.0), "all viewers at the same pace");
        let share = Share { here: 100, elsewhere: 300 };
        assert_eq!(
            play(100, share, &[(0, 100), (2_000, 100)], |_| 400)[1].spread,
            6.0,
            "drained at its own pace"
        );
    }

    #[test]
    fn a_share_that_changes_holds_from_then_on() {
        let start = Instant::now();
        let mut queue = RefetchQueue::new(budget(100), start);
        assert_eq!(queue.expect(start, ALONE, 1_000, 1_000), 10_000);
        let (half, later) = (Share { here: 1, elsewhere: 1 }, start + Duration::from_secs(5));
        assert_eq!(
            queue.length(later, half),
            Duration::from_secs(10),
            "500 of them are left, at half the pace"
        );
        assert_eq!(queue.length(start, half), Duration::from_secs(10), "time does not go back");
    }
}
