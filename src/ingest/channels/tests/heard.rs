//! The ring of one process: named cases, and any sequence of calls against a plain list.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::*;
use crate::{
    eventlog::{AppendError, Appended},
    model::{Epoch, LogTime},
};

const RETRY: Duration = Duration::from_secs(1);

pub(super) fn message(text: u8, len: usize) -> HeardMessage {
    HeardMessage::new(Channel::all().next().unwrap(), &vec![text; len], at(0))
}

/// Log time; 0 is when everybody subscribed.
pub(super) fn at(secs: i64) -> LogTime {
    LogTime::from_micros(1_767_225_600_000_000).plus_secs(secs)
}

pub(super) fn appended(accepted: usize) -> Result<Appended, AppendError> {
    let cursor = Epoch::from_random(1).at(1);
    Ok(Appended { accepted, duplicates: 0, cursor, repeated: false })
}

pub(super) const UNKNOWN: Result<Appended, AppendError> =
    Err(AppendError::Unavailable { retry_after: RETRY });
pub(super) const OVERLOADED: Result<Appended, AppendError> =
    Err(AppendError::Overloaded { retry_after: RETRY });
pub(super) const FENCED: Result<Appended, AppendError> = Err(AppendError::Fenced);

/// A ring that was subscribed at 0, with everything before that settled; its calls with times that do not matter.
struct Ring {
    heard: Heard,
    now: Instant,
}

impl Ring {
    fn new() -> Self {
        Self::bounded(HeardBounds::default())
    }

    fn bounded(bounds: HeardBounds) -> Self {
        let mut heard = Heard::new(bounds);
        heard.subscribed(at(0));
        heard.settle(at(0));
        Self { heard, now: Instant::now() }
    }

    fn hear(&mut self, texts: &[u8]) {
        for text in texts {
            self.heard.hear(self.now, message(*text, 1));
        }
    }

    fn strike(&mut self, text: u8) {
        self.heard.strike(self.now, message(text, 1).digest());
    }

    /// Takes one, gives its first byte and whether it goes with its digest.
    fn take(&mut self) -> Option<(u8, bool)> {
        self.heard.take_next().map(|taken| (taken.message.payload[0], taken.digest.is_some()))
    }

    /// What would be appended now, all of it.
    fn drain(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some((text, _)) = self.take() {
            all.push(text);
            self.heard.finish(&appended(1));
        }
        all
    }
}

#[test]
fn messages_that_read_the_same_are_counted() {
    let mut ring = Ring::new();
    ring.hear(b"aba");
    ring.strike(b'a');
    assert_eq!(ring.drain(), b"ba");
}

#[test]
fn a_log_that_is_faster_cancels_one_message() {
    let mut ring = Ring::new();
    ring.strike(b'a');
    assert_eq!(ring.heard.hear(ring.now, message(b'a', 1)), Hearing::InLog);
    assert_eq!(ring.heard.hear(ring.now, message(b'a', 1)), Hearing::Kept);
    assert_eq!(ring.drain(), b"a");
}

#[test]
fn a_credit_does_not_last() {
    let mut ring = Ring::new();
    ring.strike(b'a');
    ring.now += Heard::CREDIT_LIFE;
    ring.hear(b"a");
    assert_eq!(ring.drain(), b"a");

    ring.strike(b'b');
    ring.heard.interrupted();
    ring.heard.subscribed(at(1));
    ring.heard.settle(at(1));
    ring.hear(b"b");
    assert_eq!(ring.drain(), b"b", "its message was lost with the subscription");
}

#[test]
fn credits_are_bounded() {
    let mut ring = Ring::new();
    ring.strike(b'a');
    for _ in 0..Heard::CREDITS_MAX {
        ring.strike(b'b');
    }
    ring.hear(b"ab");
    assert_eq!(ring.drain(), b"a");
}

#[test]
fn an_entry_may_be_of_a_message_from_before_the_subscription() {
    for unsure in [Heard::interrupted, |heard: &mut Heard| heard.subscribed(at(1))] {
        let mut ring = Ring::new();
        unsure(&mut ring.heard);
        ring.hear(b"a");
        ring.strike(b'a');
        ring.strike(b'b');
        ring.hear(b"b");
        assert_eq!(ring.heard.pending_count(), 2);
        ring.heard.subscribed(at(1));
        ring.heard.settle(at(0));
        ring.strike(b'a');
        assert_eq!(ring.heard.pending_count(), 2);
        ring.heard.settle(at(1));
        ring.strike(b'a');
        assert_eq!(ring.drain(), b"b");
    }
}

#[test]
fn ones_own_entry_strikes_ones_own_message() {
    let mut ring = Ring::new();
    ring.hear(b"aa");
    assert_eq!(ring.take(), Some((b'a', true)));
    ring.heard.finish(&appended(1));
    ring.strike(b'a');
    assert_eq!(ring.drain(), b"a", "the second is not in the log");
}

