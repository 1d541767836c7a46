//! The path of one event, stage by stage: parse, window, encode, deliver, resume. It opens no socket.
//!
//! Absolute times say little on a shared machine; compare runs on one machine, or the ratios between sizes.

mod support;

use std::{hint::black_box, num::NonZeroU32, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shelfcast::{
    batch::{BatchConfig, Closed, Downstream as _, Edge, Windows},
    fanout::IfAhead,
    index::Since,
    ingest::{
        notify::{Form, parse},
        webhooks::{self, Platform as _, Secrets, WebhooksConfig, WooCommerce},
    },
    model::{Batch, Frame, LogTime},
};
use tokio::time::Instant;

use self::support::{DATA, Sink, batch, entry, hub, product, start};

fn parsing(c: &mut Criterion) {
    let event = format!(r#"{{"productId":"product-123","type":"price_update","data":{DATA}}}"#);
    let mut group = c.benchmark_group("parse notify");
    for count in [1, 10, 100] {
        let body = format!(r#"{{"events":[{}]}}"#, vec![event.as_str(); count].join(","));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &body, |b, body| {
            b.iter(|| parse(black_box(body.as_bytes()), Form::Any, None, LogTime::from_micros(0)));
        });
    }
    group.finish();
}

/// The same number of bytes, once as a product of a shop and once as events: with the signature and the name of the delivery,
/// and with an `Idempotency-Key`.
#[expect(clippy::print_stdout, reason = "a figure for people, beside criterion's")]
fn deliveries(c: &mut Criterion) {
    let now = LogTime::from_micros(0);
    let config = WebhooksConfig { woocommerce: Secrets::new(["a secret"]), ..WebhooksConfig::default() };
    let shop = WooCommerce::new(&config);
    let text = "<p>Woven in one piece, washed twice.<\\/p>\\n".repeat(300_000 / 42);
    let product = format!(
        r#"{{"id":794,"name":"Shirt","type":"simple","status":"publish","price":"9.90","description":"{text}"}}"#
    );
    let pad = "x".repeat(product.len() / 500 - 70);
    let event = format!(r#"{{"productId":"product-123","type":"price_update","data":{{"p":"{pad}"}}}}"#);
    let events = format!(r#"{{"events":[{}]}}"#, vec![event; 500].join(","));
    let mut headers = HeaderMap::from_iter([("x-wc-webhook-topic", "product.updated")].map(header));
    headers.extend(
        shop.sign(product.as_bytes(), "", now).iter().map(|(name, value)| header((*name, value.as_str()))),
    );

    let woocommerce = || {
        let delivery = webhooks::Delivery { headers: &headers, body: black_box(product.as_bytes()) };
        (shop.verify(delivery, now), shop.read(delivery, now))
    };
    let notify = || parse(black_box(events.as_bytes()), Form::Any, Some(b"key"), now);
    let mut group = c.benchmark_group("300 kB");
    group.throughput(Throughput::Bytes(product.len() as u64));
    group.bench_function("woocommerce", |b| b.iter(woocommerce));
    group.bench_function("notify", |b| b.iter(notify));
    group.finish();
    println!(
        "300 kB: woocommerce costs {:.2} times what notify does; at most 3 is promised",
        ratio(woocommerce, notify)
    );
}

/// What one costs, as a multiple of the other. They take turns, and the quickest turn of each counts: others use the machine
/// as well.
fn ratio<A, B>(one: impl Fn() -> A, other: impl Fn() -> B) -> f64 {
    const TURNS: usize = 50;
    let quickest = (0..TURNS).fold([Duration::MAX; 2], |quickest, _| {
        let begun = Instant::now();
        black_box(one());
        let one_done = Instant::now();
        black_box(other());
        [quickest[0].min(one_done - begun), quickest[1].min(one_done.elapsed())]
    });
    quickest[0].as_secs_f64() / quickest[1].as_secs_f64()
}

#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn header((name, value): (&str, &str)) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.parse().unwrap())
}

/// A thousand events over some products, and the windows they leave by.
fn windows(c: &mut Criterion) {
    let config = BatchConfig {
        window: Duration::from_millis(300),
        events_max: 100,
        bytes_max: 262_144,
        edge: Edge::Trailing,
    };
    let mut group = c.benchmark_group("window push and expire");
    for products in [1, 100, 1_000] {
        let entries: Vec<_> = (1..=1_000).map(|n| entry(n, product(n % products))).collect();
        group.throughput(Throughput::Elements(1_000));
        group.bench_with_input(BenchmarkId::new("products", products), &entries, |b, entries| {
            let now = Instant::now();
            b.iter_batched(
                || (Windows::new(config, start()), entries.clone()),
                |(mut windows, entries)| {
                    let mut left: Vec<Closed> = Vec::new();
                    for entry in entries {
                        left.extend(windows.push(now, entry));
                    }
                    left.extend(std::iter::from_fn(|| windows.expire(now + Duration::from_millis(300))));
                    left
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode frame");
    for count in [1, 10, 100] {
        let batch = batch(count);
        group.throughput(Throughput::Bytes(batch.encoded_bytes() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &batch, |b, batch| {
            b.iter(|| Frame::live(black_box(batch), start(), start(), 0));
        });
    }
    group.finish();
}

#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn delivering(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = c.benchmark_group("deliver to a room");
    for (name, budget) in [("members", None), ("members, with a budget", NonZeroU32::new(1_000))] {
        for members in [0_u64, 1, 100, 1_000, 10_000] {
            let hub = hub(budget);
            for _ in 0..members {
                let subscriber = hub.connect(Box::new(Sink), true, None);
                hub.join(&subscriber, &product(1), None, IfAhead::Wait).unwrap();
            }
            let mut n = 0;
            group.throughput(Throughput::Elements(members.max(1)));
            group.bench_function(BenchmarkId::new(name, members), |b| {
                b.iter(|| {
                    n += 1;
                    let closed = Closed { batch: Batch::of(entry(n, product(1))), covered: start() };
                    runtime.block_on(hub.flush(closed));
                });
            });
        }
    }
    group.finish();
}

fn resuming(c: &mut Criterion) {
    let hub = hub(None);
    for n in 1..=10_000 {
        let entry = entry(n, product(n % 100));
        hub.index().apply(&entry);
        hub.index().record(&Batch::of(entry));
    }
    let mut group = c.benchmark_group("resume one product");
    for (name, behind) in [("up to date", 0), ("ten behind", 1_000)] {
        let since = Since::Cursor(start().epoch.at(10_000 - behind));
        group.bench_function(name, |b| b.iter(|| hub.index().resume(black_box(&product(7)), since)));
    }
    group.finish();
}

/// Two seconds a figure: enough to see a change of a tenth, and a run of all ends within a minute or two.
fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = path;
    config = short();
    targets = parsing, deliveries, windows, encoding, delivering, resuming
}
criterion_main!(path);
