//! What clients ask for, one function an event. The hub decides; this translates.

use std::{cell::Cell, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value};
use socketioxide::extract::{AckSender, SocketRef};

use super::{
    Later, Session,
    wire::{
        Args, Code, JoinAck, JoinsAck, LeaveAck, Nothing, Refusal, SyncAck, product_id, product_ids, shown,
    },
};
use crate::{
    fanout::{IfAhead, JoinError, Outcome, Subscriber},
    index::Since,
    model::{Position, ProductId},
};

/// One packet being served.
pub(super) struct Request {
    pub(super) session: Arc<Session>,
    pub(super) socket: SocketRef,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) ack: AckSender,
    /// Refusals told of this packet.
    pub(super) told: Cell<usize>,
}

/// Refusals of one packet that are told as events of their own: more would leave no room for its acknowledgement, which
/// names all of them.
const REFUSALS_TOLD_MAX: usize = 200;

impl Request {
    /// `join_product(id | [ids])`: joins; what was missed is not asked for.
    pub(super) fn join_product(self, args: &Args) {
        let (mut joined, mut refused) = (Vec::new(), Map::new());
        let ids = product_ids(args.get(0));
        let code = self.refuse_missing(ids.is_none());
        for id in ids.into_iter().flatten() {
            let result = id.map_err(|text| (text, Code::InvalidProductId));
            match result.and_then(|id| self.join(&id, None).map(|_| id)) {
                Ok(id) => joined.push(id),
                Err((text, code)) => {
                    self.refuse(code, Some(&text));
                    refused.insert(text, code.to_value());
                }
            }
        }
        let ok = code.is_none() && refused.is_empty();
        let cursor = self.cursor();
        self.answer(&JoinAck { ok, code, joined, refused, cursor });
    }

    /// `leave_product(id | [ids])`.
    pub(super) fn leave_product(self, args: &Args) {
        let ids = product_ids(args.get(0));
        let mut code = self.refuse_missing(ids.is_none());
        for id in ids.into_iter().flatten() {
            match id {
                Ok(id) => self.session.hub.leave(&self.subscriber, &id),
                Err(text) => {
                    self.refuse(Code::InvalidProductId, Some(&text));
                    code = Some(Code::InvalidProductId);
                }
            }
        }
        self.answer(&LeaveAck { ok: code.is_none(), code });
    }

    /// `join_products({id: cursor | timestamp | null})`: joins all and answers each.
    pub(super) fn join_products(self, args: &Args) -> Option<Later> {
        let Some(wanted) = args.get(0).and_then(Value::as_object) else {
            let code = self.refuse_missing(true);
            let cursor = self.cursor();
            self.answer(&JoinsAck { ok: false, code, cursor, results: Map::new() });
            return None;
        };
        // A beat between two of these joins would tell a position beyond what is still to be replayed.
        self.subscriber.opening();
        let mut answers = Answers { results: Map::new(), ahead: Vec::new(), ok: true };
        for (text, since) in wanted {
            let since = (!since.is_null()).then(|| read_since(Some(since)));
            let id = ProductId::new(text).map_err(|_| (shown(text), Code::InvalidProductId));
            match id.and_then(|id| Ok((self.join(&id, since)?, id))) {
                Ok((outcome, id)) => answers.note(id, since, outcome),
                Err((text, code)) => {
                    self.refuse(code, Some(&text));
                    answers.ok = false;
                    answers.results.insert(text, code.to_value());
                }
            }
        }
        self.subscriber.opened();
        self.session.hub.pay(&self.subscriber);
        let far = answers.ahead.iter().map(|(_, at)| *at).max_by_key(|at| at.n);
        let Some(far) = far.filter(|_| self.session.start_waiting()) else {
            self.finish_joins(answers);
            return None;
        };
        Some(Box::pin(async move {
            // They are joined already, so what comes behind their cursors reaches them live; what remains to be
            // found out is whether those cursors are of this log at all.
            self.session.hub.index().wait_applied(far).await;
            self.session.stop_waiting();
            self.finish_joins(answers);
        }))
    }

    fn finish_joins(self, mut answers: Answers) {
        for (id, at) in std::mem::take(&mut answers.ahead) {
            let since = Since::Cursor(at);
            let outcome = self.session.hub.resume(&self.subscriber, &id, since, IfAhead::GiveUp);
            answers.note(id, Some(since), outcome);
        }
        self.session.hub.pay(&self.subscriber);
        let cursor = self.cursor();
        self.answer(&JoinsAck { ok: answers.ok, code: None, cursor, results: answers.results });
    }

