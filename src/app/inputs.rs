//! The inputs at Redis, wired: who hears, who reads the stream, who keeps what cannot be read. Decides nothing.

use std::sync::Arc;

use crate::{
    eventlog::redis::Unfit,
    ingest::{
        Gate,
        channels::{ChannelNames, DeadLetterWriter, DeadLetters, Listener, StreamReader},
    },
    redis::{Link, RedisConfig},
    tasks::Tasks,
    telemetry::{Context, Metrics, Way},
};

/// Everything that takes in messages from Redis.
pub(super) struct Inputs {
    pub(super) listener: Arc<Listener>,
    stream: StreamReader,
    letters: DeadLetterWriter,
}

impl Inputs {
    /// `commands`: a connection that nothing blocks.
    pub(super) fn new(
        redis: &RedisConfig,
        commands: Arc<Link>,
        gate: &Arc<Gate>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Unfit> {
        let no_client = |error: fred::error::Error| Unfit::NoClient(error.to_string());
        let keys = &redis.keys;
        let (dead, letters) = DeadLetters::new(Arc::clone(&commands), keys, Arc::clone(metrics));
        let subscriber = redis.subscriber().map_err(no_client)?;
        let listener =
            Listener::new(Arc::clone(gate), commands, subscriber, keys, dead.clone(), Arc::clone(metrics));
        let link = redis.client().map_err(no_client)?;
        let stream = StreamReader::new(Arc::clone(gate), link, keys, dead, Arc::clone(metrics));
        Ok(Self { listener: Arc::new(listener), stream, letters })
    }

    /// `here`: on whose behalf what is told by this way is appended.
    pub(super) fn spawn(self, tasks: &Tasks, here: impl Fn(Way) -> Context) {
        let Self { listener, stream, letters } = self;
        let reading = stream.run(listener.holding(), tasks.stopping());
        tasks.spawn_vital("input stream", here(Way::Stream(ChannelNames::STREAM)).scope(reading));
        tasks.spawn_vital("input channels", Arc::clone(&listener).listen(tasks.stopping()));
        let appending = here(Way::Unknown).scope(listener.append(tasks.stopping()));
        tasks.spawn_vital("input appends", appending);
        tasks.spawn_vital("dead letters", letters.run(tasks.stopping()));
    }
}
