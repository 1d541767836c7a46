//! Runs one scenario against one server and tells the figures.

use std::time::Duration;

use crate::{
    LoadError,
    client::{Purpose, Transport},
    dice::{Dice, Zipf},
    figures::{Figure, Figures},
    load::{Load, Mark, Passed, Publishing},
    machine,
    redis::Redis,
    scenarios::{FanOut, PRODUCTS_EACH, Size, Work},
    servers::{Kind, Programs, Server},
    times::Times,
    wire::event::{event, notify},
};

/// After the last join, until what was needed for it has been given back.
const SETTLE: Duration = Duration::from_secs(2);

/// Whether a server can do this at all.
pub fn can(kind: Kind, work: &Work) -> bool {
    let transport = match work {
        Work::Idle { transport, .. } => *transport,
        Work::FanOut(fan_out) => fan_out.transport,
        Work::Ingest { redis, .. } => return !(kind == Kind::Node && *redis),
        Work::Pods { .. } => return kind == Kind::Shelfcast,
        Work::Churn { .. } => return true,
    };
    !(kind == Kind::Node && transport == Transport::Sse)
}

/// One run with a fresh server. The same seed gives every server the same clients and events.
pub fn measure(
    work: &Work,
    kind: Kind,
    programs: &Programs,
    size: Size,
    seed: u64,
) -> Result<Figures, LoadError> {
    let start = |redis: Option<&Redis>| Server::start(kind, programs, redis.map(Redis::url).as_deref());
    match work {
        Work::Idle { transport, clients } => idle(&start(None)?, *transport, clients / size.divisor),
        Work::FanOut(work) => fan_out(&start(None)?, work, size, seed),
        Work::Ingest { publishers, per_sec, redis: false } => {
            ingest(&start(None)?, *publishers, *per_sec, size, seed)
        }
        Work::Ingest { publishers, per_sec, redis: true } => {
            let redis = Redis::start()?;
            if kind != Kind::Reference {
                return ingest(&start(Some(&redis))?, *publishers, *per_sec, size, seed);
            }
            let events_per_sec = redis.append_for(size.measured)?;
            Ok(Figures { values: [(Figure::EventsPerSec, events_per_sec)].into(), ..Figures::default() })
        }
        Work::Pods { pods, per_sec } => {
            let redis = Redis::start()?;
            let servers = (0..*pods).map(|_| start(Some(&redis))).collect::<Result<Vec<_>, _>>()?;
            several(&servers, &redis, *per_sec, size)
        }
        Work::Churn { per_sec } => churn(&start(None)?, *per_sec, size),
    }
}

/// Different requests, so that the server meets every product.
const REQUESTS: usize = 4_000;

fn ingest(
    server: &Server,
    publishers: usize,
    per_sec: Option<usize>,
    size: Size,
    seed: u64,
) -> Result<Figures, LoadError> {
    let mut load = Load::new(server, Transport::WebSocket, Purpose::Stay, 0)?;
    load.set_publishers(server, publishers)?;
    let (mut dice, zipf) = (Dice::new(seed), Zipf::new(PRODUCTS));
    let requests: Vec<_> =
        (1..=REQUESTS).map(|number| notify(&event(zipf.throw(&mut dice), number as u32))).collect();
    load.post_all(&requests, per_sec, size.warm_up)?;
    let mark = Mark::now(server)?;
    let accepted = load.post_all(&requests, per_sec, size.measured)? as f64;
    let passed = mark.passed(server)?;
    let mut figures = Figures { faults: load.faults(), ..Figures::default() };
    figures.values.insert(Figure::CpuUsPerEvent, passed.server.as_secs_f64() * 1e6 / accepted.max(1.0));
    figures.values.insert(Figure::EventsPerSec, accepted / passed.time.as_secs_f64());
    add_cores(&mut figures, passed);
    Ok(figures)
}

fn several(servers: &[Server], redis: &Redis, per_sec: usize, size: Size) -> Result<Figures, LoadError> {
    let Some(first) = servers.first() else { return Ok(Figures::default()) };
    let mut load = Load::new(first, Transport::WebSocket, Purpose::Stay, PRODUCTS)?;
    let mut publishing = Publishing::new(1, PRODUCTS, per_sec, 1);
    load.publish(&mut publishing, size.warm_up)?;
    let pids: Vec<_> = servers.iter().map(Server::pid).collect();
    let (pods, of_redis) = (Mark::of(&pids)?, Mark::of(&[redis.pid()])?);
    let before = publishing.published;
    load.publish(&mut publishing, size.measured)?;
    let (pods, of_redis) = (pods.passed_of(&pids)?, of_redis.passed_of(&[redis.pid()])?);
    let events = (publishing.published - before).max(1) as f64;
    let mut figures = Figures { faults: load.faults(), ..Figures::default() };
    figures.values.insert(Figure::CpuUsPerEvent, pods.server.as_secs_f64() * 1e6 / events);
    figures.values.insert(Figure::RedisCpuUsPerEvent, of_redis.server.as_secs_f64() * 1e6 / events);
    figures.values.insert(Figure::EventsPerSec, events / pods.time.as_secs_f64());
    add_cores(&mut figures, pods);
    Ok(figures)
}

