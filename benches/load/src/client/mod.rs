//! [`Crowd`]: thousands of light clients on one thread. It shakes hands, joins, counts and checks batches, and no more.

mod ledger;
mod talk;

use std::{
    io::{self, Read as _, Write as _},
    mem,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use self::talk::Talk;
pub use self::{
    ledger::{Counts, Ledger, Seen, WINDOW},
    talk::{Stage, Transport},
};

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
    /// They leave their rooms, end, and come again.
    Churn,
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
    /// How many joined, left and ended.
    pub cycles: u64,
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
    has_opened: bool,
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
            cycles: 0,
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
        let token = Token(self.clients.len());
        let stream = self.connect(registry, token)?;
        let talk = Talk::new(self.transport, products);
        self.clients.push(Client { stream, talk, partial: Vec::new(), has_opened: false });
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
    pub fn turn(&mut self, registry: &Registry, event: &Event) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(event.token().0) else { return Ok(()) };
        if !client.has_opened {
            if client.stream.peer_addr().is_err() && !event.is_error() {
                return Ok(());
            }
            client.has_opened = true;
            let opening = client.talk.opening();
            client.say(&opening);
        }
        let before = client.talk.stage;
        if event.is_readable() && !matches!(before, Stage::Broken(_)) {
            client.read(&mut self.buffer, &mut self.ledger);
        }
        let after = client.talk.stage;
        if before != after { self.moved(registry, event.token(), after) } else { Ok(()) }
    }

    fn moved(&mut self, registry: &Registry, token: Token, stage: Stage) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(token.0) else { return Ok(()) };
        match stage {
            Stage::Joined => {
                self.opening -= 1;
                self.joined += 1;
                if self.purpose == Purpose::Churn {
                    let leave = client.talk.leave();
                    client.say(&leave);
                }
            }
            Stage::Left => {
                self.cycles += 1;
                self.joined -= 1;
                self.again(registry, token)?;
            }
            Stage::Broken(why) => {
                self.broken += 1;
                self.last_break = why;
            }
            Stage::Head | Stage::Joining => {}
        }
        Ok(())
    }

    /// A new client in the place of one that has left.
    fn again(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let stream = self.connect(registry, token)?;
        if let Some(client) = self.clients.get_mut(token.0) {
            let products: Vec<_> = client.talk.seen.iter().map(|seen| seen.product).collect();
            registry.deregister(&mut client.stream)?;
            let talk = Talk::new(self.transport, &products);
            *client = Client { stream, talk, partial: Vec::new(), has_opened: false };
        }
        Ok(())
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
