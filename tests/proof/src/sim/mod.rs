//! The simulation: several real gateways on one simulated server, real clients' habits, and faults, in one thread and in
//! simulated time. A seed decides everything, so a run can be repeated.
//!
//! Simulated are the server behind [`Store`](shelfcast::eventlog::redis::Store), the sockets and the time; the gateway's
//! own code is all that stands between them. What the run is like is thrown in [`world`], what goes wrong in [`faults`].

mod client;
mod cluster;
mod dice;
mod faults;
mod publisher;
mod server;
mod stream;
mod wire;
mod world;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use shelfcast::{tasks::Tasks, telemetry::Metrics};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    client::{Client, Habits},
    cluster::Cluster,
    dice::Dice,
    faults::plan,
    publisher::Publisher,
    server::Keeps,
    stream::StreamClient,
    world::{World, throw},
};
use crate::{
    checker::{self, Kind, Report},
    history::{Names, Op, Record},
};

/// After faults are over: everybody comes back, windows close, debts are paid, what was late comes.
const SETTLES: Duration = Duration::from_secs(14);

/// A run that is over.
pub struct Run {
    /// The names in its history.
    pub names: Names,
    /// What happened.
    pub history: Vec<Record>,
    /// What is wrong with it.
    pub report: Report,
    /// What it was like.
    pub setting: String,
}

/// What runs share: the metrics of the simulated stores, which nobody reads.
#[derive(Clone)]
pub struct Shared(Arc<Metrics>);

impl Shared {
    /// Made once for a thread.
    pub fn new() -> Option<Self> {
        Some(Self(Arc::new(Metrics::new().ok()?)))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("setting", &self.setting)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// Plays one run and checks its history.
pub fn run(seed: u64, shared: &Shared) -> std::io::Result<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let (names, history, setting, misbehaved) = runtime.block_on(play(seed, shared));
    drop(runtime);
    let mut report = checker::check(&names, &history);
    for what in misbehaved {
        report.note(Kind::Misbehaved, &[], || what);
    }
    Ok(Run { names, history, report, setting })
}

async fn play(seed: u64, shared: &Shared) -> (Names, Vec<Record>, String, Vec<String>) {
    let mut dice = Dice::new(seed);
    let (figures, config, events_max) = throw(&mut dice);
    let faults = plan(&mut dice, figures.active_ms, figures.orderly);
    let setting = format!(
        "{figures:?}\n{:?} {:?} log {events_max}\n{}",
        config.batch,
        config.index,
        faults.iter().map(|(at, fault)| format!("{at:>6} ms {fault:?}\n")).collect::<String>()
    );
    let tasks = Tasks::new();
    let keeps = Keeps { events_max, retention_secs: 600 };
    let cluster = Cluster::new(dice.fork(), keeps, tasks.clone());
    let world = World::new(figures.clone(), config, Arc::clone(&shared.0), cluster, tasks.clone());
    for place in 0..figures.pods {
        world.start(place).await;
    }

    let over = CancellationToken::new();
    for i in 0..figures.clients {
        let mut own = dice.fork();
        let habits = Habits::throw(&mut own);
        let mut wanted: BTreeSet<_> = (0..figures.products).filter(|_| own.percent(60)).collect();
        wanted.insert(own.index(figures.products));
        let (world, over) = (Arc::clone(&world), over.clone());
        if own.percent(35) {
            let name = format!("stream{i}");
            let client =
                StreamClient { world, dice: own, name, habits, wanted, connections: 0, last_id: None };
            tasks.spawn(client.run(over));
        } else {
            tasks.spawn(Client::new(world, own, format!("client{i}"), habits, wanted).run(over));
        }
    }
    let publishing = Tasks::new();
    for number in 1..=figures.publishers as u64 {
        let publisher = Publisher { world: Arc::clone(&world), dice: dice.fork(), number, sent: 0 };
        publishing.spawn(publisher.run());
    }

    suffer(&world, faults, &mut dice).await;
    world.recorder.fault("faults are over");
    world.settled.cancel();
    publishing.stop();
    world.mend().await;
    if timeout(Duration::from_secs(60), publishing.ended()).await.is_err() {
        world.misbehaved.lock().push("a publisher is not answered".to_owned());
    }
    sleep(SETTLES).await;
    look(&world);
    over.cancel();
    let (names, history) = world.history();
    let misbehaved = std::mem::take(&mut *world.misbehaved.lock());
    (names, history, setting, misbehaved)
}

/// Lets the faults happen: one after the other, or as they fall.
async fn suffer(world: &Arc<World>, faults: Vec<(u64, faults::Fault)>, dice: &mut Dice) {
    let begin = tokio::time::Instant::now();
    let suffering = Tasks::new();
    for (at, fault) in faults {
        tokio::time::sleep_until(begin + Duration::from_millis(at)).await;
        if world.figures.orderly {
            world.suffer(fault, dice).await;
            sleep(Duration::from_secs(2)).await;
        } else {
            let (world, mut dice) = (Arc::clone(world), dice.fork());
            suffering.spawn(async move { world.suffer(fault, &mut dice).await });
        }
    }
    tokio::time::sleep_until(begin + Duration::from_millis(world.figures.active_ms)).await;
    suffering.stop();
    if timeout(Duration::from_secs(120), suffering.ended()).await.is_err() {
        world.misbehaved.lock().push("a pod does not start".to_owned());
    }
}

/// At rest every pod stands where the server stands.
fn look(world: &World) {
    let head = world.cluster.change(|state| state.primary().data.head());
    for pod in world.pods() {
        let progress = pod.hub.index().progress();
        let at = progress.epoch.at(progress.applied_n);
        let observer = format!("observer of {}", pod.name);
        world.recorder.note(|names| Op::Open {
            client: names.of(&observer),
            conn: names.of(&observer),
            pod: names.of(&pod.name),
            transport: names.of("none"),
            announced: true,
        });
        world.recorder.note(|names| Op::Position {
            conn: names.of(&observer),
            cursor: names.position(&progress.covered().to_string()),
        });
        if Some(at) != head || progress.covered_n != progress.applied_n {
            let covered = progress.covered_n;
            world.misbehaved.lock().push(format!(
                "{} stands at {at}, covered {covered}, while the log stands at {head:?}",
                pod.name
            ));
        }
    }
}
