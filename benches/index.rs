//! The index as the catalogue grows: bytes for each product, and how long one client's question about 50 of them takes.

mod support;

use std::{
    fs,
    hint::black_box,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use criterion::{BenchmarkId, Criterion};
use shelfcast::{
    clock::Clock,
    eventlog::Head,
    index::{Index, IndexConfig, Since},
    model::{Batch, Entry, ProductId},
};

use self::support::{entry, product, start};

/// As in the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// What one client asks about when it comes back.
const ASKED: u64 = 50;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for size in SIZES {
        growing(&mut criterion, size);
    }
    criterion.final_summary();
}

fn empty() -> Index {
    let config = IndexConfig { retention_secs: 1 << 30, events_max: 10_000_000, bytes_max: 8 << 30 };
    let clock = Clock::system();
    let log_time = clock.now();
    Index::new(config, clock, Head { position: start(), log_time })
}

fn growing(criterion: &mut Criterion, size: u64) {
    // The events are the log's own: what is counted is what the index adds to them.
    let entries: Vec<Arc<Entry>> = (1..=size).map(|n| entry(n, product(n))).collect();
    let (index, before) = (empty(), memory_bytes());
    for entry in &entries {
        index.apply(entry);
        index.record(&Batch::of(Arc::clone(entry)));
    }
    let each = memory_bytes().saturating_sub(before) as f64 / size as f64;
    // Who closed standard output does not want to know.
    let _ =
        writeln!(io::stdout(), "index of {size} products: {each:.0} bytes each, beside the retained events");

    let step = size / ASKED;
    let asked: Vec<ProductId> = (0..ASKED).map(|at| product(at * step + 1)).collect();
    let mut group = criterion.benchmark_group("resume 50 products");
    for (name, since) in [("up to date", size), ("half of them changed", size / 2)] {
        let since = Since::Cursor(start().epoch.at(since));
        group.bench_function(BenchmarkId::new(name, size), |b| {
            b.iter(|| {
                for id in &asked {
                    black_box(index.resume(id, since));
                }
            });
        });
    }
    group.finish();
}

/// Memory of this process; 0 where the system does not tell.
fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
