//! What every log must do with products that a shop shows. One suite; each implementation is run through it, the one on
//! Redis as two pods. What only Redis can do wrong comes after it.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json, value::RawValue};
use shelfcast::{
    clock::Clock,
    eventlog::{
        AppendError, BodyDigest, ClaimKey, EventLog, LeaseToken, MemoryLog, MemoryLogConfig, NewEvent,
        RequestClaim, Tailed,
        redis::{Durability, RedisLogConfig},
        snapshots::{Fired, Observed, Sighting, Sightings, Tally},
    },
    model::{
        Availability, ContentDigest, Data, Decimal, Entry, Event, EventType, LogTime, ObservedAction,
        ObservedProduct, Position, ProductId, Sale, Stock, Timestamp, Visibility,
    },
};
use tokio::time::{advance, sleep, timeout};

use crate::{log_contract::suite, support::RedisServer};

/// A log as two pods hold it; in memory both are the same.
struct World {
    pods: [Arc<dyn EventLog>; 2],
    clock: Clock,
    paused: bool,
    /// How far the log was read.
    read: Position,
    server: Option<RedisServer>,
}

impl World {
    async fn on(
        pods: [Arc<dyn EventLog>; 2],
        clock: Clock,
        paused: bool,
        server: Option<RedisServer>,
    ) -> Self {
        let read = pods[0].head().await.unwrap().position;
        Self { pods, clock, paused, read, server }
    }

    async fn pass(&self, time: Duration) {
        if self.paused { advance(time).await } else { sleep(time).await }
    }

    fn sightings(&self, products: Vec<ObservedProduct>, request: Option<RequestClaim>) -> Sightings {
        let sightings = products.into_iter().map(|product| Sighting::Shown(Box::new(product))).collect();
        Sightings { request, events: Vec::new(), sightings, now: self.clock.now() }
    }

    /// This pod sees this product.
    async fn see(&self, pod: usize, product: ObservedProduct) -> Observed {
        self.pods[pod].observe(self.sightings(vec![product], None)).await.unwrap()
    }

    /// Every entry since the last time.
    async fn entries(&mut self) -> Vec<Arc<Entry>> {
        let head = self.pods[0].head().await.unwrap().position;
        let mut tail = self.pods[0].tail(self.read);
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        while self.read != head {
            match timeout(Duration::from_secs(10), tail.next()).await.expect("nothing came").unwrap() {
                Tailed::Entries(more) => entries.extend(more),
                other => panic!("unexpected {other:?}"),
            }
            self.read = entries.last().unwrap().at;
        }
        entries
    }

    /// What was told since the last time, short.
    async fn told(&mut self) -> Vec<String> {
        self.entries().await.iter().map(|entry| short(entry)).collect()
    }

    async fn fire(&self, pod: usize) -> usize {
        self.pods[pod].fire_sales(None).await.unwrap().fired
    }
}

