//! Messages on the Redis channels, and entries of the input stream.
//!
//! An input is one letter (a to n: a channel, o: an entry of the stream) and the payload.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use shelfcast::{
    eventlog::NewEvent,
    ingest::channels::{Channel, Parsed, Source, Unreadable, dead_letter, parse, parse_entry},
    model::Data,
};

use super::events::{self, now};

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((letter, payload)) = input.split_first() else { return };
    let mut kinds: Vec<_> = Channel::all().map(Some).collect();
    kinds.push(None);
    let channel = kinds[usize::from(letter.wrapping_sub(b'a')) % kinds.len()];
    let parsed =
        channel.map_or_else(|| parse_entry(payload, now()), |channel| parse(channel, payload, now()));
    match parsed {
        Parsed::Events(taken) => {
            events::check(&taken);
            assert!(!names_the_gateway(payload), "a mirrored message was taken in again");
            if channel.is_some_and(|channel| !channel.is_mirror()) {
                check_whole(&taken, payload);
            }
        }
        Parsed::Mirrored => assert!(names_the_gateway(payload), "a message was dropped"),
        Parsed::Unreadable(reason) => check_letter(channel, &reason, payload),
    }
}

/// On the dotted channels the whole payload is the data of each event.
fn check_whole(taken: &[NewEvent], payload: &[u8]) {
    let whole = events::raw(std::str::from_utf8(payload).expect("events come from text"));
    let data = Data::new(&whole).expect("data of an event");
    let first = &taken[0].event;
    for NewEvent { event, claim } in taken {
        assert!(event.data == data && event.event_type == first.event_type && claim.is_none());
    }
}

/// Whether it bears the mark of what a gateway sent.
fn names_the_gateway(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Mark<'a> {
        #[serde(borrow)]
        via: &'a RawValue,
    }
    let mark = serde_json::from_slice::<Mark<'_>>(payload).ok();
    mark.is_some_and(|mark| {
        serde_json::from_str::<String>(mark.via.get()).is_ok_and(|via| via == "shelfcast")
    })
}

/// A dead letter says where it came from and why, and holds the beginning of the message, whatever that is.
fn check_letter(channel: Option<Channel>, reason: &Unreadable, payload: &[u8]) {
    let source = match channel {
        Some(channel) => Source::Channel { channel: channel.name() },
        None => Source::Entry { stream: "product-events", id: "1-1" },
    };
    events::check_line(&reason.to_string());
    let letter = dead_letter(source, reason, now(), payload);
    let told: Value = serde_json::from_str(&letter).expect("a dead letter is JSON");
    assert_eq!(told["reason"], reason.to_string());
    assert_eq!(told["bytes"], payload.len());
    let kept = told["payload"].as_str().expect("the beginning");
    assert!(kept.len() <= 4 * 1024, "{} bytes are kept", kept.len());
    assert!(String::from_utf8_lossy(payload).starts_with(kept));
}
