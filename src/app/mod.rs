//! The application: the stages wired into the pipeline, and their life from start to drain.

mod board;
mod drain;
mod front;
mod health;
mod inputs;
mod openapi;
mod recovery;
mod requests;
mod router;
mod starting;
mod taps;
mod trace;

use std::{future::Future, sync::Arc, time::Duration};

use axum::Router;
use metrics_exporter_prometheus::BuildError;
use socketioxide::SocketIo;
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::starting::answer_while_starting;
pub use self::trace::{TraceReport, TracedBatch, TracedEvent};
use self::{
    board::RedisBulletin,
    drain::leave,
    front::Front,
    health::{Health, watch_head},
    inputs::Inputs,
    recovery::{Recovered, recover},
    taps::Tapped,
};
use crate::{
    batch::{Batcher, Downstream},
    clock::Clock,
    config::{Config, DrainConfig, RedisSettings},
    eventlog::{
        EventLog, MemoryLog,
        redis::{RedisStore, SharedLog, Unfit},
    },
    fanout::{
        Bulletin, Hub, SILENT_AFTER, run_audience, run_beats, run_debts,
        socketio::{self, Door},
        sse::EventsDoor,
    },
    ingest::{
        Gate, Load, SaleTimer,
        http::NotifyDoor,
        webhooks::{MemoryParts, Parts, Pipeline, RedisParts},
    },
    net::{Connections, Deadlines, GuardedListener, Seats, Stops, serve},
    redis::{Board, Link, RedisConfig},
    tasks::Tasks,
    telemetry::{Context, Metrics, Way},
    web::{AddressBuckets, Authenticator, ClientAddress},
};

/// A gateway, wired but not yet serving.
pub struct App {
    public: Front,
    admin: Option<Router>,
    io: SocketIo,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    batcher: Batcher,
    inputs: Option<Inputs>,
    pipeline: Arc<Pipeline>,
    connections: Arc<Connections>,
    stops: Stops,
    tasks: Tasks,
    log: Arc<dyn EventLog>,
    board: Option<Arc<dyn Bulletin>>,
    pod: Arc<str>,
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
    /// A part without which nothing is delivered has ended.
    #[error("the task `{0}` ended")]
    TaskDied(&'static str),
}

impl App {
    /// Wires a gateway on the log that the settings name. With Redis it waits until Redis is there.
    pub async fn build(config: &Config) -> Result<Self, AppError> {
        let (clock, metrics, tasks) = (Clock::system(), Arc::new(Metrics::new()?), Tasks::new());
        let Some(redis) = &config.redis else {
            let log = Arc::new(MemoryLog::new(config.log, clock));
            return Self::wire(config, log, clock, metrics, tasks, None).await;
        };
        let store = connect(redis, &tasks).await?;
        let shared = Shared { connection: redis.connection.clone(), commands: store.commands() };
        let board = Board::new(store.commands(), &redis.connection.keys, SILENT_AFTER);
        let log = Arc::new(SharedLog::new(store, Arc::clone(&metrics)));
        let app = Self::wire(config, log, clock, metrics, tasks, Some(shared)).await?;
        Ok(app.with_board(Arc::new(RedisBulletin(board))))
    }

    /// Wires a gateway on this log.
    pub async fn build_on(config: &Config, log: Arc<dyn EventLog>, clock: Clock) -> Result<Self, AppError> {
        Self::wire(config, log, clock, Arc::new(Metrics::new()?), Tasks::new(), None).await
    }

