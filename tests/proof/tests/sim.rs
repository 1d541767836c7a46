//! The simulation itself: a seed repeats its run, and a few runs are played whenever tests are.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use shelfcast_proof::sim::{self, Shared};

fn lines(seed: u64, shared: &Shared) -> Vec<String> {
    let run = sim::run(seed, shared).unwrap();
    assert!(run.report.is_clean(), "seed {seed}: {:?}", run.report.anomalies);
    run.history.iter().map(|record| record.to_json(&run.names).to_string()).collect()
}

#[test]
fn a_seed_repeats_its_run() {
    let shared = Shared::new().unwrap();
    for seed in 1..=20 {
        assert!(lines(seed, &shared) == lines(seed, &shared), "seed {seed}");
    }
}
