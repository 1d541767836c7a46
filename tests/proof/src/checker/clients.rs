//! [`Clients`]: what each client was told, followed line by line, and what it was owed in the end.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use super::{
    Kind, Report,
    facts::{Facts, Order, Sent},
};
use crate::history::{Answer, Name, Names, Op, Pos, Record};

/// A pod may use a position that stands for two events for this long, in milliseconds, before that counts as not found
/// out: the head is asked once a second, and a server may be away while it is.
const FOUND_OUT_WITHIN_MS: f64 = 5_000.0;

/// A connection.
#[derive(Debug)]
struct Conn {
    client: Name,
    pod: Name,
    rooms: HashMap<Name, Room>,
}

/// A product on a connection.
#[derive(Debug, Default)]
struct Room {
    /// When it was last asked for.
    asked: u32,
    /// What was missed is asked for, and the answer is still to come: until then a live batch may show a hole. Clients of the
    /// original events join first and ask then.
    asking: bool,
    /// The newest live batch, and the epoch before that one's.
    live: Option<(Pos, u32)>,
    epoch_before: Option<Name>,
}

/// A product as a client knows it, over all its connections. Moments are lines.
#[derive(Debug, Default)]
struct Shelf {
    /// Since when it is owed everything. `None`: it did not join, left, or came back without saying where it was.
    joined: Option<u32>,
    /// The last word to refetch.
    word: Option<u32>,
    /// What it got, of each type.
    got: Vec<Got>,
    /// The highest position it was told.
    told: Option<Order>,
    /// When it last asked and was told that it has everything.
    up_to_date: Option<UpToDate>,
    /// The connection on which it is joined now.
    on: Option<Name>,
    last_line: u32,
}

/// An event that came. Of each type only those are kept that no later and higher one makes superfluous.
#[derive(Debug, Clone, Copy)]
struct Got {
    kind: Name,
    order: Order,
    line: u32,
}

/// A client asked, and was told that it has everything.
#[derive(Debug, Clone, Copy)]
struct UpToDate {
    asked: u32,
    told: u32,
}

impl Shelf {
    fn got(&mut self, kind: Name, order: Order, line: u32) {
        self.got.retain(|got| got.kind != kind || got.order > order);
        self.got.push(Got { kind, order, line });
    }

    fn tell(&mut self, order: Order) {
        self.told = Some(self.told.map_or(order, |told| told.max(order)));
    }

    /// Whether this event makes it a debtor's shelf: sent while it was joined, and nothing came that makes up for it.
    fn lacks(&self, event: &Sent, order: Option<Order>) -> bool {
        let since = self.joined.is_some_and(|line| line < event.line);
        let told = self.word.is_some_and(|line| line > event.line);
        let came = || {
            order.is_none_or(|order| {
                self.got
                    .iter()
                    .any(|got| got.kind == event.kind && got.order >= order && got.line > event.line)
            })
        };
        since && !told && !came()
    }
}

/// What a pod delivered at a position.
#[derive(Debug, Clone, Copy)]
struct Delivered {
    event: u64,
    pod: Name,
    line: u32,
}

/// Two events at one position.
#[derive(Debug)]
struct Conflict {
    at: Pos,
    events: (u64, u64),
    pods: (Name, Name),
    lines: (u32, u32),
    t: f64,
}

/// A batch that said that something came before it.
#[derive(Debug)]
struct Hole {
    at: Pos,
    event: u64,
    client: Name,
    lines: [u32; 4],
}

#[derive(Debug)]
pub(super) struct Clients {
    facts: Facts,
    report: Report,
    conns: HashMap<Name, Conn>,
    shelves: HashMap<(Name, Name), Shelf>,
    tracks: HashMap<Name, Vec<Name>>,
    delivered: HashMap<Pos, Delivered>,
    conflicts: Vec<Conflict>,
    holes: Vec<Hole>,
    /// What each pod last spoke of, and when.
    pods: HashMap<Name, (Name, f64)>,
    phantoms: HashSet<u64>,
}

impl Clients {
    pub(super) fn new(facts: Facts) -> Self {
        let report = Report { counts: facts.counts.clone(), ..Report::default() };
        Self {
            facts,
            report,
            conns: HashMap::new(),
            shelves: HashMap::new(),
            tracks: HashMap::new(),
            delivered: HashMap::new(),
            conflicts: Vec::new(),
            holes: Vec::new(),
            pods: HashMap::new(),
            phantoms: HashSet::new(),
        }
    }

