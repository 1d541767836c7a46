//! [`Server`]: a Redis as the log's scripts see it. Each method is one script; they follow `append.lua`, `epoch.lua` and
//! `head.lua` step by step. Knows no time but the one it is told, and no network. Each append is a call of its own here; what
//! becomes of several in one is `tests/it/grouped.rs`.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use shelfcast::{
    eventlog::{
        Append, Appended, BodyDigest, ClaimKey, InputGap,
        redis::{Content, Lineage, Standing, StoreError, Stored, Taken},
    },
    model::{Entry, Epoch, LogTime, Position},
};

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Up,
    /// Stopped: commands wait, and are executed when it goes on.
    Frozen,
    Down,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) lineage: Lineage,
    pub(super) power: Power,
    pub(super) data: Data,
    /// Its clock differs by this much.
    pub(super) skew_micros: i64,
    /// Another one after every start: connections to an earlier life are broken.
    pub(super) life: u64,
    /// Epochs that began here.
    pub(super) epochs: u64,
}

/// What it keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    meta: Option<Meta>,
    log: VecDeque<Stored>,
    /// A stream remembers its last id when it is trimmed, and forgets it when it is deleted.
    last_id: u64,
    claims: HashMap<ClaimKey, Claim>,
}

#[derive(Debug, Clone)]
struct Meta {
    epoch: Epoch,
    n: u64,
    time: LogTime,
    born: LogTime,
    begun: LogTime,
    ended: Option<Position>,
    lineage: Lineage,
}

#[derive(Debug, Clone, Copy)]
enum Claim {
    Request { body: BodyDigest, accepted: usize, duplicates: usize, cursor: Position },
    Event { cursor: Position },
}

/// What each pod passes with its calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeps {
    pub(super) events_max: usize,
    pub(super) retention_secs: i64,
}

impl Server {
    fn begin(&mut self, epoch: Epoch, now: LogTime) -> Meta {
        let before = self.data.meta.as_ref().map(|meta| meta.time.next());
        let born = before.map_or(now, |before| before.max(now));
        let ended = self.data.head();
        self.data.delete_log();
        self.epochs += 1;
        let meta = Meta { epoch, n: 0, time: born, born, begun: now, ended, lineage: self.lineage.clone() };
        self.data.meta = Some(meta.clone());
        meta
    }

    pub(super) fn append(
        &mut self,
        append: &Append,
        new_epoch: Epoch,
        clock: LogTime,
        keeps: Keeps,
    ) -> Result<Taken, StoreError> {
        let mut meta = match &self.data.meta {
            Some(meta) => meta.clone(),
            None => self.begin(new_epoch, clock),
        };
        let mut now = meta.time.next().max(clock);
        if let Some(request) = &append.request
            && let Some(Claim::Request { body, accepted, duplicates, cursor }) =
                self.data.claims.get(&request.key)
        {
            if *body != request.body {
                return Err(StoreError::KeyReused);
            }
            let appended =
                Appended { accepted: *accepted, duplicates: *duplicates, cursor: *cursor, repeated: true };
            return Ok(Taken { appended, lineage: meta.lineage });
        }
        let (mut accepted, mut duplicates, mut cursor) = (0, 0, meta.epoch.at(meta.n));
        let mut claimed: Vec<(ClaimKey, Position)> = Vec::new();
        for new in &append.events {
            let known = new.claim.and_then(|claim| {
                let earlier = claimed.iter().find(|(key, _)| *key == claim).map(|(_, cursor)| *cursor);
                let kept = || match self.data.claims.get(&claim) {
                    Some(Claim::Event { cursor }) => Some(*cursor),
                    _ => None,
                };
                earlier.or_else(kept)
            });
            if let Some(known) = known {
                duplicates += 1;
                cursor = known;
                continue;
            }
            let at = meta.epoch.at(meta.n + 1);
            let entry = Entry { at, log_time: now, event: new.event.clone(), message: None, origin: None };
            self.data.add(at, now, meta.time, Content::Event(Arc::new(entry)), keeps)?;
            accepted += 1;
            (meta.n, meta.time) = (at.n, now);
            now = now.next();
            cursor = at;
            claimed.extend(new.claim.map(|claim| (claim, at)));
        }
        let lineage = meta.lineage.clone();
        self.data.meta = Some(meta);
        for (claim, cursor) in claimed {
            self.data.claims.insert(claim, Claim::Event { cursor });
        }
        if let Some(request) = &append.request {
            let claim = Claim::Request { body: request.body, accepted, duplicates, cursor };
            self.data.claims.insert(request.key, claim);
        }
        let appended = Appended { accepted, duplicates, cursor, repeated: false };
        Ok(Taken { appended, lineage })
    }