fn churn(server: &Server, per_sec: usize, size: Size) -> Result<Figures, LoadError> {
    let mut load = Load::new(server, Transport::WebSocket, Purpose::Leave, PRODUCTS)?;
    let per_sec = (per_sec / size.divisor).max(1);
    let mut next = 0;
    let mut three = || products_of(&mut next);
    load.visits(per_sec, size.warm_up, &mut three)?;
    load.crowd.join_times = Times::default();
    let mark = Mark::now(server)?;
    let visits = load.visits(per_sec, size.measured, &mut three)? as f64;
    let passed = mark.passed(server)?;
    let mut figures = Figures { faults: load.faults(), ..Figures::default() };
    figures.values.insert(Figure::CpuUsPerVisit, passed.server.as_secs_f64() * 1e6 / visits.max(1.0));
    let joined = load.crowd.join_times.percentile_ms(0.99);
    figures.values.extend(joined.map(|ms| (Figure::JoinedP99Ms, ms)));
    add_cores(&mut figures, passed);
    Ok(figures)
}

/// Of scenarios where it does not matter which.
const PRODUCTS: usize = 500;

/// The products of the next client: others than those of the client before.
fn products_of(next: &mut usize) -> Vec<u32> {
    *next += 1;
    (0..PRODUCTS_EACH).map(|at| ((*next * PRODUCTS_EACH + at) % PRODUCTS) as u32).collect()
}

fn idle(server: &Server, transport: Transport, clients: usize) -> Result<Figures, LoadError> {
    let mut load = Load::new(server, transport, Purpose::Stay, PRODUCTS)?;
    // The first few bring what is needed once.
    const FIRST: usize = 20;
    let mut next = 0;
    let mut three = || products_of(&mut next);
    load.join(FIRST, &mut three)?;
    load.go_on(SETTLE / 4)?;
    let before = machine::memory_bytes(server.pid())?;
    load.join(FIRST + clients, &mut three)?;
    load.go_on(SETTLE)?;
    let after = machine::memory_bytes(server.pid())?;
    let kib = (after as f64 - before as f64) / 1024.0 / clients as f64;
    Ok(Figures { values: [(Figure::KibPerConnection, kib)].into(), faults: load.faults() })
}

fn fan_out(server: &Server, work: &FanOut, size: Size, seed: u64) -> Result<Figures, LoadError> {
    let clients = work.clients / size.divisor;
    let mut load = Load::new(server, work.transport, Purpose::Stay, work.products)?;
    let (mut dice, zipf) = (Dice::new(seed), Zipf::new(work.products));
    load.join(clients, || some(work.products_each, &zipf, &mut dice))?;
    let mut publishing = Publishing::new(seed + 1, work.products, work.events_per_sec, work.events_per_post);
    load.publish(&mut publishing, size.warm_up)?;
    load.crowd.ledger.measure_from_now();
    let mark = Mark::now(server)?;
    load.publish(&mut publishing, size.measured)?;
    let passed = mark.passed(server)?;
    let mut figures = Figures { faults: load.faults(), ..Figures::default() };
    let counts = &load.crowd.ledger.counts;
    let deliveries = counts.deliveries.max(1) as f64;
    figures.values.insert(Figure::CpuUsPerDelivery, passed.server.as_secs_f64() * 1e6 / deliveries);
    for (figure, share) in [(Figure::BeyondWindowP50Ms, 0.5), (Figure::BeyondWindowP99Ms, 0.99)] {
        figures.values.extend(counts.beyond_window.percentile_ms(share).map(|ms| (figure, ms)));
    }
    figures.values.insert(Figure::BytesPerDelivery, counts.bytes as f64 / deliveries);
    figures.values.insert(Figure::DeliveriesPerSec, deliveries / passed.time.as_secs_f64());
    add_cores(&mut figures, passed);
    Ok(figures)
}

fn add_cores(figures: &mut Figures, passed: Passed) {
    let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / passed.time.as_secs_f64();
    figures.values.insert(Figure::ServerCpuPercent, percent(passed.server));
    figures.values.insert(Figure::GeneratorCpuPercent, percent(passed.generator));
}

/// Some products, each once.
fn some(count: usize, zipf: &Zipf, dice: &mut Dice) -> Vec<u32> {
    let mut products = Vec::with_capacity(count);
    while products.len() < count {
        let product = zipf.throw(dice) as u32;
        if !products.contains(&product) {
            products.push(product);
        }
    }
    products
}