    /// Reads as the pipeline: gate, log, index, hub, batcher, and the doors in and out.
    async fn wire(
        config: &Config,
        log: Arc<dyn EventLog>,
        clock: Clock,
        metrics: Arc<Metrics>,
        tasks: Tasks,
        shared: Option<Shared>,
    ) -> Result<Self, AppError> {
        let gate = Arc::new(Gate::new(Arc::clone(&log), clock, Arc::clone(&metrics)));

        let Recovered { index, tail, applied } = recover(&log, config.index, clock).await;
        let hub = Arc::new(Hub::new(config.hub, Arc::new(index), Arc::clone(&metrics)));
        let parts: Arc<dyn Parts> = match &shared {
            Some(Shared { connection, commands }) => {
                Arc::new(RedisParts::new(Arc::clone(commands), &connection.keys))
            }
            None => Arc::new(MemoryParts::default()),
        };
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

        let authenticator = Arc::new(Authenticator::new(config.jwt.clone(), config.require_auth, clock));
        let (socketio, io) = socketio::service(Arc::clone(&hub), Arc::clone(&authenticator));
        let health = Arc::new(Health::new(Arc::clone(&hub), Arc::clone(&metrics)));
        let door = NotifyDoor {
            gate: Arc::clone(&gate),
            keys: config.api_keys.clone(),
            failures: AddressBuckets::new(AddressBuckets::WRONG_KEYS),
            load: Load::default(),
        };
        let pipeline = Arc::new(Pipeline::new(Arc::clone(&gate), parts, Arc::clone(&metrics)));
        let routes = router::Routes {
            door: Arc::new(door),
            pipeline: Arc::clone(&pipeline),
            webhooks: config.webhooks.clone(),
            events: Arc::new(EventsDoor { hub: Arc::clone(&hub), authenticator }),
            sockets: Door::new(Arc::clone(&hub), socketio, tasks.clone()),
            health: Arc::clone(&health),
            origins: Arc::new(config.origins.clone()),
            proxies: Arc::new(config.proxies.clone()),
            metrics: Arc::clone(&metrics),
            console: config.console,
            pod: Arc::clone(&config.pod),
            private_admin: config.admin.is_some(),
        };
        let public = routes.public();
        let admin = config.admin.is_some().then(|| routes.admin());
        let connections = connections(config, &metrics);
        Ok(Self {
            public,
            admin,
            io,
            gate,
            hub,
            health,
            metrics,
            batcher,
            inputs,
            pipeline,
            connections,
            stops: Stops::default(),
            tasks,
            log,
            board: None,
            pod: Arc::clone(&config.pod),
        })
    }

    /// With the board where gateways that share a log tell each other how many viewers they have.
    pub fn with_board(self, board: Arc<dyn Bulletin>) -> Self {
        Self { board: Some(board), ..self }
    }

    /// The routes, for tests that need no socket. Nothing moves before [`start`](Self::start).
    pub fn router(&self) -> Router {
        self.public.clone().into_router()
    }

    /// The routes of the admin port, if there is one.
    pub fn admin_router(&self) -> Option<Router> {
        self.admin.clone()
    }

    /// Serves until `shutdown` resolves, then drains as it says: what was accepted leaves before the process does.
    pub async fn run(
        self,
        listener: TcpListener,
        admin: Option<TcpListener>,
        shutdown: impl Future<Output = DrainConfig> + Send,
    ) -> Result<(), AppError> {
        let (stops, connections) = (self.stops.clone(), Arc::clone(&self.connections));
        let serving = serve(
            GuardedListener::new(listener, Arc::clone(&connections)),
            self.public.clone(),
            stops.clone(),
        );
        let serving_admin = serve_admin(admin, self.admin.clone(), Arc::clone(&self.metrics), stops.keep);
        let watching = Arc::clone(&connections).watch(CancellationToken::new());
        let mut serving = std::pin::pin!(async {
            tokio::select! { ((), ()) = async { tokio::join!(serving, serving_admin) } => {}, () = watching => {} }
        });
        let running = self.start();

        let (drain, died) = tokio::select! {
            () = &mut serving => return Ok(()),
            name = running.tasks.died() => (DrainConfig::AT_ONCE, Some(name)),
            drain = shutdown => (drain, None),
        };
        let leaving = leave(&running, drain, serving, &connections);
        if timeout(drain.longest(), leaving).await.is_err() {
            tracing::warn!("not everything came to its end in time");
        }
        died.map_or(Ok(()), |name| Err(AppError::TaskDied(name)))
    }

