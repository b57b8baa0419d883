//! A drawing area whose plots share one time axis: frames, lines, marks, legends, at whole pixels.

use plotters::coord::Shift;
use plotters::coord::types::{RangedCoordf64, RangedCoordi64};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::canary::Phase;

use super::PlotError;
use super::axis::{clock_ticks, label, ticks};
use super::theme::{self, FAILED, GRID, INK, PASSED, QUIET, TEXT, bold, letters};

/// Width of the picture, and where its plots begin and end, in pixels.
pub(super) const WIDTH: i32 = 1600;
pub(super) const LEFT: i32 = 130;
pub(super) const RIGHT: i32 = WIDTH - 290;
/// Title of a panel, above its plot.
pub(super) const PANEL_TITLE: i32 = 34;
/// Free height between a plot and the title of the next panel.
pub(super) const PANEL_GAP: i32 = 6;
/// Width that a text across the picture may have.
const ROOM: i32 = WIDTH - 72;
/// Distance of a legend's rows.
const LEGEND_ROW: i32 = 28;
/// Ticks of the time axis at the most.
const CLOCK_TICKS: i64 = 12;

pub(super) type Drawn = Result<(), PlotError>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordi64, RangedCoordf64>>;

/// Where things are drawn.
pub(super) struct Canvas<'b> {
    /// All of the picture.
    pub(super) root: DrawingArea<SVGBackend<'b>, Shift>,
    /// The right end of the time axis; its left end is zero.
    pub(super) end_ms: i64,
    /// A moment that is marked in every plot, and the colour of its line.
    pub(super) marked: Option<(i64, RGBColor)>,
}

/// A plot and what its value axis says.
pub(super) struct Panel<'a> {
    /// What is shown, and its unit.
    pub(super) title: &'a str,
    /// Upper edge of the title.
    pub(super) top: i32,
    /// Height of the plot below the title.
    pub(super) height: i32,
    /// Lower end of the value axis.
    pub(super) low: f64,
    /// Upper end of the value axis.
    pub(super) high: f64,
    /// Steps between its labels at the most.
    pub(super) ticks: usize,
}

/// A row of a legend.
pub(super) struct Key {
    line: Line,
    colour: RGBColor,
    text: String,
}

enum Line {
    Solid,
    Dashed,
    Band(f64),
}

impl Key {
    /// A line that was drawn.
    pub(super) fn line(colour: RGBColor, text: impl Into<String>) -> Self {
        Key {
            line: Line::Solid,
            colour,
            text: text.into(),
        }
    }

    /// A dashed line that was drawn.
    pub(super) fn dashed(colour: RGBColor, text: impl Into<String>) -> Self {
        Key {
            line: Line::Dashed,
            colour,
            text: text.into(),
        }
    }

    /// An area of this opacity that was filled.
    pub(super) fn band(colour: RGBColor, opacity: f64, text: impl Into<String>) -> Self {
        Key {
            line: Line::Band(opacity),
            colour,
            text: text.into(),
        }
    }

    /// A bound.
    pub(super) fn bound(text: String) -> Self {
        Key {
            line: Line::Dashed,
            colour: FAILED,
            text,
        }
    }
}

/// A value that a check saw.
pub(super) struct Checked {
    pub(super) at_ms: i64,
    pub(super) value: f64,
    pub(super) passed: bool,
    /// What is written beside it; empty where nothing is.
    pub(super) text: String,
}

/// A plot to draw lines in.
pub(super) struct Plot<'a, 'b> {
    canvas: &'a Canvas<'b>,
    chart: Chart<'a, 'b>,
}

impl<'b> Canvas<'b> {
    /// An empty plot: its title, bands of the phases, a grid, labels of the value axis.
    pub(super) fn panel(
        &self,
        panel: &Panel,
        phases: &[(Phase, i64, i64)],
    ) -> Result<Plot<'_, 'b>, PlotError> {
        let (top, bottom) = (
            panel.top + PANEL_TITLE,
            panel.top + PANEL_TITLE + panel.height,
        );
        for (phase, start, end) in phases {
            let corners = [(self.x(*start), top), (self.x(*end), bottom)];
            self.root
                .draw(&Rectangle::new(corners, theme::band(*phase).filled()))?;
        }
        let area = self
            .root
            .clone()
            .shrink((LEFT, top), (RIGHT - LEFT, panel.height));
        let chart =
            ChartBuilder::on(&area).build_cartesian_2d(0..self.end_ms, panel.low..panel.high)?;
        for s in clock_ticks(self.end_ms / 1000, CLOCK_TICKS) {
            let x = self.x(s * 1000);
            self.stroke(&[(x, top), (x, bottom)], GRID, 1)?;
        }
        for v in ticks(panel.low, panel.high, panel.ticks) {
            let (_, y) = chart.backend_coord(&(0, v));
            self.stroke(&[(LEFT, y), (RIGHT, y)], GRID, 1)?;
            self.text(
                &label(v),
                (LEFT - 12, y),
                letters(TEXT - 1, INK, HPos::Right),
            )?;
        }
        self.stroke(&[(LEFT, bottom), (RIGHT, bottom)], QUIET, 1)?;
        self.marked_line(panel.top - PANEL_GAP, bottom)?;
        let title_at = (LEFT, panel.top + PANEL_TITLE / 2);
        self.text(panel.title, title_at, bold(TEXT, INK, HPos::Left))?;
        Ok(Plot {
            canvas: self,
            chart,
        })
    }

