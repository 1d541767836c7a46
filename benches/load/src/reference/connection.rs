//! [`Connection`]: one socket with what could not be read or written whole.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    mem,
    rc::Rc,
};

use mio::net::TcpStream;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Requests and answers.
    Http,
    /// Engine.IO.
    WebSocket,
    /// A stream of events.
    Sse,
}

/// Frames that a client may leave in the queue.
const QUEUE_MAX: usize = 512;

/// One socket.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) speaks: Speaks,
    pub(super) rooms: Vec<usize>,
    /// What came of a message that is not there to its end.
    pub(super) input: Vec<u8>,
    /// What the kernel did not take, and how much of the first it did.
    queue: VecDeque<Rc<[u8]>>,
    written: usize,
    pub(super) has_ended: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (speaks, has_ended) = (Speaks::Http, false);
        let (rooms, input, queue) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { stream, speaks, rooms, input, queue, written: 0, has_ended }
    }

    /// All that came, with what was kept.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<Vec<u8>> {
        let mut input = mem::take(&mut self.input);
        let before = input.len();
        loop {
            match self.stream.read(buffer) {
                Ok(0) => self.has_ended = true,
                Ok(length) => {
                    input.extend_from_slice(&buffer[..length]);
                    if length == buffer.len() {
                        continue;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.has_ended = true,
            }
            break;
        }
        if input.len() > before {
            return Some(input);
        }
        self.input = input;
        None
    }

    /// Writes at once, and queues only what the kernel does not take.
    pub(super) fn send(&mut self, bytes: &Rc<[u8]>) {
        if self.queue.is_empty() {
            let written = self.write(bytes);
            if written < bytes.len() {
                self.written = written;
                self.queue.push_back(Rc::clone(bytes));
            }
        } else if self.queue.len() < QUEUE_MAX {
            self.queue.push_back(Rc::clone(bytes));
        } else {
            self.has_ended = true;
        }
    }

    pub(super) fn flush(&mut self) {
        while let Some(first) = self.queue.front().map(Rc::clone) {
            self.written += self.write(&first[self.written..]);
            if self.written < first.len() {
                return;
            }
            self.written = 0;
            self.queue.pop_front();
        }
        self.queue.shrink_to_fit();
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        match self.stream.write(bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            // It is seen at the next read.
            Err(_) => bytes.len(),
        }
    }
}
