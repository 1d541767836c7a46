//! Every metric: name, help and labels in one list. No label can be chosen by a user, so the number of series is fixed.
//!
//! Handles are made once; recording through one is an atomic operation. Each [`Metrics`] has a recorder of its own,
//! so that two gateways in one process (tests) do not share figures.

mod labels;
mod list;
mod states;
mod webhooks;

use std::{fmt, time::Duration};

use metrics::{Counter, Gauge, Histogram, Recorder, Unit, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use self::list::{List, METADATA};
pub use self::{
    labels::{ByTransport, Labelled, Transport},
    states::States,
    webhooks::{WEBHOOK_PLATFORMS, Webhooks},
};
use super::panics::panics;

/// All figures the gateway keeps, and how to print them.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: metrics_process::Collector,
    /// How the process stands; whether it is ready follows from it.
    pub health: States,
    /// Open connections, by transport.
    pub connections: ByTransport<Gauge>,
    /// Connections that were opened, by transport.
    pub connections_opened: ByTransport<Counter>,
    /// How many connections this process takes.
    pub connections_max: Gauge,
    /// Open TCP connections, whatever they are for.
    pub tcp_connections: Gauge,
    /// Connections that were ended from this side, by reason.
    pub connections_cut: Labelled,
    /// Sessions that were not let in, by reason.
    pub sessions_refused: Labelled,
    /// Bytes read from connections.
    pub bytes_in: Counter,
    /// Bytes written to connections.
    pub bytes_out: Counter,
    /// Messages sent to connections beside the one who serves them: the short way of batches.
    pub sent_beside: Counter,
    /// Products with a local subscriber.
    pub rooms: Gauge,
    /// Memberships of connections in rooms.
    pub subscriptions: Gauge,
    /// Windows that hold events.
    pub pending_windows: Gauge,
    /// The length of the queue of expected refetches.
    pub refetch_queue: Gauge,
    /// Viewers on the other pods.
    pub viewers_elsewhere: Gauge,
    /// Events taken in, by requests and from Redis.
    pub accepted: Counter,
    /// Events whose claim was known.
    pub duplicates: Counter,
    /// Events appended by this process.
    pub appended: Counter,
    /// Batches that left their window.
    pub batches: Counter,
    /// Events in a batch.
    pub batch_events: Histogram,
    /// Batches queued to a connection, by transport.
    pub deliveries: ByTransport<Counter>,
    /// Deliveries that met a full queue, by transport.
    pub deliveries_full: ByTransport<Counter>,
    /// Batches left out for a connection that is owed a word about that product, by transport.
    pub deliveries_owed: ByTransport<Counter>,
    /// Deliveries that met a connection already gone, by transport.
    pub deliveries_gone: ByTransport<Counter>,
    /// Products joined or asked about with a position, by outcome.
    pub resumes: Labelled,
    /// Explicit words to refetch, by reason.
    pub resyncs: Labelled,
    /// Appends that the log did not take, by reason.
    pub log_failures: Labelled,
    /// 1 while appends are refused without asking the log, because it did not answer.
    pub log_breaker_open: Gauge,
    /// Events in the log that this process had not read when it looked last.
    pub log_behind: Gauge,
    /// Times that the log's history changed, and everyone was told.
    pub log_resets: Counter,
    /// Messages from Redis channels and entries of the input stream, by what became of them.
    pub channel_messages: Labelled,
    /// Times that messages on the channels may have been missed by every process, and everyone was told.
    pub input_gaps: Counter,
    /// 1 while this process appends what the input channels bring.
    pub lease_held: Gauge,
    /// Webhook deliveries, by platform and outcome.
    pub webhooks: Webhooks,
    /// Products that shops showed, by what that brought.
    pub sightings: Labelled,
    /// Begins and ends of sales that are still to come.
    pub sale_boundaries: Gauge,
    /// Begins and ends of sales that have come.
    pub sale_boundaries_fired: Counter,
    panics: Counter,
    /// From a request's arrival to its append.
    pub accept_to_append: Histogram,
    /// From an event's append to the moment its batch leaves.
    pub append_to_flush: Histogram,
    /// From the moment a batch leaves to the next write on the connection it was queued to.
    pub flush_to_written: Histogram,
}

