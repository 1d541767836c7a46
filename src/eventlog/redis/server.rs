//! [`RedisStore`]: the log at a Redis server, through Lua scripts and `XREAD`. Decides nothing about history.
//!
//! Appends and questions share one connection, where they are pipelined; what publishers bring while appends are under way
//! goes together (`group.rs`). Reads have their own connection, because a blocking read keeps all behind it waiting.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use fred::{
    error::Error,
    interfaces::ClientLike,
    types::{CustomCommand, InfoKind, Value},
    util::redis_keyslot,
};
use tokio_util::sync::CancellationToken;

use super::{
    answers::{UNREADABLE, read_standing, read_stream},
    appends::{Appends, Part, Terms},
    commands::Commands,
    config::{Durability, RedisLogConfig},
    line::{Line, Unanswered},
    store::{Refusal, Standing, Store, StoreError, Stored, Taken},
};
use crate::{
    eventlog::{Append, InputGap},
    model::Epoch,
    redis::{Args, Call, Keys, Link, RedisConfig, Script, once},
    tasks::Tasks,
};

/// The log at a Redis server.
pub struct RedisStore {
    config: RedisLogConfig,
    pub(super) keys: Keys,
    pub(super) commands: Arc<Commands>,
    reads: Link,
    pub(super) appends: Arc<Appends>,
    line: Arc<Line<Part>>,
    pub(super) append_seen: Script,
    head: Script,
    pub(super) due: Script,
}

/// Why a server cannot keep the log. The operator's fault; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It would throw the log away.
    #[error(
        "Redis evicts keys without a time to live (maxmemory-policy {0}): under memory pressure it would throw the log \
         away; set noeviction or a volatile- policy"
    )]
    Evicts(String),
    /// It cannot confirm writes to disk.
    #[error(
        "DURABILITY=fsync needs WAITAOF, which this Redis does not have (Redis 7.2 or Valkey 7.2 has it)"
    )]
    NoWaitaof,
    /// It is too old.
    #[error("Redis {0} is too old: 6.2 or later is needed")]
    TooOld(String),
    /// The settings make no client.
    #[error("REDIS_URL makes no client: {0}")]
    NoClient(String),
}

/// Before each stands what it shares with others.
const APPEND: &str = concat!(
    include_str!("epoch.lua"),
    "local what_changed, keep_seen, told_from\n",
    include_str!("append.lua")
);
const APPEND_SEEN: &str = concat!(
    include_str!("epoch.lua"),
    include_str!("stands.lua"),
    include_str!("seen.lua"),
    include_str!("append.lua")
);
const DUE: &str = concat!(include_str!("stands.lua"), include_str!("due.lua"));
const HEAD: &str = concat!(include_str!("epoch.lua"), include_str!("head.lua"));

impl RedisStore {
    /// Entries read at once.
    const READ_MAX: &str = "512";
    /// How long a read waits for an entry, in milliseconds. Also how long a reader stays with an epoch that ended.
    const BLOCK_MS: &str = "500";

    /// A store at this server. It begins to connect at once, in the background. `tasks` send what waits to be appended.
    pub fn new(redis: &RedisConfig, config: RedisLogConfig, tasks: &Tasks) -> Result<Self, Unfit> {
        let no_client = |error: Error| Unfit::NoClient(error.to_string());
        let (link, reads) =
            (Arc::new(redis.client().map_err(no_client)?), redis.client().map_err(no_client)?);
        let (keys, commands) = (redis.keys.clone(), Arc::new(Commands::new(link, config.durability)));
        let appends = Appends::new(Arc::clone(&commands), keys.clone(), config, Script::new(APPEND));
        let (appends, line) = (Arc::new(appends), Arc::new(Line::new()));
        for _ in 0..config.durability.calls_under_way_max() {
            tasks.spawn_vital("appends", send(Arc::clone(&line), Arc::clone(&appends), tasks.stopping()));
        }
        Ok(Self {
            config,
            keys,
            commands,
            reads,
            appends,
            line,
            append_seen: Script::new(APPEND_SEEN),
            head: Script::new(HEAD),
            due: Script::new(DUE),
        })
    }

    /// The connection for commands, for what else is asked of the same server.
    pub fn commands(&self) -> Arc<Link> {
        Arc::clone(&self.commands.link)
    }

