//! What the pictures of a forecast share: their head, and how shares and outcomes are named.

use plotters::style::RGBColor;

use crate::record::Outcome;
use crate::report::verdict::headline;
use crate::report::words::{count, percent};
use crate::study::forecast::{Counted, Forecast, outcomes};

use super::canvas::{Canvas, Drawn};
use super::theme::{CANARY, FAILED, PASSED, PRIMARY, QUIET};

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
