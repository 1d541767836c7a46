//! [`Deadlines`]: how long each thing that the other end does may take. Pure: it is shown a connection and judges.

use std::time::Duration;

/// How long the other end may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The head of a request: from accepting, or from its first byte on a connection that served others.
    pub head: Duration,
    /// Between two requests. Longer than what most proxies keep their connections for (nginx 60 s, Traefik 90 s, Google's
    /// load balancer 600 s), so that it is they who end them, and no request meets a connection that is being closed.
    pub idle: Duration,
    /// A write of which the other end takes nothing (contract section 8: 10 s stuck). Half a look less: what a look nudged
    /// waits since just after it, and would be found due only by the eleventh look from there.
    pub write: Duration,
    /// Ending, once it was asked to.
    pub closing: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { head: secs(10), idle: secs(620), write: Duration::from_millis(9_500), closing: secs(2) }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its request has not come whole: the first one from accepting on, a later one from its first byte.
    Head,
    /// A request is being served; for good, once the connection is upgraded.
    Busy,
    /// It served requests and waits for the next.
    Idle,
}

/// A connection as the judge sees it; times count from its accepting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) age: Duration,
    pub(super) stage: Stage,
    /// When the stage began.
    pub(super) since: Duration,
    /// Since when a write waits.
    pub(super) blocked: Option<Duration>,
    /// When it was asked to end.
    pub(super) closing: Option<Duration>,
}

impl Standing {
    /// How long the stage has lasted.
    pub(super) fn rested(&self) -> Duration {
        self.age.saturating_sub(self.since)
    }
}

/// Why a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It took what was sent to it too slowly.
    Write,
    /// Its request did not come.
    Head,
    /// It had nothing to ask.
    Idle,
    /// It was asked to end and did not.
    Closing,
}

impl Overdue {
    /// As metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Closing => "closing",
        }
    }
}

impl Deadlines {
    pub(super) fn overdue(&self, standing: &Standing) -> Option<Overdue> {
        let Standing { age, stage, since, blocked, closing } = *standing;
        let over = |since: Duration, deadline: Duration| age.saturating_sub(since) >= deadline;
        if blocked.is_some_and(|at| over(at, self.write)) {
            return Some(Overdue::Write);
        }
        if closing.is_some_and(|at| over(at, self.closing)) {
            return Some(Overdue::Closing);
        }
        match stage {
            Stage::Head => over(since, self.head).then_some(Overdue::Head),
            Stage::Idle => over(since, self.idle).then_some(Overdue::Idle),
            Stage::Busy => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn standing(age_secs: u32, stage: Stage, since_secs: u32) -> Standing {
        Standing { age: SECOND * age_secs, stage, since: SECOND * since_secs, blocked: None, closing: None }
    }

    #[test]
    fn a_head_has_ten_seconds_however_its_bytes_drip() {
        let deadlines = Deadlines::default();
        assert_eq!(deadlines.overdue(&standing(9, Stage::Head, 0)), None);
        assert_eq!(deadlines.overdue(&standing(10, Stage::Head, 0)), Some(Overdue::Head));
        assert_eq!(deadlines.overdue(&standing(69, Stage::Head, 60)), None);
        assert_eq!(deadlines.overdue(&standing(70, Stage::Head, 60)), Some(Overdue::Head));
    }

    #[test]
    fn a_served_connection_may_rest_longer_than_a_proxy_lets_it() {
        let deadlines = Deadlines::default();
        assert_eq!(deadlines.overdue(&standing(719, Stage::Idle, 100)), None);
        assert_eq!(deadlines.overdue(&standing(720, Stage::Idle, 100)), Some(Overdue::Idle));
        assert_eq!(deadlines.overdue(&standing(100_000, Stage::Busy, 0)), None);
    }

    #[test]
    fn a_write_that_moves_nothing_ends_even_a_busy_connection() {
        let deadlines = Deadlines::default();
        let stuck = |age| Standing { blocked: Some(SECOND * 100), ..standing(age, Stage::Busy, 0) };
        assert_eq!(deadlines.overdue(&stuck(109)), None);
        assert_eq!(deadlines.overdue(&stuck(110)), Some(Overdue::Write));
    }

    #[test]
    fn what_a_look_had_written_is_overdue_ten_looks_later() {
        let nudged = Duration::from_millis(100_001);
        let at = |age| Standing { blocked: Some(nudged), ..standing(age, Stage::Busy, 0) };
        assert_eq!(Deadlines::default().overdue(&at(109)), None);
        assert_eq!(Deadlines::default().overdue(&at(110)), Some(Overdue::Write));
    }

    #[test]
    fn what_was_asked_to_end_is_cut_when_it_does_not() {
        let asked = |age| Standing { closing: Some(SECOND * 5), ..standing(age, Stage::Busy, 0) };
        assert_eq!(Deadlines::default().overdue(&asked(6)), None);
        assert_eq!(Deadlines::default().overdue(&asked(7)), Some(Overdue::Closing));
    }
}