    /// Waits for the server and looks whether it can keep a log. `Ok(Some)`: it can, but something could not be
    /// looked at.
    pub async fn check(&self) -> Result<Result<Option<&'static str>, Unfit>, StoreError> {
        let (commands, reads) = tokio::join!(self.commands.link.connected(), self.reads.connected());
        commands.and(reads).map_err(|error| self.commands.error(&error))?;
        let commands = Commands::connected(&self.commands.link)?.with_options(&once(Commands::TIMEOUT));
        if self.config.durability == Durability::Fsync {
            let waitaof = CustomCommand::new_static("COMMAND", self.slot(), false);
            let known: Value = commands
                .custom(waitaof, vec!["INFO", "WAITAOF"])
                .await
                .map_err(|error| self.commands.error(&error))?;
            if known.into_array().iter().all(Value::is_null) {
                return Ok(Err(Unfit::NoWaitaof));
            }
        }
        let (server, memory) = match (
            commands.info::<String>(Some(InfoKind::Server)).await,
            commands.info::<String>(Some(InfoKind::Memory)).await,
        ) {
            (Ok(server), Ok(memory)) => (server, memory),
            (Err(error), _) | (_, Err(error)) => {
                return match self.commands.error(&error) {
                    StoreError::Refused(Refusal::Unauthorized | Refusal::Other) => Ok(Ok(Some(
                        "INFO is not allowed: whether Redis evicts keys, and failovers, cannot be seen",
                    ))),
                    away => Err(away),
                };
            }
        };
        let version = info_field(&server, "redis_version").unwrap_or_default();
        if !is_recent(version) {
            return Ok(Err(Unfit::TooOld(version.to_owned())));
        }
        match info_field(&memory, "maxmemory_policy") {
            Some(policy) if policy.starts_with("allkeys") => Ok(Err(Unfit::Evicts(policy.to_owned()))),
            Some(_) => Ok(Ok(None)),
            None => {
                Ok(Ok(Some("Redis does not tell its maxmemory-policy: make sure that it does not evict")))
            }
        }
    }

    /// Why there is no connection, as far as the client told.
    pub fn last_error(&self) -> Option<String> {
        self.commands.link.last_error()
    }

    /// Ends the connections.
    pub async fn close(&self) {
        tokio::join!(self.commands.link.close(), self.reads.close());
    }

    fn slot(&self) -> u16 {
        redis_keyslot(self.keys.log().as_bytes())
    }

    async fn run_head(&self, condemned: Option<Epoch>) -> Result<Standing, StoreError> {
        let mut args = Args::default();
        args.push(Epoch::from_random(rand::random()));
        args.push_any(condemned);
        args.push(self.config.retention_secs.saturating_mul(1_000_000));
        let call = Call { keys: vec![self.keys.log(), self.keys.meta()], args };
        let returned = self.commands.ask(&self.head, &call).await?;
        read_standing(&returned).ok_or(UNREADABLE)
    }
}

/// Sends what waits in the line, until it is told to stop. Then nobody waits any more.
async fn send(line: Arc<Line<Part>>, appends: Arc<Appends>, stop: CancellationToken) {
    stop.run_until_cancelled(line.serve(|parts| appends.append_all(parts))).await;
    line.close().await;
}

#[async_trait]
impl Store for RedisStore {
    async fn append(&self, append: &Append) -> Result<Taken, StoreError> {
        let part = self.appends.part(append);
        match append.message {
            Some(message) => self.appends.append_one(&Terms::of_message(message), part).await,
            None => self.line.ask(part).await.unwrap_or_else(|unanswered| match unanswered {
                Unanswered::Full => Err(StoreError::NoRoom),
                Unanswered::Closed => Err(StoreError::Unknown),
            }),
        }
    }

    async fn append_gap(&self, gap: &InputGap) -> Result<Taken, StoreError> {
        self.appends.append_one(&Terms::of_gap(gap), Appends::part_of_gap(gap)).await
    }

    async fn head(&self) -> Result<Standing, StoreError> {
        self.run_head(None).await
    }

    async fn renew(&self, expected: Epoch) -> Result<Standing, StoreError> {
        self.run_head(Some(expected)).await
    }

    async fn read(&self, after_n: u64) -> Result<Vec<Stored>, StoreError> {
        let reads = Commands::connected(&self.reads)?.with_options(&once(Commands::TIMEOUT));
        let (log, after) = (self.keys.log(), format!("{after_n}-0"));
        let args = ["COUNT", Self::READ_MAX, "BLOCK", Self::BLOCK_MS, "STREAMS", &log, &after];
        let command = CustomCommand::new_static("XREAD", self.slot(), true);
        let read: Value = reads
            .custom(command, args.map(str::to_owned).to_vec())
            .await
            .map_err(|error| self.commands.error(&error))?;
        // What is no entry of ours got into the log from outside.
        read_stream(read).ok_or(StoreError::Inconsistent(None))
    }
}

fn info_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// `XTRIM MINID`, `XAUTOCLAIM` and `SET ... KEEPTTL` are all there from 6.2 on.
fn is_recent(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(2))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("config", &self.config)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
