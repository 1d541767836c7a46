//! Reading: where a value comes from, and what each may be.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    ops::RangeInclusive,
    sync::Arc,
};

use axum::http::Uri;
use rand::distr::{Alphanumeric, SampleString};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{Environment, SETTINGS, Setting};
use crate::{
    batch::Edge,
    eventlog::redis::Durability,
    redis::{Keys, RedisConfig},
    telemetry::LogFormat,
    web::{ApiKeys, JwtKeys, TrustedProxies},
};

/// Finds a variable by its name.
pub type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Where values come from, so that tests need no environment.
pub struct Values {
    /// Given on the command line, by the setting's name.
    pub flags: HashMap<&'static str, String>,
    /// The environment.
    pub env: Lookup,
}

impl Values {
    /// The process's environment, under these flags.
    pub fn from_process(flags: HashMap<&'static str, String>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
        let env = |name: &str| std::env::var(name).ok();
        Self { flags, env: Box::new(env) }
    }

    /// The text of one setting, unchecked; `None`: unset, or its secret file cannot be read.
    pub fn text(&self, name: &'static str) -> Option<String> {
        let found = Reader::new(self).get(name, |text| Ok(text.to_owned()));
        found.ok().filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values")
    }
}

/// Every setting that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadSettings(pub Vec<BadSetting>);

/// One setting that cannot be used. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSetting {
    /// Which one, as it was given.
    pub name: String,
    /// What was given; `None` for secrets.
    pub given: Option<String>,
    /// What it may be.
    pub expected: String,
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, bad) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: expected {}", bad.name, bad.expected)?;
            if let Some(given) = &bad.given {
                write!(f, ", got {given:?}")?;
            }
        }
        Ok(())
    }
}

/// The error was noted with the reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

impl From<Noted> for BadSettings {
    fn from(_: Noted) -> Self {
        Self(Vec::new())
    }
}

/// Reads settings one by one and notes every bad one.
pub(super) struct Reader<'a> {
    values: &'a Values,
    bad: Vec<BadSetting>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(values: &'a Values) -> Self {
        Self { values, bad: Vec::new() }
    }

    /// One setting. `parse` gets its text, or the default; its error says what was expected.
    pub(super) fn get<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Noted> {
        debug_assert!(SETTINGS.iter().any(|s| s.name == name), "{name} is not in the list of settings");
        let Some(setting) = SETTINGS.iter().find(|s| s.name == name) else {
            return Err(Noted);
        };
        let (source, text) = self.find(setting)?;
        parse(text.trim()).map_err(|expected| {
            let given = (!setting.secret).then_some(text);
            self.bad.push(BadSetting { name: source, given, expected });
            Noted
        })
    }

    /// Notes a setting that is good by itself but not with another.
    pub(super) fn expect(&mut self, good: bool, name: &str, expected: &str) {
        if !good {
            self.bad.push(BadSetting { name: name.into(), given: None, expected: expected.into() });
        }
    }

    pub(super) fn finish(self) -> Result<(), BadSettings> {
        if self.bad.is_empty() { Ok(()) } else { Err(BadSettings(self.bad)) }
    }

    /// The value and the name it was found under: flag, variable, alias, secret file, default. Empty means unset.
    fn find(&mut self, setting: &Setting) -> Result<(String, String), Noted> {
        if let Some(text) = self.values.flags.get(setting.name) {
            return Ok((format!("--{}", super::flag(setting.name)), text.clone()));
        }
        let env = |name: &str| (self.values.env)(name).filter(|text| !text.trim().is_empty());
        for name in std::iter::once(setting.name).chain(setting.alias) {
            if let Some(text) = env(name) {
                return Ok((name.into(), text));
            }
        }
        let file_name = format!("{}_FILE", setting.name);
        match env(&file_name).filter(|_| setting.secret) {
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(text) if text.trim().is_empty() => {
                    // Taken for unset, it would leave out what somebody meant to set.
                    let expected = "a file that is not empty".into();
                    self.bad.push(BadSetting { name: file_name, given: Some(path), expected });
                    Err(Noted)
                }
                Ok(text) => Ok((file_name, text)),
                Err(error) => {
                    let expected = format!("a file that can be read ({error})");
                    self.bad.push(BadSetting { name: file_name, given: Some(path), expected });
                    Err(Noted)
                }
            },
            None => Ok((setting.name.into(), setting.default.into())),
        }
    }
}

