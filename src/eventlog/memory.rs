//! The log in this process's memory: the whole of it without `REDIS_URL`. Does not survive the process;
//! a new process is a new epoch, so that every cursor of the old one is answered with a refetch.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Append, AppendError, Appended, EventLog, Head, InputGap, LeaseToken, LogError, NewEvent, RequestClaim,
    Tail, Tailed,
    claims::{Claim, Claims},
    snapshots::{
        Changes, Crossed, FIRED_MAX, Fired, MemorySnapshots, Observed, Sightings, Tally, compare, cross,
    },
};
use crate::{
    clock::Clock,
    model::{Entry, Epoch, Event, LogTime, MessageDigest, Position, ProductId},
    telemetry::Context,
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
    /// Wakes the tails.
    grown: Notify,
}

#[derive(Debug)]
struct State {
    /// What is kept, oldest first, dense.
    places: VecDeque<Place>,
    bytes: usize,
    /// The newest `n` ever given.
    n: u64,
    /// The log time of `n`.
    last: LogTime,
    claims: Claims,
    snapshots: MemorySnapshots,
}

/// What stands at one position.
#[derive(Debug)]
enum Place {
    Entry(Arc<Entry>),
    InputGap { at: Position, log_time: LogTime, product_ids: Vec<ProductId> },
}

impl Place {
    fn at(&self) -> Position {
        match self {
            Self::Entry(entry) => entry.at,
            Self::InputGap { at, .. } => *at,
        }
    }

    fn log_time(&self) -> LogTime {
        match self {
            Self::Entry(entry) => entry.log_time,
            Self::InputGap { log_time, .. } => *log_time,
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.size_bytes(),
            Self::InputGap { product_ids, .. } => size_of::<Self>() + size_of_val(product_ids.as_slice()),
        }
    }
}

impl MemoryLog {
    /// An empty log in an epoch of its own.
    pub fn new(config: MemoryLogConfig, clock: Clock) -> Self {
        let state = State {
            places: VecDeque::new(),
            bytes: 0,
            n: 0,
            last: clock.now(),
            claims: Claims::new(config.claim_ttl_secs),
            snapshots: MemorySnapshots::default(),
        };
        let shared = Shared {
            epoch: Epoch::from_random(rand::random()),
            config,
            clock,
            state: Mutex::new(state),
            grown: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.shared.append(append)
    }

    async fn append_gap(&self, gap: InputGap) -> Result<Position, AppendError> {
        let mut state = self.shared.state.lock();
        let now = self.shared.clock.now();
        state.snapshots.end_streaks();
        let (at, log_time) = state.next(self.shared.epoch, now);
        state.push(Place::InputGap { at, log_time, product_ids: gap.product_ids });
        state.trim(&self.shared.config, now);
        self.shared.grown.notify_waiters();
        Ok(at)
    }

    async fn observe(&self, sightings: Sightings) -> Result<Observed, AppendError> {
        self.shared.observe(&sightings)
    }

    async fn fire_sales(&self, _lease: Option<LeaseToken>) -> Result<Fired, AppendError> {
        Ok(self.shared.fire_sales())
    }

    async fn head(&self) -> Result<Head, LogError> {
        Ok(self.shared.head())
    }

    fn tail(&self, after: Position) -> Box<dyn Tail> {
        Box::new(MemoryTail { after, shared: Arc::clone(&self.shared) })
    }
}

impl Shared {
    fn head(&self) -> Head {
        let mut state = self.state.lock();
        let now = self.clock.now();
        state.trim(&self.config, now);
        Head { position: self.epoch.at(state.n), log_time: now.max(state.last.next()) }
    }

    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let mut state = self.state.lock();
        let now = self.clock.now();
        state.claims.trim(now);
        if let Some(first) = self.first_answer(&state, append.request)? {
            return Ok(first);
        }
        let digest = append.message.and_then(|message| message.heard).and_then(|heard| heard.digest);
        Ok(self.take(&mut state, now, append.request, append.events, Vec::new(), digest))
    }

    fn observe(&self, sightings: &Sightings) -> Result<Observed, AppendError> {
        let mut state = self.state.lock();
        let now = self.clock.now();
        state.claims.trim(now);
        if let Some(appended) = self.first_answer(&state, sightings.request)? {
            return Ok(Observed { appended, tally: Tally::default() });
        }
        let Changes { events: told, snapshots, planned, tally } =
            compare(&sightings.sightings, sightings.now, |key| state.snapshots.get(key));
        let events = sightings.events.clone();
        let appended = self.take(&mut state, now, sightings.request, events, told, None);
        let n = state.n;
        state.snapshots.keep(snapshots, n);
        state.snapshots.plan(planned, now);
        Ok(Observed { appended, tally })
    }

    fn fire_sales(&self) -> Fired {
        let mut state = self.state.lock();
        let now = self.clock.now();
        let due = state.snapshots.due(now, FIRED_MAX);
        if due.is_empty() {
            return Fired { waiting: state.snapshots.waiting(), ..Fired::default() };
        }
        let Crossed { events, snapshots } = cross(&due, |key| state.snapshots.get(key).snapshot);
        let told = self.take(&mut state, now, None, Vec::new(), events, None).accepted;
        let n = state.n;
        state.snapshots.keep(snapshots, n);
        due.iter().for_each(|(boundary, _)| state.snapshots.forget(boundary));
        Fired { fired: due.len(), told, waiting: state.snapshots.waiting() }
    }

