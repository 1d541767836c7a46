//! [`Index`]: recent entries per product, and the answers computed from them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::{Progress, ResyncReason, Since};
use crate::{
    clock::Clock,
    eventlog::Head,
    model::{Batch, Entry, LogTime, Position, ProductId},
};

/// How much the index keeps. Whatever bound is met first, the oldest entries go and the floor rises.
#[derive(Debug, Clone, Copy)]
pub struct IndexConfig {
    /// Seconds an entry is kept.
    pub retention_secs: u64,
    /// Entries kept.
    pub events_max: usize,
    /// Bytes kept, as [`Entry::size_bytes`] counts them.
    pub bytes_max: usize,
}

/// What a client missed of one product. There is no fourth answer, and never a partial one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    UpToDate,
    /// Exactly this.
    Events(Missed),
    /// It cannot be told; refetch.
    Resync(ResyncReason),
    /// The client has seen more of the log than this pod: ask again when the pod has come as far.
    Ahead,
}

/// All flushed entries of a product behind a client's position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// At least one entry, oldest first.
    pub entries: Vec<Arc<Entry>>,
    /// This product's event just before the first of them or, if that is forgotten, the floor.
    pub previous: Position,
}

/// What changed when.
#[derive(Debug)]
pub struct Index {
    config: IndexConfig,
    clock: Clock,
    progress: RwLock<Progress>,
    /// Wakes those who wait for the pod to come as far as they are. Holds the newest entry read.
    applied: watch::Sender<Position>,
    /// Flushed entries per product, oldest first.
    products: DashMap<ProductId, VecDeque<Arc<Entry>>>,
    /// All of them in the order they were recorded; what is forgotten goes from the front.
    by_age: Mutex<ByAge>,
}

#[derive(Debug, Default)]
struct ByAge {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Index {
    /// How long a client that is ahead waits for this pod (contract section 5).
    pub const AHEAD_WAIT: Duration = Duration::from_secs(2);

    /// Clocks may differ by this much between us and whoever made up a time that names no entry (contract section 5).
    const SKEW_SECS: i64 = 5;

    /// An index that will learn what comes behind `start`.
    pub fn new(config: IndexConfig, clock: Clock, start: Head) -> Self {
        let index = Self {
            config,
            clock,
            progress: RwLock::new(Progress::starting(start.position, start.log_time)),
            applied: watch::Sender::new(start.position),
            products: DashMap::new(),
            by_age: Mutex::default(),
        };
        *index.progress.write() = index.starting(start, start.log_time);
        index
    }

    /// A beginning at `start`, when the log's time is `now`.
    ///
    /// A log whose clock was set back has entries that seem older than what was told of another epoch. Then nothing that
    /// is said in times of before can be answered, unless it names an entry.
    fn starting(&self, start: Head, now: LogTime) -> Progress {
        let mut progress = Progress::starting(start.position, start.log_time);
        let clock = self.clock.now();
        if clock > now.plus_secs(Self::SKEW_SECS) {
            progress.floor_time = clock;
        }
        progress
    }

    /// How far this pod is.
    pub fn progress(&self) -> Progress {
        *self.progress.read()
    }

    /// The log's time now: never before the newest entry.
    pub fn log_time(&self) -> LogTime {
        self.clock.now().max(self.progress().log_time)
    }

    /// Notes the newest entry read from the log.
    pub fn apply(&self, entry: &Entry) {
        let mut progress = self.progress.write();
        progress.applied_n = entry.at.n;
        progress.log_time = entry.log_time;
        drop(progress);
        self.applied.send_replace(entry.at);
    }

    /// Notes that everything at or before `position` was delivered.
    pub fn cover(&self, position: Position) {
        let mut progress = self.progress.write();
        if progress.epoch == position.epoch {
            progress.covered_n = progress.covered_n.max(position.n);
        }
    }

    /// Records a batch that left its window, and returns this product's event just before it, or the floor.
    pub fn record(&self, batch: &Batch) -> Position {
        let mut entries = self.products.entry(batch.product_id().clone()).or_default();
        let floor = self.progress().floor();
        let previous = entries.back().map_or(floor, |e| if e.at.n > floor.n { e.at } else { floor });
        entries.extend(batch.entries().cloned());
        drop(entries);
        {
            let mut by_age = self.by_age.lock();
            by_age.bytes += batch.entries().map(|e| e.size_bytes()).sum::<usize>();
            by_age.entries.extend(batch.entries().cloned());
        }
        self.forget();
        previous
    }

    /// The newest flushed entries of a product, at most `max`, oldest first.
    pub fn newest_entries(&self, product_id: &ProductId, max: usize) -> Vec<Arc<Entry>> {
        let kept = self.products.get(product_id);
        kept.map_or_else(Vec::new, |kept| {
            kept.iter().skip(kept.len().saturating_sub(max)).map(Arc::clone).collect()
        })
    }

    /// What a client that was at `since` missed of this product.
    ///
    /// The caller holds the product's critical section (the hub's room), so that nothing is recorded meanwhile.
    pub fn resume(&self, product_id: &ProductId, since: Since) -> Answer {
        // Entries are taken hold of first and progress is read after: forgetting raises the floor before it takes
        // entries away, and a new epoch is set before entries are cleared, so a cut list is always found out below.
        let kept = self.products.get(product_id);
        let none = VecDeque::new();
        let kept = kept.as_deref().unwrap_or(&none);
        let progress = self.progress();
        let after_n = match self.after_n(kept, &progress, since) {
            Ok(n) => n,
            Err(answer) => return answer,
        };
        let split = kept.partition_point(|e| e.at.n <= after_n);
        if split == kept.len() {
            return Answer::UpToDate;
        }
        let before = kept.range(..split).next_back().filter(|e| e.at.n > progress.floor_n);
        let previous = before.map_or(progress.floor(), |e| e.at);
        Answer::Events(Missed { entries: kept.range(split..).cloned().collect(), previous })
    }