    pub(super) fn follow(&mut self, line: u32, record: &Record) {
        let t = record.t;
        match &record.op {
            Op::Open { client, conn, pod, .. } => {
                self.report.counts.connections += 1;
                self.conns.insert(*conn, Conn { client: *client, pod: *pod, rooms: HashMap::new() });
                if let Entry::Vacant(new) = self.tracks.entry(*client) {
                    new.insert(Vec::new());
                    self.report.counts.clients += 1;
                }
            }
            Op::Close { conn } => {
                let Some(closed) = self.conns.remove(conn) else { return };
                for product in closed.rooms.keys() {
                    if let Some(shelf) = self.shelves.get_mut(&(closed.client, *product)) {
                        shelf.on = shelf.on.filter(|on| on != conn);
                    }
                }
            }
            Op::Join { conn, product, since } => self.join(line, *conn, *product, *since),
            Op::Joined { conn, product, result, cursor } => {
                self.spoke(*conn, *cursor, t);
                self.joined(line, *conn, *product, *result, *cursor);
            }
            Op::Leave { conn, product } => {
                let Some(at) = self.conns.get_mut(conn) else { return };
                at.rooms.remove(product);
                self.shelves.insert((at.client, *product), Shelf::default());
            }
            Op::Batch { conn, product, cursor, previous, replay, events } => {
                self.spoke(*conn, *cursor, t);
                if events.is_empty() {
                    self.report.counts.resyncs += 1;
                    self.word(line, *conn, &[*product], *cursor);
                } else {
                    self.batch(&Came {
                        line,
                        t,
                        conn: *conn,
                        product: *product,
                        cursor: *cursor,
                        previous: *previous,
                        replay: *replay,
                        events,
                    });
                }
            }
            Op::Resync { conn, products, cursor, .. } => {
                self.spoke(*conn, *cursor, t);
                self.report.counts.resyncs += 1;
                match products {
                    Some(products) => self.word(line, *conn, products, *cursor),
                    None => {
                        let Some(at) = self.conns.get(conn) else { return };
                        let tracked = self.tracks.get(&at.client).cloned().unwrap_or_default();
                        self.word(line, *conn, &tracked, *cursor);
                    }
                }
            }
            Op::Position { conn, cursor } => {
                self.spoke(*conn, *cursor, t);
                let (Some(at), Some(cursor)) = (self.conns.get(conn), cursor) else { return };
                let order = self.facts.order(*cursor);
                for product in at.rooms.keys() {
                    if let Some(shelf) = self.shelves.get_mut(&(at.client, *product)) {
                        shelf.tell(order);
                    }
                }
            }
            Op::Fault { .. } => self.report.counts.faults += 1,
            Op::Publish { .. } | Op::Accepted { .. } | Op::Refused { .. } | Op::Unknown { .. } | Op::End => {}
        }
    }

    fn spoke(&mut self, conn: Name, cursor: Option<Pos>, t: f64) {
        if let (Some(at), Some(cursor)) = (self.conns.get(&conn), cursor) {
            self.pods.insert(at.pod, (cursor.epoch, t));
        }
    }

    fn join(&mut self, line: u32, conn: Name, product: Name, since: Option<Pos>) {
        let Some(at) = self.conns.get_mut(&conn) else { return };
        let again = at.rooms.contains_key(&product);
        let room = at.rooms.entry(product).or_default();
        (room.asked, room.asking) = (line, room.asking || since.is_some());
        let key = (at.client, product);
        if let Entry::Vacant(new) = self.shelves.entry(key) {
            new.insert(Shelf::default());
        }
        let tracks = self.tracks.entry(at.client).or_default();
        if !tracks.contains(&product) {
            tracks.push(product);
        }
        let Some(shelf) = self.shelves.get_mut(&key) else { return };
        match since {
            Some(at) => {
                self.report.counts.resumes += 1;
                shelf.tell(self.facts.order(at));
            }
            // It starts over, and is owed nothing for its absence.
            None if !again => *shelf = Shelf::default(),
            None => {}
        }
        shelf.on = Some(conn);
    }

    fn joined(&mut self, line: u32, conn: Name, product: Name, result: Answer, cursor: Option<Pos>) {
        let Some(at) = self.conns.get_mut(&conn) else { return };
        let asked = at.rooms.get_mut(&product).map_or(line, |room| {
            room.asking = false;
            room.asked
        });
        let Some(shelf) = self.shelves.get_mut(&(at.client, product)) else { return };
        if result == Answer::Refused {
            *shelf = Shelf::default();
            return;
        }
        shelf.joined.get_or_insert(line);
        shelf.last_line = line;
        shelf.up_to_date = (result == Answer::UpToDate).then_some(UpToDate { asked, told: line });
        if let Some(cursor) = cursor {
            shelf.tell(self.facts.order(cursor));
        }
    }

