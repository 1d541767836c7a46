//! What clients and publishers say to the reference writer. It trusts them: they are ours.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{event::API_KEY, http::Head};

/// A request.
pub(super) enum Request<'a> {
    Ready,
    Unknown,
    /// The body.
    Notify(&'a [u8]),
    /// The key of a WebSocket.
    Upgrade(&'a str),
    /// The products of a stream.
    Events(Vec<&'a str>),
}

impl<'a> Request<'a> {
    /// The first request of `input`, and its bytes; `None` until all of it came.
    pub(super) fn read(input: &'a [u8]) -> Option<(Self, usize)> {
        let head = Head::read(input)?;
        let length = head.bytes + head.content_length();
        let body = input.get(head.bytes..length)?;
        let target = head.target();
        let request = match target.split('?').next().unwrap_or_default() {
            "/api/notify" if head.header("x-api-key") == Some(API_KEY) => Request::Notify(body),
            "/socket.io/" => Request::Upgrade(head.header("sec-websocket-key").unwrap_or_default()),
            "/api/events" => {
                let products = target.split_once("products=").map_or("", |(_, products)| products);
                Request::Events(products.split(',').collect())
            }
            "/health/ready" => Request::Ready,
            _ => Request::Unknown,
        };
        Some((request, length))
    }
}

/// The first packet of a session.
pub(super) const OPEN: &str = r#"0{"sid":"reference-sid-000000","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}"#;

/// The answer to a WebSocket's request.
pub(super) fn upgraded(key: &str) -> String {
    let accept = crate::wire::websocket::accept(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// The answer to a publisher.
pub(super) fn accepted(count: usize, cursor: &str) -> String {
    let body = format!(r#"{{"accepted":{count},"duplicates":0,"cursor":"{cursor}","duplicate":false}}"#);
    format!(
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The events of a body, as they stand: one, or a list of them.
pub(super) fn events(body: &[u8]) -> Vec<&str> {
    #[derive(Deserialize)]
    struct Many<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    if body.starts_with(br#"{"events":"#) {
        let many = serde_json::from_slice(body).unwrap_or(Many { events: Vec::new() });
        return many.events.into_iter().map(RawValue::get).collect();
    }
    std::str::from_utf8(body).into_iter().collect()
}

/// The product of an event.
pub(super) fn product(event: &str) -> &str {
    const FIELD: &str = r#""productId":""#;
    let after = event.find(FIELD).map_or("", |at| &event[at + FIELD.len()..]);
    after.split('"').next().unwrap_or_default()
}

/// A packet of Socket.IO. Names come with the number of their acknowledgement.
pub(super) enum Packet<'a> {
    Connect,
    Join(&'a str, Vec<&'a str>),
    Leave(&'a str, Vec<&'a str>),
    Other,
}

impl<'a> Packet<'a> {
    pub(super) fn read(content: &'a [u8]) -> Self {
        let text = std::str::from_utf8(content).unwrap_or_default();
        if text.starts_with("40") {
            return Packet::Connect;
        }
        let Some((number, arguments)) = text.strip_prefix("42").and_then(|text| text.split_once("[\""))
        else {
            return Packet::Other;
        };
        let Some((name, list)) = arguments.split_once("\",[") else { return Packet::Other };
        let products = list.split('"').filter(|text| text.len() > 1 && !text.starts_with(']')).collect();
        match name {
            "join_product" => Packet::Join(number, products),
            "leave_product" => Packet::Leave(number, products),
            _ => Packet::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_names_its_products() {
        let Packet::Join(number, products) =
            Packet::read(br#"420["join_product",["product-1","product-2"]]"#)
        else {
            panic!("no join")
        };
        assert_eq!((number, products), ("0", vec!["product-1", "product-2"]));
    }

    #[test]
    fn events_are_kept_as_they_stand() {
        let one = crate::wire::event::event(7, 1);
        assert_eq!(events(one.as_bytes()), [one.as_str()]);
        let two = format!(r#"{{"events":[{one},{one}]}}"#);
        assert_eq!(events(two.as_bytes()), [one.as_str(), one.as_str()]);
        assert_eq!(product(&one), "product-7");
    }
}
