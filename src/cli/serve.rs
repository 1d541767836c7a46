//! `shelfcast serve` and `shelfcast check`.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use super::{EXIT_USAGE, fail, say};
#[cfg(feature = "otel")]
use crate::telemetry::otlp;
use crate::{
    app::{App, answer_while_starting},
    config::{Config, DrainConfig, Values},
    net,
    tasks::Tasks,
    telemetry::{init_logs, watch_panics},
};

/// Checks the settings.
pub(super) fn check(values: &Values) -> ExitCode {
    match Config::read(values) {
        Ok(config) => {
            if let Some(doubt) = doubt(&config) {
                fail(0, doubt);
            }
            say("the settings are good");
            ExitCode::SUCCESS
        }
        Err(bad) => fail(EXIT_USAGE, &format!("these settings cannot be used:\n{bad}")),
    }
}

/// Runs the gateway until it is told to end.
pub(super) fn run(values: &Values) -> ExitCode {
    let mut config = match Config::read(values) {
        Ok(config) => config,
        Err(bad) => {
            return fail(EXIT_USAGE, &format!("these settings cannot be used:\n{bad}"));
        }
    };
    init_logs(&config.log_filter, config.log_format);
    watch_panics();
    send_spans(&config);
    fit_files(&mut config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("the runtime did not start: {error}")),
    };
    let served = runtime.block_on(serve(&config));
    #[cfg(feature = "otel")]
    otlp::finish();
    match served {
        Ok(()) => {
            tracing::info!("drained, bye");
            ExitCode::SUCCESS
        }
        Err(message) => fail(1, &message),
    }
}

async fn serve(config: &Config) -> Result<(), String> {
    let (listener, meanwhile) = listen_twice(config.listen)?;
    let (admin, admin_meanwhile) = config.admin.map(listen_twice).transpose()?.unzip();
    let mut signals = Signals::watch()?;
    let (answers, started) = (Tasks::new(), CancellationToken::new());
    for listener in [Some(meanwhile), admin_meanwhile].into_iter().flatten() {
        let (pod, connections_max) = (Arc::clone(&config.pod), config.connections.tcp_max);
        let answering = answer_while_starting(listener, pod, connections_max, started.clone());
        answers.spawn(async {
            if let Err(error) = answering.await {
                tracing::error!(%error, "nothing is answered until the gateway is there");
            }
        });
    }
    let app = tokio::select! {
        app = App::build(config) => app.map_err(|error| error.to_string())?,
        _ = signals.next() => return Ok(()),
    };
    started.cancel();
    greet(config, listener.local_addr().unwrap_or(config.listen));

    let (leave, left) = oneshot::channel();
    let shutdown = async { left.await.unwrap_or(DrainConfig::AT_ONCE) };
    let running = app.run(listener, admin, shutdown);
    let told_twice = async {
        let drain = match signals.next().await {
            Told::Terminate => config.drain,
            // Whoever presses Ctrl-C has no load balancer that must learn of it first.
            Told::Interrupt => config.drain.at_once(),
        };
        tracing::info!(
            delay_ms = drain.delay.as_millis(),
            spread_ms = drain.spread.as_millis(),
            "draining; a second signal ends the process at once"
        );
        let _received = leave.send(drain);
        signals.next().await
    };
    tokio::select! {
        ended = running => ended.map_err(|error| error.to_string()),
        _ = told_twice => Err("ended at once by a second signal".into()),
    }
}

/// Begins to send spans, if that is asked for. A gateway whose collector is away serves all the same.
fn send_spans(config: &Config) {
    let Some(endpoint) = &config.otlp_endpoint else { return };
    #[cfg(feature = "otel")]
    match otlp::start(endpoint, &config.pod) {
        Ok(()) => tracing::info!(endpoint, "sending spans"),
        Err(error) => tracing::warn!(endpoint, error, "no spans are sent"),
    }
    #[cfg(not(feature = "otel"))]
    tracing::warn!(endpoint, "no spans are sent: this binary was built without the feature otel");
}

/// Takes as many open files as the system lets this process have, and as many clients as fit into them.
fn fit_files(config: &mut Config) {
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else {
        return tracing::warn!("how many files may be open is not known; MAX_CONNECTIONS may be too much");
    };
    let wanted = config.hub.sessions_max;
    if !config.connections.fit_into(files, &mut config.hub) {
        let sessions = config.hub.sessions_max;
        let text =
            "fewer files may be open than MAX_CONNECTIONS needs (ulimit -n); taking as many clients as fit";
        // On the machine of a developer the default rarely fits, and nobody minds.
        if config.origins.allow_localhost {
            tracing::info!(wanted, files, sessions, "{text}");
        } else {
            tracing::warn!(wanted, files, sessions, "{text}");
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    net::listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!("{address} is in use already; choose another PORT"),
        _ => format!("cannot listen on {address}: {error}"),
    })
}

/// The same socket twice, so that whoever knocks can be answered before the gateway is there.
fn listen_twice(address: SocketAddr) -> Result<(TcpListener, TcpListener), String> {
    let listener = listen(address)?;
    let twice = || {
        let listener = listener.into_std()?;
        let other = listener.try_clone()?;
        Ok::<_, io::Error>((TcpListener::from_std(listener)?, TcpListener::from_std(other)?))
    };
    twice().map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// SIGTERM and SIGINT.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn watch() -> Result<Self, String> {
        let watch = |kind| signal(kind).map_err(|error| format!("signals cannot be watched: {error}"));
        Ok(Self { term: watch(SignalKind::terminate())?, int: watch(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Told {
        tokio::select! { _ = self.term.recv() => Told::Terminate, _ = self.int.recv() => Told::Interrupt }
    }
}

/// Who wants the process to end.
enum Told {
    /// An orchestrator: SIGTERM.
    Terminate,
    /// A person at a terminal: SIGINT.
    Interrupt,
}

/// What can be meant, and most likely is not.
fn doubt(config: &Config) -> Option<&'static str> {
    let origins = &config.origins;
    (origins.only_localhost() && !origins.allow_localhost).then_some(
        "only pages on localhost may connect: set FRONTEND_URL, or ALLOWED_ORIGINS, to where the shop is",
    )
}

fn greet(config: &Config, address: SocketAddr) {
    let shown = if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, "listening");
    if let Some(admin) = config.admin {
        tracing::info!(%admin, "metrics and detailed health");
    }
    if config.console {
        tracing::info!("console: http://{shown}/");
    }
    if let Some(doubt) = doubt(config) {
        tracing::warn!("{doubt}");
    }
    if let Some(key) = &config.generated_key {
        // Shown once, on purpose, and only when it was made up here: nobody could use the gateway otherwise.
        say(&format!(
            "INTERNAL_API_KEY is not set, so this one was made up for this run:\n\n  {key}\n\nTry it:\n\n  \
             curl -i http://{shown}/api/notify -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \\\n    \
             -d '{{\"productId\":\"demo-1\",\"type\":\"price_update\",\"data\":{{\"oldPrice\":19.9,\"newPrice\":14.9}}}}'\n"
        ));
    }
}
