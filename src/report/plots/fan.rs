//! `success.svg`: the success rate of all users over time, as a fan: the median of the runs, and the ranges that hold half
//! and nine tenths of them.

use plotters::prelude::*;

use crate::study::forecast::{Forecast, fan};

use super::PlotError;
use super::canvas::{Canvas, Key, PANEL_TITLE, Panel, WIDTH};
use super::forecast::head;
use super::theme::PRIMARY;

const TOP: i32 = 130;
const HEIGHT: i32 = 360;

/// The picture, as SVG.
pub fn render(forecast: &Forecast) -> Result<String, PlotError> {
    let bin = forecast.subject.bin.as_millis().max(1);
    let fan = fan(&forecast.runs);
    let shown = shown(forecast, bin, fan.len());
    let fan = &fan[..shown];
    let lowest = fan.iter().flatten().map(|quantiles| 100.0 * quantiles[0]);
    let lowest = lowest.fold(99.0, f64::min);
    let low = (lowest - (100.0 - lowest) / 5.0).max(0.0).floor();
    let panel = Panel {
        title: "Success rate of all users, % of requests without 5xx",
        top: TOP,
        height: HEIGHT,
        low,
        high: 100.0 + (100.0 - low) / 12.0,
        ticks: 6,
    };
    let bottom = TOP + PANEL_TITLE + HEIGHT;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, (bottom + 70) as u32));
    let canvas = Canvas {
        root: root.into_drawing_area(),
        end_ms: (shown as i64 * bin).max(1000),
        marked: None,
    };
    canvas.root.fill(&WHITE)?;
    head(&canvas, forecast)?;
    let mut plot = canvas.panel(&panel, &[])?;
    // A bin without requests in any run breaks the fan.
    let bins: Vec<(usize, [f64; 5])> = fan
        .iter()
        .enumerate()
        .filter_map(|(at, quantiles)| Some((at, (*quantiles)?)))
        .collect();
    for run in bins.chunk_by(|a, b| a.0 + 1 == b.0) {
        let line = |which: usize| -> Vec<(i64, f64)> {
            let corner = |(at, quantiles): &(usize, [f64; 5])| {
                let (start, v) = (*at as i64 * bin, 100.0 * quantiles[which]);
                [(start, v), (start + bin, v)]
            };
            run.iter().flat_map(corner).collect()
        };
        plot.between(&line(0), &line(4), PRIMARY, 0.18)?;
        plot.between(&line(1), &line(3), PRIMARY, 0.32)?;
        plot.line(line(2), PRIMARY)?;
    }
    let seconds = bin / 1000;
    let legend = [
        Key::line(PRIMARY, format!("median of the runs, {seconds} s")),
        Key::band(PRIMARY, 0.45, "half of the runs"),
        Key::band(PRIMARY, 0.18, "nine tenths of them"),
    ];
    canvas.legend(TOP, &legend)?;
    canvas.time_labels(bottom)?;
    canvas.root.present()?;
    drop(plot);
    drop(canvas);
    Ok(svg)
}

/// Bins to the end of the last rollout and a third more, or all of them.
fn shown(forecast: &Forecast, bin: i64, all: usize) -> usize {
    let ended = |run: &crate::study::monte_carlo::Run| run.finished_at.map(|at| at.as_millis());
    let finished: Option<Vec<i64>> = forecast.runs.iter().map(ended).collect();
    let Some(latest) = finished.and_then(|ends| ends.into_iter().max()) else {
        return all;
    };
    let end = latest + (latest / 3).max(60_000);
    usize::try_from(end / bin + 1).unwrap_or(all).min(all)
}
