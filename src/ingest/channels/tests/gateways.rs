//! Several gateways on one log: they hear and read at different speeds, lose the lease, the subscription or their
//! life, and appends end in every way. Whatever happens, each message gets into the log or a gap says so.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    super::*,
    heard::{FENCED, OVERLOADED, UNKNOWN, appended, at, message},
};
use crate::{
    eventlog::{AppendError, Appended},
    model::{LogTime, MessageDigest},
};

const PODS: usize = 3;
/// The outcome of an append that is told as it is.
const APPENDS: u8 = 9;

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish { text: u8 },
    Hear { pod: usize },
    Read { pod: usize },
    Take,
    Execute { outcome: u8 },
    Answer,
    TakeLease { pod: usize },
    Cover,
    Stamp { pod: usize },
    Settle { pod: usize },
    Die { pod: usize },
    Cut { pod: usize },
    Pass,
}

/// What stands in the log: the text of a message and what its entry carries; a gap has neither.
#[derive(Debug)]
struct Line {
    time: LogTime,
    text: Option<u8>,
    digest: Option<MessageDigest>,
}

struct Pod {
    heard: Heard,
    /// Messages on their way to it.
    channel: VecDeque<u8>,
    connected: bool,
    read_to: usize,
    /// The lease it believes to hold.
    token: usize,
    flight: Option<(Taken, Option<Result<Appended, AppendError>>)>,
}

struct World {
    time: LogTime,
    now: Instant,
    log: Vec<Line>,
    published: Vec<(LogTime, u8)>,
    pods: Vec<Pod>,
    holder: usize,
    token: usize,
    covered: Option<LogTime>,
}

impl World {
    fn new(bounds: HeardBounds) -> Self {
        let pods = (0..PODS).map(|_| {
            let mut pod = Pod::fresh(bounds, 0);
            pod.heard.subscribed(at(0));
            pod.heard.settle(at(0));
            pod
        });
        let pods = pods.collect();
        let (time, now) = (at(60), Instant::now());
        let (log, published) = (Vec::new(), Vec::new());
        let mut world = Self { time, now, log, published, pods, holder: 0, token: 0, covered: None };
        world.take_lease(0);
        world
    }

    fn tick(&mut self) -> LogTime {
        self.time = self.time.next();
        self.time
    }

    fn write(&mut self, text: Option<u8>, digest: Option<MessageDigest>) {
        let time = self.tick();
        self.log.push(Line { time, text, digest });
    }

    fn hear(&mut self, pod: usize) {
        let pod = &mut self.pods[pod];
        if let Some(text) = pod.channel.pop_front() {
            pod.heard.hear(self.now, message(text, 1));
        }
    }

    fn hear_all(&mut self, pod: usize) {
        while !self.pods[pod].channel.is_empty() {
            self.hear(pod);
        }
    }

    fn read(&mut self, pod: usize) {
        let pod = &mut self.pods[pod];
        if let Some(line) = self.log.get(pod.read_to) {
            pod.read_to += 1;
            if let Some(digest) = line.digest {
                pod.heard.strike(self.now, digest);
            }
        }
    }

    fn read_to_head(&mut self, pod: usize) {
        while self.pods[pod].read_to < self.log.len() {
            self.read(pod);
        }
    }

    /// Says in the log what was lost, if anything was.
    fn tell(&mut self, pod: usize, gap: bool) {
        if gap {
            let mark = self.pods[pod].heard.mark();
            self.write(None, None);
            self.read_to_head(pod);
            self.pods[pod].heard.gap_told(mark);
        }
    }

    fn take_lease(&mut self, pod: usize) {
        if !self.pods[pod].connected {
            return;
        }
        self.token += 1;
        self.holder = pod;
        // What it sent under an earlier lease has its answer before it begins anew.
        self.execute(pod, APPENDS);
        self.answer(pod);
        self.pods[pod].token = self.token;
        self.hear_all(pod);
        self.read_to_head(pod);
        let heard = &mut self.pods[pod].heard;
        let take = heard.take_over(self.covered);
        self.covered = self.covered.or(heard.continuity().since());
        self.tell(pod, take.gap);
    }

    fn take(&mut self, pod: usize) {
        let pod = &mut self.pods[pod];
        if pod.token > 0 && pod.flight.is_none() {
            pod.flight = pod.heard.take_next().map(|taken| (taken, None));
        }
    }

    /// The append reaches the log, or does not.
    fn execute(&mut self, pod: usize, outcome: u8) {
        let held = self.pods[pod].token == self.token;
        let Some((taken, result @ None)) = &mut self.pods[pod].flight else {
            return;
        };
        let (text, digest) = (taken.message.payload[0], taken.digest);
        let (takes, told) = match outcome {
            _ if !held => (false, FENCED),
            0 => (true, UNKNOWN),
            1 => (false, UNKNOWN),
            2 => (false, OVERLOADED),
            _ => (true, appended(1)),
        };
        *result = Some(told);
        if takes {
            self.write(Some(text), digest);
        }
    }

    fn answer(&mut self, pod: usize) {
        let pod = &mut self.pods[pod];
        if let Some((_, Some(result))) = pod.flight.take_if(|(_, result)| result.is_some()) {
            pod.heard.finish(&result);
        }
    }

    /// The holder has heard everything so far, so it says how far it is.
    fn cover(&mut self) {
        let holder = self.holder;
        if self.pods[holder].connected && self.pods[holder].token == self.token {
            let until = self.tick();
            self.hear_all(holder);
            let overflowed = self.pods[holder].heard.overflowed();
            self.tell(holder, overflowed);
            let heard = &self.pods[holder].heard;
            if heard.accounted(heard.mark()) {
                self.covered = Some(until);
            }
        }
    }

