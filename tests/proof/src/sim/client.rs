//! A client of Socket.IO that does what the documentation says: it keeps a position for each product, says where it was
//! when it comes back, to whatever pod, asks when a batch says that something came before it, and writes down all it
//! sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use shelfcast::model::{LogTime, Position, ProductId};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    dice::Dice,
    wire::{Message, Session, Wanted, Wire, WireLane},
    world::{Pod, World, product_id},
};
use crate::history::{Answer, Name, Names, Op, Pos};

/// What a client is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) announced: bool,
    /// Milliseconds between two messages it reads.
    pub(super) reads_ms: u64,
    /// Milliseconds it stays connected on average.
    pub(super) stays_ms: u64,
    /// Percent of its returns on which it does not say where it was.
    pub(super) forgets: u64,
    /// It moves its positions along with the positions it is told for the whole connection.
    pub(super) lifts: bool,
    /// It says where it was by timestamps of batches.
    stamps: bool,
    /// It goes for good once faults are over, or before.
    pub(super) leaves: bool,
}

impl Habits {
    pub(super) fn throw(dice: &mut Dice) -> Self {
        Self {
            announced: dice.percent(60),
            reads_ms: dice.pick(&[0, 0, 0, 15, 60, 200]),
            stays_ms: dice.pick(&[500, 1_500, 4_000, 60_000]),
            forgets: dice.pick(&[0, 0, 0, 30]),
            lifts: dice.percent(50),
            stamps: dice.percent(25),
            leaves: dice.percent(5),
        }
    }
}

/// How long a client waits for an answer before it connects anew.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Client {
    pub(super) world: Arc<World>,
    pub(super) dice: Dice,
    pub(super) name: String,
    pub(super) habits: Habits,
    pub(super) wanted: BTreeSet<usize>,
    pub(super) connections: u64,
    /// Where it stands; none for a product that it never joined.
    positions: BTreeMap<ProductId, Position>,
    /// The newest batch of each product: its cursor and its timestamp, which names the same place.
    stamps: BTreeMap<ProductId, (Position, LogTime)>,
}

/// A connection as the client sees it.
struct Live {
    pod: Arc<Pod>,
    conn: Name,
    session: Session,
    /// Joined and answered.
    joined: BTreeSet<ProductId>,
    /// Requests under way; for each since when.
    asked: Vec<Instant>,
    asking: BTreeSet<ProductId>,
}

