//! [`Load`]: the clients and publishers of one server, on one thread, and the clock that drives them.

use std::{
    io,
    time::{Duration, Instant},
};

use mio::{Events, Poll};

use crate::{
    LoadError,
    client::{Crowd, Purpose, Transport},
    dice::{Dice, Zipf},
    figures::Faults,
    machine,
    publishers::{self, Publishers},
    servers::Server,
    wire::event::{event, notify},
};

/// How long clients may take to connect and join.
const JOINED_WITHIN: Duration = Duration::from_secs(60);
/// The gateway admits 2,000 sessions a second; the others would take more.
const JOINS_PER_SEC: f64 = 1_500.0;
/// How long deliveries may take after the last event.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// Clients and publishers of one server.
#[derive(Debug)]
pub struct Load {
    poll: Poll,
    events: Events,
    /// Those who listen.
    pub crowd: Crowd,
    publishers: Publishers,
}

/// Which events, and how many.
#[derive(Debug)]
pub struct Publishing {
    dice: Dice,
    zipf: Zipf,
    /// Over all products.
    pub events_per_sec: usize,
    /// By one request.
    pub events_per_post: usize,
    /// How many were.
    pub published: u64,
}

impl Publishing {
    /// The same events for the same seed.
    pub fn new(seed: u64, products: usize, events_per_sec: usize, events_per_post: usize) -> Self {
        Self {
            dice: Dice::new(seed),
            zipf: Zipf::new(products),
            events_per_sec,
            events_per_post,
            published: 0,
        }
    }
}

/// CPU time at an instant.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: Instant,
    server: Duration,
    generator: Duration,
}

/// What passed between two marks.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    /// By the clock.
    pub time: Duration,
    /// CPU time of the server.
    pub server: Duration,
    /// CPU time of this process.
    pub generator: Duration,
}

impl Mark {
    /// Now.
    pub fn now(server: &Server) -> io::Result<Self> {
        Self::of(&[server.pid()])
    }

    /// Now, of several processes.
    pub fn of(pids: &[u32]) -> io::Result<Self> {
        let mut server = Duration::ZERO;
        for pid in pids {
            server += machine::cpu_time(*pid)?;
        }
        let generator = machine::cpu_time(std::process::id())?;
        Ok(Self { at: Instant::now(), server, generator })
    }

    /// Since then.
    pub fn passed(self, server: &Server) -> io::Result<Passed> {
        self.passed_of(&[server.pid()])
    }

    /// Since then, of the same processes.
    pub fn passed_of(self, pids: &[u32]) -> io::Result<Passed> {
        let now = Self::of(pids)?;
        Ok(Passed {
            time: now.at - self.at,
            server: now.server.saturating_sub(self.server),
            generator: now.generator.saturating_sub(self.generator),
        })
    }
}

impl Load {
    /// Nobody listens yet.
    ///
    /// One publisher, where the subject is not publishing: of two requests under way at once either can come first, and the
    /// numbers of a product would not be in order.
    pub fn new(server: &Server, transport: Transport, purpose: Purpose, products: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let publishers = Publishers::open(poll.registry(), server.address, 1)?;
        let crowd = Crowd::new(server.address, transport, purpose, products);
        Ok(Self { poll, events: Events::with_capacity(1_024), crowd, publishers })
    }

