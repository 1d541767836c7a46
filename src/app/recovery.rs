//! Recovery: a process that starts reads what the log kept, so that it can answer returning clients from its first second.
//! Delivers nothing: whoever was connected then is connected elsewhere now.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    clock::Clock,
    eventlog::{EventLog, Head, LogError, Tail, Tailed},
    index::{Index, IndexConfig},
    model::Position,
};

/// What recovery hands on.
pub(super) struct Recovered {
    /// What changed when, up to `applied`.
    pub(super) index: Index,
    /// A tail that stands at `applied`.
    pub(super) tail: Box<dyn Tail>,
    /// The newest position taken in.
    pub(super) applied: Position,
}

/// Reads the log from its oldest entry to where its head is now. Begins anew for as long as the log cannot be read or its
/// history changes: a process that starts while a server fails over must not need somebody to start it again.
pub(super) async fn recover(log: &Arc<dyn EventLog>, config: IndexConfig, clock: Clock) -> Recovered {
    let mut told = false;
    loop {
        match read_epoch(log, config, clock).await {
            Ok(Some(recovered)) => return recovered,
            Ok(None) => {}
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "waiting for the log");
                    told = true;
                }
                sleep(RETRY).await;
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(500);

/// `None`: the epoch ended meanwhile.
async fn read_epoch(
    log: &Arc<dyn EventLog>,
    config: IndexConfig,
    clock: Clock,
) -> Result<Option<Recovered>, LogError> {
    let head = log.head().await?;
    let mut applied = head.position.epoch.at(0);
    let mut tail = log.tail(applied);
    let index = Index::new(config, clock, Head { position: applied, log_time: head.log_time });
    let mut nothing_yet = true;
    while applied.n < head.position.n {
        match tail.next().await? {
            Tailed::Entries(entries) => {
                if let Some(first) = entries.first().filter(|_| nothing_yet) {
                    let start = Head { position: applied, log_time: first.log_time };
                    index.start_behind(start, head.log_time);
                    nothing_yet = false;
                }
                index.recover(&entries);
                applied = entries.last().map_or(applied, |e| e.at);
            }
            Tailed::Gap { to: missing } | Tailed::InputGap { at: missing, .. } => {
                applied = missing;
                index.raise_floor(missing);
                index.skip_to(missing);
            }
            Tailed::NewEpoch(_) => return Ok(None),
        }
    }
    Ok(Some(Recovered { index, tail, applied }))
}
