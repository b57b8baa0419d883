//! What people and programs get to see of what an analysis can see: the terminal's text, JSON, a CSV with a row a rate, and
//! the curve as a picture. Plain functions of a [`Power`].

use schemars::Schema;

use crate::report::text::{Palette, WIDTH, paragraph};
use crate::report::words::{count, percent};
use crate::study::power::{Crossing, Power};
use crate::time::Timestamp;

use super::csv::{number, table};
use super::files::{File, RenderError};
use super::plots;

/// Columns of a rate's bar.
const BAR: usize = 24;

/// Everything it leaves in its output directory.
pub fn files(power: &Power) -> Result<Vec<File>, RenderError> {
    let file = |path: &str, bytes: Vec<u8>| File {
        path: path.to_owned(),
        bytes,
    };
    Ok(vec![
        file("power.json", json(power)?.into_bytes()),
        file("power.csv", csv(power)?),
        file("power.svg", plots::power::render(power)?.into_bytes()),
    ])
}

/// The whole of it as JSON: indented, a line break at the end.
pub fn json(power: &Power) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(power)?;
    text.push('\n');
    Ok(text)
}

/// The JSON Schema of [`Power`].
pub fn schema() -> Schema {
    schemars::schema_for!(Power)
}

/// The curve and its numbers as text.
pub fn text(power: &Power, palette: Palette) -> String {
    let name = format!(
        "{}: the failure rates that this analysis sees",
        power.scenario
    );
    let mut out = format!("{}\n", palette.bold(&name));
    let model = match power.traffic.finals.as_str() {
        "aggregate" => "requests as counts between scrapes (aggregate)".to_owned(),
        _ => match &power.traffic.reason {
            Some(reason) => format!("requests one by one, since {reason}"),
            None => "requests one by one".to_owned(),
        },
    };
    out += &paragraph(
        &format!(
            "{}: version {} at {} failure rates, {} runs of each, the same seeds for all, from {}; {model}.",
            power.canary,
            power.version,
            power.points.len(),
            count(power.runs),
            power.first_seed
        ),
        WIDTH,
    );
    out += &format!(
        "\n{:<14}{:>16}   {:<18}{:>10}\n",
        "requests that", "rolled back,", "95 % interval", "decided,"
    );
    out += &format!(
        "{:<14}{:>16}   {:<18}{:>10}\n",
        "fail, %", "% of runs", "", "median"
    );
    for point in &power.points {
        let full = (point.p * BAR as f64).round() as usize;
        let interval = format!("{} to {}", percent(point.lo), percent(point.hi));
        let line = format!(
            "{:<14}{:>16}   {interval:<18}{:>10}   {}",
            rate(point.failure_rate),
            percent(point.p),
            point.decided_s.map(clock).unwrap_or_default(),
            "█".repeat(full)
        );
        out += &format!("{}\n", line.trim_end());
    }
    out += "\n";
    out += &conclusion(power, palette);
    out
}

/// What a person is to take from it.
fn conclusion(power: &Power, palette: Palette) -> String {
    let mut out = String::new();
    let at = |crossing: &Crossing| {
        let hi = match crossing.hi {
            Some(hi) => rate(hi),
            None => "100".to_owned(),
        };
        format!(
            "{} % ({} to {hi})",
            rate(crossing.failure_rate),
            rate(crossing.lo)
        )
    };
    let sees = match &power.detectable {
        Some(crossing) => palette.bold(&format!(
            "Minimum detectable failure rate: {}",
            at(crossing)
        )),
        None => palette.bold("No failure rate is detected reliably"),
    };
    out += &format!("{sees}\n");
    let wanted = percent(power.power);
    out += &paragraph(
        &match &power.detectable {
            Some(_) => {
                format!("From there on at least {wanted} % of the releases are rolled back.")
            }
            None => format!(
                "Even a release that fails every request is rolled back in fewer than {wanted} % of the runs: the checks do \
                 not see it. `rollcast simulate` says why."
            ),
        },
        WIDTH,
    );
    let share = percent(power.false_share);
    out += &match &power.false_from {
        Some(crossing) if crossing.failure_rate <= 0.0 => paragraph(
            &format!(
                "False rollbacks start at once: a release that fails no request is rolled back in {} % of the runs.",
                percent(power.points.first().map_or(0.0, |first| first.p))
            ),
            WIDTH,
        ),
        Some(crossing) => paragraph(
            &format!(
                "False rollbacks start at {}: from there on {share} % of the releases are rolled back, be it right or not.",
                at(crossing)
            ),
            WIDTH,
        ),
        None => paragraph(
            &format!("No rate is rolled back in {share} % of the runs."),
            WIDTH,
        ),
    };
    if let Some(crossing) = &power.even {
        out += &format!("Half of them are at {}.\n", at(crossing));
    }
    if !power.bounds.is_empty() {
        out += &paragraph(
            &format!("The analysis asks for {}.", power.bounds.join(", ")),
            WIDTH,
        );
    }
    out
}

fn csv(power: &Power) -> ::csv::Result<Vec<u8>> {
    let header = [
        "failure_rate",
        "runs",
        "rolled_back",
        "p",
        "lo",
        "hi",
        "decided_s",
    ];
    let rows = power.points.iter().map(|point| {
        [
            number(point.failure_rate),
            power.runs.to_string(),
            point.rolled_back.to_string(),
            number(point.p),
            number(point.lo),
            number(point.hi),
            point.decided_s.map(number).unwrap_or_default(),
        ]
    });
    table(header, rows)
}

/// A failure rate in percent, without the sign.
pub(super) fn rate(share: f64) -> String {
    let text = format!("{:.3}", 100.0 * share);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn clock(seconds: f64) -> String {
    Timestamp::from_millis((seconds * 1000.0).round() as i64).clock()
}
