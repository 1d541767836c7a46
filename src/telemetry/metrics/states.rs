//! Which of several states is the case, as Prometheus wants it: a gauge for each, 1 for the present one.

use std::fmt;

use metrics::Gauge;

use super::list::List;

/// One gauge for each state; alerts ask for one of them by its label.
pub struct States(Vec<(&'static str, Gauge)>);

impl States {
    pub(super) fn new(
        list: &List<'_>,
        name: &'static str,
        help: &'static str,
        states: &[&'static str],
    ) -> Self {
        let gauge = |state: &&'static str| (*state, list.gauge_beside(name, help, &[("state", *state)]));
        Self(states.iter().map(gauge).collect())
    }

    /// This one is the case now, and no other. A scrape in between may see two of them.
    pub fn set(&self, now: &str) {
        for (state, gauge) in &self.0 {
            gauge.set(if *state == now { 1.0 } else { 0.0 });
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("States")
    }
}
