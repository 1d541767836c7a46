//! What clients are told of the spread, and what the pods tell each other for it. Real hub, index and windows.

use async_trait::async_trait;
use serde_json::Value;

use super::{shopper::Wire, *};
use crate::index::{ResyncReason, Since};

type Client = (Wire, Arc<Subscriber>);

const SETUP: Setup = Setup { edge: Edge::Leading, queue_max: 64, history_max: 1_000, announced: true };

/// A pod whose batches leave at once.
fn pod(budget: u32) -> World {
    World::with(SETUP, Duration::ZERO, NonZeroU32::new(budget))
}

fn viewers(world: &World, count: usize, product: &ProductId) -> Vec<Client> {
    (0..count).map(|_| viewer(world, product, SETUP.queue_max, true)).collect()
}

fn viewer(world: &World, product: &ProductId, queue_max: usize, announced: bool) -> Client {
    let wire = Wire::new(queue_max);
    let subscriber = world.pod.hub.connect(Box::new(wire.clone()), announced, None);
    world.pod.hub.join(&subscriber, product, None, IfAhead::GiveUp).unwrap();
    (wire, subscriber)
}

/// The spread of a client's next message, which must be of this kind.
fn told(client: &Client, kind: &str) -> Value {
    let message = client.0.take().expect("a message");
    message[kind]["spreadMs"].clone()
}

async fn batch(world: &mut World, i: u8, client: &Client) -> Value {
    world.event(i).await;
    told(client, "batch")
}