impl Client {
    pub(super) fn new(
        world: Arc<World>,
        dice: Dice,
        name: String,
        habits: Habits,
        wanted: BTreeSet<usize>,
    ) -> Self {
        Self {
            world,
            dice,
            name,
            habits,
            wanted,
            connections: 0,
            positions: BTreeMap::new(),
            stamps: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self, until: tokio_util::sync::CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.visit() => {}
            }
            if self.habits.leaves && (self.dice.percent(10) || self.world.settled.is_cancelled()) {
                return;
            }
            let longest =
                if self.world.settled.is_cancelled() { 300 } else { self.dice.pick(&[100, 800, 4_000]) };
            let wait = Duration::from_millis(self.dice.between(1, longest));
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.world.settled.cancelled(), if !self.world.settled.is_cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// One connection, from its begin to its end.
    async fn visit(&mut self) {
        let Some(pod) = self.world.any_pod(&mut self.dice) else { return };
        let wire = Wire::new(self.world.figures.queue_max);
        let world = Arc::clone(&self.world);
        let stays = Duration::from_millis(self.dice.between(1, self.habits.stays_ms * 2));
        let leaves_at = Instant::now() + stays;
        let mut live: Option<Live> = None;
        tokio::select! {
            biased;
            () = pod.life.cancelled() => {}
            () = world.cut.notified() => {}
            () = world.restless_until(leaves_at) => {}
            () = self.stay(&pod, &wire, &mut live) => {}
        }
        if let Some(live) = live {
            world.recorder.note(|_| Op::Close { conn: live.conn });
            wire.leave();
            let notices = Duration::from_millis(self.dice.pick(&[0, 5, 300, 3_000]));
            world.tasks.spawn(async move {
                sleep(notices).await;
                wire.close();
                live.session.hub.disconnect(live.session.subscriber.id());
            });
        }
    }

    async fn stay(&mut self, pod: &Arc<Pod>, wire: &Arc<Wire>, slot: &mut Option<Live>) {
        self.travel(pod).await;
        self.connections += 1;
        let mut conn = None;
        self.world.recorder.note(|names| {
            let name = names.of(&format!("{}.{}", self.name, self.connections));
            conn = Some(name);
            Op::Open {
                client: names.of(&self.name),
                conn: name,
                pod: names.of(&pod.name),
                transport: names.of("socketio"),
                announced: self.habits.announced,
            }
        });
        let Some(conn) = conn else { return };
        let subscriber = pod.hub.connect(Box::new(WireLane(Arc::clone(wire))), self.habits.announced, None);
        let session = Session {
            hub: Arc::clone(&pod.hub),
            subscriber,
            wire: Arc::clone(wire),
            tasks: self.world.tasks.clone(),
        };
        let live = slot.insert(Live {
            pod: Arc::clone(pod),
            conn,
            session,
            joined: BTreeSet::new(),
            asked: Vec::new(),
            asking: BTreeSet::new(),
        });
        if self.dice.percent(self.habits.forgets) {
            self.positions.clear();
        }
        let all: Vec<_> = self.wanted.iter().map(|i| product_id(*i)).collect();
        self.join(live, all).await;
        loop {
            let moves = Duration::from_millis(self.dice.between(50, 3_000));
            let waits = live.asked.first().map(|since| *since + ANSWER_TIMEOUT);
            tokio::select! {
                biased;
                message = Self::next(live, wire) => {
                    let Some(message) = message else { return };
                    let numb = *self.world.numb_until.lock();
                    sleep_until(numb).await;
                    if !self.world.settled.is_cancelled() && self.habits.reads_ms > 0 {
                        sleep(Duration::from_millis(self.dice.between(1, self.habits.reads_ms))).await;
                    }
                    self.read(live, message).await;
                }
                () = sleep_until(waits.unwrap_or_else(Instant::now)), if waits.is_some() => return,
                () = sleep(moves), if !self.world.settled.is_cancelled() => self.turn(live).await,
            }
        }
    }

    async fn next(live: &Live, wire: &Wire) -> Option<Message> {
        live.pod.flows().await;
        wire.recv().await
    }

    /// The time a request takes.
    async fn travel(&mut self, pod: &Pod) {
        sleep(Duration::from_millis(self.dice.between(1, 4))).await;
        pod.flows().await;
    }

    /// It looks at something else.
    async fn turn(&mut self, live: &mut Live) {
        if !self.dice.percent(30) {
            return;
        }
        let i = self.dice.index(self.world.figures.products);
        let product = product_id(i);
        if self.wanted.contains(&i) && self.wanted.len() > 1 {
            self.wanted.remove(&i);
            live.joined.remove(&product);
            self.positions.remove(&product);
            self.world
                .recorder
                .note(|names| Op::Leave { conn: live.conn, product: names.of(product.as_str()) });
            self.travel(&live.pod).await;
            live.session.leave_product(&product);
        } else if self.wanted.insert(i) {
            self.join(live, vec![product]).await;
        }
    }

    /// Joins, and says where it was if it knows.
    async fn join(&mut self, live: &mut Live, products: Vec<ProductId>) {
        let wanted: Vec<_> = products.into_iter().map(|product| self.wish(product)).collect();
        for wish in &wanted {
            self.note_join(live, &wish.product, wish.since);
        }
        live.asked.push(Instant::now());
        self.travel(&live.pod).await;
        if wanted.iter().all(|wish| wish.since.is_none()) && self.dice.percent(50) {
            live.session.join_product(wanted.into_iter().map(|wish| wish.product).collect());
        } else {
            live.session.join_products(wanted);
        }
    }

    fn wish(&self, product: ProductId) -> Wanted {
        let since = self.positions.get(&product).copied();
        let stamp = self.stamps.get(&product).filter(|(at, _)| self.habits.stamps && Some(*at) == since);
        Wanted { stamp: stamp.map(|(_, stamp)| *stamp), since, product }
    }

    fn note_join(&self, live: &Live, product: &ProductId, since: Option<Position>) {
        self.world.recorder.note(|names| Op::Join {
            conn: live.conn,
            product: names.of(product.as_str()),
            since: since.and_then(|at| pos(names, at)),
        });
    }

    async fn read(&mut self, live: &mut Live, message: Message) {
        match message {
            Message::Frame(json) => self.batch(live, &json).await,
            Message::Resync { reason, products, cursor } => {
                self.world.recorder.note(|names| Op::Resync {
                    conn: live.conn,
                    products: products
                        .as_ref()
                        .map(|all| all.iter().map(|product| names.of(product.as_str())).collect()),
                    reason: names.of(reason),
                    cursor: pos(names, cursor),
                });
                let all = || self.positions.keys().cloned().collect();
                for product in products.unwrap_or_else(all) {
                    if self.positions.contains_key(&product) {
                        self.positions.insert(product, cursor);
                    }
                }
            }
            Message::Beat { cursor, products } => {
                self.world
                    .recorder
                    .note(|names| Op::Position { conn: live.conn, cursor: pos(names, cursor) });
                for (product, at) in products {
                    self.ask_if_behind(live, &product, at).await;
                }
                self.lift(live, cursor);
            }
            Message::Ack { results, cursor } => {
                if !live.asked.is_empty() {
                    live.asked.remove(0);
                }
                for (product, answer) in results {
                    self.world.recorder.note(|names| Op::Joined {
                        conn: live.conn,
                        product: names.of(product.as_str()),
                        result: answer,
                        cursor: pos(names, cursor),
                    });
                    live.asking.remove(&product);
                    if !self.wants(&product) {
                        continue;
                    }
                    live.joined.insert(product.clone());
                    if answer == Answer::Joined {
                        self.positions.entry(product).or_insert(cursor);
                    }
                }
                self.lift(live, cursor);
            }
        }
    }

    fn wants(&self, product: &ProductId) -> bool {
        self.wanted.iter().any(|i| product_id(*i) == *product)
    }

    /// A position told for the whole connection moves all that is joined and not being asked about.
    fn lift(&mut self, live: &Live, cursor: Position) {
        if !self.habits.lifts {
            return;
        }
        for (product, own) in &mut self.positions {
            let settled = live.joined.contains(product) && !live.asking.contains(product);
            if settled && own.epoch == cursor.epoch && own.n < cursor.n {
                *own = cursor;
            }
        }
    }

    async fn batch(&mut self, live: &mut Live, json: &str) {
        let Ok(batch) = serde_json::from_str::<Batch<'_>>(json) else {
            self.world.misbehaved.lock().push(format!("a frame cannot be read: {json}"));
            return;
        };
        self.world.recorder.note(|names| batch.op(names, live.conn));
        let (Ok(product), Ok(cursor), Ok(previous)) =
            (ProductId::new(batch.product), batch.cursor.parse::<Position>(), batch.previous.parse())
        else {
            return;
        };
        if !self.positions.contains_key(&product) {
            return;
        }
        if batch.events.is_empty() {
            self.positions.insert(product, cursor);
            return;
        }
        if let Some(stamp) = LogTime::parse(batch.timestamp) {
            self.stamps.insert(product.clone(), (cursor, stamp));
        }
        if !batch.replay {
            self.ask_if_behind(live, &product, previous).await;
        }
        let own = self.positions.get(&product).copied();
        // While it asks for what came before, it must not seem to have it.
        let whole = batch.replay || !live.asking.contains(&product);
        if whole && own.is_some_and(|own| own.epoch != cursor.epoch || own.n < cursor.n) {
            self.positions.insert(product, cursor);
        }
    }

