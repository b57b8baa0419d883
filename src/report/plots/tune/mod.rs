//! The pictures of a search for better settings.

mod heat;
mod operating;
mod pareto;
mod sensitivity;

use plotters::prelude::*;

use crate::report::words::count;
use crate::study::tune::Tuned;

use super::PlotError;
use super::canvas::{Canvas, Drawn, WIDTH};
use super::frame::Mark;
use super::theme::{CANARY, FAILED, PASSED, PRIMARY, QUIET};

/// All of them, with the names of their files. The heat map is of these two knobs, or of the two that matter most.
pub fn pictures(
    tuned: &Tuned,
    heat: Option<(usize, usize)>,
) -> Result<Vec<(&'static str, String)>, PlotError> {
    let mut pictures = vec![
        ("pareto.svg", pareto::render(tuned)?),
        ("operating.svg", operating::render(tuned)?),
        ("sensitivity.svg", sensitivity::render(tuned)?),
    ];
    if let Some(knobs) = heat.or_else(|| heat::knobs(tuned)) {
        pictures.push(("heat.svg", heat::render(tuned, knobs)?));
    }
    Ok(pictures)
}

/// A picture of this height, drawn on white under the head that all have.
fn picture(
    tuned: &Tuned,
    what: &str,
    height: i32,
    draw: impl FnOnce(&Canvas) -> Drawn,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32));
    let canvas = Canvas {
        root: root.into_drawing_area(),
        end_ms: 1,
        marked: None,
    };
    canvas.root.fill(&WHITE)?;
    let title = format!("{}: {what}", tuned.scenario);
    let result = match tuned.recommended {
        Some(0) => "Recommended: the scenario as it stands".to_owned(),
        Some(number) => format!("Recommended: candidate {number}"),
        None => "No candidate meets all targets".to_owned(),
    };
    let candidates = tuned.candidates.len() as u64 - 1;
    let runs = tuned.rounds.last().map_or(0, |round| round.runs);
    let setting = format!(
        "{}, {} candidates, finalists with {} runs on each release, requests {}; intervals of 95 %",
        tuned.canary,
        count(candidates),
        count(runs),
        match tuned.traffic.finals.as_str() {
            "aggregate" => "as counts",
            _ => "one by one",
        }
    );
    canvas.head(&title, &result, &setting)?;
    draw(&canvas)?;
    canvas.root.present()?;
    drop(canvas);
    Ok(svg)
}

/// How a candidate is drawn.
fn look(tuned: &Tuned, number: usize) -> (Mark, RGBColor) {
    let candidate = &tuned.candidates[number];
    if tuned.recommended == Some(number) {
        (Mark::Target, PASSED)
    } else if number == 0 {
        (Mark::Square, PRIMARY)
    } else if !candidate.is_finalist() {
        (Mark::Ring, QUIET)
    } else if candidate.meets_all() {
        (Mark::Disc, PASSED)
    } else {
        (Mark::Cross, FAILED)
    }
}

/// What the looks mean.
const LOOKS: [(Mark, RGBColor, &str); 5] = [
    (Mark::Target, PASSED, "recommended"),
    (Mark::Disc, PASSED, "finalist, meets all targets"),
    (Mark::Cross, FAILED, "finalist, does not"),
    (Mark::Square, PRIMARY, "the scenario as it stands (0)"),
    (Mark::Ring, QUIET, "dropped, of fewer runs"),
];

/// The colours of the four merits.
const MERITS: [(RGBColor, &str); 4] = [
    (FAILED, "false rollback"),
    (CANARY, "missed regression"),
    (PRIMARY, "failed requests"),
    (PASSED, "rollout time"),
];

/// Candidates in the order in which they are drawn: those that matter most come last, and on top.
fn drawn(tuned: &Tuned) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tuned.candidates.len()).collect();
    order.sort_by_key(|one| {
        (
            tuned.recommended == Some(*one),
            tuned.candidates[*one].is_finalist(),
            *one == 0,
        )
    });
    order
}
