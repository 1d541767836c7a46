//! [`Reader`]: the tail of the shared log. Reads, asks for the head once a second, and lets [`History`] judge.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{
    acked::Acked,
    history::{History, Verdict},
    lag::Lag,
    store::{Standing, Store, StoreError, Stored},
};
use crate::{
    eventlog::{LogError, Tail, Tailed},
    model::{Epoch, Position},
};

/// A reader of the log. One task owns it.
pub(super) struct Reader<S> {
    store: Arc<S>,
    acked: Arc<Mutex<Acked>>,
    lag: Arc<Lag>,
    history: History,
    /// Found and not yet handed on.
    found: VecDeque<Tailed>,
    // Both go on where they were when `next` is dropped and called again: a blocking read that is thrown away would
    // keep its connection busy.
    reading: Option<Pending<Read>>,
    checking: Option<Pending<Checked>>,
    check_at: Instant,
    /// The epoch that must not go on.
    condemned: Option<Epoch>,
    /// An entry of another epoch came, and the head is asked whether that one began.
    met_another: bool,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// What was read, and in which epoch that was asked for.
type Read = (Epoch, Result<Vec<Stored>, StoreError>);
/// Where the log stands.
type Checked = (Asked, Result<Standing, StoreError>);

/// Where and when a reader was when it asked for the head.
#[derive(Debug, Clone, Copy)]
struct Asked {
    position: Position,
    moment: Instant,
}

impl<S: Store> Reader<S> {
    /// After a loss that is followed by silence no entry comes that could betray it; so the head is asked.
    const CHECK_EVERY: Duration = Duration::from_secs(1);

    pub(super) fn new(store: Arc<S>, acked: Arc<Mutex<Acked>>, lag: Arc<Lag>, after: Position) -> Self {
        Self {
            store,
            acked,
            lag,
            history: History::starting(after),
            found: VecDeque::new(),
            reading: None,
            checking: None,
            check_at: Instant::now(),
            condemned: None,
            met_another: false,
        }
    }

    fn start_reading(&self) -> Pending<Read> {
        let (store, last) = (Arc::clone(&self.store), self.history.last());
        Box::pin(async move { (last.epoch, store.read(last.n).await) })
    }

    /// The head; or a new epoch, where this one is known to be broken.
    fn start_checking(&self) -> Pending<Checked> {
        let (store, condemned) = (Arc::clone(&self.store), self.condemned);
        let asked = Asked { position: self.history.last(), moment: Instant::now() };
        Box::pin(async move {
            match condemned {
                Some(epoch) => (asked, store.renew(epoch).await),
                None => (asked, store.head().await),
            }
        })
    }

    fn judge(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Go(tailed) => self.found.extend(tailed),
            Verdict::AskHead => {
                self.met_another = true;
                self.check_now();
            }
            Verdict::Forked(tailed) => {
                self.found.extend(tailed);
                self.condemn(self.history.last().epoch);
            }
        }
    }

    fn condemn(&mut self, epoch: Epoch) {
        self.condemned = Some(epoch);
        self.check_now();
    }

    fn check_now(&mut self) {
        self.check_at = Instant::now();
    }

    fn checked(&mut self, asked: Asked, standing: &Standing) {
        self.condemned = self.condemned.filter(|epoch| *epoch == standing.head.epoch);
        self.lag.note_head(standing.head);
        // It did not begin: somebody else wrote into this one. If it began since, that is found when this one is to end.
        if std::mem::take(&mut self.met_another) && standing.head.epoch == self.history.last().epoch {
            self.condemn(standing.head.epoch);
        }
        let verdict = self.history.check(asked.position, standing);
        self.judge(verdict);
        if self.acked.lock().outlived(asked.moment, Instant::now(), standing) {
            tracing::warn!(epoch = %standing.head.epoch, "appends were acknowledged on the losing side of a split");
            self.condemn(standing.head.epoch);
        }
    }
}

#[async_trait]
impl<S: Store> Tail for Reader<S> {
    async fn next(&mut self) -> Result<Tailed, LogError> {
        loop {
            if let Some(tailed) = self.found.pop_front() {
                return Ok(tailed);
            }
            self.lag.note_read(self.history.last());
            // A condemned epoch is not read on.
            if self.reading.is_none() && self.condemned.is_none() {
                self.reading = Some(self.start_reading());
            }
            if self.checking.is_none() && self.check_at <= Instant::now() {
                self.check_at = Instant::now() + Self::CHECK_EVERY;
                self.checking = Some(self.start_checking());
            }
            tokio::select! {
                // In a fixed order, so that a simulated run can be repeated; neither starves, each waits for a server.
                biased;
                (epoch, read) = poll(&mut self.reading) => {
                    self.reading = None;
                    match read {
                        Ok(stored) => {
                            let verdict = self.history.read(epoch, stored);
                            self.judge(verdict);
                        }
                        Err(StoreError::Inconsistent(epoch)) => {
                            self.condemn(epoch.unwrap_or(self.history.last().epoch));
                        }
                        Err(_) => {
                            // History may change while nobody looks.
                            self.check_now();
                            return Err(LogError);
                        }
                    }
                }
                (asked, checked) = poll(&mut self.checking) => {
                    self.checking = None;
                    match checked {
                        Ok(standing) => self.checked(asked, &standing),
                        Err(_) => {
                            self.check_now();
                            return Err(LogError);
                        }
                    }
                }
                () = sleep_until(self.check_at), if self.checking.is_none() => {}
            }
        }
    }
}

/// Waits for what is pending; for ever if nothing is.
async fn poll<T>(pending_work: &mut Option<Pending<T>>) -> T {
    match pending_work {
        Some(work) => work.await,
        None => pending().await,
    }
}

impl<S: fmt::Debug> fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("history", &self.history).finish_non_exhaustive()
    }
}
