//! The same promise with real threads: clients join, read and vanish while batches leave, debts are paid and history
//! breaks. What the models in one thread cannot show is here: races between a join and a flush.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{Edge, PRODUCTS, Pod, Setup, World, shopper::Shopper};

const EVENTS: u64 = 15_000;
const CLIENTS: u64 = 6;

/// A small pseudo-random sequence; the seed is the client's number, so a run is as repeatable as threads allow.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The batcher's part: events, pauses, now and then a gap or a new epoch, then rest.
async fn publish(mut world: World) -> World {
    let mut dice = Dice(7);
    for _ in 0..EVENTS {
        match dice.roll(300) {
            0 => world.gap().await,
            1 => world.new_epoch().await,
            roll => world.event((roll % u64::from(PRODUCTS)) as u8).await,
        }
        if dice.roll(8) == 0 {
            world.expire().await;
        }
    }
    world.flush().await;
    world
}

fn shop(pod: &Pod, number: u64, done: &AtomicBool) -> Shopper {
    let mut dice = Dice(number);
    let queue_max = if number.is_multiple_of(2) { 8 } else { 512 };
    let mut shopper = Shopper::new(number.is_multiple_of(3));
    while !done.load(Ordering::Acquire) {
        shopper.come_back(pod, queue_max);
        for _ in 0..dice.roll(40) {
            shopper.read(pod);
        }
        match dice.roll(6) {
            0 => shopper.cut(pod),
            1 => thread::sleep(Duration::from_micros(dice.roll(200))),
            _ => {}
        }
    }
    // Now it stays, and everything comes to rest.
    shopper.come_back(pod, queue_max);
    let runtime = runtime();
    for _ in 0..200 {
        while shopper.read(pod) {}
        runtime.block_on(pod.hub.pay_debts());
    }
    shopper
}

#[test]
fn threads_that_come_and_go_find_no_silent_gap() {
    let setup = Setup { edge: Edge::Trailing, queue_max: 512, history_max: 300, announced: true };
    let publishing = runtime();
    let world = {
        let _time = publishing.enter();
        World::with(setup, Duration::from_micros(200), None)
    };
    let (pod, done) = (world.pod.clone(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (pod, done) = (&pod, &done);
        let start = |number| scope.spawn(move || (number, shop(pod, number, done)));
        let clients: Vec<_> = (0..CLIENTS).map(start).collect();
        let payer = scope.spawn(|| {
            let runtime = self::runtime();
            while !done.load(Ordering::Acquire) {
                runtime.block_on(pod.hub.pay_debts());
                pod.beat();
            }
        });
        publishing.block_on(publish(world));
        done.store(true, Ordering::Release);
        payer.join().unwrap();
        for client in clients {
            let (number, shopper) = client.join().unwrap();
            assert_eq!(shopper.knows.silent_gaps(pod), Vec::<usize>::new(), "client {number}");
        }
    });
}
