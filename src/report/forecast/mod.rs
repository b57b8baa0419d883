//! What people and programs get to see of a forecast: the terminal's text, the JSON summary, a CSV with a row a run, and
//! the pictures. Plain functions of a [`Forecast`].

mod csv;
pub mod json;
pub mod text;

use crate::study::forecast::Forecast;

use super::files::{File, RenderError};
use super::plots;

/// Everything a forecast leaves in its output directory.
pub fn files(forecast: &Forecast) -> Result<Vec<File>, RenderError> {
    let file = |path: &str, bytes: Vec<u8>| File {
        path: path.to_owned(),
        bytes,
    };
    Ok(vec![
        file("forecast.json", json::render(forecast)?.into_bytes()),
        file("runs.csv", csv::runs(forecast)?),
        file(
            "outcomes.svg",
            plots::outcomes::render(forecast)?.into_bytes(),
        ),
        file(
            "decided.svg",
            plots::decided::render(forecast)?.into_bytes(),
        ),
        file("success.svg", plots::fan::render(forecast)?.into_bytes()),
    ])
}
