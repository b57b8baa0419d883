//! `operating.svg`: what certainty costs. Each candidate by the regressions it misses and the good releases it rolls back,
//! the worst release of each kind deciding, with the targets.

use plotters::prelude::*;

use crate::study::stats::{Z95, wilson};
use crate::study::tune::{Candidate, Kind, Target, Tuned};

use super::super::PlotError;
use super::super::frame::{Axis, Frame, LEGEND, Scale, dashed_key, labels, legend, mark};
use super::super::theme::{INK, QUIET};
use super::{LOOKS, drawn, look, picture};

/// The picture, as SVG.
pub(super) fn render(tuned: &Tuned) -> Result<String, PlotError> {
    picture(
        tuned,
        "false rollbacks against missed regressions",
        840,
        |canvas| {
            let all = || tuned.candidates.iter().map(|one| &one.merits);
            let x = all().map(|one| one.missed_regression).fold(0.1, f64::max);
            let y = all().map(|one| one.false_rollback).fold(0.1, f64::max);
            let frame = Frame {
                canvas,
                x: Axis::shares(
                    "missed regressions, % of the runs of the worst bad release, on a square root scale",
                    x,
                    Scale::Root,
                ),
                y: Axis::shares(
                    "false rollbacks, % of the runs of the worst good release, on a square root scale",
                    y,
                    Scale::Root,
                ),
                left: 130,
                right: LEGEND - 30,
                top: 180,
                bottom: 750,
            };
            frame.draw()?;
            let limit = |of: fn(Target) -> Option<f64>| {
                tuned
                    .targets
                    .iter()
                    .filter_map(|target| of(*target))
                    .reduce(f64::min)
            };
            let missed = limit(|target| match target {
                Target::MissedRegression { most, .. } => Some(most),
                _ => None,
            });
            let false_rollback = limit(|target| match target {
                Target::FalseRollback { most, .. } => Some(most),
                _ => None,
            });
            if let Some(most) = missed {
                frame.upright(most, INK)?;
            }
            if let Some(most) = false_rollback {
                frame.across(most, INK)?;
            }
            for one in drawn(tuned) {
                let candidate = &tuned.candidates[one];
                let (shape, colour) = look(tuned, one);
                let merits = &candidate.merits;
                let (x, y) = (merits.missed_regression, merits.false_rollback);
                if candidate.is_finalist() {
                    let (missed, back) = (
                        interval(tuned, candidate, Kind::Bad),
                        interval(tuned, candidate, Kind::Good),
                    );
                    frame.line(&[(missed.lo, y), (missed.hi, y)], colour, 2)?;
                    frame.line(&[(x, back.lo), (x, back.hi)], colour, 2)?;
                }
                mark(canvas, frame.at(x, y), shape, colour)?;
            }
            let named = drawn(tuned).into_iter().rev();
            let named = named.filter(|one| tuned.candidates[*one].is_finalist());
            let named: Vec<((i32, i32), String, RGBColor)> = named
                .map(|one| {
                    let merits = &tuned.candidates[one].merits;
                    let (x, y) = frame.at(merits.missed_regression, merits.false_rollback);
                    ((x, y - 16), one.to_string(), INK)
                })
                .collect();
            labels(canvas, &named)?;
            legend(canvas, (LEGEND + 14, 200), &LOOKS)?;
            let y = 200 + 34 * LOOKS.len() as i32;
            dashed_key(canvas, (LEGEND + 14, y), INK, "strictest target")?;
            canvas.stroke(&[(LEGEND, y + 34), (LEGEND + 28, y + 34)], QUIET, 2)?;
            let style = super::super::theme::letters(
                super::super::theme::TEXT - 1,
                INK,
                plotters::style::text_anchor::HPos::Left,
            );
            canvas.text("interval of 95 %", (LEGEND + 40, y + 34), style)
        },
    )
}

/// The interval of the share that goes wrong with the worst release of a kind.
fn interval(tuned: &Tuned, candidate: &Candidate, kind: Kind) -> wilson::Share {
    let both = tuned.releases.iter().zip(&candidate.evidence);
    let shares = both
        .filter(|(release, _)| release.kind == kind)
        .map(|(_, evidence)| {
            let wrong = match kind {
                Kind::Good => evidence.rolled_back,
                Kind::Bad => evidence.runs - evidence.rolled_back,
            };
            wilson::interval(wrong, evidence.runs, Z95)
        });
    let worst = shares.max_by(|a, b| a.p.total_cmp(&b.p));
    worst.unwrap_or(wilson::interval(0, 0, Z95))
}