/// `price 20 -> 15`.
fn short(entry: &Entry) -> String {
    let data: Value = serde_json::from_str(entry.event.data.as_str()).unwrap();
    assert_eq!(data["productId"], entry.event.product_id.as_str());
    match entry.event.event_type {
        EventType::ProductUpdate => format!("product {}", data["price"]),
        EventType::PriceUpdate => format!("price {} -> {}", data["oldPrice"], data["newPrice"]),
        EventType::InventoryUpdate => format!("stock {} -> {}", data["previousStock"], data["currentStock"]),
        EventType::SaleUpdate => format!("sale {}", if data["active"] == true { "on" } else { "off" }),
    }
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn shirt(price: &str) -> ObservedProduct {
    ObservedProduct {
        product_id: ProductId::new("shirt").unwrap(),
        variation_id: None,
        updated_at: None,
        action: ObservedAction::Updated,
        status: Visibility::Public,
        name: Some("T-shirt \"Ä\" \u{2028}".into()),
        price: Some(decimal(price)),
        regular_price: Some(decimal("20")),
        stock: Stock { quantity: Some(decimal("5")), availability: Availability::InStock },
        sale: None,
        variants: ContentDigest::of(["M"]),
        content: ContentDigest::of(["cotton"]),
    }
}

fn updated(price: &str, updated_at: LogTime) -> ObservedProduct {
    ObservedProduct { updated_at: Some(updated_at), ..shirt(price) }
}

fn request(key: &str, body: &str) -> Option<RequestClaim> {
    Some(RequestClaim { key: ClaimKey::request(key), body: BodyDigest::of(body.as_bytes()) })
}

const CHANGED: Tally = Tally { changed: 1, unchanged: 0, outdated: 0 };
const UNCHANGED: Tally = Tally { changed: 0, unchanged: 1, outdated: 0 };
const OUTDATED: Tally = Tally { changed: 0, unchanged: 0, outdated: 1 };

async fn the_first_sight_is_told_and_then_what_changed(mut world: World) {
    let first = world.see(0, shirt("20")).await;
    let mut sold = shirt("15.50");
    sold.stock.quantity = Some(decimal("4"));
    let second = world.see(1, sold).await;
    assert_eq!((first.appended.accepted, first.tally), (1, CHANGED));
    assert_eq!((second.appended.accepted, second.tally), (2, CHANGED), "both were changed by one sighting");
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15.5", "stock 5 -> 4"]);
    assert_eq!(world.pods[0].head().await.unwrap().position, second.appended.cursor);
}

async fn what_changes_nothing_is_dropped_and_counted(mut world: World) {
    let first = world.see(0, shirt("20")).await;
    for pod in [0, 1, 0] {
        let again = world.see(pod, shirt("20.00")).await;
        assert_eq!((again.appended.accepted, again.tally), (0, UNCHANGED));
        assert_eq!(again.appended.cursor, first.appended.cursor, "where the log stands");
    }
    assert_eq!(world.told().await.len(), 1);
}

/// A copy in each pod would lose the way back: the first pod never saw 12.
async fn a_price_that_goes_there_and_back_over_two_pods_is_told_both_times(mut world: World) {
    for (pod, price) in [(0, "10"), (1, "12"), (0, "10")] {
        world.see(pod, shirt(price)).await;
    }
    assert_eq!(world.told().await, ["product 10", "price 10 -> 12", "price 12 -> 10"]);
}

async fn what_comes_late_takes_nothing_back(mut world: World) {
    let now = world.clock.now();
    world.see(0, updated("10", now.plus_secs(-60))).await;
    // Nothing visible changed, but when.
    assert_eq!(world.see(1, updated("10", now.plus_secs(-20))).await.tally, UNCHANGED);
    assert_eq!(world.see(0, updated("12", now.plus_secs(-40))).await.tally, OUTDATED);
    world.see(1, updated("11", now)).await;
    assert_eq!(world.see(1, updated("10", now.plus_secs(-20))).await.tally, OUTDATED);
    assert_eq!(world.see(0, updated("9", now)).await.tally, CHANGED, "the same second is not older");
    assert_eq!(world.told().await, ["product 10", "price 10 -> 11", "price 11 -> 9"]);
}

async fn a_claim_decides_before_anything_is_compared(mut world: World) {
    let deliver = |price, key, body| world.sightings(vec![shirt(price)], request(key, body));
    let first = world.pods[0].observe(deliver("20", "d1", "20")).await.unwrap();
    world.pods[1].observe(deliver("15", "d2", "15")).await.unwrap();
    for pod in [0, 1].repeat(50) {
        let again = world.pods[pod].observe(deliver("20", "d1", "20")).await.unwrap();
        assert!(again.appended.repeated);
        assert_eq!((again.appended.cursor, again.tally), (first.appended.cursor, Tally::default()));
    }
    let other = world.pods[0].observe(deliver("99", "d1", "99")).await;
    assert_eq!(other, Err(AppendError::KeyReused));
    // What changed nothing is claimed as well, and what was refused left no trace.
    world.pods[0].observe(deliver("15", "d3", "15")).await.unwrap();
    assert!(world.pods[1].observe(deliver("15", "d3", "15")).await.unwrap().appended.repeated);
    world.see(0, shirt("20")).await;
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15", "price 15 -> 20"]);
}

async fn several_products_of_a_request_are_taken_together(mut world: World) {
    let trousers = ObservedProduct { product_id: ProductId::new("trousers").unwrap(), ..shirt("50") };
    let variation = ObservedProduct { variation_id: Some(ProductId::new("shirt-m").unwrap()), ..shirt("18") };
    world.see(0, shirt("20")).await;
    let products = vec![shirt("20"), trousers, variation, shirt("15"), shirt("20"), shirt("20")];
    let observed = world.pods[1].observe(world.sightings(products, None)).await.unwrap();
    assert_eq!(observed.tally, Tally { changed: 4, unchanged: 2, outdated: 0 });
    let told = ["product 20", "product 50", "product 18", "price 20 -> 15", "price 15 -> 20"];
    assert_eq!(world.told().await, told);
}

async fn what_a_delivery_tells_besides_stands_before_it(mut world: World) {
    let hint = || {
        let data =
            RawValue::from_string(r#"{"productId":"shirt","previousStock":1,"currentStock":0}"#.into());
        let event = Event {
            product_id: ProductId::new("shirt").unwrap(),
            event_type: EventType::InventoryUpdate,
            data: Data::new(&data.unwrap()).unwrap(),
            timestamp: Timestamp::from(world.clock.now()),
        };
        NewEvent { event, claim: Some(ClaimKey::event("hint")) }
    };
    let deliver = |pod: usize| {
        let sightings = world.sightings(vec![shirt("20")], None);
        world.pods[pod].observe(Sightings { events: vec![hint(), hint()], ..sightings })
    };
    let (first, second) = (deliver(0).await.unwrap(), deliver(1).await.unwrap());
    assert_eq!((first.appended.accepted, first.appended.duplicates, first.tally), (2, 1, CHANGED));
    assert_eq!((second.appended.accepted, second.appended.duplicates, second.tally), (0, 2, UNCHANGED));
    assert_eq!(world.told().await, ["stock 1 -> 0", "product 20"]);
}

async fn a_product_that_comes_back_as_it_was_is_told(mut world: World) {
    world.see(0, shirt("20")).await;
    let product_id = ProductId::new("shirt").unwrap();
    for pod in [1, 0] {
        let at = world.clock.now();
        let gone = Sighting::Gone { product_id: product_id.clone(), variation_id: None, at };
        let sightings = Sightings { sightings: vec![gone], ..world.sightings(vec![], None) };
        assert_eq!(world.pods[pod].observe(sightings).await.unwrap().tally, CHANGED);
        assert_eq!(world.see(pod, shirt("20")).await.tally, CHANGED);
    }
    let entries = world.entries().await;
    let actions = entries.iter().map(|entry| {
        let data: Value = serde_json::from_str(entry.event.data.as_str()).unwrap();
        data["action"].as_str().unwrap().to_owned()
    });
    assert_eq!(actions.collect::<Vec<_>>(), ["updated", "deleted", "updated", "deleted", "updated"]);
}

/// Goal: whoever sees what at the same time, each change is told with what was told before it. Method: both pods see prices
/// at once, on threads of their own; then the log is read as a shopper reads it.
async fn prices_seen_at_the_same_time_are_told_as_one_chain(mut world: World) {
    world.see(0, shirt("1000")).await;
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let world = &world;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for i in 0..20 {
                    let price = (i * 7 + thread) % 5;
                    runtime.block_on(world.see(thread % 2, shirt(&price.to_string())));
                }
            });
        }
    });
    let told = world.told().await;
    assert_eq!(told[0], "product 1000");
    let mut price = "1000".to_owned();
    for change in &told[1..] {
        let (old, new) = change.strip_prefix("price ").unwrap().split_once(" -> ").unwrap();
        assert_eq!(old, price, "{told:?}");
        assert_ne!(old, new);
        price = new.to_owned();
    }
    // What is kept is what was told last.
    assert_eq!(world.see(1, shirt(&price)).await.tally, UNCHANGED);
}

