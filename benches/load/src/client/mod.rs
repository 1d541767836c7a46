//! [`Crowd`]: thousands of light clients on one thread. It shakes hands, joins, counts and checks batches, and no more.

mod ledger;
mod talk;

use std::{
    io::{self, Read as _, Write as _},
    mem,
    net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4},
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use self::talk::Talk;
pub use self::{
    ledger::{Counts, Ledger, Seen, WINDOW},
    talk::{Stage, Transport},
};
use crate::times::Times;

/// Handshakes under way at once: a storm of them is another test.
const OPENING_MAX: usize = 128;

/// Addresses that clients come from: each has some 28,000 ports of its own.
const SOURCES: usize = 64;

/// Far more than a batch, so that a read that does not fill it has emptied the socket.
const READ_BYTES: usize = 256 * 1024;

/// What clients do once they have joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They stay.
    Stay,
    /// They leave their rooms and end.
    Leave,
}

/// Clients of one server.
#[derive(Debug)]
pub struct Crowd {
    server: SocketAddr,
    transport: Transport,
    purpose: Purpose,
    clients: Vec<Client>,
    /// How many were opened, also again.
    opened: usize,
    opening: usize,
    buffer: Vec<u8>,
    /// What they got.
    pub ledger: Ledger,
    /// How many have joined.
    pub joined: usize,
    /// How many joined, left and ended; their places are taken by those who come next.
    pub visits: u64,
    places: Vec<usize>,
    /// From the first byte to the answer of the join.
    pub join_times: Times,
    /// How many the server ended or refused.
    pub broken: u64,
    /// Why the last of them.
    pub last_break: &'static str,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    talk: Talk,
    /// Of a message that is not there to its end.
    partial: Vec<u8>,
    /// When it said its first word.
    opened: Option<Instant>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(server: SocketAddr, transport: Transport, purpose: Purpose, products: usize) -> Self {
        Self {
            server,
            transport,
            purpose,
            clients: Vec::new(),
            opened: 0,
            opening: 0,
            buffer: vec![0; READ_BYTES],
            ledger: Ledger::new(products),
            joined: 0,
            visits: 0,
            places: Vec::new(),
            join_times: Times::default(),
            broken: 0,
            last_break: "",
        }
    }

    /// Whether one more may begin its handshake.
    pub fn has_room(&self) -> bool {
        self.opening < OPENING_MAX
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.clients.len()
    }

    /// One more client, who wants `products`.
    pub fn open(&mut self, registry: &Registry, products: &[u32]) -> io::Result<()> {
        let place = self.places.pop().unwrap_or(self.clients.len());
        let stream = self.connect(registry, Token(place))?;
        let talk = Talk::new(self.transport, products);
        let client = Client { stream, talk, partial: Vec::new(), opened: None };
        match self.clients.get_mut(place) {
            Some(left) => *left = client,
            None => self.clients.push(client),
        }
        Ok(())
    }

    fn connect(&mut self, registry: &Registry, token: Token) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        let source = Ipv4Addr::new(127, 0, 1, (self.opened % SOURCES) as u8 + 1);
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        match socket.connect(&self.server.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.opened += 1;
        self.opening += 1;
        Ok(stream)
    }

    /// Something happened to a client.
    pub fn turn(&mut self, event: &Event) {
        let Some(client) = self.clients.get_mut(event.token().0) else { return };
        if client.opened.is_none() {
            if client.stream.peer_addr().is_err() && !event.is_error() {
                return;
            }
            client.opened = Some(Instant::now());
            let opening = client.talk.opening();
            client.say(&opening);
        }
        let before = client.talk.stage;
        if event.is_readable() && !matches!(before, Stage::Broken(_) | Stage::Left) {
            client.read(&mut self.buffer, &mut self.ledger);
        }
        let after = client.talk.stage;
        if before != after {
            self.moved(event.token().0, after);
        }
    }

    fn moved(&mut self, place: usize, stage: Stage) {
        let Some(client) = self.clients.get_mut(place) else { return };
        match stage {
            Stage::Joined => {
                self.opening -= 1;
                self.joined += 1;
                self.join_times.add(client.opened.map(|opened| opened.elapsed()).unwrap_or_default());
                if self.purpose == Purpose::Leave {
                    let leave = client.talk.leave();
                    client.say(&leave);
                }
            }
            Stage::Left => {
                self.visits += 1;
                self.joined -= 1;
                self.places.push(place);
                client.end();
            }
            Stage::Broken(why) => {
                self.broken += 1;
                self.last_break = why;
            }
            Stage::Head | Stage::Joining => {}
        }
    }

    /// Events that were published and reached nobody, over all clients.
    pub fn missing(&self) -> u64 {
        self.clients.iter().map(|client| self.ledger.missing(&client.talk.seen)).sum()
    }
}

/// `EINPROGRESS` of Linux: what a connect that does not wait says.
const IN_PROGRESS: i32 = 115;

impl Client {
    /// What a client says is short and its socket empty, so it goes out whole.
    fn say(&mut self, bytes: &[u8]) {
        if !matches!(self.stream.write(bytes), Ok(length) if length == bytes.len()) {
            self.talk.stage = Stage::Broken("it takes no more");
        }
    }

    fn end(&self) {
        // The server may have ended it meanwhile.
        let _ended = self.stream.shutdown(Shutdown::Both);
    }

    fn read(&mut self, buffer: &mut [u8], ledger: &mut Ledger) {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return self.talk.stage = Stage::Broken("the end of the connection"),
                Ok(length) => {
                    self.take(&buffer[..length], ledger);
                    if length < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.talk.stage = Stage::Broken("a reset"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], ledger: &mut Ledger) {
        if self.partial.is_empty() {
            let taken = self.take_all(bytes, ledger);
            self.partial.extend_from_slice(&bytes[taken..]);
            return;
        }
        let mut partial = mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let taken = self.take_all(&partial, ledger);
        // Nothing is kept for later: ten thousand clients would keep a batch each.
        if taken < partial.len() {
            partial.drain(..taken);
            self.partial = partial;
        }
    }

    fn take_all(&mut self, bytes: &[u8], ledger: &mut Ledger) -> usize {
        let (mut taken, now) = (0, Instant::now());
        while taken < bytes.len() && !matches!(self.talk.stage, Stage::Broken(_)) {
            let mut say = None;
            match self.talk.take(&bytes[taken..], ledger, now, &mut say) {
                0 => break,
                length => taken += length,
            }
            if let Some(say) = say {
                self.say(&say);
            }
        }
        taken
    }
}