#[tokio::test(start_paused = true)]
async fn a_batch_spreads_from_a_hundred_viewers_on() {
    let mut world = pod(50);
    let mut clients = viewers(&world, 99, &product(0));
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 0);
    advance(Duration::from_secs(30)).await;
    clients.push(viewer(&world, &product(0), 64, true));
    clients[0].0.take();
    assert_eq!(batch(&mut world, 0, &clients[99]).await, 2_000);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_one_over_all_products_and_drains() {
    let mut world = pod(100);
    let (one, two) = (viewers(&world, 100, &product(0)), viewers(&world, 150, &product(1)));
    assert_eq!(batch(&mut world, 0, &one[0]).await, 1_000);
    assert_eq!(batch(&mut world, 1, &two[0]).await, 2_500);
    world.event(2).await;
    advance(Duration::from_millis(2_000)).await;
    assert_eq!(world.pod.hub.refetch_queue(), Duration::from_millis(500), "nobody looks at the third");
    assert_eq!(batch(&mut world, 0, &one[0]).await, 1_500);
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_batches_do_not_spread_and_words_do() {
    let mut world = pod(0);
    let clients = viewers(&world, 120, &product(0));
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 0);
    world.pod.hub.owe_all(ResyncReason::Gap);
    world.pod.hub.pay_debts().await;
    assert_eq!(told(&clients[0], "resync"), 240);
    assert_eq!(world.pod.hub.refetch_queue(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_word_to_everybody_counts_every_connection() {
    let world = pod(60);
    let clients = [viewers(&world, 90, &product(0)), viewers(&world, 30, &product(1))].concat();
    world.pod.hub.owe_all(ResyncReason::LogReset);
    world.pod.hub.pay_debts().await;
    assert!(clients.iter().all(|client| told(client, "resync") == 2_000));
}

#[tokio::test(start_paused = true)]
async fn plain_clients_are_told_evenly_over_the_spread() {
    let world = pod(100);
    let clients: Vec<_> = (0..200).map(|_| viewer(&world, &product(0), 64, false)).collect();
    world.pod.hub.owe_all(ResyncReason::LogReset);
    for half_seconds in 1..=4 {
        advance(Duration::from_millis(500)).await;
        world.pod.hub.pay_debts().await;
        let told = clients.iter().filter(|client| client.0.take().is_some()).count();
        assert!((49..=51).contains(&told), "{told} in half second {half_seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_that_lost_something_of_a_product_counts_its_viewers() {
    let mut world = pod(100);
    let clients = viewers(&world, 150, &product(0));
    world.head.n += 1;
    world.pod.hub.input_gap(world.head, &[product(0)]);
    world.pod.hub.pay_debts().await;
    assert!(clients.iter().all(|client| told(client, "resync") == 1_500));
}

/// Goal: clients that come back and must refetch spread too. A pod that restarts has all of them at once.
#[tokio::test(start_paused = true)]
async fn clients_that_come_back_count_one_by_one_and_only_once() {
    let world = pod(100);
    let clients = viewers(&world, 150, &product(0));
    let hub = &world.pod.hub;
    let ask = |client: &Client| {
        let unknown = Since::parse("of-another-log.7");
        hub.join(&client.1, &product(0), Some(unknown), IfAhead::GiveUp).unwrap();
        hub.pay(&client.1);
        told(client, "resync")
    };
    let spreads: Vec<_> = clients.iter().map(|client| ask(client).as_u64().unwrap()).collect();
    assert!(spreads.is_sorted() && spreads[0] == 10 && spreads[149] == 1_500, "{spreads:?}");
    for _ in 0..1_000 {
        assert_eq!(ask(&clients[0]), 1_500, "asking again and again does not fill the queue");
    }
    advance(Duration::from_secs(30)).await;
    assert_eq!(ask(&clients[0]), 10);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_was_counted_with_the_batch_it_missed() {
    let mut world = pod(100);
    let mut clients = viewers(&world, 149, &product(0));
    clients.push(viewer(&world, &product(0), 1, true));
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 1_500);
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 3_000, "the last has no room for this one");
    let slow = &clients[149];
    assert_eq!(told(slow, "batch"), 1_500);
    advance(Duration::from_secs(1)).await;
    world.pod.hub.pay(&slow.1);
    assert_eq!(told(slow, "resync"), 2_000);
}

/// A board with what another pod has put there; `None`: it cannot be reached.
#[derive(Debug, Default)]
struct Board {
    others: Mutex<Option<Vec<Report>>>,
    mine: Mutex<Report>,
}

#[async_trait]
impl Bulletin for Board {
    async fn exchange(&self, mine: &Report) -> Result<Vec<Notice>, BulletinError> {
        *self.mine.lock() = mine.clone();
        let others = self.others.lock().clone().ok_or_else(|| BulletinError("away".into()))?;
        let notice = |(i, report)| Notice { pod: format!("pod-{i}"), age: Duration::ZERO, report };
        Ok((0..).zip(others).map(notice).collect())
    }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn pods_share_the_budget_by_their_viewers() {
    let mut world = pod(100);
    let clients = viewers(&world, 40, &product(0));
    viewers(&world, 9, &product(1));
    let other = Report { viewers: 51, products: [(product(0), 60)].into() };
    let board = Arc::new(Board { others: Mutex::new(Some(vec![other])), ..Board::default() });
    let tasks = crate::tasks::Tasks::new();
    tasks.spawn(run_audience(Arc::clone(&world.pod.hub), Arc::clone(&board) as _, tasks.stopping()));

    seconds(1).await;
    let mine = Report { viewers: 49, products: [(product(0), 40)].into() };
    assert_eq!(*board.mine.lock(), mine, "few viewers are not worth a word");
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 817, "40 here, at 49 of 100 viewers' share");

    *board.others.lock() = None;
    seconds(3_600).await;
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 817, "the last figures stay while the board is away");

    *board.others.lock() = Some(vec![]);
    seconds(13).await;
    assert_eq!(batch(&mut world, 0, &clients[0]).await, 0, "alone, with 40 viewers");
    tasks.stop();
    tasks.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_holds_the_largest_thousand() {
    let world = pod(100);
    let hub = &world.pod.hub;
    let id = |i| ProductId::new(&format!("p{i}")).unwrap();
    for i in 0..1_010 {
        viewers(&world, 10 + usize::from(i >= 5) + usize::from(i == 1_009), &id(i));
    }
    let board = Arc::new(Board::default());
    let tasks = crate::tasks::Tasks::new();
    tasks.spawn(run_audience(Arc::clone(hub), Arc::clone(&board) as _, tasks.stopping()));
    seconds(1).await;
    tasks.stop();
    let report = board.mine.lock().clone();
    assert_eq!((report.products.len(), report.products[&id(1_009)]), (1_000, 12));
    assert!((0..5).all(|i| !report.products.contains_key(&id(i))), "the smallest are left out");
}
