//! How much one session may ask: checked before its packet is read any further (contract section 8).

use std::sync::Arc;

use parking_lot::Mutex;
use socketioxide::{
    adapter::LocalAdapter,
    extract::AckSender,
    handler::{FromMessageParts, Value},
    socket::Socket,
};
use tokio::time::Instant;

use super::{
    Session,
    wire::{Code, LeaveAck, Refusal},
};
use crate::rate::{Rate, TokenBucket};

/// Messages of one socket (contract section 8).
const MESSAGES: Rate = Rate { burst: 500.0, per_sec: 50.0 };
/// Products asked about with a position. Each may bring two full batches, so they are counted apart: enough for a client
/// that comes back five times in a row with all of its 200 products.
const ASKS: Rate = Rate { burst: 1_000.0, per_sec: 50.0 };
/// Refusals for asking too much. A client with a loop in it is told a hundred times; then it is ended.
const STRIKES: Rate = Rate { burst: 100.0, per_sec: 1.0 };

/// Times that it connects to the namespace: once, and again when it shows a fresh token.
const CONNECTS: Rate = Rate { burst: 10.0, per_sec: 0.2 };
/// Bytes it posts when it polls; as much as over a WebSocket.
const POSTED_BYTES: Rate = Rate { burst: 1024.0 * 1024.0, per_sec: 64.0 * 1024.0 };

/// What one session may still do.
#[derive(Debug)]
pub(super) struct Limits(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    messages: TokenBucket,
    asks: TokenBucket,
    strikes: TokenBucket,
    connects: TokenBucket,
    posted_bytes: TokenBucket,
}

impl Limits {
    pub(super) fn new(now: Instant) -> Self {
        let bucket = |rate| TokenBucket::new(rate, now);
        Self(Mutex::new(Buckets {
            messages: bucket(MESSAGES),
            asks: bucket(ASKS),
            strikes: bucket(STRIKES),
            connects: bucket(CONNECTS),
            posted_bytes: bucket(POSTED_BYTES),
        }))
    }

    /// Whether one more product may be asked about.
    pub(super) fn ask(&self) -> bool {
        self.0.lock().asks.take(Instant::now()).is_ok()
    }

    /// Whether it may connect to the namespace once more.
    pub(super) fn connect(&self) -> bool {
        self.0.lock().connects.take(Instant::now()).is_ok()
    }

    /// Whether it may post a body of that many bytes.
    pub(super) fn post(&self, bytes: usize) -> bool {
        let (mut buckets, now) = (self.0.lock(), Instant::now());
        let may = !buckets.posted_bytes.is_spent(now);
        if may {
            buckets.posted_bytes.spend(bytes as f64, now);
        }
        may
    }

    /// Whether one more message may be served; `Err`: no, and whether the client may go on at all.
    fn message(&self, now: Instant) -> Result<(), Abuse> {
        let mut buckets = self.0.lock();
        if buckets.messages.take(now).is_ok() {
            return Ok(());
        }
        Err(if buckets.strikes.take(now).is_ok() { Abuse::Told } else { Abuse::Enough })
    }
}

/// What is done about a message too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Abuse {
    /// The client is told.
    Told,
    /// The connection is ended.
    Enough,
}

/// The permit to serve one message. The library asks for it before it reads the message's arguments.
pub(super) struct Permit;

/// The message is not served.
#[derive(Debug, thiserror::Error)]
#[error("too many messages")]
pub(super) struct NoPermit;

impl FromMessageParts<LocalAdapter> for Permit {
    type Error = NoPermit;

    fn from_message_parts(
        socket: &Arc<Socket<LocalAdapter>>,
        value: &mut Value,
        ack_id: &Option<i64>,
    ) -> Result<Self, NoPermit> {
        let session = socket.extensions.get::<Arc<Session>>().ok_or(NoPermit)?;
        match session.link.limits().message(Instant::now()) {
            Ok(()) => return Ok(Self),
            Err(Abuse::Told) => {
                let refusal = Refusal {
                    message: Code::RateLimited.message(),
                    code: Code::RateLimited,
                    product_id: None,
                };
                // A client that sends this much may well not read; then it is not told.
                let _told = session.link.hand_over(socket, "error", &refusal);
                let Ok(ack) = AckSender::from_message_parts(socket, value, ack_id);
                let _acknowledged = ack.send(&LeaveAck { ok: false, code: Some(Code::RateLimited) });
            }
            Err(Abuse::Enough) => session.cut(),
        }
        Err(NoPermit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_served_a_loop_is_told_and_a_flood_is_ended() {
        let now = Instant::now();
        let limits = Limits::new(now);
        assert!((0..500).all(|_| limits.message(now).is_ok()));
        assert!((0..100).all(|_| limits.message(now) == Err(Abuse::Told)));
        assert_eq!(limits.message(now), Err(Abuse::Enough));
    }

    #[test]
    fn fifty_messages_a_second_are_served_for_ever() {
        let start = Instant::now();
        let limits = Limits::new(start);
        for tick in 0..10_000 {
            assert_eq!(limits.message(start + Duration::from_millis(20) * tick), Ok(()));
        }
    }

    #[test]
    fn what_is_posted_is_counted_in_bytes() {
        let limits = Limits::new(Instant::now());
        let posted = (0..1_000).take_while(|_| limits.post(16 * 1024)).count();
        assert!((64..70).contains(&posted), "{posted}");
    }

    #[test]
    fn a_client_may_come_back_five_times_with_all_of_its_products() {
        let limits = Limits::new(Instant::now());
        assert!((0..1_000).all(|_| limits.ask()));
        assert!(!limits.ask());
    }
}