    /// Whatever happens within `wait`.
    pub fn turn(&mut self, wait: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            if event.token().0 >= publishers::FIRST {
                self.publishers.turn(event);
            } else {
                self.crowd.turn(event);
            }
        }
        Ok(())
    }

    /// Goes on for a while.
    pub fn go_on(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left.min(Duration::from_millis(50)))?;
        }
        Ok(())
    }

    /// Connects clients, each with its own products, and waits until all have joined.
    pub fn join(&mut self, count: usize, mut products: impl FnMut() -> Vec<u32>) -> Result<(), LoadError> {
        let (start, first) = (Instant::now(), self.crowd.size());
        while self.crowd.joined < count {
            let due = first + (start.elapsed().as_secs_f64() * JOINS_PER_SEC) as usize;
            while self.crowd.size() < count.min(due) && self.crowd.has_room() {
                self.crowd.open(self.poll.registry(), &products())?;
            }
            self.turn(Duration::from_millis(2))?;
            if self.crowd.broken > 0 {
                return Err(LoadError::Refused(self.crowd.last_break, self.crowd.joined));
            }
            if start.elapsed() > JOINED_WITHIN {
                return Err(LoadError::TooLate("all clients to join"));
            }
        }
        Ok(())
    }

    /// Publishes for a while, then waits until every client has everything, or ought to.
    pub fn publish(&mut self, what: &mut Publishing, time: Duration) -> io::Result<()> {
        let (start, mut sent) = (Instant::now(), 0);
        while start.elapsed() < time {
            let due = start.elapsed().as_secs_f64() * what.events_per_sec as f64;
            while sent + what.events_per_post <= due as usize && self.publishers.is_idle() {
                self.post(what);
                sent += what.events_per_post;
            }
            let next =
                Duration::from_secs_f64((sent + what.events_per_post) as f64 / what.events_per_sec as f64);
            let wait = next.saturating_sub(start.elapsed());
            self.turn(wait.clamp(Duration::from_micros(100), Duration::from_millis(50)))?;
        }
        let deadline = Instant::now() + SETTLED_WITHIN;
        while !(self.crowd.ledger.is_settled() && self.publishers.are_all_idle()) && Instant::now() < deadline
        {
            self.turn(Duration::from_millis(1))?;
        }
        Ok(())
    }

    fn post(&mut self, what: &mut Publishing) {
        let now = Instant::now();
        what.published += what.events_per_post as u64;
        let events = (0..what.events_per_post).map(|_| {
            let product = what.zipf.throw(&mut what.dice);
            event(product, self.crowd.ledger.publish(product, now))
        });
        let events = events.collect::<Vec<_>>().join(",");
        let body = if what.events_per_post == 1 { events } else { format!(r#"{{"events":[{events}]}}"#) };
        self.publishers.post(&notify(&body));
    }

    /// Publishers post one event after the other for a while, whoever listens: so many a second, or as fast as they are
    /// answered. How many were accepted.
    pub fn post_all(
        &mut self,
        requests: &[Vec<u8>],
        per_sec: Option<usize>,
        time: Duration,
    ) -> io::Result<u64> {
        let (start, before) = (Instant::now(), self.publishers.accepted);
        let mut next = requests.iter().cycle();
        let mut sent = 0;
        while start.elapsed() < time {
            let due =
                per_sec.map_or(u64::MAX, |per_sec| (start.elapsed().as_secs_f64() * per_sec as f64) as u64);
            while sent < due && self.publishers.is_idle() {
                let Some(request) = next.next() else { return Ok(0) };
                self.publishers.post(request);
                sent += 1;
            }
            self.turn(Duration::from_millis(1))?;
        }
        let deadline = Instant::now() + SETTLED_WITHIN;
        while !self.publishers.are_all_idle() && Instant::now() < deadline {
            self.turn(Duration::from_millis(1))?;
        }
        Ok(self.publishers.accepted - before)
    }

    /// So many publishers.
    pub fn set_publishers(&mut self, server: &Server, count: usize) -> io::Result<()> {
        self.publishers = Publishers::open(self.poll.registry(), server.address, count)?;
        Ok(())
    }

    /// Visitors come for a while, `per_sec` of them; then those who are here leave, too. How many there were.
    pub fn visits(
        &mut self,
        per_sec: usize,
        time: Duration,
        mut products: impl FnMut() -> Vec<u32>,
    ) -> io::Result<u64> {
        let (start, before, mut come) = (Instant::now(), self.crowd.visits, 0);
        while start.elapsed() < time {
            let due = (start.elapsed().as_secs_f64() * per_sec as f64) as u64;
            while come < due && self.crowd.has_room() {
                self.crowd.open(self.poll.registry(), &products())?;
                come += 1;
            }
            self.turn(Duration::from_millis(1))?;
        }
        let deadline = Instant::now() + SETTLED_WITHIN;
        while self.crowd.visits - before + self.crowd.broken < come && Instant::now() < deadline {
            self.turn(Duration::from_millis(1))?;
        }
        Ok(self.crowd.visits - before)
    }

    /// What went wrong from the beginning on.
    pub fn faults(&self) -> Faults {
        let counts = &self.crowd.ledger.counts;
        Faults {
            lost: counts.lost + self.crowd.missing(),
            duplicates: counts.duplicates,
            misread: counts.misread,
            broken: self.crowd.broken,
            refused: self.publishers.refused,
        }
    }
}
