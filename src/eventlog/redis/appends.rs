//! [`Appends`]: the calls of the scripts that append. Each request says its part, and many of them make one call. See
//! `append.lua` for the arguments.

use std::sync::Arc;

use super::{
    answers::{KIND_GAP, read_append, read_append_of_one},
    commands::Commands,
    config::RedisLogConfig,
    line::Question,
    store::{StoreError, Taken},
};
use crate::{
    eventlog::{Append, InputGap, LeaseToken, Message},
    model::{Epoch, Event, MessageDigest, Origin, ProductId},
    redis::{Args, Call, Keys, Script},
    telemetry::Context,
};

/// Makes calls, and sends them.
#[derive(Debug)]
pub(super) struct Appends {
    commands: Arc<Commands>,
    keys: Keys,
    config: RedisLogConfig,
    script: Script,
}

/// The part of one request: the keys of its claims, and what it has to say. Put together by whoever brings it.
#[derive(Debug)]
pub(super) struct Part {
    claims: Vec<String>,
    args: Args,
    events: usize,
}

/// What holds for a whole call. The default is that of requests which may share one.
#[derive(Debug, Default)]
pub(super) struct Terms {
    lease: Option<LeaseToken>,
    number: Option<u64>,
    digest: Option<MessageDigest>,
    unmirrored: bool,
}

impl Terms {
    pub(super) fn of_message(message: Message) -> Self {
        Self {
            lease: Some(message.lease),
            number: message.heard.map(|heard| heard.number),
            digest: message.heard.and_then(|heard| heard.digest),
            unmirrored: message.from_mirror,
        }
    }

    pub(super) fn of_gap(gap: &InputGap) -> Self {
        Self { lease: gap.lease, unmirrored: true, ..Self::default() }
    }
}

impl Question for Part {
    type Answer = Result<Taken, StoreError>;

    fn weight_bytes(&self) -> u32 {
        let claims: usize = self.claims.iter().map(String::len).sum();
        let weight = self.args.bytes() + claims + (self.events + self.claims.len()) * Self::COMMANDS_BYTES;
        weight.try_into().unwrap_or(u32::MAX)
    }
}

impl Part {
    /// What an event or a claim weighs beside its bytes, because the server does several commands for it: so a full call is 150
    /// events of the usual size, two milliseconds of the server (`docs/performance.md`), and never more than 256.
    const COMMANDS_BYTES: usize = 256;
}

impl Appends {
    /// `script`: the one that appends what was not observed.
    pub(super) fn new(commands: Arc<Commands>, keys: Keys, config: RedisLogConfig, script: Script) -> Self {
        Self { commands, keys, config, script }
    }

    /// What a request says.
    pub(super) fn part(&self, append: &Append) -> Part {
        let events = append.events.iter().filter_map(|new| new.claim);
        let claims = append.request.iter().map(|request| request.key).chain(events);
        let claims = claims.map(|claim| self.keys.claim(claim)).collect();
        let mut args = Args::default();
        args.push_any(append.request.map(|request| request.body));
        args.push_any(Context::origin().as_ref().map(Origin::as_str));
        args.push(append.events.len());
        for new in &append.events {
            let Event { product_id, event_type, data, timestamp } = &new.event;
            let claimed = if new.claim.is_some() { "1" } else { "" };
            args.extend([
                event_type.as_str(),
                product_id.as_str(),
                data.as_str(),
                timestamp.as_str(),
                claimed,
            ]);
        }
        Part { claims, args, events: append.events.len() }
    }

    /// What is said of an input that lost something.
    pub(super) fn part_of_gap(gap: &InputGap) -> Part {
        let product_ids = gap.product_ids.iter().map(ProductId::as_str).collect::<Vec<_>>().join(",");
        let mut args = Args::default();
        args.push("");
        args.push_any(Context::origin().as_ref().map(Origin::as_str));
        args.extend(["1", KIND_GAP, &product_ids, "", "", ""]);
        Part { claims: Vec::new(), args, events: 1 }
    }

    /// One call for all of them.
    pub(super) fn call(&self, terms: &Terms, parts: Vec<Part>) -> Call {
        let names = &self.keys;
        let mut keys = vec![names.log(), names.meta(), names.lease(), names.lease_meta(), names.streaks()];
        let mut args = Args::default();
        args.push(Epoch::from_random(rand::random()));
        args.push_any(terms.lease.map(|lease| lease.0));
        args.push_any(terms.number);
        args.push(self.config.events_max);
        args.push(self.config.claim_ttl_secs.saturating_mul(1_000));
        args.push(names.channel("product-cache-invalidation"));
        args.push_any((!terms.unmirrored).then(|| names.channel("product-updates")));
        args.push_any(terms.digest);
        args.push(parts.len());
        for part in parts {
            keys.extend(part.claims);
            args.append(&part.args);
        }
        Call { keys, args }
    }

    /// Appends what one request says.
    pub(super) async fn append_one(&self, terms: &Terms, part: Part) -> Result<Taken, StoreError> {
        let call = self.call(terms, vec![part]);
        read_append_of_one(&self.commands.write(&self.script, &call).await?)
    }

    /// Appends what requests say that share a call, and answers each.
    pub(super) async fn append_all(&self, parts: Vec<Part>) -> Vec<Result<Taken, StoreError>> {
        let count = parts.len();
        let ran = self.commands.write(&self.script, &self.call(&Terms::default(), parts)).await;
        let taken = ran.and_then(|ran| read_append(&ran, count));
        taken.unwrap_or_else(|error| vec![Err(error); count])
    }
}
