//! `power.svg`: the probability of a rollback over the failure rate, with its interval, and the rates that matter.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::power::rate;
use crate::report::words::{count, percent};
use crate::study::power::Power;

use super::PlotError;
use super::axis::label;
use super::canvas::{Canvas, WIDTH};
use super::frame::{Axis, Frame, LEGEND, Mark, Scale, dashed_key, mark};
use super::theme::{CANARY, INK, PASSED, PRIMARY, QUIET, TEXT, bold, letters};

/// The picture, as SVG.
pub fn render(power: &Power) -> Result<String, PlotError> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, 800));
    let canvas = Canvas {
        root: root.into_drawing_area(),
        end_ms: 1,
        marked: None,
    };
    canvas.root.fill(&WHITE)?;
    let title = format!(
        "{}: the failure rates that this analysis sees",
        power.scenario
    );
    let result = match &power.detectable {
        Some(crossing) => format!(
            "From {} % on at least {} % of the releases are rolled back",
            rate(crossing.failure_rate),
            percent(power.power)
        ),
        None => format!(
            "No failure rate is rolled back in {} % of the runs",
            percent(power.power)
        ),
    };
    let setting = format!(
        "{}, version {}, {} runs of each rate, requests {}; intervals of 95 %",
        power.canary,
        power.version,
        count(power.runs),
        match power.traffic.finals.as_str() {
            "aggregate" => "as counts",
            _ => "one by one",
        }
    );
    canvas.head(&title, &result, &setting)?;
    let percents = |share: f64| (share, label(100.0 * share));
    let frame = Frame {
        canvas: &canvas,
        x: Axis::shares(
            "requests that the new version fails, %, on a square root scale",
            shown(power),
            Scale::Root,
        ),
        y: Axis {
            title: "releases rolled back, % of runs".to_owned(),
            scale: Scale::Linear,
            low: 0.0,
            high: 1.0,
            ticks: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(percents).into(),
        },
        left: 130,
        right: LEGEND - 30,
        top: 180,
        bottom: 710,
    };
    frame.draw()?;
    let points: Vec<_> = power
        .points
        .iter()
        .filter(|point| point.failure_rate <= frame.x.high)
        .collect();
    let line = |of: fn(&crate::study::power::Point) -> f64| -> Vec<(f64, f64)> {
        points
            .iter()
            .map(|point| (point.failure_rate, of(point)))
            .collect()
    };
    let ends = (line(|point| point.lo), line(|point| point.hi));
    frame.between(&ends.0, &ends.1, PRIMARY, 0.25)?;
    frame.line(&line(|point| point.p), PRIMARY, 3)?;
    for (x, y) in line(|point| point.p) {
        mark(&canvas, frame.at(x, y), Mark::Disc, PRIMARY)?;
    }
    let x = LEGEND + 14;
    canvas.stroke(&[(x - 14, 200), (x + 14, 200)], PRIMARY, 3)?;
    canvas.text(
        "rolled back",
        (x + 26, 200),
        letters(TEXT - 1, INK, HPos::Left),
    )?;
    let corners = [(x - 14, 226), (x + 14, 242)];
    canvas
        .root
        .draw(&Rectangle::new(corners, PRIMARY.mix(0.25).filled()))?;
    canvas.text(
        "interval of 95 %",
        (x + 26, 234),
        letters(TEXT - 1, INK, HPos::Left),
    )?;
    let shares = [
        (
            power.false_from,
            power.false_share,
            CANARY,
            "false rollbacks start",
        ),
        (power.detectable, power.power, PASSED, "detectable"),
    ];
    let mut y = 290;
    for (crossing, share, colour, name) in shares {
        let Some(crossing) = crossing.filter(|crossing| crossing.failure_rate > 0.0) else {
            continue;
        };
        frame.upright(crossing.failure_rate, colour)?;
        dashed_key(
            &canvas,
            (x, y),
            colour,
            &format!("{name} ({} %)", percent(share)),
        )?;
        let place = (x + 26, y + 28);
        let text = format!("{} %", rate(crossing.failure_rate));
        canvas.text(&text, place, bold(TEXT, INK, HPos::Left))?;
        y += 80;
    }
    for bound in &power.bounds {
        canvas.text(bound, (LEGEND, y), letters(TEXT - 3, QUIET, HPos::Left))?;
        y += 26;
    }
    canvas.root.present()?;
    drop(canvas);
    Ok(svg)
}

/// The largest rate that is worth its room: a little beyond the one from which nearly everything is rolled back.
fn shown(power: &Power) -> f64 {
    let reached = power.points.iter().rposition(|point| point.p < 0.995);
    let next = reached.and_then(|at| power.points.get(at + 1));
    let high = next.map_or(1.0, |point| point.failure_rate);
    (high * 1.5).clamp(0.02, 1.0)
}