    pub(super) fn append_gap(
        &mut self,
        gap: &InputGap,
        new_epoch: Epoch,
        clock: LogTime,
        keeps: Keeps,
    ) -> Result<Taken, StoreError> {
        let mut meta = match &self.data.meta {
            Some(meta) => meta.clone(),
            None => self.begin(new_epoch, clock),
        };
        let now = meta.time.next().max(clock);
        let at = meta.epoch.at(meta.n + 1);
        self.data.add(at, now, meta.time, Content::InputGap(gap.product_ids.clone()), keeps)?;
        (meta.n, meta.time) = (at.n, now);
        let lineage = meta.lineage.clone();
        self.data.meta = Some(meta);
        let appended = Appended { accepted: 1, duplicates: 0, cursor: at, repeated: false };
        Ok(Taken { appended, lineage })
    }

    /// Where the log stands. `condemned`: an epoch that must not go on.
    pub(super) fn head(
        &mut self,
        condemned: Option<Epoch>,
        new_epoch: Epoch,
        clock: LogTime,
        keeps: Keeps,
    ) -> Standing {
        let fits = |meta: &&Meta| !meta.lineage.differs(&self.lineage) && Some(meta.epoch) != condemned;
        let meta = match self.data.meta.as_ref().filter(fits) {
            Some(meta) => meta.clone(),
            None => self.begin(new_epoch, clock),
        };
        let now = meta.time.next().max(clock);
        let oldest_kept = now.plus_secs(-keeps.retention_secs);
        while self.data.log.front().is_some_and(|entry| entry.log_time < oldest_kept) {
            self.data.log.pop_front();
        }
        Standing {
            head: meta.epoch.at(meta.n),
            first_n: self.data.log.front().map_or(meta.n + 1, |entry| entry.at.n),
            log_time: now,
            born: meta.born,
            age: age(meta.begun, clock),
            ended: meta.ended,
            lineage: meta.lineage,
        }
    }

    /// Entries behind `after_n`; none if there are none.
    pub(super) fn read(&self, after_n: u64, count: usize) -> Vec<Stored> {
        let from = self.data.log.partition_point(|entry| entry.at.n <= after_n);
        self.data.log.range(from..).take(count).cloned().collect()
    }
}

/// Never negative, though the clock may have been set.
fn age(begun: LogTime, clock: LogTime) -> Duration {
    Duration::from_micros(u64::try_from(clock.micros() - begun.micros()).unwrap_or(0))
}

impl Data {
    fn add(
        &mut self,
        at: Position,
        log_time: LogTime,
        before: LogTime,
        content: Content,
        keeps: Keeps,
    ) -> Result<(), StoreError> {
        if at.n <= self.last_id {
            return Err(StoreError::Inconsistent(Some(at.epoch)));
        }
        self.last_id = at.n;
        self.log.push_back(Stored { at, log_time, before, content });
        self.trim(keeps.events_max);
        Ok(())
    }

    /// Keeps so many entries.
    pub(super) fn trim(&mut self, count: usize) {
        while self.log.len() > count {
            self.log.pop_front();
        }
    }

    pub(super) fn delete_log(&mut self) {
        self.log.clear();
        self.last_id = 0;
    }

    pub(super) fn delete_meta(&mut self) {
        self.meta = None;
    }

    /// Somebody set the counter back.
    pub(super) fn tamper(&mut self, by: u64) {
        if let Some(meta) = &mut self.meta {
            meta.n = meta.n.saturating_sub(by);
        }
    }

    /// The newest position.
    pub(super) fn head(&self) -> Option<Position> {
        self.meta.as_ref().map(|meta| meta.epoch.at(meta.n))
    }
}
