//! `decided.svg`: when runs were decided, by outcome: a histogram over the time since the new revision was detected.

use plotters::prelude::*;

use crate::record::Outcome;
use crate::report::verdict::headline;
use crate::study::forecast::Forecast;

use super::PlotError;
use super::axis::round_up;
use super::canvas::{Canvas, Key, PANEL_TITLE, Panel, WIDTH};
use super::forecast::{colour, head};

/// Outcomes that a decision can have, from the bottom of a bar up.
const DECIDED: [Outcome; 3] = [
    Outcome::RolledBack,
    Outcome::Promoted,
    Outcome::PromotionFailed,
];
/// Bars at the most.
const BARS: i64 = 60;
const TOP: i32 = 130;
const HEIGHT: i32 = 360;

/// The picture, as SVG.
pub fn render(forecast: &Forecast) -> Result<String, PlotError> {
    let width_ms = bar_width(forecast);
    let bars = bars(forecast, width_ms);
    let all = forecast.runs.len().max(1) as f64;
    let share = |n: u64| 100.0 * n as f64 / all;
    let highest = bars.iter().map(|bar| share(bar.iter().sum()));
    let panel = Panel {
        title: "Runs decided, % of all runs",
        top: TOP,
        height: HEIGHT,
        low: 0.0,
        high: round_up((highest.fold(0.0, f64::max) * 1.08).max(1.0)),
        ticks: 5,
    };
    let bottom = TOP + PANEL_TITLE + HEIGHT;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, (bottom + 70) as u32));
    let canvas = Canvas {
        root: root.into_drawing_area(),
        end_ms: (width_ms * (bars.len() as i64 + 1)).max(60_000),
        marked: None,
    };
    canvas.root.fill(&WHITE)?;
    head(&canvas, forecast)?;
    let mut plot = canvas.panel(&panel, &[])?;
    for (at, bar) in bars.iter().enumerate() {
        let (start, mut below) = (at as i64 * width_ms, 0.0);
        for (outcome, n) in DECIDED.into_iter().zip(bar) {
            let above = below + share(*n);
            // A gap between neighbours, so that bars are counted and not guessed.
            let corners = [
                (start + width_ms / 10, below),
                (start + width_ms - width_ms / 10, above),
            ];
            if *n > 0 {
                plot.block(corners, colour(outcome))?;
            }
            below = above;
        }
    }
    let legend: Vec<Key> = DECIDED
        .into_iter()
        .enumerate()
        .filter(|(i, _)| bars.iter().any(|bar| bar[*i] > 0))
        .map(|(_, outcome)| Key::line(colour(outcome), headline(outcome)))
        .collect();
    canvas.legend(TOP, &legend)?;
    canvas.time_labels(bottom)?;
    canvas.root.present()?;
    drop(plot);
    drop(canvas);
    Ok(svg)
}

/// One analysis interval, or as many as keep the bars few. A bar holds the decisions from its start on.
fn bar_width(forecast: &Forecast) -> i64 {
    let interval = forecast.subject.interval.as_millis().max(1);
    let decided = forecast.runs.iter().filter_map(|run| run.decided_at);
    let latest = decided.map(|at| at.as_millis()).max().unwrap_or(0);
    interval * (latest / interval / BARS + 1)
}

fn bars(forecast: &Forecast, width_ms: i64) -> Vec<[u64; 3]> {
    let mut bars: Vec<[u64; 3]> = Vec::new();
    for run in &forecast.runs {
        let place = DECIDED.iter().position(|outcome| *outcome == run.outcome);
        let (Some(place), Some(at)) = (place, run.decided_at) else {
            continue;
        };
        let bar = usize::try_from(at.as_millis() / width_ms).unwrap_or(0);
        if bars.len() <= bar {
            bars.resize(bar + 1, [0; 3]);
        }
        bars[bar][place] += 1;
    }
    bars
}
