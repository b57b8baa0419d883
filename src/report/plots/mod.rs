//! Pictures, one file a figure, as SVG.
//!
//! Bytes are the same on every machine: positions are whole pixels that come of additions, multiplications and divisions alone
//! (plotters' own choice of axis ticks and its dashed lines go through the platform's `log`, `pow` and `hypot`, so ticks and
//! dashes are made here), and text stays text in a generic font family.

mod axis;
mod canvas;
pub mod decided;
pub mod fan;
mod faults;
mod forecast;
mod frame;
pub mod outcomes;
pub mod power;
mod series;
mod theme;
pub mod timeline;
pub mod tune;

use thiserror::Error;

/// A figure that could not be drawn.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct PlotError(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>>
    for PlotError
{
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        PlotError(error.to_string())
    }
}
