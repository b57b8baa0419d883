//! `[expect]` held against a run: a plain function from what was expected and what came to pass.

use crate::record::Record;
use crate::scenario::Expect;
use crate::time::{Span, Timestamp};

/// One key of `[expect]`, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectationResult {
    /// The key: `outcome`, `decided_by`, ...
    pub key: &'static str,
    /// What was expected: `rolled-back`, `1:00`, `120`, `500ms`.
    pub expected: String,
    /// What it was, in the same form.
    pub found: String,
    /// Whether it held.
    pub met: bool,
}

/// Holds each key that is given against the run, in the order of the file's documentation.
pub fn evaluate(expect: &Expect, record: &Record) -> Vec<ExpectationResult> {
    let decided = record.decided_at;
    let decided_text = decided.map_or_else(|| "undecided".to_owned(), Timestamp::clock);
    let mut results = Vec::new();
    if let Some(outcome) = &expect.outcome {
        results.push(ExpectationResult {
            key: "outcome",
            expected: outcome.clone(),
            found: record.outcome.as_str().to_owned(),
            met: outcome == record.outcome.as_str(),
        });
    }
    if let Some(by) = expect.decided_by.map(moment) {
        results.push(ExpectationResult {
            key: "decided_by",
            expected: by.clock(),
            found: decided_text.clone(),
            met: decided.is_some_and(|at| at <= by),
        });
    }
    if let Some(before) = expect.not_before.map(moment) {
        results.push(ExpectationResult {
            key: "not_before",
            expected: before.clock(),
            found: decided_text,
            met: decided.is_none_or(|at| at >= before),
        });
    }
    if let Some(most) = expect.max_failed_requests {
        results.push(ExpectationResult {
            key: "max_failed_requests",
            expected: most.to_string(),
            found: record.requests.failed.to_string(),
            met: record.requests.failed <= most,
        });
    }
    if let Some(most) = expect.max_p99 {
        let p99 = record.latency.p99_ms;
        results.push(ExpectationResult {
            key: "max_p99",
            expected: most.to_string(),
            found: format!("{p99:.1}ms"),
            met: p99 <= most.as_millis() as f64,
        });
    }
    results
}

/// Expected times count from time zero, as those of a record do.
fn moment(span: Span) -> Timestamp {
    Timestamp::ZERO + span
}
