//! The files of an output directory, as bytes. `output/README.md` says what each of them is.

use thiserror::Error;

use crate::record::Record;

use super::{csv, plots};

/// A file to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path inside the output directory, its parts separated by `/`.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A file that could not be made.
#[derive(Debug, Error)]
pub enum RenderError {
    /// A table.
    #[error("a table cannot be written: {0}")]
    Csv(#[from] ::csv::Error),
    /// The record.
    #[error("the record cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A picture.
    #[error("a picture cannot be drawn: {0}")]
    Plot(#[from] plots::PlotError),
}

/// Everything one run leaves in its output directory.
pub fn files(record: &Record) -> Result<Vec<File>, RenderError> {
    let file = |path: &str, bytes: Vec<u8>| File {
        path: path.to_owned(),
        bytes,
    };
    Ok(vec![
        file("timeline.csv", csv::timeline(record)?),
        file("checks.csv", csv::checks(record)?),
        file("traffic.csv", csv::traffic(record)?),
        file("events.log", events_log(record).into_bytes()),
        file("run.json", record.to_json()?.into_bytes()),
        file(
            "timeline.svg",
            plots::timeline::render(record)?.into_bytes(),
        ),
    ])
}

/// The same files, in a directory of their own.
pub fn under(directory: &str, files: Vec<File>) -> Vec<File> {
    files
        .into_iter()
        .map(|file| File {
            path: format!("{directory}/{}", file.path),
            ..file
        })
        .collect()
}

/// A line an event: time in seconds, tab, Normal or Warning, tab, the bare message. Warm-up included.
pub fn events_log(record: &Record) -> String {
    record
        .events
        .iter()
        .map(|event| {
            // A message is one line, whatever an API server or a webhook answered.
            let message = event.message.replace(['\n', '\r'], " ");
            let at = event.at.as_millis() as f64 / 1000.0;
            format!("{at}\t{}\t{message}\n", event.kind.as_str())
        })
        .collect()
}
