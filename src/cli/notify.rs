//! `shelfcast notify`: one event to a running gateway.

use std::process::ExitCode;

use clap::ArgMatches;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{EXIT_USAGE, Remote, fail, say};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    product_id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    data: &'a RawValue,
}

/// Sends it and prints the answer; exit 0 if it was accepted.
pub(super) fn run(remote: &Remote, matches: &ArgMatches) -> ExitCode {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let Some(key) = &remote.key else {
        return fail(EXIT_USAGE, "set INTERNAL_API_KEY, or give --internal-api-key");
    };
    let data: &RawValue = match serde_json::from_str(text("data")) {
        Ok(data) => data,
        Err(error) => return fail(EXIT_USAGE, &format!("--data is not valid JSON: {error}")),
    };
    let event = Event { product_id: text("productId"), event_type: text("type"), data };
    let Ok(body) = serde_json::to_string(&event) else {
        return fail(1, "the event does not serialise");
    };

    let agent: ureq::Agent = super::agent(None);
    let url = format!("{}/api/notify", remote.url);
    let mut request = agent.post(&url).header("Content-Type", "application/json").header("X-API-Key", key);
    if let Some(claim) = matches.get_one::<String>("idempotency-key") {
        request = request.header("Idempotency-Key", claim);
    }
    let mut response = match request.send(body.as_bytes()) {
        Ok(response) => response,
        Err(error) => return fail(1, &format!("{url}: {error}")),
    };
    let answer = response.body_mut().read_to_string().unwrap_or_default();
    say(answer.trim_end());
    if response.status() == 202 {
        ExitCode::SUCCESS
    } else {
        fail(1, &format!("refused with {}", response.status()))
    }
}