#[test]
fn a_strike_may_be_faster_than_the_answer() {
    for result in [appended(1), UNKNOWN, OVERLOADED, FENCED] {
        let mut ring = Ring::new();
        ring.hear(b"aab");
        assert_eq!(ring.take(), Some((b'a', true)));
        ring.strike(b'a');
        ring.heard.finish(&result);
        assert_eq!(ring.drain(), b"ab", "{result:?}");
    }
}

#[test]
fn one_at_a_time_and_in_order() {
    let mut ring = Ring::new();
    ring.hear(b"ab");
    assert_eq!(ring.take(), Some((b'a', true)));
    assert_eq!(ring.take(), None);
    ring.heard.finish(&OVERLOADED);
    assert_eq!(ring.take(), Some((b'a', true)), "it was surely not taken");
    ring.heard.finish(&FENCED);
    assert_eq!(ring.take(), Some((b'a', true)));
    ring.heard.finish(&UNKNOWN);
    assert_eq!(ring.take(), Some((b'a', false)), "it may be in the log with its digest");
    ring.heard.finish(&appended(1));
    assert_eq!(ring.drain(), b"b");
}

#[test]
fn the_strike_of_a_try_with_unknown_outcome_hits_no_other() {
    let mut ring = Ring::new();
    ring.hear(b"aa");
    ring.take();
    ring.heard.finish(&UNKNOWN);
    assert_eq!(ring.take(), Some((b'a', false)));
    ring.heard.finish(&appended(1));
    ring.strike(b'a');
    assert_eq!(ring.drain(), b"a");
}

#[test]
fn a_message_of_duplicates_has_no_strike_to_wait_for() {
    let mut ring = Ring::new();
    ring.hear(b"aa");
    ring.take();
    ring.heard.finish(&appended(0));
    ring.strike(b'a');
    assert_eq!(ring.drain(), b"", "another gateway appended the second");
    ring.hear(b"c");
    ring.take();
    ring.heard.discard();
    assert_eq!((ring.drain(), ring.heard.bytes()), (Vec::new(), 0));
}

#[test]
fn a_lease_that_comes_back_finds_what_is_left() {
    let mut ring = Ring::new();
    ring.hear(b"abc");
    ring.take();
    ring.heard.finish(&appended(1));
    ring.take();
    ring.heard.finish(&FENCED);
    // The other holder appended "b"; our own entry comes first in the log.
    ring.strike(b'a');
    ring.strike(b'b');
    ring.hear(b"a");
    assert_eq!(ring.heard.take_over(Some(at(0))), Take { gap: false });
    ring.hear(b"d");
    let mut left = Vec::new();
    while let Some(taken) = ring.take() {
        left.push(taken);
        ring.heard.finish(&appended(1));
    }
    assert_eq!(left, [(b'c', false), (b'a', false), (b'd', true)], "the other may have tried these in vain");
}

#[test]
fn settling_forgets_what_was_published_before() {
    let mut ring = Ring::new();
    ring.hear(b"ab");
    let early = ring.heard.mark();
    ring.hear(b"c");
    ring.heard.stamp(early, at(10));
    ring.heard.settle(at(9));
    assert_eq!(ring.heard.pending_count(), 3);
    ring.heard.settle(at(10));
    assert_eq!(ring.heard.pending_count(), 1, "the third has no stamp");
    ring.heard.stamp(ring.heard.mark(), at(8));
    ring.heard.settle(at(9));
    assert_eq!(ring.heard.pending_count(), 1, "stamps never go back");
    assert_eq!(ring.drain(), b"c");
}

#[test]
fn what_is_in_flight_is_not_settled_nor_dropped() {
    let mut ring = Ring::bounded(HeardBounds { count_max: 2, bytes_max: 100 });
    ring.hear(b"ab");
    ring.take();
    ring.heard.stamp(ring.heard.mark(), at(10));
    ring.heard.settle(at(10));
    ring.hear(b"cde");
    assert!(ring.heard.overflowed());
    ring.heard.finish(&FENCED);
    assert_eq!(ring.drain(), b"ae");
}

