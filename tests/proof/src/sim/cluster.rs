//! [`Cluster`]: the servers and what lies between them and the pods, and [`SimStore`], a pod's way there. Breaks only
//! when it is told to; what is broken when is the plan's business.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use shelfcast::{
    eventlog::{
        Append, InputGap, NewEvent,
        redis::{
            Due, Lineage, Refusal, SeenWrites, SnapshotStore, Standing, Stands, Store, StoreError, Stored,
            Taken,
        },
    },
    model::{Epoch, LogTime},
    tasks::Tasks,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{
    dice::Dice,
    server::{Data, Keeps, Power, Server},
};

/// What a connection is for: appends and questions share one in practice, but come back at their own pace here, which
/// lets appends overtake those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Append,
    Ask,
    Read,
}

/// The way from one pod to the server.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Which server.
    pub(super) to: usize,
    /// Another one after each change of the way: what is under way is cut.
    pub(super) life: u64,
    /// Nothing passes, and nobody says so.
    pub(super) cut: bool,
    /// The pod is stopped: answers wait.
    pub(super) paused: bool,
    /// The pod is gone: what it sent may arrive, answers do not.
    pub(super) dead: bool,
    /// Milliseconds one way.
    pub(super) latency: (u64, u64),
    /// Until when there is no connection, for each class.
    pub(super) refused_until: [Option<Instant>; 3],
    /// Percent of requests that do not arrive, of answers that do not, and of requests that arrive seconds later.
    pub(super) loses: (u64, u64, u64),
    /// Entries a read brings at most.
    pub(super) read_max: usize,
    /// One for each class, so that nobody's throws depend on when others throw.
    dice: [Dice; 3],
}

impl Link {
    fn new(to: usize, dice: [Dice; 3]) -> Self {
        Self {
            to,
            dice,
            life: 0,
            cut: false,
            paused: false,
            dead: false,
            latency: (1, 3),
            refused_until: [None; 3],
            loses: (0, 0, 0),
            read_max: 512,
        }
    }

    /// All of it works again, on the way to that server.
    pub(super) fn mend(&mut self, to: usize) {
        let (life, dead, paused) = (self.life + 1, self.dead, self.paused);
        *self = Self { life, dead, paused, ..Self::new(to, self.dice.clone()) };
    }
}

pub(super) struct State {
    pub(super) servers: Vec<Server>,
    pub(super) primary: usize,
    pub(super) links: Vec<Link>,
    pub(super) dice: Dice,
    /// What the server answers to every append, if not what it should.
    pub(super) refusal: Option<Refusal>,
    epoch_names: u64,
    lives: u64,
    lineages: u64,
}

/// All of it.
pub(super) struct Cluster {
    state: Mutex<State>,
    /// Wakes in a fixed order, which a `watch` channel does not.
    changed: Notify,
    start: Instant,
    tasks: Tasks,
    keeps: Keeps,
}

/// 2026-01-01, in microseconds.
pub(super) const START_MICROS: i64 = 1_767_225_600_000_000;

impl Cluster {
    pub(super) fn new(mut dice: Dice, keeps: Keeps, tasks: Tasks) -> Arc<Self> {
        let mut state = State {
            servers: Vec::new(),
            primary: 0,
            links: Vec::new(),
            epoch_names: dice.next(),
            dice,
            refusal: None,
            lives: 0,
            lineages: 0,
        };
        state.add_server(Data::default());
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            start: Instant::now(),
            tasks,
            keeps,
        })
    }

    /// Looks at or changes what there is; whoever waits for something looks again.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.notify_waiters();
        result
    }

    /// A way for a pod.
    pub(super) fn connect(self: &Arc<Self>) -> SimStore {
        let link = self.change(|state| {
            let dice = [state.dice.fork(), state.dice.fork(), state.dice.fork()];
            state.links.push(Link::new(state.primary, dice));
            state.links.len() - 1
        });
        SimStore { cluster: Arc::clone(self), link }
    }

    fn clock(&self, server: &Server) -> LogTime {
        let passed = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        LogTime::from_micros(START_MICROS + passed + server.skew_micros)
    }

    /// Sends a step to the server, executes it there and brings the answer back. `None`: no answer ever comes.
    async fn serve<T>(
        &self,
        link: usize,
        class: Class,
        mut step: impl FnMut(&mut Server, Epoch, LogTime) -> Option<Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        const REFUSED: StoreError = StoreError::Refused(Refusal::NotConnected);
        let (sent, to_life, there, back, lost, late) = {
            let mut state = self.state.lock();
            let State { links, servers, .. } = &mut *state;
            let sent = links[link].clone();
            let dice = &mut links[link].dice[class as usize];
            let refused = sent.refused_until[class as usize].is_some_and(|until| until > Instant::now());
            if sent.dead || refused || servers[sent.to].power == Power::Down {
                return Some(Err(REFUSED));
            }
            let (low, high) = sent.latency;
            let (requests, answers, late) = sent.loses;
            let lost = (dice.percent(requests), dice.percent(answers));
            let late = if dice.percent(late) { dice.between(500, 4_000) } else { 0 };
            let (there, back) = (dice.between(low, high), dice.between(low, high));
            let to_life = servers[sent.to].life;
            (sent, to_life, there, back, lost, late)
        };
        if lost.0 || sent.cut {
            return None;
        }
        sleep(Duration::from_millis(there + late)).await;
        let waits_until = Instant::now() + SimStore::BLOCK;
        let done = loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let waits = {
                let mut state = self.state.lock();
                let State { links, servers, refusal, epoch_names, .. } = &mut *state;
                let now = &links[link];
                if now.cut {
                    return None;
                }
                let server = &mut servers[sent.to];
                if server.life != to_life
                    || server.power == Power::Down
                    || (now.life != sent.life && late == 0)
                {
                    return Some(Err(StoreError::Unknown));
                }
                if server.power == Power::Frozen {
                    None
                } else if let Some(refusal) = refusal.filter(|_| class == Class::Append) {
                    break Err(StoreError::Refused(refusal));
                } else {
                    let clock = self.clock(server);
                    let epoch = Epoch::from_random(
                        Dice::new(*epoch_names ^ (server.life << 32) ^ server.epochs).next(),
                    );
                    match step(server, epoch, clock) {
                        Some(result) => break result,
                        None => Some(waits_until),
                    }
                }
            };
            match waits {
                Some(until) => {
                    // Nothing came; the last look then says so.
                    let _ = tokio::time::timeout_at(until, changed).await;
                }
                None => changed.await,
            }
        };
        if class != Class::Read {
            self.changed.notify_waiters();
        }
        sleep(Duration::from_millis(back)).await;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = self.state.lock().links[link].clone();
            if lost.1 || now.cut || now.dead {
                return None;
            }
            if now.life != sent.life {
                return Some(Err(StoreError::Unknown));
            }
            if !now.paused {
                return Some(done);
            }
            changed.await;
        }
    }
}

