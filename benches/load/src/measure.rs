//! Runs one scenario against one server and tells the figures.

use std::time::Duration;

use crate::{
    LoadError,
    client::{Purpose, Transport},
    dice::{Dice, Zipf},
    figures::{Figure, Figures},
    load::{Load, Mark, Passed, Publishing},
    machine,
    scenarios::{FanOut, IDLE_PRODUCTS, Size, Work},
    servers::{Kind, Programs, Server},
};

/// After the last join, until what was needed for it has been given back.
const SETTLE: Duration = Duration::from_secs(2);

/// Whether a server can do this at all.
pub fn can(kind: Kind, work: &Work) -> bool {
    let transport = match work {
        Work::Idle { transport, .. } => *transport,
        Work::FanOut(fan_out) => fan_out.transport,
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
    let server = Server::start(kind, programs, None)?;
    match work {
        Work::Idle { transport, clients } => idle(&server, *transport, clients / size.divisor),
        Work::FanOut(work) => fan_out(&server, work, size, seed),
    }
}

fn idle(server: &Server, transport: Transport, clients: usize) -> Result<Figures, LoadError> {
    const PRODUCTS: usize = 500;
    let mut load = Load::new(server, transport, Purpose::Stay, PRODUCTS)?;
    // The first few bring what is needed once.
    const FIRST: usize = 20;
    let mut next = 0;
    let mut three = || {
        next += 1;
        (0..IDLE_PRODUCTS).map(|at| ((next * IDLE_PRODUCTS + at) % PRODUCTS) as u32).collect()
    };
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
