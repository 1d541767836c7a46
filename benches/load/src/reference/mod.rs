//! The reference writer: the cheapest correct server imaginable for what is measured.
//!
//! One thread, epoll, no framework; the frames of a batch are encoded once and written with one call for each client, the
//! same bytes as the gateway's. What it leaves out is what it is there to price: checks, limits, deadlines, a log that can be read, resuming.

mod batches;
mod connection;
mod requests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpListener};
use socket2::{Domain, Protocol, Socket, Type};

use self::{
    batches::{Batches, Frames},
    connection::{Connection, Speaks},
    requests::{Packet, Request},
};
use crate::wire::websocket;

const LISTENER: Token = Token(usize::MAX);
const BACKLOG: i32 = 4_096;
/// How often it looks for heartbeats that are due.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Beats between two pings of Engine.IO, for all at once. A run ends before the first one, at the other servers too.
const WEBSOCKET_BEATS: u64 = 25;
/// Beats between two heartbeats of a stream, evenly spread over streams, as the gateway's are: else a run would contain
/// those of one server and none of the other's.
const SSE_BEATS: u64 = 15;

/// Serves on 127.0.0.1 until the process is ended.
pub fn serve(port: u16) -> io::Result<()> {
    let mut server = Server::new(port)?;
    let (mut events, mut next_beat) = (Events::with_capacity(1_024), Instant::now() + BEAT_EVERY);
    let mut beats = 0;
    loop {
        let until = server.batches.next_deadline().map_or(next_beat, |deadline| deadline.min(next_beat));
        match server.poll.poll(&mut events, Some(until.saturating_duration_since(Instant::now()))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept()?,
                token => server.turn(token.0, event.is_writable()),
            }
        }
        let now = Instant::now();
        while let Some((room, frames)) = server.batches.expire(now) {
            server.deliver(room, &frames);
        }
        if now >= next_beat {
            beats += 1;
            server.beat(beats);
            next_beat += BEAT_EVERY;
        }
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// By token; the places of those who left are taken again.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    batches: Batches,
    buffer: Vec<u8>,
}

impl Server {
    fn new(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        socket.listen(BACKLOG)?;
        let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(socket.into()));
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            batches: Batches::default(),
            buffer: vec![0; 64 * 1024],
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(at), interest)?;
            self.connections[at] = Some(Connection::new(stream));
        }
    }

    fn turn(&mut self, at: usize, is_writable: bool) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        if is_writable {
            connection.flush();
        }
        let input = connection.read(&mut self.buffer);
        if let Some(input) = input {
            self.take(at, input);
        }
        if self.connections[at].as_ref().is_some_and(|connection| connection.has_ended) {
            self.end(at);
        }
    }

    fn end(&mut self, at: usize) {
        if let Some(connection) = self.connections[at].take() {
            connection.rooms.iter().for_each(|room| self.batches.leave(*room, at));
            self.free.push(at);
        }
    }

    /// Takes all whole messages of `input`, and keeps the rest.
    fn take(&mut self, at: usize, mut input: Vec<u8>) {
        let mut taken = 0;
        while let Some(Some(connection)) = self.connections.get(at) {
            let length = match connection.speaks {
                Speaks::Http => self.take_request(at, &input[taken..]),
                Speaks::WebSocket => self.take_frame(at, &input[taken..]),
                Speaks::Sse => input.len() - taken,
            };
            taken += length;
            if length == 0 || taken == input.len() {
                break;
            }
        }
        if let (Some(Some(connection)), true) = (self.connections.get_mut(at), taken < input.len()) {
            input.drain(..taken);
            connection.input = input;
        }
    }

    fn take_request(&mut self, at: usize, input: &[u8]) -> usize {
        let Some((request, length)) = Request::read(input) else { return 0 };
        let answer = match request {
            Request::Ready => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(),
            Request::Unknown => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
            Request::Notify(body) => self.notify(body),
            Request::Upgrade(key) => {
                self.speak(at, Speaks::WebSocket);
                self.send(at, requests::upgraded(key).into_bytes().into());
                self.send(at, websocket::from_server(requests::OPEN).into());
                return length;
            }
            Request::Events(products) => {
                self.speak(at, Speaks::Sse);
                self.join(at, products);
                self.batches.sse_opening()
            }
        };
        self.send(at, answer.into_bytes().into());
        length
    }

    fn notify(&mut self, body: &[u8]) -> String {
        let now = Instant::now();
        let mut accepted = 0;
        for event in requests::events(body) {
            if let Some((room, frames)) = self.batches.accept(event, now) {
                self.deliver(room, &frames);
            }
            accepted += 1;
        }
        requests::accepted(accepted, &self.batches.cursor())
    }

    fn take_frame(&mut self, at: usize, input: &[u8]) -> usize {
        let Some(frame) = websocket::Frame::read(input) else { return 0 };
        let answer = match Packet::read(frame.content) {
            Packet::Connect => {
                self.send(at, websocket::from_server(r#"40{"sid":"reference-sid-000000"}"#).into());
                r#"42["connected",{"socketId":"reference-sid-000000","authenticated":false}]"#.into()
            }
            Packet::Join(ack, products) => {
                self.join(at, products);
                format!(r#"43{ack}[{{"ok":true}}]"#)
            }
            Packet::Leave(ack, products) => {
                self.leave(at, products);
                format!(r#"43{ack}[{{"ok":true}}]"#)
            }
            Packet::Other => return frame.bytes,
        };
        self.send(at, websocket::from_server(&answer).into());
        frame.bytes
    }

    fn speak(&mut self, at: usize, speaks: Speaks) {
        if let Some(Some(connection)) = self.connections.get_mut(at) {
            connection.speaks = speaks;
        }
    }

    fn join(&mut self, at: usize, products: Vec<&str>) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        for product in products {
            let room = self.batches.join(product, at);
            connection.rooms.push(room);
        }
        connection.rooms.shrink_to_fit();
    }

    fn leave(&mut self, at: usize, products: Vec<&str>) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        for product in products {
            let room = self.batches.room(product);
            connection.rooms.retain(|joined| *joined != room);
            self.batches.leave(room, at);
        }
    }

    fn send(&mut self, at: usize, bytes: Rc<[u8]>) {
        if let Some(Some(connection)) = self.connections.get_mut(at) {
            connection.send(&bytes);
        }
    }

    /// One write for each member.
    fn deliver(&mut self, room: usize, frames: &Frames) {
        for at in self.batches.members(room) {
            let Some(Some(connection)) = self.connections.get_mut(*at) else { continue };
            match connection.speaks {
                Speaks::WebSocket => connection.send(&frames.websocket),
                Speaks::Sse => connection.send(&frames.sse),
                Speaks::Http => {}
            }
        }
    }

    fn beat(&mut self, beats: u64) {
        let (ping, block) = (websocket::from_server("2").into(), self.batches.sse_beat().into());
        for (turn, connection) in (beats..).zip(&mut self.connections) {
            let Some(connection) = connection else { continue };
            match connection.speaks {
                Speaks::WebSocket if beats.is_multiple_of(WEBSOCKET_BEATS) => connection.send(&ping),
                Speaks::Sse if turn.is_multiple_of(SSE_BEATS) => connection.send(&block),
                Speaks::WebSocket | Speaks::Sse | Speaks::Http => {}
            }
        }
    }
}
