//! [`Tasks`]: the one place that spawns. Every task has a name, and none ends unnoticed.

use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, task};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tasks of one gateway. Cheap to clone; all clones are the same group.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    died: Arc<watch::Sender<Option<&'static str>>>,
}

impl Tasks {
    /// An empty group.
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            died: Arc::new(watch::Sender::new(None)),
        }
    }

    /// A group that can be ended apart; ending this one ends it too. Who dies there has died here.
    pub fn part(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token(), died: Arc::clone(&self.died) }
    }

    /// Spawns work that the gateway cannot live without. If it panics, or returns before [`stop`](Self::stop),
    /// [`died`](Self::died) names it and the process is expected to end: a gateway that still answers but no
    /// longer delivers is the worst kind of outage.
    pub fn spawn_vital(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (stop, died) = (self.stop.clone(), Arc::clone(&self.died));
        self.spawn(async move {
            let panicked = CatchUnwind(Box::pin(work)).await.is_err();
            if panicked || !stop.is_cancelled() {
                tracing::error!(task = name, panicked, "a vital task ended");
                died.send_replace(Some(name));
            }
        });
    }

    /// Spawns work that may end at any time.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        #[expect(clippy::disallowed_methods, reason = "the one spawn")]
        tokio::spawn(self.tracker.track_future(work));
    }

    /// Cancelled when the tasks are to end.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task to end.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits until every task has ended; only returns after [`stop`](Self::stop).
    pub async fn ended(&self) {
        self.tracker.wait().await;
    }

    /// Waits for a vital task to die and names it. Cancel safe.
    pub async fn died(&self) -> &'static str {
        let mut died = self.died.subscribe();
        loop {
            let name = *died.borrow_and_update();
            match name {
                Some(name) => return name,
                None if died.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

/// Turns a panic of a future into a value, so that the task around it can say which one it was.
struct CatchUnwind<F>(Pin<Box<F>>);

impl<F: Future<Output = ()>> Future for CatchUnwind<F> {
    type Output = Result<(), ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<Self::Output> {
        // After a panic the future is dropped and never polled again, so no broken state is seen.
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_panic) => task::Poll::Ready(Err(())),
        }
    }
}