    /// Starts the tasks behind the routes.
    pub fn start(self) -> Running {
        let Self {
            io,
            gate,
            hub,
            health,
            metrics,
            batcher,
            inputs,
            pipeline,
            stops,
            tasks,
            log,
            board,
            pod,
            ..
        } = self;
        let stop = tasks.stopping();
        tasks.spawn_vital("batcher", batcher.run(stop.clone()));
        tasks.spawn_vital("debts", run_debts(Arc::clone(&hub), stop.clone()));
        tasks.spawn_vital("beats", run_beats(Arc::clone(&hub), stop.clone()));
        let input_tasks = tasks.part();
        let here = |way| Context::of_pod(Arc::clone(&pod), way);
        let sales = SaleTimer::new(Arc::clone(&gate), Arc::clone(&metrics));
        let lease = inputs.as_ref().map(|inputs| inputs.listener.holding());
        let sales = here(Way::Timer("sales")).scope(sales.run(lease, input_tasks.stopping()));
        input_tasks.spawn_vital("sale timer", sales);
        let debts = here(Way::Timer("webhook-debts")).scope(pipeline.pay_debts(input_tasks.stopping()));
        input_tasks.spawn_vital("webhook debts", debts);
        if let Some(inputs) = inputs {
            inputs.spawn(&input_tasks, here);
        }
        // Without a budget nobody needs the figures.
        if let Some(board) = board.filter(|_| hub.has_budget()) {
            tasks.spawn_vital("audience", run_audience(Arc::clone(&hub), board, stop.clone()));
        }
        tasks.spawn_vital("upkeep", upkeep(metrics, Arc::clone(&hub), stop.clone()));
        tasks.spawn_vital("head watch", watch_head(log, Arc::clone(&health), stop));
        health.ready();
        Running { io, gate, hub, health, stops, tasks, input_tasks }
    }
}

/// A gateway whose tasks run.
#[derive(Debug)]
pub struct Running {
    io: SocketIo,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    health: Arc<Health>,
    stops: Stops,
    tasks: Tasks,
    /// Those of `tasks` that take something in; they end first.
    input_tasks: Tasks,
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
}

/// Connects to Redis and looks whether it can keep a log. Tries until it is there: a gateway that starts while Redis
/// is away must not need somebody to start it again.
async fn connect(redis: &RedisSettings, tasks: &Tasks) -> Result<RedisStore, AppError> {
    const RETRY: Duration = Duration::from_millis(500);
    const TELL_AFTER: Duration = Duration::from_secs(2);
    const TELL_AGAIN: Duration = Duration::from_secs(30);
    let store = RedisStore::new(&redis.connection, redis.log, tasks)?;
    let servers = redis.connection.servers();
    let mut told: Option<(String, Instant)> = None;
    loop {
        if let Ok(Ok(fit)) = timeout(TELL_AFTER, store.check()).await {
            if let Some(doubt) = fit? {
                tracing::warn!(doubt, "Redis could not be looked at in every way");
            }
            return Ok(store);
        }
        let reason = store.last_error().unwrap_or_else(|| "no answer".to_owned());
        if !told.as_ref().is_some_and(|(same, at)| *same == reason && at.elapsed() < TELL_AGAIN) {
            tracing::warn!(reason, servers, "waiting for Redis");
            told = Some((reason, Instant::now()));
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

/// The connections that may be open at once: a session each, and some for requests that come and go.
fn connections(config: &Config, metrics: &Arc<Metrics>) -> Arc<Connections> {
    let limits = &config.connections;
    let seats = Seats::new(limits.tcp_max, limits.tcp_per_address_max);
    let proxies = config.proxies.clone();
    // Behind a proxy stand many clients; they are counted by the sessions they open.
    let owner = move |peer| {
        Some(ClientAddress::new(peer)).filter(|p| !proxies.trusts(*p)).map(ClientAddress::network)
    };
    Connections::new(seats, Arc::new(owner), Deadlines::default(), Arc::clone(metrics))
}

async fn serve_admin(
    listener: Option<TcpListener>,
    router: Option<Router>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    /// Scrapers and probes: few, and none of them a stranger.
    const CONNECTIONS_MAX: usize = 256;
    let (Some(listener), Some(router)) = (listener, router) else {
        return stop.cancelled().await;
    };
    let seats = Seats::new(CONNECTIONS_MAX, None);
    let connections = Connections::new(seats, Arc::new(Some), Deadlines::default(), metrics);
    let watching = Arc::clone(&connections).watch(CancellationToken::new());
    // Figures are there to the end.
    let stops = Stops { accept: stop.clone(), keep: stop };
    tokio::select! {
        () = serve(GuardedListener::new(listener, connections), router, stops) => {}
        () = watching => {}
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}