fn on_sale(from: LogTime, to: LogTime) -> ObservedProduct {
    let sale =
        Sale { active: false, starts_at: Some(from), ends_at: Some(to), discount: Some(decimal("25")) };
    ObservedProduct { sale: Some(sale), ..shirt("20") }
}

async fn a_sale_is_told_at_both_its_instants_and_once(mut world: World) {
    let now = world.clock.now();
    let (start, end) = (now.plus_secs(1), now.plus_secs(2));
    world.see(0, on_sale(start, end)).await;
    assert_eq!((world.fire(0).await, world.fire(1).await), (0, 0), "not before its time");
    assert_eq!(world.told().await, ["product 20"]);
    world.pass(Duration::from_millis(1_000)).await;
    assert_eq!((world.fire(0).await, world.fire(1).await), (1, 0), "by one pod");
    let entries = world.entries().await;
    let data: Value = serde_json::from_str(entries[0].event.data.as_str()).unwrap();
    let (start, end) = (start.to_string(), end.to_string());
    let expected = json!({"productId": "shirt", "active": true, "discountPercentage": 25, "startsAt": start,
        "endsAt": end, "timestamp": data["timestamp"]});
    assert_eq!((entries.len(), &data), (1, &expected));
    // The shop tells of it in its own time.
    let mut running = on_sale(now.plus_secs(1), now.plus_secs(2));
    running.sale.as_mut().unwrap().active = true;
    assert_eq!(world.see(1, running).await.tally, UNCHANGED);
    world.pass(Duration::from_millis(1_000)).await;
    assert_eq!((world.fire(1).await, world.fire(0).await), (1, 0));
    assert_eq!(world.told().await, ["sale off"]);
    assert_eq!(world.see(0, shirt("20")).await.tally, UNCHANGED, "no sale is as good as one that is over");
}

