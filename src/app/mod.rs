//! The application: the stages wired into the pipeline, and their life from start to drain.

mod board;
mod health;
mod inputs;
mod recovery;
mod router;
mod starting;
mod taps;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::Router;
use metrics_exporter_prometheus::BuildError;
use socketioxide::SocketIo;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

pub use self::starting::answer_while_starting;
use self::{
    board::RedisBulletin,
    health::{Health, watch_head},
    inputs::Inputs,
    recovery::{Recovered, recover},
    taps::Tapped,
};
use crate::{
    batch::{Batcher, Downstream},
    clock::Clock,
    config::{Config, RedisSettings},
    eventlog::{
        EventLog, MemoryLog,
        redis::{RedisStore, SharedLog, Unfit},
    },
    fanout::{Bulletin, Hub, SILENT_AFTER, run_audience, run_beats, run_debts, socketio},
    ingest::{Gate, http::NotifyDoor},
    net::{Connection, GuardedListener},
    redis::{Board, Link, RedisConfig},
    tasks::Tasks,
    telemetry::Metrics,
    web::FailureLimiter,
};

/// A gateway, wired but not yet serving.
pub struct App {
    public: Router,
    admin: Option<Router>,
    io: SocketIo,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    batcher: Batcher,
    inputs: Option<Inputs>,
    tasks: Tasks,
    log: Arc<dyn EventLog>,
    board: Option<Arc<dyn Bulletin>>,
}

/// What the log's Redis is used for besides.
struct Shared {
    connection: RedisConfig,
    commands: Arc<Link>,
}

/// Why a gateway did not come up, or went down by itself.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The metrics could not be set up.
    #[error("the metrics could not be set up: {0}")]
    Metrics(#[from] BuildError),
    /// Redis cannot keep the log.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(#[from] io::Error),
    /// A part without which nothing is delivered has ended.
    #[error("the task `{0}` ended")]
    TaskDied(&'static str),
}

/// How long closing sockets may take: one that stopped reading never closes by itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl App {
    /// Wires a gateway on the log that the settings name. With Redis it waits until Redis is there.
    pub async fn build(config: &Config) -> Result<Self, AppError> {
        let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new()?));
        let Some(redis) = &config.redis else {
            let log = Arc::new(MemoryLog::new(config.log, clock));
            return Self::wire(config, log, clock, metrics, None).await;
        };
        let store = connect(redis).await?;
        let shared = Shared { connection: redis.connection.clone(), commands: store.commands() };
        let board = Board::new(store.commands(), &redis.connection.keys, SILENT_AFTER);
        let log = Arc::new(SharedLog::new(store, Arc::clone(&metrics)));
        let app = Self::wire(config, log, clock, metrics, Some(shared)).await?;
        Ok(app.with_board(Arc::new(RedisBulletin(board))))
    }

    /// Wires a gateway on this log.
    pub async fn build_on(config: &Config, log: Arc<dyn EventLog>, clock: Clock) -> Result<Self, AppError> {
        Self::wire(config, log, clock, Arc::new(Metrics::new()?), None).await
    }

    /// Reads as the pipeline: gate, log, index, hub, batcher, and the doors in and out.
    async fn wire(
        config: &Config,
        log: Arc<dyn EventLog>,
        clock: Clock,
        metrics: Arc<Metrics>,
        shared: Option<Shared>,
    ) -> Result<Self, AppError> {
        let tasks = Tasks::new();
        let gate = Arc::new(Gate::new(Arc::clone(&log), clock, Arc::clone(&metrics)));

        let Recovered { index, tail, applied } = recover(&log, config.index, clock).await;
        let hub = Arc::new(Hub::new(config.hub, Arc::new(index), Arc::clone(&metrics)));
        let inputs = match shared {
            Some(Shared { connection, commands }) => {
                Some(Inputs::new(&connection, commands, &gate, &metrics)?)
            }
            None => None,
        };
        let downstream: Arc<dyn Downstream> = match &inputs {
            Some(inputs) => Arc::new(Tapped::new(Arc::clone(&hub), Arc::clone(&inputs.listener), applied)),
            None => Arc::clone(&hub) as _,
        };
        let batcher =
            Batcher::new(config.batch, Arc::clone(&log), tail, applied, downstream, Arc::clone(&metrics));

        let (socketio, io) = socketio::layer(Arc::clone(&hub));
        let health = Arc::new(Health::new(Arc::clone(&hub), Arc::clone(&metrics)));
        let door = NotifyDoor {
            gate: Arc::clone(&gate),
            keys: config.api_keys.clone(),
            failures: FailureLimiter::default(),
        };
        let routes = router::Routes {
            door: Arc::new(door),
            hub: Arc::clone(&hub),
            health: Arc::clone(&health),
            origins: Arc::new(config.origins.clone()),
            metrics: Arc::clone(&metrics),
            console: config.console,
            private_admin: config.admin.is_some(),
        };
        let public = routes.public(socketio);
        let admin = config.admin.is_some().then(|| routes.admin());
        Ok(Self { public, admin, io, gate, hub, health, metrics, batcher, inputs, tasks, log, board: None })
    }

    /// With the board where gateways that share a log tell each other how many viewers they have.
    pub fn with_board(self, board: Arc<dyn Bulletin>) -> Self {
        Self { board: Some(board), ..self }
    }

    /// The routes, for tests that need no socket. Nothing moves before [`start`](Self::start).
    pub fn router(&self) -> Router {
        self.public.clone()
    }

    /// The routes of the admin port, if there is one.
    pub fn admin_router(&self) -> Option<Router> {
        self.admin.clone()
    }

    /// Serves until `shutdown` resolves, then drains: what was accepted leaves before the process does.
    pub async fn run(
        self,
        listener: TcpListener,
        admin: Option<TcpListener>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), AppError> {
        let (public, admin_router) = (self.public.clone(), self.admin.clone());
        let written = self.metrics.flush_to_written.clone();
        let running = self.start();

        let closing = CancellationToken::new();
        let listener = GuardedListener::new(listener, written);
        let service = public.into_make_service_with_connect_info::<Connection>();
        let graceful = closing.clone().cancelled_owned();
        let serving = async move { axum::serve(listener, service).with_graceful_shutdown(graceful).await };
        let serving_admin = serve_admin(admin, admin_router, closing.clone());
        let mut serving = std::pin::pin!(async { tokio::try_join!(serving, serving_admin).map(|_| ()) });

        let died = tokio::select! {
            served = &mut serving => return Ok(served?),
            name = running.tasks.died() => Some(name),
            () = shutdown => None,
        };
        let draining = async {
            closing.cancel();
            running.drain().await;
        };
        let drained = async {
            let (served, ()) = tokio::join!(&mut serving, draining);
            served
        };
        match (timeout(CLOSE_TIMEOUT * 2, drained).await, died) {
            (_, Some(name)) => Err(AppError::TaskDied(name)),
            (Ok(served), None) => Ok(served?),
            (Err(_late), None) => {
                tracing::warn!("some connections did not close in time");
                Ok(())
            }
        }
    }

    /// Starts the tasks behind the routes.
    pub fn start(self) -> Running {
        let Self { io, gate, hub, health, metrics, batcher, inputs, tasks, log, board, .. } = self;
        let stop = tasks.stopping();
        tasks.spawn_vital("batcher", batcher.run(stop.clone()));
        tasks.spawn_vital("debts", run_debts(Arc::clone(&hub), stop.clone()));
        tasks.spawn_vital("beats", run_beats(Arc::clone(&hub), stop.clone()));
        if let Some(inputs) = inputs {
            inputs.spawn(&tasks);
        }
        // Without a budget nobody needs the figures.
        if let Some(board) = board.filter(|_| hub.has_budget()) {
            tasks.spawn_vital("audience", run_audience(Arc::clone(&hub), board, stop.clone()));
        }
        tasks.spawn_vital("upkeep", upkeep(metrics, Arc::clone(&hub), stop.clone()));
        tasks.spawn_vital("head watch", watch_head(log, Arc::clone(&health), stop));
        health.ready();
        Running { io, gate, hub, health, tasks }
    }
}

