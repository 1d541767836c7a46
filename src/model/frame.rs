//! [`Frame`]: a batch encoded once, shared by every transport. Knows no transport's own framing.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::{Batch, LogTime, Position, ProductId};

/// The wire form of a batch (contract section 4) with what a transport needs to route it.
#[derive(Debug)]
pub struct Frame {
    product_id: ProductId,
    covered: Option<Position>,
    json: Box<RawValue>,
}

/// The parts of the wire form that differ between live batches, replays and empty batches.
struct Meta {
    timestamp: LogTime,
    count: usize,
    cursor: Position,
    previous: Position,
    spread_ms: u64,
    replay: bool,
}

impl Frame {
    /// A batch as it leaves its window. `previous` is this product's event just before it, or the floor;
    /// `covered` is the covered position once this frame is queued.
    pub fn live(batch: &Batch, previous: Position, covered: Position, spread_ms: u64) -> Self {
        Self::encode(
            batch.product_id(),
            Some(covered),
            Some(batch),
            &Meta::of(batch, previous, spread_ms, false),
        )
    }

    /// A batch that answers a resume. It may repeat events, and it tells nothing about other products, so it has no
    /// covered position.
    pub fn replay(batch: &Batch, previous: Position) -> Self {
        Self::encode(batch.product_id(), None, Some(batch), &Meta::of(batch, previous, 0, true))
    }

    /// An empty batch: tells a plain client to refetch a product (contract section 5).
    pub fn empty(product_id: &ProductId, covered: Position, now: LogTime) -> Self {
        let meta = Meta {
            timestamp: now,
            count: 0,
            cursor: covered,
            previous: covered,
            spread_ms: 0,
            replay: false,
        };
        Self::encode(product_id, None, None, &meta)
    }

    fn encode(product_id: &ProductId, covered: Option<Position>, batch: Option<&Batch>, meta: &Meta) -> Self {
        const AROUND: usize = 256;
        let events = batch.map_or(0, |b| b.encoded_bytes() + b.count());
        let mut json = String::with_capacity(AROUND + product_id.as_str().len() + events);
        json.push_str(r#"{"productId":""#);
        json.push_str(product_id.as_str());
        json.push_str(r#"","events":["#);
        for (i, entry) in batch.iter().flat_map(|b| b.entries()).enumerate() {
            if i > 0 {
                json.push(',');
            }
            entry.event.encode(&mut json);
        }
        let Meta { timestamp, count, cursor, previous, spread_ms, .. } = meta;
        // Writing to a String cannot fail.
        let _ = write!(
            json,
            r#"],"timestamp":"{timestamp}","count":{count},"cursor":"{cursor}","previousCursor":"{previous}","spreadMs":{spread_ms}{}}}"#,
            if meta.replay { r#","replay":true"# } else { "" }
        );
        Self { product_id: product_id.clone(), covered, json: raw(json) }
    }

    /// The room this frame goes to.
    pub fn product_id(&self) -> &ProductId {
        &self.product_id
    }

    /// The covered position of a connection that has this frame and all before it, if the frame tells one.
    pub fn covered(&self) -> Option<Position> {
        self.covered
    }

    /// The JSON text, written verbatim by every transport.
    pub fn json(&self) -> &RawValue {
        &self.json
    }
}

impl Meta {
    fn of(batch: &Batch, previous: Position, spread_ms: u64, replay: bool) -> Self {
        let (timestamp, cursor) = (batch.newest().log_time, batch.cursor());
        Self { timestamp, count: batch.count(), cursor, previous, spread_ms, replay }
    }
}

/// Every part was checked to be JSON when it was built, so this holds by construction; the check costs one scan
/// per frame and keeps a mistake here from reaching a client as broken framing.
fn raw(json: String) -> Box<RawValue> {
    #[expect(clippy::expect_used, reason = "built from checked parts only; property-tested in tests.rs")]
    RawValue::from_string(json).expect("a frame is made of checked JSON parts")
}