async fn a_sale_that_is_moved_or_cancelled_is_not_told_at_its_old_instant(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.see(1, on_sale(now.plus_secs(50), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_500)).await;
    assert_eq!(world.fire(0).await, 0);
    assert_eq!(world.told().await, ["product 20", "sale off"], "a plan that changed is told");
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.see(0, shirt("20")).await;
    let hidden = ObservedProduct { status: Visibility::Hidden, ..on_sale(now.plus_secs(1), now) };
    world.see(1, hidden).await;
    world.pass(Duration::from_millis(1_500)).await;
    assert_eq!(world.fire(0).await, 0);
    assert_eq!(world.pods[1].fire_sales(None).await.unwrap().waiting, 0);
}

async fn what_the_shop_told_before_the_timer_is_not_told_again(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_100)).await;
    assert_eq!(world.see(1, on_sale(now.plus_secs(1), now.plus_secs(100))).await.tally, CHANGED);
    assert_eq!(world.fire(0).await, 1, "done with");
    assert_eq!(world.told().await, ["product 20", "sale on"]);
}

async fn an_instant_that_has_passed_is_not_kept(mut world: World) {
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(-1), now.plus_secs(100))).await;
    assert_eq!(world.pods[0].fire_sales(None).await.unwrap(), Fired { fired: 0, told: 0, waiting: 1 });
    assert_eq!(world.told().await, ["product 20"]);
}

async fn a_thousand_sales_that_begin_together_are_all_told(mut world: World) {
    let start = world.clock.now().plus_secs(2);
    for hundred in 0..10 {
        let product = |i: i32| ObservedProduct {
            product_id: ProductId::new(&format!("p{}", hundred * 100 + i)).unwrap(),
            ..on_sale(start, start.plus_secs(1_000))
        };
        world.pods[0].observe(world.sightings((0..100).map(product).collect(), None)).await.unwrap();
    }
    world.pass(Duration::from_millis(2_100)).await;
    let mut fired = 0;
    while let more @ 1.. = world.fire(fired % 2).await {
        fired += more;
    }
    assert_eq!(fired, 1_000);
    let on = world.told().await.iter().filter(|told| *told == "sale on").count();
    assert_eq!(on, 1_000);
}

/// One test for each promise, for one implementation.
macro_rules! promises {
    ($name:ident, $attribute:meta, $fresh:expr) => {
        suite!(
            $name,
            $attribute,
            $fresh,
            [
                the_first_sight_is_told_and_then_what_changed,
                what_changes_nothing_is_dropped_and_counted,
                a_price_that_goes_there_and_back_over_two_pods_is_told_both_times,
                what_comes_late_takes_nothing_back,
                a_claim_decides_before_anything_is_compared,
                several_products_of_a_request_are_taken_together,
                what_a_delivery_tells_besides_stands_before_it,
                a_product_that_comes_back_as_it_was_is_told,
                prices_seen_at_the_same_time_are_told_as_one_chain,
                a_sale_is_told_at_both_its_instants_and_once,
                a_sale_that_is_moved_or_cancelled_is_not_told_at_its_old_instant,
                what_the_shop_told_before_the_timer_is_not_told_again,
                an_instant_that_has_passed_is_not_kept,
                a_thousand_sales_that_begin_together_are_all_told,
            ]
        );
    };
}

