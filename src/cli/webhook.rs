//! `shelfcast sign` and `shelfcast verify`: the signature of a webhook, made or checked as the gateway does it. Sends nothing.

use std::{
    fs,
    io::{self, Read as _},
    process::ExitCode,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{EXIT_USAGE, args, fail, say};
use crate::{
    clock::Clock,
    config::Values,
    ingest::webhooks::{Delivery, Meta, Platform, Secrets, Shopify, Standard, WebhooksConfig, WooCommerce},
    model::LogTime,
};

/// A platform as the commands know it: its name, and the setting with its secrets.
pub(super) const PLATFORMS: [(&str, &str); 4] = [
    ("woocommerce", "WC_WEBHOOK_SECRET"),
    ("shopify", "SHOPIFY_WEBHOOK_SECRET"),
    ("meta", "META_APP_SECRET"),
    ("standard", "STANDARD_WEBHOOK_SECRET"),
];

/// `sign`.
pub(super) fn sign_command() -> Command {
    with_common(Command::new("sign"))
        .about(
            "Print the headers with which a platform signs a body, one a line, as `curl -H @file` takes them",
        )
        .arg(Arg::new("id").long("id").default_value("msg_1").help("names the delivery (standard only)"))
        .after_help(
            "Example:\n  SHOPIFY_WEBHOOK_SECRET=... shelfcast sign shopify --body product.json >headers\n  \
             curl -H @headers -H 'X-Shopify-Topic: products/update' -H 'X-Shopify-Webhook-Id: 1' \\\n    \
             --data-binary @product.json http://127.0.0.1:3003/api/webhooks/shopify",
        )
}

/// `verify`.
pub(super) fn verify_command() -> Command {
    let header = Arg::new("header").long("header").short('H').action(ArgAction::Append).required(true);
    with_common(Command::new("verify"))
        .about("Check a signature as the gateway does; exit 0 if it is good, 1 if not")
        .arg(header.value_name("NAME: VALUE").help("a header as it came, as often as needed"))
        .after_help(
            "Example:\n  WC_WEBHOOK_SECRET=... shelfcast verify woocommerce --body delivery.json \\\n    \
             -H 'X-WC-Webhook-Signature: Z0Ww5eNTI7o9OYPEPkdingyA0aJH2XZXkhPS+M+YOnE='",
        )
}

fn with_common(command: Command) -> Command {
    let names = PLATFORMS.map(|(name, _)| name);
    command
        .arg(Arg::new("platform").required(true).value_parser(names).help("whose signature"))
        .arg(
            Arg::new("body")
                .long("body")
                .default_value("-")
                .help("the file with the body; -: standard input"),
        )
        .args(args::settings(&PLATFORMS.map(|(_, setting)| setting)))
}

/// The platform of this name with its secrets. They may be weak here: nothing is served.
pub(super) fn platform(name: &str, values: &Values) -> Result<Box<dyn Platform>, String> {
    let setting = PLATFORMS.iter().find(|(known, _)| *known == name).map_or("", |(_, setting)| *setting);
    let text = values.text(setting).ok_or_else(|| format!("set {setting}, or give it as a flag"))?;
    let listed: Vec<&str> = text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    let mut config = WebhooksConfig::default();
    Ok(match name {
        "woocommerce" => {
            config.woocommerce = Secrets::new(listed.into_iter().map(WooCommerce::key));
            Box::new(WooCommerce::new(&config))
        }
        "shopify" => {
            config.shopify = Secrets::new(listed);
            Box::new(Shopify::new(&config))
        }
        "meta" => {
            config.meta = Secrets::new(listed);
            Box::new(Meta::new(&config))
        }
        _ => {
            let keys: Option<Vec<_>> = listed.into_iter().map(Standard::key).collect();
            config.standard = Secrets::new(keys.ok_or("a secret is whsec_ and base64 of 24 to 64 bytes")?);
            Box::new(Standard::new(&config))
        }
    })
}

struct Asked {
    platform: Box<dyn Platform>,
    body: Vec<u8>,
}

fn asked(matches: &ArgMatches) -> Result<Asked, String> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let platform = platform(text("platform"), &args::values(matches))?;
    let body = match text("body") {
        "-" => {
            let mut body = Vec::new();
            io::stdin()
                .read_to_end(&mut body)
                .map(|_| body)
                .map_err(|error| format!("standard input: {error}"))?
        }
        path => fs::read(path).map_err(|error| format!("{path}: {error}"))?,
    };
    Ok(Asked { platform, body })
}

/// Prints the headers.
pub(super) fn sign(matches: &ArgMatches) -> ExitCode {
    let Asked { platform, body } = match asked(matches) {
        Ok(asked) => asked,
        Err(why) => return fail(EXIT_USAGE, &why),
    };
    let id = matches.get_one::<String>("id").map(String::as_str).unwrap_or_default();
    for (name, value) in platform.sign(&body, id, Clock::system().now()) {
        say(&format!("{name}: {value}"));
    }
    ExitCode::SUCCESS
}

/// Says whether the signature is good.
pub(super) fn verify(matches: &ArgMatches) -> ExitCode {
    let Asked { platform, body } = match asked(matches) {
        Ok(asked) => asked,
        Err(why) => return fail(EXIT_USAGE, &why),
    };
    let mut headers = HeaderMap::new();
    for line in matches.get_many::<String>("header").into_iter().flatten() {
        let parsed = line.split_once(':').and_then(|(name, value)| {
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = parsed else {
            return fail(EXIT_USAGE, &format!("{line:?} is no header such as `Name: value`"));
        };
        headers.append(name, value);
    }
    let delivery = Delivery { headers: &headers, body: &body };
    if !platform.is_signed(&headers) {
        return fail(1, "none of these headers holds a signature of this platform");
    }
    if platform.verify(delivery, Clock::system().now()) {
        say("the signature is good");
        return ExitCode::SUCCESS;
    }
    let sent = headers.get("webhook-timestamp").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let then = sent.map(|secs| LogTime::from_micros(secs.saturating_mul(1_000_000)));
    if then.is_some_and(|then| platform.verify(delivery, then)) {
        return fail(
            1,
            "the signature is good, but of another time than now: the gateway takes five minutes' difference",
        );
    }
    fail(1, "the signature is not good: another secret, or the body is not, byte for byte, what was signed")
}
