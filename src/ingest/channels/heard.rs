//! [`Heard`]: the messages this process heard that may not be in the log yet. Pure: it appends nothing, reads no clock
//! and does not know who holds the lease.
//!
//! # How it counts
//!
//! Every gateway hears every message; the holder of the lease appends them one by one, and each entry carries the
//! digest of its message. One entry seen in the log strikes out one message: the oldest with that digest. Messages that
//! read the same (price A, B, A) are counted, never merged, so what is left over is what the log lacks. Where the
//! count could be wrong it is wrong to one side: a message stays that is in the log already, and a successor appends it
//! twice, which at-least-once delivery allows. Hence:
//!
//! - What this process appended itself stays here, no longer pending, until its own strike comes. Otherwise that strike
//!   would hit the next message that reads the same.
//! - An append that may repeat another carries no digest: a second try after an unknown outcome, and whatever a new
//!   holder finds left over. In the log twice, a message must not strike twice. The other gateways keep it until it is
//!   settled.
//! - A strike that finds nothing becomes a *credit* and cancels the next such message, because the log may be read
//!   faster than the channel.
//! - Soon after a subscription entries may be about messages from before it, and after an overflow about messages that
//!   were dropped. Until that is settled (a holder has accounted for it) or told they give no credit, and strike out
//!   only what this process appended.
//!
//! # What bounds it
//!
//! A count, bytes, and [`Heard::settle`]. An overflow drops the oldest and is remembered until it is told or settled:
//! [`Heard::take_over`] then says that there is a gap.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::Channel;
use crate::{
    eventlog::{AppendError, Appended},
    model::{LogTime, MessageDigest},
};

/// A message as it was heard.
#[derive(Clone, PartialEq, Eq)]
pub struct HeardMessage {
    /// Where.
    pub channel: Channel,
    /// What.
    pub payload: Bytes,
    /// When, for events that bring no time.
    pub heard_at: LogTime,
}

impl HeardMessage {
    /// Copies the payload: what the client library hands out may hold on to its whole read buffer.
    pub fn new(channel: Channel, payload: &[u8], heard_at: LogTime) -> Self {
        Self { channel, payload: Bytes::copy_from_slice(payload), heard_at }
    }

    /// By which it is known in the log.
    pub fn digest(&self) -> MessageDigest {
        MessageDigest::of(self.channel.name(), &self.payload)
    }
}

impl fmt::Debug for HeardMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeardMessage({}, {} bytes)", self.channel.name(), self.payload.len())
    }
}

/// What became of a message that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It waits to be appended, or to be seen in the log.
    Kept,
    /// The log was faster: it is there already.
    InLog,
    /// It is kept, and so many others had to go.
    Overflowed {
        /// How many.
        dropped: usize,
    },
}

/// The oldest pending message, to be appended now. [`Heard::finish`] takes what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The message.
    pub message: HeardMessage,
    /// What its entry is to carry: nothing if the message may be in the log already.
    pub digest: Option<MessageDigest>,
    /// Its place among all that were heard: the same each time it is taken, and higher than those taken before it.
    pub number: u64,
}

/// A moment in what was heard: it parts the messages before it from those after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// What a new holder has to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Take {
    /// Messages may be missing that nobody can append any more: the log has to say so.
    pub gap: bool,
}

/// Since when nothing published on the channels can have been missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Continuity(Option<LogTime>);

impl Continuity {
    /// The subscription is broken, or may be.
    pub fn interrupted(&mut self) {
        self.0 = None;
    }

    /// Everything published from `at` on is heard: a log time asked for after the last channel was confirmed.
    pub fn subscribed(&mut self, at: LogTime) {
        self.0 = self.0.max(Some(at));
    }

    /// Since when it is unbroken.
    pub fn since(self) -> Option<LogTime> {
        self.0
    }

