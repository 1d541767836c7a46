//! [`World`]: pods, the plan's figures and the recorder: what everybody in a run shares. Starts and ends pods, each the
//! real gateway on its [`SimStore`](super::cluster::SimStore).

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use shelfcast::{
    app::{App, Running},
    batch::Edge,
    clock::Clock,
    config::{Config, DrainConfig, Values},
    eventlog::{EventLog, redis::SharedLog},
    fanout::Hub,
    ingest::Gate,
    model::{LogTime, ProductId},
    tasks::Tasks,
    telemetry::Metrics,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::{Cluster, START_MICROS},
    dice::Dice,
};
use crate::history::{Names, Op, Record};

/// What a run is like; thrown once.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) pods: usize,
    pub(super) products: usize,
    pub(super) kinds: usize,
    pub(super) clients: usize,
    pub(super) publishers: usize,
    /// Milliseconds of publishing and faults, and between two requests of one publisher on average.
    pub(super) active_ms: u64,
    pub(super) pace_ms: u64,
    /// Messages a client's connection holds.
    pub(super) queue_max: usize,
    /// One fault after the other, with time to recover; otherwise they fall as they fall.
    pub(super) orderly: bool,
}

/// A gateway.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) link: usize,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<Gate>,
    pub(super) log: Arc<dyn EventLog>,
    running: Running,
    /// Cancelled when its connections end.
    pub(super) life: CancellationToken,
    /// Nothing passes between it and its clients.
    paused: AtomicBool,
    goes_on: Notify,
}

/// The history in the making.
pub(super) struct Recorder {
    start: Instant,
    history: Mutex<(Names, Vec<Record>)>,
}

impl Recorder {
    /// Notes what happens now.
    pub(super) fn note(&self, op: impl FnOnce(&mut Names) -> Op) {
        let t = self.start.elapsed().as_micros() as f64 / 1e3;
        let mut history = self.history.lock();
        let op = op(&mut history.0);
        history.1.push(Record { t, op });
    }

    pub(super) fn fault(&self, what: &str) {
        self.note(|names| Op::Fault { what: names.of(what) });
    }
}

pub(super) struct World {
    pub(super) figures: Figures,
    pub(super) recorder: Recorder,
    pub(super) cluster: Arc<Cluster>,
    pub(super) tasks: Tasks,
    config: Config,
    metrics: Arc<Metrics>,
    /// Who takes new connections and posts, in each place. A pod that drains or is gone is in none.
    pub(super) slots: Mutex<Vec<Option<Arc<Pod>>>>,
    /// Cuts every client when it is told.
    pub(super) cut: Notify,
    /// Clients read nothing until then.
    pub(super) numb_until: Mutex<Instant>,
    /// Publishers hurry until then.
    pub(super) burst_until: Mutex<Instant>,
    /// Faults are over: clients stay, publishers stop.
    pub(super) settled: CancellationToken,
    pub(super) misbehaved: Mutex<Vec<String>>,
    incarnations: Mutex<u64>,
}

