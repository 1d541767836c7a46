//! The chart of a run, as SVG: for each scenario what it costs each server, in bars.

use std::fmt::Write as _;

use crate::{figures::Figure, report::number, servers::Kind, suite::Outcome};

const WIDTH: f64 = 760.0;
const BARS_FROM: f64 = 96.0;
const BARS_WIDTH: f64 = 560.0;
const BAR_HEIGHT: f64 = 16.0;
const ROW_HEIGHT: f64 = 20.0;
const TITLE_HEIGHT: f64 = 26.0;
const GAP: f64 = 14.0;

/// What a scenario is about.
const SUBJECTS: [Figure; 5] = [
    Figure::KibPerConnection,
    Figure::CpuUsPerDelivery,
    Figure::CpuUsPerEvent,
    Figure::CpuUsPerVisit,
    Figure::EventsPerSec,
];

/// All of it. It follows the reader's light or dark theme.
pub fn chart(outcomes: &[Outcome]) -> String {
    let (mut body, mut y) = (String::new(), GAP);
    for outcome in outcomes {
        // A figure that all servers have, if there is one.
        let has_all =
            |figure: &&Figure| outcome.servers().all(|server| outcome.median(server, **figure).is_some());
        let Some(subject) = SUBJECTS.iter().find(has_all) else { continue };
        y = group(&mut body, outcome, *subject, y) + GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #24292f }} .shelfcast {{ fill: #0969da }} .reference {{ fill: #8c959f }} .node {{ fill: #bf8700 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} }}</style>\n{body}</svg>\n"
    )
}

/// One scenario, from `y` on. Where it ends.
fn group(body: &mut String, outcome: &Outcome, figure: Figure, y: f64) -> f64 {
    // Writing to a String cannot fail.
    let _ = writeln!(
        body,
        "<text x=\"0\" y=\"{:.0}\" font-weight=\"600\">{}: {}</text>",
        y + BAR_HEIGHT,
        outcome.scenario.about,
        figure.name()
    );
    let values: Vec<(Kind, f64)> =
        outcome.servers().filter_map(|server| Some((server, outcome.median(server, figure)?))).collect();
    let most = values.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let mut top = y + TITLE_HEIGHT;
    for (server, value) in values {
        let (name, width, text_y) = (server.name(), BARS_WIDTH * value / most, top + BAR_HEIGHT - 3.0);
        let _ = writeln!(
            body,
            "<text x=\"0\" y=\"{text_y:.0}\">{name}</text><rect class=\"{name}\" x=\"{BARS_FROM}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/><text x=\"{:.0}\" y=\"{text_y:.0}\">{}</text>",
            BARS_FROM + width + 6.0,
            number(value)
        );
        top += ROW_HEIGHT;
    }
    top
}
