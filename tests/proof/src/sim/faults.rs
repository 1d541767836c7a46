//! Faults: what goes wrong in a run, and how it is mended. Thrown once, at the begin of the run.

use std::{sync::Arc, time::Duration};

use shelfcast::{
    config::DrainConfig,
    eventlog::{InputGap, redis::Refusal},
};
use tokio::time::{Instant, sleep};

use super::{
    cluster::{Class, State},
    dice::Dice,
    publisher::takes_within,
    server::{Data, Power},
    world::{Pod, World, product_id},
};
use crate::history::Op;

/// How long after the store is back every pod takes events again (scoreboard row 3).
const TAKES_AGAIN: Duration = Duration::from_secs(1);

/// Something that goes wrong. Times are milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The primary dies, and a replica that lagged takes over.
    Failover { lags: u64, down: u64 },
    /// The same under load, and appends find the new primary before anyone looks at it.
    Fork { lags: u64, unseen: u64 },
    /// The data go back to an older state on a server of the same lineage, and appends overtake those who look: only
    /// the entries themselves and the counter tell.
    Blind { lags: u64, unseen: u64 },
    /// Two primaries take events; then the old one is thrown away.
    Split { lags: u64, lasts: u64 },
    /// The server starts again with so much of its data.
    Restart { down: u64, keeps: Keeps, clock_back_secs: i64 },
    /// The data are deleted.
    FlushAll,
    /// The log is deleted, its head is not.
    DeleteLog,
    /// The head is deleted, the log is not.
    DeleteHead,
    /// The counter is set back.
    Tamper { by: u64 },
    /// Only so many entries are kept, while one pod does not read for so long.
    Trim { to: usize, unread: u64 },
    /// The server stops, and goes on.
    Freeze { lasts: u64 },
    /// Requests are lost, answers are lost, requests come late: percent each.
    Lossy { loses: (u64, u64, u64), lasts: u64 },
    /// No connection, of one pod or of all.
    Refused { one: bool, lasts: u64 },
    /// The server refuses appends.
    Refuses { with: Refusal, lasts: u64 },
    /// One pod's way to the server is slow, and its reads are short.
    Slow { latency: u64, lasts: u64 },
    /// Nothing passes between one pod and the server.
    Cut { lasts: u64 },
    /// One pod is killed.
    Crash { down: u64 },
    /// One pod stops, and goes on.
    Pause { lasts: u64 },
    /// One pod is replaced.
    Drain { down: u64, lingers: u64, delay: u64, spread: u64 },
    /// Every client is cut.
    CutClients,
    /// No client reads.
    Numb { lasts: u64 },
    /// An input lost something.
    InputGap { known: bool },
}

/// What a server that starts again still has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeps {
    Nothing,
    /// What it had so many milliseconds ago.
    Older(u64),
    Everything,
}