/// Only production is strict, and however it is spelt.
pub(super) fn environment(text: &str) -> Result<Environment, String> {
    match text.to_ascii_lowercase().as_str() {
        "production" | "prod" => Ok(Environment::Production),
        _ => Ok(Environment::Development),
    }
}

pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().map_err(|_| "an IP address, or localhost".into()),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port number, 0 to 65535".into())
}

/// What may be left out.
pub(super) fn optional<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

pub(super) fn optional_port(text: &str) -> Result<Option<u16>, String> {
    optional(text, port)
}

/// The name of a process. It stands in logs, and in every entry that this process takes. Mostly it is a host's name, which
/// nobody chose for us: what does not fit is left out, and nothing refused.
pub(super) fn pod_name(text: &str) -> Result<Arc<str>, String> {
    const LEN_MAX: usize = 63;
    const RANDOM_LEN: usize = 8;
    let plain = |c: &char| c.is_ascii_alphanumeric() || ['.', '_'].contains(c) || *c == '-';
    let name: String = text.chars().filter(plain).take(LEN_MAX).collect();
    if name.bytes().any(|b| b != b'-') {
        return Ok(name.into());
    }
    Ok(Alphanumeric.sample_string(&mut rand::rng(), RANDOM_LEN).to_ascii_lowercase().into())
}

pub(super) fn optional_bool(text: &str) -> Result<Option<bool>, String> {
    match text {
        "" => Ok(None),
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => Err("true or false".into()),
    }
}

pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let (min, max) = (*range.start(), *range.end());
    let number = text.parse().ok().filter(|n| range.contains(n));
    number.ok_or_else(|| format!("a whole number from {min} to {max}"))
}

pub(super) fn optional_budget(text: &str) -> Result<Option<NonZeroU32>, String> {
    const RPS_MAX: u64 = 1_000_000;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(u32::try_from(number(text, 1..=RPS_MAX)?).ok().and_then(NonZeroU32::new))
}

pub(super) fn millis(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    number(text, range).map_err(|expected| format!("{expected} (milliseconds)"))
}

pub(super) fn edge(text: &str) -> Result<Edge, String> {
    match text {
        "trailing" => Ok(Edge::Trailing),
        "leading" => Ok(Edge::Leading),
        _ => Err("trailing or leading".into()),
    }
}

pub(super) fn log_filter(text: &str) -> Result<Targets, String> {
    // A word that is no level would otherwise be taken for the name of a target, and everything logged.
    let known = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    let filter = text.split(',').all(known).then(|| text.parse().ok()).flatten();
    filter.ok_or_else(|| "error, warn, info, debug or trace, or a list of target=level".into())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text or json".into()),
    }
}

/// The beginning of a key: it stands inside a hash tag, and in `KEYS` patterns of the person on call.
pub(super) fn key_prefix(text: &str) -> Result<String, String> {
    const LEN_MAX: usize = 64;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    if text.len() <= LEN_MAX && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("at most {LEN_MAX} characters of A-Z a-z 0-9 . _ : -"))
    }
}

pub(super) fn redis(
    url: &str,
    prefix: &Result<String, Noted>,
    channel_prefix: &Result<String, Noted>,
) -> Result<Option<RedisConfig>, String> {
    match (prefix, channel_prefix) {
        _ if url.is_empty() => Ok(None),
        (Ok(prefix), _) if prefix.is_empty() => Err("a REDIS_PREFIX that is not empty".into()),
        (Ok(prefix), Ok(channel_prefix)) => {
            let keys = Keys::new(prefix, channel_prefix);
            RedisConfig::new(url, keys).map(Some).map_err(|error| error.to_string())
        }
        // Told already.
        _ => Ok(None),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "memory" => Ok(Durability::Memory),
        "replica" => Ok(Durability::Replica),
        "fsync" => Ok(Durability::Fsync),
        _ => Err("memory, replica or fsync".into()),
    }
}

