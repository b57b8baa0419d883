//! `sensitivity.svg`: what each knob alone decides, a bar for each merit.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::study::tune::Tuned;

use super::super::PlotError;
use super::super::canvas::WIDTH;
use super::super::theme::{GRID, INK, TEXT, bold, letters};
use super::{MERITS, picture};

const LEFT: i32 = 320;
const RIGHT: i32 = WIDTH - 330;
const TOP: i32 = 160;
/// Height of a bar, and of a knob's row.
const BAR: i32 = 20;
const ROW: i32 = 4 * BAR + 24;

/// The picture, as SVG.
pub(super) fn render(tuned: &Tuned) -> Result<String, PlotError> {
    let bottom = TOP + ROW * tuned.sensitivity.len() as i32;
    picture(tuned, "what each knob decides", bottom + 90, |canvas| {
        let x = |share: f64| LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32;
        for fifth in 0..=5 {
            let at = x(f64::from(fifth) / 5.0);
            canvas.stroke(&[(at, TOP - 10), (at, bottom)], GRID, 1)?;
            let style = letters(TEXT - 1, INK, HPos::Center);
            canvas.text(&(fifth * 20).to_string(), (at, bottom + 18), style)?;
        }
        let below = ((LEFT + RIGHT) / 2, bottom + 48);
        let title =
            "% of the variance between all candidates that the knob alone explains (first round)";
        canvas.text(title, below, bold(TEXT, INK, HPos::Center))?;
        for (row, knob) in tuned.sensitivity.iter().enumerate() {
            let top = TOP + ROW * row as i32;
            let middle = (LEFT - 14, top + 2 * BAR);
            canvas.text(&knob.knob, middle, letters(TEXT, INK, HPos::Right))?;
            let shares = [
                knob.false_rollback,
                knob.missed_regression,
                knob.failed_requests,
                knob.rollout,
            ];
            for (at, (share, (colour, _))) in shares.into_iter().zip(MERITS).enumerate() {
                let upper = top + BAR * at as i32;
                let corners = [(LEFT, upper + 1), (x(share).max(LEFT + 1), upper + BAR - 1)];
                canvas
                    .root
                    .draw(&Rectangle::new(corners, colour.filled()))?;
                let place = (x(share) + 8, upper + BAR / 2);
                let text = format!("{:.0}", 100.0 * share);
                canvas.text(&text, place, letters(TEXT - 4, INK, HPos::Left))?;
            }
        }
        for (row, (colour, name)) in MERITS.into_iter().enumerate() {
            let y = TOP + 10 + 34 * row as i32;
            let corners = [(RIGHT + 70, y - 10), (RIGHT + 98, y + 10)];
            canvas
                .root
                .draw(&Rectangle::new(corners, colour.filled()))?;
            let place = (RIGHT + 110, y);
            canvas.text(name, place, letters(TEXT - 1, INK, HPos::Left))?;
        }
        Ok(())
    })
}