/// The answers to a client that says where it was.
const OUTCOMES: [&str; 4] = ["up_to_date", "events", "resync_required", "ahead"];
/// The reasons to refetch.
const REASONS: [&str; 4] = ["log_reset", "expired", "gap", "slow"];
/// Why a connection was ended from this side: it took too slowly what was sent, its request or the next one did not come, it
/// did not end when asked, it made room for another, the process ended; or it owed too much, abused its limits, or its
/// token expired.
const CUT_REASONS: [&str; 9] =
    ["write", "head", "idle", "closing", "room", "end", "slow", "abuse", "expired"];
/// How a process can stand. Ready are `ready` and `log_away`.
const HEALTH_STATES: [&str; 5] = ["starting", "ready", "lagging", "log_away", "draining"];
/// Why the log did not take an append.
pub const LOG_FAILURES: [&str; 13] = [
    "unknown",
    "inconsistent",
    "not_connected",
    "out_of_memory",
    "read_only",
    "loading",
    "primary_down",
    "cluster_down",
    "busy",
    "disk",
    "too_few_replicas",
    "unauthorized",
    "other",
];

/// Seconds: from half a millisecond (one hop on a quiet machine) to ten seconds (something is broken).
const LATENCY_BUCKETS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.35, 0.5, 1.0, 2.5, 10.0];

/// Up to the default cap of a batch.
const BATCH_EVENTS_BUCKETS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

impl Metrics {
    /// How often [`upkeep`](Self::upkeep) must run; otherwise histogram samples pile up between scrapes.
    pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

