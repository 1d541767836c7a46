//! `shelfcast-proof`: checks a saved history, or plays simulated runs. Everything it knows is in the library.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use parking_lot::Mutex;
use shelfcast_proof::{
    checker::{Counts, Kind, Learning, Report},
    history::{self, HistoryError, Names, Record},
    sim::{self, Run, Shared},
};
use tokio::time::Instant;

/// Something is wrong with a history.
const ANOMALY: u8 = 1;
/// What was asked cannot be done.
const TROUBLE: u8 = 2;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("check", asked)) => check(asked),
        Some(("sim", asked)) => simulate(asked),
        _ => Ok(ExitCode::from(TROUBLE)),
    };
    done.unwrap_or_else(|error| {
        say(format_args!("{error}"));
        ExitCode::from(TROUBLE)
    })
}

fn command() -> Command {
    let history = Arg::new("history")
        .required(true)
        .value_name("HISTORY.JSONL")
        .value_parser(value_parser!(PathBuf))
        .help("The file, one JSON object a line");
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64)).help(help)
    };
    Command::new("shelfcast-proof")
        .about("Finds broken promises: in a recorded history, or in simulated runs of several gateways")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("check")
                .about("Checks a history: exit 0 if nothing is wrong, 1 if something is, 2 if it cannot be read")
                .after_help("Example: shelfcast-proof check target/chaos/history.jsonl")
                .arg(history),
        )
        .subcommand(
            Command::new("sim")
                .about("Plays one run a seed and checks it: exit 0 if nothing is wrong, 1 if something is")
                .after_help(
                    "Examples:\n  shelfcast-proof sim --seeds 2000\n  shelfcast-proof sim --from 150000 --seeds 50000   \
                     goes on where an earlier call was stopped\n  shelfcast-proof sim --seed 4711                    \
                     repeats one run, tells all about it and saves its history",
                )
                .arg(number("seeds", "How many runs [default: 2000]").default_value("2000").hide_default_value(true))
                .arg(number("from", "The first seed [default: 1]").default_value("1").hide_default_value(true))
                .arg(number("seed", "Only this run").conflicts_with_all(["seeds", "from"]))
                .arg(number("threads", "How many at once [default: one for each core]"))
                .arg(
                    Arg::new("save")
                        .long("save")
                        .value_name("FOLDER")
                        .value_parser(value_parser!(PathBuf))
                        .default_value("target/proof")
                        .help("Where histories go"),
                ),
        )
}

/// Progress and errors, beside what is asked for.
fn say(words: std::fmt::Arguments<'_>) {
    // Who closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "{words}");
}

/// What is asked for.
fn tell(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{words}");
}

// === check ===

fn check(asked: &ArgMatches) -> Result<ExitCode, HistoryError> {
    let Some(path) = asked.get_one::<PathBuf>("history") else { return Ok(ExitCode::from(TROUBLE)) };
    let (mut names, mut learning) = (Names::default(), Learning::default());
    let lines = read(path, "reading what publishers were told", &mut names, |line, record| {
        learning.learn(line, &record);
    })?;
    let mut following = learning.follow();
    read(path, "following every client", &mut names, |line, record| following.follow(line, &record))?;
    let report = following.finish(&names);
    tell(format_args!("{:<32} {lines:>12}\n{report}", "lines"));
    show(&report, &lines_of(path, &report)?);
    Ok(verdict(&report))
}

fn read(
    path: &Path,
    what: &str,
    names: &mut Names,
    mut each: impl FnMut(u32, Record),
) -> Result<u32, HistoryError> {
    const TELL_EVERY: u32 = 1_000_000;
    say(format_args!("{what}"));
    let file = BufReader::with_capacity(1 << 20, File::open(path)?);
    history::read(file, names, |line, record| {
        if line % TELL_EVERY == 0 {
            say(format_args!("{what}: {} million lines", line / TELL_EVERY));
        }
        each(line, record);
    })
}

/// The lines that prove something, as the file has them.
fn lines_of(path: &Path, report: &Report) -> io::Result<BTreeMap<u32, String>> {
    let mut wanted: BTreeMap<u32, String> = report
        .anomalies
        .iter()
        .flat_map(|anomaly| &anomaly.lines)
        .map(|line| (*line, String::new()))
        .collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    for (line, text) in (1..).zip(BufReader::new(File::open(path)?).lines()) {
        if let Some(slot) = wanted.get_mut(&line) {
            *slot = text?;
        }
    }
    Ok(wanted)
}

fn show(report: &Report, lines: &BTreeMap<u32, String>) {
    for anomaly in &report.anomalies {
        tell(format_args!("\n{}: {}", anomaly.kind.as_str(), anomaly.text));
        for line in &anomaly.lines {
            tell(format_args!("  {line:>8}  {}", lines.get(line).map_or("", |text| text)));
        }
    }
    if let Some((kind, count)) = report.found.iter().find(|(_, count)| **count > Report::SHOWN_MAX) {
        tell(format_args!(
            "\nonly the first {} of each are shown ({count} {})",
            Report::SHOWN_MAX,
            kind.as_str()
        ));
    }
}

fn verdict(report: &Report) -> ExitCode {
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(ANOMALY) }
}

// === sim ===

