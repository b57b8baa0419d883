//! What the pictures of a forecast share: their head, a panel over time, and how shares and outcomes are named.

use plotters::prelude::*;

use crate::record::Outcome;
use crate::report::verdict::headline;
use crate::report::words::{count, percent};
use crate::study::forecast::{Counted, Forecast, outcomes};

use super::PlotError;
use super::canvas::{Canvas, Drawn, Key, PANEL_TITLE, Panel, Plot, WIDTH};
use super::theme::{CANARY, FAILED, PASSED, PRIMARY, QUIET};

/// Upper edge and height of the one panel of a picture.
const TOP: i32 = 130;
const HEIGHT: i32 = 360;

/// A picture of one panel over the time since detection.
pub(super) struct Figure<'a> {
    /// What is shown, and its unit.
    pub(super) title: &'a str,
    /// The ends of the value axis.
    pub(super) range: (f64, f64),
    /// Steps between the value axis' labels at the most.
    pub(super) ticks: usize,
    /// The right end of the time axis; its left end is zero.
    pub(super) end_ms: i64,
    pub(super) legend: &'a [Key],
}

impl Figure<'_> {
    /// The picture, as SVG, with what `draw` puts into the panel.
    pub(super) fn render(
        &self,
        forecast: &Forecast,
        draw: impl FnOnce(&mut Plot) -> Drawn,
    ) -> Result<String, PlotError> {
        let bottom = TOP + PANEL_TITLE + HEIGHT;
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, (bottom + 70) as u32));
        let canvas = Canvas {
            root: root.into_drawing_area(),
            end_ms: self.end_ms,
            marked: None,
        };
        canvas.root.fill(&WHITE)?;
        head(&canvas, forecast)?;
        let panel = Panel {
            title: self.title,
            top: TOP,
            height: HEIGHT,
            low: self.range.0,
            high: self.range.1,
            ticks: self.ticks,
        };
        let mut plot = canvas.panel(&panel, &[])?;
        draw(&mut plot)?;
        drop(plot);
        canvas.legend(TOP, self.legend)?;
        canvas.time_labels(bottom)?;
        canvas.root.present()?;
        drop(canvas);
        Ok(svg)
    }
}

/// The lines above the first panel.
pub(super) fn head(canvas: &Canvas, forecast: &Forecast) -> Drawn {
    let subject = &forecast.subject;
    let title = if subject.title.is_empty() {
        subject.scenario.clone()
    } else {
        format!("{}: {}", subject.scenario, subject.title)
    };
    let met = outcomes(&forecast.runs).map(|(outcome, counted)| {
        (counted.count > 0).then(|| format!("{} {}", headline(outcome), interval(counted)))
    });
    let met: Vec<String> = met.into_iter().flatten().collect();
    let setting = format!(
        "{}, rules {}, provider {}, interval {}, {} runs, seeds from {}; intervals of 95 %",
        subject.canary,
        subject.rules.as_str(),
        subject.provider.map_or("unknown", |p| p.as_str()),
        subject.interval,
        count(forecast.runs.len() as u64),
        subject.first_seed,
    );
    canvas.head(&title, &met.join(", "), &setting)
}

/// `63.2 % (60.1 to 66.2 %)`.
pub(super) fn interval(counted: Counted) -> String {
    let share = counted.share;
    format!(
        "{} % ({} to {} %)",
        percent(share.p),
        percent(share.lo),
        percent(share.hi)
    )
}

/// An outcome's colour.
pub(super) fn colour(outcome: Outcome) -> RGBColor {
    match outcome {
        Outcome::Promoted => PASSED,
        Outcome::RolledBack => FAILED,
        Outcome::PromotionFailed => CANARY,
        Outcome::Undecided => PRIMARY,
        Outcome::NotStarted => QUIET,
    }
}
