//! [`Batches`]: the log, the rooms and the windows of the reference writer. It opens no socket.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::Instant,
};

use time::OffsetDateTime;

use super::requests;
use crate::{
    client::WINDOW,
    wire::{http, websocket},
};

const EVENTS_MAX: usize = 100;
/// As many as the gateway keeps.
const LOG_EVENTS_MAX: usize = 1_000_000;

/// A batch, framed for each transport.
pub(super) struct Frames {
    pub(super) websocket: Rc<[u8]>,
    pub(super) sse: Rc<[u8]>,
}

#[derive(Default)]
struct Room {
    product: Box<str>,
    /// Connections by their place.
    members: Vec<usize>,
    window: Vec<Rc<str>>,
    /// How many windows it had: one that left full is not the one whose time comes.
    round: u64,
    last: u64,
    previous: u64,
}

/// Everything about events.
#[derive(Default)]
pub(super) struct Batches {
    by_id: HashMap<Box<str>, usize>,
    rooms: Vec<Room>,
    /// Rooms with an open window, the oldest first, all equally long.
    open: VecDeque<(Instant, usize, u64)>,
    log: VecDeque<Rc<str>>,
    last: u64,
}

impl Batches {
    pub(super) fn room(&mut self, product: &str) -> usize {
        if let Some(room) = self.by_id.get(product) {
            return *room;
        }
        self.by_id.insert(product.into(), self.rooms.len());
        self.rooms.push(Room { product: product.into(), ..Room::default() });
        self.rooms.len() - 1
    }

    pub(super) fn join(&mut self, product: &str, at: usize) -> usize {
        let room = self.room(product);
        self.rooms[room].members.push(at);
        room
    }

    pub(super) fn leave(&mut self, room: usize, at: usize) {
        let members = &mut self.rooms[room].members;
        if let Some(place) = members.iter().position(|member| *member == at) {
            members.swap_remove(place);
        }
    }

    pub(super) fn members(&self, room: usize) -> &[usize] {
        &self.rooms[room].members
    }

    pub(super) fn cursor(&self) -> String {
        cursor(self.last)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.front().map(|(deadline, ..)| *deadline)
    }

    /// Keeps an event; what left because its window is full.
    pub(super) fn accept(&mut self, event: &str, now: Instant) -> Option<(usize, Frames)> {
        let (room_at, event) = (self.room(requests::product(event)), Rc::<str>::from(event));
        self.last += 1;
        self.log.push_back(Rc::clone(&event));
        if self.log.len() > LOG_EVENTS_MAX {
            self.log.pop_front();
        }
        let room = &mut self.rooms[room_at];
        room.last = self.last;
        if room.members.is_empty() {
            return None;
        }
        if room.window.is_empty() {
            self.open.push_back((now + WINDOW, room_at, room.round));
        }
        room.window.push(event);
        (room.window.len() == EVENTS_MAX).then(|| (room_at, room.close()))
    }

    /// The next batch whose time has come.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(usize, Frames)> {
        while let Some((_, room_at, round)) = self.open.pop_front_if(|(deadline, ..)| *deadline <= now) {
            let room = &mut self.rooms[room_at];
            if room.round == round {
                return Some((room_at, room.close()));
            }
        }
        None
    }

    pub(super) fn sse_opening(&self) -> String {
        let block = http::encode_chunk(&format!("retry: 3000\nid: {}\n\n", self.cursor()));
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            String::from_utf8_lossy(&block)
        )
    }

    pub(super) fn sse_beat(&self) -> Vec<u8> {
        http::encode_chunk(&format!("id: {}\n\n", self.cursor()))
    }
}

impl Room {
    fn close(&mut self) -> Frames {
        let Self { product, window, last, previous, .. } = self;
        let (count, events, now) = (window.len(), window.join(","), OffsetDateTime::now_utc());
        let (date, clock) = (now.date(), now.time());
        let timestamp = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second(),
            clock.microsecond()
        );
        let (cursor, previous_cursor) = (cursor(*last), cursor(*previous));
        let json = format!(
            r#"{{"productId":"{product}","events":[{events}],"timestamp":"{timestamp}","count":{count},"cursor":"{cursor}","previousCursor":"{previous_cursor}","spreadMs":0}}"#
        );
        *previous = *last;
        window.clear();
        self.round += 1;
        Frames {
            websocket: websocket::from_server(&format!(r#"42["batched_product_update",{json}]"#)).into(),
            sse: http::encode_chunk(&format!(
                "event: batched_product_update\nid: {cursor}\ndata: {json}\n\n"
            ))
            .into(),
        }
    }
}

fn cursor(n: u64) -> String {
    format!("refwrite.{n}")
}
