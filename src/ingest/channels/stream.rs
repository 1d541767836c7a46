//! [`StreamReader`]: the input stream `product-events`, for publishers who want at-least-once up to here. The holder of
//! the lease reads it, in order, and acknowledges an entry only after its append. Never trims it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fred::{
    error::Error,
    interfaces::ClientLike,
    types::{ClusterHash, CustomCommand, Value},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{ChannelNames, DeadLetters, Parsed, Source, Unreadable, entry_claim, event_field, parse_entry};
use crate::{
    eventlog::{Append, AppendError, LeaseToken, Message},
    ingest::{Gate, Refused},
    redis::{Keys, Link, once, without_args},
    telemetry::Metrics,
};

/// Reads the input stream while this pod holds the lease.
#[derive(Debug)]
pub struct StreamReader {
    gate: Arc<Gate>,
    link: Link,
    stream: String,
    dead: DeadLetters,
    metrics: Arc<Metrics>,
    /// The stream cannot be read, and that was logged.
    failing: AtomicBool,
    /// An entry could not be read, and that was logged.
    complained: AtomicBool,
}

/// An entry as Redis gives it.
struct StreamEntry {
    id: String,
    fields: Vec<(String, Vec<u8>)>,
}

/// The lease is gone, or the stream cannot be read now.
struct Stopped;

impl StreamReader {
    /// The consumer group, and its only consumer: who holds the lease.
    const GROUP: &str = "shelfcast";
    const CONSUMER: &str = "gateway";
    /// Entries read at once.
    const READ_MAX: &str = "100";
    /// How long a read waits for an entry, in milliseconds.
    const BLOCK_MS: &str = "500";
    /// After so long no read of an earlier holder is under way.
    const LAST_READ: Duration = Duration::from_millis(600);
    /// How long an entry waits that was delivered but not acknowledged, in milliseconds, before it is claimed again.
    const STALE_MS: &str = "30000";
    /// How often stale entries are looked for.
    const CLAIM_EVERY: Duration = Duration::from_secs(5);
    /// Deliveries after which an entry is given up: it may be what ends those who take it.
    const DELIVERIES_MAX: i64 = 5;
    /// How long a command may take.
    const TIMEOUT: Duration = Duration::from_secs(3);
    /// Between two tries.
    const RETRY: Duration = Duration::from_millis(200);

    /// A reader. `link`: a connection of its own, because a read that waits keeps all behind it waiting.
    pub fn new(gate: Arc<Gate>, link: Link, keys: &Keys, dead: DeadLetters, metrics: Arc<Metrics>) -> Self {
        let stream = ChannelNames::new(&keys.channel("")).stream();
        let (failing, complained) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { gate, link, stream, dead, metrics, failing, complained }
    }

