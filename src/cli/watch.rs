//! `shelfcast watch`: batches in the terminal, over the same stream a browser uses.

use std::{
    io::{BufRead, BufReader},
    process::ExitCode,
    time::Duration,
};

use clap::ArgMatches;

use super::{EXIT_USAGE, Remote, fail, say};
use crate::model::ProductId;

/// Why a stream ended.
enum End {
    /// It will not get better.
    Refused(String),
    /// Try again from the last position: there was a stream that told one.
    Cut(String),
    /// Try again later: nobody is there who gives one.
    Away(String),
    /// Nobody reads our output any more.
    Done,
}

/// How long after a cut it tries again; twice as long after each try that brought no stream.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// Prints until it is interrupted. Comes back by itself after a cut, from where it was.
pub(super) fn run(remote: &Remote, matches: &ArgMatches) -> ExitCode {
    let ids: Vec<&String> = matches.get_many("productId").into_iter().flatten().collect();
    if let Some(bad) = ids.iter().find(|id| ProductId::new(id).is_err()) {
        return fail(
            EXIT_USAGE,
            &format!("{bad:?} is no product id: 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -"),
        );
    }
    let products = ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(",");
    let url = format!("{}/api/events?features=resync&products={products}", remote.url);
    let (mut last_id, mut pause) = (None, PAUSE);
    loop {
        let why = match follow(&url, &mut last_id) {
            End::Done => return ExitCode::SUCCESS,
            End::Refused(why) => return fail(1, &why),
            End::Cut(why) => {
                pause = PAUSE;
                why
            }
            End::Away(why) => {
                pause = (pause * 2).min(PAUSE_MAX);
                why
            }
        };
        fail(1, &format!("{why}; coming back in {} s", pause.as_secs()));
        std::thread::sleep(pause);
    }
}

fn follow(url: &str, last_id: &mut Option<String>) -> End {
    let agent: ureq::Agent = super::agent(None);
    let mut request = agent.get(url).header("Accept", "text/event-stream");
    if let Some(id) = last_id.as_deref() {
        request = request.header("Last-Event-ID", id);
    }
    let mut response = match request.call() {
        Ok(response) => response,
        Err(error) if last_id.is_some() => return End::Away(error.to_string()),
        Err(error) => return End::Refused(format!("{url}: {error}")),
    };
    let status = response.status();
    if status != 200 {
        let problem = response.body_mut().read_to_string().unwrap_or_default();
        let why = format!("{url}: {status} {problem}");
        // A proxy with nobody behind it says so with these. A gateway that cannot give a stream now begins one and ends it.
        let later = status == 429 || status.is_server_error();
        return if later && last_id.is_some() { End::Away(why) } else { End::Refused(why) };
    }
    let (mut event, mut told) = (String::new(), false);
    let end = |told: bool, why: String| if told { End::Cut(why) } else { End::Away(why) };
    for line in BufReader::new(response.body_mut().as_reader()).lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => return end(told, error.to_string()),
        };
        match line.split_once(": ") {
            Some(("event", name)) => event = name.to_owned(),
            Some(("id", id)) => {
                *last_id = Some(id.to_owned());
                told = true;
            }
            Some(("data", data)) if event == "batched_product_update" && !say(data) => return End::Done,
            Some(("data", data)) if event == "resync_required" => {
                fail(0, &format!("events may be missing, refetch: {data}"));
            }
            _ if line.is_empty() => event.clear(),
            _ => {}
        }
    }
    end(told, "the stream ended".into())
}
