//! The table of a run, as Markdown: one section a scenario, one row a figure.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    figures::{Faults, Figure},
    servers::Kind,
    suite::Outcome,
};

/// All of it.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "### {} (`{}`)\n\n| | Shelfcast | reference | Node | Shelfcast / reference | Shelfcast / Node |\n|---|--:|--:|--:|--:|--:|",
            outcome.scenario.about, outcome.scenario.name
        );
        let figures: BTreeSet<_> = outcome.runs.iter().flat_map(|run| run.figures.values.keys()).collect();
        for figure in figures {
            let _ = writeln!(text, "{}", row(outcome, *figure));
        }
        let _ = writeln!(text, "{}", faults_row(outcome));
        for server in outcome.servers() {
            let faults = outcome.faults(server);
            if faults != Faults::default() {
                let _ = writeln!(text, "\n{}: {faults}", server.name());
            }
        }
        text.push('\n');
    }
    text
}

fn row(outcome: &Outcome, figure: Figure) -> String {
    let value = |server| outcome.median(server, figure).map_or_else(|| "-".into(), number);
    let ratio = |to| {
        let ratio = outcome.ratio(Kind::Shelfcast, to, figure).filter(|_| figure.has_ratio());
        ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"))
    };
    format!(
        "| {} | {} | {} | {} | {} | {} |",
        figure.name(),
        value(Kind::Shelfcast),
        value(Kind::Reference),
        value(Kind::Node),
        ratio(Kind::Reference),
        ratio(Kind::Node)
    )
}

fn faults_row(outcome: &Outcome) -> String {
    let cells = Kind::ALL.map(|server| {
        let Faults { lost, duplicates, .. } = outcome.faults(server);
        let ran = outcome.servers().any(|one| one == server);
        if ran { format!("{lost}, {duplicates}") } else { "-".into() }
    });
    format!("| lost, duplicates (all rounds) | {} | - | - |", cells.join(" | "))
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!([1234.5, 12.34, 1.234, 0.0].map(number), ["1234", "12.3", "1.23", "0.00"]);
    }
}
