//! The log in this process's memory: the whole of it without `REDIS_URL`. Does not survive the process;
//! a new process is a new epoch, so that every cursor of the old one is answered with a refetch.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Append, AppendError, Appended, EventLog, Head, LogError, NewEvent, Tail, Tailed,
    claims::{Claim, Claims},
};
use crate::{
    clock::Clock,
    model::{Entry, Epoch, LogTime, Position},
};

/// How much the log keeps. Whatever bound is met first, the oldest entries go.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLogConfig {
    /// Seconds an entry is kept.
    pub retention_secs: u64,
    /// Entries kept.
    pub events_max: usize,
    /// Bytes kept, as [`Entry::size_bytes`] counts them.
    pub bytes_max: usize,
    /// Seconds a claim is kept.
    pub claim_ttl_secs: u64,
}

/// A log in memory. Cheap to clone; all clones are the same log.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    epoch: Epoch,
    config: MemoryLogConfig,
    clock: Clock,
    state: Mutex<State>,
    /// The newest `n`; wakes the tails. Written under the lock on `state`.
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// What is kept, oldest first, dense.
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The newest `n` ever given.
    n: u64,
    /// The log time of `n`.
    last: LogTime,
    claims: Claims,
}

impl MemoryLog {
    /// An empty log in an epoch of its own.
    pub fn new(config: MemoryLogConfig, clock: Clock) -> Self {
        let state = State {
            entries: VecDeque::new(),
            bytes: 0,
            n: 0,
            last: clock.now(),
            claims: Claims::new(config.claim_ttl_secs),
        };
        let shared = Shared {
            epoch: Epoch::from_random(rand::random()),
            config,
            clock,
            state: Mutex::new(state),
            newest: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.shared.append(append)
    }

    async fn head(&self) -> Result<Head, LogError> {
        let mut state = self.shared.state.lock();
        let now = self.shared.clock.now();
        state.trim(&self.shared.config, now);
        Ok(Head { position: self.shared.epoch.at(state.n), log_time: now.max(state.last.next()) })
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        // A position of another epoch means nothing here: start before the first entry.
        let after_n = if after.epoch == self.shared.epoch { after.n } else { 0 };
        Box::new(MemoryTail {
            after_n,
            newest: self.shared.newest.subscribe(),
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Shared {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let mut state = self.state.lock();
        let now = self.clock.now();
        state.claims.trim(now);
        if let Some(request) = append.request {
            match state.claims.get(&request.key) {
                Some(Claim::Request { body, .. }) if *body != request.body => {
                    return Err(AppendError::KeyReused);
                }
                Some(&Claim::Request { accepted, duplicates, cursor_n, .. }) => {
                    return Ok(Appended {
                        accepted: accepted.into(),
                        duplicates: duplicates.into(),
                        cursor: self.epoch.at(cursor_n),
                        repeated: true,
                    });
                }
                _ => {}
            }
        }
        let mut answer =
            Appended { accepted: 0, duplicates: 0, cursor: self.epoch.at(state.n), repeated: false };
        for new in append.events {
            answer.cursor = match new.claim.and_then(|key| state.claims.get(&key)) {
                Some(Claim::Event { n }) => {
                    answer.duplicates += 1;
                    self.epoch.at(*n)
                }
                _ => {
                    answer.accepted += 1;
                    state.push(self.epoch, now, new)
                }
            };
        }
        if let Some(request) = append.request {
            let claim = Claim::Request {
                body: request.body,
                accepted: u16::try_from(answer.accepted).unwrap_or(u16::MAX),
                duplicates: u16::try_from(answer.duplicates).unwrap_or(u16::MAX),
                cursor_n: answer.cursor.n,
            };
            state.claims.insert(now, request.key, claim);
        }
        state.trim(&self.config, now);
        self.newest.send_replace(state.n);
        Ok(answer)
    }
}

impl State {
    fn push(&mut self, epoch: Epoch, now: LogTime, new: NewEvent) -> Position {
        self.n += 1;
        self.last = now.max(self.last.next());
        let at = epoch.at(self.n);
        let entry = Arc::new(Entry { at, log_time: self.last, event: new.event });
        self.bytes += entry.size_bytes();
        self.entries.push_back(entry);
        if let Some(key) = new.claim {
            self.claims.insert(now, key, Claim::Event { n: at.n });
        }
        at
    }

    fn trim(&mut self, config: &MemoryLogConfig, now: LogTime) {
        let retention_secs = i64::try_from(config.retention_secs).unwrap_or(i64::MAX);
        let oldest_kept = now.plus_secs(retention_secs.saturating_neg());
        while let Some(oldest) = self.entries.front() {
            let over = self.entries.len() > config.events_max || self.bytes > config.bytes_max;
            if !over && oldest.log_time >= oldest_kept {
                break;
            }
            self.bytes -= oldest.size_bytes();
            self.entries.pop_front();
        }
    }

    /// Up to `count` entries behind `after_n`, or the gap in front of them.
    fn read(&self, after_n: u64, count: usize) -> Option<Read> {
        if self.n <= after_n {
            return None;
        }
        let first_n = self.entries.front().map_or(self.n + 1, |e| e.at.n);
        if first_n > after_n + 1 {
            return Some(Read::Gap { to_n: first_n - 1 });
        }
        // Dense, so the distance in `n` is the distance in the list.
        let skip = usize::try_from(after_n + 1 - first_n).ok()?;
        Some(Read::Entries(self.entries.iter().skip(skip).take(count).cloned().collect()))
    }
}

enum Read {
    Entries(Vec<Arc<Entry>>),
    Gap { to_n: u64 },
}

#[derive(Debug)]
struct MemoryTail {
    after_n: u64,
    newest: watch::Receiver<u64>,
    shared: Arc<Shared>,
}

impl MemoryTail {
    /// Entries handed over at once: enough to amortise the lock, little enough to answer a drain soon.
    const READ_MAX: usize = 512;
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<Tailed, LogError> {
        loop {
            // Marked seen before reading, so that an append in between wakes the wait below.
            self.newest.borrow_and_update();
            let read = self.shared.state.lock().read(self.after_n, Self::READ_MAX);
            match read {
                Some(Read::Entries(entries)) => {
                    self.after_n += entries.len() as u64;
                    return Ok(Tailed::Entries(entries));
                }
                Some(Read::Gap { to_n }) => {
                    self.after_n = to_n;
                    return Ok(Tailed::Gap { to: self.shared.epoch.at(to_n) });
                }
                None => self.newest.changed().await.map_err(|_| LogError)?,
            }
        }
    }
}