/// Where a collector is: a URL without user and password, which would end up in a log line.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let expected = || "an http:// or https:// URL without user and password".to_owned();
    origin(text).map(|_| text.to_owned()).ok_or_else(expected)
}

/// A comma list of URLs, as the origins browsers send for them.
pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
    urls.map(|url| origin(url).ok_or_else(|| "http:// or https:// URLs, comma separated".into())).collect()
}

fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|s| ["http", "https"].contains(s))?;
    let authority = uri.authority().filter(|a| !a.as_str().contains('@'))?;
    let host = authority.host().to_ascii_lowercase();
    let standard = if scheme == "https" { 443 } else { 80 };
    match authority.port_u16() {
        Some(port) if port != standard => Some(format!("{scheme}://{host}:{port}")),
        _ => Some(format!("{scheme}://{host}")),
    }
}

pub(super) fn proxies(text: &str) -> Result<TrustedProxies, String> {
    let expected = "addresses or networks such as 10.0.0.0/8, comma separated";
    TrustedProxies::parse(text).ok_or_else(|| expected.into())
}

/// Characters of a secret that is good enough for production.
const SECRET_LEN_MIN: usize = 32;

/// The secret of those who sign tokens, if there is one. `strict`: as production wants it.
pub(super) fn jwt_secret(text: &str, strict: bool) -> Result<JwtKeys, String> {
    if text.is_empty() {
        return Ok(JwtKeys::default());
    }
    if strict && (text.chars().count() < SECRET_LEN_MIN || is_placeholder(text)) {
        return Err(format!(
            "a random secret of {SECRET_LEN_MIN} characters or more in production (try: openssl rand -hex 32)"
        ));
    }
    Ok(JwtKeys::from_secret(text))
}

/// The public keys of those who sign tokens.
pub(super) fn jwt_public_keys(text: &str) -> Result<JwtKeys, String> {
    if text.is_empty() {
        return Ok(JwtKeys::default());
    }
    let expected = "PEM blocks `BEGIN PUBLIC KEY`: RSA of 2048 bits or more, P-256 or Ed25519";
    JwtKeys::from_public_keys(text).ok_or_else(|| expected.into())
}

/// The keys, and the one that was made up if none was given. `strict`: as production wants them.
pub(super) fn api_keys(text: &str, strict: bool) -> Result<(ApiKeys, Option<String>), String> {
    const LEN_MIN: usize = SECRET_LEN_MIN;
    let keys: Vec<&str> = text.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
    if keys.is_empty() {
        if strict {
            return Err(format!("at least one key of {LEN_MIN} characters or more in production"));
        }
        let key = Alphanumeric.sample_string(&mut rand::rng(), LEN_MIN);
        return Ok((ApiKeys::new([key.as_str()]), Some(key)));
    }
    if strict && keys.iter().any(|key| key.chars().count() < LEN_MIN) {
        return Err(format!("keys of {LEN_MIN} characters or more in production"));
    }
    if strict && keys.iter().any(|key| is_placeholder(key)) {
        return Err("random keys in production, not a placeholder (try: openssl rand -hex 32)".into());
    }
    Ok((ApiKeys::new(keys), None))
}

/// Texts that people copy from examples and forget to replace.
pub(super) fn is_placeholder(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "changeme",
        "yourkey",
        "yourapikey",
        "yoursecret",
        "placeholder",
        "replace",
        "example",
        "internalapikey",
        "secretkey",
    ];
    let bare: String =
        key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let distinct: std::collections::HashSet<char> = key.chars().collect();
    distinct.len() < 8 || WORDS.iter().any(|word| bare.contains(word))
}