    /// Reads whenever this pod holds the lease, until `stop`.
    pub async fn run(self, mut holding: watch::Receiver<Option<LeaseToken>>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let token = *holding.borrow_and_update();
            let Some(token) = token else {
                tokio::select! { _ = holding.changed() => {}, () = stop.cancelled() => {} }
                continue;
            };
            let read = self.read_while_held(token);
            tokio::select! {
                Err(Stopped) = read => sleep(Self::RETRY).await,
                _ = holding.changed() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// What was delivered before comes first: the last holder may have ended before it acknowledged it.
    async fn read_while_held(&self, token: LeaseToken) -> Result<std::convert::Infallible, Stopped> {
        self.make_group().await?;
        self.take_up("0", token).await?;
        // A holder that lives still waits for its last read, and throws away what comes of it.
        sleep(Self::LAST_READ).await;
        self.take_up("0", token).await?;
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the input stream is read again");
        }
        let mut claimed = Instant::now();
        loop {
            if claimed.elapsed() >= Self::CLAIM_EVERY {
                self.take_up(Self::STALE_MS, token).await?;
                claimed = Instant::now();
            }
            let args = [
                "GROUP",
                Self::GROUP,
                Self::CONSUMER,
                "COUNT",
                Self::READ_MAX,
                "BLOCK",
                Self::BLOCK_MS,
                "STREAMS",
                &self.stream,
                ">",
            ];
            let read = self.command("XREADGROUP", true, &args).await?;
            // [[stream, [entry, ...]]], or nil.
            let entries = read
                .into_array()
                .into_iter()
                .next()
                .and_then(|stream| stream.into_array().into_iter().nth(1));
            for entry in entries.map(read_entries).unwrap_or_default() {
                self.take_in(entry, token).await?;
            }
        }
    }

    async fn make_group(&self) -> Result<(), Stopped> {
        let args = ["CREATE", &self.stream, Self::GROUP, "0", "MKSTREAM"];
        match self.try_command("XGROUP", false, &args).await {
            Ok(_) => Ok(()),
            Err(error) if error.details().starts_with("BUSYGROUP") => Ok(()),
            Err(_) => Err(Stopped),
        }
    }

    /// Takes up what was delivered and not acknowledged for so long.
    async fn take_up(&self, idle_ms: &str, token: LeaseToken) -> Result<(), Stopped> {
        self.give_up(idle_ms).await?;
        let mut start = "0-0".to_owned();
        loop {
            // Only the ids: a delivery counts for the entry that is taken in, not for those that wait behind it.
            let count = Self::READ_MAX;
            let args = [&self.stream, Self::GROUP, Self::CONSUMER, idle_ms, &start, "COUNT", count, "JUSTID"];
            let claimed = self.command("XAUTOCLAIM", false, &args).await?;
            // [next start, [id, ...], ...]
            let mut parts = claimed.into_array().into_iter();
            start = parts.next().and_then(Value::into_string).unwrap_or_else(|| "0-0".into());
            for id in parts.next().map(Value::into_array).unwrap_or_default() {
                let Some(id) = id.into_string() else { continue };
                let args = [&self.stream, Self::GROUP, Self::CONSUMER, "0", &id];
                for entry in read_entries(self.command("XCLAIM", false, &args).await?) {
                    self.take_in(entry, token).await?;
                }
            }
            if start == "0-0" {
                return Ok(());
            }
        }
    }

    /// Keeps aside what was delivered too often.
    async fn give_up(&self, idle_ms: &str) -> Result<(), Stopped> {
        let args = [&self.stream, Self::GROUP, "IDLE", idle_ms, "-", "+", Self::READ_MAX];
        // [[id, consumer, idle, deliveries], ...]
        for pending in self.command("XPENDING", false, &args).await?.into_array() {
            let fields = pending.into_array();
            let deliveries = fields.get(3).and_then(Value::as_i64).unwrap_or(0);
            let Some(id) = fields.into_iter().next().and_then(Value::into_string) else { continue };
            if deliveries >= Self::DELIVERIES_MAX {
                let found = self.command("XRANGE", false, &[&self.stream, &id, &id]).await?;
                let reason = Unreadable::delivered_too_often();
                let entry =
                    read_entries(found).into_iter().next().unwrap_or(StreamEntry { id, fields: vec![] });
                self.set_aside(&entry, &reason).await?;
            }
        }
        Ok(())
    }

    /// Appends an entry and acknowledges it.
    async fn take_in(&self, entry: StreamEntry, token: LeaseToken) -> Result<(), Stopped> {
        let now = self.gate.clock().now();
        let fields = entry.fields.iter().map(|(name, value)| (name.as_bytes(), value));
        let event = match event_field(fields) {
            Ok(event) => event,
            Err(reason) => return self.set_aside(&entry, &reason).await,
        };
        loop {
            let events = match parse_entry(event, now) {
                Parsed::Events(events) => events,
                Parsed::Mirrored => return self.acknowledge(&entry.id).await,
                Parsed::Unreadable(reason) => return self.set_aside(&entry, &reason).await,
            };
            let append = Append {
                request: Some(entry_claim(&self.stream, &entry.id, event)),
                events,
                message: Some(Message { lease: token, heard: None, from_mirror: false }),
            };
            match self.gate.append(append).await {
                // A key is reused only by the same entry, whose bytes are part of the key.
                Ok(_) | Err(Refused::Log(AppendError::KeyReused)) => {
                    self.metrics.channel_messages.of("stream_entry").increment(1);
                    return self.acknowledge(&entry.id).await;
                }
                Err(Refused::Draining | Refused::Log(AppendError::Fenced)) => return Err(Stopped),
                Err(Refused::Log(AppendError::Overloaded { .. } | AppendError::Unavailable { .. })) => {
                    sleep(Self::RETRY).await;
                }
            }
        }
    }

    async fn set_aside(&self, entry: &StreamEntry, reason: &Unreadable) -> Result<(), Stopped> {
        self.metrics.channel_messages.of("unreadable").increment(1);
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::warn!(id = %entry.id, %reason, "an entry of the input stream is set aside; told once");
        }
        let payload =
            entry.fields.iter().find(|(name, _)| name == "event").map(|(_, value)| value.as_slice());
        let source = Source::Entry { stream: &self.stream, id: &entry.id };
        // Kept first: acknowledged it is in no other place.
        let now = self.gate.clock().now();
        self.dead.keep_now(source, reason, now, payload.unwrap_or_default()).await.map_err(|_| Stopped)?;
        self.acknowledge(&entry.id).await
    }

    async fn acknowledge(&self, id: &str) -> Result<(), Stopped> {
        self.command("XACK", false, &[&self.stream, Self::GROUP, id]).await.map(|_| ())
    }

    async fn command(&self, name: &'static str, blocking: bool, args: &[&str]) -> Result<Value, Stopped> {
        self.try_command(name, blocking, args).await.map_err(|error| {
            if !self.failing.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    command = name,
                    error = without_args(error.details()),
                    "the input stream cannot be read"
                );
            }
            Stopped
        })
    }

    async fn try_command(&self, name: &'static str, blocking: bool, args: &[&str]) -> Result<Value, Error> {
        let slot = ClusterHash::from(self.stream.as_str());
        let command = CustomCommand::new_static(name, slot, blocking);
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.link.client()?.with_options(&once(Self::TIMEOUT)).custom(command, args).await
    }
}

/// `[[id, [field, value, ...]], ...]`; an entry that was deleted has no fields, or is nil.
fn read_entries(entries: Value) -> Vec<StreamEntry> {
    let entry = |entry: Value| {
        let mut parts = entry.into_array().into_iter();
        let id = parts.next()?.into_string()?;
        let mut pairs = parts.next().map(Value::into_array).unwrap_or_default().into_iter();
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
            fields.push((name.into_string()?, value.into_owned_bytes()?));
        }
        Some(StreamEntry { id, fields })
    };
    entries.into_array().into_iter().filter_map(entry).collect()
}
