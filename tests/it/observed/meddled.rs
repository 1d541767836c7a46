//! What happens between a pod's question and its append: each thing that must make it ask again does. Real Redis; the test
//! steps in between.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use shelfcast::{
    eventlog::{
        Append, AppendError, EventLog, InputGap,
        redis::{
            Due, RedisStore, SeenWrites, SharedLog, SnapshotStore, Standing, Stands, Store, StoreError,
            Stored, Taken,
        },
        snapshots::{Fired, Sighting, Sightings},
    },
    model::{Epoch, LogTime},
    telemetry::Metrics,
};

use super::{CHANGED, REDIS_LOG, UNCHANGED, shirt};
use crate::support::RedisServer;

/// Does something to the server in front of a conditional append; `true`: the answer is lost on its way back.
type Meddle = Box<dyn FnMut(&RedisServer) -> bool + Send>;

/// A store where the test steps in between.
struct Meddled {
    store: RedisStore,
    server: Arc<RedisServer>,
    meddle: Mutex<Meddle>,
}

impl fmt::Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddled")
    }
}

#[async_trait]
impl Store for Meddled {
    async fn append(&self, append: &Append) -> Result<Taken, StoreError> {
        self.store.append(append).await
    }

    async fn append_gap(&self, gap: &InputGap) -> Result<Taken, StoreError> {
        self.store.append_gap(gap).await
    }

    async fn head(&self) -> Result<Standing, StoreError> {
        self.store.head().await
    }

    async fn renew(&self, expected: Epoch) -> Result<Standing, StoreError> {
        self.store.renew(expected).await
    }

    async fn read(&self, after_n: u64) -> Result<Vec<Stored>, StoreError> {
        self.store.read(after_n).await
    }
}

#[async_trait]
impl SnapshotStore for Meddled {
    async fn append_seen(&self, append: &Append, writes: &SeenWrites) -> Result<Stands, StoreError> {
        // A question changes nothing.
        let loses = writes.epoch.is_some() && (self.meddle.lock())(&self.server);
        let stands = self.store.append_seen(append, writes).await?;
        if loses { Err(StoreError::Unknown) } else { Ok(stands) }
    }

    async fn due(&self) -> Result<Due, StoreError> {
        self.store.due().await
    }
}

/// A server, and two pods on it: one is left alone, with the other the test meddles.
struct World {
    server: Arc<RedisServer>,
    alone: Arc<dyn EventLog>,
    meddled: SharedLog<Meddled>,
}

async fn world(meddle: impl FnMut(&RedisServer) -> bool + Send + 'static) -> World {
    let server = Arc::new(RedisServer::start());
    let (alone, store) = (server.log(REDIS_LOG).await, server.store(REDIS_LOG).await);
    let meddled =
        Meddled { store, server: Arc::clone(&server), meddle: Mutex::new(Box::new(meddle) as Meddle) };
    let meddled = SharedLog::new(meddled, Arc::new(Metrics::new().unwrap()));
    World { server, alone, meddled }
}

/// Does it the first time only.
fn once(mut act: impl FnMut(&RedisServer) + Send + 'static) -> impl FnMut(&RedisServer) -> bool + Send {
    let mut done = false;
    move |server| {
        if !std::mem::replace(&mut done, true) {
            act(server);
        }
        false
    }
}

fn see(price: &str) -> Sightings {
    let sightings = vec![Sighting::Shown(Box::new(shirt(price)))];
    let now = LogTime::parse("2026-01-01T00:00:00Z").unwrap();
    Sightings { request: None, events: Vec::new(), sightings, now }
}

#[tokio::test]
async fn an_epoch_that_began_in_between_makes_what_was_seen_void() {
    let forget = |server: &RedisServer| {
        server.command(&["HSET", "{shelfcast}:meta", "epoch", "another1"]);
    };
    let World { alone, meddled, .. } = world(once(forget)).await;
    alone.observe(see("20")).await.unwrap();
    // Compared with what stood when it asked, nothing has changed.
    assert_eq!(meddled.observe(see("20")).await.unwrap().tally, CHANGED);
}

#[tokio::test]
async fn a_snapshot_that_went_in_between_is_missed() {
    let forget = |server: &RedisServer| {
        server.command(&["DEL", "{shelfcast}:snapshots"]);
    };
    let World { alone, meddled, .. } = world(once(forget)).await;
    alone.observe(see("20")).await.unwrap();
    assert_eq!(meddled.observe(see("20")).await.unwrap().tally, CHANGED);
    assert_eq!(meddled.observe(see("20")).await.unwrap().tally, UNCHANGED);
}

#[tokio::test]
async fn what_another_tells_of_the_product_in_between_is_noticed() {
    let speak = |server: &RedisServer| {
        server.command(&["HDEL", "{shelfcast}:streaks", "shirt"]);
    };
    let World { alone, meddled, .. } = world(once(speak)).await;
    alone.observe(see("20")).await.unwrap();
    assert_eq!(meddled.observe(see("20")).await.unwrap().tally, CHANGED);
    assert_eq!(meddled.observe(see("20")).await.unwrap().tally, UNCHANGED);
}

#[tokio::test]
async fn a_boundary_that_another_pod_fired_in_between_is_not_fired() {
    for words in
        [&["ZREM", "{shelfcast}:sales", "start/lost"][..], &["ZADD", "{shelfcast}:sales", "2", "start/lost"]]
    {
        let fired = move |server: &RedisServer| {
            server.command(words);
        };
        let World { server, meddled, .. } = world(once(fired)).await;
        meddled.head().await.unwrap();
        server.command(&["ZADD", "{shelfcast}:sales", "1", "start/lost"]);
        let before = meddled.head().await.unwrap().position;
        let overtaken = meddled.fire_sales(None).await;
        assert!(matches!(overtaken, Err(AppendError::Overloaded { .. })), "{overtaken:?}");
        assert_eq!(meddled.head().await.unwrap().position, before);
    }
}

/// Goal: whoever is always overtaken is told so and has changed nothing, and the log is not taken for broken.
#[tokio::test]
async fn who_is_overtaken_every_time_is_told_to_come_again() {
    let mut count = 0;
    let overtake = move |server: &RedisServer| {
        count += 1;
        server.command(&["HSET", "{shelfcast}:snapshots", "shirt", &format!("other {count}")]);
        false
    };
    let World { alone, meddled, .. } = world(overtake).await;
    let before = alone.head().await.unwrap().position;
    for _ in 0..5 {
        let observed = meddled.observe(see("20")).await;
        assert!(matches!(observed, Err(AppendError::Overloaded { .. })), "{observed:?}");
    }
    assert_eq!(alone.head().await.unwrap().position, before);
    assert_eq!(meddled.fire_sales(None).await, Ok(Fired::default()));
    assert!(meddled.append_gap(InputGap { product_ids: Vec::new(), lease: None }).await.is_ok());
}

/// The answer is lost, not the append: a retry finds the change told, whether its delivery has a claim or not.
#[tokio::test]
async fn a_retry_of_what_was_taken_tells_nothing_twice() {
    let mut count = 0;
    let lose_first = move |_: &RedisServer| {
        count += 1;
        count == 1
    };
    let World { alone, meddled, .. } = world(lose_first).await;
    alone.observe(see("20")).await.unwrap();
    let lost = meddled.observe(see("15")).await;
    assert!(matches!(lost, Err(AppendError::Unavailable { .. })), "{lost:?}");
    assert_eq!(meddled.observe(see("15")).await.unwrap().tally, UNCHANGED);
    assert_eq!(alone.head().await.unwrap().position.n, 2);
}
