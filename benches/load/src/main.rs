//! `shelfcast-load`: holds thousands of clients on loopback against the gateway, against the cheapest correct server
//! imaginable, and against plain Socket.IO on Node, in one run. Times are printed; only what was lost fails it.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};

use shelfcast_load::{
    LoadError, chart,
    figures::Faults,
    reference, report, say,
    scenarios::{self, Scenario, Size},
    servers::{Kind, Programs},
    suite::Suite,
};

/// Something was lost, came twice, or was refused.
const FAULTY: u8 = 1;
/// What was asked cannot be done.
const TROUBLE: u8 = 2;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("run", asked)) => run(asked),
        Some(("reference", asked)) => {
            let port = asked.get_one::<u16>("port").copied().unwrap_or_default();
            reference::serve(port).map(|()| ExitCode::SUCCESS).map_err(LoadError::from)
        }
        _ => Ok(ExitCode::from(TROUBLE)),
    };
    done.unwrap_or_else(|error| {
        say(format_args!("load: {error}"));
        ExitCode::from(TROUBLE)
    })
}

fn command() -> Command {
    let names: Vec<_> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    let about: Vec<_> = scenarios::all()
        .iter()
        .map(|one| {
            format!("  {:<12} {}{}", one.name, one.about, if one.is_growth { " (growth)" } else { "" })
        })
        .collect();
    let kinds = Kind::ALL.map(Kind::name);
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
    };
    let run = Command::new("run")
        .about("Runs scenarios against every server, in rounds of alternating order, and prints a table")
        .after_help(format!(
            "Scenarios:\n{}\n\nExamples:\n  shelfcast-load run --quick\n  shelfcast-load run --scenario \
             hot-5000,spread --rounds 5 --shelfcast target/release/shelfcast\n\nExit code 0: nothing was lost. 1: \
             something was lost, came twice, or was refused. 2: it could not be run.",
            about.join("\n")
        ))
        .arg(
            Arg::new("scenario")
                .long("scenario")
                .value_name("NAME,...")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(names))
                .hide_possible_values(true)
                .help("Only these [default: all but those of growth]"),
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("NAME,...")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(kinds))
                .help("Only these [default: all]"),
        )
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("How often each server runs each scenario; medians are told [default: 3; with --quick 1]"),
        )
        .arg(
            Arg::new("quick")
                .long("quick")
                .action(ArgAction::SetTrue)
                .help("A twentieth of the clients for a second: shows that everything works, measures nothing"),
        )
        .arg(file("shelfcast", "The gateway's binary [default: beside this one]"))
        .arg(file("markdown", "Where the table goes, too"))
        .arg(file("svg", "Where the chart goes"));
    let reference = Command::new("reference")
        .about("Serves as the reference writer")
        .hide(true)
        .arg(Arg::new("port").long("port").required(true).value_parser(value_parser!(u16)));
    Command::new("shelfcast-load")
        .about("Measures server CPU per delivery and memory per connection, beside two other servers in the same run")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(run)
        .subcommand(reference)
}

fn run(asked: &ArgMatches) -> Result<ExitCode, LoadError> {
    let is_quick = asked.get_flag("quick");
    let names = |name: &str| asked.get_many::<String>(name).map(|names| names.cloned().collect::<Vec<_>>());
    let (scenarios, servers) = (names("scenario"), names("server"));
    let is_asked = |asked: &Option<Vec<String>>, name: &str| {
        asked.as_ref().is_none_or(|asked| asked.iter().any(|one| one == name))
    };
    let is_wanted = |one: &Scenario| match &scenarios {
        None => !one.is_growth,
        asked => is_asked(asked, one.name),
    };
    let own = std::env::current_exe()?;
    let shelfcast = asked.get_one::<PathBuf>("shelfcast").cloned();
    let programs = Programs { shelfcast: shelfcast.unwrap_or_else(|| own.with_file_name("shelfcast")), own };
    let suite = Suite {
        scenarios: scenarios::all().into_iter().filter(is_wanted).collect(),
        servers: Kind::ALL.into_iter().filter(|kind| is_asked(&servers, kind.name())).collect(),
        rounds: asked.get_one("rounds").copied().unwrap_or(if is_quick { 1 } else { 3 }),
        size: if is_quick { Size::QUICK } else { Size::FULL },
        programs,
    };
    let results = suite.run()?;
    let quick = "Made with `--quick`, a twentieth of the clients: these figures say nothing.\n\n";
    let table = format!("{}{}", if is_quick { quick } else { "" }, report::table(&results));
    let _ = write!(io::stdout(), "\n{table}");
    if let Some(path) = asked.get_one::<PathBuf>("markdown") {
        fs::write(path, &table)?;
    }
    if let Some(path) = asked.get_one::<PathBuf>("svg") {
        fs::write(path, chart::chart(&results))?;
    }
    let is_clean =
        results.iter().flat_map(|result| &result.runs).all(|run| run.figures.faults == Faults::default());
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(FAULTY) })
}