    fn stamp(&mut self, pod: usize) {
        let at = self.tick();
        let heard = &mut self.pods[pod].heard;
        heard.stamp(heard.mark(), at);
    }

    fn settle(&mut self, pod: usize) {
        self.read_to_head(pod);
        if let Some(until) = self.covered {
            self.pods[pod].heard.settle(until);
        }
    }

    fn subscribe(&mut self, pod: usize) {
        let at = self.tick();
        self.pods[pod].connected = true;
        self.pods[pod].heard.subscribed(at);
        if self.holder == pod && self.pods[pod].token == self.token {
            self.read_to_head(pod);
            let take = self.pods[pod].heard.take_over(self.covered);
            self.tell(pod, take.gap);
        }
    }

    /// Another process takes the place of the dead one; it begins to read at the head.
    fn die(&mut self, pod: usize, bounds: HeardBounds) {
        self.pods[pod] = Pod::fresh(bounds, self.log.len());
        self.subscribe(pod);
    }

    fn play(&mut self, step: Step, bounds: HeardBounds) {
        match step {
            Step::Publish { text } => {
                let time = self.tick();
                self.published.push((time, text));
                self.pods.iter_mut().filter(|pod| pod.connected).for_each(|pod| pod.channel.push_back(text));
            }
            Step::Hear { pod } => self.hear(pod),
            Step::Read { pod } => self.read(pod),
            Step::Take => (0..PODS).for_each(|pod| self.take(pod)),
            Step::Execute { outcome } => (0..PODS).for_each(|pod| self.execute(pod, outcome)),
            Step::Answer => (0..PODS).for_each(|pod| self.answer(pod)),
            Step::TakeLease { pod } => self.take_lease(pod),
            Step::Cover => self.cover(),
            Step::Stamp { pod } => self.stamp(pod),
            Step::Settle { pod } => self.settle(pod),
            Step::Die { pod } => self.die(pod, bounds),
            Step::Cut { pod } if self.pods[pod].connected => {
                self.pods[pod].connected = false;
                self.pods[pod].channel.clear();
                self.pods[pod].heard.interrupted();
            }
            Step::Cut { pod } => self.subscribe(pod),
            Step::Pass => {
                self.time = self.time.plus_secs(6);
                self.now += Heard::CREDIT_LIFE;
            }
        }
    }

    /// Everybody is subscribed, one of them holds the lease, and everything that is on its way arrives.
    fn end(&mut self, heir: usize) {
        (0..PODS)
            .filter(|pod| !self.pods[*pod].connected)
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|pod| self.subscribe(pod));
        self.take_lease(heir);
        self.cover();
        loop {
            self.take(heir);
            if self.pods[heir].flight.is_none() {
                return;
            }
            self.execute(heir, APPENDS);
            self.answer(heir);
        }
    }

    fn entries(&self, text: u8) -> usize {
        self.log.iter().filter(|line| line.text == Some(text)).count()
    }
}

impl Pod {
    fn fresh(bounds: HeardBounds, read_to: usize) -> Self {
        let heard = Heard::new(bounds);
        Self { heard, channel: VecDeque::new(), connected: true, read_to, token: 0, flight: None }
    }
}

fn calm() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_u8).prop_map(|text| Step::Publish { text }),
        8 => (0..PODS).prop_map(|pod| Step::Hear { pod }),
        6 => (0..PODS).prop_map(|pod| Step::Read { pod }),
        5 => Just(Step::Take),
        5 => Just(Step::Execute { outcome: APPENDS }),
        1 => Just(Step::Execute { outcome: 2 }),
        5 => Just(Step::Answer),
        1 => Just(Step::Cover),
        1 => (0..PODS).prop_map(|pod| Step::Stamp { pod }),
        1 => (0..PODS).prop_map(|pod| Step::Settle { pod }),
    ]
}

fn wild() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => calm(),
        2 => (0..2_u8).prop_map(|outcome| Step::Execute { outcome }),
        1 => (0..PODS).prop_map(|pod| Step::TakeLease { pod }),
        1 => (0..PODS).prop_map(|pod| Step::Die { pod }),
        1 => (0..PODS).prop_map(|pod| Step::Cut { pod }),
        1 => Just(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// While every answer comes, each message is in the log exactly once, in whatever order the gateways hear and read,
    /// and whoever takes over.
    #[test]
    fn one_append_a_message(steps in prop::collection::vec(calm(), 0..150), heir in 0..PODS) {
        let bounds = HeardBounds::default();
        let mut world = World::new(bounds);
        for step in steps {
            world.play(step, bounds);
        }
        world.end(heir);
        prop_assert!(world.log.iter().all(|line| line.text.is_some()), "a gap without need");
        for text in 0..2 {
            let published = world.published.iter().filter(|(_, t)| *t == text).count();
            prop_assert_eq!(world.entries(text), published);
        }
    }

    /// Whatever happens, behind every message there is an entry that reads the same, or a gap.
    #[test]
    fn no_silent_gap(
        steps in prop::collection::vec(wild(), 0..150),
        heir in 0..PODS,
        count_max in prop_oneof![1 => 1..6_usize, 3 => Just(10_000_usize)],
    ) {
        let bounds = HeardBounds { count_max, bytes_max: 1_000 };
        let mut world = World::new(bounds);
        for step in steps {
            world.play(step, bounds);
        }
        world.end(heir);
        for (time, text) in &world.published {
            let told = world.log.iter().any(|line| line.time > *time && line.text.is_none_or(|t| t == *text));
            prop_assert!(told, "{text} of {time} is missing");
        }
    }
}