    /// The lines above the first panel: what it is, what came of it, how it was made.
    pub(super) fn head(&self, title: &str, result: &str, setting: &str) -> Drawn {
        // A long title is set smaller, then cut; bold letters are wider by a sixth.
        let size = [32, 28, 24]
            .into_iter()
            .find(|size| theme::width(title, size * 7 / 6) <= ROOM);
        let size = size.unwrap_or(24);
        let title = fit(title, size * 7 / 6);
        self.text(&title, (36, 36), bold(size, INK, HPos::Left))?;
        let result = fit(result, 22);
        self.text(&result, (36, 74), letters(22, INK, HPos::Left))?;
        let setting = fit(setting, TEXT);
        self.text(&setting, (36, 104), letters(TEXT, QUIET, HPos::Left))
    }

    /// The part of the marked moment's line between two heights.
    pub(super) fn marked_line(&self, top: i32, bottom: i32) -> Drawn {
        if let Some((ms, colour)) = self.marked {
            let x = self.x(ms);
            self.stroke(&[(x, top), (x, bottom)], colour, 3)?;
        }
        Ok(())
    }

    /// The labels of the time axis, below the lowest plot.
    pub(super) fn time_labels(&self, bottom: i32) -> Drawn {
        for s in clock_ticks(self.end_ms / 1000, CLOCK_TICKS) {
            let clock = crate::time::Timestamp::from_secs(s).clock();
            let place = (self.x(s * 1000), bottom + 18);
            self.text(&clock, place, letters(TEXT, INK, HPos::Center))?;
        }
        let place = ((LEFT + RIGHT) / 2, bottom + 46);
        let text = "minutes:seconds since the new revision was detected";
        self.text(text, place, letters(TEXT, QUIET, HPos::Center))
    }

    /// Lines and their meanings, to the right of a panel.
    pub(super) fn legend(&self, panel_top: i32, entries: &[Key]) -> Drawn {
        for (i, key) in entries.iter().enumerate() {
            let y = legend_row(panel_top, i);
            match key.line {
                Line::Solid => self.stroke(&[(RIGHT + 18, y), (RIGHT + 46, y)], key.colour, 4)?,
                Line::Dashed => self.dashes(RIGHT + 18, RIGHT + 46, y, key.colour)?,
                Line::Band(opacity) => {
                    let corners = [(RIGHT + 18, y - 8), (RIGHT + 46, y + 8)];
                    let filled = key.colour.mix(opacity).filled();
                    self.root.draw(&Rectangle::new(corners, filled))?;
                }
            }
            self.text(
                &key.text,
                (RIGHT + 56, y),
                letters(TEXT - 1, INK, HPos::Left),
            )?;
        }
        Ok(())
    }

    /// What the marks in a panel mean, on a row of its legend.
    pub(super) fn legend_of_checks(&self, panel_top: i32, row: usize) -> Drawn {
        let y = legend_row(panel_top, row);
        self.mark((RIGHT + 23, y), true)?;
        self.mark((RIGHT + 41, y), false)?;
        let text = "value that a check saw";
        self.text(text, (RIGHT + 56, y), letters(TEXT - 1, INK, HPos::Left))
    }

    /// A check: a dot where it held, a cross where it failed.
    pub(super) fn mark(&self, (x, y): (i32, i32), passed: bool) -> Drawn {
        if passed {
            self.root.draw(&Circle::new((x, y), 8, WHITE.filled()))?;
            self.root.draw(&Circle::new((x, y), 6, PASSED.filled()))?;
            return Ok(());
        }
        for (colour, width) in [(WHITE, 8), (FAILED, 4)] {
            self.stroke(&[(x - 7, y - 7), (x + 7, y + 7)], colour, width)?;
            self.stroke(&[(x - 7, y + 7), (x + 7, y - 7)], colour, width)?;
        }
        Ok(())
    }

    fn dashes(&self, from: i32, to: i32, y: i32, colour: RGBColor) -> Drawn {
        for x in (from..to).step_by(16) {
            self.stroke(&[(x, y), ((x + 10).min(to), y)], colour, 2)?;
        }
        Ok(())
    }

