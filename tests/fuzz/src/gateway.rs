//! A whole gateway in one thread: the real routes on a log in memory, without a socket and in simulated time.
//!
//! Time is tokio's paused time, which moves on only when nothing is left to do. So "nothing more comes" needs no guess
//! about how long to wait, and two runs of one input do the same. One gateway serves all inputs of a thread: what an input
//! leaves behind would meet the next, so [`Gateway::is_as_before`] is asked after each.

use std::{cell::OnceCell, collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use shelfcast::{
    app::{App, Running},
    clock::Clock,
    config::{Config, Values},
    eventlog::MemoryLog,
    fanout::Counts,
    ingest::notify::{self, Form},
    model::LogTime,
};
use tokio::{
    io::{DuplexStream, duplex},
    runtime::{self, Runtime},
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

/// The API key that inputs may use.
pub const KEY: &str = "a-key-that-every-input-may-use-01";

/// What stands for the log's epoch in inputs, because the real one is another one in each process.
pub const EPOCH: &[u8; 8] = b"epoch000";

/// Longer than anything a client waits for: a request that is ahead of the log is answered after 2 s.
pub const QUIET: Duration = Duration::from_secs(3);

/// Lets the gateway do all that it can do now.
pub async fn settled() {
    // Simulated time: no timer fires while a task can run.
    sleep(Duration::from_millis(1)).await;
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    router: Router,
    running: Running,
    epoch: String,
    before: Counts,
}

/// Runs `client` against this thread's gateway, which is started first if need be.
pub fn with_gateway(client: impl AsyncFnOnce(&Gateway)) {
    thread_local!(static GATEWAY: OnceCell<(Runtime, Gateway)> = const { OnceCell::new() });
    GATEWAY.with(|gateway| {
        let (runtime, gateway) = gateway.get_or_init(|| {
            let mut runtime = runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
            let gateway = runtime.block_on(Gateway::start());
            (runtime, gateway)
        });
        runtime.block_on(client(gateway));
    });
}

impl Gateway {
    /// A log with four events of the products `p1` and `p2`; what was said before 3 is forgotten later than any input runs.
    const EVENTS: &str = r#"{"events":[
        {"productId":"p1","type":"price_update","data":{"newPrice":1}},
        {"productId":"p2","type":"price_update","data":{"newPrice":2}},
        {"productId":"p1","type":"inventory_update","data":{"currentStock":0}},
        {"productId":"p2","type":"sale_update","data":{"active":true}}]}"#;

    async fn start() -> Self {
        let clock = Clock::from_tokio(LogTime::from_micros(1_767_225_600_000_000));
        let flags = [
            ("INTERNAL_API_KEY", KEY),
            // Inputs take simulated seconds each, and there are millions of them.
            ("LOG_RETENTION_SECS", "2592000"),
            ("LOG_MAX_EVENTS", "1000"),
            ("IDEMPOTENCY_TTL_SECS", "60"),
        ];
        let flags: HashMap<_, _> = flags.map(|(name, value)| (name, value.to_owned())).into();
        let config = Config::read(&Values { flags, env: Box::new(|_| None) }).expect("good settings");
        let log = Arc::new(MemoryLog::new(config.log, clock));
        let app = App::build_on(&config, log, clock).await.expect("a gateway");
        // As serving does it. Without, each request would get layers of its own, and no session would be found again.
        let router = app.router().with_state(());
        let running = app.start();
        let append = notify::parse(Self::EVENTS.as_bytes(), Form::Batch, None, clock.now()).expect("events");
        let appended = running.gate().append(append).await.expect("a log in memory takes them");
        sleep(QUIET).await;
        let before = running.hub().counts();
        Self { router, running, epoch: appended.cursor.epoch.to_string(), before }
    }

    /// The input with the real epoch in place of [`EPOCH`].
    pub fn with_epoch(&self, input: &[u8]) -> Vec<u8> {
        let mut input = input.to_vec();
        let mut at = 0;
        while let Some(found) = input[at..].windows(EPOCH.len()).position(|window| window == EPOCH) {
            at += found;
            input[at..at + EPOCH.len()].copy_from_slice(self.epoch.as_bytes());
        }
        input
    }

    /// One request through the routes.
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }

    /// One connection, served as the gateway's listener serves it. It ends when `client` has let it go.
    pub async fn connect(&self, client: impl AsyncFnOnce(DuplexStream)) {
        let (near, far) = duplex(64 * 1024);
        let routes = self.router.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let builder = Builder::new(TokioExecutor::new());
        let serving =
            builder.serve_connection_with_upgrades(TokioIo::new(far), TowerToHyperService::new(routes));
        // A connection may end in any way, and one that waits for a heartbeat of a stream ends by itself.
        let serving = async { drop(timeout(QUIET * 2, serving).await) };
        let ((), ()) = tokio::join!(client(near), serving);
    }

    /// Waits until every connection, room and membership is gone that an input made. They go with their connection; one
    /// that the library forgot is found by its next beat.
    pub async fn is_as_before(&self) {
        const BEAT_EVERY: Duration = Duration::from_secs(21);
        let left = || Counts { pending_windows: 0, ..self.running.hub().counts() };
        settled().await;
        if left() != self.before {
            sleep(BEAT_EVERY).await;
        }
        assert_eq!(left(), self.before, "an input left something behind");
    }
}
