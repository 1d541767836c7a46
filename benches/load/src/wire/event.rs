//! What is published, and what of it a delivery is checked by: each event of a product carries its number.

use serde::Deserialize;

/// The key of every server here.
pub const API_KEY: &str = "load-key-5a1f0c7be2d94c36a8e4";

/// An event as JSON. Its fields stand as the gateway writes them, so that all servers can send the same bytes.
pub fn event(product: usize, number: u32) -> String {
    format!(
        r#"{{"productId":"product-{product}","type":"price_update","data":{{"productId":"product-{product}","oldPrice":19.9,"newPrice":14.9,"discountPercentage":25,"number":{number}}},"timestamp":"2026-01-01T00:00:00Z"}}"#
    )
}

/// A whole request that publishes `body`.
pub fn notify(body: &str) -> Vec<u8> {
    format!(
        "POST /api/notify HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What a batch starts with, before the number of its product.
const START: &[u8] = br#"{"productId":"product-"#;

/// The product of a batch, without reading the batch.
pub fn product_of(batch: &[u8]) -> Option<usize> {
    let digits = batch.strip_prefix(START)?;
    let end = digits.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// The numbers in a batch: the first, and how many follow each other. `None`: it is not as it has to be.
pub fn numbers_of(batch: &[u8]) -> Option<(u32, u32)> {
    let batch: Batch = serde_json::from_slice(batch).ok()?;
    let first = batch.events.first()?.data.number;
    let count = u32::try_from(batch.events.len()).ok()?;
    let dense = (first..).zip(&batch.events).all(|(number, event)| event.data.number == number);
    (dense && batch.count == count).then_some((first, count))
}

#[derive(Deserialize)]
struct Batch {
    events: Vec<Event>,
    count: u32,
}

#[derive(Deserialize)]
struct Event {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    number: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(numbers: &[u32]) -> String {
        let events: Vec<_> = numbers.iter().map(|number| event(17, *number)).collect();
        format!(r#"{{"productId":"product-17","events":[{}],"count":{}}}"#, events.join(","), numbers.len())
    }

    #[test]
    fn a_batch_tells_its_product_and_its_numbers() {
        let batch = batch(&[4, 5, 6]);
        assert_eq!(product_of(batch.as_bytes()), Some(17));
        assert_eq!(numbers_of(batch.as_bytes()), Some((4, 3)));
    }

    #[test]
    fn a_batch_with_a_hole_is_refused() {
        assert_eq!(numbers_of(batch(&[4, 6]).as_bytes()), None);
        assert_eq!(numbers_of(batch(&[]).as_bytes()), None);
    }
}
