//! Settings: from flags, the environment and secret files to each stage's own configuration.
//!
//! The only reader of the environment. All bad values are reported at once; no value of a secret is ever printed.

mod connections;
mod drain;
mod read;
mod settings;
mod webhooks;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tracing_subscriber::filter::Targets;

use self::read::{
    Reader, api_keys, durability, edge, endpoint, environment, host, jwt_public_keys, jwt_secret, key_prefix,
    log_filter, log_format, millis, number, optional, optional_bool, optional_budget, optional_port, origins,
    pod_name, port, proxies, redis,
};
pub use self::{
    connections::ConnectionsConfig,
    drain::DrainConfig,
    read::{BadSetting, BadSettings, Lookup, Values},
    settings::{SETTINGS, Setting, flag},
};
use crate::{
    batch::BatchConfig,
    eventlog::{MemoryLogConfig, redis::RedisLogConfig},
    fanout::HubConfig,
    index::IndexConfig,
    ingest::webhooks::WebhooksConfig,
    redis::RedisConfig,
    telemetry::LogFormat,
    web::{ApiKeys, JwtKeys, Origins, TrustedProxies},
};

/// Everything the gateway can be told.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to serve metrics and detailed health instead of on `listen`.
    pub admin: Option<SocketAddr>,
    /// What this process is called.
    pub pod: Arc<str>,
    /// Serve the console page at `/`.
    pub console: bool,
    /// Keys of publishers.
    pub api_keys: ApiKeys,
    /// Who may have signed tokens of browsers.
    pub jwt: JwtKeys,
    /// Refuse browsers without a token.
    pub require_auth: bool,
    /// What platforms sign webhooks with.
    pub webhooks: WebhooksConfig,
    /// Made up because none was given; it is shown once so that the gateway can be tried out.
    pub generated_key: Option<String>,
    /// Pages that may connect.
    pub origins: Origins,
    /// Whose word about addresses counts.
    pub proxies: TrustedProxies,
    /// Windows.
    pub batch: BatchConfig,
    /// The log in memory.
    pub log: MemoryLogConfig,
    /// The log on Redis instead.
    pub redis: Option<RedisSettings>,
    /// What a pod remembers for returning clients.
    pub index: IndexConfig,
    /// Rooms and sessions.
    pub hub: HubConfig,
    /// TCP connections.
    pub connections: ConnectionsConfig,
    /// How the process ends.
    pub drain: DrainConfig,
    /// Which log lines.
    pub log_filter: Targets,
    /// How they look.
    pub log_format: LogFormat,
    /// Where spans are sent.
    pub otlp_endpoint: Option<String>,
}

/// Redis, and the log there.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is.
    pub connection: RedisConfig,
    /// What the log keeps there.
    pub log: RedisLogConfig,
}

/// What is told from the outside about the environment the gateway runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Environment {
    /// Loose: every localhost page, a generated key, the console.
    Development,
    /// Strict.
    Production,
}

/// Products one connection may track (contract section 8).
const PRODUCTS_PER_CONNECTION_MAX: usize = 200;
/// Messages queued to one connection before it counts as slow: room for the answers to joining every product at once,
/// two replayed batches each.
const QUEUE_MAX: usize = 512;
/// A request of the largest kind must not push itself out of the log before it is read.
const LOG_EVENTS_MIN: u64 = 2 * crate::ingest::notify::EVENTS_MAX as u64;
/// A batch must have room for the largest event: 16 KiB of data and its frame around it.
const BATCH_BYTES_MIN: u64 = 20 * 1024;

