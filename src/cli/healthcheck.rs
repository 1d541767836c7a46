//! `shelfcast healthcheck`: for containers that have no curl.

use std::{process::ExitCode, time::Duration};

use super::{Remote, agent, fail, say};

/// A container runtime waits a few seconds for its probe; answer before it gives up.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Exit 0 if the gateway is ready.
pub(super) fn run(remote: &Remote) -> ExitCode {
    match agent(Some(TIMEOUT)).get(format!("{}/health/ready", remote.url)).call() {
        Ok(response) if response.status() == 200 => {
            say("ready");
            ExitCode::SUCCESS
        }
        Ok(response) => fail(1, &format!("not ready: {}", response.status())),
        Err(error) => fail(1, &format!("{}: {error}", remote.url)),
    }
}