    /// It should have come as far as `known` and has not: it asks for what it missed.
    async fn ask_if_behind(&mut self, live: &mut Live, product: &ProductId, known: Position) {
        let Some(own) = self.positions.get(product).copied() else { return };
        if (own.epoch == known.epoch && own.n >= known.n) || !live.asking.insert(product.clone()) {
            return;
        }
        self.note_join(live, product, Some(own));
        live.asked.push(Instant::now());
        self.travel(&live.pod).await;
        live.session.request_sync(product.clone(), own);
    }
}

/// A batch as clients read it.
#[derive(Debug, Deserialize)]
pub(super) struct Batch<'a> {
    #[serde(rename = "productId")]
    pub(super) product: &'a str,
    pub(super) cursor: &'a str,
    timestamp: &'a str,
    #[serde(rename = "previousCursor")]
    pub(super) previous: &'a str,
    #[serde(default)]
    pub(super) replay: bool,
    #[serde(borrow)]
    events: Vec<BatchEvent<'a>>,
}

#[derive(Debug, Deserialize)]
struct BatchEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    data: EventData,
}

#[derive(Debug, Deserialize)]
struct EventData {
    id: u64,
}

impl Batch<'_> {
    pub(super) fn op(&self, names: &mut Names, conn: Name) -> Op {
        Op::Batch {
            conn,
            product: names.of(self.product),
            cursor: names.position(self.cursor),
            previous: names.position(self.previous),
            replay: self.replay,
            events: self.events.iter().map(|event| (event.data.id, names.of(event.kind))).collect(),
        }
    }
}

pub(super) fn pos(names: &mut Names, at: Position) -> Option<Pos> {
    names.position(&at.to_string())
}
