//! [`RedisStore`]: the log at a Redis server, through Lua scripts and `XREAD`. Decides nothing about history.
//!
//! Appends and questions share one connection, where they are pipelined; reads have their own, because a blocking read
//! keeps all behind it waiting.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::ClientLike,
    types::{CustomCommand, InfoKind, Value},
    util::redis_keyslot,
};
use parking_lot::Mutex;

use super::{
    answers::{KIND_GAP, read_append, read_standing, read_stream},
    store::{Refusal, Standing, Store, StoreError, Stored, Taken},
};
use crate::{
    eventlog::{Append, InputGap, LeaseToken},
    model::{Epoch, Event, Origin, ProductId},
    redis::{Args, Call, Keys, Link, RedisConfig, Script, once, without_args},
    telemetry::Context,
};

/// What the log keeps, and when an append counts as done.
#[derive(Debug, Clone, Copy)]
pub struct RedisLogConfig {
    /// Seconds an entry is kept.
    pub retention_secs: u64,
    /// Entries kept at most; a few more until a whole node of the stream can go.
    pub events_max: usize,
    /// Seconds a claim is kept.
    pub claim_ttl_secs: u64,
    /// When an append is acknowledged.
    pub durability: Durability,
}

/// When an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the primary executed it.
    Memory,
    /// When one replica has it.
    Replica,
    /// When the primary wrote it to its disk (`WAITAOF`, Redis 7.2).
    Fsync,
}

/// The log at a Redis server.
pub struct RedisStore {
    config: RedisLogConfig,
    pub(super) keys: Keys,
    commands: Arc<Link>,
    reads: Link,
    append: Script,
    pub(super) append_seen: Script,
    head: Script,
    pub(super) due: Script,
    /// The refusal of another kind that was logged last.
    told: Mutex<Option<String>>,
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
    /// How long a command may take at all; whoever asks has a deadline of its own.
    const TIMEOUT: Duration = Duration::from_secs(3);
    /// How long to wait for replicas or the disk, in milliseconds: less than an append may take.
    const CONFIRM_MS: &str = "1500";

    /// A store at this server. It begins to connect at once, in the background.
    pub fn new(redis: &RedisConfig, config: RedisLogConfig) -> Result<Self, Unfit> {
        let no_client = |error: Error| Unfit::NoClient(error.to_string());
        Ok(Self {
            config,
            keys: redis.keys.clone(),
            commands: Arc::new(redis.client().map_err(no_client)?),
            reads: redis.client().map_err(no_client)?,
            append: Script::new(APPEND),
            append_seen: Script::new(APPEND_SEEN),
            head: Script::new(HEAD),
            due: Script::new(DUE),
            told: Mutex::default(),
        })
    }

    /// The connection for commands, for what else is asked of the same server.
    pub fn commands(&self) -> Arc<Link> {
        Arc::clone(&self.commands)
    }

