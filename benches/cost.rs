//! What the hottest paths cost in instructions, held against recorded budgets: on a busy machine times move by a tenth from
//! run to run, instructions by a thousandth.
//!
//! It runs itself under callgrind, once for each path, and counts what lies between the set-up and the end. Budgets are in
//! `benches/cost-budgets.txt`; `-- --record` writes them anew. Exit code 1: a path became dearer than its budget allows.

mod support;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    hint::black_box,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use shelfcast::{
    batch::{BatchConfig, Downstream as _, Edge, Windows},
    clock::Clock,
    eventlog::{EventLog as _, MemoryLog, MemoryLogConfig},
    fanout::IfAhead,
    index::Since,
    ingest::notify::{Form, parse},
    model::{Batch, LogTime, ProductId},
};
use tokio::{runtime::Runtime, time::Instant};

use self::support::{DATA, Sink, entry, hub, product, start};

/// How far a path may be from its budget. What differs between machines of one architecture (the C library, hash seeds)
/// stays below.
const TOLERANCE: f64 = 0.04;

/// Budgets hold for one architecture.
const ARCH: &str = "x86_64";

/// A path: its name, what is counted once it is set up, and how many units of work that is.
struct Path {
    name: &'static str,
    unit: &'static str,
    units: u64,
    set_up: fn() -> Box<dyn FnMut()>,
}

const PATHS: [Path; 4] = [
    Path { name: "notify-append", unit: "event", units: EVENTS, set_up: notify_append },
    Path {
        name: "window-deliver",
        unit: "batch that nobody gets",
        units: BATCHES,
        set_up: window_deliver_to_nobody,
    },
    Path { name: "fan-out", unit: "subscriber", units: BATCHES * MEMBERS, set_up: window_deliver_to_a_room },
    Path { name: "resume", unit: "product", units: RESUMES * ASKED, set_up: resume },
];

const EVENTS: u64 = 1_000;
const BATCHES: u64 = 20;
const MEMBERS: u64 = 1_000;
const RESUMES: u64 = 100;
const ASKED: u64 = 50;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(path) = PATHS.iter().find(|path| asked.first().is_some_and(|name| name == path.name)) {
        counted((path.set_up)());
        return ExitCode::SUCCESS;
    }
    match check(asked.iter().any(|argument| argument == "--record")) {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("cost: {error}"));
            ExitCode::from(2)
        }
    }
}

/// The name that callgrind is told.
#[inline(never)]
fn counted(mut work: Box<dyn FnMut()>) {
    work();
}

// === the paths ===

#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// A request is read and its event appended to the log in memory.
#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn notify_append() -> Box<dyn FnMut()> {
    let config = MemoryLogConfig {
        retention_secs: 600,
        events_max: 100_000,
        bytes_max: 256 << 20,
        claim_ttl_secs: 86_400,
    };
    let (log, runtime) = (MemoryLog::new(config, Clock::system()), runtime());
    let body = format!(r#"{{"productId":"product-123","type":"price_update","data":{DATA}}}"#);
    Box::new(move || {
        for _ in 0..EVENTS {
            let append = parse(black_box(body.as_bytes()), Form::Any, None, LogTime::from_micros(0)).unwrap();
            runtime.block_on(log.append(append)).unwrap();
        }
    })
}

fn window_deliver_to_nobody() -> Box<dyn FnMut()> {
    window_deliver(0)
}

fn window_deliver_to_a_room() -> Box<dyn FnMut()> {
    window_deliver(MEMBERS)
}