async fn memory() -> World {
    let clock = Clock::from_tokio(LogTime::parse("2026-01-01T00:00:00Z").unwrap());
    let config =
        MemoryLogConfig { retention_secs: 600, events_max: 5_000, bytes_max: 1 << 24, claim_ttl_secs: 3_600 };
    let log = Arc::new(MemoryLog::new(config, clock));
    World::on([Arc::clone(&log) as _, log], clock, true, None).await
}

const REDIS_LOG: RedisLogConfig = RedisLogConfig {
    retention_secs: 600,
    events_max: 5_000,
    claim_ttl_secs: 60,
    durability: Durability::Memory,
};

async fn redis() -> World {
    redis_on(RedisServer::start()).await
}

async fn redis_on(server: RedisServer) -> World {
    let pods = [server.log(REDIS_LOG).await as _, server.log(REDIS_LOG).await as _];
    World::on(pods, Clock::system(), false, Some(server)).await
}

promises!(memory_log, tokio::test(start_paused = true), memory());
promises!(redis_log, tokio::test(flavor = "multi_thread", worker_threads = 2), redis());

fn server(world: &World) -> &RedisServer {
    world.server.as_ref().unwrap()
}

#[tokio::test]
async fn a_failed_append_leaves_what_was_seen() {
    let mut world = redis().await;
    world.see(0, shirt("20")).await;
    server(&world).command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..2 {
        let failed = world.pods[0].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
        assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    }
    server(&world).command(&["CONFIG", "SET", "maxmemory", "0"]);
    let retried = world.pods[1].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert_eq!(retried.unwrap().tally, CHANGED, "neither seen nor claimed");
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15"]);
}

#[tokio::test]
async fn what_fails_within_the_step_leaves_what_was_seen_too() {
    let mut world = redis().await;
    world.see(0, shirt("20")).await;
    let server = server(&world);
    server.command(&["RENAME", "{shelfcast}:log", "{shelfcast}:aside"]);
    server.command(&["SET", "{shelfcast}:log", "no stream"]);
    let failed = world.pods[0].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    server.command(&["RENAME", "{shelfcast}:aside", "{shelfcast}:log"]);
    let retried = world.pods[1].observe(world.sightings(vec![shirt("15")], request("d", "15"))).await;
    assert_eq!(retried.unwrap().tally, CHANGED);
    assert_eq!(world.told().await, ["product 20", "price 20 -> 15"]);
}

#[tokio::test]
async fn a_snapshot_that_is_gone_or_unreadable_is_told_without_old_values() {
    let mut world = redis().await;
    for words in [
        &["DEL", "{shelfcast}:snapshots"][..],
        &["HSET", "{shelfcast}:snapshots", "shirt", "rubbish"],
        &["HSET", "{shelfcast}:snapshots", "shirt", ""],
        &["HSET", "{shelfcast}:snapshots", "shirt", "otherepoch {\"u\":1,\"h\":true}"],
    ] {
        world.see(0, shirt("20")).await;
        server(&world).command(words);
        assert_eq!(world.see(1, shirt("20")).await.tally, CHANGED, "{words:?}");
    }
    assert_eq!(world.told().await, ["product 20"; 5]);
}

#[tokio::test]
async fn what_was_seen_in_another_epoch_is_void_but_for_its_time() {
    let world = redis().await;
    let now = world.clock.now();
    world.see(0, updated("20", now)).await;
    server(&world).command(&["DEL", "{shelfcast}:log", "{shelfcast}:meta"]);
    assert_eq!(world.see(1, updated("15", now.plus_secs(-10))).await.tally, OUTDATED);
    assert_eq!(world.see(1, updated("20", now)).await.tally, CHANGED, "what clients know may be newer");
    assert_eq!(world.see(0, updated("20", now)).await.tally, UNCHANGED);
}

