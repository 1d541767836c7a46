//! `shelfcast fake`: a platform that sends to a gateway as the real one does, for trying out and for tests. It signs with the
//! gateway's own secret and sends to this machine only, unless it is told otherwise.

mod payload;
mod rule;

use std::{process::ExitCode, thread::sleep, time::Duration};

use axum::http::Uri;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tokio::time::Instant;

use self::{
    payload::{Change, Payload},
    rule::Rule,
};
use super::{EXIT_USAGE, Remote, args, fail, say, webhook};
use crate::{clock::Clock, ingest::webhooks::Platform};

/// `fake`.
pub(super) fn command() -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            .default_value(default)
            .value_parser(value_parser!(u64))
            .help(help)
    };
    let names = ["woocommerce", "shopify", "meta"];
    Command::new("fake")
        .about("Send webhooks to a gateway as a platform does, signed, with its own retries; one line each")
        .arg(Arg::new("platform").required(true).value_parser(names).help("which platform"))
        .arg(number("product", "794", "the number of the product that changes"))
        .arg(number("count", "1", "how many deliveries"))
        .arg(number("every-ms", "1000", "milliseconds between two of them"))
        .arg(number(
            "hurry",
            "1",
            "how many times faster than the platform to send again; the real waits are hours",
        ))
        .arg(
            Arg::new("anywhere")
                .long("anywhere")
                .action(ArgAction::SetTrue)
                .help("send to another machine than this one"),
        )
        .args(args::remote(false))
        .args(args::settings(&[
            "WC_WEBHOOK_SECRET",
            "SHOPIFY_WEBHOOK_SECRET",
            "META_APP_SECRET",
            "META_VERIFY_TOKEN",
        ]))
        .after_help(
            "Example:\n  WC_WEBHOOK_SECRET=... shelfcast fake woocommerce --product 794 --count 10\n  \
             SHOPIFY_WEBHOOK_SECRET=... shelfcast fake shopify --hurry 1000",
        )
}

/// A platform and where it sends.
struct Sender {
    platform: Box<dyn Platform>,
    rule: Rule,
    url: String,
    hurry: u32,
    agent: ureq::Agent,
    failures: u32,
}

/// Sends; exit 0 if everything was taken.
pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let name = matches.get_one::<String>("platform").map(String::as_str).unwrap_or_default();
    let values = args::values(matches);
    let platform = match webhook::platform(name, &values) {
        Ok(platform) => platform,
        Err(why) => return fail(EXIT_USAGE, &why),
    };
    let Remote { url, .. } = Remote::read(matches);
    if !matches.get_flag("anywhere") && !is_here(&url) {
        return fail(EXIT_USAGE, &format!("{url} is another machine; --anywhere sends there too"));
    }
    let (rule, path, payload): (_, _, fn(Change) -> Payload) = match name {
        "woocommerce" => (Rule::woocommerce(), "woocommerce", payload::woocommerce),
        "shopify" => (Rule::shopify(), "shopify", payload::shopify),
        _ => (Rule::meta(), "whatsapp", payload::meta),
    };
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let url = format!("{url}/api/webhooks/{path}");
    let agent = super::agent(Some(rule.timeout));
    let hurry = u32::try_from(number("hurry")).unwrap_or(u32::MAX).max(1);
    let mut sender = Sender { platform, rule, url, hurry, agent, failures: 0 };
    sender.greet(name, values.text("META_VERIFY_TOKEN"));
    for n in 0..number("count") {
        if n > 0 {
            sleep(Duration::from_millis(number("every-ms")));
        }
        let change = Change { product: number("product"), n, now: Clock::system().now() };
        if !sender.deliver(&payload(change), change) {
            break;
        }
    }
    if sender.failures == 0 { ExitCode::SUCCESS } else { fail(1, "not everything was taken") }
}

/// Whether this is the machine that the command runs on.
fn is_here(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Sender {
    /// What a platform does when a webhook is set up.
    fn greet(&self, name: &str, token: Option<String>) {
        let told = match (name, token) {
            ("woocommerce", _) => self.agent.post(&self.url).send_form([("webhook_id", "5")]),
            ("meta", Some(token)) => {
                let query = [
                    ("hub.mode", "subscribe"),
                    ("hub.verify_token", &token),
                    ("hub.challenge", "1158201444"),
                ];
                self.agent.get(&self.url).query_pairs(query).call()
            }
            _ => return,
        };
        say(&format!(
            "set up -> {}",
            told.map_or_else(|error| error.to_string(), |told| told.status().to_string())
        ));
    }

    /// One delivery with its retries. False: the platform sends nothing any more.
    fn deliver(&mut self, payload: &Payload, change: Change) -> bool {
        for attempt in 0.. {
            let status = self.post(payload, change);
            if status.is_some_and(|status| self.rule.is_success(status)) {
                self.failures = 0;
                return true;
            }
            self.failures += 1;
            if self.rule.ends_after(self.failures) {
                say(&format!("{} failures in a row: the webhook is switched off", self.failures));
                return false;
            }
            let Some(wait) = self.rule.waits.get(attempt) else { return true };
            let wait = *wait / self.hurry;
            say(&format!("again in {} ms", wait.as_millis()));
            sleep(wait);
        }
        true
    }

    /// One try; the body and the ids are the same each time.
    fn post(&self, payload: &Payload, change: Change) -> Option<u16> {
        let Payload { topic, body } = payload;
        // WooCommerce makes the id of a delivery of the webhook's and the second.
        let second = change.now.micros() / 1_000_000;
        let id = format!("{second}-{}", change.n);
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        for (name, value) in self.platform.sign(body.as_bytes(), &id, change.now) {
            request = request.header(name, value);
        }
        request = match self.platform.name() {
            "woocommerce" => request
                .header("X-WC-Webhook-Source", "https://shop.example/")
                .header("X-WC-Webhook-Topic", *topic)
                .header("X-WC-Webhook-ID", "5")
                .header("X-WC-Webhook-Delivery-ID", format!("{second:032x}")),
            "shopify" => request
                .header("X-Shopify-Topic", *topic)
                .header("X-Shopify-Shop-Domain", "acme.myshopify.example")
                .header("X-Shopify-API-Version", "2026-10")
                .header("X-Shopify-Webhook-Id", &id)
                .header("X-Shopify-Event-Id", &id),
            _ => request,
        };
        let sent = Instant::now();
        let answer = request.send(body.as_bytes()).map(|answer| answer.status().as_u16());
        let told = answer.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        say(&format!("{topic} {} -> {told} after {} ms", change.product, sent.elapsed().as_millis()));
        answer.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for url in ["http://127.0.0.1:3003", "http://localhost:3003", "http://[::1]:3003", "http://127.9.9.9"]
        {
            assert!(is_here(url), "{url}");
        }
        for url in [
            "http://192.0.2.1:3003",
            "http://localhost.evil.test",
            "http://shop.example",
            "",
            "http://[::]:1",
        ] {
            assert!(!is_here(url), "{url}");
        }
    }
}