/// Three events are collected, their batch leaves, is recorded, encoded, and told to every member of its room.
#[expect(clippy::unwrap_used, reason = "a bench ends when its set-up is wrong")]
fn window_deliver(members: u64) -> Box<dyn FnMut()> {
    const EVENTS_EACH: u64 = 3;
    let (hub, runtime) = (hub(None), runtime());
    for _ in 0..members {
        let subscriber = hub.connect(Box::new(Sink), true, None);
        hub.join(&subscriber, &product(1), None, IfAhead::Wait).unwrap();
    }
    let window = Duration::from_millis(300);
    let config = BatchConfig { window, events_max: 100, bytes_max: 262_144, edge: Edge::Trailing };
    let (mut windows, mut now) = (Windows::new(config, start()), Instant::now());
    let entries: Vec<_> = (1..=BATCHES * EVENTS_EACH).map(|n| entry(n, product(1))).collect();
    Box::new(move || {
        for three in entries.chunks(EVENTS_EACH as usize) {
            for entry in three {
                hub.index().apply(entry);
                let full = windows.push(now, entry.clone());
                black_box(full);
            }
            now += window;
            while let Some(closed) = windows.expire(now) {
                runtime.block_on(hub.flush(closed));
            }
        }
    })
}

/// One client after the other asks about 50 products, each of which changed once since.
fn resume() -> Box<dyn FnMut()> {
    const PRODUCTS: u64 = 10_000;
    let hub = hub(None);
    for n in 1..=2 * PRODUCTS {
        let entry = entry(n, product(n % PRODUCTS));
        hub.index().apply(&entry);
        hub.index().record(&Batch::of(entry));
    }
    let asked: Vec<ProductId> = (0..ASKED).map(|at| product(at * (PRODUCTS / ASKED))).collect();
    let since = Since::Cursor(start().epoch.at(PRODUCTS));
    Box::new(move || {
        for _ in 0..RESUMES {
            for id in &asked {
                black_box(hub.index().resume(black_box(id), since));
            }
        }
    })
}

// === the check ===

fn check(records: bool) -> io::Result<ExitCode> {
    if std::env::consts::ARCH != ARCH {
        say(format_args!("cost: SKIPPED: budgets are for {ARCH}, this is {}", std::env::consts::ARCH));
        return Ok(ExitCode::SUCCESS);
    }
    let budgets = budgets()?;
    let (mut is_over, mut recorded) = (false, String::from(HEADER));
    for path in &PATHS {
        let cost = instructions(path)? as f64 / path.units as f64;
        // Writing to a String cannot fail.
        let _ = writeln!(recorded, "{} {cost:.0}", path.name);
        let budget = budgets.get(path.name).copied().unwrap_or_default();
        let change = cost / budget - 1.0;
        let verdict = match change {
            _ if records => "recorded",
            change if change > TOLERANCE => "TOO DEAR",
            change if change < -TOLERANCE => {
                "cheaper: record it (cargo bench --profile cost --bench cost -- --record)"
            }
            _ => "ok",
        };
        is_over |= !records && (budget == 0.0 || change > TOLERANCE);
        let percent = 100.0 * change;
        say(format_args!(
            "cost: {:<15} {cost:>7.0} instructions for each {}; budget {budget:.0} ({percent:+.1} %): {verdict}",
            path.name, path.unit
        ));
    }
    if records {
        fs::write(budgets_file(), recorded)?;
    }
    Ok(if is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

const HEADER: &str = "# Instructions for a unit of work (benches/cost.rs), x86_64. Recorded, not written: cargo bench --profile cost --bench cost -- --record\n";

fn budgets_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost-budgets.txt"))
}

fn budgets() -> io::Result<BTreeMap<String, f64>> {
    let text = match fs::read_to_string(budgets_file()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let line = |line: &str| {
        line.split_once(' ').and_then(|(name, cost)| Some((name.to_owned(), cost.parse().ok()?)))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Of one path, without its set-up.
fn instructions(path: &Path) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*cost::counted*"])
        .arg(std::env::current_exe()?)
        .arg(path.name)
        .output()
        .map_err(|error| io::Error::other(format!("valgrind did not start ({error}): make setup")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(instructions) if output.status.success() && instructions > 0 => Ok(instructions),
        _ => Err(io::Error::other(format!("callgrind counted nothing:\n{text}"))),
    }
}

fn say(words: std::fmt::Arguments<'_>) {
    // Who closed standard output does not want to know.
    let _ = writeln!(io::stdout(), "{words}");
}
