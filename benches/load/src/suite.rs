//! [`Suite`]: which server runs which scenario when. Rounds are interleaved and turn their order about, so that a machine that
//! slows down or speeds up meanwhile does so for every server.

use std::time::Instant;

use crate::{
    LoadError,
    figures::{Faults, Figure, Figures, median},
    machine,
    measure::{can, measure},
    say,
    scenarios::{Scenario, Size},
    servers::{Kind, Programs, node_folder},
};

/// What to run.
#[derive(Debug)]
pub struct Suite {
    /// In this order.
    pub scenarios: Vec<Scenario>,
    /// Each scenario against all of them.
    pub servers: Vec<Kind>,
    /// How often.
    pub rounds: usize,
    /// How long and with how many clients.
    pub size: Size,
    /// Where the servers' programs are.
    pub programs: Programs,
}

/// A scenario with all of its runs.
#[derive(Debug)]
pub struct Outcome {
    /// Which.
    pub scenario: Scenario,
    /// In the order they were made.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// The interleaved round it belongs to.
    pub round: usize,
    /// Of whom.
    pub server: Kind,
    /// What came of it.
    pub figures: Figures,
}

impl Suite {
    /// Runs everything.
    pub fn run(&self) -> Result<Vec<Outcome>, LoadError> {
        self.check()?;
        machine::stay_on_core(machine::generator_core());
        let started = Instant::now();
        let outcomes = self.scenarios.iter().map(|scenario| self.rounds_of(scenario, started));
        outcomes.collect()
    }

    /// All that is missing is told before anything is measured.
    fn check(&self) -> Result<(), LoadError> {
        const CLIENTS_AND_SERVER: u64 = 10_200;
        let files = machine::open_files();
        if files < CLIENTS_AND_SERVER {
            say(format_args!(
                "load: {files} files may be open; large scenarios need {CLIENTS_AND_SERVER} (ulimit -n)"
            ));
        }
        if !machine::has_taskset() {
            say(format_args!("load: there is no taskset, so servers and clients share the cores"));
        }
        let missing = |text: String| Err(LoadError::Missing(text));
        if self.servers.contains(&Kind::Shelfcast) && !self.programs.shelfcast.exists() {
            return missing(format!(
                "there is no {} (cargo build --release, or --shelfcast FILE)",
                self.programs.shelfcast.display()
            ));
        }
        let folder = node_folder();
        if self.servers.contains(&Kind::Node) && !folder.join("node_modules/socket.io").exists() {
            return missing(format!(
                "Socket.IO for Node is not installed: npm ci --prefix {}",
                folder.display()
            ));
        }
        Ok(())
    }

    fn rounds_of(&self, scenario: &Scenario, started: Instant) -> Result<Outcome, LoadError> {
        let mut servers: Vec<_> =
            self.servers.iter().copied().filter(|kind| can(*kind, &scenario.work)).collect();
        let mut runs = Vec::new();
        for round in 1..=self.rounds {
            for server in &servers {
                let figures = measure(&scenario.work, *server, &self.programs, self.size, round as u64)?;
                say(format_args!(
                    "load: {:>4} s  {:<11} round {round} of {}  {:<9}  {}",
                    started.elapsed().as_secs(),
                    scenario.name,
                    self.rounds,
                    server.name(),
                    brief(&figures)
                ));
                runs.push(Run { round, server: *server, figures });
            }
            servers.reverse();
        }
        Ok(Outcome { scenario: scenario.clone(), runs })
    }
}

fn brief(figures: &Figures) -> String {
    let first = figures.values.iter().next().map(|(figure, value)| format!("{} {value:.2}", figure.name()));
    let generator = figures.values.get(&Figure::GeneratorCpuPercent);
    let generator = generator.map_or(String::new(), |percent| format!(", generator {percent:.0} %"));
    let faults =
        if figures.faults == Faults::default() { String::new() } else { format!(", {}", figures.faults) };
    format!("{}{generator}{faults}", first.unwrap_or_default())
}

impl Outcome {
    /// Who ran it, in the order of the table.
    pub fn servers(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(|server| self.runs.iter().any(|run| run.server == *server))
    }

    /// The median over the rounds of a server.
    pub fn median(&self, server: Kind, figure: Figure) -> Option<f64> {
        let runs = self.runs.iter().filter(|run| run.server == server);
        median(runs.filter_map(|run| run.figures.values.get(&figure).copied()).collect())
    }

    /// The median of the gateway's share of another server's figure, round by round.
    pub fn ratio(&self, of: Kind, to: Kind, figure: Figure) -> Option<f64> {
        let value = |server, round| {
            let run = self.runs.iter().find(|run| run.server == server && run.round == round)?;
            run.figures.values.get(&figure).copied()
        };
        let rounds = self.runs.iter().map(|run| run.round).max().unwrap_or_default();
        let ratios = (1..=rounds).filter_map(|round| Some(value(of, round)? / value(to, round)?));
        median(ratios.collect())
    }

    /// What went wrong with a server.
    pub fn faults(&self, server: Kind) -> Faults {
        let mut all = Faults::default();
        self.runs.iter().filter(|run| run.server == server).for_each(|run| all.add(run.figures.faults));
        all
    }
}