impl Config {
    /// Reads all settings; `Err` lists every bad one.
    pub fn read(values: &Values) -> Result<Self, BadSettings> {
        let mut r = Reader::new(values);
        let environment = r.get("APP_ENV", environment);
        let strict = environment.as_ref().is_ok_and(|e| *e == Environment::Production);
        let (host, port) = (r.get("HOST", host), r.get("PORT", port));
        let admin_port = r.get("ADMIN_PORT", optional_port);
        let admin_host = r.get("ADMIN_HOST", |text| optional(text, self::read::host));
        let pod = r.get("POD_NAME", pod_name);
        let console = r.get("CONSOLE", optional_bool);
        let api_keys = r.get("INTERNAL_API_KEY", |text| api_keys(text, strict));
        let jwt_secret = r.get("JWT_SECRET", |text| jwt_secret(text, strict));
        let jwt_public_keys = r.get("JWT_PUBLIC_KEY", jwt_public_keys);
        let require_auth = r.get("REQUIRE_AUTH", optional_bool);
        let webhooks = webhooks::webhooks(&mut r);
        let frontend = r.get("FRONTEND_URL", origins);
        let allowed = r.get("ALLOWED_ORIGINS", origins);
        let required = r.get("REQUIRE_ORIGIN", optional_bool);
        let proxies = r.get("TRUSTED_PROXIES", proxies);
        let window_ms = r.get("BATCH_WINDOW_MS", |t| millis(t, 0..=60_000));
        let batch_events_max = r.get("BATCH_MAX_EVENTS", |t| number(t, 1..=10_000));
        let batch_bytes_max = r.get("BATCH_MAX_BYTES", |t| number(t, BATCH_BYTES_MIN..=16 * 1024 * 1024));
        let edge = r.get("BATCH_EDGE", edge);
        let retention_secs = r.get("LOG_RETENTION_SECS", |t| number(t, 1..=30 * 86_400));
        let events_max = r.get("LOG_MAX_EVENTS", |t| number(t, LOG_EVENTS_MIN..=100_000_000));
        let bytes_max = r.get("LOG_MAX_BYTES", |t| number(t, 1024 * 1024..=1024 * 1024 * 1024 * 1024));
        let claim_ttl_secs = r.get("IDEMPOTENCY_TTL_SECS", |t| number(t, 1..=30 * 86_400));
        let origin_rps_budget = r.get("ORIGIN_RPS_BUDGET", optional_budget);
        let sessions_max = r.get("MAX_CONNECTIONS", |t| number(t, 1..=10_000_000));
        let per_address_max = r.get("MAX_CONNECTIONS_PER_IP", |t| number(t, 0..=10_000_000));
        let drain_delay_ms = r.get("DRAIN_DELAY_MS", |t| millis(t, 0..=600_000));
        let drain_spread_ms = r.get("DRAIN_SPREAD_MS", |t| millis(t, 0..=3_600_000));
        let log_filter = r.get("LOG_LEVEL", log_filter);
        let log_format = r.get("LOG_FORMAT", log_format);
        let otlp_endpoint = r.get("OTEL_EXPORTER_OTLP_ENDPOINT", |text| optional(text, endpoint));
        let prefix = r.get("REDIS_PREFIX", key_prefix);
        let channel_prefix = r.get("CHANNEL_PREFIX", key_prefix);
        let redis = r.get("REDIS_URL", |url| redis(url, &prefix, &channel_prefix));
        let durability = r.get("DURABILITY", durability);
        if let (Ok(retention_secs), Ok(window_ms)) = (&retention_secs, &window_ms) {
            // What waits in a window must not be forgotten before it leaves.
            r.expect(
                retention_secs * 1_000 >= window_ms * 2,
                "LOG_RETENTION_SECS",
                "at least twice BATCH_WINDOW_MS",
            );
        }
        if let (Ok(secret), Ok(public), Ok(Some(true))) = (&jwt_secret, &jwt_public_keys, &require_auth) {
            // Nobody could ever connect.
            let any = !secret.is_empty() || !public.is_empty();
            r.expect(any, "REQUIRE_AUTH", "JWT_SECRET or JWT_PUBLIC_KEY with it");
        }
        r.finish()?;

        let listen = SocketAddr::new(host?, port?);
        let admin_host = admin_host?;
        let (api_keys, generated_key) = api_keys?;
        let allowed = allowed?;
        let (events_max, bytes_max) = (usize_of(events_max?), usize_of(bytes_max?));
        let redis_log = RedisLogConfig {
            retention_secs: retention_secs?,
            events_max,
            claim_ttl_secs: claim_ttl_secs?,
            durability: durability?,
        };
        let window = Duration::from_millis(window_ms?);
        let sessions_max = usize_of(sessions_max?);
        let per_address_max = Some(usize_of(per_address_max?)).filter(|max| *max > 0);
        let (batch_events_max, batch_bytes_max) = (usize_of(batch_events_max?), usize_of(batch_bytes_max?));
        Ok(Self {
            listen,
            admin: admin_port?.map(|port| SocketAddr::new(admin_host.unwrap_or(listen.ip()), port)),
            pod: pod?,
            console: console?.unwrap_or(!strict),
            api_keys,
            jwt: jwt_secret?.and(jwt_public_keys?),
            require_auth: require_auth?.unwrap_or(false),
            webhooks: webhooks?,
            generated_key,
            origins: Origins {
                allowed: if allowed.is_empty() { frontend? } else { allowed },
                allow_localhost: !strict,
                required: required?.unwrap_or(false),
            },
            proxies: proxies?,
            batch: BatchConfig {
                window,
                events_max: batch_events_max,
                bytes_max: batch_bytes_max,
                edge: edge?,
            },
            log: MemoryLogConfig {
                retention_secs: retention_secs?,
                events_max,
                bytes_max,
                claim_ttl_secs: claim_ttl_secs?,
            },
            redis: redis?.map(|connection| RedisSettings { connection, log: redis_log }),
            index: IndexConfig { retention_secs: retention_secs?, events_max, bytes_max },
            hub: HubConfig {
                queue_max: QUEUE_MAX,
                sessions_max,
                sessions_per_address_max: per_address_max,
                products_max: PRODUCTS_PER_CONNECTION_MAX,
                batch_events_max,
                batch_bytes_max,
                origin_rps_budget: origin_rps_budget?,
            },
            connections: ConnectionsConfig::new(sessions_max, per_address_max),
            drain: DrainConfig {
                delay: Duration::from_millis(drain_delay_ms?),
                spread: Duration::from_millis(drain_spread_ms?),
                flush: DrainConfig::flush_of(window),
            },
            log_filter: log_filter?,
            log_format: log_format?,
            otlp_endpoint: otlp_endpoint?,
        })
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