/// The faults of a run, each with when it begins.
pub(super) fn plan(dice: &mut Dice, active_ms: u64, orderly: bool) -> Vec<(u64, Fault)> {
    // Whoever was acknowledged an append on the losing side of a split must live to tell; a run has either splits or
    // pods that die.
    let splits = dice.percent(25);
    let count = dice.pick(&[0, 1, 1, 2, 3, 5]);
    let mut faults: Vec<_> =
        (0..count).map(|_| (dice.between(500, active_ms), throw(dice, splits, orderly))).collect();
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn throw(dice: &mut Dice, splits: bool, orderly: bool) -> Fault {
    let lasts = dice.pick(&[100, 400, 1_500, 4_000]);
    let lags = dice.pick(&[0, 1, 100, 500, 2_000]);
    let down = dice.between(1, 2_500);
    match dice.index(if splits { 20 } else { 24 }) {
        0 => Fault::Failover { lags, down },
        // Without a lineage only readers know what was there, so they must have read it: nothing else may be wrong.
        1 if orderly => Fault::Blind { lags: lags + 200, unseen: dice.between(1, 2_500) },
        1 => Fault::Failover { lags, down },
        2 => Fault::Fork { lags: lags + 200, unseen: dice.between(300, 2_500) },
        3 if splits => Fault::Split { lags, lasts: dice.between(200, 6_000) },
        3 | 4 => Fault::Restart {
            down,
            keeps: match dice.index(3) {
                0 => Keeps::Nothing,
                1 => Keeps::Older(lags),
                _ => Keeps::Everything,
            },
            clock_back_secs: dice.pick(&[0, 0, 3, 3_600]),
        },
        5 => Fault::FlushAll,
        6 => Fault::DeleteLog,
        7 => Fault::DeleteHead,
        // Only a reader that lives through it can find it out.
        8 if orderly => Fault::Tamper { by: dice.between(1, 30) },
        8 => Fault::DeleteHead,
        9 => Fault::Trim { to: dice.index(6), unread: dice.pick(&[0, 300, 1_000]) },
        10 => Fault::Freeze { lasts },
        11 => {
            let loses = (dice.pick(&[0, 20]), dice.pick(&[0, 20, 60]), dice.pick(&[0, 10]));
            Fault::Lossy { loses, lasts }
        }
        12 => Fault::Refused { one: dice.percent(50), lasts },
        13 => {
            let with = dice.pick(&[Refusal::OutOfMemory, Refusal::ReadOnly, Refusal::Loading, Refusal::Busy]);
            Fault::Refuses { with, lasts }
        }
        14 => Fault::Slow { latency: dice.pick(&[30, 200, 900]), lasts: lasts * 2 },
        15 => Fault::Cut { lasts },
        16 => Fault::Pause { lasts },
        17 => dice.pick(&[Fault::CutClients, Fault::Numb { lasts }]),
        18 if splits => Fault::Split { lags, lasts: dice.between(200, 6_000) },
        18 | 19 => Fault::InputGap { known: dice.percent(50) },
        20 if orderly => Fault::Blind { lags: lags + 200, unseen: dice.between(1, 2_500) },
        20..=22 => Fault::Crash { down },
        _ => Fault::Drain {
            down,
            lingers: dice.pick(&[0, 50]),
            delay: dice.pick(&[0, 0, 500]),
            spread: dice.pick(&[0, 200, 3_000]),
        },
    }
}

impl World {
    /// Lets it happen and mends it.
    pub(super) async fn suffer(&self, fault: Fault, dice: &mut Dice) {
        self.recorder.fault(&format!("{fault:?}"));
        let ms = Duration::from_millis;
        match fault {
            Fault::Failover { lags, down } => {
                let replica = self.replica(lags).await;
                self.power(Power::Down);
                sleep(ms(down)).await;
                self.promote(replica, dice, None);
                self.recovered().await;
            }
            Fault::Fork { lags, unseen } => {
                *self.burst_until.lock() = Instant::now() + ms(lags + unseen);
                let replica = self.replica(lags).await;
                self.power(Power::Down);
                self.promote(replica, dice, Some(unseen));
            }
            Fault::Blind { lags, unseen } => {
                *self.burst_until.lock() = Instant::now() + ms(lags + unseen);
                let older = self.replica(lags).await;
                self.cluster.change(|state| state.refusal = Some(Refusal::Loading));
                sleep(ms(200)).await;
                self.cluster.change(|state| {
                    state.refusal = None;
                    let now = state.primary().data.head().map(|at| at.epoch);
                    // An epoch that ended does not come back: that takes another server, and a lineage tells.
                    if older.head().map(|at| at.epoch) == now {
                        state.primary().data = older;
                        state.blindfold(unseen, dice);
                    }
                });
            }
            Fault::Split { lags, lasts } => self.split(lags, lasts, dice).await,
            Fault::Restart { down, keeps, clock_back_secs } => {
                let data = match keeps {
                    Keeps::Nothing => Some(Data::default()),
                    Keeps::Older(lags) => Some(self.replica(lags).await),
                    Keeps::Everything => None,
                };
                self.power(Power::Down);
                sleep(ms(down)).await;
                self.cluster.change(|state| {
                    let data = data.unwrap_or_else(|| state.primary().data.clone());
                    state.restart(data);
                    state.primary().skew_micros -= clock_back_secs * 1_000_000;
                    state.reconnect(dice);
                });
                self.recovered().await;
            }
            Fault::FlushAll => self.cluster.change(|state| state.primary().data = Data::default()),
            Fault::DeleteLog => self.cluster.change(|state| state.primary().data.delete_log()),
            Fault::DeleteHead => self.cluster.change(|state| state.primary().data.delete_meta()),
            Fault::Tamper { by } => self.cluster.change(|state| state.primary().data.tamper(by)),
            Fault::Trim { to, unread } => {
                let Some(pod) = self.any_pod(dice) else { return };
                self.cluster.change(|state| {
                    let link = &mut state.links[pod.link];
                    link.life += 1;
                    link.refused_until[Class::Read as usize] = Some(Instant::now() + ms(unread));
                });
                sleep(ms(unread.saturating_sub(5))).await;
                self.cluster.change(|state| state.primary().data.trim(to));
            }
            Fault::Freeze { lasts } => {
                self.power(Power::Frozen);
                sleep(ms(lasts)).await;
                self.power(Power::Up);
                self.recovered().await;
            }
            Fault::Lossy { loses, lasts } => {
                self.cluster.change(|state| state.links.iter_mut().for_each(|link| link.loses = loses));
                sleep(ms(lasts)).await;
                self.cluster.change(|state| state.links.iter_mut().for_each(|link| link.loses = (0, 0, 0)));
            }
            Fault::Refused { one, lasts } => {
                let until = Instant::now() + ms(lasts);
                let only = self.any_pod(dice).filter(|_| one).map(|pod| pod.link);
                self.cluster.change(|state| {
                    for (i, link) in state.links.iter_mut().enumerate() {
                        if only.is_none_or(|only| only == i) {
                            link.life += 1;
                            link.refused_until = [Some(until); 3];
                        }
                    }
                });
                sleep(ms(lasts)).await;
                self.recovered().await;
            }
            Fault::Refuses { with, lasts } => {
                self.cluster.change(|state| state.refusal = Some(with));
                sleep(ms(lasts)).await;
                self.cluster.change(|state| state.refusal = None);
                self.recovered().await;
            }
            Fault::Slow { latency, lasts } => {
                let Some(pod) = self.any_pod(dice) else { return };
                self.cluster.change(|state| {
                    let link = &mut state.links[pod.link];
                    (link.latency, link.read_max) = ((latency / 2, latency), 3);
                });
                sleep(ms(lasts)).await;
                self.cluster.change(|state| {
                    let link = &mut state.links[pod.link];
                    (link.latency, link.read_max) = ((1, 3), 512);
                });
            }
            Fault::Cut { lasts } => {
                let Some(pod) = self.any_pod(dice) else { return };
                self.cluster.change(|state| state.links[pod.link].cut = true);
                sleep(ms(lasts)).await;
                self.cluster.change(|state| {
                    let to = state.primary;
                    state.links[pod.link].mend(to);
                });
            }
            Fault::Crash { down } => {
                let place = dice.index(self.figures.pods);
                let Some(pod) = self.take(place) else { return };
                self.crash(&pod);
                sleep(ms(down)).await;
                self.start(place).await;
            }
            Fault::Pause { lasts } => {
                let Some(pod) = self.any_pod(dice) else { return };
                self.pause(&pod, true);
                sleep(ms(lasts)).await;
                self.pause(&pod, false);
            }
            Fault::Drain { down, lingers, delay, spread } => {
                let place = dice.index(self.figures.pods);
                let Some(pod) = self.take(place) else { return };
                self.drain(
                    &pod,
                    DrainConfig { delay: ms(delay), spread: ms(spread), ..DrainConfig::AT_ONCE },
                    ms(lingers),
                )
                .await;
                sleep(ms(down)).await;
                self.start(place).await;
            }
            Fault::CutClients => self.cut.notify_waiters(),
            Fault::Numb { lasts } => *self.numb_until.lock() = Instant::now() + ms(lasts),
            Fault::InputGap { known } => {
                let Some(pod) = self.any_pod(dice) else { return };
                self.input_gap(&pod, known, dice).await;
            }
        }
        self.recorder.fault(&format!("over: {fault:?}"));
    }

    /// What an input lost is written down as an event of each product that it may have been about, of a type that never
    /// comes: only the word to refetch makes up for it.
    async fn input_gap(&self, pod: &Pod, known: bool, dice: &mut Dice) {
        const IDS: u64 = 1 << 50;
        let products = if known { 1 } else { self.figures.products };
        let ids: Vec<_> = (0..products).map(|_| IDS + dice.next() % IDS).collect();
        for (i, id) in ids.iter().enumerate() {
            self.recorder.note(|names| Op::Publish {
                id: *id,
                product: names.of(product_id(i).as_str()),
                kind: names.of("lost by an input"),
                request: *id,
            });
        }
        let product_ids = if known { vec![product_id(0)] } else { Vec::new() };
        let appended = pod.log.append_gap(InputGap { product_ids, lease: None }).await;
        for id in ids {
            self.recorder.note(|names| match appended {
                Ok(at) => Op::Accepted {
                    request: id,
                    ids: vec![id],
                    cursor: names.position(&at.to_string()),
                    duplicate: false,
                },
                Err(_) => Op::Unknown { request: id },
            });
        }
    }

    /// What a replica has whose link breaks now, in so many milliseconds from here.
    async fn replica(&self, lags: u64) -> Data {
        let data = self.cluster.change(|state| state.primary().data.clone());
        sleep(Duration::from_millis(lags)).await;
        data
    }

    fn power(&self, power: Power) {
        self.cluster.change(|state| state.primary().power = power);
    }

    /// A new primary with this data. `unseen`: it is not asked or read for so long.
    fn promote(&self, replica: Data, dice: &mut Dice, unseen: Option<u64>) {
        self.cluster.change(|state| {
            state.primary = state.add_server(replica);
            state.reconnect(dice);
            if let Some(unseen) = unseen {
                state.blindfold(unseen, dice);
            }
        });
    }

    async fn split(&self, lags: u64, lasts: u64, dice: &mut Dice) {
        let replica = self.replica(lags).await;
        let (old, new) = self.cluster.change(|state| {
            let old = state.primary;
            let new = state.add_server(replica);
            state.primary = new;
            for link in &mut state.links {
                if dice.percent(50) {
                    link.mend(new);
                }
            }
            (old, new)
        });
        sleep(Duration::from_millis(lasts)).await;
        self.cluster.change(|state| {
            state.servers[old].power = Power::Down;
            for link in state.links.iter_mut().filter(|link| link.to == old) {
                link.mend(new);
                let back = Instant::now() + Duration::from_millis(dice.between(0, 500));
                link.refused_until = [Some(back); 3];
            }
        });
    }

    /// The store is back. In an orderly run nothing else is wrong, so every pod takes events within a second.
    async fn recovered(&self) {
        if !self.figures.orderly {
            return;
        }
        for late in futures_of(self.pods(), |pod| async move {
            (!takes_within(self, &pod, TAKES_AGAIN).await).then(|| pod.name.clone())
        })
        .await
        {
            self.misbehaved.lock().push(format!("{late} takes nothing a second after the store came back"));
        }
    }

    /// Everything works again.
    pub(super) async fn mend(&self) {
        self.cluster.change(|state| {
            state.refusal = None;
            let to = state.primary;
            state.primary().power = Power::Up;
            state.links.iter_mut().for_each(|link| link.mend(to));
        });
        for pod in self.pods() {
            self.pause(&pod, false);
        }
        *self.numb_until.lock() = Instant::now();
        for place in 0..self.figures.pods {
            if self.slots.lock()[place].is_none() {
                self.start(place).await;
            }
        }
    }
}

/// Runs them side by side and returns what they found.
async fn futures_of<T, F: Future<Output = Option<T>>>(
    pods: Vec<Arc<Pod>>,
    each: impl Fn(Arc<Pod>) -> F,
) -> Vec<T> {
    let mut running: Vec<_> = pods.into_iter().map(|pod| Some(Box::pin(each(pod)))).collect();
    let mut found = Vec::new();
    std::future::poll_fn(|cx| {
        for slot in &mut running {
            if let Some(future) = slot
                && let std::task::Poll::Ready(result) = future.as_mut().poll(cx)
            {
                found.extend(result);
                *slot = None;
            }
        }
        if running.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    found
}

impl State {
    /// Appends pass; nobody asks for so long, and reads come back some time before.
    fn blindfold(&mut self, unseen: u64, dice: &mut Dice) {
        for link in &mut self.links {
            link.life += 1;
            let asks = Instant::now() + Duration::from_millis(unseen);
            let reads = Instant::now() + Duration::from_millis(dice.between(0, unseen));
            link.refused_until[Class::Append as usize] = None;
            link.refused_until[Class::Ask as usize] = Some(asks);
            link.refused_until[Class::Read as usize] = Some(reads);
        }
    }

    /// Every pod finds its way to the primary, each connection in its own time.
    fn reconnect(&mut self, dice: &mut Dice) {
        let to = self.primary;
        for link in &mut self.links {
            link.mend(to);
            for until in &mut link.refused_until {
                *until = Some(Instant::now() + Duration::from_millis(dice.between(0, 300)));
            }
        }
    }
}
