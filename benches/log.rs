//! Appending: to the log in memory, and to one in a `redis-server` of this run.

mod support;

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shelfcast::{
    clock::Clock,
    eventlog::{
        Append, EventLog, MemoryLog, MemoryLogConfig, NewEvent,
        redis::{Durability, RedisLogConfig, RedisStore, SharedLog},
    },
    redis::{Keys, RedisConfig},
    tasks::Tasks,
    telemetry::Metrics,
};
use tokio::runtime::Runtime;

use self::support::{entry, product};

fn append(count: u64) -> Append {
    let event = |n| NewEvent { event: entry(n, product(n)).event.clone(), claim: None };
    Append { request: None, events: (1..=count).map(event).collect(), message: None }
}

#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn appending(criterion: &mut Criterion, name: &str, runtime: &Runtime, log: &dyn EventLog) {
    let mut group = criterion.benchmark_group(name);
    for count in [1, 10, 100] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter_batched(
                || append(count),
                |append| runtime.block_on(log.append(append)).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn memory(criterion: &mut Criterion) {
    let config = MemoryLogConfig {
        retention_secs: 600,
        events_max: 100_000,
        bytes_max: 256 << 20,
        claim_ttl_secs: 86_400,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    appending(criterion, "append to memory", &runtime, &MemoryLog::new(config, Clock::system()));
}

/// One request after the other: what a publisher waits for. How many a second there are with many at once is the load
/// benchmark's (benches/load).
#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn redis(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(redis) = Redis::start() else { return };
    let log = runtime.block_on(async {
        let server =
            RedisConfig::new(&format!("redis://127.0.0.1:{}", redis.port), Keys::new("bench", "")).unwrap();
        let config = RedisLogConfig {
            retention_secs: 600,
            events_max: 100_000,
            claim_ttl_secs: 86_400,
            durability: Durability::Memory,
        };
        let store = RedisStore::new(&server, config, &Tasks::new()).unwrap();
        store.check().await.unwrap().unwrap();
        SharedLog::new(store, Arc::new(Metrics::new().unwrap()))
    });
    appending(criterion, "append to Redis", &runtime, &log);
}

/// A server that persists nothing; it ends when it is dropped.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    /// `None` where there is no `redis-server`.
    #[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
    fn start() -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, port })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = log;
    config = short();
    targets = memory, redis
}
criterion_main!(log);
