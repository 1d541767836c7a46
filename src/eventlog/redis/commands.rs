//! [`Commands`]: the connection on which scripts run, and what its errors mean. Knows none of the scripts.

use std::{sync::Arc, time::Duration};

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    types::Value,
};
use parking_lot::Mutex;

use super::{
    config::Durability,
    store::{Refusal, StoreError},
};
use crate::redis::{Call, Link, Script, without_args};

/// Appends and questions share this connection, where they are pipelined.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) link: Arc<Link>,
    durability: Durability,
    /// The refusal of another kind that was logged last.
    told: Mutex<Option<String>>,
}

/// What a script that writes returned.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) returned: Vec<String>,
    /// What was written is as safe as `DURABILITY` wants it.
    pub(super) confirmed: bool,
}

impl Commands {
    /// How long a command may take at all; whoever asks has a deadline of its own.
    pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
    /// How long to wait for replicas or the disk, in milliseconds: less than an append may take.
    const CONFIRM_MS: &str = "1500";

    pub(super) fn new(link: Arc<Link>, durability: Durability) -> Self {
        Self { link, durability, told: Mutex::default() }
    }

    /// The client of a connection that is up.
    pub(super) fn connected(link: &Link) -> Result<&Client, StoreError> {
        link.up().ok_or(StoreError::Refused(Refusal::NotConnected))
    }

    /// Runs a script.
    pub(super) async fn ask(&self, script: &Script, call: &Call) -> Result<Vec<String>, StoreError> {
        let client = Self::connected(&self.link)?;
        script.run(client, Self::TIMEOUT, call).await.map_err(|error| self.error(&error))
    }

    /// Runs a script that writes, and waits for what `DURABILITY` says.
    pub(super) async fn write(&self, script: &Script, call: &Call) -> Result<Ran, StoreError> {
        let confirm: (_, &[_]) = match self.durability {
            Durability::Memory => {
                return self.ask(script, call).await.map(|returned| Ran { returned, confirmed: true });
            }
            Durability::Replica => ("WAIT", &["1", Self::CONFIRM_MS]),
            Durability::Fsync => ("WAITAOF", &["1", "0", Self::CONFIRM_MS]),
        };
        let client = Self::connected(&self.link)?;
        let ran = script.run_then(client, Self::TIMEOUT, call, confirm).await;
        let (returned, confirmed) = ran.map_err(|error| self.error(&error))?;
        // WAIT answers with how many replicas have it; WAITAOF with the same of disks, the primary's own first.
        let count = confirmed.into_array().first().and_then(Value::as_i64).unwrap_or(0);
        Ok(Ran { returned, confirmed: count >= 1 })
    }

    /// What an error says about what was done.
    pub(super) fn error(&self, error: &Error) -> StoreError {
        match error.kind() {
            ErrorKind::Timeout | ErrorKind::IO | ErrorKind::Canceled => StoreError::Unknown,
            ErrorKind::Backpressure => StoreError::Refused(Refusal::Busy),
            _ => {
                let refusal = Refusal::of(error.details());
                if refusal == Refusal::Other {
                    self.tell_once(without_args(error.details()));
                }
                StoreError::Refused(refusal)
            }
        }
    }

    /// A reason that nobody foresaw is logged when it changes, not with each command.
    fn tell_once(&self, reason: &str) {
        let before = self.told.lock().replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(reason, "Redis refuses commands");
        }
    }
}
