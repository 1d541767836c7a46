//! [`Connection`]: the application's handle to one accepted stream, and what is known of it.
//!
//! It judges nothing: the deadlines are [`Deadlines`](super::Deadlines)', and who looks at them is
//! [`Connections`](super::Connections).

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use atomic_waker::AtomicWaker;
use axum::http::Version;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    deadlines::{Stage, Standing},
    outbox::{Outbox, WAITING_BYTES_MAX},
};
use crate::telemetry::Metrics;

/// The application's handle to one accepted connection. Cheap to clone.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

// In this order: a room has thousands of connections, and what each delivery looks at lies together.
#[repr(C)]
struct Shared {
    flow: Flow,
    /// Requests being served; an upgraded connection is one that never ends.
    requests: AtomicUsize,
    /// When it was asked to end.
    closing: Moment,
    out: Mutex<Outbox>,
    peer: SocketAddr,
    /// When it began to wait for the next request, or for the rest of that one's head.
    since: Moment,
    reader: AtomicWaker,
    writer: AtomicWaker,
    metrics: Arc<Metrics>,
    /// While no request is served: it waits for the next one, of which nothing has come.
    waits: AtomicBool,
    multiplexed: AtomicBool,
    /// It speaks another protocol than HTTP, to its end.
    upgraded: AtomicBool,
    /// It outlives its stream: see [`Detach`](super::Detach).
    detached: AtomicBool,
    /// It has sent more than it may for now, and is not read.
    throttled: AtomicBool,
    cut: AtomicBool,
}

/// What moves on it.
struct Flow {
    accepted: Instant,
    /// Since when a write waits for the other end.
    blocked: Moment,
    /// The oldest hand-over that was not followed by a write.
    handed_over: Moment,
    /// Bytes handed over and bytes written, since all was last known to be written.
    handed_bytes: AtomicU64,
    written_bytes: AtomicU64,
    /// What waits in the outbox, for those who only look.
    waiting_bytes: AtomicUsize,
}

impl Wake for Shared {
    /// Wakes whoever may go on with what waits: the one who reads, the one who writes.
    fn wake(self: Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

/// After how long a write is tried although the kernel does not call for it: it does so only when a third of its buffer is
/// free, which takes a client on a bad line longer than the deadline.
const NUDGE_AFTER: Duration = Duration::from_millis(500);

/// A moment that may be unset, as one atomic word: microseconds after a base, plus one.
#[derive(Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, at: Duration) {
        self.0.store(Self::word(at), Ordering::Relaxed);
    }

