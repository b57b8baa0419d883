//! `runs.csv`: a row for each run, in the order of the seeds. Times in seconds, an empty cell where there is nothing.

use crate::report::csv::{seconds, table};
use crate::study::forecast::Forecast;

/// The table.
pub(super) fn runs(forecast: &Forecast) -> csv::Result<Vec<u8>> {
    let header = [
        "seed",
        "outcome",
        "decided_at_s",
        "finished_at_s",
        "decided_by",
        "requests",
        "failed",
        "canary",
        "canary_failed",
        "latency_p99_ms",
    ];
    let rows = forecast.runs.iter().map(|run| {
        [
            run.seed.to_string(),
            run.outcome.as_str().to_owned(),
            run.decided_at.map(seconds).unwrap_or_default(),
            run.finished_at.map(seconds).unwrap_or_default(),
            run.decided_by.clone().unwrap_or_default(),
            run.requests.total.to_string(),
            run.requests.failed.to_string(),
            run.requests.canary.to_string(),
            run.requests.canary_failed.to_string(),
            run.latency_p99_us
                .map(|us| (us as f64 / 1000.0).to_string())
                .unwrap_or_default(),
        ]
    });
    table(header, rows)
}
