//! `pareto.svg`: what speed costs. Each candidate by the median rollout of good releases and the failed requests that users
//! get under bad ones.

use plotters::prelude::*;

use crate::study::tune::Tuned;
use crate::time::Timestamp;

use super::super::PlotError;
use super::super::axis::clock_ticks;
use super::super::frame::{Axis, Frame, LEGEND, Scale, labels, legend, mark};
use super::super::theme::{GRID, INK};
use super::{LOOKS, drawn, look, picture};

/// The picture, as SVG.
pub(super) fn render(tuned: &Tuned) -> Result<String, PlotError> {
    picture(
        tuned,
        "rollout time against failed requests",
        840,
        |canvas| {
            let placed: Vec<(usize, f64, f64)> = drawn(tuned)
                .into_iter()
                .filter_map(|one| {
                    let merits = &tuned.candidates[one].merits;
                    Some((one, merits.rollout_s?, merits.failed_requests))
                })
                .collect();
            let longest = placed.iter().map(|(_, x, _)| *x).fold(60.0, f64::max);
            let most = placed.iter().map(|(.., y)| *y).fold(1.0, f64::max);
            let end = (longest * 1.05).ceil();
            let clock = |s: i64| (s as f64, Timestamp::from_secs(s).clock());
            let frame = Frame {
                canvas,
                x: Axis {
                    title: "median rollout of good releases, minutes:seconds from detection to the end of the promotion"
                        .to_owned(),
                    scale: Scale::Linear,
                    low: 0.0,
                    high: end,
                    ticks: clock_ticks(end as i64, 12).into_iter().map(clock).collect(),
                },
                y: Axis::numbers(
                    "failed requests of users under bad releases, mean, on a square root scale",
                    most,
                    Scale::Root,
                ),
                left: 130,
                right: LEGEND - 30,
                top: 180,
                bottom: 750,
            };
            frame.draw()?;
            // The front as a line, where it is one in these two respects.
            let mut front: Vec<(f64, f64)> = placed
                .iter()
                .filter(|(one, ..)| tuned.front.contains(one))
                .map(|(_, x, y)| (*x, *y))
                .collect();
            front.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            let mut lowest = f64::INFINITY;
            front.retain(|(_, y)| {
                let lower = *y < lowest;
                lowest = lowest.min(*y);
                lower
            });
            if front.len() > 1 {
                frame.line(&front, GRID, 5)?;
            }
            for (one, x, y) in &placed {
                let (shape, colour) = look(tuned, *one);
                mark(canvas, frame.at(*x, *y), shape, colour)?;
            }
            let named = placed.iter().rev();
            let named = named.filter(|(one, ..)| tuned.candidates[*one].is_finalist());
            let named: Vec<((i32, i32), String, RGBColor)> = named
                .map(|(one, x, y)| (frame.at(*x, *y), one.to_string(), INK))
                .collect();
            labels(canvas, &named)?;
            legend(canvas, (LEGEND + 14, 200), &LOOKS)?;
            let y = 200 + 34 * LOOKS.len() as i32;
            canvas.stroke(&[(LEGEND, y), (LEGEND + 28, y)], GRID, 5)?;
            let style = super::super::theme::letters(
                super::super::theme::TEXT - 1,
                INK,
                plotters::style::text_anchor::HPos::Left,
            );
            canvas.text("front, in these two respects", (LEGEND + 40, y), style)
        },
    )
}
