//! The command line. The settings come from the list in [`config`](crate::config), so that help and settings agree.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use clap::{Arg, ArgMatches, Command};

use super::{fake, trace, webhook};
use crate::{
    config::{SETTINGS, Setting, Values, flag},
    model::EventType,
};

/// The whole command line.
pub fn command() -> Command {
    let serve = Command::new("serve").about("Run the gateway (the default)");
    let check = Command::new("check")
        .about("Check the settings, say what is wrong with them, and exit (64 if anything is)");
    Command::new("shelfcast")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Real-time product-sync gateway: tells every browser that looks at a product that it changed")
        .args_conflicts_with_subcommands(true)
        .args(SETTINGS.iter().map(setting))
        .after_help(
            "Every setting is also an environment variable: --batch-window-ms is BATCH_WINDOW_MS. Secrets may stand in a \
             file named by NAME_FILE.\n\nExamples:\n  shelfcast\n  shelfcast --port 8080 --batch-edge leading\n  \
             INTERNAL_API_KEY=... shelfcast notify product-123 --type price_update --data '{\"newPrice\":15000}'\n  \
             shelfcast watch product-123",
        )
        .subcommands([
            serve.args(SETTINGS.iter().map(setting)).after_help("Example: shelfcast serve --port 8080"),
            check.args(SETTINGS.iter().map(setting)).after_help("Example: APP_ENV=production shelfcast check"),
            notify(),
            watch(),
            trace::command(),
            healthcheck(),
            webhook::sign_command(),
            webhook::verify_command(),
            fake::command(),
        ])
}

fn notify() -> Command {
    Command::new("notify")
        .about("Send one event to a running gateway and print its answer")
        .arg(Arg::new("productId").required(true).help("whose change"))
        .arg(Arg::new("type").long("type").required(true).value_parser(EventType::ALL.map(EventType::as_str)).help("what kind"))
        .arg(Arg::new("data").long("data").default_value("{}").help("a JSON object, passed through"))
        .arg(Arg::new("idempotency-key").long("idempotency-key").help("makes a retry harmless"))
        .args(remote(true))
        .after_help(
            "Example:\n  INTERNAL_API_KEY=... shelfcast notify product-123 --type price_update --data '{\"newPrice\":15000}'",
        )
}

fn watch() -> Command {
    Command::new("watch")
        .about("Print the batches of some products as they come, one JSON object a line")
        .arg(Arg::new("productId").required(true).num_args(1..).help("which products"))
        .args(remote(false))
        .after_help("Example:\n  shelfcast watch product-123 product-456")
}

fn healthcheck() -> Command {
    Command::new("healthcheck")
        .about("Ask a running gateway whether it is ready; exit 0 if it is, 1 if not (for containers)")
        .args(remote(false))
        .after_help("Example:\n  shelfcast healthcheck --url http://127.0.0.1:3003")
}

pub(super) fn remote(key: bool) -> Vec<Arg> {
    let url = Arg::new("url")
        .long("url")
        .help("the gateway [default: the one that HOST and PORT name, http://127.0.0.1:3003]");
    let mut args = vec![url];
    if key {
        args.extend(settings(&["INTERNAL_API_KEY"]));
    }
    args
}

/// The flags of these settings.
pub(super) fn settings(names: &[&str]) -> Vec<Arg> {
    SETTINGS.iter().filter(|s| names.contains(&s.name)).map(setting).collect()
}

fn setting(setting: &Setting) -> Arg {
    let help = match setting.default {
        "" => setting.help.to_owned(),
        default => format!("{} [default: {default}]", setting.help),
    };
    Arg::new(setting.name).long(flag(setting.name)).value_name("VALUE").help(help).help_heading("Settings")
}

/// The settings given on this command line, over those of the environment.
pub(super) fn values(matches: &ArgMatches) -> Values {
    let given = |s: &Setting| {
        let value = matches.try_get_one::<String>(s.name).ok().flatten()?;
        Some((s.name, value.clone()))
    };
    Values::from_process(SETTINGS.iter().filter_map(given).collect::<HashMap<_, _>>())
}

/// A running gateway to talk to.
pub(super) struct Remote {
    /// Without a slash at its end.
    pub(super) url: String,
    /// The first of the keys given, if any.
    pub(super) key: Option<String>,
}

impl Remote {
    pub(super) fn read(matches: &ArgMatches) -> Self {
        let values = values(matches);
        let url = matches.get_one::<String>("url").cloned();
        let url = url.unwrap_or_else(|| own_url(values.text("HOST"), values.text("PORT")));
        let keys = values.text("INTERNAL_API_KEY").unwrap_or_default();
        let key = keys.split(',').map(str::trim).find(|key| !key.is_empty()).map(str::to_owned);
        Self { url: url.trim_end_matches('/').to_owned(), key }
    }
}

/// Where a gateway with these settings is reached from its own machine.
pub(super) fn own_url(host: Option<String>, port: Option<String>) -> String {
    let port = port.unwrap_or_else(|| "3003".into());
    match host.and_then(|host| host.parse::<IpAddr>().ok()) {
        Some(IpAddr::V4(host)) if !host.is_unspecified() => format!("http://{host}:{port}"),
        Some(IpAddr::V6(host)) if !host.is_unspecified() => format!("http://[{host}]:{port}"),
        Some(IpAddr::V6(_)) => format!("http://[{}]:{port}", Ipv6Addr::LOCALHOST),
        _ => format!("http://{}:{port}", Ipv4Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_asked_where_it_listens() {
        let url = |host: &str, port: &str| {
            let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            own_url(given(host), given(port))
        };
        assert_eq!(url("", ""), "http://127.0.0.1:3003");
        assert_eq!(url("0.0.0.0", "8080"), "http://127.0.0.1:8080");
        assert_eq!(url("::", "8080"), "http://[::1]:8080");
        assert_eq!(url("127.0.0.5", ""), "http://127.0.0.5:3003");
        assert_eq!(url("::1", "1"), "http://[::1]:1");
    }
}
