//! From an observed product to an event, without knowing what it was before.

use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::model::{
    Data, Decimal, Event, EventType, LogTime, ObservedProduct, ProductId, Timestamp, Visibility,
};

/// What is told of a product; what it does not name stays here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    product_id: &'a ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_id: Option<&'a ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<&'a Decimal>,
    action: &'static str,
    timestamp: LogTime,
}

/// The plain event of a product that was shown to us: `product_update`, with what of it is public. `now` stands in for a
/// shop that does not tell the time. `None` for what has no room in an event, which no real name or number is.
pub(super) fn plain_event(observed: &ObservedProduct, now: LogTime) -> Option<Event> {
    let timestamp = observed.updated_at.unwrap_or(now);
    let told = Told {
        product_id: &observed.product_id,
        variation_id: observed.variation_id.as_ref(),
        name: observed.name.as_deref(),
        price: observed.price.as_ref(),
        stock: observed.stock.quantity.as_ref(),
        action: observed.action.as_str(),
        timestamp,
    };
    let told = match (observed.status, &observed.variation_id) {
        (Visibility::Public, _) => told,
        // For shoppers a product that is hidden is gone; of its draft nothing is told.
        (Visibility::Hidden, None) => {
            Told { name: None, price: None, stock: None, action: "deleted", ..told }
        }
        // Its parent is still there.
        (Visibility::Hidden, Some(_)) => {
            Told { name: None, price: None, stock: None, action: "updated", ..told }
        }
    };
    Some(Event {
        product_id: observed.product_id.clone(),
        event_type: EventType::ProductUpdate,
        data: Data::new(&to_raw_value(&told).ok()?).ok()?,
        timestamp: Timestamp::from(timestamp),
    })
}

#[cfg(test)]
mod tests {
    use crate::model::{ContentDigest, ObservedAction, Stock};

    use super::*;

    fn shirt() -> ObservedProduct {
        ObservedProduct {
            product_id: ProductId::new("794").unwrap(),
            variation_id: None,
            updated_at: LogTime::parse("2026-01-02T03:04:05Z"),
            action: ObservedAction::Updated,
            status: Visibility::Public,
            name: Some("Näme \"quoted\"\u{2028}".into()),
            price: Some(Decimal::parse("21.90").unwrap()),
            regular_price: None,
            stock: Stock { quantity: Some(Decimal::from(7)), ..Stock::UNKNOWN },
            sale: None,
            variants: ContentDigest([0; 16]),
            content: ContentDigest([0; 16]),
        }
    }

    fn told(observed: &ObservedProduct) -> String {
        plain_event(observed, LogTime::from_micros(0)).unwrap().data.as_str().to_owned()
    }

    #[test]
    fn a_public_product_is_told_with_its_public_fields() {
        let time = r#""timestamp":"2026-01-02T03:04:05.000000Z"}"#;
        assert_eq!(
            told(&shirt()),
            format!(
                "{{\"productId\":\"794\",\"name\":\"Näme \\\"quoted\\\"\u{2028}\",\"price\":21.9,\"stock\":7,\"action\":\"updated\",{time}"
            )
        );
        let hidden = ObservedProduct { status: Visibility::Hidden, ..shirt() };
        assert_eq!(told(&hidden), format!(r#"{{"productId":"794","action":"deleted",{time}"#));
        let variation = ObservedProduct { variation_id: ProductId::new("801").ok(), ..hidden };
        assert_eq!(
            told(&variation),
            format!(r#"{{"productId":"794","variationId":"801","action":"updated",{time}"#)
        );
    }

    #[test]
    fn without_a_time_of_the_shop_it_is_now() {
        let event = plain_event(&ObservedProduct { updated_at: None, ..shirt() }, LogTime::from_micros(0));
        assert_eq!(event.unwrap().timestamp.as_str(), "1970-01-01T00:00:00.000000Z");
    }
}
