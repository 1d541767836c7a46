//! [`Publishers`]: keep-alive connections that post events, one request under way each.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};

use crate::wire::http::Head;

/// Tokens of publishers begin here, far behind those of clients.
pub const FIRST: usize = 1 << 32;

/// Connections of one server's publishers.
#[derive(Debug)]
pub struct Publishers {
    lines: Vec<Line>,
    idle: VecDeque<usize>,
    /// Requests answered 202.
    pub accepted: u64,
    /// Requests answered otherwise, and connections that broke.
    pub refused: u64,
}

#[derive(Debug)]
struct Line {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Publishers {
    /// Connects them.
    pub fn open(registry: &Registry, server: SocketAddr, count: usize) -> io::Result<Self> {
        let mut lines = Vec::with_capacity(count);
        for at in 0..count {
            // A listener that is there takes them at once; there are few.
            let stream = std::net::TcpStream::connect(server)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let mut stream = TcpStream::from_std(stream);
            registry.register(&mut stream, Token(FIRST + at), Interest::READABLE)?;
            lines.push(Line { stream, answer: Vec::new() });
        }
        Ok(Self { idle: (0..count).collect(), lines, accepted: 0, refused: 0 })
    }

    /// Whether one has nothing under way.
    pub fn is_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Whether none has anything under way.
    pub fn are_all_idle(&self) -> bool {
        self.idle.len() == self.lines.len()
    }

    /// Posts a whole request on the connection that was idle for longest.
    pub fn post(&mut self, request: &[u8]) {
        let Some(at) = self.idle.pop_front() else { return };
        if !matches!(self.lines[at].stream.write(request), Ok(length) if length == request.len()) {
            self.refused += 1;
        }
    }

    /// Something came for one.
    pub fn turn(&mut self, event: &Event) {
        let at = event.token().0 - FIRST;
        let Some(line) = self.lines.get_mut(at) else { return };
        match line.read() {
            Ok(None) => {}
            Ok(Some(202)) => {
                self.accepted += 1;
                self.idle.push_back(at);
            }
            Ok(Some(_)) => {
                self.refused += 1;
                self.idle.push_back(at);
            }
            // It is never idle again.
            Err(_) => self.refused += 1,
        }
    }
}

impl Line {
    /// The status of the answer, once it is there.
    fn read(&mut self) -> io::Result<Option<u16>> {
        let mut buffer = [0; 4_096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.answer.extend_from_slice(&buffer[..length]);
                    if length < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let status = Head::read(&self.answer)
            .filter(|head| self.answer.len() >= head.bytes + head.content_length())
            .map(|head| head.status());
        if status.is_some() {
            self.answer.clear();
        }
        Ok(status)
    }
}