    fn word(&mut self, line: u32, conn: Name, products: &[Name], cursor: Option<Pos>) {
        let Some(at) = self.conns.get(&conn) else { return };
        for product in products {
            let Some(shelf) = self.shelves.get_mut(&(at.client, *product)) else { continue };
            shelf.word = Some(line);
            shelf.last_line = line;
            if let Some(cursor) = cursor {
                shelf.tell(self.facts.order(cursor));
            }
        }
    }
}

/// A batch as the history has it.
struct Came<'a> {
    line: u32,
    t: f64,
    conn: Name,
    product: Name,
    cursor: Option<Pos>,
    previous: Option<Pos>,
    replay: bool,
    events: &'a [(u64, Name)],
}

impl Clients {
    fn batch(&mut self, came: &Came<'_>) {
        let Some(conn) = self.conns.get_mut(&came.conn) else { return };
        let (client, pod, line) = (conn.client, conn.pod, came.line);
        let room = conn.rooms.entry(came.product).or_default();
        let (live, asking) = (room.live, room.asking);
        if let (Some(cursor), false) = (came.cursor, came.replay) {
            if let Some((before, before_line)) = live {
                if before.epoch == cursor.epoch && before.n == cursor.n {
                    self.report.note(Kind::Duplicate, &[before_line, line], || {
                        format!("position {} came twice on one connection", cursor.n)
                    });
                } else if before.epoch == cursor.epoch && before.n > cursor.n {
                    self.report.note(Kind::Reordered, &[before_line, line], || {
                        format!("the position went back from {} to {} on one connection", before.n, cursor.n)
                    });
                } else if room.epoch_before == Some(cursor.epoch) {
                    self.report.note(Kind::Reordered, &[before_line, line], || {
                        "an epoch came back on one connection".to_owned()
                    });
                }
                if before.epoch != cursor.epoch {
                    room.epoch_before = Some(before.epoch);
                }
            }
            room.live = Some((cursor, line));
        }

        self.report.counts.batches += 1;
        self.report.counts.deliveries += came.events.len() as u64;
        if came.replay {
            self.report.counts.replays += came.events.len() as u64;
        }
        if came.replay || !asking {
            self.hole(client, came);
        }
        self.contents(pod, came, live);

        let key = (client, came.product);
        let shelf = self.shelves.entry(key).or_default();
        for (i, (id, kind)) in came.events.iter().enumerate() {
            let last = i + 1 == came.events.len();
            let stands = self.facts.event(*id).and_then(|(_, event)| event.at);
            // Of an event whose publisher was told nothing only the end of a batch tells where it stands.
            let Some(at) = stands.or(came.cursor.filter(|_| last)) else { continue };
            let order = self.facts.order(at);
            let again = shelf.got.iter().any(|got| got.kind == *kind && got.order >= order);
            if again && (came.replay || live.is_none()) {
                self.report.counts.repeats += 1;
            }
            shelf.got(*kind, order, line);
        }
        shelf.last_line = line;
        if let Some(cursor) = came.cursor {
            shelf.tell(self.facts.order(cursor));
        }
    }

    /// Whether what came before this batch came to this client.
    fn hole(&mut self, client: Name, came: &Came<'_>) {
        // What is named may be the pod's floor, which overtakes a batch if the pod remembers less than a window is long.
        let floor = |at: &Pos| came.cursor.is_some_and(|cursor| cursor.epoch == at.epoch && cursor.n <= at.n);
        let Some(at) = came.previous.filter(|at| !floor(at)) else { return };
        let before = |event: &&Sent| event.product == came.product && event.line < came.line;
        let Some(event) = self.facts.standing_at(at).filter(before) else { return };
        let Some(shelf) = self.shelves.get(&(client, came.product)) else { return };
        // Not `at`: taken on both sides of a split, it may stand elsewhere too.
        if shelf.lacks(event, event.at.map(|at| self.facts.order(at))) {
            let accepted = event.accepted.unwrap_or_default();
            let joined = shelf.joined.unwrap_or_default();
            self.holes.push(Hole {
                at,
                event: event.id,
                client,
                lines: [event.line, accepted, joined, came.line],
            });
        }
    }

