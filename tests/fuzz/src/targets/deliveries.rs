//! What must hold of a delivery, whichever platform it comes from.

use std::collections::HashSet;

use axum::http::HeaderMap;
use serde_json::Value;
use shelfcast::{
    eventlog::{
        NewEvent,
        snapshots::{Difference, Last, Sighting, diff},
    },
    ingest::webhooks::{Delivery, Intake, Platform},
    model::{Event, ObservedProduct, Visibility},
};

use super::events::{self, now};

/// Everything that an event made of a delivery may tell.
const PUBLIC: [&str; 16] = [
    "productId",
    "variationId",
    "name",
    "productName",
    "price",
    "stock",
    "action",
    "oldPrice",
    "newPrice",
    "currentStock",
    "previousStock",
    "active",
    "discountPercentage",
    "startsAt",
    "endsAt",
    "timestamp",
];

/// The header lines of an input up to its first line break, as `Name: value` separated by `;`, and the body behind it.
pub(super) fn split(input: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(&input[..end]).ok()?.split(';') {
        let (name, value) = line.split_once(':')?;
        let name: axum::http::HeaderName = name.trim().parse().ok()?;
        headers.append(name, value.trim().parse().ok()?);
    }
    Some((headers, &input[end + 1..]))
}

/// Runs a delivery through its platform, signed, and checks what comes of it.
pub(super) fn check(platform: &dyn Platform, mut headers: HeaderMap, body: &[u8]) {
    for (name, value) in platform.sign(body, "msg_1", now()) {
        headers.insert(name, value.parse().expect("a signature is a header"));
    }
    let delivery = Delivery { headers: &headers, body };
    assert!(platform.is_signed(&headers) && platform.verify(delivery, now()), "its own signature is refused");
    let more = [body, b" "].concat();
    assert!(
        !platform.verify(Delivery { body: &more, ..delivery }, now()),
        "a body with a byte more is taken"
    );
    match platform.read(delivery, now()) {
        Ok(intake) => {
            check_intake(&intake);
            let again = platform.read(delivery, now()).expect("it was read before");
            assert!(
                again.claim.map(|claim| claim.key) == intake.claim.map(|claim| claim.key),
                "another claim"
            );
            assert_eq!(again.len(), intake.len());
        }
        Err(problem) => events::check_refusal(&problem),
    }
}

fn check_intake(intake: &Intake) {
    intake.events.chunks(500).for_each(events::check);
    intake.sightings.iter().for_each(check_sighting);
    for hint in &intake.parts {
        assert!(hint.of(None) == hint.otherwise && !hint.part.to_string().is_empty());
    }
    let mut parts = HashSet::new();
    assert!(intake.learned.iter().all(|(part, _)| parts.insert(part)) || intake.learned.len() > 1);
}

fn check_sighting(sighting: &Sighting) {
    let Sighting::Shown(product) = sighting else { return };
    let Difference::Changed(seen, told) = diff(&Last::default(), product, now()) else {
        panic!("what was never seen is no change");
    };
    told.iter().for_each(|event| check_told(event, product));
    check_events(&told);
    // Shown again it is the same, but one that is back has been away.
    let again = diff(&Last { snapshot: seen, stands: true }, product, now());
    let Difference::Changed(_, told) = again else { return };
    assert!(product.action.as_str() == "created", "shown twice it is a change: {told:?}");
}

fn check_events(told: &[Event]) {
    let told: Vec<_> = told.iter().map(|event| NewEvent { event: event.clone(), claim: None }).collect();
    events::check(&told);
}

/// Nothing is told but what is public, and nothing of what is hidden.
fn check_told(event: &Event, product: &ObservedProduct) {
    let told: Value = serde_json::from_str(event.data.as_str()).expect("data is JSON");
    let told = told.as_object().expect("data is an object");
    assert!(told.keys().all(|name| PUBLIC.contains(&name.as_str())), "{told:?}");
    let named = ["name", "price", "stock"].iter().any(|name| told.contains_key(*name));
    assert!(product.status == Visibility::Public || !named, "a hidden product is told of: {told:?}");
}
