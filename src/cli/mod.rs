//! The commands: serve, check, notify, watch, trace, healthcheck, sign, verify, fake. Parses the command line; each command has a file.

mod args;
mod fake;
mod healthcheck;
mod notify;
mod serve;
mod trace;
mod watch;
mod webhook;

use std::{ffi::OsString, process::ExitCode, time::Duration};

pub use self::args::command;
use self::args::{Remote, values};

/// Bad settings or a bad command line (`EX_USAGE` of sysexits).
const EXIT_USAGE: u8 = 64;

/// Runs the command that `args` name, the program's own name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no errors and go to standard output.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _printed = error.print();
            return ExitCode::from(code);
        }
    };
    match matches.subcommand() {
        Some(("check", matches)) => serve::check(&values(matches)),
        Some(("notify", matches)) => notify::run(&Remote::read(matches), matches),
        Some(("trace", matches)) => trace::run(matches),
        Some(("watch", matches)) => watch::run(&Remote::read(matches), matches),
        Some(("healthcheck", matches)) => healthcheck::run(&Remote::read(matches)),
        Some(("sign", matches)) => webhook::sign(matches),
        Some(("verify", matches)) => webhook::verify(matches),
        Some(("fake", matches)) => fake::run(matches),
        Some((_serve, matches)) => serve::run(&values(matches)),
        None => serve::run(&values(&matches)),
    }
}

/// Talks to a gateway and to nobody else: a redirect is an answer, or the key would go wherever it points.
fn agent(timeout: Option<Duration>) -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(timeout).build().into()
}

/// Prints a line to standard output, which is where a command's answer goes. False: nobody reads it any more.
fn say(line: &str) -> bool {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// Prints what went wrong and returns the exit code.
fn fail(code: u8, message: &str) -> ExitCode {
    use std::io::Write as _;
    let _printed = writeln!(std::io::stderr().lock(), "shelfcast: {message}");
    ExitCode::from(code)
}