    /// Whether each event is one that was sent, and stands where its publisher was told and other pods say.
    fn contents(&mut self, pod: Name, came: &Came<'_>, live: Option<(Pos, u32)>) {
        let line = came.line;
        let mut before = live.filter(|_| !came.replay);
        for (i, (id, kind)) in came.events.iter().enumerate() {
            let Some((_, event)) = self.facts.event(*id) else {
                if self.phantoms.insert(*id) {
                    self.report.note(Kind::Phantom, &[line], || format!("nobody ever sent event {id}"));
                }
                continue;
            };
            if (event.product, event.kind) != (came.product, *kind) {
                self.report.note(Kind::Phantom, &[event.line, line], || {
                    format!("event {id} came as one of another product or type than was sent")
                });
            }
            if self.facts.is_refused(event) && self.phantoms.insert(*id) {
                self.report.note(Kind::AbortedRead, &[event.line, line], || {
                    format!("event {id} came although it was refused")
                });
            }
            let (Some(at), Some(cursor)) = (event.at.filter(|_| event.once), came.cursor) else { continue };
            let accepted = event.accepted.unwrap_or_default();
            let last = i + 1 == came.events.len();
            // In another epoch it may stand elsewhere: a retry after Redis lost the claim is appended again.
            if at.epoch == cursor.epoch && (at.n > cursor.n || (last && at.n != cursor.n)) {
                self.report.note(Kind::Inconsistent, &[event.line, accepted, line], || {
                    format!(
                        "event {id} was accepted at {} and came in a batch that ends at {}",
                        at.n, cursor.n
                    )
                });
            } else if let Some((earlier, earlier_line)) =
                before.filter(|(b, _)| b.epoch == at.epoch && b.n >= at.n)
            {
                let kind = if earlier.n == at.n { Kind::Duplicate } else { Kind::Reordered };
                self.report.note(kind, &[accepted, earlier_line, line], || {
                    format!("event {id} at {} came after position {} on one connection", at.n, earlier.n)
                });
            } else if !came.replay {
                before = Some((at, line));
            }
        }
        let (Some(cursor), Some((id, _))) = (came.cursor, came.events.last()) else { return };
        let delivered = Delivered { event: *id, pod, line };
        let first = *self.delivered.entry(cursor).or_insert(delivered);
        if first.event != *id {
            self.conflicts.push(Conflict {
                at: cursor,
                events: (first.event, *id),
                pods: (first.pod, pod),
                lines: (first.line, line),
                t: came.t,
            });
        }
    }

    pub(super) fn finish(mut self, names: &Names) -> Report {
        let contested: HashSet<Pos> = self.conflicts.iter().map(|conflict| conflict.at).collect();
        // After a fork the batch before may have been of another event at that position.
        let other = |hole: &Hole| self.delivered.get(&hole.at).is_some_and(|came| came.event != hole.event);
        for hole in self.holes.iter().filter(|hole| !contested.contains(&hole.at) && !other(hole)) {
            self.report.note(Kind::Hole, &hole.lines, || {
                let (client, at) = (names.text(hole.client), names.cursor(hole.at));
                format!(
                    "client {client} never got event {} at {at}, which came before this batch",
                    hole.event
                )
            });
        }
        for conflict in &self.conflicts {
            let goes_on = |pod: &Name| {
                self.pods.get(pod).is_some_and(|(epoch, t)| {
                    *epoch == conflict.at.epoch && *t > conflict.t + FOUND_OUT_WITHIN_MS
                })
            };
            if goes_on(&conflict.pods.0) || goes_on(&conflict.pods.1) {
                self.report.note(Kind::Inconsistent, &[conflict.lines.0, conflict.lines.1], || {
                    let (one, other) = conflict.events;
                    format!("{} is event {one} and event {other}", names.cursor(conflict.at))
                });
            }
        }
        let mut shelves: Vec<_> = self.shelves.iter().filter(|(_, shelf)| shelf.on.is_some()).collect();
        shelves.sort_unstable_by_key(|(key, _)| **key);
        for ((client, product), shelf) in shelves {
            let since = shelf.joined.max(shelf.word).unwrap_or(u32::MAX);
            let sent = self.facts.by_product.get(product).map_or(&[][..], |all| all);
            for event in sent.iter().rev().map(|i| &self.facts.sent[*i as usize]) {
                if event.line < since {
                    break;
                }
                let Some(accepted) = event.accepted else { continue };
                let order = event.at.map(|at| self.facts.order(at));
                if !shelf.lacks(event, order) {
                    continue;
                }
                let stale = shelf.up_to_date.filter(|answer| answer.asked > accepted);
                let kind = match (stale, order) {
                    (Some(_), _) => Kind::StaleResume,
                    (None, Some(order)) if shelf.told.is_none_or(|told| told < order) => Kind::LostTail,
                    (None, _) => Kind::Lost,
                };
                let joined = shelf.joined.unwrap_or_default();
                let told = stale.map_or(0, |answer| answer.told);
                let word = shelf.word.unwrap_or_default();
                self.report.note(kind, &[joined, word, event.line, accepted, told, shelf.last_line], || {
                    let (client, product) = (names.text(*client), names.text(*product));
                    let at = event.at.map_or("?".to_owned(), |at| names.cursor(at));
                    format!("client {client} never got event {} of {product} at {at}, nor a word", event.id)
                });
            }
        }
        self.report
    }
}
