//! [`DeadLetters`]: the capped list in Redis of messages that nobody could read. Best effort: what cannot be kept is only
//! counted, because a flood of rubbish must not hold up what can be read.

use std::{sync::Arc, time::Duration};

use fred::{
    error::Error,
    interfaces::ClientLike,
    types::{ClusterHash, CustomCommand},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Source, Unreadable, dead_letter};
use crate::{
    model::LogTime,
    redis::{Keys, Link, once, without_args},
    telemetry::Metrics,
};

/// Where dead letters are put. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    waiting: mpsc::Sender<String>,
    list: Arc<List>,
    metrics: Arc<Metrics>,
}

/// Writes dead letters to Redis.
#[derive(Debug)]
pub struct DeadLetterWriter {
    waiting: mpsc::Receiver<String>,
    list: Arc<List>,
}

/// The list in Redis.
#[derive(Debug)]
struct List {
    link: Arc<Link>,
    key: String,
}

impl DeadLetters {
    /// Letters that wait to be written; one more is only counted.
    const WAITING_MAX: usize = 64;

    /// Both ends.
    pub fn new(link: Arc<Link>, keys: &Keys, metrics: Arc<Metrics>) -> (Self, DeadLetterWriter) {
        let (sender, waiting) = mpsc::channel(Self::WAITING_MAX);
        let list = Arc::new(List { link, key: keys.dead() });
        (Self { waiting: sender, list: Arc::clone(&list), metrics }, DeadLetterWriter { waiting, list })
    }

    /// Keeps a message, or the beginning of it, and says whether that was done.
    pub async fn keep_now(
        &self,
        source: Source<'_>,
        reason: &Unreadable,
        time: LogTime,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.list.push(dead_letter(source, reason, time, payload)).await
    }

    /// Keeps a message, or the beginning of it, when there is time for it.
    pub fn keep(&self, source: Source<'_>, reason: &Unreadable, time: LogTime, payload: &[u8]) {
        let letter = dead_letter(source, reason, time, payload);
        if self.waiting.try_send(letter).is_err() {
            self.metrics.channel_messages.of("letter_dropped").increment(1);
        }
    }
}

impl DeadLetterWriter {
    /// Writes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                letter = self.waiting.recv() => match letter {
                    Some(letter) => if let Err(error) = self.list.push(letter).await {
                        tracing::debug!(error = without_args(error.details()), "a dead letter could not be written");
                    },
                    None => return,
                },
                () = stop.cancelled() => return,
            }
        }
    }
}

impl List {
    /// Letters kept; the oldest go.
    const NEWEST_KEPT: &str = "999";
    /// How long a command may take.
    const TIMEOUT: Duration = Duration::from_secs(1);

    async fn push(&self, letter: String) -> Result<(), Error> {
        let pipeline = self.link.client()?.pipeline().with_options(&once(Self::TIMEOUT));
        let command = |name| CustomCommand::new_static(name, ClusterHash::from(self.key.as_str()), false);
        let () = pipeline.custom(command("LPUSH"), vec![self.key.clone(), letter]).await?;
        let trim = vec![self.key.clone(), "0".to_owned(), Self::NEWEST_KEPT.to_owned()];
        let () = pipeline.custom(command("LTRIM"), trim).await?;
        pipeline.all().await
    }
}
