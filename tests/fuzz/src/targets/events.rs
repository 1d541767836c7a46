//! What must hold of events that were taken in, and of a refusal, whichever decoder they come from.

use std::sync::Arc;

use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use shelfcast::{
    eventlog::NewEvent,
    ingest::notify::{self, EVENTS_MAX, Form},
    model::{Batch, Data, Entry, Epoch, Event, Frame, LogTime, Position, ProductId, Timestamp},
    web::Problem,
};

/// The time at which everything here happens.
pub(super) fn now() -> LogTime {
    LogTime::from_micros(1_767_225_600_000_000)
}

/// A place in a log of this module's own.
pub(super) fn at(n: u64) -> Position {
    Epoch::from_random(11).at(n)
}

/// A batch with this one event.
pub(super) fn batch(event: Event, n: u64) -> Batch {
    Batch::of(Arc::new(Entry { at: at(n), log_time: now(), event, message: None, origin: None }))
}

/// Events that may be appended: each part is what its type promises, and what leaves for clients reads back the same.
pub(super) fn check(events: &[NewEvent]) {
    // A category names up to 500 products with the same data; a few of them show as much as all.
    const READ_BACK_MAX: usize = 8;
    assert!((1..=EVENTS_MAX).contains(&events.len()), "{} events", events.len());
    for NewEvent { event, .. } in events {
        assert_eq!(ProductId::new(event.product_id.as_str()).as_ref(), Ok(&event.product_id));
        assert_eq!(Timestamp::new(event.timestamp.as_str()).as_ref(), Ok(&event.timestamp));
    }
    for NewEvent { event, .. } in events.iter().take(READ_BACK_MAX) {
        let data = raw(event.data.as_str());
        assert_eq!(Data::new(&data).as_ref(), Ok(&event.data), "data changes when it is read again");
        assert_eq!(&read_back(event), event);
    }
}

/// Sends an event to a client, and takes in what the client was told.
fn read_back(event: &Event) -> Event {
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
        count: usize,
    }
    let frame = Frame::live(&batch(event.clone(), 2), at(1), at(2), 0);
    let told: Told<'_> = serde_json::from_str(frame.json().get()).expect("a frame is JSON");
    assert_eq!((told.events.len(), told.count), (1, 1));
    let again = notify::parse(told.events[0].get().as_bytes(), Form::Any, None, LogTime::from_micros(0));
    let mut again = again.expect("what was told is an event").events;
    assert_eq!(again.len(), 1);
    again.remove(0).event
}

/// JSON text as a value that was checked to be JSON.
pub(super) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

/// A refusal that a publisher can act on: a known code with its status, the place, and what was expected there.
pub(super) fn check_refusal(problem: &Problem) {
    let told = serde_json::to_value(problem).expect("a problem is JSON");
    let errors = told["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let status = match told["code"].as_str().expect("a code") {
        "malformed_json" => {
            let place = |name: &str| told[name].as_u64().expect("a place");
            assert!(place("line") >= 1 && place("column") >= 1, "places count from 1: {told}");
            400
        }
        "invalid_event" => {
            assert!(!errors.is_empty(), "nothing is named: {told}");
            422
        }
        "too_many_events" => 422,
        "bad_request" | "invalid_product_id" | "too_many_products" => 400,
        "body_too_large" => 413,
        "uri_too_long" => 414,
        other => panic!("not a code of a decoder: {other}"),
    };
    assert_eq!(told["status"], status);
    assert!(errors.iter().all(|error| error["expected"].as_str().is_some_and(|text| !text.is_empty())));
    assert_eq!(problem.clone().into_response().status(), status);
    check_line(&problem.to_string());
}

/// One short line, fit for a log: nothing in it can begin another line or colour a terminal.
pub(super) fn check_line(text: &str) {
    assert!(!text.is_empty() && text.len() <= 512, "{} bytes", text.len());
    assert!(!text.contains(char::is_control), "a control character in {text:?}");
}