    /// `request_sync(id, lastTimestamp?)`: answers what was missed, before the acknowledgement.
    pub(super) fn request_sync(self, args: &Args) -> Option<Later> {
        let id = match args.get(0).map(product_id) {
            Some(Ok(id)) => id,
            Some(Err(text)) => {
                self.refuse(Code::InvalidProductId, Some(&text));
                self.answer(&SyncAck::Refused { ok: false, code: Code::InvalidProductId });
                return None;
            }
            None => {
                self.refuse(Code::BadRequest, None);
                self.answer(&SyncAck::Refused { ok: false, code: Code::BadRequest });
                return None;
            }
        };
        if !self.session.link.limits().ask() {
            self.refuse(Code::RateLimited, Some(id.as_str()));
            self.answer(&SyncAck::Refused { ok: false, code: Code::RateLimited });
            return None;
        }
        let since = read_since(args.get(1));
        let outcome = self.session.hub.resume(&self.subscriber, &id, since, IfAhead::Wait);
        let (Outcome::Ahead, Since::Cursor(at)) = (outcome, since) else {
            self.finish_sync(outcome);
            return None;
        };
        if !self.session.start_waiting() {
            let outcome = self.session.hub.resume(&self.subscriber, &id, since, IfAhead::GiveUp);
            self.finish_sync(outcome);
            return None;
        }
        Some(Box::pin(async move {
            self.session.hub.index().wait_applied(at).await;
            self.session.stop_waiting();
            let outcome = self.session.hub.resume(&self.subscriber, &id, since, IfAhead::GiveUp);
            self.finish_sync(outcome);
        }))
    }

    fn finish_sync(self, outcome: Outcome) {
        self.session.hub.pay(&self.subscriber);
        let cursor = self.cursor();
        self.answer(&SyncAck::Answered { ok: true, status: outcome.as_str(), cursor });
    }

    /// `ping`.
    pub(super) fn pong(self) {
        if let Err(error) = self.session.link.hand_over(&self.socket, "pong", &Nothing()) {
            tracing::debug!(%error, "a pong was not queued");
        }
    }

    /// An event of another name.
    pub(super) fn unknown(self) {
        self.refuse(Code::BadRequest, None);
        self.answer(&LeaveAck { ok: false, code: Some(Code::BadRequest) });
    }

    fn join(&self, id: &ProductId, since: Option<Since>) -> Result<Outcome, (String, Code)> {
        if since.is_some() && !self.session.link.limits().ask() {
            return Err((id.to_string(), Code::RateLimited));
        }
        self.session.hub.join(&self.subscriber, id, since, IfAhead::Wait).map_err(|error| match error {
            JoinError::TooManyProducts => (id.to_string(), Code::TooManyProducts),
            // Nobody is left to read the answer.
            JoinError::Gone => (id.to_string(), Code::BadRequest),
        })
    }

    fn cursor(&self) -> Position {
        self.session.hub.covered_for(&self.subscriber)
    }

    fn refuse_missing(&self, missing: bool) -> Option<Code> {
        missing.then(|| {
            self.refuse(Code::BadRequest, None);
            Code::BadRequest
        })
    }

    fn refuse(&self, code: Code, product_id: Option<&str>) {
        if self.told.replace(self.told.get() + 1) >= REFUSALS_TOLD_MAX {
            return;
        }
        let refusal = Refusal { message: code.message(), code, product_id };
        if let Err(error) = self.session.link.hand_over(&self.socket, "error", &refusal) {
            tracing::debug!(%error, "a refusal was not queued");
        }
    }

    /// Acknowledges, if the client passed a callback. A full socket loses it, and the client's own timeout tells.
    fn answer(self, answer: &impl Serialize) {
        if let Err(error) = self.ack.send(answer) {
            tracing::debug!(%error, "an acknowledgement was not queued");
        }
    }
}

/// What came of each product of one `join_products`.
struct Answers {
    results: Map<String, Value>,
    ahead: Vec<(ProductId, Position)>,
    ok: bool,
}

impl Answers {
    fn note(&mut self, id: ProductId, since: Option<Since>, outcome: Outcome) {
        self.results.insert(id.to_string(), outcome.as_str().into());
        if let (Outcome::Ahead, Some(Since::Cursor(at))) = (outcome, since) {
            self.ahead.push((id, at));
        }
    }
}

fn read_since(value: Option<&Value>) -> Since {
    value.and_then(Value::as_str).map_or(Since::Unreadable, Since::parse)
}