/// A gateway whose tasks run.
#[derive(Debug)]
pub struct Running {
    io: SocketIo,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    health: Arc<Health>,
    tasks: Tasks,
}

impl Running {
    /// The way in, for what drives a gateway without HTTP.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The way out, for what drives a gateway without sockets.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Takes nothing more in, flushes every window to whoever waits for it, and closes every connection.
    ///
    /// Sockets are closed at the transport: a Socket.IO client that is sent a disconnect packet does not come back.
    pub async fn drain(&self) {
        self.health.drain();
        self.gate.close().await;
        self.tasks.stop();
        self.tasks.ended().await;
        self.hub.end_streams();
        if timeout(CLOSE_TIMEOUT, self.io.close()).await.is_err() {
            tracing::warn!("some sockets did not close in time");
        }
    }
}

/// Connects to Redis and looks whether it can keep a log. Tries until it is there: a gateway that starts while Redis
/// is away must not need somebody to start it again.
async fn connect(redis: &RedisSettings) -> Result<RedisStore, AppError> {
    const RETRY: Duration = Duration::from_millis(500);
    const TELL_AFTER: Duration = Duration::from_secs(2);
    let store = RedisStore::new(&redis.connection, redis.log)?;
    let mut told = None;
    loop {
        if let Ok(Ok(fit)) = timeout(TELL_AFTER, store.check()).await {
            if let Some(doubt) = fit? {
                tracing::warn!(doubt, "Redis could not be looked at in every way");
            }
            return Ok(store);
        }
        let reason = store.last_error().unwrap_or_else(|| "no answer".to_owned());
        if told.as_ref() != Some(&reason) {
            tracing::warn!(reason, "waiting for Redis");
            told = Some(reason);
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Keeps memory bounded while nothing happens.
async fn upkeep(metrics: Arc<Metrics>, hub: Arc<Hub>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Metrics::UPKEEP_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                metrics.upkeep();
                hub.index().forget();
            }
            () = stop.cancelled() => return,
        }
    }
}

async fn serve_admin(
    listener: Option<TcpListener>,
    router: Option<Router>,
    closing: CancellationToken,
) -> io::Result<()> {
    let (Some(listener), Some(router)) = (listener, router) else {
        closing.cancelled().await;
        return Ok(());
    };
    axum::serve(listener, router).with_graceful_shutdown(closing.cancelled_owned()).await
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}