    /// The first answer to this request, if there was one.
    fn first_answer(
        &self,
        state: &State,
        request: Option<RequestClaim>,
    ) -> Result<Option<Appended>, AppendError> {
        let Some(request) = request else { return Ok(None) };
        match state.claims.get(&request.key) {
            Some(Claim::Request { body, .. }) if *body != request.body => Err(AppendError::KeyReused),
            Some(&Claim::Request { accepted, duplicates, cursor_n, .. }) => Ok(Some(Appended {
                accepted: accepted.into(),
                duplicates: duplicates.into(),
                cursor: self.epoch.at(cursor_n),
                repeated: true,
            })),
            _ => Ok(None),
        }
    }

    /// Takes the events whose claims are not known, and keeps the claims. `told`: what this log found out itself.
    fn take(
        &self,
        state: &mut State,
        now: LogTime,
        request: Option<RequestClaim>,
        events: Vec<NewEvent>,
        told: Vec<Event>,
        mut digest: Option<MessageDigest>,
    ) -> Appended {
        let mut answer =
            Appended { accepted: 0, duplicates: 0, cursor: self.epoch.at(state.n), repeated: false };
        let others = events.len();
        let told = told.into_iter().map(|event| NewEvent { event, claim: None });
        let origin = Context::origin();
        for (i, new) in events.into_iter().chain(told).enumerate() {
            answer.cursor = match new.claim.and_then(|key| state.claims.get(&key)) {
                Some(Claim::Event { n }) => {
                    answer.duplicates += 1;
                    self.epoch.at(*n)
                }
                _ => {
                    answer.accepted += 1;
                    let (at, log_time) = state.next(self.epoch, now);
                    if i < others {
                        state.snapshots.end_streak(&new.event.product_id);
                    } else {
                        state.snapshots.go_on(&new.event.product_id, at.n);
                    }
                    let entry = Entry {
                        at,
                        log_time,
                        event: new.event,
                        message: digest.take(),
                        origin: origin.clone(),
                    };
                    state.push(Place::Entry(Arc::new(entry)));
                    if let Some(key) = new.claim {
                        state.claims.insert(now, key, Claim::Event { n: at.n });
                    }
                    at
                }
            };
        }
        if let Some(request) = request {
            let claim = Claim::Request {
                body: request.body,
                accepted: u16::try_from(answer.accepted).unwrap_or(u16::MAX),
                duplicates: u16::try_from(answer.duplicates).unwrap_or(u16::MAX),
                cursor_n: answer.cursor.n,
            };
            state.claims.insert(now, request.key, claim);
        }
        state.trim(&self.config, now);
        self.grown.notify_waiters();
        answer
    }
}

impl State {
    /// The next place.
    fn next(&mut self, epoch: Epoch, now: LogTime) -> (Position, LogTime) {
        self.n += 1;
        self.last = now.max(self.last.next());
        (epoch.at(self.n), self.last)
    }

    fn push(&mut self, place: Place) {
        self.bytes += place.size_bytes();
        self.places.push_back(place);
    }

    fn trim(&mut self, config: &MemoryLogConfig, now: LogTime) {
        let retention_secs = i64::try_from(config.retention_secs).unwrap_or(i64::MAX);
        let oldest_kept = now.plus_secs(retention_secs.saturating_neg());
        while let Some(oldest) = self.places.front() {
            let over = self.places.len() > config.events_max || self.bytes > config.bytes_max;
            if !over && oldest.log_time() >= oldest_kept {
                break;
            }
            self.bytes -= oldest.size_bytes();
            self.places.pop_front();
        }
    }

    /// What comes next behind `after`: up to `count` entries, or what stands in their place.
    fn read(&self, after: Position, count: usize) -> Option<Tailed> {
        if self.n <= after.n {
            return None;
        }
        let first_n = self.places.front().map_or(self.n + 1, |p| p.at().n);
        if first_n > after.n + 1 {
            return Some(Tailed::Gap { to: after.epoch.at(first_n - 1) });
        }
        // Dense, so the distance in `n` is the distance in the list.
        let skip = usize::try_from(after.n + 1 - first_n).ok()?;
        let mut entries = Vec::new();
        for place in self.places.iter().skip(skip).take(count) {
            match place {
                Place::Entry(entry) => entries.push(Arc::clone(entry)),
                Place::InputGap { at, product_ids, .. } if entries.is_empty() => {
                    return Some(Tailed::InputGap { at: *at, product_ids: product_ids.clone() });
                }
                Place::InputGap { .. } => break,
            }
        }
        Some(Tailed::Entries(entries))
    }
}

#[derive(Debug)]
struct MemoryTail {
    after: Position,
    shared: Arc<Shared>,
}

impl MemoryTail {
    /// Entries handed over at once: enough to amortise the lock, little enough to answer a drain soon.
    const READ_MAX: usize = 512;
    /// Entries for which it is worth waiting for more.
    const FEW: u64 = 16;
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<Tailed, LogError> {
        loop {
            // Made before reading, so that an append in between ends the wait below.
            let grown = self.shared.grown.notified();
            let read = if self.after.epoch == self.shared.epoch {
                self.shared.state.lock().read(self.after, Self::READ_MAX)
            } else {
                Some(Tailed::NewEpoch(self.shared.head()))
            };
            match read {
                Some(tailed) => {
                    self.after = tailed.end().unwrap_or(self.after);
                    return Ok(tailed);
                }
                None => {
                    grown.await;
                    // Whoever appended is mostly one of many who are ready to. Behind those there is more to read at once,
                    // and to be woken costs as much as to read. Not behind large requests: a small log has no room for many.
                    let newest_n = self.shared.state.lock().n;
                    if newest_n.saturating_sub(self.after.n) < Self::FEW {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
}
