//! SSE encoding: whatever an event holds, a browser gets each block as exactly one event, and gets it unchanged.
//!
//! An input is a product id, a line break, and what the event's data is made of: itself if it is a JSON object, and a text
//! in an object besides.

use serde_json::value::RawValue;
use shelfcast::{
    fanout::sse::block,
    index::ResyncReason,
    model::{Data, Event, EventType, Frame, Position, ProductId},
};

use super::events::{at, batch, now, raw};
use crate::eventsource::{Message, interpret};

/// A stream as it leaves, and what a page must make of it.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    messages: Vec<Message>,
    last_id: String,
}

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let id = std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let product_id = ProductId::new(id).unwrap_or_else(|_| ProductId::new("p1").expect("an id"));
    let rest = parts.next().unwrap_or_default();
    let text = serde_json::to_string(&String::from_utf8_lossy(rest)).expect("a text is JSON");
    let wrapped = format!("{{ {text} : [\n {text} ,\r\n\t1.50 ] }}");
    let itself =
        std::str::from_utf8(rest).ok().filter(|json| serde_json::from_str::<&RawValue>(json).is_ok());

    let mut stream = Stream::default();
    stream.retry();
    let mut n = 1;
    for json in itself.into_iter().chain([wrapped.as_str()]) {
        let Ok(data) = Data::new(&raw(json.trim())) else { continue };
        stream.tell(&product_id, data, n);
        n += 1;
    }
    let read = interpret(&stream.bytes);
    assert_eq!(read.messages, stream.messages);
    assert_eq!(read.last_event_id, stream.last_id);
    assert_eq!(read.retry_ms, Some(1_500));
}

impl Stream {
    fn retry(&mut self) {
        self.bytes.extend_from_slice(b"retry: 1500\n\n");
    }

    /// The same event in each form it is sent in, with heartbeats in between.
    fn tell(&mut self, product_id: &ProductId, data: Data, n: u64) {
        const EVENT: &str = "batched_product_update";
        let timestamp = now().into();
        let event =
            Event { product_id: product_id.clone(), event_type: EventType::PriceUpdate, data, timestamp };
        let batch = batch(event.clone(), n);
        for frame in [
            Frame::live(&batch, at(n - 1), at(n), 30_000),
            Frame::replay(&batch, at(n - 1)),
            Frame::empty(product_id, at(n), now()),
        ] {
            let json = frame.json().get();
            self.block(Some(EVENT), frame.covered(), Some(json));
            self.bytes.extend_from_slice(b":\n\n");
        }
        let told = &self.messages[self.messages.len() - 3].data;
        assert!(told.contains(event.data.as_str()), "the data is not passed through");
        self.block(None, Some(at(n)), None);
        let resync = format!(r#"{{"reason":"{}"}}"#, ResyncReason::Slow.as_str());
        self.block(Some("resync_required"), Some(at(n)), Some(&resync));
    }

    fn block(&mut self, event: Option<&str>, id: Option<Position>, data: Option<&str>) {
        self.bytes.extend_from_slice(&block(event, id, data));
        if let Some(id) = id {
            self.last_id = id.to_string();
        }
        if let Some(data) = data {
            self.messages.push(Message {
                event: event.unwrap_or("message").to_owned(),
                last_event_id: self.last_id.clone(),
                data: data.to_owned(),
            });
        }
    }
}
