//! Products that a shop shows: what a log makes of them, and what a shopper hears of it. Here is the world the tests play in.

mod contract;
mod meddled;
mod redis;
mod shoppers;
mod voided;

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use shelfcast::{
    clock::Clock,
    eventlog::{
        BodyDigest, ClaimKey, EventLog, MemoryLog, MemoryLogConfig, RequestClaim, Tailed,
        redis::{Durability, RedisLogConfig},
        snapshots::{Observed, Sighting, Sightings, Tally},
    },
    model::{
        Availability, ContentDigest, Decimal, Entry, EventType, LogTime, ObservedAction, ObservedProduct,
        Position, ProductId, Sale, Stock, Visibility,
    },
};
use tokio::time::{advance, sleep, timeout};

use crate::support::RedisServer;

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

/// A T-shirt that costs a quarter less for a time.
pub(crate) fn on_sale(from: LogTime, to: LogTime) -> ObservedProduct {
    let sale =
        Sale { active: false, starts_at: Some(from), ends_at: Some(to), discount: Some(decimal("25")) };
    ObservedProduct { sale: Some(sale), ..shirt("20") }
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

fn server(world: &World) -> &RedisServer {
    world.server.as_ref().unwrap()
}
