//! Recorded HorizontalPodAutoscalers held against [`sim::hpa`](crate::sim::hpa).
//!
//! Two kinds of file: traces of a real controller, one JSON object a line (`.jsonl`, `.jsonl.gz`), of which each
//! reconcile is a case; and vectors transcribed from upstream's unit tests, one JSON object (`.json`, `.json.gz`), of
//! which each row is a case.

mod answers;
mod trace;
mod vectors;

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::verify::recording::{self, Tally};

/// Replays the recording in a file.
pub fn verify_file(path: &Path) -> Result<Tally, Diagnostic> {
    recording::read(path, verify)
}

/// Replays the recording in `bytes`, read from a file called `name`, which tells what it is.
pub fn verify(name: &str, bytes: &[u8]) -> Result<Tally, Diagnostic> {
    let text = recording::text(name, bytes)?;
    let mut tally = Tally::default();
    if name.trim_end_matches(".gz").ends_with(".json") {
        vectors::replay(name, &text, &mut tally)?;
    } else {
        for record in recording::lines(name, &text) {
            let (line, trace) = record?;
            trace::replay(&trace, &mut tally)
                .map_err(|what| Diagnostic::new(format!("{name}:{line}: {what}")))?;
        }
    }
    Ok(tally)
}