    /// Only the oldest counts; losing this race means that an older one is there already.
    fn set_if_unset(&self, at: Duration) -> bool {
        self.0.compare_exchange(0, Self::word(at), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn get(&self) -> Option<Duration> {
        self.0.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    /// Unsets it. The load keeps the line shared where there is nothing to unset, which is nearly always.
    fn take(&self) -> Option<Duration> {
        self.get()?;
        self.0.swap(0, Ordering::Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    fn word(at: Duration) -> u64 {
        u64::try_from(at.as_micros()).unwrap_or(u64::MAX - 1) + 1
    }
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, metrics: Arc<Metrics>) -> Self {
        let flow = Flow {
            accepted: Instant::now(),
            blocked: Moment::default(),
            handed_over: Moment::default(),
            handed_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
        };
        Self(Arc::new(Shared {
            flow,
            peer,
            waits: AtomicBool::new(false),
            since: Moment::default(),
            requests: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            throttled: AtomicBool::new(false),
            closing: Moment::default(),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            out: Mutex::default(),
            metrics,
        }))
    }

    // === for the application ===

    /// The address at the other end of the connection; a proxy's, if there is one.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Whether several clients may share it (HTTP/2 behind a proxy), so that ending it would end them all.
    pub fn is_multiplexed(&self) -> bool {
        self.0.multiplexed.load(Ordering::Relaxed)
    }

    /// Whether an answer may leave HTTP on it, see [`Detach`](super::Detach): not while an earlier one waits to be written,
    /// which would be lost.
    pub fn may_detach(&self) -> bool {
        !self.is_multiplexed() && self.0.flow.blocked.get().is_none()
    }

    /// Notes that so many bytes are about to be queued to this connection; the next write records how long it took since
    /// `queued`. Before, because whoever writes may be faster than whoever comes back from queueing. False: something
    /// waits already.
    pub fn expect_write(&self, queued: Instant, bytes: usize) -> bool {
        let first = self.handed_over(queued);
        if first && self.0.flow.blocked.get().is_none() {
            // What was written besides, pings and acknowledgements, was never handed over: counting begins anew.
            self.0
                .flow
                .handed_bytes
                .store(self.0.flow.written_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.0.flow.handed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        first
    }

    /// Notes that what was made at `since` is on its way; false: something before it is.
    pub(super) fn handed_over(&self, since: Instant) -> bool {
        self.0.flow.handed_over.set_if_unset(since.duration_since(self.0.flow.accepted))
    }

    pub(super) fn sent_beside(&self) {
        self.0.metrics.sent_beside.increment(1);
    }

    /// What [`expect_write`](Self::expect_write) noted, and answered `first`, was not queued after all.
    pub fn expect_none(&self, first: bool, bytes: usize) {
        if first {
            self.0.flow.handed_over.take();
        }
        let without = |handed: u64| Some(handed.saturating_sub(bytes as u64));
        let _ = self.0.flow.handed_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, without);
    }

    /// Whether something handed over has not been written yet.
    pub fn owes_write(&self) -> bool {
        self.0.flow.handed_over.get().is_some() || self.waiting_bytes() > 0
    }

    /// Whether anything queued to it now would only take memory: the other end has taken nothing for a while, though
    /// something waits for it, or far more waits than it takes.
    pub fn is_full(&self) -> bool {
        /// Longer than most networks take to find the way again; what a client misses by it, it is told.
        const STALLED_AFTER: Duration = Duration::from_secs(2);
        const BACKLOG_BYTES_MAX: u64 = WAITING_BYTES_MAX as u64;
        let handed = self.0.flow.handed_bytes.load(Ordering::Relaxed);
        let backlog = handed.saturating_sub(self.0.flow.written_bytes.load(Ordering::Relaxed));
        backlog > BACKLOG_BYTES_MAX
            || self.waiting_bytes() > WAITING_BYTES_MAX
            || self.is_blocked_for(STALLED_AFTER)
    }

    fn is_blocked_for(&self, time: Duration) -> bool {
        let blocked = self.0.flow.blocked.get();
        blocked.is_some_and(|since| self.0.flow.accepted.elapsed().saturating_sub(since) >= time)
    }

    /// Ends it as if the other end had finished: what is being written is written first. A connection that does not
    /// end by that is cut soon after.
    pub fn close(&self) {
        self.0.closing.set_if_unset(self.0.flow.accepted.elapsed());
        self.wake();
    }

    /// Ends it at once, whatever waits in it. Works on one that is stuck.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        Arc::clone(&self.0).wake();
    }

    // === for the server: what is being served ===

    /// A request begins.
    pub(super) fn request_started(&self, version: Version) {
        self.0.multiplexed.fetch_or(version == Version::HTTP_2, Ordering::Relaxed);
        self.0.requests.fetch_add(1, Ordering::AcqRel);
    }

    /// The request that is being served has turned it into something else than HTTP.
    pub(super) fn upgrade(&self) {
        self.0.upgraded.store(true, Ordering::Release);
    }

    /// It goes on without its stream.
    pub(super) fn detach(&self) {
        self.0.detached.store(true, Ordering::Release);
    }

    pub(super) fn is_detached(&self) -> bool {
        self.0.detached.load(Ordering::Acquire)
    }

    /// A request was answered to its end.
    pub(super) fn request_ended(&self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.enter(Stage::Idle);
        }
    }

    // === for the stream: what moves ===

    pub(super) fn read(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        match self.stage() {
            // A multiplexed one says little things between requests: pings, window updates.
            Stage::Idle if !self.is_multiplexed() => self.enter(Stage::Head),
            Stage::Idle | Stage::Head | Stage::Busy => {}
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.0.metrics.bytes_out.increment(bytes as u64);
        self.0.flow.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.flow.blocked.take();
        if let Some(queued) = self.0.flow.handed_over.take() {
            self.0
                .metrics
                .flush_to_written
                .record(self.0.flow.accepted.elapsed().saturating_sub(queued).as_secs_f64());
        }
    }

    pub(super) fn write_waits(&self) {
        if self.0.flow.blocked.get().is_none() {
            self.0.flow.blocked.set_if_unset(self.0.flow.accepted.elapsed());
        }
    }

    /// Whether a write has waited long enough to be tried although the kernel does not call for it.
    pub(super) fn may_write_unasked(&self) -> bool {
        self.is_blocked_for(NUDGE_AFTER)
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.0.upgraded.load(Ordering::Acquire)
    }

    /// It is not read any more until it is nudged.
    pub(super) fn throttle(&self) {
        self.0.throttled.store(true, Ordering::Release);
    }

    /// Has whatever waits too long tried again: called once a second.
    pub(super) fn nudge(&self) {
        if self.may_write_unasked() {
            self.wake();
        }
        if self.0.throttled.swap(false, Ordering::AcqRel) {
            self.0.reader.wake();
        }
    }

    pub(super) fn watch_read(&self, cx: &Context<'_>) {
        self.0.reader.register(cx.waker());
    }

    pub(super) fn watch_write(&self, cx: &Context<'_>) {
        self.0.writer.register(cx.waker());
    }

    /// What is on its way out.
    pub(super) fn outbox(&self) -> &Mutex<Outbox> {
        &self.0.out
    }

    pub(super) fn note_waiting(&self, bytes: usize) {
        self.0.flow.waiting_bytes.store(bytes, Ordering::Release);
    }

    /// Bytes that wait for the kernel in a shared connection.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.0.flow.waiting_bytes.load(Ordering::Acquire)
    }

    /// Wakes whoever may go on with what waits.
    pub(super) fn waker(&self) -> Waker {
        Arc::clone(&self.0).into()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Acquire)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.get().is_some()
    }

    // === for the judge ===

    /// Whether it has sent no whole request yet, or not the whole of its next.
    pub(super) fn is_newcomer(&self) -> bool {
        self.stage() == Stage::Head && !self.is_cut()
    }

    /// Whether it waits for a next request.
    pub(super) fn is_idle(&self) -> bool {
        self.stage() == Stage::Idle && !self.is_cut() && !self.is_closing()
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        Standing {
            age: now.duration_since(self.0.flow.accepted),
            stage: self.stage(),
            since: self.0.since.get().unwrap_or_default(),
            blocked: self.0.flow.blocked.get(),
            closing: self.0.closing.get(),
        }
    }

    fn stage(&self) -> Stage {
        if self.0.requests.load(Ordering::Acquire) > 0 {
            return Stage::Busy;
        }
        if self.0.waits.load(Ordering::Acquire) { Stage::Idle } else { Stage::Head }
    }

    /// Enters the stage between requests, or that of the next one's head.
    fn enter(&self, stage: Stage) {
        self.0.since.set(self.0.flow.accepted.elapsed());
        self.0.waits.store(stage == Stage::Idle, Ordering::Release);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.0.peer).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection::new(([127, 0, 0, 1], 9).into(), Arc::new(Metrics::new().unwrap()))
    }

    #[tokio::test]
    async fn what_waits_unwritten_makes_a_connection_full() {
        let connection = connection();
        connection.expect_write(Instant::now(), 200 * 1024);
        assert!(!connection.is_full());
        connection.expect_write(Instant::now(), 100 * 1024);
        assert!(connection.is_full());
    }

    #[tokio::test]
    async fn what_was_not_queued_after_all_does_not() {
        let connection = connection();
        connection.expect_write(Instant::now(), 100 * 1024);
        for _ in 0..10 {
            let first = connection.expect_write(Instant::now(), 100 * 1024);
            connection.expect_none(first, 100 * 1024);
        }
        assert!(!connection.is_full());
        assert!(connection.owes_write(), "what was queued before is still to be written");
    }
}