    pub(super) fn stroke(&self, points: &[(i32, i32)], colour: RGBColor, width: u32) -> Drawn {
        let path = PathElement::new(points.to_vec(), colour.stroke_width(width));
        Ok(self.root.draw(&path)?)
    }

    pub(super) fn text(&self, text: &str, place: (i32, i32), style: TextStyle) -> Drawn {
        Ok(self.root.draw_text(text, &style, place)?)
    }

    /// Where a moment lies.
    pub(super) fn x(&self, ms: i64) -> i32 {
        x_of(ms, self.end_ms)
    }
}

/// Where a moment lies on a time axis that ends at `end_ms`.
pub(super) fn x_of(ms: i64, end_ms: i64) -> i32 {
    let width = i64::from(RIGHT - LEFT);
    LEFT + (width * ms.clamp(0, end_ms) / end_ms) as i32
}

impl Plot<'_, '_> {
    /// A line through points.
    pub(super) fn line(&mut self, points: Vec<(i64, f64)>, colour: RGBColor) -> Drawn {
        self.stroke(points, colour, 3)
    }

    /// A thin line of steps, dashed along the levels, for what was wanted where a solid one shows what was had.
    pub(super) fn dashed_steps(&mut self, corners: &[(i64, f64)], colour: RGBColor) -> Drawn {
        let places: Vec<(i32, i32)> = corners
            .iter()
            .map(|corner| self.chart.backend_coord(corner))
            .collect();
        for pair in places.windows(2) {
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            if y0 == y1 {
                self.canvas.dashes(x0, x1, y0, colour)?;
            } else {
                self.canvas.stroke(&[(x0, y0), (x1, y1)], colour, 2)?;
            }
        }
        Ok(())
    }

    /// What lies between two lines over the same moments, the lower one given first.
    pub(super) fn between(
        &mut self,
        lower: &[(i64, f64)],
        upper: &[(i64, f64)],
        colour: RGBColor,
        opacity: f64,
    ) -> Drawn {
        let outline: Vec<(i64, f64)> = lower.iter().chain(upper.iter().rev()).copied().collect();
        let area = Polygon::new(outline, colour.mix(opacity).filled());
        self.chart.draw_series(std::iter::once(area))?;
        Ok(())
    }

    /// A block from one corner to the opposite one.
    pub(super) fn block(&mut self, corners: [(i64, f64); 2], colour: RGBColor) -> Drawn {
        let block = Rectangle::new(corners, colour.filled());
        self.chart.draw_series(std::iter::once(block))?;
        Ok(())
    }

    /// A broad line, for what is drawn beneath another, so that both are seen where they coincide.
    pub(super) fn broad_line(&mut self, points: Vec<(i64, f64)>, colour: RGBColor) -> Drawn {
        self.stroke(points, colour, 7)
    }

    fn stroke(&mut self, points: Vec<(i64, f64)>, colour: RGBColor, width: u32) -> Drawn {
        let line = LineSeries::new(points, colour.stroke_width(width));
        self.chart.draw_series(line)?;
        Ok(())
    }

    /// What is under a line.
    pub(super) fn area(&mut self, points: Vec<(i64, f64)>, colour: RGBColor) -> Drawn {
        let area = AreaSeries::new(points, 0.0, colour.mix(0.35));
        self.chart.draw_series(area)?;
        Ok(())
    }

    /// A dashed line across at each bound.
    pub(super) fn bounds(&self, bounds: &[f64]) -> Drawn {
        for bound in bounds {
            let (_, y) = self.chart.backend_coord(&(0, *bound));
            self.canvas.dashes(LEFT, RIGHT, y, FAILED)?;
        }
        Ok(())
    }

    /// Marks of checks, with what is written beside them.
    pub(super) fn checked(&self, checked: &[Checked]) -> Drawn {
        for check in checked {
            let (x, y) = self.chart.backend_coord(&(check.at_ms, check.value));
            self.canvas.mark((x, y), check.passed)?;
            let fits = x + 20 + theme::width(&check.text, TEXT) < RIGHT;
            let (x, anchor) = if fits {
                (x + 18, HPos::Left)
            } else {
                (x - 18, HPos::Right)
            };
            if !check.text.is_empty() {
                self.canvas
                    .text(&check.text, (x, y), bold(TEXT, FAILED, anchor))?;
            }
        }
        Ok(())
    }
}

/// A text cut to the picture's width.
fn fit(text: &str, size: i32) -> String {
    if theme::width(text, size) <= ROOM {
        return text.to_owned();
    }
    let mut cut = text.to_owned();
    while theme::width(&cut, size) > ROOM - size {
        cut.pop();
    }
    cut.push('…');
    cut
}

fn legend_row(panel_top: i32, row: usize) -> i32 {
    panel_top + PANEL_TITLE + 14 + LEGEND_ROW * row as i32
}