#[test]
fn an_overflow_is_a_gap_until_it_is_told_or_settled() {
    let gap = |ring: &mut Ring| ring.heard.take_over(Some(at(0))).gap;
    let mut ring = Ring::bounded(HeardBounds { count_max: 3, bytes_max: 10 });
    ring.hear(b"abc");
    assert!(!gap(&mut ring));
    assert_eq!(ring.heard.hear(ring.now, message(b'd', 9)), Hearing::Overflowed { dropped: 2 });
    assert_eq!((gap(&mut ring), ring.heard.bytes()), (true, 10));
    ring.strike(b'x');
    assert_eq!(ring.heard.hear(ring.now, message(b'x', 1)), Hearing::Overflowed { dropped: 1 }, "kept");

    let before = ring.heard.mark();
    ring.hear(b"e");
    let mut told = ring.heard.mark();
    ring.heard.gap_told(before);
    assert!(!gap(&mut ring));
    ring.hear(b"f");
    ring.heard.gap_told(told);
    assert!(gap(&mut ring) || !ring.heard.overflowed());

    let mut ring = Ring::bounded(HeardBounds { count_max: 1, bytes_max: 10 });
    ring.hear(b"ab");
    told = ring.heard.mark();
    ring.heard.settle(at(1_000));
    assert!(gap(&mut ring), "it has no stamp");
    ring.heard.stamp(told, at(10));
    ring.heard.settle(at(9));
    assert!(gap(&mut ring));
    ring.heard.settle(at(10));
    assert!(!gap(&mut ring));
}

#[test]
fn a_holder_accounts_for_what_it_appended() {
    let mut ring = Ring::new();
    ring.hear(b"a");
    let mark = ring.heard.mark();
    ring.hear(b"b");
    assert!(!ring.heard.accounted(mark));
    ring.take();
    assert!(!ring.heard.accounted(mark));
    ring.heard.finish(&appended(1));
    assert!(ring.heard.accounted(mark) && !ring.heard.accounted(ring.heard.mark()));
}

#[test]
fn who_was_not_subscribed_throughout_leaves_a_gap() {
    let mut heard = Heard::new(HeardBounds::default());
    for covered in [None, Some(at(10))] {
        assert_eq!(heard.take_over(covered), Take { gap: true }, "not subscribed");
    }
    heard.subscribed(at(10));
    assert_eq!(heard.take_over(None), Take { gap: false }, "nobody was promised anything before");
    assert_eq!(heard.take_over(Some(at(9))), Take { gap: true });
    assert_eq!(heard.take_over(Some(at(10))), Take { gap: false });
    heard.subscribed(at(11));
    assert_eq!(heard.take_over(Some(at(10))), Take { gap: true }, "subscribed anew without a word");
    heard.interrupted();
    assert_eq!((heard.take_over(Some(at(99))), heard.continuity().since()), (Take { gap: true }, None));
}

#[test]
fn a_payload_is_not_printed() {
    let mut ring = Ring::new();
    ring.heard.hear(ring.now, HeardMessage::new(Channel::all().next().unwrap(), b"secret", at(0)));
    assert!(!format!("{:?} {:?}", ring.heard.take_next(), ring.heard).contains("secret"));
}

#[derive(Debug, Clone)]
enum Step {
    Hear { text: u8, len: usize },
    Strike { text: u8 },
    Take,
    Finish { result: u8 },
    Mark,
    Stamp { secs: i64 },
    Settle { secs: i64 },
    TakeOver { secs: i64 },
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u8, 1..3_usize).prop_map(|(text, len)| Step::Hear { text, len }),
        5 => (0..3_u8).prop_map(|text| Step::Strike { text }),
        4 => Just(Step::Take),
        4 => (0..5_u8).prop_map(|result| Step::Finish { result }),
        1 => Just(Step::Mark),
        1 => (0..20_i64).prop_map(|secs| Step::Stamp { secs }),
        1 => (0..20_i64).prop_map(|secs| Step::Settle { secs }),
        1 => (0..20_i64).prop_map(|secs| Step::TakeOver { secs }),
        1 => Just(Step::Pause),
    ];
    prop::collection::vec(step, 0..80)
}

/// One message in the list that the ring is compared with.
#[derive(Debug, Clone)]
struct Plain {
    text: u8,
    len: usize,
    number: usize,
    stamp: Option<i64>,
    waiting: bool,
    flying: bool,
    tried: bool,
}

/// The same rules, spelt out over one list that is walked from its beginning each time.
#[derive(Debug, Default)]
struct Model {
    list: Vec<Plain>,
    credits: Vec<(u64, (u8, usize))>,
    count: usize,
    mark: usize,
    stamp: i64,
    clock: u64,
    /// A message was taken and no answer came yet.
    flying: bool,
    lost: Option<Plain>,
}

impl Model {
    fn hear(&mut self, text: u8, len: usize, bounds: HeardBounds) {
        self.credits.retain(|(made, ..)| self.clock < made + 5);
        if let Some(i) = self.credits.iter().position(|(_, credit)| *credit == (text, len)) {
            self.credits.remove(i);
            return;
        }
        let number = self.count;
        self.count += 1;
        let (stamp, waiting, flying, tried) = (None, true, false, false);
        self.list.push(Plain { text, len, number, stamp, waiting, flying, tried });
        self.bound(bounds);
    }