impl State {
    /// Another server with this data, in a lineage of its own.
    pub(super) fn add_server(&mut self, data: Data) -> usize {
        let skew = self.dice.between(0, 800) as i64 - 400;
        let lineage = self.next_lineage();
        self.lives += 1;
        let (power, life, epochs) = (Power::Up, self.lives, 0);
        self.servers.push(Server { lineage, power, data, skew_micros: skew * 1_000, life, epochs });
        self.servers.len() - 1
    }

    pub(super) fn primary(&mut self) -> &mut Server {
        &mut self.servers[self.primary]
    }

    /// The primary starts again, with this data.
    pub(super) fn restart(&mut self, data: Data) {
        let lineage = self.next_lineage();
        self.lives += 1;
        let life = self.lives;
        let server = self.primary();
        (server.lineage, server.data, server.power, server.life) = (lineage, data, Power::Up, life);
    }

    fn next_lineage(&mut self) -> Lineage {
        self.lineages += 1;
        Lineage(format!("replid{}", self.lineages).into())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

/// A pod's way to the servers.
#[derive(Debug, Clone)]
pub(super) struct SimStore {
    cluster: Arc<Cluster>,
    pub(super) link: usize,
}

impl SimStore {
    /// How long a read waits for an entry.
    const BLOCK: Duration = Duration::from_millis(500);
    const TIMEOUT: Duration = Duration::from_secs(3);

    /// One call. It goes on at the server when the caller gave up.
    async fn call<T: Send + 'static>(
        &self,
        class: Class,
        step: impl FnMut(&mut Server, Epoch, LogTime) -> Option<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let (cluster, link) = (Arc::clone(&self.cluster), self.link);
        self.cluster.tasks.spawn(async move {
            match cluster.serve(link, class, step).await {
                Some(result) => drop(answer.send(result)),
                None => sleep(Self::TIMEOUT).await,
            }
        });
        timeout(Self::TIMEOUT, answered).await.ok().and_then(Result::ok).unwrap_or(Err(StoreError::Unknown))
    }
}

/// The parts of an append that the server sees; the original belongs to the caller.
fn copy(append: &Append) -> Append {
    let event = |new: &NewEvent| NewEvent { event: new.event.clone(), claim: new.claim };
    Append {
        request: append.request,
        events: append.events.iter().map(event).collect(),
        message: append.message,
    }
}

#[async_trait]
impl Store for SimStore {
    async fn append(&self, append: &Append) -> Result<Taken, StoreError> {
        let (append, keeps) = (copy(append), self.cluster.keeps);
        self.call(Class::Append, move |server, epoch, clock| {
            Some(server.append(&append, epoch, clock, keeps))
        })
        .await
    }

    async fn append_gap(&self, gap: &InputGap) -> Result<Taken, StoreError> {
        let (gap, keeps) = (gap.clone(), self.cluster.keeps);
        self.call(Class::Append, move |server, epoch, clock| {
            Some(server.append_gap(&gap, epoch, clock, keeps))
        })
        .await
    }

    async fn head(&self) -> Result<Standing, StoreError> {
        let keeps = self.cluster.keeps;
        self.call(Class::Ask, move |server, epoch, clock| Some(Ok(server.head(None, epoch, clock, keeps))))
            .await
    }

    async fn renew(&self, expected: Epoch) -> Result<Standing, StoreError> {
        let keeps = self.cluster.keeps;
        self.call(Class::Ask, move |server, epoch, clock| {
            Some(Ok(server.head(Some(expected), epoch, clock, keeps)))
        })
        .await
    }

    async fn read(&self, after_n: u64) -> Result<Vec<Stored>, StoreError> {
        let count = self.cluster.state.lock().links[self.link].read_max;
        let until = Instant::now() + Self::BLOCK;
        self.call(Class::Read, move |server, _, _| {
            let found = server.read(after_n, count);
            (!found.is_empty() || Instant::now() >= until).then_some(Ok(found))
        })
        .await
    }
}

/// No shop shows its products in a run: publishers tell events.
#[async_trait]
impl SnapshotStore for SimStore {
    async fn append_seen(&self, _append: &Append, _writes: &SeenWrites) -> Result<Stands, StoreError> {
        Err(StoreError::Refused(Refusal::Other))
    }

    async fn due(&self) -> Result<Due, StoreError> {
        Ok(Due { epoch: None, due: Vec::new(), waiting: 0 })
    }
}
