//! What a client says and when: Engine.IO 4 and Socket.IO over a WebSocket, or SSE. It knows bytes, no sockets.

use std::time::Instant;

use super::{Ledger, Seen};
use crate::wire::{
    http::{self, Head},
    websocket::{self, Opcode},
};

/// How clients are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Socket.IO over a WebSocket, from the first request on.
    WebSocket,
    /// Server-Sent Events.
    Sse,
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its head is not answered.
    Head,
    /// It is not in the rooms of its products.
    Joining,
    /// It gets batches.
    Joined,
    /// It has left its rooms.
    Left,
    /// The server ended it, or said something else: in words.
    Broken(&'static str),
}

/// One client's conversation.
#[derive(Debug)]
pub(super) struct Talk {
    transport: Transport,
    /// How far it is.
    pub stage: Stage,
    /// What it looks at, and how much of it came.
    pub seen: Box<[Seen]>,
}

/// What a client wants to send.
pub(super) type Say = Option<Vec<u8>>;

const BATCH: &[u8] = br#"42["batched_product_update","#;

impl Talk {
    /// Of a client that has not said anything.
    pub(super) fn new(transport: Transport, products: &[u32]) -> Self {
        let seen = products.iter().map(|product| Seen { product: *product, last: 0 }).collect();
        Self { transport, stage: Stage::Head, seen }
    }

    /// The request it opens with.
    pub(super) fn opening(&self) -> Vec<u8> {
        match self.transport {
            Transport::WebSocket => "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".into(),
            Transport::Sse => format!(
                "GET /api/events?features=resync&products={} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
                self.products("", ",")
            )
            .into_bytes(),
        }
    }

    fn products(&self, quote: &str, between: &str) -> String {
        let ids: Vec<_> =
            self.seen.iter().map(|seen| format!("{quote}product-{}{quote}", seen.product)).collect();
        ids.join(between)
    }

    /// Leaves its rooms; [`Stage::Left`] once that is answered.
    pub(super) fn leave(&self) -> Vec<u8> {
        websocket::from_client(&format!(r#"421["leave_product",[{}]]"#, self.products("\"", ",")))
    }

    /// Takes the first message of `bytes`; how many bytes it took, 0 if it is not there to its end.
    pub(super) fn take(&mut self, bytes: &[u8], ledger: &mut Ledger, now: Instant, say: &mut Say) -> usize {
        if self.stage == Stage::Head {
            return self.take_head(bytes, ledger);
        }
        match self.transport {
            Transport::WebSocket => {
                let Some(frame) = websocket::Frame::read(bytes) else { return 0 };
                match frame.opcode {
                    Opcode::Text => self.take_packet(frame.content, ledger, now, say),
                    Opcode::Close => self.stage = Stage::Broken("a close frame"),
                    Opcode::Other => self.stage = Stage::Broken("a frame that is no text"),
                }
                frame.bytes
            }
            Transport::Sse => {
                let Some((chunk, length)) = http::chunk(bytes) else { return 0 };
                self.take_blocks(chunk, ledger, now);
                length
            }
        }
    }

    fn take_head(&mut self, bytes: &[u8], ledger: &mut Ledger) -> usize {
        let Some(head) = Head::read(bytes) else { return 0 };
        match (self.transport, head.status()) {
            (Transport::WebSocket, 101) => self.stage = Stage::Joining,
            (Transport::Sse, 200) => self.joined(ledger),
            _ => self.stage = Stage::Broken("another status"),
        }
        head.bytes
    }

    fn joined(&mut self, ledger: &mut Ledger) {
        self.stage = Stage::Joined;
        self.seen.iter_mut().for_each(|seen| *seen = ledger.join(seen.product));
    }

    fn take_packet(&mut self, packet: &[u8], ledger: &mut Ledger, now: Instant, say: &mut Say) {
        if let Some(batch) = packet.strip_prefix(BATCH) {
            return ledger.deliver(batch.strip_suffix(b"]").unwrap_or_default(), &mut self.seen, now);
        }
        let answer = match packet {
            [b'0', ..] => r#"40{"features":["resync"]}"#.into(),
            [b'2'] => "3".into(),
            [b'4', b'0', ..] => format!(r#"420["join_product",[{}]]"#, self.products("\"", ",")),
            [b'4', b'3', b'0', ..] => return self.joined(ledger),
            [b'4', b'3', b'1', ..] => return self.stage = Stage::Left,
            [b'4', b'2', ..] => return,
            _ => return self.stage = Stage::Broken("another packet"),
        };
        *say = Some(websocket::from_client(&answer));
    }

    /// Servers here put whole blocks into a chunk.
    fn take_blocks(&mut self, blocks: &[u8], ledger: &mut Ledger, now: Instant) {
        const EVENT: &[u8] = b"event: batched_product_update\n";
        const DATA: &[u8] = b"\ndata: ";
        if blocks.is_empty() {
            self.stage = Stage::Broken("the end of the stream");
        }
        let mut rest = blocks;
        while let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
            let (block, after) = rest.split_at(end + 2);
            rest = after;
            let Some(block) = block.strip_prefix(EVENT) else { continue };
            let data =
                block.windows(DATA.len()).position(|bytes| bytes == DATA).map_or(0, |at| at + DATA.len());
            ledger.deliver(&block[data..block.len() - 2], &mut self.seen, now);
        }
    }
}
