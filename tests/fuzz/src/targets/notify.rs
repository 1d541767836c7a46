//! `POST /api/notify`: body, form and `Idempotency-Key`.
//!
//! An input is one digit (0: any form, 1: batch only, 2 and 3: the same with a key), the key up to the end of its line
//! if there is one, and the body.

use shelfcast::ingest::notify::{self, Form};

use super::events;

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let form = if kind & 1 == 0 { Form::Any } else { Form::Batch };
    let (key, body) = if kind & 2 == 0 { (None, rest) } else { with_key(rest) };
    match notify::parse(body, form, key, events::now()) {
        Ok(append) => {
            assert_eq!(append.request.is_some(), key.is_some(), "a claim for a key, and only then");
            assert!(append.message.is_none(), "a request is no message");
            events::check(&append.events);
        }
        Err(problem) => events::check_refusal(&problem),
    }
}

fn with_key(rest: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    (Some(&rest[..end]), rest.get(end + 1..).unwrap_or_default())
}
