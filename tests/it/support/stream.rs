//! A stream as an `EventSource` reads it.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::{Instant, timeout};

/// An open stream.
pub struct Stream {
    body: Body,
    pending: String,
}

/// One block.
#[derive(Debug, Default, PartialEq)]
pub struct Block {
    pub event: Option<String>,
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub data: Value,
}

impl Stream {
    pub(super) fn new(body: Body) -> Self {
        Self { body, pending: String::new() }
    }

    /// The next block, which must come within a minute of tokio's time; `None`: the stream ended.
    pub async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.pending.split_once("\n\n") {
                let block = Block::parse(block);
                self.pending = rest.to_owned();
                return Some(block);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Option<()> {
        let frame =
            timeout(Duration::from_secs(60), self.body.frame()).await.expect("nothing came for a minute");
        let data = frame?.unwrap().into_data().unwrap();
        self.pending.push_str(std::str::from_utf8(&data).unwrap());
        Some(())
    }

    /// The text of the stream up to `mark` and the block it stands in.
    pub async fn raw_until(&mut self, mark: &str) -> String {
        while !self.pending.contains(mark) {
            self.read().await.expect("the stream ended");
        }
        self.pending.clone()
    }

    /// The next block that is a batch, heartbeats passed over.
    pub async fn batch(&mut self) -> Block {
        loop {
            let block = self.next().await.expect("the stream ended");
            if block.event.as_deref() == Some("batched_product_update") {
                return block;
            }
            assert!(matches!(block.event.as_deref(), None | Some("position")), "unexpected {block:?}");
        }
    }

    /// The next block that is a batch after Redis lost its data. The channels are told of then as well, with a gap: before
    /// the batch or after it, or not at all if they had not been taken up, or if it is the first entry of the new log.
    pub async fn batch_past_gaps(&mut self) -> Block {
        loop {
            let block = self.next().await.expect("the stream ended");
            match block.event.as_deref() {
                Some("batched_product_update") => return block,
                Some("resync_required") => assert_eq!(block.text("reason"), "gap"),
                other => assert!(matches!(other, None | Some("position")), "unexpected {block:?}"),
            }
        }
    }

    /// The next word to refetch, batches and heartbeats passed over, and how long it took to come.
    pub async fn resync(&mut self) -> (Block, Duration) {
        let begin = Instant::now();
        loop {
            let block = self.next().await.expect("the stream ended");
            if block.event.as_deref() == Some("resync_required") {
                return (block, begin.elapsed());
            }
        }
    }

    /// Nothing but heartbeats comes for five seconds of tokio's time.
    pub async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_secs(5), self.batch()).await.is_err()
    }
}

impl Block {
    fn parse(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("event", value)) => block.event = Some(value.into()),
                Some(("id", value)) => block.id = Some(value.into()),
                Some(("retry", value)) => block.retry = Some(value.parse().unwrap()),
                Some(("data", value)) => block.data = serde_json::from_str(value).unwrap(),
                _ => assert_eq!(line, ":", "only comments have no field"),
            }
        }
        block
    }

    pub fn count(&self) -> u64 {
        self.data["count"].as_u64().unwrap()
    }

    pub fn text(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap()
    }
}