#[tokio::test]
async fn keys_of_another_kind_refuse_before_anything_is_written() {
    let mut world = redis().await;
    for key in ["{shelfcast}:snapshots", "{shelfcast}:sales"] {
        server(&world).command(&["DEL", key]);
        server(&world).command(&["SET", key, "x"]);
        let sightings =
            world.sightings(vec![on_sale(world.clock.now().plus_secs(9), world.clock.now())], None);
        assert!(world.pods[0].observe(sightings).await.is_err());
        server(&world).command(&["DEL", key]);
    }
    assert_eq!(world.told().await, [""; 0]);
}

#[tokio::test]
async fn a_boundary_is_fired_under_the_lease_only() {
    let mut world = redis().await;
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(1), now.plus_secs(100))).await;
    world.pass(Duration::from_millis(1_100)).await;
    server(&world).command(&["SET", "{shelfcast}:lease", "7"]);
    assert_eq!(world.pods[0].fire_sales(Some(LeaseToken(6))).await, Err(AppendError::Fenced));
    assert_eq!(world.pods[1].fire_sales(Some(LeaseToken(7))).await.unwrap().fired, 1);
    assert_eq!(world.told().await, ["product 20", "sale on"]);
}

#[tokio::test]
async fn a_boundary_that_cannot_be_read_holds_up_no_other() {
    let mut world = redis().await;
    let sales = "{shelfcast}:sales";
    server(&world).command(&[
        "ZADD",
        sales,
        "1",
        "middle/shirt",
        "2",
        "start/a b",
        "3",
        "end/lost",
        "4",
        "x",
    ]);
    assert_eq!(world.pods[0].fire_sales(None).await.unwrap().fired, 4);
    assert_eq!(world.told().await, ["sale off"], "of a product that nobody knows");
    assert!(server(&world).command(&["ZCARD", sales]).starts_with(":0"));
}

/// Goal: Redis keeps no more than said, whatever shops show. Method: fill both keys up to their bounds, then see a product
/// with a sale.
#[tokio::test]
async fn what_is_kept_at_redis_is_bounded() {
    let world = redis().await;
    let fill = "for i = 1, 100000 do redis.call('HSET', KEYS[1], 'p' .. i, 'x') \
                redis.call('ZADD', KEYS[2], 1e14 + i, 'end/p' .. i) end";
    server(&world).command(&["EVAL", fill, "2", "{shelfcast}:snapshots", "{shelfcast}:sales"]);
    let now = world.clock.now();
    world.see(0, on_sale(now.plus_secs(50), now.plus_secs(100))).await;
    assert!(server(&world).command(&["HLEN", "{shelfcast}:snapshots"]).starts_with(":100000\r"));
    assert!(server(&world).command(&["ZCARD", "{shelfcast}:sales"]).starts_with(":100000\r"));
    assert!(server(&world).command(&["ZSCORE", "{shelfcast}:sales", "end/shirt"]).starts_with('$'));
    assert!(server(&world).command(&["ZSCORE", "{shelfcast}:sales", "end/p100000"]).starts_with("$-1"));
    let lives = server(&world).command(&["TTL", "{shelfcast}:snapshots"]);
    assert!(lives.starts_with(":259"), "thirty days: {lives}");
}

#[tokio::test]
async fn what_was_seen_waits_for_a_replica_where_that_is_asked() {
    let primary = RedisServer::start();
    let port = primary.port().to_string();
    let mut replica =
        RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    while !replica.command(&["INFO", "replication"]).contains("master_link_status:up") {
        sleep(Duration::from_millis(50)).await;
    }
    let pod: Arc<dyn EventLog> =
        primary.log(RedisLogConfig { durability: Durability::Replica, ..REDIS_LOG }).await;
    let mut world =
        World::on([Arc::clone(&pod), Arc::clone(&pod)], Clock::system(), false, Some(primary)).await;
    let observe = |price| pod.observe(world.sightings(vec![shirt(price)], request(price, price)));
    assert_eq!(observe("20").await.unwrap().tally, CHANGED);
    replica.kill();
    assert!(matches!(observe("20").await, Err(AppendError::Unavailable { .. })), "a duplicate waits as well");
    replica.restart();
    while observe("20").await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.told().await, ["product 20"]);
}
