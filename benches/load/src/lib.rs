//! The load benchmark: thousands of light clients on loopback, and what serving them costs each server in CPU time and
//! memory. Times of one run are only compared with each other.
//!
//! - [`scenarios`]: what is measured, as data. [`suite`] runs it in interleaved rounds, [`measure`] once, [`report`]
//!   tells the figures, [`chart`] draws them.
//! - [`load`]: the clients ([`client`]) and publishers ([`publishers`]) of one run, on one thread.
//! - [`servers`]: what is measured, as child processes. [`reference`](mod@reference) is one of them.
//! - [`redis`]: a server of that name for those who need one, and the bare loop that it is compared with.
//! - [`machine`], [`dice`], [`times`], [`wire`]: what all of it needs.

pub mod chart;
pub mod client;
pub mod dice;
pub mod figures;
pub mod load;
pub mod machine;
pub mod measure;
pub mod publishers;
pub mod redis;
pub mod reference;
pub mod report;
pub mod scenarios;
pub mod servers;
pub mod suite;
pub mod times;
pub mod wire;

use std::io::{self, Write as _};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A socket, a file, a process.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A server ended before it answered.
    #[error("{0} did not start: {1}")]
    NotStarted(&'static str, String),
    /// Something took too long.
    #[error("waited too long for {0}")]
    TooLate(&'static str),
    /// A connection that ended before it joined.
    #[error("a connection got {0} when {1} had joined")]
    Refused(&'static str, usize),
    /// Something is not installed.
    #[error("{0}")]
    Missing(String),
}

/// Progress and errors, beside what is asked for.
pub fn say(words: std::fmt::Arguments<'_>) {
    // Who closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "{words}");
}
