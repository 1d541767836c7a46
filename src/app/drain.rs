//! The end of a process, in the order of the contract's section 8: nobody notices a deploy.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Running;
use crate::{config::DrainConfig, net::Connections};

/// How long the library may take to close what is left; with a client that reads nothing it takes for ever.
const LIBRARY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long what is being appended, the inputs and the log may take to end, together; an append has a deadline of 2 s. With a
/// Redis that stands still all of them take as long as they may, and clients are to leave one after the other all the same.
const HANDOVER_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long tasks may take to end when all clients are gone. Some ask the log where it stands, and nobody needs the answer.
const TASKS_TIMEOUT: Duration = Duration::from_millis(500);

/// How long posts are taken after the last connection was accepted: it may still bring one. Who does not serve on at all
/// (Ctrl-C) does not wait for that either.
const LAST_REQUESTS: Duration = Duration::from_millis(200);

impl Running {
    /// Leaves: not ready any more, but serving; then no new connection, nothing taken in, the lease of the inputs handed
    /// over; then one connection after the other is closed, while what was accepted is still flushed to those who stay.
    ///
    /// Sockets are closed at the transport: a Socket.IO client that is sent a disconnect packet does not come back.
    pub async fn drain(&self, config: DrainConfig) {
        self.health.drain();
        sleep(config.delay).await;
        self.stops.accept.cancel();
        sleep(LAST_REQUESTS.min(config.delay)).await;
        self.hub.admit_no_more();
        let handed_over_by = Instant::now() + HANDOVER_TIMEOUT;
        // First, or the gate would wait for what they are about to append, too.
        self.input_tasks.stop();
        self.gate.close().await;
        if timeout_at(handed_over_by, self.hand_over()).await.is_err() {
            tracing::warn!("the inputs were not handed over in time; clients resume from what they saw");
        }
        self.hub.drain(config.spread, config.flush).await;
        self.stops.keep.cancel();
        self.tasks.stop();
        if timeout(TASKS_TIMEOUT, self.tasks.ended()).await.is_err() {
            tracing::debug!("some tasks did not end by themselves");
        }
        if timeout(LIBRARY_TIMEOUT, self.io.close()).await.is_err() {
            tracing::debug!("some sockets did not close by themselves");
        }
    }

    /// Waits for the end of the inputs, and for what was answered 202 just now: it may not have been read yet.
    async fn hand_over(&self) {
        self.input_tasks.ended().await;
        if let Ok(head) = self.gate.head().await {
            self.hub.index().wait_applied(head.position).await;
        }
    }
}

/// Lets `running` leave while `serving` goes on, and cuts what is still open a moment after: a client that reads nothing
/// never ends by itself.
pub(super) async fn leave(
    running: &Running,
    config: DrainConfig,
    serving: impl Future<Output = ()>,
    connections: &Connections,
) {
    /// For answers that are on their way.
    const LAST_ANSWERS: Duration = Duration::from_millis(500);
    let served = CancellationToken::new();
    let serving = async {
        serving.await;
        served.cancel();
    };
    let leaving = async {
        running.drain(config).await;
        let _in_time_or_not = timeout(LAST_ANSWERS, served.cancelled()).await;
        connections.cut_all();
    };
    tokio::join!(serving, leaving);
}
