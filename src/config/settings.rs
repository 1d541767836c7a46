//! The list of settings: name, default and one line of help. `--help` and the README's table are made from it.

/// One setting. Given as the environment variable `NAME` or the flag `--name`; the flag wins.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// Another variable that is read when the first is unset.
    pub alias: Option<&'static str>,
    /// What is used when nothing is given; empty: unset.
    pub default: &'static str,
    /// Never printed, and also read from the file named by `NAME_FILE`.
    pub secret: bool,
    /// One line.
    pub help: &'static str,
}

const fn setting(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, alias: None, default, secret: false, help }
}

const fn alias(alias: &'static str, setting: Setting) -> Setting {
    Setting { alias: Some(alias), ..setting }
}

const fn secret(setting: Setting) -> Setting {
    Setting { secret: true, ..setting }
}

/// Every setting, in the order the documentation shows them.
pub const SETTINGS: &[Setting] = &[
    alias("WEBSOCKET_PORT", setting("PORT", "3003", "TCP port to listen on")),
    setting("HOST", "0.0.0.0", "IP address to listen on, or localhost"),
    alias(
        "NODE_ENV",
        setting(
            "APP_ENV",
            "development",
            "production: strict keys and origins, no console; anything else is development",
        ),
    ),
    setting(
        "FRONTEND_URL",
        "http://localhost:3009",
        "storefront URLs, comma separated; their origins may connect",
    ),
    setting("ALLOWED_ORIGINS", "", "origins that may connect, comma separated; unset: those of FRONTEND_URL"),
    setting("REQUIRE_ORIGIN", "false", "refuse requests without an Origin header (only browsers send one)"),
    setting(
        "TRUSTED_PROXIES",
        "",
        "addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed, comma separated; unset: nobody's",
    ),
    secret(setting(
        "INTERNAL_API_KEY",
        "",
        "keys publishers may use, comma separated; unset in development: one is made up and shown; production: 32 characters or more",
    )),
    secret(alias(
        "WEBHOOK_SECRET",
        setting(
            "WC_WEBHOOK_SECRET",
            "",
            "secrets of WooCommerce webhooks, comma separated, 24 characters or more each; unset: /api/webhooks/woocommerce is not there",
        ),
    )),
    secret(setting(
        "SHOPIFY_WEBHOOK_SECRET",
        "",
        "client secrets of Shopify apps, and signing secrets of stores, comma separated; unset: /api/webhooks/shopify is not there",
    )),
    secret(setting(
        "META_APP_SECRET",
        "",
        "app secrets of apps at Meta, comma separated; unset: /api/webhooks/whatsapp and /api/webhooks/facebook are not there",
    )),
    secret(setting(
        "META_VERIFY_TOKEN",
        "",
        "tokens that Meta shows when a webhook is set up, comma separated, 16 characters or more each",
    )),
    secret(setting(
        "STANDARD_WEBHOOK_SECRET",
        "",
        "secrets of backends that sign by Standard Webhooks, comma separated: whsec_ and base64 of 24 to 64 bytes; unset: /api/webhooks/custom is not there",
    )),
    secret(setting(
        "JWT_SECRET",
        "",
        "the secret that signs tokens of browsers (HS256); production: 32 characters or more; unset: tokens so signed are not accepted",
    )),
    secret(setting(
        "JWT_PUBLIC_KEY",
        "",
        "PEM public keys, one or several, of those who sign tokens: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA)",
    )),
    setting(
        "REQUIRE_AUTH",
        "false",
        "true: browsers without a good token are refused; needs JWT_SECRET or JWT_PUBLIC_KEY",
    ),
    setting(
        "BATCH_WINDOW_MS",
        "300",
        "how long changes of one product are collected, in milliseconds; 0: not at all",
    ),
    setting("BATCH_MAX_EVENTS", "100", "events in one batch at most; a full batch leaves at once"),
    setting("BATCH_MAX_BYTES", "262144", "bytes in one batch at most; a full batch leaves at once"),
    setting(
        "BATCH_EDGE",
        "trailing",
        "trailing: the first change of a quiet product waits for its window; leading: it leaves at once",
    ),
    setting(
        "LOG_RETENTION_SECS",
        "600",
        "how long accepted events are kept for returning clients, in seconds",
    ),
    setting("LOG_MAX_EVENTS", "1000000", "accepted events kept at most"),
    setting("LOG_MAX_BYTES", "268435456", "bytes of accepted events kept at most"),
    setting(
        "IDEMPOTENCY_TTL_SECS",
        "86400",
        "how long an Idempotency-Key or eventId is remembered, in seconds",
    ),
    setting(
        "ORIGIN_RPS_BUDGET",
        "",
        "refetches a second that your shop can answer, over all gateways, 1 to 1000000; unset: batches are not spread",
    ),
    setting(
        "MAX_CONNECTIONS",
        "50000",
        "clients at a time, over Socket.IO and SSE; more are told to come again",
    ),
    setting(
        "MAX_CONNECTIONS_PER_IP",
        "0",
        "clients at a time from one address (IPv6: /64); 0: any number, because behind an undeclared proxy all share one",
    ),
    setting(
        "DRAIN_DELAY_MS",
        "5000",
        "after SIGTERM: how long to serve on while load balancers learn of it, in milliseconds",
    ),
    setting(
        "DRAIN_SPREAD_MS",
        "20000",
        "after that: over how long connections are closed, one after the other, in milliseconds",
    ),
    setting(
        "ADMIN_PORT",
        "",
        "private port for /metrics, detailed /health and `shelfcast trace`; unset: the first two are on PORT",
    ),
    setting("ADMIN_HOST", "", "IP address of the private port, or localhost; unset: that of HOST"),
    alias(
        "HOSTNAME",
        setting("POD_NAME", "", "what this process is called in logs and traces; unset: a random name"),
    ),
    setting("CONSOLE", "", "true or false: serve the console page at /; unset: only in development"),
    setting(
        "LOG_LEVEL",
        "info",
        "error, warn, info, debug or trace, or a list of target=level; libraries stay at warn",
    ),
    setting("LOG_FORMAT", "text", "text or json; one line an event, on standard error"),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "where spans are sent over OTLP/HTTP, such as http://127.0.0.1:4318; only in builds with the feature otel",
    ),
    secret(setting(
        "REDIS_URL",
        "",
        "redis://, rediss://, redis-cluster:// or redis-sentinel://: the log every pod shares; unset: one process, in memory",
    )),
    setting("REDIS_PREFIX", "shelfcast", "what the gateway's own keys in Redis begin with"),
    setting("CHANNEL_PREFIX", "", "what the names of Redis channels and streams for others begin with"),
    setting(
        "DURABILITY",
        "memory",
        "202 once Redis executed the append (memory), a replica has it (replica), or it is on disk (fsync)",
    ),
];

/// The flag of a setting's environment variable: `BATCH_WINDOW_MS` is `batch-window-ms`.
pub fn flag(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
