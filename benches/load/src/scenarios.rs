//! What is measured: the list of scenarios. Plain data.

use std::time::Duration;

use crate::client::Transport;

/// One row of work.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// As it is named on the command line.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// What is done.
    pub work: Work,
    /// Whether it runs only when it is asked for: how a figure grows, not what it is.
    pub is_growth: bool,
}

/// The kinds of work.
#[derive(Debug, Clone)]
pub enum Work {
    /// Clients that get nothing, each in the rooms of three products.
    Idle {
        /// How they are connected.
        transport: Transport,
        /// How many.
        clients: usize,
    },
    /// Events that reach clients.
    FanOut(FanOut),
    /// Events that reach nobody.
    Ingest {
        /// Keep-alive connections with one request under way each.
        publishers: usize,
        /// Events a second, one a request. Without a rate as many as the server takes.
        per_sec: Option<usize>,
        /// Whether the log is in Redis. The reference is then a bare loop of appends.
        redis: bool,
    },
    /// Events that several gateways read from one Redis, and nobody hears of. Only the gateway can do this.
    Pods {
        /// How many.
        pods: usize,
        /// Events a second, one a request, all through the first pod.
        per_sec: usize,
    },
    /// Clients that connect, join, leave and end.
    Churn {
        /// New ones a second.
        per_sec: usize,
    },
}

/// Events that reach clients.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// How clients are connected.
    pub transport: Transport,
    /// How many.
    pub clients: usize,
    /// Over how many products, by Zipf.
    pub products: usize,
    /// How many each client looks at.
    pub products_each: usize,
    /// Over all products, by Zipf.
    pub events_per_sec: usize,
    /// Published by one request.
    pub events_per_post: usize,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Clients are divided by this.
    pub divisor: usize,
    /// Publishing without counting, so that caches are warm and the code is compiled.
    pub warm_up: Duration,
    /// Publishing, counted.
    pub measured: Duration,
}

impl Size {
    /// As the budgets are meant.
    pub const FULL: Self =
        Self { divisor: 1, warm_up: Duration::from_secs(2), measured: Duration::from_secs(8) };
    /// Enough to see that everything works.
    pub const QUICK: Self =
        Self { divisor: 20, warm_up: Duration::from_millis(400), measured: Duration::from_millis(800) };
}

/// Products that one client looks at, where nothing else is said.
pub const PRODUCTS_EACH: usize = 3;

/// Every scenario, in the order of the table.
pub fn all() -> Vec<Scenario> {
    use Transport::{Sse, WebSocket};
    let room = |transport, clients| {
        Work::FanOut(FanOut {
            transport,
            clients,
            products: 1,
            products_each: 1,
            events_per_sec: 20,
            events_per_post: 1,
        })
    };
    let spread = FanOut {
        transport: WebSocket,
        clients: 5_000,
        products: 500,
        products_each: 3,
        events_per_sec: 1_000,
        events_per_post: 20,
    };
    let scenario = |name, about, work| Scenario { name, about, work, is_growth: false };
    let growth = |name, about, work| Scenario { name, about, work, is_growth: true };
    vec![
        scenario(
            "idle",
            "10,000 idle WebSockets, 3 products each",
            Work::Idle { transport: WebSocket, clients: 10_000 },
        ),
        scenario(
            "idle-sse",
            "10,000 idle SSE streams, 3 products each",
            Work::Idle { transport: Sse, clients: 10_000 },
        ),
        scenario("hot-1000", "1,000 WebSockets in one room, 20 events/s", room(WebSocket, 1_000)),
        scenario("hot-5000", "5,000 WebSockets in one room, 20 events/s", room(WebSocket, 5_000)),
        scenario("hot-sse", "5,000 SSE streams of one product, 20 events/s", room(Sse, 5_000)),
        scenario(
            "spread",
            "5,000 WebSockets, 3 of 500 products each (Zipf), 1,000 events/s",
            Work::FanOut(spread),
        ),
        scenario(
            "ingest",
            "64 keep-alive publishers, one event a request, log in memory",
            Work::Ingest { publishers: 64, per_sec: None, redis: false },
        ),
        scenario(
            "ingest-paced",
            "64 keep-alive publishers, 10,000 events/s, one a request, log in memory",
            Work::Ingest { publishers: 64, per_sec: Some(10_000), redis: false },
        ),
        scenario(
            "ingest-redis",
            "64 keep-alive publishers, one event a request, log in Redis (reference: a bare loop of pipelined EVALSHA)",
            Work::Ingest { publishers: 64, per_sec: None, redis: true },
        ),
        scenario(
            "churn",
            "1,000 WebSockets a second connect, join, leave and end",
            Work::Churn { per_sec: 1_000 },
        ),
        growth("idle-1000", "1,000 idle WebSockets", Work::Idle { transport: WebSocket, clients: 1_000 }),
        growth("idle-5000", "5,000 idle WebSockets", Work::Idle { transport: WebSocket, clients: 5_000 }),
        growth("idle-15000", "15,000 idle WebSockets", Work::Idle { transport: WebSocket, clients: 15_000 }),
        growth("pods-1", "1 gateway on Redis, 500 events/s", Work::Pods { pods: 1, per_sec: 500 }),
        growth("pods-2", "2 gateways on Redis, 500 events/s", Work::Pods { pods: 2, per_sec: 500 }),
        growth("pods-4", "4 gateways on Redis, 500 events/s", Work::Pods { pods: 4, per_sec: 500 }),
    ]
}
