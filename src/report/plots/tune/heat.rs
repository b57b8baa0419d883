//! `heat.svg`: two knobs against each other. Missed regressions and false rollbacks by their values, each the mean over the
//! candidates that have them.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::words::percent;
use crate::study::tune::{Merits, Tuned};

use super::super::PlotError;
use super::super::canvas::{Canvas, Drawn, WIDTH};
use super::super::theme::{GRID, INK, TEXT, bold, letters};
use super::picture;

const TOP: i32 = 190;
const HEIGHT: i32 = 520;
/// The left edges of the two maps, and their width.
const LEFTS: [i32; 2] = [150, 900];
const MAP: i32 = WIDTH - 50 - 900;

/// What a map shows.
type Merit = fn(&Merits) -> f64;

/// The two knobs that matter most, if there are two.
pub(super) fn knobs(tuned: &Tuned) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..tuned.sensitivity.len()).collect();
    let weight = |one: usize| {
        let knob = &tuned.sensitivity[one];
        knob.false_rollback + knob.missed_regression
    };
    order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
    Some((*order.first()?, *order.get(1)?))
}

/// The picture, as SVG.
pub(super) fn render(tuned: &Tuned, (across, up): (usize, usize)) -> Result<String, PlotError> {
    let what = format!(
        "{} against {}",
        tuned.knobs[across].name, tuned.knobs[up].name
    );
    picture(tuned, &what, TOP + HEIGHT + 110, |canvas| {
        let maps: [(&str, Merit); 2] = [
            ("Missed regressions, % of runs, worst bad release", |one| {
                one.missed_regression
            }),
            ("False rollbacks, % of runs, worst good release", |one| {
                one.false_rollback
            }),
        ];
        for (left, (title, merit)) in LEFTS.into_iter().zip(maps) {
            let place = (left, TOP - 24);
            canvas.text(title, place, bold(TEXT, INK, HPos::Left))?;
            map(canvas, tuned, (across, up), left, merit)?;
        }
        let place = (LEFTS[0], TOP + HEIGHT + 84);
        let note = "mean over the candidates with these two values, whatever their other knobs, after the first round; white: no candidate has them";
        canvas.text(note, place, letters(TEXT - 2, INK, HPos::Left))
    })
}

fn map(
    canvas: &Canvas,
    tuned: &Tuned,
    (across, up): (usize, usize),
    left: i32,
    merit: Merit,
) -> Drawn {
    let (columns, rows) = (&tuned.knobs[across], &tuned.knobs[up]);
    let width = MAP / columns.values.len() as i32;
    let height = HEIGHT / rows.values.len() as i32;
    for (column, x_value) in columns.values.iter().enumerate() {
        let x = left + width * column as i32;
        for (row, y_value) in rows.values.iter().enumerate() {
            let bottom = TOP + HEIGHT - height * row as i32;
            if column == 0 {
                let place = (left - 10, bottom - height / 2);
                canvas.text(y_value, place, letters(TEXT - 2, INK, HPos::Right))?;
            }
            let of: Vec<f64> = tuned
                .candidates
                .iter()
                .filter(|one| {
                    let value = |knob: usize| one.settings.get(knob).map(|set| &set.value);
                    value(across) == Some(x_value) && value(up) == Some(y_value)
                })
                .map(|one| merit(&one.screened))
                .collect();
            let corners = [(x, bottom - height), (x + width - 2, bottom - 2)];
            if of.is_empty() {
                canvas
                    .root
                    .draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
                continue;
            }
            let share = of.iter().sum::<f64>() / of.len() as f64;
            canvas
                .root
                .draw(&Rectangle::new(corners, shade(share).filled()))?;
            let ink = if share > 0.3 { WHITE } else { INK };
            let size = (width / 4).min(height / 2).clamp(10, TEXT);
            let place = (x + width / 2 - 1, bottom - height / 2);
            canvas.text(&percent(share), place, letters(size, ink, HPos::Center))?;
        }
        let place = (x + width / 2, TOP + HEIGHT + 18);
        canvas.text(x_value, place, letters(TEXT - 2, INK, HPos::Center))?;
    }
    let below = (left + MAP / 2, TOP + HEIGHT + 48);
    canvas.text(&columns.name, below, bold(TEXT, INK, HPos::Center))?;
    let above = (left - 10, TOP - 24);
    canvas.text(&rows.name, above, bold(TEXT, INK, HPos::Right))
}

/// From white to a dark blue, darker from share to share whatever colours one sees; by its square root, which tells small
/// shares apart.
fn shade(share: f64) -> RGBColor {
    let depth = share.clamp(0.0, 1.0).sqrt();
    let part = |light: f64, dark: f64| (light + (dark - light) * depth).round() as u8;
    RGBColor(part(240.0, 8.0), part(246.0, 48.0), part(252.0, 107.0))
}
