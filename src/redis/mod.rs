//! The kit for Redis: connections, scripts, key names, and what an error means. Knows nothing of the log or the channels.
//!
//! Nothing here tries a command again: after a broken connection it is unknown whether it was executed, and only the
//! caller knows whether doing it twice is safe.

mod board;
mod keys;
mod link;
mod script;

use std::{fmt, time::Duration};

use fred::{
    error::Error,
    types::{
        Builder, RespVersion,
        config::{Config, Options, ReconnectPolicy, UnresponsiveConfig},
    },
};

pub use self::{
    board::{Board, Posted},
    keys::Keys,
    link::Link,
    script::{Args, Call, Script},
};

/// Where Redis is and how the gateway's names begin.
#[derive(Clone)]
pub struct RedisConfig {
    /// From `REDIS_URL`.
    pub server: Config,
    /// Key and channel names.
    pub keys: Keys,
}

/// Why `REDIS_URL` cannot be used. Never holds the URL: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "redis://, rediss://, redis-cluster:// or redis-sentinel:// with a host, as in redis://user:password@host:6379/0"
)]
pub struct InvalidRedisUrl;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two tries to connect: a gateway takes events again within a second after Redis is back.
const RECONNECT_EVERY_MS: u32 = 150;
/// A server that leaves a command without an answer for so long is connected to anew: the other end may be gone without
/// a word. Longer than any command of ours may take.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(5);
/// How often that is looked at.
const UNRESPONSIVE_CHECK: Duration = Duration::from_secs(1);
/// Messages from channels that wait to be taken. fred's default of 32 loses messages in any burst; each costs memory
/// whether it is used or not, in each of the client's eight kinds of events.
const CHANNEL_CAPACITY: usize = 16_384;
/// Events of a connection that wait to be looked at; only the last one matters.
const EVENT_CAPACITY: usize = 32;
/// Commands that wait to be written; one more is refused.
const COMMANDS_WAITING_MAX: usize = 4_096;

impl RedisConfig {
    /// Reads a URL.
    pub fn new(url: &str, keys: Keys) -> Result<Self, InvalidRedisUrl> {
        let scheme = url.split("://").next().unwrap_or_default();
        let schemes =
            ["redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"];
        if !schemes.contains(&scheme) {
            return Err(InvalidRedisUrl);
        }
        let mut server = Config::from_url(url).map_err(|_| InvalidRedisUrl)?;
        // The first connection is tried again like any other.
        server.fail_fast = false;
        Ok(Self { server, keys })
    }

    /// Where the servers are, as in `redis-0:6379, redis-1:6379`; for a log, without a password.
    pub fn servers(&self) -> String {
        let places = self.server.server.hosts();
        places.iter().map(|place| format!("{}:{}", place.host, place.port)).collect::<Vec<_>>().join(", ")
    }

    /// A client for commands. It begins to connect at once, in the background.
    pub fn client(&self) -> Result<Link, Error> {
        self.builder(RespVersion::RESP2, EVENT_CAPACITY).build().map(Link::new)
    }

    /// A client for subscriptions. RESP3, because there other commands may share the connection.
    pub fn subscriber(&self) -> Result<Link, Error> {
        self.builder(RespVersion::RESP3, CHANNEL_CAPACITY).build().map(Link::new)
    }

    fn builder(&self, version: RespVersion, capacity: usize) -> Builder {
        let mut builder = Builder::from_config(Config { version, ..self.server.clone() });
        builder
            .set_policy(ReconnectPolicy::new_constant(0, RECONNECT_EVERY_MS))
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = COMMANDS_WAITING_MAX;
                connection.unresponsive = UnresponsiveConfig {
                    max_timeout: Some(UNRESPONSIVE_AFTER),
                    interval: UNRESPONSIVE_CHECK,
                };
            })
            .with_performance_config(|performance| {
                performance.broadcast_channel_capacity = capacity;
            });
        builder
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The server's part holds a password.
        f.debug_struct("RedisConfig").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// How one command is sent: once, with a deadline, and not at all while there is no connection.
pub fn once(timeout: Duration) -> Options {
    Options { max_attempts: Some(1), timeout: Some(timeout), fail_fast: true, ..Options::default() }
}

/// The text of an error as it may be logged. Redis repeats the arguments of a command that it does not know or that was
/// renamed, and those may be a password (`HELLO 3 AUTH`) or an event.
pub fn without_args(text: &str) -> &str {
    text.split_once(", with args").map_or(text, |(told, _args)| told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_repeats_of_a_command_is_left_out() {
        let told = "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2' ";
        assert_eq!(without_args(told), "ERR unknown command 'HELLO'");
        assert_eq!(without_args("OOM command not allowed"), "OOM command not allowed");
    }
}
