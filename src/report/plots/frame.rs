//! A plot of one number against another: its frame, grid and axes, and marks in it, at whole pixels.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Drawn, WIDTH};
use super::theme::{self, GRID, INK, QUIET, TEXT, bold, letters};

/// How a number becomes a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly.
    Linear,
    /// By its square root, which gives room to what is small and has a place for zero.
    Root,
}

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it measures, and its unit.
    pub(super) title: String,
    pub(super) scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Numbers that have a line and a label.
    pub(super) ticks: Vec<(f64, String)>,
}

/// A frame, its plot between these edges.
pub(super) struct Frame<'c, 'b> {
    pub(super) canvas: &'c Canvas<'b>,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

/// What a mark stands for: each has a shape and a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A small ring.
    Ring,
    /// A cross.
    Cross,
    /// A disc.
    Disc,
    /// A square.
    Square,
    /// A large disc in a ring.
    Target,
}

/// Where legends stand beside a plot that leaves room for them.
pub(super) const LEGEND: i32 = WIDTH - 360;

impl Scale {
    fn of(self, v: f64) -> f64 {
        match self {
            Scale::Linear => v,
            Scale::Root => v.max(0.0).sqrt(),
        }
    }
}

impl Axis {
    /// Shares of 0 to at least `highest`, in percent.
    pub(super) fn shares(title: &str, highest: f64, scale: Scale) -> Axis {
        let all = [
            0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
        ];
        let high = (highest * 1.08).clamp(0.02, 1.0);
        let mut axis = Axis {
            title: title.to_owned(),
            scale,
            low: 0.0,
            high,
            ticks: Vec::new(),
        };
        let mut last = f64::NEG_INFINITY;
        for share in all.into_iter().filter(|share| *share <= high) {
            let place = axis.place(share);
            // Labels keep their distance; 100 % stands in place of what is near it.
            if place - last >= 0.055 {
                let percent = super::axis::label(100.0 * share);
                axis.ticks.push((share, percent));
                last = place;
            }
        }
        axis
    }

    /// Numbers of 0 to at least `highest`.
    pub(super) fn numbers(title: &str, highest: f64, scale: Scale) -> Axis {
        let high = super::axis::round_up(highest.max(1.0));
        let linear = super::axis::ticks(0.0, high, 6);
        let mut ticks = linear.clone();
        if scale == Scale::Root
            && let Some(step) = linear.get(1).copied()
        {
            // The room below the first step is worth more of them.
            ticks.extend([0.02, 0.1, 0.4].map(|part| (part * step).round()));
            ticks.sort_by(f64::total_cmp);
            ticks.dedup();
        }
        let label = |v: f64| (v, crate::report::words::count(v.round().max(0.0) as u64));
        Axis {
            title: title.to_owned(),
            scale,
            low: 0.0,
            high,
            ticks: ticks.into_iter().map(label).collect(),
        }
    }

    /// Where a number lies, from 0 to 1.
    fn place(&self, v: f64) -> f64 {
        let [v, low, high] = [v, self.low, self.high].map(|v| self.scale.of(v));
        ((v - low) / (high - low)).clamp(0.0, 1.0)
    }
}

