//! What benchmarks are made of: events, batches, a hub, and connections that take everything at once.

#![allow(dead_code, reason = "each benchmark needs its own part of this")]

use std::{hint::black_box, num::NonZeroU32, sync::Arc};

use serde_json::value::RawValue;
use shelfcast::{
    clock::Clock,
    eventlog::Head,
    fanout::{Delivery, Hub, HubConfig, Lane, Parcel, PositionBeat, Resync},
    index::{Index, IndexConfig},
    model::{Batch, Data, Entry, Epoch, Event, EventType, LogTime, Position, ProductId, Timestamp},
    telemetry::{Metrics, Transport},
};

/// What an event tells.
pub(crate) const DATA: &str = r#"{"productId":"product-123","oldPrice":19.9,"newPrice":14.9,"discountPercentage":25,"timestamp":"2026-01-01T00:00:00Z"}"#;

/// Where the log begins.
pub(crate) fn start() -> Position {
    Epoch::from_random(1).at(0)
}

/// One of many.
pub(crate) fn product(i: u64) -> ProductId {
    ProductId::new(&format!("product-{i}")).unwrap_or_else(|_| unreachable!("a good id"))
}

/// The event at position `n`.
#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
pub(crate) fn entry(n: u64, product_id: ProductId) -> Arc<Entry> {
    Arc::new(Entry {
        at: start().epoch.at(n),
        log_time: LogTime::from_micros(1_767_225_600_000_000 + i64::try_from(n).unwrap()),
        event: Event {
            product_id,
            event_type: EventType::PriceUpdate,
            data: Data::new(&RawValue::from_string(DATA.into()).unwrap()).unwrap(),
            timestamp: Timestamp::new("2026-01-01T00:00:00Z").unwrap(),
        },
        message: None,
        origin: None,
    })
}

/// So many events of one product.
pub(crate) fn batch(count: u64) -> Batch {
    let mut batch = Batch::of(entry(1, product(1)));
    (2..=count).for_each(|n| batch.push(entry(n, product(1))));
    batch
}

/// A connection that takes everything at once: what is left is the hub's own work.
#[derive(Debug)]
pub(crate) struct Sink;

impl Lane for Sink {
    fn is_flushed(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn cut(&self) {}

    fn transport(&self) -> Transport {
        Transport::SocketIo
    }

    fn frame(&self, parcel: &Parcel, _complete: bool) -> Delivery {
        black_box(parcel.frame.json());
        Delivery::Sent
    }

    fn resync(&self, _resync: &Resync, _complete: bool) -> Delivery {
        Delivery::Sent
    }

    fn beat(&self, _beat: Option<&PositionBeat>) -> Delivery {
        Delivery::Sent
    }

    fn is_gone(&self) -> bool {
        false
    }
}

/// Nobody is connected.
#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
pub(crate) fn hub(budget: Option<NonZeroU32>) -> Hub {
    let clock = Clock::system();
    let index = IndexConfig { retention_secs: 600, events_max: 100_000, bytes_max: 256 << 20 };
    let index = Index::new(index, clock, Head { position: start(), log_time: clock.now() });
    let config = HubConfig {
        sessions_max: 100_000,
        sessions_per_address_max: None,
        products_max: 200,
        batch_events_max: 100,
        batch_bytes_max: 262_144,
        queue_max: 512,
        origin_rps_budget: budget,
    };
    Hub::new(config, Arc::new(index), Arc::new(Metrics::new().unwrap()))
}