    /// Waits for the server and looks whether it can keep a log. `Ok(Some)`: it can, but something could not be
    /// looked at.
    pub async fn check(&self) -> Result<Result<Option<&'static str>, Unfit>, StoreError> {
        let (commands, reads) = tokio::join!(self.commands.connected(), self.reads.connected());
        commands.and(reads).map_err(|error| self.error(&error))?;
        let commands = self.connected(&self.commands)?.with_options(&once(Self::TIMEOUT));
        if self.config.durability == Durability::Fsync {
            let waitaof = CustomCommand::new_static("COMMAND", self.slot(), false);
            let known: Value = commands
                .custom(waitaof, vec!["INFO", "WAITAOF"])
                .await
                .map_err(|error| self.error(&error))?;
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
                return match self.error(&error) {
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
        self.commands.last_error()
    }

    /// Ends the connections.
    pub async fn close(&self) {
        tokio::join!(self.commands.close(), self.reads.close());
    }

    fn slot(&self) -> u16 {
        redis_keyslot(self.keys.log().as_bytes())
    }

    /// Runs one of the scripts that append, and waits for what `DURABILITY` says if it was done.
    pub(super) async fn run_append(
        &self,
        script: &Script,
        mut call: Call,
    ) -> Result<Vec<String>, StoreError> {
        call.args.push_any(Context::origin().as_ref().map(Origin::as_str));
        let commands = self.connected(&self.commands)?;
        let confirm: (_, &[_]) = match self.config.durability {
            Durability::Memory => return self.ask(script, &call).await,
            Durability::Replica => ("WAIT", &["1", Self::CONFIRM_MS]),
            Durability::Fsync => ("WAITAOF", &["1", "0", Self::CONFIRM_MS]),
        };
        let ran = script.run_then(commands, Self::TIMEOUT, &call, confirm).await;
        let (returned, confirmed) = ran.map_err(|error| self.error(&error))?;
        // WAIT answers with how many replicas have it; WAITAOF with the same of disks, the primary's own first.
        let count = confirmed.into_array().first().and_then(Value::as_i64).unwrap_or(0);
        let done = returned.first().is_some_and(|what| ["taken", "repeated"].contains(&what.as_str()));
        if done && count < 1 { Err(StoreError::Unknown) } else { Ok(returned) }
    }

    /// Runs a script.
    pub(super) async fn ask(&self, script: &Script, call: &Call) -> Result<Vec<String>, StoreError> {
        let commands = self.connected(&self.commands)?;
        script.run(commands, Self::TIMEOUT, call).await.map_err(|error| self.error(&error))
    }

    async fn run_head(&self, condemned: Option<Epoch>) -> Result<Standing, StoreError> {
        let mut args = Args::default();
        args.push(Epoch::from_random(rand::random()));
        args.push_any(condemned);
        args.push(self.config.retention_secs.saturating_mul(1_000_000));
        let call = Call { keys: vec![self.keys.log(), self.keys.meta()], args };
        let returned = self.ask(&self.head, &call).await?;
        read_standing(&returned).ok_or(StoreError::Refused(Refusal::Other))
    }

    /// The call that appends.
    pub(super) fn append_call(&self, append: &Append) -> Call {
        let mut keys = self.append_keys();
        keys.extend(append.request.iter().map(|request| self.keys.claim(request.key)));
        keys.extend(append.events.iter().filter_map(|new| new.claim).map(|claim| self.keys.claim(claim)));
        let message = append.message;
        let heard = message.and_then(|m| m.heard);
        let mirror = !message.is_some_and(|m| m.from_mirror);
        let mut args = self.append_args(message.map(|m| m.lease), heard.map(|h| h.number), mirror);
        args.push_any(append.request.map(|request| request.body));
        args.push_any(heard.and_then(|heard| heard.digest));
        args.push(append.events.len());
        for new in &append.events {
            let Event { product_id, event_type, data, timestamp } = &new.event;
            let claimed = if new.claim.is_some() { "1" } else { "" };
            args.extend([
                event_type.as_str(),
                product_id.as_str(),
                data.as_str(),
                timestamp.as_str(),
                claimed,
            ]);
        }
        Call { keys, args }
    }

    /// The keys that every append touches.
    fn append_keys(&self) -> Vec<String> {
        let keys = &self.keys;
        vec![keys.log(), keys.meta(), keys.lease(), keys.lease_meta(), keys.streaks()]
    }

    /// The arguments that every append begins with.
    fn append_args(&self, lease: Option<LeaseToken>, number: Option<u64>, mirror: bool) -> Args {
        let mut args = Args::default();
        args.push(Epoch::from_random(rand::random()));
        args.push_any(lease.map(|lease| lease.0));
        args.push_any(number);
        args.push(self.config.events_max);
        args.push(self.config.claim_ttl_secs.saturating_mul(1_000));
        args.push(self.keys.channel("product-cache-invalidation"));
        args.push_any(mirror.then(|| self.keys.channel("product-updates")));
        args
    }

    fn connected<'a>(&self, link: &'a Link) -> Result<&'a Client, StoreError> {
        link.up().ok_or(StoreError::Refused(Refusal::NotConnected))
    }

    /// A reason that nobody foresaw is logged when it changes, not with each command.
    fn tell_once(&self, reason: &str) {
        let before = self.told.lock().replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(reason, "Redis refuses commands");
        }
    }

    fn error(&self, error: &Error) -> StoreError {
        match error.kind() {
            ErrorKind::Timeout | ErrorKind::IO | ErrorKind::Canceled => StoreError::Unknown,
            ErrorKind::Backpressure => StoreError::Refused(Refusal::Busy),
            _ => {
                let refusal = Refusal::of(error.details());
                if refusal == Refusal::Other {
                    self.tell_once(without_args(error.details()));
                }
                StoreError::Refused(refusal)
            }
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn append(&self, append: &Append) -> Result<Taken, StoreError> {
        read_append(&self.run_append(&self.append, self.append_call(append)).await?)
    }

    async fn append_gap(&self, gap: &InputGap) -> Result<Taken, StoreError> {
        let keys = self.append_keys();
        let mut args = self.append_args(gap.lease, None, false);
        let product_ids = gap.product_ids.iter().map(ProductId::as_str).collect::<Vec<_>>().join(",");
        args.extend(["", "", "1", KIND_GAP, &product_ids, "", "", ""]);
        read_append(&self.run_append(&self.append, Call { keys, args }).await?)
    }

    async fn head(&self) -> Result<Standing, StoreError> {
        self.run_head(None).await
    }

    async fn renew(&self, expected: Epoch) -> Result<Standing, StoreError> {
        self.run_head(Some(expected)).await
    }

    async fn read(&self, after_n: u64) -> Result<Vec<Stored>, StoreError> {
        let reads = self.connected(&self.reads)?.with_options(&once(Self::TIMEOUT));
        let (log, after) = (self.keys.log(), format!("{after_n}-0"));
        let args = ["COUNT", Self::READ_MAX, "BLOCK", Self::BLOCK_MS, "STREAMS", &log, &after];
        let command = CustomCommand::new_static("XREAD", self.slot(), true);
        let read: Value = reads
            .custom(command, args.map(str::to_owned).to_vec())
            .await
            .map_err(|error| self.error(&error))?;
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
