//! [`Facts`]: what publishers sent and were told. Knows no client.

use std::collections::{HashMap, HashSet};

use super::Counts;
use crate::history::{Name, Op, Pos, Record};

/// An event that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) id: u64,
    pub(super) product: Name,
    pub(super) kind: Name,
    pub(super) request: u64,
    /// Where the history says so. Lines are in order of time, and tell apart what a clock does not.
    pub(super) line: u32,
    /// Where the history says that it was accepted.
    pub(super) accepted: Option<u32>,
    /// Where the publisher was last told that it stands.
    pub(super) at: Option<Pos>,
    /// It was sent once and accepted at once, so it stands in the log exactly once.
    pub(super) once: bool,
}

/// What became of a request.
#[derive(Debug, Default, Clone, Copy)]
struct Request {
    answers: u32,
    accepted: bool,
    unknown: bool,
    refused: bool,
    repeated: bool,
}

/// Where something stands in the log, as far as that can be compared: epochs in the order in which they showed up.
pub(super) type Order = (u32, u64);

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) sent: Vec<Sent>,
    by_id: HashMap<u64, u32>,
    requests: HashMap<u64, Request>,
    /// The events of each product, in the order they were sent.
    pub(super) by_product: HashMap<Name, Vec<u32>>,
    stands_at: HashMap<Pos, u32>,
    /// Positions that were told for two different events.
    pub(super) contested: HashSet<Pos>,
    epochs: HashMap<Name, u32>,
    pub(super) counts: Counts,
}

impl Facts {
    pub(super) fn learn(&mut self, line: u32, record: &Record) {
        match &record.op {
            Op::Publish { id, product, kind, request } => {
                if let Some(known) = self.by_id.get(id) {
                    // Sent again under another request: it may stand in the log twice.
                    let known = &mut self.sent[*known as usize];
                    known.once = false;
                    known.request = *request;
                    return;
                }
                let new = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
                self.by_id.insert(*id, new);
                self.by_product.entry(*product).or_default().push(new);
                self.requests.entry(*request).or_default();
                self.sent.push(Sent {
                    id: *id,
                    product: *product,
                    kind: *kind,
                    request: *request,
                    line,
                    accepted: None,
                    at: None,
                    once: true,
                });
            }
            Op::Accepted { request, ids, cursor, duplicate } => {
                let answered = self.requests.entry(*request).or_default();
                answered.answers += 1;
                answered.accepted = true;
                answered.repeated |= *duplicate;
                if let Some(at) = cursor {
                    self.rank(at.epoch);
                }
                for (behind, id) in (0..).zip(ids.iter().rev()) {
                    let at = cursor.filter(|at| at.n > behind).map(|at| Pos { n: at.n - behind, ..at });
                    self.accepted(*id, at, line);
                }
            }
            Op::Refused { request, status } => {
                let answered = self.requests.entry(*request).or_default();
                answered.answers += 1;
                // Whoever is told that something is wrong with the gateway knows nothing.
                if *status >= 500 { answered.unknown = true } else { answered.refused = true }
            }
            Op::Unknown { request } => {
                let answered = self.requests.entry(*request).or_default();
                answered.answers += 1;
                answered.unknown = true;
            }
            Op::Batch { cursor: Some(at), .. } => {
                self.rank(at.epoch);
            }
            _ => {}
        }
    }

    fn accepted(&mut self, id: u64, at: Option<Pos>, line: u32) {
        let Some(index) = self.by_id.get(&id) else { return };
        let event = &mut self.sent[*index as usize];
        event.once &= event.accepted.is_none();
        event.accepted.get_or_insert(line);
        let Some(at) = at else { return };
        event.at = Some(at);
        let standing = *self.stands_at.entry(at).or_insert(*index);
        if standing != *index {
            self.contested.insert(at);
        }
    }

    /// Everything was learnt.
    pub(super) fn settle(&mut self) {
        for event in &mut self.sent {
            let answered = self.requests.get(&event.request).copied().unwrap_or_default();
            event.once &= answered.answers == 1 && answered.accepted && !answered.repeated;
            match (event.accepted, answered) {
                (Some(_), _) => self.counts.accepted += 1,
                (None, Request { refused: true, unknown: false, .. }) => self.counts.refused += 1,
                (None, _) => self.counts.unknown += 1,
            }
        }
        self.counts.published = self.sent.len() as u64;
    }

    /// Whether it was definitely not taken.
    pub(super) fn is_refused(&self, event: &Sent) -> bool {
        let answered = self.requests.get(&event.request).copied().unwrap_or_default();
        event.accepted.is_none() && answered.refused && !answered.unknown
    }

    pub(super) fn event(&self, id: u64) -> Option<(u32, &Sent)> {
        let index = *self.by_id.get(&id)?;
        Some((index, &self.sent[index as usize]))
    }

    /// The accepted event that stands there, if only one does.
    pub(super) fn standing_at(&self, at: Pos) -> Option<&Sent> {
        let index = self.stands_at.get(&at).filter(|_| !self.contested.contains(&at))?;
        Some(&self.sent[*index as usize])
    }

    fn rank(&mut self, epoch: Name) {
        let next = u32::try_from(self.epochs.len()).unwrap_or(u32::MAX);
        self.epochs.entry(epoch).or_insert(next);
    }

    pub(super) fn order(&self, at: Pos) -> Order {
        (self.epochs.get(&at.epoch).copied().unwrap_or(u32::MAX), at.n)
    }
}