impl Frame<'_, '_> {
    /// Where two numbers lie.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let width = f64::from(self.right - self.left);
        let height = f64::from(self.bottom - self.top);
        (
            self.left + (self.x.place(x) * width).round() as i32,
            self.bottom - (self.y.place(y) * height).round() as i32,
        )
    }

    /// Grid, labels, titles.
    pub(super) fn draw(&self) -> Drawn {
        let canvas = self.canvas;
        for (v, label) in &self.x.ticks {
            let (x, _) = self.at(*v, self.y.low);
            canvas.stroke(&[(x, self.top), (x, self.bottom)], GRID, 1)?;
            let style = letters(TEXT - 1, INK, HPos::Center);
            canvas.text(label, (x, self.bottom + 18), style)?;
        }
        for (v, label) in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *v);
            canvas.stroke(&[(self.left, y), (self.right, y)], GRID, 1)?;
            let style = letters(TEXT - 1, INK, HPos::Right);
            canvas.text(label, (self.left - 12, y), style)?;
        }
        let corner = (self.left, self.bottom);
        canvas.stroke(&[corner, (self.right, self.bottom)], QUIET, 1)?;
        canvas.stroke(&[corner, (self.left, self.top)], QUIET, 1)?;
        let title = (self.left, self.top - 22);
        canvas.text(&self.y.title, title, bold(TEXT, INK, HPos::Left))?;
        let below = ((self.left + self.right) / 2, self.bottom + 48);
        canvas.text(&self.x.title, below, bold(TEXT, INK, HPos::Center))
    }

    /// A dashed line up from a number of the x axis.
    pub(super) fn upright(&self, x: f64, colour: RGBColor) -> Drawn {
        let (x, _) = self.at(x, self.y.low);
        for y in (self.top..self.bottom).step_by(16) {
            let dash = [(x, y), (x, (y + 10).min(self.bottom))];
            self.canvas.stroke(&dash, colour, 2)?;
        }
        Ok(())
    }

    /// A dashed line across from a number of the y axis.
    pub(super) fn across(&self, y: f64, colour: RGBColor) -> Drawn {
        let (_, y) = self.at(self.x.low, y);
        for x in (self.left..self.right).step_by(16) {
            let dash = [(x, y), ((x + 10).min(self.right), y)];
            self.canvas.stroke(&dash, colour, 2)?;
        }
        Ok(())
    }

    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBColor, width: u32) -> Drawn {
        let places: Vec<(i32, i32)> = points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        self.canvas.stroke(&places, colour, width)
    }

    /// What lies between two lines over the same numbers.
    pub(super) fn between(
        &self,
        lower: &[(f64, f64)],
        upper: &[(f64, f64)],
        colour: RGBColor,
        opacity: f64,
    ) -> Drawn {
        let outline = lower.iter().chain(upper.iter().rev());
        let outline: Vec<(i32, i32)> = outline.map(|(x, y)| self.at(*x, *y)).collect();
        let area = Polygon::new(outline, colour.mix(opacity).filled());
        Ok(self.canvas.root.draw(&area)?)
    }
}

/// A mark at a place.
pub(super) fn mark(canvas: &Canvas, (x, y): (i32, i32), mark: Mark, colour: RGBColor) -> Drawn {
    let disc = |radius: i32, style: ShapeStyle| -> Drawn {
        Ok(canvas.root.draw(&Circle::new((x, y), radius, style))?)
    };
    match mark {
        Mark::Ring => disc(5, colour.stroke_width(2)),
        Mark::Cross => {
            canvas.stroke(&[(x - 6, y - 6), (x + 6, y + 6)], colour, 4)?;
            canvas.stroke(&[(x - 6, y + 6), (x + 6, y - 6)], colour, 4)
        }
        Mark::Disc => {
            disc(8, WHITE.filled())?;
            disc(7, colour.filled())
        }
        Mark::Square => {
            let square = |half: i32, colour: RGBColor| -> Drawn {
                let corners = [(x - half, y - half), (x + half, y + half)];
                Ok(canvas
                    .root
                    .draw(&Rectangle::new(corners, colour.filled()))?)
            };
            square(9, WHITE)?;
            square(7, colour)
        }
        Mark::Target => {
            disc(15, WHITE.filled())?;
            disc(14, colour.stroke_width(3))?;
            disc(8, colour.filled())
        }
    }
}

/// A legend: marks and what they mean, below each other.
pub(super) fn legend(
    canvas: &Canvas,
    (x, top): (i32, i32),
    entries: &[(Mark, RGBColor, &str)],
) -> Drawn {
    for (row, (shape, colour, text)) in entries.iter().enumerate() {
        let y = top + 34 * row as i32;
        mark(canvas, (x, y), *shape, *colour)?;
        canvas.text(text, (x + 26, y), letters(TEXT - 1, INK, HPos::Left))?;
    }
    Ok(())
}

/// A dashed line and what it means, on a legend.
pub(super) fn dashed_key(
    canvas: &Canvas,
    (x, y): (i32, i32),
    colour: RGBColor,
    text: &str,
) -> Drawn {
    for start in [x - 14, x + 2] {
        canvas.stroke(&[(start, y), (start + 10, y)], colour, 2)?;
    }
    canvas.text(text, (x + 26, y), letters(TEXT - 1, INK, HPos::Left))
}

/// Writes texts beside places, those that would cover one before left out.
pub(super) fn labels(canvas: &Canvas, wanted: &[((i32, i32), String, RGBColor)]) -> Drawn {
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    for ((x, y), text, colour) in wanted {
        let (left, width) = (x + 18, theme::width(text, TEXT));
        let clash = |&(other, row, wide): &(i32, i32, i32)| {
            (y - row).abs() < TEXT && left < other + wide + 6 && other < left + width + 6
        };
        if taken.iter().any(clash) {
            continue;
        }
        taken.push((left, *y, width));
        canvas.text(text, (left, *y), bold(TEXT, *colour, HPos::Left))?;
    }
    Ok(())
}
