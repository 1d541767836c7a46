//! What a claim looks like, and the bounded memory of claims. Does not decide what a claim protects: the log does.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use sha2::{Digest, Sha256};

use crate::model::LogTime;

/// A claim's name: 128 bits of a digest over what kind of claim it is and the publisher's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimKey([u8; 16]);

/// 128 bits of the SHA-256 of a request body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest([u8; 16]);

impl ClaimKey {
    /// The claim of an `Idempotency-Key` on a request.
    pub fn request(key: &str) -> Self {
        Self::of(b"request\0", key)
    }

    /// The claim of an `eventId` on one event.
    pub fn event(id: &str) -> Self {
        Self::of(b"event\0", id)
    }

    /// The claim of one entry of an input stream: delivered again, it is the same; another entry under an id that a
    /// deleted stream once gave is not. Lengths stand before the parts, so that no two entries read the same.
    pub fn stream_entry(stream: &str, id: &str, entry: &[u8]) -> Self {
        let length = |part: &str| (part.len() as u64).to_le_bytes();
        let parts: [&[u8]; 6] = [
            b"entry\0",
            &length(stream),
            stream.as_bytes(),
            &length(id),
            id.as_bytes(),
            &Sha256::digest(entry),
        ];
        Self(digest(&parts))
    }

    /// The claim of what a platform delivers to a webhook, by the parts that name it there.
    pub fn delivery(platform: &str, parts: &[&[u8]]) -> Self {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_le_bytes()).collect();
        let mut all: Vec<&[u8]> = vec![b"delivery\0", platform.as_bytes(), b"\0"];
        for (length, part) in lengths.iter().zip(parts) {
            all.extend([length, *part]);
        }
        Self(digest(&all))
    }

    fn of(kind: &[u8], key: &str) -> Self {
        Self(digest(&[kind, key.as_bytes()]))
    }
}

impl BodyDigest {
    /// Digests a request body as it came.
    pub fn of(body: &[u8]) -> Self {
        Self(digest(&[body]))
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let full = parts.iter().fold(Sha256::new(), |sha, part| sha.chain_update(part)).finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Display for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimKey")
    }
}

impl fmt::Debug for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyDigest")
    }
}

/// What is remembered under a claim, kept small: there may be millions. Positions are of the log's one epoch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Claim {
    /// The first answer to a request.
    Request { body: BodyDigest, accepted: u16, duplicates: u16, cursor_n: u64 },
    /// Where an event stands.
    Event { n: u64 },
}

/// Claims of the last `ttl_secs`, at most [`Claims::COUNT_MAX`]. When full the oldest goes early: a late retry of
/// it is then appended again, which at-least-once delivery allows; refusing new events would not be.
#[derive(Debug)]
pub(super) struct Claims {
    ttl_secs: i64,
    known: HashMap<ClaimKey, Claim>,
    by_age: VecDeque<(LogTime, ClaimKey)>,
}

impl Claims {
    /// As many as a table of 2^21 slots holds (7/8 of it); one more would double the table.
    const COUNT_MAX: usize = 1_800_000;

    pub(super) fn new(ttl_secs: u64) -> Self {
        let ttl_secs = i64::try_from(ttl_secs).unwrap_or(i64::MAX);
        Self { ttl_secs, known: HashMap::new(), by_age: VecDeque::new() }
    }

    pub(super) fn get(&self, key: &ClaimKey) -> Option<&Claim> {
        self.known.get(key)
    }

    pub(super) fn insert(&mut self, now: LogTime, key: ClaimKey, claim: Claim) {
        if self.known.insert(key, claim).is_none() {
            self.by_age.push_back((now, key));
        }
    }

    /// Forgets what is older than the time to live, and the oldest above the cap.
    pub(super) fn trim(&mut self, now: LogTime) {
        let oldest_kept = now.plus_secs(self.ttl_secs.saturating_neg());
        while let Some((made, key)) = self.by_age.front() {
            if *made >= oldest_kept && self.by_age.len() <= Self::COUNT_MAX {
                break;
            }
            self.known.remove(key);
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_of_a_stream_has_a_claim_of_its_own() {
        let claim = ClaimKey::stream_entry("product-events", "1-0", b"{}");
        assert!(claim == ClaimKey::stream_entry("product-events", "1-0", b"{}"));
        for other in [
            ClaimKey::stream_entry("product-events", "1-0", b"{ }"),
            ClaimKey::stream_entry("product-events", "1-1", b"{}"),
            ClaimKey::stream_entry("product-events1", "-0", b"{}"),
            ClaimKey::stream_entry("product-event", "s1-0", b"{}"),
            ClaimKey::event("1-0"),
        ] {
            assert!(claim != other);
        }
    }

    #[test]
    fn deliveries_of_two_platforms_or_of_other_parts_are_not_the_same() {
        let claim = ClaimKey::delivery("shopify", &[b"shop", b"id"]);
        assert!(claim == ClaimKey::delivery("shopify", &[b"shop", b"id"]));
        for other in [
            ClaimKey::delivery("meta", &[b"shop", b"id"]),
            ClaimKey::delivery("shopify", &[b"shopid", b""]),
            ClaimKey::delivery("shopify", &[b"shop", b"id", b""]),
            ClaimKey::delivery("shopify", &[b"shopid"]),
        ] {
            assert!(claim != other);
        }
    }
}