fn simulate(asked: &ArgMatches) -> Result<ExitCode, HistoryError> {
    let number = |name: &str| asked.get_one::<u64>(name).copied();
    let folder = asked.get_one::<PathBuf>("save").cloned().unwrap_or_default();
    if let Some(seed) = number("seed") {
        return one(seed, &folder);
    }
    let (from, seeds) = (number("from").unwrap_or(1), number("seeds").unwrap_or(2_000));
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let threads = number("threads").unwrap_or(cores).clamp(1, seeds.max(1));
    let playing = Playing {
        folder,
        end: from + seeds,
        next: AtomicU64::new(from),
        totals: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    let began = Instant::now();
    thread::scope(|scope| {
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(|| playing.play())).collect();
        while players.iter().any(|player| !player.is_finished()) {
            playing.tell_progress(from, began);
        }
    });
    let totals = playing.totals.into_inner();
    let report = Report { counts: totals.counts, anomalies: Vec::new(), found: totals.found };
    let rate = totals.runs as f64 / began.elapsed().as_secs_f64();
    tell(format_args!("{:<32} {:>12}  ({rate:.0} a second)\n{report}", "runs", totals.runs));
    if totals.runs < seeds && totals.bad.is_empty() {
        say(format_args!("not all runs could be played"));
        return Ok(ExitCode::from(TROUBLE));
    }
    Ok(verdict(&report))
}

/// Seeds with something wrong after which it is not worth going on.
const BAD_MAX: usize = 20;
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Totals {
    runs: u64,
    counts: Counts,
    found: BTreeMap<Kind, u64>,
    bad: Vec<u64>,
}

struct Playing {
    folder: PathBuf,
    end: u64,
    next: AtomicU64,
    totals: Mutex<Totals>,
    stop: AtomicBool,
}

impl Playing {
    /// Plays the next seed until there is none.
    fn play(&self) {
        let Some(shared) = Shared::new() else { return };
        while !self.stop.load(Ordering::Acquire) {
            let seed = self.next.fetch_add(1, Ordering::AcqRel);
            if seed >= self.end {
                return;
            }
            let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim::run(seed, &shared)));
            let Ok(Ok(run)) = played else {
                say(format_args!("seed {seed} could not be played"));
                self.bad(seed);
                continue;
            };
            let mut totals = self.totals.lock();
            totals.runs += 1;
            totals.counts.add(&run.report.counts);
            for (kind, count) in &run.report.found {
                *totals.found.entry(*kind).or_default() += count;
            }
            drop(totals);
            if !run.report.is_clean() {
                self.bad(seed);
                tell_bad(seed, &run, &self.folder);
            }
        }
    }

    fn bad(&self, seed: u64) {
        let mut totals = self.totals.lock();
        totals.bad.push(seed);
        *totals.found.entry(Kind::Misbehaved).or_default() += 0;
        if totals.bad.len() == BAD_MAX {
            say(format_args!("{BAD_MAX} seeds with something wrong: that is enough"));
            self.stop.store(true, Ordering::Release);
        }
    }

    /// Waits a while, then says how far the runs are.
    fn tell_progress(&self, from: u64, began: Instant) {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let until = Instant::now() + PROGRESS_EVERY;
        while Instant::now() < until {
            if self.next.load(Ordering::Acquire) >= self.end || self.stop.load(Ordering::Acquire) {
                thread::sleep(LOOK_EVERY);
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let (runs, bad) = {
            let totals = self.totals.lock();
            (totals.runs, totals.bad.len())
        };
        let rate = runs as f64 / began.elapsed().as_secs_f64();
        let left = (self.end - from).saturating_sub(runs);
        let minutes = left as f64 / rate.max(0.001) / 60.0;
        say(format_args!(
            "sim: {runs} runs, {bad} with something wrong, {rate:.0} a second, about {minutes:.1} minutes left; \
             go on later with --from {}",
            from + runs.saturating_sub(64)
        ));
    }
}

fn tell_bad(seed: u64, run: &Run, folder: &Path) {
    let what: Vec<_> =
        run.report.found.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    let saved = match save(seed, run, folder) {
        Ok(path) => format!("its history: {}", path.display()),
        Err(error) => format!("its history could not be saved: {error}"),
    };
    let first = run.report.anomalies.first().map_or("", |anomaly| &anomaly.text);
    tell(format_args!(
        "seed {seed}: {}\n  {first}\n  again: cargo run -q -p shelfcast-proof -- sim --seed {seed}\n  {saved}",
        what.join(", ")
    ));
}

/// One run, with all there is to say about it.
fn one(seed: u64, folder: &Path) -> Result<ExitCode, HistoryError> {
    let trouble = || HistoryError::Io(io::Error::other("the metrics could not be set up"));
    let run = sim::run(seed, &Shared::new().ok_or_else(trouble)?)?;
    tell(format_args!("{}\n{}", run.setting, run.report));
    let text = |line: &u32| {
        let record = run.history.get(*line as usize - 1);
        (*line, record.map_or(String::new(), |record| record.to_json(&run.names).to_string()))
    };
    show(&run.report, &run.report.anomalies.iter().flat_map(|anomaly| &anomaly.lines).map(text).collect());
    tell(format_args!("\nits history: {}", save(seed, &run, folder)?.display()));
    Ok(verdict(&run.report))
}

fn save(seed: u64, run: &Run, folder: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("seed-{seed}.jsonl"));
    let mut file = BufWriter::new(File::create(&path)?);
    for record in &run.history {
        writeln!(file, "{}", record.to_json(&run.names))?;
    }
    file.flush()?;
    if !io::stdout().is_terminal() {
        return Ok(path.canonicalize().unwrap_or(path));
    }
    Ok(path)
}