impl World {
    pub(super) fn new(
        figures: Figures,
        config: Config,
        metrics: Arc<Metrics>,
        cluster: Arc<Cluster>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            slots: Mutex::new(vec![None; figures.pods]),
            figures,
            recorder: Recorder { start: now, history: Mutex::default() },
            cluster,
            tasks,
            config,
            metrics,
            cut: Notify::new(),
            numb_until: Mutex::new(now),
            burst_until: Mutex::new(now),
            settled: CancellationToken::new(),
            misbehaved: Mutex::default(),
            incarnations: Mutex::new(0),
        })
    }

    /// Starts a pod in this place; tries until it comes up, as an orchestrator does.
    pub(super) async fn start(&self, place: usize) {
        const RETRY: Duration = Duration::from_millis(300);
        let store = self.cluster.connect();
        let link = store.link;
        let log: Arc<dyn EventLog> = Arc::new(SharedLog::new(store, Arc::clone(&self.metrics)));
        // Clocks of machines differ a little.
        let skew = (place as i64 - 1) * 100_000;
        let since_start = i64::try_from(self.recorder.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        let clock = Clock::from_tokio(LogTime::from_micros(START_MICROS + since_start + skew));
        let running = loop {
            match App::build_on(&self.config, Arc::clone(&log), clock).await {
                Ok(app) => break app.start(),
                Err(_) => sleep(RETRY).await,
            }
        };
        let number = {
            let mut incarnations = self.incarnations.lock();
            *incarnations += 1;
            *incarnations
        };
        let pod = Pod {
            name: format!("pod{place}-{number}"),
            link,
            hub: Arc::clone(running.hub()),
            gate: Arc::clone(running.gate()),
            log,
            running,
            life: CancellationToken::new(),
            paused: AtomicBool::new(false),
            goes_on: Notify::new(),
        };
        self.recorder.fault(&format!("{} is up", pod.name));
        self.slots.lock()[place] = Some(Arc::new(pod));
    }

    pub(super) fn pods(&self) -> Vec<Arc<Pod>> {
        self.slots.lock().iter().flatten().cloned().collect()
    }

    /// Some pod that takes connections.
    pub(super) fn any_pod(&self, dice: &mut Dice) -> Option<Arc<Pod>> {
        let pods = self.pods();
        let at = dice.index(pods.len());
        pods.get(at).cloned()
    }

    /// Takes the pod out of this place: nobody comes to it any more.
    pub(super) fn take(&self, place: usize) -> Option<Arc<Pod>> {
        self.slots.lock()[place].take()
    }

    /// Kills it: what it sent may still arrive.
    pub(super) fn crash(&self, pod: &Arc<Pod>) {
        self.recorder.fault(&format!("{} crashes", pod.name));
        self.cluster.change(|state| state.links[pod.link].dead = true);
        pod.life.cancel();
        let pod = Arc::clone(pod);
        // Its tasks would go on for ever; nobody hears them.
        self.tasks.spawn(async move { pod.running.drain(DrainConfig::AT_ONCE).await });
    }

    /// Lets it go as an orchestrator does.
    pub(super) async fn drain(&self, pod: &Arc<Pod>, config: DrainConfig, lingers: Duration) {
        self.recorder.fault(&format!("{} drains", pod.name));
        let began = Instant::now();
        pod.running.drain(config).await;
        if began.elapsed() > Duration::from_secs(30) {
            self.misbehaved.lock().push(format!("{} drained for {:?}", pod.name, began.elapsed()));
        }
        sleep(lingers).await;
        self.recorder.fault(&format!("{} is gone", pod.name));
        pod.life.cancel();
        self.cluster.change(|state| state.links[pod.link].dead = true);
    }

    /// Resolves then, unless faults are over before: who is connected at the end stays.
    pub(super) async fn restless_until(&self, then: Instant) {
        if !self.settled.is_cancelled() {
            tokio::select! {
                biased;
                () = self.settled.cancelled() => {}
                () = sleep_until(then) => return,
            }
        }
        std::future::pending().await
    }

    pub(super) fn pause(&self, pod: &Pod, paused: bool) {
        self.recorder.fault(&format!("{} {}", pod.name, if paused { "is stopped" } else { "goes on" }));
        self.cluster.change(|state| state.links[pod.link].paused = paused);
        pod.paused.store(paused, Ordering::Release);
        pod.goes_on.notify_waiters();
    }

    /// The history so far; ends the recording.
    pub(super) fn history(&self) -> (Names, Vec<Record>) {
        self.recorder.note(|_| Op::End);
        std::mem::take(&mut *self.recorder.history.lock())
    }
}

impl Pod {
    /// Waits until something passes between it and its clients.
    pub(super) async fn flows(&self) {
        loop {
            let mut goes_on = pin!(self.goes_on.notified());
            goes_on.as_mut().enable();
            if !self.is_paused() {
                return;
            }
            goes_on.await;
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }
}

pub(super) fn product_id(i: usize) -> ProductId {
    #[expect(clippy::expect_used, reason = "a letter and a number are a product id")]
    ProductId::new(&format!("p{i}")).expect("a product id")
}

/// What the run is like, and how its gateways are set up.
pub(super) fn throw(dice: &mut Dice) -> (Figures, Config, usize) {
    let figures = Figures {
        pods: dice.between(2, 4) as usize,
        products: dice.between(1, 8) as usize,
        kinds: dice.between(1, 4) as usize,
        clients: dice.between(2, 10) as usize,
        publishers: dice.between(1, 3) as usize,
        active_ms: dice.between(4_000, 14_000),
        pace_ms: dice.pick(&[20, 60, 150, 400, 1_000]),
        queue_max: dice.pick(&[512, 512, 24, 8]),
        orderly: dice.percent(50),
    };
    let flags = HashMap::from([("INTERNAL_API_KEY", "a-key-that-only-the-simulation-knows-0123".to_owned())]);
    #[expect(clippy::expect_used, reason = "one good setting, all others at their defaults")]
    let mut config = Config::read(&Values { flags, env: Box::new(|_| None) }).expect("defaults");
    config.batch.window = Duration::from_millis(dice.pick(&[300, 300, 300, 50, 0, 1_000]));
    config.batch.events_max = dice.pick(&[100, 100, 3, 1]);
    config.batch.edge = dice.pick(&[Edge::Trailing, Edge::Leading]);
    config.index.events_max = dice.pick(&[100_000, 100_000, 60, 8]);
    config.index.retention_secs = dice.pick(&[600, 600, 8, 3]);
    config.hub.batch_events_max = config.batch.events_max;
    config.hub.queue_max = figures.queue_max;
    let log_events_max = dice.pick(&[100_000, 100_000, 100_000, 40, 15]);
    (figures, config, log_events_max)
}