    fn bound(&mut self, bounds: HeardBounds) {
        while self.list.len() > bounds.count_max || self.bytes() > bounds.bytes_max {
            let Some(i) = self.list.iter().position(|m| !m.flying) else {
                return;
            };
            let lost = self.list.remove(i);
            if self.lost.as_ref().is_none_or(|newest| newest.number < lost.number) {
                self.lost = Some(lost);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.list.iter().filter(|m| m.waiting).map(|m| m.len).sum()
    }

    fn strike(&mut self, text: u8, len: usize) {
        match self.list.iter().position(|m| (m.text, m.len) == (text, len)) {
            Some(i) if self.lost.is_some() && self.list[i].waiting => {}
            Some(i) => drop(self.list.remove(i)),
            None if self.lost.is_none() => self.credits.push((self.clock, (text, len))),
            None => {}
        }
    }

    fn take(&mut self) -> Option<(u8, usize, bool)> {
        if self.flying {
            return None;
        }
        let next = self.list.iter_mut().find(|m| m.waiting)?;
        (next.flying, self.flying) = (true, true);
        Some((next.text, next.len, !next.tried))
    }

    fn finish(&mut self, result: &Result<Appended, AppendError>, bounds: HeardBounds) {
        self.flying = false;
        if let Some(i) = self.list.iter().position(|m| m.flying) {
            self.list[i].flying = false;
            match result {
                Ok(appended) if appended.accepted > 0 => self.list[i].waiting = false,
                Ok(_) => drop(self.list.remove(i)),
                Err(AppendError::Unavailable { .. }) => self.list[i].tried = true,
                Err(_) => {}
            }
            self.bound(bounds);
        }
    }

    fn stamp(&mut self, secs: i64) {
        self.stamp = self.stamp.max(secs);
        for m in self.list.iter_mut().chain(self.lost.as_mut()).filter(|m| m.number < self.mark) {
            m.stamp = m.stamp.or(Some(self.stamp));
        }
    }

    fn settle(&mut self, secs: i64) {
        let old = |m: &Plain| m.stamp.is_some_and(|stamp| stamp <= secs);
        self.list.retain(|m| !old(m) || m.flying);
        self.lost = self.lost.take().filter(|lost| !old(lost));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_ring_does_what_a_plain_list_would(
        steps in steps(),
        count_max in 1..12_usize,
        bytes_max in 2..20_usize,
    ) {
        let bounds = HeardBounds { count_max, bytes_max };
        let mut ring = Ring::bounded(bounds);
        let mut model = Model::default();
        let mut mark = ring.heard.mark();
        for step in steps {
            match step {
                Step::Hear { text, len } => {
                    ring.heard.hear(ring.now, message(text, len));
                    model.hear(text, len, bounds);
                }
                Step::Strike { text } => {
                    ring.strike(text);
                    model.strike(text, 1);
                }
                Step::Take => {
                    let taken = ring.heard.take_next();
                    if let Some(digest) = taken.as_ref().and_then(|taken| taken.digest) {
                        prop_assert_eq!(Some(digest), taken.as_ref().map(|taken| taken.message.digest()));
                    }
                    let taken = taken.map(|t| (t.message.payload[0], t.message.payload.len(), t.digest.is_some()));
                    prop_assert_eq!(taken, model.take());
                }
                Step::Finish { result } => {
                    let result = [appended(2), appended(0), UNKNOWN, OVERLOADED, FENCED][usize::from(result)];
                    ring.heard.finish(&result);
                    model.finish(&result, bounds);
                }
                Step::Mark => {
                    mark = ring.heard.mark();
                    model.mark = model.count;
                }
                Step::Stamp { secs } => {
                    ring.heard.stamp(mark, at(secs));
                    model.stamp(secs);
                }
                Step::Settle { secs } => {
                    ring.heard.settle(at(secs));
                    model.settle(secs);
                }
                Step::TakeOver { secs } => {
                    let take = ring.heard.take_over(Some(at(secs)));
                    model.settle(secs);
                    model.list.iter_mut().for_each(|m| m.tried = true);
                    prop_assert_eq!(take, Take { gap: model.lost.is_some() });
                }
                Step::Pause => {
                    ring.now += Duration::from_secs(2);
                    model.clock += 2;
                }
            }
            let waiting = model.list.iter().filter(|m| m.waiting).count();
            prop_assert_eq!(ring.heard.pending_count(), waiting);
            prop_assert_eq!(ring.heard.bytes(), model.bytes());
            prop_assert_eq!(ring.heard.overflowed(), model.lost.is_some());
            let accounted = model.lost.is_none() && !model.list.iter().any(|m| m.waiting && m.number < model.mark);
            prop_assert_eq!(ring.heard.accounted(mark), accounted);
        }
    }
}
