//! `shelfcast trace`: what became of a product's last events, from the private ports of one gateway or several.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{
    EXIT_USAGE, agent,
    args::{own_url, settings, values},
    fail, say,
};
use crate::{
    app::{TraceReport, TracedBatch, TracedEvent},
    model::{Position, ProductId},
};

/// Who asks is a person.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn command() -> Command {
    Command::new("trace")
        .about("Tell what became of a product's last events: who brought them, which batch, who was told")
        .arg(Arg::new("productId").required(true).help("which product"))
        .arg(
            Arg::new("admin")
                .long("admin")
                .value_name("URL")
                .action(ArgAction::Append)
                .help("the private port of a gateway; once for each pod [default: http://127.0.0.1:$ADMIN_PORT]"),
        )
        .args(settings(&["ADMIN_PORT"]))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("one JSON object for each pod, a line each"))
        .after_help(
            "Events come from the log, so every pod knows those of all; each pod knows only whom it told itself. Events in an \
             open window are not told yet.\n\nExample:\n  shelfcast trace product-123 --admin http://10.0.0.7:9100 --admin \
             http://10.0.0.8:9100",
        )
}

/// Asks and prints; exit 0 if every pod answered.
pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let product_id = matches.get_one::<String>("productId").map(String::as_str).unwrap_or_default();
    if ProductId::new(product_id).is_err() {
        return fail(EXIT_USAGE, "a product id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -");
    }
    let Some(urls) = admin_urls(matches) else {
        return fail(EXIT_USAGE, "give --admin, or set ADMIN_PORT: only the private port tells this");
    };
    let (mut reports, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for url in urls {
        match ask(&format!("{url}/trace/{product_id}")) {
            Ok(report) => reports.push(report),
            Err(why) => code = fail(1, &why),
        }
    }
    if matches.get_flag("json") {
        for report in &reports {
            say(&serde_json::to_string(report).unwrap_or_default());
        }
    } else if !reports.is_empty() {
        let _read_to_the_end = timeline(product_id, &reports).iter().all(|line| say(line));
    }
    code
}

fn admin_urls(matches: &ArgMatches) -> Option<Vec<String>> {
    let given: Vec<String> = matches
        .get_many::<String>("admin")
        .into_iter()
        .flatten()
        .map(|url| url.trim_end_matches('/').into())
        .collect();
    if !given.is_empty() {
        return Some(given);
    }
    let values = values(matches);
    let host = values.text("ADMIN_HOST").or_else(|| values.text("HOST"));
    values.text("ADMIN_PORT").map(|port| vec![own_url(host, Some(port))])
}

fn ask(url: &str) -> Result<TraceReport, String> {
    let mut response = agent(Some(TIMEOUT)).get(url).call().map_err(|error| format!("{url}: {error}"))?;
    let text = response.body_mut().read_to_string().map_err(|error| format!("{url}: {error}"))?;
    match response.status().as_u16() {
        200 => serde_json::from_str(&text).map_err(|_| format!("{url}: that is no gateway's answer")),
        status => Err(format!("{url}: {status}; is this the private port?")),
    }
}

/// The lines for a person: who answered, then everything in the order of the log.
fn timeline(product_id: &str, reports: &[TraceReport]) -> Vec<String> {
    let mut lines = vec![format!("{product_id}, as told by")];
    for report in reports {
        let viewers = counted(report.viewers, "viewer");
        lines.push(format!(
            "  {:<24} {viewers} now, has read up to {}, forgot up to {}",
            report.pod, report.applied, report.floor
        ));
    }
    lines.push(String::new());
    let mut steps = BTreeMap::new();
    for report in reports {
        for event in &report.events {
            steps.entry(order(&event.cursor, 0)).or_insert_with(|| event_lines(event));
        }
        for batch in &report.batches {
            let lines = steps.entry(order(&batch.cursor, 1)).or_insert_with(|| batch_lines(batch));
            lines.push(told_line(&report.pod, batch));
        }
    }
    if steps.is_empty() {
        lines.push("nothing: no event of it is remembered".to_owned());
    }
    lines.extend(steps.into_values().flatten());
    lines
}

/// Epochs have no order among each other; within one, a batch stands behind its newest event.
fn order(cursor: &str, behind: u8) -> (String, u64, u8) {
    match cursor.parse::<Position>() {
        Ok(at) => (at.epoch.to_string(), at.n, behind),
        Err(_) => (cursor.to_owned(), 0, behind),
    }
}

fn event_lines(event: &TracedEvent) -> Vec<String> {
    let TracedEvent { cursor, event_type, accepted_at, .. } = event;
    let mut from = match (&event.source, &event.pod) {
        (Some(source), Some(pod)) => format!("accepted by {pod} from {source}"),
        (None, Some(pod)) => format!("accepted by {pod}"),
        _ => "accepted, nobody noted from whom".to_owned(),
    };
    for (name, value) in [("request", &event.request_id), ("trace", &event.trace_id)] {
        from.extend(value.iter().map(|value| format!(", {name} {value}")));
    }
    vec![format!("{accepted_at}  {event_type:<16}  {cursor}"), format!("    {from}")]
}

fn batch_lines(batch: &TracedBatch) -> Vec<String> {
    let events = counted(batch.events, "event");
    vec![format!("{}  batch of {events:<7}  {}  after {} ms", batch.left_at, batch.cursor, batch.waited_ms)]
}

fn told_line(pod: &str, batch: &TracedBatch) -> String {
    let sent = batch.socketio + batch.sse;
    let mut line = format!("    {pod} told {}", counted(sent as usize, "viewer"));
    if sent > 0 {
        line += &format!(" ({} Socket.IO, {} SSE)", batch.socketio, batch.sse);
    }
    for (count, what) in [
        (batch.slow, "too slow, told to refetch instead"),
        (batch.owed, "owed the word to refetch"),
        (batch.gone, "gone"),
    ] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