    /// Whether everything published from `until` on was heard. `None`: there was never a holder, so nothing was
    /// promised before now.
    pub fn reaches(self, until: Option<LogTime>) -> bool {
        self.0.is_some_and(|since| until.is_none_or(|until| since <= until))
    }
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct HeardBounds {
    /// Messages.
    pub count_max: usize,
    /// Bytes of their payloads.
    pub bytes_max: usize,
}

impl Default for HeardBounds {
    /// Ten seconds of 1,000 messages a second, far longer than a lease takes to change hands.
    fn default() -> Self {
        Self { count_max: 10_000, bytes_max: 16 * 1024 * 1024 }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Heard {
    bounds: HeardBounds,
    continuity: Continuity,
    /// What was heard and not struck out, by the order in which it came. Those before `pending_from` were appended by
    /// this process and wait for their strike, without payload.
    items: BTreeMap<u64, Item>,
    by_digest: HashMap<MessageDigest, VecDeque<u64>>,
    bytes: usize,
    next_seq: u64,
    pending_from: u64,
    /// What was heard before this may have been appended by another holder, or by this one without its knowing.
    certain_from: u64,
    /// The message that is being appended. If it is not in `items` any more, it was struck out meanwhile.
    in_flight: Option<u64>,
    /// Up to here messages have a stamp.
    stamped_to: u64,
    /// The newest log time told: stamps never go back.
    stamp: Option<LogTime>,
    /// Holders have accounted for everything published before this.
    settled: Option<LogTime>,
    overflow: Option<Overflow>,
    credits: VecDeque<(Instant, MessageDigest)>,
}

#[derive(Debug)]
struct Item {
    message: HeardMessage,
    digest: MessageDigest,
    /// It was published at or before this.
    stamp: Option<LogTime>,
    /// An append of it has an unknown outcome.
    doubtful: bool,
}

/// The newest message that was dropped.
#[derive(Debug, Clone, Copy)]
struct Overflow {
    seq: u64,
    stamp: Option<LogTime>,
}

impl Heard {
    /// How long a strike waits for its message: a subscription that lags further behind the log is as good as broken.
    pub const CREDIT_LIFE: Duration = Duration::from_secs(5);
    /// Strikes that wait. If more do the oldest goes, and its message will be kept until it is settled.
    pub const CREDITS_MAX: usize = 1_000;

    /// Nothing heard yet, and not subscribed.
    pub fn new(bounds: HeardBounds) -> Self {
        Self {
            bounds,
            continuity: Continuity::default(),
            items: BTreeMap::new(),
            by_digest: HashMap::new(),
            bytes: 0,
            next_seq: 0,
            pending_from: 0,
            certain_from: 0,
            in_flight: None,
            stamped_to: 0,
            stamp: None,
            settled: None,
            overflow: None,
            credits: VecDeque::new(),
        }
    }

    /// See [`Continuity::interrupted`]. What was heard before stays.
    pub fn interrupted(&mut self) {
        self.continuity.interrupted();
        self.credits.clear();
    }

    /// See [`Continuity::subscribed`]. A holder asks [`Heard::take_over`] again after it.
    pub fn subscribed(&mut self, at: LogTime) {
        self.continuity.subscribed(at);
    }

    /// Since when this process hears.
    pub fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// Takes in a message that brings events.
    pub fn hear(&mut self, now: Instant, message: HeardMessage) -> Hearing {
        let digest = message.digest();
        self.expire_credits(now);
        if let Some(i) = self.credits.iter().position(|(_, credit)| *credit == digest) {
            self.credits.remove(i);
            return Hearing::InLog;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        self.bytes += message.payload.len();
        self.by_digest.entry(digest).or_default().push_back(seq);
        self.items.insert(seq, Item { message, digest, stamp: None, doubtful: false });
        match self.drop_excess() {
            0 => Hearing::Kept,
            dropped => Hearing::Overflowed { dropped },
        }
    }

    /// An entry with this digest was read from the log.
    pub fn strike(&mut self, now: Instant, digest: MessageDigest) {
        match self.by_digest.get(&digest).and_then(|seqs| seqs.front().copied()) {
            Some(seq) if seq < self.pending_from || self.hears_all() => drop(self.remove(seq)),
            None if self.hears_all() => {
                self.expire_credits(now);
                self.credits.push_back((now, digest));
                if self.credits.len() > Self::CREDITS_MAX {
                    self.credits.pop_front();
                }
            }
            _ => {}
        }
    }

    /// Whether the messages of all entries still to be read were heard and kept, or are about to be heard.
    fn hears_all(&self) -> bool {
        let since = self.continuity.since();
        self.overflow.is_none() && since.is_some() && self.settled >= since
    }

    fn expire_credits(&mut self, now: Instant) {
        let spent = |(made, _): &(Instant, _)| now.duration_since(*made) >= Self::CREDIT_LIFE;
        while self.credits.front().is_some_and(spent) {
            self.credits.pop_front();
        }
    }

    /// The present moment: everything heard so far is before it.
    pub fn mark(&self) -> Mark {
        Mark(self.next_seq)
    }

    /// Everything before `mark` was published at or before `at`: a log time that was *asked for* after `mark`.
    pub fn stamp(&mut self, mark: Mark, at: LogTime) {
        self.stamp = self.stamp.max(Some(at));
        let at = self.stamp;
        if mark.0 > self.stamped_to {
            self.items.range_mut(self.stamped_to..mark.0).for_each(|(_, item)| item.stamp = at);
            self.stamped_to = mark.0;
        }
        if let Some(overflow) = self.overflow.as_mut().filter(|o| o.stamp.is_none() && o.seq < mark.0) {
            overflow.stamp = at;
        }
    }

    /// A holder has accounted for everything published before `until`, so that is forgotten, and so is an overflow
    /// that dropped nothing younger. The holder calls it for itself, too.
    ///
    /// Call it only once this process has read the log up to the head of the moment when `until` was read: strikes that
    /// are still to come would hit other messages.
    pub fn settle(&mut self, until: LogTime) {
        let settled = |stamp: Option<LogTime>| stamp.is_some_and(|stamp| stamp <= until);
        let old = self.items.iter().take_while(|(_, item)| settled(item.stamp)).map(|(seq, _)| *seq);
        let old: Vec<_> = old.filter(|seq| Some(*seq) != self.in_flight).collect();
        for seq in old {
            self.remove(seq);
        }
        self.overflow = self.overflow.filter(|overflow| !settled(overflow.stamp));
        self.settled = self.settled.max(Some(until));
    }

    /// Whether everything before `mark` is in the log or was refused by it; never while an overflow is untold.
    /// With it a holder knows what it has accounted for.
    pub fn accounted(&self, mark: Mark) -> bool {
        self.overflow.is_none() && self.pending().next().is_none_or(|(seq, _)| *seq >= mark.0)
    }

    /// Messages were dropped, and nobody was told yet.
    pub fn overflowed(&self) -> bool {
        self.overflow.is_some()
    }

    /// What was dropped before `mark` is told: the log has an entry that says so, appended after `mark`, and this
    /// process has read it. Before that, entries of what was dropped may still be to come.
    pub fn gap_told(&mut self, mark: Mark) {
        self.overflow = self.overflow.filter(|overflow| overflow.seq >= mark.0);
    }

    /// What taking the lease asks for. Call it once this process has heard everything published before it got the lease
    /// (a round trip on the subscription) and then has read the log up to the head.
    ///
    /// `covered_until` comes with the lease: the last holder had accounted for everything published before it, and so
    /// it is settled here. `None` if there never was a holder; the first one writes [`Continuity::since`] there before
    /// anything else, or nobody would know what its own interruption cost.
    pub fn take_over(&mut self, covered_until: Option<LogTime>) -> Take {
        if let Some(until) = covered_until {
            self.settle(until);
        }
        self.certain_from = self.next_seq;
        Take { gap: self.overflow.is_some() || !self.continuity.reaches(covered_until) }
    }

    /// The oldest pending message; `None` while one is in flight. Only for the holder, after [`Heard::take_over`].
    pub fn take_next(&mut self) -> Option<Taken> {
        if self.in_flight.is_some() {
            return None;
        }
        let (&number, item) = self.pending().next()?;
        let digest = (number >= self.certain_from && !item.doubtful).then_some(item.digest);
        let taken = Taken { message: item.message.clone(), digest, number };
        self.in_flight = Some(number);
        Some(taken)
    }

    /// What came of the append of the message taken last. It is tried again unless it is in the log, be it by this
    /// append or, seen meanwhile, by another.
    pub fn finish(&mut self, result: &Result<Appended, AppendError>) {
        let Some(seq) = self.in_flight.take() else {
            return;
        };
        match result {
            // Repeated: a try before, with an unknown outcome, made the entry.
            Ok(appended) if appended.accepted > 0 || appended.repeated => {
                self.pending_from = seq + 1;
                if let Some(item) = self.items.get_mut(&seq) {
                    self.bytes -= std::mem::take(&mut item.message.payload).len();
                }
            }
            // No entry was made, so no strike will come. A key that is reused cannot be: messages bring none.
            Ok(_) | Err(AppendError::KeyReused) => {
                self.pending_from = seq + 1;
                self.remove(seq);
            }
            Err(AppendError::Unavailable { .. }) => {
                if let Some(item) = self.items.get_mut(&seq) {
                    item.doubtful = true;
                }
            }
            Err(AppendError::Fenced | AppendError::Overloaded { .. }) => {}
        }
        self.drop_excess();
    }

    /// The message taken last will never be appended: it is forgotten, and nobody is told.
    pub fn discard(&mut self) {
        if let Some(seq) = self.in_flight.take() {
            self.pending_from = seq + 1;
            self.remove(seq);
        }
    }

    /// Messages that wait to be appended or struck out, the one in flight among them.
    pub fn pending_count(&self) -> usize {
        self.pending().count()
    }

    /// Bytes of payload held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn pending(&self) -> impl Iterator<Item = (&u64, &Item)> {
        self.items.range(self.pending_from..)
    }

    /// Drops the oldest until the bounds hold. The message in flight stays: it may be about to arrive in the log.
    fn drop_excess(&mut self) -> usize {
        let mut dropped = 0;
        while self.items.len() > self.bounds.count_max || self.bytes > self.bounds.bytes_max {
            let oldest = self.items.keys().copied().find(|seq| Some(*seq) != self.in_flight);
            let Some((seq, item)) = oldest.and_then(|seq| Some((seq, self.remove(seq)?))) else {
                break;
            };
            dropped += 1;
            // One of our own that still waits for its strike counts as lost, too: that strike will hit another.
            if self.overflow.is_none_or(|newest| newest.seq <= seq) {
                self.overflow = Some(Overflow { seq, stamp: item.stamp });
            }
        }
        dropped
    }

    fn remove(&mut self, seq: u64) -> Option<Item> {
        let item = self.items.remove(&seq)?;
        self.bytes -= item.message.payload.len();
        if let Some(seqs) = self.by_digest.get_mut(&item.digest) {
            if seqs.front() == Some(&seq) {
                seqs.pop_front();
            } else {
                // Only beside one in flight, which is older and stays.
                seqs.retain(|other| *other != seq);
            }
            if seqs.is_empty() {
                self.by_digest.remove(&item.digest);
            }
        }
        Some(item)
    }
}