    /// The `n` behind which the client knows nothing, if everything behind it is still known here.
    fn after_n(&self, kept: &VecDeque<Arc<Entry>>, progress: &Progress, since: Since) -> Result<u64, Answer> {
        match since {
            Since::Cursor(at) if at.epoch != progress.epoch => Err(Answer::Resync(ResyncReason::LogReset)),
            Since::Cursor(at) if at.n > progress.applied_n => Err(Answer::Ahead),
            Since::Cursor(at) if at.n < progress.floor_n => Err(Answer::Resync(ResyncReason::Expired)),
            Since::Cursor(at) => Ok(at.n),
            Since::Time(time) => {
                self.after_time(kept, progress, time).ok_or(Answer::Resync(ResyncReason::Expired))
            }
            Since::Unreadable => Err(Answer::Resync(ResyncReason::Expired)),
        }
    }

    /// A batch timestamp names one entry and is exact; any other time is read from a clock that may differ from ours.
    fn after_time(&self, kept: &VecDeque<Arc<Entry>>, progress: &Progress, time: LogTime) -> Option<u64> {
        let latest = self.clock.now().max(progress.log_time);
        if time > latest.plus_secs(Self::SKEW_SECS) {
            return None;
        }
        let named = kept.binary_search_by_key(&time, |e| e.log_time).ok().and_then(|i| kept.get(i));
        if let Some(entry) = named.filter(|e| e.at.epoch == progress.epoch && e.at.n >= progress.floor_n) {
            return Some(entry.at.n);
        }
        let time = time.plus_secs(-Self::SKEW_SECS);
        if time < progress.floor_time {
            return None;
        }
        // The newest entry at or before that time, or the floor: what is behind it is all kept.
        let split = kept.partition_point(|e| e.log_time <= time);
        let newest = kept.range(..split).next_back().map_or(0, |e| e.at.n);
        Some(newest.max(progress.floor_n))
    }

    /// Waits until this pod has applied the entry `at`, at most [`Self::AHEAD_WAIT`]. False: it has not.
    pub async fn wait_applied(&self, at: Position) -> bool {
        let mut applied = self.applied.subscribe();
        let come = applied.wait_for(|a| a.epoch != at.epoch || a.n >= at.n);
        matches!(tokio::time::timeout(Self::AHEAD_WAIT, come).await, Ok(Ok(a)) if a.epoch == at.epoch)
    }

    /// The newest flushed entry of a product, if remembered.
    pub fn newest(&self, product_id: &ProductId) -> Option<Position> {
        self.products.get(product_id)?.back().map(|e| e.at)
    }

    /// Raises the floor: what came at or before `to` cannot be answered any more.
    pub fn raise_floor(&self, to: Position) {
        let mut progress = self.progress.write();
        progress.floor_n = progress.floor_n.max(to.n);
        progress.floor_time = progress.log_time.max(self.clock.now());
    }

    /// Goes on behind `to`: nothing up to there will come any more.
    pub fn skip_to(&self, to: Position) {
        let mut progress = self.progress.write();
        progress.applied_n = progress.applied_n.max(to.n);
        progress.covered_n = progress.covered_n.max(to.n);
        drop(progress);
        self.applied.send_replace(to);
    }

    /// Begins behind `start` instead: nothing up to there was kept. Only before anything was recorded. `now`: the log's
    /// time.
    pub fn start_behind(&self, start: Head, now: LogTime) {
        *self.progress.write() = self.starting(start, now);
        self.applied.send_replace(start.position);
    }

    /// Takes in entries that were flushed before this process began.
    pub fn recover(&self, entries: &[Arc<Entry>]) {
        for entry in entries {
            self.apply(entry);
            self.record(&Batch::of(Arc::clone(entry)));
            self.cover(entry.at);
        }
    }

    /// Starts over: every position so far is void.
    pub fn reset(&self, head: Head) {
        let start = head.position.epoch.at(0);
        let began = Head { position: start, log_time: head.log_time };
        *self.progress.write() = self.starting(began, head.log_time);
        self.products.clear();
        *self.by_age.lock() = ByAge::default();
        self.applied.send_replace(start);
    }

    /// Lets the oldest entries go until every bound is kept.
    pub fn forget(&self) {
        let retention_secs = i64::try_from(self.config.retention_secs).unwrap_or(i64::MAX);
        let oldest_kept = self.clock.now().plus_secs(retention_secs.saturating_neg());
        let mut by_age = self.by_age.lock();
        while let Some(oldest) = by_age.entries.front() {
            let over = by_age.entries.len() > self.config.events_max || by_age.bytes > self.config.bytes_max;
            if !over && oldest.log_time >= oldest_kept {
                break;
            }
            let oldest = Arc::clone(oldest);
            by_age.bytes -= oldest.size_bytes();
            by_age.entries.pop_front();
            self.forget_one(&oldest);
        }
    }

    fn forget_one(&self, oldest: &Entry) {
        let mut progress = self.progress.write();
        if progress.epoch == oldest.at.epoch && progress.floor_n < oldest.at.n {
            progress.floor_n = oldest.at.n;
            progress.floor_time = progress.floor_time.max(oldest.log_time);
        }
        drop(progress);
        if let Some(mut entries) = self.products.get_mut(&oldest.event.product_id) {
            entries.pop_front_if(|e| e.at == oldest.at);
        }
        self.products.remove_if(&oldest.event.product_id, |_, entries| entries.is_empty());
    }
}
