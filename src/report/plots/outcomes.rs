//! `outcomes.svg`: how sure each outcome is, a bar each, with the interval of its share.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::verdict::headline;
use crate::study::forecast::{Forecast, outcomes};

use super::PlotError;
use super::canvas::{Canvas, Drawn, WIDTH};
use super::forecast::{colour, head, interval};
use super::theme::{GRID, INK, TEXT, letters};

/// Where the bars begin and end, and a row's height, in pixels.
const LEFT: i32 = 220;
const RIGHT: i32 = WIDTH - 360;
const TOP: i32 = 150;
const ROW: i32 = 56;
const BAR: i32 = 32;

/// The picture, as SVG.
pub fn render(forecast: &Forecast) -> Result<String, PlotError> {
    // An outcome that never came is shown where it could be hoped for or feared.
    let shown = outcomes(&forecast.runs)
        .into_iter()
        .enumerate()
        .filter(|(i, (_, counted))| *i < 2 || counted.count > 0)
        .map(|(_, outcome)| outcome);
    let shown: Vec<_> = shown.collect();
    let bottom = TOP + ROW * shown.len() as i32;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, (bottom + 70) as u32));
    let canvas = Canvas {
        root: root.into_drawing_area(),
        end_ms: 1,
        marked: None,
    };
    canvas.root.fill(&WHITE)?;
    head(&canvas, forecast)?;
    axis(&canvas, bottom)?;
    for (row, (outcome, counted)) in shown.into_iter().enumerate() {
        let middle = TOP + ROW * row as i32 + ROW / 2;
        let (x, lo, hi) = (x(counted.share.p), x(counted.share.lo), x(counted.share.hi));
        canvas.text(
            headline(outcome),
            (LEFT - 14, middle),
            letters(TEXT, INK, HPos::Right),
        )?;
        let bar = [(LEFT, middle - BAR / 2), (x, middle + BAR / 2)];
        let bar = Rectangle::new(bar, colour(outcome).filled());
        canvas.root.draw(&bar)?;
        for (from, to) in [
            ((lo, middle), (hi, middle)),
            ((lo, middle - 9), (lo, middle + 9)),
            ((hi, middle - 9), (hi, middle + 9)),
        ] {
            canvas.stroke(&[from, to], INK, 3)?;
        }
        canvas.text(
            &interval(counted),
            (RIGHT + 24, middle),
            letters(TEXT, INK, HPos::Left),
        )?;
    }
    canvas.root.present()?;
    drop(canvas);
    Ok(svg)
}

fn axis(canvas: &Canvas, bottom: i32) -> Drawn {
    for tenth in 0..=5 {
        let share = f64::from(tenth) / 5.0;
        let at = x(share);
        canvas.stroke(&[(at, TOP), (at, bottom)], GRID, 1)?;
        let label = format!("{}", tenth * 20);
        canvas.text(
            &label,
            (at, bottom + 18),
            letters(TEXT - 1, INK, HPos::Center),
        )?;
    }
    let place = ((LEFT + RIGHT) / 2, bottom + 46);
    canvas.text("% of the runs", place, letters(TEXT, INK, HPos::Center))
}

fn x(share: f64) -> i32 {
    LEFT + (share * f64::from(RIGHT - LEFT)) as i32
}