    /// A set of figures of its own, all zero.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &LATENCY_BUCKETS_SECONDS)?
            .set_buckets_for_metric(Matcher::Full("shelfcast_batch_events".into()), &BATCH_EVENTS_BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        let process = metrics_process::Collector::new("shelfcast_");
        with_local_recorder(&recorder, || process.describe());
        let list = List(&recorder);
        list.describe_counter("shelfcast_requests_refused_total", "Requests refused, by problem code");
        Ok(Self {
            health: States::new(
                &list,
                "shelfcast_health_state",
                "1 for the state this process is in; ready and log_away take new connections",
                &HEALTH_STATES,
            ),
            connections: list.gauges("shelfcast_connections", "Open connections, by transport"),
            connections_opened: list.counters(
                "shelfcast_connections_opened_total",
                "Connections opened, by transport",
                &[],
            ),
            connections_max: list
                .gauge("shelfcast_connections_max", "How many connections this process takes"),
            tcp_connections: list.gauge("shelfcast_tcp_connections", "Open TCP connections, whatever they are for"),
            connections_cut: list.labelled(
                "shelfcast_connections_cut_total",
                "Connections ended from this side, by reason",
                "reason",
                &CUT_REASONS,
            ),
            sessions_refused: list.labelled(
                "shelfcast_sessions_refused_total",
                "Socket.IO sessions and SSE streams that were not let in, by reason",
                "reason",
                &["draining", "full", "address_full", "too_fast"],
            ),
            bytes_in: list.counter("shelfcast_network_received_bytes_total", "Bytes read from connections"),
            bytes_out: list.counter("shelfcast_network_sent_bytes_total", "Bytes written to connections"),
            sent_beside: list.counter(
                "shelfcast_deliveries_direct_total",
                "Messages that the hub wrote to a connection itself, without a queue and a task for it",
            ),
            rooms: list.gauge("shelfcast_rooms", "Products with at least one local subscriber"),
            subscriptions: list.gauge("shelfcast_subscriptions", "Memberships of connections in rooms"),
            pending_windows: list.gauge("shelfcast_pending_windows", "Batching windows that hold events"),
            refetch_queue: list.gauge(
                "shelfcast_refetch_queue_seconds",
                "How long the refetches expected of clients take, at this process's share of ORIGIN_RPS_BUDGET",
            ),
            viewers_elsewhere: list.gauge(
                "shelfcast_viewers_elsewhere",
                "Connections in rooms of the other processes, as they report them",
            ),
            accepted: list.counter("shelfcast_events_accepted_total", "Events taken in, by requests and from Redis"),
            duplicates: list
                .counter("shelfcast_events_duplicate_total", "Events whose idempotency claim was known"),
            appended: list
                .counter("shelfcast_events_appended_total", "Events appended to the log by this process"),
            batches: list.counter("shelfcast_batches_total", "Batches that left their window"),
            batch_events: list.histogram("shelfcast_batch_events", "Events in a batch", Unit::Count),
            deliveries: list.counters("shelfcast_deliveries_total", "Batches queued to a connection", &[]),
            deliveries_full: list.delivery_errors("full"),
            deliveries_owed: list.delivery_errors("owed"),
            deliveries_gone: list.delivery_errors("gone"),
            resumes: list.labelled(
                "shelfcast_resumes_total",
                "Products joined or asked about with a position, by outcome",
                "outcome",
                &OUTCOMES,
            ),
            resyncs: list.labelled(
                "shelfcast_resyncs_total",
                "Explicit words to refetch, by reason",
                "reason",
                &REASONS,
            ),
            log_failures: list.labelled(
                "shelfcast_log_append_failures_total",
                "Appends that the log did not take, by reason",
                "reason",
                &LOG_FAILURES,
            ),
            log_breaker_open: list.gauge(
                "shelfcast_log_breaker_open",
                "1 while appends are refused without asking the log, because it did not answer",
            ),
            log_behind: list.gauge(
                "shelfcast_log_behind_events",
                "Events in the log that this process had not read when it looked last",
            ),
            log_resets: list.counter(
                "shelfcast_log_resets_total",
                "Times that the log's history changed, and everyone was told",
            ),
            channel_messages: list.labelled(
                "shelfcast_channel_messages_total",
                "Messages from Redis channels and entries of the input stream, by outcome",
                "outcome",
                &["heard", "mirrored", "unreadable", "dropped", "stream_entry", "letter_dropped"],
            ),
            input_gaps: list.counter(
                "shelfcast_input_gaps_total",
                "Times that messages on the input channels may have been missed, and everyone was told",
            ),
            lease_held: list.gauge(
                "shelfcast_input_lease_held",
                "1 while this process appends what the input channels bring",
            ),
            webhooks: Webhooks::new(&list),
            sightings: list.labelled(
                "shelfcast_sightings_total",
                "Products that shops showed, by what that brought",
                "outcome",
                &["changed", "unchanged", "outdated"],
            ),
            sale_boundaries: list.gauge(
                "shelfcast_sale_boundaries",
                "Begins and ends of sales that are still to come, as the process knows that fires them",
            ),
            sale_boundaries_fired: list.counter(
                "shelfcast_sale_boundaries_fired_total",
                "Begins and ends of sales that have come, those included that the shop had told already",
            ),
            panics: list.counter(
                "shelfcast_panics_total",
                "Panics since the process started; each is a bug, and a line in the log says where",
            ),
            accept_to_append: list.histogram(
                "shelfcast_accept_to_append_seconds",
                "From a request's arrival to its append",
                Unit::Seconds,
            ),
            append_to_flush: list.histogram(
                "shelfcast_append_to_flush_seconds",
                "From an event's append to its batch leaving",
                Unit::Seconds,
            ),
            flush_to_written: list.histogram(
                "shelfcast_flush_to_written_seconds",
                "From a batch leaving to the next write on a connection it was queued to",
                Unit::Seconds,
            ),
            recorder,
            handle,
            process,
        })
    }

    /// A request was refused with this problem code.
    pub fn refused(&self, code: &'static str) {
        let key = List::key("shelfcast_requests_refused_total", &[("code", code)]);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// The whole set as Prometheus text.
    pub fn render(&self) -> String {
        with_local_recorder(&self.recorder, || self.process.collect());
        self.panics.absolute(panics());
        self.handle.render()
    }

    /// Moves recorded histogram samples into their buckets.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
